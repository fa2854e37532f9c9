"""Selection of columns that say much of the target and little of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from featprune.importance.filters.categories import as_category
from featprune.importance.filters.likeness import Likeness, likeness
from featprune.importance.filters.mrmr import Picks, pick
from featprune.importance.filters.relevance import (
    f_of_classes,
    f_of_regression,
    mutual_information,
)
from featprune.parameters import check_choice
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import weakest_first
from featprune.selectors.base import BaseSelector, rows_that_count
from featprune.selectors.target import check_either
from featprune.table.columns import Table
from featprune.table.encode import Encoded, TableEncoder
from featprune.table.units import Units

# Products of a row, a feature and a pick up to which all units are picked: about a second.
_CHEAP = 1e9
# Such products from which on single precision is worth the second look that it takes.
_MANY = 2e7


class MRMRSelector(BaseSelector):
    """Pick the column that is most relevant and least redundant, again and again (mRMR).

    The first column is the most relevant one. Each further one has the highest relevance,
    divided by how much it is on average like those picked so far.

    Parameters
    ----------
    n_features_to_select : int or float, default=10
        How many columns to keep: a number, or a share of all.
    relevance : {"f", "mi", "trees"}, default="f"
        What a column tells of the target by itself: the F statistic (of an analysis of variance
        for classes, of a regression for numbers), scikit-learn's estimate of mutual information,
        or, with the others, the total gain of its splits in ``XGBClassifier()`` or
        ``XGBRegressor()``.
    redundancy : {"pearson", "spearman"}, default="pearson"
        Whether columns are alike by the correlation of their values or of their ranks; its size
        counts.
    scheme : {"quotient", "difference"}, default="quotient"
        Relevance divided by the mean redundancy, or less it. As the difference weighs one against
        the other, it depends on the units of relevance; F is mostly far larger than any
        correlation.
    min_features_to_select : int, default=1
        Where the path ends.
    feature_groups, always_keep, embeddings
        As in :class:`SVMRFE`. The relevance of a group is that of its best feature, and how alike
        two units are is how alike their most similar features are. Columns of `always_keep` are
        picked first, and the others are compared with them.
    encoder : "auto", transformer or None, default="auto"
        As in :class:`SVMRFE`, but missing numbers stay missing unless ``relevance="mi"``.
    n_jobs : int, default=None
        Threads of mutual information and of trees. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of mutual information, of trees and of the encoding of long texts.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, n_features_, size_, embedding_support_
        As in :class:`SVMRFE`.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for those that are kept, then the others in the order in which they would be picked.
        Those that were not picked share the last rank.
    importances_ : ndarray of shape (n_features_in_,)
        Relevance, which does not look at other columns. It may be infinite: F, where nothing is
        left within classes.
    path_ : EliminationPath
        Units in the reverse of the order in which they were picked; the criterion is the score
        with which they were. All are picked if that takes about a second, otherwise no more than
        `n_features_to_select`, and the others go first, in one step, the lowest score first. It
        has no scores by models: `reselect` takes numbers and shares.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        In `fit`, for a parameter out of its range, a target that is missing, constant or has
        missing values, infinite values in `X`, and for weights with ``relevance="mi"``.

    See Also
    --------
    RedundancySelector : Drops columns that are like one that is kept, without a target.

    Notes
    -----
    With the defaults the columns and their order are those of the package mrmr_selection. As
    there, a correlation counts as at least 0.001, a column with nothing in common with one that
    is missing where it is counts as unlike it, a copy of all those picked has a score of 0, and
    correlations and F are those of the rows that have the values. Other than there, columns of no
    relevance are picked, too, after all others.

    Of equal scores (to ten digits), the one further left is picked. A target of numbers with more
    than 50 values in more than a twentieth of the rows, or with fractions, is one of numbers.
    Weights: a row of weight 2 is as good as two rows.

    Cost: a pass for F, and for each pick one product of the table with a vector for each feature
    of the unit, six where values are missing. Memory: two to three copies of the table. On large
    complete tables products are of single precision, and scores that it can't tell apart are
    computed again. Sparse matrices stay sparse, but for trees, and for mutual information a block
    of columns at a time.

    Looking at one column at a time, F and mutual information don't see columns that matter only
    together; nor does the mean over many picked columns rule out a copy of one of them, which
    :class:`RedundancySelector` ahead of it does.

    References
    ----------
    Ding, C., Peng, H. (2005). Minimum redundancy feature selection from microarray gene
    expression data. Journal of Bioinformatics and Computational Biology 3(2), 185-205.
    https://doi.org/10.1142/S0219720005001004

    Zhao, Z., Anand, R., Wang, M. (2019). Maximum relevance and minimum redundancy feature
    selection methods for a marketing machine learning platform. IEEE DSAA 2019, 442-452.
    https://doi.org/10.1109/DSAA.2019.00059

    Examples
    --------
    >>> import numpy as np
    >>> from featprune import MRMRSelector
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> X[:, 2] = X[:, 1] + 0.3 * X[:, 2]  # says what column 1 says
    >>> y = X[:, 1] + 0.7 * X[:, 4] > 0
    >>> MRMRSelector(2).fit(X, y).support_.nonzero()[0].tolist()
    [1, 4]
    """

    _words = ()  # its picks have no scores by models

    def __init__(
        self,
        n_features_to_select: int | float = 10,
        *,
        relevance: str = "f",
        redundancy: str = "pearson",
        scheme: str = "quotient",
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.relevance = relevance
        self.redundancy = redundancy
        self.scheme = scheme
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: Any,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        seed = self._seed()
        table, y, sample_weight = rows_that_count(table, y, sample_weight)
        self._refuse_weights(sample_weight)
        encoder = TableEncoder(
            self.encoder,
            standardize=False,
            random_state=seed,
            flag_vectors=self.embeddings == "whole",
            keep_missing=self.relevance != "mi",
        )
        encoded = encoder.fit_transform(table, y, sample_weight)
        ready = likeness(encoded.values, sample_weight)
        relevance = self._relevances(encoded, ready, y, sample_weight, seed)
        if self.redundancy == "spearman":
            ready = likeness(encoded.values, sample_weight, by_rank=True)
        unit, n_units = units.of_features(encoded), len(units.names)
        n_picks = self._count_picks(encoded.values, units)
        if encoded.values.size * n_picks > _MANY:
            ready = ready.in_single()
        picks = pick(
            ready,
            _largest(relevance, unit, n_units),
            unit,
            units.protected,
            n_picks,
            scheme=self.scheme,
            progress=partial(tell, f"{type(self).__name__}: columns picked"),
        )
        path = _make_path(picks, units, self._floor(units))
        return path, _largest(relevance, encoded.owner, len(table.names))

    def _relevances(
        self,
        encoded: Encoded,
        ready: Likeness,
        y: np.ndarray,
        weight: np.ndarray | None,
        seed: int,
    ) -> np.ndarray:
        """What each feature tells of the target, at least 0."""
        if self.relevance == "mi":
            return mutual_information(
                encoded.values, y, regresses=self._regresses, seed=seed, n_jobs=self.n_jobs
            )
        if self.relevance == "trees":
            return self._total_gains(encoded.values, y, weight, seed)
        if self._regresses:
            return f_of_regression(*ready.with_numbers(y))
        return f_of_classes(ready.with_classes(as_category(y)))

    def _total_gains(
        self, values: Any, y: np.ndarray, weight: np.ndarray | None, seed: int
    ) -> np.ndarray:
        from xgboost import XGBClassifier, XGBRegressor

        from featprune.importance.trees.family import XGBOOST
        from featprune.importance.trees.measure import of_splits
        from featprune.importance.trees.model import Rows, Trees, as_taken

        features = np.arange(values.shape[1])
        estimator = (XGBRegressor if self._regresses else XGBClassifier)(n_jobs=self.n_jobs)
        trees = Trees(estimator, XGBOOST, np.zeros(len(features), dtype=int), seed)
        return of_splits(
            trees.fit(Rows(as_taken(values, XGBOOST), y, weight), features), "total_gain"
        )

    def _count_picks(self, values: Any, units: Units) -> int:
        """How many units to pick: all if that is cheap, otherwise those that are asked for."""
        n_units, rule = len(units.names), self.n_features_to_select
        n_values = values.nnz if hasattr(values, "nnz") else values.size
        if n_values * n_units <= _CHEAP:
            return n_units
        asked = int(rule) if isinstance(rule, Integral) else int(n_units * rule)
        return min(max(asked, self._floor(units)), n_units)

    def _refuse_weights(self, weight: np.ndarray | None) -> None:
        if weight is not None and self.relevance == "mi":
            raise ValueError(
                "relevance='mi' takes no sample_weight: scikit-learn's mutual information counts "
                "every row as one. Pass relevance='f' or 'trees', or no weights."
            )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_choice(self.relevance, "relevance", name, ("f", "mi", "trees"))
        check_choice(self.redundancy, "redundancy", name, ("pearson", "spearman"))
        check_choice(self.scheme, "scheme", name, ("quotient", "difference"))

    def _check_target(self, y: Any) -> np.ndarray:
        target, self._regresses = check_either(y, type(self).__name__)
        return target

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


def _largest(scores: np.ndarray, owner: np.ndarray, n_owners: int) -> np.ndarray:
    """The largest score of the features that each owner has; of none, 0."""
    found = np.zeros(n_owners)
    np.maximum.at(found, owner, scores)
    return found


def _make_path(picks: Picks, units: Units, floor: int) -> EliminationPath:
    """Let go of units that were not picked in one step, then of the last one picked, and so on."""
    n_units, n_picks = len(units.names), len(picks.order)
    is_picked = np.zeros(n_units, dtype=bool)
    is_picked[picks.order] = True
    weakest = weakest_first(picks.scores)
    order = np.concatenate([weakest[~is_picked[weakest]], picks.order[floor:][::-1]])
    sizes = np.arange(n_picks, floor - 1, -1)
    return EliminationPath(
        units.names,
        order=order,
        criterion=picks.scores[order],
        sizes=sizes if n_picks == n_units else np.append(n_units, sizes),
    )
