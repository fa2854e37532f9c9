"""The exact optimum of one problem on a kernel that stands still. Arguments as in `dual_free`.

K is up to date: no feature is resting.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from featprune.importance.jit import inner, jit
from featprune.importance.svm.dual_state import (
    BAD,
    BETA,
    BIAS,
    BORDERED,
    BOX,
    CONSTANT,
    COUNTS,
    FREE,
    HIGH,
    LOW,
    MARGIN,
    MEMBER,
    PENDING,
    RIDGE,
    SCALARS,
    SLOT,
    STATE,
)
from featprune.importance.svm.kernels.dual_dot import (
    add_scaled,
    sparse_product,
)
from featprune.importance.svm.kernels.dual_fade import keep_last
from featprune.importance.svm.kernels.dual_free import (
    DEPENDENT,
    FAILED,
    append,
    drop,
    enter,
    has_room,
    multiply,
    park,
    schur,
    slide,
    stand_in,
    target,
)

# Not literals, for each of which numba would compile all functions that they are passed to anew.
RESTS, NONE = cast(int, np.int64(0)), cast(int, np.int64(-1))
NO = cast(bool, np.bool_(False))


@jit(allocates=False)
def compute_margins(v, span, K, work, start, row, value, alive):
    """Write ``(K + ridge) beta + bias`` to the margins.

    Through the features that are left where those of a sparse table are given, O(entries), else
    O(n m) for m coefficients that are not zero.
    """
    beta, full = v[BETA], work[3]
    for i in range(v.shape[1]):
        full[i] = 0.0
    if alive.shape[0] > 0:
        constant = 0.0
        for i in range(v.shape[1]):
            constant += beta[i]
        sparse_product(full, beta, start, row, value, alive)
        for i in range(v.shape[1]):
            full[i] += v[SCALARS, CONSTANT] * constant
    else:
        for i in range(v.shape[1]):
            if beta[i] != 0.0:
                add_scaled(full, beta[i], K[i], span)
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            v[MARGIN, i] = full[i] + v[RIDGE, i] * beta[i] + v[SCALARS, BIAS]


@jit(allocates=False)
def place(v, s, span):
    """Say of each sample whether it is at zero, between, or at its bound; none is free yet.

    Returns the sample that is furthest from zero and its bound.
    """
    s[COUNTS, FREE] = s[COUNTS, PENDING] = 0
    inside, most = -1, -1.0
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            s[SLOT, i] = -1
            clip(v, i)
            size = abs(v[BETA, i])
            side = 1 if v[BETA, i] > 0.0 else -1
            s[STATE, i] = 0 if size == 0.0 else (side if size < v[BOX, i] else 2 * side)
            room = min(size, v[BOX, i] - size)
            if room > most:
                inside, most = i, room
    return inside


@jit(allocates=False)
def gather(v, s, inv, span, K, rest, work):
    """Make the free set of the samples strictly between zero and their bound. O(m^3).

    Samples in the span of others are moved to a bound, which changes no margin. Returns
    whether the arithmetic held.
    """
    inside = place(v, s, span)
    inv[0, 0] = 0.0
    if s[COUNTS, BORDERED]:
        beta = v[BETA, inside]
        side = 1 if beta > 0.0 or (beta == 0.0 and v[LOW, inside] > -np.inf) else -1
        stand_in(s, inv, inside, side, K[inside, inside] + v[RIDGE, inside])
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            side = s[STATE, i]
            if abs(side) != 1 or s[SLOT, i] >= 0:
                continue
            if enter(v, s, inv, K, rest, RESTS, 0.0, i, side, work[0], work[1]) == FAILED:
                return False
    return True


@inner
def clip(v, i):
    """Put a coefficient that rounding has brought past zero or its bound back onto it."""
    beta = v[BETA, i]
    if (beta > 0.0 and v[LOW, i] == -np.inf) or (beta < 0.0 and v[HIGH, i] == np.inf):
        v[BETA, i] = 0.0
    elif abs(beta) > v[BOX, i]:
        v[BETA, i] = v[BOX, i] if beta > 0.0 else -v[BOX, i]


@jit(allocates=False)
def settle(v, s, inv, span, K, rest, tol, max_moves, work):
    """Bring one problem to its optimum from a feasible point whose margins are known.

    A primal active-set method: solve for the free samples (a Newton step, cut short where one
    of them meets its bound), then let in the sample that violates optimality most, until none
    does by more than `tol`. The objective falls with every move.

    Returns
    -------
    moves : int
    violation : float
        What is left of it; above `tol` only if `max_moves` ran out, infinite if arithmetic gave
        out and the free set is to be gathered anew.

    Notes
    -----
    O(n^2) a move.
    """
    violation = 0.0
    stalled = 0
    s[COUNTS, BAD] = 0
    for move in range(max_moves):
        residual = free_residual(v, s, span, work[0])
        if s[COUNTS, BAD] != 0:
            return move, np.inf
        if residual > tol and stalled < 4:
            # A Newton step from an exact inverse ends the residual at once; if rounding keeps
            # it up, go on after a few.
            stalled = 0 if newton_step(v, s, inv, span, K, rest, work) else stalled + 1
            continue
        stalled = 0
        i, side, violation = worst_sample(v, s, span)
        violation = max(violation, residual)
        if i < 0 or violation <= tol or residual > tol:
            return move, violation
        bring_in(v, s, inv, span, K, rest, i, side, work)
    return max_moves, violation


@inner
def free_residual(v, s, span, out):
    """Fill ``out = [-sum(beta), target - margin]`` over the free samples; return its norm.

    The first is for a free bias alone. The norm is the largest size, but that of the sum in
    terms of the largest coefficient.
    """
    out[0] = 0.0
    largest = 0.0
    if s[COUNTS, BORDERED]:
        most = 0.0
        for part in range(2):
            for i in range(span[2 * part], span[2 * part + 1]):
                out[0] -= v[BETA, i]
                most = max(most, abs(v[BETA, i]))
        if most > 0.0:
            largest = abs(out[0]) / most
    for t in range(s[COUNTS, FREE]):
        i = s[MEMBER, t]
        out[t + 1] = target(v, i, s[STATE, i]) - v[MARGIN, i]
        largest = max(largest, abs(out[t + 1]))
    return largest


@inner
def worst_sample(v, s, span):
    """Return (sample outside the free set, its side, violation), of none (-1, 0, 0)."""
    which, side, worst = -1, 0, 0.0
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            if s[SLOT, i] >= 0:
                continue
            state, f = s[STATE, i], v[MARGIN, i]
            # too low for zero, or too high for the upper bound
            above = v[LOW, i] - f if state == 0 else (f - v[LOW, i] if state == 2 else 0.0)
            below = f - v[HIGH, i] if state == 0 else (v[HIGH, i] - f if state == -2 else 0.0)
            if above > worst:
                which, side, worst = i, 1, above
            if below > worst:
                which, side, worst = i, -1, below
    return which, side, worst


@inner
def shift_margins(v, span, K, full, shift):
    """Add ``(K + ridge) full + shift`` to the margins. O(n) an entry of `full` that is not 0."""
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            v[MARGIN, i] += shift + v[RIDGE, i] * full[i]
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            if full[i] != 0.0:
                add_scaled(v[MARGIN], full[i], K[i], span)


@inner
def newton_step(v, s, inv, span, K, rest, work):
    """Go towards the solution for the free samples, up to the first bound. O(n^2).

    ``work[0]`` holds the residual. Returns whether a sample met its bound and was dropped.
    """
    m = s[COUNTS, FREE] + 1
    d, full = work[1], work[3]
    multiply(s, inv, work[0], d)
    limit, first, at_zero = 1.0, NONE, NO
    if m > 2 or not s[COUNTS, BORDERED]:
        for t in range(m - 1):
            i = s[MEMBER, t]
            side = s[STATE, i]
            outward, size = d[t + 1] * side, v[BETA, i] * side
            if outward < 0.0 and size < -limit * outward:
                limit, first, at_zero = max(-size / outward, 0.0), t, True
            elif outward > 0.0 and v[BOX, i] - size < limit * outward:
                limit, first, at_zero = max((v[BOX, i] - size) / outward, 0.0), t, False
    for i in range(work.shape[1]):
        full[i] = 0.0
    for t in range(m - 1):
        i = s[MEMBER, t]
        full[i] = limit * d[t + 1]
        v[BETA, i] += full[i]
    v[SCALARS, BIAS] += limit * d[0]
    shift_margins(v, span, K, full, limit * d[0])
    if first < 0:
        return False
    remove(v, s, inv, K, rest, first, at_zero, work)
    return True


@inner
def remove(v, s, inv, K, rest, t, at_zero, work):
    """Take the free sample in place `t`, which met a bound, out of the free set. O(m^2)."""
    park(v, s, s[MEMBER, t], at_zero)
    if not drop(v, s, inv, t, work[0]):
        s[COUNTS, BAD] = 1
        return
    if s[COUNTS, BORDERED] and s[COUNTS, FREE] == 1:
        keep_last(v, s, inv, K, rest, RESTS, 0.0)


@inner
def bring_in(v, s, inv, span, K, rest, i, side, work):
    """Move sample `i` off its bound until its margin fits or it meets its other bound."""
    col, z, full = work[0], work[1], work[3]
    up = (s[STATE, i] == 0) == (side > 0)
    while True:
        complement, size = schur(v, s, inv, K, rest, RESTS, 0.0, i, col, z)
        slack = target(v, i, side) - v[MARGIN, i]
        if (slack > 0.0) != up:
            # rounding has brought it past where it fits: the next look at it decides
            slack = 0.0
        dependent = complement <= DEPENDENT * size or not has_room(s, inv)
        reach = np.inf if dependent else abs(slack) / complement
        before = v[BETA, i]
        first, at_zero = slide(v, s, i, side, z, reach, up)
        change = v[BETA, i] - before
        for c in range(work.shape[1]):
            full[c] = 0.0
        for t in range(s[COUNTS, FREE]):
            full[s[MEMBER, t]] = -change * z[t + 1]
        full[i] = change
        shift_margins(v, span, K, full, -change * z[0])
        if first == -1:
            s[STATE, i] = 0 if at_zero else 2 * side
            return
        if first == -2:
            append(s, inv, i, side, z, complement)
            return
        if s[COUNTS, BORDERED] and s[COUNTS, FREE] == 1:
            take_over(v, s, inv, span, K, i, side, at_zero)
            return
        park(v, s, s[MEMBER, first], at_zero)
        if not drop(v, s, inv, first, col):
            s[COUNTS, BAD] = 1
            return


@inner
def take_over(v, s, inv, span, K, i, side, at_zero):
    """Let sample `i` hold the bias in place of the only free one, which met its bound."""
    park(v, s, s[MEMBER, 0], at_zero)
    stand_in(s, inv, i, side, K[i, i] + v[RIDGE, i])
    slack = target(v, i, side) - v[MARGIN, i]
    v[SCALARS, BIAS] += slack
    for part in range(2):
        for c in range(span[2 * part], span[2 * part + 1]):
            v[MARGIN, c] += slack
