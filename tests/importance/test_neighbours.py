"""Neighbours against all pairs looked at one by one, and scikit-learn's trustworthiness."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from featprune.importance import neighbours
from featprune.importance.neighbours import nearest, preserved, preserved_without, shared


def slow_distances(a, base, metric):
    """Distances of a row from all of `base`, rounded so that equal ones are equal."""
    if metric == "euclidean":
        return ((base - a) ** 2).sum(axis=1).round(11)
    norms = np.sqrt((a**2).sum() * (base**2).sum(axis=1))
    return (1 - base @ a / np.where(norms > 0, norms, 1.0)).round(11)


def slow_order(X, metric):
    """Numbers of the other rows for each row, nearest first, rows further up first of equals."""
    orders = [np.argsort(slow_distances(row, X, metric), kind="stable").tolist() for row in X]
    return [[j for j in order if j != i] for i, order in enumerate(orders)]


def slow_preserved(X, Z, k, metric):
    full, less = slow_order(X, metric), slow_order(Z, metric)
    n, common, penalty = len(X), 0, 0
    for i in range(n):
        for j in less[i][:k]:
            common += j in full[i][:k]
            penalty += max(0, full[i].index(j) + 1 - k)
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1)), common / (n * k)


def tables():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(44, 6))
    heavy = rng.standard_t(1.5, size=(44, 6))
    return {
        "normal": normal,
        "far from zero": normal + 100,
        "few values": rng.integers(0, 3, size=(44, 6)).astype(float),
        "rows that stand twice": np.repeat(normal[:22], 2, axis=0),
        "outliers": heavy,
        "constant column": np.column_stack([normal[:, :4], np.full((44, 2), 3.0)]),
        "rows of zeros": normal * (np.arange(44) % 5 > 0)[:, None],
        "wide": rng.normal(size=(25, 70)),
    }


TABLES = tables()
every_table = pytest.mark.parametrize("X", TABLES.values(), ids=TABLES.keys())
every_metric = pytest.mark.parametrize("metric", ["euclidean", "cosine"])


@every_table
@every_metric
def test_measures_are_those_of_all_pairs(X, metric):
    Z = X[:, 1:4]
    expected = slow_preserved(X, Z, 5, metric)
    assert preserved(X, Z, 5, metric) == pytest.approx(expected, abs=1e-12)


@every_table
@every_metric
@pytest.mark.parametrize("n_listed", [1, 12], ids=["short lists", "long lists"])
def test_a_unit_left_out_is_as_a_table_without_it(X, metric, n_listed, monkeypatch):
    monkeypatch.setattr(neighbours, "_LISTED", n_listed)
    units = [np.array([0]), np.array([2]), np.array([1, 3]), np.arange(X.shape[1] - 1)]
    expected = [slow_preserved(X, np.delete(X, unit, axis=1), 4, metric) for unit in units]
    np.testing.assert_allclose(preserved_without(X, units, 4, metric), expected, atol=1e-12)


@pytest.mark.parametrize("k", [1, 7, 21], ids=["one", "some", "as many as there can be"])
def test_trustworthiness_is_that_of_scikit_learn(k):
    X = TABLES["normal"]
    ours, _ = preserved(X, X[:, :2], k, "euclidean")
    assert ours == pytest.approx(trustworthiness(X, X[:, :2], n_neighbors=k), abs=1e-12)
    (without, _), *_ = preserved_without(X, [np.arange(2, 6)], k, "euclidean")
    assert without == pytest.approx(ours, abs=1e-12)


@every_metric
def test_blocks_of_rows_do_not_change_a_bit(metric, monkeypatch):
    X = TABLES["few values"]
    units = [np.array([i]) for i in range(6)]
    whole = preserved(X, X[:, :3], 5, metric), preserved_without(X, units, 5, metric)
    found = nearest(X, X, 5, metric)
    monkeypatch.setattr(neighbours, "_BLOCK", 150)
    assert (preserved(X, X[:, :3], 5, metric), preserved_without(X, units, 5, metric)) == whole
    assert np.array_equal(nearest(X, X, 5, metric), found)


@every_metric
def test_nothing_lost_is_one(metric):
    X = TABLES["few values"]
    assert preserved(X, X.copy(), 5, metric) == (1, 1)
    X = np.column_stack([X, np.zeros(44)])
    assert preserved_without(X, [np.array([6])], 5, metric) == [(1, 1)]


@every_table
@every_metric
def test_nearest_of_other_rows(X, metric):
    queries, base = X[:10], X[10:]
    far = [slow_distances(a, base, metric) for a in queries]
    expected = np.argsort(far, axis=1, kind="stable")[:, :7]
    assert np.array_equal(nearest(queries, base, 7, metric), expected)


def test_queries_far_from_all_rows_have_neighbours():
    base = np.zeros((4, 2))
    assert nearest(np.full((1, 2), 1e9), base, 2, "euclidean").tolist() == [[0, 1]]


def test_shared_counts_what_both_have_in_any_order():
    ours, others = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 1, 9], [7, 8, 9]])
    assert shared(ours, others).tolist() == [2 / 3, 0]


def test_inputs_stay_as_they_were():
    X = TABLES["normal"].copy()
    preserved(X, X[:, :2], 3, "cosine")
    preserved_without(X, [np.array([0])], 3, "euclidean")
    assert np.array_equal(X, TABLES["normal"])
