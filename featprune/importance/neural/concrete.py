"""The concrete autoencoder: neurons that each come to look at one unit of a table."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from featprune.importance.neural.backend import as_array, compiled, tensors
from featprune.importance.neural.steps import (
    Training,
    adam_step,
    batches,
    new_layers,
    share_left,
    through_layers,
)

# Adam moves each number by about the learning rate in a step. What decides between units is
# multiplied by this, so that it moves as much faster than the weights of the decoder.
_BOOST = 10.0
# mean probability of the neurons' first choices at which they are settled
_SETTLED = 0.998
# the uniform numbers under Gumbel noise keep this far from 0 and 1, where logarithms end
_TINY = 1e-7


class Choice(NamedTuple):
    """What the neurons look at.

    Attributes
    ----------
    probabilities : ndarray of shape (n_neurons, n_units)
        Of each neuron, with what probability it looks at which unit.
    losses : ndarray of shape (n_epochs,)
        Mean share of the variance that was not rebuilt in the batches of each epoch.
    is_settled : bool
        Whether the temperature came to its end, or the neurons to a choice before.
    """

    probabilities: np.ndarray
    losses: np.ndarray
    is_settled: bool


def concrete_choice(
    rows: np.ndarray,
    seen: np.ndarray,
    given: np.ndarray,
    weight: np.ndarray,
    *,
    n_neurons: int,
    temperature: tuple[float, float],
    training: Training,
) -> Choice:
    """Train neurons to choose the units from which all features are rebuilt.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Centred features, all of which are to be rebuilt.
    seen : ndarray of shape (n_rows, n_parts, n_units), float32
        The same rows by unit: up to `n_parts` numbers for each, zeros where it has fewer.
    given : ndarray of shape (n_rows, n_given), float32
        Features that the decoder sees in any case.
    weight : ndarray of shape (n_rows,), float32
    n_neurons : int
    temperature : tuple of two floats
        At the first step and at the last; in between it falls by the same factor each step.
    training : Training

    Returns
    -------
    Choice

    Notes
    -----
    Neuron j sees the sum of the units' numbers, weighted by a draw from a concrete distribution:
    the softmax of its logits plus Gumbel noise over the temperature. When the temperature has
    fallen, the draw is one unit. One draw serves a whole batch. Noise, batches and first weights
    come from numpy, so they are the same on every backend.

    References
    ----------
    Balın, M. F., Abid, A., Zou, J. (2019). Concrete autoencoders: differentiable feature selection
    and reconstruction. ICML 2019, PMLR 97, 444-453. https://doi.org/10.48550/arXiv.1901.09346
    """
    rng = np.random.default_rng(training.seed)
    n_rows, n_parts, n_units = seen.shape
    size = min(training.batch_size, n_rows)
    n_steps = -(-n_rows // size)
    # close to equal chances, in the scale of the logits
    logits = rng.normal(scale=0.01, size=(n_neurons, n_units)) / _BOOST
    widths = (n_neurons * n_parts + given.shape[1], *training.hidden, rows.shape[1])
    parameters = [logits, *new_layers(widths, rng)]
    zeros = tensors([np.zeros_like(one) for one in parameters])
    state = (tensors(parameters), zeros, zeros)
    table = tensors([rows, seen, given, weight])
    total = np.float32((weight @ np.square(rows).sum(axis=1)) / weight.sum())
    start, end = temperature
    step, draws, losses = _step(), batches(n_rows, size, rng), []
    is_settled = False
    for epoch in range(training.epochs):
        values = []
        for i in range(epoch * n_steps, (epoch + 1) * n_steps):
            now = start * (end / start) ** (i / max(1, training.epochs * n_steps - 1))
            noise = rng.random((n_neurons, n_units), dtype=np.float32)
            scalars = np.array([i + 1, training.learning_rate, now, total], dtype=np.float32)
            value, state = step(state, scalars, noise, next(draws), *table)
            values.append(value)
        losses.append(float(np.mean([as_array(value) for value in values])))
        training.progress(epoch + 1, training.epochs)
        chances = softmax(_BOOST * as_array(state[0][0]), axis=1)
        is_settled = epoch + 1 == training.epochs or chances.max(axis=1).mean() >= _SETTLED
        if is_settled or training.is_late():
            break
    return Choice(chances, np.array(losses), is_settled)


def resolved(probabilities: np.ndarray) -> np.ndarray:
    """Give each neuron a unit of its own, the surest neuron first.

    Parameters
    ----------
    probabilities : ndarray of shape (n_neurons, n_units)
        No more neurons than units.

    Returns
    -------
    ndarray of shape (n_neurons,), int
        Units, each once: a neuron whose unit is taken gets the likeliest of those that are free.
        Of equals, the neuron above and the unit further left come first.
    """
    free = probabilities.copy()
    units = np.empty(len(free), dtype=np.intp)
    for neuron in np.argsort(-probabilities.max(axis=1), kind="stable"):
        units[neuron] = free[neuron].argmax()
        free[:, units[neuron]] = -1.0
    return units


def _loss(
    parameters: tuple[Any, ...], noise: Any, temperature: Any, total: Any, *batch: Any
) -> Any:
    from keras import ops

    rows, seen, given, weight = batch
    noise = ops.clip(noise, _TINY, 1 - _TINY)
    gumbel = -ops.log(-ops.log(noise))
    heights = (_BOOST * parameters[0] + gumbel) / temperature
    # ops.softmax warns where there is one unit
    drawn = ops.exp(heights - ops.logsumexp(heights, axis=1, keepdims=True))
    looked_at = ops.matmul(seen, ops.transpose(drawn))
    flat = ops.reshape(looked_at, (seen.shape[0], seen.shape[1] * noise.shape[0]))
    rebuilt = through_layers(parameters[1:], ops.concatenate([flat, given], axis=1))
    return share_left(rebuilt, rows, weight, total)


@cache
def _step() -> Any:
    """Return the compiled step, kept for all fits."""
    from keras import ops

    def step(state: Any, scalars: Any, noise: Any, idx: Any, *table: Any) -> tuple[Any, Any]:
        scalars = ops.convert_to_tensor(scalars)
        number, rate, temperature, total = (scalars[i] for i in range(4))
        batch = (ops.take(one, idx, axis=0) for one in table)
        noise = ops.convert_to_tensor(noise)
        value, state, _ = adam_step(_loss, state, number, rate, noise, temperature, total, *batch)
        return value, state

    return compiled(step)
