"""What every public selector keeps to; a new selector is added to SELECTORS and to nothing else."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.ensemble._forest import ForestClassifier, ForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.utils.estimator_checks import check_estimator
from xgboost import XGBClassifier

from featprune import (
    SVMRFE,
    MRMRSelector,
    PCASelector,
    RankEnsemble,
    RedundancySelector,
    ShadowSelector,
    StabilitySelector,
    TreeSelector,
)
from featprune.importance.svm.machine import has_kernel

# three classes are a poor target for a regressor, and what is held to here does not depend on it
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*found no size whose score is surely better than"),
    pytest.mark.filterwarnings("ignore:.*passed the shadow test"),
    pytest.mark.filterwarnings("ignore:.*was selected in threshold"),
]

SELECTORS = {
    "SVMRFE": SVMRFE(n_features_to_select=3),
    "SVMRFE, one_se": SVMRFE(cv=3),
    "SVMRFE, LinearSVC": SVMRFE(LinearSVC(dual=False), n_features_to_select="best", cv=3),
    "SVMRFE, no encoder": SVMRFE(encoder=None, n_features_to_select=3),
    "SVMRFE, RBF": SVMRFE(SVC(), cv=3),
    "SVMRFE, SVR": SVMRFE(SVR(kernel="linear"), n_features_to_select=3),
    "SVMRFE, RBF SVR": SVMRFE(SVR(), n_features_to_select=3),
    "SVMRFE, LinearSVR": SVMRFE(LinearSVR(epsilon=0.1), n_features_to_select="best", cv=5),
    "TreeSelector": TreeSelector(XGBClassifier(n_estimators=10), n_features_to_select=3),
    "TreeSelector, recursive": TreeSelector(
        XGBClassifier(n_estimators=5, max_depth=3), recursive=True, cv=3
    ),
    "TreeSelector, LightGBM": TreeSelector(LGBMClassifier(n_estimators=10), cv=3),
    "TreeSelector, forest": TreeSelector(
        RandomForestClassifier(10), n_features_to_select=3, n_repeats=2, random_state=0
    ),
    "TreeSelector, impurity": TreeSelector(
        ExtraTreesRegressor(10), importance="impurity", n_features_to_select=3, random_state=0
    ),
    "ShadowSelector": ShadowSelector(
        XGBClassifier(n_estimators=10, max_bin=16), n_iter=10, random_state=0
    ),
    "PCASelector": PCASelector(3),
    "PCASelector, reconstruction": PCASelector(cv=3),
    "PCASelector, qr": PCASelector(3, method="qr"),
    "PCASelector, pfa": PCASelector(3, method="pfa", random_state=0),
    "RedundancySelector": RedundancySelector(0.5),
    "RedundancySelector, relevance": RedundancySelector(0.5, keep="relevance", method="spearman"),
    "RankEnsemble": RankEnsemble(n_features_to_select=3, random_state=0),
    "RankEnsemble, one_se": RankEnsemble([("svm", SVMRFE()), ("pca", PCASelector())], cv=3),
    "RankEnsemble, rra": RankEnsemble(
        [("mrmr", MRMRSelector()), ("svm", SVMRFE())],
        aggregate="rra",
        n_features_to_select="best",
        cv=3,
    ),
    "RankEnsemble, bootstraps": RankEnsemble(
        [("svm", SVMRFE()), ("pca", PCASelector())],
        n_bootstraps=2,
        n_features_to_select=3,
        random_state=0,
    ),
    "StabilitySelector": StabilitySelector(
        SVMRFE(n_features_to_select=3), n_resamples=3, random_state=0
    ),
    "StabilitySelector, unsupervised": StabilitySelector(
        PCASelector(3), n_resamples=3, random_state=0
    ),
    "MRMRSelector": MRMRSelector(3),
    "MRMRSelector, mutual information": MRMRSelector(3, relevance="mi", random_state=0),
}


def _can_be_negative(selector):
    if isinstance(selector, SVMRFE):
        return selector.estimator is not None and has_kernel(selector.estimator)
    return getattr(selector, "importance", None) == "auto" and _draws(selector)


def _is_sized(selector):
    """Whether it is told how many to keep, and doesn't say so itself."""
    return "n_features_to_select" in selector.get_params()


