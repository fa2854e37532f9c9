"""Minimum redundancy, maximum relevance: one unit after the other, and the order as a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

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
        Of each unit when it was picked, or, of those that were not, at the end.
    """

    order: np.ndarray
    scores: np.ndarray


def pick(
    with_feature: Callable[[int], np.ndarray],
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
    with_feature : callable
        From a feature to the size of its correlation with each feature, shape (n_features,).
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
    vector a feature picked.
    """
    n_units = len(relevance)
    features = _features(unit, n_units)
    total, scores, order = np.zeros(n_units), relevance.copy(), []
    is_open, hopeful = np.ones(n_units, dtype=bool), relevance > 0
    divides = scheme == "quotient"
    for done in range(n_picks):
        for among in (is_open & protected, is_open & hopeful, is_open):
            if among.any():
                break
        candidates = np.flatnonzero(among)
        best = scores[candidates].max()
        # an infinite score is no further from itself
        close = scores[candidates] >= (best - _EQUAL * abs(best) if np.isfinite(best) else best)
        one = int(candidates[close.argmax()])
        order.append(one)
        is_open[one] = False
        progress(done + 1, n_picks)
        if done + 1 == n_units:
            break
        alike = _alike(with_feature, features[one], unit, n_units)
        total += np.maximum(alike, FLOOR) if divides else alike
        now = _score(relevance[is_open], total[is_open] / (done + 1), divides)
        scores[is_open] = now
    return Picks(np.array(order, dtype=np.intp), scores)


def _score(relevance: np.ndarray, redundancy: np.ndarray, divides: bool) -> np.ndarray:
    if not divides:
        return relevance - redundancy
    return np.where(redundancy >= 1 - _EQUAL, 0.0, relevance / redundancy)


def _alike(
    with_feature: Callable[[int], np.ndarray], features: np.ndarray, unit: np.ndarray, n_units: int
) -> np.ndarray:
    """How alike each unit and one with these features are, shape (n_units,)."""
    found = np.zeros(n_units)
    for j in features:
        np.maximum.at(found, unit, with_feature(int(j)))
    return found


def _features(unit: np.ndarray, n_units: int) -> list[np.ndarray]:
    """The features of each unit."""
    by_unit = np.argsort(unit, kind="stable")
    return np.split(by_unit, np.searchsorted(unit[by_unit], np.arange(1, n_units)))
