"""The squared-hinge path against LinearSVC refitted at every size, on either road."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.svm import LinearSVC

from featprune.importance.svm.squared import trace_squared

DATA = os.environ.get("FEATPRUNE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="FEATPRUNE_DATA, the folder of data/, is unset")


def load(name):
    with np.load(Path(DATA) / "data" / f"{name}.npz", allow_pickle=False) as file:
        return file["X"].astype(float), np.unique(file["y"], return_inverse=True)[1]


def make(seed, n, p, n_classes):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.append(np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)))
    centres = rng.normal(size=(n_classes, p)) * (rng.random(p) < 0.3)
    return rng.normal(size=(n, p)) + centres[y], y


def follow(X, y, *, C=1.0, weight=1.0, intercept=True, scaling=1.0, unit=None, **options):
    unit = np.arange(X.shape[1]) if unit is None else unit
    options = {"protected": np.zeros(unit.max() + 1, bool), "floor": 1, "step": 1, **options}
    return trace_squared(
        X, y, box=C * np.broadcast_to(weight, len(y)), fit_intercept=intercept,
        intercept_scaling=scaling, unit=unit, **options,
    )  # fmt: skip


def peer(C=1.0, intercept=True, scaling=1.0):
    return LinearSVC(
        C=C, dual=False, tol=1e-10, max_iter=100_000, fit_intercept=intercept,
        intercept_scaling=scaling,
    )  # fmt: skip


def brute_force(X, y, held_out, *, machine, weight=None, unit=None, protected=None, floor=1,
                step=1):  # fmt: skip
    """Refit on what is left; the smallest criteria go, of equal ones the larger unit."""
    unit = np.arange(X.shape[1]) if unit is None else unit
    left = np.ones(unit.max() + 1, dtype=bool)
    protected = ~left if protected is None else protected
    order, sizes, decisions = [], [], []
    while True:
        features = np.flatnonzero(left[unit])
        with warnings.catch_warnings():
            # it asks for more than float64 may give; what it has then is as good as it gets
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(X[:, features], y, sample_weight=weight)
        sizes.append(left.sum())
        decisions.append(machine.decision_function(held_out[:, features]).reshape(len(held_out), -1))
        if left.sum() <= floor:
            return np.array(order), np.array(sizes), np.array(decisions)
        squares = (machine.coef_**2).sum(axis=0)
        score = np.bincount(unit[features], squares, len(left))
        candidates = np.flatnonzero(left & ~protected)
        ranked = candidates[np.lexsort((-candidates, score[candidates]))]
        leaving = ranked[: min(step, left.sum() - floor)]
        left[leaving] = False
        order.extend(leaving)


def worst_residual(X, y, box, scale, trace):
    """Largest residual of ``f = Z Z' beta(f)`` on a path with step 1, relative to its terms."""
    n_classes = y.max() + 1
    signs = [np.where(y == c, 1.0, -1.0) for c in ([1] if n_classes == 2 else range(n_classes))]
    left, worst = np.ones(X.shape[1], dtype=bool), 0.0
    for model, decisions in enumerate(trace.decisions):
        if model:
            left[trace.order[model - 1]] = False
        Z = np.column_stack([X[:, left], np.full(len(X), scale)])
        for sign, f in zip(signs, decisions.T, strict=True):
            beta = 2.0 * box * np.maximum(0.0, 1.0 - sign * f) * sign
            terms = np.abs(Z) @ (np.abs(Z).T @ np.abs(beta))
            worst = max(worst, np.abs(Z @ (Z.T @ beta) - f).max() / max(terms.max(), 1.0))
    return worst


