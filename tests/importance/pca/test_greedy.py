"""Greedy selection against the same by least squares, exhaustive search and its bound."""

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse as sp

from featprune.importance.pca.greedy import greedy_order
from featprune.importance.pca.moments import Moments
from featprune.importance.pca.sparse import sparse_moments


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(n, max(2, p // 2))) @ rng.normal(size=(max(2, p // 2), p))
    return low + 0.3 * rng.normal(size=(n, p))


def standardized(X):
    X = X - X.mean(axis=0)
    std = X.std(axis=0)
    return X / np.where(std > 1e-12, std, 1.0)


def spread_of(X):
    moments = Moments(X.shape[1])
    moments.add(X)
    return moments.centred(standardize=True).spread


def residual(Z, columns):
    """The sum of squares that least squares from some columns leaves of all."""
    if not len(columns):
        return (Z**2).sum()
    kept = Z[:, columns]
    return ((Z - kept @ np.linalg.lstsq(kept, Z, rcond=1e-10)[0]) ** 2).sum()


def by_least_squares(Z, unit, protected):
    """Try every unit at each step."""
    n_units, order = len(protected), []
    while len(order) < n_units:
        held = [u for u in np.flatnonzero(protected) if u not in order]
        candidates = held or [u for u in range(n_units) if u not in order]
        taken = np.flatnonzero(np.isin(unit, order))
        left = [residual(Z, np.concatenate([taken, np.flatnonzero(unit == u)])) for u in candidates]
        best = min(left)
        now = residual(Z, taken)
        if now - best <= 1e-9 * (Z**2).sum():
            varies = [Z[:, unit == u].any() for u in candidates]
            order += [u for u, v in zip(candidates, varies, strict=True) if v]
            order += [u for u, v in zip(candidates, varies, strict=True) if not v]
        else:
            order.append(
                next(
                    u
                    for u, value in zip(candidates, left, strict=True)
                    if value <= best + 1e-9 * (now - best)
                )
            )
    return order


SHAPES = {"tall": (60, 9), "wide": (8, 14), "square": (12, 12), "one column": (9, 1)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("seed", range(3))
def test_each_step_takes_what_least_squares_says(shape, seed):
    X, p = table(*shape, seed), shape[1]
    unit, protected = np.arange(p), np.zeros(p, dtype=bool)
    found = greedy_order(spread_of(X), unit, protected)
    assert found.tolist() == by_least_squares(standardized(X), unit, protected)


@pytest.mark.parametrize("shape", [(60, 14), (9, 14)], ids=["tall", "wide"])
@pytest.mark.parametrize("seed", range(3))
def test_units_of_several_features_explain_what_these_do_together(shape, seed):
    X = table(*shape, seed)
    X[:, 3] = X[:, 2] - X[:, 4]  # dependent within a unit
    X[:, 9] = 5.0  # constant within another one
    unit = np.array([0, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6, 3, 1])
    protected = np.zeros(7, dtype=bool)
    for held in ([], [5, 2]):
        protected[held] = True
        found = greedy_order(spread_of(X), unit, protected)
        assert found.tolist() == by_least_squares(standardized(X), unit, protected)


@pytest.mark.parametrize("shape", [(500, 200), (150, 200)], ids=["tall", "wide"])
def test_many_steps_do_not_drift(shape):
    X = table(*shape)
    spread = spread_of(X)
    Z = standardized(X) / np.sqrt(len(X))
    E, expected = Z.T @ Z, []
    for _ in range(min(shape) - 1):
        variances = E.diagonal()
        alive = variances > 1e-9
        gains = np.where(alive, (E**2).sum(axis=0) / np.where(alive, variances, 1), 0)
        # with one dimension left, every column explains it
        expected.append(int((gains > gains.max() * (1 - 1e-6)).argmax()))
        E = E - np.outer(E[:, expected[-1]], E[:, expected[-1]]) / E[expected[-1], expected[-1]]
    found = greedy_order(spread, np.arange(200), np.zeros(200, dtype=bool))
    assert found[: len(expected)].tolist() == expected
    # what follows explains nothing, and stands from left to right
    assert (np.diff(found[len(expected) + 1 :]) > 0).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_is_near_the_best_of_all_choices(seed, k):
    Z = standardized(table(40, 8, seed))
    found = greedy_order(spread_of(Z), np.arange(8), np.zeros(8, dtype=bool))[:k]
    total = residual(Z, [])
    best = min(combinations(range(8), k), key=lambda columns: residual(Z, list(columns)))
    greedy_gain = total - residual(Z, found)
    best_gain = total - residual(Z, list(best))
    if k == 1:
        assert greedy_gain == pytest.approx(best_gain)
    # Das & Kempe 2011 (arXiv:1102.3975): what is explained of a column is submodular but for the
    # least eigenvalue of the correlations
    least = np.linalg.eigvalsh(np.corrcoef(Z.T))[0]
    assert greedy_gain >= (1 - np.exp(-least)) * best_gain
    assert greedy_gain >= 0.9 * best_gain  # the bound is far off on such tables


def test_is_the_best_choice_where_columns_are_unrelated_or_copies():
    rng = np.random.default_rng(0)
    base = np.linalg.qr(standardized(rng.normal(size=(50, 4))))[0]
    X = np.hstack([base, base[:, :3], base[:, :2], base[:, :1]])
    Z = standardized(X)
    order = greedy_order(spread_of(X), np.arange(10), np.zeros(10, dtype=bool))
    assert order[:4].tolist() == [0, 1, 2, 3]
    for k in (1, 2, 3, 4):
        best = min(residual(Z, list(columns)) for columns in combinations(range(10), k))
        assert residual(Z, order[:k]) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("shape", [(80, 10), (7, 10)], ids=["tall", "wide"])
def test_copies_and_constant_columns_come_last(shape):
    X = table(*shape)
    X = np.hstack([np.ones((len(X), 1)), X, X[:, ::-1], np.zeros((len(X), 1))])
    order = greedy_order(spread_of(X), np.arange(22), np.zeros(22, dtype=bool)).tolist()
    rank = min(10, shape[0] - 1)
    assert max(order[:rank]) <= 10  # no copy before the column it stands behind
    assert order[rank:-2] == sorted(order[rank:-2])
    assert order[-2:] == [0, 21]


@pytest.mark.parametrize("shape", [(80, 30), (20, 30)], ids=["tall", "wide"])
def test_the_order_of_columns_does_not_matter(shape):
    X = table(*shape)
    shuffled = np.random.default_rng(1).permutation(30)
    none = np.zeros(30, dtype=bool)
    one = greedy_order(spread_of(X), np.arange(30), none)
    other = greedy_order(spread_of(X[:, shuffled]), np.arange(30), none)
    rank = min(30, shape[0] - 2)  # with one dimension left, every column explains it
    assert shuffled[other][:rank].tolist() == one[:rank].tolist()


@pytest.mark.parametrize("grouped", [False, True], ids=["single", "groups"])
def test_sparse_rows_are_ordered_as_dense_ones(grouped):
    rng = np.random.default_rng(0)
    X = sp.random_array((40, 300), density=0.2, rng=rng, format="csr")
    unit = np.arange(300) // 3 if grouped else np.arange(300)
    none = np.zeros(unit.max() + 1, dtype=bool)
    spread = sparse_moments(X, None, standardize=True).spread
    found = greedy_order(spread, unit, none)
    assert found.tolist() == greedy_order(spread_of(X.toarray()), unit, none).tolist()


def test_progress_is_told_to_the_end():
    told = []
    spread = spread_of(table(150, 120))
    greedy_order(spread, np.arange(120), np.zeros(120, dtype=bool), lambda *a: told.append(a))
    assert told[0] == (50, 120)
    assert told[-1] == (120, 120)
