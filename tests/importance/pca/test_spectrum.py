"""Components against scikit-learn's PCA, by every road."""

import numpy as np
import pytest
from scipy import sparse as sp
from sklearn.decomposition import PCA

from featprune.importance.pca import spectrum as module
from featprune.importance.pca.moments import Moments
from featprune.importance.pca.sparse import sparse_moments
from featprune.importance.pca.spectrum import spectrum


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) * rng.uniform(0.5, 2, p)
    return X * (rng.random((n, p)) < 0.4)


def spread_of(X, container):
    if container == "sparse":
        return sparse_moments(sp.csr_array(X), None, standardize=False).spread
    moments = Moments(X.shape[1])
    moments.add(X)
    return moments.centred(standardize=False).spread


@pytest.mark.parametrize("container", ["dense", "sparse"])
@pytest.mark.parametrize("shape", [(200, 40), (30, 90)], ids=["tall", "wide"])
@pytest.mark.parametrize("n_components", [1, 3, 0.8, None], ids=str)
def test_components_are_those_of_scikit_learn(shape, n_components, container):
    X = table(*shape)
    found = spectrum(spread_of(X, container), n_components)
    kept = min(shape[0] - 1, shape[1]) if n_components is None else n_components
    peer = PCA(kept, svd_solver="full").fit(X)
    ratio = peer.explained_variance_ratio_
    np.testing.assert_allclose(found.values / found.total, ratio, rtol=1e-8)
    alike = np.abs(np.einsum("ij,ji->i", peer.components_, found.vectors))
    np.testing.assert_allclose(alike, 1, rtol=1e-7)
    np.testing.assert_allclose(found.loadings**2, found.vectors**2 * found.values)


@pytest.mark.parametrize("container", ["dense", "sparse"])
def test_products_alone_give_the_same_components(monkeypatch, container):
    spread = spread_of(table(60, 150), container)
    direct = spectrum(spread, 4)
    monkeypatch.setattr(module, "_MOST_ROWS", 10)
    iterated = spectrum(spread, 4, seed=3)
    np.testing.assert_allclose(iterated.values, direct.values, rtol=1e-10)
    np.testing.assert_allclose(iterated.vectors, direct.vectors, atol=1e-7)


def test_the_largest_entry_of_each_direction_is_positive():
    vectors = spectrum(spread_of(table(50, 9), "dense"), None).vectors
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(9)] > 0).all()


@pytest.mark.parametrize("shape", [(50, 8), (6, 8)], ids=["tall", "wide"])
def test_there_are_no_more_components_than_have_variance(shape):
    X = table(*shape)
    X = np.hstack([X, X[:, :3], np.ones((len(X), 1))])
    found = spectrum(spread_of(X, "dense"), None)
    assert len(found.values) == min(8, shape[0] - 1)
    assert found.values.sum() == pytest.approx(found.total)
    assert len(spectrum(spread_of(X, "dense"), 9).values) == min(8, shape[0] - 1)
