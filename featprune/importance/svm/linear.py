"""SVM-RFE with any linear machine: the whole path of exact optima, followed without refits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.svm.dual import Dual
from featprune.importance.svm.dual_start import near_optimum
from featprune.importance.svm.primal import is_wide, trace_primal
from featprune.importance.svm.problems import Problem
from featprune.importance.svm.threads import one_thread
from featprune.importance.trace import Trace

# With more rows than this many times the features, a squared loss starts in the primal.
_TALL = 3
# The dual of a squared loss is left once so many times the features are no more than the samples
# that matter: the primal's steps go astray where there are few more of these than features.
_FEWER = 4
# Rows from which a squared loss of many features, up to so many times the rows, is in the primal.
_MANY_ROWS, _BROAD = 1500, 2
# Rows above which a Gram matrix, half a gigabyte and more, is built only if nothing else will do.
MOST_GRAM_ROWS = 8000


def trace_linear(
    X: Any,
    problems: list[Problem],
    *,
    scale: float | None,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Eliminate units of features by the squared weights of a linear machine.

    Each model along the way is the exact optimum on the features that are left, as
    scikit-learn finds it at a tolerance going to zero. Nothing is fitted anew: while a feature
    fades out of the kernel, the solution moves along straight lines between samples entering
    or leaving the set of those that determine it.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features), float64
        Never changed.
    problems : list of Problem
        See :mod:`~featprune.importance.svm.problems`.
    scale : float or None
        None for a bias that is free, as in SVC and SVR; else the value of the constant feature
        whose weight, penalised as the others, is the bias: `intercept_scaling` of LinearSVC
        and LinearSVR, 0 for no bias.
    unit : ndarray of shape (n_features,), int
        The unit that each feature belongs to.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        Units at which to stop.
    step : int
        Units that leave because of one model.
    held_out : ndarray or sparse matrix of shape (n_held_out, n_features), optional
        Rows whose decision values every model gives.
    progress : callable, optional
        Called with (units gone, units that will go) now and then.
    deadline : float, optional
        Value of `time.monotonic` after which the path ends where it is.

    Returns
    -------
    Trace

    Warns
    -----
    ConvergenceWarning
        If rounding keeps a model from its optimum, with what is left of the violation.

    Notes
    -----
    The criterion of a unit is the sum of squared weights over its features and the problems.

    In the dual, a feature costs O(m^2 + m (n - m)) for m free samples of n, and as much for
    every sample that enters or leaves meanwhile. The next unit is found among a few
    candidates that a bound leaves over. Memory: one transposed copy of X, an n x n matrix, and
    an m x m inverse for each problem. With a squared loss and more samples that matter than
    features, or many of both, the primal is followed instead, see
    :func:`~featprune.importance.svm.primal.trace_primal`.

    References
    ----------
    Hastie, T., Rosset, S., Tibshirani, R., Zhu, J. (2004). The entire regularization path for
    the support vector machine. JMLR 5, 1391-1415. (A path in C; the one here is in the share
    of a feature.)
    """
    problems, centre, spread = _in_unit_size(problems, free_bias=scale is None)
    options: dict[str, Any] = dict(floor=floor, step=step, progress=progress, deadline=deadline)
    with one_thread():
        if _is_squared(problems) and _is_tall(*X.shape):
            trace = _primal(X, problems, scale, unit, protected, held_out, **options)
        elif _is_squared(problems) and _is_broad(*X.shape):
            starts = _starts(X, problems, 0.0 if scale is None else scale)
            trace = _primal(X, problems, scale, unit, protected, held_out, starts=starts, **options)
        else:
            trace = _dual(X, problems, scale, unit, protected, held_out, **options)
    return trace._replace(
        criterion=spread**2 * trace.criterion,
        importances=spread**2 * trace.importances,
        decisions=None if trace.decisions is None else spread * trace.decisions + centre,
    )


