"""A fit that runs out of time, and one that is interrupted."""

import pickle
import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification
from sklearn.svm import SVC, SVR, LinearSVC

from featprune import SVMRFE
from featprune.path import EliminationPath
from featprune.progress import listening
from featprune.selectors import svm_rfe
from featprune.selectors.time_limit import Clock, cut_short

MACHINES = {
    "linear": SVC(kernel="linear"),
    "LinearSVC": LinearSVC(),
    "RBF": SVC(),
    "SVR": SVR(kernel="linear", C=10),
    "RBF SVR": SVR(C=10),
}
each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
# three folds of few rows: hardly a score is sure to be better than guessing
pytestmark = pytest.mark.filterwarnings("ignore:.*found no size whose score is surely better than")


def table():
    return make_classification(80, 12, n_informative=5, random_state=0)


def slow_dot(A, B):
    time.sleep(0.002)
    return A @ B.T


@pytest.fixture
def models_until(monkeypatch):
    """Return a function that lets paths end after so many models, as if time had run out."""

    def end_after(*counts):
        left = list(counts)

        def eliminate(*inputs, **options):
            assert options["deadline"] > time.monotonic()
            trace = whole(*inputs, **options)
            count = left.pop(0)
            decisions = None if trace.decisions is None else trace.decisions[:count]
            return cut_short(trace, count)._replace(decisions=decisions)

        monkeypatch.setattr(svm_rfe, "eliminate", eliminate)

    whole = svm_rfe.eliminate
    return end_after


@each_machine
def test_with_time_enough_nothing_changes(machine):
    X, y = table()
    plain = SVMRFE(machine, cv=3).fit(X, y)
    timed = SVMRFE(machine, cv=3, time_limit=1000).fit(X, y)
    assert timed.path_.order.tobytes() == plain.path_.order.tobytes()
    assert timed.path_.scores.tobytes() == plain.path_.scores.tobytes()
    assert timed.size_ == plain.size_


def test_the_path_so_far_is_used_and_said_to_be_cut_short():
    X, y = table()
    whole = SVMRFE(SVC(kernel=slow_dot), n_features_to_select=1).fit(X, y).path_
    selector = SVMRFE(SVC(kernel=slow_dot), n_features_to_select=1, time_limit=0.1)
    with pytest.warns(UserWarning, match=r"ran out of time_limit=0.1 seconds: of 12, \d+ are left"):
        selector.fit(X, y)
    path = selector.path_
    assert 1 < selector.n_features_ == selector.size_ == path.sizes[-1] <= 12
    assert path.order.tolist() == whole.order[: len(path.order)].tolist()
    assert path.sizes.tolist() == whole.sizes[: len(path.sizes)].tolist()


@each_machine
def test_every_road_ends_at_its_deadline(machine):
    X, y = table()
    n = X.shape[1]
    trace = svm_rfe.eliminate(
        machine,
        X,
        y.astype(float),
        unit=np.arange(n),
        protected=np.zeros(n, dtype=bool),
        floor=1,
        step=1,
        held_out=X[:5],
        deadline=time.monotonic() - 1,
    )
    assert 1 <= len(trace.sizes) < n
    assert trace.sizes[0] == n
    assert len(trace.order) == len(trace.criterion) == n - trace.sizes[-1]
    assert len(trace.decisions) == len(trace.sizes)


def test_paths_of_different_lengths_are_cut_to_the_sizes_they_share(models_until, tmp_path):
    X, y = table()
    models_until(9, 7, 5, 8)
    with pytest.warns(UserWarning, match=r"of 12, 8 are left where its path ends, not 1. Give"):
        fitted = SVMRFE(cv=3, n_features_to_select="best", time_limit=1000).fit(X, y)
    path = fitted.path_
    assert path.sizes.tolist() == [12, 11, 10, 9, 8]
    assert path.scores.shape == (3, 5)
    assert path.fold_orders.shape == (3, 4)
    models_until(*[12] * 4)
    whole = SVMRFE(cv=3, n_features_to_select="best", time_limit=1000).fit(X, y).path_
    assert np.array_equal(path.scores, whole.scores[:, :5])
    assert np.array_equal(path.fold_orders, whole.fold_orders[:, :4])
    path.save(tmp_path / "path.json")
    assert np.array_equal(EliminationPath.load(tmp_path / "path.json").scores, path.scores)
    assert len(fitted.cv_results_["split2_ranking"]) == 5