def _fitted_to(selector, k, X, y):
    """Fit a clone that keeps `k`."""
    if _is_sized(selector):
        return clone(selector).set_params(n_features_to_select=k).fit(X, y)
    return clone(selector).fit(X, y).reselect(k)


def _ranks_for_numbers(selector):
    estimator = getattr(selector, "estimator", None)
    return estimator is not None and is_regressor(estimator)


def _draws(selector):
    """Whether rows or columns are drawn by their place, as scikit-learn's forests do."""
    return isinstance(getattr(selector, "estimator", None), ForestClassifier | ForestRegressor)


def _cannot(selector):
    """Checks of scikit-learn that fail, and why."""
    checks = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]
    is_resampled = getattr(selector, "n_bootstraps", 0) or hasattr(selector, "n_resamples")
    if _draws(selector) or is_resampled:
        # a row that stands twice is drawn more often, but by other draws; scikit-learn's own fail
        return dict.fromkeys(checks, "draws rows")
    if getattr(selector, "relevance", None) == "mi":
        checks += ["check_sample_weights_list", "check_sample_weights_not_overwritten"]
        return dict.fromkeys(checks, "scikit-learn's mutual information takes no weights")
    return {}


every_selector = pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS.keys())
sized_selectors = pytest.mark.parametrize(
    "selector",
    [one for one in SELECTORS.values() if _is_sized(one)],
    ids=[name for name, one in SELECTORS.items() if _is_sized(one)],
)
mixed_selectors = pytest.mark.parametrize(
    "selector",
    [one for one in SELECTORS.values() if one.encoder == "auto"],
    ids=[name for name, one in SELECTORS.items() if one.encoder == "auto"],
)


@pytest.fixture(scope="module")
def numbers():
    return make_classification(
        n_samples=90, n_features=8, n_informative=4, n_classes=3, random_state=0
    )


def mixed_frame(n_rows=90):
    """Numbers, booleans, categories, words, dates, vectors, and holes in most of them."""
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % 2
    age = rng.normal(size=n_rows) + y
    age[::7] = np.nan
    town = pd.Categorical.from_codes(rng.integers(0, 3, n_rows), ["ox", "yak", "elk"])
    plan = pd.Series(np.where(rng.random(n_rows) < 0.2 + 0.6 * y, "gold", "tin"), dtype="str")
    plan[::9] = None
    frame = pd.DataFrame(
        {
            "age": age,
            "member": rng.random(n_rows) < 0.5,
            "visits": pd.array(rng.integers(0, 9, n_rows), dtype="Int64"),
            "town": town,
            "plan": plan,
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, n_rows), "D"),
            "vector": list(rng.normal(size=(n_rows, 4)) + y[:, None]),
        },
        index=pd.Index(rng.permutation(n_rows) + 1000, name="customer"),
    )
    frame.loc[frame.index[:3], "visits"] = pd.NA
    return frame, y


@every_selector
@pytest.mark.filterwarnings("ignore:n_features_to_select=3 is more than")
def test_passes_check_estimator(selector):
    results = check_estimator(
        clone(selector), on_skip=None, expected_failed_checks=_cannot(selector)
    )
    failed = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped", "xfail")]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= {"check_array_api_input"}  # only where SCIPY_ARRAY_API is not set


@every_selector
def test_fitted_attributes_agree_with_each_other(selector, numbers):
    X, y = numbers
    fitted = clone(selector).fit(X, y)
    assert fitted.support_.shape == fitted.ranking_.shape == fitted.importances_.shape == (8,)
    assert fitted.n_features_in_ == 8
    assert fitted.n_features_ == fitted.support_.sum() == fitted.transform(X).shape[1]
    assert ((fitted.ranking_ == 1) == fitted.support_).all()
    if not _can_be_negative(selector):
        assert (fitted.importances_ >= 0).all()
    assert fitted.path_.sizes[0] == 8
    assert len(fitted.get_feature_names_out()) == fitted.n_features_


