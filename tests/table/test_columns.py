import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from featprune.table.columns import quote_some, read

FRAMES = ["pandas", "polars"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series([1, 2]), "number"),
        (pd.Series([1.5, np.nan], dtype="float32"), "number"),
        (pd.Series([True, False]), "number"),
        (pd.Series([1, None], dtype="Int64"), "number"),
        (pd.Series([True, None], dtype="boolean"), "number"),
        (pd.Series([1, 2], dtype="int64[pyarrow]"), "number"),
        (pd.Series([1, None, 2.5], dtype=object), "number"),
        (pd.Series([True, None], dtype=object), "number"),
        (pd.Series(["a", "b"], dtype="category"), "other"),
        (pd.Series(["a", None], dtype="str"), "other"),
        (pd.Series(["a", "b"], dtype="string[pyarrow]"), "other"),
        (pd.Series(["a", 1], dtype=object), "other"),
        (pd.Series([datetime.date(2020, 1, 1), None], dtype=object), "other"),
        (pd.to_datetime(pd.Series(["2020-01-01", None])), "other"),
        (pd.to_timedelta(pd.Series([1, None]), unit="D"), "other"),
        (pd.Series([[1.0, 2.0], [3.0, 4.0]]), "embedding"),
        (pd.Series([np.zeros(3), None], dtype=object), "embedding"),
        (pd.Series([(1, 2), (3, 4)]), "embedding"),
        (pd.Series([[1.0], [2.0]], dtype=pd.ArrowDtype(pa.list_(pa.float32()))), "embedding"),
        (pd.Series([[1.0], [2.0]], dtype=pd.ArrowDtype(pa.list_(pa.float32(), 1))), "embedding"),
        (pl.Series([1, None]), "number"),
        (pl.Series(["1.5", "2"]).cast(pl.Decimal(10, 2)), "number"),
        (pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), "other"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "other"),
        (pl.Series([datetime.date(2020, 1, 1), None]), "other"),
        (pl.Series([[1.0, 2.0], [3.0, 4.0]]), "embedding"),
        (pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)), "embedding"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_each_column_has_its_kind(column, kind):
    frame = (
        pd.DataFrame({"c": column})
        if isinstance(column, pd.Series)
        else pl.DataFrame({"c": column})
    )
    table = read(frame)
    assert table.names == ("c",)
    assert table.kinds == (kind,)


@pytest.mark.parametrize("value", [{"a": 1}, {1, 2}], ids=["dict", "set"])
def test_a_column_that_nothing_encodes_is_refused(value):
    frame = pd.DataFrame({"odd": pd.Series([value, "text"], dtype=object)})
    with pytest.raises(TypeError, match=r"'odd' holds a (dict|set).*Convert or drop the column"):
        read(frame)


def test_a_struct_column_is_refused():
    with pytest.raises(TypeError, match=r"Column 's' is of type Struct"):
        read(pl.DataFrame({"s": [{"a": 1}, {"a": 2}]}))


def test_repeated_names_are_refused():
    frame = pd.DataFrame(np.ones((2, 4)), columns=["a", "b", "a", "b"])
    with pytest.raises(ValueError, match=r"the name 'a', 'b'. Rename them"):
        read(frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, None], "b": pd.array([True, None], "boolean")}),
        pd.DataFrame({"a": [1, None], "b": pd.Series([True, None], dtype=object)}),
        pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [1.0, None]}),
        pl.DataFrame({"a": [1, None], "b": [True, None]}),
    ],
    ids=["nullable", "object", "Int64", "polars"],
)
def test_numbers_are_floats_with_nan_for_missing(frame):
    numbers = read(frame).numbers([0, 1])
    assert numbers.dtype == float
    np.testing.assert_array_equal(numbers, [[1, 1], [np.nan, np.nan]])


def test_columns_are_taken_as_they_are():
    frame = pd.DataFrame(
        {"a": pd.array([1, None], "Int64"), "b": pd.Categorical(["u", "v"]), "c": ["x", "y"]},
        index=[7, 7],
    )
    taken = read(frame).take([2, 0])
    pd.testing.assert_frame_equal(taken, frame[["c", "a"]])
    other = pl.from_pandas(frame)
    assert read(other).take([2, 0]).equals(other[["c", "a"]])


