"""The report on neighbours: what it reads of a table, a mask or a selector, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featprune import SVMRFE
from featprune.importance.neighbours import preserved
from featprune.report import neighbourhood_preservation

SVM = LinearSVC(dual=False)


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) * [1, 10, 0.1, 3, 1]
    return X, (X[:, 1] > 0).astype(int)


def test_the_mask_and_each_dropped_column_are_measured_on_scaled_columns(numbers):
    X, _ = numbers
    support = np.array([True, False, True, False, True])
    found = neighbourhood_preservation(X, support, n_neighbors=6)
    scaled = StandardScaler().fit_transform(X)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(scaled, scaled[:, support], n_neighbors=6), abs=1e-12
    )
    assert found.recall == preserved(scaled, scaled[:, support], 6, "euclidean")[1]
    assert found.columns.index.tolist() == ["x1", "x3"]
    for i, row in zip([1, 3], found.columns.itertuples(), strict=True):
        expected = preserved(scaled, np.delete(scaled, i, axis=1), 6, "euclidean")
        assert (row.trustworthiness, row.recall) == pytest.approx(expected, abs=1e-12)
    assert found.n_rows == 80


def test_without_scaling_the_largest_column_decides(numbers):
    X, _ = numbers
    only = [False, True, False, False, False]
    raw = neighbourhood_preservation(X, only, standardize=False)
    assert raw.recall > 2 * neighbourhood_preservation(X, only).recall
    assert raw.trustworthiness > 0.9


def test_nothing_dropped_is_one_and_has_no_columns(numbers):
    found = neighbourhood_preservation(numbers[0], np.ones(5, dtype=bool))
    assert (found.trustworthiness, found.recall) == (1, 1)
    assert found.columns.shape == (0, 2)
    assert found.columns.index.name == "column"
    alone = neighbourhood_preservation(numbers[0], [True] * 5, per_column=False)
    assert alone.columns is None


def test_a_column_that_matters_more_is_missed_more():
    rng = np.random.default_rng(0)
    twins = rng.normal(size=(200, 1)) + 0.01 * rng.normal(size=(200, 3))
    X = np.column_stack([twins, rng.normal(size=200)])
    columns = neighbourhood_preservation(X, [True, False, False, False]).columns
    assert columns["recall"].idxmin() == "x3"  # of the twins another one is there


def mixed():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 2
    return pd.DataFrame(
        {
            "age": np.where(rng.random(90) < 0.1, np.nan, rng.normal(size=90) + y),
            "town": np.array(["ox", "yak", "elk"])[rng.integers(0, 3, 90)],
            "vector": list(rng.normal(size=(90, 4)) + y[:, None]),
            "noise": rng.normal(size=90),
        }
    ), y


def test_a_frame_with_words_gaps_and_vectors(frame_library):
    pandas, _ = mixed()
    frame = pandas
    if frame_library is not pd.DataFrame:
        frame = frame_library({name: pandas[name].to_list() for name in pandas})
    found = neighbourhood_preservation(frame, [True, False, False, True])
    assert found.columns.index.tolist() == ["town", "vector"]
    assert 0 < found.recall < 1
    same = neighbourhood_preservation(pandas, [True, False, False, True])
    assert found.recall == same.recall


@pytest.mark.parametrize("reorder", [False, True], ids=["as fitted", "in another order"])
def test_a_selector_says_which_dimensions_stay(reorder):
    frame, y = mixed()
    selector = SVMRFE(SVM, n_features_to_select=3, embeddings="dimensions").fit(frame, y)
    mask = selector.embedding_support_["vector"]
    assert 0 < mask.sum() < 4
    shown = frame[frame.columns[::-1]] if reorder else frame
    found = neighbourhood_preservation(shown, selector)
    gone = [f"vector[{k}]" for k in np.flatnonzero(~mask)]
    gone += [n for n, kept in zip(frame.columns, selector.support_, strict=True) if not kept]
    assert sorted(found.columns.index) == sorted(gone)


def test_a_selector_that_keeps_vectors_whole_has_them_as_one():
    frame, y = mixed()
    selector = SVMRFE(SVM, n_features_to_select=1).fit(frame, y)
    found = neighbourhood_preservation(frame, selector)
    kept = selector.get_feature_names_out()[0]
    assert found.columns.index.tolist() == [name for name in frame if name != kept]


def test_scikit_learns_selectors_are_taken(numbers):
    X, y = numbers
    selector = SelectKBest(k=2).fit(X, y)
    found = neighbourhood_preservation(X, selector)
    assert found.recall == neighbourhood_preservation(X, selector.get_support()).recall


def test_sparse_is_as_dense(numbers):
    X = np.where(np.abs(numbers[0]) < 0.5, 0, numbers[0])
    support = np.arange(5) < 3
    dense = neighbourhood_preservation(X, support)
    found = neighbourhood_preservation(sparse.csr_array(X), support)
    assert found.recall == dense.recall  # moving all rows changes no distance
    assert found.columns.equals(dense.columns)


def test_of_many_rows_some_are_drawn_by_the_seed(numbers):
    X, _ = numbers
    support = np.arange(5) < 3
    options = dict(max_rows=50, n_neighbors=5)
    first = neighbourhood_preservation(X, support, **options, random_state=1)
    again = neighbourhood_preservation(X, support, **options, random_state=1)
    other = neighbourhood_preservation(X, support, **options, random_state=2)
    assert first.n_rows == 50
    assert first.recall == again.recall
    assert first.columns.equals(again.columns)
    assert first.recall != other.recall


BAD = {
    "mask of numbers": (dict(support=[1, 0, 1, 1, 1]), TypeError, "a mask of bool.*Got int64"),
    "short mask": (dict(support=[True, False]), ValueError, r"each of the 5 columns.*\(2,\)"),
    "empty mask": (dict(support=[False] * 5), ValueError, "keeps none of the 5 columns"),
    "metric": (dict(metric="manhattan"), ValueError, "must be 'euclidean' or 'cosine'"),
    "no neighbours": (dict(n_neighbors=0), ValueError, "must be an int >= 1. Got 0"),
    "half of the rows": (dict(n_neighbors=40), ValueError, "less than half of the 80 rows. Got 40"),
    "flag": (dict(per_column=1), ValueError, "must be True or False. Got 1"),
    "too few rows": (dict(max_rows=2), ValueError, "'max_rows'.*an int >= 3"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_said(change, error, message, numbers):
    arguments = dict(support=np.arange(5) < 3) | change
    with pytest.raises(error, match=message):
        neighbourhood_preservation(numbers[0], **arguments)


def test_a_selector_of_other_columns_or_vectors_is_refused():
    frame, y = mixed()
    selector = SVMRFE(SVM, n_features_to_select=3, embeddings="dimensions").fit(frame, y)
    with pytest.raises(ValueError, match=r"was fitted on the columns 'age'.*Pass the table"):
        neighbourhood_preservation(frame.drop(columns="noise"), selector)
    longer = frame.assign(vector=list(np.random.default_rng(0).normal(size=(90, 6))))
    with pytest.raises(ValueError, match=r"'vector' has vectors of length 6, and had 4 in fit"):
        neighbourhood_preservation(longer, selector)
    with pytest.raises(ValueError, match="not fitted"):
        neighbourhood_preservation(frame, VarianceThreshold())
