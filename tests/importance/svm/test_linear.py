import time
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_selection import RFE
from sklearn.svm import SVC

from featprune.importance.svm.dual import Dual
from featprune.importance.svm.dual_state import RESTING
from featprune.importance.svm.linear import trace_linear
from featprune.importance.svm.problems import one_vs_one


def settings(X, **changes):
    p = X.shape[1]
    values = dict(
        box=np.ones(X.shape[0]),
        unit=np.arange(p),
        protected=np.zeros(p, dtype=bool),
        floor=1,
        step=1,
    )
    values.update(changes)
    if "n_units" in values:
        values["protected"] = np.zeros(values.pop("n_units"), dtype=bool)
    return values


def polished(X, y, C):
    """Weights and bias of a fitted two-class SVC, freed from libsvm's rounding.

    libsvm keeps its kernel in single precision, so that its weights are wrong in the fifth
    digit or sooner whatever its tol. Which samples are free it finds nonetheless, and these
    determine the rest: ``K_F beta_F + b = y_F``.
    """
    machine = SVC(kernel="linear", C=1.0, tol=1e-9, max_iter=10**6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounding may keep libsvm from coming below tol
        machine.fit(X, y, sample_weight=C)
    sign = np.where(y == machine.classes_[1], 1.0, -1.0)
    beta = np.zeros(len(y))
    beta[machine.support_] = machine.dual_coef_[0]
    free = np.flatnonzero((beta != 0.0) & (np.abs(beta) < C * (1 - 1e-12)))
    if len(free) == 0:
        return X.T @ beta, machine.intercept_[0]
    mean = X.mean(axis=0)
    K = (X - mean) @ (X - mean).T
    fixed = np.where(np.isin(np.arange(len(y)), free), 0.0, beta)
    system = np.zeros((len(free) + 1, len(free) + 1))
    system[0, 1:] = system[1:, 0] = 1.0
    system[1:, 1:] = K[np.ix_(free, free)]
    sides = np.r_[-fixed.sum(), (sign - K @ fixed)[free]]
    solved = np.linalg.lstsq(system, sides, rcond=1e-13)[0]
    exact = np.longdouble(1.0)
    for _ in range(2):
        rest = np.asarray(exact * sides - (exact * system) @ (exact * solved), dtype=float)
        solved = solved + np.linalg.lstsq(system, rest, rcond=1e-13)[0]
    fixed[free] = solved[1:]
    w = (X - mean).T @ fixed
    return w, solved[0] - mean @ w


def models(X, y, box):
    """Weights (n_problems, p) and biases of the one-vs-one problems, signed as SVC's."""
    n_classes = y.max() + 1
    found = []
    for i in range(n_classes):
        for j in range(i + 1, n_classes):
            rows = np.flatnonzero((y == i) | (y == j))
            w, b = polished(X[rows], y[rows], box[rows])
            found.append((w, b) if n_classes == 2 else (-w, -b))
    return np.array([w for w, _ in found]), np.array([b for _, b in found])


def refit(X, y, *, box, unit, protected, floor, step, held_out=None):
    """The slow, obvious version: a fit for each model."""
    left = np.ones(len(protected), dtype=bool)
    order, criterion, sizes, decisions = [], [], [], []
    while True:
        columns = np.flatnonzero(left[unit])
        weights, bias = models(X[:, columns], y, box)
        sizes.append(left.sum())
        if held_out is not None:
            decisions.append(held_out[:, columns] @ weights.T + bias)
        if left.sum() <= floor:
            break
        scores = np.zeros(len(protected))
        np.add.at(scores, unit[columns], (weights**2).sum(axis=0))
        candidates = np.flatnonzero(left & ~protected)
        ranked = sorted(candidates, key=lambda u: (scores[u], -u))
        for name in ranked[: min(step, left.sum() - floor)]:
            order.append(name)
            criterion.append(scores[name])
            left[name] = False
    return np.array(order), np.array(criterion), np.array(sizes), np.array(decisions)


def follow(X, y, *, box, **options):
    """Our path of the SVC."""
    return trace_linear(X, one_vs_one(y, box), scale=None, **options)


def problem(n, p, n_classes=2, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    signal = X[:, 0] + 0.5 * X[:, p // 2] + noise * rng.standard_normal(n)
    y = np.searchsorted(np.quantile(signal, np.arange(1, n_classes) / n_classes), signal)
    return X, y


def assert_same(trace, expected):
    order, criterion, sizes, decisions = expected
    np.testing.assert_array_equal(trace.sizes, sizes)
    np.testing.assert_array_equal(trace.order, order)
    np.testing.assert_allclose(trace.criterion, criterion, rtol=1e-7, atol=1e-10 * criterion.max())
    if trace.decisions is not None:
        np.testing.assert_allclose(trace.decisions, decisions, rtol=1e-7, atol=1e-7)


def start(X, problems):
    p = X.shape[1]
    return Dual(X, problems, scale=None, unit=np.arange(p), protected=np.zeros(p, dtype=bool))


def residual(dual, X, problems):
    """The largest violation of optimality, from the features that are left and beta alone."""
    part = X[:, dual.features_left()]
    part = part - part.mean(axis=0)
    worst = 0.0
    for k, (rows, low, high, box, _) in enumerate(problems):
        whole = np.zeros(len(X))
        whole[dual.order] = dual.P.V[k, 0, : len(X)]
        beta = whole[rows]
        assert (np.abs(beta) <= box).all()
        assert np.delete(whole, rows).sum() == 0.0
        values = part[rows] @ (part.T @ whole)
        size = max(1.0, np.abs(part[rows] * whole[rows, None]).sum())
        # the bias can be anything from `least` to `most`
        least = (np.where(beta >= 0, low, high) - values)[beta < box].max(initial=-np.inf)
        most = (np.where(beta > 0, low, high) - values)[beta > -box].min(initial=np.inf)
        worst = max(worst, (least - most) / size)
        worst = max(worst, abs(beta.sum()) / np.abs(beta).max(initial=1e-300))
    return worst


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0, 1e2])
@pytest.mark.parametrize(
    ("n", "p", "n_classes"),
    [(30, 40, 2), (60, 12, 2), (20, 100, 3), (45, 25, 5), (54, 20, 9)],
)
def test_every_rank_is_that_of_refits(n, p, n_classes, C):
    X, y = problem(n, p, n_classes)
    options = settings(X, box=np.full(n, C), held_out=None)
    assert_same(follow(X, y, **options), refit(X, y, **options))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_held_out_decisions_are_those_of_refits(n_classes):
    X, y = problem(50, 30, n_classes, seed=3)
    options = settings(X, held_out=np.random.default_rng(9).standard_normal((7, 30)) + 0.5)
    trace = follow(X, y, **options)
    assert_same(trace, refit(X, y, **options))
    machine = SVC(kernel="linear", tol=1e-9, decision_function_shape="ovo").fit(X, y)
    values = machine.decision_function(options["held_out"]).reshape(7, -1)
    np.testing.assert_allclose(trace.decisions[0], values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("step", [3, 11, 100])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_several_leave_at_a_step(step, n_classes):
    X, y = problem(40, 50, n_classes, seed=5)
    options = settings(X, step=step, floor=2, held_out=X[:3] + 1.0)
    assert_same(follow(X, y, **options), refit(X, y, **options))


def test_box_differs_between_samples():
    X, y = problem(60, 30, 3, seed=6)
    box = np.exp(np.random.default_rng(1).normal(scale=1.5, size=60))
    options = settings(X, box=box, held_out=X[::9])
    assert_same(follow(X, y, **options), refit(X, y, **options))


@pytest.mark.parametrize("step", [1, 3])
def test_groups_leave_at_once_and_protected_units_stay(step):
    X, y = problem(40, 45, 3, seed=7)
    unit = np.random.default_rng(2).permutation(np.arange(45) % 17)
    protected = np.isin(np.arange(17), [3, 8, 16])
    options = settings(X, unit=unit, protected=protected, floor=4, step=step)
    trace = follow(X, y, **options)
    assert not protected[trace.order].any()
    assert_same(trace, refit(X, y, **options))


@pytest.mark.parametrize("step", [1, 5])
def test_groups_of_many_sizes(step):
    """Some are more than what may rest before the kernel is brought up to date."""
    X, y = problem(80, 130, seed=17)
    unit = np.repeat(np.arange(16), [3, 8, 1, 12, 3, 8, 3, 20, 8, 1, 3, 30, 8, 3, 8, 11])
    options = settings(X, unit=unit, n_units=16, step=step, held_out=X[::20] + 0.1)
    assert_same(follow(X, y, **options), refit(X, y, **options))


def test_many_at_a_step_after_a_few():
    """The few still rest in the kernel, and leave no room for the many."""
    X, y = problem(100, 40, seed=19)
    problems = one_vs_one(y, np.ones(100))
    dual = start(X, problems)
    dual.run(3)
    assert dual.C.count[RESTING] == 3
    dual.leave_weakest(8)
    assert residual(dual, X, problems) < 1e-8
    assert dual.C.count[RESTING] <= len(dual.C.rest)
    part = X[:, dual.features_left()] - X[:, dual.features_left()].mean(axis=0)
    rest = dual.C.rest[: dual.C.count[RESTING], :100]
    np.testing.assert_allclose(dual.C.K[:100, :100] - rest.T @ rest, part @ part.T, atol=1e-11)


@pytest.mark.parametrize("groups", [False, True])
def test_more_rows_than_have_a_metric(groups):
    """Bounds by the way of the weights, a start by libsvm, the kernel kept up by BLAS."""
    X, y = problem(560, 60, seed=18)
    unit = np.repeat(np.arange(4), [30, 5, 24, 1]) if groups else np.arange(60)
    n_units = unit.max() + 1
    options = settings(X, unit=unit, n_units=n_units, floor=1 if groups else 35, held_out=X[:3])
    options["box"] = np.full(560, 0.05)
    assert_same(follow(X, y, **options), refit(X, y, **options))


def test_unscaled_columns_with_an_offset():
    X, y = problem(40, 30, seed=8)
    X = X * np.exp(np.random.default_rng(3).normal(size=30)) + 20.0
    options = settings(X, box=np.full(40, 0.1), held_out=X[:4])
    assert_same(follow(X, y, **options), refit(X, y, **options))


def test_constant_columns_leave_first_and_of_duplicates_the_right_one():
    X, y = problem(30, 12, seed=9)
    X = np.hstack([X, X[:, :6], np.full((30, 3), 0.1)])
    options = settings(X)
    trace = follow(X, y, **options)
    np.testing.assert_array_equal(trace.order[:3], [20, 19, 18])
    place = np.argsort(np.r_[trace.order, np.setdiff1d(np.arange(21), trace.order)])
    # a duplicate has the same criterion to the bit until one of the two has left
    assert (place[12:18] < place[:6]).all()
    assert trace.criterion[:3].max() == 0.0


@pytest.mark.parametrize("kind", ["zero", "equal", "noise"])
def test_the_next_is_the_weakest_however_many_are_near(kind):
    X, y = problem(30, 40)
    rng = np.random.default_rng(1)
    # more than there is room for in the sketch of near columns, and columns of unlike lengths
    more = {
        "zero": np.zeros((30, 2300)),
        "equal": np.repeat(0.01 * X[:, :1], 2300, axis=1),
        "noise": rng.standard_normal((30, 2300)) * 10.0 ** rng.uniform(-8.0, 2.0, 2300),
    }[kind]
    X = np.hstack([X, more])
    dual = start(X, one_vs_one(y, np.ones(30)))
    while dual.left > 20:
        scores = dual.unit_criteria()
        units = np.flatnonzero(~dual.C.gone)
        least = scores[units].min()
        gone, criterion, _ = dual.run(1)
        near = np.isclose(scores[units], least, rtol=1e-9, atol=0.0)
        np.testing.assert_allclose(criterion, least, rtol=1e-9, atol=1e-30)
        # of equal ones the last
        assert gone[0] in units[near]
        assert kind == "noise" or gone[0] == units[near].max()


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("groups", [False, True])
def test_the_next_is_the_weakest_of_thousands(n, groups):
    rng = np.random.default_rng(n)
    p = 6000
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p)
    y = (X[:, 0] + X[:, 1] + rng.standard_normal(n) > 0).astype(int)
    unit = np.arange(p) // 2 if groups else np.arange(p)
    n_units = unit[-1] + 1
    protected = np.zeros(n_units, dtype=bool)
    dual = Dual(X, one_vs_one(y, np.ones(n)), scale=None, unit=unit, protected=protected)
    while dual.left > n_units // 3:
        for _ in range(20):  # most steps are not looked at
            dual.run(1)
        scores = dual.unit_criteria()
        units = np.flatnonzero(~dual.C.gone)
        assert dual.run(1)[0][0] == units[np.argmin(scores[units])]


def test_all_samples_equal():
    trace = follow(np.ones((6, 4)), np.arange(6) % 2, **settings(np.ones((6, 4))))
    np.testing.assert_array_equal(trace.order, [3, 2, 1])


@pytest.mark.parametrize("counts", [(1, 1), (1, 9), (12, 30)], ids=str)
def test_few_samples_and_uneven_classes(counts):
    rng = np.random.default_rng(10)
    y = np.repeat([0, 1], counts)
    X = rng.standard_normal((len(y), 25)) + 0.3 * y[:, None]
    options = settings(X, box=np.full(len(y), 0.01), held_out=X + 0.1)
    assert_same(follow(X, y, **options), refit(X, y, **options))


def test_binary_columns_in_which_many_samples_coincide():
    """Ties are everywhere: the models are compared, at the ranks that are clear."""
    rng = np.random.default_rng(11)
    X = rng.integers(0, 2, size=(60, 8)).astype(float)
    y = (X[:, 0] + X[:, 1] + rng.integers(0, 2, 60) > 1).astype(int)
    dual = start(X, one_vs_one(y, np.ones(60)))
    while dual.left > 1:
        columns = dual.features_left()
        machine = SVC(kernel="linear", tol=1e-9).fit(X[:, columns], y)
        (gone,), (found,), _ = dual.run(1)
        squares = machine.coef_[0] ** 2
        np.testing.assert_allclose(found, squares.min(), rtol=1e-6, atol=1e-9)
        at = np.flatnonzero(columns == gone)
        np.testing.assert_allclose(squares[at], found, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("C", [1e-4, 1.0, 1e2])
@pytest.mark.parametrize(("n", "p"), [(40, 120), (80, 15)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_optimality_at_every_step(n, p, n_classes, C):
    X, y = problem(n, p, n_classes, seed=12)
    problems = one_vs_one(y, np.full(n, C))
    dual = start(X, problems)
    for _ in range(p - 1):
        assert residual(dual, X, problems) < 1e-8
        dual.run(1)
    assert dual.left == 1


def test_importances_are_the_first_criteria():
    X, y = problem(30, 20, 3, seed=13)
    machine = SVC(kernel="linear", tol=1e-10).fit(X, y)
    trace = follow(X, y, **settings(X))
    np.testing.assert_allclose(trace.importances, (machine.coef_**2).sum(axis=0), rtol=1e-6)


def test_input_order_does_not_matter_and_input_is_not_changed():
    X, y = problem(30, 40, 3, seed=14)
    kept = X.copy()
    first = follow(X, y, **settings(X, held_out=X))
    second = follow(np.asfortranarray(X), y, **settings(X, held_out=X))
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(first.order, second.order)
    np.testing.assert_array_equal(first.decisions, second.decisions)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_input(make, n_classes):
    rng = np.random.default_rng(15)
    X = np.where(rng.random((50, 90)) < 0.15, rng.standard_normal((50, 90)), 0.0)
    y = np.argsort(np.argsort(X[:, :6].sum(axis=1))) % 50 * n_classes // 50
    options = settings(X, held_out=X[:7] * 0.5)
    expected = refit(X, y, **options)
    # a column of few entries, none of them a support vector's, has a weight of exactly 0
    options["held_out"] = make(options["held_out"])
    assert_same(follow(make(X), y, **options), expected)


def test_deadline_and_progress():
    X, y = problem(30, 40)
    told = []
    follow(X, y, **settings(X), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (39, 39)
    trace = follow(X, y, **settings(X), deadline=time.monotonic() - 1.0)
    assert 1 <= len(trace.sizes) < 40
    assert len(trace.order) in (len(trace.sizes), len(trace.sizes) - 1)


def load(data_folder, name):
    with np.load(data_folder / name, allow_pickle=False) as data:
        X, y = data["X"].astype(float), np.unique(data["y"], return_inverse=True)[1]
    deviation = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0), y


@pytest.mark.parametrize(
    ("name", "columns", "floor"),
    [
        ("genes/dm_alon.npz", 400, 1),
        ("genes/gems_SRBCT.npz", 150, 20),
        ("genes/lymphoma.npz", 40, 20),
    ],
)
def test_every_rank_on_genes_is_that_of_refits(data_folder, name, columns, floor):
    X, y = load(data_folder, name)
    X = np.ascontiguousarray(X[:, :columns])
    options = settings(X, floor=floor)
    assert_same(follow(X, y, **options), refit(X, y, **options))


@pytest.mark.parametrize("name", ["genes/dm_alon.npz", "genes/dm_golub.npz"])
def test_where_rfe_drops_another_gene_it_could_not_tell_them_apart(data_folder, name):
    """libsvm's single-precision kernel blurs RFE's weights; ours are those of the optimum."""
    X, y = load(data_folder, name)
    X = np.ascontiguousarray(X[:, :400])
    machine = SVC(kernel="linear", tol=1e-9)
    rfe = RFE(machine, n_features_to_select=100).fit(X, y)
    theirs = np.argsort(-rfe.ranking_, kind="stable")[:300]
    ours = follow(X, y, **settings(X, floor=100)).order
    differs = np.flatnonzero(ours != theirs)
    if len(differs) == 0:
        return
    at = differs[0]
    left = np.setdiff1d(np.arange(400), ours[:at])
    w, _ = models(X[:, left], y, np.ones(len(y)))
    blurred = machine.fit(X[:, left], y).coef_[0] ** 2
    a, b = np.searchsorted(left, [ours[at], theirs[at]])
    sharp = w[0] ** 2
    assert sharp[a] <= sharp[b]
    assert sharp[b] - sharp[a] <= abs(sharp[a] - blurred[a]) + abs(sharp[b] - blurred[b])
    assert np.mean(ours == theirs) > 0.9


def test_no_warning_on_genes(data_folder):
    X, y = load(data_folder, "genes/dm_golub.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = follow(X, y, **settings(X))
    assert len(np.unique(trace.order)) == X.shape[1] - 1
