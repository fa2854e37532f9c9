"""Minimum redundancy, maximum relevance: one unit after the other, and the order as a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from featprune.importance.filters.likeness import Likeness

# The least that counts as redundancy where relevance is divided by it.
FLOOR = 0.001
# Scores that are apart by less of themselves are equal, as are means of correlations.
_EQUAL = 1e-10


class Picks(NamedTuple):
    """The order of picking.

    Attributes
    ----------
    order : ndarray of shape (n_picks,), int
        Units, the first one picked first.
    scores : ndarray of shape (n_units,)
        Of each unit when it was picked, or, of those that were not, at the end; to some five
        digits if products are of single precision.
    """

    order: np.ndarray
    scores: np.ndarray


def pick(
    likeness: Likeness,
    relevance: np.ndarray,
    unit: np.ndarray,
    protected: np.ndarray,
    n_picks: int,
    *,
    scheme: str,
    progress: Callable[[int, int], None],
) -> Picks:
    """Pick the unit that is most relevant and least like those picked, again and again.

    Parameters
    ----------
    likeness : Likeness
        Of the features.
    relevance : ndarray of shape (n_units,)
        At least 0, possibly infinite.
    unit : ndarray of shape (n_features,), int
        The unit of each feature. How alike two units are is how alike their most similar features
        are.
    protected : ndarray of shape (n_units,), bool
        Units that are picked before all others.
    n_picks : int
    scheme : {"quotient", "difference"}
        Whether relevance is divided by the mean redundancy, or that is taken off it.
    progress : callable
        Told how many are picked.

    Returns
    -------
    Picks

    Notes
    -----
    Units of no relevance come after all others. With "quotient" a correlation is at least FLOOR,
    and a unit that is a copy of all those picked has a score of 0. Of equal scores, the one
    further left is picked.

    The correlations with those picked are summed as they come: one product of the table with a
    vector a feature picked. Where that is in single precision, those whose scores may be the
    highest are compared with all that are picked in double precision.
    """
    n_units, divides = len(relevance), scheme == "quotient"
    members = _members(unit, n_units)
    total, scores = np.zeros(n_units), relevance.copy()
    order: list[int] = []
    is_open, hopeful = np.ones(n_units, dtype=bool), relevance > 0
    for done in range(n_picks):
        for among in (is_open & protected, is_open & hopeful, is_open):
            if among.any():
                break
        candidates = np.flatnonzero(among)
        if done and likeness.error:
            mean = total[candidates] / done
            near = _near(relevance[candidates], mean, likeness.error, divides)
            candidates = candidates[near]
            if len(candidates) > 1:
                exact = _exactly(likeness, candidates, order, members, divides)
                scores[candidates] = _score(relevance[candidates], exact, divides)
        one = int(candidates[_first_best(scores[candidates])])
        order.append(one)
        is_open[one] = False
        progress(done + 1, n_picks)
        if not is_open.any():
            break
        alike = np.zeros(n_units)
        for j in members[one]:
            np.maximum.at(alike, unit, likeness.with_feature(int(j)))
        total += np.maximum(alike, FLOOR) if divides else alike
        scores[is_open] = _score(relevance[is_open], total[is_open] / (done + 1), divides)
    return Picks(np.array(order, dtype=np.intp), scores)


def _score(relevance: np.ndarray, redundancy: np.ndarray, divides: bool) -> np.ndarray:
    if not divides:
        return relevance - redundancy
    return np.where(redundancy >= 1 - _EQUAL, 0.0, relevance / redundancy)


def _first_best(scores: np.ndarray) -> int:
    """The place of the highest score, of equal ones the first."""
    best = scores.max()
    # an infinite score is no further from itself
    least = best - _EQUAL * abs(best) if np.isfinite(best) else best
    return int((scores >= least).argmax())


def _near(relevance: np.ndarray, redundancy: np.ndarray, error: float, divides: bool) -> np.ndarray:
    """Whose scores may be the highest, if redundancies are off by `error`."""
    if not divides:
        return relevance - redundancy + error >= (relevance - redundancy - error).max()
    if not relevance.any():
        return np.arange(len(relevance)) == 0  # all scores are 0
    highest = relevance / np.maximum(redundancy - error, FLOOR)
    least = np.where(redundancy + error >= 1, 0.0, relevance / (redundancy + error))
    return highest >= least.max()


def _exactly(
    likeness: Likeness,
    candidates: np.ndarray,
    picked: list[int],
    members: list[np.ndarray],
    divides: bool,
) -> np.ndarray:
    """The mean redundancy of candidates with the units picked, in double precision."""
    found = np.zeros((len(candidates), len(picked)))
    some = np.concatenate([members[i] for i in candidates])
    others = np.concatenate([members[i] for i in picked])
    row = np.repeat(np.arange(len(candidates)), [len(members[i]) for i in candidates])
    column = np.repeat(np.arange(len(picked)), [len(members[i]) for i in picked])
    alike = likeness.between(some, others)
    np.maximum.at(found, (row[:, None], column), alike)
    return (np.maximum(found, FLOOR) if divides else found).mean(axis=1)


def _members(unit: np.ndarray, n_units: int) -> list[np.ndarray]:
    """The features of each unit."""
    by_unit = np.argsort(unit, kind="stable")
    return np.split(by_unit, np.searchsorted(unit[by_unit], np.arange(1, n_units)))
