"""What kept features leave of all features: second moments from which features are taken out.

With E the second moments that are left, taking out features U leaves E - L L^T, where
L L^T = E_:U pinv(E_UU) E_U:. Each class here holds E in its own way and gives the two products
that the orders of features are made of: L for some features, and E times L. Features are taken
out lazily, and worked into E in blocks, where they cost a fraction.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy.linalg import blas

# so many vectors are taken out before they are worked into E
_BLOCK = 64


class Part(NamedTuple):
    """What some features explain.

    Attributes
    ----------
    loadings : ndarray of shape (n_features, rank)
        L; zero for features that were taken out before.
    axes : ndarray of shape (n_rows, rank) or None
        Where E is known by rows: an orthonormal basis of the features among them.
    """

    loadings: np.ndarray
    axes: np.ndarray | None


class Residual(Protocol):
    """Second moments that are left. Features are numbered as in the whole table."""

    def part(self, features: np.ndarray, least: float) -> Part:
        """Return what `features` explain; directions of variance up to `least` are left out."""
        ...

    def product(self, loadings: np.ndarray) -> np.ndarray:
        """Return E times `loadings`, shape (n_features, rank)."""
        ...

    def take(self, part: Part) -> bool:
        """Take the part out; returns whether a block is full, and `refresh` would be cheap."""
        ...

    def refresh(self, alive: np.ndarray) -> None:
        """Work what was taken out into E, and forget features that are not `alive`."""
        ...

    def entries(self, groups: np.ndarray) -> np.ndarray:
        """Return E within each group of features, after `refresh`; 0 for those forgotten.

        Parameters
        ----------
        groups : ndarray of shape (n_groups, size), int

        Returns
        -------
        ndarray of shape (n_groups, size, size)
        """
        ...

    def squares(self, groups: np.ndarray) -> np.ndarray:
        """Return E^2 within each group of features, as `entries` does E."""
        ...


class ScatterResidual:
    """E as a matrix of those features that are left.

    Parameters
    ----------
    matrix : ndarray of shape (n_features, n_features)
        Second moments; copied.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self._matrix = np.array(matrix, order="C")
        self._left = np.arange(len(matrix))
        self._place = np.arange(len(matrix))
        self._past = np.empty((_BLOCK, len(matrix)))
        self._n_past = 0

    def part(self, features: np.ndarray, least: float) -> Part:
        """Return what `features` explain; costs p x 64."""
        past = self._past[: self._n_past]
        columns = self._spread_out(self._matrix[self._place[features]].T)
        columns -= past.T @ past[:, features]
        return Part(columns @ roots_of(columns[features], least), None)

    def product(self, loadings: np.ndarray) -> np.ndarray:
        """Return E times `loadings`; costs p^2 for each."""
        some = loadings[self._left]
        if some.shape[1] == 1:
            # half of a symmetric matrix is read, which is what this costs
            product = blas.dsymv(1.0, self._matrix.T, some[:, 0], lower=1)[:, None]
        else:
            product = self._matrix @ some
        past = self._past[: self._n_past]
        return self._spread_out(product) - past.T @ (past @ loadings)

    def take(self, part: Part) -> bool:
        """Take the part out."""
        end = self._n_past + part.loadings.shape[1]
        if end > len(self._past):
            room = np.empty((end + _BLOCK, self._past.shape[1]))
            room[: self._n_past] = self._past[: self._n_past]
            self._past = room
        self._past[self._n_past : end] = part.loadings.T
        self._n_past = end
        return end >= _BLOCK

    def refresh(self, alive: np.ndarray) -> None:
        """Work what was taken out into E; costs p^2 for each vector, at the speed of BLAS 3."""
        left = np.flatnonzero(alive)
        keep = self._place[left]
        past = np.ascontiguousarray(self._past[: self._n_past, left])
        matrix = self._matrix if len(keep) == len(self._left) else self._matrix[np.ix_(keep, keep)]
        matrix -= past.T @ past
        self._matrix, self._left, self._n_past = matrix, left, 0
        self._place = np.full(len(alive), -1)
        self._place[left] = np.arange(len(left))

    def entries(self, groups: np.ndarray) -> np.ndarray:
        """Return E within each group of features."""
        place = self._place[groups]
        found = self._matrix[place[:, :, None], place[:, None, :]]
        return found * within(place >= 0)

    def squares(self, groups: np.ndarray) -> np.ndarray:
        """Return E^2 within each group of features."""
        place = self._place[groups]
        if groups.shape[1] == 1:
            found = np.einsum("ij,ij->i", self._matrix, self._matrix)[place][:, :, None]
        else:
            rows = self._matrix[place]
            found = rows @ rows.transpose(0, 2, 1)
        return found * within(place >= 0)

    def _spread_out(self, columns: np.ndarray) -> np.ndarray:
        """Put rows of the features that are left among those of all."""
        if len(self._left) == len(self._place):
            return np.array(columns)
        full = np.zeros((len(self._place), columns.shape[1]))
        full[self._left] = columns
        return full


def within(known: np.ndarray) -> np.ndarray:
    """Return which entries of each group's matrix belong to two features that are known."""
    return known[:, :, None] & known[:, None, :]


def roots_of(square: np.ndarray, least: float) -> np.ndarray:
    """Return D with D D^T the pseudo-inverse of `square`, shape (size, rank).

    Parameters
    ----------
    square : ndarray of shape (size, size)
        Symmetric, no eigenvalue below 0 but for rounding.
    least : float
        Eigenvalues up to this one are rounding.
    """
    if len(square) == 0:
        return np.empty((0, 0))
    if len(square) == 1:
        value = square[0, 0]
        return np.array([[1.0 / np.sqrt(value)]]) if value > least else np.empty((1, 0))
    values, vectors = np.linalg.eigh((square + square.T) / 2)
    good = values > least
    return vectors[:, good] / np.sqrt(values[good])
