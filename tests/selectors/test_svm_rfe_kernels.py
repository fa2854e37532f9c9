"""SVMRFE with machines that have a kernel."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.metrics import get_scorer
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from featprune import SVMRFE
from featprune.importance.svm.kernel import trace_kernel

# with three folds of few rows, hardly a score is sure to be better than guessing
pytestmark = pytest.mark.filterwarnings("ignore:.*found no size whose score is surely better than")


def dot(A, B):
    return A @ B.T


def laplace(A, B):
    return np.exp(-0.1 * np.abs(A[:, None] - B).sum(axis=2))


KERNELS = {
    "rbf": SVC(),
    "poly": SVC(kernel="poly", degree=2, coef0=1, gamma="auto"),
    "sigmoid": SVC(kernel="sigmoid", gamma=0.01),
    "callable": SVC(kernel=laplace),
}
each_kernel = pytest.mark.parametrize("machine", KERNELS.values(), ids=KERNELS.keys())


def table(n_classes=2, n_samples=60, n_features=9, seed=0):
    return make_classification(
        n_samples, n_features, n_informative=5, n_classes=n_classes, random_state=seed
    )


def number_for(gamma, X):
    return {"scale": 1 / (X.shape[1] * X.var()), "auto": 1 / X.shape[1]}.get(gamma, gamma)


def delta_j(machine, X, y):
    """Guyon's criterion of each column from its definition: one model, kernels without a column."""
    fitted = clone(machine).set_params(tol=1e-9).fit(X, y)
    beta = np.zeros(len(y))
    beta[fitted.support_] = fitted.dual_coef_[0]

    def energy(columns):
        A = X[:, columns]
        if callable(machine.kernel):
            return beta @ machine.kernel(A, A) @ beta
        names = {"rbf": ["gamma"], "poly": ["gamma", "degree", "coef0"]}
        parameters = {
            name: getattr(machine, name) for name in names.get(machine.kernel, ["gamma", "coef0"])
        }
        return beta @ pairwise_kernels(A, metric=machine.kernel, **parameters) @ beta

    everything = np.arange(X.shape[1])
    whole = energy(everything)
    return np.array([whole - energy(np.delete(everything, j)) for j in everything]) / 2


# a sigmoid of gamma="scale" is not positive semidefinite: of its several optima, libsvm, with
# kernels in single precision, may find another
RANKED = [(machine, False) for machine in KERNELS.values()]
RANKED += [(SVC(), True), (SVC(kernel="poly", degree=2, coef0=1), True)]


@pytest.mark.parametrize(("machine", "rescale"), RANKED, ids=str)
def test_the_order_is_that_of_refits_and_the_definition(machine, rescale):
    X, y = table()
    ours = SVMRFE(machine, n_features_to_select=1, standardize=False, rescale_gamma=rescale).fit(
        X, y
    )
    left, order, criteria = list(range(9)), [], []
    gamma = number_for(machine.gamma, X)
    while len(left) > 1:
        if rescale:
            gamma = number_for("scale", X[:, left])
        worth = delta_j(clone(machine).set_params(gamma=gamma), X[:, left], y)
        criteria.append(worth.min())
        order.append(left.pop(int(worth.argmin())))
    assert ours.path_.order.tolist() == order
    np.testing.assert_allclose(ours.path_.criterion, criteria, rtol=1e-3, atol=1e-4)


