"""The mRMR selector: what is picked in which order, and what is refused."""

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
from sklearn.feature_selection import f_classif, f_regression, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import featprune.selectors.mrmr as module
from featprune.path import EliminationPath
from featprune.progress import listening
from featprune.selectors.mrmr import MRMRSelector


def data(n=120, p=20, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 6))
    X = base[:, rng.integers(0, 6, p)] + rng.normal(size=(n, p)) * rng.uniform(0.1, 1.5, p)
    y = (base[:, 0] + base[:, 1] + 0.5 * rng.normal(size=n) > 0).astype(int)
    y[base[:, 2] > 1] = 2
    return X, y


def picked(fitted):
    """Units in the order in which they were picked, but for those never let go of."""
    return fitted.path_.order[::-1].tolist()


@pytest.mark.parametrize(
    "selector",
    [
        MRMRSelector(2),
        MRMRSelector(0.5, redundancy="spearman", scheme="difference"),
        MRMRSelector(2, relevance="trees"),
        MRMRSelector(2, relevance="mi", random_state=0),
        MRMRSelector(2, encoder=None),
    ],
    ids=["default", "difference", "trees", "mi", "no encoder"],
)
@pytest.mark.filterwarnings("ignore:n_features_to_select=2 is more than")
def test_passes_check_estimator(selector):
    # mutual information takes no weights
    refused = (
        {
            f"check_sample_weight{name}": "takes no weights"
            for name in (
                "s_pandas_series",
                "s_list",
                "s_not_an_array",
                "s_shape",
                "s_not_overwritten",
                "_equivalence_on_dense_data",
                "_equivalence_on_sparse_data",
            )
        }
        if selector.relevance == "mi"
        else None
    )
    results = check_estimator(selector, on_skip=None, expected_failed_checks=refused)
    failed = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped", "xfail")]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= {"check_array_api_input"}


@pytest.mark.parametrize("regresses", [False, True], ids=["classes", "numbers"])
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_picks_what_mrmr_selection_picks(holes, regresses):
    mrmr = pytest.importorskip("mrmr")
    X, y = data(p=40)
    if regresses:
        y = X[:, 0] - X[:, 9] + np.random.default_rng(1).normal(size=120)
    if holes:
        X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(40)])
    theirs = (mrmr.mrmr_regression if regresses else mrmr.mrmr_classif)(
        frame, pd.Series(y), 12, n_jobs=1, show_progress=False
    )
    fitted = MRMRSelector(12).fit(frame, y)
    assert set(theirs) == set(fitted.get_feature_names_out())
    assert [f"c{i}" for i in picked(fitted)[:11]] == theirs[1:]


def test_relevance_is_that_of_scikit_learn():
    X, y = data()
    fitted = MRMRSelector(3).fit(X, y)
    np.testing.assert_allclose(fitted.importances_, f_classif(X, y)[0], rtol=1e-9)
    target = X[:, 0] + X[:, 1]
    fitted = MRMRSelector(3).fit(X, target)
    np.testing.assert_allclose(fitted.importances_, f_regression(X, target)[0], rtol=1e-9)
    fitted = MRMRSelector(3, relevance="mi", random_state=0).fit(X, y)
    apart = np.abs(fitted.importances_ - mutual_info_classif(X, y, random_state=1))
    assert apart.max() < 1e-6  # the noise that is added to tell equal values apart


def test_trees_see_what_f_does_not():
    X, _ = data(300)
    y = (np.abs(X[:, 4]) > 1).astype(int)
    by_trees = MRMRSelector(1, relevance="trees", random_state=0).fit(X, y)
    assert by_trees.support_.nonzero()[0].tolist() == [4]
    by_f = MRMRSelector(1).fit(X, y)
    assert by_f.importances_.argmax() != 4


@pytest.mark.parametrize("relevance", ["mi", "trees"])
def test_results_do_not_depend_on_n_jobs(relevance):
    X, y = data()
    selector = MRMRSelector(5, relevance=relevance, random_state=0)
    one = clone(selector).set_params(n_jobs=1).fit(X, y)
    two = clone(selector).set_params(n_jobs=2).fit(X, y)
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.path_.criterion.tobytes() == two.path_.criterion.tobytes()


