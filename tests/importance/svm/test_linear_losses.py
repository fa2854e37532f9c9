"""The paths of LinearSVC, SVR and LinearSVR against machines refitted at every size."""

import warnings
from itertools import count

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import lsq_linear
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.preprocessing import scale as standardized
from sklearn.svm import SVR, LinearSVC, LinearSVR

from featprune.importance.svm.dual import Dual
from featprune.importance.svm.linear import trace_linear
from featprune.importance.svm.problems import one_vs_rest, regression


def optimum(X, problem, scale):
    """Weights and bias of a problem by Newton's method on the samples that have a loss.

    Smooth losses: the plain method, its line search by halves. Others: the limit of smooth
    ones, whose corners get sharper (SVR's own solution where the bias is free), and at last the
    linear system that the corners give.
    """
    low, high, box, ridge = problem[1:]
    Z = np.column_stack([X, np.full(len(X), 1.0 if scale is None else scale)])
    penalty = np.ones(Z.shape[1])
    if (ridge > 0).all():
        return newton(Z, low, high, box, ridge, penalty)
    if scale is None:
        return polished_svr(X, low, high, box)
    w = None
    for sharpness in 10.0 ** -np.arange(1, 9):
        # beta = box at the end of a stretch of quadratic loss as wide as `sharpness`
        w = newton(Z, low, high, box, sharpness / box, penalty, w)
    f = Z @ w
    near = (np.abs(f - low) < 1e-6) | (np.abs(f - high) < 1e-6)
    target = np.where(np.abs(f - low) < np.abs(f - high), low, high)
    beta = np.where(f < low, box, 0.0) - np.where(f > high, box, 0.0)
    beta[near] = 0.0
    K = Z @ Z.T
    below = np.where(target == low, 0.0, -box)[near]
    fit = lsq_linear(
        K[np.ix_(near, near)], (target - K @ beta)[near], (below, below + box[near]), tol=1e-15
    )
    beta[near] = fit.x
    return Z.T @ beta


