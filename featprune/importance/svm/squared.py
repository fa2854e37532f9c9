"""SVM-RFE with a squared loss (LinearSVC, LinearSVR): the exact path, for any shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from featprune.importance.svm.squared_log import Log
from featprune.importance.svm.squared_newton import Losses, approach
from featprune.importance.svm.squared_stage import Stage
from featprune.importance.svm.squared_table import Table
from featprune.importance.svm.tall import follow_tall
from featprune.importance.svm.trace import Trace

# With no more features than this and more samples than features, the Hessian costs next to
# nothing, and nobody needs to know how many samples are active.
_FEW = 300


def trace_squared(
    X: Any,
    y: np.ndarray,
    *,
    box: np.ndarray,
    fit_intercept: bool,
    intercept_scaling: float,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Follow a squared-hinge SVM, one problem a class against the rest, down to `floor` units.

    Parameters
    ----------
    X : ndarray or CSR/CSC matrix of shape (n_samples, n_features), float64
        Never changed. Sparse input stays sparse.
    y : ndarray of shape (n_samples,), int
        Classes 0 to n_classes - 1. With two, there is one problem and class 1 is positive.
    box : ndarray of shape (n_samples,) or (n_problems, n_samples)
        Each sample's C. LinearSVC weighs, of three or more classes, the positive one of each
        problem alone: its `class_weight` needs a row for each problem.
    fit_intercept : bool
    intercept_scaling : float
        Value of the constant feature, penalised as the others, that stands for the bias.
    unit : ndarray of shape (n_features,), int
        The unit of each feature.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor, step : int
        How many units are left at the end, and how many leave at a time.
    held_out : ndarray or CSR/CSC matrix of shape (n_held_out, n_features), optional
    progress : callable(done_units, total_units), optional
    deadline : float, optional
        Time of ``time.monotonic()`` after which the path so far is returned.

    Returns
    -------
    Trace
        Decisions of shape (n_models, n_held_out, n_problems).

    Warns
    -----
    ConvergenceWarning
        If a model did not come to rest, with the residual and the number of features.

    Notes
    -----
    Minimises ``|w|^2 / 2 + sum_i C_i max(0, 1 - y_i f(x_i))^2``, as both `dual` of LinearSVC.
    While more features than active samples are left, the dual is followed from one change of
    an active sample to the next; a feature costs O(m) to O(m^2) for m samples that are active
    or nearly so. Then Newton's method in the primal goes on with an inverse Hessian; a
    feature costs O(p^2), and the samples only where they may change sides.

    The criterion of a unit is the sum of its squared weights over the problems. Criteria that
    differ by less than 1e-10 of themselves are equal, and of equal ones the larger index goes.
    """
    n_classes = int(y.max()) + 1
    positive = y[None] == (np.array([1]) if n_classes == 2 else np.arange(n_classes))[:, None]
    boxes = np.broadcast_to(box, positive.shape)
    losses = [
        Losses(np.where(sign, 1.0, -np.inf), np.where(sign, np.inf, -1.0), weight)
        for sign, weight in zip(positive, boxes, strict=True)
    ]
    log = Log(unit, protected, floor, step, progress, deadline)
    return _trace(X, losses, intercept_scaling if fit_intercept else 0.0, held_out, log)


def trace_linear_svr(
    X: Any,
    y: np.ndarray,
    *,
    box: np.ndarray,
    epsilon: float,
    fit_intercept: bool,
    intercept_scaling: float,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Follow a linear SVR with ``loss="squared_epsilon_insensitive"`` down to `floor` units.

    Minimises ``|w|^2 / 2 + sum_i C_i max(0, |y_i - f(x_i)| - epsilon)^2``. `y` is of shape
    (n_samples,), float; decisions have one column, the predictions. All else as in
    :func:`trace_squared`.
    """
    losses = [Losses(y - epsilon, y + epsilon, np.asarray(box, dtype=float))]
    log = Log(unit, protected, floor, step, progress, deadline)
    return _trace(X, losses, intercept_scaling if fit_intercept else 0.0, held_out, log)


def _trace(X: Any, losses: list[Losses], scale: float, held_out: Any, log: Log) -> Trace:
    with threadpool_limits(1, user_api="blas"):
        table = Table(X, scale)
        held = None
        if held_out is not None:
            if table.sparse and not sparse.issparse(held_out):
                held_out = sparse.csr_array(held_out)
            held = Table(held_out, scale)
        values = _start(table, losses)
        if values is None:
            values = _follow_dual(table, losses, held, log)
        if values is not None:
            follow_tall(table, losses, held, log, values)
    return log.trace(held is not None)


def _start(table: Table, losses: list[Losses]) -> np.ndarray | None:
    """Return decision values to start the primal from, or None where the dual comes first."""
    n, p = table.rows.shape
    if p >= n:
        return None
    if p <= _FEW:
        return np.zeros((len(losses), n))
    values = np.array([approach(table, loss) for loss in losses])
    pairs = zip(losses, values, strict=True)
    active = max(np.count_nonzero(loss.sides(f)) for loss, f in pairs)
    return None if active < p else values


def _follow_dual(
    table: Table, losses: list[Losses], held: Table | None, log: Log
) -> np.ndarray | None:
    """Follow the dual while there are more features than active samples.

    Returns
    -------
    ndarray of shape (n_problems, n) or None
        Decision values that the primal goes on from; None if the path has ended.
    """
    stages = [Stage(table, loss) for loss in losses]
    log.importances[:] = np.square(_weigh(table, stages)).sum(axis=1)
    while True:
        weights = _weigh(table, stages)
        if log.n_features <= max(stage.n_active for stage in stages):
            return np.array([s.values(w) for s, w in zip(stages, weights.T, strict=True)])
        decisions = None
        if held is not None:
            bias = np.array([stage.beta.sum() for stage in stages])
            decisions = held.apply(weights) + table.scale**2 * bias
        if not log.model(decisions):
            return None
        features = log.choose(weights)
        if len(features) > max(16, min(len(stage.rows) for stage in stages) / 4):
            _drop(features, table, held)
            for stage in stages:
                stage.settle(stage.rows)
        else:
            for feature in features:
                for stage in stages:
                    stage.leave(feature)
                _drop(np.array([feature]), table, held)
        for each in (table, held):
            if each is not None:
                each.compact()


def _weigh(table: Table, stages: list[Stage]) -> np.ndarray:
    """Weights of all problems, (p, n_problems), once all samples agree with them."""
    for _ in range(20):
        if table.near is None:
            table.focus(np.unique(np.concatenate([stage.rows for stage in stages])))
        weights = table.project([stage.beta for stage in stages])
        pairs = list(zip(stages, weights.T, strict=True))
        fine = [stage.agree(w) and stage.refresh(w) for stage, w in pairs]
        if all(fine):
            break
    return weights


def _drop(features: np.ndarray, table: Table, held: Table | None) -> None:
    for each in (table, held):
        if each is not None:
            each.drop(features)