@each_kernel
@pytest.mark.parametrize("criterion", ["delta_j", "pseudo_samples"])
def test_the_order_is_that_of_the_kernels_road(machine, criterion):
    X, y = table(n_classes=3)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    machine = clone(machine).set_params(C=0.7, class_weight={0: 2.0, 1: 1.0, 2: 0.5})
    ours = SVMRFE(machine, n_features_to_select=1, criterion=criterion).fit(
        X, y, sample_weight=weight
    )
    mean = np.average(X, axis=0, weights=weight)
    scaled = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    trace = trace_kernel(
        scaled,
        y,
        box=0.7 * weight * np.array([2.0, 1.0, 0.5])[y],
        kernel=machine.kernel,
        gamma=number_for(machine.gamma, scaled),
        degree=machine.degree,
        coef0=machine.coef0,
        criterion=criterion,
        unit=np.arange(9),
        protected=np.zeros(9, dtype=bool),
        floor=1,
        step=1,
    )
    assert ours.path_.order.tolist() == trace.order.tolist()
    np.testing.assert_allclose(ours.importances_, trace.importances, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "machine",
    [SVC(kernel="poly", degree=1, gamma=1, coef0=0), SVC(kernel=dot)],
    ids=["poly of degree 1", "dot product"],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_kernel_that_is_linear_ranks_as_the_linear_machine(machine, n_classes):
    X, y = table(n_classes, n_features=12)
    curved = SVMRFE(machine, n_features_to_select="best", cv=3).fit(X, y)
    straight = SVMRFE(SVC(kernel="linear"), n_features_to_select="best", cv=3).fit(X, y)
    assert np.array_equal(curved.path_.order, straight.path_.order)
    assert np.array_equal(curved.path_.fold_orders, straight.path_.fold_orders)
    np.testing.assert_allclose(curved.path_.scores, straight.path_.scores)
    np.testing.assert_allclose(curved.importances_, straight.importances_ / 2, rtol=1e-6)


@each_kernel
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_along_the_path_are_those_of_refits(machine, n_classes):
    X, y = table(n_classes)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scoring = "roc_auc" if n_classes == 2 else "f1_macro"
    ours = SVMRFE(
        machine, cv=folds, n_features_to_select="best", scoring=scoring, standardize=False
    ).fit(X, y)
    for fold, (train, test) in enumerate(folds.split(X, y)):
        gamma = number_for(machine.gamma, X[train])
        for i, size in enumerate(ours.path_.sizes):
            left = np.setdiff1d(np.arange(9), ours.path_.fold_orders[fold][: 9 - size])
            peer = clone(machine).set_params(gamma=gamma, tol=1e-9).fit(X[train][:, left], y[train])
            expected = get_scorer(scoring)(peer, X[test][:, left], y[test])
            assert ours.path_.scores[fold, i] == pytest.approx(expected, abs=1e-12)


def test_rbf_finds_what_a_line_cannot_see():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 20))
    y = (X[:, 3] * X[:, 11] > 0).astype(int)
    curved = SVMRFE(SVC(), n_features_to_select=2).fit(X, y)
    assert np.flatnonzero(curved.support_).tolist() == [3, 11]


def test_groups_and_kept_columns_go_the_kernels_road_too():
    X, y = table()
    fitted = SVMRFE(
        SVC(), feature_groups={"pair": [0, 4]}, always_keep=[2], n_features_to_select=2, step=3
    ).fit(X, y)
    assert fitted.support_[2]
    assert fitted.support_[0] == fitted.support_[4]
    assert fitted.path_.sizes.tolist() == [8, 5, 2, 1]


def test_a_sparse_table_ranks_as_a_dense_one():
    X, y = table()
    X = np.where(np.abs(X) < 0.4, 0.0, X)
    dense = SVMRFE(SVC(), n_features_to_select=1, standardize=False).fit(X, y)
    thin = SVMRFE(SVC(), n_features_to_select=1, standardize=False).fit(sparse.csr_array(X), y)
    assert np.array_equal(dense.ranking_, thin.ranking_)


@each_kernel
def test_jobs_pickles_and_clones_change_nothing(machine):
    X, y = table(3)
    parameters = repr(machine.get_params())
    one = SVMRFE(machine, cv=3).fit(X, y)
    two = SVMRFE(machine, cv=3, n_jobs=2).fit(X, y)
    assert one.path_.scores.tobytes() == two.path_.scores.tobytes()
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    copy = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copy.support_, one.support_)
    again = clone(one).fit(X, y)
    assert again.path_.criterion.tobytes() == one.path_.criterion.tobytes()
    assert repr(machine.get_params()) == parameters
    assert not hasattr(machine, "support_")


def test_a_real_table_equals_the_definition(data_folder):
    data = np.load(data_folder / "genes/dm_alon.npz")
    X, y = StandardScaler().fit_transform(data["X"][:, :30]), data["y"]
    y = np.unique(y, return_inverse=True)[1]
    machine = SVC(gamma=1 / 30)
    ours = SVMRFE(machine, n_features_to_select=1, standardize=False).fit(X, y)
    left, order = list(range(30)), []
    while len(left) > 1:
        order.append(left.pop(int(delta_j(machine, X[:, left], y).argmin())))
    assert ours.path_.order.tolist() == order


def test_breast_cancer_keeps_its_score_with_a_third_of_its_columns():
    X, y = load_breast_cancer(return_X_y=True)
    fitted = SVMRFE(SVC(), cv=3).fit(X[::3], y[::3])
    assert fitted.path_.mean_scores.max() > 0.93
    assert fitted.n_features_ <= 10