@pytest.mark.parametrize("redundancy", ["pearson", "spearman"])
@pytest.mark.parametrize("scheme", ["quotient", "difference"])
def test_the_order_of_columns_does_not_matter(redundancy, scheme):
    X, y = data()
    shuffled = np.random.default_rng(1).permutation(20)
    selector = MRMRSelector(5, redundancy=redundancy, scheme=scheme)
    one, other = clone(selector).fit(X, y), clone(selector).fit(X[:, shuffled], y)
    assert np.array_equal(one.ranking_[shuffled], other.ranking_)


def test_of_copies_the_left_one_is_picked_first():
    X, y = data()
    fitted = MRMRSelector(20).fit(np.hstack([X, X]), y)
    first, second = fitted.ranking_[:20], fitted.ranking_[20:]
    assert (first <= second).all()


def test_the_path_is_that_of_the_picks(tmp_path):
    X, y = data()
    fitted = MRMRSelector(5).fit(X, y)
    path = fitted.path_
    assert path.sizes.tolist() == list(range(20, 0, -1))
    for k in (1, 4, 13, 20):
        direct = MRMRSelector(k).fit(X, y)
        assert np.array_equal(fitted.reselect(k).ranking_, direct.ranking_)
    assert fitted.reselect(0.25).n_features_ == 5
    with pytest.raises(ValueError, match=r"an int >= 1 or a float in \(0, 1\). Got 'one_se'"):
        fitted.reselect("one_se")
    path.save(tmp_path / "path.json")
    assert np.array_equal(EliminationPath.load(tmp_path / "path.json").order, path.order)


@pytest.mark.parametrize("k", [3, 0.15], ids=["number", "share"])
def test_on_large_tables_only_what_is_asked_for_is_picked(monkeypatch, k):
    X, y = data()
    every = MRMRSelector(k).fit(X, y)
    monkeypatch.setattr(module, "_CHEAP", 0)
    some = MRMRSelector(k).fit(X, y)
    assert some.path_.sizes.tolist() == [20, 3, 2, 1]
    assert np.array_equal(some.support_, every.support_)
    assert set(some.ranking_.tolist()) == {1, 2}
    assert picked(some)[:2] == picked(every)[:2]
    rest = some.path_.criterion[:17]
    assert (np.diff(rest) >= 0).all()
    assert np.array_equal(some.reselect(1).support_, every.reselect(1).support_)
    assert some.reselect(10).n_features_ == 10


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_of_all_kinds_come_out_as_they_are(library):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(120) < 0.1, np.nan, rng.normal(size=120) + y),
            "plan": np.where(rng.random(120) < 0.2 + 0.6 * y, "gold", "tin"),
            "town": pd.Categorical.from_codes(rng.integers(0, 3, 120), ["ox", "yak", "elk"]),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 120), "D"),
            "vector": list(rng.normal(size=(120, 4)) + y[:, None]),
        }
    )
    before = frame.copy(deep=True)
    table = frame if library == "pandas" else pl.from_pandas(frame)
    for relevance in ("f", "mi", "trees"):
        fitted = MRMRSelector(3, relevance=relevance, random_state=0).fit(table, y)
        out = fitted.transform(table)
        assert set(out.columns) == {"age", "plan", "vector"}
        assert list(out.dtypes) == [table[name].dtype for name in out.columns]
    pd.testing.assert_frame_equal(frame, before)


def test_a_column_is_worth_its_best_feature():
    X, y = data(p=6)
    groups = {"g": [0, 1, 2], "h": [3, 5]}
    fitted = MRMRSelector(2, feature_groups=groups).fit(X, y)
    relevance = f_classif(X, y)[0]
    alike = np.abs(np.corrcoef(X.T))
    members = [[0, 1, 2], [3, 5], [4]]
    worth = np.array([relevance[unit].max() for unit in members])
    first = int(worth.argmax())
    scores = [
        worth[i] / max(alike[np.ix_(members[i], members[first])].max(), 0.001) if i != first else -1
        for i in range(3)
    ]
    kept = sorted([*members[first], *members[int(np.argmax(scores))]])
    assert fitted.support_.nonzero()[0].tolist() == kept
    np.testing.assert_allclose(fitted.importances_, relevance, rtol=1e-9)


