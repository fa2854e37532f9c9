"""Backward elimination along the optimum of linear hinge-loss problems."""

from __future__ import annotations

import math

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.hinge_dot import dot
from featprune.importance.svm.kernels.hinge_free import row_of
from featprune.importance.svm.kernels.hinge_pick import pick
from featprune.importance.svm.kernels.hinge_remove import fade_feature

# Features after which rounding is cleared away even if K still has half its trace.
_REFRESH = 256


@jit
def eliminate(T, P, L, log, work, floor, step, budget):
    """Take up to `budget` steps, each to the optimum without `step` more units. In place.

    Parameters
    ----------
    T, P, L, log : Table, Problems, Pools, Log
    work : ndarray of shape (6, at least n + 2)
        Scratch.
    floor, step, budget : int
        Units to stop at, units a step, steps.

    Returns
    -------
    int
        0 when `floor` is reached, 1 when the budget is spent, 2 when K or a problem needs to
        be refreshed first.
    """
    for _ in range(budget):
        left = L.gone.shape[0] - log.done[0]
        note_model(T, P, log, left)
        if left <= floor:
            return 0
        take = min(step, left - floor)
        at = log.done[0]
        pick(L, T, P, take, log.order, log.criterion, at, work[4:5])
        for a in range(at, at + take):
            remove_unit(T, P, log, work, log.order[a])
            L.gone[log.order[a]] = True
        log.done[0] += take
        for k in range(P.n_rows.shape[0]):
            if P.bad[k]:
                return 2
        if log.trace[0] < 0.5 * log.trace[1] or log.done[2] >= _REFRESH:
            return 2
    return 1


@jit
def remove_unit(T, P, log, work, u):
    """Fade the features of unit `u` out of all problems and of the kernels."""
    n = T.K.shape[0]
    for t in range(T.first[u], T.first[u + 1]):
        j = T.features[t]
        load_feature(T, j, work[5])
        for k in range(P.n_rows.shape[0]):
            if not P.bad[k]:
                for i in range(P.n_rows[k]):
                    work[4, i] = work[5, row_of(P.span, k, i)]
                events, sound = fade_feature(P, k, T.K, work[4], work)
                log.done[3] += events
                P.bad[k] = not sound
        for i in range(n):
            log.trace[0] -= work[5, i] * work[5, i]
        shrink_kernels(T, j, work[5])
        log.done[2] += 1


@jit
def load_feature(T, j, x):
    """Write feature `j` over all rows of the table into `x`. O(n)."""
    n = T.K.shape[0]
    if T.XT.shape[0] > 0:
        for i in range(n):
            x[i] = T.XT[j, i]
        return
    for i in range(n):
        x[i] = 0.0
    for t in range(T.start[j], T.start[j + 1]):
        x[T.row[t]] = T.value[t]


@jit
def shrink_kernels(T, j, x):
    """Take feature `j`, which is in `x`, off both kernels. O(n^2), of a sparse table less."""
    n = T.K.shape[0]
    if T.XT.shape[0] > 0:
        for i in range(n):
            if x[i] != 0.0:
                for c in range(n):
                    T.K[i, c] -= x[i] * x[c]
        for i in range(T.K_held.shape[0]):
            held = T.held[j, i]
            if held != 0.0:
                for c in range(n):
                    T.K_held[i, c] -= held * x[c]
        return
    first, last = T.start[j], T.start[j + 1]
    for a in range(first, last):
        for b in range(first, last):
            T.K[T.row[a], T.row[b]] -= T.value[a] * T.value[b]
    for a in range(T.held_start[j], T.held_start[j + 1]):
        for b in range(first, last):
            T.K_held[T.held_row[a], T.row[b]] -= T.held_value[a] * T.value[b]


@jit
def note_model(T, P, log, left):
    """Note size and held-out decisions of the present model."""
    model = log.done[1]
    log.done[1] += 1
    log.sizes[model] = left
    if T.K_held.shape[0] == 0:
        return
    for k in range(P.n_rows.shape[0]):
        lo, hi, cut = P.span[k, 0], P.span[k, 1], P.span[k, 2]
        bias = P.bias[k] + bias_shift(P, k)
        for i in range(T.K_held.shape[0]):
            log.decisions[model, i, k] = (
                dot(T.K_held, i, lo, P.beta, k, 0, cut)
                + dot(T.K_held, i, hi, P.beta, k, cut, P.n_rows[k] - cut)
                + bias
            )


@jit
def bias_shift(P, k):
    """Return what leads from the bias to the middle of the optimal ones, where all are bound.

    Any free sample fixes the bias; without one it is the middle of an interval, as in libsvm.
    """
    stand_in = P.members[k, 0]
    if P.n_free[k] > 1 or (P.lower[k, stand_in] < P.beta[k, stand_in] < P.upper[k, stand_in]):
        return 0.0
    top, bottom = -math.inf, math.inf
    for i in range(P.n_rows[k]):
        slack = P.target[k, i] - P.margin[k, i]
        if P.beta[k, i] < P.upper[k, i]:
            top = max(top, slack)
        if P.beta[k, i] > P.lower[k, i]:
            bottom = min(bottom, slack)
    if top == -math.inf or bottom == math.inf:
        return 0.0
    return 0.5 * (top + bottom)
