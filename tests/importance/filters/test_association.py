"""Associations against the formulas as they are written, by loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, kruskal, rankdata
from sklearn.feature_selection import f_classif, f_regression

from featprune.importance.filters.association import (
    COPY,
    Columns,
    associations,
    make_block,
    target_block,
)
from featprune.importance.filters.categories import (
    Category,
    correlation_ratios,
    cramers_v,
    spread_of_levels,
)
from featprune.importance.filters.likeness import likeness
from featprune.importance.filters.numbers import correlations, ranks, standardise
from featprune.importance.filters.relevance import f_of_classes, f_of_regression
from featprune.table.comparable import CATEGORY, NUMBER, OPAQUE


def ready(X, weight=None, by_rank=False):
    return standardise(np.array(X.T, order="C"), weight, by_rank=by_rank)


def columns_of(X):
    p = X.shape[1]
    return Columns(np.full(p, NUMBER), lambda idx: X[:, idx], {}, np.full(p, -1), len(X))


def table(n=60, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 1] += 2 * X[:, 0]
    X[:, 2] = np.exp(X[:, 2])
    return X


def with_holes(X, seed=1):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < 0.2] = np.nan
    return X


def levels(n=60, k=3, seed=2):
    return np.random.default_rng(seed).integers(0, k, n)


def weights(n=60, seed=3):
    return np.random.default_rng(seed).integers(1, 4, n).astype(float)


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
def test_correlations_are_those_of_pandas(holes):
    X = with_holes(table()) if holes else table()
    found = correlations(ready(X), ready(X))
    np.testing.assert_allclose(found, pd.DataFrame(X).corr().abs(), rtol=1e-10)


def test_correlations_between_complete_columns_and_such_with_holes():
    X, holed = table(), with_holes(table(seed=5))
    both = pd.DataFrame(np.hstack([X, holed])).corr().abs().to_numpy()
    np.testing.assert_allclose(correlations(ready(X), ready(holed)), both[:5, 5:], rtol=1e-10)
    np.testing.assert_allclose(correlations(ready(holed), ready(X)), both[5:, :5], rtol=1e-10)


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("by_rank", [False, True], ids=["values", "ranks"])
def test_a_weight_of_two_is_a_row_twice(holes, by_rank):
    X, weight = with_holes(table()) if holes else table(), weights()
    X = np.round(X, 1)  # some are equal
    twice = np.repeat(X, weight.astype(int), axis=0)
    found = correlations(ready(X, weight, by_rank), ready(X, weight, by_rank))
    expected = correlations(ready(twice, None, by_rank), ready(twice, None, by_rank))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_ranks_are_the_mean_of_equal_ones():
    X = np.round(table(), 0)
    expected = np.apply_along_axis(rankdata, 0, X) - 0.5
    np.testing.assert_allclose(ranks(np.ascontiguousarray(X.T), None).T, expected)


def test_spearman_is_that_of_pandas_where_nothing_is_missing():
    X = np.round(table(), 1)
    found = correlations(ready(X, by_rank=True), ready(X, by_rank=True))
    np.testing.assert_allclose(found, pd.DataFrame(X).corr("spearman").abs(), rtol=1e-10)


@pytest.mark.parametrize(
    "column",
    [np.full(60, 0.1), np.full(60, 1e9 / 3), np.where(np.arange(60) < 59, 7.0, np.nan)],
    ids=["constant", "large constant", "constant where it is there"],
)
def test_what_does_not_vary_is_like_nothing(column):
    X = table()
    assert (correlations(ready(column[:, None]), ready(X)) == 0).all()


def test_numbers_at_the_ends_of_the_range_are_compared():
    X = table()
    scaled = X * [1e200, 1e-200, 1e-170, 1.0, 1e150]
    np.testing.assert_allclose(
        correlations(ready(scaled), ready(scaled)), correlations(ready(X), ready(X)), rtol=1e-9
    )


def test_rows_without_a_common_value_make_no_correlation():
    column = np.arange(60.0)
    first, second = np.where(column < 30, column, np.nan), np.where(column < 30, np.nan, column)
    assert correlations(ready(first[:, None]), ready(second[:, None])).tolist() == [[0.0]]


def test_single_precision_is_close_over_many_rows():
    X = table(150_000, 4)
    block = make_block(columns_of(X), np.arange(4), np.float32)
    assert block.numbers[0][1].values.dtype == np.float32
    found = associations(block, block, None)
    np.testing.assert_allclose(found, correlations(ready(X), ready(X)), atol=2e-6)


def slow_v(a, b):
    """Cramér's V as Bergsma writes it."""
    observed = pd.crosstab(a, b).to_numpy()
    n, (r, c) = observed.sum(), observed.shape
    phi2 = chi2_contingency(observed, correction=False).statistic / n
    phi2 = max(0, phi2 - (r - 1) * (c - 1) / (n - 1))
    r, c = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    return np.sqrt(phi2 / min(r - 1, c - 1))