def polished_svr(X, low, high, box):
    """Weights and bias of SVR, whose rounding the linear system of its free samples mends."""
    epsilon = 0.5 * (high - low)[0]
    machine = SVR(kernel="linear", C=1.0, epsilon=epsilon, tol=1e-9, max_iter=10**7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(X, low + epsilon, sample_weight=box)
    beta = np.zeros(len(X))
    beta[machine.support_] = machine.dual_coef_[0]
    free = np.flatnonzero((beta != 0.0) & (np.abs(beta) < box * (1 - 1e-12)))
    mean = X.mean(axis=0)
    K = (X - mean) @ (X - mean).T
    fixed = np.where(np.isin(np.arange(len(X)), free), 0.0, beta)
    target = np.where(beta > 0, low, high)
    system = np.zeros((len(free) + 1, len(free) + 1))
    system[0, 1:] = system[1:, 0] = 1.0
    system[1:, 1:] = K[np.ix_(free, free)]
    sides = np.r_[-fixed.sum(), (target - K @ fixed)[free]]
    solved = np.linalg.lstsq(system, sides, rcond=1e-13)[0]
    fixed[free] = solved[1:]
    w = (X - mean).T @ fixed
    bias = solved[0] - mean @ w if len(free) else machine.intercept_[0]
    return np.r_[w, bias]


def newton(Z, low, high, box, ridge, penalty, w=None):
    """Minimise the penalty and the loss, quadratic for a while, then straight if box is finite."""

    def loss(w):
        f = Z @ w
        miss = np.maximum(low - f, 0) - np.maximum(f - high, 0)
        beta = np.clip(miss / ridge, -box, box)
        inside = (beta != 0) & (np.abs(beta) < box)
        value = (
            0.5 * w @ (penalty * w)
            + (np.abs(beta) * (np.abs(miss) - ridge * np.abs(beta) / 2)).sum()
        )
        return value, penalty * w - Z.T @ beta, inside

    w = np.zeros(Z.shape[1]) if w is None else w
    for _ in range(300):
        value, gradient, inside = loss(w)
        A = Z[inside]
        H = np.diag(penalty) + A.T @ (A / ridge[inside, None])
        step = np.linalg.lstsq(H, gradient, rcond=1e-15)[0]
        for halves in count():
            t = 0.5**halves
            if loss(w - t * step)[0] <= value or halves > 40:
                break
        w = w - t * step
        if np.abs(step).max() <= 1e-15 * max(np.abs(w).max(), 1e-300) or halves > 40:
            break
    return w


def refit(X, problems, *, scale, unit, protected, floor, step, held_out=None):
    """The slow, obvious version: each model by itself."""
    left = np.ones(len(protected), dtype=bool)
    order, criterion, sizes, decisions = [], [], [], []
    while True:
        columns = np.flatnonzero(left[unit])
        models = np.array([optimum(X[:, columns], problem, scale) for problem in problems])
        sizes.append(left.sum())
        if held_out is not None:
            bias = models[:, -1] * (1.0 if scale is None else scale)
            decisions.append(held_out[:, columns] @ models[:, :-1].T + bias)
        if left.sum() <= floor:
            break
        scores = np.bincount(unit[columns], (models[:, :-1] ** 2).sum(axis=0), len(protected))
        candidates = np.flatnonzero(left & ~protected)
        for name in sorted(candidates, key=lambda u: (scores[u], -u))[
            : min(step, left.sum() - floor)
        ]:
            order.append(name)
            criterion.append(scores[name])
            left[name] = False
    return np.array(order), np.array(criterion), np.array(sizes), np.array(decisions)


def assert_same(trace, expected):
    order, criterion, sizes, decisions = expected
    np.testing.assert_array_equal(trace.sizes, sizes)
    np.testing.assert_array_equal(trace.order, order)
    np.testing.assert_allclose(trace.criterion, criterion, rtol=1e-6, atol=1e-9 * criterion.max())
    if trace.decisions is not None:
        np.testing.assert_allclose(
            trace.decisions, decisions, rtol=1e-6, atol=1e-6 * np.abs(decisions).max()
        )


def settings(X, **changes):
    p = X.shape[1]
    values = dict(unit=np.arange(p), protected=np.zeros(p, dtype=bool), floor=1, step=1)
    return {**values, **changes}


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, 0] + 0.5 * X[:, p // 2] + 0.5 * rng.standard_normal(n)


def machine(kind, n, p, C, seed=0, n_classes=2):
    """The table and problems of one kind of machine."""
    X, signal = table(n, p, seed)
    weights = C * np.exp(0.3 * np.sin(np.arange(n)))
    if kind.startswith("LinearSVC"):
        y = np.searchsorted(np.quantile(signal, np.arange(1, n_classes) / n_classes), signal)
        bounds = np.tile(weights, (1 if n_classes == 2 else n_classes, 1))
        return X, one_vs_rest(y, bounds, squared=kind == "LinearSVC squared")
    return X, regression(10.0 * signal + 3.0, weights, 1.5, squared=kind == "LinearSVR squared")


KINDS = ["LinearSVC squared", "LinearSVC hinge", "SVR", "LinearSVR", "LinearSVR squared"]


def bias(kind):
    return None if kind == "SVR" else 1.0


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0, 1e2])
@pytest.mark.parametrize(("n", "p"), [(25, 60), (50, 20)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_rank_is_that_of_refits(kind, n, p, C):
    X, problems = machine(kind, n, p, C)
    options = settings(X, held_out=table(5, p, 9)[0])
    assert_same(
        trace_linear(X, problems, scale=bias(kind), **options),
        refit(X, problems, scale=bias(kind), **options),
    )


@pytest.mark.parametrize("n_classes", [3, 6])
@pytest.mark.parametrize("kind", KINDS[:2])
def test_one_class_against_the_rest(kind, n_classes):
    X, problems = machine(kind, 26, 36, 0.5, n_classes=n_classes)
    options = settings(X, held_out=X[::7] + 0.2)
    assert_same(
        trace_linear(X, problems, scale=1.0, **options), refit(X, problems, scale=1.0, **options)
    )


@pytest.mark.parametrize("scale", [0.0, 10.0])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "SVR"])
def test_no_bias_and_one_that_is_scaled(kind, scale):
    X, problems = machine(kind, 30, 45, 0.5, seed=2)
    X = X + 0.5
    options = settings(X, held_out=X[::7] + 0.2)
    assert_same(
        trace_linear(X, problems, scale=scale, **options),
        refit(X, problems, scale=scale, **options),
    )


