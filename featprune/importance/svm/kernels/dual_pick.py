"""Which unit leaves next, without looking at most of them.

The value of a unit is the norm of its weights over features and problems. Since a unit was last
looked at, its value has moved by at most its `norm` times the way that the betas went, see
`Course`. Only those are watched that can come down to the smallest value before long.
"""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner
from featprune.importance.svm.dual_state import (
    BETA,
    GATHERED,
    LEVEL,
    LISTED,
    LOOKS,
    NEAR,
    REACH,
    SEEN,
    SIZE,
    SKETCHED,
    SLOP,
    TRAVEL,
)
from featprune.importance.svm.kernels.dual_dot import block_form, row_dot

# Near are the units that can come down to so many times the smallest value in so many looks; the
# level is set anew when that value is above it or has fallen to a share of it.
HIGH_LEVEL, LOW_LEVEL, N_LOOKS = 1.03, 0.7, 20
# Error in single precision of the product of two vectors of length 1: of each factor, of each
# of the sums.
SKETCH_ERROR = 70 * 6e-8


@inner
def criterion(T, B, u):
    """Return the sum of squared weights of unit `u` over its features and all problems.

    `B` holds the coefficients, shape (n_problems, n). O(n) a feature and problem, or O(entries)
    of a sparse column.
    """
    total = 0.0
    for t in range(T.first[u], T.first[u + 1]):
        j = T.features[t]
        for k in range(B.shape[0]):
            if T.XT.shape[0] > 0:
                w = row_dot(T.XT, j, B, k)
            else:
                w = 0.0
                for e in range(T.start[j], T.start[j + 1]):
                    w += T.value[e] * B[k, T.row[e]]
            total += w * w
    return total


@inner
def distance(V, spans, anchor, metric, step):
    """Return how far the betas are from `anchor`, in the metric. O(n^2) a problem."""
    total = 0.0
    for k in range(V.shape[0]):
        span = spans[k]
        for part in range(2):
            for i in range(span[2 * part], span[2 * part + 1]):
                step[i] = V[k, BETA, i] - anchor[k, i]
        total += block_form(metric, step, span[0], span[1], span[0], span[1])
        if span[2] < span[3]:
            total += block_form(metric, step, span[2], span[3], span[2], span[3])
            total += 2.0 * block_form(metric, step, span[0], span[1], span[2], span[3])
    return np.sqrt(max(total, 0.0)) * (1.0 + 1e-6)


@inner
def pick(T, P, C, B):
    """Return (place in the list, criterion) of the smallest criterion among those listed.

    Parameters
    ----------
    T, P, C : Table, Problems, Course
    B : ndarray of shape (n_problems, n)
        Scratch.

    Notes
    -----
    Of equal criteria the larger unit is returned: criteria of equal columns are equal to the
    last bit. The place is -1 if nothing is listed.
    """
    copy_betas(P.V, B)
    C.count[LOOKS] += 1
    if C.way[TRAVEL] > C.way[REACH]:
        if C.count[SKETCHED] > 0:
            least_by_sketch(T, P.spans, C, B)
        gather(T, C, B)
    while C.count[LISTED] > 0:
        if 0 < C.count[NEAR] == C.count[SKETCHED]:
            at, best = least_by_sketch(T, P.spans, C, B)
        else:
            at, best = least_by_bounds(T, C, B)
        value = np.sqrt(best)
        if value <= C.way[LEVEL]:
            if value < LOW_LEVEL * C.way[LEVEL]:
                C.way[LEVEL], C.way[REACH] = HIGH_LEVEL * value, -np.inf
            return at, best
        if at < 0 and C.count[NEAR] > 0:
            break
        if at < 0:
            value = max(0.0, lowest_bound(C, C.count[LISTED])[1])
        C.way[LEVEL] = HIGH_LEVEL * value
        gather(T, C, B)
    return -1, 0.0


@inner
def least_by_bounds(T, C, B):
    """Return (place, criterion) of the smallest among the near units, (-1, inf) if there are none.

    Criteria are computed of those whose bounds do not rule them out.
    """
    order, bound, slope, way = C.order, C.bound, C.slope, C.way[TRAVEL]
    # a value here says only so much of what it was at the anchor, from where the way is counted
    known = 2.0 * C.way[GATHERED] - way if is_crow(C) else way
    at, best, best_value = -1, np.inf, np.inf
    # the one that may be least first, since it rules out most of the others
    likely = lowest_bound(C, C.count[NEAR])[0]
    for b in range(-1, C.count[NEAR]):
        a = likely if b < 0 else b
        if a < 0 or b == likely or bound[a] - slope[a] * way > best_value:
            continue
        now = criterion(T, B, order[a])
        bound[a] = np.sqrt(now) + slope[a] * (known - C.way[SLOP])
        C.count[SEEN] += 1
        if now < best or (now == best and order[a] > order[at]):
            at, best, best_value = a, now, np.sqrt(now)
    return at, best


@inner
def least_by_sketch(T, spans, C, B):
    """Return (place, criterion) of the smallest among the near units, all in the sketch.

    Criteria are computed of those that single precision can't tell from the smallest.
    """
    near, hints, length = C.count[NEAR], C.hints, C.length
    size = 0.0
    for k in range(B.shape[0]):
        size += row_dot(B, k, B, k)
    size = np.sqrt(size)
    C.way[SIZE] = size
    multiply_sketch(C.sketch, near, spans, B, 1.0 / max(size, 1e-300), C.halves, hints)
    for a in range(near):
        hints[a] *= length[a] * length[a]
    least = least_of(hints, near)
    likely = 0
    while likely < near and hints[likely] != least:
        likely += 1
    if likely == near:
        return -1, least
    # in units of `size`, as the hints are
    most = np.sqrt(least) + SKETCH_ERROR * length[likely]
    at, best = -1, np.inf
    for a in range(near):
        top = most + SKETCH_ERROR * length[a]
        if hints[a] <= top * top:
            now = criterion(T, B, C.order[a])
            C.count[SEEN] += 1
            if now < best or (now == best and C.order[a] > C.order[at]):
                at, best = a, now
    return at, best