@every_selector
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_goes_out_as_it_came_in_less_columns(selector, library, numbers):
    X, y = numbers
    names = [f"c{i}" for i in range(8)]
    frame = pd.DataFrame(X, columns=names, index=np.arange(90)[::-1])
    frame = frame.astype({"c0": "float32"})
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    fitted = clone(selector).fit(frame, y)
    out = fitted.transform(frame)
    kept = [name for name, keep in zip(names, fitted.support_, strict=True) if keep]
    assert type(out) is type(frame)
    assert list(out.columns) == kept == list(fitted.get_feature_names_out())
    assert out.equals(frame[kept])


@mixed_selectors
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_all_kinds_come_out_untouched(selector, library):
    frame, y = mixed_frame()
    if library == "polars":
        frame = pl.from_pandas(frame)
    fitted = clone(selector).fit(frame, y)
    out = fitted.transform(frame)
    kept = [name for name, keep in zip(frame.columns, fitted.support_, strict=True) if keep]
    assert list(out.columns) == kept
    assert list(out.dtypes) == [frame[name].dtype for name in kept]
    assert {"age", "vector", "plan"} & set(kept)
    for name in kept:
        for before, after in zip(frame[name], out[name], strict=True):
            assert before is after or np.array_equal(before, after, equal_nan=name == "age")
    if library == "pandas":
        assert out.index.equals(frame.index)


@every_selector
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_ranks_as_dense_and_stays_sparse(selector, container, numbers):
    X, y = numbers
    X = np.where(np.abs(X) < 0.3, 0, X)
    dense = clone(selector).fit(X, y)
    fitted = clone(selector).fit(container(X), y)
    out = fitted.transform(container(X))
    assert sparse.issparse(out)
    assert np.array_equal(out.toarray(), X[:, fitted.support_])
    if not isinstance(
        getattr(selector, "estimator", None), LinearSVC
    ):  # whose bias is penalised, so centring tells
        assert np.array_equal(fitted.ranking_, dense.ranking_)


