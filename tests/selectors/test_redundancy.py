"""The redundancy selector: who is kept, who stands for whom, and what is refused."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from featprune.importance.filters import redundancy
from featprune.path import EliminationPath
from featprune.progress import listening
from featprune.selectors.redundancy import RedundancySelector


def related(n=100, p=30, seed=0):
    """Columns of which many are like one of the first few, of different variances."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 8))
    X = base[:, rng.integers(0, 8, p)] + rng.normal(size=(n, p)) * rng.uniform(0, 1, p)
    y = (base[:, 0] + base[:, 1] + 0.3 * rng.normal(size=n) > 0).astype(int)
    return X * rng.uniform(0.1, 10, p), y


def mixed(n=200, seed=0):
    """Columns of all kinds that come in twos: a column, and one that says the same."""
    rng = np.random.default_rng(seed)
    town, size = rng.integers(0, 4, n), rng.normal(size=n)
    since = rng.integers(0, 1000, n)
    vectors = rng.normal(size=(n, 3))
    return pd.DataFrame(
        {
            "town": pd.Categorical.from_codes(town, ["ox", "yak", "elk", "emu"]),
            "postcode": np.array(["1", "2", "3", "4"])[town],
            "income": town * 10.0 + 0.1 * rng.normal(size=n),
            "size": size,
            "size_rounded": np.round(size, 1),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(since, "D"),
            "days": since + rng.integers(0, 2, n),
            "member": size > 0,
            "id": [f"id{i}" for i in range(n)],
            "vector": list(vectors),
            "same_vector": list(vectors.copy()),
            "constant": "x",
        }
    )


@pytest.mark.parametrize(
    "selector",
    [
        RedundancySelector(),
        RedundancySelector(0.3, keep="relevance"),
        RedundancySelector(0.3, keep="relevance", method="spearman"),
        RedundancySelector(0.5, keep="variance", constant_share=0.9),
        RedundancySelector(1, keep="first", embeddings="dimensions"),
    ],
    ids=["default", "relevance", "spearman", "variance", "copies"],
)
def test_passes_check_estimator(selector):
    results = check_estimator(selector, on_skip=None)
    failed = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= {"check_array_api_input"}


@pytest.mark.parametrize("library", ["array", "pandas", "polars", "csr", "csc"])
def test_kept_columns_cover_the_others_and_are_unlike_each_other(library):
    X, _ = related()
    make = {
        "array": np.asarray,
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "csr": sparse.csr_array,
        "csc": sparse.csc_matrix,
    }[library]
    table = make(X) if library != "pandas" else pd.DataFrame(X, columns=map(str, range(30)))
    fitted = RedundancySelector(0.8).fit(table)
    alike = np.abs(np.corrcoef(X.T))
    kept, gone = np.flatnonzero(fitted.support_), np.flatnonzero(~fitted.support_)
    assert 2 < len(kept) < 28
    assert (alike[np.ix_(gone, kept)].max(axis=1) > 0.8).all()
    assert (np.triu(alike[np.ix_(kept, kept)], 1) <= 0.8).all()
    out = fitted.transform(table)
    assert out.shape == (100, len(kept))
    assert type(out) is type(table)


def test_clusters_say_who_stands_for_whom():
    X, _ = related()
    fitted = RedundancySelector(0.8).fit(X)
    alike = np.abs(np.corrcoef(X.T))
    names = [f"x{i}" for i in range(30)]
    gone = [name for group in fitted.clusters_.values() for name in group]
    assert sorted(gone) == sorted(np.array(names)[~fitted.support_])
    assert list(fitted.clusters_) == [name for name in names if name in fitted.clusters_]
    for name, group in fitted.clusters_.items():
        assert fitted.support_[names.index(name)]
        for other in group:
            before = [i for i in np.flatnonzero(fitted.support_) if i < names.index(other)]
            most = before[int(alike[names.index(other), before].argmax())]
            assert names[most] == name


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("density", [0.04, 0.3])
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
def test_sparse_tables_are_pruned_as_dense_ones(method, density, holes):
    rng = np.random.default_rng(0)
    X = np.round(sparse.random_array((300, 40), density=density, rng=rng).toarray() * 5, 1)
    X[:, 20:] = X[:, :20] * rng.choice([1, 0.5, 2], 20) * (rng.random((300, 20)) > 0.05)
    if holes:
        X[X == 2.5] = np.nan
    dense = RedundancySelector(0.7, method=method).fit(X)
    fitted = RedundancySelector(0.7, method=method).fit(sparse.csr_array(X))
    assert 20 <= dense.n_features_ < 39
    assert np.array_equal(fitted.ranking_, dense.ranking_)
    assert fitted.clusters_ == dense.clusters_


