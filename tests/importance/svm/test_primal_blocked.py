"""Changes taken by blocks, on tables of fewer columns than they are for."""

import numpy as np
import pytest
from scipy import sparse
from test_primal import CS, KINDS, arguments, assert_same, classify, make, worst_gradient

from featprune.importance.svm import linear, primal, primal_blocked
from featprune.importance.svm.linear import trace_linear
from featprune.importance.svm.primal import trace_primal
from featprune.importance.svm.problems import regression


@pytest.fixture
def _as_it_is():
    """Ask for the sizes that users get."""


@pytest.fixture(autouse=True)
def _by_blocks(monkeypatch, request):
    if "_as_it_is" in request.fixturenames:
        return
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


@pytest.mark.parametrize("C", CS)
def test_an_inverse_that_is_worn_does_no_harm(monkeypatch, C):
    X, y = make(17, 300, 30, 3)
    make_anew = primal_blocked.inverse_of_ridge

    def worn(Z):
        inverse = make_anew(Z)
        noise = np.random.default_rng(5).normal(size=inverse.shape)
        return inverse * (1.0 + 1e-6 * (noise + noise.T))

    monkeypatch.setattr(primal_blocked, "inverse_of_ridge", worn)
    problems = classify(y, C)
    identity = np.vstack([np.eye(30), np.zeros(30)])
    trace = trace_primal(X, problems, held_out=identity, **arguments(30))
    assert worst_gradient(X, problems, 1.0, trace) < 1e-10


def test_a_block_may_end_between_a_column_and_its_optimum(monkeypatch):
    X, y = make(7, 120, 16, 2, "separable")
    ends = []
    correct = primal_blocked.Blocked._correct

    def now_and_then(model):
        ends.append(len(ends) % 2 == 0)
        return not ends[-1] and correct(model)

    monkeypatch.setattr(primal_blocked, "_ROUGH", -1.0)
    monkeypatch.setattr(primal_blocked.Blocked, "_correct", now_and_then)
    assert_same(X, classify(y))
    assert any(ends)


@pytest.mark.parametrize("part", ["_newton", "_is_rough"])
def test_what_does_not_come_to_an_end_is_started_over(monkeypatch, part):
    # steps that never end, or a gradient that never gets small, end in the other form's answer
    X, y = make(7, 120, 16, 2)
    answer = part == "_is_rough"
    monkeypatch.setattr(primal_blocked.Blocked, part, lambda model, *rounds: answer)
    monkeypatch.setattr(primal_blocked.Blocked, "_correct", lambda model: False)
    begun = []
    start_over = primal_blocked.Blocked._start_over
    monkeypatch.setattr(
        primal_blocked.Blocked, "_start_over", lambda model: begun.append(1) or start_over(model)
    )
    assert_same(X, classify(y))
    assert len(begun) >= 15


@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize("n_columns", [1020, 3010])
@pytest.mark.usefixtures("_as_it_is")
def test_many_rows_and_columns_take_this_road(monkeypatch, sparsely, n_columns):
    # 1020: from the start, and on to the other form at 1000; 3010: from the dual at twice the rows
    X, y = make(47, 1500, n_columns, 2)
    X = sparse.csr_matrix(np.where(np.abs(X) < 1.5, 0.0, X)) if sparsely else X
    # the dual looks up every 64 steps
    way = arguments(n_columns, floor=n_columns - 120)
    made = []
    prepare = primal_blocked.Blocked._prepare
    monkeypatch.setattr(
        primal_blocked.Blocked, "_prepare", lambda model, to: made.append(1) or prepare(model, to)
    )
    ours = trace_linear(X, classify(y, 1e-3), held_out=X[:5], **way)
    assert made
    monkeypatch.setattr(linear, "_MANY_ROWS", np.inf)
    dual = trace_linear(X, classify(y, 1e-3), held_out=X[:5], **way)
    assert np.array_equal(ours.order, dual.order)
    np.testing.assert_allclose(ours.criterion, dual.criterion, rtol=1e-6)
    np.testing.assert_allclose(ours.decisions, dual.decisions, rtol=0, atol=1e-8)
