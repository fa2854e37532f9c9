"""Folds of a table's rows, and whether what they score is better than guessing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import stats
from sklearn.model_selection import check_cv

from featprune.path import EliminationPath
from featprune.table.columns import Table

# numbers of the rows to train on, and of those to score on, if any
Rows = tuple[np.ndarray, np.ndarray | None]


def split(
    cv: Any,
    table: Table,
    y: np.ndarray | None,
    groups: Any,
    *,
    classifies: bool,
    instead: str = "n_features_to_select as a number, which needs none",
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the numbers of each fold's training and held-out rows.

    Parameters
    ----------
    cv : int, splitter or iterable
        As in scikit-learn.
    table : Table
    y : ndarray of shape (n_rows,) or None
    groups : array-like of shape (n_rows,) or None
    classifies : bool
        Whether folds are stratified.
    instead : str
        What to pass where there can be no folds, for the message.

    Raises
    ------
    ValueError
        If the rows can't be split so.
    """
    splitter = check_cv(cv, y, classifier=classifies)
    try:
        return [
            (_numbers(train), _numbers(test))
            for train, test in splitter.split(table.native, y, groups)
        ]
    except ValueError as error:
        raise ValueError(
            f"The rows can't be split into the folds of cv={cv!r}: {error} Pass a cv with fewer "
            f"folds, or {instead}."
        ) from error


def _numbers(rows: np.ndarray) -> np.ndarray:
    """Positions of rows that a splitter gave as positions or as a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def warn_if_guessing(path: EliminationPath, splits: list[Rows], owner: str, mend: str) -> None:
    """Say so if no size is better than a model that knows no column.

    A one-sided t-test at 5 % on the folds of the best size, with the variance corrected for
    the rows that training parts share (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366).
    """
    if np.isnan(path.mean_scores).all():
        return  # there is no best size, and the cut says so
    best = int(np.nanargmax(path.mean_scores))
    score, error, n_folds = path.mean_scores[best], path.score_errors[best], len(splits)
    shared = float(np.mean([len(test) / len(train) for train, test in splits if test is not None]))
    margin = 0.0
    if n_folds > 1:
        margin = error * np.sqrt(1 + n_folds * shared) * stats.t.ppf(0.95, n_folds - 1)
    if score - margin <= path.mean_baseline:
        warnings.warn(
            f"{owner} found no size whose score is surely better than guessing: {score:.3g} ± "
            f"{error:.2g} with {path.sizes[best]}, {path.mean_baseline:.3g} without any column. "
            f"Which columns are kept is then close to chance. {mend}",
            UserWarning,
            stacklevel=4,
        )
