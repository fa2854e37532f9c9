"""The samples of a tall matrix and the features that are left of it, for products and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

# Rows that are copied at a time; such a block stays in the cache.
_CHUNK = 1024
# Rows from which the columns' means and spreads are taken; any values would give true bounds.
_SAMPLE = 2000


class Table:
    """A matrix by rows, whose dead columns stay, at zero weight, until many are dead.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p), float64
        Never changed. Beside it a dense matrix is held once more at most: a copy by rows if
        it is not one, or three quarters of it once a quarter is dead. Of a sparse one there
        is a copy by columns, and once half is dead one of what is left by rows.
    scale : float
        Value of the constant feature behind the bias, 0 without bias.

    Attributes
    ----------
    ids : ndarray of shape (p_held,), int
        Feature of each column held.
    alive : ndarray of shape (p_held,), bool
    mean, spread : ndarray of shape (p_held,)
    reach : ndarray of shape (n,)
        Row lengths ``sqrt(1 + sum_j ((x_j - mean_j) / spread_j)^2)``, of at least what is left.
    """

    rows: Any
    mean: np.ndarray
    spread: np.ndarray
    reach: np.ndarray
    # how many columns were held when these three were taken
    _measured: int

    def __init__(self, X: Any, scale: float) -> None:
        self.scale = scale
        self.sparse = sparse.issparse(X)
        self.rows = X if self.sparse else _by_rows(X)
        self._owned = self.rows is not X
        self.ids = np.arange(X.shape[1])
        self.alive = np.ones(X.shape[1], dtype=bool)
        self._measure()
        self._columns = self._by_columns()

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows.shape[0]

    def product(self, w: np.ndarray) -> np.ndarray:
        """Return the decision value of each row; w (p_held + 1,), the bias last. O(n p)."""
        return self.rows @ w[:-1] + self.scale * w[-1]

    def products(self, W: np.ndarray) -> np.ndarray:
        """Return the decision values for several weights (k, p_held + 1); (k, n). O(n p k)."""
        values = (self.rows @ W[:, :-1].T).T if self.sparse else W[:, :-1] @ self.rows.T
        return values + self.scale * W[:, -1:]

    def product_at(self, at: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the decision values of some rows, shape (n_at,)."""
        f = np.empty(len(at))
        for part in _chunks(len(at)):
            f[part] = self.rows[at[part]] @ w[:-1]
        return f + self.scale * w[-1]

    def project(self, force: np.ndarray) -> np.ndarray:
        """Return the sum of the rows, each times its force; (p_held + 1,), 0 where dead."""
        total = np.append(self.rows.T @ force, self.scale * force.sum())
        total[:-1][~self.alive] = 0.0
        return total

    def blocks(
        self, at: np.ndarray, *, with_dead: bool = False
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield some rows in blocks of (<= 1024, p_held + 1), with the bias's constant."""
        dead = np.empty(0, dtype=np.int64) if with_dead else np.flatnonzero(~self.alive)
        for part in _chunks(len(at)):
            block = self.rows[at[part]]
            Z = np.empty((block.shape[0], block.shape[1] + 1))
            Z[:, :-1] = block.toarray() if self.sparse else block
            Z[:, dead] = 0.0
            Z[:, -1] = self.scale
            yield part, Z

    def entries(self, column: int) -> tuple[Any, np.ndarray]:
        """Return the rows (an index or slice) where a column is not 0, and its values there."""
        if not self.sparse:
            return slice(None), self.rows[:, column]
        part = slice(*self._columns.indptr[column : column + 2])
        return self._columns.indices[part], self._columns.data[part]

    def length(self, change: np.ndarray) -> float:
        """Length of a change of the weights: times `reach`, it bounds what each value moves.

        The mean row's change and the weights' in units of their columns' spreads are taken
        together by Cauchy and Schwarz.
        """
        own = self.spread * change[:-1]
        mean = float(self.mean @ change[:-1]) + self.scale * float(change[-1])
        return float(np.sqrt(own @ own + mean * mean))

    def crowded(self) -> bool:
        """Tell whether a quarter of what is held is dead (half of a sparse matrix)."""
        return bool(self.alive.mean() <= (0.5 if self.sparse else 0.75))

    def compact(self) -> bool:
        """Forget the dead columns.

        Returns
        -------
        bool
            Whether `mean`, `spread` and `reach` were taken anew, so that lengths from before
            no longer compare.
        """
        keep = self.alive
        at = np.flatnonzero(keep)
        self.ids, self.alive = self.ids[keep], keep[keep]
        if self.sparse:
            self._columns = None
            self.rows = self.rows[:, at]
        else:
            # a copy that is ours is packed within its own memory: a block is written only to
            # where it and those before it were read
            target = self.rows if self._owned else np.empty((self.n, len(at)))
            flat = target.reshape(-1)[: self.n * len(at)].reshape(self.n, len(at))
            for part in _chunks(self.n):
                flat[part] = np.take(self.rows[part], at, axis=1)
            self.rows, self._owned = flat, True
        self.mean, self.spread = self.mean[keep], self.spread[keep]
        # rows are not longer than they were; measuring them anew only makes the bounds sharper
        measured = len(at) <= 0.5 * self._measured
        if measured:
            self._measure()
        self._columns = self._by_columns()
        return measured

    def _by_columns(self) -> Any:
        if not self.sparse:
            return None
        columns = self.rows.tocsc()
        columns.sum_duplicates()
        return columns

    def _measure(self) -> None:
        """Means, spreads and the rows' lengths in these; O(n p)."""
        if self.sparse:
            squares = self.rows.power(2)
            self.mean = np.asarray(self.rows.sum(axis=0)).ravel() / self.n
            second = np.asarray(squares.sum(axis=0)).ravel() / self.n
            variance = second - self.mean**2
        else:
            sample = self.rows[:: max(1, self.n // _SAMPLE)]
            self.mean = sample.mean(axis=0)
            variance = sample.var(axis=0)
        self.spread = np.sqrt(np.where(variance > 0.0, variance, 1.0))
        inverse = 1.0 / self.spread
        if self.sparse:
            # what the three terms may lose to rounding is put on top
            own, middle = squares @ inverse**2, float(inverse**2 @ self.mean**2)
            length = own - 2.0 * (self.rows @ (inverse**2 * self.mean)) + middle
            length = np.maximum(length, 0.0) + 1e-13 * (own + middle)
        else:
            length = np.empty(self.n)
            for part in _chunks(self.n):
                block = self.rows[part] - self.mean
                block *= inverse
                length[part] = np.einsum("ij,ij->i", block, block)
        self.reach = np.sqrt(1.0 + length) * (1.0 + 1e-9)
        self._measured = len(self.ids)


def _chunks(n: int) -> Iterator[slice]:
    return (slice(low, min(low + _CHUNK, n)) for low in range(0, n, _CHUNK))


def _by_rows(X: np.ndarray) -> np.ndarray:
    """X itself if it lies by rows, else a copy that does."""
    if X.flags.c_contiguous:
        return X
    rows = np.empty(X.shape)
    for part in _chunks(len(X)):
        rows[part] = X[part]
    return rows
