"""SVM-RFE with a squared loss where samples outnumber features: a Newton that remembers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from featprune.importance.svm.primal_blocked import Blocked
from featprune.importance.svm.primal_model import Model
from featprune.importance.svm.primal_table import Table
from featprune.importance.svm.problems import Problem
from featprune.importance.svm.threads import one_thread
from featprune.importance.trace import Trace
from featprune.ranking import fold, weakest_first

_REPORT_SECONDS = 0.1
# Relative gradient that is warned of.
_POOR = 1e-8
# The first model starts from that of every sixteenth row, if these are ten times the features.
_THIN, _ENOUGH = 16, 10
# Features from which changes are taken by blocks, if there are no more rows than so many times
# these.
_WIDE, _LOW = 1000, 8


def trace_primal(
    X: Any,
    problems: list[Problem],
    *,
    scale: float,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
    starts: list[np.ndarray] | None = None,
) -> Trace:
    """Follow the elimination of a squared-loss linear machine down to `floor` units.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), float64
        Not changed.
    problems : list of Problem
        Of all rows, with a positive, finite `ridge` and an infinite `box`.
    scale : float
        Value of the constant feature whose weight is the bias; it is penalised like the others
        but never leaves. 0 for no bias.
    unit : ndarray of shape (n_features,), int
        The unit of each feature; a unit leaves as a whole.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        How many units are left at the end; at least those that are protected.
    step : int
        How many units leave at a time.
    held_out : ndarray or CSR matrix of shape (n_held_out, n_features), optional
        Rows for which each model gives its decision values.
    progress : callable, optional
        Called with units gone and units to go in all, at most ten times a second.
    deadline : float, optional
        Value of ``time.monotonic()`` past which the path so far is returned.
    starts : list of ndarray of shape (n_features + 1,), optional
        Weights near each problem's optimum, the constant's last.

    Returns
    -------
    Trace
        A unit's criterion is the sum of its features' squared weights over the problems.

    Warns
    -----
    ConvergenceWarning
        Where the gradient of a model can't be brought below 1e-8, relatively.

    Notes
    -----
    Each model is the exact minimum of ``|w|^2 / 2 + sum_i C_i d_i^2``, d_i the distance of a
    row's value from what has no loss. When a feature leaves, the optimum for the same active
    samples follows from the inverse Hessian in O(p^2); then only the samples that may have
    changed sides, by a bound, are looked at, and Newton steps go on until none does
    (Keerthi and DeCoste 2005). Of criteria that rounding can't tell apart the unit of the
    larger index leaves first.

    The first model costs some passes over X and O(n p^2); each later one O(p^2) for a feature
    or an active sample that changes, and a few passes in all for each quarter of the features.
    Memory: X once more at most, two matrices of p^2 for each problem. Of more than a thousand
    features, changes are taken by blocks, see
    :class:`~featprune.importance.svm.primal_blocked.Blocked`: O(n p) for a feature, at the
    speed of matrix products.

    References
    ----------
    Keerthi, S. S., DeCoste, D. (2005). A modified finite Newton method for fast solution of
    large scale linear SVMs. Journal of Machine Learning Research 6, 341-361.
    """
    with one_thread():
        table = Table(X, scale)
        models = [_model(table, *given) for given in _starts(table, problems, starts)]
        return _eliminate(table, models, unit, protected, floor, step, held_out, progress, deadline)


def is_wide(n: int, n_features: int) -> bool:
    """Tell whether changes are taken by blocks, which pays for many features."""
    return n_features > _WIDE and n <= _LOW * n_features


def _model(table: Table, problem: Problem, start: np.ndarray | None) -> Model | Blocked:
    if not is_wide(table.n, int(table.alive.sum())):
        return Model(table, problem, start)
    if start is None:
        start = Model(table, problem).w
    return Blocked(table, problem, start)


def _eliminate(
    table: Table,
    models: list[Any],
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
) -> Trace:
    """Solve, rank and let go, until `floor` units are left."""
    n_units, n_features = len(protected), len(unit)
    left = np.ones(n_units, dtype=bool)
    size, reported = n_units, -np.inf
    order: list[np.ndarray] = []
    criterion: list[np.ndarray] = []
    sizes: list[int] = []
    decisions: list[np.ndarray] = []
    residuals: list[float] = []
    importances = None
    while True:
        weights = _spread(table, [model.w[:-1] for model in models], n_features)
        residuals.append(max(model.residual for model in models))
        squares = np.square(weights).sum(axis=1)
        importances = squares if importances is None else importances
        sizes.append(size)
        if held_out is not None:
            biases = np.array([model.w[-1] for model in models])
            decisions.append(held_out @ weights + table.scale * biases)
        now = time.monotonic()
        if progress is not None and (now >= reported + _REPORT_SECONDS or size <= floor):
            progress(n_units - size, n_units - floor)
            reported = now
        if size <= floor or (deadline is not None and now > deadline):
            break
        doubts = _spread(table, [model.doubt()[:-1] for model in models], n_features)
        doubts = (2.0 * np.abs(weights) * doubts).sum(axis=1)
        scores, blur = fold(squares, unit, n_units), fold(doubts, unit, n_units)
        candidates = np.flatnonzero(left & ~protected)
        ranked = candidates[_weakest(scores[candidates], blur[candidates])]
        gone = ranked[: min(step, size - floor)]
        order.append(gone)
        criterion.append(scores[gone])
        left[gone] = False
        size -= len(gone)
        _pack(table, models)
        if isinstance(models[0], Blocked) and not is_wide(table.n, int(table.alive.sum())):
            models = [_model(table, model.problem, model.w) for model in models]
        _let_go(table, models, left[unit], _columns(table, unit, ranked[len(gone) :]))
    _complain(sizes, residuals)
    return Trace(
        order=np.concatenate([*order, np.empty(0, dtype=np.intp)]).astype(np.intp),
        criterion=np.concatenate([*criterion, np.empty(0)]),
        sizes=np.array(sizes, dtype=np.intp),
        importances=importances,
        decisions=np.array(decisions) if held_out is not None else None,
    )


def _starts(
    table: Table, problems: list[Problem], starts: list[np.ndarray] | None
) -> Iterator[tuple[Problem, np.ndarray | None]]:
    """Yield each problem with a start: given, or its optimum on a few rows, if still many."""
    if starts is not None:
        yield from zip(problems, starts, strict=True)
        return
    few = slice(None, None, _THIN)
    thin = None
    if table.n >= _THIN * _ENOUGH * len(table.ids):
        thin = Table(table.rows[few], table.scale)
    for problem in problems:
        if thin is None:
            yield problem, None
            continue
        sample = Problem(*(part[few] for part in problem))
        yield problem, Model(thin, sample._replace(ridge=sample.ridge / _THIN)).w


def _spread(table: Table, held: list[np.ndarray], n_features: int) -> np.ndarray:
    """Values of the columns held as values of all features; (n_features, n_problems)."""
    values = np.zeros((n_features, len(held)))
    values[table.ids] = np.column_stack(held)
    return values


def _complain(sizes: list[int], residuals: list[float]) -> None:
    """Warn once if models did not settle."""
    poor = [i for i, residual in enumerate(residuals) if residual > _POOR]
    if poor:
        warnings.warn(
            f"{len(poor)} of {len(sizes)} models did not converge, the first of them that on "
            f"{sizes[poor[0]]} units: relative gradient up to {max(residuals):.1e}. Scale the "
            "columns or lower C.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _weakest(scores: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Order positions by score, the later first of those within each other's blur."""
    order = weakest_first(scores)
    apart = np.diff(scores[order]) > blur[order][1:] + blur[order][:-1]
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.append(0, np.cumsum(apart))[: len(order)]
    return np.lexsort((-np.arange(len(order)), rank))


def _columns(table: Table, unit: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Columns of the table that belong to units, in the order of these."""
    place = np.full(unit.max() + 1, len(units))
    place[units] = np.arange(len(units))
    places = place[unit[table.ids]]
    places[~table.alive] = len(units)
    order = np.argsort(places, kind="stable")
    return order[: np.searchsorted(places[order], len(units))]


def _let_go(table: Table, models: list[Any], stays: np.ndarray, coming: np.ndarray) -> None:
    """Take the features that no longer stay out of table and models; stays is (n_features,)."""
    columns = np.flatnonzero(table.alive & ~stays[table.ids])
    for model in models:
        model.leave(columns, coming)
    table.alive[columns] = False
    for model in models:
        model.settle()


def _pack(table: Table, models: list[Any]) -> None:
    """Forget columns that are gone, once they are many."""
    if not table.crowded():
        return
    for model in models:
        model.compact(table.alive)
    measured = table.compact()
    for model in models:
        model.resume(measured=measured)
