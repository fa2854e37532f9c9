"""Samples entering and leaving the free set of one problem, and the inverse that follows.

Arguments that all of these share, views of `svm/dual_state.py`'s arrays for one problem:

v : float64 of shape (7, n), see BETA and the rest; changed in place
s : int64 of shape (4, n), see STATE and the rest; changed in place
inv : float64 of shape (most + 1 + HELD, most + 2), in its first ``n_free + 1`` rows and columns
    the inverse of ``[[0, 1'], [1, K_FF]]``, row ``1 + t`` being ``members[t]``, with zeros in row
    and column 0 where the bias is no free variable. The last rows hold vectors a with a scale
    each, in the last column: ``scale * a a'`` is still to be added. To read the inverse is
    cheaper than to change it, and several changes at once are cheaper than one by one
K, rest, n_rest, gone : the kernel is ``K - sum_t<n_rest rest[t] rest[t]' - gone * x x'``, where
    ``x = rest[n_rest]`` is the feature that is on its way out
"""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner, jit
from featprune.importance.svm.dual_state import (
    BETA,
    BIAS,
    BORDERED,
    BOX,
    COUNTS,
    FREE,
    HELD,
    HIGH,
    LOW,
    MARGIN,
    MEMBER,
    PENDING,
    RIDGE,
    SCALARS,
    SLOT,
    STATE,
    WEAR,
)
from featprune.importance.svm.kernels.dual_dot import add_outer, dot, symmetric_product

# A sample whose Schur complement is smaller than this, relative to the terms that it is the
# difference of, lies in the span of the free ones.
DEPENDENT = 1e-10
# How a sample was let in or out, see `enter`.
FAILED, SIMPLE, INVOLVED = range(3)


@inner
def lower(v, i, side):
    """Return the least coefficient of a sample on one side."""
    return 0.0 if side > 0 else -v[BOX, i]


@inner
def upper(v, i, side):
    """Return the largest coefficient of a sample on one side."""
    return v[BOX, i] if side > 0 else 0.0


@inner
def target(v, i, side):
    """Return the margin of a sample that is free on one side."""
    return v[LOW, i] if side > 0 else v[HIGH, i]


@jit(allocates=False)
def flush(s, inv):
    """Add the vectors that are held back to the inverse, four at a time. O(m^2) each."""
    m, r, stop = s[COUNTS, FREE] + 1, inv.shape[0] - HELD, inv.shape[0] - HELD + s[COUNTS, PENDING]
    while r + 4 <= stop:
        a, b, c, d = inv[r], inv[r + 1], inv[r + 2], inv[r + 3]
        for i in range(m):
            row = inv[i]
            a_i, b_i, c_i, d_i = a[-1] * a[i], b[-1] * b[i], c[-1] * c[i], d[-1] * d[i]
            for j in range(m):
                row[j] += (a_i * a[j] + b_i * b[j]) + (c_i * c[j] + d_i * d[j])
        r += 4
    while r < stop:
        add_outer(inv, m, inv[r, -1], inv[r])
        r += 1
    s[COUNTS, PENDING] = 0


@inner
def add_later(s, inv, scale, a):
    """Note that ``scale * a a'`` is to be added to the inverse. O(m), O(m^2) now and then."""
    if s[COUNTS, PENDING] == HELD:
        flush(s, inv)
    row = inv[inv.shape[0] - HELD + s[COUNTS, PENDING]]
    for c in range(s[COUNTS, FREE] + 1):
        row[c] = a[c]
    row[-1] = scale
    s[COUNTS, PENDING] += 1


@inner
def multiply(s, inv, u, out):
    """Write the product of the inverse with `u` to `out`. O(m^2)."""
    m = s[COUNTS, FREE] + 1
    symmetric_product(inv, m, u, out)
    first = inv.shape[0] - HELD
    for r in range(first, first + s[COUNTS, PENDING]):
        a = inv[r]
        along = a[-1] * dot(a, u, 0, m)
        for c in range(m):
            out[c] += along * a[c]


