"""Sums over blocks of rows: weight, mean and centred products, added up without cancellation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Columns whose mean is at most so many standard deviations from 0 are multiplied as they are: to
# take the mean off afterwards costs less than a digit, to take it off before a fifth of the time.
_NEAR = 2.0
# beyond so many standard deviations from what was taken off, something else is taken off
_FAR = 3.0


class NotFiniteError(ValueError):
    """Rows hold NaN or infinite numbers."""


class Total(NamedTuple):
    """What rows add up to.

    Attributes
    ----------
    weight : float
    mean : ndarray of shape (n_features,)
    products : ndarray of shape (n_features, n_features)
        Weighted products of the rows around their mean.
    """

    weight: float
    mean: np.ndarray
    products: np.ndarray

    def plus(self, other: Total | None) -> Total:
        """Return what these rows and others add up to (Chan, Golub, LeVeque 1983)."""
        if other is None:
            return self
        weight = self.weight + other.weight
        apart = other.mean - self.mean
        products = self.products + other.products
        products += np.outer(self.weight * other.weight / weight * apart, apart)
        return Total(weight, self.mean + apart * (other.weight / weight), products)


class Sums:
    """Sums of blocks of rows.

    What is taken off columns before they are multiplied, near their mean, is found in the first
    block. Blocks whose means are far from it begin a series of their own, with their own.

    Attributes
    ----------
    dtype : dtype
        The least exact one of all blocks.
    """

    def __init__(self) -> None:
        self.dtype = np.dtype(np.float64)
        self._closed: Total | None = None
        self._shift: np.ndarray | None = None
        self._weight = 0.0
        self._sums: np.ndarray | None = None
        self._squares: np.ndarray | None = None

    def add(self, X: np.ndarray, weight: np.ndarray) -> None:
        """Add a block; costs n_rows x p^2 / 2 multiplications in the dtype of `X`.

        Raises
        ------
        NotFiniteError
            If there is a number that is not finite.
        """
        if X.dtype == np.float32:
            self.dtype = X.dtype
        if self._shift is None or self._shift.dtype != X.dtype:
            self._begin(X)
        sums, squares = _multiplied(X, weight, self._shift)
        if not _are_finite(sums, squares):
            if X.dtype == np.float64 or not np.isfinite(X).all():
                raise NotFiniteError
            self.add(X.astype(np.float64), weight)  # squares have left float32's range
            return
        total = float(weight.sum())
        rest = sums / total
        if (rest**2 > _FAR**2 * (squares.diagonal() / total - rest**2)).any():
            self._begin(X)
            sums, squares = _multiplied(X, weight, self._shift)
        self._weight += total
        if self._sums is None or self._squares is None:
            self._sums, self._squares = sums, squares.astype(np.float64)
        else:
            self._sums += sums
            self._squares += squares

    def total(self) -> Total | None:
        """Return what all blocks add up to, None if there was none; more may follow."""
        if self._sums is None or self._squares is None or self._shift is None:
            return self._closed
        rest = self._sums / self._weight
        products = self._squares - np.outer(self._sums, rest)
        return Total(self._weight, self._shift + rest, products).plus(self._closed)

    def _begin(self, X: np.ndarray) -> None:
        """Begin a series, with what is to be taken off found in its first block."""
        self._closed = self.total()
        self._weight, self._sums, self._squares = 0.0, None, None
        with np.errstate(invalid="ignore", over="ignore"):
            mean, spread = X.mean(axis=0), X.std(axis=0)
        shift = np.where(np.abs(mean) > _NEAR * spread, mean, 0)
        # of a constant column nothing but zeros is to be left
        constant = (X[0] == X).all(axis=0)
        shift[constant] = X[0, constant]
        self._shift = shift.astype(X.dtype)


def _multiplied(
    X: np.ndarray, weight: np.ndarray, shift: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sums of a block's columns less `shift`, and their products."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is seen afterwards
        Z = X - shift if shift is not None and shift.any() else X
        root = np.sqrt(weight).astype(X.dtype)
        if not (weight == 1).all():
            Z = Z * root[:, None]
        return (root @ Z).astype(np.float64), Z.T @ Z


def _are_finite(sums: np.ndarray, squares: np.ndarray) -> bool:
    # a product is finite where the squares of both its columns are
    return bool(np.isfinite(sums).all() and np.isfinite(squares.diagonal()).all())
