"""Any table into a matrix of numbers that knows which column each of its features came from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from featprune.table.categories import codes_of, levels_of
from featprune.table.columns import EMBEDDING, NUMBER, OTHER, Table, is_frame, quote_some, read
from featprune.table.provenance import probe_owners

if TYPE_CHECKING:
    import pandas as pd


class Encoded(NamedTuple):
    """A table as numbers.

    Attributes
    ----------
    values : ndarray of float64 or CSR matrix, shape (n_rows, n_features)
    owner : ndarray of shape (n_features,), int
        The column that each feature came from; ascending, but in the order of its features
        for a transformer of the caller's own.
    dimension : ndarray of shape (n_features,), int
        Which dimension of an embedding column a feature is, -1 for all others.
    levels : ndarray of shape (n_features,), int, or None
        How many levels a feature has that holds the codes of categories, 0 for all others; None
        if there are no codes.
    """

    values: Any
    owner: np.ndarray
    dimension: np.ndarray
    levels: np.ndarray | None = None


class TableEncoder:
    """Encode tables of one layout: learn on some rows, apply to others.

    Parameters
    ----------
    encoder : "auto", transformer or None
        ``"auto"``: numbers as they are, embeddings dimension by dimension, everything else
        through skrub's TableVectorizer; missing numbers become the mean, and a feature that
        says so joins their column. A transformer: applied to the whole table; each feature it
        makes must come from one column. None: every column must be a number, none missing.
    standardize : bool
        Scale every feature to mean 0 and variance 1 over the values that are there. Sparse
        matrices are scaled, not centred: they would not stay sparse.
    random_state : int or None
        Seed of what is random in the encoding of long texts.
    flag_vectors : bool, default=True
        Whether a missing vector is said by a feature, too. Where dimensions leave one by one,
        that feature would have to belong to one of them.
    most_levels : int, default=0
        With ``"auto"``, columns of categories or words with up to so many levels become one
        feature of codes, NaN where the level is missing or was not there on the learning rows.
    keep_missing : bool, default=False
        With ``"auto"``, whether missing numbers stay NaN, without flags.

    Attributes
    ----------
    owner_, dimension_ : ndarray of shape (n_features,), int
        As in :class:`Encoded`; set by `fit_transform`.
    """

    def __init__(
        self,
        encoder: Any,
        *,
        standardize: bool,
        random_state: int | None,
        flag_vectors: bool = True,
        most_levels: int = 0,
        keep_missing: bool = False,
    ) -> None:
        self.encoder = encoder
        self.most_levels = most_levels
        self.keep_missing = keep_missing
        self.flag_vectors = flag_vectors
        self.standardize = standardize
        self.random_state = random_state
        self._flagged = np.empty(0, dtype=np.intp)

    def fit_transform(
        self, table: Table, y: np.ndarray | None, sample_weight: np.ndarray | None
    ) -> Encoded:
        """Learn the encoding from `table` and apply it.

        Parameters
        ----------
        table : Table
        y : ndarray of shape (n_rows,), optional
            For transformers that look at the target.
        sample_weight : ndarray of shape (n_rows,), optional
            Weights of the means and variances.

        Raises
        ------
        ValueError, TypeError
            For values that the encoding cannot take; the message names the columns.
        """
        if self.encoder is None:
            _refuse_other_than_numbers(table)
        self._levels = self._learn_levels(table) if _is_auto(self.encoder) else {}
        self._transformer = self._new_transformer(table)
        encoded = self._with_flags(_join(self._blocks(table, y, fit=True)), fit=True)
        values, self.owner_, self.dimension_, levels = encoded
        embedded = self.owner_[self.dimension_ >= 0]
        self._widths = np.bincount(embedded, minlength=len(table.names))
        self._refuse_infinite(values, table)
        _refuse_constant(values)
        if not sparse.issparse(values) and _is_auto(self.encoder) and not self.keep_missing:
            values[:, np.isnan(values).all(axis=0)] = 0.0  # their mean is taken to be 0
        if self.standardize:
            self._scaler = StandardScaler(with_mean=not sparse.issparse(values), copy=False)
            self._means = self._scaler.fit(values, sample_weight=sample_weight).mean_
        elif not sparse.issparse(values) and _is_auto(self.encoder) and not self.keep_missing:
            self._means = _means_of_present(values, sample_weight)
        return Encoded(self._finish(values, table), self.owner_, self.dimension_, levels)

    def transform(self, table: Table) -> Any:
        """Apply the learned encoding; returns the values alone."""
        encoded = self._with_flags(_join(self._blocks(table, None, fit=False)), fit=False)
        self._refuse_infinite(encoded.values, table)
        return self._finish(encoded.values, table)

    def _new_transformer(self, table: Table) -> Any:
        if self.encoder is None:
            return None
        if not _is_auto(self.encoder):
            return clone(self.encoder)
        if not self._others(table):
            return None
        from skrub import StringEncoder, TableVectorizer

        return TableVectorizer(high_cardinality=StringEncoder(random_state=self.random_state))

    def _blocks(self, table: Table, y: np.ndarray | None, fit: bool) -> list[Encoded]:
        if self.encoder is not None and not _is_auto(self.encoder):
            return [self._by_transformer(table, y, fit)]
        if sparse.issparse(table.native):
            values = table.native.astype(float)
            return [Encoded(values, np.arange(values.shape[1]), np.full(values.shape[1], -1))]
        blocks = []
        numbers = table.of_kind(NUMBER)
        if len(numbers):
            values = table.numbers(numbers)
            blocks.append(Encoded(values, np.array(numbers), np.full(len(numbers), -1)))
        for i in table.of_kind(EMBEDDING):
            known = None if fit else self._widths[i]
            values = table.vectors(i, known)
            width = values.shape[1]
            blocks.append(Encoded(values, np.full(width, i), np.arange(width)))
        if self._levels:
            blocks.append(self._by_codes(table))
        if self._others(table):
            blocks.append(self._by_skrub(table, fit))
        return blocks

    def _others(self, table: Table) -> list[int]:
        """Columns that need features made for them."""
        return [i for i in table.of_kind(OTHER) if i not in self._levels]

    def _learn_levels(self, table: Table) -> dict[int, pd.Index]:
        """Levels of the columns that become codes."""
        if not self.most_levels:
            return {}
        found = {i: levels_of(table, i) for i in table.of_kind(OTHER)}
        return {
            i: levels
            for i, levels in found.items()
            if levels is not None and 0 < len(levels) <= self.most_levels
        }

    def _by_codes(self, table: Table) -> Encoded:
        columns = sorted(self._levels)
        codes = [codes_of(table, i, self._levels[i]) for i in columns]
        n_levels = np.array([len(self._levels[i]) for i in columns])
        owner = np.array(columns)
        return Encoded(np.column_stack(codes), owner, np.full(len(owner), -1), n_levels)

    def _by_skrub(self, table: Table, fit: bool) -> Encoded:
        others = self._others(table)
        frame = table.take(others)
        frame.columns = [table.names[i] for i in others]
        frame = _in_types_of_numpy(frame)
        vectorizer = self._transformer
        with warnings.catch_warnings():
            # a level that the training rows lack is all zeros, which is what it should be
            warnings.filterwarnings("ignore", "Found unknown categories")
            made = vectorizer.fit_transform(frame) if fit else vectorizer.transform(frame)
        position = {table.names[i]: i for i in others}
        owner = [position[vectorizer.output_to_input_[name]] for name in made.columns]
        # a frame that has lost all its columns has lost its rows, too
        values = np.array(made.to_numpy(), dtype=float).reshape(table.n_rows, len(owner))
        return Encoded(values, np.array(owner, dtype=np.intp), np.full(len(owner), -1))

    def _by_transformer(self, table: Table, y: np.ndarray | None, fit: bool) -> Encoded:
        transformer = self._transformer
        if fit:
            values = _as_matrix(transformer.fit_transform(table.copy().native, y))
            self._probed = probe_owners(transformer, table, values, _as_matrix)
        else:
            values = _as_matrix(transformer.transform(table.copy().native))
        alive = np.flatnonzero(self._probed >= 0)
        return Encoded(values[:, alive], self._probed[alive], np.full(len(alive), -1))

    def _with_flags(self, encoded: Encoded, fit: bool) -> Encoded:
        """Add one feature for each column that had missing numbers when this was learned."""
        values, owner, dimension, _ = encoded
        if (
            self.keep_missing
            or not _is_auto(self.encoder)
            or sparse.issparse(values)
            or not len(owner)
        ):
            return encoded
        if not fit and not len(self._flagged):
            return encoded
        missing = np.isnan(values)
        if fit and not missing.any():
            self._flagged = np.empty(0, dtype=np.intp)
            return encoded
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        columns = owner[starts]
        missing = np.logical_or.reduceat(missing, starts, axis=1)
        if fit:
            self._flagged = columns[missing.any(axis=0)]
            if not self.flag_vectors:
                self._flagged = np.setdiff1d(self._flagged, owner[dimension >= 0])
        if not len(self._flagged):
            return encoded
        flags = missing[:, np.searchsorted(columns, self._flagged)].astype(float)
        return _join([encoded, Encoded(flags, self._flagged, np.full(len(self._flagged), -1))])

    def _refuse_infinite(self, values: Any, table: Table) -> None:
        infinite = np.isinf(values.data if sparse.issparse(values) else values)
        self._refuse(values, infinite, "infinite values", "Replace or drop them.", table)

    def _finish(self, values: Any, table: Table) -> Any:
        """Scale, and put the mean where a number is missing."""
        stored = values.data if sparse.issparse(values) else values
        missing = np.isnan(stored)
        if missing.any():
            if sparse.issparse(values):
                mend = "Replace them: a sparse matrix is not imputed."
                self._refuse(values, missing, "missing values (NaN)", mend, table)
            if self.keep_missing and _is_auto(self.encoder):
                return values
            if not _is_auto(self.encoder):
                mend = "Impute them, or pass encoder='auto'."
                self._refuse(values, missing, "missing values (NaN)", mend, table)
            means = np.nan_to_num(self._means)  # 0 where all were missing
            values[missing] = np.broadcast_to(means, values.shape)[missing]
        return self._scaler.transform(values) if self.standardize else values

    def _refuse(self, values: Any, bad: np.ndarray, what: str, mend: str, table: Table) -> None:
        if not bad.any():
            return
        features = np.unique(
            values.tocsr().indices[bad] if sparse.issparse(values) else np.nonzero(bad)[1]
        )
        columns = [table.names[i] for i in np.unique(self.owner_[features])]
        noun = "column" if len(columns) == 1 else "columns"
        raise ValueError(f"X has {what} in {noun} {quote_some(columns)}. {mend}")


def _means_of_present(values: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean of the values of each feature that are not missing, NaN if all are."""
    missing = np.isnan(values)
    if not missing.any():
        return np.average(values, axis=0, weights=sample_weight)
    weights = np.where(missing, 0.0, 1.0)
    if sample_weight is not None:
        weights *= sample_weight[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        return (np.nan_to_num(values) * weights).sum(axis=0) / weights.sum(axis=0)


def _refuse_constant(values: Any) -> None:
    """Raise if no feature tells one row from another."""
    if values.shape[1] == 0:
        alive = False
    elif sparse.issparse(values):
        alive = (values.max(axis=0) != values.min(axis=0)).nnz
    else:
        first = values[:1]
        alive = not ((values == first) | (np.isnan(values) & np.isnan(first))).all()
    if not alive:
        raise ValueError(
            "Every column of X has one and the same value in all rows, so there is nothing to "
            "choose by. Pass a table with columns that vary."
        )


def _is_auto(encoder: Any) -> bool:
    return isinstance(encoder, str) and encoder == "auto"


def _as_matrix(values: Any) -> Any:
    """Whatever a transformer returned, as a float64 array or CSR matrix."""
    if sparse.issparse(values):
        return sparse.csr_array(values, dtype=float)
    if is_frame(values):
        made = read(values)
        words = [name for name, kind in zip(made.names, made.kinds, strict=True) if kind != NUMBER]
        if words:
            raise ValueError(
                f"The encoder must make numbers, and its features {quote_some(words)} are none. "
                "Pass an encoder that encodes those columns, too, or encoder='auto'."
            )
        return made.numbers(range(len(made.names)))
    try:
        return np.array(values, dtype=float, ndmin=2)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The encoder must make numbers: {error}. Pass an encoder that encodes all columns, "
            "or encoder='auto'."
        ) from error


