"""Which machine takes which road, and that each road gets what the machine says."""

import numba
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, make_classification
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from featprune.importance.jit import COMPILING, telling_of_compiling
from featprune.importance.svm import eliminate as dispatch
from featprune.importance.svm import kernel, kernel_regression
from featprune.importance.svm.eliminate import eliminate, linear_problems
from featprune.importance.svm.refit import trace_refit
from featprune.progress import listening

CLASSES = make_classification(60, 8, n_informative=5, n_classes=3, random_state=0)
NUMBERS = load_diabetes(return_X_y=True)
ROADS = {
    "trace_linear": (dispatch, "trace_linear"),
    "trace_refit": (dispatch, "trace_refit"),
    "trace_kernel": (kernel, "trace_kernel"),
    "trace_svr": (kernel_regression, "trace_svr"),
}


def way(X, **options):
    n = X.shape[1]
    plain = {"unit": np.arange(n), "protected": np.zeros(n, dtype=bool), "floor": 1, "step": 1}
    return plain | options


@pytest.fixture
def roads(monkeypatch):
    """Return the list of roads that are taken, with what they were given."""
    taken = []

    def watch(name, road):
        def watched(*inputs, **options):
            taken.append((name, inputs, options))
            return road(*inputs, **options)

        return watched

    for name, (module, attribute) in ROADS.items():
        monkeypatch.setattr(module, attribute, watch(name, getattr(module, attribute)))
    return taken


def dot(A, B):
    return A @ B.T


TAKES = [
    (SVC(kernel="linear"), "trace_linear", None),
    (LinearSVC(), "trace_linear", 1.0),
    (LinearSVC(loss="hinge", intercept_scaling=3), "trace_linear", 3.0),
    (LinearSVC(fit_intercept=False), "trace_linear", 0.0),
    (SVR(kernel="linear"), "trace_linear", None),
    (LinearSVR(epsilon=0.2), "trace_linear", 1.0),
    (LinearSVR(loss="squared_epsilon_insensitive"), "trace_linear", 1.0),
    (SVC(), "trace_kernel", None),
    (SVC(kernel="poly"), "trace_kernel", None),
    (SVC(kernel=dot), "trace_kernel", None),
    (SVR(), "trace_svr", None),
    (SVR(kernel="sigmoid"), "trace_svr", None),
]


@pytest.mark.parametrize(("machine", "road", "scale"), TAKES, ids=lambda value: str(value)[:40])
def test_each_machine_takes_its_road(roads, machine, road, scale):
    X, y = NUMBERS if isinstance(machine, SVR | LinearSVR) else CLASSES
    eliminate(machine, X[:40], y[:40], **way(X, floor=6))
    (name, _, options) = roads[0]
    assert [one[0] for one in roads] == [road]
    assert options.get("scale") == scale
    assert name == road


@pytest.mark.parametrize(
    ("machine", "road"),
    [
        (SVC(kernel="linear"), "trace_refit"),
        (LinearSVC(loss="hinge", C=0.01), "trace_refit"),
        (LinearSVC(), "trace_linear"),
        (SVR(kernel="linear"), "trace_refit"),
        (LinearSVR(epsilon=0.1, max_iter=9999), "trace_refit"),
        (LinearSVR(loss="squared_epsilon_insensitive"), "trace_linear"),
    ],
    ids=str,
)
def test_more_rows_than_a_gram_matrix_should_have_are_refitted(roads, monkeypatch, machine, road):
    monkeypatch.setattr(dispatch, "MOST_GRAM_ROWS", 39)
    X, y = NUMBERS if isinstance(machine, SVR | LinearSVR) else CLASSES
    rows = 60 if isinstance(machine, SVC) else 40  # of which a pair of classes has about 40
    eliminate(machine, X[:rows], y[:rows], **way(X, floor=6))
    assert [one[0] for one in roads] == [road]


def test_one_large_pair_of_classes_is_enough_for_refits(roads, monkeypatch):
    X, y = CLASSES
    monkeypatch.setattr(dispatch, "MOST_GRAM_ROWS", 45)
    eliminate(SVC(kernel="linear"), X, y, **way(X, floor=6))  # a pair has about 40 rows
    assert roads.pop()[0] == "trace_linear"
    y = np.minimum(y, 1)
    eliminate(SVC(kernel="linear"), X, y, **way(X, floor=6))
    assert roads.pop()[0] == "trace_refit"


LINEAR = [
    SVC(kernel="linear", tol=1e-9, C=0.5, class_weight="balanced"),
    LinearSVC(dual=False, tol=1e-10, max_iter=10_000, class_weight={0: 2, 1: 0.3, 2: 1}),
    LinearSVC(loss="hinge", tol=1e-9, max_iter=1_000_000, C=0.01),
    SVR(kernel="linear", tol=1e-9, C=50),
    LinearSVR(C=1, epsilon=5, tol=1e-9, max_iter=1_000_000),
    LinearSVR(loss="squared_epsilon_insensitive", dual=False, tol=1e-10, max_iter=9999),
]


