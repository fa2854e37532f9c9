"""The features that are left of a dense or sparse matrix, and sums over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

# Columns of a dense matrix that are copied at a time while a Gram matrix is summed.
_BLOCK = 2048
# Size of a dense matrix from which a copy of the rows that matter pays.
_LARGE = 1_000_000


class Table:
    """A matrix whose columns die; dead ones count as zero until a quarter is dead.

    Parameters
    ----------
    X : ndarray or CSR/CSC matrix of shape (n, p)
        Never changed; a copy of what is left replaces it once a quarter of it is dead, so at
        most three quarters of it are held beside it.
    scale : float
        Value of the constant feature behind the bias, 0 without bias.

    Attributes
    ----------
    ids : ndarray of shape (p_held,), int
        Feature of each column that is held.
    alive : ndarray of shape (p,), bool
    """

    def __init__(self, X: Any, scale: float) -> None:
        self.sparse = sparse.issparse(X)
        self.rows = X.tocsr() if self.sparse else X
        self.columns = X.tocsc() if self.sparse else X
        self.scale = scale
        self.ids = np.arange(X.shape[1])
        self.place = np.arange(X.shape[1])
        self.alive = np.ones(X.shape[1], dtype=bool)
        self._lengths: np.ndarray | None = None
        self.near: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows.shape[0]

    def drop(self, features: np.ndarray) -> None:
        """Let features die."""
        self.alive[features] = False

    def compact(self, share: float = 0.25) -> bool:
        """Copy what is left if more than `share` of what is held is dead; say whether."""
        keep = self.alive[self.ids]
        if keep.sum() >= (1 - share) * len(keep):
            return False
        self.columns = self.columns[:, keep]
        if self.sparse:
            self.rows = self.columns.tocsr()
        else:
            self.rows = self.columns
        self._lengths = self.near = None
        self.ids = self.ids[keep]
        self.place[self.ids] = np.arange(len(self.ids))
        return True

    def column(self, feature: int) -> np.ndarray:
        """Return one feature's column, dense, shape (n,)."""
        at = self.place[feature]
        if not self.sparse:
            return self.columns[:, at]
        # scipy's own indexing takes longer than all else that is done with the column
        part = slice(*self.columns.indptr[at : at + 2])
        dense = np.zeros(self.n)
        dense[self.columns.indices[part]] = self.columns.data[part]
        return dense

    def combine(self, features: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return a sum of some features' columns, shape (n,)."""
        return self.columns[:, self.place[features]] @ weights

    def focus(self, rows: np.ndarray) -> None:
        """Prepare for products with vectors that are 0 but for some rows, by a copy of these."""
        self.near, self.mask = None, np.ones(self.n, dtype=bool)
        if self.sparse or len(rows) > self.n / 2 or self.rows.size < _LARGE:
            return
        self.mask[rows] = False
        self.near = (np.flatnonzero(~self.mask), np.ascontiguousarray(self.rows[rows]))

    def project(self, betas: list[np.ndarray]) -> np.ndarray:
        """Return ``X' beta`` of each beta, (p, k), dead features 0; O(n p k)."""
        beta = np.column_stack(betas) if len(betas) > 1 else betas[0][:, None]
        weights = np.zeros((len(self.alive), len(betas)))
        if self.near is not None and not beta[self.mask].any():
            weights[self.ids] = self.near[1].T @ beta[self.near[0]]
        else:
            weights[self.ids] = self.columns.T @ beta
        weights[~self.alive] = 0.0
        return weights

    def apply(self, weights: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return ``X weights`` for some rows (None: all), without bias; O(n p)."""
        held = weights[self.ids]
        return (self.rows if rows is None else self.rows[rows]) @ held

    def lengths(self) -> np.ndarray:
        """Return each row's length over what is held (no less than over what is left); (n,)."""
        if self._lengths is None:
            if self.sparse:
                squares = np.asarray(self.rows.multiply(self.rows).sum(axis=1)).ravel()
            else:
                squares = np.einsum("ij,ij->i", self.rows, self.rows)
            self._lengths = np.sqrt(squares + self.scale**2) * (1.0 + 1e-9)
        return self._lengths


def gram(left: Table, at: np.ndarray | None, right: Table, to: np.ndarray) -> np.ndarray:
    """Return the inner products of some rows over what is alive, the bias's included.

    Parameters
    ----------
    left, right : Table
        Of the same features, the same of them held.
    at, to : ndarray of int, or None for all rows

    Returns
    -------
    ndarray of shape (n_at, n_to)
        O(n_at n_to p) dense, of the stored values' pairs sparse; holds dense copies of
        2048 columns of the rows at a time.
    """
    alive = right.alive[right.ids]
    if right.sparse:
        A = left.rows if at is None else left.rows[at]
        B = right.rows[to]
        if not alive.all():
            B = B @ sparse.diags_array(alive.astype(float), format="csr")
        return np.asarray((A @ B.T).toarray() + right.scale**2)
    at = np.arange(left.n) if at is None else at
    total = np.full((len(at), len(to)), right.scale**2)
    for low in range(0, len(alive), _BLOCK):
        B = right.rows[to, low : low + _BLOCK]
        B[:, ~alive[low : low + _BLOCK]] = 0.0
        # numpy forms half of a product with the same array's transpose
        A = B if left is right and at is to else left.rows[at, low : low + _BLOCK]
        total += A @ B.T
    return total
