"""How alike columns of any kind are: blocks of columns, and the associations between two blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from featprune.importance.filters.categories import (
    Category,
    as_category,
    correlation_ratios,
    cramers_v,
)
from featprune.importance.filters.likeness import Likeness
from featprune.importance.filters.numbers import Numbers, correlations, standardise
from featprune.table.comparable import CATEGORY, NUMBER

# Values that are read and standardised in one go.
_PIECE = 2**20
# More than any association: exact copies are above every threshold, 1 too.
COPY = 2.0


@dataclass(frozen=True)
class Columns:
    """Columns to be compared.

    Parameters
    ----------
    kinds : ndarray of shape (n_columns,), int
        NUMBER, CATEGORY or OPAQUE, which is compared only for being a copy.
    load : callable
        From positions of numbers, an int array of shape (k,), to their values, float64 of shape
        (n_rows, k), NaN for missing, which the caller may overwrite.
    categories : dict of int to Category
        By position, of all that are no numbers.
    copies : ndarray of shape (n_columns,), int
        The same number for those that are exact copies of each other; -1 for numbers, which are
        compared with each other as values.
    n_rows : int
    weight : ndarray of shape (n_rows,) or None
        Weights above 0.
    by_rank : bool
        Whether numbers are compared by their ranks.
    likeness : Likeness or None
        Of all columns, where they are numbers of a sparse matrix without missing values.
    """

    kinds: np.ndarray
    load: Callable[[np.ndarray], np.ndarray]
    categories: dict[int, Category]
    copies: np.ndarray
    n_rows: int
    weight: np.ndarray | None = None
    by_rank: bool = False
    likeness: Likeness | None = None

    def pieces(self, idx: np.ndarray) -> list[np.ndarray]:
        """Split positions into parts whose values fit into a processor's cache."""
        size = max(1, _PIECE // self.n_rows)
        return [idx[start : start + size] for start in range(0, len(idx), size)]

    def values(self, idx: np.ndarray) -> np.ndarray:
        """Return numbers with one column a row, which may be overwritten."""
        return np.ascontiguousarray(self.load(idx).T)


@dataclass(frozen=True)
class Block:
    """Columns made ready for comparison, in some order of theirs.

    Parameters
    ----------
    copies : ndarray of shape (k,), int
        As in :class:`Columns`.
    numbers : list of (ndarray of int, Numbers)
        Parts with their places in the block: those without missing values, and those with.
    categories : list of (int, Category)
        With their places in the block.
    """

    copies: np.ndarray
    numbers: list[tuple[np.ndarray, Numbers]] = field(default_factory=list)
    categories: list[tuple[int, Category]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.copies)

    def take(self, idx: np.ndarray) -> Block:
        """Return a block of the places `idx`, ascending."""
        place = np.full(len(self), -1)
        place[idx] = np.arange(len(idx))
        numbers = []
        for at, part in self.numbers:
            stay = np.flatnonzero(place[at] >= 0)
            if len(stay):
                numbers.append((place[at[stay]], part.take(stay)))
        categories = [(int(place[i]), one) for i, one in self.categories if place[i] >= 0]
        return Block(self.copies[idx], numbers, categories)


def make_block(columns: Columns, idx: np.ndarray, dtype: type[np.floating] = np.float64) -> Block:
    """Make the columns `idx` ready; `dtype` is that of complete numbers.

    Notes
    -----
    Holds one copy of the numbers, 4 or 8 bytes a value, and two where something is missing.
    """
    categories = [
        (int(i), columns.categories[int(idx[i])])
        for i in np.flatnonzero(columns.kinds[idx] == CATEGORY)
    ]
    numbers, holed = [], []
    at = np.flatnonzero(columns.kinds[idx] == NUMBER)
    whole, places = np.empty((len(at), columns.n_rows), dtype), np.empty(0, dtype=np.intp)
    for piece in columns.pieces(at):
        values = columns.values(idx[piece])
        has_holes = np.isnan(values.sum(axis=1))
        if has_holes.any():
            some = standardise(values[has_holes], columns.weight, by_rank=columns.by_rank)
            holed.append((piece[has_holes], some))
            values, piece = values[~has_holes], piece[~has_holes]
        if len(piece):
            some = standardise(values, columns.weight, by_rank=columns.by_rank)
            whole[len(places) : len(places) + len(piece)] = some.values
            places = np.append(places, piece)
    if len(places):
        numbers.append((places, Numbers(whole[: len(places)], some.root)))
    return Block(columns.copies[idx], numbers + holed, categories)


def target_block(
    y: np.ndarray, is_number: bool, weight: np.ndarray | None, *, by_rank: bool
) -> Block:
    """Return a target as a block of one column: numbers, or classes as a category."""
    alone = np.full(1, -1)
    if is_number:
        values = np.array(y, dtype=float, ndmin=2)
        return Block(
            alone, [(np.zeros(1, dtype=int), standardise(values, weight, by_rank=by_rank))]
        )
    return Block(alone, categories=[(0, as_category(y))])


def associations(a: Block, b: Block, weight: np.ndarray | None) -> np.ndarray:
    """Return how alike each column of `a` and each of `b` are, shape (len(a), len(b)).

    Notes
    -----
    Two numbers: the size of their correlation. Two categories: Cramér's V. One of each: the
    correlation ratio. All are in [0, 1] and corrected for chance where levels are involved.
    Copies of other columns than numbers: COPY.
    """
    found = np.zeros((len(a), len(b)))
    for at_a, some in a.numbers:
        for at_b, others in b.numbers:
            found[np.ix_(at_a, at_b)] = correlations(some, others)
    for i, category in a.categories:
        for at_b, others in b.numbers:
            found[i, at_b] = correlation_ratios(category, others)
        for j, other in b.categories:
            found[i, j] = cramers_v(category, other, weight)
    for j, category in b.categories:
        for at_a, some in a.numbers:
            found[at_a, j] = correlation_ratios(category, some)
    if (a.copies >= 0).any():
        found[(a.copies[:, None] == b.copies) & (b.copies >= 0)] = COPY
    return found