def test_dimensions_of_an_embedding_are_picked_alone():
    X, y = data(p=6)
    frame = pd.DataFrame({"vector": list(X[:, :5]), "age": X[:, 5]})
    fitted = MRMRSelector(3, embeddings="dimensions").fit(frame, y)
    plain = MRMRSelector(3).fit(X, y)
    assert np.array_equal(fitted.embedding_support_["vector"], plain.support_[:5])
    assert fitted.support_[1] == plain.support_[5]
    np.testing.assert_allclose(fitted.importances_[0], plain.importances_[:5].max())


def test_always_keep_is_picked_first():
    X, y = data()
    weak = int(f_classif(X, y)[0].argmin())
    fitted = MRMRSelector(3, always_keep=[weak]).fit(X, y)
    assert fitted.support_[weak]
    assert weak not in fitted.path_.order
    assert fitted.path_.sizes[-1] == 1


@pytest.mark.parametrize("relevance", ["f", "trees"])
@pytest.mark.parametrize("regresses", [False, True], ids=["classes", "numbers"])
def test_a_row_of_weight_two_is_two_rows_and_of_weight_zero_none(relevance, regresses):
    X, y = data()
    if regresses:
        y = X[:, 0] - X[:, 9] + np.random.default_rng(1).normal(size=120)
    if relevance == "f":
        X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    weight = np.random.default_rng(3).integers(0, 3, 120)
    rows = np.repeat(np.arange(120), weight)
    one = MRMRSelector(5, relevance=relevance).fit(X, y, sample_weight=weight)
    other = MRMRSelector(5, relevance=relevance).fit(X[rows], y[rows])
    np.testing.assert_allclose(one.importances_, other.importances_, rtol=1e-3)
    if relevance == "f":
        np.testing.assert_allclose(one.importances_, other.importances_, rtol=1e-9)
        assert np.array_equal(one.ranking_, other.ranking_)


@pytest.mark.parametrize("relevance", ["f", "mi", "trees"])
@pytest.mark.parametrize("redundancy", ["pearson", "spearman"])
def test_sparse_ranks_as_dense_and_stays_sparse(relevance, redundancy):
    X, y = data()
    X = np.where(np.abs(X) < 0.5, 0, np.round(X, 1))
    selector = MRMRSelector(5, relevance=relevance, redundancy=redundancy, random_state=0)
    dense = clone(selector).fit(X, y)
    fitted = clone(selector).fit(sparse.csr_array(X), y)
    assert np.array_equal(fitted.ranking_, dense.ranking_)
    np.testing.assert_allclose(fitted.importances_, dense.importances_, rtol=1e-9)
    assert sparse.issparse(fitted.transform(sparse.csc_matrix(X)))


def test_irrelevant_and_constant_columns_come_last():
    X, y = data(p=5)
    X[:, 1] = 7.0
    fitted = MRMRSelector(4).fit(X, y)
    assert fitted.support_.tolist() == [True, False, True, True, True]
    assert fitted.importances_[1] == 0


def test_a_column_that_is_the_target_is_infinitely_relevant():
    X, y = data()
    X[:, 8] = y * 0.1
    fitted = MRMRSelector(1).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [8]
    assert fitted.importances_[8] == np.inf


@pytest.mark.skipif("FEATPRUNE_DATA" not in os.environ, reason="FEATPRUNE_DATA is not set")
def test_picks_what_mrmr_selection_picks_of_genes():
    mrmr = pytest.importorskip("mrmr")
    with np.load(Path(os.environ["FEATPRUNE_DATA"], "data", "genes", "dm_alon.npz")) as content:
        X, y = content["X"].astype(float)[:, :250], content["y"]
    frame = pd.DataFrame(X, columns=[f"g{i}" for i in range(250)])
    theirs = mrmr.mrmr_classif(frame, pd.Series(y), 12, n_jobs=1, show_progress=False)
    fitted = MRMRSelector(12).fit(frame, y)
    assert set(theirs) == set(fitted.get_feature_names_out())
    assert [f"g{i}" for i in picked(fitted)[:11]] == theirs[1:]


