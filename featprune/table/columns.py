"""A caller's table: which columns it has, of what kind, and how to take some of them out.

Arrays, scipy sparse matrices, pandas and polars frames all become a :class:`Table`, which the
rest of the package works with. What is taken out of one is again of the caller's own kind,
with dtypes, index and order untouched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from scipy import sparse

from featprune.table import embedding

NUMBER, EMBEDDING, OTHER = "number", "embedding", "other"


@dataclass(frozen=True)
class Table:
    """A table whose columns are known.

    Parameters
    ----------
    native : ndarray, scipy sparse matrix or array, pandas or polars DataFrame
        The caller's table itself; never changed.
    names : tuple of str
        Column names; ``x0``, ``x1``, ... where the caller's table has none.
    kinds : tuple of {"number", "embedding", "other"}
        Numbers and booleans are numbers; a column of equal-length vectors is an embedding;
        categories, strings, dates and everything else are other.
    dtypes : tuple of str
        The columns' types as their library writes them.
    """

    native: Any
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    dtypes: tuple[str, ...]

    @property
    def is_frame(self) -> bool:
        """Whether the caller passed a pandas or polars frame."""
        return is_frame(self.native)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.native.shape[0]

    def of_kind(self, kind: str) -> Sequence[int]:
        """Return the positions of the columns of a kind."""
        found = self.kinds.count(kind)
        if found in (0, len(self.kinds)):  # as in wide tables of numbers
            return range(found)
        return [i for i, one in enumerate(self.kinds) if one == kind]

    def rows(self, idx: np.ndarray) -> Table:
        """Return the table of the rows `idx`, an int array, in that order."""
        if self.is_frame:
            native = nw.from_native(self.native)[idx.tolist(), :].to_native()
        else:
            native = self.native[idx]
        return Table(native, self.names, self.kinds, self.dtypes)

    def copy(self) -> Table:
        """Return a table that a transformer with ``copy=False`` may write to."""
        native = self.native
        if not nw.dependencies.is_polars_dataframe(native):  # whose frames never change
            native = native.copy()
        return Table(native, self.names, self.kinds, self.dtypes)

    def numbers(self, idx: Sequence[int]) -> np.ndarray:
        """Return the columns `idx`, all of kind number, as float64 with NaN for missing.

        Shape (n_rows, len(idx)). Costs one copy.
        """
        if not self.is_frame:
            is_whole = list(idx) == list(range(self.native.shape[1]))
            return _array_as_floats(self.native.copy() if is_whole else self.native[:, idx])
        if nw.dependencies.is_pandas_dataframe(self.native):
            return _frame_as_floats(self.native.iloc[:, list(idx)])
        chosen = nw.from_native(self.native).select([self.names[i] for i in idx])
        return np.column_stack(
            [column.cast(nw.Float64).to_numpy() for column in chosen.iter_columns()]
        )

    def vectors(self, i: int, width: int | None = None) -> np.ndarray:
        """Return the embedding column `i` as float64, shape (n_rows, width), NaN for missing.

        If `width` is given, the vectors must have it, and all of them may be missing.
        """
        return embedding.to_matrix(self._column(i), self.names[i], width)

    def width(self, i: int) -> int:
        """Return how many dimensions the embedding column `i` has."""
        return embedding.width(self._column(i), self.names[i])

    def take(self, idx: Sequence[int], dimensions: Mapping[int, np.ndarray] | None = None) -> Any:
        """Return the columns `idx` as a table of the caller's own kind.

        Parameters
        ----------
        idx : sequence of int
        dimensions : mapping of int to ndarray of bool, optional
            For embedding columns that are shortened: the mask of the dimensions that stay.
        """
        if not self.is_frame:
            return self.native[:, idx]
        if nw.dependencies.is_pandas_dataframe(self.native):
            taken = self.native.iloc[:, list(idx)]
        else:
            taken = self.native.select([self.names[i] for i in idx])
        shortened = {
            i: embedding.shorten(self._column(i), mask, self.names[i])
            for i, mask in (dimensions or {}).items()
            if not mask.all()
        }
        if not shortened:
            return taken
        if nw.dependencies.is_pandas_dataframe(taken):
            for i, column in shortened.items():
                taken.isetitem(list(idx).index(i), column.array)
            return taken
        return taken.with_columns(list(shortened.values()))

    def _column(self, i: int) -> Any:
        frame = nw.from_native(self.native)
        return frame[:, i].to_native()


def is_frame(X: object) -> bool:
    """Whether `X` is a pandas or polars DataFrame."""
    return nw.dependencies.is_pandas_dataframe(X) or nw.dependencies.is_polars_dataframe(X)


def refuse_other_frames(X: Any) -> None:
    """Raise TypeError if `X` is a table of a library that is not supported."""
    if is_frame(X):
        return
    if nw.dependencies.is_into_dataframe(X) or nw.dependencies.is_polars_lazyframe(X):
        raise TypeError(
            "X must be an array, a sparse matrix, a pandas or a polars DataFrame. Got a "
            f"{type(X).__module__.split('.')[0]} {type(X).__name__} instead. Convert it, for "
            "example by X.to_pandas() or X.collect()."
        )


def read(X: Any) -> Table:
    """Find out which columns `X` has.

    Parameters
    ----------
    X : ndarray, scipy sparse matrix or array, pandas or polars DataFrame
        Arrays must be two-dimensional; an object array's columns may be anything.

    Returns
    -------
    Table

    Raises
    ------
    TypeError
        For columns of a type that no encoder understands.
    ValueError
        If two columns have one name.
    """
    if is_frame(X):
        return _read_frame(X)
    if sparse.issparse(X):
        X = X.tocsr()
    elif X.dtype.kind not in "biuf":
        return _read_object_array(X)
    return _table_of_numbers(X)


def quote_some(names: Sequence[object], most: int = 5) -> str:
    """Quote the first few of `names`, and say how many more there are."""
    quoted = ", ".join(repr(name) for name in names[:most])
    return quoted if len(names) <= most else f"{quoted} and {len(names) - most} more"


def _table_of_numbers(X: Any) -> Table:
    n_columns = X.shape[1]
    names = tuple(f"x{i}" for i in range(n_columns))
    return Table(X, names, (NUMBER,) * n_columns, (str(X.dtype),) * n_columns)


def _read_object_array(X: np.ndarray) -> Table:
    """An array that may mix types: each column gets the kind that it would have in a frame."""
    import pandas as pd

    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]).infer_objects()
    table = _read_frame(frame)
    frame.columns = range(X.shape[1])  # an array's columns go by position
    if all(kind == NUMBER for kind in table.kinds):
        return Table(X, table.names, table.kinds, table.dtypes)
    return table


def _read_frame(X: Any) -> Table:
    names = [str(name) for name in X.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"X has more than one column of the name {quote_some(repeated)}. Rename them, so "
            "that each column can be told from the others."
        )
    frame = nw.from_native(X)
    # numpy's types say it at once; asking narwhals for a column reads all names again
    kinds = [
        NUMBER if isinstance(dtype, np.dtype) and dtype.kind in "biuf" else _kind(frame, i, name)
        for i, (name, dtype) in enumerate(zip(names, X.dtypes, strict=True))
    ]
    return Table(X, tuple(names), tuple(kinds), tuple(str(dtype) for dtype in X.dtypes))


def _kind(frame: nw.DataFrame, i: int, name: str) -> str:
    column = frame[:, i]
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return NUMBER
    if dtype in (nw.List, nw.Array):
        return EMBEDDING
    if dtype == nw.Object:
        kind = _kind_of_objects(column.to_native(), name)
        if kind != OTHER and nw.dependencies.is_polars_series(column.to_native()):
            raise TypeError(
                f"Column {name!r} is of polars' type Object, of which polars does not know that "
                f"it holds {kind}s. Cast it to the type that it has, or drop it."
            )
        return kind
    if dtype in (nw.Struct, nw.Binary):
        raise TypeError(
            f"Column {name!r} is of type {dtype}, which cannot be encoded. Split it into plain "
            "columns, or drop it."
        )
    if dtype == nw.Unknown:
        return _kind_of_unknown(column.to_native(), name)
    return OTHER


def _kind_of_unknown(column: Any, name: str) -> str:
    """The kind of a column whose type only its own library knows, as pandas' sparse ones."""
    if not nw.dependencies.is_pandas_series(column):
        return OTHER
    if getattr(column.dtype, "kind", "O") == "c":
        raise TypeError(
            f"Column {name!r} holds complex numbers. Split it into real and imaginary part, or "
            "drop it."
        )
    is_sparse = hasattr(column, "sparse")
    return NUMBER if is_sparse and column.sparse.sp_values.dtype.kind in "biuf" else OTHER