def category(codes):
    return Category(codes, int(codes.max()) + 1)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_cramers_v_is_bergsmas(k):
    a, b = levels(), levels(k=k, seed=4)
    b = np.where(np.random.default_rng(5).random(60) < 0.5, a % k, b)
    found = cramers_v(category(a), category(b), None)
    assert found == pytest.approx(slow_v(a, b), rel=1e-10)
    assert found == pytest.approx(cramers_v(category(b), category(a), None), rel=1e-12)


def test_what_is_missing_is_a_level_in_cramers_v():
    a, b = levels(), levels(k=4, seed=4)
    a[:9], b[5:20] = -1, -1
    b[30:] = a[30:]
    found = cramers_v(Category(a, 3), Category(b, 4), None)
    assert found == pytest.approx(slow_v(a, b), rel=1e-10)


def test_cramers_v_of_weights_is_that_of_repeated_rows():
    a, b, weight = levels(), levels(k=4, seed=4), weights()
    b[30:] = a[30:]
    twice = weight.astype(int)
    expected = slow_v(np.repeat(a, twice), np.repeat(b, twice))
    assert cramers_v(category(a), category(b), weight) == pytest.approx(expected, rel=1e-10)


def test_many_levels_are_counted_as_few_are(monkeypatch):
    a, b = levels(k=9), levels(k=8, seed=4)
    few = cramers_v(category(a), category(b), None)
    monkeypatch.setattr("featprune.importance.filters.categories._CELLS_PER_ROW", 0)
    assert cramers_v(category(a), category(b), None) == pytest.approx(few, rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (levels(), levels(), 1.0),
        (levels(), (levels() + 1) % 3, 1.0),
        (np.arange(60), levels(), 0.0),
        (np.arange(60), np.arange(60), 0.0),
        (np.zeros(60, dtype=int), levels(), 0.0),
        (np.full(60, -1), levels(), 0.0),
    ],
    ids=["itself", "renamed", "one level a row", "twice that", "one level", "none"],
)
def test_cramers_v_at_its_ends(a, b, expected):
    found = cramers_v(Category(a, max(int(a.max()) + 1, 1)), category(b), None)
    assert found == pytest.approx(expected, abs=1e-12)


def slow_ratio(codes, x):
    """The root of epsilon squared, from sums of squares."""
    there = ~np.isnan(x)
    codes, x = codes[there], x[there]
    parts = [x[codes == level] for level in np.unique(codes)]
    within = sum(((part - part.mean()) ** 2).sum() for part in parts)
    whole = ((x - x.mean()) ** 2).sum()
    mean_within = within / (len(x) - len(parts))
    return np.sqrt(max(0, (whole - within - (len(parts) - 1) * mean_within) / whole))


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("gaps", [False, True], ids=["all levels", "missing levels"])
def test_the_correlation_ratio_is_the_root_of_epsilon_squared(holes, gaps):
    codes, X = levels(), table()
    X[:, 3] += codes
    X[:, 4] += 10 * codes
    X = with_holes(X) if holes else X
    if gaps:
        codes[::7] = -1
    found = correlation_ratios(Category(codes, 3), ready(X))
    np.testing.assert_allclose(found, [slow_ratio(codes, x) for x in X.T], rtol=1e-9, atol=1e-12)


def test_the_correlation_ratio_of_ranks_is_that_of_kruskal_and_wallis():
    codes, X = levels(), table()
    X[:, 0] += codes
    h = kruskal(*(X[codes == level, 0] for level in range(3))).statistic
    eta2 = h / 59
    expected = np.sqrt(1 - (1 - eta2) * 59 / 57)
    assert correlation_ratios(category(codes), ready(X, by_rank=True))[0] == pytest.approx(expected)


