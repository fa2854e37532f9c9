"""Guyon's criterion from its definition, for one unit or a few single features."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernel_functions import Gram
from featprune.importance.svm.kernel_models import Models


def delta_of_features(
    gram: Gram, rows: np.ndarray, models: Models, features: np.ndarray
) -> np.ndarray:
    """Return the criterion of each feature, as a unit of its own; O(n_rows^2) each.

    Parameters
    ----------
    gram : Gram
    rows : ndarray of shape (n_rows,), int
        Rows that the models are restricted to.
    models : Models
    features : ndarray of shape (n_chosen,), int
    """
    if gram.kernel != "rbf":
        return np.array(
            [delta_of_unit(gram, rows, models, features[[k]]) for k in range(len(features))]
        )
    from featprune.importance.svm.kernels import kernel_delta

    values = np.empty(len(features))
    largest = gram.gamma * gram.ranges[features]
    small = np.flatnonzero(largest <= kernel_delta.SMALL_EXPONENT)
    if len(small):
        x = _columns(gram, rows, features[small])
        out = np.empty(len(small))
        kernel_delta.rbf_delta_singles(models.weighed.L, x, gram.gamma, largest[small], out)
        values[small] = out
    for at in np.flatnonzero(largest > kernel_delta.SMALL_EXPONENT):
        values[at] = delta_of_unit(gram, rows, models, features[[at]])
    return values


def delta_of_unit(gram: Gram, rows: np.ndarray, models: Models, members: np.ndarray) -> float:
    """Return the criterion of a set of features; O(n_rows^2 n_members). Arguments as above."""
    if callable(gram.kernel):
        return _by_callable(gram, rows, models, members)
    x = _columns(gram, rows, members)
    if gram.kernel == "rbf":
        from featprune.importance.svm.kernels import kernel_delta

        largest = gram.gamma * gram.ranges[members].sum()
        if largest <= kernel_delta.SMALL_EXPONENT:
            return kernel_delta.rbf_delta_small(models.weighed.L, x, gram.gamma, largest)
        return kernel_delta.rbf_delta_large(models.pair_weights, models.base, x, gram.gamma)
    from featprune.importance.svm.kernels import kernel_product

    given = (models.pair_weights, models.base, x, gram.gamma, gram.coef0)
    if gram.kernel == "poly":
        return kernel_product.poly_delta(*given, gram.degree)
    return kernel_product.tanh_delta(*given)


def _columns(gram: Gram, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return features on some rows, one feature a row."""
    if len(rows) == gram.x.shape[1]:
        return gram.x[features]
    return gram.x[features[:, None], rows]


def _by_callable(gram: Gram, rows: np.ndarray, models: Models, members: np.ndarray) -> float:
    """Compute the kernel without these features: the callable's cost, and nothing saved."""
    assert callable(gram.kernel)
    rest = gram.left.copy()
    rest[members] = False
    if rest.any():
        remaining = np.ascontiguousarray(gram.x[rest][:, rows].T)
    else:
        # A callable need not bear a table without columns: a column of zeros stands for none.
        remaining = np.zeros((len(rows), 1))
    without = np.asarray(gram.kernel(remaining, remaining), dtype=np.float64)
    return 0.5 * float(np.sum(models.pair_weights * (models.K - without)))