@every_selector
def test_input_and_parameters_are_never_changed(selector):
    frame, y = mixed_frame()
    if selector.encoder is None:
        frame = frame[["age", "member", "visits"]].dropna()
        y = np.arange(len(frame)) % 2
    before, target = frame.copy(deep=True), y.copy()
    fitted = clone(selector)
    parameters = {name: repr(value) for name, value in fitted.get_params().items()}
    fitted.fit(frame, y).transform(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert np.array_equal(y, target)
    assert {name: repr(value) for name, value in fitted.get_params().items()} == parameters


# of splits that are as good as each other, trees take one by its place
@pytest.mark.parametrize("selector", [s for s in SELECTORS.values() if isinstance(s, SVMRFE)])
def test_the_order_of_columns_does_not_matter(selector, numbers):
    X, y = numbers
    shuffled = np.random.default_rng(1).permutation(8)
    one = clone(selector).fit(X, y)
    other = clone(selector).fit(X[:, shuffled], y)
    assert np.array_equal(one.ranking_[shuffled], other.ranking_)
    np.testing.assert_allclose(one.importances_[shuffled], other.importances_, rtol=1e-2)


# copies of a good column both pass the shadow test, and chance tells which has more hits
@pytest.mark.parametrize(
    "selector",
    [s for s in SELECTORS.values() if not _draws(s) and not isinstance(s, ShadowSelector)],
)
def test_of_equal_columns_the_left_one_is_kept(selector, numbers):
    X, y = numbers
    twice = np.hstack([X, X])
    fitted = _fitted_to(selector, 8, twice, y)
    first, second = fitted.ranking_[:8], fitted.ranking_[8:]
    # a copy goes no later than the column it stands behind
    assert (first <= second).sum() >= 7


@every_selector
def test_groups_stay_or_go_together(selector, numbers):
    X, y = numbers
    groups = {"left": [0, 1, 2], "odd": [5, 7]}
    fitted = _fitted_to(clone(selector).set_params(feature_groups=groups), 2, X, y)
    assert len(fitted.path_.names) == 5
    for columns in groups.values():
        assert len(set(fitted.support_[columns])) == 1
        assert len(set(fitted.ranking_[columns])) == 1
    assert fitted.size_ == 2


@every_selector
def test_always_keep_is_kept(selector, numbers):
    X, y = numbers
    weakest = int(_fitted_to(selector, 1, X, y).ranking_.argmax())
    fitted = _fitted_to(clone(selector).set_params(always_keep=[weakest]), 2, X, y)
    assert fitted.support_[weakest]
    assert fitted.n_features_ == 2
    assert fitted.ranking_[weakest] == 1


@every_selector
def test_groups_and_kept_columns_go_by_name_in_frames(selector, numbers):
    X, y = numbers
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    by_name = clone(selector).set_params(feature_groups={"ac": ["a", "c"]}, always_keep=["h"])
    by_position = clone(selector).set_params(feature_groups={"ac": [0, 2]}, always_keep=[7])
    assert np.array_equal(by_name.fit(frame, y).ranking_, by_position.fit(X, y).ranking_)


@every_selector
@pytest.mark.parametrize("k", [1, 8], ids=["k=1", "k=p"])
def test_any_size_can_be_had(selector, k, numbers):
    X, y = numbers
    fitted = _fitted_to(selector, k, X, y)
    assert fitted.n_features_ == k
    if k == 8:
        assert (fitted.ranking_ == 1).all()


@every_selector
def test_more_than_there_are_keeps_all_and_says_so(selector, numbers):
    X, y = numbers
    with pytest.warns(UserWarning, match=r"n_features_to_select=9 is more than the 8"):
        fitted = _fitted_to(selector, 9, X, y)
    assert fitted.support_.all()


@every_selector
def test_clone_and_pickle_keep_everything(selector, numbers):
    X, y = numbers
    fitted = clone(selector).fit(X, y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.transform(X), fitted.transform(X))
    assert np.array_equal(copy.reselect(2).support_, fitted.reselect(2).support_)
    fresh = clone(fitted)
    assert not hasattr(fresh, "support_")
    assert repr(fresh) == repr(selector)


@every_selector
def test_set_output_and_the_callers_container(selector, numbers):
    X, y = numbers
    fitted = clone(selector).set_output(transform="pandas").fit(X, y)
    out = fitted.transform(X)
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == [f"x{i}" for i in np.flatnonzero(fitted.support_)]
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    out = clone(selector).set_output(transform="polars").fit(frame, y).transform(frame)
    assert isinstance(out, pl.DataFrame)
    assert set(out.columns) <= set("abcdefgh")


@every_selector
def test_results_do_not_depend_on_n_jobs(selector):
    frame, y = mixed_frame()
    if selector.encoder is None:
        frame = frame[["member"]].assign(a=np.arange(90) % 7 + 5 * y, b=np.arange(90) % 4)
    if "n_jobs" not in selector.get_params():
        return  # it does all in one thread
    scored = {"n_features_to_select": "best"} if "best" in selector._words else {}
    if isinstance(selector, PCASelector):
        scored["cv"] = 3
    one = clone(selector).set_params(n_jobs=1, **scored).fit(frame, y)
    two = clone(selector).set_params(n_jobs=2, **scored).fit(frame, y)
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.path_.criterion.tobytes() == two.path_.criterion.tobytes()
    if scored:
        assert one.path_.scores.tobytes() == two.path_.scores.tobytes()
    assert one.importances_.tobytes() == two.importances_.tobytes()


@every_selector
def test_weights_are_routed_through_a_pipeline(selector, numbers):
    X, y = numbers
    weight = np.where(np.arange(90) < 60, 1.0, 0.0)
    sized = {"n_features_to_select": 3} if _is_sized(selector) else {}
    with sklearn.config_context(enable_metadata_routing=True):
        step = clone(selector).set_params(**sized)
        step.set_fit_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, model).fit(X, y, sample_weight=weight)
    alone = clone(selector).set_params(**sized).fit(X[:60], y[:60])
    assert np.array_equal(pipe[0].reselect(3).ranking_, alone.reselect(3).ranking_)


