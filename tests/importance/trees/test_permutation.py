"""Losses by permuting, against the model's own predictions of the same permuted rows."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import check_scoring, get_scorer, roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from featprune.importance.trees import permutation
from featprune.importance.trees.answers import Answers, AnswersOfClasses
from featprune.importance.trees.family import family_of
from featprune.importance.trees.flat import flatten
from featprune.importance.trees.model import Rows, Trees, as_taken
from featprune.importance.trees.permutation import losses, of_permutations

N, K, N_LEVELS = 300, 8, 40


def table(classes, *, missing=False, categories=False):
    """Rows of a few useful features, and their target: classes, or numbers if there are none."""
    n_classes = classes or 2
    X, y = make_classification(
        N, K, n_informative=5, n_redundant=0, n_classes=n_classes, flip_y=0.1, random_state=0
    )
    rng = np.random.default_rng(0)
    if not classes:
        y = X[:, 0] + X[:, 1] * X[:, 2] + rng.standard_normal(N)
    levels = np.zeros(K, dtype=int)
    if categories:
        levels[[0, 2]] = N_LEVELS
        X[:, levels > 0] = rng.integers(N_LEVELS, size=(N, 2))
        y = (y + X[:, 0] % 3) if not classes else (y + X[:, 0].astype(int) % 3) % n_classes
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X, np.array(["no", "yes", "perhaps", "never"])[y] if classes else y, levels


def fitted_on(estimator, X, y, levels):
    family = family_of(estimator, "T")
    rows = Rows(as_taken(X, family), y, None)
    return Trees(estimator, family, levels, seed=0).fit(rows, np.arange(K)), rows


def draw(one, n_repeats=3):
    rng = np.random.default_rng([7, one])
    return np.stack([rng.permutation(N) for _ in range(n_repeats)])


def oracle(fitted, rows, unit, scorer):
    """One prediction a unit and repeat."""
    model, lost = fitted.as_estimator(), np.zeros(K)
    options = {} if rows.weight is None else {"sample_weight": rows.weight}
    score = scorer(model, rows.X, rows.y, **options)
    for one in np.unique(unit):
        scores = []
        for mixing in draw(one):
            X = rows.X.copy()
            X[:, unit == one] = X[mixing][:, unit == one]
            scores.append(scorer(model, X, rows.y, **options))
        lost[unit == one] = (score - np.mean(scores)) / (unit == one).sum()
    return lost


def area(model, X, y):
    """The area under the curve, with ties where only rounding breaks them."""
    return roc_auc_score(y, np.round(model.predict_proba(X)[:, 1], 6))


FEW = dict(n_estimators=12, random_state=0)
FLAT = {
    "forest": (RandomForestClassifier(**FEW), 2, {}),
    "forest, 4 classes": (RandomForestClassifier(min_samples_leaf=5, **FEW), 4, {}),
    "forest, missing values": (RandomForestClassifier(**FEW), 2, {"missing": True}),
    "forest, numbers": (RandomForestRegressor(**FEW), 0, {"missing": True}),
    "extra trees": (ExtraTreesClassifier(min_samples_leaf=3, **FEW), 2, {"missing": True}),
    "tree": (DecisionTreeClassifier(random_state=0), 4, {}),
    "tree, best leaves first": (DecisionTreeClassifier(max_leaf_nodes=9, random_state=0), 2, {}),
    "tree, numbers": (DecisionTreeRegressor(random_state=0), 0, {"missing": True}),
    "boosting": (GradientBoostingClassifier(**FEW), 2, {}),
    "boosting, 4 classes": (GradientBoostingClassifier(**FEW), 4, {}),
    "boosting, numbers": (GradientBoostingRegressor(loss="huber", **FEW), 0, {}),
    "xgboost": (XGBClassifier(**FEW), 2, {}),
    "xgboost, missing values": (XGBClassifier(**FEW), 2, {"missing": True}),
    "xgboost, 4 classes": (XGBClassifier(**FEW), 4, {"missing": True}),
    "xgboost, several trees a round": (XGBClassifier(num_parallel_tree=3, **FEW), 4, {}),
    "xgboost, categories": (
        XGBClassifier(max_cat_to_onehot=1, **FEW),
        4,
        {"categories": True, "missing": True},
    ),
    "xgboost, one category against the others": (
        XGBClassifier(max_cat_to_onehot=99, **FEW),
        2,
        {"categories": True},
    ),
    "xgboost, pruned": (XGBClassifier(tree_method="exact", gamma=1.0, **FEW), 2, {}),
    "xgboost, numbers": (XGBRegressor(**FEW), 0, {"missing": True}),
    "lightgbm": (LGBMClassifier(**FEW), 2, {"missing": True}),
    "lightgbm, 4 classes": (LGBMClassifier(**FEW), 4, {}),
    "lightgbm, categories": (
        LGBMClassifier(min_data_per_group=5, cat_smooth=1.0, **FEW),
        2,
        {"categories": True, "missing": True},
    ),
    "lightgbm, numbers": (LGBMRegressor(**FEW), 0, {}),
}


@pytest.mark.parametrize(("estimator", "classes", "kind"), FLAT.values(), ids=FLAT.keys())
def test_flat_trees_lose_what_the_model_loses(estimator, classes, kind):
    X, y, levels = table(classes, **kind)
    fitted, rows = fitted_on(estimator, X, y, levels)
    unit = np.array([0, 1, 2, 2, 3, 4, 4, 5])
    assert permutation._diverted(fitted, rows.X, unit) is not None
    own = check_scoring(fitted.model)
    scorers = [own, get_scorer("neg_log_loss")] if classes else [own]
    for scorer in scorers + [area] * (classes == 2):
        expected = oracle(fitted, rows, unit, scorer)
        assert np.abs(expected).max() > 0.01
        atol = 1e-11 if scorer is own and classes else 1e-6
        np.testing.assert_allclose(losses(fitted, rows, unit, scorer, draw), expected, atol=atol)


def test_rows_count_by_their_weights():
    X, y, levels = table(2)
    fitted, rows = fitted_on(RandomForestClassifier(**FEW), X, y, levels)
    rows = rows._replace(weight=np.random.default_rng(0).random(N))
    scorer = check_scoring(fitted.model)
    found = losses(fitted, rows, np.arange(K), scorer, draw)
    np.testing.assert_allclose(found, oracle(fitted, rows, np.arange(K), scorer), atol=1e-11)


def test_a_booster_that_stopped_early_is_asked_up_to_its_best_round():
    X, y, levels = table(2)
    estimator = XGBClassifier(n_estimators=200, early_stopping_rounds=3, learning_rate=1.0)
    trees = Trees(estimator, family_of(estimator, "T"), levels, seed=0)
    rows = Rows(X.astype(np.float32), y, None)
    fitted = trees.fit(rows.take(np.arange(200)), np.arange(K), rows.take(np.arange(200, N)))
    assert len(flatten(fitted).column) == fitted.n_rounds() < 200
    scorer = check_scoring(fitted.model)
    found = losses(fitted, rows, np.arange(K), scorer, draw)
    np.testing.assert_allclose(found, oracle(fitted, rows, np.arange(K), scorer), atol=1e-11)


def test_lightgbm_that_stopped_early_is_asked_up_to_its_best_round():
    X, y, levels = table(2)
    estimator = LGBMClassifier(n_estimators=200, early_stopping_round=3, learning_rate=1.0)
    trees = Trees(estimator, family_of(estimator, "T"), levels, seed=0)
    rows = Rows(X, y, None)
    fitted = trees.fit(rows.take(np.arange(200)), np.arange(K), rows.take(np.arange(200, N)))
    assert len(flatten(fitted).column) == fitted.model.best_iteration_ < 200
    assert permutation._diverted(fitted, rows.X, np.arange(K)) is not None


def by_rows(model, X, y):
    """A score that looks at the rows, and asks about some of them."""
    return np.mean(model.predict(X[::2]) == y[::2]) + (X[:, 0] * (y == "no")).mean()


def test_a_scorer_that_looks_at_the_rows_sees_them_permuted():
    X, y, levels = table(2)
    fitted, rows = fitted_on(RandomForestClassifier(**FEW), X, y, levels)
    found = losses(fitted, rows, np.arange(K), by_rows, draw)
    np.testing.assert_allclose(found, oracle(fitted, rows, np.arange(K), by_rows), atol=1e-11)


PLAIN = {
    "histogram": HistGradientBoostingClassifier(max_iter=5),
    "dart": XGBClassifier(booster="dart", **FEW),
    "other loss": GradientBoostingClassifier(loss="exponential", **FEW),
    "average": LGBMClassifier(
        boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, colsample_bytree=0.5, **FEW
    ),
}


@pytest.mark.parametrize("estimator", PLAIN.values(), ids=PLAIN.keys())
def test_models_that_cannot_be_flattened_are_asked_themselves(estimator):
    X, y, levels = table(2)
    fitted, rows = fitted_on(estimator, X, y, levels)
    assert permutation._diverted(fitted, rows.X, np.arange(K)) is None
    scorer = check_scoring(fitted.model)
    found = losses(fitted, rows, np.arange(K), scorer, draw)
    np.testing.assert_allclose(found, oracle(fitted, rows, np.arange(K), scorer), atol=1e-11)


def test_several_targets_are_asked_of_the_model():
    X, y, levels = table(0)
    y = np.stack([y, -y], axis=1)
    fitted, rows = fitted_on(RandomForestRegressor(**FEW), X, y, levels)
    assert flatten(fitted) is None
    scorer = check_scoring(fitted.model)
    found = losses(fitted, rows, np.arange(K), scorer, draw)
    np.testing.assert_allclose(found, oracle(fitted, rows, np.arange(K), scorer), atol=1e-11)


def test_sparse_rows_lose_what_dense_ones_lose():
    X, y, levels = table(2)
    fitted, rows = fitted_on(RandomForestClassifier(**FEW), X * (X > 0), y, levels)
    scorer = check_scoring(fitted.model)
    options = dict(n_repeats=3, seed=0)
    dense = of_permutations(fitted, rows, np.arange(K), scorer, **options)
    rows = rows._replace(X=sparse.csr_matrix(rows.X))
    some = of_permutations(fitted, rows, np.arange(K), scorer, **options)
    np.testing.assert_array_equal(some, dense)


def test_trees_that_say_something_else_than_the_model_are_not_used(monkeypatch):
    X, y, levels = table(2)
    fitted, rows = fitted_on(XGBClassifier(**FEW), X, y, levels)
    flat = flatten(fitted)
    other = flat._replace(missing_left=~flat.missing_left, threshold=flat.threshold + 0.01)
    monkeypatch.setattr(permutation, "flatten", lambda fitted: other)
    assert permutation._diverted(fitted, rows.X, np.arange(K)) is None
    # nor those that another version of the library writes in another way
    monkeypatch.setattr(permutation, "flatten", lambda fitted: {}["trees"])
    assert permutation._diverted(fitted, rows.X, np.arange(K)) is None


def test_a_unit_draws_from_its_own_stream_whatever_others_there_are():
    X, y, levels = table(2)
    fitted, rows = fitted_on(RandomForestClassifier(**FEW), X, y, levels)
    scorer = check_scoring(fitted.model)
    options = dict(n_repeats=2, seed=0)
    alone = of_permutations(fitted, rows, np.arange(K), scorer, **options)
    grouped = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    together = of_permutations(fitted, rows, grouped, scorer, **options)
    np.testing.assert_array_equal(alone[:6], together[:6])
    assert together[6] == together[7]


def test_answers_about_other_rows_come_from_the_model():
    X, y, levels = table(2)
    fitted, rows = fitted_on(RandomForestClassifier(**FEW), X, y, levels)
    model = fitted.as_estimator()
    asked = AnswersOfClasses(model, flatten(fitted), rows.X, 0.0, False)
    asked.outputs = np.tile([1.0, 0.0], (N, 1))
    assert (asked.predict(rows.X) == "no").all()
    other = rows.X.copy()
    assert np.array_equal(asked.predict(other), model.predict(other))
    assert np.array_equal(asked.predict_proba(other), model.predict_proba(other))
    assert np.array_equal(asked.apply(other), model.apply(other))
    assert not hasattr(asked, "decision_function")


def test_answers_of_a_regressor_have_no_probabilities():
    X, y, levels = table(0)
    fitted, rows = fitted_on(RandomForestRegressor(**FEW), X, y, levels)
    asked = Answers(fitted.model, flatten(fitted), rows.X, 0.0, False)
    assert not hasattr(asked, "predict_proba")
    other = rows.X.copy()
    assert np.array_equal(asked.predict(other), fitted.model.predict(other))
