"""The elimination path: the order in which columns went, and the score at each size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from featprune.path import storage
from featprune.path.cv_results import CVResults
from featprune.path.marks import ranking_at, support_at

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class EliminationPath:
    """The order in which units of a table left, and what each size was worth.

    A *unit* is what leaves as a whole: a column, a group of columns, or one dimension of an
    embedding. Model ``s`` was fitted on ``sizes[s]`` units.

    Parameters
    ----------
    names : tuple of str
        The units' names, in the order of the table.
    order : ndarray of shape (n_removed,), int
        Units in the order in which they left, first gone first. Those that are not in it
        never left.
    criterion : ndarray of shape (n_removed,), float
        The criterion of each unit of `order` in the model because of which it left.
    sizes : ndarray of shape (n_sizes,), int
        The sizes at which there was a model, descending.
    scores : ndarray of shape (n_folds, n_sizes), float, or None
        Score of each fold's model on that fold's held-out rows; None if there were no folds.
    fold_orders : ndarray of shape (n_folds, n_removed), int, or None
        The `order` of each fold.
    baseline : ndarray of shape (n_folds,), float, or None
        Score of a model that knows no column, on each fold's held-out rows.
    explained : ndarray of shape (n_sizes,), float, or None
        Share of the variance of all columns that those left explain linearly; None where
        columns are not chosen to stand for the others.

    Examples
    --------
    >>> import numpy as np
    >>> path = EliminationPath(
    ...     names=("a", "b", "c"),
    ...     order=np.array([1, 0]),
    ...     criterion=np.array([0.1, 0.5]),
    ...     sizes=np.array([3, 2, 1]),
    ... )
    >>> path.support(2).tolist()
    [True, False, True]
    >>> path.ranking(1).tolist()
    [2, 3, 1]
    """

    names: tuple[str, ...]
    order: np.ndarray
    criterion: np.ndarray
    sizes: np.ndarray
    scores: np.ndarray | None = None
    fold_orders: np.ndarray | None = None
    baseline: np.ndarray | None = None
    explained: np.ndarray | None = None

    @property
    def has_scores(self) -> bool:
        """Whether there were folds, and so a score at each size."""
        return self.scores is not None

    @property
    def mean_scores(self) -> np.ndarray:
        """Mean score over the folds at each of `sizes`, shape (n_sizes,)."""
        return self._folds()[0].mean(axis=0)

    @property
    def score_errors(self) -> np.ndarray:
        """Standard error of the mean score at each of `sizes`, shape (n_sizes,).

        The sample standard deviation over the folds divided by the square root of their
        number. Folds share training rows, so this is a yardstick, not a confidence interval.
        """
        scores = self._folds()[0]
        if len(scores) == 1:
            return np.zeros(scores.shape[1])
        return scores.std(axis=0, ddof=1) / np.sqrt(len(scores))

    @property
    def mean_baseline(self) -> float:
        """Mean score over the folds of a model that knows no column."""
        return float(self._folds()[2].mean())

    def _folds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the scores, orders and baseline of the folds, or raise if there were none."""
        if self.scores is None or self.fold_orders is None or self.baseline is None:
            raise ValueError(
                "This path has no scores: it was found without cross-validation. Fit with "
                "n_features_to_select='one_se' or 'best' for a score at each size."
            )
        return self.scores, self.fold_orders, self.baseline

    def support(self, size: int) -> np.ndarray:
        """Return the mask of the `size` units that stay, shape (n_units,).

        `size` may lie between two of `sizes`: of the units that left in one step, the
        weakest are left out first.
        """
        return support_at(self.order, len(self.names), size)

    def ranking(self, size: int) -> np.ndarray:
        """Rank the units as scikit-learn's RFE does when it stops at `size`.

        Returns
        -------
        ndarray of shape (n_units,), int
            1 for those that stay; those that left last have rank 2, and units that left in
            the same step share a rank.
        """
        return ranking_at(self.order, self.sizes, len(self.names), size)

    def cv_results(self) -> Mapping[str, np.ndarray]:
        """Return the scores under the keys of scikit-learn's ``RFECV.cv_results_``.

        Keys: ``n_features``, ``mean_test_score``, ``std_test_score`` and, per fold,
        ``split{i}_test_score``, ``split{i}_ranking`` and ``split{i}_support``; rows ascend
        with the number of features. The last two are n_sizes × n_units each and made anew at
        each access: at 20,000 columns one of them would take gigabytes.
        """
        return CVResults(self.sizes, len(self.names), *self._folds()[:2])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a unit, in the order in which they left, those that stayed last.

        Columns: ``name``; ``size_before``, how many units there were when it left (if it
        stayed, how many stayed); ``criterion``, missing if it stayed; with folds
        ``mean_score`` and ``score_error``, the score of the model from which it was dropped
        (if it stayed, of the last one), and ``score_fold{i}``; ``explained`` likewise, where
        the path has it.
        """
        import pandas as pd

        stayed = np.flatnonzero(self.support(len(self.names) - len(self.order)))
        step = np.repeat(np.arange(len(self.sizes) - 1), -np.diff(self.sizes))
        step = np.concatenate([step, np.full(len(stayed), len(self.sizes) - 1)])
        units = np.concatenate([self.order, stayed])
        frame = pd.DataFrame(
            {
                "name": [self.names[unit] for unit in units],
                "size_before": self.sizes[step],
                "criterion": np.concatenate([self.criterion, np.full(len(stayed), np.nan)]),
            }
        )
        if self.scores is not None:
            frame["mean_score"] = self.mean_scores[step]
            frame["score_error"] = self.score_errors[step]
            for i, fold_scores in enumerate(self.scores):
                frame[f"score_fold{i}"] = fold_scores[step]
        if self.explained is not None:
            frame["explained"] = self.explained[step]
        return frame

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the path to a ``.json`` or ``.parquet`` file; every number survives exactly.

        Raises
        ------
        ValueError
            If the file's name ends in neither.
        """
        storage.write({field.name: getattr(self, field.name) for field in fields(self)}, file)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> EliminationPath:
        """Read a path that :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is of a newer schema, contradicts itself or holds something else.
        """
        return cls(**storage.read(file))