# The order of comparisons is free, which lets several go at once.
@inner(fastmath={"reassoc", "nnan", "nsz"})
def least_of(values, stop):
    """Return the smallest of ``values[:stop]``; any number if there is a NaN."""
    least = np.inf
    for a in range(np.uint64(stop)):
        least = min(least, values[a])
    return least


@inner
def take_hints(C):
    """Bring the bounds of the units in the sketch to what it shows of the present betas."""
    for a in range(C.count[SKETCHED]):
        value = C.way[SIZE] * (np.sqrt(C.hints[a]) - SKETCH_ERROR * C.length[a])
        C.bound[a] = value + C.slope[a] * (C.way[TRAVEL] - C.way[SLOP])


@inner
def multiply_sketch(sketch, near, spans, B, scale, part, total):
    """Write the sum over k of squares of ``scale * B[k] @ sketch`` to `total`. O(n near) a problem.

    In single precision, `SUMMED` rows at a time.
    """
    for a in range(near):
        total[a] = 0.0
    for k in range(B.shape[0]):
        for a in range(near):
            part[a] = np.float32(0.0)
        for run in range(2):
            i, stop = spans[k, 2 * run], spans[k, 2 * run + 1]
            while i + 4 <= stop:
                b0, b1 = np.float32(scale * B[k, i]), np.float32(scale * B[k, i + 1])
                b2, b3 = np.float32(scale * B[k, i + 2]), np.float32(scale * B[k, i + 3])
                r0, r1, r2, r3 = sketch[i], sketch[i + 1], sketch[i + 2], sketch[i + 3]
                for a in range(near):
                    part[a] += (b0 * r0[a] + b1 * r1[a]) + (b2 * r2[a] + b3 * r3[a])
                i += 4
            while i < stop:
                b0, r0 = np.float32(scale * B[k, i]), sketch[i]
                for a in range(near):
                    part[a] += b0 * r0[a]
                i += 1
        for a in range(near):
            w = np.float64(part[a])
            total[a] += w * w


@inner
def gather(T, C, B):
    """Bring those units to the front that can come down to the level in the next looks.

    If there is a sketch, it was looked at with the present betas.
    """
    way, looks = C.way[TRAVEL], max(C.count[LOOKS], 1)
    further = way - C.way[GATHERED]
    # as the crow flies, a random walk comes as far as the root of its steps
    if is_crow(C):
        further *= np.sqrt(N_LOOKS / looks)
        for k in range(B.shape[0]):
            for i in range(B.shape[1]):
                C.anchor[k, i] = B[k, i]
    else:
        further *= N_LOOKS / looks
    reach, level = way + further, C.way[LEVEL]
    C.way[GATHERED], C.way[REACH], C.count[LOOKS] = way, reach, 0
    near, a = C.count[NEAR], 0
    is_sketched = near == C.count[SKETCHED]
    take_hints(C)
    while a < near:
        if C.bound[a] - C.slope[a] * reach <= level:
            a += 1
            continue
        near -= 1
        move(C, a, near)
        if is_sketched:
            copy_column(C.sketch, near, a)
    C.count[SKETCHED] = near if is_sketched else 0
    for a in range(near, C.count[LISTED]):
        if C.bound[a] - C.slope[a] * reach <= level:
            move(C, a, near)
            near += 1
    C.count[NEAR] = near
    if near > C.sketch.shape[1]:
        C.count[SKETCHED] = 0
        return
    for a in range(C.count[SKETCHED], near):
        j, scale = T.features[C.order[a]], 1.0 / max(C.length[a], 1e-300)
        for i in range(C.sketch.shape[0]):
            C.sketch[i, a] = np.float32(scale * T.XT[j, i])
    C.count[SKETCHED] = near


@inner
def is_crow(C):
    """Say whether the way is counted in straight lines from when near units were gathered."""
    return C.metric.shape[0] > 0 and C.sketch.shape[1] > 0


@inner
def lowest_bound(C, stop):
    """Return (place, bound) of the lowest bound up to a place of the list, (-1, inf) of none."""
    at, least = -1, np.inf
    for a in range(stop):
        low = C.bound[a] - C.slope[a] * C.way[TRAVEL]
        if low < least:
            least, at = low, a
    return at, least


@inner
def strike(C, a):
    """Take the near unit in place `a` off the list."""
    near, listed = C.count[NEAR] - 1, C.count[LISTED] - 1
    move(C, a, near)
    if C.count[SKETCHED] > near:
        copy_column(C.sketch, near, a)
        C.hints[a], C.count[SKETCHED] = C.hints[near], near
    move(C, near, listed)
    C.count[NEAR], C.count[LISTED] = near, listed


@inner
def move(C, a, b):
    """Let the units in two places of the list change places."""
    C.order[a], C.order[b] = C.order[b], C.order[a]
    C.bound[a], C.bound[b] = C.bound[b], C.bound[a]
    C.slope[a], C.slope[b] = C.slope[b], C.slope[a]
    C.length[a], C.length[b] = C.length[b], C.length[a]


@inner
def copy_column(A, j, to):
    """Write column `j` over another one. O(n)."""
    for i in range(A.shape[0]):
        A[i, to] = A[i, j]


@inner
def copy_betas(V, out):
    """Write the coefficients of all problems to `out`."""
    for k in range(V.shape[0]):
        for i in range(V.shape[2]):
            out[k, i] = V[k, BETA, i]
