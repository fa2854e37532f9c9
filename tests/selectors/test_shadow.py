"""The shadow selector: what it keeps, what it says of it, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from xgboost import XGBClassifier, XGBRFClassifier

from featprune.path import EliminationPath
from featprune.progress import listening
from featprune.selectors.shadow import ShadowSelector

SMALL = XGBClassifier(n_estimators=15, max_depth=4, max_bin=16, colsample_bynode=0.3)


def planted(n_rows=300, n_noise=6, seed=0):
    """Columns 0 to 2 matter, the rest is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3 + n_noise))
    y = 2 * X[:, 0] + 1.7 * X[:, 1] - 1.4 * X[:, 2] + 0.3 * rng.normal(size=n_rows) > 0
    return X, y.astype(int)


def small(**parameters):
    return ShadowSelector(**dict(estimator=SMALL, n_iter=30, random_state=0) | parameters)


@pytest.mark.parametrize(
    "selector",
    [
        ShadowSelector(n_iter=3),
        ShadowSelector(RandomForestClassifier(5), n_iter=2, tentative="keep"),
        ShadowSelector(ExtraTreesRegressor(5), n_iter=3, tentative="rough_fix"),
        ShadowSelector(LGBMClassifier(n_estimators=5), n_iter=2, importance="shap"),
    ],
    ids=["default", "forest", "regressor", "lightgbm"],
)
@pytest.mark.filterwarnings("ignore:.*passed the shadow test")
def test_passes_check_estimator(selector):
    results = check_estimator(selector, on_skip=None)
    failed = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert not failed
    assert skipped <= {"check_array_api_input"}


def test_finds_what_matters_and_says_so_of_each_column():
    X, y = planted()
    fitted = ShadowSelector(random_state=0).fit(X, y)
    assert fitted.confirmed_[:3].all()
    assert fitted.rejected_.sum() >= 5
    assert (fitted.confirmed_.astype(int) + fitted.tentative_ + fitted.rejected_ == 1).all()
    assert np.array_equal(fitted.support_, fitted.confirmed_)
    assert ((fitted.ranking_ == 1) == fitted.support_).all()
    assert fitted.transform(X).shape[1] == fitted.n_features_ == fitted.confirmed_.sum()
    history, left = fitted.history_, ~np.isnan(fitted.history_)
    assert history.shape == (fitted.n_iter_, 9)
    assert fitted.shadow_history_.shape == (fitted.n_iter_,)
    assert np.array_equal(fitted.hits_, (history > fitted.shadow_history_[:, None]).sum(axis=0))
    np.testing.assert_allclose(fitted.importances_, np.nanmean(history, axis=0), rtol=1e-12)
    assert left[:, fitted.confirmed_].all()
    assert (np.diff(left.astype(int), axis=0) <= 0).all()  # what has left doesn't come back


def test_the_path_goes_from_rejected_to_confirmed():
    X, y = planted(n_noise=10)
    X[:, 5] += 0.35 * X[:, 0]
    fitted = small(n_iter=16).fit(X, y)
    path = fitted.path_
    assert path.sizes[0] == 13
    assert path.sizes[-1] == 1
    assert not path.has_scores
    kind = np.where(fitted.rejected_, 0, np.where(fitted.tentative_, 1, 2))
    assert (np.diff(kind[path.order]) >= 0).all()
    rounds = (~np.isnan(fitted.history_)).sum(axis=0)
    gone = path.order[kind[path.order] == 0]
    assert (np.diff(rounds[gone]) >= 0).all()
    assert np.array_equal(path.criterion, (fitted.hits_ / rounds)[path.order])
    if fitted.tentative_.any():
        assert (fitted.ranking_[fitted.tentative_] == 2).all()
        assert (fitted.ranking_[fitted.rejected_] > 2).all()


