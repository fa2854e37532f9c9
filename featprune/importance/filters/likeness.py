"""All features of a table against one: how alike they are, dense or sparse, with gaps or not."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from featprune.importance.filters.categories import Category, Spread, spread_of_levels
from featprune.importance.filters.numbers import Numbers, correlations, ranks, standardise

# More than a correlation of single precision is off.
_ERROR = 1e-5


class Likeness(Protocol):
    """A table of which each feature can be compared with a target or with all features.

    Attributes
    ----------
    error : float
        How far `with_feature` may be off: 0, but for rounding, or that of single precision.
    """

    error: float

    def with_feature(self, j: int) -> np.ndarray:
        """Return the size of each feature's correlation with feature j, shape (n_features,)."""

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the sizes of correlations of some features with others, in double precision."""

    def in_single(self) -> Likeness:
        """Return the same with products in single precision, if there is such a thing."""

    def with_numbers(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each one's size of correlation with `y`, and the weight of its rows."""

    def with_classes(self, y: Category) -> Spread:
        """Return how the features spread between and within classes."""


def likeness(X: Any, weight: np.ndarray | None, *, by_rank: bool = False) -> Likeness:
    """Make a table ready.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, n_features), float64
        Dense ones may have NaN for missing values.
    weight : ndarray of shape (n_rows,) or None
        Weights above 0.
    by_rank : bool
        Whether ranks take the place of values.
    """
    return (_Sparse if sparse.issparse(X) else _Dense)(X, weight, by_rank)


class _Dense:
    """Standardised features, those with missing values apart; two copies of the table at most."""

    error = 0.0

    def __init__(self, X: np.ndarray, weight: np.ndarray | None, by_rank: bool) -> None:
        self.X, self.by_rank = X, by_rank
        values = np.array(X.T, order="C")
        has_holes = np.isnan(values.sum(axis=1))
        self.n_features, self.weight = len(values), weight
        self.parts: list[tuple[np.ndarray, Numbers]] = []
        for part in (~has_holes, has_holes):
            if part.any():
                some = values if part.all() else values[part]
                ready = standardise(some, weight, by_rank=by_rank)
                self.parts.append((np.flatnonzero(part), ready))

    def with_feature(self, j: int) -> np.ndarray:
        found = np.empty(self.n_features)
        at, own = next(part for part in self.parts if j in part[0])
        one = own.take(np.searchsorted(at, [j]))
        for at, part in self.parts:
            found[at] = correlations(part, one)[:, 0]
        return found

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        some, others = (
            standardise(np.array(self.X.T[idx], order="C"), self.weight, by_rank=self.by_rank)
            for idx in (a, b)
        )
        return correlations(some, others)

    def in_single(self) -> Likeness:
        if any(part.present is not None for _, part in self.parts):
            return self
        light = copy(self)
        light.error = _ERROR
        light.parts = [
            (at, replace(part, values=part.values.astype(np.float32))) for at, part in self.parts
        ]
        return light

    def with_numbers(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, n = np.empty((2, self.n_features))
        target = standardise(np.array(y, dtype=float, ndmin=2), self.weight, by_rank=False)
        for at, part in self.parts:
            found[at] = correlations(part, target)[:, 0]
            n[at] = (
                np.square(target.root).sum() if part.present is None else (part.roots() @ part.root)
            )
        return found, n

    def with_classes(self, y: Category) -> Spread:
        found = np.empty((4, self.n_features))
        for at, part in self.parts:
            found[:, at] = np.stack(np.broadcast_arrays(*spread_of_levels(y, part)))
        return Spread(*found)


class _Sparse:
    """Features whose means are taken off in products, so that zeros need not be stored."""

    error = 0.0

    def __init__(self, X: Any, weight: np.ndarray | None, by_rank: bool) -> None:
        self.weight = np.ones(X.shape[0]) if weight is None else weight
        self.total = self.weight.sum()
        X = sparse.csc_array(X)
        X.sum_duplicates()
        self.X = _rank_sparse(X, self.weight) if by_rank else X
        self.mean = self.X.T @ self.weight / self.total
        # deviations of what is stored, and of the zeros
        stored = self.X.copy()
        stored.data = np.square(stored.data - np.repeat(self.mean, np.diff(stored.indptr)))
        zeros = self.total - _indicator(self.X).T @ self.weight
        squares = stored.T @ self.weight + zeros * np.square(self.mean)
        rounding = 1e-14 * np.abs(self.mean) * np.sqrt(self.total)
        norm = np.sqrt(squares)
        self.norm = np.where(norm > rounding, norm, np.inf)

    def with_feature(self, j: int) -> np.ndarray:
        one = self.X[:, [j]].toarray()
        return self._with((one - self.mean[j]) / self.norm[j])[:, 0]

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        some = (self.X[:, b].toarray() - self.mean[b]) / self.norm[b]
        return self._with(some, a)

    def in_single(self) -> Likeness:
        return self

    def with_numbers(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        deviation = y - self.weight @ y / self.total
        deviation /= np.sqrt(self.weight @ np.square(deviation))
        found = self._with(deviation[:, None])[:, 0]
        return found, np.full(len(found), self.total)

    def with_classes(self, y: Category) -> Spread:
        rows = np.arange(len(self.weight))
        levels = sparse.csr_array((self.weight, (y.codes, rows)), shape=(y.n_levels, len(rows)))
        counts = levels.sum(axis=1)
        sums = ((levels @ self.X).toarray() - np.outer(counts, self.mean)) / self.norm
        p = len(self.norm)
        whole = np.isfinite(self.norm).astype(float)
        between = (np.square(sums) / counts[:, None]).sum(axis=0)
        return Spread(between, whole, np.full(p, self.total), np.full(p, y.n_levels))

    def _with(self, others: np.ndarray, idx: np.ndarray | None = None) -> np.ndarray:
        """Correlations of the features `idx`, or all, with standardised columns, (n_rows, k)."""
        X, mean, norm = self.X, self.mean, self.norm
        if idx is not None:
            X, mean, norm = X[:, idx], mean[idx], norm[idx]
        weighted = self.weight[:, None] * others
        # the weighted sums are 0 but for rounding, which large means would make large
        found = (X.T @ weighted - np.outer(mean, weighted.sum(axis=0))) / norm[:, None]
        return np.minimum(np.abs(found), 1.0)


def _indicator(X: Any) -> Any:
    ones = X.copy()
    ones.data = np.ones_like(ones.data)
    return ones


def _rank_sparse(X: Any, weight: np.ndarray) -> Any:
    """Ranks less the rank of zero, so that zeros stay what is not stored."""
    found, total = X.copy(), weight.sum()
    for j in range(X.shape[1]):
        stored = slice(X.indptr[j], X.indptr[j + 1])
        values = np.append(X.data[stored], 0.0)
        of_stored = weight[X.indices[stored]]
        # a last value stands for all zeros that are not stored
        rank = ranks(values[None], np.append(of_stored, total - of_stored.sum()))[0]
        found.data[stored] = rank[:-1] - rank[-1]
    return found
