"""Backward elimination along the optimum of linear problems, some steps at a time."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner, jit
from featprune.importance.svm.dual_state import (
    ALIVE,
    BAD,
    BETA,
    BIAS,
    BORDERED,
    BOX,
    BREAKPOINTS,
    COUNTS,
    FEW,
    FREE,
    GATHERED,
    HIGH,
    LOW,
    MARGIN,
    MEMBER,
    RESTING,
    SCALARS,
    SLOT,
    SPARE,
    STATE,
    TRAVEL,
    WEAR,
)
from featprune.importance.svm.kernels.dual_dot import row_dot, subtract_products
from featprune.importance.svm.kernels.dual_fade import fade
from featprune.importance.svm.kernels.dual_pick import (
    copy_betas,
    distance,
    is_crow,
    pick,
    strike,
)

# why `run` came back
DONE, FULL, LIST, UNSOUND = range(4)
# Growth of the rounding in an inverse at which it is cleared away, which costs O(n^2): at least so
# much, or so much a row.
WORN, WORN_A_ROW = 1e3, 10.0


@jit(allocates=False)
def run(T, P, C, H, decisions, out, criteria, steps, work, B):
    """Take up to `steps` steps, one unit each, to the optimum without it. All in place.

    Parameters
    ----------
    T, P, C, H : Table, Problems, Course, HeldOut
    decisions : ndarray of shape (steps, n_held_out, n_problems)
        Where to note the decision values of the models that are left.
    out, criteria : ndarray of shape (steps,)
        Where to note the units that leave, and their criteria.
    work, B : ndarray of shape (7, n + 2), (n_problems, n)
        Scratch.

    Returns
    -------
    taken : int
        Steps.
    why : int
        DONE; FULL if `rest` has no room for the next unit's features; LIST if the units must be
        listed; UNSOUND if a problem must be settled (its BAD is set).
    """
    K = C.K
    for taken in range(steps):
        if C.metric.shape[0] > 0:
            moved = distance(P.V, P.spans, C.anchor, C.metric, work[4])
            if is_crow(C):
                C.way[TRAVEL] = C.way[GATHERED] + moved
            else:
                C.way[TRAVEL] += moved
                copy_betas(P.V, C.anchor)
        at, smallest = pick(T, P, C, B)
        if at < 0:
            return taken, LIST
        u = C.order[at]
        room = C.rest.shape[0] - (T.first[u + 1] - T.first[u])
        # few rows are brought up to date here, many by BLAS
        if C.count[RESTING] > room and K.shape[0] <= FEW:
            subtract_products(K, C.rest, C.count[RESTING])
            C.count[RESTING] = 0
        if C.count[RESTING] > room:
            return taken, FULL
        decide(P, H, B, decisions[taken])
        out[taken], criteria[taken] = u, smallest
        strike(C, at)
        C.gone[u] = True
        remove_unit(T, P, C, H, u, work)
        for k in range(P.V.shape[0]):
            if P.S[k, COUNTS, BAD] != 0:
                return taken + 1, UNSOUND
        if C.way[SPARE] < 0.0 or worn(P.V):
            return taken + 1, DONE
    return steps, DONE


@jit(allocates=False)
def worn(V):
    """Say whether rounding has grown too much in the inverse of a problem."""
    most = 0.0
    for k in range(V.shape[0]):
        most = max(most, V[k, SCALARS, WEAR])
    return most > max(WORN, WORN_A_ROW * V.shape[2])


@jit(allocates=False)
def remove_units(T, P, C, H, units, work):
    """Fade several units out of all problems, one after the other; problems may be BAD then."""
    for u in units:
        C.gone[u] = True
        remove_unit(T, P, C, H, u, work)


@inner
def decide(P, H, B, out):
    """Write the decision values of the rows held out, (n_held_out, n_problems), to `out`.

    `B` holds the coefficients, shape (n_problems, n). O(n n_held_out) a problem.
    """
    if out.shape[0] == 0:
        return
    for k in range(P.V.shape[0]):
        bias = middle_bias(P.V[k], P.S[k], P.spans[k])
        for h in range(out.shape[0]):
            out[h, k] = bias + row_dot(H.K, h, B, k)


@inner
def remove_unit(T, P, C, H, u, work):
    """Fade the features of unit `u` out of all problems; C.K has them taken off later."""
    for t in range(T.first[u], T.first[u + 1]):
        resting = C.count[RESTING]
        x = C.rest[resting]
        load_feature(T.XT, T.start, T.row, T.value, T.features[t], x)
        if T.XT.shape[0] == 0:
            bury(C.alive, C.count, T.features[t])
        subtract_held(H, T.features[t], x)
        total = 0.0
        for k in range(P.V.shape[0]):
            if P.S[k, COUNTS, BAD] != 0:
                continue
            events, travel = fade(
                P.V[k], P.S[k], P.inv[k], P.spans[k], C.K, C.rest, resting, work,
                T.start, T.row, T.value, C.alive[: C.count[ALIVE]],
            )  # fmt: skip
            total += travel * travel
            if events < 0:
                P.S[k, COUNTS, BAD] = 1
            else:
                C.count[BREAKPOINTS] += events
        if C.metric.shape[0] == 0:
            C.way[TRAVEL] += np.sqrt(total)
        C.way[SPARE] -= row_dot(C.rest, resting, C.rest, resting)
        if T.XT.shape[0] > 0:
            C.count[RESTING] += 1
        else:
            subtract_sparse(C.K, T.start, T.row, T.value, T.features[t])


@inner
def bury(alive, count, j):
    """Take feature `j` out of the ascending list of those that are left. O(n_features)."""
    last = count[ALIVE] - 1
    a = 0
    while alive[a] != j:
        a += 1
    for b in range(a, last):
        alive[b] = alive[b + 1]
    count[ALIVE] = last


@inner
def subtract_sparse(K, start, row, value, j):
    """Take feature `j` of a sparse table off K. O(square of its entries)."""
    for a in range(start[j], start[j + 1]):
        for b in range(start[j], start[j + 1]):
            K[row[a], row[b]] -= value[a] * value[b]


@inner
def subtract_held(H, j, x):
    """Take feature `j`, of values `x` in the other rows, off the kernel of the rows held out."""
    for h in range(H.XT.shape[1] if H.XT.shape[0] > 0 else 0):
        for i in range(x.shape[0]):
            H.K[h, i] -= H.XT[j, h] * x[i]
    for e in range(H.start[j], H.start[j + 1]):
        for i in range(x.shape[0]):
            H.K[H.row[e], i] -= H.value[e] * x[i]


@inner
def load_feature(XT, start, row, value, j, x):
    """Write feature `j` over all rows into `x`. O(n)."""
    if XT.shape[0] > 0:
        for i in range(x.shape[0]):
            x[i] = XT[j, i]
        return
    for i in range(x.shape[0]):
        x[i] = 0.0
    for e in range(start[j], start[j + 1]):
        x[row[e]] += value[e]


@jit(allocates=False)
def middle_bias(v, s, span):
    """Return the bias; where all samples are bound, the middle of those that are optimal.

    Any sample within its bounds fixes the bias; without one it is the middle of an interval,
    as in libsvm.
    """
    if s[COUNTS, BORDERED] == 0 or s[COUNTS, FREE] > 1:
        return v[SCALARS, BIAS]
    i = s[MEMBER, 0]
    size = abs(v[BETA, i])
    if 0.0 < size < v[BOX, i]:
        return v[SCALARS, BIAS]
    top, bottom = -np.inf, np.inf
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            state = s[STATE, i]
            if s[SLOT, i] >= 0:
                state = 0 if v[BETA, i] == 0.0 else 2 * state
            f = v[MARGIN, i]
            # at zero the margin lies between low and high, at a bound beyond them
            if state >= 0:
                way = v[LOW, i] - f
                if state == 0:
                    top = max(top, way)
                else:
                    bottom = min(bottom, way)
            if state <= 0:
                way = v[HIGH, i] - f
                if state == 0:
                    bottom = min(bottom, way)
                else:
                    top = max(top, way)
    if top == -np.inf or bottom == np.inf:
        return v[SCALARS, BIAS]
    return v[SCALARS, BIAS] + 0.5 * (top + bottom)
