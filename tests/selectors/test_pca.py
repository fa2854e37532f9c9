"""The PCA selector: what it keeps and says, rows in chunks and files, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from featprune.importance.pca.choose import METHODS
from featprune.path import EliminationPath
from featprune.progress import listening
from featprune.selectors.pca import PCASelector

every_method = pytest.mark.parametrize("method", METHODS)


def table(n=120, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) @ rng.normal(size=(4, p)) + 0.4 * rng.normal(size=(n, p))
    return X * rng.uniform(0.1, 50, p) + rng.normal(size=p)


def mixed_frame(n=80):
    rng = np.random.default_rng(0)
    age = rng.normal(40, 9, n)
    return pd.DataFrame(
        {
            "age": np.where(np.arange(n) % 9 == 0, np.nan, age),
            "town": pd.Categorical(rng.choice(["ox", "yak", "elk"], n)),
            "vector": list(rng.normal(size=(n, 3))),
            "income": age * 3 + rng.normal(size=n),
        }
    )


@pytest.mark.parametrize(
    "selector",
    [
        *(PCASelector(method=method, random_state=0) for method in METHODS),
        PCASelector(2, encoder=None, n_components=1, standardize=False),
        PCASelector("one_se", cv=3),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:n_features_to_select=2 is more than")
def test_passes_check_estimator(selector):
    results = check_estimator(selector, on_skip=None)
    failed = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= {"check_array_api_input"}


@every_method
def test_keeps_as_few_as_explain_the_share(method):
    X = table()
    fitted = PCASelector(method=method, reconstruction=0.9, random_state=0).fit(X)
    path = fitted.path_
    at = int(np.flatnonzero(path.sizes == fitted.n_features_)[0])
    assert path.explained[at] >= 0.9 > path.explained[at + 1]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    kept = Z[:, fitted.support_]
    left = Z - kept @ np.linalg.lstsq(kept, Z, rcond=None)[0]
    assert path.explained[at] == pytest.approx(1 - (left**2).sum() / (Z**2).sum())


@every_method
def test_attributes_agree_with_each_other(method):
    X = table()
    fitted = PCASelector(5, method=method, n_components=3, random_state=0).fit(X)
    assert fitted.importances_.sum() == pytest.approx(1)
    assert (fitted.importances_ >= 0).all()
    assert fitted.path_.sizes.tolist() == list(range(12, 0, -1))
    assert fitted.path_.explained[0] == pytest.approx(1)
    assert (np.diff(fitted.path_.explained) <= 0).all()
    explained = fitted.path_.explained[fitted.path_.sizes == 5][0]
    assert fitted.importances_[fitted.support_].sum() == pytest.approx(explained)
    gone = fitted.path_.order
    np.testing.assert_allclose(fitted.path_.criterion, fitted.importances_[gone])
    assert ((fitted.ranking_ == 1) == fitted.support_).all()


def test_loadings_are_correlations_of_columns_and_components():
    X = table()
    fitted = PCASelector(n_components=3).fit(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    vectors = np.linalg.svd(Z, full_matrices=False)[2][:3]
    scores = Z @ vectors.T
    expected = [[np.corrcoef(column, score)[0, 1] for score in scores.T] for column in X.T]
    np.testing.assert_allclose(np.abs(fitted.loadings_), np.abs(expected), atol=1e-10)
    assert fitted.n_components_ == 3
    assert fitted.explained_variance_ratio_.shape == (3,)
    np.testing.assert_allclose((fitted.loadings_**2).sum(axis=0) / 12, _ratios(Z)[:3])
    np.testing.assert_allclose(fitted.explained_variance_ratio_, _ratios(Z)[:3])
    assert fitted.loading_columns_.tolist() == list(range(12))


def _ratios(Z):
    values = np.linalg.svd(Z, compute_uv=False) ** 2
    return values / values.sum()


@pytest.mark.parametrize("n_components", [1, 0.8, None], ids=str)
def test_so_many_components_as_are_asked_for(n_components):
    X = table()
    fitted = PCASelector(n_components=n_components).fit(X)
    ratios = _ratios((X - X.mean(axis=0)) / X.std(axis=0))
    expected = {1: 1, 0.8: int(np.searchsorted(np.cumsum(ratios), 0.8)) + 1, None: 12}
    assert fitted.n_components_ == expected[n_components] == fitted.loadings_.shape[1]


def test_without_standardizing_large_units_decide():
    X = table()
    X[:, 7] *= 1e4
    assert PCASelector(1, standardize=False).fit(X).support_[7]
    scaled = PCASelector(6).fit(X)
    np.testing.assert_array_equal(scaled.ranking_, PCASelector(6).fit(table()).ranking_)


@pytest.mark.parametrize(
    ("load", "k", "published"),
    [(load_digits, 20, 1.62), (load_breast_cancer, 10, 1.87)],
    ids=["digits", "breast cancer"],
)
def test_reaches_the_figures_of_the_residual_table(load, k, published):
    X = load().data
    fitted = PCASelector(k, n_components=k).fit(X)
    optimum = 1 - fitted.explained_variance_ratio_.sum()
    residual = 1 - fitted.path_.explained[fitted.path_.sizes == k][0]
    assert residual / optimum <= published + 0.005


def test_reselect_by_share_and_number_moves_the_cut_only():
    X = table()
    fitted = PCASelector(reconstruction=0.99).fit(X)
    path, many = fitted.path_, fitted.n_features_
    fitted.set_params(reconstruction=0.7).reselect("reconstruction")
    assert fitted.n_features_ < many
    assert fitted.path_ is path
    direct = PCASelector(reconstruction=0.7).fit(X)
    assert np.array_equal(fitted.ranking_, direct.ranking_)
    assert fitted.reselect(4).n_features_ == 4
    assert fitted.reselect(0.5).n_features_ == 6
    assert fitted.set_params(reconstruction=1).reselect("reconstruction").n_features_ == 12
    with pytest.raises(ValueError, match=r"'best' needs a score at each size"):
        fitted.reselect("best")
    with pytest.raises(ValueError, match=r"'reconstruction' parameter .* Got 2 instead"):
        fitted.set_params(reconstruction=2).reselect("reconstruction")


def test_the_floor_holds_against_the_share():
    fitted = PCASelector(reconstruction=0.01, min_features_to_select=4).fit(table())
    assert fitted.n_features_ == 4
    assert fitted.path_.sizes[-1] == 4


def test_y_is_ignored():
    X, rng = table(), np.random.default_rng(0)
    alone = PCASelector().fit(X)
    for y in (rng.normal(size=120), rng.choice(["a", "b"], 120), np.full(120, np.nan)):
        assert np.array_equal(PCASelector().fit(X, y).ranking_, alone.ranking_)


@every_method
def test_weight_2_is_two_rows_and_weight_0_none(method):
    X = table()
    weight = np.arange(120) % 3.0
    repeated = np.repeat(X, weight.astype(int), axis=0)
    one = PCASelector(method=method, random_state=0).fit(X, sample_weight=weight)
    other = PCASelector(method=method, random_state=0).fit(repeated)
    assert np.array_equal(one.path_.order, other.path_.order)
    np.testing.assert_allclose(one.path_.explained, other.path_.explained, atol=1e-12)


@pytest.mark.parametrize("shape", [(120, 12), (10, 30)], ids=["tall", "wide"])
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_finds_what_dense_does(container, shape):
    X = table(*shape)
    X = np.where(np.abs(X) < 1, 0, X)
    dense = PCASelector(cv=2, n_components=0.9).fit(X)
    fitted = PCASelector(cv=2, n_components=0.9).fit(container(X))
    n = min(shape[0] - 2, shape[1])  # with one dimension left, every column explains it
    assert np.array_equal(fitted.path_.order[::-1][: n - 1], dense.path_.order[::-1][: n - 1])
    np.testing.assert_allclose(fitted.path_.explained, dense.path_.explained, atol=1e-9)
    np.testing.assert_allclose(fitted.loadings_, dense.loadings_, atol=1e-8)
    assert sparse.issparse(fitted.transform(container(X)))


def test_input_is_never_changed():
    for X in (table(), table(8, 20), table().astype(np.float32), table().astype(int)):
        before = X.copy()
        PCASelector(cv=2).fit(X)
        PCASelector().partial_fit(X)
        assert np.array_equal(X, before)


def test_a_table_of_all_kinds_is_encoded():
    frame = mixed_frame()
    fitted = PCASelector(2).fit(frame)
    assert len(fitted.loadings_) == len(fitted.loading_columns_) == 9
    assert np.bincount(fitted.loading_columns_).tolist() == [2, 3, 3, 1]
    assert fitted.importances_.shape == (4,)
    kept = fitted.get_feature_names_out().tolist()
    assert list(fitted.transform(frame).columns) == kept
    assert not {"age", "income"} <= set(kept)


def test_a_category_counts_as_one_column_whatever_its_levels():
    rng = np.random.default_rng(0)
    towns = pd.Categorical.from_codes(rng.integers(0, 9, 400), [f"town {i}" for i in range(9)])
    frame = pd.DataFrame({"town": towns, "size": rng.normal(size=400)})
    fitted = PCASelector().fit(frame)
    np.testing.assert_allclose(fitted.importances_, 0.5, atol=0.02)
    unscaled = PCASelector(standardize=False).fit(frame.assign(size=100 * frame["size"]))
    assert unscaled.importances_[1] > 0.99


def test_groups_and_kept_columns():
    X = table()
    groups = {"g": [0, 5, 7]}
    fitted = PCASelector(3, feature_groups=groups, always_keep=[11]).fit(X)
    assert fitted.support_[11]
    assert len(set(fitted.support_[[0, 5, 7]])) == 1
    assert len(fitted.path_.names) == 10
    explained = fitted.path_.explained[fitted.path_.sizes == 3][0]
    assert fitted.importances_[fitted.support_].sum() == pytest.approx(explained)


def test_dimensions_of_an_embedding_leave_one_by_one():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(90, 3))
    vectors = np.hstack([base, base @ rng.normal(size=(3, 3))])
    frame = pd.DataFrame({"v": list(vectors), "x": rng.normal(size=90)})
    fitted = PCASelector(embeddings="dimensions", reconstruction=0.999).fit(frame)
    assert fitted.size_ == 4
    assert fitted.embedding_support_["v"].sum() == 3
    assert len(fitted.transform(frame)["v"].iloc[0]) == 3


def test_one_column_alone():
    fitted = PCASelector().fit(table(p=1))
    assert fitted.support_.tolist() == [True]
    assert fitted.loadings_.tolist() == [[pytest.approx(1)]]


def test_more_columns_than_rows():
    fitted = PCASelector(reconstruction=1).fit(table(9, 40))
    assert fitted.n_features_ <= 8
    assert fitted.n_components_ <= 8


def test_plan_and_path_are_saved(tmp_path):
    frame = pd.DataFrame(table(), columns=list("abcdefghijkl"))
    fitted = PCASelector(cv=3).fit(frame)
    assert fitted.to_plan().apply(frame).equals(fitted.transform(frame))
    fitted.path_.save(tmp_path / "path.json")
    loaded = EliminationPath.load(tmp_path / "path.json")
    assert np.array_equal(loaded.explained, fitted.path_.explained)


@every_method
def test_folds_score_what_they_learnt_on_rows_they_did_not_see(method):
    X = table()
    splitter = KFold(4, shuffle=True, random_state=0)
    fitted = PCASelector(4, method=method, cv=splitter, random_state=0).fit(X)
    path = fitted.path_
    assert path.scores.shape == (4, 12)
    assert (path.baseline == 0).all()
    assert set(fitted.cv_results_) >= {"mean_test_score", "split3_test_score"}
    for i, (train, test) in enumerate(splitter.split(X)):
        alone = PCASelector(4, method=method, random_state=0).fit(X[train])
        mean, std = X[train].mean(axis=0), X[train].std(axis=0)
        A, B = (X[train] - mean) / std, (X[test] - mean) / std
        learnt = np.linalg.lstsq(A[:, alone.support_], A, rcond=None)[0]
        left = B - B[:, alone.support_] @ learnt
        score = path.scores[i][path.sizes == 4][0]
        assert score == pytest.approx(1 - (left**2).sum() / (B**2).sum())
        assert np.array_equal(path.fold_orders[i], alone.path_.order)


def test_the_size_by_scores_of_folds():
    X = table()
    best = PCASelector("best").fit(X)
    assert best.path_.scores.shape == (5, 12)
    assert best.path_.mean_scores.max() == best.path_.mean_scores[12 - best.n_features_]
    assert PCASelector("one_se", cv=3).fit(X).n_features_ <= 12
    groups = np.arange(120) // 10
    assert PCASelector("best", cv=GroupKFold(3)).fit(X, groups=groups).path_.scores.shape[0] == 3


def test_folds_without_rows_that_count_are_left_out():
    X = table()
    weight = np.where(np.arange(120) < 80, 1.0, 0.0)
    fitted = PCASelector(cv=3).fit(X, sample_weight=weight)
    assert fitted.path_.scores.shape[0] == 2
    with pytest.raises(ValueError, match=r"In each fold, all training .* sample_weight of 0"):
        PCASelector(cv=[(np.arange(80), np.arange(80, 120))]).fit(X, sample_weight=weight)


def test_results_do_not_depend_on_n_jobs():
    X = table(200, 40)
    one, two = (PCASelector("best", n_jobs=n).fit(X) for n in (1, 2))
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.path_.scores.tobytes() == two.path_.scores.tobytes()


def test_a_seed_decides_what_is_drawn():
    X = table(80, 30)
    one, two = (PCASelector(6, method="pfa", random_state=3).fit(X) for _ in range(2))
    assert np.array_equal(one.ranking_, two.ranking_)


def test_in_a_pipeline_with_grid_search():
    X = table()
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    pipe = make_pipeline(PCASelector(), LogisticRegression(max_iter=10_000))
    grid = {"pcaselector__method": ["greedy", "qr"], "pcaselector__reconstruction": [0.5, 0.9]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X / X.std(axis=0), y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with sklearn.config_context(enable_metadata_routing=True):
        PCASelector().set_partial_fit_request(sample_weight=True)


def test_progress_is_told():
    told = []
    with listening(lambda task, done, total: told.append((task, done, total))):
        PCASelector(cv=2).fit(table())
    assert ("PCASelector: ordering", 12, 12) in told
    assert ("PCASelector: folds", 2, 2) in told


CHUNKS = {"rows": [1] * 120, "parts": [50, 1, 69], "whole": [120]}


@every_method
@pytest.mark.parametrize("sizes", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("p", [12, 150], ids=["tall", "wide"])
def test_chunks_give_what_all_rows_do(sizes, p, method):
    X = table(p=p)
    weight = np.random.default_rng(0).uniform(0.5, 2, 120)
    fitted = PCASelector(5, method=method, random_state=0)
    starts = np.cumsum([0, *sizes])
    for start, size in zip(starts[:-1], sizes, strict=True):
        some = slice(start, start + size)
        fitted.partial_fit(X[some], sample_weight=weight[some])
    direct = PCASelector(5, method=method, random_state=0).fit(X, sample_weight=weight)
    assert np.array_equal(fitted.path_.order, direct.path_.order)
    for name in ("importances_", "loadings_", "explained_variance_ratio_"):
        np.testing.assert_allclose(getattr(fitted, name), getattr(direct, name), atol=1e-10)
    assert np.array_equal(fitted.transform(X), direct.transform(X))


@pytest.mark.parametrize("kind", ["pandas", "polars", "sparse", "embedding", "integers"])
def test_chunks_of_all_kinds(kind):
    X = table()
    if kind == "integers":
        X = X.astype(int)
    elif kind == "sparse":
        X = sparse.csr_array(np.where(np.abs(X) < 1, 0, X))
    elif kind == "embedding":
        X = pd.DataFrame({"a": X[:, 0], "v": list(X[:, 1:5]), "b": X[:, 5]})
    elif kind != "array":
        X = pd.DataFrame(X, columns=list("abcdefghijkl"))
        X = pl.from_pandas(X) if kind == "polars" else X
    fitted = PCASelector(2)
    for start in (0, 40, 80):
        some = slice(start, start + 40)
        chunk = X.iloc[some] if isinstance(X, pd.DataFrame) else X[some]
        if isinstance(chunk, pd.DataFrame) and start == 40:
            chunk = chunk[chunk.columns[::-1]]  # found by name
        fitted.partial_fit(chunk)
    direct = PCASelector(2).fit(X)
    assert np.array_equal(fitted.ranking_, direct.ranking_)
    np.testing.assert_allclose(fitted.importances_, direct.importances_, atol=1e-10)
    assert fitted.transform(X).shape == direct.transform(X).shape
    assert fitted.to_plan().kept_names == direct.to_plan().kept_names


def test_looking_between_chunks_changes_nothing_and_pickles_go_on():
    X = table()
    fitted = PCASelector(4)
    for start in range(0, 120, 30):
        fitted.partial_fit(X[start : start + 30])
        assert fitted.n_features_ == 4
        assert fitted.reselect(3).n_features_ == 3
        fitted = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(fitted.reselect(4).ranking_, PCASelector(4).fit(X).ranking_)
    assert not hasattr(clone(fitted), "support_")


def test_fit_starts_anew_and_so_does_a_chunk_after_it():
    X, other = table(), table(seed=1)
    fitted = PCASelector(4).partial_fit(other).fit(X)
    direct = PCASelector(4).fit(X)
    assert np.array_equal(fitted.ranking_, direct.ranking_)
    assert np.array_equal(fitted.fit(other).partial_fit(X).ranking_, direct.ranking_)


def test_too_few_rows_are_said_when_something_is_asked_for():
    X = table()
    fitted = PCASelector(n_components=5).partial_fit(X[:4])
    with pytest.raises(NotFittedError, match=r"4 rows of 12 features have no more than 3"):
        fitted.transform(X)
    with pytest.raises(NotFittedError, match=r"Every column of X has one and the same"):
        PCASelector().partial_fit(X[:1]).transform(X)
    assert fitted.partial_fit(X[4:]).n_components_ == 5
    with pytest.raises(AttributeError, match="no attribute 'nothing_'"):
        fitted.nothing_  # noqa: B018


def test_a_chunk_that_cannot_be_added_leaves_the_others():
    X = table()
    frame = pd.DataFrame(X, columns=list("abcdefghijkl"))
    fitted = PCASelector(3).partial_fit(frame)
    before = fitted.ranking_
    missing, infinite = frame.copy(), frame.copy()
    missing.loc[3, ["b", "g"]] = np.nan
    infinite.loc[3, "c"] = np.inf
    with pytest.raises(ValueError, match=r"missing values \(NaN\) in columns 'b', 'g'.*impute"):
        fitted.partial_fit(missing)
    with pytest.raises(ValueError, match=r"infinite values in column 'c'.*replace"):
        fitted.partial_fit(infinite)
    with pytest.raises(ValueError, match=r"numbers or embeddings, and 'a' is not. Encode"):
        fitted.partial_fit(frame.assign(a="word"))
    with pytest.raises(ValueError, match="lacks 1 that it had: 'l'"):
        fitted.partial_fit(frame.drop(columns="l"))
    assert np.array_equal(fitted.ranking_, before)
    fresh = PCASelector()
    with pytest.raises(ValueError, match="NaN"):
        fresh.partial_fit(missing)
    assert vars(fresh).keys() == vars(PCASelector()).keys()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cv": 3}, r"cv=3 .* folds need all rows at once. Pass cv=None"),
        ({"n_features_to_select": "best"}, r"='best', as folds need all rows"),
        ({"encoder": SimpleImputer()}, r"with an encoder, which needs all rows"),
    ],
    ids=["folds", "best", "encoder"],
)
def test_chunks_are_refused_where_all_rows_are_needed(parameters, message):
    selector = PCASelector(**parameters)
    assert not hasattr(selector, "partial_fit")
    for name in ("partial_fit", "fit_parquet"):
        with pytest.raises(AttributeError, match=message):
            getattr(selector, name)


@pytest.fixture
def parquet(tmp_path):
    def write(frame, row_group_size=50):
        file = tmp_path / "table.parquet"
        pq.write_table(pa.Table.from_pandas(frame), file, row_group_size=row_group_size)
        return file

    return write


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "Int64"])
@pytest.mark.parametrize("batch_size", [7, 1000])
def test_a_parquet_file_gives_what_its_table_does(parquet, dtype, batch_size):
    frame = pd.DataFrame(table(), columns=list("abcdefghijkl")).round().astype(dtype)
    fitted = PCASelector(4).fit_parquet(parquet(frame), batch_size=batch_size)
    direct = PCASelector(4).fit(frame)
    assert np.array_equal(fitted.ranking_, direct.ranking_)
    np.testing.assert_allclose(
        fitted.importances_, direct.importances_, atol=1e-6 if dtype == "float32" else 1e-10
    )
    assert fitted.feature_names_in_.tolist() == list(frame.columns)
    assert list(fitted.transform(frame).columns) == fitted.get_feature_names_out().tolist()
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).support_, fitted.support_)


def test_some_columns_of_a_parquet_file(parquet):
    frame = pd.DataFrame(table(), columns=list("abcdefghijkl")).assign(word="x")
    fitted = PCASelector(2, always_keep=["d"]).fit_parquet(parquet(frame), columns=list("fdba"))
    direct = PCASelector(2, always_keep=["d"]).fit(frame[list("fdba")])
    assert np.array_equal(fitted.ranking_, direct.ranking_)


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        (lambda f: f.assign(w="x"), None, r"other things than numbers in 'w'. Name the columns"),
        (lambda f: f, ["a", "zz"], r"has no column 'zz'. It has 'a', 'b'"),
        (lambda f: f.assign(b=None, a=f["a"]).astype({"b": float}), None, r"NaN\) in column 'b'"),
        (lambda f: f.assign(c=np.inf), None, r"infinite values in column 'c'"),
        (lambda f: f.assign(a=1.0)[["a"]], None, r"Every column of X has one and the same"),
    ],
    ids=["words", "unknown", "missing", "infinite", "constant"],
)
def test_a_parquet_file_that_cannot_be_used_is_refused(parquet, change, columns, message):
    frame = change(pd.DataFrame(table(), columns=list("abcdefghijkl")))
    fresh = PCASelector()
    with pytest.raises(ValueError, match=message):
        fresh.fit_parquet(parquet(frame), columns)
    assert vars(fresh).keys() == vars(PCASelector()).keys()
    with pytest.raises(ValueError, match=r"'batch_size' parameter of PCASelector.fit_parquet"):
        fresh.fit_parquet(parquet(frame), batch_size=0)


BAD_PARAMETERS = {
    "reconstruction=0": ({"reconstruction": 0}, ValueError, r"a number in \(0, 1\]. Got 0 instead"),
    "reconstruction=1.1": ({"reconstruction": 1.1}, ValueError, r"Got 1.1 instead"),
    "reconstruction=None": ({"reconstruction": None}, TypeError, r"Got None instead"),
    "method": ({"method": "pca"}, ValueError, r"'greedy' or 'qr' or .*Got 'pca' instead"),
    "n_components=0": (
        {"n_components": 0},
        ValueError,
        r"an int >= 1, a float in \(0, 1\) or None",
    ),
    "n_components=1.5": ({"n_components": 1.5}, ValueError, r"Got 1.5 instead"),
    "n_components=[2]": ({"n_components": [2]}, TypeError, r"Got \[2\] instead"),
    "standardize": ({"standardize": 1}, ValueError, r"'standardize' .* True or False. Got 1"),
    "word": ({"n_features_to_select": "all"}, ValueError, r"'reconstruction', 'best' or 'one_se'"),
    "too many components": (
        {"n_components": 13},
        ValueError,
        r"is 13, and 120 rows of 12 features have no more than 12 components. Pass at most 12",
    ),
    "too many folds": ({"cv": 121}, ValueError, r"can't be split into the folds of cv=121"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=BAD_PARAMETERS.keys())
def test_a_parameter_that_cannot_be_used_is_refused(case):
    parameters, error, message = BAD_PARAMETERS[case]
    fresh = PCASelector(**parameters)
    with pytest.raises(error, match=message):
        fresh.fit(table())
    assert vars(fresh).keys() == vars(PCASelector()).keys()


def test_missing_values_without_an_encoder_are_refused():
    frame = pd.DataFrame(table(), columns=list("abcdefghijkl"))
    frame.loc[3, "b"] = np.nan
    for X in (frame, frame.to_numpy()):
        with pytest.raises(ValueError, match=r"missing values \(NaN\) in column '(b|x1)'"):
            PCASelector(encoder=None).fit(X)
    assert PCASelector().fit(frame.to_numpy()).n_features_in_ == 12


def test_a_table_of_constants_is_refused():
    for X in (np.ones((9, 3)), np.ones((3, 9)), sparse.csr_array(np.ones((9, 3)))):
        with pytest.raises(ValueError, match=r"Every column of X has one and the same value"):
            PCASelector().fit(X)
    with pytest.raises(ValueError, match=r"Every column of X has one and the same value"):
        PCASelector().fit(table(), sample_weight=np.arange(120) == 3)
