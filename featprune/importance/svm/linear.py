"""The whole path of SVM-RFE with ``SVC(kernel="linear")``: the dual optimum followed exactly."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from featprune.importance.svm import _hinge_start as begin
from featprune.importance.svm._hinge_state import Log, Pools, Problems, Table
from featprune.importance.svm.trace import Trace

# Violation of optimality (margins are of size 1) above which a warning is due.
_TOLERATED = 1e-7


class Elimination(NamedTuple):
    """The state of a path, see each part; `importances` is the criterion of each feature."""

    T: Table
    P: Problems
    L: Pools
    log: Log
    work: np.ndarray
    importances: np.ndarray


def trace_linear(
    X: np.ndarray,
    y: np.ndarray,
    *,
    box: np.ndarray,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Eliminate units of features by the squared weights of a linear hinge-loss SVM.

    Each model along the way is the exact optimum on the features that are left, as ``SVC``
    finds it at a tolerance going to zero: one-vs-one, the bias unregularised. Nothing is
    fitted anew: while a feature fades out of the kernel, the solution moves along straight
    lines between samples entering or leaving the set strictly inside the box.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Never changed.
    y : ndarray of shape (n_samples,), int
        Codes 0 to n_classes - 1, each of them present.
    box : ndarray of shape (n_samples,)
        Upper bound of each sample's alpha.
    unit : ndarray of shape (n_features,), int
        The unit that each feature belongs to.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        Units at which to stop.
    step : int
        Units that leave because of one model.
    held_out : ndarray of shape (n_held_out, n_features), optional
        Rows whose decision values every model gives; costs O(n_held_out n_samples) a feature.
    progress : callable, optional
        Called with (units gone, units that will go) now and then.
    deadline : float, optional
        Value of `time.monotonic` after which the path ends where it is.

    Returns
    -------
    Trace

    Notes
    -----
    A feature costs O(m^2 + m (n - m)) for m free samples of n and for every sample that
    enters or leaves meanwhile, and O(n^2) for the kernel. The next unit is found among a few
    candidates that a bound leaves over. Memory: one transposed copy of X, two matrices of
    n_samples^2 and one inverse for each pair of classes.
    """
    with threadpool_limits(1):
        state = start(X, y, box, unit, protected, floor, step, held_out)
        run(state, floor, step, progress, deadline)
    removed, models = state.log.done[:2]
    return Trace(
        state.log.order[:removed].copy(),
        state.log.criterion[:removed].copy(),
        state.log.sizes[:models].copy(),
        state.importances,
        None if held_out is None else state.log.decisions[:models].copy(),
    )


def start(
    X: np.ndarray,
    y: np.ndarray,
    box: np.ndarray,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: np.ndarray | None = None,
) -> Elimination:
    """Return the elimination at the optimum of all features, ready to run."""
    T, order = begin.make_table(X, y, unit, held_out)
    P = begin.make_problems(y[order], box[order], len(T.features))
    work = np.zeros((6, len(T.K) + 2))
    for k in range(len(P.n_rows)):
        begin.first_optimum(P, k, T.K)
        settle_problem(T, P, k, work, len(protected))
    L = begin.make_pools(T, P, protected)
    log = begin.make_log(len(protected), floor, step, T, len(P.n_rows))
    return Elimination(T, P, L, log, work, begin.feature_criteria(T, P))


def run(
    state: Elimination,
    floor: int,
    step: int,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
    budget: int | None = None,
) -> None:
    """Advance an elimination to `floor` units, its deadline, or by `budget` steps. In place."""
    from featprune.importance.svm.kernels.hinge import eliminate

    log = state.log
    total = len(state.L.gone) - floor
    chunk = 16
    told = time.monotonic()
    while budget is None or budget > 0:
        before, clock = log.done[1], time.monotonic()
        steps = chunk if budget is None else min(chunk, budget)
        if progress is None and deadline is None and budget is None:
            steps = total + 1
        status = eliminate(state.T, state.P, state.L, log, state.work, floor, step, steps)
        if status == 2:
            refresh(state)
        now = time.monotonic()
        if budget is not None:
            budget -= log.done[1] - before
        # Come up for air about ten times a second.
        chunk = int(min(max(chunk * min(0.1 / (now - clock + 1e-9), 4.0), 1), 1 << 20))
        if progress is not None and (now - told > 0.1 or status == 0):
            told = now
            progress(int(log.done[0]), total)
        if status == 0 or (deadline is not None and now > deadline):
            break


def refresh(state: Elimination) -> None:
    """Clear away rounding: K anew once half its trace is gone, margins and solutions always."""
    T, P, log = state.T, state.P, state.log
    log.done[2] = 0
    log.done[4] += 1
    if log.trace[0] < 0.5 * log.trace[1]:
        begin.compute_kernels(T, state.L)
        begin.renew_metric(T, state.L)
        log.trace[:] = np.trace(T.K)
    for k in range(len(P.n_rows)):
        settle_problem(T, P, k, state.work, int(len(state.L.gone) - log.done[0]))


def settle_problem(T: Table, P: Problems, k: int, work: np.ndarray, left: int) -> None:
    """Bring problem `k` to its optimum on the present kernel; warn if that can't be had."""
    from featprune.importance.svm.kernels.hinge_settle import compute_margins, gather_free, settle

    n = int(P.n_rows[k])
    compute_margins(P, k, T.K)
    tol = begin.attainable(T, P, k)
    for attempt in range(3):
        if P.bad[k] or not begin.inverse_is_good(T, P, k):
            gather_free(P, k, T.K, work)
            compute_margins(P, k, T.K)
        settle(P, k, T.K, tol, 1000 + 20 * n, work)
        compute_margins(P, k, T.K)
        violation = begin.violation(P, k)
        P.bad[k] = violation > 10 * tol
        if not P.bad[k]:
            return
        if attempt > 0:
            begin.first_optimum(P, k, T.K, tol=tol, warm=True)
            compute_margins(P, k, T.K)
    P.bad[k] = False
    if violation > _TOLERATED:
        warnings.warn(
            f"The linear SVM of problem {k} was not solved to the end with {left} columns or "
            f"groups left: its optimality conditions are violated by {violation:.1e}.",
            ConvergenceWarning,
            stacklevel=4,
        )
