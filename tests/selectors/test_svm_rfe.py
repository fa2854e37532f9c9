"""SVMRFE against scikit-learn's RFE and RFECV, and what is its own."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE, RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from featprune import SVMRFE


def svc(**parameters):
    return SVC(kernel="linear", tol=1e-9, **parameters)


def linear_svc(**parameters):
    return LinearSVC(dual=False, tol=1e-10, max_iter=100_000, **parameters)


def table(n_classes=2, n_samples=80, n_features=15, seed=0):
    return make_classification(
        n_samples=n_samples,
        n_features=n_features,
        n_informative=min(6, n_features - 2),
        n_classes=n_classes,
        random_state=seed,
    )


@pytest.mark.parametrize("machine", [svc(), linear_svc()], ids=["SVC", "LinearSVC"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("step", [1, 3, 0.2], ids=lambda step: f"step={step}")
@pytest.mark.parametrize("k", [1, 4, 0.5], ids=lambda k: f"k={k}")
def test_ranking_equals_rfe(machine, n_classes, step, k):
    X, y = table(n_classes)
    peer = RFE(machine, n_features_to_select=k, step=step).fit(X, y)
    ours = SVMRFE(machine, n_features_to_select=k, step=step, standardize=False).fit(X, y)
    assert np.array_equal(ours.ranking_, peer.ranking_)
    assert np.array_equal(ours.support_, peer.support_)
    assert ours.n_features_ == peer.n_features_


def test_ranking_equals_rfe_with_class_and_sample_weights():
    X, y = table()
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    machine = svc(class_weight={0: 1, 1: 3}, C=0.1)
    peer = RFE(machine, n_features_to_select=1).fit(X, y, sample_weight=weight)
    ours = SVMRFE(machine, n_features_to_select=1, standardize=False)
    assert np.array_equal(ours.fit(X, y, sample_weight=weight).ranking_, peer.ranking_)


@pytest.mark.parametrize("name", ["dm_alon", "gems_SRBCT"])
def test_ranking_equals_rfe_on_genes(data_folder, name):
    data = np.load(data_folder / f"genes/{name}.npz")
    X, y = StandardScaler().fit_transform(data["X"][:, :150]), data["y"]
    _, first = np.unique(X, axis=1, return_index=True)
    X = X[:, np.sort(first)]  # of exact copies RFE drops the left one, we the right one
    peer = RFE(svc(), n_features_to_select=1).fit(X, y)
    ours = SVMRFE(svc(), n_features_to_select=1, standardize=False).fit(X, y)
    assert np.array_equal(ours.ranking_, peer.ranking_)


def test_standardising_is_scaling_before():
    X, y = load_breast_cancer(return_X_y=True)
    peer = RFE(svc(), n_features_to_select=3).fit(StandardScaler().fit_transform(X), y)
    ours = SVMRFE(svc(), n_features_to_select=3).fit(X, y)
    assert np.array_equal(ours.ranking_, peer.ranking_)


@pytest.mark.parametrize("scoring", [None, "balanced_accuracy", "roc_auc", "f1"])
@pytest.mark.parametrize("machine", [svc(), linear_svc()], ids=["SVC", "LinearSVC"])
@pytest.mark.parametrize("step", [1, 4], ids=lambda step: f"step={step}")
def test_cross_validation_equals_rfecv(scoring, machine, step):
    X, y = table(n_features=10)
    peer = RFECV(machine, cv=4, scoring=scoring, step=step).fit(X, y)
    ours = SVMRFE(
        machine, n_features_to_select="best", cv=4, scoring=scoring, step=step, standardize=False
    ).fit(X, y)
    assert set(ours.cv_results_) == set(peer.cv_results_)
    for key, values in peer.cv_results_.items():
        np.testing.assert_allclose(ours.cv_results_[key], values, atol=1e-12, err_msg=key)
    assert np.array_equal(ours.support_, peer.support_)
    assert np.array_equal(ours.ranking_, peer.ranking_)


@pytest.mark.parametrize(("shape", "break_ties"), [("ovr", False), ("ovr", True), ("ovo", False)])
@pytest.mark.parametrize("scoring", [None, "f1_macro"])
def test_labels_of_many_classes_equal_rfecv(shape, break_ties, scoring):
    X, y = table(n_classes=4, n_samples=120, n_features=8)
    machine = svc(decision_function_shape=shape, break_ties=break_ties)
    peer = RFECV(machine, cv=3, scoring=scoring).fit(X, y)
    ours = SVMRFE(
        machine, cv=3, scoring=scoring, n_features_to_select="best", standardize=False
    ).fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], peer.cv_results_["mean_test_score"], atol=1e-12
    )


def test_roc_auc_of_many_classes_needs_probabilities_and_says_so():
    X, y = table(n_classes=3)
    with pytest.raises(ValueError, match=r"scoring='roc_auc_ovr' asks an SVM for more than"):
        SVMRFE(scoring="roc_auc_ovr").fit(X, y)


def test_a_scorer_of_ones_own_gets_the_held_out_rows():
    X, y = table(n_features=6)

    def hits(model, X_test, y_test):
        assert len(X_test) == len(y_test)
        return float((model.predict(X_test) == y_test).sum())

    ours = SVMRFE(cv=4, scoring=hits, n_features_to_select="best").fit(X, y)
    plain = SVMRFE(cv=4, n_features_to_select="best").fit(X, y)
    np.testing.assert_allclose(ours.path_.scores / 20, plain.path_.scores)


def test_a_score_that_is_never_a_number_is_refused():
    X, y = table(n_features=6)
    with pytest.raises(ValueError, match=r"NaN at every size. Choose another scoring"):
        SVMRFE(scoring=lambda *_: np.nan).fit(X, y)


def test_one_se_is_the_smallest_within_one_standard_error():
    X, y = load_breast_cancer(return_X_y=True)
    fitted = SVMRFE().fit(X, y)
    mean, error, sizes = fitted.path_.mean_scores, fitted.path_.score_errors, fitted.path_.sizes
    best = mean.argmax()
    within = sizes[mean >= mean[best] - error[best]]
    assert fitted.size_ == within.min()
    assert fitted.reselect("best").size_ == sizes[mean == mean.max()].min()


def test_groups_are_scored_by_the_sum_of_squares():
    X, y = table(n_features=9)
    groups = {"a": [0, 4], "b": [1, 2, 8]}
    fitted = SVMRFE(svc(), feature_groups=groups, n_features_to_select=1, standardize=False).fit(
        X, y
    )
    units = [[0, 4], [1, 2, 8], [3], [5], [6], [7]]
    left, order = list(range(6)), []
    while len(left) > 1:  # the slow, obvious version
        columns = [column for unit in left for column in units[unit]]
        squares = dict(zip(columns, (svc().fit(X[:, columns], y).coef_ ** 2)[0], strict=True))
        scores = [sum(squares[column] for column in units[unit]) for unit in left]
        order.append(left.pop(int(np.argmin(scores))))
    assert fitted.path_.order.tolist() == order
    assert fitted.path_.names == ("a", "b", "x3", "x5", "x6", "x7")


def test_a_category_is_judged_as_a_whole():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    frame = pd.DataFrame(
        {
            "tells": pd.Categorical(np.where(y, "a", "b")).rename_categories({"a": "yes"}),
            "levels": pd.Categorical(rng.integers(0, 12, 120).astype(str)),
            "noise": rng.normal(size=120),
        }
    )
    fitted = SVMRFE(n_features_to_select=1).fit(frame, y)
    assert fitted.get_feature_names_out().tolist() == ["tells"]
    assert fitted.importances_.argmax() == 0


def test_missing_values_can_tell():
    rng = np.random.default_rng(0)
    y = np.arange(100) % 2
    frame = pd.DataFrame({"hole": rng.normal(size=100), "noise": rng.normal(size=100)})
    frame.loc[y == 1, "hole"] = np.where(rng.random(50) < 0.8, np.nan, 0.0)
    fitted = SVMRFE(n_features_to_select=1).fit(frame, y)
    assert fitted.get_feature_names_out().tolist() == ["hole"]


def test_selection_stays_inside_the_folds():
    """Pure noise: chosen on all rows it looks like knowledge, chosen in each fold it does not."""
    model, folds = LogisticRegression(), StratifiedKFold(5, shuffle=True, random_state=0)
    selector = SVMRFE(n_features_to_select=10)
    trapped, honest = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(60, 1000)), np.arange(60) % 2
        trapped.append(cross_val_score(model, selector.fit_transform(X, y), y, cv=folds).mean())
        honest.append(cross_val_score(make_pipeline(selector, model), X, y, cv=folds).mean())
    assert np.mean(trapped) > 0.9
    assert abs(np.mean(honest) - 0.5) < 0.05


def test_noise_is_said_to_be_noise():
    warned = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(60, 8)), np.arange(60) % 2
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            SVMRFE().fit(X, y)
        warned += any("surely better than guessing" in str(one.message) for one in caught)
    assert warned >= 17  # the best of 8 sizes passes a test at 5 % a little more often than that


def test_a_majority_that_is_never_left_is_said_to_be_guessing():
    X, y = make_classification(
        n_samples=300, n_features=6, weights=[0.97], flip_y=0, class_sep=0.1, random_state=3
    )
    with pytest.warns(UserWarning, match=r"class_weight='balanced'"):
        SVMRFE().fit(X, y)


def test_baseline_is_what_guessing_scores():
    X, y = load_iris(return_X_y=True)
    keep = np.r_[0:50, 50:80, 100:120]
    fitted = SVMRFE(cv=5).fit(X[keep], y[keep])
    assert fitted.path_.mean_baseline == pytest.approx(0.5)
    fitted = SVMRFE(LinearSVC(dual=False), cv=5, scoring="balanced_accuracy").fit(X, y)
    assert fitted.path_.mean_baseline == pytest.approx(1 / 3)


def test_groups_of_samples_are_kept_together():
    X, y = table(n_samples=60, n_features=5)
    groups = np.arange(60) // 6
    fitted = SVMRFE(cv=GroupKFold(5)).fit(X, y, groups=groups)
    assert len(fitted.path_.scores) == 5
    with pytest.raises(ValueError, match="groups"):
        SVMRFE(cv=GroupKFold(5)).fit(X, y)


def test_any_splitter_or_list_of_splits_is_taken():
    X, y = table(n_samples=60, n_features=5)
    folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    by_splitter = SVMRFE(cv=folds).fit(X, y)
    by_list = SVMRFE(cv=list(folds.split(X, y))).fit(X, y)
    assert np.array_equal(by_splitter.path_.scores, by_list.path_.scores)
    assert len(by_list.path_.scores) == 6


def test_a_class_may_be_missing_from_a_fold():
    X, y = load_iris(return_X_y=True)
    some = np.r_[0:25, 50:75, 100:125]
    # row 77 lies exactly on the border between two classes: its side is a matter of rounding
    splits = [(np.r_[0:100], np.r_[100:150]), *[(some, np.r_[75:77, 78:100])] * 9]
    fitted = SVMRFE(cv=splits).fit(X, y)
    assert (fitted.path_.scores[0] == 0).all()
    assert fitted.path_.scores[1].max() == 1


def test_a_fold_of_one_class_is_refused():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"Only one class, 0, is among the training rows"):
        SVMRFE(cv=[(np.r_[0:50], np.r_[50:150])]).fit(X, y)


@pytest.mark.parametrize(
    ("machine", "error", "message"),
    [
        (RandomForestClassifier(), TypeError, r"must be an SVC, .* Got RandomForestClassifier\(\)"),
        (NuSVC(), TypeError, r"Got NuSVC\(\) instead"),
        (SVC, TypeError, r"Got <class"),
        ("svc", TypeError, r"Got 'svc' instead"),
        (SVC(kernel="precomputed"), ValueError, r"'kernel' parameter of the SVC that SVMRFE gets"),
    ],
    ids=["forest", "NuSVC", "class", "string", "precomputed"],
)
def test_an_estimator_that_has_no_road_is_refused(machine, error, message):
    X, y = table()
    with pytest.raises(error, match=message):
        SVMRFE(machine).fit(X, y)


BAD_OPTIONS = {
    "criterion": ({"criterion": "weight"}, ValueError, r"'delta_j' or 'pseudo_samples'. Got 'wei"),
    "flag": ({"rescale_gamma": 1}, ValueError, r"'rescale_gamma'.*True or False. Got 1"),
    "no gamma": ({"rescale_gamma": True}, ValueError, r"needs an SVC or SVR with gamma='scale'"),
    "number": (
        {"rescale_gamma": True, "estimator": SVC(gamma=0.1)},
        ValueError,
        r"needs an SVC or SVR with gamma='scale'.*Got SVC\(gamma=0.1\)",
    ),
    "callable": (
        {"rescale_gamma": True, "estimator": SVC(kernel=np.dot)},
        ValueError,
        r"needs an SVC or SVR with gamma='scale'",
    ),
    "pseudo": (
        {"criterion": "pseudo_samples", "estimator": LinearSVC()},
        ValueError,
        r"is there for SVC and SVR. Got LinearSVC\(\).* Pass SVC\(kernel='linear'\)",
    ),
    "time 0": ({"time_limit": 0}, ValueError, r"'time_limit'.*a number > 0.*Got 0 instead"),
    "time NaN": ({"time_limit": np.nan}, ValueError, r"'time_limit'.*Got nan instead"),
    "time True": ({"time_limit": True}, TypeError, r"'time_limit'.*Got True instead"),
    "time []": ({"time_limit": []}, TypeError, r"'time_limit'.*Got \[\] instead"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS, ids=BAD_OPTIONS.keys())
def test_an_option_that_cannot_be_used_is_refused(case):
    X, y = table()
    options, error, message = BAD_OPTIONS[case]
    with pytest.raises(error, match=message):
        SVMRFE(**options).fit(X, y)


def test_numbers_that_are_no_classes_are_sent_to_a_regressor():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=r"is a classifier. Pass a regressor, estimator=SVR\("):
        SVMRFE().fit(X, y)


@pytest.mark.parametrize("step", [0, -1, 1.5, "x", True], ids=repr)
def test_a_step_that_cannot_be_used_is_refused(step):
    X, y = table()
    message = rf"The 'step' parameter of SVMRFE must be .* Got {step!r} instead"
    with pytest.raises((ValueError, TypeError), match=message):
        SVMRFE(step=step).fit(X, y)


@pytest.mark.parametrize("rule", [0, 2.5, "x", None], ids=repr)
def test_reselect_refuses_what_is_no_rule(rule):
    X, y = table()
    fitted = SVMRFE(n_features_to_select=3).fit(X, y)
    with pytest.raises((ValueError, TypeError), match=r"'rule' parameter of SVMRFE.reselect"):
        fitted.reselect(rule)
    assert fitted.size_ == 3


def test_verbose_shows_a_bar_on_standard_error(capsys):
    X, y = table(n_features=5)
    SVMRFE(verbose=True).fit(X, y)
    said = capsys.readouterr()
    assert said.out == ""
    assert "SVMRFE: eliminating" in said.err
    assert "left 0:00:00" in said.err
    SVMRFE().fit(X, y)
    assert capsys.readouterr().err == ""
