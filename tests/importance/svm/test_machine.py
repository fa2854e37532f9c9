"""What a machine asks for, against fitted machines; and which are refused."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from featprune.importance.svm.machine import check_machine, kernel_parameters, row_bounds

BAD = {
    "precomputed": (
        SVC(kernel="precomputed"),
        r"must be 'linear', 'rbf', .* Got kernel='precomputed'",
    ),
    "unknown kernel": (SVR(kernel="rfb"), r"must be 'linear', 'rbf', .* Got kernel='rfb'"),
    "probability": (SVC(probability=True), r"'probability'.*must be False.*Got probability=True"),
    "l1": (LinearSVC(penalty="l1"), r"'penalty'.*must be 'l2'. Got penalty='l1'"),
    "crammer": (LinearSVC(multi_class="crammer_singer"), r"'multi_class'.*must be 'ovr'. Got"),
    "loss": (LinearSVC(loss="log"), r"must be 'hinge' or 'squared_hinge'. Got loss='log'"),
    "loss SVR": (LinearSVR(loss="l1"), r"must be 'epsilon_insensitive' or .* Got loss='l1'"),
    "C=0": (SVC(C=0), r"'C' parameter of the SVC .* must be a number > 0. Got C=0"),
    "C=inf": (LinearSVC(C=np.inf), r"'C' parameter of the LinearSVC .* Got C=inf"),
    "C=None": (SVR(C=None), r"'C' parameter of the SVR .* Got C=None"),
    "epsilon": (LinearSVR(epsilon=-1), r"'epsilon'.*must be a number >= 0. Got epsilon=-1"),
    "scaling": (LinearSVC(intercept_scaling=0), r"'intercept_scaling'.*a number > 0"),
    "gamma": (SVC(gamma="wide"), r"'gamma'.*'scale', 'auto' or a number >= 0. Got gamma='wide'"),
    "degree": (SVC(kernel="poly", degree=2.5), r"'degree'.*an int >= 0. Got degree=2.5"),
    "coef0": (SVC(coef0=np.nan), r"'coef0'.*must be a number. Got coef0=nan"),
    "class_weight": (SVC(class_weight="equal"), r"'class_weight'.*a dict, 'balanced' or None"),
    "shape": (SVC(decision_function_shape="x"), r"'decision_function_shape'.*'ovr' or 'ovo'"),
}


@pytest.mark.parametrize("case", BAD, ids=BAD.keys())
def test_a_parameter_without_a_road_is_named(case):
    machine, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        check_machine(machine, "SVMRFE")


@pytest.mark.parametrize(
    "machine",
    [
        SVC(),
        SVC(kernel=np.dot, class_weight={0: 2}),
        SVC(kernel="poly", degree=0, gamma=0),
        LinearSVC(loss="hinge", fit_intercept=False),
        SVR(epsilon=0, max_iter=3),
        LinearSVR(loss="squared_epsilon_insensitive"),
    ],
    ids=repr,
)
def test_what_scikit_learn_takes_is_taken(machine):
    check_machine(machine, "SVMRFE")


def some_rows(n_classes):
    X, y = load_iris(return_X_y=True)
    keep = np.r_[0:50, 60:100, 120:150][: 150 if n_classes == 3 else 90]
    weight = np.random.default_rng(0).uniform(0.2, 3, len(keep))
    return X[keep], y[keep], weight


WEIGHTS = [None, "balanced", {0: 0.5, 1: 3.0}, {1: 0.1}]


@pytest.mark.parametrize("class_weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False], ids=["weights", "no weights"])
def test_bounds_of_svc_are_those_that_it_fits_with(class_weight, n_classes, weighted):
    X, y, weight = some_rows(n_classes)
    weight = weight if weighted else None
    machine = SVC(kernel="linear", C=0.3, class_weight=class_weight, tol=1e-9)
    bounds = row_bounds(machine, y, weight)
    plain = SVC(kernel="linear", C=1, tol=1e-9).fit(X, y, sample_weight=bounds)
    machine.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(plain.coef_, machine.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(plain.intercept_, machine.intercept_, rtol=1e-6)


@pytest.mark.parametrize("class_weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False], ids=["weights", "no weights"])
def test_bounds_of_linear_svc_are_those_of_each_of_its_problems(class_weight, n_classes, weighted):
    X, y, weight = some_rows(n_classes)
    weight = weight if weighted else None
    parameters = {"tol": 1e-10, "dual": False, "max_iter": 10_000}
    machine = LinearSVC(C=0.3, class_weight=class_weight, **parameters)
    bounds = row_bounds(machine, y, weight)
    machine.fit(X, y, sample_weight=weight)
    assert bounds.shape == (len(machine.coef_), len(y))
    classes = [1] if n_classes == 2 else [0, 1, 2]
    for c, bound, coef in zip(classes, bounds, machine.coef_, strict=True):
        one = LinearSVC(C=1, **parameters).fit(X, y == c, sample_weight=bound)
        np.testing.assert_allclose(one.coef_[0], coef, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("machine", [SVR(kernel="linear", C=3), LinearSVR(C=3)], ids=repr)
def test_bounds_of_regressors_are_c_times_the_weights(machine):
    weight = np.array([1.0, 0.5, 2.0])
    assert row_bounds(machine, np.arange(3.0), weight).tolist() == [3.0, 1.5, 6.0]
    assert row_bounds(machine, np.arange(3.0), None).tolist() == [3.0] * 3


def test_a_class_weight_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"Each class_weight of SVC must be above 0. Got \{0: 0"):
        row_bounds(SVC(class_weight={0: 0, 1: 1}), np.array([0, 1]), None)


def test_a_class_weight_for_a_class_that_is_not_there_is_scikit_learns_error():
    y = np.array([0, 1])
    machine = SVC(class_weight={7: 2.0})
    with pytest.raises(ValueError, match=r"are not in class_weight") as theirs:
        machine.fit([[0.0], [1.0]], y)
    with pytest.raises(ValueError, match=r"are not in class_weight") as ours:
        row_bounds(machine, y, None)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.3])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_gamma_is_that_of_a_fitted_machine(gamma, container):
    X, y = make_classification(60, 7, random_state=0)
    X = container(np.where(np.abs(X) < 0.3, 0.0, X) * 3)
    number = kernel_parameters(SVC(gamma=gamma), X)["gamma"]
    assert isinstance(number, float)
    by_rule = SVC(gamma=gamma).fit(X, y).decision_function(X)
    assert np.array_equal(SVC(gamma=number).fit(X, y).decision_function(X), by_rule)


def test_gamma_of_a_constant_table_is_one():
    assert kernel_parameters(SVC(), np.ones((4, 3)))["gamma"] == 1.0


def test_the_linear_kernel_is_a_polynomial_of_degree_one():
    expected = {"kernel": "poly", "gamma": 1.0, "degree": 1, "coef0": 0.0}
    assert kernel_parameters(SVC(kernel="linear", gamma=5.0), np.ones((4, 3))) == expected