def _dual(
    X: Any,
    problems: list[Problem],
    scale: float | None,
    unit: np.ndarray,
    protected: np.ndarray,
    held_out: Any,
    *,
    floor: int,
    step: int,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
) -> Trace:
    """Follow the dual, and the primal from where that is shorter."""
    squared = _is_squared(problems)
    dual = Dual(X, problems, scale=scale, unit=unit, protected=protected, held_out=held_out)
    importances = dual.criteria(np.arange(X.shape[1]))
    total = len(protected) - floor

    def in_primal(dual: Dual) -> bool:
        if not squared:
            return False
        n_left = len(dual.features_left())
        return _FEWER * n_left <= dual.n_active() or _is_broad(X.shape[0], n_left)

    order, criterion, decisions = _follow(
        dual, floor=floor, step=step, progress=progress, deadline=deadline, stop=in_primal
    )
    gone = np.concatenate([*order, np.empty(0, dtype=np.int64)]).astype(np.intp)
    rest = None
    if dual.left > floor and in_primal(dual):
        left = np.flatnonzero(~dual.C.gone)
        features = dual.features_left()
        rest = _primal(
            X[:, features],
            problems,
            scale,
            np.searchsorted(left, unit[features]),
            protected[left],
            None if held_out is None else held_out[:, features],
            floor=floor,
            step=step,
            progress=progress and (lambda done, _: progress(len(gone) + done, total)),
            deadline=deadline,
            starts=list(np.vstack([dual.weights(features), dual.constants()]).T),
        )
        rest = rest._replace(order=left[rest.order])
    elif held_out is not None:
        decisions.append(dual.decisions()[None])
    sizes = len(protected) - np.arange(0, len(gone) + 1, step)
    if rest is None and sizes[-1] > dual.left:
        sizes = np.append(sizes, dual.left)
    first = Trace(
        order=gone,
        criterion=np.concatenate([*criterion, np.empty(0)]),
        sizes=sizes.astype(np.intp),
        importances=importances,
        decisions=np.concatenate(decisions) if held_out is not None and decisions else None,
    )
    return first if rest is None else _join(first, rest)


def _follow(
    dual: Dual,
    *,
    floor: int,
    step: int,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
    stop: Callable[[Dual], bool],
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Let units leave until `floor` of them, the deadline, or until `stop` says so.

    Returns
    -------
    order, criterion, decisions : list of ndarray
        In the order of the steps, to be concatenated; decisions of the last model are missing.
    """
    total, told = dual.left - floor, -np.inf
    order, criterion, decisions = [], [], []
    while dual.left > floor and not stop(dual):
        now = time.monotonic()
        if deadline is not None and now > deadline:
            break
        if progress is not None and now - told > 0.1:
            progress(total - (dual.left - floor), total)
            told = now
        if step == 1:
            gone, values, decided = dual.run(dual.left - floor)
        else:
            gone, values, decided = dual.leave_weakest(min(step, dual.left - floor))
        order.append(gone)
        criterion.append(values)
        if decided is not None:
            decisions.append(decided)
    if progress is not None and dual.left <= floor:
        progress(total, total)
    return order, criterion, decisions


def _primal(
    X: Any,
    problems: list[Problem],
    scale: float | None,
    unit: np.ndarray,
    protected: np.ndarray,
    held_out: Any,
    **options: Any,
) -> Trace:
    return trace_primal(
        X,
        problems,
        scale=0.0 if scale is None else scale,
        unit=unit,
        protected=protected,
        held_out=held_out,
        **options,
    )


def _join(first: Trace, rest: Trace) -> Trace:
    """Put two parts of a path together; the rest starts with the model that the first lacks."""
    decisions = rest.decisions
    if decisions is not None and first.decisions is not None:
        decisions = np.concatenate([first.decisions, decisions])
    sizes = np.concatenate([first.sizes[first.sizes > rest.sizes[0]], rest.sizes])
    return Trace(
        order=np.concatenate([first.order, rest.order]),
        criterion=np.concatenate([first.criterion, rest.criterion]),
        sizes=sizes,
        importances=first.importances,
        decisions=decisions,
    )


def _is_tall(n: int, n_features: int) -> bool:
    return n > _TALL * n_features or n > max(MOST_GRAM_ROWS, n_features)


def _is_broad(n: int, n_features: int) -> bool:
    return n >= _MANY_ROWS and n_features <= _BROAD * n and is_wide(n, n_features)


def _starts(X: Any, problems: list[Problem], scale: float) -> list[np.ndarray]:
    """Weights near the optimum of each problem, the bias's last; by the dual."""
    K = X @ X.T
    K = K.toarray() if sparse.issparse(K) else K
    K += scale**2
    betas = [near_optimum(X, problem, scale, K) for problem in problems]
    return [np.append(X.T @ beta, scale * beta.sum()) for beta in betas]


def _is_squared(problems: list[Problem]) -> bool:
    return all(bool((problem.ridge > 0).all()) for problem in problems)


def _in_unit_size(
    problems: list[Problem], *, free_bias: bool
) -> tuple[list[Problem], float, float]:
    """Bring regression targets to mean 0 and about variance 1, which tolerances are made for.

    Returns the problems, and what decision values are to be multiplied by and moved by. Targets
    are moved only if the bias is free to make up for it.
    """
    low, high = problems[0].low, problems[0].high
    if len(problems) > 1 or not (np.isfinite(low).all() and np.isfinite(high).all()):
        return problems, 0.0, 1.0
    y = 0.5 * (low + high)
    centre = float(y.mean()) if free_bias else 0.0
    size = float(np.sqrt(np.square(y - centre).mean()))
    # A power of two: scaling back rounds nothing.
    spread = 2.0 ** round(math.log2(size)) if size > 0 else 1.0
    scaled = problems[0]._replace(
        low=(low - centre) / spread, high=(high - centre) / spread, box=problems[0].box / spread
    )
    return [scaled], centre, spread
