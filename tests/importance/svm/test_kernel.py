import os
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, sigmoid_kernel
from sklearn.svm import SVC

from featprune.importance.svm import kernel as kernel_road
from featprune.importance.svm import kernel_problems, kernel_ranking, kernel_screen
from featprune.importance.svm.kernel import trace_kernel
from featprune.importance.svm.kernel_functions import take_out
from featprune.importance.svm.kernel_models import Models
from featprune.importance.svm.kernel_problems import solve_all
from featprune.importance.svm.kernel_screen import RbfScreen
from featprune.importance.svm.kernel_series import ProductScreen
from featprune.importance.svm.kernels import kernel_delta, kernel_product


def kernel_matrix(kernel, gamma, degree, coef0, A, B):
    """The kernel from its definition; without columns all inner products are 0."""
    if A.shape[1] == 0:
        A, B = np.zeros((len(A), 1)), np.zeros((len(B), 1))
    if kernel == "rbf":
        # Not by inner products, as scikit-learn's: that leaves rounding on the diagonal, as
        # large as the criteria themselves where all rows are far apart.
        return np.exp(-gamma * cdist(A, B, "sqeuclidean"))
    if kernel == "poly":
        return polynomial_kernel(A, B, gamma=gamma, degree=degree, coef0=coef0)
    if kernel == "sigmoid":
        return sigmoid_kernel(A, B, gamma=gamma, coef0=coef0)
    return kernel(A, B)


def scale_gamma(X):
    return 1.0 / (X.shape[1] * X.var()) if X.var() > 0 else 1.0


def signed_coefficients(machine, y, n_classes):
    """Each one-vs-one problem's coefficients on all rows, from SVC's packed form."""
    problems = []
    starts = np.concatenate([[0], np.cumsum(machine.n_support_)])
    for i in range(n_classes):
        for j in range(i + 1, n_classes):
            beta = np.zeros(len(y))
            # Row j - 1 of dual_coef_ holds class i's coefficients against j, row i class j's.
            for mine, row in ((i, j - 1), (j, i)):
                at = slice(starts[mine], starts[mine + 1])
                beta[machine.support_[at]] = machine.dual_coef_[row, at]
            problems.append(beta)
    return np.array(problems)


def brute_force(
    X,
    y,
    *,
    box,
    kernel,
    gamma,
    degree,
    coef0,
    unit,
    protected,
    floor,
    step,
    rescale_gamma=False,
    held_out=None,
):
    """Refit and recompute every criterion from its definition."""
    n_classes = y.max() + 1
    left = np.ones(len(protected), dtype=bool)
    order, criterion, decisions, models = [], [], [], []
    while True:
        columns = np.flatnonzero(left[unit])
        g = scale_gamma(X[:, columns]) if rescale_gamma and order else gamma
        K = kernel_matrix(kernel, g, degree, coef0, X[:, columns], X[:, columns])
        machine = SVC(kernel="precomputed", C=1.0, tol=1e-9, decision_function_shape="ovo")
        machine.fit(K, y, sample_weight=box)
        betas = signed_coefficients(machine, y, n_classes)
        models.append(betas)
        if held_out is not None:
            cross = kernel_matrix(kernel, g, degree, coef0, held_out[:, columns], X[:, columns])
            decisions.append(machine.decision_function(cross).reshape(len(held_out), -1))
        if left.sum() <= floor:
            break
        scores = {}
        for name in np.flatnonzero(left & ~protected):
            rest = columns[unit[columns] != name]
            without = kernel_matrix(kernel, g, degree, coef0, X[:, rest], X[:, rest])
            # b' K b - b' K(-u) b, subtracted entry by entry: the sums would drown the difference.
            scores[name] = 0.5 * sum(b @ (K - without) @ b for b in betas)
        count = min(step, left.sum() - floor)
        for name in sorted(scores, key=lambda u: (scores[u], -u))[:count]:
            order.append(name)
            criterion.append(scores[name])
            left[name] = False
    return np.array(order), np.array(criterion), models, decisions