@pytest.mark.parametrize("keep", ["relevance", "variance"])
def test_the_order_of_columns_does_not_matter(keep):
    X, _ = related()
    y = X @ np.arange(30)  # to no column it is related as little as to another
    shuffled = np.random.default_rng(1).permutation(30)
    one = RedundancySelector(0.8, keep=keep).fit(X, y)
    other = RedundancySelector(0.8, keep=keep).fit(X[:, shuffled], y)
    assert np.array_equal(one.support_[shuffled], other.support_)
    assert np.array_equal(one.ranking_[shuffled], other.ranking_)
    np.testing.assert_allclose(one.importances_[shuffled], other.importances_, rtol=1e-9)
    named = pd.DataFrame(X, columns=[f"c{i}" for i in range(30)])
    one = RedundancySelector(0.8, keep=keep).fit(named, y).clusters_
    other = RedundancySelector(0.8, keep=keep).fit(named.iloc[:, shuffled], y).clusters_
    assert {k: sorted(v) for k, v in one.items()} == {k: sorted(v) for k, v in other.items()}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("first", "a"), ("missing", "b"), ("variance", "c"), ("relevance", "d")],
)
def test_keep_says_which_of_those_that_are_alike_is_kept(keep, expected):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    a = y + 0.1 * rng.normal(size=200)
    frame = pd.DataFrame({"a": a + 0.01 * rng.normal(size=200), "b": a, "c": 10 * a, "d": a})
    frame["d"] = y + 0.8 * (a - y)
    frame.loc[:5, "a"] = np.nan
    frame.loc[:2, ["c", "d"]] = np.nan
    fitted = RedundancySelector(0.9, keep=keep).fit(frame, y)
    assert fitted.get_feature_names_out().tolist() == [expected]
    assert fitted.clusters_ == {expected: [name for name in "abcd" if name != expected]}


@pytest.mark.parametrize("keep", ["first", "missing", "variance", "relevance"])
def test_of_copies_the_left_one_is_kept(keep):
    X, y = related(p=12)
    fitted = RedundancySelector(0.999, keep=keep).fit(np.hstack([X, X]), y)
    assert fitted.support_[:12].all()
    assert not fitted.support_[12:].any()
    assert fitted.ranking_[12:].tolist() == list(range(2, 14))


