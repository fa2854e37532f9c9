"""Columns of vectors side by side."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featprune import SVMRFE
from featprune.extract import ToMatrix

RNG = np.random.default_rng(0)
A, B, AGE = RNG.normal(size=(40, 3)), RNG.normal(size=(40, 2)), np.arange(40.0)


def frame(library="pandas"):
    columns = {"a": list(A), "age": AGE, "b": list(B)}
    return pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_stand_in_their_order(library):
    matrix = ToMatrix().fit(frame(library))
    assert np.array_equal(matrix.transform(frame(library)), np.column_stack([A, AGE, B]))
    assert matrix.get_feature_names_out().tolist() == [
        "a[0]",
        "a[1]",
        "a[2]",
        "age",
        "b[0]",
        "b[1]",
    ]
    assert matrix.widths_ == {"a": 3, "age": 1, "b": 2}
    assert matrix.n_features_in_ == 3


def test_a_missing_vector_is_a_row_of_nan():
    gaps = frame()
    gaps.at[1, "a"] = None
    found = ToMatrix().fit_transform(gaps)
    assert np.isnan(found[1]).tolist() == [True] * 3 + [False] * 3
    assert not np.isnan(found[[0, 2]]).any()


def test_it_stands_behind_a_selector_and_before_a_model():
    y = A[:, 0] + B[:, 1] > 0
    selector = SVMRFE(n_features_to_select=2, embeddings="dimensions")
    pipe = make_pipeline(selector, ToMatrix(), LogisticRegression()).fit(frame(), y)
    assert pipe[-1].n_features_in_ == 2
    assert pipe.score(frame(), y) > 0.8
    assert clone(pipe).fit(frame("polars"), y)[-1].n_features_in_ == 2


def test_set_output_names_the_columns():
    found = ToMatrix().set_output(transform="pandas").fit_transform(frame())
    assert list(found) == ["a[0]", "a[1]", "a[2]", "age", "b[0]", "b[1]"]


def test_what_is_no_frame_of_vectors_is_refused():
    with pytest.raises(TypeError, match="Got ndarray instead: an array is a matrix already"):
        ToMatrix().fit(A)
    with pytest.raises(ValueError, match=r"'word' is neither. Encode or drop"):
        ToMatrix().fit(frame().assign(word="a"))
    with pytest.raises(ValueError, match=r"'b' has vectors of length 3, and had 2"):
        ToMatrix().fit(frame()).transform(frame().assign(b=list(A)))
    with pytest.raises(ValueError, match="feature names should match"):
        ToMatrix().fit(frame()).transform(frame()[["a", "age"]])
