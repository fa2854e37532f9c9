from dataclasses import replace

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import RFE

from featprune import EliminationPath
from featprune.cut import check_rule, cut, size_explaining


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


@pytest.mark.parametrize("share", [0.1, 0.29, 0.3, 0.57, 0.7, 0.999])
@pytest.mark.parametrize("n_units", [10, 100])
def test_a_share_is_rounded_as_rfe_does(share, n_units):
    X = np.random.default_rng(0).normal(size=(20, n_units))
    peer = RFE(LinearDiscriminantAnalysis(), n_features_to_select=share, step=0.5)
    peer.fit(X, np.arange(20) % 2)
    sizes = tuple(range(n_units, 0, -1))
    assert cut(path(None, sizes=sizes, n_units=n_units), share) == peer.n_features_


def test_a_share_below_the_paths_end_is_its_end():
    assert cut(path(None, sizes=(5, 4, 3)), 0.1) == 3


def test_a_path_that_never_removes_has_one_size():
    one = path([[0.5], [0.7]], sizes=(5,))
    assert [cut(one, rule) for rule in ("best", "one_se", 5, 0.2)] == [5] * 4


def test_a_fold_without_a_score_rules_its_size_out():
    scores = [[0.5, 0.6, np.nan, 0.6, 0.1], [0.5, 0.6, 0.9, 0.6, 0.1]]
    assert cut(path(scores), "best") == 2
    assert cut(path(scores), "one_se") == 2


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1.0, ValueError),
        (1.5, ValueError),
        (0.0, ValueError),
        (np.nan, ValueError),
        ("x", ValueError),
        (True, TypeError),
        (None, TypeError),
        ([1], TypeError),
        (np.bool_(True), TypeError),
    ],
    ids=repr,
)
def test_what_is_no_rule_is_refused(rule, error):
    message = r"The 'n' parameter of Me must be an int >= 1, .* Got .* instead"
    with pytest.raises(error, match=message):
        check_rule(rule, "n", "Me")


@pytest.mark.parametrize("rule", [1, np.int32(7), 0.5, np.float32(0.25), "best", "one_se"])
def test_rules_are_let_through(rule):
    check_rule(rule, "n", "Me")


@pytest.mark.parametrize(("share", "size"), [(1, 4), (0.9, 3), (0.85, 3), (0.5, 1), (0.1, 1)])
def test_the_fewest_that_explain_enough(share, size):
    one = replace(path(None), explained=np.array([1, 1, 0.9, 0.8, 0.5]))
    assert size_explaining(one, share) == size


def test_a_path_that_does_not_say_what_is_explained():
    with pytest.raises(ValueError, match="does not say what is explained"):
        size_explaining(path(None), 0.9)
