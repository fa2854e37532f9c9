"""The spread of a sparse table: its means are taken off in products, never in the table."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.pca.moments import Moments
from featprune.importance.pca.rows import SparseRows
from featprune.importance.pca.spread import Centred, Scatter, is_constant, scale_of

# up to so many features, p x p second moments are smaller and faster than products with the table
_MOST_FEATURES = 8000
# above this share of values that are not zero, dense blocks of rows are multiplied faster
_DENSE = 0.05
_BLOCK = 1024


def sparse_moments(
    X: Any,
    weight: np.ndarray | None,
    *,
    standardize: bool,
    sharing: np.ndarray | None = None,
) -> Centred:
    """Return the spread of the features of a sparse matrix around their mean.

    Parameters
    ----------
    X : sparse matrix of shape (n_rows, n_features), float64
        Not changed; of finite numbers.
    weight : ndarray of shape (n_rows,), optional
        Above 0.
    standardize : bool
        Whether every feature is scaled to variance 1.
    sharing : ndarray of shape (n_features,), optional
        How many features share that variance of 1, for each of them.

    Returns
    -------
    Centred
        Second moments where there are at least as many rows as features and not too many
        features, otherwise rows that stay sparse.
    """
    n_rows, n_features = X.shape
    if weight is None:
        weight = np.ones(n_rows)
    is_tall = n_features <= min(n_rows, _MOST_FEATURES)
    if is_tall and X.nnz > _DENSE * n_rows * n_features:
        return _in_dense_blocks(sparse.csr_array(X), weight, standardize, sharing)
    share = weight / weight.sum()
    values = sparse.csc_array(X, copy=True)
    values.sum_duplicates()
    mean = values.T @ share
    variances = _variances(values, share, mean)
    constant = is_constant(variances, mean, values.dtype)
    variances[constant] = 0.0
    scale = scale_of(variances, standardize, sharing)
    column = np.repeat(np.arange(n_features), np.diff(values.indptr))
    root = np.sqrt(share)
    values.data *= root[values.indices] / scale[column]
    values.data[constant[column]] = 0.0
    variances = variances / scale**2
    level = np.where(constant, 0.0, mean / scale)
    if not is_tall:
        return Centred(SparseRows(values, level, root, 1e-10, variances), mean, scale)
    matrix = (values.T @ values).toarray() - np.outer(level, level)
    np.fill_diagonal(matrix, variances)  # which were found without cancellation
    return Centred(Scatter(matrix, 1e-10), mean, scale)


def _in_dense_blocks(
    X: Any, weight: np.ndarray, standardize: bool, sharing: np.ndarray | None
) -> Centred:
    """Return what the dense table would give, to the same bits; a block at a time is dense."""
    moments = Moments(X.shape[1])
    for start in range(0, X.shape[0], _BLOCK):
        stop = start + _BLOCK
        moments.add(X[start:stop].toarray(), weight[start:stop], copy=False)
    return moments.centred(standardize=standardize, sharing=sharing)


def _variances(values: Any, share: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the variance of each column of a CSC matrix, zeros and stored values apart."""
    n_rows, n_columns = values.shape
    n_stored = np.diff(values.indptr)
    column = np.repeat(np.arange(n_columns), n_stored)
    of_row = share[values.indices]
    apart = (values.data - mean[column]) ** 2
    variances = np.bincount(column, weights=of_row * apart, minlength=n_columns)
    stored = np.bincount(column, weights=of_row, minlength=n_columns)
    zeros = np.where(n_stored < n_rows, np.maximum(1.0 - stored, 0.0), 0.0)
    return variances + zeros * mean**2
