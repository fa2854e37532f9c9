"""Models on some of the features, and what is left when features leave that no split uses."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from xgboost import XGBClassifier, XGBRFClassifier

from featprune.importance.trees.family import family_of
from featprune.importance.trees.model import Rows, Trees, as_taken

ALL = np.arange(30)


def trees(estimator, levels=None):
    levels = np.zeros(30, dtype=int) if levels is None else levels
    return Trees(estimator, family_of(estimator, "T"), levels, seed=0)


@pytest.fixture(scope="module")
def rows():
    X, y = make_classification(200, 30, n_informative=4, n_redundant=0, random_state=0)
    return Rows(X.astype(np.float32), np.array(["no", "yes"])[y], None)


FEW_SPLITS = {
    "xgboost": XGBClassifier(n_estimators=4, max_depth=2),
    "xgboost, rows drawn": XGBClassifier(n_estimators=4, max_depth=2, subsample=0.7),
    "xgboost, exact": XGBClassifier(n_estimators=4, max_depth=2, tree_method="exact"),
    "lightgbm": LGBMClassifier(n_estimators=4, num_leaves=4),
    "lightgbm, rows drawn": LGBMClassifier(
        n_estimators=4, num_leaves=4, subsample=0.7, subsample_freq=1
    ),
}


@pytest.mark.parametrize("estimator", FEW_SPLITS.values(), ids=FEW_SPLITS.keys())
def test_without_the_columns_of_no_split_predictions_are_the_same_to_the_bit(estimator, rows):
    before = trees(estimator).fit(rows, ALL)
    left = ALL[before.used()]
    assert 0 < len(left) < 30
    after = trees(estimator).fit(rows, left)
    assert np.array_equal(
        before.as_estimator().predict_proba(rows.X),
        after.as_estimator().predict_proba(rows.X[:, left]),
    )
    assert after.used().all()


def test_a_model_of_codes_answers_in_labels(rows):
    model = trees(XGBClassifier(n_estimators=20)).fit(rows, ALL).as_estimator()
    assert set(model.predict(rows.X)) == {"no", "yes"}
    assert (model.predict(rows.X) == rows.y).mean() > 0.95
    assert list(model.classes_) == ["no", "yes"]


@pytest.mark.parametrize(
    "estimator",
    [
        XGBClassifier(n_estimators=10, max_depth=2),
        LGBMClassifier(n_estimators=10, num_leaves=4, min_data_per_group=5, cat_smooth=1),
        HistGradientBoostingClassifier(max_iter=10, max_depth=2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_codes_are_levels_and_not_numbers(estimator):
    # of 40 levels, every second one: no few thresholds tell them apart
    codes = np.repeat(np.arange(40.0), 30)
    y = (codes % 2 == 0).astype(int)
    rows = Rows(np.column_stack([codes, np.random.default_rng(0).normal(size=len(y))]), y, None)
    levels = np.array([40, 0])
    both = np.arange(2)
    told = trees(estimator, levels).fit(rows, both).as_estimator()
    untold = trees(estimator, np.zeros(2, dtype=int)).fit(rows, both).as_estimator()
    assert (told.predict(rows.X) == y).all()
    assert (untold.predict(rows.X) == y).mean() < 0.95
    assert np.isfinite(told.predict_proba(np.full((3, 2), np.nan))).all()


def test_a_seed_and_one_thread_are_set_unless_the_estimator_has_its_own(rows):
    model = trees(RandomForestClassifier(3)).fit(rows, ALL).model
    assert model.random_state == 0
    assert model.n_jobs == 1
    model = trees(RandomForestClassifier(3, random_state=5, n_jobs=2)).fit(rows, ALL).model
    assert model.random_state == 5
    assert model.n_jobs == 2


@pytest.mark.parametrize(
    "estimator",
    [
        XGBClassifier(n_estimators=300, early_stopping_rounds=3),
        LGBMClassifier(n_estimators=300, early_stopping_round=3),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_a_booster_stops_by_the_spare_rows(estimator, rows):
    fit, spare = rows.take(np.arange(150)), rows.take(np.arange(150, 200))
    machine = trees(estimator)
    assert machine.stops_early
    stopped = machine.fit(fit, ALL, spare)
    assert stopped.n_rounds() < 100
    again = machine.fit(fit, ALL, like=stopped)
    assert np.array_equal(
        stopped.as_estimator().predict_proba(spare.X), again.as_estimator().predict_proba(spare.X)
    )


@pytest.mark.parametrize(
    ("estimator", "rounds"),
    [
        (XGBClassifier(n_estimators=7), 7),
        (LGBMClassifier(n_estimators=7), 7),
        (XGBRFClassifier(n_estimators=7), 1),
    ],
    ids=["xgboost", "lightgbm", "xgboost's forest"],
)
def test_rounds_of_a_booster_that_does_not_stop(estimator, rounds, rows):
    assert trees(estimator).fit(rows, ALL).n_rounds() == rounds


def test_zeros_of_a_sparse_matrix_are_zeros_for_xgboost():
    X = sparse.random_array((300, 4), density=0.5, random_state=0, format="csr")
    dense = X.toarray()
    family = family_of(XGBClassifier(), "T")
    assert np.array_equal(as_taken(X, family), dense.astype(np.float32))
