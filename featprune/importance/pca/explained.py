"""How much of all features those kept explain, along an order of features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from featprune.importance.pca.spread import Spread


def gains_along(spread: Spread, features: np.ndarray) -> np.ndarray:
    """Return what each feature explains of all, beyond those before it in an order.

    Parameters
    ----------
    spread : Spread
    features : ndarray of shape (n_features,), int
        All features, in their order.

    Returns
    -------
    ndarray of shape (n_features,)
        By feature, as shares of all variance, which add up to 1; 0 for a feature that is a
        combination of those before it.

    Notes
    -----
    A Cholesky decomposition in this order that passes over features without a rest: the squared
    length of its column is what a feature explains. Costs p^3 / 3, nearly all of it by BLAS 3.
    """
    gains = np.zeros(len(features))
    for feature, loadings in _columns_along(spread, features):
        gains[feature] = loadings @ loadings
    return gains / gains.sum()


def rebuilt_along(
    spread: Spread, features: np.ndarray, values: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    """Return how much of other rows the first features of an order rebuild.

    Parameters
    ----------
    spread : Spread
        Of the rows from which the linear map is learnt.
    features : ndarray of shape (n_features,), int
        All features, in their order.
    values : ndarray of shape (n_rows, n_features)
        The other rows, centred and scaled as those of `spread` are.
    weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    ndarray of shape (n_features + 1,)
        The share of the sum of squares of `values` that is rebuilt from the first 0, 1, ...
        features; below 0 if the map does harm.

    Notes
    -----
    What the map leaves of the rows, R, loses one outer product with each feature. As with the
    residual of the columns, R is brought up to date in blocks. Costs n p^2.
    """
    left = np.array(values, dtype=np.float64)
    if weight is not None:
        left *= np.sqrt(weight)[:, None]
    total = np.einsum("ij,ij->", left, left)
    square, place = total, {int(feature): i for i, feature in enumerate(features)}
    shares = np.zeros(len(features) + 1)
    done = 0
    past = _Past(*left.shape)
    for feature, loadings in _columns_along(spread, features):
        shares[done + 1 : place[feature] + 1] = 1 - square / total
        score = (left[:, feature] - past.at(feature)) / loadings[feature]
        across = left @ loadings - past.along(loadings)
        square += (loadings @ loadings) * (score @ score) - 2 * score @ across
        if past.add(score, loadings):
            left -= past.product()
            past.clear()
            square = np.einsum("ij,ij->", left, left)
        done = place[feature] + 1
        shares[done] = 1 - square / total
    shares[done + 1 :] = 1 - square / total
    return shares


class _Past:
    """Outer products that were not yet taken off the rows."""

    def __init__(self, n_rows: int, n_features: int) -> None:
        self._scores = np.empty((64, n_rows))
        self._loadings = np.empty((64, n_features))
        self._size = 0

    def add(self, score: np.ndarray, loadings: np.ndarray) -> bool:
        """Add one; returns whether there are as many as can be."""
        self._scores[self._size], self._loadings[self._size] = score, loadings
        self._size += 1
        return self._size == len(self._scores)

    def clear(self) -> None:
        """Forget all of them."""
        self._size = 0

    def at(self, feature: int) -> np.ndarray:
        """Return the feature's column of their sum, shape (n_rows,)."""
        return self._loadings[: self._size, feature] @ self._scores[: self._size]

    def along(self, loadings: np.ndarray) -> np.ndarray:
        """Return their sum times a vector, shape (n_rows,)."""
        return (self._loadings[: self._size] @ loadings) @ self._scores[: self._size]

    def product(self) -> np.ndarray:
        """Return their sum, shape (n_rows, n_features)."""
        return self._scores[: self._size].T @ self._loadings[: self._size]


def _columns_along(spread: Spread, features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each feature that has a rest, and its column of the Cholesky factor."""
    residual = spread.residual()
    variances = spread.variances
    least = spread.rounding * variances
    alive = variances > 0
    for feature in features.tolist():
        if not alive[feature]:
            continue
        part = residual.part(np.array([feature]), least[feature])
        alive[feature] = False
        if part.loadings.shape[1] == 0:
            continue
        yield feature, part.loadings[:, 0]
        if residual.take(part) and alive.any():
            residual.refresh(alive)
