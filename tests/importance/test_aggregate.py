"""Rank aggregation against slow and obvious versions of itself."""

import numpy as np
import pytest
from scipy import stats

from featprune.importance.aggregate import (
    aggregate,
    agreement,
    ranks_along,
    rho_scores,
    weighted_median,
    worst_of_ties,
)


def random_ranks(n_rankings, n_units, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_rankings, n_units))
    return stats.rankdata(scores.round(0) if ties else scores, axis=1)


def plain_rho(shares):
    """Compare the k-th smallest of n with the k-th order statistic of n uniform numbers."""
    n = len(shares)
    in_order = sorted(shares)
    return min(stats.beta(k, n - k + 1).cdf(in_order[k - 1]) for k in range(1, n + 1))


@pytest.mark.parametrize("n_rankings", [1, 2, 3, 7, 20])
def test_rho_is_the_least_likely_order_statistic(n_rankings):
    shares = random_ranks(n_rankings, 30) / 30
    expected = [plain_rho(shares[:, j]) for j in range(30)]
    np.testing.assert_allclose(rho_scores(shares), expected, rtol=1e-12)


def test_rho_of_three_rankings_by_hand():
    # ranks 1, 1 and 10 of 10: at least one of three at 1/10 has the chance 1 - 0.9**3, two 0.028
    shares = np.array([[0.1, 0.1, 1.0, 0.1], [0.1, 0.1, 1.0, 0.5], [0.1, 1.0, 1.0, 0.9]])
    np.testing.assert_allclose(rho_scores(shares), [0.001, 0.028, 1.0, 0.271], rtol=1e-12)


def test_p_values_are_rho_times_the_number_of_rankings():
    ranks = random_ranks(4, 50)
    found = aggregate(ranks, "rra")
    rho = np.array([plain_rho(ranks[:, j] / 50) for j in range(50)])
    np.testing.assert_allclose(found.p_values, np.minimum(1, 4 * rho), rtol=1e-12)
    np.testing.assert_allclose(found.importances, -np.log10(rho), atol=1e-12)


@pytest.mark.parametrize("ties", [False, True], ids=["strict", "ties"])
def test_p_values_of_random_rankings_are_not_too_small(ties):
    p_values = np.concatenate(
        [aggregate(random_ranks(5, 200, seed, ties), "rra").p_values for seed in range(50)]
    )
    for level in (0.01, 0.05, 0.2):
        share = (p_values <= level).mean()
        assert share <= level + 3 * np.sqrt(level / len(p_values))


def test_rho_never_underflows():
    found = aggregate(np.tile(np.arange(1.0, 11), (500, 1)), "rra")
    assert np.isfinite(found.importances).all()
    assert found.importances.argmax() == 0


def test_robust_aggregation_forgives_one_bad_rank():
    # unit 0 has the ranks 1, 1, 1 and 100, unit 1 has 10, 10, 10 and 1
    others = np.arange(2, 100)
    most = np.concatenate([[0], others[:8], [1], others[8:]])
    ranks = np.argsort([most, most, most, [1, *others[::-1], 0]], axis=1) + 1.0
    assert aggregate(ranks, "rra").importances.argmax() == 0
    assert aggregate(ranks, "median").importances.argmax() == 0
    assert aggregate(ranks, "mean").importances.argmax() == 1


@pytest.mark.parametrize("how", ["mean", "median", "borda"])
@pytest.mark.parametrize("ties", [False, True], ids=["strict", "ties"])
def test_means_medians_and_points(how, ties):
    ranks = random_ranks(5, 40, ties=ties)
    if how == "borda":
        # a point for each unit that is ranked strictly worse
        expected = (ranks[:, np.newaxis, :] > ranks[:, :, np.newaxis]).sum(axis=2).mean(axis=0) / 39
    else:
        expected = (40 - getattr(np, how)(ranks, axis=0)) / 39
    np.testing.assert_allclose(aggregate(ranks, how).importances, expected, atol=1e-11)