def test_reselect_and_plan_follow_the_path(tmp_path):
    X, y = planted()
    frame = pd.DataFrame(X, columns=list("abcdefghi"))
    fitted = small().fit(frame, y)
    n_confirmed = int(fitted.confirmed_.sum())
    for k in (1, 2, n_confirmed, 7, 9):
        assert fitted.reselect(k).n_features_ == k
        assert (fitted.support_ <= fitted.confirmed_).all() or k > n_confirmed
    with pytest.raises(ValueError, match=r"an int >= 1 or a float in \(0, 1\). Got 'best'"):
        fitted.reselect("best")
    plan = fitted.reselect(n_confirmed).to_plan()
    assert plan.kept_names == list(frame.columns[fitted.confirmed_])
    assert plan.apply(frame).equals(fitted.transform(frame))
    fitted.path_.save(tmp_path / "path.json")
    assert np.array_equal(EliminationPath.load(tmp_path / "path.json").order, fitted.path_.order)


def test_nothing_confirmed_keeps_the_best_and_says_so():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(100, 8)), np.arange(100) % 2
    with pytest.warns(UserWarning, match=r"Nothing passed the shadow test: of 8, \d are tentative"):
        fitted = small(n_iter=10, alpha=1e-6, min_features_to_select=2).fit(X, y)
    assert not fitted.confirmed_.any()
    assert fitted.n_features_ == 2
    by_hits = np.lexsort((fitted.importances_, fitted.hits_))
    assert set(np.flatnonzero(fitted.support_)) == set(by_hits[-2:])
    assert ((fitted.ranking_ == 1) == fitted.support_).all()


def test_fewer_than_the_least_are_filled_up_with_a_warning():
    X, y = planted()
    with pytest.warns(
        UserWarning, match=r"No more than \d passed.*min_features_to_select=6, 6 are"
    ):
        fitted = small(min_features_to_select=6).fit(X, y)
    assert fitted.n_features_ == 6
    assert (fitted.confirmed_ <= fitted.support_).all()
    with pytest.warns(UserWarning, match="min_features_to_select=99, 9 are kept"):
        assert small(min_features_to_select=99).fit(X, y).support_.all()


def test_one_and_all_columns_confirmed():
    X, y = planted()
    one = small().fit(X[:, [0, 4, 5, 6, 7]], (X[:, 0] > 0).astype(int))
    assert one.confirmed_.tolist() == [True, False, False, False, False]
    every = small().fit(X[:, :3], y)
    assert every.confirmed_.all()
    assert np.array_equal(every.transform(X[:, :3]), X[:, :3])
    alone = small().fit(X[:, :1], (X[:, 0] > 0).astype(int))
    assert alone.confirmed_.tolist() == [True]


def test_constant_columns_go_and_a_good_one_beside_them_stays():
    X, y = planted()
    X[:, 3:] = 7.0
    fitted = small().fit(X, y)
    assert fitted.confirmed_.tolist() == [True] * 3 + [False] * 6
    assert fitted.rejected_[3:].all()
    assert (fitted.importances_[3:] == 0).all()


def test_copies_of_a_good_column_are_all_kept():
    X, y = planted()
    fitted = small().fit(np.column_stack([X, X[:, 0], X[:, 0]]), y)
    assert fitted.confirmed_[[0, 9, 10]].all()


def test_in_wide_noise_some_columns_pass_as_the_docs_say():
    rng = np.random.default_rng(1)
    fitted = small().fit(rng.normal(size=(40, 300)), np.arange(40) % 2)
    assert 1 <= fitted.confirmed_.sum() <= 10  # related on these rows, whatever alpha says


def test_columns_of_a_group_stand_together_or_not_at_all():
    X, y = planted()
    # what matters is told by neither of two columns, but by both
    rng = np.random.default_rng(1)
    mask = rng.normal(size=300) * 5
    X = np.column_stack([X, X[:, 0] + mask, mask])
    fitted = small(feature_groups={"g": [3, 0], "n": [4, 5, 6]}).fit(X, y)
    assert fitted.confirmed_[[0, 3]].all()
    assert fitted.hits_[0] == fitted.hits_[3]
    assert not fitted.confirmed_[[4, 5, 6]].any()
    assert len(set(fitted.ranking_[[4, 5, 6]])) == 1
    assert fitted.path_.names[:2] == ("g", "x1")
    assert (fitted.history_[:, 0] > fitted.history_[:, 3]).all()