SHAPES = [
    pytest.param(15, 60, id="wide"),
    pytest.param(30, 30, id="square"),
    pytest.param(80, 25, id="tall"),
]


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("n_classes", [2, 3, 9])
@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0, 1e2])
@pytest.mark.parametrize("step", [1, 3])
def test_equals_refitting(n, p, n_classes, C, step):
    X, y = make(n + p + n_classes, n, p, n_classes)
    held_out = make(1, 7, p, 2)[0]
    weight = np.random.default_rng(0).uniform(0.2, 3.0, n)
    trace = follow(X, y, C=C, weight=weight, step=step, held_out=held_out)
    order, sizes, decisions = brute_force(
        X, y, held_out, machine=peer(C), weight=weight, step=step
    )
    assert np.array_equal(trace.order, order)
    assert np.array_equal(trace.sizes, sizes)
    # liblinear ends where its gradient is 1e-10 of that at 0; the path itself is tested below
    np.testing.assert_allclose(trace.decisions, decisions, rtol=0, atol=1e-4 * np.abs(decisions).max())


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize(("intercept", "scaling"), [(False, 1.0), (True, 10.0)])
def test_bias_is_a_feature(n, p, intercept, scaling):
    X, y = make(5, n, p, 3)
    trace = follow(X + 1.0, y, intercept=intercept, scaling=scaling)
    machine = peer(intercept=intercept, scaling=scaling)
    assert np.array_equal(trace.order, brute_force(X + 1.0, y, X[:1], machine=machine)[0])


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e2])
@pytest.mark.parametrize("kind", ["plain", "unscaled", "duplicated", "constant", "separable"])
def test_every_model_is_optimal(n, p, C, kind):
    X, y = make(7, n, p, 3)
    if kind == "unscaled":
        X *= np.logspace(-2, 2, p)
    if kind == "duplicated":
        X[:, 1], X[:, -1] = X[:, 0], X[:, 2]
    if kind == "constant":
        X[:, 3], X[:, 5] = 0.0, 7.0
    if kind == "separable":
        X[:, :3] += 20.0 * np.eye(3)[y]
    trace = follow(X, y, C=C, held_out=X)
    assert worst_residual(X, y, np.full(n, C), 1.0, trace) < 1e-8


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_of_equal_columns_the_left_one_stays(n, p):
    X, y = make(3, n, p, 2)
    X[:, 9] = X[:, 4]
    order = follow(X, y).order.tolist()
    assert 4 not in order or order.index(9) < order.index(4)


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("step", [1, 4])
def test_units_leave_whole_and_protected_ones_never(n, p, step):
    X, y = make(11, n, p, 3)
    unit = np.random.default_rng(2).permutation(np.arange(p) % 10)
    protected = np.arange(10) == 3
    options = {"unit": unit, "protected": protected, "floor": 2, "step": step}
    trace = follow(X, y, held_out=X, **options)
    order, sizes, _ = brute_force(X, y, X, machine=peer(), **options)
    assert np.array_equal(trace.order, order)
    assert trace.sizes.tolist() == sizes.tolist()


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_equals_dense(n, p, form):
    X, y = make(13, n, p, 3)
    X[np.abs(X) < 1.2] = 0.0
    before = X.copy()
    given = form(X)
    thin, full = follow(given, y, held_out=form(X)), follow(X, y, held_out=X)
    assert np.array_equal(thin.order, full.order)
    np.testing.assert_allclose(thin.decisions, full.decisions, rtol=0, atol=1e-9)
    assert np.array_equal(X, before)
    assert np.array_equal(given.toarray(), before)


def test_fortran_order_and_scattered_units_change_nothing():
    X, y = make(17, 40, 20, 2)
    assert np.array_equal(follow(np.asfortranarray(X), y).order, follow(X, y).order)


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_deadline_ends_the_path_and_progress_is_told(n, p):
    X, y = make(19, n, p, 2)
    told = []
    trace = follow(X, y, deadline=time.monotonic() - 1.0)
    assert len(trace.order) == 0
    assert trace.sizes.tolist() == [p]
    follow(X, y, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (p - 1, p - 1)


@needs_data
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e2])
def test_genes_are_optimal_at_every_size(C):
    X, y = load("genes/dm_alon")
    X = ((X - X.mean(axis=0)) / X.std(axis=0))[:, ::4]
    trace = follow(X, y, C=C, held_out=X)
    assert worst_residual(X, y, np.full(len(X), C), 1.0, trace) < 1e-8


@needs_data
def test_genes_are_ranked_as_rfe_does():
    X, y = load("genes/dm_alon")
    X = ((X - X.mean(axis=0)) / X.std(axis=0))[:, ::5]
    rfe = RFE(peer(), n_features_to_select=1).fit(X, y)
    ranks = np.ones(X.shape[1], dtype=int)
    ranks[follow(X, y).order] = np.arange(X.shape[1], 1, -1)
    assert np.array_equal(ranks, rfe.ranking_)