def problem(n, p, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, p))
    X[:, : min(4, p)] += 0.8 * rng.normal(size=(n_classes, min(4, p)))[y]
    return X, y


def settings(X, **changes):
    p = X.shape[1]
    values = dict(
        box=np.ones(len(X)),
        kernel="rbf",
        gamma=1.0 / p,
        degree=3,
        coef0=1.0,
        unit=np.arange(p),
        protected=np.zeros(p, dtype=bool),
        floor=1,
        step=1,
    )
    values.update(changes)
    return values


def assert_same_path(trace, order, criterion, rtol=2e-5):
    np.testing.assert_array_equal(trace.order, order)
    # libsvm holds its matrix in single precision: that is how well the oracle knows them.
    atol = 1e-7 * np.abs(criterion).max()
    np.testing.assert_allclose(trace.criterion, criterion, rtol=rtol, atol=atol)


KERNELS = {
    "rbf": dict(kernel="rbf"),
    "wide rbf": dict(kernel="rbf", gamma=0.5),
    "rbf of small gamma": dict(kernel="rbf", gamma=1e-3),
    "quadratic": dict(kernel="poly", degree=2),
    "cubic": dict(kernel="poly", degree=3, coef0=0.3),
    "quintic": dict(kernel="poly", degree=5),
    "sigmoid": dict(kernel="sigmoid", coef0=0.0, gamma=0.005),
    "sigmoid with offset": dict(kernel="sigmoid", coef0=0.1, gamma=0.01),
    "callable": dict(kernel=lambda A, B: (1.0 + A @ B.T / 7.0) ** 2),
}


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shape", [(40, 12), (24, 40)], ids=["n > p", "p > n"])
def test_same_order_as_brute_force(name, n_classes, shape):
    X, y = problem(*shape, n_classes)
    given = settings(X, **KERNELS[name])
    order, criterion, _, _ = brute_force(X, y, **given)
    assert_same_path(trace_kernel(X, y, **given), order, criterion)


@pytest.mark.parametrize("name", ["rbf", "rbf of small gamma", "cubic", "quintic", "sigmoid"])
def test_same_order_through_all_levels_of_the_screen(name, monkeypatch):
    X, y = problem(30, 40)
    given = settings(X, **KERNELS[name], step=3)
    few = trace_kernel(X, y, **given)
    monkeypatch.setattr(kernel_ranking, "_WORTH_A_LEVEL", 0)
    monkeypatch.setattr(kernel_screen, "_INNER", 8)
    all_levels = trace_kernel(X, y, **given)
    np.testing.assert_array_equal(all_levels.order, few.order)
    np.testing.assert_array_equal(all_levels.criterion, few.criterion)


def test_same_order_as_brute_force_for_nine_classes():
    X, y = problem(54, 10, n_classes=9)
    order, criterion, _, _ = brute_force(X, y, **settings(X))
    assert_same_path(trace_kernel(X, y, **settings(X)), order, criterion)


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1e2])
@pytest.mark.parametrize("name", ["rbf", "quadratic", "sigmoid"])
def test_same_order_for_any_bound(name, C):
    X, y = problem(36, 15)
    given = settings(X, **KERNELS[name], box=np.full(len(X), C))
    order, criterion, _, _ = brute_force(X, y, **given)
    assert_same_path(trace_kernel(X, y, **given), order, criterion)


CASES = {
    "weights": dict(box=np.random.default_rng(1).uniform(0.1, 3.0, size=36)),
    "step 3": dict(step=3),
    "half at a step": dict(step=9),
    "all at a step": dict(step=100),
    "floor": dict(floor=5, step=2),
    "protected": dict(protected=np.arange(18) % 5 == 0, floor=4),
    "groups": dict(unit=np.repeat(np.arange(6), 3), protected=np.zeros(6, dtype=bool)),
    "groups and singles": dict(
        unit=np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 5, 5, 3, 9, 10, 11, 8]),
        protected=np.arange(12) == 3,
        floor=2,
        step=2,
    ),
}