def _kind_of_objects(column: Any, name: str) -> str:
    """The kind of a column whose library knows only that it holds Python objects."""
    present = [value for value in column if not _is_missing(value)]
    types = {type(value) for value in present}
    if all(issubclass(kind, (bool, int, float, np.bool_, np.number)) for kind in types):
        return NUMBER
    if all(issubclass(kind, (list, tuple, np.ndarray)) for kind in types):
        return EMBEDDING
    for kind in types:
        if issubclass(kind, (dict, set, list, tuple, np.ndarray)):
            raise TypeError(
                f"Column {name!r} holds a {kind.__name__}; an argument must be a string or a "
                "real number, or each a vector of one length. Convert or drop the column."
            )
    return OTHER


def _is_missing(value: object) -> bool:
    if value is None or (isinstance(value, float) and value != value):
        return True
    return type(value).__name__ in ("NAType", "NaTType")  # pandas', which need not be loaded


def _array_as_floats(X: np.ndarray) -> np.ndarray:
    if X.dtype != object:
        return np.asarray(X, dtype=float)
    import pandas as pd

    return _frame_as_floats(pd.DataFrame(X))


def _frame_as_floats(frame: Any) -> np.ndarray:
    if any(dtype.kind == "O" for dtype in frame.dtypes):
        frame = frame.where(frame.notna(), np.nan)  # to_numpy overlooks the pd.NA of objects
    return np.array(frame.to_numpy(dtype=float, na_value=np.nan))  # it may be a view
