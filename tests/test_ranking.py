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