def test_the_correlation_ratio_of_weights_is_that_of_repeated_rows():
    codes, X, weight = levels(), with_holes(table()), weights()
    X[:, 0] += codes
    twice = weight.astype(int)
    found = correlation_ratios(category(codes), ready(X, weight))
    expected = correlation_ratios(
        category(np.repeat(codes, twice)), ready(np.repeat(X, twice, axis=0))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_a_level_a_row_explains_nothing():
    assert (correlation_ratios(category(np.arange(60)), ready(table())) == 0).all()


def test_f_statistics_are_those_of_scikit_learn():
    X, codes = table(), levels()
    X[:, 0] += codes
    spread = spread_of_levels(category(codes), ready(X))
    np.testing.assert_allclose(f_of_classes(spread), f_classif(X, codes)[0], rtol=1e-9)
    y = X[:, 0] + X[:, 3]
    found = f_of_regression(*likeness(X, None).with_numbers(y))
    np.testing.assert_allclose(found, f_regression(X, y)[0], rtol=1e-9)


def test_f_statistics_are_of_the_rows_that_are_there():
    X, codes = with_holes(table()), levels()
    y = np.nan_to_num(X[:, 0]) + np.arange(60)
    X[codes == 2, 1] = np.nan
    by_class = f_of_classes(likeness(X, None).with_classes(category(codes)))
    by_number = f_of_regression(*likeness(X, None).with_numbers(y))
    for j, x in enumerate(X.T):
        there = ~np.isnan(x)
        one = x[there, None]
        assert by_class[j] == pytest.approx(f_classif(one, codes[there])[0][0], rel=1e-9)
        assert by_number[j] == pytest.approx(f_regression(one, y[there])[0][0], rel=1e-9)


def test_f_is_infinite_without_spread_inside_and_zero_without_any():
    codes = levels()
    X = np.column_stack(
        [codes * 1.1, np.full(60, 0.3), np.where(codes == 0, np.arange(60), np.nan)]
    )
    found = f_of_classes(spread_of_levels(category(codes), ready(X[:, :2])))
    assert found.tolist() == [np.inf, 0.0]
    assert f_of_classes(spread_of_levels(category(codes), ready(X[:, 2:]))).tolist() == [0.0]


def mixed():
    X, a, b = with_holes(table()), levels(), levels(k=4, seed=4)
    X[:, 0] += a
    X[:, 3:] = table(seed=9)[:, 3:]
    values = {0: X[:, 0], 1: X[:, 3], 3: X[:, 1], 6: X[:, 4]}
    categories = {
        2: category(a),
        4: category(b),
        5: category(a),
        7: category(np.arange(60)),
        8: category(np.arange(60)),
    }
    kinds = np.array([NUMBER] * 9)
    kinds[[2, 4, 5]], kinds[[7, 8]] = CATEGORY, OPAQUE
    copies = np.array([-1, -1, 0, -1, 1, 0, -1, 2, 2])
    return Columns(kinds, lambda idx: np.stack([values[i] for i in idx], 1), categories, copies, 60)


def test_columns_of_all_kinds_are_compared_each_in_its_way():
    columns = mixed()
    idx = np.array([4, 0, 7, 1, 2, 8, 3, 5, 6])
    block = make_block(columns, idx)
    found = associations(block, block, None)
    assert np.allclose(found, found.T)
    for i, one in enumerate(idx):
        for j, other in enumerate(idx):
            kinds = columns.kinds[[one, other]]
            if one != other and columns.copies[one] == columns.copies[other] >= 0:
                expected = COPY
            elif one == other:
                continue
            elif (kinds == NUMBER).all():
                pair = columns.load(np.array([one, other]))
                expected = abs(pd.DataFrame(pair).corr().to_numpy()[0, 1])
            elif OPAQUE in kinds:
                expected = 0.0
            elif (kinds == CATEGORY).all():
                expected = slow_v(*(columns.categories[k].codes for k in (one, other)))
            else:
                number, level = (one, other) if kinds[0] == NUMBER else (other, one)
                codes = columns.categories[level].codes
                expected = slow_ratio(codes, columns.load(np.array([number]))[:, 0])
            assert found[i, j] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_part_of_a_block_is_compared_as_in_the_whole():
    columns = mixed()
    idx = np.array([4, 0, 7, 1, 2, 8, 3, 5, 6])
    block, some = make_block(columns, idx), np.array([1, 2, 4, 7])
    whole = associations(block, block, None)
    part = block.take(some)
    assert len(part) == 4
    np.testing.assert_allclose(associations(part, block, None), whole[some], rtol=1e-12)
    np.testing.assert_allclose(associations(block, part, None), whole[:, some], rtol=1e-12)


@pytest.mark.parametrize("is_number", [True, False], ids=["numbers", "classes"])
def test_a_target_is_a_column_of_its_kind(is_number):
    X, y = table(), levels()
    block = make_block(columns_of(X), np.arange(5))
    found = associations(block, target_block(y, is_number, None, by_rank=False), None)[:, 0]
    if is_number:
        expected = [abs(np.corrcoef(x, y)[0, 1]) for x in X.T]
    else:
        expected = [slow_ratio(y, x) for x in X.T]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
