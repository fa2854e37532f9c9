"""The primal squared-loss path against plain Newton and LinearSVC, refitted at every size."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC, LinearSVR

from featprune.importance.svm import primal_model
from featprune.importance.svm.primal import trace_primal
from featprune.importance.svm.problems import one_vs_rest, regression

DATA = os.environ.get("FEATPRUNE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="FEATPRUNE_DATA, the folder of data/, is unset")

# Criteria that differ by less, relatively, are equal to the oracle; random ones never do.
TIE = 1e-10


def load(name, rows, columns):
    with np.load(Path(DATA) / "data" / f"{name}.npz", allow_pickle=False) as file:
        X, y = file["X"].astype(float)[::rows], file["y"][::rows]
    X = X[:, X.std(axis=0) > 0][:, ::columns]
    return (X - X.mean(axis=0)) / X.std(axis=0), np.unique(y, return_inverse=True)[1]


def make(seed, n, p, n_classes, kind="plain"):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.append(np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)))
    centres = rng.normal(size=(n_classes, p)) * (rng.random(p) < 0.3)
    X = rng.normal(size=(n, p)) + centres[y]
    if kind == "unscaled":
        X *= np.logspace(-3, 3, p)
    if kind == "duplicated":
        X[:, 1], X[:, -1], X[:, 5] = X[:, 0], X[:, 2], -X[:, 6]
    if kind == "constant":
        X[:, 3], X[:, 5] = 0.0, 7.0
    if kind == "far from zero":
        X += 100.0
    if kind == "separable":
        X[:, :n_classes] += 20.0 * np.eye(n_classes)[y]
    return X, y


def classify(y, C=1.0, weight=1.0):
    n_problems = 1 if y.max() == 1 else y.max() + 1
    box = np.broadcast_to(C * np.asarray(weight), (n_problems, len(y)))
    return one_vs_rest(y, box, squared=True)


def arguments(p, **options):
    unit = options.pop("unit", np.arange(p))
    plain = {"scale": 1.0, "protected": np.zeros(unit.max() + 1, bool), "floor": 1, "step": 1}
    return {"unit": unit, **plain, **options}


def gradient(Z, problem, w):
    f = Z @ w
    loss = np.maximum(problem.low - f, 0.0) - np.maximum(f - problem.high, 0.0)
    return w - Z.T @ (loss / problem.ridge), loss


def newton(Z, problem):
    """Minimise from zero by Newton steps, halved until the objective falls."""

    def objective(w):
        return 0.5 * w @ w + 0.5 * np.sum(gradient(Z, problem, w)[1] ** 2 / problem.ridge)

    w, last = np.zeros(Z.shape[1]), np.inf
    for _ in range(200):
        slope, loss = gradient(Z, problem, w)
        active = Z[loss != 0.0] / np.sqrt(problem.ridge[loss != 0.0])[:, None]
        H = np.eye(len(w)) + active.T @ active
        size = 1.0 / np.sqrt(H.diagonal())
        d = -size * np.linalg.solve(H * size * size[:, None], size * slope)
        length = np.linalg.norm(d / size)
        if length == 0.0 or (length > 0.5 * last and length < 1e-9 * np.linalg.norm(w / size)):
            return w
        t = 1.0
        while t > 1e-6 and objective(w + t * d) > objective(w) * (1 + 1e-13):
            t /= 2
        w, last = w + t * d, length
    raise AssertionError("the oracle did not converge")


def by_newton(X, problems, scale):
    Z = np.column_stack([X, np.full(len(X), scale)])
    return np.column_stack([newton(Z, problem) for problem in problems])


def by_sklearn(machine, y, weight=None):
    def fit(X, problems, scale):
        with warnings.catch_warnings():
            # it asks for more than float64 may give; what it has then is as good as it gets
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(X, y, sample_weight=weight)
        bias = np.ravel(machine.intercept_) / scale if scale else np.zeros(len(problems))
        return np.vstack([np.atleast_2d(machine.coef_).T, bias])

    return fit


def refit(X, problems, fit, held_out, *, scale, unit, protected, floor, step):
    """Refit on what is left; the smallest criteria go, of equal ones the larger unit."""
    left = np.ones(len(protected), dtype=bool)
    order, criterion, decisions = [], [], []
    while True:
        features = np.flatnonzero(left[unit])
        w = fit(X[:, features], problems, scale)
        decisions.append(held_out[:, features] @ w[:-1] + scale * w[-1])
        if left.sum() <= floor:
            return np.array(order, dtype=int), np.array(criterion), np.array(decisions)
        scores = np.bincount(unit[features], (w[:-1] ** 2).sum(axis=1), len(left))
        candidates = np.flatnonzero(left & ~protected)
        rising = candidates[np.argsort(scores[candidates], kind="stable")]
        run = np.append(0, np.cumsum(np.diff(scores[rising]) > TIE * scores[rising][1:]))
        leaving = rising[np.lexsort((-rising, run))][: min(step, left.sum() - floor)]
        left[leaving] = False
        order.extend(leaving)
        criterion.extend(scores[leaving])


def assert_same(X, problems, fit=by_newton, rtol=1e-7, **options):
    options = arguments(X.shape[1], **options)
    held_out = X[:7] + 0.1
    before = X.copy()
    trace = trace_primal(X, problems, held_out=held_out, **options)
    order, criterion, decisions = refit(X, problems, fit, held_out, **options)
    assert np.array_equal(trace.order, order)
    assert np.array_equal(X, before)
    assert len(trace.sizes) == len(decisions)
    assert trace.sizes[0] - trace.sizes[-1] == len(order)
    if fit is by_newton:
        # a weight of 1e-14 of the largest is rounding, and 0 in truth
        atol = 1e-28 * criterion.max(initial=0.0)
        np.testing.assert_allclose(trace.criterion, criterion, rtol=rtol, atol=atol)
    else:
        # liblinear is off by as much in a small weight as in a large one
        ours, theirs = np.sqrt(trace.criterion), np.sqrt(criterion)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * theirs.max(initial=0.0))
    atol = rtol * np.abs(decisions).max()
    np.testing.assert_allclose(trace.decisions, decisions, rtol=0, atol=atol)
    return trace


def worst_gradient(X, problems, scale, trace):
    """Largest relative gradient norm over the path, from the weights behind its decisions."""
    left, worst = np.ones(X.shape[1], dtype=bool), 0.0
    for model, values in enumerate(trace.decisions):
        left[trace.order[: trace.sizes[0] - trace.sizes[model]]] = False
        Z = np.where(np.append(left, True), np.column_stack([X, np.full(len(X), scale)]), 0.0)
        # the held-out rows were those of the identity, and last the bias alone
        W = np.vstack([values[:-1] - values[-1], values[-1] / (scale or 1.0)])
        W[:-1][~left] = 0.0
        for problem, w in zip(problems, W.T, strict=True):
            first = np.linalg.norm(gradient(Z, problem, 0.0 * w)[0])
            worst = max(worst, np.linalg.norm(gradient(Z, problem, w)[0]) / first)
    return worst


CS = [1e-4, 1e-2, 1.0, 1e2]
KINDS = ["plain", "unscaled", "duplicated", "constant", "far from zero", "separable"]


@pytest.mark.parametrize("n_classes", [2, 3, 9])
@pytest.mark.parametrize("C", CS)
@pytest.mark.parametrize("step", [1, 3])
def test_equals_newton_refitted_at_every_size(n_classes, C, step):
    X, y = make(n_classes, 150, 20, n_classes)
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(y))
    assert_same(X, classify(y, C, weight), step=step)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", CS)
def test_odd_columns_are_ranked_as_newton_does(kind, C):
    X, y = make(7, 120, 16, 3, kind)
    assert_same(X, classify(y, C))


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("C", CS)
def test_equals_linear_svc_refitted_at_every_size(n_classes, C):
    X, y = make(3, 200, 12, n_classes)
    weight = np.random.default_rng(1).uniform(0.2, 3.0, len(y))
    machine = LinearSVC(C=C, dual=False, tol=1e-10, max_iter=100_000)
    # liblinear ends where its gradient is 1e-10 of that at 0 times the share of the rarer class
    assert_same(X, classify(y, C, weight), by_sklearn(machine, y, weight), rtol=1e-4)


@pytest.mark.parametrize(("intercept", "scaling"), [(False, 0.0), (True, 10.0)])
def test_bias_is_a_penalised_feature(intercept, scaling):
    X, y = make(5, 150, 15, 3)
    machine = LinearSVC(
        dual=False,
        tol=1e-10,
        max_iter=100_000,
        fit_intercept=intercept,
        intercept_scaling=scaling or 1.0,
    )
    assert_same(X + 1.0, classify(y), by_sklearn(machine, y), rtol=1e-4, scale=scaling)
    assert_same(X + 1.0, classify(y), scale=scaling)


@pytest.mark.parametrize("step", [1, 3, 100])
def test_units_leave_whole_and_protected_ones_never(step):
    X, y = make(11, 150, 25, 3)
    unit = np.random.default_rng(2).permutation(np.arange(25) % 10)
    trace = assert_same(X, classify(y), unit=unit, protected=np.arange(10) == 3, floor=2, step=step)
    assert 3 not in trace.order


@pytest.mark.parametrize("C", CS)
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_regression_equals_newton_and_linear_svr(C, epsilon):
    X, _ = make(13, 150, 14, 2)
    rng = np.random.default_rng(3)
    y = X[:, :5] @ rng.normal(size=5) + rng.normal(size=len(X)) + 3.0
    problems = regression(y, np.full(len(y), C), epsilon, squared=True)
    assert_same(X, problems, step=2)
    loss = "squared_epsilon_insensitive"
    machine = LinearSVR(C=C, epsilon=epsilon, loss=loss, dual=False, tol=1e-10, max_iter=100_000)
    assert_same(X, problems, by_sklearn(machine, y), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", CS)
@pytest.mark.parametrize("step", [1, 5])
def test_every_model_is_optimal(kind, C, step):
    X, y = make(17, 300, 30, 3, kind)
    problems = classify(y, C)
    identity = np.vstack([np.eye(30), np.zeros(30)])
    trace = trace_primal(X, problems, held_out=identity, **arguments(30, step=step))
    assert worst_gradient(X, problems, 1.0, trace) < 1e-8


def test_models_are_optimal_without_being_checked_each_time():
    # large enough that the samples' own gradient is only taken now and then
    X, y = make(19, 9000, 40, 3)
    problems = classify(y, 0.1)
    identity = np.vstack([np.eye(40), np.zeros(40)])
    trace = trace_primal(X, problems, held_out=identity, **arguments(40))
    assert worst_gradient(X, problems, 1.0, trace) < 1e-11
    assert np.array_equal(
        trace_primal(np.asfortranarray(X), problems, **arguments(40)).order, trace.order
    )


@pytest.mark.parametrize("C", CS)
def test_of_equal_columns_the_left_one_stays(C):
    X, y = make(23, 200, 12, 2)
    X[:, 9], X[:, 7] = X[:, 4], -X[:, 4]
    order = trace_primal(X, classify(y, C), **arguments(12, floor=0)).order.tolist()
    assert order.index(9) < order.index(7) < order.index(4)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_sparse_equals_dense(n_classes):
    X, y = make(29, 400, 60, n_classes)
    X[np.abs(X) < 1.8] = 0.0
    given = sparse.csr_matrix(X)
    full = trace_primal(X, classify(y), held_out=X[:20], **arguments(60))
    thin = trace_primal(given, classify(y), held_out=given[:20], **arguments(60))
    assert np.array_equal(thin.order, full.order)
    # a column that no active sample has is worth 0, give or take rounding
    atol = 1e-28 * full.criterion.max()
    np.testing.assert_allclose(thin.criterion, full.criterion, rtol=1e-9, atol=atol)
    np.testing.assert_allclose(thin.decisions, full.decisions, rtol=0, atol=1e-10)
    assert np.array_equal(given.toarray(), X)


def test_deadline_ends_the_path_early():
    X, y = make(31, 100, 12, 2)
    trace = trace_primal(
        X, classify(y), held_out=X, deadline=time.monotonic() - 1.0, **arguments(12)
    )
    assert trace.sizes.tolist() == [12]
    assert len(trace.order) == len(trace.criterion) == 0
    assert trace.decisions.shape == (1, 100, 1)


def test_progress_is_told_to_the_end_but_not_often():
    X, y = make(37, 100, 40, 2)
    told = []
    trace_primal(X, classify(y), progress=lambda *of: told.append(of), **arguments(40))
    assert told[0] == (0, 39)
    assert told[-1] == (39, 39)
    assert len(told) < 20


def test_a_model_that_does_not_converge_is_warned_of(monkeypatch):
    monkeypatch.setattr(primal_model, "_SOME", 1)
    monkeypatch.setattr(primal_model, "_ROUNDS", 1)
    X, y = make(43, 100, 8, 2)
    message = "1 of 1 models did not converge, the first of them that on 8 units: relative gradient"
    with pytest.warns(ConvergenceWarning, match=message):
        trace_primal(X, classify(y), **arguments(8, floor=8))


def test_rows_of_weight_two_count_twice():
    X, y = make(41, 120, 15, 2)
    twice = np.append(np.arange(120), np.arange(40))
    weight = np.where(np.arange(120) < 40, 2.0, 1.0)
    double = trace_primal(X[twice], classify(y[twice]), **arguments(15))
    weighted = trace_primal(X, classify(y, 1.0, weight), **arguments(15))
    assert np.array_equal(double.order, weighted.order)
    np.testing.assert_allclose(double.criterion, weighted.criterion, rtol=1e-9)


@needs_data
@pytest.mark.parametrize(
    ("name", "rows", "columns", "C"),
    [
        pytest.param("classics/madelon", 2, 12, 1.0, id="madelon"),
        pytest.param("classics/USPS", 12, 10, 0.01, id="USPS, ten classes"),
        pytest.param("classics/splice", 4, 9, 1e-3, id="splice, three classes"),
        pytest.param("classics/splice", 4, 9, 100.0, id="splice, large C"),
    ],
)
def test_real_tables_are_ranked_as_newton_does(name, rows, columns, C):
    X, y = load(name, rows, columns)
    assert_same(X, classify(y, C))


@needs_data
def test_nearly_separable_raw_pixels_settle_by_way_of_weaker_losses(monkeypatch):
    with np.load(Path(DATA) / "data" / "classics/USPS.npz", allow_pickle=False) as file:
        X, y = file["X"].astype(float)[::4], file["y"][::4]
    X, y = X[:, ::2], (y == 1).astype(int)
    shares = []
    weigh = primal_model.Model._weigh
    monkeypatch.setattr(
        primal_model.Model, "_weigh", lambda model, to: shares.append(to) or weigh(model, to)
    )
    problems = classify(y)
    identity = np.vstack([np.eye(128), np.zeros(128)])
    trace = trace_primal(X, problems, held_out=identity, **arguments(128, floor=40))
    assert min(shares) < 1.0
    assert shares[-1] == 1.0
    assert worst_gradient(X, problems, 1.0, trace) < 1e-8