@sized_selectors
def test_is_searched_by_grid_search(selector, numbers):
    X, y = numbers
    pipe = make_pipeline(clone(selector), LogisticRegression())
    name = pipe.steps[0][0]
    search = GridSearchCV(pipe, {f"{name}__n_features_to_select": [1, 4, 8]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[0].n_features_ in (1, 4, 8)


@every_selector
def test_a_frame_may_come_in_another_order(selector, numbers):
    X, y = numbers
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    fitted = clone(selector).fit(frame, y)
    out = fitted.transform(frame[list("hgfedcba")])
    pd.testing.assert_frame_equal(out, fitted.transform(frame))


@every_selector
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="a"), r"lacks 1 that it had: 'a'"),
        (lambda f: f.rename(columns={"a": "z"}), r"lacks 1 .*'a', and has 1 .*'z'"),
        (lambda f: f.assign(z=1), r"has 1 that it had not: 'z'"),
    ],
    ids=["missing", "renamed", "additional"],
)
def test_another_table_at_transform_is_refused(selector, change, message, numbers):
    X, y = numbers
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    fitted = clone(selector).fit(frame, y)
    with pytest.raises(ValueError, match=message):
        fitted.transform(change(frame))


@every_selector
def test_reselect_moves_the_cut_and_fits_nothing(selector, numbers):
    X, y = numbers
    fitted = clone(selector).fit(X, y)
    path = fitted.path_
    for k in (1, 5, 8):
        assert fitted.reselect(k).n_features_ == k
        if _is_sized(selector) and getattr(selector, "method", None) != "pfa":
            assert np.array_equal(fitted.ranking_, _fitted_to(selector, k, X, y).ranking_)
    assert fitted.path_ is path
    if path.scores is None:
        with pytest.raises(ValueError, match=r"'best' needs a score at each size|Got 'best'"):
            fitted.reselect("best")
        assert fitted.n_features_ == 8


BAD_TABLES = {
    "one row": (lambda X: X[:1], r"1 sample"),
    "no rows": (lambda X: X[:0], r"0 sample"),
    "no columns": (lambda X: X[:, :0], r"0 feature"),
    "constant": (lambda X: np.ones_like(X), r"Every column of X has one and the same value"),
    "infinite": (lambda X: np.where(X[3, 2] == X, np.inf, X), r"infinite values in column 'x2'"),
    "one dimension": (lambda X: X[:, 0], r"Expected 2D array"),
}


@every_selector
@pytest.mark.parametrize("change", BAD_TABLES, ids=BAD_TABLES.keys())
def test_a_table_that_cannot_be_used_is_refused(selector, change, numbers):
    X, y = numbers
    make, message = BAD_TABLES[change]
    bad = make(X)
    fresh = clone(selector)
    with pytest.raises(ValueError, match=message):
        fresh.fit(bad, y[: len(bad)])
    assert vars(fresh).keys() == vars(clone(selector)).keys()


@every_selector
@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    "shape", [(1, 3), (0, 3), (5, 0)], ids=["one row", "no rows", "no columns"]
)
def test_a_frame_without_rows_or_columns_is_refused(selector, library, shape):
    frame = pd.DataFrame(np.ones(shape), columns=list("abc")[: shape[1]])
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    with pytest.raises(ValueError, match=rf"{shape[0]} sample\(s\) and {shape[1]} feature"):
        clone(selector).fit(frame, np.arange(shape[0]) % 2)


