"""Categories and words as codes."""

import numpy as np
import pandas as pd
import pytest

from featprune.table.categories import codes_of, levels_of
from featprune.table.columns import read
from featprune.table.encode import TableEncoder

WORDS = ["ox", None, "elk", "ox", "yak"]


def test_levels_are_sorted_and_codes_are_places_in_them(frame_library):
    table = read(frame_library({"a": [1.0, 2, 3, 4, 5], "word": WORDS}))
    levels = levels_of(table, 1)
    assert levels.tolist() == ["elk", "ox", "yak"]
    assert np.array_equal(codes_of(table, 1, levels), [1, np.nan, 0, 1, 2], equal_nan=True)


def test_levels_do_not_depend_on_the_rows_or_on_unused_categories():
    word = pd.Categorical(WORDS, categories=["zebu", "yak", "ox", "elk"])
    table = read(pd.DataFrame({"word": word}))
    backwards = table.rows(np.arange(5)[::-1])
    assert levels_of(table, 0).tolist() == levels_of(backwards, 0).tolist() == ["elk", "ox", "yak"]


def test_values_of_several_types_are_levels():
    table = read(pd.DataFrame({"mixed": pd.Series(["1", 1, 2, "b", None], dtype=object)}))
    levels = levels_of(table, 0)
    assert levels.tolist() == [1, 2, "1", "b"]
    assert np.array_equal(codes_of(table, 0, levels), [2, 0, 1, 3, np.nan], equal_nan=True)


def test_dates_have_no_levels(frame_library):
    dates = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=4)})
    assert levels_of(read(frame_library(dates)), 0) is None


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "number": [1.0, np.nan, 3.0, 4.0],
            "town": pd.Categorical(["ox", "yak", "ox", None]),
            "word": ["a", "b", "c", "d"],
            "is": [True, False, True, True],
            "day": pd.date_range("2020-01-01", periods=4),
        }
    )


def test_columns_of_few_levels_become_one_feature_of_codes(frame):
    encoder = TableEncoder(
        "auto", standardize=False, random_state=0, most_levels=3, keep_missing=True
    )
    encoded = encoder.fit_transform(read(frame), None, None)
    assert encoded.levels[encoded.owner == 1].tolist() == [2]
    assert (encoded.owner == 2).sum() > 1  # four levels: through the vectorizer
    assert (encoded.owner == 4).sum() > 1
    assert (encoded.levels[encoded.owner != 1] == 0).all()
    assert np.array_equal(
        encoded.values[:, encoded.owner == 1].ravel(), [0, 1, 0, np.nan], equal_nan=True
    )
    # numbers keep their gaps, without a feature that says so
    assert np.array_equal(
        encoded.values[:, encoded.owner == 0].ravel(), frame["number"], equal_nan=True
    )


def test_a_level_that_was_not_there_is_missing(frame):
    encoder = TableEncoder(
        "auto", standardize=False, random_state=0, most_levels=99, keep_missing=True
    )
    encoded = encoder.fit_transform(read(frame.iloc[:3]), None, None)
    after = encoder.transform(read(frame))
    assert after.shape == (4, encoded.values.shape[1])
    assert np.isnan(after[3, encoded.owner == 2]).all()
    assert np.array_equal(after[:3], encoded.values, equal_nan=True)
