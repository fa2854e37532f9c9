"""SVMRFE with regressors: a target of numbers."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import RFE, RFECV
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR

from featprune import SVMRFE

# with three folds of few rows, hardly a score is sure to be better than guessing
pytestmark = pytest.mark.filterwarnings("ignore:.*found no size whose score is surely better than")

SQUARED = "squared_epsilon_insensitive"
LINEAR = {
    "SVR": SVR(kernel="linear", C=30, epsilon=5, tol=1e-9),
    "LinearSVR": LinearSVR(C=0.5, epsilon=5, tol=1e-9, max_iter=1_000_000, random_state=0),
    "LinearSVR, squared": LinearSVR(C=0.5, loss=SQUARED, dual=False, tol=1e-10, max_iter=9999),
}
REGRESSORS = LINEAR | {"RBF": SVR(C=50), "poly": SVR(kernel="poly", degree=2, coef0=1, C=20)}
each_regressor = pytest.mark.parametrize("machine", REGRESSORS.values(), ids=REGRESSORS.keys())
each_linear = pytest.mark.parametrize("machine", LINEAR.values(), ids=LINEAR.keys())


def table(n_rows=150):
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[:n_rows]), y[:n_rows]


@each_linear
@pytest.mark.parametrize("step", [1, 3, 0.2], ids=lambda step: f"step={step}")
def test_ranking_equals_rfe(machine, step):
    X, y = table()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    peer = RFE(machine, n_features_to_select=1, step=step).fit(X, y, sample_weight=weight)
    ours = SVMRFE(machine, n_features_to_select=1, step=step, standardize=False)
    assert np.array_equal(ours.fit(X, y, sample_weight=weight).ranking_, peer.ranking_)


@each_linear
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_cross_validation_equals_rfecv(machine, scoring):
    X, y = table()
    peer = RFECV(machine, cv=3, scoring=scoring).fit(X, y)
    ours = SVMRFE(
        machine, cv=3, scoring=scoring, n_features_to_select="best", standardize=False
    ).fit(X, y)
    for key, values in peer.cv_results_.items():
        np.testing.assert_allclose(ours.cv_results_[key], values, rtol=1e-5, atol=1e-6, err_msg=key)
    assert np.array_equal(ours.ranking_, peer.ranking_)


@each_regressor
@pytest.mark.parametrize("scoring", [None, "neg_root_mean_squared_error"])
def test_scores_along_the_path_are_those_of_refits(machine, scoring):
    X, y = table()
    folds = KFold(3, shuffle=True, random_state=0)
    ours = SVMRFE(
        machine, cv=folds, n_features_to_select="best", scoring=scoring, standardize=False
    ).fit(X, y)
    scorer = get_scorer(scoring or "r2")
    for fold, (train, test) in enumerate(folds.split(X, y)):
        fixed = clone(machine)
        if isinstance(machine, SVR):
            fixed.set_params(gamma=1 / (10 * X[train].var()), tol=1e-9)
        for i, size in enumerate(ours.path_.sizes):
            left = np.setdiff1d(np.arange(10), ours.path_.fold_orders[fold][: 10 - size])
            peer = fixed.fit(X[train][:, left], y[train])
            expected = scorer(peer, X[test][:, left], y[test])
            assert ours.path_.scores[fold, i] == pytest.approx(expected, rel=1e-5, abs=1e-5)
        mean = np.full(len(test), y[train].mean())
        if scoring is None:
            expected = 1 - ((y[test] - mean) ** 2).sum() / ((y[test] - y[test].mean()) ** 2).sum()
            assert ours.path_.baseline[fold] == pytest.approx(expected)


def test_folds_are_not_stratified():
    X, y = table(60)
    by_number = SVMRFE(SVR(kernel="linear", C=30), cv=4).fit(X, y)
    by_folds = SVMRFE(SVR(kernel="linear", C=30), cv=KFold(4)).fit(X, y)
    assert np.array_equal(by_number.path_.scores, by_folds.path_.scores)


@each_regressor
def test_what_tells_is_kept_and_what_does_not_goes(machine):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 12))
    y = 60 * X[:, 2] - 40 * X[:, 7] + rng.normal(size=120)
    fitted = SVMRFE(machine, n_features_to_select=2).fit(X, y)
    assert np.flatnonzero(fitted.support_).tolist() == [2, 7]


@each_regressor
def test_jobs_pickles_and_clones_change_nothing(machine):
    X, y = table()
    one = SVMRFE(machine, cv=3).fit(X, y)
    two = SVMRFE(machine, cv=3, n_jobs=2).fit(X, y)
    assert one.path_.scores.tobytes() == two.path_.scores.tobytes()
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    copy = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copy.reselect(3).support_, one.reselect(3).support_)
    assert clone(one).fit(X, y).path_.criterion.tobytes() == one.path_.criterion.tobytes()


@pytest.mark.parametrize(
    "make", [list, pd.Series, lambda y: y.astype(object), lambda y: y.astype(int)], ids=str
)
def test_a_target_of_numbers_may_come_as_it_likes(make):
    X, y = table(60)
    y = np.round(y)
    fitted = SVMRFE(SVR(kernel="linear"), n_features_to_select=3).fit(X, make(y))
    plain = SVMRFE(SVR(kernel="linear"), n_features_to_select=3).fit(X, y)
    assert np.array_equal(fitted.ranking_, plain.ranking_)


def test_numbers_written_as_words_are_refused():
    X, y = table(60)
    with pytest.raises(ValueError, match=r"y must hold numbers.*Got .*'151.0'.* Pass a classifier"):
        SVMRFE(SVR()).fit(X, y.astype(str))


def test_noise_is_said_to_be_noise_in_words_for_numbers():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match=r"surely better than guessing.*C and epsilon go by"):
        SVMRFE(SVR(kernel="linear")).fit(rng.normal(size=(60, 5)), rng.normal(size=60))


def test_a_real_table_of_all_kinds_of_columns(data_folder):
    frame = pd.read_parquet(data_folder / "tables/ames.parquet").iloc[::6].reset_index(drop=True)
    X, y = frame.drop(columns="price"), np.log(frame["price"].astype(float))
    fitted = SVMRFE(SVR(kernel="linear", C=0.01), cv=3, step=0.1).fit(X, y)
    assert fitted.path_.mean_scores.max() > 0.8
    assert 1 <= fitted.n_features_ < X.shape[1]
    assert fitted.transform(X).columns.isin(X.columns).all()


def test_a_real_table_ranks_as_rfe(data_folder):
    frame = pd.read_parquet(data_folder / "tables/california_housing.parquet").iloc[::40]
    frame = frame.select_dtypes("number").dropna()
    X = StandardScaler().fit_transform(frame.drop(columns="median_house_value"))
    y = frame["median_house_value"].to_numpy() / 1e5
    for machine in LINEAR.values():
        machine = clone(machine).set_params(epsilon=0.05)
        peer = RFE(machine, n_features_to_select=1).fit(X, y)
        ours = SVMRFE(machine, n_features_to_select=1, standardize=False).fit(X, y)
        assert np.array_equal(ours.ranking_, peer.ranking_)