@pytest.mark.parametrize("many", [1e9, 0], ids=["double precision", "single precision"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_all_kinds_stand_for_each_other(library, many, monkeypatch):
    monkeypatch.setattr(redundancy, "_MANY", many)
    frame = mixed()
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    fitted = RedundancySelector(0.9).fit(frame)
    assert fitted.clusters_ == {
        "town": ["postcode", "income"],
        "size": ["size_rounded"],
        "since": ["days"],
        "vector": ["same_vector"],
    }
    assert fitted.constant_ == ["constant"]
    assert set(fitted.get_feature_names_out()) >= {"town", "size", "since", "member", "id"}
    assert fitted.importances_[-1] == 0
    assert fitted.ranking_[-1] == fitted.ranking_.max()


def test_gaps_of_numbers_are_left_out_pair_by_pair():
    rng = np.random.default_rng(0)
    frame = mixed()
    for name in ("income", "size", "size_rounded", "since", "days"):
        frame[name] = frame[name].astype(object).where(rng.random(200) > 0.2, None)
    frame = frame.astype({"income": float, "size": float, "size_rounded": float, "days": float})
    frame["since"] = pd.to_datetime(frame["since"])
    fitted = RedundancySelector(0.9, keep="first").fit(frame.drop(columns="same_vector"))
    assert fitted.clusters_ == {
        "town": ["postcode", "income"],
        "size": ["size_rounded"],
        "since": ["days"],
    }


def test_a_category_whose_gaps_tell_something_is_kept():
    frame = mixed()[["town", "postcode"]]
    missing = np.random.default_rng(0).random(200) < 0.5
    assert RedundancySelector(0.9).fit(frame).n_features_ == 1
    frame["postcode"] = frame["postcode"].where(~missing, None)
    assert RedundancySelector(0.9).fit(frame).n_features_ == 2


def test_spearman_sees_what_is_monotone():
    X, _ = related(p=1)
    both = np.hstack([X, np.exp(X)])
    assert RedundancySelector(0.99).fit(both).support_.tolist() == [True, True]
    assert RedundancySelector(0.99, method="spearman").fit(both).support_.tolist() == [True, False]


@pytest.mark.parametrize("share", [1.0, 1, 0.97, 0.9])
def test_constant_and_nearly_constant_columns_go(share):
    X, _ = related(p=5)
    X[:, 1] = 3.0
    X[:, 2] = np.arange(100) < 4
    X[:, 3] = np.where(np.arange(100) < 98, np.nan, 5.0)
    fitted = RedundancySelector(constant_share=share).fit(X)
    expected = {1.0: ["x1"], 0.97: ["x1", "x3"], 0.9: ["x1", "x2", "x3"]}[share]
    assert fitted.constant_ == expected
    assert fitted.clusters_ == {}
    assert (fitted.importances_ > 0).sum() == 5 - len(expected)


def test_dimensions_of_an_embedding_are_compared():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 4))
    vectors[:, 2] = vectors[:, 0] * 2
    frame = pd.DataFrame(
        {"vector": list(vectors), "age": vectors[:, 3] + 1, "one": list(vectors[:, 1:2])}
    )
    fitted = RedundancySelector(embeddings="dimensions").fit(frame)
    assert fitted.clusters_ == {
        "vector[0]": ["vector[2]"],
        "vector[3]": ["age"],
        "vector[1]": ["one[0]"],
    }
    assert fitted.embedding_support_["vector"].tolist() == [True, True, False, True]
    assert fitted.support_.tolist() == [True, False, False]
    assert len(fitted.transform(frame)["vector"][0]) == 3
    assert RedundancySelector().fit(frame).support_.all()


def test_a_group_goes_as_a_whole_or_not_at_all():
    X, _ = related(p=4)
    frame = pd.DataFrame(
        {"a": X[:, 0], "b": X[:, 1], "c": X[:, 0], "d": X[:, 1], "e": X[:, 2], "f": X[:, 0]}
    )
    frame["g"] = 1.0
    groups = {"cd": ["c", "d", "g"], "ef": ["e", "f"]}
    fitted = RedundancySelector(feature_groups=groups).fit(frame)
    assert fitted.get_feature_names_out().tolist() == ["a", "b", "e", "f"]
    assert fitted.clusters_ == {"a": ["c"], "b": ["d"]}
    assert fitted.constant_ == ["g"]


def test_always_keep_comes_first_and_never_goes():
    X, _ = related(p=3)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 0], "c": X[:, 0], "d": X[:, 1], "e": 1.0})
    fitted = RedundancySelector(always_keep=["b", "c", "e"]).fit(frame)
    assert fitted.get_feature_names_out().tolist() == ["b", "c", "d", "e"]
    assert fitted.clusters_ == {"b": ["a"]}
    assert fitted.constant_ == []


def test_the_path_lets_go_of_the_most_redundant_first(tmp_path):
    X, _ = related()
    X[:, 4] = 2.0
    fitted = RedundancySelector(0.8).fit(X)
    path = fitted.path_
    assert path.order[0] == 4
    assert path.sizes.tolist() == list(range(30, 0, -1))
    n_gone = int((~fitted.support_).sum())
    assert set(path.order[:n_gone]) == set(np.flatnonzero(~fitted.support_))
    assert (np.diff(path.criterion) <= 1e-9).all()
    assert (path.criterion[1:n_gone] > 0.8).all()
    assert (path.criterion[n_gone:] <= 0.8).all()
    np.testing.assert_allclose(1 - path.criterion[1:], fitted.importances_[path.order[1:]])
    for k in (1, 5, 20, 30):
        assert fitted.reselect(k).n_features_ == k
    assert fitted.reselect(0.5).n_features_ == 15
    with pytest.raises(ValueError, match=r"an int >= 1 or a float in \(0, 1\). Got 'best'"):
        fitted.reselect("best")
    path.save(tmp_path / "path.json")
    assert np.array_equal(EliminationPath.load(tmp_path / "path.json").order, path.order)


