"""The pass over the columns against one that goes pair by pair."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from featprune.importance.filters import redundancy
from featprune.importance.filters.association import Columns
from featprune.importance.filters.categories import Category
from featprune.importance.filters.likeness import likeness
from featprune.importance.filters.profile import profile, variances
from featprune.importance.filters.redundancy import find_redundant
from featprune.table.comparable import CATEGORY, NUMBER, OPAQUE


def columns_of(X):
    p = X.shape[1]
    return Columns(np.full(p, NUMBER), lambda idx: X[:, idx], {}, np.full(p, -1), len(X))


def related(n=80, p=40, seed=0):
    """Columns of which many are like one of the first few."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 8))
    X = base[:, rng.integers(0, 8, p)] + rng.normal(size=(n, p)) * rng.uniform(0, 1, p)
    return X * rng.uniform(0.1, 10, p)


def run(X, threshold=0.8, members=None, order=None, protected=None):
    p = X.shape[1]
    members = [np.array([j]) for j in range(p)] if members is None else members
    order = np.arange(len(members)) if order is None else order
    protected = np.zeros(len(members), dtype=bool) if protected is None else protected
    return find_redundant(
        columns_of(X), members, order, protected, threshold, lambda done, total: None
    )


def slow_pass(X, threshold, order):
    """Each column against each kept one, by the whole table of correlations."""
    alike = np.abs(np.corrcoef(X.T))
    kept, gone, highest, by = [], [], {}, {}
    for j in order:
        values = alike[j, kept]
        highest[j] = values.max() if len(kept) else 0.0
        by[j] = kept[int((values >= highest[j] - 1e-9).argmax())] if len(kept) else -1
        (gone if highest[j] > threshold else kept).append(j)
    p = X.shape[1]
    return set(gone), np.array([highest[j] for j in range(p)]), [by[j] for j in range(p)]


@pytest.fixture(params=["double", "single"])
def precision(request, monkeypatch):
    if request.param == "single":
        monkeypatch.setattr(redundancy, "_MANY", 0)
    return request.param


@pytest.fixture(params=[3, 16, 512], ids=lambda size: f"blocks of {size}")
def block(request, monkeypatch):
    monkeypatch.setattr(redundancy, "BLOCK", request.param)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.3, 0.8, 0.95])
def test_lets_go_of_what_a_pass_by_pairs_lets_go_of(seed, threshold, precision, block):
    X = related(seed=seed)
    order = np.random.default_rng(seed).permutation(40)
    found = run(X, threshold, order=order)
    gone, highest, by = slow_pass(X, threshold, order)
    assert set(np.flatnonzero(found.gone)) == gone
    assert found.stands_for.tolist() == by
    apart = 1e-9 if precision == "double" else 1e-6
    np.testing.assert_allclose(found.association, highest, atol=apart)


def test_kept_columns_cover_the_others_and_are_unlike_each_other(precision, block):
    X = related(p=60)
    found = run(X, 0.7)
    alike = np.abs(np.corrcoef(X.T))
    kept, gone = np.flatnonzero(~found.gone), np.flatnonzero(found.gone)
    assert len(kept) > 3
    assert len(gone) > 3
    assert (alike[np.ix_(gone, kept)].max(axis=1) > 0.7).all()
    among = alike[np.ix_(kept, kept)]
    np.fill_diagonal(among, 0)
    assert among.max() <= 0.7