@pytest.mark.parametrize("machine", LINEAR, ids=str)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_the_road_of_linear_machines_gives_what_refits_give(machine, container):
    X, y = NUMBERS if isinstance(machine, SVR | LinearSVR) else CLASSES
    X, y = X[:60], y[:60]
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
    options = way(X, sample_weight=weight, held_out=container(X[:7]), step=2)
    ours = eliminate(machine, container(X), y, **options)
    peer = trace_refit(machine, container(X), y, **options)
    assert ours.order.tolist() == peer.order.tolist()
    assert ours.sizes.tolist() == peer.sizes.tolist()
    scale = np.abs(peer.decisions).max()
    np.testing.assert_allclose(ours.decisions, peer.decisions, atol=1e-4 * scale)
    np.testing.assert_allclose(
        ours.importances, peer.importances, atol=1e-4 * peer.importances.max()
    )


def test_problems_carry_the_weights_of_the_machine():
    y = CLASSES[1]
    weight = np.arange(1.0, 61.0)
    (first, *_) = linear_problems(SVC(kernel="linear", C=2), y, weight)
    assert first.box.tolist() == (2 * weight[np.isin(y, [0, 1])]).tolist()
    (_, second, _) = linear_problems(LinearSVC(C=2, class_weight={1: 3.0}), y, weight)
    expected = 1 / (2 * 2 * weight * np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(second.ridge, expected, rtol=1e-15)
    (only,) = linear_problems(SVR(kernel="linear", epsilon=0.25), NUMBERS[1], None)
    assert (only.high - only.low == 0.5).all()


@pytest.mark.parametrize("machine", [SVC(), SVC(kernel=dot), SVR()], ids=str)
def test_a_kernel_sees_a_sparse_table_as_a_dense_one(machine):
    X, y = CLASSES
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    options = way(X) | {"step": 2}
    dense = eliminate(machine, X, y.astype(float), held_out=X[:5], **options)
    thin = eliminate(
        machine, sparse.csr_array(X), y.astype(float), held_out=sparse.csr_array(X[:5]), **options
    )
    assert thin.order.tolist() == dense.order.tolist()
    np.testing.assert_allclose(thin.decisions, dense.decisions, rtol=1e-9, atol=1e-9)


def test_a_sparse_table_that_is_too_large_when_dense_is_refused():
    X = sparse.csr_array((60_000, 60_000))
    message = r"SVC\(gamma='auto'\) needs it dense: 60000 x 60000 .* 26.8 GiB, more than the 8 GiB"
    with pytest.raises(ValueError, match=message):
        eliminate(SVC(gamma="auto"), X, np.arange(60_000) % 2, **way(X))


@pytest.mark.parametrize("machine", [SVC(), SVC(kernel=dot), SVR(kernel="poly")], ids=str)
@pytest.mark.parametrize("criterion", ["delta_j", "pseudo_samples"])
def test_a_unit_without_features_is_worth_nothing(machine, criterion):
    X, y = CLASSES
    unit = np.array([0, 1, 2, 4, 5, 6, 7, 8])  # 3 is a column that was encoded into nothing
    options = {"unit": unit, "protected": np.zeros(9, dtype=bool), "floor": 1, "step": 1}
    trace = eliminate(machine, X, y, criterion=criterion, held_out=X[:4], **options)
    assert trace.importances.shape == (8,)
    # exactly, but for a callable, whose values are only known as they come
    assert trace.criterion[trace.order == 3] == pytest.approx(
        0, abs=1e-12 * callable(machine.kernel)
    )
    peer = eliminate(machine, X, y, criterion=criterion, held_out=X[:4], **way(X))
    assert unit[peer.order].tolist() == trace.order[trace.order != 3].tolist()


def test_a_linear_machine_can_be_ranked_by_pseudo_samples(roads):
    """The spread of a line over a column is its slope times the spread of the column."""
    X, y = CLASSES
    y = np.minimum(y, 1)
    machine = SVC(kernel="linear")
    trace = eliminate(machine, X, y, criterion="pseudo_samples", **way(X))
    weights = np.sqrt(eliminate(machine, X, y, **way(X)).importances)
    assert [one[0] for one in roads] == ["trace_kernel", "trace_linear"]
    spread = weights * np.ptp(X, axis=0)
    assert trace.order[0] == spread.argmin()
    np.testing.assert_allclose(trace.importances / spread, (trace.importances / spread)[0])


def test_compiling_is_told_once_and_loading_is_not():
    def tell_apart(x):
        return x + 1

    def other(x):
        return x + 2

    for function in (tell_apart, other):
        function.__module__ = "featprune.importance.svm.kernels.example"
    told = []
    one, two = numba.njit(tell_apart), numba.njit(other)
    stranger = numba.njit(lambda x: x + 3)
    with listening(lambda *words: told.append(words)):
        with telling_of_compiling():
            stranger(1.0)
        assert told == []
        with telling_of_compiling():
            one(1.0)
            two(1.0)
        assert told == [(COMPILING, 0, 1), (COMPILING, 1, 1)]
        with telling_of_compiling():
            one(2.0)
        assert len(told) == 2
