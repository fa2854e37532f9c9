import numpy as np
import pytest

from featprune import EliminationPath
from featprune.cut import cut


def path(scores, sizes=(5, 4, 3, 2, 1), n_units=5):
    scores = None if scores is None else np.array(scores, dtype=float)
    folds = 0 if scores is None else len(scores)
    n_removed = n_units - sizes[-1]
    return EliminationPath(
        names=tuple(f"x{i}" for i in range(n_units)),
        order=np.arange(n_removed),
        criterion=np.ones(n_removed),
        sizes=np.array(sizes),
        scores=scores,
        fold_orders=None if scores is None else np.tile(np.arange(n_removed), (folds, 1)),
        baseline=None if scores is None else np.zeros(folds),
    )


@pytest.mark.parametrize(
    ("scores", "rule", "size"),
    [
        ([[1, 3, 2, 0, 0]], "best", 4),
        ([[3, 3, 3, 0, 0]], "best", 3),
        ([[1, 3, np.nan, 3, np.nan]], "best", 2),
        ([[1, 3, 2, 0, 0]], "one_se", 4),
        # at size 4 the mean is 3 and the error 1: 2 is within, 1.9 is not
        ([[1, 2, 2, 1.9, 0], [1, 4, 2, 1.9, 0]], "one_se", 3),
        ([[1, 2, 2, 1.9, 2.5], [1, 4, 2, 1.9, 2.5]], "one_se", 1),
    ],
    ids=["best", "tie: the smaller", "NaN is left out", "one fold", "one error", "beyond a dip"],
)
def test_scored_rules(scores, rule, size):
    assert cut(path(scores), rule) == size


@pytest.mark.parametrize(
    ("rule", "size"), [(1, 1), (5, 5), (np.int64(2), 2), (0.5, 2), (0.99, 4), (0.01, 1)]
)
def test_counts_and_shares(rule, size):
    assert cut(path(None), rule) == size


def test_a_size_between_two_steps_can_be_had():
    assert cut(path(None, sizes=(5, 3, 1)), 4) == 4


def test_more_than_there_are_warns():
    with pytest.warns(UserWarning, match=r"=9 is more than the 5 there are: all of them"):
        assert cut(path(None), 9) == 5


def test_less_than_the_path_reaches_is_refused():
    with pytest.raises(ValueError, match=r"asks for 2, but .* hold 3. Ask for at least 3"):
        cut(path(None, sizes=(5, 4, 3)), 2)


@pytest.mark.parametrize("rule", ["best", "one_se"])
def test_a_scored_rule_without_scores_is_refused(rule):
    with pytest.raises(ValueError, match=rf"'{rule}' needs a score at each size"):
        cut(path(None), rule)


def test_scores_that_are_all_nan_are_refused():
    with pytest.raises(ValueError, match=r"NaN at every size. Choose another scoring"):
        cut(path([[np.nan] * 5]), "best")
