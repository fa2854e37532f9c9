"""Wide tables: centred rows that stand for their p x p second moments, which are never made."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from featprune.importance.pca.residual import Part, Residual, roots_of, within

# dense columns made of a sparse matrix at a time
_BATCH = 256


class DenseRows(NamedTuple):
    """Centred rows, scaled so that ``values.T @ values`` are the second moments.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
    rounding : float
        As in Spread.
    """

    values: np.ndarray
    rounding: float

    @property
    def variances(self) -> np.ndarray:
        """Variance of each feature, shape (n_features,)."""
        return np.einsum("ij,ij->j", self.values, self.values)

    def residual(self) -> Residual:
        """Return what is left to explain, which is everything."""
        return DenseResidual(self.values)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """Return the rows times `vectors`, shape (n_rows, n_vectors)."""
        return self.values @ vectors

    def transposed_times(self, vectors: np.ndarray) -> np.ndarray:
        """Return the transposed rows times `vectors`, shape (n_features, n_vectors)."""
        return self.values.T @ vectors

    def columns(self, features: np.ndarray) -> np.ndarray:
        """Return some columns, shape (n_rows, n_chosen)."""
        return self.values[:, features]

    def gram(self) -> np.ndarray:
        """Return the products of rows, shape (n_rows, n_rows)."""
        return self.values @ self.values.T

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.values.shape


class SparseRows(NamedTuple):
    """As DenseRows, of a sparse matrix whose means are taken off in each product.

    Attributes
    ----------
    values : CSC matrix of shape (n_rows, n_features)
        Scaled, not centred.
    mean : ndarray of shape (n_features,)
        To be taken off.
    root : ndarray of shape (n_rows,)
        Square roots of the rows' shares of all weight, which `values` have in them already.
    rounding : float
        As in Spread.
    variances : ndarray of shape (n_features,)
    """

    values: Any
    mean: np.ndarray
    root: np.ndarray
    rounding: float
    variances: np.ndarray

    def residual(self) -> Residual:
        """Return what is left to explain, which is everything."""
        return SparseResidual(self)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """Return the rows times `vectors`, shape (n_rows, n_vectors)."""
        return self.values @ vectors - np.outer(self.root, self.mean @ vectors)

    def transposed_times(self, vectors: np.ndarray) -> np.ndarray:
        """Return the transposed rows times `vectors`, shape (n_features, n_vectors)."""
        return self.values.T @ vectors - np.outer(self.mean, self.root @ vectors)

    def columns(self, features: np.ndarray) -> np.ndarray:
        """Return some columns as dense ones, shape (n_rows, n_chosen)."""
        return self.values[:, features].toarray() - np.outer(self.root, self.mean[features])

    def gram(self) -> np.ndarray:
        """Return the products of rows, shape (n_rows, n_rows)."""
        level = self.values @ self.mean
        products = (self.values @ self.values.T).toarray()
        products -= np.outer(level, self.root)
        products -= np.outer(self.root, level)
        products += (self.mean @ self.mean) * np.outer(self.root, self.root)
        return products

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.values.shape


class DenseResidual:
    """E as the products of rows, from which the features taken out are projected away.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Not changed.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self._basis = _Basis(len(values))
        self._left = np.arange(values.shape[1])
        self._place = np.arange(values.shape[1])

    def part(self, features: np.ndarray, least: float) -> Part:
        """Return what `features` explain; costs n x p for each."""
        axes = self._basis.orthogonal(self._values[:, self._place[features]], least)
        return Part(self._full(self._values.T @ axes), axes)

    def product(self, loadings: np.ndarray) -> np.ndarray:
        """Return E times `loadings`; costs 2 n x p for each."""
        inner = self._basis.without(self._values @ loadings[self._left])
        return self._full(self._values.T @ inner)

    def take(self, part: Part) -> bool:
        """Take the part out."""
        assert part.axes is not None
        return self._basis.add(part.axes) >= 64

    def refresh(self, alive: np.ndarray) -> None:
        """Project what was taken out away; costs n x p for each vector."""
        left = np.flatnonzero(alive)
        self._values = self._basis.without(self._values[:, self._place[left]])
        self._basis = _Basis(len(self._values))
        self._left = left
        self._place = np.full(len(alive), -1)
        self._place[left] = np.arange(len(left))

    def entries(self, groups: np.ndarray) -> np.ndarray:
        """Return E within each group of features."""
        place = self._place[groups]
        if groups.shape[1] == 1:
            found = np.einsum("ij,ij->j", self._values, self._values)[place][:, :, None]
        else:
            columns = self._values.T[place]
            found = columns @ columns.transpose(0, 2, 1)
        return found * within(place >= 0)

    def squares(self, groups: np.ndarray) -> np.ndarray:
        """Return E^2 within each group of features; costs 2 n^2 x p."""
        place = self._place[groups]
        product = (self._values @ self._values.T) @ self._values
        if groups.shape[1] == 1:
            found = np.einsum("ij,ij->j", self._values, product)[place][:, :, None]
        else:
            found = self._values.T[place] @ product.T[place].transpose(0, 2, 1)
        return found * within(place >= 0)

    def _full(self, of_left: np.ndarray) -> np.ndarray:
        full = np.zeros((len(self._place), of_left.shape[1]))
        full[self._left] = of_left
        return full


