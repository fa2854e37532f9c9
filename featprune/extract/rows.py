"""Raw rows in, a table of vectors out: in the caller's kind of frame, with the caller's index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from scipy import sparse

from featprune.table.columns import NUMBER, is_frame, quote_some, read


class UnreadableError(ValueError):
    """A row can't be read; says why, without which row it is."""


@dataclass(frozen=True)
class Rows:
    """What the caller passed, row by row.

    Parameters
    ----------
    values : ndarray or list
        An array of numbers, or one object a row.
    index : pandas Index or None
    is_polars : bool
    """

    values: Any
    index: Any = None
    is_polars: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def one(self, i: int) -> Rows:
        """Return one row."""
        return Rows(self.values[i : i + 1])


def read_rows(X: Any, owner: str, *, what: str) -> Rows:
    """Find the rows in what a caller passed.

    Parameters
    ----------
    X : array, list, pandas or polars Series or DataFrame
        A frame of numbers is a matrix; any other must have one column.
    owner : str
        The embedder, for messages.
    what : str
        What a row is, for messages, as "a text".

    Raises
    ------
    TypeError
        If it is one row, and not a list of rows.
    ValueError
        If there are no rows, or more than one column.
    """
    if is_frame(X):
        rows = _read_frame(X, owner, what)
    elif nw.dependencies.is_pandas_series(X):
        rows = Rows(_of_series(X), X.index)
    elif nw.dependencies.is_polars_series(X):
        rows = Rows(X.to_list(), is_polars=True)
    elif sparse.issparse(X):
        raise TypeError(f"{owner} takes no sparse matrix. Pass X.toarray(), a part at a time.")
    elif isinstance(X, np.ndarray) and X.ndim:
        is_column = X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUS"
        X = X[:, 0] if is_column else X
        rows = Rows(X if X.dtype.kind in "biuf" else X.tolist())
    elif isinstance(X, (list, tuple)):
        rows = Rows(list(X))
    else:
        raise TypeError(
            f"X must be a list, an array, a Series or a frame with {what} a row. Got "
            f"{type(X).__name__} instead. Pass one row as [row]."
        )
    if not len(rows):
        raise ValueError(f"X has no rows: {owner} needs at least one. Pass {what} a row.")
    return rows


def _read_frame(X: Any, owner: str, what: str) -> Rows:
    is_polars = nw.dependencies.is_polars_dataframe(X)
    index = None if is_polars else X.index
    if X.shape[1] == 1:
        column = nw.from_native(X)[:, 0].to_native()
        if not nw.from_native(column, series_only=True).dtype.is_numeric():
            return Rows(column.to_list() if is_polars else _of_series(column), index, is_polars)
    table = read(X)
    if not X.shape[1] or any(kind != NUMBER for kind in table.kinds):
        raise ValueError(
            f"{owner} takes a frame of numbers, or one with a single column that holds {what} a "
            f"row. X has {X.shape[1]} columns: {quote_some(table.names)}. Choose one, for example "
            "by a ColumnTransformer."
        )
    return Rows(table.numbers(range(X.shape[1])), index, is_polars)


def _of_series(column: Any) -> list[Any]:
    """The values of a pandas Series, None where they are missing."""
    missing = column.isna().to_numpy()
    return [None if gone else value for value, gone in zip(column, missing, strict=True)]


def vectors_frame(columns: Mapping[str, np.ndarray], missing: np.ndarray, rows: Rows) -> Any:
    """Return a frame with one vector a row in each column.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_rows, width), float32
        Columns' names and what they hold.
    missing : ndarray of shape (n_rows,), bool
        Rows that have no vectors.
    rows : Rows
        Whose kind of frame and index is taken.

    Returns
    -------
    pandas or polars DataFrame
        Of pandas, columns hold arrays, parts of `columns`; of polars, they are of type Array.
    """
    if rows.is_polars:
        import polars as pl

        frame = pl.DataFrame([pl.Series(name, matrix) for name, matrix in columns.items()])
        if not missing.any():
            return frame
        gone = pl.Series(missing)
        return frame.select(
            pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in columns
        )
    import pandas as pd

    return pd.DataFrame(
        {name: _cells(matrix, missing) for name, matrix in columns.items()}, index=rows.index
    )


def _cells(matrix: np.ndarray, missing: np.ndarray) -> np.ndarray:
    # row by row: of a list of arrays of one length numpy would make a matrix again
    cells = np.fromiter(matrix, dtype=object, count=len(matrix))
    cells[missing] = None
    return cells


def name_row(i: int, value: Any) -> str:
    """Return how messages call a row: its number, and its file if it is one."""
    return f"row {i} ({os.fspath(value)})" if isinstance(value, (str, os.PathLike)) else f"row {i}"
