"""Attributions against finite differences and what is known of linear networks."""

import keras
import numpy as np
import pytest
from scipy.special import logit, logsumexp

from featprune.importance.neural import attribution
from featprune.importance.neural.attribution import (
    EACH_LOGIT,
    EACH_PROBABILITY,
    LOGITS,
    NUMBERS,
    PROBABILITIES,
    Gradients,
    attributions,
)

layers = keras.layers


def network(n_units, activation=None, hidden=5, seed=0):
    keras.utils.set_random_seed(seed)
    inside = [layers.Dense(hidden, activation="tanh")] if hidden else []
    stack = [layers.Input((4,)), *inside, layers.Dense(n_units, activation=activation)]
    return keras.Sequential(stack)


SCORES = {
    "number": (1, None, NUMBERS, lambda out, code: out[0]),
    "one logit": (1, None, LOGITS, lambda out, code: out[0]),
    "one probability": (1, "sigmoid", PROBABILITIES, lambda out, code: logit(out[0])),
    "three logits": (
        3,
        None,
        LOGITS,
        lambda out, code: out[code] - logsumexp(np.delete(out, code)),
    ),
    "three probabilities": (
        3,
        "softmax",
        PROBABILITIES,
        lambda out, code: np.log(out[code]) - np.log(np.delete(out, code).sum()),
    ),
    "each logit": (3, None, EACH_LOGIT, lambda out, code: out[code]),
    "each probability": (3, "sigmoid", EACH_PROBABILITY, lambda out, code: logit(out[code])),
}


@pytest.mark.parametrize("case", SCORES, ids=SCORES.keys())
def test_gradients_are_finite_differences(case):
    n_units, activation, output, score = SCORES[case]
    model = network(n_units, activation)
    rng = np.random.default_rng(0)
    rows, codes = rng.normal(size=(6, 4)).astype(np.float32), np.arange(6) % n_units
    found, step = Gradients(model, output)(rows, codes), 1e-2
    for j in range(4):
        moved = [rows + sign * step * np.eye(4, dtype=np.float32)[j] for sign in (1, -1)]
        out = [np.asarray(model(one), dtype=float) for one in moved]
        expected = [
            (score(up, code) - score(down, code)) / (2 * step)
            for up, down, code in zip(*out, codes, strict=True)
        ]
        np.testing.assert_allclose(found[:, j], expected, rtol=2e-2, atol=2e-3)


def test_gradients_follow_the_weights_that_the_model_has_now():
    model = network(1, hidden=0)
    gradients, rows = Gradients(model, NUMBERS), np.ones((3, 4), dtype=np.float32)
    for values in ([1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.5, 2.0]):
        model.set_weights([np.array(values)[:, None], np.zeros(1)])
        assert np.array_equal(gradients(rows, np.zeros(3, dtype=int)), np.tile(values, (3, 1)))


def test_layers_behave_as_in_prediction():
    model = keras.Sequential(
        [layers.Input((4,)), layers.BatchNormalization(), layers.Dropout(0.9), layers.Dense(1)]
    )
    gradients, rows = Gradients(model, NUMBERS), np.ones((3, 4), dtype=np.float32)
    slopes = gradients(rows, np.zeros(3, dtype=int))
    kernel = keras.ops.convert_to_numpy(model.layers[-1].kernel.value)
    expected = kernel[:, 0] / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(slopes, np.tile(expected, (3, 1)), rtol=1e-5)


def test_many_rows_go_in_blocks(monkeypatch):
    model = network(1)
    rows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    whole = Gradients(model, NUMBERS)(rows, np.zeros(10, dtype=int))
    monkeypatch.setattr(attribution, "_MOST_ROWS", 4)
    blocks = Gradients(model, NUMBERS)(rows, np.zeros(10, dtype=int))
    np.testing.assert_allclose(blocks, whole, rtol=1e-5)


def linear(rows, codes):
    return np.broadcast_to([2.0, -1.0, 0.0], rows.shape)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("gradient_input", lambda rows: 2 * np.abs(rows[:, 0])),
        ("integrated_gradients", lambda rows: 2 * np.abs(rows[:, 0])),
        ("smoothgrad", lambda rows: np.full(len(rows), 2.0)),
    ],
    ids=["gradient_input", "integrated_gradients", "smoothgrad"],
)
def test_a_linear_network_is_attributed_its_weights(method, expected):
    rng = np.random.default_rng(0)
    rows, weight = rng.normal(size=(7, 3)), rng.random(7)
    found = attributions(linear, rows, np.zeros(7, dtype=int), weight, method, rng)
    assert found.shape == (3,)
    assert found[0] == pytest.approx(np.average(expected(rows), weights=weight))
    assert found[2] == 0


def test_integrated_gradients_add_up_to_the_difference_from_the_mean_row():
    row = np.array([[0.8, -1.5]])

    def cubes(rows, codes):
        return 3 * rows**2

    found = attributions(
        cubes, row, np.zeros(1, dtype=int), np.ones(1), "integrated_gradients", None
    )
    np.testing.assert_allclose(found, np.abs(row[0] ** 3), rtol=1e-3)


def test_noise_smooths_a_gradient_that_jumps():
    def steps(rows, codes):
        return np.where(np.floor(rows * 50) % 2, 10.0, -8.0)

    rows = np.random.default_rng(0).normal(size=(40, 1))
    codes, weight = np.zeros(40, dtype=int), np.ones(40)
    smooth, again = (
        attributions(steps, rows, codes, weight, "smoothgrad", np.random.default_rng(1))
        for _ in range(2)
    )
    assert smooth[0] < 4 < 8 <= np.abs(steps(rows, codes)).mean()
    assert np.array_equal(smooth, again)


def test_images_are_attributed_pixel_by_pixel():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 2, 3, 1))
    slopes = np.arange(6.0).reshape(2, 3, 1)
    found = attributions(
        lambda rows, codes: np.broadcast_to(slopes, rows.shape),
        rows,
        np.zeros(5, dtype=int),
        np.ones(5),
        "gradient_input",
        rng,
    )
    np.testing.assert_allclose(found, np.abs(rows * slopes).mean(axis=0).ravel())