@inner
def has_room(s, inv):
    """Say whether there is room for another free sample."""
    return s[COUNTS, FREE] + 2 <= inv.shape[1] - 1


@inner
def park(v, s, i, at_zero):
    """Put a sample that is to leave the free set exactly on zero or on its bound."""
    side = s[STATE, i]
    v[BETA, i] = 0.0 if at_zero else side * v[BOX, i]
    s[STATE, i] = 0 if at_zero else 2 * side


@inner
def drop(v, s, inv, t, work):
    """Take the sample in place `t`, which is parked, out of the free set. O(m^2).

    Returns whether the inverse allowed it; if not, it must be made anew.
    """
    m, last = s[COUNTS, FREE] + 1, s[COUNTS, FREE] - 1
    first, stop = inv.shape[0] - HELD, inv.shape[0] - HELD + s[COUNTS, PENDING]
    for c in range(m):
        work[c] = inv[t + 1, c]
    for r in range(first, stop):
        along = inv[r, -1] * inv[r, t + 1]
        for c in range(m):
            work[c] += along * inv[r, c]
    if not abs(work[t + 1]) > 1e-200:
        return False
    add_later(s, inv, -1.0 / work[t + 1], work)
    s[SLOT, s[MEMBER, t]] = -1
    if t != last:
        for c in range(m):
            inv[t + 1, c] = inv[last + 1, c]
        inv[t + 1, t + 1] = inv[last + 1, last + 1]
        for c in range(m):
            inv[c, t + 1] = inv[t + 1, c]
        for r in range(first, first + s[COUNTS, PENDING]):
            inv[r, t + 1] = inv[r, last + 1]
        s[MEMBER, t] = s[MEMBER, last]
        s[SLOT, s[MEMBER, t]] = t
    s[COUNTS, FREE] = last
    return True


@inner
def stand_in(s, inv, i, side, k_ii):
    """Make sample `i` the only free one, which holds the bias and has no freedom of its own."""
    for t in range(s[COUNTS, FREE]):
        s[SLOT, s[MEMBER, t]] = -1
    s[MEMBER, 0] = i
    s[SLOT, i] = 0
    s[STATE, i] = side
    s[COUNTS, FREE], s[COUNTS, PENDING] = 1, 0
    inv[0, 0] = -k_ii
    inv[0, 1] = 1.0
    inv[1, 0] = 1.0
    inv[1, 1] = 0.0


@inner
def schur(v, s, inv, K, rest, n_rest, gone, i, col, z):
    """Return (Schur complement, size of its terms) of sample `i`; fill `col` and ``z = inv col``.

    O(m^2 + n_rest m).
    """
    m = s[COUNTS, FREE]
    col[0] = 1.0 if s[COUNTS, BORDERED] else 0.0
    x = rest[n_rest]
    k_ii = K[i, i] + v[RIDGE, i] - gone * x[i] * x[i]
    for t in range(m):
        c = s[MEMBER, t]
        col[t + 1] = K[i, c] - gone * x[i] * x[c]
    for r in range(n_rest):
        x_i = rest[r, i]
        if x_i != 0.0:
            k_ii -= x_i * x_i
            for t in range(m):
                col[t + 1] -= x_i * rest[r, s[MEMBER, t]]
    multiply(s, inv, col, z)
    complement = k_ii
    size = abs(k_ii)
    for c in range(m + 1):
        complement -= col[c] * z[c]
        size += abs(col[c] * z[c])
    return complement, size


@inner
def append(s, inv, i, side, z, complement):
    """Border the inverse with sample `i`; `z` as filled by `schur`, its next entry is set. O(m)."""
    if s[COUNTS, PENDING] == HELD:
        flush(s, inv)
    m = s[COUNTS, FREE] + 1
    for c in range(m + 1):
        inv[m, c] = inv[c, m] = 0.0
    first = inv.shape[0] - HELD
    for r in range(first, first + s[COUNTS, PENDING]):
        inv[r, m] = 0.0
    s[MEMBER, m - 1] = i
    s[SLOT, i] = m - 1
    s[STATE, i] = side
    s[COUNTS, FREE] = m
    z[m] = -1.0
    add_later(s, inv, 1.0 / complement, z)


