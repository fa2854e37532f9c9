import numpy as np
import pytest

from featprune.ranking import fold, weakest_first


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ([3, 1, 2], [1, 2, 0]),
        ([1, 1, 1], [2, 1, 0]),
        ([0, 2, 0, 1], [2, 0, 3, 1]),
        ([], []),
    ],
    ids=["plain", "all equal", "some equal", "none"],
)
def test_the_weakest_comes_first_and_of_equals_the_later(scores, order):
    assert weakest_first(np.array(scores, dtype=float)).tolist() == order


def test_features_are_summed_into_their_owners():
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    assert fold(scores, np.array([0, 3, 3, 1]), 5).tolist() == [1, 4, 0, 5, 0]


def test_order_is_a_permutation_and_nan_goes_last():
    scores = np.array([np.nan, 1.0, -0.0, 0.0, np.inf, np.nan])
    order = weakest_first(scores)
    assert sorted(order) == list(range(6))
    assert order[:4].tolist() == [3, 2, 1, 4]
    assert weakest_first(scores[::2].copy()).tolist() == [1, 2, 0]


def test_the_tie_rule_is_all_that_a_permutation_can_change():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, 40).astype(float)
    before = scores.copy()
    shuffled = rng.permutation(40)
    assert (scores[weakest_first(scores)] == np.sort(scores)).all()
    assert (scores[shuffled][weakest_first(scores[shuffled])] == np.sort(scores)).all()
    assert (scores == before).all()


def test_folding_nothing_gives_every_owner_zero():
    assert fold(np.array([]), np.array([], dtype=np.intp), 3).tolist() == [0, 0, 0]