BAD_TARGETS = {
    "one class": (lambda y: np.zeros_like(y), ValueError, r"y has one class, 0"),
    "another length": (lambda y: y[:-1], ValueError, r"inconsistent numbers of samples"),
    "none": (lambda y: None, ValueError, r"requires y to be passed"),
    "missing": (lambda y: np.where(y == 1, np.nan, y), ValueError, r"y has missing values"),
    "continuous": (lambda y: y + 0.5, ValueError, r"Unknown label type: y has 3 different"),
}
BAD_NUMBERS = {
    "another length": BAD_TARGETS["another length"],
    "none": BAD_TARGETS["none"],
    "missing": BAD_TARGETS["missing"],
    "infinite": (lambda y: np.where(y == 1, np.inf, y), ValueError, r"infinite values in 30 row"),
    "words": (lambda y: y.astype(str), ValueError, r"y must hold numbers.*Got .* Pass a class"),
}

rank_for_numbers = [s for s in SELECTORS.values() if _ranks_for_numbers(s)]
rank_for_classes = [
    s
    for s in SELECTORS.values()
    if not _ranks_for_numbers(s) and s.__sklearn_tags__().target_tags.required
]


@pytest.mark.parametrize("selector", rank_for_numbers, ids=repr)
@pytest.mark.parametrize("change", BAD_NUMBERS, ids=BAD_NUMBERS.keys())
def test_a_target_that_holds_no_numbers_is_refused(selector, change, numbers):
    X, y = numbers
    make, error, message = BAD_NUMBERS[change]
    with pytest.raises(error, match=message):
        clone(selector).fit(X, make(y))


@pytest.mark.parametrize("selector", rank_for_classes, ids=repr)
@pytest.mark.parametrize("change", BAD_TARGETS, ids=BAD_TARGETS.keys())
def test_a_target_that_cannot_be_used_is_refused(selector, change, numbers):
    X, y = numbers
    make, error, message = BAD_TARGETS[change]
    if change == "continuous" and isinstance(
        selector, MRMRSelector | RedundancySelector | RankEnsemble
    ):
        return  # it takes numbers, too
    with pytest.raises(error, match=message):
        clone(selector).fit(X, make(y))


BAD_PARAMETERS = {
    "n=0": ({"n_features_to_select": 0}, ValueError, r"must be an int >= 1.*Got 0 instead"),
    "n=-1": ({"n_features_to_select": -1}, ValueError, r"'n_features_to_select'.*Got -1 instead"),
    "n=1.5": ({"n_features_to_select": 1.5}, ValueError, r"a float in \(0, 1\).*Got 1.5 instead"),
    "n='x'": (
        {"n_features_to_select": "x"},
        ValueError,
        r"'n_features_to_select'.*Got 'x' instead",
    ),
    "n=None": ({"n_features_to_select": None}, TypeError, r"Got None instead"),
    "min=0": ({"min_features_to_select": 0}, ValueError, r"must be an int >= 1. Got 0 instead"),
    "verbose='no'": ({"verbose": "no"}, ValueError, r"'verbose'.*True or False. Got 'no'"),
    "embeddings": ({"embeddings": "some"}, ValueError, r"'whole' or 'dimensions'. Got 'some'"),
    "encoder": ({"encoder": "one-hot"}, ValueError, r"'auto', a transformer or None"),
    "own encoder": (
        {"encoder": StandardScaler(), "embeddings": "dimensions"},
        ValueError,
        r"can't be traced to dimensions. Got StandardScaler\(\) instead",
    ),
    "unknown kept": ({"always_keep": ["zz"]}, ValueError, r"names 'zz', which X does not have"),
    "kept no list": ({"always_keep": "x1"}, TypeError, r"must list columns"),
    "unknown group": ({"feature_groups": {"g": [99]}}, ValueError, r"names 99, which X does"),
    "overlap": ({"feature_groups": {"g": [0, 1], "h": [1]}}, ValueError, r"overlap: 'x1'"),
    "groups no dict": ({"feature_groups": [[0, 1]]}, TypeError, r"must be a dict of lists"),
    "empty group": ({"feature_groups": {"g": []}}, ValueError, r"'g'.*has no columns"),
    "too few": (
        {"n_features_to_select": 1, "always_keep": [0, 1]},
        ValueError,
        r"asks for 1, but min_features_to_select, always_keep .* hold 2",
    ),
}


