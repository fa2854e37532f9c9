"""Orders by components against plain versions of the papers' recipes, and scipy's pivoted QR."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.cluster import KMeans

from featprune.importance.pca import orders
from featprune.importance.pca.choose import METHODS, order_units
from featprune.importance.pca.moments import Moments
from featprune.importance.pca.spectrum import spectrum


def spread_of(X):
    moments = Moments(X.shape[1])
    moments.add(X)
    return moments.centred(standardize=True).spread


def table(n=80, p=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)) @ rng.normal(size=(5, p)) + 0.5 * rng.normal(size=(n, p))


def eigenvectors(X):
    values, vectors = np.linalg.eigh(np.corrcoef(X.T))
    return vectors[:, np.argsort(-values)]


every_seed = pytest.mark.parametrize("seed", range(4))


@every_seed
@pytest.mark.parametrize("k", [1, 4, 12], ids=["k=1", "k=4", "k=p"])
def test_qr_pivots_are_those_of_scipy(seed, k):
    X = table(seed=seed)
    pivots = scipy.linalg.qr(eigenvectors(X)[:, :k].T, pivoting=True, mode="r")[1]
    found = orders.by_qr(spectrum(spread_of(X), k))
    if k < 12:
        assert found.tolist() == pivots[:k].tolist()
    else:
        # all rows of a square orthogonal matrix are of one length: ties, to the left
        assert found.tolist() == list(range(12))


@every_seed
def test_leverage_is_the_length_of_rows(seed):
    X = table(seed=seed)
    lengths = (eigenvectors(X)[:, :3] ** 2).sum(axis=1)
    assert orders.by_leverage(spectrum(spread_of(X), 3)).tolist() == np.argsort(-lengths).tolist()


@every_seed
def test_loading_is_that_on_the_first_component(seed):
    X = table(seed=seed)
    expected = np.argsort(-np.abs(eigenvectors(X)[:, 0])).tolist()
    assert orders.by_loading(spectrum(spread_of(X), 0.9)).tolist() == expected


@every_seed
def test_b4_takes_the_largest_of_each_component(seed):
    X = table(seed=seed)
    sizes, chosen = np.abs(eigenvectors(X)), []
    for i in range(6):
        free = [j for j in range(12) if j not in chosen]
        chosen.append(max(free, key=lambda j: sizes[j, i]))
    assert orders.by_b4(spectrum(spread_of(X), 6)).tolist() == chosen


@every_seed
def test_b2_rejects_the_largest_of_each_component_from_the_last(seed):
    X = table(seed=seed)
    sizes, rejected = np.abs(eigenvectors(X)), []
    for i in range(11, -1, -1):
        free = [j for j in range(12) if j not in rejected]
        rejected.append(max(free, key=lambda j: sizes[j, i]))
    spread = spread_of(X)
    assert orders.by_b2(spectrum(spread, None), spread).tolist() == rejected[::-1]


@every_seed
@pytest.mark.parametrize("n_clusters", [1, 3, 5])
def test_pfa_takes_the_column_nearest_to_each_centre(seed, n_clusters):
    X = table(seed=seed)
    spread = spread_of(X)
    components = spectrum(spread, 3)
    found = orders.by_clusters(components, n_clusters, spread, 7)
    model = KMeans(n_clusters, n_init=10, random_state=7).fit(components.vectors)
    apart = ((components.vectors[:, None] - model.cluster_centers_) ** 2).sum(axis=2)
    expected = set()
    for i in range(n_clusters):
        members = np.flatnonzero(model.labels_ == i)
        # two members are equally far from their centre: the left one
        nearest = apart[members, i] <= apart[members, i].min() + 1e-12
        expected.add(int(members[nearest][0]))
    assert set(found.tolist()) == expected


def test_pfa_with_more_clusters_than_unlike_columns_takes_one_of_each():
    X = table(p=4)
    spread = spread_of(np.hstack([X, X, np.ones((80, 1))]))
    found = orders.by_clusters(spectrum(spread, 0.9), 7, spread, 0)
    assert sorted(found.tolist()) == [0, 1, 2, 3]


def order_by(method, spread, protected=None, unit=None, n_components=4):
    p = len(spread.variances)
    components = spectrum(spread, None if method == "b2" else n_components)
    unit = np.arange(p) if unit is None else unit
    protected = np.zeros(unit.max() + 1, dtype=bool) if protected is None else protected
    return order_units(method, spread, components, unit, protected, n_clusters=None, seed=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(80, 12), (9, 12), (40, 1)], ids=["tall", "wide", "one column"])
def test_every_method_orders_all_units_and_says_what_each_explains(method, shape):
    X = table(*shape)
    spread = spread_of(X)
    order = order_by(method, spread, n_components=min(4, shape[1]))
    assert sorted(order.units.tolist()) == list(range(shape[1]))
    assert order.gains.sum() == pytest.approx(1)
    assert (order.gains >= 0).all()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for k in (1, min(shape) // 2 + 1):
        kept = Z[:, order.units[:k]]
        left = Z - kept @ np.linalg.lstsq(kept, Z, rcond=1e-10)[0]
        explained = 1 - (left**2).sum() / (Z**2).sum()
        assert order.gains[order.units[:k]].sum() == pytest.approx(explained, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_copies_follow_and_constant_columns_come_last(method):
    X = table(p=5)
    X = np.hstack([np.zeros((80, 1)), X, X])
    order = order_by(method, spread_of(X)).units.tolist()
    assert order[-1] == 0
    for i in range(1, 6):
        assert order.index(i) < order.index(i + 5)


@pytest.mark.parametrize("method", METHODS)
def test_protected_units_come_first(method):
    protected = np.zeros(12, dtype=bool)
    protected[[3, 11]] = True
    order = order_by(method, spread_of(table()), protected)
    assert set(order.units[:2].tolist()) == {3, 11}


@pytest.mark.parametrize("method", [method for method in METHODS if method != "greedy"])
def test_a_unit_stands_where_the_first_of_its_features_does(method):
    spread = spread_of(table())
    unit = np.arange(12) // 3
    alone = order_by(method, spread).units
    together = order_by(method, spread, unit=unit)
    assert together.units.tolist() == list(dict.fromkeys(unit[alone].tolist()))
    assert (np.diff(unit[together.features]) != 0).sum() == 3
