"""What leaves a table as a whole: a column, a group of columns, a dimension of an embedding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from featprune.table.columns import EMBEDDING, Table, quote_some
from featprune.table.encode import Encoded


@dataclass(frozen=True)
class Units:
    """The units of a table, numbered by their first column from the left.

    Parameters
    ----------
    names : tuple of str
        A column's or group's own name; ``name[i]`` for dimension i of an embedding.
    first : ndarray of shape (n_columns,), int
        The unit of each column; of a column in dimensions, the unit of its dimension 0.
    widths : ndarray of shape (n_columns,), int
        How many units a column is: 1, or the number of its dimensions.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    """

    names: tuple[str, ...]
    first: np.ndarray
    widths: np.ndarray
    protected: np.ndarray

    def of_features(self, encoded: Encoded) -> np.ndarray:
        """Return the unit of each feature, shape (n_features,)."""
        first, split = self.first[encoded.owner], self.widths[encoded.owner] > 1
        return first + np.where(split, np.maximum(encoded.dimension, 0), 0)

    def columns(self, support: np.ndarray) -> np.ndarray:
        """Return which columns stay, in whole or in part, for the units that stay."""
        kept = support[self.first]
        for i in np.flatnonzero(self.widths > 1):
            kept[i] = self._part(i, support).any()
        return kept

    def dimensions(self, support: np.ndarray) -> dict[int, np.ndarray]:
        """Return which dimensions stay of each column that is in dimensions."""
        return {int(i): self._part(i, support) for i in np.flatnonzero(self.widths > 1)}

    def column_ranking(self, ranking: np.ndarray) -> np.ndarray:
        """Return each column's rank: that of its unit, or the best of its dimensions."""
        ranks = ranking[self.first]
        for i in np.flatnonzero(self.widths > 1):
            ranks[i] = self._part(i, ranking).min()
        return ranks

    def _part(self, i: Any, of_units: np.ndarray) -> np.ndarray:
        return of_units[self.first[i] : self.first[i] + self.widths[i]]


def make_units(
    table: Table,
    owner: str,
    *,
    feature_groups: Mapping[str, Iterable[Any]] | None,
    always_keep: Iterable[Any] | None,
    in_dimensions: bool,
) -> Units:
    """Find the units of `table`.

    Parameters
    ----------
    table : Table
    owner : str
        The selector's name, for messages.
    feature_groups : mapping of str to iterables of column names or positions, or None
    always_keep : iterable of column names or positions, or None
    in_dimensions : bool
        Whether each dimension of an embedding column is a unit, unless it is in a group.

    Raises
    ------
    TypeError, ValueError
        For unknown names, columns in two groups, and group names that are taken.
    """
    group_of = _read_groups(table, owner, feature_groups)
    kept: set[int] = set()
    if always_keep is not None:
        kept = set(_positions(table, always_keep, "always_keep", owner))
    n_columns = len(table.names)
    in_dimensions = in_dimensions and EMBEDDING in table.kinds
    if not group_of and not in_dimensions and len(set(table.names)) == n_columns:
        is_kept = np.zeros(n_columns, dtype=bool)
        is_kept[list(kept)] = True
        return Units(
            tuple(table.names), np.arange(n_columns), np.ones(n_columns, dtype=np.intp), is_kept
        )
    names: list[str] = []
    protected: list[bool] = []
    unit_of_group: dict[str, int] = {}
    first = np.empty(n_columns, dtype=np.intp)
    widths = np.ones(n_columns, dtype=np.intp)
    for i, name in enumerate(table.names):
        group = group_of.get(i)
        if group is not None and group in unit_of_group:
            first[i] = unit_of_group[group]
            protected[first[i]] |= i in kept
            continue
        first[i] = len(names)
        if group is not None:
            unit_of_group[group] = len(names)
            names.append(group)
        elif in_dimensions and table.kinds[i] == EMBEDDING:
            widths[i] = table.width(i)
            names.extend(f"{name}[{k}]" for k in range(widths[i]))
        else:
            names.append(name)
        protected.extend([i in kept] * int(widths[i]))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"{quote_some(repeated)} would be the name of two things that {owner} chooses from. "
            "Rename the group or the column."
        )
    return Units(tuple(names), first, widths, np.array(protected, dtype=bool))


def _read_groups(
    table: Table, owner: str, feature_groups: Mapping[str, Iterable[Any]] | None
) -> dict[int, str]:
    """Which group each grouped column is in."""
    if feature_groups is None:
        return {}
    if not isinstance(feature_groups, Mapping):
        raise TypeError(
            f"The 'feature_groups' parameter of {owner} must be a dict of lists of columns, "
            f"as {{'name': ['a', 'b']}}. Got {feature_groups!r} instead."
        )
    group_of: dict[int, str] = {}
    for group, columns in feature_groups.items():
        positions = _positions(table, columns, "feature_groups", owner)
        if not positions:
            raise ValueError(f"Group {group!r} of 'feature_groups' of {owner} has no columns.")
        taken = [table.names[i] for i in positions if i in group_of]
        if taken:
            raise ValueError(
                f"Groups of 'feature_groups' of {owner} overlap: {quote_some(taken)} is in "
                f"{group!r} and in {group_of[table.names.index(taken[0])]!r}. Join the groups, "
                "or leave the column in one."
            )
        group_of.update(dict.fromkeys(positions, str(group)))
    lone = {name for i, name in enumerate(table.names) if i not in group_of}
    clash = [group for group in feature_groups if str(group) in lone]
    if clash:
        raise ValueError(
            f"Group {quote_some(clash)} of 'feature_groups' of {owner} has the name of a column "
            "that is not in it. Rename the group."
        )
    return group_of


def _positions(table: Table, columns: Iterable[Any], parameter: str, owner: str) -> list[int]:
    """Positions of columns that are given by name, or by position where there are no names."""
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise TypeError(
            f"The {parameter!r} parameter of {owner} must list columns, as ['a', 'b']. "
            f"Got {columns!r} instead."
        )
    position: dict[Any, int] = {name: i for i, name in enumerate(table.names)}
    if table.is_frame:
        position |= {name: i for i, name in enumerate(table.native.columns)}
    else:
        position |= dict(enumerate(range(len(table.names))))
    columns = list(columns)
    unknown = [column for column in columns if not _is_in(position, column)]
    if unknown:
        raise ValueError(
            f"The {parameter!r} parameter of {owner} names {quote_some(unknown)}, which X does "
            f"not have. X has {len(table.names)} columns: {quote_some(table.names)}."
        )
    return list(dict.fromkeys(position[column] for column in columns))


def _is_in(position: Mapping[Any, int], column: Any) -> bool:
    """Whether it is a name or a position: no list in a list, and no mask, as True equals 1."""
    if isinstance(column, (bool, np.bool_)) or not isinstance(column, Hashable):
        return False
    return column in position
