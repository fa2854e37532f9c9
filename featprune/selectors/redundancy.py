"""Selection without a model: one of the columns that say the same stands for the others."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.filters.association import Columns, target_block
from featprune.importance.filters.categories import Category
from featprune.importance.filters.likeness import Likeness, likeness
from featprune.importance.filters.profile import profile, relevances, variances
from featprune.importance.filters.redundancy import Redundancy, find_redundant
from featprune.parameters import check_choice, check_number
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.selectors.base import BaseSelector, rows_that_count
from featprune.selectors.target import check_either
from featprune.table.columns import EMBEDDING, Table, quote_some
from featprune.table.comparable import make_comparable
from featprune.table.units import Units

# The share of stored values up to which products of a sparse matrix are worth it.
_SPARSE = 0.05


class RedundancySelector(BaseSelector):
    """Drop constant columns, and columns that are too much like one that is kept.

    Columns are taken in order of `keep`. Each one is compared with those kept so far, and goes if
    it is more like one of them than `threshold`. So every column that went has one like it among
    those that are kept, and no two that are kept are like each other. No model is fitted, and
    there is no need of a target.

    Parameters
    ----------
    threshold : float, default=0.95
        In (0, 1]. Of two columns with a higher association, one goes. With 1, exact copies go and
        nothing else does, whatever they hold.
    method : {"pearson", "spearman"}, default="pearson"
        Whether numbers are compared by their values or by their ranks.
    keep : {"missing", "first", "variance", "relevance"}, default="missing"
        Which of the columns that say the same is kept: the one of the fewest missing values, the
        one furthest left, the one of the largest variance, or the one of the highest association
        with `y`. Of equals, the one further left.
    constant_share : float, default=1.0
        In (0, 1]. A column goes if one value has at least this share of the rows, a missing one
        counting as a value.
    min_features_to_select : int, default=1
        How many to keep at least. If fewer are left, the least redundant of the others are kept,
        with a warning.
    feature_groups, always_keep
        As in :class:`SVMRFE`. A group goes if each of its columns is constant or like a column
        that is kept outside of it; it takes its turn with the best of its columns. Columns of
        `always_keep` take theirs first and never go, even if they are like each other.
    embeddings : {"whole", "dimensions"}, default="whole"
        Whole embeddings go only if they are constant or exact copies. Dimensions are numbers like
        others.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, n_features_, size_, embedding_support_
        As in :class:`SVMRFE`.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for those that are kept, then the others, the least redundant first, constant ones last.
    importances_ : ndarray of shape (n_features_in_,)
        1 minus the largest association with a column that was kept before; 0 if constant. Of an
        embedding in dimensions, that of its best one.
    clusters_ : dict of str to list of str
        For kept columns that stand for others: the names of those that went, each under the one
        that it is most like of those kept before it, of equals the first.
    constant_ : list of str
        Names of the columns that went because they are constant.
    path_ : EliminationPath
        Constant columns, then the others by their largest association with a column kept before,
        which is the criterion, the highest first. It has no scores: `reselect` takes numbers and
        shares, and leaves `clusters_` as `fit` found them.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        In `fit`, for a parameter out of its range, infinite values, a table of constant columns,
        and, with ``keep="relevance"``, for a target that is missing or constant.

    See Also
    --------
    MRMRSelector : Columns that say much of the target and little of each other.

    Notes
    -----
    What is compared how:

    - Numbers, booleans, dates and durations (as seconds): the size of their correlation. Where
      values are missing, over the rows that have both, as in pandas; two such rows make a
      correlation of 1. With "spearman" ranks are those among all values of a column, while pandas
      ranks anew for the rows of each pair; without missing values that is the same.
    - Categories and words, by their levels: Cramér's V, corrected for bias [1]_. V of levels of
      few rows is high by chance, and it is that which is taken off.
    - A category and a number: the correlation ratio, the square root of epsilon squared [2]_, which
      is the share of the number's variance between levels, corrected for chance. With "spearman",
      of the ranks. A column of identifiers is like nothing, as it could explain anything.
    - That a category is missing is a level like others: it often means something.
    - Copies are alike in any case, and always go.

    Where levels are involved, two columns are alike if one of them follows from the other, and
    either can be the one that goes: with ``keep="first"`` the number of a ticket can go because the
    fare stays, which follows from it, though not it from the fare. Put the finer one first, or into
    `always_keep`, where it matters.

    A chain in which each column is like the next keeps every other one, since columns are compared
    with those that are kept and no others. What follows from several kept columns together, such
    as their sum, is kept unless it is like one of them.

    Numbers are multiplied a block of 512 columns at a time with those that are kept, so the table
    of all correlations never exists. Cost: n·p·k multiplications for n rows, p columns and k kept
    ones. Memory: a copy of the kept columns, and a few blocks; on tables of more than 10⁹
    multiplications in single precision, where what is within 1e-4 of the threshold is decided in
    double precision. Categories cost a pass over the rows a pair. Sparse matrices are made
    dense a block at a time; with up to 5 % of values stored and none missing, the kept columns stay
    sparse, too, with more of them they are copied as others are.

    References
    ----------
    .. [1] Bergsma, W. (2013). A bias-correction for Cramér's V and Tschuprow's T. Journal of the
       Korean Statistical Society 42(3), 323-328. https://doi.org/10.1016/j.jkss.2012.10.002
    .. [2] Kelley, T. L. (1935). An unbiased correlation ratio measure. PNAS 21(9), 554-559.
       https://doi.org/10.1073/pnas.21.9.554

    Examples
    --------
    >>> import pandas as pd
    >>> from featprune import RedundancySelector
    >>> frame = pd.DataFrame(
    ...     {
    ...         "metres": [1.0, 2.0, 4.0, 3.0, 2.5],
    ...         "feet": [3.3, 6.6, 13.1, 9.8, 8.2],
    ...         "unit": ["m", "m", "m", "m", "m"],
    ...         "price": [9.0, 1.0, 5.0, 2.0, 7.0],
    ...     }
    ... )
    >>> selector = RedundancySelector().fit(frame)
    >>> selector.get_feature_names_out().tolist()
    ['metres', 'price']
    >>> selector.clusters_, selector.constant_
    ({'metres': ['feet']}, ['unit'])
    """

    _words = ()  # no models, so no scores
    encoder = "auto"  # which is no parameter: columns are compared as they are

    def __init__(
        self,
        threshold: float = 0.95,
        *,
        method: str = "pearson",
        keep: str = "missing",
        constant_share: float = 1.0,
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        embeddings: str = "whole",
        verbose: bool = False,
    ) -> None:
        self.threshold = threshold
        self.method = method
        self.keep = keep
        self.constant_share = constant_share
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.embeddings = embeddings
        self.verbose = verbose

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        table, y, sample_weight = rows_that_count(table, y, sample_weight)
        widths = self._widths(table, units)
        parts = make_comparable(table, widths)
        columns = Columns(
            parts.kinds,
            parts.load,
            {i: Category(*codes) for i, codes in parts.codes.items()},
            parts.copies,
            table.n_rows,
            sample_weight,
            self.method == "spearman",
            self._sparse_likeness(table, sample_weight),
        )
        facts = profile(columns, float(self.constant_share))
        _refuse_infinite(table, np.unique(parts.owner[facts.infinite]))
        self._refuse_constant(facts.constant)
        dimension = np.arange(len(parts.owner)) - np.searchsorted(parts.owner, parts.owner)
        unit = units.first[parts.owner] + dimension
        members = _members(unit, ~facts.constant, len(units.names))
        priority = self._priority(columns, facts.missing, y)
        found = find_redundant(
            columns,
            members,
            _in_turn(priority, members, units.protected),
            units.protected,
            float(self.threshold),
            partial(tell, f"{type(self).__name__}: columns"),
        )
        path = self._make_path(found, members, units)
        kept = path.support(self._n_kept)[unit]
        names = [
            f"{table.names[i]}[{k}]" if widths[i] else table.names[i]
            for i, k in zip(parts.owner, dimension, strict=True)
        ]
        self._name_outcome(found, facts.constant, kept, names)
        importances = np.zeros(len(table.names))
        alone = np.where(facts.constant, 0.0, 1.0 - found.association)
        np.maximum.at(importances, parts.owner, alone)
        return path, importances

    def _sparse_likeness(self, table: Table, weight: np.ndarray | None) -> Likeness | None:
        """The table ready for products that leave it sparse, if it is sparse enough for them."""
        X = table.native
        if not sparse.issparse(X) or X.nnz > _SPARSE * X.shape[0] * X.shape[1]:
            return None
        if not np.isfinite(X.data).all():
            return None
        return likeness(X.astype(float), weight, by_rank=self.method == "spearman")

    def _widths(self, table: Table, units: Units) -> np.ndarray:
        """How many dimensions are compared of each column, 0 of those compared as a whole."""
        widths = np.where(units.widths > 1, units.widths, 0)
        if self.embeddings == "dimensions":
            for i, name in enumerate(table.names):
                if table.kinds[i] == EMBEDDING and units.names[units.first[i]] == f"{name}[0]":
                    widths[i] = units.widths[i]
        return widths

    def _priority(self, columns: Columns, missing: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """Return a number for each column, higher for those that take their turn earlier."""
        if self.keep == "missing":
            return -missing
        if self.keep == "variance":
            return _settled(variances(columns))
        if self.keep == "first" or y is None:
            return np.zeros(len(missing))
        target = target_block(y, self._regresses, columns.weight, by_rank=columns.by_rank)
        return _settled(relevances(columns, target))

    def _make_path(
        self, found: Redundancy, members: list[np.ndarray], units: Units
    ) -> EliminationPath:
        """Let units go: constant ones, redundant ones, the others, each the most alike first."""
        n_units = len(members)
        is_constant = np.array([len(columns) == 0 for columns in members])
        alike = np.ones(n_units)
        for i in np.flatnonzero(~is_constant):
            alike[i] = found.association[members[i]].min()
        stage = np.select([units.protected, is_constant, found.gone], [3, 0, 1], default=2)
        floor, n_kept = self._floor(units), int((stage > 1).sum())
        self._n_kept = max(n_kept, floor)
        if n_kept < floor:
            warnings.warn(
                f"No more than {n_kept} of {n_units} are neither constant nor like one that is "
                f"kept. Because of min_features_to_select={self.min_features_to_select}, {floor} "
                "are kept, those that are least redundant. Lower it, or raise the threshold.",
                UserWarning,
                stacklevel=4,
            )
        order = np.lexsort((-np.arange(n_units), -np.round(alike, found.digits), stage))
        order = order[: n_units - floor]
        return EliminationPath(
            units.names,
            order=order,
            criterion=alike[order],
            sizes=np.arange(n_units, floor - 1, -1),
        )

    def _name_outcome(
        self, found: Redundancy, constant: np.ndarray, kept: np.ndarray, names: list[str]
    ) -> None:
        """Say by name which columns went for which reason."""
        clusters: dict[str, list[str]] = defaultdict(list)
        for i in np.flatnonzero(~kept & ~constant):
            clusters[names[found.stands_for[i]]].append(names[i])
        order = {name: i for i, name in enumerate(names)}
        self.clusters_ = {name: clusters[name] for name in sorted(clusters, key=order.__getitem__)}
        self.constant_ = [names[i] for i in np.flatnonzero(constant & ~kept)]

    def _first_cut(self, path: EliminationPath) -> int:
        return self._n_kept

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_number(self.threshold, "threshold", name, 0, 1)
        check_choice(self.method, "method", name, ("pearson", "spearman"))
        check_choice(self.keep, "keep", name, ("missing", "first", "variance", "relevance"))
        check_number(self.constant_share, "constant_share", name, 0, 1)

    def _check_target(self, y: Any) -> np.ndarray | None:
        if self.keep != "relevance":
            return None if y is None else np.asarray(y)
        target, self._regresses = check_either(y, type(self).__name__)
        return target

    def _refuse_constant(self, constant: np.ndarray) -> None:
        if not constant.all():
            return
        if self.constant_share == 1:
            raise ValueError(
                "Every column of X has one and the same value in all rows, so there is nothing to "
                "choose by. Pass a table with columns that vary."
            )
        raise ValueError(
            f"In every column of X one value has at least constant_share={self.constant_share:g} "
            "of the rows, so nothing is left to choose from. Raise constant_share."
        )

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target if it decides who is kept, sparse matrices."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.keep == "relevance"
        tags.input_tags.sparse = True
        return tags


def _members(unit: np.ndarray, alive: np.ndarray, n_units: int) -> list[np.ndarray]:
    """Return the columns of each unit that are alive."""
    columns = np.flatnonzero(alive)
    columns = columns[np.argsort(unit[columns], kind="stable")]
    ends = np.searchsorted(unit[columns], np.arange(1, n_units))
    return np.split(columns, ends)


def _in_turn(priority: np.ndarray, members: list[np.ndarray], protected: np.ndarray) -> np.ndarray:
    """Order units: protected ones first, then by their best column; of equals the left one."""
    units = np.array([i for i, columns in enumerate(members) if len(columns)], dtype=np.intp)
    best = np.array([priority[members[i]].max() for i in units])
    return units[np.lexsort((units, -best, ~protected[units]))]


def _settled(scores: np.ndarray) -> np.ndarray:
    """Round to ten digits, so that copies have equal scores wherever they stand."""
    fraction, exponent = np.frexp(scores)
    return np.ldexp(np.round(fraction, 10), exponent)


def _refuse_infinite(table: Table, columns: np.ndarray) -> None:
    if len(columns):
        noun = "column" if len(columns) == 1 else "columns"
        names = quote_some([table.names[i] for i in columns])
        raise ValueError(f"X has infinite values in {noun} {names}. Replace or drop them.")
