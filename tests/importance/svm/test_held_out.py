"""Scores of regressors along a path, against scikit-learn's scorers."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer
from sklearn.svm import SVR, LinearSVR

from featprune.importance.svm.held_out import guess_mean, score_path

SCORERS = [None, "r2", "neg_mean_absolute_error", "explained_variance", "neg_median_absolute_error"]


class Says(RegressorMixin, BaseEstimator):
    def __init__(self, values):
        self.values = values

    def predict(self, X):
        return self.values


@pytest.fixture
def path():
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    return y + rng.normal(size=(6, 30)), y, rng.uniform(0, 2, 30)


@pytest.mark.parametrize("scoring", SCORERS)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("machine", [SVR(), LinearSVR()], ids=repr)
def test_each_score_is_the_scorers(path, scoring, weighted, machine):
    values, y, weight = path
    weights = {"sample_weight": weight} if weighted else {}
    scores = score_path(machine, values[:, :, None], None, None, y, scoring=scoring, **weights)
    scorer = get_scorer(scoring or "r2")
    expected = [scorer(Says(row), None, y, **weights) for row in values]
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_a_scorer_of_ones_own_sees_predictions(path):
    values, y, _ = path
    scores = score_path(
        SVR(), values[:, :, None], None, y, y, scoring=lambda model, X, y: model.predict(X)[3]
    )
    assert np.array_equal(scores, values[:, 3])


def test_of_a_constant_target_only_the_perfect_is_worth_anything():
    values = np.array([[2.0, 2.0, 2.0], [2.0, 2.0, 2.1]])
    scores = score_path(SVR(), values[:, :, None], None, None, np.full(3, 2.0))
    assert scores.tolist() == [1.0, 0.0]


def test_one_row_has_no_r2():
    assert np.isnan(score_path(SVR(), np.ones((2, 1, 1)), None, None, np.ones(1))).all()


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
def test_probabilities_are_not_there(path, scoring):
    values, y, _ = path
    with pytest.raises(ValueError, match=r"probabilities|predict_proba"):
        score_path(SVR(), values[:, :, None], None, None, (y > 0).astype(int), scoring=scoring)


def test_a_guess_is_the_weighted_mean():
    guesses = guess_mean(np.array([1.0, 3.0]), 4, sample_weight=np.array([3.0, 1.0]))
    assert guesses.tolist() == [[[1.5]] * 4]