@pytest.mark.parametrize("by_rank", [False, True], ids=["values", "ranks"])
@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weights"])
def test_sparse_products_decide_as_dense_ones_do(by_rank, weighted, block):
    X = np.where(np.abs(related()) < 1, 0, np.round(related(), 1))
    weight = np.random.default_rng(0).integers(1, 4, 80).astype(float) if weighted else None
    dense = replace(columns_of(X), weight=weight, by_rank=by_rank)
    ready = likeness(sparse.csr_array(X), weight, by_rank=by_rank)
    found = [
        find_redundant(
            columns,
            [np.array([j]) for j in range(40)],
            np.random.default_rng(1).permutation(40),
            np.zeros(40, dtype=bool),
            0.6,
            lambda done, total: None,
        )
        for columns in (dense, replace(dense, likeness=ready))
    ]
    assert 3 < found[0].gone.sum() < 37
    assert np.array_equal(found[0].gone, found[1].gone)
    assert np.array_equal(found[0].stands_for, found[1].stands_for)
    np.testing.assert_allclose(found[0].association, found[1].association, atol=1e-12)


def correlated_at(r, n=50, seed=0):
    """Two columns of a correlation of `r`, up to rounding."""
    base = np.random.default_rng(seed).normal(size=(n, 2))
    base = np.linalg.qr(base - base.mean(axis=0))[0]
    return np.column_stack([base[:, 0], r * base[:, 0] + np.sqrt(1 - r * r) * base[:, 1]])


@pytest.mark.parametrize("apart", [1e-7, 1e-10, -1e-10, -1e-7])
@pytest.mark.parametrize("threshold", [0.5, 0.95])
def test_close_to_the_threshold_double_precision_decides(apart, threshold, precision):
    X = correlated_at(threshold + apart)
    assert run(X, threshold).gone.tolist() == [False, apart > 0]


def test_a_threshold_of_one_lets_go_of_copies_alone(precision, block):
    x, y = correlated_at(0.5).T
    holed = np.where(np.arange(50) < 5, np.nan, y)
    X = np.column_stack([x, 2 * x + 1, -x, x, holed, y, holed, np.where(x > 0, x, np.nan)])
    found = run(X, 1.0)
    assert found.gone.tolist() == [False, False, False, True, False, False, True, False]
    assert found.stands_for[3] == 0
    assert found.stands_for[6] == 4


def test_a_chain_is_compared_with_what_is_kept_alone():
    base = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 5)))[0]
    base -= base.mean(axis=0)
    angle = np.arange(5) * 0.3  # neighbours: cos 0.3 = 0.955, next but one: 0.825
    x, y = np.linalg.qr(base[:, :2])[0].T
    X = np.outer(x, np.cos(angle)) + np.outer(y, np.sin(angle))
    assert run(X, 0.9).gone.tolist() == [False, True, False, True, False]


def test_of_equally_similar_ones_the_first_stands_for_it(precision):
    X = correlated_at(0.0)
    both = X[:, 0] + X[:, 1]
    assert run(np.column_stack([X, both]), 0.6).stands_for.tolist() == [-1, 0, 0]
    assert run(np.column_stack([X, both]), 0.6, order=np.array([1, 0, 2])).stands_for[2] == 1


def test_protected_columns_stay_even_if_they_are_alike(block):
    x, y = correlated_at(0.5).T
    X = np.column_stack([x, x, y, y])
    protected = np.array([True, True, False, False])
    found = run(X, 0.9, protected=protected)
    assert found.gone.tolist() == [False, False, False, True]
    assert found.association[1] == pytest.approx(1)


def test_a_group_goes_if_each_of_its_columns_is_covered_from_outside(block):
    base = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 4)))[0]
    a, b, c = base[:, 0], base[:, 1], base[:, 2]
    X = np.column_stack([a, b, a + 0.01 * b, b + 0.01 * a, a + 0.02 * c, c, c + 0.01 * a])
    members = [np.array(g) for g in ([0], [1], [2, 3], [4, 5], [6])]
    found = run(X, 0.9, members=members)
    # the last but one is covered in one of its two columns; its other one covers the last
    assert found.gone.tolist() == [False, False, True, False, True]
    assert found.stands_for[[2, 3, 4, 6]].tolist() == [0, 1, 0, 5]


