"""The optimum of a boxed dual by descent from vertex to vertex: for nearly singular kernels."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import jit
from featprune.importance.svm.kernels.kernel_settle import factor, multiply, substitute

# Share of the diagonal added to it, so that a system on dependent samples has a solution: a
# long step along what hardly changes the cost, which ends at a bound and frees the system of
# one sample. The optimum is not moved, for each step starts from the true residual.
_RIDGE = 1e-12


@jit
def descend(K, target, lower, upper, beta, tol, max_rounds):
    """Go down to the optimum of ``min beta' K beta / 2 - target' beta``, its sum held; in place.

    The primal active set method: towards the optimum on the free samples until one reaches a
    bound, which then holds it; where none does, the sample at a bound that violates optimality
    most is let go. Every round descends, unlike `kernel_settle.settle_small`, and no sample
    need be guessed right, so it ends even where pairwise steps crawl; but it takes a round for
    each sample that changes sides.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Symmetric, positive semidefinite.
    target, lower, upper : ndarray of shape (n,)
    beta : ndarray of shape (n,)
        Feasible start; changed in place, and feasible all along.
    tol : float
        Violation that is let pass.
    max_rounds : int

    Returns
    -------
    int
        Rounds taken. O(n n_free + n_free^3 / 3) a round.
    """
    n = beta.shape[0]
    free = np.empty(n, np.int64)
    product = np.empty(n)
    change = np.zeros(n)
    moved = np.empty(n)
    at = np.zeros(n, np.int8)
    for t in range(n):
        at[t] = -1 if beta[t] <= lower[t] else (1 if beta[t] >= upper[t] else 0)
    multiply(K, beta, product)
    for turn in range(max_rounds):
        n_free = 0
        for t in range(n):
            change[t] = 0.0
            if at[t] == 0:
                free[n_free] = t
                n_free += 1
        if n_free > 1:
            _direction(K, target, product, free[:n_free], change)
        blocked = -1
        share = 1.0
        for i in range(n_free):
            t = free[i]
            room = upper[t] - beta[t] if change[t] > 0.0 else lower[t] - beta[t]
            if abs(change[t]) * share > abs(room):
                share = abs(room) / abs(change[t])
                blocked = t
        for i in range(n_free):
            t = free[i]
            change[t] *= share
            beta[t] = min(max(beta[t] + change[t], lower[t]), upper[t])
        if blocked >= 0:
            at[blocked] = _side(beta[blocked], lower[blocked], upper[blocked])
            beta[blocked] = upper[blocked] if at[blocked] > 0 else lower[blocked]
        multiply(K, change, moved)
        for t in range(n):
            product[t] += moved[t]
        if blocked < 0 and not _let_go(target, product, at, tol):
            return turn + 1
    return max_rounds


@jit
def _side(value, lower, upper):
    """Return -1 for a value nearer to its lower bound, else 1."""
    return -1 if value - lower < upper - value else 1


@jit
def _direction(K, target, product, free, change):
    """Put the step to the optimum on the free samples into `change`.

    Each free sample but the last trades with the last one: the step's sum is zero by
    construction, to rounding, even where the system is so nearly singular that it is huge.
    """
    n_trades = free.shape[0] - 1
    last = free[n_trades]
    U = np.empty((n_trades, n_trades))
    step = np.empty(n_trades)
    for i in range(n_trades):
        row = K[free[i]]
        for j in range(i, n_trades):
            U[i, j] = (row[free[j]] - row[last]) - (K[last, free[j]] - K[last, last])
        U[i, i] += _RIDGE * (abs(row[free[i]]) + abs(K[last, last]))
        step[i] = (target[free[i]] - product[free[i]]) - (target[last] - product[last])
    factor(U, 1e-14)
    substitute(U, step)
    total = 0.0
    for i in range(n_trades):
        change[free[i]] = step[i]
        total += step[i]
    change[last] = -total


@jit
def _let_go(target, product, at, tol):
    """Free the sample that violates optimality most, or a pair where none is free."""
    n = at.shape[0]
    bias = 0.0
    n_free = 0
    for t in range(n):
        if at[t] == 0:
            bias += target[t] - product[t]
            n_free += 1
    if n_free > 0:
        bias /= n_free
    worst = tol
    best = -1
    top = -np.inf
    bottom = np.inf
    rising = -1
    sinking = -1
    for t in range(n):
        slack = target[t] - product[t]
        if at[t] != 0 and -(slack - bias) * at[t] > worst:
            worst = -(slack - bias) * at[t]
            best = t
        if at[t] <= 0 and slack > top:
            top = slack
            rising = t
        if at[t] >= 0 and slack < bottom:
            bottom = slack
            sinking = t
    if n_free == 0:
        if top - bottom <= tol:
            return False
        at[rising] = 0
        at[sinking] = 0
        return True
    if best < 0:
        return False
    at[best] = 0
    return True
