"""The stability selector: frequencies, bounds, what it is built on, and what is refused."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from featprune import SVMRFE, MRMRSelector, PCASelector, RedundancySelector, ShadowSelector
from featprune.importance.stability import false_selections, stability
from featprune.progress import listening
from featprune.selectors.stability import StabilitySelector

SVM = SVMRFE(n_features_to_select=4)


def planted(n_rows=120, n_noise=17, seed=0):
    """Columns 0 to 2 matter, the rest is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3 + n_noise))
    y = 2 * X[:, 0] + 1.7 * X[:, 1] - 1.4 * X[:, 2] + 0.3 * rng.normal(size=n_rows) > 0
    return X, y.astype(int)


def small(selector=SVM, **parameters):
    return StabilitySelector(selector, **dict(n_resamples=8, random_state=0) | parameters)


class Spy(VarianceThreshold):
    """Keeps two columns, and writes down which rows it saw, whose numbers are the first one."""

    seen: ClassVar[list] = []

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X, y=None):
        self.seen.append((X[:, 0].copy(), y))
        return super().fit(X)

    def _get_support_mask(self):
        return np.arange(self.n_features_in_) < 2


def seen_by_spy(y, **parameters):
    Spy.seen.clear()
    X = np.column_stack([np.arange(len(y)), np.random.default_rng(0).normal(size=(len(y), 3))])
    fitted = small(Spy(), **parameters).fit(X, y)
    return fitted, [(rows.astype(int), target) for rows, target in Spy.seen]


def test_keeps_what_matters():
    X, y = planted()
    fitted = small().fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [0, 1, 2]
    assert (fitted.selection_frequencies_[:3] >= 0.6).all()
    assert (fitted.selection_frequencies_[3:] < 0.6).all()
    assert np.array_equal(fitted.importances_, fitted.selection_frequencies_)
    assert fitted.mean_selected_ == 4


def test_frequencies_and_stability_are_those_of_the_selections():
    X, y = planted()
    fitted = small().fit(X, y)
    rows = pairs_of(fitted, y)
    selections = np.array([clone(SVM).fit(X[idx], y[idx]).support_ for idx in rows])
    assert np.array_equal(fitted.selection_frequencies_, selections.mean(axis=0))
    found = stability(selections)
    assert fitted.stability_ == found.value
    assert fitted.stability_interval_ == (found.low, found.high)
    expected = false_selections(0.6, 4, 20, 8)._asdict()
    assert fitted.expected_false_selections_ == expected


def pairs_of(fitted, y):
    """The rows of each sample, found by letting a spy be fitted in the selector's place."""
    _, seen = seen_by_spy(y, n_resamples=fitted.n_resamples)
    return [rows for rows, _ in seen]


@pytest.mark.parametrize("fraction", [0.5, 0.3])
def test_samples_come_in_pairs_without_a_row_in_common(fraction):
    y = np.repeat([0, 1, 2], [30, 20, 11])
    _, seen = seen_by_spy(y, sample_fraction=fraction)
    assert len(seen) == 2 * 8
    per_class = [int(fraction * count) for count in (30, 20, 11)]
    for one, other in zip(seen[::2], seen[1::2], strict=True):
        assert not set(one[0]) & set(other[0])
        for rows, target in (one, other):
            assert np.array_equal(target, y[rows])
            assert np.bincount(target).tolist() == per_class
            assert len(set(rows)) == len(rows)
    assert len({tuple(rows) for rows, _ in seen}) == 2 * 8


def test_half_samples_of_a_target_of_numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(81, 6))
    y = 3 * X[:, 1] + X[:, 4] + 0.1 * rng.normal(size=81)
    fitted = small(SelectFromModel(Lasso(0.2))).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [1, 4]
    _, seen = seen_by_spy(y)
    assert {len(rows) for rows, _ in seen} == {40}


def test_a_class_of_one_row_is_in_both_samples():
    y = np.repeat([0, 1], [20, 1])
    _, seen = seen_by_spy(y)
    assert all(20 in rows for rows, _ in seen)


@pytest.mark.parametrize(
    "selector",
    [SVM, SelectFromModel(RandomForestClassifier(5)), VarianceThreshold()],
    ids=["SVMRFE", "forest", "unsupervised"],
)
def test_results_do_not_depend_on_n_jobs(selector):
    X, y = planted(n_rows=60)
    one, two = (small(selector, n_jobs=n, n_resamples=3).fit(X, y) for n in (1, 2))
    assert one.path_.order.tobytes() == two.path_.order.tobytes()
    assert one.path_.criterion.tobytes() == two.path_.criterion.tobytes()
    assert one.stability_ == two.stability_ or np.isnan(one.stability_)


def test_another_seed_draws_other_samples():
    X, y = planted(n_rows=60)
    same, again, other = (
        small(n_resamples=4, random_state=seed).fit(X, y).selection_frequencies_
        for seed in (0, 0, 1)
    )
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


