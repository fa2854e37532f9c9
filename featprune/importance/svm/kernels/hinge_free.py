"""Samples entering and leaving the free set of one problem, and the inverse that follows.

The inverse is that of ``M = [[0, 1'], [1, K_FF]]``, F the free samples in the order of
`members`; row 0 is the bias, row ``1 + s`` the sample ``members[s]``. The argument ``P`` is the
`Problems` tuple of ``svm/_hinge_state.py``, `k` the problem in it; all is changed in place.
"""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.hinge_dot import add_outer, symmetric_product

# A sample whose Schur complement is smaller than this, relative to the terms that it is the
# difference of, lies in the span of the free ones.
DEPENDENT = 1e-10


@jit
def drop_member(P, k, s, work):
    """Take the sample in place `s` out of the free set; at least one must stay. O(m^2)."""
    m = P.n_free[k] + 1
    last = P.n_free[k] - 1
    S = P.inv[k]
    for c in range(m):
        work[c] = S[s + 1, c]
    add_outer(S, m, -1.0 / work[s + 1], work)
    P.slot[k, P.members[k, s]] = -1
    if s != last:
        for c in range(m):
            S[s + 1, c] = S[last + 1, c]
        S[s + 1, s + 1] = S[last + 1, last + 1]
        for c in range(m):
            S[c, s + 1] = S[s + 1, c]
        P.members[k, s] = P.members[k, last]
        P.slot[k, P.members[k, s]] = s
    P.n_free[k] = last


@jit
def sole_member(P, k, i, k_ii):
    """Make sample `i` the only free one, which sets the bias alone."""
    for s in range(P.n_free[k]):
        P.slot[k, P.members[k, s]] = -1
    P.members[k, 0] = i
    P.slot[k, i] = 0
    P.n_free[k] = 1
    P.inv[k, 0, 0] = -k_ii
    P.inv[k, 0, 1] = 1.0
    P.inv[k, 1, 0] = 1.0
    P.inv[k, 1, 1] = 0.0


@jit
def append_member(P, k, i, z, schur):
    """Border the inverse with sample `i`; ``z = inv @ [1, K_Fi]``. O(m^2)."""
    m = P.n_free[k] + 1
    S = P.inv[k]
    add_outer(S, m, 1.0 / schur, z)
    for c in range(m):
        S[m, c] = -z[c] / schur
        S[c, m] = S[m, c]
    S[m, m] = 1.0 / schur
    P.members[k, m - 1] = i
    P.slot[k, i] = m - 1
    P.n_free[k] = m


@jit
def row_of(span, k, i):
    """Return the row of the table, sorted by class, that sample `i` of problem `k` is."""
    cut = span[k, 2]
    return span[k, 0] + i if i < cut else span[k, 1] + i - cut


@jit
def schur_complement(P, k, i, K, x, gone, col, z):
    """Return (Schur complement, size of its terms) of sample `i`; fill `col` and `z`. O(m^2).

    The kernel is ``K - gone * x x'``, x over the problem's samples.
    """
    m = P.n_free[k] + 1
    r = row_of(P.span, k, i)
    col[0] = 1.0
    for s in range(m - 1):
        c = P.members[k, s]
        col[s + 1] = K[r, row_of(P.span, k, c)] - gone * x[i] * x[c]
    symmetric_product(P.inv[k], m, col, z)
    schur = K[r, r] - gone * x[i] * x[i]
    size = abs(schur)
    for c in range(m):
        schur -= col[c] * z[c]
        size += abs(col[c] * z[c])
    return schur, size


@jit
def enter_member(P, k, i, K, x, gone, col, z):
    """Let sample `i`, which is on the margin and at a bound, into the free set. O(m^2).

    A sample in the span of the free ones makes M singular. The solution then isn't unique:
    along ``beta_i += t, (bias, beta_F) -= t z`` no margin moves. It is followed until a free
    sample meets its bound and makes room, or until `i` has crossed to its other bound.

    Returns True unless the arithmetic failed to make room.
    """
    schur, size = schur_complement(P, k, i, K, x, gone, col, z)
    if schur > DEPENDENT * size and P.n_free[k] + 1 < P.inv.shape[1]:
        append_member(P, k, i, z, schur)
        return True
    first = slide(P, k, i, z, np.inf, P.beta[k, i] < P.upper[k, i])
    if first < 0:
        return True
    if P.n_free[k] == 1:
        r = row_of(P.span, k, i)
        sole_member(P, k, i, K[r, r] - gone * x[i] * x[i])
        return True
    drop_member(P, k, first, col)
    schur, size = schur_complement(P, k, i, K, x, gone, col, z)
    if schur <= 1e-14 * size:
        return False
    append_member(P, k, i, z, schur)
    return True


@jit
def slide(P, k, i, z, reach, up):
    """Move ``beta_i`` up or down by up to `reach`, ``(bias, beta_F)`` by -z times that.

    Stops where a free sample meets its bound, and puts it there exactly.

    Returns
    -------
    int
        Place of the free sample that met its bound; -1 if `i` got to its other bound, -2 if
        it went all of `reach`.
    """
    limit = P.upper[k, i] - P.beta[k, i] if up else P.beta[k, i] - P.lower[k, i]
    first = -1
    if reach < limit:
        limit = reach
        first = -2
    for s in range(P.n_free[k]):
        c = P.members[k, s]
        rate = -z[s + 1] if up else z[s + 1]
        room = np.inf
        if rate > 0.0:
            room = (P.upper[k, c] - P.beta[k, c]) / rate
        elif rate < 0.0:
            room = (P.lower[k, c] - P.beta[k, c]) / rate
        if room < limit:
            limit = max(room, 0.0)
            first = s
    move = limit if up else -limit
    for s in range(P.n_free[k]):
        P.beta[k, P.members[k, s]] -= move * z[s + 1]
    P.bias[k] -= move * z[0]
    P.beta[k, i] += move
    if first == -1:
        P.beta[k, i] = P.upper[k, i] if up else P.lower[k, i]
    elif first >= 0:
        c = P.members[k, first]
        rising = (z[first + 1] < 0.0) == up
        P.beta[k, c] = P.upper[k, c] if rising else P.lower[k, c]
    return first


@jit
def snap_last(P, k):
    """Put the only free sample on its bound if rounding alone keeps it off."""
    i = P.members[k, 0]
    near = 1e-12 * (P.upper[k, i] - P.lower[k, i])
    if abs(P.beta[k, i] - P.upper[k, i]) < near:
        P.beta[k, i] = P.upper[k, i]
    elif abs(P.beta[k, i] - P.lower[k, i]) < near:
        P.beta[k, i] = P.lower[k, i]
