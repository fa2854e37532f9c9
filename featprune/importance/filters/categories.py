"""Columns of categories: how much they tell of each other, and of numbers, beyond chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from featprune.importance.filters.numbers import Numbers

# Cells of a table of two categories' levels that is worth holding as a whole, per row.
_CELLS_PER_ROW = 4


class Category(NamedTuple):
    """A column of levels.

    Attributes
    ----------
    codes : ndarray of shape (n_rows,), int
        The level of each row, -1 where it is missing.
    n_levels : int
    """

    codes: np.ndarray
    n_levels: int

    def whole(self) -> Category:
        """Return the category with what is missing as a level of its own, if anything is."""
        missing = self.codes < 0
        if not missing.any():
            return self
        return Category(np.where(missing, self.n_levels, self.codes), self.n_levels + 1)


def as_category(y: np.ndarray) -> Category:
    """Return classes as levels."""
    classes, codes = np.unique(y, return_inverse=True)
    return Category(codes, len(classes))


def cramers_v(a: Category, b: Category, weight: np.ndarray | None) -> float:
    """Return Cramér's V of two categories, corrected for bias, in [0, 1].

    Parameters
    ----------
    a, b : Category
    weight : ndarray of shape (n_rows,) or None

    Notes
    -----
    What is missing is a level. Levels of single rows tell each other by chance; Bergsma's
    correction takes off what is to be expected of independent ones. One pass over the rows.

    References
    ----------
    Bergsma, W. (2013). A bias-correction for Cramér's V and Tschuprow's T. Journal of the Korean
    Statistical Society 42(3), 323-328. https://doi.org/10.1016/j.jkss.2012.10.002
    """
    a, b = a.whole(), b.whole()
    cells = a.codes * b.n_levels + b.codes
    if a.n_levels * b.n_levels > _CELLS_PER_ROW * max(len(cells), 1024):
        used, cells = np.unique(cells, return_inverse=True)
    else:
        used = np.arange(a.n_levels * b.n_levels)
    counts = np.bincount(cells, weights=weight, minlength=len(used)).astype(float)
    of_a, of_b = np.divmod(used, b.n_levels)
    rows = np.bincount(of_a, weights=counts, minlength=a.n_levels)
    columns = np.bincount(of_b, weights=counts, minlength=b.n_levels)
    n_a, n_b, n = int((rows > 0).sum()), int((columns > 0).sum()), float(counts.sum())
    if n <= 1 or n_a < 2 or n_b < 2:
        return 0.0
    full = np.flatnonzero(counts)
    expected = rows[of_a[full]] * columns[of_b[full]]
    phi2 = float((counts[full] * counts[full] / expected).sum()) - 1.0
    phi2 = max(0.0, phi2 - (n_a - 1) * (n_b - 1) / (n - 1))
    most = min(size - 1 - (size - 1) ** 2 / (n - 1) for size in (n_a, n_b))
    # of as many levels as rows nothing is left, up to rounding
    return min(1.0, float(np.sqrt(phi2 / most))) if most > 1e-9 else 0.0


def correlation_ratios(category: Category, numbers: Numbers) -> np.ndarray:
    """Return how much of each number's spread the levels explain, as the size of a correlation.

    Parameters
    ----------
    category : Category
    numbers : Numbers

    Returns
    -------
    ndarray of shape (len(numbers),), float64
        The square root of epsilon squared, in [0, 1].

    Notes
    -----
    The correlation ratio squared, eta squared, is the share of the squared deviations that lies
    between the levels' means. It grows with the number of levels, to 1 for a level a row, whatever
    the numbers are. Epsilon squared takes off what is to be expected of levels that say nothing:
    ``1 - (1 - eta²)(n - 1) / (n - k)``, n being the rows that have a value and k their levels. One
    sum over the rows a column.

    References
    ----------
    Kelley, T. L. (1935). An unbiased correlation ratio measure. PNAS 21(9), 554-559.
    https://doi.org/10.1073/pnas.21.9.554
    """
    between, spread, n, k = spread_of_levels(category, numbers)
    with np.errstate(divide="ignore", invalid="ignore"):
        epsilon = 1 - (1 - between / spread) * (n - 1) / (n - k)
    known = (n > k) & (spread > 0)
    return np.sqrt(np.clip(np.where(known, epsilon, 0.0), 0.0, 1.0))


class Spread(NamedTuple):
    """Sums of squared deviations of standardised numbers, each of shape (k,).

    Attributes
    ----------
    between : ndarray
        Of the levels' means from the mean.
    whole : ndarray
        Of the values from the mean; 0 where they don't vary.
    n : ndarray
        Weight of the rows that have a value.
    levels : ndarray
        How many levels these rows have.
    """

    between: np.ndarray
    whole: np.ndarray
    n: np.ndarray
    levels: np.ndarray


def spread_of_levels(category: Category, numbers: Numbers) -> Spread:
    """Return how much of the spread of numbers lies between the levels of a category."""
    category = category.whole()
    # the values hold one root of the weights, so this holds the other
    levels = sparse.csr_array(
        (numbers.root, (category.codes, np.arange(len(numbers.root)))),
        shape=(category.n_levels, len(numbers.root)),
    )
    values = numbers.values
    sums = levels @ values.T
    roots = numbers.root[None] if numbers.present is None else numbers.roots()
    counts = levels @ roots.T
    square = np.einsum("ij,ij->i", values, values, dtype=float)
    n = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = np.square(sums.sum(axis=0)) / n
        between = np.where(counts > 0, np.square(sums) / counts, 0.0).sum(axis=0) - centre
        whole = square - centre
    varies = whole > 1e-12 * square
    n_levels = np.broadcast_to((counts > 0).sum(axis=0), n.shape)
    return Spread(np.where(varies, between, 0.0), np.where(varies, whole, 0.0), n, n_levels)