SELECTORS = {
    "SVMRFE, one_se": SVMRFE(cv=3),
    "MRMRSelector": MRMRSelector(4),
    "ShadowSelector": ShadowSelector(n_iter=12),
    "RFE": RFE(LogisticRegression(), n_features_to_select=3),
    "SelectKBest": SelectKBest(k=3),
    "SelectFromModel": SelectFromModel(LogisticRegression(C=0.3, l1_ratio=1, solver="liblinear")),
    "SequentialFeatureSelector": SequentialFeatureSelector(
        LogisticRegression(), n_features_to_select=3, cv=2
    ),
}


@pytest.mark.filterwarnings("ignore:.*passed the shadow test")
@pytest.mark.filterwarnings("ignore:.*is surely better than guessing")
@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS.keys())
def test_any_selector_will_do(selector):
    X, y = planted(n_noise=5)
    before = repr(selector)
    fitted = small(selector, n_resamples=3).fit(X, y)
    assert fitted.support_[0]
    assert fitted.support_[:3].sum() >= fitted.support_[3:].sum()
    assert not hasattr(selector, "support_")
    assert repr(selector) == before


def test_selectors_without_a_target_need_none():
    X, _ = planted()
    X[:, 5] = X[:, 6]
    fitted = small(PCASelector(8)).fit(X)
    assert not fitted.support_[[5, 6]].all()
    with pytest.raises(ValueError, match="requires y to be passed"):
        small().fit(X)


def test_equal_frequencies_are_told_apart_by_ranks():
    X, y = planted()
    X[:, 0] = y + 0.1 * X[:, 3]
    fitted = small(SVMRFE(n_features_to_select=3)).fit(X[:, ::-1], y)
    frequency = fitted.selection_frequencies_
    assert frequency[19] == frequency.max() == 1
    # column 19 stands furthest right, and is the one to stay
    assert fitted.reselect(1).support_.nonzero()[0].tolist() == [19]
    never = np.flatnonzero(frequency == 0)
    assert not np.array_equal(fitted.path_.order[: len(never)], never[::-1])


def test_without_ranks_equal_frequencies_go_from_right_to_left():
    X, y = planted(n_rows=60)
    forward = SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2)
    fitted = small(forward, n_resamples=2).fit(X, y)
    for one, other in pairwise(fitted.path_.order):
        rare, frequent = fitted.selection_frequencies_[[one, other]]
        assert rare < frequent or (rare == frequent and one > other)


def test_the_path_is_the_order_of_frequencies():
    X, y = planted()
    fitted = small().fit(X, y)
    path = fitted.path_
    assert path.sizes.tolist() == list(range(20, 0, -1))
    assert np.array_equal(path.criterion, fitted.selection_frequencies_[path.order])
    assert (np.diff(path.criterion) >= 0).all()
    assert fitted.reselect(7).n_features_ == 7
    with pytest.raises(ValueError, match="Got 'one_se'"):
        fitted.reselect("one_se")


@pytest.mark.parametrize("threshold", [0.51, 0.625, 0.75, 1.0])
def test_the_threshold_cuts_at_the_share_itself(threshold):
    X, y = planted()
    fitted = small(threshold=threshold).fit(X, y)
    assert np.array_equal(fitted.support_, fitted.selection_frequencies_ >= threshold)


def test_if_nothing_is_stable_the_best_is_kept_and_that_is_said():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 30)), np.arange(60) % 2
    selector = small(SVMRFE(n_features_to_select=1), min_features_to_select=2, threshold=0.9)
    with pytest.warns(
        UserWarning, match=r"Nothing of 30 was selected in threshold=0.9 of the 16 s"
    ):
        fitted = selector.fit(X, y)
    assert fitted.n_features_ == 2
    assert abs(fitted.stability_) < 0.3
    low, high = fitted.stability_interval_
    assert low < fitted.stability_ < high


@pytest.mark.filterwarnings("ignore:Nothing of 40 was selected")
def test_the_bounds_hold_for_noise():
    # every column has the same chance, so the bounds are on all that is kept
    kept = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 40)), np.arange(40) % 2
        selector = StabilitySelector(SelectKBest(k=8), n_resamples=10, random_state=seed)
        fitted = selector.fit(X, y)
        kept.append((fitted.selection_frequencies_ >= 0.6).sum())
    bounds = fitted.expected_false_selections_
    assert bounds["worst_case"] == pytest.approx(8)
    assert 0 < np.mean(kept) < bounds["r_concave"] < bounds["unimodal"]


def test_what_is_always_kept_counts_neither_as_chosen_nor_as_false():
    X, y = planted()
    fitted = small(always_keep=[19], feature_groups={"g": [3, 4, 5]}).fit(X, y)
    assert fitted.support_[19]
    assert fitted.selection_frequencies_[19] == 1
    assert fitted.mean_selected_ == 3
    assert fitted.expected_false_selections_ == false_selections(0.6, 3, 17, 8)._asdict()
    assert len(set(fitted.selection_frequencies_[3:6])) == 1