def test_too_few_are_filled_up_with_a_warning():
    X, _ = related(p=2)
    table = np.column_stack([X[:, 0], X[:, 0], X[:, 0] + 0.1 * X[:, 1], X[:, 0], np.ones(100)])
    with pytest.warns(UserWarning, match=r"No more than 1 of 5 .*min_features_to_select=2, 2 are"):
        fitted = RedundancySelector(0.5, min_features_to_select=2).fit(table)
    assert fitted.support_.tolist() == [True, False, True, False, False]
    assert fitted.clusters_ == {"x0": ["x1", "x3"]}


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("keep", ["missing", "variance", "relevance"])
def test_a_row_of_weight_two_is_two_rows_and_of_weight_zero_none(method, keep):
    frame, rng = mixed().drop(columns=["vector", "same_vector", "id"]), np.random.default_rng(3)
    frame["size"] = frame["size"].where(rng.random(200) > 0.1)
    y, weight = np.arange(200) % 2, rng.integers(0, 3, 200)
    selector = RedundancySelector(0.6, method=method, keep=keep, constant_share=0.9)
    one = clone(selector).fit(frame, y, sample_weight=weight)
    rows = np.repeat(np.arange(200), weight)
    other = clone(selector).fit(frame.iloc[rows], y[rows])
    assert np.array_equal(one.ranking_, other.ranking_)
    np.testing.assert_allclose(one.importances_, other.importances_, rtol=1e-8, atol=1e-12)


def test_single_precision_on_large_tables_decides_as_double_does(monkeypatch):
    X, _ = related(p=200)
    double = RedundancySelector(0.9).fit(X)
    monkeypatch.setattr(redundancy, "_MANY", 0)
    single = RedundancySelector(0.9).fit(X)
    assert np.array_equal(single.support_, double.support_)
    assert single.clusters_ == double.clusters_


def test_drops_what_feature_engine_drops():
    peer = pytest.importorskip("feature_engine.selection")
    X, _ = related(n=150, p=80)
    frame = pd.DataFrame(X, columns=[f"c{i:02}" for i in range(80)])
    dropped = peer.DropCorrelatedFeatures(threshold=0.8).fit(frame).features_to_drop_
    ours = RedundancySelector(0.8, keep="first").fit(frame)
    assert set(dropped) == set(frame.columns[~ours.support_])


@pytest.mark.skipif("FEATPRUNE_DATA" not in os.environ, reason="FEATPRUNE_DATA is not set")
@pytest.mark.parametrize(("name", "target"), [("ames", "price"), ("credit_data", "Status")])
def test_real_tables_of_all_kinds_keep_their_columns_as_they_are(name, target):
    frame = pd.read_parquet(Path(os.environ["FEATPRUNE_DATA"], "data", "tables", f"{name}.parquet"))
    X, y = frame.drop(columns=target), frame[target]
    known = y.notna()
    fitted = RedundancySelector(0.8, keep="relevance").fit(X[known], y[known])
    out = fitted.transform(X)
    assert out.equals(X[list(out.columns)])
    assert 0.5 < fitted.n_features_ / X.shape[1] <= 1
    again = RedundancySelector(0.8, keep="relevance").fit(out[known], y[known])
    assert again.support_.all()


def test_fits_into_a_pipeline_and_a_search():
    X, y = related()
    X[::9, 3] = np.nan
    pipe = make_pipeline(RedundancySelector(), SimpleImputer(), LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipe, {"redundancyselector__threshold": [0.5, 0.99]}, cv=3).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_weights_are_routed():
    X, y = related()
    weight = np.where(np.arange(100) < 60, 1.0, 0.0)
    with sklearn.config_context(enable_metadata_routing=True):
        step = RedundancySelector(0.8).set_fit_request(sample_weight=True)
        model = RandomForestClassifier(5).set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, model).fit(X, y, sample_weight=weight)
    assert np.array_equal(pipe[0].ranking_, RedundancySelector(0.8).fit(X[:60]).ranking_)


def test_copies_and_pickles():
    X, _ = related()
    fitted = RedundancySelector(0.8).fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.transform(X), fitted.transform(X))
    assert copy.clusters_ == fitted.clusters_
    plan = fitted.to_plan()
    assert len(plan.kept_names) == fitted.n_features_


