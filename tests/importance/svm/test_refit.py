"""The loop of refits against scikit-learn's RFE, and its end before its end."""

import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from featprune.importance.svm.refit import trace_refit

CLASSES = make_classification(80, 9, n_informative=5, n_classes=3, random_state=0)
NUMBERS = load_diabetes(return_X_y=True)
MACHINES = [
    (SVC(kernel="linear", tol=1e-9, break_ties=True), CLASSES),
    (LinearSVC(dual=False, tol=1e-10), CLASSES),
    (SVR(kernel="linear", C=50, tol=1e-9), NUMBERS),
    (
        LinearSVR(C=50, loss="squared_epsilon_insensitive", dual=False, tol=1e-10, max_iter=9999),
        NUMBERS,
    ),
]


def way(X, **options):
    n = X.shape[1]
    plain = {"unit": np.arange(n), "protected": np.zeros(n, dtype=bool), "floor": 1, "step": 1}
    return plain | options


@pytest.mark.parametrize(("machine", "data"), MACHINES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_refits_rank_as_rfe(machine, data, step, container):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    trace = trace_refit(machine, container(X), y, sample_weight=weight, **way(X, step=step))
    peer = RFE(machine, n_features_to_select=1, step=step).fit(X, y, sample_weight=weight)
    gone_in = np.repeat(np.arange(len(trace.sizes) - 1), -np.diff(trace.sizes))
    assert (gone_in[-1] - gone_in + 2).tolist() == peer.ranking_[trace.order].tolist()
    first = machine.fit(X, y, sample_weight=weight).coef_
    np.testing.assert_allclose(
        trace.importances, (np.atleast_2d(first) ** 2).sum(axis=0), rtol=1e-4
    )


@pytest.mark.parametrize(("machine", "data"), MACHINES, ids=lambda value: type(value).__name__)
def test_decisions_are_those_of_a_machine_fitted_on_what_is_left(machine, data):
    X, y = data
    trace = trace_refit(machine, X[10:], y[10:], held_out=X[:10], **way(X, floor=3, step=2))
    left = np.setdiff1d(np.arange(X.shape[1]), trace.order)
    assert trace.sizes[-1] == len(left) == 3
    peer = machine.fit(X[10:, left], y[10:])
    values = peer.predict if data is NUMBERS else peer.decision_function
    if isinstance(machine, SVC):
        peer.set_params(decision_function_shape="ovo", break_ties=False)
    np.testing.assert_array_equal(trace.decisions[-1], values(X[:10, left]).reshape(10, -1))


def test_a_deadline_ends_the_path_where_it_is():
    X, y = CLASSES
    trace = trace_refit(LinearSVC(), X, y, held_out=X, **way(X), deadline=time.monotonic() - 1)
    assert trace.sizes.tolist() == [9]
    assert trace.decisions.shape == (1, 80, 3)
    assert len(trace.order) == len(trace.criterion) == 0
    assert (trace.importances > 0).all()


def test_no_convergence_is_never_silent():
    X, y = CLASSES
    machine = LinearSVC(max_iter=1, dual=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"did not converge on 9 units within max_iter=1"):
        trace_refit(machine, X * 100, y, **way(X, floor=9))


def test_progress_counts_units():
    X, y = CLASSES
    told = []
    options = way(X, step=3, progress=lambda *numbers: told.append(numbers))
    trace_refit(SVC(kernel="linear"), X, y, **options)
    assert told == [(3, 8), (6, 8), (8, 8)]
