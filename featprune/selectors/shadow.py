"""Selection by the shadow test: columns that beat permuted copies of themselves."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from featprune.importance.trees.family import Family, family_of
from featprune.importance.trees.model import Rows, Trees, as_taken
from featprune.importance.trees.shadow import (
    CONFIRMED,
    REJECTED,
    TENTATIVE,
    Outcome,
    Rule,
    rough_fix,
    shadow_test,
)
from featprune.parameters import check_choice, check_count, check_flag, check_number
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import rows_that_count
from featprune.selectors.time_limit import check_time_limit
from featprune.selectors.tree_based import TreeBased
from featprune.table.columns import Table
from featprune.table.units import Units

# The estimator where none is given; see the notes of the class.
_BOOSTER: dict[str, Any] = dict(
    n_estimators=50, max_depth=6, max_bin=16, colsample_bynode=0.2, max_cat_to_onehot=10_000
)
# Those that come with the fit, the best for the test first.
_IMPORTANCES = ("impurity", "total_gain", "gain", "shap")


class ShadowSelector(TreeBased):
    """Keep the columns that are worth more to a tree ensemble than permuted copies: Boruta.

    In each round every column gets a shadow, a copy with its rows permuted, which can tell
    nothing about the target. A tree ensemble is fitted on columns and shadows together. A column
    whose importance exceeds the largest of the shadows' has a hit. One that has more hits than a
    fair coin would have is confirmed, one that has fewer is rejected and leaves the table, and
    the others go on. How many are kept comes out of the test.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The trees, as in :class:`TreeSelector` but HistGradientBoosting, which tells no importance
        of its own; cloned, not changed, and its `random_state` is another one in each round. None
        is 50 boosted trees, :class:`xgboost.XGBClassifier` or :class:`xgboost.XGBRegressor` by the
        target; see Notes.
    importance : {"auto", "impurity", "total_gain", "gain", "shap"}, default="auto"
        What a column is worth in a round, as in :class:`TreeSelector`. ``"auto"`` is "impurity"
        for scikit-learn's trees and "total_gain" for boosters: what favours columns of many
        values favours their shadows as much, so nothing better needs to be paid for.
    n_iter : int, default=100
        Rounds at most. No column is decided about in fewer than 8 at ``alpha=0.05``.
    percentile : float, default=100
        In (0, 100]: which percentile of the shadows' importances is to be exceeded. Below 100,
        more columns are confirmed, and more of them by chance.
    alpha : float, default=0.05
        Level of the tests, in (0, 1): one for more hits than by chance, one for fewer.
    two_step : bool, default=True
        Whether p-values are held to the false discovery rate `alpha` over the columns (Benjamini
        & Hochberg 1995) and to ``alpha / round``; otherwise to ``alpha / n_columns``, as in the
        paper, which decides less often.
    tentative : {"drop", "keep", "rough_fix"}, default="drop"
        What becomes of columns that are not decided about after `n_iter` rounds. ``"rough_fix"``
        confirms those whose median importance exceeds the median of the largest shadows', and
        rejects the others, without a test.
    min_features_to_select : int, default=1
        How many to keep at least. If fewer pass the test, those that come next are kept, with a
        warning.
    feature_groups, always_keep, embeddings
        As in :class:`SVMRFE`. The columns of a group are permuted together, and tested as one.
        Columns of `always_keep` count as confirmed.
    encoder : "auto", transformer or None, default="auto"
        As in :class:`TreeSelector`. The features of one column are permuted together.
    time_limit : float, default=None
        Seconds after which no round begins, but for the first; the rounds so far decide.
    n_jobs : int, default=None
        How many rounds run at a time. The estimator's own `n_jobs` is kept, and is 1 where it is
        None. Results do not depend on either.
    random_state : int, RandomState or None, default=None
        Seed of the permutations and of the estimator.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, n_features_, size_, path_, embedding_support_
        As in :class:`SVMRFE`. The path has no scores: `reselect` takes numbers and shares.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for those that are kept, 2 for tentative ones, then rejected ones, the last first, and
        of one round those with more hits first.
    importances_ : ndarray of shape (n_features_in_,)
        Mean over the rounds until a column was rejected.
    confirmed_, tentative_, rejected_ : ndarray of shape (n_features_in_,), bool
        What the test says; each column is one of the three.
    hits_ : ndarray of shape (n_features_in_,), int
        In how many rounds the column, or its group, was worth more than the shadows, until it was
        rejected.
    history_ : ndarray of shape (n_iter_, n_features_in_)
        Importance in each round; NaN after a column was rejected.
    shadow_history_ : ndarray of shape (n_iter_,)
        What was to be exceeded in each round.
    n_iter_ : int
        Rounds done.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    TreeSelector : Importances without a test, with the size chosen by cross-validation.

    Notes
    -----
    The test answers whether a column is related to the target at all on these rows, alone or with
    others. It promises less than users think:

    - A column that others can replace is confirmed like any other, and all copies of a good
      column are kept. To be rid of those, cut further, or prune for redundancy.
    - Related columns share importance. Of many that say the same, each may fall below the largest
      shadow, so that all are rejected: group them by `feature_groups`.
    - Each round permutes anew, but all rounds look at the same rows. A column that is related to
      the target on these rows by chance has a hit in each round, and more rounds don't help. In
      wide tables with few rows there are many such columns, and `alpha` doesn't bound how many
      are confirmed. Test on other rows what matters.
    - Permuting a column breaks its ties to other columns, too.
    - A unit's importance is the sum over its features, and so is its shadow's. Beside a wide one,
      such as an embedding or a large group, the largest shadow is mostly that of the wide one: it
      stays tentative if it is noise, and narrow columns must be worth more than it to be
      confirmed. ``embeddings="dimensions"`` puts all on one footing.

    Rows may come in any order, and a row of weight 2 is as good as two rows, as far as weights are
    whole numbers of a mean up to 10; shadows draw their values from rows whatever other weights
    these have.

    Of columns with equal hits and importances, the one that stands further left ranks higher.
    Columns and shadows stand in random order in each round, because boosters take the first of
    equal splits. Columns leave the table after rounds 8, 16, 24 and so on, whatever `n_jobs` is;
    hits in the rounds between don't count for them.

    The default is ``XGBClassifier(n_estimators=50, max_depth=6, max_bin=16, colsample_bynode=0.2,
    max_cat_to_onehot=10000)``. Sixteen bins suffice to tell signal from shadow. As each split sees
    a fifth of the columns, those that others could replace get their turn. Splits take one level
    of a category at a time: where levels may be sorted by the target into two sets, the shadow of
    a category of many levels is worth more than most columns that matter, and nothing passes.
    Pass a booster of yours with the same in mind.

    Cost: a fit on twice the columns that are left, each round.

    References
    ----------
    Kursa, M. B., Rudnicki, W. R. (2010). Feature selection with the Boruta package. Journal of
    Statistical Software 36(11), 1-13. https://doi.org/10.18637/jss.v036.i11

    Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal
    Statistical Society B 57, 289-300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> import numpy as np
    >>> from featprune import ShadowSelector
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> y = X[:, 1] + X[:, 4] > 0
    >>> selector = ShadowSelector(n_iter=20, random_state=0).fit(X, y)
    >>> selector.confirmed_.nonzero()[0].tolist()
    [1, 4]
    >>> selector.transform(X).shape
    (200, 2)
    """

    _words = ()  # its rounds have no scores

    def __init__(
        self,
        estimator: Any = None,
        *,
        importance: str = "auto",
        n_iter: int = 100,
        percentile: float = 100,
        alpha: float = 0.05,
        two_step: bool = True,
        tentative: str = "drop",
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        time_limit: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.importance = importance
        self.n_iter = n_iter
        self.percentile = percentile
        self.alpha = alpha
        self.two_step = two_step
        self.tentative = tentative
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.time_limit = time_limit
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
        deadline = None if self.time_limit is None else time.monotonic() + self.time_limit
        seed = self._seed()
        table, y, sample_weight = rows_that_count(table, y, sample_weight)
        family, importance = self._check_trees(self._estimator)
        encoded = self._encoder(seed).fit_transform(table, y, sample_weight)
        unit = units.of_features(encoded)
        levels = np.zeros(len(unit), dtype=int) if encoded.levels is None else encoded.levels
        outcome = shadow_test(
            self._estimator,
            levels,
            Rows(as_taken(encoded.values, family), y, sample_weight),
            Rule(importance, self.percentile, self.alpha, self.two_step),
            unit=unit,
            protected=units.protected,
            n_iter=self.n_iter,
            seed=seed,
            n_jobs=self.n_jobs,
            progress=partial(tell, f"{type(self).__name__}: rounds"),
            deadline=deadline,
        )
        if self.tentative == "rough_fix":
            outcome = rough_fix(outcome, unit)
        sums = np.nansum(outcome.features, axis=0)
        of_units = fold(sums, unit, len(units.names)) / outcome.rounds
        self._set_outcome(outcome, units, encoded.owner)
        self._n_kept = self._count_kept(outcome, units)
        path = _make_path(outcome, of_units, units, self._floor(units))
        return path, fold(sums / outcome.rounds[unit], encoded.owner, len(table.names))

    def _set_outcome(self, outcome: Outcome, units: Units, owner: np.ndarray) -> None:
        """Say of columns what is known of units and features."""
        n_rounds, n_columns = len(outcome.features), len(units.first)
        self.confirmed_ = units.columns(outcome.decisions == CONFIRMED)
        self.rejected_ = ~units.columns(outcome.decisions != REJECTED)
        self.tentative_ = ~(self.confirmed_ | self.rejected_)
        self.hits_ = -units.column_ranking(-outcome.hits)  # of dimensions, the most
        self.n_iter_ = n_rounds
        self.shadow_history_ = outcome.threshold
        self.history_ = np.full((n_rounds, n_columns), np.nan)
        for i, values in enumerate(outcome.features):
            was_left = units.columns(outcome.rounds > i)
            found = fold(np.nan_to_num(values), owner, n_columns)
            self.history_[i, was_left] = found[was_left]

    def _count_kept(self, outcome: Outcome, units: Units) -> int:
        """How many units are kept; say so if the time or the test didn't suffice."""
        name, n_units, n_rounds = type(self).__name__, len(units.names), len(outcome.features)
        n_confirmed = int((outcome.decisions == CONFIRMED).sum())
        n_tentative = int((outcome.decisions == TENTATIVE).sum())
        undecided = int(((outcome.decided_in == 0) & ~units.protected).sum())
        if self.time_limit is not None and n_rounds < self.n_iter and undecided:
            warnings.warn(
                f"{name} ran out of time_limit={self.time_limit:g} seconds after {n_rounds} of "
                f"n_iter={self.n_iter} rounds, with {undecided} of {n_units} not decided about. "
                "Give it more time, fewer rows or a smaller estimator.",
                UserWarning,
                stacklevel=4,
            )
        n_kept = n_confirmed + (n_tentative if self.tentative == "keep" else 0)
        floor = self._floor(units)
        if n_kept < floor:
            passed = "Nothing" if n_kept == 0 else f"No more than {n_kept}"
            warnings.warn(
                f"{passed} passed the shadow test: of {n_units}, {n_tentative} are tentative and "
                f"{n_units - n_confirmed - n_tentative} rejected after {n_rounds} rounds. Because "
                f"of min_features_to_select={self.min_features_to_select}, {floor} are kept, those "
                "with the most hits. More rounds (n_iter) may decide about tentative ones.",
                UserWarning,
                stacklevel=4,
            )
        return max(n_kept, floor)

    def _first_cut(self, path: EliminationPath) -> int:
        return self._n_kept

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_count(self.n_iter, "n_iter", name)
        check_number(self.percentile, "percentile", name, 0, 100)
        check_number(self.alpha, "alpha", name, 0, 1, with_end=False)
        check_flag(self.two_step, "two_step", name)
        check_choice(self.tentative, "tentative", name, ("drop", "keep", "rough_fix"))
        check_time_limit(self.time_limit, name)

    def _check_trees(self, estimator: Any) -> tuple[Family, str]:
        name = type(self).__name__
        family = family_of(estimator, name)
        told = [one for one in _IMPORTANCES if one in family.importances]
        kind = type(estimator).__name__
        if not told:
            raise ValueError(
                f"The 'estimator' parameter of {name} must tell what its columns are worth, and "
                f"{kind} does not. Pass RandomForest, ExtraTrees or a booster of xgboost or "
                "LightGBM."
            )
        if not isinstance(self.importance, str) or self.importance not in ("auto", *told):
            raise ValueError(
                f"The 'importance' parameter of {name} must be 'auto' or, for {kind}, one of "
                f"{', '.join(map(repr, told))}. Got {self.importance!r} instead."
            )
        if Trees(estimator, family, np.empty(0, dtype=int), 0).stops_early:
            raise ValueError(
                f"{name} fits on all rows, and {kind} needs others to stop by. Pass "
                "early_stopping_rounds=None, and n_estimators as needed."
            )
        return family, told[0] if self.importance == "auto" else self.importance

    def _default_estimator(self, *, regresses: bool) -> Any:
        from xgboost import XGBClassifier, XGBRegressor

        return (XGBRegressor if regresses else XGBClassifier)(**_BOOSTER)


def _make_path(
    outcome: Outcome, importances: np.ndarray, units: Units, floor: int
) -> EliminationPath:
    """Let units go until `floor` are left: rejected by round, tentative, confirmed, protected.

    Of one round or kind, those with fewer hits go first, then those of smaller importance.
    """
    n_units, n_rounds = len(units.names), len(outcome.features)
    stage = np.where(outcome.decided_in > 0, outcome.decided_in, n_rounds + 1)
    stage[outcome.decisions == CONFIRMED] = n_rounds + 2
    stage[units.protected] = n_rounds + 3
    order = np.lexsort((-np.arange(n_units), importances, outcome.hits, stage))[: n_units - floor]
    # rejected units of one round with equal hits share a rank, and so do all tentative ones
    stages, hits = stage[order], np.where(stage <= n_rounds, outcome.hits, 0)[order]
    is_last = (np.diff(stages, append=0) != 0) | (np.diff(hits, append=0) != 0)
    ends = np.flatnonzero(is_last | (stages > n_rounds + 1)) + 1
    return EliminationPath(
        units.names,
        order=order,
        criterion=(outcome.hits / outcome.rounds)[order],
        sizes=n_units - np.append(0, ends).astype(np.intp),
    )
