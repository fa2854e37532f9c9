"""Elimination by trees against loops that do the same in the plain way."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.feature_selection import RFE
from xgboost import XGBClassifier, XGBRegressor

from featprune.importance.trees.eliminate import Measure, eliminate
from featprune.importance.trees.family import family_of
from featprune.importance.trees.model import Rows, Trees
from featprune.path.sizes import path_sizes

MODEL = XGBClassifier(
    n_estimators=15, max_depth=4, importance_type="total_gain", random_state=0, n_jobs=1
)


@pytest.fixture(scope="module")
def rows():
    X, y = make_classification(600, 12, n_informative=6, random_state=1)
    return Rows(X.astype(np.float32), y, None)


def trace(
    rows, estimator=MODEL, *, step=1, floor=1, recursive=True, importance="total_gain", **more
):
    n = rows.X.shape[1]
    trees = Trees(estimator, family_of(estimator, "T"), np.zeros(n, dtype=int), seed=0)
    options = dict(unit=np.arange(n), protected=np.zeros(n, dtype=bool), score=None) | more
    return eliminate(
        trees,
        rows,
        None,
        [],
        Measure(importance, None, 2, 0),
        sizes=path_sizes(len(options["protected"]), floor, step),
        recursive=recursive,
        **options,
    )


@pytest.mark.parametrize("step", [1, 3])
def test_recursive_ranks_are_those_of_rfe(rows, step):
    found, _ = trace(rows, step=step)
    peer = RFE(clone(MODEL), n_features_to_select=1, step=step).fit(rows.X, rows.y)
    ranks = np.ones(12, dtype=int)
    at = 1
    for size, after in zip(found.sizes[-2::-1], found.sizes[:0:-1], strict=True):
        at += 1
        gone = found.order[12 - size : 12 - after]
        ranks[gone] = at
    assert np.array_equal(ranks, peer.ranking_)


def test_once_ranks_by_the_first_model(rows):
    found, _ = trace(rows, recursive=False)
    model = clone(MODEL).fit(rows.X, rows.y)
    by_gain = np.argsort(model.feature_importances_, kind="stable")
    assert np.array_equal(found.order, by_gain[:-1])
    share = found.importances / found.importances.sum()
    np.testing.assert_allclose(share, model.feature_importances_, rtol=1e-5)


@pytest.mark.parametrize("recursive", [True, False])
def test_the_model_of_each_size_is_scored(rows, recursive):
    seen = []

    def score(fitted):
        seen.append(fitted.features)
        return float(len(fitted.features))

    found, scores = trace(rows, recursive=recursive, score=score, step=4)
    assert found.sizes.tolist() == [12, 8, 4, 1]
    assert scores.tolist() == [12, 8, 4, 1]
    for size, features in zip(found.sizes, seen, strict=True):
        assert set(features) == set(range(12)) - set(found.order[: 12 - size])


def test_no_model_is_fitted_for_columns_of_no_split():
    X, y = make_regression(300, 20, n_informative=3, random_state=0)
    rows = Rows(X.astype(np.float32), y, None)
    model = XGBRegressor(n_estimators=3, max_depth=2)
    fits = []
    found, scores = trace(rows, model, score=lambda fitted: fits.append(fitted) or len(fits))
    used = int((found.importances > 0).sum())
    assert used < 12
    assert len(fits) == used  # the first, and one for each column that was of use and left
    # spared models keep the score of the model that they are
    assert scores[: 20 - used + 1].tolist() == [1] * (20 - used + 1)
    plain, _ = trace(rows, model.set_params(colsample_bynode=0.999), score=fits.append)
    assert len(fits) == used + 20
    assert len(plain.sizes) == 20


def test_units_leave_as_a_whole_and_some_never(rows):
    unit = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 8])
    protected = np.arange(9) == 4
    found, _ = trace(rows, unit=unit, protected=protected)
    assert sorted([*found.order, *(set(range(9)) - set(found.order))]) == list(range(9))
    assert 4 not in found.order
    assert len(found.order) == 8


def test_a_deadline_ends_the_path_at_a_model(rows):
    found, scores = trace(rows, deadline=0.0, score=lambda fitted: 0.5)
    assert found.sizes.tolist() == [12]
    assert len(found.order) == len(found.criterion) == 0
    assert scores.tolist() == [0.5]


def test_progress_is_told(rows):
    told = []
    trace(rows, step=5, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 11), (5, 11), (10, 11), (11, 11)]


@pytest.mark.parametrize(
    ("step", "sizes"),
    [(4, [10, 6, 2]), (0.3, [10, 7, 4, 2]), ("auto", [10, 8, 7, 6, 5, 4, 3, 2]), (99, [10, 2])],
)
def test_sizes_of_a_path(step, sizes):
    assert path_sizes(10, 2, step).tolist() == sizes
