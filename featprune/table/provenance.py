"""Which column does each feature of an unknown transformer come from?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from scipy import sparse

from featprune.table.columns import Table, quote_some


def probe_owners(
    transformer: Any, table: Table, values: Any, as_matrix: Callable[[Any], Any]
) -> np.ndarray:
    """Find the column that each feature depends on by changing columns and looking.

    The columns are numbered in binary. For each binary digit the columns that have it are
    shifted by one row and the table is transformed again, then those that have it not: a
    feature of one column changes exactly along that column's number. So p columns cost
    2·ceil(log2(p)) + 1 calls of ``transform``, whatever the transformer is.

    Parameters
    ----------
    transformer : fitted transformer
    table : Table
        The rows on which it was fitted.
    values : ndarray or CSR matrix of shape (n_rows, n_features)
        What it made of them.
    as_matrix : callable
        Turns what ``transform`` returns into the same type as `values`.

    Returns
    -------
    ndarray of shape (n_features,), int
        The column, or -1 for a feature that has the same value in every row.

    Raises
    ------
    ValueError
        If a feature depends on more than one column.
    """
    n_columns, n_features = len(table.names), values.shape[1]
    shifted = table.rows(np.roll(np.arange(table.n_rows), 1))
    owner = np.zeros(n_features, dtype=np.intp)
    number = np.arange(n_columns)
    base = as_matrix(transformer.transform(table.copy().native))
    alive = _changed(base, as_matrix(transformer.transform(shifted.copy().native)))
    for bit in range(max(n_columns - 1, 0).bit_length()):
        has_bit = (number >> bit) & 1 == 1
        with_bit = _changed(base, as_matrix(transformer.transform(_mix(table, shifted, has_bit))))
        without = _changed(base, as_matrix(transformer.transform(_mix(table, shifted, ~has_bit))))
        if (with_bit & without).any():
            features = np.flatnonzero(with_bit & without)
            raise ValueError(
                f"Features {quote_some(_feature_names(transformer, features))} of the encoder "
                "depend on more than one column each, so they cannot be traced back. Pass an "
                "encoder that works column by column, and reduce or combine columns after the "
                "selector."
            )
        owner += with_bit.astype(np.intp) << bit
    return np.where(alive, owner, -1)


def _changed(before: Any, after: Any) -> np.ndarray:
    """Which features differ in some row, NaN being equal to NaN, shape (n_features,)."""
    if sparse.issparse(before):
        return np.asarray(abs(before - after).max(axis=0).todense()).ravel() > 0
    return ~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=0)


def _mix(table: Table, shifted: Table, mask: np.ndarray) -> Any:
    """The table with the columns of `mask` taken from `shifted`."""
    if not table.is_frame:
        if sparse.issparse(table.native):
            keep = sparse.diags_array(mask.astype(float))
            drop = sparse.diags_array((~mask).astype(float))
            return sparse.csr_array(shifted.native @ keep + table.native @ drop)
        return np.where(mask, shifted.native, table.native)
    idx = np.flatnonzero(mask)
    if nw.dependencies.is_pandas_dataframe(table.native):
        mixed = table.native.copy()
        for i in idx:
            mixed.isetitem(i, shifted.native.iloc[:, i].array.copy())
        return mixed
    return table.native.with_columns([shifted.native.get_column(table.names[i]) for i in idx])


def _feature_names(transformer: Any, features: np.ndarray) -> list[str]:
    try:
        names = transformer.get_feature_names_out()
    except (AttributeError, NotImplementedError):
        return [f"number {i}" for i in features]
    return [str(names[i]) for i in features]
