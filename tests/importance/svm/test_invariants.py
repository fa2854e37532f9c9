"""What must not change a ranking, on random small problems: names, scale, and how rows are written.

Columns are drawn so that no two criteria are closer than rounding can tell: continuous values.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from featprune.importance.svm.eliminate import eliminate

MACHINES = [
    SVC(kernel="linear", C=0.3),
    LinearSVC(C=0.3),
    LinearSVC(C=0.3, loss="hinge"),
    SVR(kernel="linear", C=0.3, epsilon=0.1),
    LinearSVR(C=0.3, epsilon=0.1),
    SVC(C=2.0, gamma=0.2),
    SVC(kernel="poly", degree=2, coef0=1.0, gamma=0.5),
    SVR(C=2.0, gamma=0.2),
]
quick = settings(max_examples=25, deadline=None)
each_machine = pytest.mark.parametrize("machine", MACHINES, ids=str)
each_linear_machine = pytest.mark.parametrize("machine", MACHINES[:5], ids=str)


@st.composite
def problems(draw):
    """Draw (X, targets) of 8 to 40 rows and 2 to 12 columns."""
    n, p = draw(st.integers(8, 40)), draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) * rng.uniform(0.3, 3.0, p)
    return X, X[:, 0] / X[:, 0].std() + rng.standard_normal(n)


def labels(machine, target):
    """Return a target for regression, two classes for the others."""
    return target if isinstance(machine, SVR | LinearSVR) else target > np.median(target)


def path(machine, X, y, *, unit=None, sample_weight=None):
    """Return the order in which units leave, and their criteria."""
    unit = np.arange(X.shape[1]) if unit is None else unit
    protected = np.zeros(unit.max() + 1, dtype=bool)
    trace = eliminate(
        machine, X, y, sample_weight=sample_weight, unit=unit, protected=protected, floor=1, step=1
    )
    return trace.order, trace.criterion


def assert_same(a, b):
    """Two paths are the same in order and, as far as the solver goes, in criteria."""
    (order, criterion), (other, value) = a, b
    scale = np.abs(criterion).max()
    np.testing.assert_array_equal(order, other)
    np.testing.assert_allclose(value, criterion, rtol=1e-5, atol=1e-7 * scale)


@each_machine
@quick
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_columns_does_not_matter(machine, problem, random):
    X, target = problem
    y = labels(machine, target)
    moved = list(range(X.shape[1]))
    random.shuffle(moved)
    order, criterion = path(machine, X[:, moved], y)
    assert_same(path(machine, X, y), (np.array(moved)[order], criterion))


@each_machine
@quick
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(machine, problem, random):
    X, target = problem
    y = labels(machine, target)
    moved = list(range(len(X)))
    random.shuffle(moved)
    assert_same(path(machine, X, y), path(machine, X[moved], y[moved]))


@each_machine
@quick
@given(problems(), st.floats(0.05, 20.0))
def test_scale_of_all_columns_goes_into_c_or_gamma(machine, problem, factor):
    X, target = problem
    y = labels(machine, target)
    scaled = clone(machine)
    if machine.get_params().get("kernel", "linear") == "linear":
        # weights shrink by the factor, and so does their part of the objective by its square; the
        # penalised bias is the weight of a constant that is scaled as the columns are
        scaled.set_params(C=machine.C / factor**2)
        if hasattr(machine, "intercept_scaling"):
            scaled.set_params(intercept_scaling=machine.intercept_scaling * factor)
    else:
        scaled.set_params(gamma=machine.gamma / factor**2)
    order, criterion = path(scaled, factor * X, y)
    if scaled.get_params().get("kernel", "linear") == "linear":
        criterion = criterion * factor**2
    assert_same(path(machine, X, y), (order, criterion))


@each_machine
@quick
@given(problems(), st.data())
def test_a_weight_of_two_is_the_row_twice(machine, problem, data):
    X, target = problem
    twice = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, unique=True))
    y, weight = labels(machine, target), np.ones(len(X))
    weight[twice] = 2.0
    rows = np.r_[np.arange(len(X)), twice]
    assert_same(path(machine, X, y, sample_weight=weight), path(machine, X[rows], y[rows]))


@each_linear_machine
@quick
@given(problems())
def test_a_column_in_two_parts_is_worth_as_much_as_a_group(machine, problem):
    X, target = problem
    y = labels(machine, target)
    # 0.7 + 0.3 = 1: the parts have the kernel of the whole
    split = np.hstack([X, np.sqrt(0.3) * X[:, :1]])
    split[:, 0] *= np.sqrt(0.7)
    unit = np.r_[np.arange(X.shape[1]), 0]
    assert_same(path(machine, X, y), path(machine, split, y, unit=unit))
