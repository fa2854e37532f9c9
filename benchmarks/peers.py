"""What a user would run instead: scikit-learn's RFE, and a loop in numpy where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from agree import exact_hinge
from clock import cpu_seconds, sampled_sizes, short_call, whole_path
from sklearn.base import clone
from sklearn.svm import SVC, LinearSVC

# seconds of a fit that would not end, more than any path takes
NEVER = 1e9


def linear_step(estimator: Any, X: Any, y: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Do what RFE does at one size: take the columns, fit, square the weights, sort.

    Returns
    -------
    ndarray of shape (len(columns),)
        Norm of each column's weights.
    """
    coef = clone(estimator).fit(X[:, columns], y).coef_
    squares = np.square(coef if isinstance(coef, np.ndarray) else coef.toarray()).sum(axis=0)
    np.argsort(squares)
    return np.sqrt(squares)


def fast_and_exact(X: Any, y: np.ndarray, order: np.ndarray) -> LinearSVC:
    """Return the LinearSVC at tol=1e-10 whose form, dual or primal, takes less time on a path.

    Parameters
    ----------
    order : ndarray of shape (n_features,), int
        The path, first gone first; both forms are timed at a few of its sizes. Where the dual,
        whose time has no bound, takes over ten times as long as the primal, it has lost.
    """
    primal = LinearSVC(dual=False, tol=1e-10, max_iter=10_000)
    dual = LinearSVC(dual=True, tol=1e-10, random_state=0)
    times: dict[bool, dict[int, float]] = {False: {}, True: {}}
    for size in sampled_sizes(len(order)):
        columns = X[:, np.sort(order[-size:])]
        limit, _ = short_call(lambda columns=columns: primal.fit(columns, y))
        times[False][size] = limit
        n_iterations, spent, converged = 1000, 0.0, False
        while not converged and spent < 10.0 * limit:
            dual.set_params(max_iter=n_iterations)
            spent, _ = cpu_seconds(lambda columns=columns: dual.fit(columns, y))
            converged = dual.n_iter_ < n_iterations
            n_iterations *= 4
        times[True][size] = spent if converged else NEVER
    if whole_path(times[True]) < whole_path(times[False]):
        return dual.set_params(max_iter=10_000_000)
    return primal


def rbf_step(
    estimator: SVC, X: np.ndarray, y: np.ndarray, columns: np.ndarray, *, exact: bool = False
) -> np.ndarray:
    """Return Guyon's delta J of each column: the kernel is made again without it, alpha held.

    Parameters
    ----------
    estimator : SVC
        With an RBF kernel and a number for gamma.
    exact : bool
        Whether the dual is solved again in double precision, see `agree.exact_hinge`.

    Notes
    -----
    Only rows with a coefficient count, and the distances are kept, so that a kernel without a
    column costs a subtraction and an exponential of each pair, in place.
    """
    X = X[:, columns]
    model = clone(estimator).fit(X, y)
    if exact:
        beta = exact_hinge(np.exp(-model.gamma * _distances(X)), y, model)
        rows = np.flatnonzero(beta)
        beta = beta[rows]
    else:
        rows, beta = model.support_, model.dual_coef_[0]
    X = X[rows]
    distances = _distances(X)
    whole = beta @ np.exp(-model.gamma * distances) @ beta
    delta = np.empty(len(columns))
    K = np.empty_like(distances)
    for j, x in enumerate(X.T):
        np.subtract.outer(x, x, out=K)
        np.square(K, out=K)
        np.subtract(distances, K, out=K)
        np.multiply(K, -model.gamma, out=K)
        np.exp(K, out=K)
        delta[j] = 0.5 * (whole - beta @ K @ beta)
    return delta


def _distances(X: np.ndarray) -> np.ndarray:
    squares = np.square(X).sum(axis=1)
    return np.maximum(squares[:, None] + squares - 2.0 * (X @ X.T), 0.0)


def rbf_path(estimator: SVC, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Eliminate by `rbf_step` down to one column; return the order, the last one at its end."""
    left = np.arange(X.shape[1])
    order = []
    while len(left) > 1:
        # of equal ones that which stands further right
        weakest = len(left) - 1 - int(np.argmin(rbf_step(estimator, X, y, left)[::-1]))
        order.append(left[weakest])
        left = np.delete(left, weakest)
    return np.array([*order, left[0]])
