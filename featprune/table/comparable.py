"""Columns as they are compared with each other: as numbers, as levels, or only for equality."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import narwhals as nw
import numpy as np
from scipy import sparse

from featprune.table import columns as tables
from featprune.table.categories import codes_of, levels_of
from featprune.table.columns import Table

NUMBER, CATEGORY, OPAQUE = 0, 1, 2


class Comparable(NamedTuple):
    """A table's columns, or dimensions of them, made comparable.

    Attributes
    ----------
    owner : ndarray of shape (n,), int
        The column of the table that each came from, ascending.
    kinds : ndarray of shape (n,), int
        NUMBER: numbers, booleans, dates and durations in seconds, dimensions of an embedding.
        CATEGORY: categories and words. OPAQUE: whole embeddings.
    load : callable
        From positions of numbers, shape (k,), to their values, float64 of shape (n_rows, k), NaN
        for missing. Each call copies.
    codes : dict of int to (ndarray of shape (n_rows,), int)
        Of all that are no numbers: the level of each row, -1 where it is missing, and how many
        levels there are. Each vector of an embedding is a level.
    copies : ndarray of shape (n,), int
        The same number for those of `codes` that are equal in every row; -1 for numbers.
    """

    owner: np.ndarray
    kinds: np.ndarray
    load: Callable[[np.ndarray], np.ndarray]
    codes: dict[int, tuple[np.ndarray, int]]
    copies: np.ndarray


def make_comparable(table: Table, widths: np.ndarray) -> Comparable:
    """Make the columns of a table comparable.

    Parameters
    ----------
    table : Table
    widths : ndarray of shape (n_columns,), int
        0 for a column that is compared as a whole, otherwise the number of its dimensions, each
        of which is compared as a number.

    Notes
    -----
    Holds the codes of categories and the seconds of dates, 8 bytes a value, one embedding at a
    time, and a copy of a sparse matrix. Numbers are read when they are asked for.
    """
    owner = np.repeat(np.arange(len(table.names)), np.maximum(widths, 1))
    kinds = np.full(len(owner), NUMBER)
    seconds: dict[int, np.ndarray] = {}
    codes: dict[int, tuple[np.ndarray, int]] = {}
    copies = np.full(len(owner), -1)
    known: dict[tuple, int] = {}
    for i, column in enumerate(owner.tolist()):
        if table.kinds[column] == tables.NUMBER or widths[column]:
            continue
        if table.kinds[column] == tables.EMBEDDING:
            kinds[i], levels = OPAQUE, None
            codes[i], levels = _codes_of_vectors(table.vectors(column))
        elif (found := _seconds(table, column)) is not None:
            seconds[column] = found
            continue
        else:
            kinds[i] = CATEGORY
            codes[i], levels = _codes_of_levels(table, column)
        # equal codes of other levels are other values
        key = (kinds[i], levels, codes[i][0].tobytes())
        copies[i] = known.setdefault(key, len(known))
    return Comparable(owner, kinds, _loader(table, owner, widths, seconds), codes, copies)


def _loader(
    table: Table, owner: np.ndarray, widths: np.ndarray, seconds: dict[int, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    if sparse.issparse(table.native):
        by_column = table.native.tocsc()
        return lambda idx: by_column[:, idx].astype(float).toarray(order="F")
    first = np.searchsorted(owner, np.arange(len(table.names)))
    held: dict[int, np.ndarray] = {}

    def dimension(i: int) -> np.ndarray:
        column = int(owner[i])
        if column not in held:
            held.clear()
            held[column] = table.vectors(column)
        return held[column][:, i - first[column]]

    plain = np.array([kind == tables.NUMBER for kind in table.kinds])

    def load(idx: np.ndarray) -> np.ndarray:
        is_plain = plain[owner[idx]]
        if is_plain.all() and (np.diff(idx) > 0).all():
            return table.numbers(owner[idx].tolist())
        values = np.empty((table.n_rows, len(idx)), order="F")
        if is_plain.any():
            # read in the order of the table
            at = np.flatnonzero(is_plain)
            at = at[np.argsort(idx[at])]
            values[:, at] = table.numbers(owner[idx[at]].tolist())
        for k in np.flatnonzero(~is_plain):
            column = int(owner[idx[k]])
            values[:, k] = dimension(idx[k]) if widths[column] else seconds[column]
        return values

    return load


def _codes_of_levels(table: Table, i: int) -> tuple[tuple[np.ndarray, int], tuple]:
    """The codes of a column of categories or words, and their levels."""
    levels = levels_of(table, i)
    assert levels is not None  # of dates, which have none, seconds were taken
    codes = np.nan_to_num(codes_of(table, i, levels), nan=-1.0).astype(np.intp)
    return (codes, len(levels)), tuple(levels)


def _codes_of_vectors(vectors: np.ndarray) -> tuple[tuple[np.ndarray, int], tuple]:
    """The codes of vectors in the order in which they come, and the vectors themselves."""
    known: dict[bytes, int] = {}
    codes = np.full(len(vectors), -1)
    # what is missing is missing as a whole; adding 0 makes one zero of the two there are
    for row in np.flatnonzero(~np.isnan(vectors).all(axis=1)):
        codes[row] = known.setdefault((vectors[row] + 0.0).tobytes(), len(known))
    return (codes, len(known)), tuple(known)


def _seconds(table: Table, i: int) -> np.ndarray | None:
    """Dates and times since 1970, and durations, in seconds, NaN for missing; None for others."""
    column = nw.from_native(table.native)[:, i]
    if column.dtype in (nw.Date, nw.Datetime):
        counted = column.cast(nw.Datetime("us")) if column.dtype == nw.Date else column
        counted = counted.dt.timestamp("us")
    elif column.dtype == nw.Duration:
        counted = column.dt.total_microseconds()
    else:
        return None
    found = counted.cast(nw.Float64).to_numpy() / 1e6
    return np.where(np.asarray(column.is_null().to_numpy(), dtype=bool), np.nan, found)
