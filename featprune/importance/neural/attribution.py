"""What each input of a network does to its output, on given rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from featprune.importance.neural.backend import as_array, compiled, value_and_gradients

if TYPE_CHECKING:
    import keras

METHODS = ("gradient_input", "integrated_gradients", "smoothgrad")
# what the output of a network is
NUMBERS, LOGITS, PROBABILITIES, EACH_LOGIT, EACH_PROBABILITY = (
    "numbers",
    "logits",
    "probabilities",
    "logits of each class against the rest",
    "probabilities of each class against the rest",
)
# points on the way from the mean to a row, and noisy copies of a row
_N_POINTS, _N_COPIES = 32, 16
# standard deviation of the noise, where features have 1: about a tenth of their range
_NOISE = 0.5
# rows that gradients are found for at a time
_MOST_ROWS = 512
# probabilities keep this far from 0 and 1
_TINY = 1e-7


class Gradients:
    """Derivatives of a network's output by its inputs.

    Parameters
    ----------
    model : keras.Model
        Built. Its weights may change between calls.
    output : str
        What the output is: one of the names above.
    """

    def __init__(self, model: keras.Model, output: str) -> None:
        def total(inputs: tuple[Any, ...], codes: Any, trained: Any, others: Any) -> Any:
            from keras import ops

            # as arguments: what a compiled function takes from around it stays as it was then
            made, _ = model.stateless_call(trained, others, inputs[0], training=False)
            return ops.sum(own_score(made, codes, output))

        self._model = model
        self._slopes = compiled(
            lambda rows, *others: value_and_gradients(total, (rows,), *others)[1][0]
        )

    def __call__(self, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return the derivatives of each row's score by its inputs, shaped as `rows`."""
        from keras import ops

        trained = [variable.value for variable in self._model.trainable_variables]
        others = [variable.value for variable in self._model.non_trainable_variables]
        n_rows, size = len(rows), min(len(rows), _MOST_ROWS)
        slopes = np.empty(rows.shape)
        for start in range(0, n_rows, size):
            # all blocks of one shape: the last is filled up with rows that were seen
            idx = np.arange(start, start + size) % n_rows
            some = ops.convert_to_tensor(rows[idx].astype(np.float32))
            of_codes = ops.convert_to_tensor(codes[idx].astype(np.int32))
            found = as_array(self._slopes(some, of_codes, trained, others))
            slopes[start : start + size] = found[: n_rows - start]
        return slopes


def own_score(made: Any, codes: Any, output: str) -> Any:
    """Return one score a row: the number, or the log-odds of the row's own class.

    Log-odds, because probabilities near 0 and 1 hardly move with their inputs.

    Parameters
    ----------
    made : tensor of shape (n_rows, n_units)
    codes : tensor of shape (n_rows,), int
        The class of each row.
    output : str
        What `made` is.

    Returns
    -------
    tensor of shape (n_rows,)
    """
    from keras import ops

    if output in (PROBABILITIES, EACH_PROBABILITY):
        made = ops.clip(made, _TINY, 1 - _TINY)
        if made.shape[1] == 1 or output == EACH_PROBABILITY:
            made = ops.log(made) - ops.log(1 - made)
        else:
            made = ops.log(made)
    if made.shape[1] == 1:
        return made[:, 0]
    own = ops.one_hot(codes, made.shape[1], dtype=made.dtype)
    mine = ops.sum(made * own, axis=1)
    if output in (EACH_LOGIT, EACH_PROBABILITY):
        return mine
    # the own class is as good as absent among the others
    return mine - ops.logsumexp(made - 1e9 * own, axis=1)


def attributions(
    gradients: Callable[[np.ndarray, np.ndarray], np.ndarray],
    rows: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    method: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return what each input is worth, shape (n_features,): the mean size over the rows.

    Parameters
    ----------
    gradients : callable
        As :class:`Gradients`.
    rows : ndarray of shape (n_rows, ...)
        Centred, so that 0 is a row that says nothing.
    codes : ndarray of shape (n_rows,), int
    weight : ndarray of shape (n_rows,)
    method : str
        "gradient_input": the row times its derivative. "integrated_gradients": times the mean
        derivative on the straight way from 0 to the row, by the midpoint rule with 32 points.
        "smoothgrad": the mean derivative at 16 copies of the row with noise.
    rng : numpy.random.Generator
        For the noise.

    References
    ----------
    Sundararajan, M., Taly, A., Yan, Q. (2017). Axiomatic attribution for deep networks. ICML 2017,
    PMLR 70, 3319-3328. https://doi.org/10.48550/arXiv.1703.01365

    Smilkov, D., Thorat, N., Kim, B., Viégas, F., Wattenberg, M. (2017). SmoothGrad: removing noise
    by adding noise. https://doi.org/10.48550/arXiv.1706.03825
    """
    if method == "gradient_input":
        parts = rows * gradients(rows, codes)
    elif method == "integrated_gradients":
        points = (np.arange(_N_POINTS) + 0.5) / _N_POINTS
        parts = rows * (sum(gradients(rows * point, codes) for point in points) / _N_POINTS)
    else:
        parts = np.zeros(rows.shape)
        for _ in range(_N_COPIES):
            noise = _NOISE * rng.standard_normal(rows.shape)
            parts += gradients(rows + noise, codes) / _N_COPIES
    return np.average(np.abs(parts).reshape(len(rows), -1), axis=0, weights=weight)
