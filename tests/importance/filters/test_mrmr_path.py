"""Picking by relevance and redundancy against a slow version and against mrmr_selection."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_selection import f_classif, mutual_info_classif, mutual_info_regression

from featprune.importance.filters.categories import as_category
from featprune.importance.filters.likeness import likeness
from featprune.importance.filters.mrmr import pick
from featprune.importance.filters.relevance import (
    f_of_classes,
    f_of_regression,
    mutual_information,
)


def data(n=120, p=30, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 6))
    X = base[:, rng.integers(0, 6, p)] + rng.normal(size=(n, p)) * rng.uniform(0.1, 1.5, p)
    y = (base[:, 0] + base[:, 1] + 0.5 * rng.normal(size=n) > 0).astype(int)
    y[base[:, 2] > 1] = 2
    return X, y


@pytest.fixture(params=["double", "single"])
def picks(request):
    """Pick by products in double precision, and once more in single."""

    def run(X, relevance, n=None, scheme="quotient", unit=None, protected=None, **how):
        p = len(relevance)
        ready = likeness(X, None, **how)
        return pick(
            ready if request.param == "double" else ready.in_single(),
            relevance,
            np.arange(p) if unit is None else unit,
            np.zeros(p, dtype=bool) if protected is None else protected,
            p if n is None else n,
            scheme=scheme,
            progress=lambda done, total: None,
        )

    run.digits = 9 if request.param == "double" else 5
    return run


def slow_picks(alike, relevance, n, scheme):
    """The definition, with the whole table of correlations."""
    order, left = [], list(range(len(relevance)))
    for _ in range(n):
        scores = {}
        for j in left:
            among = [alike[j, i] for i in order]
            if not order:
                scores[j] = relevance[j]
            elif scheme == "quotient":
                scores[j] = relevance[j] / np.mean(np.maximum(among, 0.001))
            else:
                scores[j] = relevance[j] - np.mean(among)
        order.append(max(left, key=lambda j: scores[j]))
        left.remove(order[-1])
    return order


@pytest.mark.parametrize("scheme", ["quotient", "difference"])
@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("seed", range(3))
def test_picks_what_the_definition_picks(scheme, method, seed, picks):
    X, y = data(seed=seed)
    relevance = f_classif(X, y)[0]
    if scheme == "difference":
        relevance /= relevance.max()
    alike = pd.DataFrame(X).corr(method).abs().to_numpy()
    found = picks(X, relevance, scheme=scheme, by_rank=method == "spearman")
    assert found.order.tolist() == slow_picks(alike, relevance, 30, scheme)


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("regresses", [False, True], ids=["classes", "numbers"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.filterwarnings("ignore:Features .0. are constant", "ignore:invalid value encountered")
def test_picks_what_mrmr_selection_picks(holes, regresses, seed, picks):
    mrmr = pytest.importorskip("mrmr")
    X, y = data(seed=seed)
    X[:, 7] = 3.0
    if regresses:
        y = X[:, 0] - X[:, 4] + np.random.default_rng(5).normal(size=120)
    if holes:
        X[np.random.default_rng(6).random(X.shape) < 0.15] = np.nan
        X[:, 11] = np.where(np.arange(120) < 60, np.nan, X[:, 11])
    theirs = (mrmr.mrmr_regression if regresses else mrmr.mrmr_classif)(
        pd.DataFrame(X), pd.Series(y), 30, n_jobs=1, show_progress=False
    )
    ready = likeness(X, None)
    if regresses:
        relevance = f_of_regression(*ready.with_numbers(y))
    else:
        relevance = f_of_classes(ready.with_classes(as_category(y)))
    found = picks(X, relevance, n=len(theirs))
    assert len(theirs) == 29  # they leave out the constant one
    assert found.order.tolist() == theirs


def test_columns_of_no_relevance_come_last_from_the_left(picks):
    X, y = data()
    relevance = f_classif(X, y)[0]
    relevance[[3, 9, 20]] = 0.0
    assert picks(X, relevance).order[-3:].tolist() == [3, 9, 20]
    assert set(picks(X, relevance, scheme="difference").order[-3:]) == {3, 9, 20}


def test_a_copy_of_all_that_is_picked_has_no_score(picks):
    X = data()[0]
    both = np.column_stack([X[:, 0], X[:, 0], X[:, 1]])
    found = picks(both, np.array([5.0, 5.0, 0.1]))
    assert found.order.tolist() == [0, 2, 1]
    assert picks(both, np.array([5.0, 5.0, 0.1]), n=1).scores[1] == 0


def test_of_equal_scores_the_left_one_is_picked(picks):
    X, y = data(p=21)
    twice = np.hstack([X, X])
    found = picks(twice, np.tile(f_classif(X, y)[0], 2)).order
    place = np.argsort(found)
    assert (place[:21] < place[21:]).all()


def test_what_is_almost_a_copy_of_all_that_is_picked_has_a_score(picks):
    X = data()[0]
    almost = X[:, 0] + 1e-4 * X[:, 1]  # which single precision takes for a copy
    both = np.column_stack([X[:, 0], almost, X[:, 1]])
    assert np.corrcoef(both.T)[0, 1] < 1 - 1e-10
    assert picks(both, np.array([5.0, 4.9, 0.01])).order.tolist() == [0, 1, 2]


def test_infinite_relevance_is_picked_first(picks):
    X, y = data()
    relevance = f_classif(X, y)[0]
    relevance[[4, 12]] = np.inf
    assert picks(X, relevance).order[:2].tolist() == [4, 12]


def test_protected_units_are_picked_first_and_compared_with(picks):
    X, y = data()
    relevance = f_classif(X, y)[0]
    weak = np.argsort(relevance)[:2]
    protected = np.zeros(30, dtype=bool)
    protected[weak] = True
    found = picks(X, relevance, protected=protected).order
    assert set(found[:2]) == set(weak)
    alike = np.abs(np.corrcoef(X.T))[:, weak]
    expected = relevance / np.maximum(alike, 0.001).mean(axis=1)
    expected[weak] = -1
    assert found[2] == expected.argmax()


def test_units_are_as_alike_as_their_most_similar_features(picks):
    X = data(p=12)[0]
    unit = np.array([0, 0, 1, 2, 2, 2, 3, 4, 0, 5, 6, 6])
    relevance = np.arange(7, 0, -1.0)
    alike = np.abs(np.corrcoef(X.T))
    between = np.zeros((7, 7))
    for a in range(7):
        for b in range(7):
            between[a, b] = alike[np.ix_(unit == a, unit == b)].max()
    found = picks(X, relevance, unit=unit, protected=np.zeros(7, dtype=bool))
    assert found.order.tolist() == slow_picks(between, relevance, 7, "quotient")


def test_a_unit_without_features_is_like_nothing(picks):
    X = data(p=3)[0]
    relevance = np.array([3.0, 0.0, 2.0, 1.0])
    found = picks(X, relevance, unit=np.array([0, 2, 3]), protected=np.zeros(4, dtype=bool))
    assert found.order[-1] == 1


def test_few_picks_are_the_first_of_all(picks):
    X, y = data()
    relevance = f_classif(X, y)[0]
    every, some = picks(X, relevance), picks(X, relevance, n=7)
    assert some.order.tolist() == every.order[:7].tolist()
    mean = np.maximum(np.abs(np.corrcoef(X.T))[:, some.order], 0.001).mean(axis=1)
    rest = np.setdiff1d(np.arange(30), some.order)
    np.testing.assert_allclose(
        some.scores[rest], (relevance / mean)[rest], rtol=10.0**-picks.digits
    )


def drawn_sparse(seed=0):
    rng = np.random.default_rng(seed)
    X = np.round(sparse.random_array((90, 12), density=0.3, rng=rng).toarray() * 9 - 2, 0)
    X[:, 5] = 0.0
    X[:, 6] = 2.0
    return X + 0.0, np.arange(90) % 3


@pytest.mark.parametrize("by_rank", [False, True], ids=["values", "ranks"])
@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weights"])
def test_sparse_tables_are_compared_as_dense_ones(by_rank, weighted):
    X, y = drawn_sparse()
    weight = np.random.default_rng(1).integers(1, 4, 90).astype(float) if weighted else None
    dense = likeness(X, weight, by_rank=by_rank)
    other = likeness(sparse.csr_array(X), weight, by_rank=by_rank)
    for j in range(12):
        np.testing.assert_allclose(other.with_feature(j), dense.with_feature(j), atol=1e-12)
    by_number, n = other.with_numbers(y + X[:, 0])
    expected, n_dense = dense.with_numbers(y + X[:, 0])
    np.testing.assert_allclose(by_number, expected, atol=1e-12)
    np.testing.assert_allclose(n, n_dense)
    found, wanted = other.with_classes(as_category(y)), dense.with_classes(as_category(y))
    np.testing.assert_allclose(f_of_classes(found), f_of_classes(wanted), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("regresses", [False, True], ids=["classes", "numbers"])
def test_mutual_information_is_that_of_scikit_learn_dense_or_sparse(regresses):
    X, y = data()
    X[:, 3], X[:, 4] = np.clip(np.round(X[:, 3]), -2, 2), X[:, 4] > 0
    few = np.array([len(np.unique(x)) <= 10 for x in X.T])
    target = X[:, 0] + y if regresses else y
    measure = mutual_info_regression if regresses else mutual_info_classif
    expected = measure(X, target, discrete_features=few, random_state=1)
    for table in (X, sparse.csr_array(X)):
        found = mutual_information(table, target, regresses=regresses, seed=1, n_jobs=None)
        assert few.sum() == 2
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("scheme", ["quotient", "difference"])
def test_scores_that_single_precision_cannot_tell_apart_are_told_apart(scheme):
    X, y = data(p=12)
    # columns that differ by less than single precision sees, the better one further right
    apart = np.random.default_rng(1).normal(size=X.shape)
    many = np.hstack([X + 1e-6 * apart, X, X + 2e-6 * apart])
    relevance = np.tile(f_classif(X, y)[0], 3)
    if scheme == "difference":
        relevance /= relevance.max()
    alike = np.abs(np.corrcoef(many.T))
    expected = slow_picks(alike, relevance, 12, scheme)
    found = pick(
        likeness(many, None).in_single(),
        relevance,
        np.arange(36),
        np.zeros(36, dtype=bool),
        12,
        scheme=scheme,
        progress=lambda done, total: None,
    )
    assert found.order.tolist() == expected