def test_integer_names_are_names_too():
    frame = pd.DataFrame(np.arange(6).reshape(2, 3), columns=[10, 20, 30])
    table = read(frame)
    assert table.names == ("10", "20", "30")
    assert list(table.take([0, 2]).columns) == [10, 30]


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, sparse.csc_matrix])
def test_arrays_have_numbered_columns(container):
    X = np.arange(6.0).reshape(2, 3)
    table = read(container(X))
    assert table.names == ("x0", "x1", "x2")
    taken = table.take([2])
    taken = taken.toarray() if sparse.issparse(taken) else taken
    assert taken.tolist() == [[2], [5]]


def test_an_object_array_of_numbers_stays_an_array():
    X = np.array([[1, 2.5], [None, 4]], dtype=object)
    table = read(X)
    assert table.kinds == ("number", "number")
    assert table.native is X
    np.testing.assert_array_equal(table.numbers([0, 1]), [[1, 2.5], [np.nan, 4]])


def test_an_object_array_may_hold_words():
    table = read(np.array([[1, "a"], [2, "b"]], dtype=object))
    assert table.kinds == ("number", "other")


@pytest.mark.parametrize("library", FRAMES)
def test_rows_keep_kinds_and_types(library):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": pd.Categorical(["u", "v", "u"])}, index=[5, 5, 2])
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    part = read(frame).rows(np.array([2, 0]))
    assert part.n_rows == 2
    assert part.numbers([0]).ravel().tolist() == [3, 1]
    assert [str(d) for d in part.native.dtypes] == [str(d) for d in frame.dtypes]
    if library == "pandas":
        assert part.native.index.tolist() == [2, 5]


def test_names_are_quoted_up_to_five():
    assert quote_some(["a"]) == "'a'"
    assert quote_some(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more"


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match=r"'c' holds complex numbers. Split it"):
        read(pd.DataFrame({"c": [1j, 2j]}))


def test_pandas_sparse_columns_are_numbers():
    table = read(pd.DataFrame({"c": pd.arrays.SparseArray([0.0, 1.0])}))
    assert table.kinds == ("number",)
    assert table.numbers([0]).ravel().tolist() == [0, 1]


@pytest.mark.parametrize("name", ["v", "self", "exprs", 7], ids=repr)
def test_a_shortened_column_takes_the_place_of_its_own(name):
    frame = pd.DataFrame({"a": [1, 2], name: [[1.0, 2.0], [3.0, 4.0]]}, index=[5, 5])
    mask = {1: np.array([False, True])}
    taken = read(frame).take([1, 0], mask)
    assert list(taken.columns) == [name, "a"]
    assert taken[name].tolist() == [[2.0], [4.0]]
    assert taken.index.equals(frame.index)
    assert frame[name].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    if isinstance(name, str):
        other = read(pl.from_pandas(frame)).take([1, 0], mask)
        assert other.columns == [name, "a"]
        assert other[name].to_list() == [[2.0], [4.0]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, pd.NA, 2.5], "number"),
        ([True, pd.NA, False], "number"),
        ([np.ones(2), pd.NA, np.ones(2)], "embedding"),
        (["a", pd.NA, "b"], "other"),
        ([pd.Timestamp("2020-01-01"), pd.NaT, pd.NaT], "other"),
        ([datetime.time(1), b"x", None], "other"),
    ],
    ids=["numbers", "booleans", "vectors", "words", "times", "mixed"],
)
def test_objects_are_known_by_those_that_are_not_missing(values, kind):
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    table = read(frame)
    assert table.kinds == (kind,)
    if kind == "number":
        expected = [[np.nan if v is pd.NA else v] for v in values]
        np.testing.assert_array_equal(table.numbers([0]), np.array(expected, dtype=float))