class SparseResidual:
    """E as the products of sparse rows; what is taken out is kept as vectors of n_rows each.

    Parameters
    ----------
    rows : SparseRows
    """

    def __init__(self, rows: SparseRows) -> None:
        self._rows = rows
        self._basis = _Basis(rows.shape[0])
        self._alive = np.ones(rows.shape[1], dtype=bool)

    def part(self, features: np.ndarray, least: float) -> Part:
        """Return what `features` explain; costs one product with the table for each."""
        axes = self._basis.orthogonal(self._rows.columns(features), least)
        return Part(self._full(self._rows.transposed_times(axes)), axes)

    def product(self, loadings: np.ndarray) -> np.ndarray:
        """Return E times `loadings`; costs two products with the table for each."""
        inner = self._basis.without(self._rows.times(loadings))
        return self._full(self._rows.transposed_times(inner))

    def take(self, part: Part) -> bool:
        """Take the part out."""
        assert part.axes is not None
        self._basis.add(part.axes)
        return False

    def refresh(self, alive: np.ndarray) -> None:
        """Forget features; what was taken out is never worked into a sparse table."""
        self._alive = alive.copy()

    def entries(self, groups: np.ndarray) -> np.ndarray:
        """Return E within each group of features."""
        return self._in_batches(groups, self._basis.without)

    def squares(self, groups: np.ndarray) -> np.ndarray:
        """Return E^2 within each group of features; costs p products with the table."""
        return self._in_batches(
            groups, lambda columns: self._rows.transposed_times(self._basis.without(columns))
        )

    def _in_batches(self, groups: np.ndarray, vectors_of: Any) -> np.ndarray:
        """Return products of the vectors that are made of each group's columns."""
        n_groups, size = groups.shape
        found = np.empty((n_groups, size, size))
        step = max(1, _BATCH // size)
        for start in range(0, n_groups, step):
            some = groups[start : start + step]
            vectors = vectors_of(self._rows.columns(some.ravel()))
            vectors = vectors.T.reshape(len(some), size, -1)
            found[start : start + step] = vectors @ vectors.transpose(0, 2, 1)
        return found * within(self._alive[groups])

    def _full(self, loadings: np.ndarray) -> np.ndarray:
        loadings[~self._alive] = 0.0
        return loadings


class _Basis:
    """An orthonormal basis of n_rows-vectors that grows."""

    def __init__(self, n_rows: int) -> None:
        self._vectors = np.empty((64, n_rows))
        self._size = 0

    def add(self, axes: np.ndarray) -> int:
        """Add vectors that are orthonormal to all; returns how many there are."""
        end = self._size + axes.shape[1]
        if end > len(self._vectors):
            room = np.empty((2 * end, self._vectors.shape[1]))
            room[: self._size] = self._vectors[: self._size]
            self._vectors = room
        self._vectors[self._size : end] = axes.T
        self._size = end
        return end

    def without(self, columns: np.ndarray) -> np.ndarray:
        """Return `columns` less what lies in the basis."""
        if not self._size:
            return columns
        vectors = self._vectors[: self._size]
        return columns - vectors.T @ (vectors @ columns)

    def orthogonal(self, columns: np.ndarray, least: float) -> np.ndarray:
        """Return an orthonormal basis of what of `columns` lies outside of this one.

        Directions of a squared length up to `least` are left out.
        """
        columns = self.without(columns)
        axes = columns @ roots_of(columns.T @ columns, least)
        # once more: rounding that was small beside the columns may not be beside the axes
        axes = self.without(axes)
        return axes @ roots_of(axes.T @ axes, 0.5)