def test_mean_and_borda_agree_without_ties():
    ranks = random_ranks(4, 30)
    mean, borda = (aggregate(ranks, how).importances for how in ("mean", "borda"))
    np.testing.assert_allclose(mean, borda, atol=1e-11)


@pytest.mark.parametrize("how", ["mean", "median", "borda"])
def test_a_ranking_of_weight_two_counts_as_two(how):
    ranks, weights = random_ranks(4, 25, ties=True), np.array([2.0, 1, 0, 3])
    repeated = np.repeat(ranks, weights.astype(int), axis=0)
    found = aggregate(ranks, how, weights).importances
    np.testing.assert_allclose(found, aggregate(repeated, how).importances, atol=1e-11)
    assert np.array_equal(found, aggregate(ranks, how, 10 * weights).importances)


@pytest.mark.parametrize("how", ["mean", "median", "borda", "rra"])
def test_equal_columns_of_ranks_come_out_equal(how):
    ranks = random_ranks(7, 12)
    twice = np.hstack([ranks, ranks[::-1]])
    found = aggregate(twice, how).importances
    assert np.array_equal(found[:12], found[12:])


@pytest.mark.parametrize("how", ["mean", "median", "borda", "rra"])
def test_one_ranking_keeps_its_order(how):
    ranks = random_ranks(1, 20)
    assert np.array_equal(np.argsort(-aggregate(ranks, how).importances), np.argsort(ranks[0]))


@pytest.mark.parametrize("how", ["mean", "median", "borda", "rra"])
def test_one_unit(how):
    found = aggregate(np.ones((3, 1)), how)
    assert found.importances.shape == (1,)
    assert found.importances[0] >= 0
    assert how != "rra" or found.p_values[0] == 1


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_weighted_median_of_equal_weights_is_the_median(n):
    values = np.random.default_rng(n).normal(size=(n, 9))
    np.testing.assert_allclose(
        weighted_median(values, np.full(n, 1 / n)), np.median(values, axis=0), atol=1e-15
    )


def test_ties_count_as_the_worst_of_them():
    ranks = np.array([[1.0, 3, 3, 3, 5], [2.0, 2, 2, 4.5, 4.5]])
    assert worst_of_ties(ranks).tolist() == [[1, 4, 4, 4, 5], [3, 3, 3, 5, 5]]


@pytest.mark.parametrize("ties", [False, True], ids=["strict", "ties"])
def test_agreement_is_spearmans_correlation(ties):
    ranks = random_ranks(4, 30, ties=ties)
    np.testing.assert_allclose(agreement(ranks), stats.spearmanr(ranks.T).statistic, atol=1e-12)


def test_a_ranking_that_tells_nothing_apart_agrees_with_none():
    found = agreement(np.array([[1.0, 2, 3], [2, 2, 2]]))
    assert np.isnan(found[0, 1])
    assert np.array_equal(np.diag(found), [1, 1])


@pytest.mark.parametrize(
    ("order", "criterion", "expected"),
    [
        ([2, 0], [1.0, 2.0], [2, 1, 3]),
        ([2, 0], [1.0, 1.0], [2.5, 1, 2.5]),
        ([], [], [2, 2, 2]),
        ([1], [5.0], [1.5, 3, 1.5]),
        ([0, 1, 2], [0.0, 0.0, 0.0], [2, 2, 2]),
        ([2, 1, 0], [1.0, 0.0, 1.0], [1, 2, 3]),
    ],
    ids=["strict", "tied", "none left", "two stay", "all tied", "equal, but not in a row"],
)
def test_ranks_go_by_when_units_left(order, criterion, expected):
    found = ranks_along(np.array(order, dtype=int), np.array(criterion), 3)
    assert found.tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_ranks_along_a_path_add_up(seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(20)[:17]
    ranks = ranks_along(order, rng.integers(0, 4, 17).astype(float), 20)
    assert ranks.sum() == 20 * 21 / 2
    assert (np.diff(ranks[order]) <= 0).all()
