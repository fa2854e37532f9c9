"""What is to be known of each column before columns are compared: constants, gaps, spread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from featprune.importance.filters.association import Block, Columns, associations, make_block
from featprune.table.comparable import NUMBER


class Profile(NamedTuple):
    """Facts about columns.

    Attributes
    ----------
    constant : ndarray of shape (n_columns,), bool
        Whether the most frequent value, missing being one, has at least the asked share of rows.
    missing : ndarray of shape (n_columns,)
        Weight of the rows that have no value.
    infinite : ndarray of shape (n_columns,), bool
        Numbers among whose values are infinite ones; nothing else is known of these.
    """

    constant: np.ndarray
    missing: np.ndarray
    infinite: np.ndarray


def profile(columns: Columns, share: float) -> Profile:
    """Look at each column alone.

    Parameters
    ----------
    columns : Columns
    share : float
        The share of rows, by weight, from which on a most frequent value makes a column constant.

    Notes
    -----
    A few passes over the values, a block of columns at a time; with a share below 1, each column
    is sorted.
    """
    n_columns, weight = len(columns.kinds), columns.weight
    ones = np.ones(columns.n_rows) if weight is None else weight
    # sums of weights are rounded
    least = share * ones.sum() * (1 - 1e-12)
    constant, infinite = np.zeros((2, n_columns), dtype=bool)
    missing = np.zeros(n_columns)
    for idx in columns.pieces(np.flatnonzero(columns.kinds == NUMBER)):
        values = columns.values(idx)
        constant[idx] = (values == values[:, :1]).all(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            sums = values.sum(axis=1)
        odd = ~np.isfinite(sums)
        infinite[idx[odd]] = np.isinf(values[odd]).any(axis=1)
        has_none = np.isnan(values[odd])
        missing[idx[odd]] = has_none @ ones
        constant[idx[odd]] |= has_none.all(axis=1)
        if share < 1:
            constant[idx] |= [_most_frequent(one, ones) >= least for one in values]
    for i, (codes, n_levels) in columns.categories.items():
        counts = np.bincount(codes + 1, weights=ones, minlength=n_levels + 1)
        constant[i] = counts.max() >= least
        missing[i] = counts[0]
    return Profile(constant, missing, infinite)


def variances(columns: Columns) -> np.ndarray:
    """Return the weighted variance of each column over the values that are there, (n_columns,).

    Of a number, in its own units; of a category, the sum of the variances of its levels'
    indicators, which is the Gini index. Each vector of an embedding is a level.
    """
    ones = np.ones(columns.n_rows) if columns.weight is None else columns.weight
    found = np.zeros(len(columns.kinds))
    for idx in columns.pieces(np.flatnonzero(columns.kinds == NUMBER)):
        found[idx] = _variances(columns.values(idx), ones)
    for i, (codes, n_levels) in columns.categories.items():
        counts = np.bincount(codes + 1, weights=ones, minlength=n_levels + 1)[1:]
        found[i] = 1 - np.square(counts / max(counts.sum(), 1e-300)).sum()
    return found


def relevances(columns: Columns, target: Block) -> np.ndarray:
    """Return the association of each column with the target, shape (n_columns,).

    Parameters
    ----------
    columns : Columns
    target : Block
        Of one column. It has no copies.
    """
    found = np.zeros(len(columns.kinds))
    for idx in columns.pieces(np.arange(len(found))):
        found[idx] = associations(make_block(columns, idx), target, columns.weight)[:, 0]
    return found


def _most_frequent(values: np.ndarray, ones: np.ndarray) -> float:
    _, place = np.unique(values, return_inverse=True)
    return float(np.bincount(place, weights=ones).max())


def _variances(values: np.ndarray, ones: np.ndarray) -> np.ndarray:
    there = ~np.isnan(values)
    total = np.maximum(there @ ones, np.finfo(float).tiny)
    values[~there] = 0.0
    values -= (values @ ones / total)[:, None]
    values[~there] = 0.0
    return np.square(values) @ ones / total