@pytest.mark.parametrize(
    ("rule", "kept", "said"),
    [
        (3, 8, r"n_features_to_select=3 was not reached and becomes 8. Give"),
        (0.25, 8, r"n_features_to_select=0.25 was not reached and becomes 8. Give"),
        (10, 10, r"not 1. Give it more time"),
        (0.9, 10, r"not 1. Give it more time"),
    ],
)
def test_a_number_that_was_not_reached_becomes_the_smallest(models_until, rule, kept, said):
    X, y = table()
    models_until(5)
    with pytest.warns(UserWarning, match=said):
        fitted = SVMRFE(n_features_to_select=rule, time_limit=1000).fit(X, y)
    assert fitted.size_ == fitted.n_features_ == kept
    with pytest.raises(ValueError, match=r"a time_limit that ran out hold 8. Ask for at least 8"):
        fitted.reselect(3)
    assert fitted.reselect(9).size_ == 9
    assert pickle.loads(pickle.dumps(fitted)).size_ == 9


def test_with_one_model_alone_all_are_kept(models_until):
    X, y = table()
    models_until(1, 1, 1, 1)
    with pytest.warns(UserWarning, match=r"of 12, 12 are left"):
        fitted = SVMRFE(cv=3, time_limit=1000).fit(X, y)
    assert fitted.support_.all()
    assert (fitted.ranking_ == 1).all()


def test_a_number_below_what_is_held_is_still_refused():
    X, y = table()
    with pytest.raises(ValueError, match=r"asks for 2, but min_features_to_select, .* hold 4"):
        SVMRFE(n_features_to_select=2, min_features_to_select=4, time_limit=1000).fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_model_at_all_is_an_error(n_jobs):
    X, y = table()
    selector = SVMRFE(time_limit=1e-6, n_jobs=n_jobs)
    with pytest.raises(TimeoutError, match=r"ran out of time_limit=1e-06 seconds before each of"):
        selector.fit(X, y)
    assert vars(selector).keys() == vars(clone(selector)).keys()


def test_time_is_shared_by_the_paths_that_are_left():
    now = time.monotonic()
    clock = Clock(60.0, now + 60, n_paths=6, n_jobs=1)
    assert clock.deadline(0, "SVMRFE") - now == pytest.approx(10, abs=0.5)
    assert clock.deadline(4, "SVMRFE") - now == pytest.approx(30, abs=0.5)
    assert clock.deadline(5, "SVMRFE") - now == pytest.approx(60, abs=0.5)
    by_two = clock._replace(n_jobs=2)
    assert by_two.deadline(0, "SVMRFE") - now == pytest.approx(20, abs=0.5)
    assert by_two.deadline(5, "SVMRFE") - now == pytest.approx(60, abs=0.5)


def test_folds_get_their_share_of_the_time():
    X, y = table()
    SVMRFE(SVC(kernel=slow_dot), cv=2).fit(X, y)  # so that compiling takes no part of the time
    selector = SVMRFE(SVC(kernel=slow_dot), cv=2, n_features_to_select="best", time_limit=0.45)
    start = time.monotonic()
    with pytest.warns(UserWarning, match=r"ran out of time_limit=0.45"):
        selector.fit(X, y)
    assert time.monotonic() - start < 2
    assert len(selector.path_.sizes) > 1


@each_machine
@pytest.mark.parametrize("at", [1, 3])
def test_an_interrupt_leaves_a_fresh_selector_fresh(machine, at):
    X, y = table()
    told = []

    def interrupt(*words):
        told.append(words)
        if len(told) == at:
            raise KeyboardInterrupt

    selector = SVMRFE(machine, cv=3)
    before = vars(selector).copy()
    with listening(interrupt), pytest.raises(KeyboardInterrupt):
        selector.fit(X, y)
    assert len(told) == at
    assert vars(selector) == before


@each_machine
def test_an_interrupt_leaves_a_fitted_selector_as_it_was(machine):
    X, y = table()
    selector = SVMRFE(machine, cv=3).fit(X, y)
    before = vars(selector).copy()

    def interrupt(*words):
        raise KeyboardInterrupt

    other = load_diabetes().data
    with listening(interrupt), pytest.raises(KeyboardInterrupt):
        selector.fit(other[:50], np.arange(50) % 2)
    assert vars(selector).keys() == before.keys()
    assert all(vars(selector)[name] is value for name, value in before.items())
    assert np.array_equal(selector.transform(X), X[:, selector.support_])
