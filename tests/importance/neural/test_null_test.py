"""The test against permuted targets, by loops, and at its edges."""

import numpy as np
import pytest

from featprune.importance.neural.null import null_test


def by_hand(real, null, seed_of):
    def relative(row):
        positive = sorted(value for value in row if value > 0)
        return np.array(row) / positive[(len(positive) - 1) // 4]

    real, null = [relative(row) for row in real], [relative(row) for row in null]
    heights, highest = [], [0.0] * len(null)
    for seed, row in enumerate(real):
        mine = [i for i, one in enumerate(seed_of) if one == seed]
        mean = np.mean([row, *(null[i] for i in mine)], axis=0)
        heights.append(row / mean)
        for i in mine:
            highest[i] = max(null[i] / mean)
    height = np.mean(heights, axis=0)
    p_values = [(1 + sum(high >= one for high in highest)) / (1 + len(null)) for one in height]
    return p_values, height


@pytest.mark.parametrize("n_units", [2, 5, 9], ids=str)
def test_is_what_loops_give(n_units):
    rng = np.random.default_rng(n_units)
    real, null = rng.gamma(3, size=(3, n_units)), rng.gamma(3, size=(20, n_units))
    real[:, 0] *= 6
    p_values, heights = null_test(real, null, np.arange(20) % 3)
    expected = by_hand(real, null, np.arange(20) % 3)
    np.testing.assert_allclose(p_values, expected[0])
    np.testing.assert_allclose(heights, expected[1])


def test_what_stands_out_has_the_least_p_value():
    rng = np.random.default_rng(0)
    real, null = rng.gamma(20, size=(3, 8)), rng.gamma(20, size=(19, 8))
    real[:, [2, 5]] *= 8
    p_values, _ = null_test(real, null, np.arange(19) % 3)
    assert np.flatnonzero(p_values <= 0.05).tolist() == [2, 5]
    assert p_values.min() == 1 / 20


def test_without_a_relation_few_tables_have_any_below_alpha():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        # weights that favour units from the start, and the chance relation to the target
        start = rng.gamma(5, size=(3, 10))
        real = start * rng.gamma(9, size=10) * rng.gamma(9, size=(3, 10))
        null = start[np.arange(20) % 3] * rng.gamma(9, size=(20, 10)) * rng.gamma(9, size=(20, 10))
        wrong += (null_test(real, null, np.arange(20) % 3)[0] <= 0.05).any()
    assert wrong <= 400 * 0.05


@pytest.mark.parametrize("factor", [1.0, 50.0], ids=["as steep", "steeper"])
def test_how_steep_a_network_is_does_not_matter(factor):
    rng = np.random.default_rng(1)
    real, null = rng.gamma(9, size=(2, 6)), rng.gamma(9, size=(20, 6))
    plain = null_test(real, null, np.arange(20) % 2)
    steep = null_test(factor * real, null, np.arange(20) % 2)
    np.testing.assert_allclose(plain[0], steep[0])
    np.testing.assert_allclose(plain[1], steep[1])


@pytest.mark.parametrize(
    ("real", "null"),
    [
        (np.full((1, 1), 3.0), np.ones((20, 1))),
        (np.zeros((2, 4)), np.zeros((20, 4))),
        (np.ones((2, 4)), np.ones((20, 4))),
        (np.ones((1, 4)), np.empty((0, 4))),
    ],
    ids=["one unit", "nothing is attributed", "all alike", "no permutation"],
)
def test_where_there_is_nothing_to_compare_no_unit_stands_out(real, null):
    p_values, heights = null_test(real, null, np.arange(len(null)) % len(real))
    assert (p_values == 1).all()
    assert np.isfinite(heights).all()


def test_units_of_no_attribution_do_not_disturb_the_others():
    rng = np.random.default_rng(0)
    real, null = rng.gamma(20, size=(3, 6)), rng.gamma(20, size=(19, 6))
    real[:, 1] *= 8
    wide = [np.insert(values, [0, 3, 6], 0.0, axis=1) for values in (real, null)]
    p_values, heights = null_test(*wide, np.arange(19) % 3)
    plain = null_test(real, null, np.arange(19) % 3)
    assert np.array_equal(p_values[[1, 2, 3, 5, 6, 7]], plain[0])
    assert (p_values[[0, 4, 8]] == 1).all()
    assert not heights[[0, 4, 8]].any()
