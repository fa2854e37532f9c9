"""Stability and the bounds on false selections: definitions, printed figures, brute force."""

from itertools import combinations

import numpy as np
import pytest
from scipy import optimize

from featprune.importance.stability import (
    false_selections,
    least_count,
    r_concave_tail,
    stability,
)

# the matrices and figures of stabilityDemo.ipynb in github.com/nogueirs/JMLR2018
ALIKE = ["110", "110", "110"]
UNLIKE = ["110", "011", "101"]
RANDOM = [
    "1111000000",
    "0001011100",
    "0100011100",
    "1100101000",
    "0110110000",
    "0111001000",
    "1001000011",
    "0001011100",
    "0011110000",
    "0000100111",
]


def selections_of(rows):
    return np.array([[digit == "1" for digit in row] for row in rows])


def random_selections(n, n_units, share, seed=0):
    return np.random.default_rng(seed).random((n, n_units)) < share


def plain_stability(Z):
    """Definition 4 of the paper: one minus mean sample variance over that by chance."""
    d, k = Z.shape[1], Z.sum(axis=1).mean()
    return 1 - Z.astype(float).var(axis=0, ddof=1).mean() / (k / d * (1 - k / d))


def plain_variance(Z):
    """The estimate of the variance, selection by selection."""
    M, d = Z.shape
    share = Z.mean(axis=0)
    k = Z.sum(axis=1)
    mean = k.mean()
    value = plain_stability(Z)
    parts = []
    for i in range(M):
        met = sum(share[f] for f in range(d) if Z[i, f]) / d
        rest = 2 * mean * k[i] / d**2 - k[i] / d - mean / d + 1
        parts.append((met - k[i] * mean / d**2 + value / 2 * rest) / (mean / d * (1 - mean / d)))
    return 4 / M**2 * sum((part - np.mean(parts)) ** 2 for part in parts)


@pytest.mark.parametrize(
    ("rows", "value"),
    [(ALIKE, 1.0), (UNLIKE, -0.5), (RANDOM, -0.037037037037)],
    ids=["the same", "different", "random"],
)
def test_stability_is_what_its_authors_print(rows, value):
    assert stability(selections_of(rows)).value == pytest.approx(value, abs=1e-12)


def test_variance_is_what_the_authors_print():
    found = stability(selections_of(RANDOM))
    assert found.variance == pytest.approx(0.00516666666667, abs=1e-14)
    margin = 1.959963984540054 * np.sqrt(found.variance)
    assert found.low == pytest.approx(found.value - margin)
    assert found.high == pytest.approx(found.value + margin)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("n", [2, 3, 20])
def test_stability_is_as_defined(n, share):
    Z = random_selections(n, 60, share) | (np.arange(60) < 3)
    assert stability(Z).value == pytest.approx(plain_stability(Z), abs=1e-12)
    assert stability(Z).variance == pytest.approx(plain_variance(Z), abs=1e-14)


def test_of_selections_of_one_size_it_is_kunchevas_index():
    rng = np.random.default_rng(0)
    Z = np.zeros((6, 30), dtype=bool)
    for row in Z:
        row[rng.choice(30, 7, replace=False)] = True
    shared = [(one & other).sum() for one, other in combinations(Z, 2)]
    expected = np.mean([(r * 30 - 7**2) / (7 * (30 - 7)) for r in shared])
    assert stability(Z).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fill", [False, True], ids=["nothing", "everything"])
def test_selections_of_nothing_or_everything_have_no_stability(fill):
    found = stability(np.full((4, 5), fill))
    assert np.isnan(found).all()


def test_the_interval_covers_what_it_says():
    # the value for infinitely many selections, where each unit has a chance of its own
    chances = np.linspace(0.02, 0.9, 40) ** 2
    mean = chances.mean()
    true = 1 - (chances * (1 - chances)).mean() / (mean * (1 - mean))
    rng = np.random.default_rng(0)
    found = [stability(rng.random((50, 40)) < chances) for _ in range(400)]
    covered = np.mean([one.low <= true <= one.high for one in found])
    assert 0.91 < covered < 0.99


@pytest.mark.parametrize(
    ("threshold", "q", "p", "n_pairs", "printed"),
    [(0.8, 20, 88, 50, 3.743316), (0.97, 15, 32, 100, 0.975)],
    ids=["below three quarters of a share", "hundred pairs"],
)
def test_the_unimodal_bound_is_what_r_prints(threshold, q, p, n_pairs, printed):
    # outputs of R's package stabs; p from the significance levels 0.0425 and 0.0305 beside them
    found = false_selections(threshold, q, p, n_pairs).unimodal
    assert found == pytest.approx(printed, rel=5e-4 if printed == 0.975 else 1e-6)


@pytest.mark.parametrize(
    ("tau", "factor"),
    [(0.6, 1 / (2 * (0.2 - 0.01))), (0.75, 1 / (2 * (0.5 - 0.01))), (0.9, 4 * 0.11 / 1.02)],
)
def test_bounds_are_those_of_the_theorems(tau, factor):
    found = false_selections(tau, 10, 500, 50)
    assert found.worst_case == pytest.approx(10**2 / 500 / (2 * tau - 1))
    assert found.unimodal == pytest.approx(factor * 10**2 / 500)


