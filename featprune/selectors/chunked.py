"""Selectors whose rows may come in chunks, from the caller or out of a Parquet file."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from featprune.cut import needs_scores
from featprune.importance.pca.moments import NotFiniteError
from featprune.parameters import check_count
from featprune.path import EliminationPath
from featprune.progress import progress_bar
from featprune.selectors.base import BaseSelector, check_sample_weight, unchanged_on_error
from featprune.selectors.pca_features import (
    Chunks,
    Features,
    name_not_finite,
    parquet_chunks,
    parquet_table,
)
from featprune.table import columns as tables
from featprune.table.columns import Table
from featprune.table.units import Units, make_units

# what `partial_fit` leaves to be found when it is first asked for
_FOUND = (
    "path_",
    "importances_",
    "support_",
    "ranking_",
    "size_",
    "n_features_",
    "loadings_",
    "loading_columns_",
    "explained_variance_ratio_",
    "n_components_",
    "_dimensions",
)


def _sees_rows_once(selector: Any) -> bool:
    """Whether chunks will do; otherwise say why not, in place of the method."""
    name = type(selector).__name__
    rule = selector.n_features_to_select
    if selector.cv is not None or needs_scores(rule):
        raise AttributeError(
            f"{name} can't take rows in chunks with cv={selector.cv!r} and "
            f"n_features_to_select={rule!r}, as folds need all rows at once. Pass cv=None and a "
            "number or 'reconstruction'."
        )
    if selector.encoder is not None and not isinstance(selector.encoder, str):
        raise AttributeError(
            f"{name} can't take rows in chunks with an encoder, which needs all rows at once. "
            "Encode the rows before, and pass encoder=None."
        )
    return True


class ChunkedSelector(BaseSelector):
    """A selector that needs no more of the rows than their second moments.

    A subclass ranks units by these in ``_follow``.
    """

    _chunks: Chunks | None

    @abstractmethod
    def _follow(self, features: Features, units: Units) -> tuple[EliminationPath, np.ndarray]:
        """Rank the units of a table by how its features spread; as `_find_path`."""

    @available_if(_sees_rows_once)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> ChunkedSelector:
        """Add a chunk of rows to those of the chunks before.

        Parameters
        ----------
        X : array, sparse matrix, pandas or polars DataFrame of shape (n_samples, n_columns)
            Numbers and embeddings, none of them missing.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0.

        Returns
        -------
        self
            What is fitted is found when it is first asked for. It is what `fit` finds on all rows
            at once, to 1e-10 whatever the chunks; of arrays, to the same bits.

        Raises
        ------
        ValueError, TypeError
            For rows that can't be added; those added before stay.
        AttributeError
            With folds or an encoder of your own, which need all rows at once.
        NotFittedError
            When what is fitted is asked for and there are too few rows for it.

        Notes
        -----
        What is kept of the rows is p x p second moments, or the rows while there are fewer. It is
        pickled with the selector. `fit` starts anew, and so does the first chunk after it.
        """
        with unchanged_on_error(self):
            self._check_parameters()
            chunks = self.__dict__.get("_chunks")
            table = self._read_chunk(X, is_first=chunks is None)
            check_consistent_length(table.native, y)
            weight = check_sample_weight(sample_weight, table.n_rows)
            if chunks is None:
                chunks = self._start_chunks(table)
            chunks.add(table, weight)
            self._forget_found()
        return self

    @available_if(_sees_rows_once)
    def fit_parquet(
        self,
        file: str | os.PathLike[str],
        columns: Sequence[str] | None = None,
        batch_size: int = 65_536,
    ) -> ChunkedSelector:
        """Fit to a Parquet file that need not fit in memory, reading it through once.

        Parameters
        ----------
        file : path
        columns : sequence of str, optional
            Those to choose from, in this order; all without. They must hold numbers, none of them
            missing.
        batch_size : int, default=65536
            Rows in memory at a time, besides what the reader itself needs, which is about a row
            group.

        Returns
        -------
        self
            As `fit` of the table would. `transform` takes frames with those columns.

        Raises
        ------
        ValueError, TypeError
            For columns that can't be used, named in the message.
        AttributeError
            As `partial_fit`.
        """
        with unchanged_on_error(self), progress_bar(self.verbose):
            self._check_parameters()
            check_count(batch_size, "batch_size", f"{type(self).__name__}.fit_parquet")
            table = parquet_table(file, columns)
            validate_data(self, table.native, skip_check_array=True)
            moments = self._start_chunks(table).moments
            for rows in parquet_chunks(file, table.names, batch_size):
                try:
                    moments.add(rows)
                except NotFiniteError:
                    raise ValueError(name_not_finite(rows, table.names)) from None
            self._forget_found()
            self._find_all()
            self._chunks = None
        return self

    def __getattr__(self, name: str) -> Any:
        """Find what chunks leave to be found, when it is first asked for."""
        if name in _FOUND and self.__dict__.get("_chunks") is not None:
            try:
                self._find_all()
            except ValueError as error:
                raise NotFittedError(str(error)) from error
            return self.__dict__[name]
        if name in ("partial_fit", "fit_parquet"):
            _sees_rows_once(self)  # says why they are not there
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit has come to its end, or there are chunks to find everything from."""
        return "support_" in self.__dict__ or self.__dict__.get("_chunks") is not None

    def _read_chunk(self, X: Any, *, is_first: bool) -> Table:
        """Read a chunk, which may have a single row; the first one says which columns there are."""
        if not is_first:
            return tables.read(self._align(X))
        if tables.is_frame(X):
            table = tables.read(X)
            validate_data(self, X, skip_check_array=True)
            return table
        tables.refuse_other_frames(X)
        return tables.read(
            validate_data(
                self, X, accept_sparse=("csr", "csc"), dtype=None, ensure_all_finite=False
            )
        )

    def _start_chunks(self, table: Table) -> Chunks:
        self._units = make_units(
            table,
            type(self).__name__,
            feature_groups=self.feature_groups,
            always_keep=self.always_keep,
            in_dimensions=self.embeddings == "dimensions",
        )
        self._columns = tuple(zip(table.names, table.kinds, table.dtypes, strict=True))
        self._chunks = Chunks(table, self._units)
        return self._chunks

    def _forget_found(self) -> None:
        for name in (*_FOUND, "cv_results_"):
            self.__dict__.pop(name, None)

    def __sklearn_tags__(self) -> Any:
        """Say that sparse tables are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _find_all(self) -> None:
        """Find everything from the chunks so far."""
        assert self._chunks is not None
        features = self._chunks.features(standardize=self.standardize)
        self.path_, self.importances_ = self._follow(features, self._units)
        self._cut_at(self._first_cut(self.path_))