def test_columns_to_keep_count_as_confirmed():
    X, y = planted()
    fitted = small(always_keep=[5]).fit(X, y)
    assert fitted.confirmed_[5]
    assert fitted.support_[5]
    assert not np.isnan(fitted.history_[:, 5]).any()
    assert fitted.reselect(1).support_.nonzero()[0].tolist() == [5]
    every = small(always_keep=range(9)).fit(X, y)
    assert every.n_iter_ == 1
    assert every.support_.all()


def mixed_frame():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 250)
    age = rng.normal(size=250) + 1.5 * y
    age[::7] = np.nan
    told = np.where(rng.random(250) < 0.85, y, 1 - y)
    return {
        "age": age,
        "plan": [None if i % 11 == 0 else ["tin", "gold"][k] for i, k in enumerate(told)],
        "town": [["ox", "yak", "elk"][k] for k in rng.integers(0, 3, 250)],
        "key": [f"id{k}" for k in rng.permutation(250) // 2],
        "noise": rng.normal(size=250),
        "gap": np.where(rng.random(250) < 0.3, np.nan, 1.0),
    }, y


@pytest.mark.parametrize("estimator", [SMALL, RandomForestClassifier(15, max_depth=5)], ids=type)
def test_categories_words_and_gaps_are_tested_as_they_are(estimator, frame_library):
    data, y = mixed_frame()
    frame = frame_library(pd.DataFrame(data))
    # words of many levels become many features for scikit-learn's trees, with a large shadow
    fitted = small(estimator=estimator).fit(frame, y)
    confirmed = set(np.array(list(data))[fitted.confirmed_])
    assert confirmed == ({"age", "plan"} if estimator is SMALL else {"plan"})
    out = fitted.transform(frame)
    assert type(out) is type(frame)
    assert out.equals(frame[[name for name in data if name in confirmed]])


def test_columns_of_many_values_gain_nothing_by_that():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    X = np.column_stack(
        [np.where(rng.random(300) < 0.8, y, 1 - y), *rng.permuted([np.arange(300)] * 3, axis=1)]
    )
    forest = RandomForestClassifier(30, random_state=0).fit(X, y)
    assert (forest.feature_importances_[1:] > 0.15).all()  # impurity alone is fooled
    fitted = small(estimator=RandomForestClassifier(30, max_depth=4)).fit(X, y)
    assert fitted.confirmed_.tolist() == [True, False, False, False]


def test_dimensions_of_an_embedding_are_tested_one_by_one():
    X, y = planted()
    frame = pd.DataFrame({"vector": list(X[:, [0, 4, 1, 5]]), "noise": X[:, 6]})
    fitted = small(embeddings="dimensions").fit(frame, y)
    assert fitted.embedding_support_["vector"].tolist() == [True, False, True, False]
    assert fitted.confirmed_.tolist() == [True, False]
    assert fitted.rejected_.tolist() == [False, True]
    assert fitted.history_.shape == (fitted.n_iter_, 2)
    whole = small().fit(frame, y)
    assert whole.confirmed_.tolist() == [True, False]
    assert np.array_equal(np.stack(whole.transform(frame)["vector"]), X[:, [0, 4, 1, 5]])


def test_a_lower_percentile_gives_more_hits():
    X, y = planted(n_noise=12)
    strict = small(n_iter=8, alpha=1e-6, tentative="keep").fit(X, y)
    lax = small(n_iter=8, alpha=1e-6, tentative="keep", percentile=50).fit(X, y)
    assert (lax.shadow_history_ < strict.shadow_history_).all()
    assert lax.hits_.sum() > strict.hits_.sum()
    assert (lax.hits_ >= strict.hits_).all()


def test_tentative_columns_are_dropped_kept_or_decided_about():
    X, y = planted()
    options = dict(n_iter=6, always_keep=[8])  # too few rounds to decide
    drop = small(**options).fit(X, y)
    assert drop.tentative_.tolist() == [True] * 8 + [False]
    assert np.array_equal(drop.support_, drop.confirmed_)
    assert set(drop.ranking_[:8]) == {2}
    keep = small(tentative="keep", **options).fit(X, y)
    assert keep.support_.all()
    assert np.array_equal(keep.tentative_, drop.tentative_)
    fix = small(tentative="rough_fix", percentile=100, **options).fit(X, y)
    assert not fix.tentative_.any()
    passes = np.median(fix.history_, axis=0) > np.median(fix.shadow_history_)
    passes[8] = True
    assert np.array_equal(fix.confirmed_, passes)
    assert np.array_equal(fix.support_, passes)


TARGETS = {
    "words": (None, lambda y, X: np.array(["no", "yes"])[y]),
    "three classes": (None, lambda y, X: np.digitize(X[:, :3].sum(axis=1), [-1, 1])),
    "numbers": (None, lambda y, X: X[:, :3].sum(axis=1)),
    "two outputs": (
        RandomForestRegressor(20, max_depth=6),
        lambda y, X: np.column_stack([X[:, 0] + X[:, 1], X[:, 1] - 2 * X[:, 2]]),
    ),
}


@pytest.mark.parametrize("target", TARGETS, ids=TARGETS.keys())
def test_classes_and_numbers_are_taken(target):
    estimator, make = TARGETS[target]
    X, y = planted()
    fitted = small(estimator=estimator).fit(X, make(y, X))
    assert fitted.confirmed_[:3].all()
    assert fitted.confirmed_[3:].sum() <= 1
    assert fitted.rejected_[3:].sum() >= 4


@pytest.mark.parametrize(
    ("estimator", "importance"),
    [(XGBRFClassifier(n_estimators=20), "gain"), (SMALL, "shap"), (SMALL, "total_gain")],
    ids=["forest of xgboost", "shap", "total gain"],
)
def test_importances_that_can_be_asked_for(estimator, importance):
    X, y = planted()
    fitted = small(estimator=estimator, importance=importance, n_iter=12).fit(X, y)
    assert fitted.confirmed_[:2].all()
    auto = small(n_iter=12).fit(X, y)
    if importance == "total_gain":
        assert np.array_equal(auto.history_, fitted.history_, equal_nan=True)


def test_sparse_is_as_dense_for_xgboost_and_stays_sparse():
    X, y = planted()
    X = np.where(np.abs(X) < 0.3, 0, X)
    dense = small().fit(X, y)
    fitted = small().fit(sparse.csr_array(X), y)
    assert np.array_equal(fitted.history_, dense.history_, equal_nan=True)
    assert sparse.issparse(fitted.transform(sparse.csr_array(X)))
    forest = small(estimator=RandomForestClassifier(25, max_depth=5)).fit(sparse.csc_matrix(X), y)
    assert forest.confirmed_[:3].all()


def test_rows_of_weight_zero_are_as_good_as_absent():
    X, y = planted()
    weight = np.r_[np.ones(250), np.zeros(50)]
    weighted = small(n_iter=10).fit(X, y, sample_weight=weight)
    absent = small(n_iter=10).fit(X[:250], y[:250], sample_weight=np.ones(250))
    assert np.array_equal(weighted.history_, absent.history_, equal_nan=True)
    with sklearn.config_context(enable_metadata_routing=True):
        step = small(n_iter=10).set_fit_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, model).fit(X, y, sample_weight=weight)
    assert np.array_equal(pipe[0].history_, weighted.history_, equal_nan=True)


