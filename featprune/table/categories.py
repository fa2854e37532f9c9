"""Columns of categories and words as codes of their levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from featprune.table.columns import Table

if TYPE_CHECKING:
    import pandas as pd


def levels_of(table: Table, i: int) -> pd.Index | None:
    """Return the levels of column `i`, in an order that its rows do not tell.

    Parameters
    ----------
    table : Table
    i : int
        A column of kind "other".

    Returns
    -------
    pandas.Index or None
        None for dates and times, which have none.
    """
    import pandas as pd

    column = _as_pandas(table, i)
    if column.dtype.kind in "mM":
        return None
    levels = pd.Index(column.dropna().unique(), dtype=object)
    # object columns may mix types, which Python does not order
    return levels[np.lexsort((levels.astype(str), [type(level).__name__ for level in levels]))]


def codes_of(table: Table, i: int, levels: pd.Index) -> np.ndarray:
    """Return the place in `levels` of each value of column `i`, NaN for those not in it."""
    codes = levels.get_indexer(_as_pandas(table, i)).astype(float)
    codes[codes < 0] = np.nan
    return codes


def _as_pandas(table: Table, i: int) -> pd.Series:
    column = nw.from_native(table.native)[:, i]
    series = column.to_pandas()
    if column.dtype in (nw.Categorical, nw.Enum) or series.dtype.kind not in "mM":
        return series.astype(object)
    return series
