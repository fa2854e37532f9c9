"""The base of all selectors: the way from a table to its own columns, with one hook to fill."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from featprune.cut import SCORED_RULES, check_rule, cut
from featprune.parameters import check_choice, check_count, check_flag
from featprune.path import EliminationPath
from featprune.plan import PrunePlan, make_plan
from featprune.progress import progress_bar
from featprune.table import columns as tables
from featprune.table.columns import Table, quote_some
from featprune.table.units import Units, make_units


class BaseSelector(SelectorMixin, BaseEstimator):
    """A transformer that keeps columns of the caller's table.

    A subclass assigns its parameters in ``__init__``, checks its own ones in
    ``_check_parameters`` and ranks the units in ``_find_path``. Reading the table, the units,
    the cut, the mask and the table that goes out are here.
    """

    # rules for the size that are words
    _words: tuple[str, ...] = SCORED_RULES

    @abstractmethod
    def _find_path(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        """Rank the units of the table.

        Returns
        -------
        path : EliminationPath
        importances : ndarray of shape (n_columns,)
        """

    def _check_parameters(self) -> None:
        """Raise if a parameter can't be used."""
        name = type(self).__name__
        if "n_features_to_select" in self.get_params(deep=False):
            check_rule(self.n_features_to_select, "n_features_to_select", name, self._words)
        check_count(self.min_features_to_select, "min_features_to_select", name)
        check_choice(self.embeddings, "embeddings", name, ("whole", "dimensions"))
        check_flag(self.verbose, "verbose", name)
        if not _can_encode(self.encoder):
            raise ValueError(
                f"The 'encoder' parameter of {name} must be 'auto', a transformer or None. "
                f"Got {self.encoder!r} instead."
            )

        if self.embeddings == "dimensions" and not isinstance(self.encoder, str | None):
            raise ValueError(
                f"With embeddings='dimensions' the 'encoder' parameter of {name} must be 'auto' or "
                f"None: an encoder's features can't be traced to dimensions. Got {self.encoder!r} "
                "instead."
            )

    def _check_target(self, y: Any) -> np.ndarray | None:
        """Return the target as an array, or raise if it can't be used."""
        return None if y is None else np.asarray(y)

    def _floor(self, units: Units) -> int:
        """How many units are left where a path ends."""
        at_least = max(self.min_features_to_select, int(units.protected.sum()))
        return min(at_least, len(units.names))

    def _first_cut(self, path: EliminationPath) -> int | float | str:
        """Return the rule by which `fit` cuts the path."""
        return self.n_features_to_select

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None
    ) -> BaseSelector:
        """Find out which columns to keep.

        Parameters
        ----------
        X : array, sparse matrix, pandas or polars DataFrame of shape (n_samples, n_columns)
            Columns may be numbers, booleans, categories, strings, dates or embeddings, with
            missing values.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0. A row of weight 2 counts as two, a row of weight 0 not at all.
        groups : array-like of shape (n_samples,), optional
            Groups of samples, for a `cv` that keeps them together.

        Returns
        -------
        self
            Fitted. If anything is raised, the selector is as it was before.

        Raises
        ------
        ValueError, TypeError
            For parameters and tables that can't be used; the message says how to mend them.
        """
        with unchanged_on_error(self), progress_bar(self.verbose):
            self._check_parameters()
            if y is None and self.__sklearn_tags__().target_tags.required:
                raise ValueError(
                    f"{type(self).__name__} requires y to be passed, but the target y is None. "
                    "Pass it as fit(X, y)."
                )
            table = self._read(X)
            y = self._check_target(y)
            check_consistent_length(table.native, y, groups)
            weight = check_sample_weight(sample_weight, table.n_rows)
            units = make_units(
                table,
                type(self).__name__,
                feature_groups=self.feature_groups,
                always_keep=self.always_keep,
                in_dimensions=self.embeddings == "dimensions",
            )
            path, importances = self._find_path(table, units, y, weight, groups)
            self._columns = tuple(zip(table.names, table.kinds, table.dtypes, strict=True))
            self._units = units
            self.path_ = path
            self.importances_ = importances
            if path.has_scores:
                self.cv_results_ = path.cv_results()
            elif hasattr(self, "cv_results_"):
                del self.cv_results_
            self._cut_at(self._first_cut(path))
        return self

    def reselect(self, rule: int | float | str) -> BaseSelector:
        """Move the cut to another size of the same path; nothing is fitted.

        Parameters
        ----------
        rule : int, float, "best" or "one_se"
            As `n_features_to_select`, which itself stays as it is. What was fitted on the
            columns of the old cut, such as a later step of a Pipeline, must be fitted anew.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the path does not reach that far, or has no scores and the rule needs them.
        """
        check_is_fitted(self)
        check_rule(rule, "rule", f"{type(self).__name__}.reselect", self._words)
        self._cut_at(rule)
        return self

    def _as_size(self, rule: int | float | str) -> int | float | str:
        """Return a rule of the class's own as one that any path can be cut by."""
        return rule

    def _seed(self) -> int:
        """Draw the seed of a fit from `random_state`."""
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _cut_at(self, rule: int | float | str) -> None:
        size = cut(self.path_, self._as_size(rule), stacklevel=4)
        kept = self.path_.support(size)
        self.size_ = size
        self._dimensions = self._units.dimensions(kept)
        self.support_ = self._units.columns(kept)
        self.ranking_ = self._units.column_ranking(self.path_.ranking(size))
        self.n_features_ = int(self.support_.sum())

    @property
    def embedding_support_(self) -> dict[str, np.ndarray]:
        """Which dimensions stay, by column name; empty unless ``embeddings="dimensions"``."""
        check_is_fitted(self)
        return {self._columns[i][0]: mask for i, mask in self._dimensions.items()}

    def transform(self, X: Any) -> Any:
        """Return the columns that are kept, as they are, in a table of the same kind.

        Parameters
        ----------
        X : array, sparse matrix, pandas or polars DataFrame of shape (n_samples, n_columns)
            With the columns of `fit`. Those of a frame are found by name, in any order.

        Returns
        -------
        table of shape (n_samples, n_features_)
            Dtypes, index and rows untouched, columns in the order of `fit`.

        Raises
        ------
        ValueError
            If columns are missing or unknown.
        """
        check_is_fitted(self)
        X = self._align(X)
        names, kinds, dtypes = zip(*self._columns, strict=True)
        if tables.is_frame(X):
            names = tuple(str(name) for name in X.columns)
        idx = np.flatnonzero(self.support_).tolist()
        dimensions = {i: mask for i, mask in self._dimensions.items() if self.support_[i]}
        return Table(X, names, kinds, dtypes).take(idx, dimensions)

    def to_plan(self, **details: Any) -> PrunePlan:
        """Return what is kept, what went and why, as a plan that can be saved as JSON.

        Parameters
        ----------
        **details
            Further facts to write into the plan, such as the table's name.
        """
        check_is_fitted(self)
        return make_plan(
            selector=type(self).__name__,
            parameters=self.get_params(deep=False),
            columns=self._columns,
            units=self._units,
            path=self.path_,
            size=self.size_,
            importances=self.importances_,
            details=details,
        )

    def _read(self, X: Any) -> Table:
        """Read the table of `fit`, and note its columns' names and number as scikit-learn does."""
        if tables.is_frame(X):
            if 0 in X.shape or X.shape[0] < 2:
                raise ValueError(
                    f"Found a table with {X.shape[0]} sample(s) and {X.shape[1]} feature(s). "
                    f"{type(self).__name__} needs at least 2 rows and 1 column."
                )
            table = tables.read(X)
            validate_data(self, X, skip_check_array=True)
            return table
        tables.refuse_other_frames(X)
        X = validate_data(
            self,
            X,
            accept_sparse=("csr", "csc"),
            dtype=None,
            ensure_all_finite=False,
            ensure_min_samples=2,
        )
        return tables.read(X)

    def _align(self, X: Any) -> Any:
        """Return the table of `transform` with its columns where those of `fit` were."""
        if not tables.is_frame(X):
            tables.refuse_other_frames(X)
            finite = "allow-nan" if self.encoder is not None else True
            return validate_data(
                self,
                X,
                accept_sparse=("csr", "csc"),
                dtype=None,
                ensure_all_finite=finite if not _holds_objects(X) else False,
                reset=False,
            )
        if not hasattr(self, "feature_names_in_"):
            validate_data(self, X, skip_check_array=True, reset=False)
            return X
        fitted, found = list(self.feature_names_in_), list(X.columns)
        missing = sorted(set(fitted) - set(found), key=fitted.index)
        unknown = sorted(set(found) - set(fitted), key=found.index)
        if missing or unknown:
            complaints = []
            if missing:
                complaints.append(f"lacks {len(missing)} that it had: {quote_some(missing)}")
            if unknown:
                complaints.append(f"has {len(unknown)} that it had not: {quote_some(unknown)}")
            raise ValueError(
                f"The columns of X should match those of fit. X {', and '.join(complaints)}. "
                "Pass a table with the columns of fit, in any order."
            )
        return X if found == fitted else X[fitted]

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit has come to its end."""
        return hasattr(self, "support_")

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: missing values, unless nothing would encode them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.encoder is not None
        return tags


def rows_that_count(
    table: Table, y: Any, sample_weight: np.ndarray | None
) -> tuple[Table, Any, np.ndarray | None]:
    """Return the table, target and weights of the rows that :func:`weighted_rows` leaves."""
    if sample_weight is None:
        return table, y, None
    rows, sample_weight = weighted_rows(np.arange(table.n_rows), sample_weight)
    return table.rows(rows), None if y is None else y[rows], sample_weight


def weighted_rows(
    rows: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Leave out the rows of weight 0, and weights that are all 1: both are as good as absent."""
    if sample_weight is None:
        return rows, None
    rows = rows[sample_weight[rows] > 0]
    weight = sample_weight[rows]
    # where weights are given, scikit-learn's forests draw rows in another way
    return rows, None if (weight == 1).all() else weight


def _can_encode(encoder: Any) -> bool:
    """Whether it is "auto", None or an instance that fits and transforms."""
    if encoder is None or isinstance(encoder, str):
        return encoder in (None, "auto")
    has_methods = hasattr(encoder, "fit") and hasattr(encoder, "transform")
    return has_methods and not isinstance(encoder, type)


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave the estimator as it was if the block raises, so that it is never half-fitted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_sample_weight(sample_weight: Any, n_rows: int) -> np.ndarray | None:
    """Return weights as float64 of shape (n_rows,), or raise ValueError if they are none."""
    if sample_weight is None:
        return None
    weight = check_array(sample_weight, ensure_2d=False, dtype=float, input_name="sample_weight")
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have one weight for each of the {n_rows} rows of X. Got the "
            f"shape {weight.shape} instead."
        )
    if (weight < 0).any():
        raise ValueError(
            f"A sample_weight must be at least 0. Got {weight.min():g} in "
            f"{(weight < 0).sum()} row(s)."
        )
    if not weight.any():
        raise ValueError("Every sample_weight is zero, so no row counts. Pass weights above 0.")
    return weight


def _holds_objects(X: Any) -> bool:
    return getattr(X, "dtype", None) is not None and X.dtype == object
