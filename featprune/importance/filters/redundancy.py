"""One pass over the columns that lets go of those for which a kept one can stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from featprune.importance.filters.association import (
    COPY,
    Block,
    Columns,
    associations,
    make_block,
)
from featprune.table.comparable import NUMBER

# Columns that are compared in one go with those kept before.
BLOCK = 512
# Multiplications above which single precision is worth its margin.
_MANY = 1e9


class _Precision(NamedTuple):
    """In which type complete numbers are multiplied, and how far that may be off.

    Associations closer than `margin` to the threshold are computed again; those that are the same
    to so many digits are equal.
    """

    dtype: type[np.floating]
    margin: float
    digits: int


_SINGLE = _Precision(np.float32, 1e-4, 5)
_DOUBLE = _Precision(np.float64, 1e-9, 9)


@dataclass(frozen=True)
class Redundancy:
    """What the pass found.

    Attributes
    ----------
    gone : ndarray of shape (n_units,), bool
        Units for each of whose columns a kept column can stand.
    association : ndarray of shape (n_columns,)
        The largest association with a column that was kept before, in [0, 1]; 0 if there was
        none.
    stands_for : ndarray of shape (n_columns,), int
        Whom that largest association is with, -1 if there was none.
    digits : int
        Associations that are the same to so many digits are equal up to rounding.
    """

    gone: np.ndarray
    association: np.ndarray
    stands_for: np.ndarray
    digits: int


def find_redundant(
    columns: Columns,
    members: list[np.ndarray],
    order: np.ndarray,
    protected: np.ndarray,
    threshold: float,
    progress: Callable[[int, int], None],
) -> Redundancy:
    """Go through the units in order; each one that is not like those kept before is kept.

    Parameters
    ----------
    columns : Columns
    members : list of ndarray of int
        The columns of each unit that are not constant.
    order : ndarray of int
        Units that have such columns, the most welcome first.
    protected : ndarray of shape (n_units,), bool
        Units that are kept whatever they are like.
    threshold : float
        Of two columns of a higher association one can stand for the other.
    progress : callable
        Told how many of all units are done.

    Returns
    -------
    Redundancy

    Notes
    -----
    A unit of several columns goes if each of them is like a column that is kept outside of it.
    Of equally similar columns, the one that came first stands for it.

    A block of columns at a time is multiplied with those kept so far, so that the whole table of
    associations never exists: n·p·k multiplications for k kept columns of p, and memory for a
    copy of the kept columns, of 4 bytes a value on large tables, and for a block. There numbers
    are multiplied in single precision, and what is within 1e-4 of the threshold is computed again
    in double precision. With a `likeness` only the block is dense, and there is no copy.
    """
    n_columns = len(columns.kinds)
    work = columns.n_rows * float((columns.kinds == NUMBER).sum()) ** 2
    is_single = work > _MANY and columns.likeness is None
    precision = _SINGLE if is_single else _DOUBLE
    found = Redundancy(
        gone=np.zeros(len(members), dtype=bool),
        association=np.zeros(n_columns),
        stands_for=np.full(n_columns, -1),
        digits=precision.digits,
    )
    kept = _Kept()
    done = 0
    for units in _in_blocks(order, members):
        idx = np.concatenate([members[unit] for unit in units])
        is_sparse = columns.likeness is not None
        block = None if is_sparse else make_block(columns, idx, precision.dtype)
        values = _compare(columns, idx, block, kept)
        strip = _Strip(columns, idx, kept.idx, values, threshold, precision.margin)
        start = 0
        for unit in units:
            places = range(start, start + len(members[unit]))
            start = places.stop
            alike = [strip.most_alike(place) for place in places]
            found.association[members[unit]] = [min(one, 1.0) for one, _ in alike]
            found.stands_for[members[unit]] = [other for _, other in alike]
            if all(one > threshold for one, _ in alike) and not protected[unit]:
                found.gone[unit] = True
            else:
                strip.keep(places)
        kept.add(idx, block, np.array(strip.inside, dtype=np.intp))
        done += len(units)
        progress(done, len(order))
    return found


class _Kept:
    """The columns kept so far, with a block for each block that they came from, if need be."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.idx = np.empty(0, dtype=np.intp)

    def add(self, idx: np.ndarray, block: Block | None, places: np.ndarray) -> None:
        if len(places):
            self.idx = np.append(self.idx, idx[places])
            if block is not None:
                self.blocks.append(block if len(places) == len(block) else block.take(places))


def _compare(columns: Columns, idx: np.ndarray, block: Block | None, kept: _Kept) -> np.ndarray:
    """The associations of the columns `idx` with those kept, and, behind these, with each other."""
    if block is None:
        assert columns.likeness is not None  # or there would be a block
        return columns.likeness.between(np.append(kept.idx, idx), idx).T
    parts = [associations(block, other, columns.weight) for other in (*kept.blocks, block)]
    return np.concatenate(parts, axis=1)


class _Strip:
    """The associations of a block with the columns kept before it and, as these are, within it."""

    def __init__(
        self,
        columns: Columns,
        idx: np.ndarray,
        before: np.ndarray,
        values: np.ndarray,
        threshold: float,
        margin: float,
    ) -> None:
        self.columns, self.idx, self.before, self.values = columns, idx, before, values
        self.threshold, self.margin = threshold, margin
        self.inside: list[int] = []  # places in the block that are kept
        self.highest = values[:, : len(before)].max(axis=1, initial=0.0)

    def keep(self, places: range) -> None:
        """Compare the columns that follow with those at `places`, too."""
        self.inside.extend(places)

    def most_alike(self, place: int) -> tuple[float, int]:
        """Return the largest association of a column with a kept one, and which that is."""
        within = self.values[place, len(self.before) + np.array(self.inside, dtype=np.intp)]
        highest = max(self.highest[place], within.max(initial=0.0))
        if highest <= 0:
            return 0.0, -1
        row = np.concatenate([self.values[place, : len(self.before)], within])
        others = np.concatenate([self.before, self.idx[self.inside]])
        if abs(highest - self.threshold) <= self.margin:
            near = np.flatnonzero(row >= self.threshold - self.margin)
            row, others = self._exactly(int(self.idx[place]), others[near]), others[near]
            highest = row.max()
        first = int((row >= highest - self.margin / 100).argmax())
        return float(highest), int(others[first])

    def _exactly(self, one: int, others: np.ndarray) -> np.ndarray:
        """Associations in double precision; those of copies are above every threshold."""
        columns = self.columns
        ready = make_block(columns, np.array([one]))
        found = np.concatenate(
            [
                associations(ready, make_block(columns, some), columns.weight)[0]
                for some in np.split(others, range(BLOCK, len(others), BLOCK))
            ]
        )
        if columns.kinds[one] == NUMBER:
            values = columns.values(np.array([one]))[0]
            for i in np.flatnonzero((columns.kinds[others] == NUMBER) & (found > 1 - 1e-9)):
                other = columns.values(others[i : i + 1])[0]
                if np.array_equal(values, other, equal_nan=True):
                    found[i] = COPY
        return found


def _in_blocks(order: np.ndarray, members: list[np.ndarray]) -> list[np.ndarray]:
    """Split units into blocks of about as many columns."""
    sizes = np.cumsum([len(members[unit]) for unit in order])
    return [order[np.flatnonzero(sizes // BLOCK == number)] for number in np.unique(sizes // BLOCK)]
