from collections import namedtuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from featprune.table import embedding

VECTORS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], None, [7.0, 8.0, 9.0]]
MATRIX = np.array([[1, 2, 3], [4, 5, 6], [np.nan] * 3, [7, 8, 9]], dtype=float)


def arrow(dtype):
    return pd.Series(VECTORS, dtype=pd.ArrowDtype(dtype), index=[9, 9, 3, 1], name="v")


COLUMNS = {
    "pandas lists": pd.Series(VECTORS, name="v"),
    "pandas tuples": pd.Series([v if v is None else tuple(v) for v in VECTORS], name="v"),
    "pandas arrays": pd.Series([v if v is None else np.array(v, "float32") for v in VECTORS]),
    "pandas whole numbers": pd.Series([v if v is None else np.array(v, "int16") for v in VECTORS]),
    "pandas types mixed": pd.Series(
        [v if v is None else np.array(v, t) for v, t in zip(VECTORS, "fdef", strict=True)]
    ),
    "pandas NaN": pd.Series([np.nan if v is None else np.array(v) for v in VECTORS], dtype=object),
    "arrow list": arrow(pa.list_(pa.float32())),
    "arrow large list": arrow(pa.large_list(pa.float64())),
    "arrow fixed": arrow(pa.list_(pa.float32(), 3)),
    "polars list": pl.Series("v", VECTORS),
    "polars array": pl.Series("v", VECTORS, dtype=pl.Array(pl.Float32, 3)),
    "polars ints": pl.Series("v", [None if v is None else list(map(int, v)) for v in VECTORS]),
}
every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())


@every_column
def test_vectors_become_rows_and_missing_ones_nan(column):
    np.testing.assert_array_equal(embedding.to_matrix(column, "v"), MATRIX)
    assert embedding.width(column, "v") == 3


@every_column
def test_a_shorter_column_is_of_the_same_type(column):
    mask = np.array([True, False, True])
    short = embedding.shorten(column, mask, "v")
    assert type(short) is type(column)
    assert len(short) == 4
    np.testing.assert_array_equal(embedding.to_matrix(short, "v"), MATRIX[:, mask])
    if isinstance(column, pd.Series):
        assert short.index.equals(column.index)
        assert short.name == column.name
    if column.dtype == object:
        assert [type(v) for v in short] == [type(v) for v in column]
        if isinstance(column[0], np.ndarray):
            assert short[0].dtype == column[0].dtype
    elif "fixed" in str(column.dtype):
        assert str(column.dtype).replace("[3]", "[2]") == str(short.dtype)
    elif isinstance(column.dtype, pl.Array):
        assert short.dtype == pl.Array(pl.Float32, 2)
    else:
        assert short.dtype == column.dtype


@every_column
def test_a_slice_of_a_column_is_its_own_rows(column):
    part = column[1:4] if isinstance(column, pl.Series) else column.iloc[1:4]
    np.testing.assert_array_equal(embedding.to_matrix(part, "v"), MATRIX[1:4])
    short = embedding.shorten(part, np.array([False, True, True]), "v")
    np.testing.assert_array_equal(embedding.to_matrix(short, "v"), MATRIX[1:4, 1:])


def test_chunks_are_one_column():
    column = pl.concat([pl.Series("v", VECTORS[:2]), pl.Series("v", VECTORS[2:])], rechunk=False)
    np.testing.assert_array_equal(embedding.to_matrix(column, "v"), MATRIX)