def test_the_order_of_rows_does_not_matter_and_weights_count_rows():
    X, y = planted(80)
    weight = np.random.default_rng(0).integers(0, 4, 80)
    weighted = small(n_iter=10).fit(X, y, sample_weight=weight)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(80), weight))
    repeated = small(n_iter=10).fit(X[rows], y[rows])
    assert np.array_equal(weighted.history_, repeated.history_, equal_nan=True)


def test_results_do_not_depend_on_n_jobs():
    data, y = mixed_frame()
    frame = pd.DataFrame(data)
    one, two = small(n_jobs=1).fit(frame, y), small(n_jobs=2).fit(frame, y)
    assert one.history_.tobytes() == two.history_.tobytes()
    assert one.importances_.tobytes() == two.importances_.tobytes()
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.shadow_history_.tobytes() == two.shadow_history_.tobytes()


def test_clone_pickle_refit_and_search():
    X, y = planted()
    before = X.copy()
    selector = small(n_iter=12)
    fitted = clone(selector).fit(X, y)
    assert np.array_equal(X, before)
    assert SMALL.random_state is None
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.transform(X), fitted.transform(X))
    assert np.array_equal(copy.reselect(2).support_, fitted.reselect(2).support_)
    assert repr(clone(fitted)) == repr(selector)
    with pytest.raises(ValueError, match="infinite"):
        fitted.fit(np.full((10, 3), np.inf), np.arange(10) % 2)
    assert fitted.n_features_in_ == 9
    assert np.array_equal(fitted.history_, copy.history_, equal_nan=True)
    pipe = make_pipeline(selector, LogisticRegression())
    search = GridSearchCV(pipe, {"shadowselector__percentile": [80, 100]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_time_limit_uses_the_rounds_so_far():
    X, y = planted()
    with pytest.warns(UserWarning, match="ran out of time|Nothing passed") as caught:
        fitted = small(time_limit=1e-9).fit(X, y)
    messages = [str(one.message) for one in caught]
    assert "ran out of time_limit=1e-09 seconds after 1 of n_iter=30 rounds, with 9" in messages[0]
    assert "Nothing passed" in messages[1]
    assert {one.filename for one in caught} == {__file__}
    assert fitted.n_iter_ == 1
    assert fitted.n_features_ == 1
    assert small(time_limit=1000).fit(X, y).n_iter_ > 1


def test_progress_is_told():
    X, y = planted()
    told = []
    with listening(lambda *now: told.append(now)):
        fitted = small().fit(X, y)
    assert told[0] == ("ShadowSelector: rounds", 1, 30)
    assert told[-1] == ("ShadowSelector: rounds", 30, 30)
    assert len(told) == fitted.n_iter_


BAD_PARAMETERS = {
    "n_iter=0": ({"n_iter": 0}, ValueError, r"'n_iter'.* must be an int >= 1. Got 0 instead"),
    "n_iter=2.5": ({"n_iter": 2.5}, ValueError, r"'n_iter'.*Got 2.5"),
    "percentile=0": ({"percentile": 0}, ValueError, r"a number in \(0, 100\]. Got 0 instead"),
    "percentile=101": ({"percentile": 101}, ValueError, r"'percentile'.*Got 101 instead"),
    "percentile=None": ({"percentile": None}, TypeError, r"'percentile'.*Got None instead"),
    "alpha=0": ({"alpha": 0}, ValueError, r"'alpha'.* a number in \(0, 1\). Got 0 instead"),
    "alpha=1": ({"alpha": 1.0}, ValueError, r"'alpha'.*Got 1.0 instead"),
    "alpha=nan": ({"alpha": np.nan}, ValueError, r"'alpha'.*Got nan instead"),
    "alpha=True": ({"alpha": True}, TypeError, r"'alpha'.*Got True instead"),
    "two_step": ({"two_step": 1}, ValueError, r"'two_step'.* True or False. Got 1"),
    "tentative": ({"tentative": "fix"}, ValueError, r"'drop' or 'keep' or 'rough_fix'. Got 'fix'"),
    "time_limit": ({"time_limit": 0}, ValueError, r"'time_limit'.* number > 0"),
    "min=0": ({"min_features_to_select": 0}, ValueError, r"'min_features_to_select'.*Got 0"),
    "encoder": ({"encoder": "one-hot"}, ValueError, r"'auto', a transformer or None"),
    "no trees": (
        {"estimator": LogisticRegression()},
        TypeError,
        r"'estimator' parameter of ShadowSelector must be a tree ensemble.*Got LogisticRegression",
    ),
    "a class": ({"estimator": XGBClassifier}, TypeError, r"must be a tree ensemble"),
    "no importances": (
        {"estimator": HistGradientBoostingClassifier()},
        ValueError,
        r"must tell what its columns are worth, and HistGradientBoostingClassifier does not. Pass",
    ),
    "permutation": (
        {"importance": "permutation"},
        ValueError,
        r"'auto' or, for XGBClassifier, one of 'total_gain', 'gain', 'shap'. Got 'permutation'",
    ),
    "impurity": ({"estimator": None, "importance": "impurity"}, ValueError, r"Got 'impurity'"),
    "gain": (
        {"estimator": RandomForestClassifier(), "importance": "gain"},
        ValueError,
        r"for RandomForestClassifier, one of 'impurity', 'shap'. Got 'gain'",
    ),
    "importance=3": ({"importance": 3}, ValueError, r"Got 3 instead"),
    "early stopping": (
        {"estimator": XGBClassifier(early_stopping_rounds=5)},
        ValueError,
        r"fits on all rows, and XGBClassifier needs others.*early_stopping_rounds=None",
    ),
    "unknown kept": ({"always_keep": ["zz"]}, ValueError, r"names 'zz', which X does not have"),
    "overlap": ({"feature_groups": {"g": [0, 1], "h": [1]}}, ValueError, r"overlap: 'x1'"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=BAD_PARAMETERS.keys())
def test_a_parameter_that_cannot_be_used_is_refused(case):
    parameters, error, message = BAD_PARAMETERS[case]
    X, y = planted()
    fresh = small().set_params(**parameters)
    before = set(vars(fresh))
    with pytest.raises(error, match=message):
        fresh.fit(X, y)
    assert set(vars(fresh)) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, np.zeros_like(y)), r"y has one class, 0"),
        (lambda X, y: (X, None), r"requires y to be passed"),
        (lambda X, y: (X, y[:-1]), r"inconsistent numbers of samples"),
        (lambda X, y: (np.ones_like(X), y), r"Every column of X has one and the same value"),
        (lambda X, y: (X[:1], y[:1]), r"1 sample"),
    ],
    ids=["one class", "no target", "another length", "constant", "one row"],
)
def test_data_that_cannot_be_used_is_refused(change, message):
    fresh = small()
    with pytest.raises(ValueError, match=message):
        fresh.fit(*change(*planted()))
    assert not hasattr(fresh, "support_")