@pytest.mark.parametrize("name", ["rbf", "wide rbf", "cubic", "sigmoid", "callable"])
@pytest.mark.parametrize("case", CASES)
def test_same_order_for_weights_steps_and_units(case, name):
    X, y = problem(36, 18, 3)
    given = settings(X, **KERNELS[name])
    given.update(CASES[case])
    order, criterion, _, _ = brute_force(X, y, **given)
    trace = trace_kernel(X, y, **given)
    assert_same_path(trace, order, criterion)
    n_units = len(given["protected"])
    np.testing.assert_array_equal(
        trace.sizes, [*range(n_units, given["floor"], -given["step"]), given["floor"]]
    )


# Not the sigmoid kernel, which such a gamma makes indefinite: libsvm may end elsewhere.
@pytest.mark.parametrize("name", ["rbf", "quadratic"])
def test_gamma_rescaled_on_the_columns_left(name):
    X, y = problem(40, 12)
    X *= np.linspace(0.5, 2.0, 12)
    X += np.linspace(-1.0, 1.0, 12)
    given = settings(X, kernel=KERNELS[name]["kernel"], degree=2, coef0=0.0, gamma=scale_gamma(X))
    given.update(rescale_gamma=True)
    order, criterion, _, _ = brute_force(X, y, **given)
    trace = trace_kernel(X, y, **given)
    assert_same_path(trace, order, criterion)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", KERNELS)
def test_decisions_are_those_of_refits(name, n_classes):
    X, y = problem(40, 12, n_classes)
    held_out = np.random.default_rng(9).normal(size=(11, 12))
    given = settings(X, **KERNELS[name])
    _, _, _, decisions = brute_force(X, y, held_out=held_out, **given)
    trace = trace_kernel(X, y, held_out=held_out, **given)
    assert trace.decisions.shape == (12, 11, n_classes * (n_classes - 1) // 2)
    np.testing.assert_allclose(trace.decisions, decisions, atol=2e-6)


def residual(problem, K):
    """Violation of the optimality conditions of one dual, from their definition."""
    beta = problem.beta
    pull = problem.target - K[np.ix_(problem.rows, problem.rows)] @ beta
    rise = pull[beta < problem.upper].max()
    sink = pull[beta > problem.lower].min()
    outside = max(0.0, (problem.lower - beta).max(), (beta - problem.upper).max())
    return max(rise - sink, outside, abs(beta.sum()))


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("name", ["rbf", "wide rbf", "rbf of small gamma", "cubic", "sigmoid"])
def test_every_model_meets_the_optimality_conditions(name, C, monkeypatch):
    X, y = problem(40, 20, 3)
    given = settings(X, **KERNELS[name], box=np.full(len(X), C))
    left = np.ones(20, dtype=bool)
    residuals = []

    def watch(problems, K, *args):
        betas = solve_all(problems, K, *args)
        # the kernel anew: what was updated step by step must not have drifted
        parameters = (given["gamma"], given["degree"], given["coef0"])
        K = kernel_matrix(given["kernel"], *parameters, X[:, left], X[:, left])
        residuals.extend(residual(p, K) for p in problems)
        return betas

    def note(gram, features, rescale_gamma):
        left[features] = False
        take_out(gram, features, rescale_gamma)

    monkeypatch.setattr(kernel_road, "solve_all", watch)
    monkeypatch.setattr(kernel_road, "take_out", note)
    trace_kernel(X, y, **given)
    assert len(residuals) == 60
    assert max(residuals) < 1e-8


@pytest.mark.parametrize("name", KERNELS)
def test_path_depends_on_the_columns_left_alone(name):
    X, y = problem(30, 20, 3)
    given = settings(X, **KERNELS[name])
    trace = trace_kernel(X, y, **given)
    left = np.sort(np.concatenate([trace.order[8:], np.setdiff1d(np.arange(20), trace.order)]))
    given.update(unit=np.arange(12), protected=np.zeros(12, dtype=bool))
    np.testing.assert_array_equal(left[trace_kernel(X[:, left], y, **given).order], trace.order[8:])


def test_indefinite_kernel_is_solved_from_zero_each_time():
    X, y = problem(40, 6)
    given = settings(X, kernel="sigmoid", gamma=0.7, coef0=-0.5)
    assert np.linalg.eigvalsh(kernel_matrix("sigmoid", 0.7, 3, -0.5, X, X)).min() < -1.0
    trace = trace_kernel(X, y, **given)
    left = np.sort(np.concatenate([trace.order[2:], np.setdiff1d(np.arange(6), trace.order)]))
    given.update(unit=np.arange(4), protected=np.zeros(4, dtype=bool))
    np.testing.assert_array_equal(left[trace_kernel(X[:, left], y, **given).order], trace.order[2:])


LINEAR = {
    "polynomial": dict(kernel="poly", degree=1, coef0=0.0, gamma=1.0),
    "dot product": dict(kernel=linear_kernel),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(60, 12), (25, 40)], ids=["n > p", "p > n"])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_kernels_rank_as_rfe(name, shape, n_classes):
    X, y = problem(*shape, n_classes)
    peer = RFE(SVC(kernel="linear", C=0.05, tol=1e-9), n_features_to_select=1).fit(X, y)
    trace = trace_kernel(X, y, **settings(X, **LINEAR[name], box=np.full(len(X), 0.05)))
    ranking = np.ones(X.shape[1], dtype=int)
    ranking[trace.order] = np.arange(X.shape[1], 1, -1)
    np.testing.assert_array_equal(ranking, peer.ranking_)


