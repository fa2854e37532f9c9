"""Which unit leaves next, without looking at most of them.

The value of a unit is the norm of its weights over features and problems. Since a unit was last
looked at, its value has moved by at most its `norm` times the way that the betas went. Units of
small values are listed with such a bound each; the others have one for all of them.
"""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.dual_state import (
    BETA,
    LISTED,
    SEEN,
    SLOP,
    TRAVEL,
)
from featprune.importance.svm.kernels._jit import inner
from featprune.importance.svm.kernels.dual_dot import block_form, row_dot


# Called for every candidate, so it makes no views, and is inlined: to pass so many arrays would
# cost more than the product.
@inner(inline="always")
def criterion(XT, start, row, value, first, features, B, u):
    """Return the sum of squared weights of unit `u` over its features and all problems.

    `B` holds the coefficients, shape (n_problems, n). O(n) a feature and problem, or O(entries)
    of a sparse column.
    """
    total = 0.0
    for t in range(first[u], first[u + 1]):
        j = features[t]
        for k in range(B.shape[0]):
            if XT.shape[0] > 0:
                w = row_dot(XT, j, B, k)
            else:
                w = 0.0
                for e in range(start[j], start[j + 1]):
                    w += value[e] * B[k, row[e]]
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
def pick(T, V, C, B):
    """Return (place in the list, criterion) of the smallest criterion among those listed.

    Parameters
    ----------
    T, C : Table, Course
    V : of the Problems
    B : ndarray of shape (n_problems, n)
        Scratch.

    Notes
    -----
    Of equal criteria the larger unit is returned: criteria of equal columns are equal to the
    last bit. The place is -1 if nothing is listed.
    """
    XT, start, row, value, first, features = T.XT, T.start, T.row, T.value, T.first, T.features
    order, bound, slope, way = C.order, C.bound, C.slope, C.way[TRAVEL]
    n_listed = C.count[LISTED]
    for k in range(V.shape[0]):
        for i in range(V.shape[2]):
            B[k, i] = V[k, BETA, i]
    least, at = np.inf, -1
    for a in range(n_listed):
        low = bound[a] - slope[a] * way
        if low < least:
            least, at = low, a
    if at < 0:
        return -1, 0.0
    # the one that may be least first, since it rules out most of the others
    first_seen = at
    best = criterion(XT, start, row, value, first, features, B, order[at])
    best_value, which = np.sqrt(best), order[at]
    bound[at] = best_value + slope[at] * (way - C.way[SLOP])
    C.count[SEEN] += 1
    for a in range(n_listed):
        if bound[a] - slope[a] * way > best_value or a == first_seen:
            continue
        u = order[a]
        now = criterion(XT, start, row, value, first, features, B, u)
        now_value = np.sqrt(now)
        bound[a] = now_value + slope[a] * (way - C.way[SLOP])
        C.count[SEEN] += 1
        if now < best or (now == best and u > which):
            best, best_value, which, at = now, now_value, u, a
    return at, best
