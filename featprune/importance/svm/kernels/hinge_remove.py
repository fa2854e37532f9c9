"""The optimum of one hinge-loss problem followed while one feature fades out of its kernel."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.hinge_dot import add_outer, add_row, dot, symmetric_product
from featprune.importance.svm.kernels.hinge_free import (
    drop_member,
    enter_member,
    row_of,
    snap_last,
)

# A denominator this small says that M turns singular with the feature gone.
_SINGULAR = 1e-9


@jit
def fade_feature(P, k, K, x, work):
    """Follow problem `k` of `P` while feature `x` leaves; K itself is not touched.

    With ``u = [0, x_F]``, ``d = inv u``, ``q = u'd`` and ``w = x'beta``, removing the share s
    of the feature moves ``(bias, beta_F)`` by ``c d`` and the margins outside F by
    ``c (K_iF d_F + d_0 - x_i)``, where ``c = s w / (1 - s q)``. All of it is linear in c, so
    the next breakpoint is a ratio test in c, and the share that led there is c / (w + c q).

    Parameters
    ----------
    x : ndarray of shape (n_k,)
        The feature over the problem's samples.
    work : ndarray of shape (4, at least n_k + 2)
        Scratch.

    Returns
    -------
    breakpoints : int
        Times that a sample entered or left the free set.
    sound : bool
        False if the arithmetic gave out; the problem must then be settled anew.

    Notes
    -----
    O(m^2 + m (n_k - m)) a breakpoint, m free samples of n_k.
    """
    d = work[1]
    share = 1.0
    gone = 0.0
    for event in range(100 + 10 * P.n_rows[k]):
        m = P.n_free[k] + 1
        w, q = direction(P, k, x, work[0], d)
        remaining = 1.0 - share * q
        limit = share * abs(w) / remaining if remaining > _SINGULAR else np.inf
        sign = -1.0 if w < 0.0 else 1.0
        kind, which = 0, -1
        if limit > 0.0:
            limit, kind, which = first_at_bound(P, k, d, sign, limit)
            limit, kind, which = first_on_margin(
                P, k, K, x, 1.0 + gone * q, work, sign, limit, kind, which
            )
        if limit == np.inf:
            return event, False
        advance_along(P, k, d, work[3], sign * limit)
        if kind == 0:
            add_outer(P.inv[k], m, share / remaining, d)
            return event, True
        s = min(limit / (abs(w) + limit * q), share) if limit > 0.0 else 0.0
        if s > 0.0:
            if 1.0 - s * q < 1e-13:
                return event, False
            add_outer(P.inv[k], m, s / (1.0 - s * q), d)
        share -= s
        gone += s
        if not exchange(P, k, K, x, gone, kind, which, work):
            return event, False
    return event, False


@jit
def direction(P, k, x, u, d):
    """Fill ``u = [0, x_F]`` and ``d = inv u``; return (``x'beta``, ``u'd``). O(m^2)."""
    m = P.n_free[k] + 1
    w = 0.0
    for i in range(P.n_rows[k]):
        w += x[i] * P.beta[k, i]
    u[0] = 0.0
    for s in range(m - 1):
        u[s + 1] = x[P.members[k, s]]
    symmetric_product(P.inv[k], m, u, d)
    q = 0.0
    for s in range(1, m):
        q += u[s] * d[s]
    return w, q


@jit
def first_at_bound(P, k, d, sign, limit):
    """Return (step length, kind, place) of the first free sample to meet a bound."""
    kind, which = 0, -1
    for s in range(P.n_free[k]):
        i = P.members[k, s]
        step = sign * d[s + 1]
        if step > 0.0:
            if P.upper[k, i] - P.beta[k, i] < limit * step:
                limit = max((P.upper[k, i] - P.beta[k, i]) / step, 0.0)
                kind, which = 1, s
        elif step < 0.0 and P.lower[k, i] - P.beta[k, i] > limit * step:
            limit = max((P.lower[k, i] - P.beta[k, i]) / step, 0.0)
            kind, which = -1, s
    return limit, kind, which


@jit
def first_on_margin(P, k, K, x, pull, work, sign, limit, kind, which):
    """Fill the margins' rates outside F into ``work[3]``; tighten the ratio test by them.

    At its upper bound a sample's margin lies below its target and may rise to it; at its
    lower bound the other way round.
    """
    n = P.n_rows[k]
    if P.n_free[k] == n:
        return limit, kind, which
    margin_rates(K, P.span, P.members, P.slot, k, n, P.n_free[k], work)
    for i in range(n):
        if P.slot[k, i] >= 0:
            continue
        g = work[3, i] + work[1, 0] - x[i] * pull
        work[3, i] = g
        step = sign * g
        gap = P.margin[k, i] - P.target[k, i]
        if P.beta[k, i] >= P.upper[k, i]:
            if step > 0.0 and -gap < limit * step:
                limit = max(-gap / step, 0.0)
                kind, which = 2, i
        elif step < 0.0 and gap < -limit * step:
            limit = max(-gap / step, 0.0)
            kind, which = 2, i
    return limit, kind, which


@jit
def margin_rates(K, span, members, slot, k, n, n_free, work):
    """Fill ``work[3] = K_iF d_F`` outside F, d in ``work[1, 1:]``. O(n_free n), or less.

    Row by row of the samples in F where they are few, else row by row of the others.
    """
    lo, hi, cut = span[k, 0], span[k, 1], span[k, 2]
    rates = work[3]
    if n_free < n - n_free:
        for i in range(n):
            rates[i] = 0.0
        for s in range(n_free):
            add_row(K, row_of(span, k, members[k, s]), lo, hi, cut, n, work[1, s + 1], rates)
        return
    for i in range(n):
        work[2, i] = 0.0
    for s in range(n_free):
        work[2, members[k, s]] = work[1, s + 1]
    for i in range(n):
        if slot[k, i] < 0:
            r = row_of(span, k, i)
            rates[i] = dot(K, r, lo, work, 2, 0, cut) + dot(K, r, hi, work, 2, cut, n - cut)


@jit
def advance_along(P, k, d, rate, c):
    """Move bias, free samples and the other margins by `c` along the direction."""
    if c == 0.0:
        return
    P.bias[k] += c * d[0]
    for s in range(P.n_free[k]):
        P.beta[k, P.members[k, s]] += c * d[s + 1]
    if P.n_free[k] < P.n_rows[k]:
        for i in range(P.n_rows[k]):
            if P.slot[k, i] < 0:
                P.margin[k, i] += c * rate[i]


@jit
def exchange(P, k, K, x, gone, kind, which, work):
    """Let the sample of a breakpoint into the free set (kind 2) or out of it (1, -1)."""
    if kind == 2:
        P.margin[k, which] = P.target[k, which]
        return enter_member(P, k, which, K, x, gone, work[0], work[1])
    i = P.members[k, which]
    P.beta[k, i] = P.upper[k, i] if kind > 0 else P.lower[k, i]
    if P.n_free[k] == 1:
        return False
    drop_member(P, k, which, work[0])
    if P.n_free[k] == 1:
        snap_last(P, k)
    return True
