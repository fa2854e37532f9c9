"""Tables in files: Parquet and CSV, read in part and written whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featprune.table import embedding
from featprune.table.columns import EMBEDDING, NUMBER, OTHER

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".pq", ".csv")


def column_names(file: str | os.PathLike[str]) -> list[str]:
    """Return the names of a table file's columns, reading nothing else of it."""
    if _is_csv(file):
        import pandas as pd

        return [str(name) for name in pd.read_csv(file, nrows=0).columns]
    import pyarrow.parquet as pq

    return pq.read_schema(file).names


def read(
    file: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> pa.Table:
    """Read a table file, or some of its columns.

    Parameters
    ----------
    file : path
        Its name ends in .parquet, .pq or .csv.
    columns : sequence of str, optional
        Those to read, in this order; of a Parquet file nothing else is touched.
    kinds : mapping of str to str, optional
        Kinds that columns are known to be of. A CSV file has no types: words that look like
        numbers stay words if they are said to be of kind "other".

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is of another kind, broken, or lacks one of `columns`.
    """
    import pyarrow as pa

    check_suffix(file)
    if not Path(file).is_file():
        raise FileNotFoundError(f"There is no file {str(file)!r}. Check the path.")
    try:
        names = column_names(file)
        missing = [name for name in columns or () if name not in names]
        if missing:
            raise ValueError(f"has no column {missing[0]!r}; it has {', '.join(names[:8])}")
        wanted = names if columns is None else list(columns)
        return (
            _read_csv(file, wanted, kinds or {}) if _is_csv(file) else _read_parquet(file, wanted)
        )
    except (pa.ArrowException, ValueError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{file}: {first_line}") from error


def write(table: pa.Table, file: str | os.PathLike[str], suffix: str | None = None) -> None:
    """Write a table to `file`, as the file's name or `suffix` says: Parquet or CSV."""
    if _is_csv(suffix or file):
        table.to_pandas().to_csv(file, index=False)
        return
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def prune(table: pa.Table, names: Sequence[str], masks: Mapping[str, np.ndarray]) -> pa.Table:
    """Return the columns `names` in the order of the table, embeddings cut down.

    Parameters
    ----------
    table : pyarrow.Table
    names : sequence of str
    masks : mapping of str to ndarray of bool
        Which dimensions stay of those embedding columns that lose some.
    """
    import pandas as pd

    table = table.select([name for name in table.column_names if name in set(names)])
    for name, mask in masks.items():
        i = table.column_names.index(name)
        column = pd.Series(pd.arrays.ArrowExtensionArray(table.column(i)))
        short = embedding.shorten(column, mask, name).array.__arrow_array__()
        table = table.set_column(i, name, short)
    return table


def kinds(table: pa.Table) -> dict[str, str]:
    """Return the kind of each column, as :class:`featprune.table.columns.Table` has them.

    A column of nulls alone has the kind ``""``: it could be anything.
    """
    return {name: _kind(table.schema.field(name).type) for name in table.column_names}


def check_suffix(file: str | os.PathLike[str]) -> None:
    """Raise ValueError unless the name ends as that of a table file."""
    if Path(file).suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{str(file)!r} is no table that can be read or written. Name a .parquet or .csv file."
        )


def _is_csv(file: str | os.PathLike[str]) -> bool:
    return str(file).lower().endswith(".csv")


def _read_parquet(file: str | os.PathLike[str], columns: list[str]) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=columns).select(columns)


def _read_csv(
    file: str | os.PathLike[str], columns: list[str], kinds: Mapping[str, str]
) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    words = {name: "str" for name in columns if kinds.get(name) == OTHER}
    # with usecols, pandas passes over rows that are too long
    some = columns if set(columns) < set(column_names(file)) else None
    frame = pd.read_csv(file, usecols=some, dtype=words, low_memory=False)
    return pa.Table.from_pandas(frame[columns], preserve_index=False)


def _kind(dtype: pa.DataType) -> str:
    import pyarrow.types as pt

    if pt.is_null(dtype):
        return ""
    if (
        pt.is_integer(dtype)
        or pt.is_floating(dtype)
        or pt.is_decimal(dtype)
        or pt.is_boolean(dtype)
    ):
        return NUMBER
    if pt.is_list(dtype) or pt.is_large_list(dtype) or pt.is_fixed_size_list(dtype):
        return EMBEDDING
    return OTHER
