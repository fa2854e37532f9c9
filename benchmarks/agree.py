"""Whether two eliminations are the same, and where they differ, which of them is right.

libsvm keeps its kernel matrix in single precision, so that even at tol=1e-9 its weights are off
by about 1e-7 of the largest. Where its path leaves ours, the model is solved again in double
precision, by other means than ours: an active set that starts from libsvm's own.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.svm import LinearSVC

# what double precision may do to a criterion (the norm of a weight, or delta J), relative to
# the largest one
ROUNDING = 1e-11
MOST_CHECKED = 20

# of some columns: criteria by the peer, and those by the refit in double precision
Criteria = Callable[[np.ndarray], np.ndarray]


class Verdict(NamedTuple):
    """Whether a path is the peer's up to the peer's own error, and how that is known."""

    same: bool
    text: str


class Fork(NamedTuple):
    """Two choices among the same columns: of equal columns, or right or not, and why."""

    tie: bool
    same: bool
    text: str


def order_of(selector: Any) -> np.ndarray:
    """Return the columns in the order in which they left, of RFE or SVMRFE down to one column."""
    return np.argsort(-selector.ranking_, kind="stable")


def compare_paths(ours: np.ndarray, theirs: np.ndarray, peer: Criteria, exact: Criteria) -> Verdict:
    """Compare two whole paths; each choice on the same columns that differs is looked into.

    Parameters
    ----------
    ours, theirs : ndarray of shape (n_features,), int
        Columns, first gone first, the last one that which is left.
    """
    n_equal = int((ours == theirs).sum())
    if n_equal == len(ours):
        return Verdict(True, f"all {n_equal} ranks")
    forks = []
    only_ours: set[int] = set()
    only_theirs: set[int] = set()
    for gone, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a != b and not only_ours and not only_theirs and len(forks) < MOST_CHECKED:
            columns = np.sort(ours[gone:])
            forks.append(_who_is_right(columns, a, b, peer(columns), exact(columns)))
        for column, own, other in ((a, only_ours, only_theirs), (b, only_theirs, only_ours)):
            if column in other:
                other.remove(column)
            else:
                own.add(column)
    return _judge(f"{n_equal} of {len(ours)} ranks", forks)


def compare_sizes(ours: np.ndarray, peer: dict[int, np.ndarray], exact: Criteria) -> Verdict:
    """Compare, on the columns that our path has left at some sizes, who leaves next.

    Parameters
    ----------
    ours : ndarray of shape (n_features,), int
        As in `compare_paths`.
    peer : dict of ndarray
        At each size, the peer's criteria of the columns that are left, ascending.
    exact : callable
    """
    forks = []
    for size, criteria in peer.items():
        column = ours[-size]
        columns = np.sort(ours[-size:])
        theirs = columns[np.argmin(criteria)]
        if theirs != column:
            forks.append(_who_is_right(columns, column, theirs, criteria, exact(columns)))
    return _judge(f"{len(peer) - len(forks)} of {len(peer)} sampled steps", forks)


def _judge(text: str, forks: list[Fork]) -> Verdict:
    """Sum up; the text tells of the first fork that is wrong, or else of the first."""
    ties = sum(fork.tie for fork in forks)
    if ties:
        text += f"; {ties} forks at equal columns"
    wrong = [fork for fork in forks if not fork.same]
    close = [fork for fork in forks if not fork.tie]
    if wrong:
        return Verdict(False, f"NOT THE SAME: {text}; {len(wrong)} wrong, first {wrong[0].text}")
    if close:
        text += f"; {len(close)} within the peer's error, first {close[0].text}"
    return Verdict(True, text)


def _who_is_right(
    columns: np.ndarray, ours: int, theirs: int, peer: np.ndarray, exact: np.ndarray
) -> Fork:
    """Look into one fork: ours must be the smallest in double precision, up to rounding."""
    a, b = np.searchsorted(columns, [ours, theirs])
    gap = exact[b] - exact[a]
    error = abs(peer[a] - exact[a]) + abs(peer[b] - exact[b])
    text = (
        f"of {len(columns)} columns {exact[a]:.10g} (ours) and {exact[b]:.10g} (the peer's) are "
        f"{gap:.1e} apart in double precision, the peer is off by {error:.1e}"
    )
    rounding = ROUNDING * np.abs(exact).max()
    return Fork(bool(abs(gap) <= rounding), bool(exact[a] - exact.min() <= rounding), text)


def exact_linear(estimator: Any, X: Any, y: np.ndarray) -> np.ndarray:
    """Return the norm of each column's weights, in double precision, for SVC or LinearSVC.

    Of two classes, or one-vs-one for SVC; `class_weight` and `sample_weight` are not known here.
    """
    if isinstance(estimator, LinearSVC):
        model = clone(estimator).fit(X, y)
        sign = np.where(y == model.classes_[1], 1.0, -1.0)
        start = np.append(model.coef_[0], model.intercept_[0])
        return np.abs(_squared_hinge(X, sign, model.C, start)[:-1])
    total = np.zeros(X.shape[1])
    for first, second in combinations(np.unique(y), 2):
        rows = np.flatnonzero((y == first) | (y == second))
        model = clone(estimator).fit(X[rows], y[rows])
        K = X[rows] @ X[rows].T
        beta = exact_hinge(_dense(K), y[rows], model)
        total += np.square(X[rows].T @ beta)
    return np.sqrt(total)


def exact_hinge(K: np.ndarray, y: np.ndarray, model: Any) -> np.ndarray:
    """Return y * alpha of a two-class SVC in double precision, starting from a fitted one.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Kernel of the rows that `model` was fitted on.

    Raises
    ------
    RuntimeError
        If the active set has not settled after 1000 changes.
    """
    sign = np.where(y == model.classes_[1], 1.0, -1.0)
    alpha = np.zeros(len(y))
    alpha[model.support_] = np.abs(_dense(model.dual_coef_)[0])
    free = (alpha > 0) & (alpha < model.C)
    for _ in range(1000):
        if not free.any():
            # all at bounds: nothing was rounded
            return sign * alpha
        target, bias = _on_free(K, sign, alpha, free)
        bound = np.where(target < alpha, 0.0, model.C)
        share = np.abs(bound - alpha) / np.maximum(np.abs(target - alpha), 1e-300)
        share[~free] = np.inf
        if share.min() < 1.0:
            hit = int(share.argmin())
            alpha += share[hit] * (target - alpha)
            alpha[hit] = bound[hit]
            free[hit] = False
            continue
        alpha = target
        slack = sign * (K @ (sign * alpha) + bias) - 1.0
        wrong = np.where(alpha <= 0, -slack, slack)
        wrong[free] = 0.0
        if wrong.max() <= 1e-11:
            return sign * alpha
        free[int(wrong.argmax())] = True
    raise RuntimeError("The refit in double precision did not settle.")


def _dense(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.toarray()


def _on_free(
    K: np.ndarray, sign: np.ndarray, alpha: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return alpha with the free rows on their margins, and the bias."""
    held = np.where(free, 0.0, sign * alpha)
    n_free = int(free.sum())
    system = np.ones((n_free + 1, n_free + 1))
    system[0, 0] = 0.0
    system[1:, 1:] = K[np.ix_(free, free)]
    right = np.append(-held.sum(), (sign - K @ held)[free])
    solution = np.linalg.lstsq(system, right, rcond=1e-14)[0]
    target = alpha.copy()
    target[free] = sign[free] * solution[1:]
    return target, float(solution[0])


def _squared_hinge(X: np.ndarray, sign: np.ndarray, C: float, w: np.ndarray) -> np.ndarray:
    """Return weights and bias of LinearSVC by Newton's method, started close by."""
    Z = np.column_stack([X, np.ones(len(X))]) * sign[:, None]
    active = Z @ w < 1.0
    for _ in range(50):
        A = Z[active]
        if len(A) < A.shape[1]:
            w = A.T @ np.linalg.solve(A @ A.T + np.eye(len(A)) / (2.0 * C), np.ones(len(A)))
        else:
            w = np.linalg.solve(A.T @ A + np.eye(A.shape[1]) / (2.0 * C), A.sum(axis=0))
        before, active = active, Z @ w < 1.0
        if (before == active).all():
            return w
    raise RuntimeError("The refit in double precision did not settle.")
