"""The optimum of one problem followed while one feature fades out of its kernel.

Arguments as in `dual_free`; `span` holds the two runs of rows that the problem takes.
"""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner
from featprune.importance.svm.dual_state import (
    BETA,
    BIAS,
    BORDERED,
    BOX,
    CONSTANT,
    COUNTS,
    FREE,
    HELD,
    MARGIN,
    MEMBER,
    PENDING,
    SCALARS,
    SLOT,
    STATE,
    WEAR,
)
from featprune.importance.svm.kernels.dual_dot import (
    add_rows,
    add_scaled,
    dot,
    span_dot,
    sparse_product,
)
from featprune.importance.svm.kernels.dual_free import (
    FAILED,
    INVOLVED,
    SIMPLE,
    add_later,
    diagonal,
    drop,
    enter,
    multiply,
    park,
    stand_in,
    target,
)

# A denominator this small says that the inverse turns singular with the feature gone.
_SINGULAR = 1e-9
# Margins that move more slowly than this share of what moves them stand still: they are those of
# samples in the span of the free ones, such as equal rows.
STILL = 1e-11
# Samples that may in a row meet their bounds without any way gone: among many equal rows they
# could do so for ever, and are better sorted out at once, when the feature has left.
_IDLE = 30
# Times in a row that a direction follows from the last one, before rounding is cleared away.
_FOLLOWED = 16


@inner
def fade(v, s, inv, span, K, rest, n_rest, work, start, row, value, alive):
    """Follow one problem while feature ``x = rest[n_rest]`` leaves; K itself is not touched.

    With ``u = [0, x_F]``, ``d = inv u``, ``q = u'd`` and ``w = x'beta``, removing the share h
    of the feature moves ``(bias, beta_F)`` by ``c d`` and the margins outside F by
    ``c (K_iF d_F + d_0 - x_i)``, where ``c = h w / (1 - h q)``. All of it is linear in c, so
    the next breakpoint is a ratio test in c, and the share that led there is c / (w + c q).

    Parameters
    ----------
    work : ndarray of shape (7, n + 2)
        Scratch.
    start, row, value : ndarray
        A sparse table, a feature a row.
    alive : ndarray of int
        Its features that are left, without x; none if the table is dense.

    Returns
    -------
    breakpoints : int
        Times that a sample entered or left the free set; -1 if the arithmetic gave out or the
        way got lost among ties, and the problem must be settled anew.
    travel : float
        Bound on the distance that the other features' weights went.

    Notes
    -----
    O(m^2 + m (n - m)) a breakpoint, m free samples of n.
    """
    x, d = rest[n_rest], work[1]
    share, gone, travel = 1.0, 0.0, 0.0
    idle = followed = 0
    for event in range(100 + 10 * v.shape[1]):
        if followed == 0:
            multiply_feature(s, inv, x, work[0], d)
        q = dot(work[0], d, 1, s[COUNTS, FREE] + 1)
        w = span_dot(x, v[BETA], span)
        remaining = 1.0 - share * q
        limit = share * abs(w) / remaining if remaining > _SINGULAR else np.inf
        sign = -1.0 if w < 0.0 else 1.0
        kind, which = 0, -1
        if limit > 0.0:
            limit, kind, which = first_at_bound(v, s, d, sign, limit)
            if s[COUNTS, FREE] < span[1] - span[0] + span[3] - span[2]:
                pull = 1.0 + gone * q
                if alive.shape[0] > 0:
                    sparse_rates(v, s, rest[n_rest], pull - q, work, start, row, value, alive)
                else:
                    outside_rates(s, span, K, rest, n_rest, pull, work)
                still = STILL * (abs(d[0]) + pull * largest(x))
                limit, kind, which = first_on_margin(
                    v, s, span, work[3], still, sign, limit, kind, which
                )
        if limit == np.inf:
            return -1, travel
        if limit > 0.0:
            advance(v, s, span, d, work[3], sign * limit)
            travel += limit * np.sqrt(max(q, 0.0))
            idle = 0
        if kind == 0:
            add_later(s, inv, share / remaining, d)
            v[SCALARS, WEAR] += 1.0 / remaining
            return event, travel
        idle += 1
        h = min(limit / (abs(w) + limit * q), share) if limit > 0.0 else 0.0
        if idle > _IDLE or 1.0 - h * q < 1e-13:
            return -1, travel
        v[SCALARS, WEAR] += 1.0 / (1.0 - h * q)
        if h > 0.0:
            add_later(s, inv, h / (1.0 - h * q), d)
            for c in range(s[COUNTS, FREE] + 1):
                d[c] /= 1.0 - h * q
        share -= h
        gone += h
        how = exchange(v, s, inv, K, rest, n_rest, gone, kind, which, work)
        if how == FAILED:
            return -1, travel
        followed = followed + 1 if how == SIMPLE and followed < _FOLLOWED else 0
    return -1, travel


