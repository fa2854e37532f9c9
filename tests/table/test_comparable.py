"""Tables of all kinds made comparable."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from featprune.table.columns import read
from featprune.table.comparable import CATEGORY, NUMBER, OPAQUE, make_comparable


def frame():
    return pd.DataFrame(
        {
            "age": [1.5, np.nan, 3.0, 4.0],
            "member": [True, False, True, True],
            "town": pd.Categorical(["ox", "yak", None, "ox"]),
            "since": pd.to_datetime(
                ["1970-01-02", None, "1970-01-01 00:00:01.5", "1969-12-31"], format="ISO8601"
            ),
            "word": ["b", "a", None, "b"],
            "vector": [[1.0, 2.0], [3.0, 4.0], None, [1.0, 2.0]],
            "lasts": pd.to_timedelta([1, 2, None, 60], unit="s"),
            "copy": pd.Series(["ox", "yak", None, "ox"], dtype=object),
            "visits": pd.array([1, 2, None, 4], dtype="Int64"),
        }
    )


def whole(table):
    return make_comparable(table, np.zeros(len(table.names), dtype=int))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_each_column_is_compared_by_its_kind(library):
    table = frame() if library == "pandas" else pl.from_pandas(frame())
    found = whole(read(table))
    kinds = dict.fromkeys(range(9), NUMBER) | {2: CATEGORY, 4: CATEGORY, 5: OPAQUE, 7: CATEGORY}
    assert found.kinds.tolist() == list(kinds.values())
    assert found.owner.tolist() == list(range(9))
    numbers = found.load(np.array([8, 0, 3, 6, 1]))
    expected = [
        [1.0, 1.5, 86400.0, 1.0, 1.0],
        [2.0, np.nan, np.nan, 2.0, 0.0],
        [np.nan, 3.0, 1.5, np.nan, 1.0],
        [4.0, 4.0, -86400.0, 60.0, 1.0],
    ]
    np.testing.assert_array_equal(numbers, expected)
    assert found.codes[4][0].tolist() == [1, 0, -1, 1]
    assert found.codes[5][0].tolist() == [0, 1, -1, 0]
    assert {i: n for i, (_, n) in found.codes.items()} == {2: 2, 4: 2, 5: 2, 7: 2}


def test_equal_values_are_copies_whatever_their_type():
    found = whole(read(frame().assign(other=["x", "y", None, "x"])))
    assert found.copies[2] == found.copies[7] >= 0
    others = found.copies[[2, 4, 5, 9]]
    assert len(set(others.tolist())) == 4
    assert (found.copies[found.kinds == NUMBER] == -1).all()


@pytest.mark.parametrize(
    "dates",
    [
        pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"]), dtype="datetime64[s]"),
        pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"])).dt.tz_localize("UTC"),
        pl.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)]),
        pd.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)]).astype(
            "date32[pyarrow]"
        ),
        pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"])).astype(
            "timestamp[ns][pyarrow]"
        ),
    ],
    ids=["seconds", "time zone", "polars dates", "Arrow dates", "Arrow times"],
)
def test_dates_are_seconds_since_1970(dates):
    make = pl.DataFrame if isinstance(dates, pl.Series) else pd.DataFrame
    found = whole(read(make({"at": dates})))
    assert found.kinds.tolist() == [NUMBER]
    start = 1577836800.0
    np.testing.assert_array_equal(found.load(np.array([0]))[:, 0], [start, np.nan, start + 86400])


def test_dimensions_are_numbers():
    table = read(frame()[["age", "vector", "town"]])
    found = make_comparable(table, np.array([0, 2, 0]))
    assert found.owner.tolist() == [0, 1, 1, 2]
    assert found.kinds.tolist() == [NUMBER, NUMBER, NUMBER, CATEGORY]
    numbers = found.load(np.array([2, 0, 1]))
    np.testing.assert_array_equal(numbers[:, 0], [2.0, 4.0, np.nan, 2.0])
    np.testing.assert_array_equal(numbers[:, 1], [1.5, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(numbers[:, 2], [1.0, 3.0, np.nan, 1.0])


@pytest.mark.parametrize(
    "make", [np.asarray, sparse.csr_array, sparse.coo_matrix, pd.DataFrame, pl.DataFrame]
)
@pytest.mark.parametrize("idx", [[0, 1, 2], [2, 0, 1], [2, 1], [1]], ids=str)
def test_numbers_come_in_the_order_asked_for_and_may_be_overwritten(make, idx):
    X = np.arange(12.0).reshape(4, 3)
    native = make(X.copy())
    table = read(native.tocsr() if sparse.issparse(native) else native)
    found = whole(table)
    loaded = found.load(np.array(idx))
    assert loaded.dtype == float
    np.testing.assert_array_equal(loaded, X[:, idx])
    loaded[:] = -1
    np.testing.assert_array_equal(found.load(np.array(idx)), X[:, idx])


def test_two_zeros_are_one():
    found = whole(read(pd.DataFrame({"v": [[0.0, 1.0], [-0.0, 1.0]]})))
    assert found.codes[0][0].tolist() == [0, 0]
