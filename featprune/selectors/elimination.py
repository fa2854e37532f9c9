"""Selectors that eliminate units step by step: one path on all rows, and one in each fold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import joblib
import numpy as np

from featprune.cut import needs_scores
from featprune.importance.trace import Trace
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import BaseSelector, weighted_rows
from featprune.selectors.folds import Rows, split, warn_if_guessing
from featprune.selectors.time_limit import (
    Clock,
    check_time_limit,
    cut_short,
    start_clock,
    warn_of_time,
)
from featprune.table.columns import Table
from featprune.table.encode import Encoded, TableEncoder
from featprune.table.units import Units


class HeldOut(NamedTuple):
    """Rows that take no part in the fit, encoded, with their target and weights."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None


class Scores(NamedTuple):
    """Scores of held-out rows: of each model, and of one that only guesses."""

    models: np.ndarray
    baseline: float


class _Path(NamedTuple):
    """One elimination, with the importances of the columns."""

    trace: Trace
    scores: Scores | None
    importances: np.ndarray

    def cut_short(self, n_models: int) -> _Path:
        """Return the path as far as its first models go."""
        scores = self.scores
        if scores is not None:
            scores = scores._replace(models=scores.models[:n_models])
        return self._replace(trace=cut_short(self.trace, n_models), scores=scores)


class EliminationSelector(BaseSelector):
    """A selector whose units leave step by step, with a score at each size.

    A subclass fills in ``_eliminate``; folds, encoding inside each fold and the assembly of
    the path are here.
    """

    @abstractmethod
    def _encoder(self, seed: int) -> TableEncoder:
        """Return what encodes the training rows of a path, not fitted."""

    @abstractmethod
    def _eliminate(
        self,
        encoded: Encoded,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        *,
        unit: np.ndarray,
        protected: np.ndarray,
        floor: int,
        held_out: HeldOut | None,
        seed: int,
        progress: Callable[[int, int], None],
        deadline: float | None,
    ) -> tuple[Trace, Scores | None]:
        """Follow one elimination; the arguments are those of ``importance.svm.eliminate``.

        Returns
        -------
        trace : Trace
        scores : Scores or None
            None without held-out rows.
        """

    @abstractmethod
    def _is_classifier(self) -> bool:
        """Whether the target has classes: folds are then stratified."""

    @abstractmethod
    def _mend_guessing(self) -> str:
        """Say what may help where no size is better than guessing."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_time_limit(self.time_limit, type(self).__name__)

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        n_units, floor = len(units.names), self._floor(units)
        seed = self._seed()
        splits: list[Rows] = [(np.arange(table.n_rows), None)]
        if needs_scores(self.n_features_to_select):
            splits += split(self.cv, table, y, groups, classifies=self._is_classifier())
        clock = start_clock(self.time_limit, len(splits), joblib.effective_n_jobs(self.n_jobs))
        task = f"{type(self).__name__}: eliminating"
        paths: list[_Path] = []
        parallel = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")
        calls = (
            joblib.delayed(_one_path)(
                self,
                table,
                units,
                y,
                sample_weight,
                rows=rows,
                floor=floor,
                seed=seed,
                progress=_Progress(task, i, len(splits)),
                clock=clock,
            )
            for i, rows in enumerate(splits)
        )
        for path in parallel(calls):
            paths.append(path)
            tell(task, len(paths) * (n_units - floor), len(splits) * (n_units - floor))
        paths = self._to_common_sizes(paths, floor)
        path = _assemble(paths, units.names)
        if path.has_scores:
            warn_if_guessing(path, splits[1:], type(self).__name__, self._mend_guessing())
        return path, paths[0].importances

    def _to_common_sizes(self, paths: list[_Path], floor: int) -> list[_Path]:
        """Cut all paths to the sizes that each of them reached, and say so if time ran out."""
        n_models = min(len(path.trace.sizes) for path in paths)
        sizes = paths[0].trace.sizes
        reached = int(sizes[n_models - 1])
        if self.time_limit is None or reached == floor:
            return paths
        name, rule = type(self).__name__, self.n_features_to_select
        warn_of_time(self.time_limit, reached, int(sizes[0]), floor, rule, name)
        return [path.cut_short(n_models) for path in paths]

    def _first_cut(self, path: EliminationPath) -> int | float | str:
        """Return the rule of `fit`; if time ran out before its number, the smallest size."""
        rule = self.n_features_to_select
        reached = len(path.names) - len(path.order)
        if isinstance(rule, Integral) and reached > self._floor(self._units):
            return max(int(rule), reached)
        return rule


class _Progress:
    """Tells how far one of several paths is, as part of them all; can be pickled."""

    def __init__(self, task: str, i: int, n_paths: int) -> None:
        self.task, self.i, self.n_paths = task, i, n_paths

    def __call__(self, done: int, total: int) -> None:
        tell(self.task, self.i * total + done, self.n_paths * total)


def _one_path(
    selector: EliminationSelector,
    table: Table,
    units: Units,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    *,
    rows: Rows,
    floor: int,
    seed: int,
    progress: _Progress,
    clock: Clock | None,
) -> _Path:
    """Encode the training rows, follow their elimination, and score the held-out rows."""
    train, test = rows
    train, train_weight = weighted_rows(train, sample_weight)
    encoder = selector._encoder(seed)
    encoded = encoder.fit_transform(table.rows(train), y[train], train_weight)
    held_out = None
    if test is not None:
        test, test_weight = weighted_rows(test, sample_weight)
        values = encoder.transform(table.rows(test))
        held_out = HeldOut(values, y[test], test_weight)
    trace, scores = selector._eliminate(
        encoded,
        y[train],
        train_weight,
        unit=units.of_features(encoded),
        protected=units.protected,
        floor=floor,
        held_out=held_out,
        seed=seed,
        progress=progress,
        deadline=None if clock is None else clock.deadline(progress.i, type(selector).__name__),
    )
    importances = fold(trace.importances, encoded.owner, len(table.names))
    return _Path(trace._replace(decisions=None), scores, importances)


def _assemble(paths: list[_Path], names: tuple[str, ...]) -> EliminationPath:
    """Make one path of that of all rows, which comes first, and those of the folds."""
    full = paths[0].trace
    scores = [path.scores for path in paths if path.scores is not None]
    path = EliminationPath(names, full.order, full.criterion, full.sizes)
    if not scores:
        return path
    return replace(
        path,
        scores=np.array([fold_scores.models for fold_scores in scores]),
        fold_orders=np.array([one.trace.order for one in paths[1:]]),
        baseline=np.array([fold_scores.baseline for fold_scores in scores]),
    )
