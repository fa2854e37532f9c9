"""An autoencoder whose first layer loses one unit of a table after the other."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from featprune.importance.neural.backend import (
    as_array,
    compiled,
    tensors,
    value_and_gradients,
)
from featprune.importance.neural.steps import (
    Training,
    adam_step,
    batches,
    new_layers,
    share_left,
    through_layers,
)

# share of the epochs before the penalty begins
_WARM_UP = 0.25
# the penalty runs between these multiples of the one that would let no unit in
_LEAST, _MOST = 1e-3, 2.0
# what the penalty of a unit that has left is multiplied by, and the least length there is
_NO_RETURN, _TINY = 1e6, 1e-12
# on the squares of all weights behind the first layer, which could grow as that one shrinks
_RIDGE = 1e-4


class Leaving(NamedTuple):
    """When units left.

    Attributes
    ----------
    order : ndarray of shape (n_units,), int
        Those that stayed longest first.
    penalties : ndarray of shape (n_units,)
        The largest penalty under which each unit was still in use; 0 if under none.
    losses : ndarray of shape (n_epochs,)
        Mean share of the variance that was not rebuilt in the batches of each epoch.
    is_settled : bool
        Whether the penalty came to its end.
    """

    order: np.ndarray
    penalties: np.ndarray
    losses: np.ndarray
    is_settled: bool


def lasso_leaving(
    rows: np.ndarray,
    unit: np.ndarray,
    protected: np.ndarray,
    weight: np.ndarray,
    training: Training,
) -> Leaving:
    """Train an autoencoder under a growing penalty on the units it uses.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Centred features, all of which are to be rebuilt.
    unit : ndarray of shape (n_features,), int
    protected : ndarray of shape (n_units,), bool
        Units without a penalty, which come first in the order.
    weight : ndarray of shape (n_rows,), float32
    training : Training
        Without hidden layers, the features are linear combinations of those in use.

    Returns
    -------
    Leaving

    Notes
    -----
    The penalty on a unit is the root of its number of features times the length of its weights in
    the first layer. After each step of Adam, whose step size is one number for that layer, its
    proximal operator shortens the weights of each unit (Yuan and Lin 2006). A quarter of the
    epochs goes without it; then it grows by the same factor in each epoch, from a thousandth to
    twice the least one that keeps all units out of the network that was found without it.

    Before each epoch, the penalty of each unit is divided by the length of its weights relative
    to the mean (Wang and Leng 2008). With equal penalties all weights are short where few units
    are left, and those left are near one another: on Isolet, fifty of them rebuilt less than fifty
    at random. A unit that has left stays out.

    References
    ----------
    Yuan, M., Lin, Y. (2006). Model selection and estimation in regression with grouped variables.
    Journal of the Royal Statistical Society B 68(1), 49-67.
    https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Wang, H., Leng, C. (2008). A note on adaptive group lasso. Computational Statistics & Data
    Analysis 52(12), 5277-5286. https://doi.org/10.1016/j.csda.2008.05.006
    """
    rng = np.random.default_rng(training.seed)
    n_rows, n_features = rows.shape
    size = min(training.batch_size, n_rows)
    parameters = new_layers((n_features, *training.hidden, n_features), rng)
    zeros = [np.zeros_like(one) for one in parameters]
    # one mean of squares for the whole first layer, see adam_step
    state = (tensors(parameters), tensors(zeros), tensors([np.zeros(()), *zeros[1:]]))
    table = tensors([rows, weight])
    total = np.float32((weight @ np.square(rows).sum(axis=1)) / weight.sum())
    widths = np.bincount(unit, minlength=len(protected))
    scale = np.where(protected, 0.0, np.sqrt(widths))
    places, step, draws = unit.astype(np.int32), _step(), batches(n_rows, size, rng)
    n_warm = int(_WARM_UP * training.epochs)
    schedule = np.geomspace(_LEAST, _MOST, max(1, training.epochs - n_warm))
    lengths, penalties = np.zeros(len(scale)), np.zeros(len(scale))
    last, relative, most, number = np.full(len(scale), -1), np.ones(len(scale)), 0.0, 0
    losses: list[float] = []
    for epoch in range(training.epochs):
        if epoch == n_warm:
            most = _least_that_keeps_all_out(state[0], rows, unit, weight, total, scale)
        penalty = 0.0 if epoch < n_warm else most * schedule[epoch - n_warm]
        shrink = (penalty * scale * relative).astype(np.float32)
        values = []
        for _ in range(-(-n_rows // size)):
            number += 1
            scalars = np.array([number, training.learning_rate, total], dtype=np.float32)
            value, state = step(state, scalars, shrink, places, next(draws), *table)
            values.append(value)
        losses.append(float(np.mean([as_array(value) for value in values])))
        sums = np.square(as_array(state[0][0])).sum(axis=1)
        now = np.sqrt(np.bincount(unit, weights=sums, minlength=len(scale)) / np.maximum(widths, 1))
        is_used = now > 0
        lengths[is_used], last[is_used], penalties[is_used] = now[is_used], epoch, penalty
        training.progress(epoch + 1, training.epochs)
        rest = is_used & ~protected
        is_out = epoch >= n_warm and not rest.any()
        if is_out or training.is_late():
            break
        if rest.any():
            relative = np.where(is_used, now[rest].mean() / np.maximum(now, _TINY), _NO_RETURN)
    order = np.lexsort((-lengths, -last, ~protected))
    return Leaving(order, penalties, np.array(losses), is_out or epoch + 1 == training.epochs)


def _least_that_keeps_all_out(
    parameters: tuple[Any, ...],
    rows: np.ndarray,
    unit: np.ndarray,
    weight: np.ndarray,
    total: np.float32,
    scale: np.ndarray,
) -> float:
    """Return the largest slope by a unit's weights where all are 0, over the unit's penalty."""
    out = tensors([np.zeros_like(as_array(parameters[0]))])
    # a few rows tell the size; all of a large table would take its memory twice
    some = tensors([rows[:2000], weight[:2000]])
    slopes = as_array(_slopes()(out, parameters[1:], total, *some))
    sums = np.bincount(unit, weights=np.square(slopes).sum(axis=1), minlength=len(scale))
    has_penalty = scale > 0
    if not has_penalty.any():
        return 0.0
    return float((np.sqrt(sums[has_penalty]) / scale[has_penalty]).max())


@cache
def _slopes() -> Any:
    """Return the compiled derivative of the loss by the first layer, kept for all fits."""

    def loss(first: Any, behind: Any, *data: Any) -> Any:
        return _loss((*first, *behind), *data)

    return compiled(lambda *data: value_and_gradients(loss, *data)[1][0])


def _loss(parameters: tuple[Any, ...], total: Any, rows: Any, weight: Any) -> Any:
    from keras import ops

    rebuilt = through_layers(parameters, rows)
    ridge = sum(ops.sum(ops.square(one)) for one in parameters[2::2])
    return share_left(rebuilt, rows, weight, total) + _RIDGE * ridge


@cache
def _step() -> Any:
    """Return the compiled step, kept for all fits."""
    from keras import ops

    def step(state: Any, scalars: Any, shrink: Any, unit: Any, idx: Any, *table: Any) -> Any:
        scalars, shrink = ops.convert_to_tensor(scalars), ops.convert_to_tensor(shrink)
        number, learning_rate, total = (scalars[i] for i in range(3))
        batch = (ops.take(one, idx, axis=0) for one in table)
        adam = partial(adam_step, _loss, in_common=1)
        value, (parameters, *others), rate = adam(state, number, learning_rate, total, *batch)
        first = parameters[0]
        sums = ops.segment_sum(ops.sum(ops.square(first), axis=1), unit, shrink.shape[0])
        lengths = ops.maximum(ops.sqrt(sums), _TINY)
        factor = ops.maximum(1 - rate * shrink / lengths, 0.0)
        first = first * ops.expand_dims(ops.take(factor, unit, axis=0), 1)
        return value, ((first, *parameters[1:]), *others)

    return compiled(step)
