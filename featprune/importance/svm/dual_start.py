"""Where to start the dual of a problem of many rows: near its optimum, by scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from featprune.importance.svm.problems import Problem

_TOLERANCE = 1e-2
_MOST_ROUNDS = 30


def near_optimum(X: Any, problem: Problem, scale: float | None, K: np.ndarray) -> np.ndarray:
    """Return feasible coefficients of a problem, near those of the optimum.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, n_features)
        The rows that take part.
    problem : Problem
    scale : float or None
        As in :func:`~featprune.importance.svm.linear.trace_linear`.
    K : ndarray of shape (n_rows, n_rows)
        Their kernel.

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if scale is None:
            return _by_libsvm(X, problem, K)
        values = _by_liblinear(X, problem, scale)
    if not (problem.ridge > 0).all():
        beta = np.where(values < problem.low, problem.box, 0.0)
        return beta - np.where(values > problem.high, problem.box, 0.0)
    return _by_newton(problem, K, values)


def _is_regression(problem: Problem) -> bool:
    return bool(np.isfinite(problem.low).all() and np.isfinite(problem.high).all())


def _by_libsvm(X: Any, problem: Problem, K: np.ndarray) -> np.ndarray:
    """Coefficients of SVC or SVR; on their bounds exactly where they are nearly so."""
    low, high, box = problem.low, problem.high, problem.box
    # libsvm copies what it is given
    kernel = "precomputed" if X.shape[0] < X.shape[1] else "linear"
    X = K if kernel == "precomputed" else X
    if _is_regression(problem):
        machine = SVR(kernel=kernel, C=1.0, epsilon=0.5 * float((high - low)[0]), tol=_TOLERANCE)
        machine.fit(X, 0.5 * (low + high), sample_weight=box)
    else:
        machine = SVC(kernel=kernel, C=1.0, tol=_TOLERANCE)
        machine.fit(X, np.isfinite(low), sample_weight=box)
    coefficients = machine.dual_coef_
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    beta = np.zeros(len(box))
    beta[machine.support_] = coefficients[0]
    return np.clip(beta, -box, box)


def _by_liblinear(X: Any, problem: Problem, scale: float) -> np.ndarray:
    """Decision values of LinearSVC or LinearSVR."""
    low, high, box, ridge = problem[1:]
    squared = bool((ridge > 0).all())
    options = dict(
        C=1.0, dual=True, tol=_TOLERANCE, fit_intercept=scale > 0, intercept_scaling=scale or 1.0
    )
    weight = 1.0 / (2.0 * ridge) if squared else box
    if _is_regression(problem):
        loss = "squared_epsilon_insensitive" if squared else "epsilon_insensitive"
        machine = LinearSVR(loss=loss, epsilon=0.5 * float((high - low)[0]), **options)
        return machine.fit(X, 0.5 * (low + high), sample_weight=weight).predict(X)
    machine = LinearSVC(loss="squared_hinge" if squared else "hinge", random_state=0, **options)
    return machine.fit(X, np.isfinite(low), sample_weight=weight).decision_function(X)


def _by_newton(problem: Problem, K: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve for the rows that have a loss, until these are the ones; O(m^3) a round."""
    low, high, ridge = problem.low, problem.high, problem.ridge
    sides = np.sign((low > values).astype(int) - (values > high))
    beta = np.zeros(len(values))
    for _ in range(_MOST_ROUNDS):
        active = np.flatnonzero(sides)
        part = K[np.ix_(active, active)]
        part[np.diag_indices(len(active))] += ridge[active]
        target = np.where(sides[active] > 0, low[active], high[active])
        beta[:] = 0.0
        beta[active] = cho_solve(cho_factor(part, overwrite_a=True, check_finite=False), target)
        values = beta[active] @ K[active]
        again = np.sign((low > values).astype(int) - (values > high))
        if np.array_equal(again, sides):
            break
        sides = again
    # of a side that is not its own, a coefficient is no start
    return np.where(beta * sides > 0, beta, 0.0)
