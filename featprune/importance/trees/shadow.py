"""Boruta's shadow test: which units beat permuted copies more often than by chance."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import joblib
import numpy as np
from scipy import sparse, stats
from sklearn.base import clone

from featprune.importance.trees.family import family_of
from featprune.importance.trees.measure import of_contributions, of_splits
from featprune.importance.trees.model import Rows, Trees, as_taken
from featprune.importance.trees.shadow_rows import by_columns, in_order, permute, shadows_of
from featprune.ranking import fold

REJECTED, TENTATIVE, CONFIRMED = -1, 0, 1

# Rounds between which no unit leaves the table; fixed, so that n_jobs changes nothing. With
# alpha=0.05 the first units can be rejected after 8 rounds.
_BATCH = 8


class Rule(NamedTuple):
    """What a round asks, and how its hits are tested.

    Attributes
    ----------
    importance : {"impurity", "total_gain", "gain", "cover", "weight", "shap"}
    percentile : float
        In (0, 100]: of the shadows' importances, what a unit has to exceed for a hit.
    alpha : float
        Level of each of the two tests, of more and of fewer hits than by chance.
    two_step : bool
        Benjamini-Hochberg over units and Bonferroni over rounds; otherwise Bonferroni over
        units alone.
    """

    importance: str
    percentile: float
    alpha: float
    two_step: bool


class Outcome(NamedTuple):
    """What the rounds have shown.

    Attributes
    ----------
    decisions : ndarray of shape (n_units,), int
        REJECTED, TENTATIVE or CONFIRMED.
    decided_in : ndarray of shape (n_units,), int
        The round, from 1, that decided about a unit; 0 if none did.
    hits, rounds : ndarray of shape (n_units,), int
        In how many rounds a unit had a hit, and of how many: those until it was rejected.
    features : ndarray of shape (n_rounds, n_features)
        Importances; NaN after a feature's unit was rejected.
    threshold, shadow_max : ndarray of shape (n_rounds,)
        What was to be exceeded in each round, and the largest importance of a shadow.
    """

    decisions: np.ndarray
    decided_in: np.ndarray
    hits: np.ndarray
    rounds: np.ndarray
    features: np.ndarray
    threshold: np.ndarray
    shadow_max: np.ndarray


def shadow_test(
    estimator: Any,
    levels: np.ndarray,
    rows: Rows,
    rule: Rule,
    *,
    unit: np.ndarray,
    protected: np.ndarray,
    n_iter: int,
    seed: int,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Outcome:
    """Run rounds until each unit is decided about.

    Parameters
    ----------
    estimator : estimator
        Of which each round fits a clone with a seed of its own.
    levels : ndarray of shape (n_features,), int
        As in :class:`~featprune.table.encode.Encoded`.
    rows : Rows
    rule : Rule
    unit : ndarray of shape (n_features,), int
        The unit of each feature; features of one unit are permuted together.
    protected : ndarray of shape (n_units,), bool
        Units that are confirmed from the start, and not tested.
    n_iter : int
        Rounds at most.
    seed : int
    n_jobs : int, optional
        Rounds at a time.
    progress : callable, optional
        Called with the rounds that are done and `n_iter`.
    deadline : float, optional
        Value of ``time.monotonic()`` after which no round begins but the first.

    Returns
    -------
    Outcome

    Notes
    -----
    A fit on twice the features that are left, each round. Rejected units leave the table after
    rounds 8, 16, 24 and so on, and hits that come after a rejection don't count.

    References
    ----------
    Kursa, M. B., Rudnicki, W. R. (2010). Feature selection with the Boruta package. Journal of
    Statistical Software 36(11), 1-13. https://doi.org/10.18637/jss.v036.i11
    """
    record = _Record(unit, protected, rule)
    rows = in_order(rows)
    rows = rows._replace(X=by_columns(rows.X))
    if "random_state" in estimator.get_params(deep=False):
        # the same draws in each round would favour the same places in each round
        estimator = clone(estimator).set_params(random_state=None)
    ended = False
    with joblib.Parallel(n_jobs=n_jobs, return_as="generator") as parallel:
        while not ended:
            features, start = record.features_left(), record.n_rounds
            results = parallel(
                joblib.delayed(_one_round)(
                    estimator,
                    levels,
                    rows,
                    rule.importance,
                    features=features,
                    unit=unit,
                    seed=[seed, start + i],
                    deadline=None if start + i == 0 else deadline,
                )
                for i in range(min(_BATCH, n_iter - start))
                if not ended  # looked at when a round is about to begin
            )
            for result in results:
                if ended or result is None:
                    ended = True
                    continue  # what has begun comes to its end, so that no worker is left behind
                record.add(features, *result)
                ended = record.is_decided() or record.n_rounds == n_iter
                if progress is not None:
                    progress(n_iter if ended else record.n_rounds, n_iter)
    return record.outcome()


class _Record:
    """What the rounds so far have shown; the arguments are those of `shadow_test`."""

    def __init__(self, unit: np.ndarray, protected: np.ndarray, rule: Rule) -> None:
        self.unit, self.protected, self.rule = unit, protected, rule
        self.decisions = np.where(protected, CONFIRMED, TENTATIVE)
        self.decided_in, self.hits, self.rounds = np.zeros((3, len(protected)), dtype=int)
        self.n_rounds = 0
        self.history: list[np.ndarray] = []
        self.thresholds: list[float] = []
        self.largest: list[float] = []

    def features_left(self) -> np.ndarray:
        """Return the features whose units are not rejected, or all if that would be none."""
        features = np.flatnonzero(self.decisions[self.unit] != REJECTED)
        return features if len(features) else np.arange(len(self.unit))

    def is_decided(self) -> bool:
        """Whether nothing is tentative."""
        return not (self.decisions == TENTATIVE).any()

    def add(self, features: np.ndarray, importances: np.ndarray, shadows: np.ndarray) -> None:
        """Count the hits of a round, as `_one_round` returns it, and decide."""
        self.n_rounds += 1
        left = self.decisions != REJECTED
        values = np.full(len(self.unit), np.nan)
        values[features] = importances
        values[~left[self.unit]] = np.nan
        threshold = float(np.percentile(shadows, self.rule.percentile))
        self.history.append(values)
        self.thresholds.append(threshold)
        self.largest.append(float(shadows.max()))
        self.hits += left & (fold(np.nan_to_num(values), self.unit, len(left)) > threshold)
        self.rounds += left
        after = decide(
            self.decisions,
            self.hits,
            self.n_rounds,
            self.protected,
            alpha=self.rule.alpha,
            two_step=self.rule.two_step,
        )
        self.decided_in[after != self.decisions] = self.n_rounds
        self.decisions = after

    def outcome(self) -> Outcome:
        """Return it as arrays."""
        return Outcome(
            decisions=self.decisions,
            decided_in=self.decided_in,
            hits=self.hits,
            rounds=self.rounds,
            features=np.array(self.history),
            threshold=np.array(self.thresholds),
            shadow_max=np.array(self.largest),
        )


def decide(
    decisions: np.ndarray,
    hits: np.ndarray,
    n_rounds: int,
    protected: np.ndarray,
    *,
    alpha: float,
    two_step: bool,
) -> np.ndarray:
    """Test the hits of tentative units against a fair coin, from both sides.

    Parameters
    ----------
    decisions, hits : ndarray of shape (n_units,), int
        Before this round's decisions, and with this round's hits.
    n_rounds : int
        Rounds so far.
    protected : ndarray of shape (n_units,), bool
        Not tested.
    alpha, two_step
        As in :class:`Rule`.

    Returns
    -------
    ndarray of shape (n_units,), int
        The decisions after this round.

    Examples
    --------
    >>> hits, none = np.array([8, 4, 0]), np.zeros(3, dtype=bool)
    >>> decide(np.zeros(3, dtype=int), hits, 8, none, alpha=0.05, two_step=True).tolist()
    [1, 0, -1]
    """
    tested = np.flatnonzero((decisions != REJECTED) & ~protected)
    more = stats.binom.sf(hits[tested] - 1, n_rounds, 0.5)
    fewer = stats.binom.cdf(hits[tested], n_rounds, 0.5)
    after = decisions.copy()
    for p_values, decision in ((more, CONFIRMED), (fewer, REJECTED)):
        if two_step:
            is_sure = (p_values <= alpha / n_rounds) & _false_discovery(p_values, alpha)
        else:
            is_sure = p_values <= alpha / max(1, (~protected).sum())
        sure = tested[is_sure]
        after[sure[decisions[sure] == TENTATIVE]] = decision
    return after


def rough_fix(outcome: Outcome, unit: np.ndarray) -> Outcome:
    """Decide about tentative units, without a test.

    One is confirmed if its median importance over the rounds exceeds the median of the rounds'
    largest shadow, and is rejected otherwise, as by TentativeRoughFix of the R package Boruta.

    Parameters
    ----------
    outcome : Outcome
    unit : ndarray of shape (n_features,), int
        The unit of each feature.
    """
    tentative = outcome.decisions == TENTATIVE
    n_units = len(tentative)
    values = np.array([fold(np.nan_to_num(one), unit, n_units) for one in outcome.features])
    passes = np.median(values, axis=0) > np.median(outcome.shadow_max)
    fixed = np.where(passes, CONFIRMED, REJECTED)
    return outcome._replace(decisions=np.where(tentative, fixed, outcome.decisions))


def _false_discovery(p_values: np.ndarray, alpha: float) -> np.ndarray:
    """Which p-values pass at the false discovery rate `alpha`, shape (n,), bool.

    Benjamini & Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    n = len(p_values)
    if n == 0:
        return np.zeros(0, dtype=bool)
    ascending = np.sort(p_values)
    good = np.flatnonzero(ascending <= alpha * np.arange(1, n + 1) / n)
    return p_values <= ascending[good[-1]] if len(good) else np.zeros(n, dtype=bool)