@pytest.mark.parametrize("name", [n for n in KERNELS if n != "callable"])
def test_of_equal_columns_the_one_further_left_is_kept(name):
    X, y = problem(40, 30)
    X = np.column_stack([X, X[:, ::-1], X])
    trace = trace_kernel(X, y, **settings(X, **KERNELS[name]))
    rank = np.full(90, 90)
    rank[trace.order] = np.arange(89)
    copies = np.column_stack([rank[:30], rank[59:29:-1], rank[60:]])
    assert (copies[:, 0] > copies[:, 1]).all()
    assert (copies[:, 1] > copies[:, 2]).all()


@pytest.mark.parametrize("name", ["rbf", "wide rbf", "cubic", "sigmoid"])
def test_constant_columns_are_worth_what_the_kernel_says(name):
    X, y = problem(40, 10)
    X[:, [2, 7]] = 3.0
    given = settings(X, **KERNELS[name])
    order, criterion, _, _ = brute_force(X, y, **given)
    trace = trace_kernel(X, y, **given)
    assert_same_path(trace, order, criterion)
    if given["kernel"] == "rbf":
        np.testing.assert_array_equal(trace.importances[[2, 7]], 0.0)


@pytest.mark.parametrize("gamma", [1e-8, 1e-3, 1.0])
def test_columns_of_unlike_scale(gamma):
    X, y = problem(40, 12)
    X *= 10.0 ** np.linspace(-3, 3, 12)
    X += 100.0
    given = settings(X, gamma=gamma, box=np.full(40, 10.0))
    order, criterion, _, _ = brute_force(X, y, **given)
    # Where columns are too small to be seen at all, the oracle's differences are rounding.
    seen = np.abs(criterion) > 1e-9 * np.abs(criterion).max()
    trace = trace_kernel(X, y, **given)
    np.testing.assert_array_equal(trace.order[seen], order[seen])


