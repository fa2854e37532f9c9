"""A network that starts anew: from the same weights to the same bits, and back to its best."""

import keras
import numpy as np
import pytest

from featprune.importance.neural.models import last_activation, loss_of, make_model, target_of
from featprune.importance.neural.networks import (
    convolutional_network,
    dense_network,
    first_weights,
)
from featprune.importance.neural.train import Network, Sample, Schedule

layers = keras.layers


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adagrad(0.1), "mse")
    return Network(model)


def sample(n=48, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    y = X[:, :1] + 0.5 * rng.normal(size=(n, 1)).astype(np.float32)
    return Sample(X, y, np.ones(n, dtype=np.float32))


def test_the_same_start_gives_the_same_bits(network):
    start = network.weights()
    found = []
    for _ in range(2):
        network.start(start)
        network.train(sample(), sample(16, 1), Schedule(5, 16, 5, None), np.random.default_rng(0))
        found.append(network.weights())
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()
    assert any((a != b).any() for a, b in zip(start, found[0], strict=True))
    network.start(start)


def test_training_ends_by_patience_and_goes_back_to_the_least_loss(network):
    start, held_out = network.weights(), sample(16, 1)
    noise = sample(16)._replace(target=np.random.default_rng(3).normal(size=(16, 1)))
    schedule = Schedule(200, 8, 4, None)
    best, losses = network.train(noise, held_out, schedule, np.random.default_rng(0))
    assert len(losses) == best + 4 < 200
    assert losses[best - 1] == min(losses)
    out = np.asarray(network.model(held_out.rows))
    assert np.square(out - held_out.target).mean() == pytest.approx(min(losses), rel=1e-5)
    network.start(start)


def test_a_deadline_that_has_passed_leaves_one_epoch(network):
    start, schedule = network.weights(), Schedule(50, 16, 50, 0.0)
    _, losses = network.train(sample(), sample(16, 1), schedule, np.random.default_rng(0))
    assert len(losses) == 1
    assert not network.train_as_long(sample(), 3, schedule, np.random.default_rng(0))
    network.start(start)


def test_training_as_long_takes_the_same_steps(network):
    start, schedule = network.weights(), Schedule(1, 16, 9, None)
    network.train_as_long(sample(), 1, schedule, np.random.default_rng(0))
    plain = network.weights()
    network.start(start)
    best, _ = network.train(sample(), sample(16, 1), schedule, np.random.default_rng(0))
    assert best == 1
    for one, other in zip(plain, network.weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    network.start(start)


def test_a_loss_that_is_not_finite_is_an_error(network):
    start = network.weights()
    bad = sample(16)._replace(target=np.full((16, 1), np.inf, dtype=np.float32))
    with pytest.raises(FloatingPointError):
        network.train(bad, bad, Schedule(2, 16, 2, None), np.random.default_rng(0))
    network.start(start)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (dense_network, (3,)),
        (dense_network, (2, 3, 1)),
        (convolutional_network, (1,)),
        (convolutional_network, (9,)),
        (convolutional_network, (2, 5, 1)),
        (convolutional_network, (6, 5, 3)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_our_networks_take_rows_of_any_shape(build, shape):
    model = build(shape, 3)
    assert model.output_shape == (None, 3)
    assert last_activation(model) == "linear"
    weights = first_weights(model, 0)
    assert [one.shape for one in weights] == [tuple(v.shape) for v in model.variables]
    for one in weights:
        assert one.any() == (one.ndim > 1)
    again = first_weights(model, 0)
    assert all((a == b).all() for a, b in zip(weights, again, strict=True))


def test_first_weights_are_glorots():
    weights = first_weights(convolutional_network((20, 20, 3), 2), 0)
    for fan, one in zip((9 * (3 + 16), 9 * 32), weights[::2][:2], strict=False):
        assert 0.95 < np.abs(one).max() / np.sqrt(6 / fan) <= 1
        assert one.std() == pytest.approx(np.sqrt(2 / fan), rel=0.1)


def test_builders_are_told_what_they_ask_for():
    told = dict(n_features_in_=4, n_classes_=3, image_shape=None)

    def build(n_classes_, n_features_in_):
        return keras.Sequential([layers.Input((n_features_in_,)), layers.Dense(n_classes_)])

    model, n_units = make_model(build, {}, told, (4,), [3], "Selector")
    assert (model.input_shape, n_units) == ((None, 4), 3)
    copied, _ = make_model(model, {}, told, (4,), [3], "Selector")
    assert copied is not model


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: 3, TypeError, r"must be a function that returns a keras.Model"),
        (
            lambda: keras.Sequential([layers.Input((5,)), layers.Dense(3)]),
            ValueError,
            r"must take rows of the shape \(4,\), input shape \(None, 4\). Got a model with input",
        ),
        (
            lambda: keras.Sequential([layers.Dense(2)]),
            ValueError,
            r"must end in 3 units for this y, output shape \(None, 3\). Got a model with output",
        ),
    ],
    ids=["no model", "another width", "another output"],
)
def test_a_model_that_does_not_fit_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        make_model(build, {}, dict(n_features_in_=4), (4,), [3], "Selector")


def test_targets_are_as_the_loss_wants_them():
    codes = np.array([0, 1, 1])
    assert target_of(codes, "binarycrossentropy", 1).tolist() == [[0.0], [1.0], [1.0]]
    assert target_of(codes, "sparsecategoricalcrossentropy", 2).tolist() == [0, 1, 1]
    assert target_of(codes, "categoricalcrossentropy", 2).tolist() == [[1, 0], [0, 1], [0, 1]]
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    assert loss_of(model) == ("binarycrossentropy", True)