def _in_types_of_numpy(frame: Any) -> Any:
    """A pandas frame with Arrow's dates and durations as numpy has them; skrub fails on those."""
    if not hasattr(frame, "astype"):
        return frame
    as_numpy = {"date32": "datetime64[s]", "date64": "datetime64[s]", "duration": "timedelta64[us]"}
    found = {name: str(dtype).partition("[")[0] for name, dtype in frame.dtypes.items()}
    return frame.astype({name: as_numpy[kind] for name, kind in found.items() if kind in as_numpy})


def _join(blocks: list[Encoded]) -> Encoded:
    """Put the blocks side by side, features in the order of their columns."""
    if len(blocks) == 1:
        return blocks[0]
    owner = np.concatenate([block.owner for block in blocks])
    dimension = np.concatenate([block.dimension for block in blocks])
    by_owner = np.argsort(owner, kind="stable")
    values = np.concatenate([block.values for block in blocks], axis=1)[:, by_owner]
    levels = None
    if any(block.levels is not None for block in blocks):
        none = (
            np.zeros(len(block.owner), dtype=int) if block.levels is None else block.levels
            for block in blocks
        )
        levels = np.concatenate(list(none))[by_owner]
    return Encoded(values, owner[by_owner], dimension[by_owner], levels)


def _refuse_other_than_numbers(table: Table) -> None:
    names = [name for name, kind in zip(table.names, table.kinds, strict=True) if kind == OTHER]
    if names:
        raise ValueError(
            f"With encoder=None every column must be a number, and {quote_some(names)} "
            f"{'is' if len(names) == 1 else 'are'} not. Pass encoder='auto', or encode before."
        )
