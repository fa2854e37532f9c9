"""The autoencoders' choices, and what they are made of, against slow and obvious versions."""

import numpy as np
import pytest

from featprune.importance.neural.backend import as_array, tensors, value_and_gradients
from featprune.importance.neural.concrete import _loss as concrete_loss
from featprune.importance.neural.concrete import concrete_choice, resolved
from featprune.importance.neural.group_lasso import _loss as lasso_loss
from featprune.importance.neural.group_lasso import lasso_leaving
from featprune.importance.neural.parts import by_unit, order_of_chosen
from featprune.importance.neural.steps import Training, adam_step, batches


def sources(n_sources=4, n_copies=3, n_rows=200, seed=0):
    """Copies of independent sources with a little noise, standardised, in single precision."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(n_rows, n_sources)), n_copies, axis=1)
    X += 0.1 * rng.normal(size=X.shape)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)


def training(**changes):
    told = []
    options = dict(hidden=(16,), epochs=100, batch_size=32, learning_rate=0.005, seed=0)
    options |= dict(deadline=None, progress=lambda done, total: told.append((done, total)))
    return Training(**options | changes), told


def choose(X, n_neurons, **changes):
    return concrete_choice(
        X,
        X[:, None, :],
        X[:, :0],
        np.ones(len(X), dtype=np.float32),
        n_neurons=n_neurons,
        temperature=(10.0, 0.01),
        training=training(**changes)[0],
    )


def leave(X, **changes):
    p = X.shape[1]
    protected, weight = np.zeros(p, dtype=bool), np.ones(len(X), dtype=np.float32)
    return lasso_leaving(X, np.arange(p), protected, weight, training(**changes)[0])


@pytest.mark.parametrize("seed", range(3))
def test_each_neuron_finds_a_source_of_its_own(seed):
    choice = choose(sources(seed=seed), 4, seed=seed)
    assert sorted(resolved(choice.probabilities) // 3) == [0, 1, 2, 3]
    assert np.allclose(choice.probabilities.sum(axis=1), 1)
    assert choice.losses[-1] < 0.05 < 0.5 < choice.losses[0]
    assert choice.is_settled


@pytest.mark.parametrize("seed", range(3))
def test_mixtures_leave_before_the_sources_are_used_up(seed):
    rng = np.random.default_rng(seed)
    S = rng.normal(size=(300, 3))
    mixing = rng.uniform(0.3, 1.0, size=(3, 6)) * rng.choice([-1, 1], size=(3, 6))
    X = np.hstack([S, S @ mixing]) + 0.05 * rng.normal(size=(300, 9))
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    chosen = resolved(choose(X, 3, seed=seed).probabilities)
    left = X - X[:, chosen] @ np.linalg.lstsq(X[:, chosen], X, rcond=None)[0]
    # any three independent mixtures span the sources
    assert np.square(left).sum() / np.square(X).sum() < 0.1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hidden", [(), (16,)], ids=["linear", "hidden layer"])
def test_the_last_to_leave_come_from_different_sources(seed, hidden):
    leaving = leave(sources(seed=seed), seed=seed, hidden=hidden)
    assert sorted(leaving.order[:4] // 3) == [0, 1, 2, 3]
    assert sorted(leaving.order) == list(range(12))
    assert (np.diff(leaving.penalties[leaving.order]) <= 0).all()
    assert leaving.is_settled


@pytest.mark.parametrize(
    "find", [lambda X, **c: choose(X, 4, **c), leave], ids=["concrete", "lasso"]
)
def test_the_same_seed_gives_the_same_bits(find):
    X = sources()
    one, other = find(X, epochs=8), find(X, epochs=8)
    assert one.losses.tobytes() == other.losses.tobytes()
    assert one[0].tobytes() == other[0].tobytes()
    assert find(X, epochs=8, seed=1).losses.tobytes() != one.losses.tobytes()


@pytest.mark.parametrize(
    "find", [lambda X, **c: choose(X, 4, **c), leave], ids=["concrete", "lasso"]
)
def test_a_deadline_that_has_passed_leaves_one_epoch(find):
    found = find(sources(), epochs=9, deadline=0.0)
    assert len(found.losses) == 1
    assert not found.is_settled


def test_protected_units_have_no_penalty_and_come_first():
    X = sources()
    protected = np.isin(np.arange(12), [5, 7])
    weight = np.ones(len(X), dtype=np.float32)
    found = lasso_leaving(X, np.arange(12), protected, weight, training(epochs=40)[0])
    assert sorted(found.order[:2]) == [5, 7]
    every = lasso_leaving(X, np.arange(12), ~np.zeros(12, bool), weight, training(epochs=4)[0])
    assert sorted(every.order) == list(range(12))


def test_rows_of_larger_weight_count_more():
    X = sources(2, 2, 120)
    X[60:, :2] = 0.0  # source 0 is only in the first half
    weight = np.r_[np.full(60, 0.01), np.full(60, 1.99)].astype(np.float32)
    arguments = dict(n_neurons=1, temperature=(10.0, 0.01), training=training(epochs=150)[0])
    seen = X[:, None, :]
    choice = concrete_choice(X, seen, X[:, :0], weight, **arguments)
    assert resolved(choice.probabilities)[0] >= 2


@pytest.mark.parametrize("n_parts", [1, 2], ids=["one number", "two numbers"])
def test_gradients_of_the_concrete_loss_are_finite_differences(n_parts):
    rng = np.random.default_rng(0)
    k, p, n = 2, 3, 5
    logits, W, b = (
        rng.normal(size=(k, p)) / 10,
        rng.normal(size=(k * n_parts + 1, 4)),
        rng.normal(size=4),
    )
    noise, rows = rng.uniform(0.1, 0.9, size=(k, p)), rng.normal(size=(n, 4))
    seen, given, weight = rng.normal(size=(n, n_parts, p)), rng.normal(size=(n, 1)), rng.random(n)
    total = 3.0

    def by_hand(logits, W, b):
        z = (10 * logits - np.log(-np.log(noise))) / 0.7
        drawn = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        flat = np.stack([(part @ drawn.T).ravel() for part in seen])
        squares = np.square(np.hstack([flat, given]) @ W + b - rows).sum(axis=1)
        return (weight * squares).sum() / (weight.sum() * total)

    parameters = (logits, W, b)
    data = tensors([noise, np.array(0.7), np.array(total), rows, seen, given, weight])
    value, gradients = value_and_gradients(concrete_loss, tensors(parameters), *data)
    assert float(value) == pytest.approx(by_hand(*parameters), rel=1e-5)
    for i, gradient in enumerate(gradients):
        np.testing.assert_allclose(
            as_array(gradient), differences(by_hand, parameters, i), rtol=2e-4, atol=2e-5
        )


def test_gradients_of_the_lasso_loss_are_finite_differences():
    rng = np.random.default_rng(0)
    parameters = tuple(rng.normal(size=shape) for shape in [(4, 3), 3, (3, 4), 4])
    rows, weight = rng.normal(size=(6, 4)), rng.random(6)

    def by_hand(W, b, V, c):
        h = rows @ W + b
        out = np.where(h > 0, h, 0.2 * h) @ V + c
        share = (weight * np.square(out - rows).sum(axis=1)).sum() / (weight.sum() * 2.0)
        return share + 1e-4 * np.square(V).sum()

    data = tensors([np.array(2.0), rows, weight])
    value, gradients = value_and_gradients(lasso_loss, tensors(parameters), *data)
    assert float(value) == pytest.approx(by_hand(*parameters), rel=1e-5)
    for i, gradient in enumerate(gradients):
        np.testing.assert_allclose(
            as_array(gradient), differences(by_hand, parameters, i), rtol=2e-4, atol=2e-5
        )


def differences(function, parameters, i, step=1e-5):
    """Central differences by each entry of parameter `i`."""
    found = np.zeros(parameters[i].shape)
    for at in np.ndindex(found.shape):
        values = []
        for sign in (1, -1):
            moved = [one.copy() for one in parameters]
            moved[i][at] += sign * step
            values.append(function(*moved))
        found[at] = (values[0] - values[1]) / (2 * step)
    return found


@pytest.mark.parametrize("in_common", [0, 1], ids=["each its own", "one for all"])
def test_steps_are_adams(in_common):
    from keras import ops

    target = np.array([[1.0, -2.0], [0.5, 3.0]])
    values, mean = np.zeros((2, 2)), np.zeros((2, 2))
    square = np.zeros(()) if in_common else np.zeros((2, 2))
    state = tuple(tensors([one]) for one in (values, mean, square))
    for step in range(1, 6):
        gradient = 2 * (values - target)
        mean = 0.9 * mean + 0.1 * gradient
        new = np.square(gradient)
        square = 0.999 * square + 0.001 * (new.mean() if in_common else new)
        rate = 0.1 / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        values = values - rate * mean / (1 - 0.9**step)
        _, state, our_rate = adam_step(
            lambda parameters, to: ops.sum(ops.square(parameters[0] - to)),
            state,
            *tensors([np.array(step), np.array(0.1), target]),
            in_common=in_common,
        )
        np.testing.assert_allclose(as_array(state[0][0]), values, rtol=1e-4)
        np.testing.assert_allclose(as_array(our_rate), rate, rtol=1e-4)


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (4, 4)], ids=str)
def test_batches_are_of_one_size_and_take_each_row_once_a_round(n, size):
    draws = batches(n, size, np.random.default_rng(0))
    drawn = [next(draws) for _ in range(3 * n)]
    assert {len(batch) for batch in drawn} == {size}
    rounds = np.concatenate(drawn)[: 3 * n].reshape(3, n)
    assert (np.sort(rounds, axis=1) == np.arange(n)).all()


def test_a_neuron_whose_unit_is_taken_gets_the_likeliest_that_is_free():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.9, 0.04, 0.06], [0.7, 0.2, 0.1]])
    # the surest is neuron 1; neuron 2 finds 0 taken, and neuron 0 finds 0 and 1 taken
    assert resolved(probabilities).tolist() == [2, 0, 1]


def test_of_equals_the_unit_on_the_left_is_taken_first():
    assert resolved(np.full((3, 4), 0.25)).tolist() == [0, 1, 2]


def test_units_of_one_feature_are_seen_as_they_are():
    X = sources()
    unit = np.random.default_rng(0).permutation(12)
    seen = by_unit(X, unit, np.array([3, 0, 7]))
    assert seen.shape == (200, 1, 3)
    for i, one in enumerate([3, 0, 7]):
        assert np.array_equal(seen[:, 0, i], X[:, unit == one][:, 0])


def test_narrow_units_are_filled_up_and_wide_ones_seen_by_components():
    X = sources(20, 1, 60)
    unit = np.array([0, 1, 1] + [2] * 17)
    seen = by_unit(X, unit, np.array([0, 1, 2]))
    assert seen.shape == (60, 16, 3)
    assert np.array_equal(seen[:, 0, 0], X[:, 0])
    assert not seen[:, 1:, 0].any()
    assert np.array_equal(seen[:, :2, 1], X[:, 1:3])
    values = np.linalg.svd(X[:, 3:].astype(float), compute_uv=False)[:16]
    np.testing.assert_allclose(np.linalg.norm(seen[:, :, 2], axis=0), values, rtol=1e-4)


def explained(X, weight, columns):
    root = np.sqrt(weight)[:, None]
    fit = np.linalg.lstsq(root * X[:, columns], root * X, rcond=None)[0]
    return (weight[:, None] * (np.square(X) - np.square(X - X[:, columns] @ fit))).sum()


@pytest.mark.parametrize("n_first", [0, 2], ids=["none first", "two first"])
def test_chosen_units_are_ordered_by_what_they_add(n_first):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(80, 9)) @ rng.normal(size=(9, 9))).astype(np.float64)
    X -= X.mean(axis=0)
    weight = rng.uniform(0.5, 2, 80)
    unit = np.array([0, 1, 1, 2, 3, 4, 4, 4, 5])
    chosen = np.array([5, 2, 0, 4, 1])
    expected, waiting = [], list(chosen)
    while waiting:
        open_ones = [u for u in waiting if u in chosen[:n_first]] or waiting
        best = max(open_ones, key=lambda u: explained(X, weight, np.isin(unit, [*expected, u])))
        expected.append(best)
        waiting.remove(best)
    assert order_of_chosen(X, weight, unit, chosen, n_first).tolist() == expected


def test_of_copies_the_one_on_the_left_comes_first_and_the_other_adds_nothing():
    X = sources(3, 1).astype(float)
    X = X[:, [0, 1, 0, 2]]
    order = order_of_chosen(X, np.ones(200), np.arange(4), np.array([2, 3, 0, 1]))
    assert order.tolist().index(0) < order.tolist().index(2) == 3
    assert order_of_chosen(X, np.ones(200), np.arange(4), np.array([], dtype=int)).size == 0