@every_selector
@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=BAD_PARAMETERS.keys())
def test_a_parameter_that_cannot_be_used_is_refused(selector, case, numbers):
    X, y = numbers
    parameters, error, message = BAD_PARAMETERS[case]
    if not set(parameters) <= set(selector.get_params()):
        return  # it has no such parameter
    fresh = clone(selector).set_params(**parameters)
    before = set(vars(fresh))
    with pytest.raises(error, match=message):
        fresh.fit(X, y)
    assert set(vars(fresh)) == before


@every_selector
def test_a_failed_refit_leaves_the_old_fit(selector, numbers):
    X, y = numbers
    fitted = clone(selector).fit(X, y)
    before = fitted.transform(X)
    with pytest.raises(ValueError, match="infinite"):
        fitted.fit(np.full((10, 3), np.inf), np.arange(10) % 2)
    assert fitted.n_features_in_ == 8
    assert np.array_equal(fitted.transform(X), before)


def test_missing_values_without_an_encoder_are_refused(numbers):
    X, y = numbers
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    frame.loc[3, ["b", "g"]] = np.nan
    with pytest.raises(ValueError, match=r"missing values \(NaN\) in columns 'b', 'g'. Impute"):
        SVMRFE(encoder=None).fit(frame, y)


def test_words_without_an_encoder_are_refused():
    frame, y = mixed_frame()
    with pytest.raises(ValueError, match=r"'town', 'plan', 'since' are not. Pass encoder='auto'"):
        SVMRFE(encoder=None).fit(frame, y)


@mixed_selectors
def test_a_ragged_embedding_is_refused(selector):
    frame, y = mixed_frame()
    vectors = frame["vector"].tolist()
    vectors[5] = vectors[5][:2]
    frame["vector"] = pd.Series(vectors, index=frame.index, dtype=object)
    with pytest.raises(ValueError, match=r"'vector' must hold vectors of one length. Got.*2 to 4"):
        clone(selector).fit(frame, y)


@every_selector
def test_repeated_column_names_are_refused(selector, numbers):
    X, y = numbers
    frame = pd.DataFrame(X, columns=list("abcdefga"))
    with pytest.raises(ValueError, match=r"more than one column of the name 'a'"):
        clone(selector).fit(frame, y)


@every_selector
def test_other_libraries_tables_are_named_in_the_error(selector, numbers):
    X, y = numbers
    lazy = pl.DataFrame(X).lazy()
    with pytest.raises(TypeError, match=r"Got a polars LazyFrame instead. Convert it"):
        clone(selector).fit(lazy, y)


@mixed_selectors
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dimensions_of_an_embedding_can_go_alone(selector, library):
    frame, y = mixed_frame()
    frame = frame[["age", "vector"]].assign(noise=np.arange(90) % 5)
    if library == "polars":
        frame = pl.from_pandas(frame).with_columns(pl.col("vector").list.to_array(4))
    fitted = _fitted_to(clone(selector).set_params(embeddings="dimensions"), 3, frame, y)
    assert fitted.path_.names == ("age", *(f"vector[{i}]" for i in range(4)), "noise")
    mask = fitted.embedding_support_["vector"]
    out = fitted.transform(frame)
    assert 0 < mask.sum() < 4
    for before, after in zip(frame["vector"], out["vector"], strict=True):
        assert np.array_equal(np.asarray(before)[mask], np.asarray(after))
    plan = fitted.to_plan()
    shortened = plan.apply(frame)
    for one, other in zip(shortened["vector"], out["vector"], strict=True):
        assert np.array_equal(one, other)
