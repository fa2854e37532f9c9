"""Second moments from chunks, against numpy's on all rows at once."""

import pickle

import numpy as np
import pytest
from scipy import sparse as sp

from featprune.importance.pca import moments as module
from featprune.importance.pca.moments import Moments, NotFiniteError
from featprune.importance.pca.rows import DenseRows, SparseRows
from featprune.importance.pca.sparse import sparse_moments
from featprune.importance.pca.spread import Scatter


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Let tables of some thousand rows have several blocks."""
    monkeypatch.setattr(module, "_BLOCK", 1024)


def table(n, p, seed=0, level=3.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    return X * rng.uniform(0.1, 10, p) + level * rng.normal(size=p)


def matrix_of(spread):
    """The p x p second moments, whatever stands for them."""
    if isinstance(spread, Scatter):
        return spread.matrix
    return spread.transposed_times(spread.times(np.eye(spread.shape[1])))


def oracle(X, weight, standardize):
    cov = np.cov(X.T, aweights=weight, ddof=0)
    if standardize:
        std = np.sqrt(np.diag(cov))
        cov = cov / np.outer(std, std)
    return cov


def in_chunks(X, sizes, weight=None):
    moments, start = Moments(X.shape[1]), 0
    for size in sizes:
        some = slice(start, start + size)
        moments.add(X[some], None if weight is None else weight[some])
        start += size
    moments.add(X[start:], None if weight is None else weight[start:])
    return moments


@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "as it is"])
@pytest.mark.parametrize("shape", [(3000, 7), (40, 7), (9, 30)], ids=["tall", "short", "wide"])
def test_moments_are_those_of_numpy(shape, standardize):
    X = table(*shape)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X))
    for w in (None, weight):
        centred = in_chunks(X, [], w).centred(standardize=standardize)
        found = matrix_of(centred.spread)
        np.testing.assert_allclose(found, oracle(X, w, standardize), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(centred.mean, np.average(X, axis=0, weights=w), rtol=1e-12)
        np.testing.assert_allclose(centred.spread.variances, np.diag(found), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [5, 1500], ids=["tall", "wide"])
@pytest.mark.parametrize("sizes", [[1], [700, 1, 1, 900], [2047, 3], [500] * 4], ids=str)
def test_any_chunking_gives_the_same_bits(sizes, p, dtype):
    X = np.random.default_rng(0).normal(size=(2100, p)).astype(dtype)
    one = in_chunks(X, []).centred(standardize=True)
    other = in_chunks(X, sizes).centred(standardize=True)
    assert matrix_of(one.spread).tobytes() == matrix_of(other.spread).tobytes()
    assert one.mean.tobytes() == other.mean.tobytes()


def test_rows_are_held_while_they_are_fewer_than_columns():
    X = table(50, 60)
    assert isinstance(in_chunks(X[:59], [20]).centred(standardize=True).spread, DenseRows)
    more = table(61, 60)
    moments = in_chunks(more, [20])
    spread = moments.centred(standardize=True).spread
    assert isinstance(spread, Scatter)
    np.testing.assert_allclose(spread.matrix, oracle(more, None, True), atol=1e-12)


def test_looking_changes_nothing_and_state_survives_pickling():
    X = table(2600, 4)
    moments = in_chunks(X[:1500], [300])
    moments.centred(standardize=True)
    moments = pickle.loads(pickle.dumps(moments))
    moments.add(X[1500:])
    found = moments.centred(standardize=False).spread.matrix
    direct = in_chunks(X, []).centred(standardize=False).spread.matrix
    assert found.tobytes() == direct.tobytes()


def test_added_rows_may_be_overwritten_afterwards():
    X = table(30, 4)
    moments, room = Moments(4), np.empty((10, 4))
    for start in range(0, 30, 10):
        room[:] = X[start : start + 10]
        moments.add(room)
        room[:] = np.nan
    np.testing.assert_allclose(
        moments.centred(standardize=True).spread.matrix, oracle(X, None, True), atol=1e-12
    )


def test_weight_2_is_two_rows():
    X = table(1300, 5)
    weight = np.where(np.arange(1300) % 3 == 0, 2.0, 1.0)
    twice = np.vstack([X, X[weight == 2]])
    one, other = in_chunks(X, [], weight), in_chunks(twice, [])
    np.testing.assert_allclose(
        one.centred(standardize=True).spread.matrix,
        other.centred(standardize=True).spread.matrix,
        atol=1e-13,
    )


def test_float32_far_from_zero_loses_no_more_than_its_own_rounding():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4)) + 1000).astype(np.float32)
    found = in_chunks(X, []).centred(standardize=True).spread.matrix
    np.testing.assert_allclose(found, oracle(X.astype(float), None, True), atol=1e-6)


MOVING = {
    "drift": lambda X: X + np.linspace(-50, 50, len(X))[:, None],
    "steps": lambda X: X + 100 * (np.arange(len(X)) // 1500)[:, None],
    "constant at first": lambda X: np.where(np.arange(len(X))[:, None] < 1024, 7.3, X + 500),
    "sorted": lambda X: np.sort(X, axis=0),
    "a late outlier": lambda X: np.vstack([X, [[1e6, 0, 0, 0]]]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("change", MOVING.values(), ids=MOVING.keys())
def test_rows_whose_mean_moves_are_added_up_exactly(change, dtype):
    X = change(np.random.default_rng(0).normal(size=(6000, 4))).astype(dtype)
    found = in_chunks(X, [1000]).centred(standardize=True)
    atol = 1e-12 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(found.spread.matrix, oracle(X.astype(float), None, True), atol=atol)
    exact = X.astype(float).mean(axis=0)
    np.testing.assert_allclose(found.mean, exact, atol=atol * X.std(axis=0).max())


def test_blocks_of_both_widths_are_added_up():
    X = table(5000, 4)
    narrow = X.astype(np.float32)
    moments = Moments(4)
    for start in range(0, 5000, 1024):
        some = slice(start, start + 1024)
        moments.add(narrow[some] if start < 2000 or start > 3500 else X[some])
    found = moments.centred(standardize=True).spread
    np.testing.assert_allclose(found.matrix, oracle(X, None, True), atol=1e-6)
    assert found.rounding == 1e-6


def test_float32_of_huge_numbers_does_not_overflow():
    X = (1e25 * np.random.default_rng(0).normal(size=(1100, 3))).astype(np.float32)
    found = in_chunks(X, []).centred(standardize=True).spread.matrix
    np.testing.assert_allclose(found, oracle(X.astype(float) / 1e25, None, True), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [50, 3000, 3], ids=["one block", "blocks", "wide"])
@pytest.mark.parametrize("value", [0.1, 1e8 / 3, -7e-9], ids=str)
def test_a_constant_column_has_no_variance(value, n, dtype):
    X = table(n, 4).astype(dtype)
    X[:, 2] = value
    spread = in_chunks(X, [n // 3]).centred(standardize=True).spread
    assert spread.variances[2] == 0
    assert (np.delete(spread.variances, 2) > 0).all()
    assert not matrix_of(spread)[2].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [3, 1500], ids=["in a block", "held"])
def test_numbers_that_are_not_finite_are_found(at, bad):
    X = table(1600, 3)
    X[at, 1] = bad
    with pytest.raises(NotFiniteError):
        Moments(3).add(X)


@pytest.mark.parametrize("density", [0.02, 0.5], ids=["sparse product", "dense blocks"])
@pytest.mark.parametrize("shape", [(2000, 12), (20, 50)], ids=["tall", "wide"])
@pytest.mark.parametrize("standardize", [True, False])
def test_sparse_moments_are_those_of_the_dense_table(shape, density, standardize):
    rng = np.random.default_rng(0)
    X = sp.random_array(shape, density=density, rng=rng, format="csr")
    X.data += 2
    X = sp.csr_array(sp.hstack([X, np.full((shape[0], 1), 0.3)]))  # and a constant column
    before = X.copy()
    weight = rng.uniform(0.5, 2, shape[0])
    found = sparse_moments(X, weight, standardize=standardize)
    dense = Moments(shape[1] + 1)
    dense.add(X.toarray(), weight)
    expected = dense.centred(standardize=standardize)
    if shape[0] < shape[1]:
        assert isinstance(found.spread, SparseRows)
    np.testing.assert_allclose(matrix_of(found.spread), matrix_of(expected.spread), atol=1e-12)
    np.testing.assert_allclose(found.spread.variances, expected.spread.variances, atol=1e-12)
    np.testing.assert_allclose(found.scale, expected.scale)
    assert found.spread.variances[-1] == 0
    assert (before != X).nnz == 0