def test_nothing_is_changed():
    frame, y = mixed(), np.arange(200) % 2
    before = frame.copy(deep=True)
    RedundancySelector(0.5, keep="relevance").fit(frame, y).transform(frame)
    pd.testing.assert_frame_equal(frame, before)
    X, _ = related()
    copy = X.copy()
    RedundancySelector(0.5).fit(X)
    assert np.array_equal(X, copy)


def test_progress_is_told():
    told = []
    with listening(lambda *what: told.append(what)):
        RedundancySelector().fit(related()[0])
    assert told[-1] == ("RedundancySelector: columns", 30, 30)


@pytest.mark.parametrize(
    "shape", [(5, 1), (4, 60), (2, 3)], ids=["one column", "p > n", "two rows"]
)
def test_small_tables(shape):
    X = np.random.default_rng(0).normal(size=shape)
    fitted = RedundancySelector(0.9).fit(X)
    assert fitted.support_[0]
    if shape[0] == 2:  # two rows are always on a line
        assert fitted.n_features_ == 1


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"threshold": 0}, ValueError, r"'threshold'.*a number in \(0, 1\]. Got 0 instead"),
        ({"threshold": 1.1}, ValueError, r"a number in \(0, 1\]. Got 1.1 instead"),
        ({"threshold": -0.5}, ValueError, r"Got -0.5 instead"),
        ({"threshold": np.nan}, ValueError, r"Got nan instead"),
        ({"threshold": "high"}, ValueError, r"Got 'high' instead"),
        ({"threshold": None}, TypeError, r"Got None instead"),
        ({"threshold": True}, TypeError, r"Got True instead"),
        ({"constant_share": 0}, ValueError, r"'constant_share'.*Got 0 instead"),
        ({"method": "kendall"}, ValueError, r"'pearson' or 'spearman'. Got 'kendall' instead"),
        ({"keep": "last"}, ValueError, r"'variance' or 'relevance'. Got 'last' instead"),
        ({"min_features_to_select": 0}, ValueError, r"an int >= 1. Got 0 instead"),
        ({"embeddings": "some"}, ValueError, r"'whole' or 'dimensions'. Got 'some' instead"),
        ({"always_keep": ["zz"]}, ValueError, r"names 'zz', which X does not have"),
        ({"feature_groups": {"g": []}}, ValueError, r"'g'.*has no columns"),
    ],
    ids=repr,
)
def test_a_parameter_that_cannot_be_used_is_refused(parameters, error, message):
    X, y = related()
    fresh = RedundancySelector(**parameters)
    before = dict(vars(fresh))
    with pytest.raises(error, match=message):
        fresh.fit(X, y)
    assert vars(fresh) == before


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"RedundancySelector requires y to be passed, but the target y is None"),
        (np.zeros(100), r"y has one class, 0.0, and RedundancySelector needs at least 2"),
        (np.full(100, 0.5), r"y has one value, 0.5, in all rows"),
        (np.where(np.arange(100) < 3, np.nan, 1.5), r"y has missing values"),
        (np.arange(99), r"inconsistent numbers of samples"),
    ],
    ids=["none", "one class", "one number", "missing", "another length"],
)
def test_a_target_is_needed_where_relevance_is_asked_for(y, message):
    X, _ = related()
    with pytest.raises(ValueError, match=message):
        RedundancySelector(keep="relevance").fit(X, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (np.ones_like, r"Every column of X has one and the same value"),
        (lambda X: np.where(X[3, 2] == X, np.inf, X), r"infinite values in column 'x2'. Replace"),
        (lambda X: np.where(X[3] == X, -np.inf, X), r"infinite values in columns 'x0', .* 25 more"),
        (lambda X: X[:1], r"1 sample"),
        (lambda X: X[:, 0], r"Expected 2D array"),
    ],
    ids=["constant", "infinite", "infinite row", "one row", "one dimension"],
)
def test_a_table_that_cannot_be_used_is_refused(make, message):
    X, _ = related()
    with pytest.raises(ValueError, match=message):
        RedundancySelector().fit(make(X))


def test_a_share_that_leaves_nothing_is_refused():
    X = np.arange(300).reshape(100, 3) % 2
    with pytest.raises(ValueError, match=r"at least constant_share=0.4 of the rows.*Raise"):
        RedundancySelector(constant_share=0.4).fit(X)