@pytest.mark.parametrize("selector", [SVM, SelectKBest(k=2)], ids=["SVMRFE", "SelectKBest"])
def test_mixed_tables_are_encoded_for_the_selector(selector):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=80),
            "plan": np.where(rng.random(80) < 0.05 + 0.9 * y, "gold", "tin"),
            "age": np.where(np.arange(80) % 7 == 0, np.nan, rng.normal(size=80) + 2 * y),
            "town": pd.Categorical.from_codes(rng.integers(0, 3, 80), ["ox", "yak", "elk"]),
        }
    )
    selector = clone(selector)
    if isinstance(selector, SVMRFE):
        selector.set_params(n_features_to_select=2)
    out = small(selector, n_resamples=4).fit(frame, y).transform(frame)
    assert out.columns.tolist() == ["plan", "age"]
    assert out.equals(frame[["plan", "age"]])


@pytest.mark.parametrize("selector", [SVM, SelectKBest(k=3)], ids=["SVMRFE", "SelectKBest"])
def test_sparse_stays_sparse(selector):
    X, y = planted()
    X[np.abs(X) < 0.3] = 0
    dense, thin = small(selector).fit(X, y), small(selector).fit(sparse.csr_array(X), y)
    assert np.array_equal(dense.selection_frequencies_, thin.selection_frequencies_)
    assert sparse.issparse(thin.transform(sparse.csr_array(X)))


def test_rows_of_weight_zero_are_as_good_as_absent():
    X, y = planted()
    weight = (np.arange(120) < 80).astype(float)
    one = small().fit(X, y, sample_weight=weight)
    other = small().fit(X[:80], y[:80])
    assert np.array_equal(one.selection_frequencies_, other.selection_frequencies_)
    with pytest.raises(ValueError, match=r"'selector' .*, SelectKBest, takes no sample_weight"):
        small(SelectKBest(k=2)).fit(X, y, sample_weight=np.linspace(1, 2, 120))


def test_parameters_of_the_selector_are_searched():
    X, y = planted()
    pipe = make_pipeline(small(n_resamples=3), LogisticRegression())
    grid = {"stabilityselector__selector__n_features_to_select": [2, 4]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.85


def test_progress_counts_samples():
    X, y = planted()
    told = []
    with listening(lambda *arguments: told.append(arguments)):
        small(n_resamples=2).fit(X, y)
    assert told == [("StabilitySelector: samples", i, 4) for i in (1, 2, 3, 4)]


def test_one_column_is_all_there_is():
    X, y = planted()
    fitted = small(SVMRFE(n_features_to_select=1)).fit(X[:, :1], y)
    assert fitted.support_.tolist() == [True]
    assert np.isnan(fitted.stability_)


class Unfit(BaseEstimator):
    """Has parameters and nothing else."""


BAD = {
    "resamples": ({"n_resamples": 0}, ValueError, r"'n_resamples'.*an int >= 1. Got 0"),
    "fraction": ({"sample_fraction": 0.6}, ValueError, r"number in \(0, 0.5\]. Got 0.6 instead"),
    "no fraction": ({"sample_fraction": None}, TypeError, r"'sample_fraction' .* Got None"),
    "threshold": ({"threshold": 0.5}, ValueError, r"number in \(0.5, 1\]. Got 0.5 instead"),
    "a word": ({"threshold": "high"}, ValueError, r"'threshold' .* Got 'high'"),
    "true": ({"threshold": True}, TypeError, r"'threshold' .* Got True"),
    "no selector": ({"selector": Unfit()}, TypeError, r"'selector' parameter of Stab.* has fit"),
    "a class": ({"selector": SVMRFE}, TypeError, r"must be a selector, an instance"),
    "nothing": ({"selector": None}, TypeError, r"must be a selector.*Got None"),
    "its own": ({"selector": SVMRFE(step=0)}, ValueError, r"'step' parameter of SVMRFE"),
    "its groups": (
        {"selector": RedundancySelector(always_keep=[1])},
        ValueError,
        r"has its own 'always_keep'.*Pass always_keep to StabilitySelector",
    ),
    "keeps nothing": (
        {"selector": RandomForestClassifier(3)},
        ValueError,
        r"must say what it keeps, and RandomForestClassifier has no get_support. Wrap it",
    ),
}


@pytest.mark.parametrize("case", BAD, ids=BAD.keys())
def test_what_cannot_be_used_is_refused(case):
    X, y = planted(n_rows=40)
    parameters, error, message = BAD[case]
    selector = small().set_params(**parameters)
    with pytest.raises(error, match=message):
        selector.fit(X, y)
    assert not hasattr(selector, "support_")


def test_samples_of_less_than_two_rows_are_refused():
    X = np.random.default_rng(0).normal(size=(3, 4))
    with pytest.raises(ValueError, match=r"at least 2 rows in a sample.*of 3 rows are 1"):
        small(VarianceThreshold()).fit(X, np.array([0.1, 0.2, 0.3]))