@pytest.mark.parametrize("q", [0.5, 3, 20, 90])
@pytest.mark.parametrize("n_pairs", [1, 2, 10, 50])
def test_the_more_is_assumed_the_smaller_the_bound(n_pairs, q):
    last = np.full(3, np.inf)
    for threshold in (0.51, 0.6, 0.7, 0.76, 0.9, 1.0):
        bounds = np.array(false_selections(threshold, q, 100, n_pairs))
        assert (np.diff(bounds) <= 0).all()
        assert (bounds <= min(q, 100)).all()
        assert (bounds >= 0).all()
        assert (bounds <= last + 1e-12).all()
        last = bounds


@pytest.mark.parametrize(("q", "p"), [(0, 10), (0, 0)], ids=["nothing selected", "no units"])
def test_where_nothing_is_selected_nothing_is_false(q, p):
    assert false_selections(0.6, q, p, 50) == (0, 0, 0)


def test_everything_selected_is_bounded_by_everything():
    assert false_selections(0.9, 7, 7, 50) == (7, 7, 7)


@pytest.mark.parametrize(
    ("threshold", "n", "expected"),
    [(0.6, 100, 60), (0.55, 20, 11), (0.7, 10, 7), (0.61, 100, 61), (0.601, 100, 61), (1.0, 8, 8)],
)
def test_a_share_of_samples_is_counted_without_rounding_errors(threshold, n, expected):
    assert least_count(threshold, n) == expected


def brute_force_tail(mean, at_least, n, r):
    """Look for the r-concave distribution with the most beyond a value, from many starts."""
    i, bends = np.arange(n + 1), np.diff(np.eye(n + 1), 2, axis=0)
    rng = np.random.default_rng(0)

    def chances(logs):
        weights = np.exp(logs - logs.max())
        return weights / weights.sum()

    rules = [
        {"type": "ineq", "fun": lambda logs: mean * n - chances(logs) @ i},
        {"type": "ineq", "fun": lambda logs: bends @ np.exp(r * (logs - logs.max()))},
    ]
    best = 0.0
    for start in range(12):
        logs = np.log(np.exp(rng.uniform(-4, 3)) + i) / r
        last = rng.integers(at_least - 1, n + 1)
        logs[last + 1 :] -= 3 * np.arange(1, n - last + 1)
        if start % 3 == 2:  # not falling from 0 on
            logs = -np.abs(i - rng.integers(0, n)) * rng.uniform(0.5, 3)
        found = optimize.minimize(
            lambda logs: -chances(logs)[at_least:].sum(),
            logs - logs.max(),
            constraints=rules,
            method="SLSQP",
            bounds=[(-14, 0.5)] * (n + 1),
            options={"maxiter": 400, "ftol": 1e-12},
        )
        is_allowed = all((rule["fun"](found.x) > -1e-6).all() for rule in rules)
        if is_allowed:
            best = max(best, -found.fun)
    return best


@pytest.mark.filterwarnings("ignore")  # of a search that strays
@pytest.mark.parametrize(
    ("mean", "at_least", "n", "r"),
    [
        (0.10, 2, 5, -1 / 2),
        (0.10, 3, 5, -1 / 2),
        (0.20, 4, 5, -1 / 4),
        (0.05, 4, 6, -1 / 2),
        (0.15, 3, 6, -1 / 4),
        (0.25, 5, 6, -1 / 2),
        (0.30, 4, 5, -1 / 2),
        (0.12, 5, 8, -1 / 2),
        (0.40, 5, 5, -1 / 4),
    ],
)
def test_the_r_concave_tail_is_the_largest_there_is(mean, at_least, n, r):
    found = r_concave_tail(mean, at_least, n, r)
    assert found == pytest.approx(brute_force_tail(mean, at_least, n, r), abs=2e-6)


@pytest.mark.parametrize("r", [-1 / 2, -1 / 4])
@pytest.mark.parametrize("mean", [0.01, 0.1, 0.3])
def test_binomial_counts_keep_to_the_r_concave_bound(mean, r):
    from scipy import stats

    # log-concave, so r-concave for every r < 0
    for at_least in range(1, 51):
        assert r_concave_tail(mean, at_least, 50, r) >= stats.binom(50, mean).sf(at_least - 1)


@pytest.mark.parametrize(
    ("mean", "at_least", "expected"),
    [(0.0, 3, 0.0), (0.2, 2, 1.0), (0.2, 11, 0.0), (0.5, 10, 1.0)],
    ids=["never", "twice the mean", "beyond all", "half"],
)
def test_tails_at_the_ends(mean, at_least, expected):
    assert r_concave_tail(mean, at_least, 10, -1 / 2) == expected


@pytest.mark.parametrize("mean", [0.1, 0.24, 0.45])
def test_the_last_count_has_the_least_tail(mean):
    tails = [r_concave_tail(mean, at_least, 10, -1 / 2) for at_least in range(1, 11)]
    assert (np.diff(tails) <= 1e-12).all()
    assert 0 < tails[-1] < 1


@pytest.mark.parametrize("theta", [1e-6, 1e-4, 1e-2])
def test_rare_selections_have_small_bounds(theta):
    found = false_selections(0.6, 10, round(10 / theta), 50)
    assert 0 < found.r_concave < found.unimodal < found.worst_case
