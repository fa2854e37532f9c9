"""Sequential minimal optimisation on a kernel matrix in memory, with a box for each sample."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import jit

# Curvature put in place of one that is not positive (two equal rows, or a kernel that is not
# positive semidefinite), as libsvm does.
_FLAT = 1e-12


def smo(
    K: np.ndarray,
    y_sign: np.ndarray,
    box: np.ndarray,
    alpha: np.ndarray,
    tol: float,
    max_iter: int,
) -> tuple[np.ndarray, np.ndarray, float, int, float]:
    """Solve the dual of a hinge-loss SVM from a start that satisfies its constraints.

    Minimises ``alpha' Q alpha / 2 - sum(alpha)`` with ``Q = y y' * K`` subject to
    ``0 <= alpha <= box`` and ``y' alpha = 0``; the decision function of the training rows is
    ``K @ (y_sign * alpha) + bias``.

    Parameters
    ----------
    K : ndarray of shape (n, n), C-contiguous
        Symmetric kernel matrix; float32 is read as such, all arithmetic is in float64.
    y_sign : ndarray of shape (n,)
        Classes as -1 and +1.
    box : ndarray of shape (n,)
        Upper bounds of alpha, positive.
    alpha : ndarray of shape (n,)
        Start, within the box and with ``y_sign @ alpha == 0``; zeros do. Not changed.
    tol : float
        Largest violation of the optimality conditions that is let pass (libsvm's eps).
    max_iter : int
        Bound on the number of pairs that are optimised.

    Returns
    -------
    alpha : ndarray of shape (n,)
        The solution.
    gradient : ndarray of shape (n,)
        ``Q @ alpha - 1``, computed anew from the solution.
    bias : float
        Mean of ``-y * gradient`` over free samples; without any, the middle of the interval
        of biases that are all optimal (both as libsvm).
    n_iter : int
        Pairs optimised.
    gap : float
        Violation that is left; above `tol` means that `max_iter` was hit or that rounding
        does not let it sink further. Never raises or warns: that is the caller's decision.

    Notes
    -----
    Second-order working set of Fan, Chen and Lin (2005), "Working set selection using second
    order information for training support vector machines", JMLR 6. O(n) a pair.
    """
    y_sign = np.ascontiguousarray(y_sign, dtype=np.float64)
    lower = np.where(y_sign > 0, 0.0, -np.asarray(box, dtype=np.float64))
    upper = np.where(y_sign > 0, np.asarray(box, dtype=np.float64), 0.0)
    beta = y_sign * alpha
    slack = np.empty(len(beta))
    n_iter = 0
    last = np.inf
    while True:
        # Rounding piles up in the slack over many pairs: trust only a fresh one, and give up
        # once a fresh start from the found point no longer helps.
        slack[:] = y_sign - K @ beta
        done, _ = optimise_pairs(K, lower, upper, beta, slack, tol, max_iter - n_iter)
        n_iter += done
        fresh = y_sign - K @ beta
        gap, bias = gap_and_bias(fresh, lower, upper, beta)
        if gap <= tol or n_iter >= max_iter or gap > 0.5 * last:
            break
        last = gap
    return y_sign * beta, -y_sign * fresh, bias, n_iter, gap


@jit
def optimise_pairs(K, lower, upper, beta, slack, tol, max_iter):
    """Move pairs of beta until no pair violates optimality by more than `tol`. In place.

    Minimises ``beta' K beta / 2 - target' beta`` within ``lower <= beta <= upper``, the sum of
    beta held. `beta` and ``slack = target - K beta``, both of shape (n,), are updated.
    O(n) a pair. Returns (pairs moved, violation by the updated slack).
    """
    n = beta.shape[0]
    i = -1
    top = -np.inf
    for t in range(n):
        if beta[t] < upper[t] and slack[t] > top:
            top = slack[t]
            i = t
    for step in range(max_iter + 1):
        bottom = np.inf
        best = -1.0
        j = -1
        if i >= 0:
            k_ii = K[i, i]
            for t in range(n):
                if beta[t] > lower[t]:
                    if slack[t] < bottom:
                        bottom = slack[t]
                    drop = top - slack[t]
                    if drop > 0.0:
                        curve = k_ii + K[t, t] - 2.0 * K[i, t]
                        if curve <= 0.0:
                            curve = _FLAT
                        gain = drop * drop / curve
                        if gain > best:
                            best = gain
                            j = t
        if j < 0 or top - bottom <= tol:
            return step, max(top - bottom, 0.0)
        if step == max_iter:
            break
        curve = k_ii + K[j, j] - 2.0 * K[i, j]
        if curve <= 0.0:
            curve = _FLAT
        move = (top - slack[j]) / curve
        room_i = upper[i] - beta[i]
        room_j = beta[j] - lower[j]
        # Land on a bound exactly, or its sample would count as free for ever.
        if move >= room_i and room_i <= room_j:
            move = room_i
            beta[i] = upper[i]
            beta[j] = lower[j] if room_i == room_j else beta[j] - move
        elif move >= room_j:
            move = room_j
            beta[j] = lower[j]
            beta[i] += move
        else:
            beta[i] += move
            beta[j] -= move
        old_i = i
        top = -np.inf
        i = -1
        for t in range(n):
            slack[t] -= move * (K[old_i, t] - K[j, t])
            if beta[t] < upper[t] and slack[t] > top:
                top = slack[t]
                i = t
    return max_iter, top - bottom


@jit
def gap_and_bias(slack, lower, upper, beta):
    """Return the violation of optimality and the bias, from ``slack = target - K beta``."""
    top = -np.inf
    bottom = np.inf
    total = 0.0
    n_free = 0
    for t in range(beta.shape[0]):
        can_rise = beta[t] < upper[t]
        can_sink = beta[t] > lower[t]
        if can_rise and slack[t] > top:
            top = slack[t]
        if can_sink and slack[t] < bottom:
            bottom = slack[t]
        if can_rise and can_sink:
            total += slack[t]
            n_free += 1
    bias = total / n_free if n_free > 0 else 0.5 * (top + bottom)
    return max(top - bottom, 0.0), bias