@inner
def enter(v, s, inv, K, rest, n_rest, gone, i, side, col, z):
    """Let sample `i`, whose margin is its target on `side`, into the free set. O(m^2).

    A sample in the span of the free ones has no inverse. The solution then isn't unique: along
    ``beta_i += t, (bias, beta_F) -= t z`` no margin moves. It is followed until a free sample
    meets its bound and makes room, or until `i` has crossed to its other bound.

    Returns SIMPLE if the inverse was only bordered, with ``[z, -1]``; INVOLVED if more happened;
    FAILED if the arithmetic didn't make room.
    """
    complement, size = schur(v, s, inv, K, rest, n_rest, gone, i, col, z)
    if complement > DEPENDENT * size and has_room(s, inv):
        v[SCALARS, WEAR] += size / complement
        append(s, inv, i, side, z, complement)
        return SIMPLE
    up = v[BETA, i] < 0.5 * (lower(v, i, side) + upper(v, i, side))
    first, at_zero = slide(v, s, i, side, z, np.inf, up)
    if first < 0:
        s[STATE, i] = 0 if at_zero else 2 * side
        return INVOLVED
    c = s[MEMBER, first]
    v[MARGIN, c] = target(v, c, s[STATE, c])
    park(v, s, c, at_zero)
    if s[COUNTS, BORDERED] and s[COUNTS, FREE] == 1:
        k_ii = diagonal(v, K, rest, n_rest, gone, i)
        stand_in(s, inv, i, side, k_ii)
        return INVOLVED
    if not drop(v, s, inv, first, col):
        return FAILED
    complement, size = schur(v, s, inv, K, rest, n_rest, gone, i, col, z)
    if complement <= 1e-14 * size:
        return FAILED
    v[SCALARS, WEAR] += size / complement
    append(s, inv, i, side, z, complement)
    return INVOLVED


@inner
def diagonal(v, K, rest, n_rest, gone, i):
    """Return the kernel of sample `i` with itself, ridge included."""
    k_ii = K[i, i] + v[RIDGE, i] - gone * rest[n_rest, i] * rest[n_rest, i]
    for r in range(n_rest):
        k_ii -= rest[r, i] * rest[r, i]
    return k_ii


@inner
def slide(v, s, i, side, z, reach, up):
    """Move ``beta_i`` up or down by up to `reach`, ``(bias, beta_F)`` by -z times that.

    Stops where a free sample meets its bound; it is for the caller to park it.

    Returns
    -------
    first : int
        Place of the free sample that met its bound; -1 if `i` got to its other bound, on
        which it is put, -2 if it went all of `reach`.
    at_zero : bool
        Whether the bound that was met is zero.
    """
    end = upper(v, i, side) if up else lower(v, i, side)
    limit = abs(end - v[BETA, i])
    first, at_zero = -1, end == 0.0
    if reach < limit:
        limit, first = reach, -2
    for t in range(s[COUNTS, FREE]):
        c = s[MEMBER, t]
        rate = -z[t + 1] if up else z[t + 1]
        if rate == 0.0:
            continue
        bound = upper(v, c, s[STATE, c]) if rate > 0.0 else lower(v, c, s[STATE, c])
        room = (bound - v[BETA, c]) / rate
        if room < limit:
            limit, first, at_zero = max(room, 0.0), t, bound == 0.0
    move = limit if up else -limit
    for t in range(s[COUNTS, FREE]):
        v[BETA, s[MEMBER, t]] -= move * z[t + 1]
    v[SCALARS, BIAS] -= move * z[0]
    v[BETA, i] = end if first == -1 else v[BETA, i] + move
    return first, at_zero
