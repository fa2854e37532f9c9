"""Selectors that eliminate units step by step: one path on all rows, and one in each fold."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state

from featprune.cut import needs_scores
from featprune.encode import TableEncoder
from featprune.importance.svm.trace import Trace
from featprune.parameters import check_flag, check_step
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import BaseSelector
from featprune.table import Table
from featprune.units import Units


class HeldOut(NamedTuple):
    """Rows that take no part in the fit, encoded, with their target and weights."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None


class Elimination(NamedTuple):
    """One path: what the hook returned, and the importances folded into columns."""

    trace: Trace
    scores: np.ndarray | None
    importances: np.ndarray


class EliminationSelector(BaseSelector):
    """A selector whose units leave step by step, with a score at each size.

    A subclass fills in ``_eliminate``; folds, encoding inside each fold and the assembly of
    the path are here.
    """

    @abstractmethod
    def _eliminate(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        *,
        unit: np.ndarray,
        protected: np.ndarray,
        floor: int,
        step: int,
        held_out: HeldOut | None,
    ) -> tuple[Trace, np.ndarray | None]:
        """Follow one elimination; the arguments are those of ``importance.svm.eliminate``.

        Returns
        -------
        trace : Trace
        scores : ndarray of shape (n_models,) or None
            Score of each model on the held-out rows, None without any.
        """

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_step(self.step, type(self).__name__)
        check_flag(self.standardize, "standardize", type(self).__name__)

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        n_units = len(units.names)
        floor = min(max(self.min_features_to_select, int(units.protected.sum())), n_units)
        step = self.step if self.step >= 1 else max(1, int(self.step * n_units))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        splits: list[tuple[np.ndarray, np.ndarray | None]] = [(np.arange(table.n_rows), None)]
        if needs_scores(self.n_features_to_select):
            splits += self._split(table, y, groups)
        paths = []
        parallel = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")
        for path in parallel(
            joblib.delayed(_one_path)(
                self, table, units, y, sample_weight, train, test, int(floor), int(step), seed
            )
            for train, test in splits
        ):
            paths.append(path)
            tell("paths", len(paths), len(splits))
        full, *folds = paths
        path = EliminationPath(
            names=units.names,
            order=full.trace.order,
            criterion=full.trace.criterion,
            sizes=full.trace.sizes,
            scores=np.array([one.scores for one in folds]) if folds else None,
            fold_orders=np.array([one.trace.order for one in folds]) if folds else None,
        )
        return path, full.importances

    def _split(
        self, table: Table, y: np.ndarray | None, groups: Any
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows of each fold, or an error that says how to do without."""
        splitter = check_cv(self.cv, y, classifier=True)
        try:
            return [tuple(map(_row_numbers, s)) for s in splitter.split(table.native, y, groups)]
        except ValueError as error:
            raise ValueError(
                f"The rows can't be split into the folds of cv={self.cv!r}: {error} Pass a cv "
                "with fewer folds, or n_features_to_select as a number, which needs none."
            ) from error


def _one_path(
    selector: EliminationSelector,
    table: Table,
    units: Units,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    train: np.ndarray,
    test: np.ndarray | None,
    floor: int,
    step: int,
    seed: int,
) -> Elimination:
    """Encode the training rows, follow their elimination, and score the held-out rows."""
    train, train_weight = _weighted_rows(train, sample_weight)
    encoder = TableEncoder(selector.encoder, standardize=selector.standardize, random_state=seed)
    encoded = encoder.fit_transform(table.rows(train), y[train], train_weight)
    held_out = None
    if test is not None:
        test, test_weight = _weighted_rows(test, sample_weight)
        values = encoder.transform(table.rows(test))
        held_out = HeldOut(values, y[test], test_weight)
    trace, scores = selector._eliminate(
        encoded.values,
        y[train],
        train_weight,
        unit=units.of_features(encoded),
        protected=units.protected,
        floor=floor,
        step=step,
        held_out=held_out,
    )
    importances = fold(trace.importances, encoded.owner, len(table.names))
    return Elimination(trace._replace(decisions=None), scores, importances)


def _row_numbers(rows: np.ndarray) -> np.ndarray:
    """Positions of rows that a splitter gave as positions or as a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _weighted_rows(
    rows: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Leave out the rows of weight 0: they are as good as absent."""
    if sample_weight is None:
        return rows, None
    rows = rows[sample_weight[rows] > 0]
    return rows, sample_weight[rows]
