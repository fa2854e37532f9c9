"""Changes taken by blocks, on tables of fewer columns than they are for."""

import numpy as np
import pytest
from scipy import sparse
from test_primal import CS, KINDS, arguments, assert_same, classify, make, worst_gradient

from featprune.importance.svm import primal, primal_blocked
from featprune.importance.svm.primal import trace_primal
from featprune.importance.svm.problems import regression


@pytest.fixture(autouse=True)
def _by_blocks(monkeypatch):
    monkeypatch.setattr(primal, "_WIDE", 0)
    monkeypatch.setattr(primal, "_LOW", np.inf)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", CS)
def test_equals_newton_refitted_at_every_size(kind, C):
    X, y = make(7, 120, 16, 3, kind)
    assert_same(X, classify(y, C))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", CS)
def test_every_model_is_optimal(kind, C):
    X, y = make(17, 300, 30, 3, kind)
    identity = np.vstack([np.eye(30), np.zeros(30)])
    trace = trace_primal(X, classify(y, C), held_out=identity, **arguments(30))
    assert worst_gradient(X, classify(y, C), 1.0, trace) < 1e-8


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_regression_equals_newton(epsilon):
    X, _ = make(13, 150, 14, 2)
    rng = np.random.default_rng(3)
    y = X[:, :5] @ rng.normal(size=5) + rng.normal(size=len(X)) + 3.0
    assert_same(X, regression(y, np.full(len(y), 1.0), epsilon, squared=True), step=2)


def test_columns_that_fade_end_where_newton_steps_do(monkeypatch):
    # no plain step ends: each sample is turned at its kink
    X, y = make(7, 120, 16, 2, "separable")
    faded = []
    fade = primal_blocked.Blocked._fade
    monkeypatch.setattr(primal_blocked, "_ROUNDS", 1)
    monkeypatch.setattr(
        primal_blocked.Blocked,
        "_fade",
        lambda model, *state: faded.append(1) or fade(model, *state),
    )
    assert_same(X, classify(y))
    assert faded


@pytest.mark.parametrize("step", [1, 3, 100])
def test_units_leave_whole(step):
    X, y = make(11, 150, 25, 3)
    unit = np.random.default_rng(2).permutation(np.arange(25) % 10)
    assert_same(X, classify(y), unit=unit, protected=np.arange(10) == 3, floor=2, step=step)


def test_sparse_equals_dense():
    X, y = make(29, 400, 60, 2)
    X[np.abs(X) < 1.8] = 0.0
    thin = trace_primal(sparse.csr_matrix(X), classify(y), **arguments(60))
    assert np.array_equal(thin.order, trace_primal(X, classify(y), **arguments(60)).order)