def test_fits_into_a_pipeline_and_a_search():
    X, y = data()
    pipe = make_pipeline(MRMRSelector(), LogisticRegression())
    grid = {"mrmrselector__n_features_to_select": [2, 5], "mrmrselector__scheme": ["difference"]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_weights_are_routed():
    X, y = data()
    weight = np.where(np.arange(120) < 80, 1.0, 0.0)
    with sklearn.config_context(enable_metadata_routing=True):
        step = MRMRSelector(5).set_fit_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, model).fit(X, y, sample_weight=weight)
    assert np.array_equal(pipe[0].ranking_, MRMRSelector(5).fit(X[:80], y[:80]).ranking_)


def test_copies_and_pickles():
    X, y = data()
    fitted = MRMRSelector(5).fit(X, y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.reselect(3).support_, fitted.reselect(3).support_)
    assert len(fitted.to_plan().kept_names) == 3


def test_progress_is_told():
    told = []
    with listening(lambda *what: told.append(what)):
        MRMRSelector(5).fit(*data())
    assert told[-1] == ("MRMRSelector: columns picked", 20, 20)


@pytest.mark.parametrize("shape", [(8, 1), (6, 40)], ids=["one column", "p > n"])
def test_small_tables(shape):
    X = np.random.default_rng(0).normal(size=shape)
    fitted = MRMRSelector(1).fit(X, np.arange(shape[0]) % 2)
    assert fitted.n_features_ == 1


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"relevance": "ks"}, ValueError, r"'relevance'.*'f' or 'mi' or 'trees'. Got 'ks'"),
        ({"redundancy": "mi"}, ValueError, r"'pearson' or 'spearman'. Got 'mi' instead"),
        ({"scheme": "ratio"}, ValueError, r"'quotient' or 'difference'. Got 'ratio' instead"),
        ({"n_features_to_select": "best"}, ValueError, r"a float in \(0, 1\). Got 'best' instead"),
        ({"n_features_to_select": 0}, ValueError, r"an int >= 1.*Got 0 instead"),
        ({"n_features_to_select": None}, TypeError, r"Got None instead"),
        ({"encoder": "one-hot"}, ValueError, r"'auto', a transformer or None"),
        (
            {"n_features_to_select": 1, "always_keep": [0, 1]},
            ValueError,
            r"asks for 1, but .*always_keep.* hold 2",
        ),
    ],
    ids=repr,
)
def test_a_parameter_that_cannot_be_used_is_refused(parameters, error, message):
    X, y = data()
    fresh = MRMRSelector(**parameters)
    before = dict(vars(fresh))
    with pytest.raises(error, match=message):
        fresh.fit(X, y)
    assert vars(fresh) == before


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"MRMRSelector requires y to be passed, but the target y is None"),
        (np.zeros(120, dtype=int), r"y has one class, 0, and MRMRSelector needs at least 2"),
        (np.full(120, 2.5), r"y has one value, 2.5, in all rows, and MRMRSelector needs"),
        (np.where(np.arange(120) < 3, np.nan, 1.0), r"y has missing values. Drop the rows"),
        (np.where(np.arange(120) < 3, np.inf, 1.0), r"y has infinite values in 3 row"),
        (np.array([None, *"ab" * 59, "a"], dtype=object), r"y has missing values"),
        (np.arange(119), r"inconsistent numbers of samples"),
    ],
    ids=["none", "one class", "one number", "missing", "infinite", "missing word", "length"],
)
def test_a_target_that_cannot_be_used_is_refused(y, message):
    X, _ = data()
    with pytest.raises(ValueError, match=message):
        MRMRSelector(3).fit(X, y)


def test_a_target_of_python_numbers_is_one_of_numbers():
    X, _ = data()
    y = np.array((X[:, 0] * 2).tolist(), dtype=object)
    fitted = MRMRSelector(1).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [0]


def test_weights_are_refused_where_they_would_not_count():
    X, y = data()
    weight = np.arange(120) + 1.0
    with pytest.raises(ValueError, match=r"relevance='mi' takes no sample_weight.* Pass relevance"):
        MRMRSelector(3, relevance="mi").fit(X, y, sample_weight=weight)
    alike = MRMRSelector(3, relevance="mi", random_state=0)
    ones = clone(alike).fit(X, y, sample_weight=np.ones(120))
    assert np.array_equal(ones.ranking_, alike.fit(X, y).ranking_)


def test_missing_values_without_an_encoder_are_refused():
    X, y = data()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"missing values \(NaN\) in column 'x2'. Impute"):
        MRMRSelector(3, encoder=None).fit(X, y)
