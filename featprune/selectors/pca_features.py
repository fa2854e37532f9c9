"""Tables into the spread of their features: whole ones, chunks of rows, and Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from featprune import io
from featprune.importance.pca.moments import Moments, NotFiniteError
from featprune.importance.pca.sparse import sparse_moments
from featprune.importance.pca.spread import Centred
from featprune.table.columns import EMBEDDING, NUMBER, Table, quote_some
from featprune.table.encode import Encoded, TableEncoder
from featprune.table.units import Units

# rows of a sparse chunk that are dense at a time
_BLOCK = 1024


class Features(NamedTuple):
    """The features of a table, and how they spread.

    Attributes
    ----------
    centred : Centred
    owner : ndarray of shape (n_features,), int
        The column that each feature came from.
    unit : ndarray of shape (n_features,), int
        The unit that each feature belongs to.
    n_rows : int
        How many rows count.
    encoder : TableEncoder or None
        What made the features; None if they are the columns of an array.
    """

    centred: Centred
    owner: np.ndarray
    unit: np.ndarray
    n_rows: int
    encoder: TableEncoder | None

    def values_of(self, table: Table) -> np.ndarray:
        """Return other rows as values, centred and scaled as those that the spread is of.

        Features that are constant in those are left out: they are 0.
        """
        if self.encoder is None:
            values = np.asarray(table.native, dtype=np.float64)
        else:
            values = self.encoder.transform(table)
            if sparse.issparse(values):
                values = values.toarray()
        values = (values - self.centred.mean) / self.centred.scale
        values[:, self.centred.spread.variances == 0] = 0.0
        return values


def features_of(
    table: Table,
    units: Units,
    y: np.ndarray | None,
    weight: np.ndarray | None,
    encoder: TableEncoder,
    *,
    standardize: bool,
) -> Features:
    """Encode a table, and find how its features spread.

    Parameters
    ----------
    table : Table
    units : Units
    y : ndarray of shape (n_rows,), optional
        For encoders that look at it.
    weight : ndarray of shape (n_rows,), optional
        Above 0.
    encoder : TableEncoder
        Not fitted; it does not standardise. An array of finite numbers goes round it, as it would
        be copied.
    standardize : bool
    """
    native = table.native
    if isinstance(native, np.ndarray) and native.dtype.kind in "biuf" and _is_plain(encoder):
        moments = Moments(native.shape[1])
        try:
            moments.add(_as_floats(native), weight, copy=False)
            centred = moments.centred(standardize=standardize)
        except NotFiniteError:
            pass  # the encoder fills in or refuses
        else:
            _refuse_constant(centred)
            owner = np.arange(native.shape[1])
            encoded = Encoded(None, owner, np.full(len(owner), -1))
            return Features(centred, owner, units.of_features(encoded), table.n_rows, None)
    encoded = encoder.fit_transform(table, y, weight)
    sharing = _sharing(encoded)
    if sparse.issparse(encoded.values):
        centred = sparse_moments(encoded.values, weight, standardize=standardize, sharing=sharing)
    else:
        moments = Moments(encoded.values.shape[1])
        moments.add(encoded.values, weight, copy=False)
        centred = moments.centred(standardize=standardize, sharing=sharing)
    _refuse_constant(centred)
    return Features(centred, encoded.owner, units.of_features(encoded), table.n_rows, encoder)


def _sharing(encoded: Encoded) -> np.ndarray:
    """How many features stand for the column of each, 1 for the dimensions of embeddings.

    A category of thirty levels would count as thirty columns otherwise.
    """
    is_made = encoded.dimension < 0
    counts = np.bincount(encoded.owner[is_made], minlength=int(encoded.owner.max()) + 1)
    return np.where(is_made, counts[encoded.owner], 1)


class Chunks:
    """The moments of a table whose rows come in chunks.

    Parameters
    ----------
    table : Table
        The first chunk, or one with its columns.
    units : Units
    """

    def __init__(self, table: Table, units: Units) -> None:
        widths = [table.width(i) if kind == EMBEDDING else 1 for i, kind in enumerate(table.kinds)]
        self._widths = widths
        self._owner = np.repeat(np.arange(len(widths)), widths)
        dimension = np.concatenate(
            [
                np.arange(width) if kind == EMBEDDING else [-1]
                for width, kind in zip(widths, table.kinds, strict=True)
            ]
        )
        self._unit = units.of_features(Encoded(None, self._owner, dimension))
        self.moments = Moments(len(self._owner))

    def add(self, table: Table, weight: np.ndarray | None) -> None:
        """Add the rows of a chunk.

        Raises
        ------
        ValueError, TypeError
            If there are other things than numbers, or missing or infinite ones. What was added
            before is untouched.
        """
        refuse_words(table.names, table.kinds)
        if weight is not None:
            rows = np.flatnonzero(weight > 0)
            table, weight = table.rows(rows), weight[rows]
        if sparse.issparse(table.native):
            self._refuse(table, table.native.tocsc().astype(float))
            for start in range(0, table.n_rows, _BLOCK):
                some = slice(start, start + _BLOCK)
                dense = table.native[some].toarray().astype(float)
                self.moments.add(dense, None if weight is None else weight[some])
            return
        values = self._values(table)
        self._refuse(table, values)
        self.moments.add(values, weight)

    def features(self, *, standardize: bool) -> Features:
        """Return the features of all rows so far."""
        centred = self.moments.centred(standardize=standardize)
        _refuse_constant(centred)
        return Features(centred, self._owner, self._unit, self.moments.n_rows, None)

    def _values(self, table: Table) -> np.ndarray:
        native = table.native
        if isinstance(native, np.ndarray) and native.dtype.kind in "biuf":
            return _as_floats(native)
        values = np.empty((table.n_rows, len(self._owner)))
        numbers = [i for i, kind in enumerate(table.kinds) if kind == NUMBER]
        starts = np.cumsum([0, *self._widths])
        if numbers:
            values[:, starts[numbers]] = table.numbers(numbers)
        for i, kind in enumerate(table.kinds):
            if kind == EMBEDDING:
                values[:, starts[i] : starts[i + 1]] = table.vectors(i, self._widths[i])
        return values

    def _refuse(self, table: Table, values: Any) -> None:
        stored = values.data if sparse.issparse(values) else values
        bad = ~np.isfinite(stored)
        if not bad.any():
            return
        if sparse.issparse(values):
            features = np.repeat(np.arange(values.shape[1]), np.diff(values.indptr))[bad]
        else:
            features = np.nonzero(bad)[1]
        names = [table.names[i] for i in np.unique(self._owner[features])]
        raise ValueError(_not_finite(names, has_missing=bool(np.isnan(stored).any())))


def parquet_chunks(
    file: str | os.PathLike[str], names: Sequence[str], batch_size: int
) -> Iterator[np.ndarray]:
    """Yield the rows of a Parquet file as arrays of shape (at most batch_size, n_columns).

    Columns are gathered in one array, float32 if all of them are. While one is worked on, the next
    is read in a thread of its own. An array is overwritten when the next one is asked for.

    Raises
    ------
    ValueError
        If numbers are missing.
    """
    chunks = _read_chunks(file, names, batch_size)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, chunks, None)
        while (chunk := ahead.result()) is not None:
            ahead = reader.submit(next, chunks, None)
            yield chunk


def _read_chunks(
    file: str | os.PathLike[str], names: Sequence[str], batch_size: int
) -> Iterator[np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # without buffers for what is read ahead, which would be the whole file
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        schema = parquet.schema_arrow
        narrow = all(schema.field(name).type in (pa.float32(), pa.float16()) for name in names)
        dtype = np.float32 if narrow else np.float64
        # columns are copied as they lie in the file, one after the other
        rooms = np.empty((2, len(names), batch_size), dtype=dtype)
        batches = parquet.iter_batches(batch_size=batch_size, columns=list(names))
        for room, batch in zip(cycle(rooms), batches, strict=False):
            missing = [name for name in names if batch.column(name).null_count]
            if missing:
                raise ValueError(_not_finite(missing, has_missing=True))
            for i, name in enumerate(names):
                room[i, : len(batch)] = batch.column(name).to_numpy(zero_copy_only=False)
            yield room[:, : len(batch)].T


def parquet_table(file: str | os.PathLike[str], columns: Sequence[str] | None) -> Table:
    """Return a table without rows that has the columns of a Parquet file, or some of them.

    Raises
    ------
    ValueError
        If a column is not there, or is none of numbers.
    """
    import pyarrow.parquet as pq

    from featprune.table.columns import read

    schema = pq.read_schema(file)
    wanted = schema.names if columns is None else list(columns)
    unknown = [name for name in wanted if name not in schema.names]
    if unknown:
        raise ValueError(
            f"{os.fspath(file)!r} has no column {quote_some(unknown)}. It has "
            f"{quote_some(schema.names)}."
        )
    empty = schema.empty_table().select(wanted)
    kinds = io.kinds(empty)
    others = [name for name in wanted if kinds[name] != NUMBER]
    if others:
        raise ValueError(
            f"{os.fspath(file)!r} has other things than numbers in {quote_some(others)}. Name the "
            "columns of numbers as columns=[...], or encode the others first."
        )
    return read(empty.to_pandas())


def name_not_finite(X: np.ndarray, names: Sequence[str]) -> str:
    """Return the message about rows that hold numbers that are not finite."""
    bad = [name for name, good in zip(names, np.isfinite(X).all(axis=0), strict=True) if not good]
    return _not_finite(bad, has_missing=bool(np.isnan(X).any()))


def refuse_words(names: Sequence[str], kinds: Sequence[str]) -> None:
    """Raise if there are columns that need an encoder, which chunks can't fit."""
    others = [
        name for name, kind in zip(names, kinds, strict=True) if kind not in (NUMBER, EMBEDDING)
    ]
    if others:
        raise ValueError(
            f"Rows that come in chunks must be numbers or embeddings, and {quote_some(others)} "
            f"{'is' if len(others) == 1 else 'are'} not. Encode them first."
        )


def _not_finite(names: Sequence[str], *, has_missing: bool) -> str:
    what = "missing values (NaN)" if has_missing else "infinite values"
    noun = "column" if len(names) == 1 else "columns"
    return (
        f"X has {what} in {noun} {quote_some(names)}. Rows that come in chunks are taken as they "
        f"are: {'impute' if has_missing else 'replace'} them first."
    )


def _refuse_constant(centred: Centred) -> None:
    if not centred.spread.variances.any():
        raise ValueError(
            "Every column of X has one and the same value in all rows, so there is nothing to "
            "choose by. Pass a table with columns that vary."
        )


def _is_plain(encoder: TableEncoder) -> bool:
    return encoder.encoder is None or isinstance(encoder.encoder, str)


def _as_floats(values: np.ndarray) -> np.ndarray:
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
