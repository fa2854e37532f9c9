"""The shadow test against a slow one that follows the paper's words, and against boruta_py."""

import time
from math import comb

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier, XGBRFClassifier

from featprune.importance.trees.model import Rows
from featprune.importance.trees.shadow import (
    CONFIRMED,
    REJECTED,
    TENTATIVE,
    Outcome,
    Rule,
    decide,
    rough_fix,
    shadow_test,
)
from featprune.importance.trees.shadow_rows import in_order, permute, shadows_of

MODEL = XGBRFClassifier(n_estimators=20, max_depth=4, max_bin=16, colsample_bynode=0.3)
RULE = Rule("total_gain", 100, 0.05, True)


def planted(n_rows=300, n_noise=8, seed=0):
    """Columns 0 to 2 matter; 3 is a noisy copy of 0; the rest is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4 + n_noise))
    X[:, 3] = X[:, 0] + 0.3 * X[:, 3]
    y = 2 * X[:, 0] + 1.5 * X[:, 1] - X[:, 2] + 0.5 * rng.normal(size=n_rows) > 0
    return X, y.astype(int)


def run(X, y, estimator=MODEL, rule=RULE, *, unit=None, protected=None, weight=None, **more):
    unit = np.arange(X.shape[1]) if unit is None else unit
    protected = np.zeros(unit.max() + 1, dtype=bool) if protected is None else protected
    options = dict(n_iter=30, seed=0) | more
    levels = options.pop("levels", np.zeros(len(unit), dtype=int))
    return shadow_test(
        estimator, levels, Rows(X, y, weight), rule, unit=unit, protected=protected, **options
    )


def slow_decide(decisions, hits, n_rounds, alpha, two_step, n_units):
    """Binomial sums by hand; Benjamini-Hochberg by trying each rank."""
    active = [u for u in range(n_units) if decisions[u] != REJECTED]
    chance = [comb(n_rounds, k) / 2**n_rounds for k in range(n_rounds + 1)]
    sides = {
        CONFIRMED: {u: sum(chance[hits[u] :]) for u in active},
        REJECTED: {u: sum(chance[: hits[u] + 1]) for u in active},
    }
    after = list(decisions)
    for decision, p_values in sides.items():
        if two_step:
            limit = -1.0
            for rank, p in enumerate(sorted(p_values.values()), start=1):
                if p <= alpha * rank / len(active) * (1 + 1e-12):
                    limit = p
            limit = min(limit * (1 + 1e-12), alpha / n_rounds)
        else:
            limit = alpha / n_units
        for u, p in p_values.items():
            if decisions[u] == TENTATIVE and p <= limit:
                after[u] = decision
    return after


@pytest.mark.parametrize("two_step", [True, False], ids=["two steps", "Bonferroni"])
@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize("n_rounds", [1, 5, 8, 20, 60])
def test_decisions_are_those_of_sums_by_hand(n_rounds, alpha, two_step):
    rng = np.random.default_rng(n_rounds)
    for _ in range(20):
        decisions = rng.choice([REJECTED, TENTATIVE, TENTATIVE, CONFIRMED], 25)
        hits = rng.binomial(n_rounds, rng.choice([0.05, 0.3, 0.5, 0.7, 0.95], 25))
        found = decide(
            decisions, hits, n_rounds, np.zeros(25, dtype=bool), alpha=alpha, two_step=two_step
        )
        assert found.tolist() == slow_decide(decisions, hits, n_rounds, alpha, two_step, 25)


@pytest.mark.parametrize("two_step", [True, False], ids=["two steps", "Bonferroni"])
def test_decisions_are_those_of_boruta_py(two_step):
    boruta = pytest.importorskip("boruta").BorutaPy(None, alpha=0.05, two_step=two_step)
    rng = np.random.default_rng(0)
    for n_rounds in (8, 12, 30, 99):
        decisions = rng.choice([REJECTED, TENTATIVE, TENTATIVE, CONFIRMED], 40)
        hits = rng.binomial(n_rounds, rng.choice([0.05, 0.5, 0.95], 40))
        found = decide(
            decisions, hits, n_rounds, np.zeros(40, dtype=bool), alpha=0.05, two_step=two_step
        )
        assert np.array_equal(found, boruta._do_tests(decisions.copy(), hits, n_rounds))


def test_protected_units_are_not_tested_and_not_counted():
    hits, protected = np.array([0, 0, 8]), np.array([True, False, False])
    found = decide(np.array([1, 0, 0]), hits, 8, protected, alpha=0.05, two_step=True)
    assert found.tolist() == [CONFIRMED, REJECTED, CONFIRMED]
    # two units, not three: 0.5**6 <= 0.05 / 3 either way, 0.5**5.5 is between
    found = decide(np.array([1, 0, 0]), hits, 6, protected, alpha=0.032, two_step=False)
    assert found.tolist() == [CONFIRMED, REJECTED, CONFIRMED]


@pytest.mark.parametrize("rule", [RULE, Rule("total_gain", 80, 0.1, False)], ids=["max", "80 %"])
def test_the_outcome_is_what_a_plain_sequence_of_rounds_gives(rule):
    X, y = planted()
    outcome = run(X, y, rule=rule)
    n_rounds, n_units = outcome.features.shape
    decisions, hits, decided_in = [TENTATIVE] * n_units, [0] * n_units, [0] * n_units
    for i in range(n_rounds):
        assert TENTATIVE in decisions
        for u in range(n_units):
            assert np.isnan(outcome.features[i, u]) == (decisions[u] == REJECTED)
            if decisions[u] != REJECTED:
                hits[u] += outcome.features[i, u] > outcome.threshold[i]
        after = slow_decide(decisions, hits, i + 1, rule.alpha, rule.two_step, n_units)
        for u in range(n_units):
            if after[u] != decisions[u]:
                decided_in[u] = i + 1
        decisions = after
    assert outcome.decisions.tolist() == decisions
    assert outcome.hits.tolist() == hits
    assert outcome.decided_in.tolist() == decided_in
    assert n_rounds == 30 or TENTATIVE not in decisions
    assert np.array_equal(outcome.rounds, (~np.isnan(outcome.features)).sum(axis=0))
    assert (outcome.shadow_max >= outcome.threshold).all()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.filterwarnings("ignore")
def test_the_confirmed_columns_are_those_of_boruta_py(seed):
    boruta = pytest.importorskip("boruta").BorutaPy
    X, y = planted(seed=seed)
    forest = RandomForestClassifier(25, max_depth=4, n_jobs=1)
    peer = boruta(forest, n_estimators=25, max_iter=21, random_state=seed).fit(X, y)
    outcome = run(X, y, forest, RULE._replace(importance="impurity"), n_iter=20)
    confirmed = outcome.decisions == CONFIRMED
    assert confirmed[:4].all()
    assert peer.support_[:4].all()
    # columns at the border are decided about by the permutations' seeds
    is_rejected = ~(peer.support_ | peer.support_weak_)
    assert (confirmed & is_rejected).sum() + (peer.support_ & ~confirmed).sum() <= 1


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_any_number_of_jobs_gives_the_same_bits(n_jobs):
    X, y = planted(100, n_noise=12)
    one, other = run(X, y, n_iter=20), run(X, y, n_iter=20, n_jobs=n_jobs)
    for mine, its in zip(one, other, strict=True):
        assert mine.tobytes() == its.tobytes()


@pytest.mark.parametrize(
    ("n_units", "n_shadows"), [(1, 5), (2, 6), (3, 6), (4, 8), (5, 5), (6, 6), (20, 20)]
)
def test_there_are_at_least_five_shadows_as_many_of_each_unit(n_units, n_shadows):
    unit = np.repeat(np.arange(n_units) * 3, 2)
    source, shadow_of = shadows_of(unit)
    assert len(np.unique(shadow_of)) == n_shadows
    assert set(np.bincount(shadow_of)) == {2}
    assert len(set(np.bincount(source))) == 1
    for one in range(n_shadows):
        assert len(set(unit[source[shadow_of == one]])) == 1


@pytest.mark.parametrize("container", [np.asfortranarray, sparse.csc_matrix])
def test_a_shadow_has_its_columns_values_in_another_order_of_rows(container):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((50, 5)) < 0.6, rng.integers(1, 9, (50, 5)), 0).astype(float)
    X[3, 1] = np.nan
    table = container(X)
    mixed = permute(table, np.array([0, 1, 0, 2, 1]), np.random.default_rng(1))
    after = table.toarray() if sparse.issparse(table) else table
    assert np.array_equal(after, X, equal_nan=True)  # not changed
    mixed = mixed.toarray() if sparse.issparse(mixed) else mixed
    assert np.array_equal(np.sort(mixed, axis=0), np.sort(X, axis=0), equal_nan=True)
    assert not np.array_equal(mixed, X, equal_nan=True)
    for together in ([0, 2], [1, 4]):
        rows = sorted(map(repr, X[:, together].tolist()))
        assert sorted(map(repr, mixed[:, together].tolist())) == rows


def test_sparse_and_dense_shadows_are_the_same():
    X = np.random.default_rng(0).poisson(0.5, (40, 6)).astype(float)
    shadow_of = np.array([0, 1, 1, 2, 3, 4])
    dense = permute(X, shadow_of, np.random.default_rng(5))
    stored = permute(sparse.csc_matrix(X), shadow_of, np.random.default_rng(5))
    assert np.array_equal(stored.toarray(), dense)


def test_of_equal_splits_the_shadow_has_its_share():
    # one row of each column differs, so that all columns and shadows are worth the same
    X, y = np.zeros((40, 6)), np.arange(40) % 2
    X[np.arange(6), np.arange(6)] = 1
    stump = XGBClassifier(n_estimators=1, max_depth=1, min_child_weight=0)
    outcome = run(X, y, stump, RULE._replace(alpha=1e-12), n_iter=39)
    assert 8 <= outcome.hits.sum() <= 31


@pytest.mark.parametrize(
    ("estimator", "importance"),
    [
        (RandomForestClassifier(20, max_depth=4), "impurity"),
        (XGBClassifier(n_estimators=10, max_depth=3, max_bin=16), "shap"),
        (XGBClassifier(n_estimators=10, max_depth=3, max_bin=16), "gain"),
        (LGBMClassifier(n_estimators=10, verbosity=-1), "total_gain"),
        (LGBMClassifier(n_estimators=10, verbosity=-1), "shap"),
    ],
    ids=["forest, impurity", "xgboost, shap", "xgboost, gain", "lightgbm, gain", "lightgbm, shap"],
)
@pytest.mark.parametrize("container", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_each_estimator_and_importance_finds_what_matters(estimator, importance, container):
    X, y = planted()
    X = np.where(np.abs(X) < 0.1, 0, X)
    outcome = run(container(X), y, estimator, RULE._replace(importance=importance), n_iter=14)
    assert (outcome.decisions[[0, 1]] == CONFIRMED).all()
    # of eight columns of noise, one may be related to the target on these rows
    assert (outcome.decisions[4:] == CONFIRMED).sum() <= 1
    assert (outcome.decisions[4:] == REJECTED).sum() >= 4


def test_a_seed_of_the_estimators_own_is_another_one_in_each_round():
    X, y = planted(n_noise=2)
    forest = RandomForestClassifier(5, random_state=7, max_features=1, max_depth=2)
    outcome = run(X, y, forest, RULE._replace(importance="impurity"), n_iter=3)
    again = run(X, y, forest, RULE._replace(importance="impurity"), n_iter=3)
    assert forest.random_state == 7
    assert len(set(outcome.threshold)) == 3
    assert outcome.features.tobytes() == again.features.tobytes()


def test_rows_of_small_weight_say_little():
    X, y = planted(n_noise=2)
    wrong = np.r_[y, 1 - y]
    weight = np.r_[np.full(len(y), 100.0), np.full(len(y), 0.01)]
    outcome = run(np.r_[X, X], wrong, weight=weight, n_iter=10)
    assert (outcome.decisions[[0, 1]] == CONFIRMED).all()
    assert not (run(np.r_[X, X], wrong, n_iter=10).decisions == CONFIRMED).any()


@pytest.mark.parametrize("container", [np.array, sparse.csr_matrix])
def test_rows_in_order_are_the_same_rows(container):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (30, 3)).astype(float)
    y = np.array(["b", "a"])[rng.integers(0, 2, 30)]
    weight = rng.integers(1, 4, 30).astype(float)
    found = in_order(Rows(container(X), y, weight))
    assert found.weight is None
    rows = rng.permutation(np.repeat(np.arange(30), weight.astype(int)))
    other = in_order(Rows(container(X[rows]), y[rows], None))
    held, its = (one.X.toarray() if sparse.issparse(one.X) else one.X for one in (found, other))
    assert np.array_equal(held, its)
    assert np.array_equal(found.y, other.y)
    expected = sorted(map(repr, zip(X[rows].tolist(), y[rows].tolist(), strict=True)))
    assert sorted(map(repr, zip(held.tolist(), found.y.tolist(), strict=True))) == expected


@pytest.mark.parametrize("weight", [0.5, 1000.0], ids=["a half", "too many"])
def test_other_weights_stay_weights(weight):
    X, y = planted(20)
    found = in_order(Rows(X, y, np.full(20, weight)))
    assert found.weight.tolist() == [weight] * 20
    assert np.array_equal(np.sort(found.X, axis=0), np.sort(X, axis=0))


def test_a_deadline_that_has_passed_leaves_one_round():
    X, y = planted()
    outcome = run(X, y, deadline=time.monotonic() - 1)
    assert len(outcome.threshold) == 1
    assert (outcome.rounds == 1).all()
    assert (outcome.decisions == TENTATIVE).all()


def test_all_protected_takes_one_round_for_their_importances():
    X, y = planted()
    told = []
    outcome = run(X, y, protected=np.ones(12, dtype=bool), progress=lambda *now: told.append(now))
    assert (outcome.decisions == CONFIRMED).all()
    assert outcome.features.shape == (1, 12)
    assert told == [(30, 30)]


def test_a_unit_without_features_is_rejected():
    X, y = planted(n_noise=2)
    unit = np.array([0, 1, 2, 4, 5, 6])
    outcome = run(X, y, unit=unit)
    assert outcome.decisions[3] == REJECTED
    assert outcome.hits[3] == 0


def test_rough_fix_compares_medians():
    outcome = Outcome(
        decisions=np.array([TENTATIVE, TENTATIVE, CONFIRMED, REJECTED]),
        decided_in=np.array([0, 0, 2, 1]),
        hits=np.zeros(4, dtype=int),
        rounds=np.array([3, 3, 3, 1]),
        features=np.array(
            [[1.0, 2.0, 0.0, 0.0, 9.0], [1.0, 2.5, 3.0, 0.0, np.nan], [9.0, 0.0, 2.9, 0.0, np.nan]]
        ),
        threshold=np.zeros(3),
        shadow_max=np.array([2.95, 9.0, 1.0]),
    )
    fixed = rough_fix(outcome, np.array([0, 0, 1, 2, 3]))
    # medians 3.5 and 2.9 against 2.95
    assert fixed.decisions.tolist() == [CONFIRMED, REJECTED, CONFIRMED, REJECTED]


def test_codes_of_categories_are_permuted_as_they_are():
    rng = np.random.default_rng(0)
    X, y = planted(n_noise=4)
    X[:, 5] = np.where(rng.random(300) < 0.1, np.nan, 3 * (1 - y) + rng.integers(0, 2, 300))
    levels = np.zeros(8, dtype=int)
    levels[5] = 6
    outcome = run(X, y, levels=levels)
    assert outcome.decisions[5] == CONFIRMED