def test_columns_of_a_group_do_not_cover_each_other(block):
    x, y = correlated_at(0.5).T
    members = [np.array([0, 1]), np.array([2])]
    found = run(np.column_stack([x, x, y]), 0.9, members=members)
    assert found.gone.tolist() == [False, False]
    assert found.stands_for[1] == -1


@pytest.mark.parametrize("p", [1, 2])
def test_few_columns(p):
    assert not run(correlated_at(0.5)[:, :p], 0.9).gone.any()


def test_more_columns_than_rows(block):
    X = np.random.default_rng(0).normal(size=(6, 50))
    gone, _, _ = slow_pass(X, 0.9, range(50))
    assert set(np.flatnonzero(run(X, 0.9).gone)) == gone


def test_progress_counts_units_to_the_end(monkeypatch):
    monkeypatch.setattr(redundancy, "BLOCK", 4)
    told = []
    members = [np.array([j]) for j in range(10)]
    find_redundant(
        columns_of(related(p=10)),
        members,
        np.arange(10),
        np.zeros(10, dtype=bool),
        0.9,
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (10, 10)
    assert len(told) >= 3


@pytest.fixture
def facts():
    X = np.column_stack(
        [
            [1.0, 1, 1, 1, 1, 1, 1, 1],
            [np.nan] * 8,
            [1.0, 1, 1, 1, 1, 1, np.nan, np.nan],
            [0.0, 0, 0, 0, 0, 0, 0, 2],
            [np.inf, 0, 0, 0, np.nan, 0, 0, 2],
            np.arange(8.0),
        ]
    )
    categories = {
        6: Category(np.array([0, 0, 0, 0, 0, 0, 0, -1]), 1),
        7: Category(np.zeros(8, dtype=int), 1),
        8: Category(np.arange(8) % 4, 4),
        9: Category(np.full(8, -1), 0),
    }
    kinds = np.array([NUMBER] * 6 + [CATEGORY] * 3 + [OPAQUE])
    copies = np.array([-1] * 6 + [0, 1, 2, 3])

    def make(weight=None, infinite=np.inf):
        values = np.where(np.isinf(X), infinite, X)
        return Columns(kinds, lambda idx: values[:, idx], categories, copies, 8, weight)

    return make


def test_a_profile_knows_constants_gaps_and_infinite_numbers(facts):
    found = profile(facts(), 1.0)
    assert np.flatnonzero(found.constant).tolist() == [0, 1, 7, 9]
    assert np.flatnonzero(found.infinite).tolist() == [4]
    assert found.missing.tolist() == [0, 8, 2, 0, 1, 0, 1, 0, 0, 8]


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.875, [0, 1, 3, 6, 7, 9]), (0.75, [0, 1, 2, 3, 6, 7, 9]), (0.9, [0, 1, 7, 9])],
)
def test_a_share_makes_columns_constant(facts, share, expected):
    found = profile(facts(), share)
    assert np.flatnonzero(found.constant & ~found.infinite).tolist() == expected


def test_weights_count_as_rows(facts):
    weight = np.array([1.0, 1, 1, 1, 1, 1, 1, 5])
    found = profile(facts(weight), 0.6)
    assert np.flatnonzero(found.constant & ~found.infinite).tolist() == [0, 1, 7, 9]
    assert found.missing.tolist() == [0, 12, 6, 0, 1, 0, 5, 0, 0, 12]


def test_variances_are_those_of_what_is_there(facts):
    weight = np.array([1.0, 2, 1, 1, 1, 1, 1, 3])
    columns = facts(weight, infinite=3.0)
    found = variances(columns)
    x = columns.load(np.arange(6))
    assert found[5] == pytest.approx(np.cov(x[:, 5], fweights=weight.astype(int), ddof=0))
    shares = np.array([2, 3, 2, 4]) / 11
    assert found[8] == pytest.approx(1 - (shares**2).sum())
    assert found[[0, 1, 2, 6, 7]].tolist() == pytest.approx([0.0] * 5, abs=1e-12)
