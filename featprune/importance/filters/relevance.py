"""How much each number tells of a target by itself: F statistics and mutual information."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.filters.categories import Spread

# What is left within classes, as a part of the whole, if it is rounding and no more.
_NOTHING = 1e-13
# Numbers of no more different values are levels to mutual information.
_FEW_VALUES = 10
# Features of a sparse matrix that are made dense in one go.
_BLOCK = 256


def f_of_classes(spread: Spread) -> np.ndarray:
    """Return the F statistics of one-way analyses of variance, shape (k,).

    Parameters
    ----------
    spread : Spread
        Of the numbers between and within classes.

    Returns
    -------
    ndarray of shape (k,)
        Infinite if nothing is left within the classes, 0 if the number does not vary or is known
        of one class only.
    """
    within = spread.whole - spread.between
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (spread.between / (spread.levels - 1)) / (within / (spread.n - spread.levels))
    found = np.where(within > _NOTHING * spread.whole, found, np.inf)
    known = (spread.whole > 0) & (spread.levels > 1) & (spread.n > spread.levels)
    return np.where(known, np.maximum(found, 0.0), 0.0)


def f_of_regression(correlation: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the F statistics of regressions on one number each, shape (k,).

    Parameters
    ----------
    correlation : ndarray of shape (k,)
        With the target.
    n : ndarray of shape (k,)
        Weight of the rows.
    """
    square = correlation * correlation
    with np.errstate(divide="ignore"):
        found = square / (1 - square) * (n - 2)
    found = np.where(1 - square > _NOTHING, found, np.inf)
    return np.where((n > 2) & (square > 0), found, 0.0)


def mutual_information(
    X: Any, y: np.ndarray, *, regresses: bool, seed: int, n_jobs: int | None
) -> np.ndarray:
    """Return scikit-learn's estimates of mutual information, shape (n_features,).

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, n_features)
        Made dense a block of features at a time. Those of up to ten different values are taken
        as levels.
    y : ndarray of shape (n_rows,)
    regresses : bool
        Whether the target is of numbers.
    seed : int
        Of the noise that scikit-learn adds to numbers, to tell equal ones apart.
    n_jobs : int or None
        The result does not depend on it.

    References
    ----------
    Ross, B. C. (2014). Mutual information between discrete and continuous data sets. PLoS ONE
    9(2), e87357. https://doi.org/10.1371/journal.pone.0087357
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_regression if regresses else mutual_info_classif
    found = np.zeros(X.shape[1])
    X = X.tocsc() if sparse.issparse(X) else X
    for start in range(0, X.shape[1], _BLOCK):
        idx = np.arange(start, min(start + _BLOCK, X.shape[1]))
        values = X[:, idx].toarray() if sparse.issparse(X) else X[:, idx]
        few = np.zeros(len(idx), dtype=bool)
        for j in range(len(idx)):
            levels, codes = np.unique(values[:, j], return_inverse=True)
            few[j] = len(levels) <= _FEW_VALUES
            # scikit-learn warns of levels that have fractions
            values[:, j] = codes if few[j] else values[:, j]
        found[idx] = measure(values, y, discrete_features=few, random_state=seed, n_jobs=n_jobs)
    return found