def test_separable_rows_and_equal_rows():
    X, y = problem(30, 8)
    X[y == 1] += 3.0
    X = np.vstack([X, X[:6]])
    y = np.concatenate([y, y[:6]])
    given = settings(X, box=np.full(36, 1000.0))
    order, criterion, _, _ = brute_force(X, y, **given)
    assert_same_path(trace_kernel(X, y, **given), order, criterion)


def test_rows_and_columns_may_be_stored_either_way():
    X, y = problem(30, 20)
    before = X.copy()
    plain = trace_kernel(X, y, **settings(X))
    fortran = trace_kernel(np.asfortranarray(X), y, **settings(X))
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(plain.order, fortran.order)
    np.testing.assert_array_equal(plain.criterion, fortran.criterion)


def test_progress_is_told_from_none_to_all():
    X, y = problem(30, 20)
    told = []
    trace_kernel(X, y, **settings(X, floor=4), progress=lambda *args: told.append(args))
    assert told[0] == (0, 16)
    assert told[-1] == (16, 16)


def test_past_the_deadline_the_path_so_far_is_returned():
    X, y = problem(30, 20)
    whole = trace_kernel(X, y, **settings(X))
    trace = trace_kernel(X, y, **settings(X), held_out=X, deadline=time.monotonic() - 1.0)
    np.testing.assert_array_equal(trace.sizes, [20])
    assert len(trace.order) == 0
    assert trace.decisions.shape == (1, 30, 1)
    np.testing.assert_array_equal(trace.importances, whole.importances)


def test_a_model_that_is_not_solved_is_a_warning(monkeypatch):
    X, y = problem(30, 5)
    monkeypatch.setattr(kernel_problems, "TOLERANCE", -1.0)
    monkeypatch.setattr(kernel_problems, "_MAX_TURNS", 1)
    with pytest.warns(ConvergenceWarning, match="SVM on 5 units is not solved"):
        trace_kernel(X, y, **settings(X, floor=5))


DATA = os.environ.get("FEATPRUNE_DATA")


@pytest.mark.skipif(DATA is None, reason="FEATPRUNE_DATA is not set")
@pytest.mark.parametrize(
    ("name", "n_genes"), [("dm_alon", 60), ("gems_SRBCT", 60), ("lymphoma", 30)]
)
@pytest.mark.parametrize("kernel", ["rbf", "quadratic"])
def test_same_order_on_gene_expression(name, n_genes, kernel):
    table = np.load(Path(DATA) / "data" / "genes" / f"{name}.npz")
    y = np.unique(table["y"], return_inverse=True)[1]
    X = table["X"].astype(float)
    X = X[:, np.argsort(-X.var(axis=0), kind="stable")[:n_genes]]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    given = settings(X, **KERNELS[kernel], step=1 if name == "dm_alon" else 3)
    order, criterion, _, _ = brute_force(X, y, **given)
    assert_same_path(trace_kernel(X, y, **given), order, criterion)


def mixed_features(n, rng):
    """Bell-shaped, skew, binary, and with an outlier; one a row."""
    x = np.vstack(
        [rng.normal(size=(6, n)), rng.exponential(size=(3, n)), rng.integers(0, 2, size=(2, n))]
    )
    x[0, 3] = 9.0
    return np.vstack([x, np.full(n, 2.0)])


def models_of(n, n_problems, rng, kernel, gamma, coef0=0.5):
    rows = rng.normal(size=(n, 40))
    base = cdist(rows, rows, "sqeuclidean") if kernel == "rbf" else rows @ rows.T
    K = kernel_matrix(kernel, gamma, 3, coef0, rows, rows)
    beta = rng.normal(size=(n_problems, n))
    return Models(beta - beta.mean(axis=1, keepdims=True), K, base)