@inner
def multiply_feature(s, inv, x, u, d):
    """Fill ``u = [0, x_F]`` and ``d = inv u``. O(m^2)."""
    u[0] = 0.0
    for t in range(s[COUNTS, FREE]):
        u[t + 1] = x[s[MEMBER, t]]
    multiply(s, inv, u, d)


@inner
def first_at_bound(v, s, d, sign, limit):
    """Return (step length, kind, place) of the first free sample to meet a bound.

    Kind 1 means that the sample comes to zero, 2 to the bound of its box.
    """
    kind, which = 0, -1
    for t in range(s[COUNTS, FREE]):
        i = s[MEMBER, t]
        side = s[STATE, i]
        # outward: away from zero, on the sample's own side
        outward = sign * d[t + 1] * side
        size = v[BETA, i] * side
        if outward < 0.0:
            if size < -limit * outward:
                limit = max(-size / outward, 0.0)
                kind, which = 1, t
        elif outward > 0.0 and v[BOX, i] - size < limit * outward:
            limit = max((v[BOX, i] - size) / outward, 0.0)
            kind, which = 2, t
    return limit, kind, which


@inner
def outside_rates(s, span, K, rest, n_rest, pull, work):
    """Fill ``work[3] = K_iF d_F + d_0 - pull * x_i`` outside F. O(n_free n), or less.

    Row by row of the samples in F where they are few, else row by row of the others.
    """
    x, d, full, rate = rest[n_rest], work[1], work[2], work[3]
    n_free = s[COUNTS, FREE]
    n = span[1] - span[0] + span[3] - span[2]
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            rate[i] = d[0] - pull * x[i]
            full[i] = 0.0
    for t in range(n_free):
        full[s[MEMBER, t]] = d[t + 1]
    # a row of F takes part in long sums, one of the others in a short one of its own
    if n_free < 4 * (n - n_free):
        add_rows(rate, K, s[MEMBER], d, n_free, span)
    else:
        for part in range(2):
            for i in range(span[2 * part], span[2 * part + 1]):
                if s[SLOT, i] < 0:
                    rate[i] += span_dot(K[i], full, span)
    for r in range(n_rest):
        add_scaled(rate, -span_dot(rest[r], full, span), rest[r], span)


@inner
def sparse_rates(v, s, x, pull, work, start, row, value, alive):
    """Do as `outside_rates` through the other features; x itself is in `pull`. O(entries + n)."""
    d, full, rate = work[1], work[2], work[3]
    shift = 0.0
    for i in range(x.shape[0]):
        full[i] = 0.0
    for t in range(s[COUNTS, FREE]):
        full[s[MEMBER, t]] = d[t + 1]
        shift += d[t + 1]
    shift = d[0] + v[SCALARS, CONSTANT] * shift
    for i in range(x.shape[0]):
        rate[i] = shift - pull * x[i]
    sparse_product(rate, full, start, row, value, alive)


