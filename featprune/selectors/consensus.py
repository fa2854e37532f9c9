"""How several selectors rank the same rows, and bootstrap samples of them, together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import joblib
import numpy as np
from scipy import stats

from featprune.importance.aggregate import aggregate
from featprune.selectors.base import BaseSelector
from featprune.selectors.members import Rows, ask, encoder_of, takes_features
from featprune.table.encode import Encoded

# between these shares of the bootstraps lie the intervals: nine of ten
ENDS = (0.05, 0.95)

Members = list[tuple[str, Any]]


class Consensus(NamedTuple):
    """What the members say together.

    Attributes
    ----------
    importances : ndarray of shape (n_units,)
    p_values : ndarray of shape (n_units,) or None
    ranks : ndarray of shape (n_members, n_units)
        Of each member, over all of its fits.
    intervals : ndarray of shape (n_units, 2) or None
        Of the combined rank in the bootstraps, if there are any.
    """

    importances: np.ndarray
    p_values: np.ndarray | None
    ranks: np.ndarray
    intervals: np.ndarray | None


def bootstrap(y: np.ndarray, rng: np.random.Generator, *, regresses: bool) -> np.ndarray:
    """Draw as many rows as there are, of each class as many as it has; ascending positions."""
    if regresses:
        return np.sort(rng.integers(len(y), size=len(y)))
    drawn = [rng.choice(rows, len(rows)) for rows in rows_of_classes(y)]
    return np.sort(np.concatenate(drawn))


def rows_of_classes(y: np.ndarray) -> list[np.ndarray]:
    """Return the positions of each class's rows."""
    codes = np.unique(y, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def rank_all(
    owner: BaseSelector,
    members: Members,
    rows: Rows,
    encoded: Encoded | None,
    *,
    shares: bool,
    n_bootstraps: int,
    regresses: bool,
    entropy: tuple[int, ...],
    parallel: joblib.Parallel,
    on_done: Callable[[], None],
) -> np.ndarray:
    """Let every member rank the units, on all rows and on bootstrap samples.

    Parameters
    ----------
    owner : BaseSelector
    members : list of (str, selector)
    rows : Rows
    encoded : Encoded, optional
        The features of `rows`, if they are there already.
    shares : bool
        Whether members are fitted on features that are encoded once, as far as they take them.
    n_bootstraps : int
    regresses : bool
    entropy : tuple of int
        From which all seeds come.
    parallel : joblib.Parallel
        That yields results in the order of the calls.
    on_done : callable
        Called after each fit.

    Returns
    -------
    ndarray of shape (1 + n_bootstraps, n_members, n_units), float

    Notes
    -----
    As many samples are encoded at a time as there are jobs, so that memory is bounded.
    """
    batch = max(1, joblib.effective_n_jobs(parallel.n_jobs))
    found = []
    for start in range(0, 1 + n_bootstraps, batch):
        calls = []
        for i in range(start, min(start + batch, 1 + n_bootstraps)):
            seeds = np.random.SeedSequence((*entropy, i)).generate_state(2 + len(members))
            sample, features = rows, encoded
            if i > 0:
                assert rows.y is not None
                rng = np.random.default_rng(seeds[0])
                sample = rows.take(bootstrap(rows.y, rng, regresses=regresses))
                features = None
            calls += _calls(owner, members, sample, features, seeds[1:], shares=shares)
        for ranks in parallel(calls):
            found.append(ranks)
            on_done()
    return np.array(found).reshape(1 + n_bootstraps, len(members), -1)


def _calls(
    owner: BaseSelector,
    members: Members,
    rows: Rows,
    encoded: Encoded | None,
    seeds: np.ndarray,
    *,
    shares: bool,
) -> list[Any]:
    """Return the fits of all members on some rows, encoded once for those that share."""
    takes = [shares and takes_features(member, owner, rows.table) for _, member in members]
    if encoded is None and any(takes):
        encoder = encoder_of(owner, int(seeds[0]))
        encoded = encoder.fit_transform(rows.table, rows.y, rows.sample_weight)
    return [
        joblib.delayed(_rank)(
            member, f"Member {name!r}", owner, rows, encoded if takes_it else None, int(seed)
        )
        for (name, member), takes_it, seed in zip(members, takes, seeds[1:], strict=True)
    ]


def _rank(
    member: Any,
    called: str,
    owner: BaseSelector,
    rows: Rows,
    encoded: Encoded | None,
    seed: int,
) -> np.ndarray:
    ranks = ask(member, called, owner, rows, encoded, seed, whole_path=True).ranks
    if ranks is None:
        raise ValueError(
            f"{called} of {type(owner).__name__}, {type(member).__name__}, tells no ranking: once "
            "fitted it has none of ranking_, importances_, scores_, feature_importances_ and "
            "coef_. Replace it, or pass it to StabilitySelector, which needs none."
        )
    return ranks


def combine(ranks: np.ndarray, how: str, weights: np.ndarray | None) -> Consensus:
    """Combine the rankings of all members and samples.

    Parameters
    ----------
    ranks : ndarray of shape (n_samples, n_members, n_units)
        The first sample is all rows.
    how, weights
        As in :func:`featprune.importance.aggregate.aggregate`.

    Notes
    -----
    A member's rankings of the samples are one voice: they are averaged first. Taken as so many
    rankings, they would count as independent in robust rank aggregation.
    """
    of_members = ranks[0]
    if len(ranks) > 1:
        of_members = stats.rankdata(np.round(ranks.mean(axis=0), 9), axis=1)
    found = aggregate(of_members, how, weights)
    intervals = None
    if len(ranks) > 1:
        combined = [aggregate(one, how, weights).importances for one in ranks[1:]]
        intervals = np.quantile(stats.rankdata(-np.array(combined), axis=1), ENDS, axis=0).T
    return Consensus(found.importances, found.p_values, of_members, intervals)
