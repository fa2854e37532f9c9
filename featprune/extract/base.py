"""The base of all embedders: rows are read, embedded in batches, and laid into a frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from featprune.extract.rows import Rows, UnreadableError, name_row, read_rows, vectors_frame
from featprune.parameters import check_choice, check_flag
from featprune.progress import progress_bar, tell

ERRORS = ("raise", "skip")


class Batch(NamedTuple):
    """Vectors of some rows.

    Attributes
    ----------
    idx : ndarray of shape (n_batch,), int
        Which rows of X they are.
    vectors : list of ndarray of shape (n_batch, width), float32
        One matrix for each column that is made.
    """

    idx: np.ndarray
    vectors: list[np.ndarray]


class Embedder(TransformerMixin, BaseEstimator):
    """A transformer that makes columns of vectors out of raw rows.

    A subclass assigns its parameters in ``__init__``, checks its own ones in
    ``_check_parameters``, names its columns in ``_columns`` and embeds in ``_batches``. What it
    loads it keeps by ``_kept``, which neither clones nor pickles.
    """

    verbose: bool
    name: str | None
    # of embedders that have no such parameter, every row can be read
    errors: str

    # what a row is, in messages
    _row = "a row"

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise if a parameter can't be used."""

    @abstractmethod
    def _columns(self) -> list[str]:
        """Names of the columns that are made."""

    @abstractmethod
    def _batches(self, rows: Rows) -> Iterator[Batch]:
        """Embed the rows. Rows that can't be read and are skipped are in no batch."""

    def _learn(self, rows: Rows) -> None:
        """Learn from the rows of `fit` what embedding needs, if it needs anything."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters, load what is needed, and try it on the first row.

        Parameters
        ----------
        X : list, array, Series or frame of n_rows rows
            As the class says.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters and rows that can't be used; the message says how to mend them.
        """
        self._check_parameters()
        rows = self._read(X)
        with progress_bar(self.verbose):
            self._learn(rows)
            first = self._first_batch(rows)
        names = self._columns()
        widths = [matrix.shape[1] for matrix in first.vectors]
        self.widths_ = dict(zip(names, widths, strict=True))
        return self

    def transform(self, X: Any) -> Any:
        """Return the rows' vectors.

        Parameters
        ----------
        X : list, array, Series or frame of n_rows rows

        Returns
        -------
        DataFrame of shape (n_rows, n_columns)
            Of pandas, with the index of a pandas X, or of polars for a polars X. A row that was
            skipped has missing vectors.

        Raises
        ------
        ValueError, TypeError
            For rows that can't be used; the message names the row.
        """
        self._check_before_transform()
        rows = self._read(X)
        n_rows, task = len(rows), f"{type(self).__name__}: rows"
        names, missing = self._columns(), np.ones(n_rows, dtype=bool)
        found: list[np.ndarray] = []
        n_done = 0
        with progress_bar(self.verbose):
            for idx, vectors in self._batches(rows):
                if not found:
                    found = [np.zeros((n_rows, v.shape[1]), dtype=np.float32) for v in vectors]
                for column, name, part in zip(found, names, vectors, strict=True):
                    if column.shape[1] != part.shape[1]:
                        raise ValueError(
                            f"{type(self).__name__} makes vectors of length {column.shape[1]} and "
                            f"of length {part.shape[1]} for column {name!r}. Pass rows of one "
                            "shape, or a 'pool' that does not depend on it."
                        )
                    column[_in_short(idx)] = part
                missing[idx] = False
                n_done += len(idx)
                tell(task, n_done, n_rows)
        if not found:  # all were skipped; a fitted one knows how wide they would have been
            widths = getattr(self, "widths_", dict.fromkeys(names, 0))
            found = [np.zeros((n_rows, widths[name]), dtype=np.float32) for name in names]
        return vectors_frame(dict(zip(names, found, strict=True)), missing, rows)

    def _check_before_transform(self) -> None:
        self._check_parameters()

    def _first_batch(self, rows: Rows) -> Batch:
        """The vectors of the first row that can be read."""
        for start in range(len(rows)):
            for batch in self._batches(rows.one(start)):
                return batch
        raise ValueError(
            f"None of the {len(rows)} rows of X can be read. {type(self).__name__} needs at least "
            "one. errors='raise' says what is wrong with the first."
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of vectors.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "widths_")
        return np.array(list(self.widths_), dtype=object)

    def _read(self, X: Any) -> Rows:
        return read_rows(X, type(self).__name__, what=self._row)

    def _made(
        self, rows: Rows, idx: np.ndarray, make: Callable[[Any], Any]
    ) -> tuple[list[int], list[Any]]:
        """Which of the rows `idx` can be read, and what `make` makes of them.

        The others are skipped, or the first of them is named by a ValueError.
        """
        readable, made = [], []
        for i in idx.tolist():
            value = rows.values[i]
            try:
                made.append(make(value))
            except UnreadableError as error:
                if self.errors == "skip":
                    continue
                raise ValueError(
                    f"{type(self).__name__} can't read {name_row(i, value)}: {error} Mend or drop "
                    "it, or pass errors='skip'."
                ) from error
            readable.append(i)
        return readable, made

    def _kept(self, what: str, key: tuple[Any, ...], make: Any) -> Any:
        """What `make` returned when it was last called with this key; never pickled."""
        kept = self.__dict__.setdefault("_loaded", {})
        if what not in kept or kept[what][0] != key:
            kept[what] = (key, make())
        return kept[what][1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is loaded: a session of onnxruntime can't be pickled."""
        return {name: value for name, value in super().__getstate__().items() if name != "_loaded"}

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit has come to its end."""
        return hasattr(self, "widths_")

    def __sklearn_tags__(self) -> Tags:
        """Say that rows are no rows of numbers, and that fit need not come first."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        tags.requires_fit = False
        return tags

    def _check_shared(self) -> None:
        """Raise if a parameter that all embedders have can't be used."""
        owner = type(self).__name__
        check_flag(self.verbose, "verbose", owner)
        check_name(self.name, owner)
        if "errors" in self.get_params(deep=False):
            check_choice(self.errors, "errors", owner, ERRORS)


def _in_short(idx: np.ndarray) -> np.ndarray | slice:
    """A run of rows as a slice, into which numpy copies faster."""
    is_run = len(idx) == 1 or (np.diff(idx) == 1).all()
    return slice(int(idx[0]), int(idx[-1]) + 1) if is_run else idx


def check_name(name: Any, owner: str) -> None:
    """Raise unless `name` is a word or None."""
    if name is not None and not isinstance(name, str):
        raise TypeError(
            f"The 'name' parameter of {owner} must be a str or None. Got {name!r} instead."
        )


def chunks(idx: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield parts of `idx` of at most `size`."""
    for start in range(0, len(idx), size):
        yield idx[start : start + size]


def by_shape(idx: Sequence[int], arrays: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield the arrays stacked, those of one shape together, with their numbers."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, array in enumerate(arrays):
        groups.setdefault(array.shape, []).append(k)
    for members in groups.values():
        yield np.array([idx[k] for k in members]), np.stack([arrays[k] for k in members])
