"""Principal components: the eigenvectors of second moments, by the side that is smaller."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, eigsh

from featprune.importance.pca.rows import DenseRows, SparseRows
from featprune.importance.pca.spread import Scatter, Spread

# above so many rows, a few components are found by products with the table alone
_MOST_ROWS = 5000
# up to this share of all components, finding only those is faster
_FEW = 0.1


class Spectrum(NamedTuple):
    """The leading components of a table.

    Attributes
    ----------
    values : ndarray of shape (n_components,)
        Their variances, descending, all above 0.
    vectors : ndarray of shape (n_features, n_components)
        Their directions, of length 1; in each, the entry of the largest size is positive.
    total : float
        The variance of all features together.
    """

    values: np.ndarray
    vectors: np.ndarray
    total: float

    @property
    def loadings(self) -> np.ndarray:
        """Directions times standard deviations, shape (n_features, n_components)."""
        return self.vectors * np.sqrt(self.values)

    def leading(self, n_components: int | float | None) -> Spectrum:
        """Return so many components; or as many as make up this share of the variance; or all."""
        count = len(self.values)
        if isinstance(n_components, int | np.integer):
            count = min(count, int(n_components))
        elif n_components is not None:
            share = np.cumsum(self.values) / self.total
            count = min(count, int(np.searchsorted(share, n_components - 1e-12)) + 1)
        return Spectrum(self.values[:count], self.vectors[:, :count], self.total)


def spectrum(spread: Spread, n_components: int | float | None, seed: int = 0) -> Spectrum:
    """Find the principal components of a table.

    Parameters
    ----------
    spread : Spread
    n_components : int, float or None
        How many; or as many as make up this share of the variance; or all. There are no more
        than have any variance.
    seed : int, default=0
        Of the vector that an iteration starts from, where there is one.

    Returns
    -------
    Spectrum

    Notes
    -----
    With p features and n rows, costs p^3 where p <= n, and n^2 p otherwise. For a few components
    of a table that is large both ways, products with it are iterated (ARPACK) to full precision.
    """
    total = float(spread.variances.sum())
    count = n_components if isinstance(n_components, int | np.integer) else None
    if isinstance(spread, Scatter):
        values, vectors = _of_matrix(spread.matrix, count)
    elif isinstance(spread, DenseRows | SparseRows):
        values, vectors = _of_rows(spread, count, seed)
    else:
        raise TypeError(f"No components are known of a {type(spread).__name__}.")
    n_found = int((values > spread.rounding * values[0]).sum())
    found = Spectrum(values[:n_found], vectors[:, :n_found], total).leading(n_components)
    vectors = found.vectors
    if not isinstance(spread, Scatter):
        vectors = _to_features(spread, vectors)
    return found._replace(vectors=_signed(vectors))


def _of_matrix(matrix: np.ndarray, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, descending, and eigenvectors; only `count` of them if that is few."""
    size = len(matrix)
    if count is not None and count <= _FEW * size:
        values, vectors = linalg.eigh(
            matrix, subset_by_index=(size - count, size - 1), check_finite=False
        )
    else:
        values, vectors = np.linalg.eigh(matrix)
    return values[::-1], vectors[:, ::-1]


def _of_rows(
    rows: DenseRows | SparseRows, count: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues and eigenvectors of the products of rows."""
    n_rows, smaller = rows.shape[0], min(rows.shape)
    if count is None or smaller <= _MOST_ROWS or count > _FEW * smaller:
        return _of_matrix(rows.gram(), count)
    operator = LinearOperator(
        (n_rows, n_rows),
        matvec=lambda v: rows.times(rows.transposed_times(v.reshape(-1, 1)))[:, 0],
        dtype=np.float64,
    )
    start = np.random.default_rng(seed).standard_normal(n_rows)
    values, vectors = eigsh(operator, k=count, which="LA", v0=start)
    by_size = np.argsort(-values, kind="stable")
    return values[by_size], vectors[:, by_size]


def _to_features(rows: DenseRows | SparseRows, of_rows: np.ndarray) -> np.ndarray:
    """Turn eigenvectors of the products of rows into directions among features."""
    vectors = rows.transposed_times(of_rows)
    return vectors / np.sqrt(np.einsum("ij,ij->j", vectors, vectors))


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors with the entry of the largest size positive, the first of equals."""
    size = np.abs(vectors)
    largest = (size >= size.max(axis=0) * (1 - 1e-9)).argmax(axis=0)
    sign = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * sign
