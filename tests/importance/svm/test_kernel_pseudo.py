import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.svm import SVC, SVR

from featprune.importance.svm.kernel import trace_kernel
from featprune.importance.svm.kernel_regression import trace_svr


def kernel_function(kernel, gamma, degree, coef0):
    """The kernel of two tables of rows, from its definition."""
    return {
        "rbf": lambda A, B: np.exp(-gamma * cdist(A, B, "sqeuclidean")),
        "poly": lambda A, B: (gamma * A @ B.T + coef0) ** degree,
        "sigmoid": lambda A, B: np.tanh(gamma * A @ B.T + coef0),
    }.get(kernel, kernel)


def spread(machine, X, column):
    """Median absolute deviation of the machine's values while one column runs through its range."""
    pseudo = np.tile(X.mean(axis=0), (50, 1))
    pseudo[:, column] = np.linspace(X[:, column].min(), X[:, column].max(), 50)
    value = machine.predict if isinstance(machine, SVR) else machine.decision_function
    values = value(pseudo).reshape(50, -1)
    return np.median(np.abs(values - np.median(values, axis=0)), axis=0).sum()


def brute_force(machine, X, y, *, unit, protected, floor, step):
    """Refit, and run every column through its range."""
    left = np.ones(len(protected), dtype=bool)
    order, criterion = [], []
    while left.sum() > floor:
        columns = np.flatnonzero(left[unit])
        machine.fit(X[:, columns], y)
        scores = dict.fromkeys(np.flatnonzero(left & ~protected), 0.0)
        for at, column in enumerate(columns):
            if unit[column] in scores:
                scores[unit[column]] += spread(machine, X[:, columns], at)
        for name in sorted(scores, key=lambda u: (scores[u], -u))[: min(step, left.sum() - floor)]:
            order.append(name)
            criterion.append(scores[name])
            left[name] = False
    return np.array(order), np.array(criterion)


def problem(n_classes=2, n=40, p=12):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, p)) + 1.0
    X[:, :4] += rng.normal(size=(n_classes, 4))[y]
    return X, y


def settings(p, **changes):
    values = dict(
        box=np.ones(40),
        gamma=0.05,
        degree=3,
        coef0=1.0,
        unit=np.arange(p),
        protected=np.zeros(p, dtype=bool),
        floor=1,
        step=1,
        criterion="pseudo_samples",
    )
    return values | changes


def eliminated(given):
    return {key: given[key] for key in ("unit", "protected", "floor", "step")}


KERNELS = {
    "rbf": dict(kernel="rbf"),
    "cubic": dict(kernel="poly"),
    "sigmoid": dict(kernel="sigmoid", gamma=0.005, coef0=0.0),
    "callable": dict(kernel=lambda A, B: (1.0 + A @ B.T / 7.0) ** 2),
}
UNITS = {
    "one at a time": {},
    "groups, one protected, step 2": dict(
        unit=np.array([0, 1, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8]),
        protected=np.arange(9) == 3,
        floor=2,
        step=2,
    ),
}


@pytest.mark.parametrize("case", UNITS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", KERNELS)
def test_same_order_as_brute_force(name, n_classes, case):
    X, y = problem(n_classes)
    given = settings(12, **KERNELS[name]) | UNITS[case]
    function = kernel_function(*(given[key] for key in ("kernel", "gamma", "degree", "coef0")))
    machine = SVC(kernel=function, tol=1e-9, decision_function_shape="ovo")
    order, criterion = brute_force(machine, X, y, **eliminated(given))
    trace = trace_kernel(X, y, **given)
    np.testing.assert_array_equal(trace.order, order)
    # libsvm holds its kernel in single precision.
    np.testing.assert_allclose(trace.criterion, criterion, rtol=1e-5, atol=1e-5 * criterion.max())


def test_regression_in_the_order_of_brute_force():
    X, _ = problem()
    y = X[:, 0] - 2.0 * X[:, 1] + X[:, 2] ** 2
    given = settings(12, kernel="rbf", epsilon=0.1)
    machine = SVR(gamma=0.05, epsilon=0.1, tol=1e-9)
    order, criterion = brute_force(machine, X, y, **eliminated(given))
    trace = trace_svr(X, y, **given)
    np.testing.assert_array_equal(trace.order, order)
    np.testing.assert_allclose(trace.criterion, criterion, rtol=1e-5, atol=1e-5 * criterion.max())


def test_linear_kernel_weighs_a_column_by_weight_times_range():
    X, y = problem()
    given = settings(12, kernel="poly", degree=1, coef0=0.0, gamma=1.0, floor=11)
    machine = SVC(kernel="linear", tol=1e-9).fit(X, y)
    # Of values at equal distances the median absolute deviation is a quarter of the range.
    expected = np.abs(machine.coef_[0]) * np.ptp(X, axis=0) * (12.5 / 49)
    np.testing.assert_allclose(trace_kernel(X, y, **given).importances, expected, rtol=1e-4)


@pytest.mark.parametrize("name", KERNELS)
def test_constant_columns_go_first_and_the_right_one_before_the_left(name):
    X, y = problem()
    X[:, [3, 9]] = 2.0
    trace = trace_kernel(X, y, **settings(12, **KERNELS[name]))
    np.testing.assert_array_equal(trace.order[:2], [9, 3])
    np.testing.assert_array_equal(trace.criterion[:2], 0.0)
