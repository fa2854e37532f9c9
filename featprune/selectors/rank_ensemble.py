"""Selection by several selectors together: their rankings combined into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

from featprune.cut import needs_scores
from featprune.importance.aggregate import AGGREGATES, agreement
from featprune.parameters import check_choice, check_count, check_step
from featprune.path import EliminationPath
from featprune.path.sizes import path_sizes
from featprune.progress import tell
from featprune.ranking import weakest_first
from featprune.selectors.base import BaseSelector
from featprune.selectors.consensus import Consensus, Members, combine, rank_all
from featprune.selectors.downstream import Downstream, Part
from featprune.selectors.folds import split, warn_if_guessing
from featprune.selectors.members import (
    Rows,
    check_member,
    encoder_of,
    takes_features,
    takes_sparse,
)
from featprune.selectors.named_members import NamedMembers, check_names, check_weights, named
from featprune.selectors.pca import PCASelector
from featprune.selectors.svm_rfe import SVMRFE
from featprune.selectors.target import check_either
from featprune.selectors.trees import TreeSelector
from featprune.table.columns import Table
from featprune.table.units import Units

_MEND = "Try another 'estimator' or 'scoring', or members that suit the target."


class RankEnsemble(NamedMembers, BaseSelector):
    """Keep the columns that several selectors together rank best.

    Each member ranks all columns by its own lights; what is combined are the ranks, never scores,
    which have no common unit. Members see different things (a linear machine, splits of trees,
    what columns explain of each other), and what only one of them takes for good by chance does
    not come through. How many columns are kept is chosen by cross-validation of one further model
    on the columns of each size, with members that rank anew inside each fold.

    Parameters
    ----------
    selectors : list of (str, selector), default=None
        The members, as in :class:`sklearn.ensemble.VotingClassifier`: selectors of this package,
        or of scikit-learn if they tell a ranking or scores (``RFE``, ``SelectKBest``,
        ``SelectFromModel``), or any estimator with `feature_importances_` or `coef_`. None is
        ``[("svm", SVMRFE()), ("trees", TreeSelector()), ("pca", PCASelector())]``, the first with
        ``SVR(kernel="linear")`` for a target of numbers. Their parameters are reached by name, as
        `svm__step`.
    aggregate : {"mean", "median", "borda", "rra"}, default="mean"
        How ranks are combined: their mean or median; Borda's points, one for each column that is
        ranked strictly worse; or robust rank aggregation, which asks how likely a column of random
        ranks does as well with its best few.
    weights : sequence of float, default=None
        How much each member counts, at least 0; not for "rra".
    n_bootstraps : int, default=0
        Samples of as many rows, drawn with replacement (from each class as many as it has), on
        which the members rank, too. A member's ranking is then that of its mean ranks.
    estimator : estimator, default=None
        Whose cross-validation scores choose the size, on encoded columns. None is
        ``LogisticRegression(max_iter=2000)``, or ``Ridge()`` for numbers, with every feature
        scaled to variance 1.
    step : int, float or "auto", default="auto"
        How many columns leave from one size to the next: a number, a share of all in (0, 1), or a
        fifth of those that are left.
    n_features_to_select : int, float, "best" or "one_se", default="one_se"
        As in :class:`SVMRFE`, by the scores of `estimator`. With a number nothing is
        cross-validated.
    min_features_to_select, feature_groups, always_keep, embeddings
        As in :class:`SVMRFE`, for all members.
    encoder : "auto", transformer or None, default="auto"
        As in :class:`SVMRFE`; for members that have none of their own, and for `estimator`.
    cv : int, splitter or iterable, default=5
        Folds, as in scikit-learn; used if `n_features_to_select` is "best" or "one_se".
    scoring : str or callable, default=None
        Score of held-out rows, as in scikit-learn; None is the estimator's own.
    n_jobs : int, default=None
        How many members or sizes are fitted at a time. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the bootstraps, of members that have none of their own, and of encoding.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, ranking_, n_features_, size_, path_, cv_results_, embedding_support_
        As in :class:`SVMRFE`. Columns that leave from one size to the next share a rank;
        ``path_.order`` has all of them in order.
    importances_ : ndarray of shape (n_features_in_,)
        Share of the other columns that the mean or median rank leaves behind; for "borda" the mean
        share of points; for "rra" minus the logarithm to base 10 of rho.
    rankings_ : DataFrame of shape (n_selectors, n_features_in_)
        Rank of each column with each member, by the members' and columns' names; 1 is best, equal
        ones share the mean of their ranks.
    agreement_ : DataFrame of shape (n_selectors, n_selectors)
        Spearman's correlation of the members' rankings; NaN for one that tells nothing apart.
        ``rankings_.T.corr("kendall")`` is Kendall's.
    p_values_ : ndarray of shape (n_features_in_,)
        With ``aggregate="rra"``: see Notes.
    rank_intervals_ : ndarray of shape (n_features_in_, 2)
        With bootstraps: the combined rank of each column in them, nine of ten lie between.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError, TypeError
        In `fit`, for a member that can't be used or tells no ranking, and as in the members.

    See Also
    --------
    StabilitySelector : One selector on many half-samples.

    Notes
    -----
    A member's rank goes by when a column left its path. Columns that left one after the other with
    equal criteria, such as those in no split of any tree, share the mean of their ranks, because
    nothing but their place told them apart; so do features of equal scores of other selectors. In
    Borda's points and robust rank aggregation they count as the worst of them. "mean" and "borda"
    differ in nothing else. Of columns that come out equal, the one further left is kept.

    Robust rank aggregation divides a column's ranks by the number of columns, compares the k-th
    smallest of n with the k-th smallest of n uniform numbers, and takes the least likely, rho.
    ``p_values_`` are n rho, at most 1: an upper bound on the chance of such a rho for a column that
    n independent members rank at random. Members that look at the same rows are not independent,
    and the bound is for one column; correct it for all you look at. With three members the
    smallest p-value that p columns allow is ``3 / p**3``.

    A column that any one member ranks far down loses with "mean", less with "median", and with
    "rra" not at all if some of the others have it on top. PCASelector does not look at the target:
    where most columns are noise it agrees with no other member, and mean ranks suffer from it.
    "rra", a weight of 0 or a list without it are better then (benchmarks/ensembles.py).

    Members follow their paths to the end and do no cross-validation of their own, so that
    `n_features_to_select` of a member does not count if it is "best" or "one_se", nor that of
    scikit-learn's RFE. Where a table has other columns than numbers, those of SVMRFE, the members
    of scikit-learn and `estimator` that there are share one encoding, if there are two or more;
    missing values are filled before SVMRFE scales features then, and not after it.

    Bootstraps repeat rows. A member that holds rows out, such as ``TreeSelector`` with
    ``importance="permutation"``, finds some of them among those it was fitted on.

    Cost: a fit of each member, of path or model, times one more than there are bootstraps, times
    one more than there are folds; and a fit of `estimator` for each size and fold.

    References
    ----------
    Kolde, R., Laur, S., Adler, P., Vilo, J. (2012). Robust rank aggregation for gene list
    integration and meta-analysis. Bioinformatics 28(4), 573-580.
    https://doi.org/10.1093/bioinformatics/btr709

    Saeys, Y., Abeel, T., Van de Peer, Y. (2008). Robust feature selection using ensemble feature
    selection techniques. ECML PKDD 2008, 313-325. https://doi.org/10.1007/978-3-540-87481-2_21

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from featprune.selectors.rank_ensemble import RankEnsemble
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> selector = RankEnsemble(n_features_to_select=5, random_state=0).fit(X, y)
    >>> selector.transform(X).shape
    (569, 5)
    >>> selector.rankings_.index.tolist()
    ['svm', 'trees', 'pca']
    """

    def __init__(
        self,
        selectors: Sequence[tuple[str, Any]] | None = None,
        *,
        aggregate: str = "mean",
        weights: Sequence[float] | None = None,
        n_bootstraps: int = 0,
        estimator: Any = None,
        step: int | float | str = "auto",
        n_features_to_select: int | float | str = "one_se",
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        cv: Any = 5,
        scoring: str | Callable | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.selectors = selectors
        self.aggregate = aggregate
        self.weights = weights
        self.n_bootstraps = n_bootstraps
        self.estimator = estimator
        self.step = step
        self.n_features_to_select = n_features_to_select
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def p_values_(self) -> np.ndarray:
        """P-value of each column, with ``aggregate="rra"``; shape (n_features_in_,)."""
        return self._told("_p_values", "p_values_", "aggregate='rra'")

    @property
    def rank_intervals_(self) -> np.ndarray:
        """Where each column's rank lies in the bootstraps; shape (n_features_in_, 2)."""
        return self._told("_rank_intervals", "rank_intervals_", "n_bootstraps > 0")

    def _told(self, attribute: str, name: str, condition: str) -> np.ndarray:
        check_is_fitted(self)
        found = getattr(self, attribute)
        if found is None:
            raise AttributeError(
                f"{name} are there with {condition} only, and this {type(self).__name__} was "
                "fitted without."
            )
        return found

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: Any,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        seed = self._seed()
        members = self._members()
        rows = Rows(table, units, y, sample_weight, None if groups is None else np.asarray(groups))
        splits: list[tuple[np.ndarray, np.ndarray | None]] = [(np.arange(table.n_rows), None)]
        sizes = path_sizes(len(units.names), self._floor(units), self.step)
        downstream = None
        if needs_scores(self.n_features_to_select):
            splits += split(self.cv, table, y, groups, classifies=not self._regresses)
            downstream = Downstream(
                self.estimator, regresses=self._regresses, scoring=self.scoring, seed=seed
            )
        n_fits = (1 + self.n_bootstraps) * len(members)
        progress = _Progress(
            f"{type(self).__name__}: fits", len(splits) * n_fits + (len(splits) - 1) * len(sizes)
        )
        outcomes = []
        with joblib.Parallel(n_jobs=self.n_jobs, return_as="generator") as parallel:
            for i, (train, test) in enumerate(splits):
                outcomes.append(
                    self._one_split(
                        rows, members, train, test, sizes, downstream, (seed, i), parallel, progress
                    )
                )
        consensus, order = outcomes[0].consensus, outcomes[0].order
        path = EliminationPath(
            units.names, order=order, criterion=consensus.importances[order], sizes=sizes
        )
        if downstream is not None:
            path = replace(
                path,
                scores=np.array([one.scores for one in outcomes[1:]]),
                fold_orders=np.array([one.order for one in outcomes[1:]]),
                baseline=np.array([one.baseline for one in outcomes[1:]]),
            )
            warn_if_guessing(path, splits[1:], type(self).__name__, _MEND)
        self._set_consensus(consensus, table, units)
        return path, -units.column_ranking(-consensus.importances)

    def _one_split(
        self,
        rows: Rows,
        members: Members,
        train: np.ndarray,
        test: np.ndarray | None,
        sizes: np.ndarray,
        downstream: Downstream | None,
        entropy: tuple[int, int],
        parallel: joblib.Parallel,
        progress: _Progress,
    ) -> _Outcome:
        """Rank on the training rows, and score each size on the held-out ones, if any."""
        part, encoded = rows.take(train), None
        if test is not None:
            encoder = encoder_of(self, entropy[0])
            encoded = encoder.fit_transform(part.table, part.y, part.sample_weight)
        ranks = rank_all(
            self,
            members,
            part,
            encoded,
            shares=self._shares(members, rows.table),
            n_bootstraps=self.n_bootstraps,
            regresses=self._regresses,
            entropy=entropy,
            parallel=parallel,
            on_done=progress,
        )
        weights = None if self.weights is None else np.asarray(self.weights, dtype=float)
        consensus = combine(ranks, self.aggregate, weights)
        order = weakest_first(consensus.importances)
        order = order[~rows.units.protected[order]][: len(rows.units.names) - sizes[-1]]
        if test is None or downstream is None or encoded is None:
            return _Outcome(consensus, order)
        others = rows.take(test)
        assert part.y is not None
        assert others.y is not None
        fit, held_out = downstream.prepare(
            Part(encoded.values, part.y, part.sample_weight),
            Part(encoder.transform(others.table), others.y, others.sample_weight),
        )
        baseline, unit = downstream.baseline(fit, held_out), rows.units.of_features(encoded)
        left_with = np.full(len(rows.units.names), len(order))
        left_with[order] = np.arange(len(order))
        features = [np.flatnonzero(left_with[unit] >= sizes[0] - size) for size in sizes]
        # large and small sizes in each part of the work
        n_parts = min(joblib.effective_n_jobs(self.n_jobs), len(sizes))
        calls = (
            joblib.delayed(downstream.scores)(fit, held_out, features[i::n_parts], baseline)
            for i in range(n_parts)
        )
        scores = np.empty(len(sizes))
        for i, found in enumerate(parallel(calls)):
            scores[i::n_parts] = found
            progress(len(found))
        return _Outcome(consensus, order, scores, baseline)

    def _set_consensus(self, consensus: Consensus, table: Table, units: Units) -> None:
        """Say of columns what the members say of units."""
        import pandas as pd

        names = [name for name, _ in self._members()]
        self.rankings_ = pd.DataFrame(
            [units.column_ranking(ranks) for ranks in consensus.ranks],
            index=names,
            columns=list(table.names),
        )
        self.agreement_ = pd.DataFrame(agreement(consensus.ranks), index=names, columns=names)
        found = consensus.p_values
        self._p_values = None if found is None else units.column_ranking(found)
        ends = consensus.intervals
        self._rank_intervals = None
        if ends is not None:
            self._rank_intervals = np.column_stack([units.column_ranking(end) for end in ends.T])

    def _shares(self, members: Members, table: Table) -> bool:
        """Whether there is anybody to share an encoding with: another member, or the estimator."""
        takers = sum(takes_features(member, self, table) for _, member in members)
        return needs_scores(self.n_features_to_select) or takers > 1

    def _members(self) -> Members:
        """Return the members, those that there are by default for the target's kind."""
        if self.selectors is not None:
            return list(self.selectors)
        machine = SVR(kernel="linear") if self._regresses else None
        return [("svm", SVMRFE(machine)), ("trees", TreeSelector()), ("pca", PCASelector())]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_choice(self.aggregate, "aggregate", name, AGGREGATES)
        check_count(self.n_bootstraps, "n_bootstraps", name, least=0)
        if self.step != "auto":
            check_step(self.step, name)
        n_members = 3
        if self.selectors is not None:
            check_names(self.selectors, self.get_params(deep=False), name)
            n_members = len(self.selectors)
            for called, member in self.selectors:
                check_member(member, f"Member {called!r}", self)
        check_weights(self.weights, n_members, self.aggregate, name)
        if self.estimator is not None and (
            isinstance(self.estimator, type) or not hasattr(self.estimator, "fit")
        ):
            raise TypeError(
                f"The 'estimator' parameter of {name} must be an estimator or None. "
                f"Got {self.estimator!r} instead."
            )

    def _check_target(self, y: Any) -> np.ndarray:
        target, self._regresses = check_either(y, type(self).__name__)
        return target

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices if all members take them."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = all(takes_sparse(member) for _, member in named(self.selectors))
        return tags


class _Outcome(NamedTuple):
    """What became of one split: its consensus, the order of units, scores if it is a fold."""

    consensus: Consensus
    order: np.ndarray
    scores: np.ndarray | None = None
    baseline: float = np.nan


class _Progress:
    """Counts fits."""

    def __init__(self, task: str, total: int) -> None:
        self.task, self.done, self.total = task, 0, total

    def __call__(self, n: int = 1) -> None:
        self.done += n
        tell(self.task, self.done, self.total)
