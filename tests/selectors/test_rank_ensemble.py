"""The ensemble: what members are told and say, how they are combined, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from featprune import SVMRFE, MRMRSelector, PCASelector, RedundancySelector, TreeSelector
from featprune.importance.aggregate import ranks_along
from featprune.progress import listening
from featprune.selectors import downstream
from featprune.selectors.rank_ensemble import RankEnsemble
from featprune.table.encode import TableEncoder

TREES = TreeSelector(XGBClassifier(n_estimators=5, max_depth=3), random_state=0)
FAST = [("svm", SVMRFE()), ("mrmr", MRMRSelector())]


def planted(n_rows=120, n_noise=9, seed=0):
    """Columns 0 to 2 matter, the rest is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3 + n_noise))
    y = 2 * X[:, 0] + 1.7 * X[:, 1] - 1.4 * X[:, 2] + 0.3 * rng.normal(size=n_rows) > 0
    return X, y.astype(int)


def mixed(n_rows=120, seed=0):
    """Numbers, words, categories and vectors, of which `plan` and `age` matter."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % 2
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=n_rows) + 2 * y,
            "town": pd.Categorical.from_codes(rng.integers(0, 3, n_rows), ["ox", "yak", "elk"]),
            "plan": pd.Series(np.where(rng.random(n_rows) < 0.1 + 0.8 * y, "gold", "tin")),
            "vector": list(rng.normal(size=(n_rows, 3))),
            "noise": rng.normal(size=n_rows),
        }
    )
    return frame, y


def test_the_default_members_find_what_matters():
    X, y = planted()
    fitted = RankEnsemble(
        aggregate="mean", weights=[2, 2, 0], n_features_to_select=3, random_state=0
    ).fit(X, y)
    assert fitted.support_[:3].all()
    assert fitted.rankings_.index.tolist() == ["svm", "trees", "pca"]
    assert fitted.rankings_.columns.tolist() == [f"x{i}" for i in range(12)]
    assert (fitted.rankings_.sum(axis=1) == 12 * 13 / 2).all()


def test_rankings_are_those_of_the_members_alone():
    X, y = planted()
    members = [*FAST, ("pca", PCASelector()), ("trees", TREES)]
    fitted = RankEnsemble(members, n_features_to_select=4, random_state=0).fit(X, y)
    for name, member in members:
        alone = clone(member)
        if name in ("svm", "trees"):
            alone.set_params(n_features_to_select=1)
        path = alone.fit(X, y).path_
        expected = ranks_along(path.order, path.criterion, 12)
        assert np.array_equal(fitted.rankings_.loc[name], expected)


def test_the_order_is_that_of_the_mean_ranks():
    X, y = planted()
    fitted = RankEnsemble(FAST, n_features_to_select=4).fit(X, y)
    means = fitted.rankings_.mean().to_numpy()
    order = sorted(range(12), key=lambda i: (-means[i], -i))
    assert fitted.path_.order.tolist() == order[:11]
    np.testing.assert_allclose(fitted.importances_, (12 - means) / 11, atol=1e-11)
    expected = stats.spearmanr(fitted.rankings_.T.to_numpy()).statistic
    assert fitted.agreement_.loc["svm", "mrmr"] == pytest.approx(expected)


def test_columns_in_no_split_share_a_rank():
    X, y = planted(n_rows=60, n_noise=30)
    booster = TreeSelector(XGBClassifier(n_estimators=2, max_depth=2), random_state=0)
    fitted = RankEnsemble([("trees", booster)], n_features_to_select=2).fit(X, y)
    alone = clone(booster).set_params(n_features_to_select=1).fit(X, y)
    unused = alone.importances_ == 0
    assert unused.sum() > 20
    assert fitted.rankings_.loc["trees"][unused].nunique() == 1


@pytest.mark.parametrize("aggregate", ["mean", "median", "borda", "rra"])
@pytest.mark.parametrize("n_bootstraps", [0, 2])
def test_results_do_not_depend_on_n_jobs(aggregate, n_bootstraps):
    X, y = planted(n_rows=60)
    ensemble = RankEnsemble(
        [("svm", SVMRFE()), ("forest", RandomForestClassifier(5))],
        aggregate=aggregate,
        n_bootstraps=n_bootstraps,
        n_features_to_select="best",
        cv=4,
        random_state=3,
    )
    one, two = (clone(ensemble).set_params(n_jobs=n).fit(X, y) for n in (1, 2))
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.path_.scores.tobytes() == two.path_.scores.tobytes()
    assert one.importances_.tobytes() == two.importances_.tobytes()
    pd.testing.assert_frame_equal(one.rankings_, two.rankings_, check_exact=True)


def test_another_seed_is_another_forest():
    X, y = planted(n_rows=60)
    members = [("forest", RandomForestClassifier(5))]
    rankings = [
        RankEnsemble(members, n_features_to_select=2, random_state=seed).fit(X, y).rankings_
        for seed in (0, 0, 1)
    ]
    assert rankings[0].equals(rankings[1])
    assert not rankings[0].equals(rankings[2])
    assert members[0][1].random_state is None


def plain_scores(members, X, y, folds, sizes):
    """Each fold ranks for itself, and a logistic regression is fitted on what is left."""
    scores = []
    for train, test in folds:
        ranked = RankEnsemble(members, n_features_to_select=1).fit(X[train], y[train])
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        row = []
        for size in sizes:
            kept = ranked.reselect(int(size)).support_
            model.fit(X[train][:, kept], y[train])
            row.append(accuracy_score(y[test], model.predict(X[test][:, kept])))
        scores.append(row)
    return np.array(scores)


def test_scores_are_those_of_the_model_in_each_fold():
    X, y = planted(n_noise=20)
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    fitted = RankEnsemble(FAST, cv=folds, n_features_to_select="best").fit(X, y)
    sizes = fitted.path_.sizes
    assert sizes.tolist() == [23, 19, 16, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    np.testing.assert_allclose(fitted.path_.scores, plain_scores(FAST, X, y, folds, sizes))
    assert fitted.cv_results_["n_features"].tolist() == sizes[::-1].tolist()
    expected = [(y[test] == np.bincount(y[train]).argmax()).mean() for train, test in folds]
    np.testing.assert_allclose(fitted.path_.baseline, expected)
    assert fitted.support_[:2].all()
    assert fitted.reselect("one_se").n_features_ <= fitted.reselect("best").n_features_


def test_selection_stays_inside_the_folds():
    # on all rows, ranking would make noise look like knowledge
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 300)), np.arange(50) % 2
    with pytest.warns(UserWarning, match=r"RankEnsemble found no size whose score is surely"):
        fitted = RankEnsemble([("svm", SVMRFE())], cv=5).fit(X, y)
    assert fitted.path_.mean_scores.mean() < 0.65


def test_wide_rows_are_turned_without_another_score():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 300))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = downstream.Downstream(None, regresses=False, scoring="neg_log_loss", seed=0)
    parts = model.prepare(
        downstream.Part(X[:40], y[:40], None), downstream.Part(X[40:], y[40:], None)
    )
    found = model.scores(*parts, [np.arange(300), np.arange(90), np.arange(0)], -9.0)
    for k, score in zip((300, 90), found, strict=False):
        plain = LogisticRegression(max_iter=2000, tol=1e-9).fit(parts[0].X[:, :k], y[:40])
        expected = np.log(plain.predict_proba(parts[1].X[:, :k])[np.arange(20), y[40:]]).mean()
        assert score == pytest.approx(expected, abs=2e-3)
    assert found[2] == -9.0


def test_a_target_of_numbers_is_taken():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = 3 * X[:, 1] + X[:, 4] + 0.1 * rng.normal(size=80)
    fitted = RankEnsemble(weights=[1, 1, 0], cv=3, random_state=0).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [1, 4]
    assert fitted.path_.mean_scores.max() > 0.9  # R2
    assert abs(fitted.path_.mean_baseline) < 0.2


def test_another_estimator_and_scoring():
    X, y = planted()
    neighbours = KNeighborsClassifier(3)
    fitted = RankEnsemble(FAST, estimator=neighbours, scoring="roc_auc", cv=3).fit(X, y)
    assert fitted.path_.mean_baseline == 0.5
    assert fitted.path_.mean_scores.max() > 0.9
    assert not hasattr(neighbours, "classes_")
    with pytest.raises(ValueError, match=r"KNeighborsClassifier, takes no sample_weight"):
        clone(fitted).fit(X, y, sample_weight=np.linspace(1, 2, 120))


def test_groups_of_rows_go_to_the_splitter():
    X, y = planted(n_rows=90)
    groups = np.arange(90) % 3
    fitted = RankEnsemble(FAST, cv=LeaveOneGroupOut()).fit(X, y, groups=groups)
    assert len(fitted.path_.scores) == 3


def test_folds_that_cannot_be_made_say_what_to_do():
    X, y = planted(n_rows=20)
    with pytest.raises(ValueError, match=r"can't be split into the folds of cv=KFold\(n_splits=40"):
        RankEnsemble(FAST, cv=KFold(40)).fit(X, y)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_bootstraps_give_intervals_of_ranks(kind):
    X, y = planted(n_noise=15)
    members = FAST
    if kind == "numbers":
        y = 2 * X[:, 0] + X[:, 1] + X[:, 2] + 0.1 * np.random.default_rng(0).normal(size=120)
        members = [("lasso", Lasso(0.01)), ("mrmr", MRMRSelector())]
    ensemble = RankEnsemble(members, n_bootstraps=10, n_features_to_select=3, random_state=0)
    fitted = ensemble.fit(X, y)
    low, high = fitted.rank_intervals_.T
    assert fitted.rank_intervals_.shape == (18, 2)
    assert (low <= high).all()
    assert (low >= 1).all()
    assert (high <= 18).all()
    assert high[:3].max() < np.median(low[3:])
    assert fitted.support_[:3].all()
    # over one fit on all rows and ten on samples of them, so that ranks are ranks again
    assert (fitted.rankings_.sum(axis=1) == 18 * 19 / 2).all()


def test_bootstraps_keep_rare_classes():
    X, y = planted(n_rows=60)
    y[:] = 0
    y[:3] = 1
    RankEnsemble(FAST, n_bootstraps=8, n_features_to_select=2, random_state=0).fit(X, y)


def test_p_values_are_there_with_rra_only():
    X, y = planted(n_rows=60, n_noise=40)
    fitted = RankEnsemble(FAST, aggregate="rra", n_features_to_select=3).fit(X, y)
    assert fitted.p_values_.shape == (43,)
    best = fitted.rankings_.max().to_numpy() / 43
    # of two rankings, rho is the chance of both below, or of one
    rho = np.minimum(best**2, 1 - (1 - fitted.rankings_.min().to_numpy() / 43) ** 2)
    np.testing.assert_allclose(fitted.p_values_, np.minimum(1, 2 * rho), rtol=1e-9)
    again = fitted.set_params(aggregate="mean").fit(X, y)
    with pytest.raises(AttributeError, match=r"p_values_ are there with aggregate='rra' only"):
        again.p_values_  # noqa: B018
    with pytest.raises(AttributeError, match=r"rank_intervals_ are there with n_bootstraps > 0"):
        again.rank_intervals_  # noqa: B018


SCIKIT_LEARN = {
    "RFE": RFE(LogisticRegression()),
    "SelectKBest": SelectKBest(k=2),
    "SelectFromModel": SelectFromModel(LinearSVC(C=0.1)),
    "forest": RandomForestClassifier(20, random_state=0),
    "Lasso": Lasso(0.01),
}


@pytest.mark.parametrize("member", SCIKIT_LEARN.values(), ids=SCIKIT_LEARN.keys())
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_members_of_scikit_learn_rank(member, container):
    X, y = planted()
    X = container(X)
    fitted = RankEnsemble([("one", member)], n_features_to_select=3).fit(X, y)
    assert fitted.support_[:3].all()
    if isinstance(member, RFE):  # which is followed to its end
        alone = clone(member).set_params(n_features_to_select=1).fit(X, y)
        assert np.array_equal(fitted.rankings_.loc["one"], alone.ranking_)


@pytest.mark.parametrize(
    "member",
    [
        SequentialFeatureSelector(LogisticRegression(), n_features_to_select=1, cv=2),
        VarianceThreshold(),
        DummyClassifier(),
    ],
    ids=lambda member: type(member).__name__,
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_member_without_a_ranking_is_refused(member, n_jobs):
    X, y = planted(n_rows=40, n_noise=2)
    ensemble = RankEnsemble([("odd", member)], n_features_to_select=2, n_jobs=n_jobs)
    with pytest.raises(ValueError, match=r"Member 'odd' of RankEnsemble, \w+, tells no ranking"):
        ensemble.fit(X, y)
    assert not hasattr(ensemble, "support_")


def test_a_constant_column_ranks_last_with_scores_that_are_no_numbers():
    X, y = planted()
    X[:, 5] = 1
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="constant"):
        fitted = RankEnsemble([("f", SelectKBest())], n_features_to_select=3).fit(X, y)
    assert fitted.rankings_.loc["f", "x5"] == 12


def test_mixed_tables_are_encoded_no_more_often_than_by_the_members(monkeypatch):
    frame, y = mixed()
    members = [("svm", SVMRFE()), ("trees", TREES), ("rfe", RFE(LogisticRegression()))]
    counts = []
    fit_transform = TableEncoder.fit_transform

    def counting(self, *arguments):
        if self.encoder == "auto":  # otherwise numbers are copied
            counts.append(1)
        return fit_transform(self, *arguments)

    monkeypatch.setattr(TableEncoder, "fit_transform", counting)
    RankEnsemble(members, cv=3, random_state=0).fit(frame, y)
    # one for trees, one for all others and the scores, on all rows and in each fold
    assert len(counts) == 2 * 4
    counts.clear()
    for _, member in members[:2]:
        clone(member).set_params(cv=3).fit(frame, y)
    assert len(counts) == 2 * 4


@pytest.mark.parametrize("embeddings", ["whole", "dimensions"])
def test_mixed_tables_are_ranked_alike_with_a_shared_encoding(embeddings):
    frame, y = mixed()
    members = [("svm", SVMRFE()), ("pca", PCASelector()), ("rfe", RFE(LogisticRegression()))]
    ensemble = RankEnsemble(members, n_features_to_select=2, embeddings=embeddings)
    fitted = ensemble.fit(frame, y)
    for name, member in members[:2]:
        alone = clone(member).set_params(n_features_to_select=1, embeddings=embeddings)
        path = alone.fit(frame, y).path_
        ranks = ranks_along(path.order, path.criterion, len(path.names))
        expected = alone._units.column_ranking(ranks)
        assert np.array_equal(fitted.rankings_.loc[name], expected)
    assert fitted.path_.names == alone.path_.names
    assert {"age", "plan"} & set(fitted.transform(frame).columns)


def test_members_share_groups_and_what_is_kept():
    X, y = planted()
    members = [*FAST, ("pca", PCASelector()), ("forest", RandomForestClassifier(5))]
    fitted = RankEnsemble(
        members,
        feature_groups={"g": [3, 4]},
        always_keep=[11],
        n_features_to_select=3,
        random_state=0,
    ).fit(X, y)
    assert fitted.support_[11]
    assert fitted.size_ == 3
    assert (fitted.rankings_["x3"] == fitted.rankings_["x4"]).all()
    assert (fitted.rankings_.loc[["svm", "mrmr"], "x11"] == 1).all()


def test_unsupervised_members_and_nested_ensembles():
    X, y = planted()
    inner = RankEnsemble(FAST)
    members = [("all", inner), ("redundancy", RedundancySelector())]
    fitted = RankEnsemble(members, n_features_to_select=3, weights=[5, 1]).fit(X, y)
    assert fitted.support_[:3].all()
    assert not hasattr(inner, "support_")


def test_a_weight_is_as_good_as_rows():
    X, y = planted(n_rows=60)
    weight = np.random.default_rng(0).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weight)
    one = RankEnsemble(FAST, n_features_to_select=3).fit(X, y, sample_weight=weight)
    other = RankEnsemble(FAST, n_features_to_select=3).fit(X[rows], y[rows])
    pd.testing.assert_frame_equal(one.rankings_, other.rankings_)
    with pytest.raises(ValueError, match=r"Member 'rfe' of RankEnsemble, RFE, takes no sample_we"):
        RankEnsemble([("rfe", RFE(Ridge()))], n_features_to_select=3).fit(X, y, weight)


def test_parameters_are_reached_by_name():
    ensemble = RankEnsemble([("svm", SVMRFE()), ("trees", TREES)])
    parameters = ensemble.get_params()
    assert parameters["svm"] is ensemble.selectors[0][1]
    assert parameters["trees__estimator__max_depth"] == 3
    assert "svm" not in ensemble.get_params(deep=False)
    ensemble.set_params(svm__step=3, svm__estimator=LinearSVC(), cv=2)
    assert ensemble.selectors[0][1].step == 3
    assert ensemble.cv == 2
    ensemble.set_params(svm=MRMRSelector(4), svm__scheme="difference")
    assert ensemble.selectors[0][1].get_params()["scheme"] == "difference"
    ensemble.set_params(selectors=[("p", PCASelector())], p__method="qr")
    assert ensemble.get_params()["p__method"] == "qr"
    with pytest.raises(ValueError, match=r"Invalid parameter 'svm'"):
        ensemble.set_params(svm__step=1)


def test_a_clone_has_members_of_its_own():
    ensemble = RankEnsemble([("svm", SVMRFE(step=2))])
    copy = clone(ensemble).set_params(svm__step=5)
    assert ensemble.selectors[0][1].step == 2
    assert copy.selectors[0][1].step == 5


def test_grid_search_reaches_members():
    X, y = planted()
    pipe = make_pipeline(RankEnsemble(FAST, n_features_to_select=3), LogisticRegression())
    grid = {"rankensemble__svm__step": [1, 0.5], "rankensemble__aggregate": ["mean", "rra"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9


def test_progress_counts_fits():
    X, y = planted(n_rows=60)
    told = []
    with listening(lambda task, done, total: told.append((task, done, total))):
        RankEnsemble(FAST, n_bootstraps=1, cv=2).fit(X, y)
    assert {task for task, _, _ in told} == {"RankEnsemble: fits"}
    assert told[-1][1] == told[-1][2] == 3 * 4 + 2 * 10
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_one_column(container):
    X, y = planted()
    fitted = RankEnsemble(FAST, cv=5).fit(container(X[:, :1]), y)
    assert fitted.support_.tolist() == [True]
    assert fitted.importances_.tolist() == [0.0]


class Unfit(BaseEstimator):
    """Has parameters and nothing else."""


BAD = {
    "no list": ({"selectors": SVMRFE()}, TypeError, r"must be a list of \(name, selector\)"),
    "empty": ({"selectors": []}, ValueError, r"must be a list of \(name, selector\) or None"),
    "no pairs": ({"selectors": [SVMRFE()]}, TypeError, r"the names being strings"),
    "name no string": ({"selectors": [(1, SVMRFE())]}, TypeError, r"the names being strings"),
    "twice": ({"selectors": [FAST[0], FAST[0]]}, ValueError, r"unique.*Got 'svm'. Rename"),
    "underscores": ({"selectors": [("a__b", SVMRFE())]}, ValueError, r"Got 'a__b'. Rename"),
    "a parameter": ({"selectors": [("cv", SVMRFE())]}, ValueError, r"Got 'cv'. Rename"),
    "a class": ({"selectors": [("svm", SVMRFE)]}, TypeError, r"Member 'svm' .* an instance"),
    "no fit": ({"selectors": [("un", Unfit())]}, TypeError, r"Member 'un' .* has fit"),
    "member's own": (
        {"selectors": [("svm", SVMRFE(step=0))]},
        ValueError,
        r"'step' parameter of SVMRFE must be",
    ),
    "member's groups": (
        {"selectors": [("svm", SVMRFE(feature_groups={"g": [0]}))]},
        ValueError,
        r"Member 'svm' of RankEnsemble has its own 'feature_groups'.*Pass feature_groups to Rank",
    ),
    "aggregate": ({"aggregate": "max"}, ValueError, r"'mean' or 'median' or 'borda' or 'rra'"),
    "bootstraps": ({"n_bootstraps": -1}, ValueError, r"'n_bootstraps'.*an int >= 0. Got -1"),
    "step": ({"step": 0}, ValueError, r"'step' parameter of RankEnsemble"),
    "estimator": ({"estimator": "svm"}, TypeError, r"'estimator' .* an estimator or None. Got"),
    "few weights": ({"weights": [1]}, ValueError, r"None or 2 numbers >= 0, one a member"),
    "bad weight": ({"weights": [1, -1]}, ValueError, r"'weights' .* Got \[1, -1\]"),
    "no weight": ({"weights": [0, 0]}, ValueError, r"not all 0"),
    "weights no list": ({"weights": 3}, TypeError, r"'weights' .* Got 3"),
    "weights of rra": (
        {"weights": [1, 2], "aggregate": "rra"},
        ValueError,
        r"'weights' parameter of RankEnsemble must be None with aggregate='rra'",
    ),
}


@pytest.mark.parametrize("case", BAD, ids=BAD.keys())
def test_what_cannot_be_used_is_refused(case):
    X, y = planted(n_rows=40)
    parameters, error, message = BAD[case]
    ensemble = RankEnsemble(FAST).set_params(**parameters)
    with pytest.raises(error, match=message):
        ensemble.fit(X, y)
    assert not hasattr(ensemble, "support_")