@pytest.mark.parametrize("n_problems", [1, 3])
@pytest.mark.parametrize("gamma", [1e-4, 1e-2, 0.1])
@pytest.mark.parametrize("n", [40, 300])
def test_bounds_of_the_rbf_screen_hold(n, gamma, n_problems):
    rng = np.random.default_rng(0)
    x = mixed_features(n, rng)
    models = models_of(n, n_problems, rng, "rbf", gamma)
    M = models.pair_weights * models.K
    exact = [-0.5 * np.sum(M * np.expm1(gamma * np.square(r[:, None] - r))) for r in x]
    screen = RbfScreen(x.copy(), np.arange(len(x)), gamma)
    assert_bounds_hold(screen, models, np.array(exact))
    if gamma < 0.01:
        _, error = screen.refine(2, models, slice(len(x)), np.zeros(len(x)))
        assert (error < 1e-5 * np.abs(exact).max()).all()


@pytest.mark.parametrize("n_problems", [1, 3])
@pytest.mark.parametrize("gamma", [1e-4, 1e-2, 0.1])
@pytest.mark.parametrize("degree", [None, 0, 1, 2, 3, 6])
def test_bounds_of_the_product_screen_hold(degree, gamma, n_problems):
    rng = np.random.default_rng(0)
    x = mixed_features(40, rng)
    models = models_of(40, n_problems, rng, "sigmoid", gamma)
    of = np.tanh if degree is None else (lambda s: s**degree)
    s = gamma * models.base + 0.5
    exact = [
        0.5 * np.sum(models.pair_weights * (of(s) - of(s - gamma * np.outer(r, r)))) for r in x
    ]
    screen = ProductScreen(x, np.arange(len(x)), gamma, degree, 0.5)
    assert_bounds_hold(screen, models, np.array(exact))


def assert_bounds_hold(screen, models, exact):
    score = np.zeros(len(exact))
    rounding = 1e-12 * models.pair_norm
    for level in range(screen.n_levels):
        score, error = screen.refine(level, models, slice(len(exact)), score)
        assert (np.abs(score - exact) <= error + rounding).all()
        # the same of some as of all
        chosen = np.array([5, 0, 7])
        if level == 0:
            some, some_error = screen.refine(level, models, chosen, np.zeros(3))
            assert (np.abs(some - exact[chosen]) <= some_error + rounding).all()


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 2.0])
def test_pair_loops_match_the_definition(gamma, n_members):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 6))
    B = rng.normal(size=(50, 50))
    B += B.T
    x = np.ascontiguousarray(rows[:, :n_members].T)
    rest = rows[:, n_members:]

    def expected(kernel):
        parts = [kernel_matrix(kernel, gamma, 4, 0.5, r, r) for r in (rows, rest)]
        return 0.5 * np.sum(B * (parts[0] - parts[1]))

    D = cdist(rows, rows, "sqeuclidean")
    largest = gamma * np.square(np.ptp(x, axis=1)).sum()
    values = [kernel_delta.rbf_delta_large(B, D, x, gamma)]
    if largest <= kernel_delta.SMALL_EXPONENT:
        values.append(kernel_delta.rbf_delta_small(B * np.exp(-gamma * D), x, gamma, largest))
    np.testing.assert_allclose(values, expected("rbf"), rtol=1e-11)
    G = rows @ rows.T
    poly = kernel_product.poly_delta(B, G, x, gamma, 0.5, 4)
    np.testing.assert_allclose(poly, expected("poly"), rtol=1e-10)
    tanh = kernel_product.tanh_delta(B, G, x, gamma, 0.5)
    np.testing.assert_allclose(tanh, expected("sigmoid"), rtol=1e-10)


def test_coefficients_far_below_the_box_are_not_taken_for_rounding():
    X, y = problem(30, 8)
    X = X * 100.0
    given = settings(X, kernel="poly", degree=4, box=np.full(30, 1e3), floor=4)
    order, criterion, _, _ = brute_force(X, y, **given)
    # a model that is not solved would warn, which is an error here
    assert_same_path(trace_kernel(X, y, **given), order, criterion)