def test_an_object_array_may_have_pandas_na():
    table = read(np.array([[1, 2.5], [pd.NA, 4]], dtype=object))
    np.testing.assert_array_equal(table.numbers([0, 1]), [[1, 2.5], [np.nan, 4]])


def test_numbers_of_several_types_stand_side_by_side():
    frame = pd.DataFrame(
        {
            "object": pd.Series([1, pd.NA], dtype=object),
            "Int64": pd.array([2, None], dtype="Int64"),
            "arrow": pd.Series([True, None], dtype=pd.ArrowDtype(pa.bool_())),
            "decimal": pd.Series([4, None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
            "float16": np.array([5, np.nan], dtype="float16"),
        }
    )
    table = read(frame)
    assert set(table.kinds) == {"number"}
    np.testing.assert_array_equal(table.numbers(range(5)), [[1, 2, 1, 4, 5], [np.nan] * 5])
    np.testing.assert_array_equal(table.numbers([4, 1]), [[5, 2], [np.nan] * 2])


@pytest.mark.parametrize(
    ("values", "what"),
    [([1, 2.5, None], "numbers"), ([np.ones(2)] * 3, "embeddings")],
    ids=["numbers", "vectors"],
)
def test_objects_of_polars_are_refused_where_polars_has_a_type(values, what):
    frame = pl.DataFrame({"c": pl.Series(values, dtype=pl.Object)})
    with pytest.raises(TypeError, match=rf"'c' is of polars' type Object.*holds {what}. Cast it"):
        read(frame)


ODD = pd.DataFrame(
    {
        "cat": pd.Categorical(["u", None, "v"], categories=["z", "u", "v"]),
        "day": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        "span": pd.to_timedelta([1, None, 2], unit="D"),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "word": pd.array(["a", None, "b"], dtype="string[pyarrow]"),
        "vector": pd.Series([[1.0], None, [2.0]], dtype=pd.ArrowDtype(pa.list_(pa.float32(), 1))),
        "none": pd.Series([None] * 3, dtype=object),
    },
    index=pd.Index([4, 4, -1], name="key"),
)


def test_rows_and_columns_keep_odd_types_and_the_table_is_not_changed():
    before = ODD.copy(deep=True)
    table = read(ODD)
    pd.testing.assert_frame_equal(table.rows(np.array([2, 1, 1])).native, ODD.iloc[[2, 1, 1]])
    pd.testing.assert_frame_equal(table.rows(np.array([], dtype=int)).native, ODD.iloc[:0])
    pd.testing.assert_frame_equal(table.take(range(7)), ODD)
    pd.testing.assert_frame_equal(ODD, before)
    columns = {
        "dec": pl.Series([1, None, 2], dtype=pl.Decimal(5, 2)),
        "enum": pl.Series(["u", None, "v"], dtype=pl.Enum(["u", "v", "w"])),
        "span": [datetime.timedelta(1), None, datetime.timedelta(2)],
        "time": [datetime.time(1), None, datetime.time(2)],
        "array": pl.Series([[1.0], None, [2.0]], dtype=pl.Array(pl.Float32, 1)),
        "null": [None] * 3,
    }
    frame = pl.DataFrame(columns)
    table = read(frame)
    assert table.rows(np.array([2, 1, 1])).native.equals(frame[[2, 1, 1]])
    assert table.rows(np.array([2])).native.schema == frame.schema
    assert table.take([5, 0]).schema == frame.select("null", "dec").schema


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, sparse.csc_array])
def test_rows_of_arrays_are_those_that_were_asked_for(container):
    X = np.arange(6.0).reshape(3, 2)
    part = read(container(X)).rows(np.array([2, 0, 2])).native
    part = part.toarray() if sparse.issparse(part) else part
    assert part.tolist() == X[[2, 0, 2]].tolist()


def test_numbers_come_in_the_order_in_which_they_are_asked_for():
    X = np.arange(6).reshape(2, 3)
    assert read(X).numbers([2, 0, 1]).tolist() == [[2, 0, 1], [5, 3, 4]]
    assert read(X).numbers(range(3)).tolist() == X.tolist()
