"""How stable selections are, and how many of those kept are there by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize, stats


class Stability(NamedTuple):
    """Nogueira's measure, with a confidence interval.

    Attributes
    ----------
    value : float
        1 if all selections are the same, about 0 if they are drawn at random, NaN if they hold
        nothing or everything.
    low, high : float
        Ends of the interval.
    variance : float
        Of the value, as an estimate.
    """

    value: float
    low: float
    high: float
    variance: float


class FalseSelections(NamedTuple):
    """Upper bounds on the expected number of units kept that are seldom selected.

    Attributes
    ----------
    worst_case, unimodal, r_concave : float
        The more is assumed, the smaller; see :func:`false_selections`.
    """

    worst_case: float
    unimodal: float
    r_concave: float


def stability(selections: np.ndarray, level: float = 0.95) -> Stability:
    """Return how alike several selections of the same units are, corrected for chance.

    Parameters
    ----------
    selections : ndarray of shape (n_selections, n_units), bool
        At least two.
    level : float, default=0.95
        Of the confidence interval.

    Returns
    -------
    Stability

    Notes
    -----
    One minus the mean variance of a unit's selection, over the variance that it would have if as
    many units were drawn at random. For selections of one size that is Kuncheva's index. The
    interval takes the selections to be independent and is that of a normal distribution.

    References
    ----------
    Nogueira, S., Sechidis, K., Brown, G. (2018). On the stability of feature selection algorithms.
    Journal of Machine Learning Research 18(174), 1-54. https://jmlr.org/papers/v18/17-514.html

    Examples
    --------
    >>> stability(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)).value
    -0.5
    """
    n, n_units = selections.shape
    frequency = selections.mean(axis=0)
    share = selections.sum(axis=1) / n_units
    mean = share.mean()
    by_chance = mean * (1 - mean)
    if by_chance == 0:
        return Stability(np.nan, np.nan, np.nan, np.nan)
    value = 1 - n / (n - 1) * (frequency * (1 - frequency)).mean() / by_chance
    # what each selection adds to the value, of which the paper's estimate of the variance is made
    met = selections @ frequency / n_units
    parts = met - share * mean + value / 2 * (2 * mean * share - share - mean + 1)
    parts /= by_chance
    variance = 4 / n**2 * np.square(parts - parts.mean()).sum()
    margin = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance)
    return Stability(float(value), float(value - margin), float(value + margin), float(variance))


def false_selections(
    threshold: float, mean_selected: float, n_units: int, n_pairs: int
) -> FalseSelections:
    """Bound how many units are kept whose chance to be selected is below average.

    Parameters
    ----------
    threshold : float
        Units are kept that are selected in at least this share of the half-samples, in (0.5, 1].
    mean_selected : float
        How many are selected of a half-sample, on average.
    n_units : int
        How many there are to select from.
    n_pairs : int
        Pairs of half-samples without a row in common.

    Returns
    -------
    FalseSelections
        Bounds on the expected number of kept units whose chance to be selected of a half-sample is
        at most ``mean_selected / n_units``. None of them exceeds `mean_selected`.

    Notes
    -----
    ``worst_case`` assumes nothing (the paper's Theorem 1), ``unimodal`` that the share of pairs
    in both of which such a unit is selected has a unimodal distribution (Theorem 2), and
    ``r_concave`` that this distribution is -1/2-concave, and that of the share of half-samples
    -1/4-concave; that lies between log-concave and unimodal.

    References
    ----------
    Shah, R. D., Samworth, R. J. (2013). Variable selection with error control: another look at
    stability selection. Journal of the Royal Statistical Society B 75(1), 55-80.
    https://doi.org/10.1111/j.1467-9868.2011.01034.x
    """
    if n_units == 0 or mean_selected == 0:
        return FalseSelections(0.0, 0.0, 0.0)
    theta = mean_selected / n_units
    at_least = least_count(threshold, 2 * n_pairs)
    tau = at_least / (2 * n_pairs)
    worst = theta * mean_selected / (2 * tau - 1)
    unimodal = worst
    factor = _unimodal_factor(tau, theta, n_pairs)
    if factor is not None:
        unimodal = min(worst, factor * theta * mean_selected)
    tail = min(
        r_concave_tail(theta**2, at_least - n_pairs, n_pairs, -1 / 2),
        r_concave_tail(theta, at_least, 2 * n_pairs, -1 / 4),
    )
    bounds = np.minimum([worst, unimodal, min(unimodal, tail * n_units)], mean_selected)
    return FalseSelections(*bounds.tolist())


def least_count(threshold: float, n: int) -> int:
    """Return how many of `n` make up at least the share `threshold`, whatever rounding does."""
    return int(np.ceil(threshold * n - 1e-9))


def _unimodal_factor(tau: float, theta: float, n_pairs: int) -> float | None:
    """C(tau, B) of Theorem 2; None where the theorem says nothing."""
    half = 1 / (2 * n_pairs)
    if theta > 1 / np.sqrt(3):
        return None
    if tau > 3 / 4:
        return 4 * (1 - tau + half) / (1 + 2 * half)
    if tau > min(1 / 2 + theta**2, 1 / 2 + half + 3 / 4 * theta**2):
        return 1 / (2 * (2 * tau - 1 - half))
    return None


def r_concave_tail(mean: float, at_least: int, n: int, r: float) -> float:
    """Return the largest chance that an r-concave count reaches a value, by its mean.

    Parameters
    ----------
    mean : float
        The expected count divided by `n` is at most this.
    at_least : int
        The value.
    n : int
        Counts are in {0, ..., n}.
    r : float
        Below 0: the probabilities to the power of r are convex. The closer to 0, the closer to
        log-concave.

    Returns
    -------
    float
        1 for values up to twice the mean, where the bound says nothing.

    Notes
    -----
    Of all such distributions with that mean, the one with the most beyond the value has
    probabilities in proportion to ``(a + i) ** (1 / r)`` for i up to some k, the last of which,
    that of k + 1, is smaller than in proportion: a convex function can do no better than to be a
    straight line and then rise steeply. For each k, the mean leaves the offset a free within
    limits, and of these the best is looked for.

    Cost: at most n searches of some 30 steps, each a sum over k.

    References
    ----------
    Shah and Samworth (2013), as in :func:`false_selections`.
    """
    expected = mean * n
    if at_least <= np.ceil(2 * expected - 1e-12):
        return 1.0
    if mean <= 0 or at_least > n:
        return 0.0
    best = 0.0
    shortest = max(at_least - 1, int(np.floor(2 * expected)) + 1)
    largest = _offset_for(expected, shortest, r)
    for k in range(shortest, n):
        smallest = _offset_for(expected, k + 1, r)
        found = optimize.minimize_scalar(
            lambda log_a, k=k: -_tail_of(np.exp(log_a), expected, at_least, k, r),
            bounds=(np.log(smallest), np.log(largest)),
            method="bounded",
            options={"xatol": 1e-6},
        )
        ends = (_tail_of(a, expected, at_least, k, r) for a in (smallest, largest))
        best = max(best, -float(found.fun), *ends)
        largest = smallest
    if shortest >= n:  # all probabilities are in proportion: one distribution is left
        weight = _weights(largest, n, r)
        best = float(weight[at_least:].sum() / weight.sum())
    return min(1.0, best)


def _weights(a: float, k: int, r: float) -> np.ndarray:
    """Probabilities of 0, ..., k for the offset `a`, that of 0 taken as 1."""
    return (1 + np.arange(k + 1) / a) ** (1 / r)


def _offset_for(expected: float, k: int, r: float) -> float:
    """The offset for which counts of 0, ..., k have the expectation; it grows with that."""

    def excess(log_a: float) -> float:
        weight = _weights(np.exp(log_a), k, r)
        return float(weight @ np.arange(k + 1) / weight.sum() - expected)

    return float(np.exp(optimize.brentq(excess, -70.0, 70.0, xtol=1e-13)))


def _tail_of(a: float, expected: float, at_least: int, k: int, r: float) -> float:
    """Chance of `at_least` or more, where k + 1 has what the expectation leaves to it."""
    weight = _weights(a, k, r)
    scale = (k + 1 - expected) / (weight @ np.arange(k + 1, 0, -1))
    return float(1 - scale * weight[:at_least].sum())
