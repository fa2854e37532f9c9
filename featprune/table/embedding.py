"""Columns that hold one vector a row: into a matrix, and with fewer dimensions back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def to_matrix(column: Any, name: str, expected: int | None = None) -> np.ndarray:
    """Return the vectors of an embedding column as rows.

    Parameters
    ----------
    column : pandas or polars Series
        Of arrays or lists of one length; missing ones are allowed.
    name : str
        The column's name, for messages.
    expected : int, optional
        The length that the vectors had in fit. With it, all may be missing.

    Returns
    -------
    ndarray of shape (n_rows, width), float64
        NaN in the rows that are missing.

    Raises
    ------
    ValueError
        If the vectors are empty, of different lengths or not of the expected one, or if all
        are missing and none is expected.
    TypeError
        If they hold something else than numbers.
    """
    arrays = _plain_arrays(column)
    if arrays is not None:
        n_dimensions = _check_lengths(np.array([len(arrays[0])]), name, expected)
        rows, n_missing = np.concatenate(arrays, dtype=float), len(column) - len(arrays)
        present = None if not n_missing else np.asarray(column.notna(), dtype=bool)
    else:
        vectors = _to_arrow(column, name)
        n_dimensions, n_missing = _width(vectors, name, expected), vectors.null_count
        present = np.asarray(vectors.is_valid(), dtype=bool)
        rows = np.empty(0)
        if n_missing < len(vectors):
            rows = vectors.drop_null().flatten().to_numpy(zero_copy_only=False).astype(float)
    if not n_missing:
        return rows.reshape(-1, n_dimensions)
    full = np.full((len(column), n_dimensions), np.nan)
    full[present] = rows.reshape(-1, n_dimensions)
    return full


def width(column: Any, name: str) -> int:
    """Return the one length that all vectors of the column have, or raise ValueError."""
    arrays = _plain_arrays(column)
    if arrays is not None:
        return _check_lengths(np.array([len(arrays[0])]), name, None)
    return _width(_to_arrow(column, name), name)


def shorten(column: Any, mask: np.ndarray, name: str) -> Any:
    """Return the column with only the dimensions of `mask`, its own type kept.

    Parameters
    ----------
    column : pandas or polars Series
    mask : ndarray of shape (width,), bool
    name : str

    Raises
    ------
    ValueError
        If the column's vectors are not of the mask's length.
    """
    if nw.dependencies.is_pandas_series(column) and column.dtype == object:
        arrays = _plain_arrays(column)
        if arrays is not None:
            _check_lengths(np.array([len(arrays[0])]), name, len(mask))
        else:
            _width(_to_arrow(column, name), name, len(mask))
        kept = np.flatnonzero(mask)
        short = np.empty(len(column), dtype=object)
        for i, vector in enumerate(column):
            short[i] = _shorten_one(vector, kept)
        return type(column)(short, index=column.index, name=column.name)
    vectors = _to_arrow(column, name)
    _width(vectors, name, len(mask))
    if _is_null(vectors):
        return column
    short = _shorten_arrow(vectors, mask)
    if nw.dependencies.is_pandas_series(column):
        import pandas as pd

        values = pd.arrays.ArrowExtensionArray(short)
        return pd.Series(values, index=column.index, name=column.name)
    return type(column)(column.name, short)


def _plain_arrays(column: Any) -> list[np.ndarray] | None:
    """The vectors of a column of numpy arrays of numbers of one length, less missing ones.

    None if there is no such, or if something else stands in the column. Arrow, which looks at
    every number, takes ten times as long.
    """
    if not nw.dependencies.is_pandas_series(column) or column.dtype != object:
        return None
    vectors = [value for value in column if isinstance(value, np.ndarray)]
    if not vectors or len(vectors) + int(column.isna().sum()) < len(column):
        return None
    shape = vectors[0].shape
    alike = all(vector.shape == shape and vector.dtype.kind in "biuf" for vector in vectors)
    return vectors if alike and len(shape) == 1 else None


def _to_arrow(column: Any, name: str) -> pa.Array:
    """The column as one Arrow array of lists of numbers, or of nulls where it holds nothing."""
    import pyarrow as pa
    import pyarrow.types as pt

    try:
        if nw.dependencies.is_polars_series(column):
            vectors = column.to_arrow()
        else:
            vectors = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise TypeError(
            f"Embedding column {name!r} must hold vectors of numbers, one a row: {error}"
        ) from error
    if isinstance(vectors, pa.ChunkedArray):
        vectors = vectors.combine_chunks()
    if _is_null(vectors):
        return vectors
    kind = vectors.type.value_type
    if not (pt.is_floating(kind) or pt.is_integer(kind) or pt.is_boolean(kind)):
        raise TypeError(
            f"Embedding column {name!r} must hold vectors of numbers. Got vectors of {kind} "
            "instead. Convert or drop it."
        )
    return vectors


def _is_null(vectors: pa.Array) -> bool:
    """Whether the array holds nothing and does not even know what it could hold."""
    import pyarrow.types as pt

    return pt.is_null(vectors.type)


def _width(vectors: pa.Array, name: str, expected: int | None = None) -> int:
    """The one length of the vectors, which is the expected one if there is one."""
    import pyarrow.compute as pc

    lengths = np.empty(0)
    if not _is_null(vectors):
        lengths = np.unique(pc.list_value_length(vectors).drop_null().to_numpy())
    return _check_lengths(lengths, name, expected)


def _check_lengths(lengths: np.ndarray, name: str, expected: int | None) -> int:
    """Return the one of the vectors' ascending `lengths`, or raise if there is no such."""
    if len(lengths) == 0:
        if expected is not None:
            return expected
        raise ValueError(f"Embedding column {name!r} is missing in every row. Drop it.")
    if len(lengths) > 1:
        raise ValueError(
            f"Embedding column {name!r} must hold vectors of one length. Got lengths "
            f"{lengths[0]} to {lengths[-1]}. Pad, pool or cut them to one length."
        )
    found = int(lengths[0])
    if expected is not None and found != expected:
        raise ValueError(
            f"Embedding column {name!r} has vectors of length {found}, and had {expected} in "
            "fit. Pass vectors of the same model."
        )
    if found == 0:
        raise ValueError(f"Embedding column {name!r} holds empty vectors. Drop it.")
    return found


