"""What kept features explain of the others, in the rows learnt on and in other ones."""

import numpy as np
import pytest
from scipy import sparse as sp

from featprune.importance.pca.explained import gains_along, rebuilt_along
from featprune.importance.pca.moments import Moments
from featprune.importance.pca.sparse import sparse_moments


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p))


def centred_of(X):
    moments = Moments(X.shape[1])
    moments.add(X)
    return moments.centred(standardize=True)


def shares(train, values, order, weight):
    """Least squares on the training rows, for each size."""
    found = [0.0]
    total = (weight[:, None] * values**2).sum()
    for k in range(1, len(order) + 1):
        kept = train[:, order[:k]]
        learnt = np.linalg.lstsq(kept, train, rcond=1e-10)[0]
        left = values - values[:, order[:k]] @ learnt
        found.append(1 - (weight[:, None] * left**2).sum() / total)
    return found


@pytest.mark.parametrize("shape", [(300, 90), (40, 90)], ids=["tall", "wide"])
def test_gains_add_up_to_what_least_squares_explains(shape):
    X = table(*shape)
    order = np.random.default_rng(1).permutation(90)
    centred = centred_of(X)
    gains = gains_along(centred.spread, order)
    Z = (X - centred.mean) / centred.scale
    expected = shares(Z, Z, order, np.ones(len(Z)))
    np.testing.assert_allclose(np.cumsum(gains[order]), expected[1:], atol=1e-8)
    assert gains[order[min(shape[0] - 1, 90) :]].max(initial=0) < 1e-9


def test_a_combination_of_those_before_explains_nothing():
    X = table(50, 5)
    X = np.column_stack([X, X[:, 0] - X[:, 3], np.ones(50), X[:, 1]])
    gains = gains_along(centred_of(X).spread, np.arange(8))
    assert (gains[5:] == 0).all()
    assert (gains[:5] > 0).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [400, 40], ids=["tall", "wide"])
def test_other_rows_are_rebuilt_by_the_map_that_was_learnt(n, weighted):
    p = 80
    X = table(n + 30, p)
    X[:, 7] = X[:, 3]
    X[:, 9] = 1.0
    centred = centred_of(X[:n])
    train, test = ((part - centred.mean) / centred.scale for part in (X[:n], X[n:]))
    weight = np.random.default_rng(2).uniform(0, 2, 30) if weighted else np.ones(30)
    order = np.random.default_rng(1).permutation(p)
    found = rebuilt_along(centred.spread, order, test, weight if weighted else None)
    expected = np.array(shares(train, test, order, weight))
    # with as many columns as rows the map is all noise, and any rounding of it is large
    sure = slice(None) if n > p else slice(30)
    np.testing.assert_allclose(found[sure], expected[sure], atol=1e-6)
    assert found[0] == 0
    assert len(found) == p + 1


def test_sparse_rows_give_the_same_gains():
    X = sp.random_array((30, 80), density=0.3, rng=np.random.default_rng(0), format="csr")
    order = np.random.default_rng(1).permutation(80)
    found = gains_along(sparse_moments(X, None, standardize=True).spread, order)
    np.testing.assert_allclose(found, gains_along(centred_of(X.toarray()).spread, order), atol=1e-9)
