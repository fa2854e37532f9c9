"""A table before and after pruning, as numbers: what the reports on neighbours look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from featprune.table import columns as tables
from featprune.table.columns import EMBEDDING, Table, quote_some
from featprune.table.encode import TableEncoder
from featprune.table.units import Units, make_units


@dataclass(frozen=True)
class Pruned:
    """Rows of a table as numbers, and which of the features go.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
    unit : ndarray of shape (n_features,), int
        The column, or dimension of an embedding, that each feature came from.
    names : tuple of str
        Of the units.
    is_kept : ndarray of shape (n_units,), bool
    rows : ndarray of shape (n_rows,), int
        Which rows of the caller's table these are.
    n_all_rows : int
        How many rows the caller's table has.
    in_dimensions : bool
        Whether dimensions of embeddings are units.
    """

    values: np.ndarray
    unit: np.ndarray
    names: tuple[str, ...]
    is_kept: np.ndarray
    rows: np.ndarray
    n_all_rows: int
    in_dimensions: bool

    @property
    def after(self) -> np.ndarray:
        """The features that stay."""
        return self.values[:, self.is_kept[self.unit]]


def read_pruned(
    X: Any, support: Any, owner: str, *, standardize: bool, max_rows: int, random_state: Any
) -> Pruned:
    """Encode up to `max_rows` rows of `X`, drawn at random, and find out which features go.

    Parameters
    ----------
    X : array, sparse matrix, pandas or polars DataFrame of shape (n_rows, n_columns)
    support : array-like of shape (n_columns,), bool, or a fitted selector
    owner : str
        The name of the function that was called, for messages.
    standardize : bool
    max_rows : int
    random_state : int, RandomState or None

    Raises
    ------
    ValueError, TypeError
        If the mask is none, does not fit the table, or keeps no column.
    """
    X = _aligned(X, support)
    table = _read(X)
    mask, dimensions = _masks(support, table, owner)
    units = make_units(
        table, owner, feature_groups=None, always_keep=None, in_dimensions=bool(dimensions)
    )
    is_kept = _kept_units(table, units, mask, dimensions)
    if not is_kept.any():
        raise ValueError(
            f"The 'support' of {owner} keeps none of the {len(mask)} columns, so there is nothing "
            "to compare them with. Pass a mask that is True somewhere."
        )
    n_all_rows = table.n_rows
    rows = np.arange(n_all_rows)
    random = check_random_state(random_state)
    if len(rows) > max_rows:
        rows = np.sort(random.choice(len(rows), max_rows, replace=False))
        table = table.rows(rows)
    encoder = TableEncoder(
        "auto",
        standardize=standardize,
        random_state=int(random.randint(2**31 - 1)),
        flag_vectors=not dimensions,
    )
    encoded = encoder.fit_transform(table, None, None)
    values = encoded.values.toarray() if sparse.issparse(encoded.values) else encoded.values
    return Pruned(
        values,
        units.of_features(encoded),
        units.names,
        is_kept,
        rows,
        n_all_rows,
        bool(dimensions),
    )


def _aligned(X: Any, support: Any) -> Any:
    """Put a frame's columns where the selector's fit had them; it tells if they are others."""
    names = getattr(support, "feature_names_in_", None)
    if names is None or not tables.is_frame(X):
        return X
    if set(names) != set(X.columns):
        raise ValueError(
            f"The selector was fitted on the columns {quote_some(list(names))}, and X has "
            f"{quote_some(list(X.columns))}. Pass the table that it was fitted on."
        )
    return X[list(names)]


def _read(X: Any) -> Table:
    if tables.is_frame(X):
        return tables.read(X)
    tables.refuse_other_frames(X)
    checked = check_array(
        X, accept_sparse=("csr", "csc"), dtype=None, ensure_all_finite=False, ensure_min_samples=2
    )
    return tables.read(checked)


def _masks(support: Any, table: Table, owner: str) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """The mask of the columns, and those of dimensions by column name."""
    dimensions: Mapping[str, np.ndarray] = {}
    if hasattr(support, "get_support"):
        check_is_fitted(support)
        dimensions = getattr(support, "embedding_support_", {})
        mask = np.asarray(support.get_support())
    else:
        mask = np.asarray(support)
    if mask.dtype != bool or mask.shape != (len(table.names),):
        raise (TypeError if mask.dtype != bool else ValueError)(
            f"The 'support' of {owner} must be a fitted selector or a mask of bool with one value "
            f"for each of the {len(table.names)} columns of X. Got {mask.dtype} of the shape "
            f"{mask.shape} instead."
        )
    return mask, dimensions


def _kept_units(
    table: Table, units: Units, mask: np.ndarray, dimensions: Mapping[str, np.ndarray]
) -> np.ndarray:
    is_kept = np.zeros(len(units.names), dtype=bool)
    for i, name in enumerate(table.names):
        part = slice(units.first[i], units.first[i] + units.widths[i])
        is_kept[part] = mask[i]
        if mask[i] and table.kinds[i] == EMBEDDING and name in dimensions:
            if len(dimensions[name]) != units.widths[i]:
                raise ValueError(
                    f"Column {name!r} has vectors of length {units.widths[i]}, and had "
                    f"{len(dimensions[name])} in fit. Pass vectors of the same model."
                )
            is_kept[part] = dimensions[name]
    return is_kept