def _one_round(
    estimator: Any,
    levels: np.ndarray,
    rows: Rows,
    importance: str,
    *,
    features: np.ndarray,
    unit: np.ndarray,
    seed: list[int],
    deadline: float | None,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Fit on features and their shadows.

    Returns
    -------
    importances : ndarray of shape (len(features),)
    shadows : ndarray of shape (n_shadows,)
        Importance of each unit's shadows.

    None if time has run out.
    """
    if deadline is not None and time.monotonic() > deadline:
        return None
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    source, shadow_of = shadows_of(unit[features])
    mixed = permute(rows.X[:, features[source]], shadow_of, rng)
    k = len(features)
    beside = [rows.X[:, features], mixed]
    table = sparse.hstack(beside, "csc") if sparse.issparse(mixed) else np.hstack(beside)
    both = rows._replace(X=table)
    # boosters take the first of equal splits, so that a fixed place would be worth something
    places = rng.permutation(both.X.shape[1])
    family = family_of(estimator, "shadow_test")
    trees = Trees(
        estimator,
        family,
        np.concatenate([levels[features], levels[features[source]]]),
        int(rng.integers(2**31 - 1)),
    )
    fitted = trees.fit(both, places)
    if importance == "shap":
        found = of_contributions(fitted, as_taken(both.X[:, places], family), rows.weight)
    else:
        found = of_splits(fitted, importance)
    values = np.empty(len(places))
    values[places] = found
    return values[:k], fold(values[k:], shadow_of, int(shadow_of.max()) + 1)
