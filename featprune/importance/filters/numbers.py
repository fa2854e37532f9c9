"""Columns of numbers, standardised once so that products of them are correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Rows that one product of single precision sums up; beyond, double precision takes over, as the
# error of a sum grows with its length.
_MOST_ROWS = 65_536
# A variance that is so small a part of what it is computed from is rounding, and none.
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Numbers:
    """Standardised columns, one a row of `values`.

    Parameters
    ----------
    values : ndarray of shape (k, n_rows), float32 or float64
        Deviations from the column's mean, times the square root of the row's weight, scaled so
        that their squares add up to 1; 0 where a value is missing, and all 0 if none deviates.
    root : ndarray of shape (n_rows,), float64
        Square roots of the weights of the rows.
    present : ndarray of shape (k, n_rows), bool, or None
        Where there is a value; None if all are there.
    """

    values: np.ndarray
    root: np.ndarray
    present: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, idx: np.ndarray) -> Numbers:
        """Return a copy of some columns."""
        present = None if self.present is None else self.present[idx]
        return Numbers(self.values[idx], self.root, present)

    def roots(self) -> np.ndarray:
        """Return the roots of the weights of what is there, shape (k, n_rows)."""
        if self.present is None:
            return np.broadcast_to(self.root, self.values.shape)
        return self.root * self.present

    def squares(self) -> np.ndarray:
        """Return squared deviations times the root of the weight, shape (k, n_rows)."""
        return self.values * self.values / self.root


def standardise(values: np.ndarray, weight: np.ndarray | None, *, by_rank: bool) -> Numbers:
    """Standardise columns.

    Parameters
    ----------
    values : ndarray of shape (k, n_rows), float64
        One column a row, NaN for missing; overwritten.
    weight : ndarray of shape (n_rows,) or None
        Weights above 0.
    by_rank : bool
        Whether ranks take the place of the values, the mean of equal ones'.

    Returns
    -------
    Numbers
        Its `present` is None only if nothing is missing.

    Notes
    -----
    Four passes over the values. A column's result does not depend on those beside it.
    """
    root = np.ones(values.shape[1]) if weight is None else np.sqrt(weight)
    if by_rank:
        values = ranks(values, weight)
    present = None
    mean = _mean(values, weight)
    if np.isnan(mean).any():
        present = ~np.isnan(values)
        values[~present] = 0.0
        total = present.sum(axis=1) if weight is None else present @ weight
        sums = values.sum(axis=1) if weight is None else values @ weight
        mean = sums / np.maximum(total, np.finfo(float).tiny)
    values -= mean[:, None]
    if weight is not None:
        values *= root
    if present is not None:
        values[~present] = 0.0
    norm = _norms(values)
    # the sums of a constant's rounded deviations are what this leaves out
    rounding = 1e-14 * np.abs(mean) * np.sqrt((root * root).sum())
    values /= np.where(norm > rounding, norm, np.inf)[:, None]
    return Numbers(values, root, present)


def ranks(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return the ranks within each row of `values`, of equal ones their mean, NaN for NaN.

    A value of weight 2 counts as two values. Ranks are shifted by a half, which no correlation
    sees: a value's rank is the weight below it and half of that at it.

    Parameters
    ----------
    values : ndarray of shape (k, n_rows)
    weight : ndarray of shape (n_rows,) or None
    """
    found = np.full(values.shape, np.nan)
    for one, result in zip(values, found, strict=True):
        there = np.flatnonzero(~np.isnan(one))
        _, place, counts = np.unique(one[there], return_inverse=True, return_counts=True)
        if weight is not None:
            counts = np.bincount(place, weights=weight[there])
        result[there] = (np.cumsum(counts) - counts / 2)[place]
    return found


def correlations(a: Numbers, b: Numbers) -> np.ndarray:
    """Return the size of the correlation of each column of `a` with each of `b`.

    Parameters
    ----------
    a, b : Numbers
        Of the same rows.

    Returns
    -------
    ndarray of shape (len(a), len(b)), float64
        In [0, 1]; 0 where one of the two does not vary on the rows that have both.

    Notes
    -----
    Where something is missing, a pair's means and variances are those of the rows that have both
    values, as in pandas. One matrix product if nothing is missing, three if it is on one side,
    six if it is on both.
    """
    if a.present is None and b.present is None:
        found = _product(a.values, b.values)
        return np.minimum(np.abs(found, out=found), 1.0)
    if a.present is None:
        return correlations(b, a).T
    of_a = a.roots()
    of_b = b.root[None] if b.present is None else b.roots()
    total = of_a @ of_b.T
    sum_a, square_a = a.values @ of_b.T, a.squares() @ of_b.T
    sum_b, square_b = of_a @ b.values.T, of_a @ b.squares().T
    products = a.values @ b.values.T
    with np.errstate(divide="ignore", invalid="ignore"):
        var_a = square_a - sum_a * sum_a / total
        var_b = square_b - sum_b * sum_b / total
        found = np.abs(products - sum_a * sum_b / total) / np.sqrt(var_a * var_b)
    varies = (var_a > _NO_VARIANCE * square_a) & (var_b > _NO_VARIANCE * square_b)
    return np.where(varies & (total > 0), np.minimum(found, 1.0), 0.0)


def _mean(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    return values.mean(axis=1) if weight is None else values @ (weight / weight.sum())


def _norms(values: np.ndarray) -> np.ndarray:
    """Return the lengths of the rows; those whose squares leave the range are divided first."""
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    far = np.flatnonzero(~((norms > 1e-140) & (norms < np.inf)))
    if len(far):
        peaks = np.abs(values[far]).max(axis=1)
        shrunk = values[far] / np.where(peaks > 0, peaks, 1.0)[:, None]
        norms[far] = peaks * np.sqrt(np.einsum("ij,ij->i", shrunk, shrunk))
    return norms


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a @ b.T`` in double precision, summed in pieces if it is computed in single."""
    n_rows = a.shape[1]
    if n_rows <= _MOST_ROWS or a.dtype == np.float64:
        return (a @ b.T).astype(np.float64, copy=False)
    found = np.zeros((len(a), len(b)))
    for start in range(0, n_rows, _MOST_ROWS):
        rows = slice(start, start + _MOST_ROWS)
        found += a[:, rows] @ b[:, rows].T
    return found