def _shorten_one(vector: Any, kept: np.ndarray) -> Any:
    if isinstance(vector, np.ndarray):
        return vector[kept]
    if isinstance(vector, (list, tuple)):
        short = [vector[i] for i in kept]
        return short if isinstance(vector, list) else tuple(short)
    return vector


def _shorten_arrow(vectors: pa.Array, mask: np.ndarray) -> pa.Array:
    import pyarrow as pa
    import pyarrow.types as pt

    present = np.asarray(vectors.is_valid(), dtype=bool)
    flat = vectors.drop_null().flatten()
    flat = flat.filter(pa.array(np.tile(mask, int(present.sum()))))
    n_left = int(mask.sum())
    ends = np.concatenate([[0], np.cumsum(present)]) * n_left
    missing = pa.array(~present)
    if pt.is_fixed_size_list(vectors.type):
        # a fixed-size list has room for the vectors that are missing, too
        filled = _spread(flat, np.repeat(present, n_left)) if not present.all() else flat
        return pa.FixedSizeListArray.from_arrays(filled, n_left, mask=missing)
    if pt.is_large_list(vectors.type):
        return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), flat, mask=missing)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat, mask=missing)


def _spread(flat: pa.Array, present: np.ndarray) -> pa.Array:
    """Put nulls between the values of `flat` where `present` is False."""
    import pyarrow as pa

    idx = np.cumsum(present) - 1
    return flat.take(pa.array(idx, mask=~present))