@pytest.mark.parametrize("container", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_ragged_vectors_are_refused(container):
    column = container([[1.0, 2.0], [1.0], [1.0, 2.0, 3.0]])
    with pytest.raises(
        ValueError, match=r"'v' must hold vectors of one length. Got lengths 1 to 3"
    ):
        embedding.to_matrix(column, "v")


@pytest.mark.parametrize(
    "column",
    [pl.Series([["a"], ["b"]]), pd.Series([["a"], ["b"]]), pd.Series([[1.0], ["b"]])],
    ids=["polars words", "pandas words", "mixed"],
)
def test_vectors_of_something_else_than_numbers_are_refused(column):
    with pytest.raises(TypeError, match=r"'v' must hold vectors of numbers"):
        embedding.to_matrix(column, "v")


@pytest.mark.parametrize(
    "column",
    [pl.Series([None, None], dtype=pl.List(pl.Float64)), pd.Series([None, None], dtype=object)],
    ids=["polars", "pandas"],
)
def test_a_column_of_nothing_is_refused(column):
    with pytest.raises(ValueError, match=r"'v' is missing in every row. Drop it"):
        embedding.to_matrix(column, "v")


@every_column
def test_vectors_of_another_model_are_refused(column):
    with pytest.raises(ValueError, match=r"vectors of length 3, and had 2 in fit"):
        embedding.shorten(column, np.array([True, False]), "v")


def test_the_callers_vectors_are_not_changed():
    column = COLUMNS["pandas arrays"].copy(deep=True)
    before = [v if v is None else v.copy() for v in column]
    embedding.shorten(column, np.array([True, False, True]), "v")
    embedding.to_matrix(column, "v")[:] = 0
    for one, other in zip(before, column, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("container", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_later_rows_may_miss_every_vector(container):
    column = container([None, None])
    assert np.isnan(embedding.to_matrix(column, "v", 3)).all()
    assert embedding.to_matrix(column, "v", 3).shape == (2, 3)


def test_empty_vectors_are_refused():
    with pytest.raises(ValueError, match=r"'v' holds empty vectors. Drop it"):
        embedding.to_matrix(pl.Series("v", [[], []], dtype=pl.List(pl.Float64)), "v")


ODD_ARROW = {
    "sliced chunks": pa.chunked_array(
        [
            pa.array([[0, 0], [1, 2], None], pa.list_(pa.int8(), 2)).slice(1),
            pa.array([[5, 6]], pa.list_(pa.int8(), 2)),
        ]
    ),
    "values under a missing slot": pa.FixedSizeListArray.from_arrays(
        pa.array([1, 2, 9, 9, 5, 6], pa.int8()), 2, mask=pa.array([False, True, False])
    ),
    "values under a missing list": pa.ListArray.from_arrays(
        pa.array([0, 2, 5, 7]),
        pa.array([1, 2, 9, 9, 9, 5, 6], pa.int8()),
        mask=pa.array([False, True, False]),
    ),
    "half floats": pa.array([[1, 2], None, [5, 6]], pa.large_list(pa.float16())),
}


@pytest.mark.parametrize("stored", ODD_ARROW.values(), ids=ODD_ARROW.keys())
def test_arrow_is_read_as_it_means_whatever_lies_beneath(stored):
    column = pd.Series(pd.arrays.ArrowExtensionArray(stored), name="v")
    np.testing.assert_array_equal(
        embedding.to_matrix(column, "v"), [[1, 2], [np.nan, np.nan], [5, 6]]
    )
    short = embedding.shorten(column, np.array([False, True]), "v")
    assert [v if v is pd.NA else list(v) for v in short] == [[2], pd.NA, [6]]
    assert short.dtype.pyarrow_dtype.value_type == stored.type.value_type


def test_a_number_that_is_missing_inside_a_vector_is_nan():
    column = pl.Series("v", [[1.0, None], [None, 2.0], None], dtype=pl.Array(pl.Float32, 2))
    np.testing.assert_array_equal(
        embedding.to_matrix(column, "v"), [[1, np.nan], [np.nan, 2], [np.nan, np.nan]]
    )
    short = embedding.shorten(column, np.array([True, False]), "v")
    assert short.to_list() == [[1.0], [None], None]


def test_a_missing_vector_may_be_pandas_na():
    column = pd.Series([np.ones(2), pd.NA], dtype=object)
    np.testing.assert_array_equal(embedding.to_matrix(column, "v"), [[1, 1], [np.nan] * 2])
    assert embedding.shorten(column, np.array([True, False]), "v")[1] is pd.NA


@every_column
def test_rows_without_any_vector_can_be_shortened(column):
    part = column[2:3] if isinstance(column, pl.Series) else column.iloc[2:3]
    none = column[:0] if isinstance(column, pl.Series) else column.iloc[:0]
    mask = np.array([True, False, True])
    whole = embedding.shorten(column, mask, "v")
    for rows in (part, none):
        short = embedding.shorten(rows, mask, "v")
        assert short.dtype == whole.dtype
        assert len(short) == len(rows)


def test_vectors_with_two_axes_are_refused():
    with pytest.raises(TypeError, match=r"'v' must hold vectors of numbers, one a row"):
        embedding.to_matrix(pd.Series([np.ones((2, 2))] * 2), "v")
    nested = pl.Series([[[1.0, 2.0]]] * 2, dtype=pl.Array(pl.Float32, (1, 2)))
    with pytest.raises(TypeError, match=r"'v' must hold vectors of numbers"):
        embedding.to_matrix(nested, "v")


def test_a_named_tuple_loses_its_names():
    point = namedtuple("Point", ["a", "b"])
    short = embedding.shorten(pd.Series([point(1, 2)]), np.array([False, True]), "v")
    assert short[0] == (2,)


PLAIN = [np.array([1, 2, 3], "float32"), np.array([4, 5, 6], "float32")]
ODD_ARRAYS = {
    "an array of another length": ([*PLAIN, np.ones(2, "float32")], ValueError, "lengths 2 to 3"),
    "an array of words": ([np.array(["a", "b"])] * 2, TypeError, "must hold vectors of numbers"),
    "an array of objects": ([np.array([1.0, "b"], object)], TypeError, "vectors of numbers"),
    "an array of complex numbers": ([np.ones(2, "complex64")], TypeError, "vectors of numbers"),
    "a word among arrays": ([*PLAIN, "v"], TypeError, "must hold vectors of numbers"),
    "an array of no axis": ([np.array(1.0)] * 2, TypeError, "must hold vectors of numbers"),
    "empty arrays": ([np.empty(0)] * 2, ValueError, "holds empty vectors"),
}


@pytest.mark.parametrize(("values", "error", "message"), ODD_ARRAYS.values(), ids=ODD_ARRAYS.keys())
def test_arrays_that_are_no_vectors_are_refused(values, error, message):
    column = pd.Series(values, dtype=object)
    for read in (embedding.to_matrix, embedding.width):
        with pytest.raises(error, match=message):
            read(column, "v")


def test_arrays_in_big_endian_and_strided_are_read():
    grid = np.arange(12, dtype=">f4").reshape(3, 4)
    np.testing.assert_array_equal(embedding.to_matrix(pd.Series(list(grid)), "v"), grid)
    np.testing.assert_array_equal(embedding.to_matrix(pd.Series(list(grid.T)), "v"), grid.T)


def test_shortened_arrays_are_the_callers_own_no_more():
    big = np.ones((3, 4))
    short = embedding.shorten(pd.Series(list(big)), np.array([True, False, True, True]), "v")
    assert not any(np.shares_memory(vector, big) for vector in short)
    assert all(vector.base is None for vector in short)  # none holds the memory of the others