@inner
def first_on_margin(v, s, span, rate, still, sign, limit, kind, which):
    """Tighten the ratio test by samples outside F whose margin meets where their loss begins.

    Kind 3 means that sample `which` comes into F on the positive side, -3 on the negative.
    Margins slower than `still` don't move but for rounding.
    """
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            if s[SLOT, i] >= 0:
                continue
            speed = sign * rate[i]
            state = s[STATE, i]
            # from zero it falls to `low` or rises to `high`; from a bound it comes back
            if abs(speed) <= still or state * speed < 0.0:
                continue
            side = 1 if state > 0 or (state == 0 and speed < 0.0) else -1
            gap = abs_gap(target(v, i, side) - v[MARGIN, i], speed)
            if gap < limit * abs(speed):
                limit = gap / abs(speed)
                kind, which = 3 * side, i
    return limit, kind, which


@inner
def abs_gap(way, speed):
    """Return how far it is to go in the direction of `speed`; none if it is past by rounding."""
    return max(way if speed > 0.0 else -way, 0.0)


@inner
def largest(x):
    """Return the largest size among the entries. O(n)."""
    most = 0.0
    for i in range(x.shape[0]):
        most = max(most, abs(x[i]))
    return most


@inner
def advance(v, s, span, d, rate, c):
    """Move bias, free samples and the other margins by `c` along the direction."""
    v[SCALARS, BIAS] += c * d[0]
    for t in range(s[COUNTS, FREE]):
        v[BETA, s[MEMBER, t]] += c * d[t + 1]
    if s[COUNTS, FREE] == span[1] - span[0] + span[3] - span[2]:
        return
    for part in range(2):
        for i in range(span[2 * part], span[2 * part + 1]):
            if s[SLOT, i] < 0:
                v[MARGIN, i] += c * rate[i]


@inner
def exchange(v, s, inv, K, rest, n_rest, gone, kind, which, work):
    """Let the sample of a breakpoint into the free set (kind 3, -3) or out of it (1, 2).

    Returns
    -------
    how : int
        FAILED; SIMPLE if ``u, d = work[:2]`` are those of the new free set, which takes O(m);
        INVOLVED if they are to be computed anew.
    """
    u, d, column = work[0], work[1], work[6]
    if abs(kind) == 3:
        side = 1 if kind > 0 else -1
        v[MARGIN, which] = target(v, which, side)
        how = enter(v, s, inv, K, rest, n_rest, gone, which, side, work[5], column)
        if how == SIMPLE:
            # the inverse was bordered with [column, -1]
            m = s[COUNTS, FREE]
            u[m], d[m] = rest[n_rest, which], 0.0
            along = inv[inv.shape[0] - HELD + s[COUNTS, PENDING] - 1, -1]
            along *= dot(column, u, 0, m + 1)
            for c in range(m + 1):
                d[c] += along * column[c]
        return how
    i = s[MEMBER, which]
    if s[COUNTS, BORDERED] and s[COUNTS, FREE] == 1:
        return FAILED
    v[MARGIN, i] = target(v, i, s[STATE, i])
    park(v, s, i, kind == 1)
    if not drop(v, s, inv, which, column):
        return FAILED
    if s[COUNTS, BORDERED] and s[COUNTS, FREE] == 1:
        keep_last(v, s, inv, K, rest, n_rest, gone)
        return INVOLVED
    last = s[COUNTS, FREE] + 1
    along = d[which + 1] / column[which + 1]
    for c in range(last + 1):
        d[c] -= along * column[c]
    u[which + 1], d[which + 1] = u[last], d[last]
    return SIMPLE


@inner
def keep_last(v, s, inv, K, rest, n_rest, gone):
    """Make the only free sample that is left the one that holds the bias."""
    i = s[MEMBER, 0]
    side = s[STATE, i]
    near = 1e-12 * v[BOX, i]
    if abs(v[BETA, i]) < near:
        v[BETA, i] = 0.0
    elif abs(v[BETA, i] - side * v[BOX, i]) < near:
        v[BETA, i] = side * v[BOX, i]
    stand_in(s, inv, i, side, diagonal(v, K, rest, n_rest, gone, i))
