"""Several rankings of the same things into one: by mean, median, points or order statistics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats

AGGREGATES = ("mean", "median", "borda", "rra")


class Consensus(NamedTuple):
    """What several rankings say together.

    Attributes
    ----------
    importances : ndarray of shape (n_units,), float
        At least 0, the larger the better; see :func:`aggregate`.
    p_values : ndarray of shape (n_units,), float, or None
        Of robust rank aggregation, None for others.
    """

    importances: np.ndarray
    p_values: np.ndarray | None


def aggregate(ranks: np.ndarray, how: str, weights: np.ndarray | None = None) -> Consensus:
    """Combine rankings of the same units.

    Parameters
    ----------
    ranks : ndarray of shape (n_rankings, n_units), float
        1 is best; equal ones share the mean of their ranks.
    how : {"mean", "median", "borda", "rra"}
    weights : ndarray of shape (n_rankings,), optional
        How much each ranking counts; not for "rra", whose order statistics have none.

    Returns
    -------
    Consensus
        Importances are, for "mean" and "median", the share of the other units that the mean or
        median rank leaves behind; for "borda" the mean share of the other units that are ranked
        strictly worse, so that ties earn nothing; for "rra" ``-log10(rho)``.

    Notes
    -----
    Cost: ``n_rankings * n_units``, with a sort of each unit's ranks for "median" and "rra".

    Examples
    --------
    >>> ranks = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    >>> aggregate(ranks, "mean").importances.tolist()
    [1.0, 0.25, 0.25]
    """
    n_rankings, n_units = ranks.shape
    if how == "rra":
        # of hundreds of rankings it can be less than there are numbers for
        rho = np.maximum(rho_scores(worst_of_ties(ranks) / n_units), np.finfo(float).tiny)
        return Consensus(-np.log10(rho), np.minimum(1.0, n_rankings * rho))
    share = np.full(n_rankings, 1 / n_rankings)
    if weights is not None:
        share = weights / weights.sum()
    if how == "median":
        ranked = weighted_median(ranks, share)
    else:
        ranked = share @ (worst_of_ties(ranks) if how == "borda" else ranks)
    # rounding must not part what is equal but for the order of the sum
    return Consensus(np.round((n_units - ranked) / max(1, n_units - 1), 12), None)


def worst_of_ties(ranks: np.ndarray) -> np.ndarray:
    """Return the rankings with the largest of their ranks for equal ones, not the mean.

    So a ranking that cannot tell units apart praises none of them, and p-values stay valid.
    """
    return stats.rankdata(ranks, method="max", axis=1).astype(float)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted median of each column.

    Parameters
    ----------
    values : ndarray of shape (n, p)
    weights : ndarray of shape (n,)
        At least 0.

    Returns
    -------
    ndarray of shape (p,)
        The value up to which there is half of the weight; the mean of two neighbours where half
        is reached exactly.
    """
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    reached = np.cumsum(weights[order], axis=0)
    half = reached[-1] / 2
    # sums of weights such as a third round
    slack = 1e-12 * reached[-1]
    lower = np.argmax(reached >= half - slack, axis=0)
    upper = np.argmax(reached > half + slack, axis=0)
    columns = np.arange(values.shape[1])
    return (ordered[lower, columns] + ordered[upper, columns]) / 2


def rho_scores(shares: np.ndarray) -> np.ndarray:
    """Return how unlikely small each unit's ranks are: rho of robust rank aggregation.

    Parameters
    ----------
    shares : ndarray of shape (n_rankings, n_units), float
        Ranks divided by the number of units, in (0, 1].

    Returns
    -------
    ndarray of shape (n_units,)
        Of a unit's ranks in ascending order, the k-th of n is compared with the k-th smallest of
        n uniform numbers, which has the distribution Beta(k, n - k + 1); the smallest of these n
        probabilities.

    References
    ----------
    Kolde, R., Laur, S., Adler, P., Vilo, J. (2012). Robust rank aggregation for gene list
    integration and meta-analysis. Bioinformatics 28(4), 573-580.
    https://doi.org/10.1093/bioinformatics/btr709
    """
    n = len(shares)
    k = np.arange(1, n + 1)[:, np.newaxis]
    return special.betainc(k, n - k + 1, np.sort(shares, axis=0)).min(axis=0)


def agreement(ranks: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of each pair of rankings.

    Parameters
    ----------
    ranks : ndarray of shape (n_rankings, n_units), float
        Equal ones share the mean of their ranks.

    Returns
    -------
    ndarray of shape (n_rankings, n_rankings)
        1 on the diagonal; NaN for a ranking that holds all units equal.
    """
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    sizes = np.sqrt(np.square(centred).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.clip(centred @ centred.T / np.outer(sizes, sizes), -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


def ranks_along(order: np.ndarray, criterion: np.ndarray, n_units: int) -> np.ndarray:
    """Return the ranks of units by when they left.

    Parameters
    ----------
    order : ndarray of shape (n_removed,), int
        Units in the order in which they left, the first gone first.
    criterion : ndarray of shape (n_removed,), float
        What they were worth then.
    n_units : int

    Returns
    -------
    ndarray of shape (n_units,), float
        1 is best. Units that left one after the other with the same criterion share the mean of
        their ranks, because only their place in the table told them apart; so do all that never
        left.

    Examples
    --------
    >>> ranks_along(np.array([3, 1, 0]), np.array([0.0, 0.0, 2.0]), 5).tolist()
    [3.0, 4.5, 1.5, 4.5, 1.5]
    """
    starts = np.append(True, criterion[1:] != criterion[:-1])[: len(order)]
    group = np.cumsum(starts)
    last = n_units - np.arange(len(order), dtype=float)
    means = np.bincount(group, last) / np.maximum(1, np.bincount(group))
    n_left = n_units - len(order)
    ranks = np.full(n_units, (n_left + 1) / 2)
    ranks[order] = means[group]
    return ranks