def test_on_madelon_the_default_finds_what_is_relevant(data_folder):
    data = np.load(data_folder / "classics" / "madelon.npz")
    X, y = data["X"][:2000], data["y"][:2000]
    # the five that make the classes, and fifteen mixtures of them (NIPS 2003 challenge)
    relevant = [28, 48, 64, 105, 128, 153, 241, 281, 318, 336, 338, 378, 433, 442, 451, 453]
    relevant += [455, 472, 475, 493]
    fitted = ShadowSelector(n_iter=12, random_state=0).fit(X, y)
    assert fitted.confirmed_[relevant].sum() >= 18
    assert fitted.confirmed_.sum() <= 21


def test_a_category_of_many_levels_does_not_hide_the_others():
    """Its shadow can be split by the target as well as itself, if levels are put into two sets."""
    rng = np.random.default_rng(0)
    n = 800
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=n) + 0.5 * y,
            "plan": pd.Categorical(np.where(rng.random(n) < 0.3 + 0.4 * y, "gold", "tin")),
            "state": pd.Categorical([f"s{k}" for k in rng.integers(0, 50, n)]),
            "noise": rng.normal(size=n),
        }
    )
    selector = ShadowSelector(n_iter=30, random_state=0).fit(frame, y)
    assert list(frame.columns[selector.confirmed_]) == ["age", "plan"]
