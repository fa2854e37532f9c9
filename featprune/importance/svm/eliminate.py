"""SVM-RFE: from an SVM and a matrix to the order in which its features leave, on some road."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.svm import SVC, LinearSVC

from featprune.importance.svm.linear import MOST_GRAM_ROWS, trace_linear
from featprune.importance.svm.machine import (
    Machine,
    has_kernel,
    is_regressor,
    is_squared,
    kernel_parameters,
    row_bounds,
)
from featprune.importance.svm.problems import Problem, one_vs_one, one_vs_rest, regression
from featprune.importance.svm.refit import trace_refit
from featprune.importance.trace import Trace

# bytes that a sparse table may take when a kernel needs it dense
MOST_DENSE_BYTES = 8 * 2**30


def eliminate(
    estimator: Machine,
    X: Any,
    y: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    criterion: str = "delta_j",
    rescale_gamma: bool = False,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Follow recursive feature elimination from all units down to `floor` of them.

    Parameters
    ----------
    estimator : SVC, LinearSVC, SVR or LinearSVR
        Its parameters are read; it is not fitted. `tol` and `max_iter` count only on the road
        of refits: the others go to the optimum.
    X : ndarray or CSR matrix of shape (n_samples, n_features), float64
    y : ndarray of shape (n_samples,)
        Labels of two or more classes, or finite targets.
    sample_weight : ndarray of shape (n_samples,), optional
        Positive; rows of weight 0 are left out before.
    criterion : {"delta_j", "pseudo_samples"}
        What a unit is worth. The first is its squared weight for a linear machine; the second
        is there for SVC and SVR, with any kernel.
    rescale_gamma : bool
        Whether ``gamma="scale"`` is set anew on the features that are left.
    unit : ndarray of shape (n_features,), int
        The unit of each feature.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        How many units are left at the end; at least those that are protected.
    step : int
        How many units leave at a time.
    held_out : ndarray or CSR matrix of shape (n_held_out, n_features), optional
        Rows whose decision values each model gives.
    progress : callable, optional
        Called with how many units have left and how many will.
    deadline : float, optional
        Value of ``time.monotonic()`` after which the path so far is returned.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError
        If a sparse X would take too much memory where a kernel needs it dense.

    Notes
    -----
    Kernels go to ``kernel.py`` and ``kernel_regression.py``, linear machines to ``linear.py``;
    those without a squared loss and with a problem of more than `MOST_GRAM_ROWS` rows, whose
    Gram matrix is too large, to ``refit.py``. A kernel machine always has its Gram matrix.

    A unit's criterion is the sum of the squared weights of its features, over all problems of
    a multi-class machine (Guyon et al. 2002).

    References
    ----------
    Guyon, I., Weston, J., Barnhill, S., Vapnik, V. (2002). Gene selection for cancer
    classification using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797
    """
    way: dict[str, Any] = {
        "unit": unit,
        "protected": protected,
        "floor": floor,
        "step": step,
        "held_out": held_out,
        "progress": progress,
        "deadline": deadline,
    }
    if has_kernel(estimator) or criterion == "pseudo_samples":
        way.update(criterion=criterion, rescale_gamma=rescale_gamma)
        return _by_kernel(estimator, X, y, sample_weight, way)
    problems = linear_problems(estimator, y, sample_weight)
    largest = max(len(problem.rows) for problem in problems)
    if largest > MOST_GRAM_ROWS and not is_squared(estimator):
        return trace_refit(estimator, X, y, sample_weight=sample_weight, **way)
    from featprune.importance.jit import telling_of_compiling

    with telling_of_compiling():
        return trace_linear(X, problems, scale=_constant(estimator), **way)


def linear_problems(
    estimator: Machine, y: np.ndarray, sample_weight: np.ndarray | None
) -> list[Problem]:
    """Return the problems that a linear machine solves, one a pair of classes, class or target.

    Parameters
    ----------
    estimator : SVC, LinearSVC, SVR or LinearSVR
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,) or None
    """
    bounds = row_bounds(estimator, y, sample_weight)
    if is_regressor(estimator):
        return regression(y, bounds, estimator.epsilon, squared=is_squared(estimator))
    codes = np.unique(y, return_inverse=True)[1]
    if isinstance(estimator, LinearSVC):
        return one_vs_rest(codes, bounds, squared=is_squared(estimator))
    return one_vs_one(codes, bounds)


def _constant(estimator: Machine) -> float | None:
    """The constant feature whose weight is liblinear's bias, 0 for none; None for a free bias."""
    if not hasattr(estimator, "fit_intercept"):
        return None
    return float(estimator.intercept_scaling) if estimator.fit_intercept else 0.0


def _by_kernel(
    estimator: Machine,
    X: Any,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    way: dict[str, Any],
) -> Trace:
    from featprune.importance.jit import telling_of_compiling
    from featprune.importance.svm.kernel import trace_kernel
    from featprune.importance.svm.kernel_regression import trace_svr

    way = {**way, **kernel_parameters(estimator, X), "box": row_bounds(estimator, y, sample_weight)}
    n_features = X.shape[1]
    X, held_out = _dense(X, estimator), _dense(way["held_out"], estimator)
    bare = np.setdiff1d(np.arange(len(way["protected"])), way["unit"])
    if len(bare):
        # a column that was encoded into nothing: a feature of zeros changes no inner product
        # and no distance, and makes it a unit like the others
        X, held_out = _with_zeros(X, len(bare)), _with_zeros(held_out, len(bare))
        way["unit"] = np.concatenate([way["unit"], bare])
    way["held_out"] = held_out
    with telling_of_compiling():
        if isinstance(estimator, SVC):
            trace = trace_kernel(X, np.unique(y, return_inverse=True)[1], **way)
        else:
            trace = trace_svr(X, y, epsilon=estimator.epsilon, **way)
    return trace._replace(importances=trace.importances[:n_features])


def _with_zeros(X: np.ndarray | None, count: int) -> np.ndarray | None:
    return None if X is None else np.hstack([X, np.zeros((len(X), count))])


def _dense(X: Any, estimator: Machine) -> Any:
    """Return a dense matrix, or raise if the copy would be too large."""
    if not sparse.issparse(X):
        return X
    needed = 8 * X.shape[0] * X.shape[1]
    if needed > MOST_DENSE_BYTES:
        raise ValueError(
            f"X is sparse, and {estimator!r} needs it dense: {X.shape[0]} x {X.shape[1]} would "
            f"take {needed / 2**30:.3g} GiB, more than the {MOST_DENSE_BYTES / 2**30:.3g} GiB that "
            "are allowed. Pass fewer columns, or an estimator that takes sparse tables as they "
            "are, such as SVC(kernel='linear') or LinearSVC()."
        )
    return X.toarray()