@pytest.mark.parametrize("step", [1, 4, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_groups_protected_and_steps(kind, step):
    X, problems = machine(kind, 30, 48, 0.3, seed=3)
    unit = np.random.default_rng(2).permutation(np.arange(48) % 17)
    protected = np.isin(np.arange(17), [3, 8, 16])
    options = settings(X, unit=unit, protected=protected, floor=4, step=step, held_out=X[::7])
    trace = trace_linear(X, problems, scale=bias(kind), **options)
    assert not protected[trace.order].any()
    assert_same(trace, refit(X, problems, scale=bias(kind), **options))


@pytest.mark.parametrize("kind", KINDS)
def test_more_rows_than_have_a_metric(kind):
    X, problems = machine(kind, 530, 180, 0.02, seed=6)
    options = settings(X, floor=176)
    assert_same(
        trace_linear(X, problems, scale=bias(kind), **options),
        refit(X, problems, scale=bias(kind), **options),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_input(kind):
    X, problems = machine(kind, 40, 60, 0.5, seed=4)
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, X, 0.0)
    options = settings(X, held_out=X[::7] * 0.5)
    expected = refit(X, problems, scale=bias(kind), **options)
    options["held_out"] = sparse.csr_array(options["held_out"])
    assert_same(trace_linear(sparse.csr_array(X), problems, scale=bias(kind), **options), expected)


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e2])
@pytest.mark.parametrize("kind", KINDS)
def test_optimality_at_every_step_of_the_dual(kind, C):
    X, problems = machine(kind, 30, 70, C, seed=5)
    scale = bias(kind)
    low, high, box, ridge = problems[0][1:]
    p = X.shape[1]
    dual = Dual(X, problems, scale=scale, unit=np.arange(p), protected=np.zeros(p, dtype=bool))
    while True:
        part = X[:, dual.features_left()]
        beta = np.zeros(len(X))
        beta[dual.order] = dual.P.V[0, 0, : len(X)]
        f = part @ (part.T @ beta) + (scale or 0.0) ** 2 * beta.sum() + ridge * beta
        size = max(1.0, np.abs(part * beta[:, None]).sum())
        least = (np.where(beta >= 0, low, high) - f)[beta < box].max(initial=-np.inf)
        most = (np.where(beta > 0, low, high) - f)[beta > -box].min(initial=np.inf)
        assert (np.abs(beta) <= box).all()
        if scale is None:
            assert (least - most) / size < 1e-8
            assert abs(beta.sum()) / np.abs(beta).max(initial=1e-300) < 1e-8
        else:
            assert max(least, -most) / size < 1e-8
        if dual.left == 1:
            break
        dual.run(1)


@pytest.mark.parametrize(
    ("peer", "kind"),
    [
        (LinearSVC(C=0.7, dual=False, tol=1e-10, max_iter=10**5), "LinearSVC squared"),
        (LinearSVC(C=0.7, loss="hinge", tol=1e-10, max_iter=10**6), "LinearSVC hinge"),
        (SVR(kernel="linear", C=0.7, epsilon=0.1, tol=1e-9), "SVR"),
        (LinearSVR(C=0.7, epsilon=0.1, tol=1e-10, max_iter=10**6), "LinearSVR"),
        (
            LinearSVR(
                C=0.7, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False, tol=1e-10,
                max_iter=10**5,
            ),
            "LinearSVR squared",
        ),
    ],
)  # fmt: skip
def test_ranks_are_those_of_rfe_on_diabetes(peer, kind):
    X, y = load_diabetes(return_X_y=True)
    X, y = standardized(X)[:150], standardized(y)[:150]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if kind.startswith("LinearSVC"):
            y = (y > 0).astype(int)
            problems = one_vs_rest(y, np.full((1, 150), 0.7), squared=kind.endswith("squared"))
        else:
            problems = regression(y, np.full(150, 0.7), 0.1, squared=kind.endswith("squared"))
        ranking = RFE(peer, n_features_to_select=1).fit(X, y).ranking_
    trace = trace_linear(X, problems, scale=bias(kind), **settings(X))
    np.testing.assert_array_equal(ranking[trace.order], np.arange(X.shape[1], 1, -1))
