"""Samples entering and leaving the free set of one problem, and the inverse that follows.

Arguments that all of these share, views of `svm/dual_state.py`'s arrays for one problem:

v : float64 of shape (6, n), see BETA and the rest; changed in place
s : int64 of shape (3, n), see STATE and the rest; changed in place
inv : float64 of shape (n_free + 1 or more, the same), inverse of ``[[0, 1'], [1, K_FF]]``, with
    zeros in row and column 0 where the bias is no free variable; row ``1 + t`` is ``members[t]``
num : int64, see FREE and BORDERED; real : float64, see BIAS and PENDING
late : float64, ``real[PENDING] * late late'`` is still to be added to `inv`
K : float64 of shape (n, n), from which ``rest[t] rest[t]'`` for the first `n_rest` rows of
    `rest`, and ``gone * x x'``, are still to be taken off
"""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.dual_dot import add_outer, symmetric_product

# rows of v: coefficient; decision value plus ridge times it; where the loss begins on either
# side; bound of the coefficient; what the loss adds to the diagonal of the kernel
BETA, MARGIN, LOW, HIGH, BOX, RIDGE = range(6)
# rows of s: where a sample is (0 at zero, 1 or -1 between zero and its bound of that sign, and
# so in the free set, 2 or -2 at its bound); its place in the free set or -1; the free set
STATE, SLOT, MEMBER = range(3)
# num: samples in the free set; whether the bias is a free variable; whether arithmetic gave out
FREE, BORDERED, BAD = range(3)
BIAS, PENDING = range(2)

# A sample whose Schur complement is smaller than this, relative to the terms that it is the
# difference of, lies in the span of the free ones.
DEPENDENT = 1e-10


@jit
def lower(v, i, side):
    """Return the least coefficient of a sample on one side."""
    return 0.0 if side > 0 else -v[BOX, i]


@jit
def upper(v, i, side):
    """Return the largest coefficient of a sample on one side."""
    return v[BOX, i] if side > 0 else 0.0


@jit
def target(v, i, side):
    """Return the margin of a sample that is free on one side."""
    return v[LOW, i] if side > 0 else v[HIGH, i]


@jit
def flush(inv, num, real, late):
    """Add to the inverse what is still to be added. O(m^2)."""
    if real[PENDING] != 0.0:
        add_outer(inv, num[FREE] + 1, real[PENDING], late)
        real[PENDING] = 0.0


@jit
def park(v, s, i, at_zero):
    """Put a sample that is to leave the free set exactly on zero or on its bound."""
    side = s[STATE, i]
    v[BETA, i] = 0.0 if at_zero else side * v[BOX, i]
    s[STATE, i] = 0 if at_zero else 2 * side


@jit
def drop(v, s, inv, num, t, work):
    """Take the sample in place `t`, which is parked, out of the free set. O(m^2)."""
    m = num[FREE] + 1
    last = num[FREE] - 1
    for c in range(m):
        work[c] = inv[t + 1, c]
    add_outer(inv, m, -1.0 / work[t + 1], work)
    s[SLOT, s[MEMBER, t]] = -1
    if t != last:
        for c in range(m):
            inv[t + 1, c] = inv[last + 1, c]
        inv[t + 1, t + 1] = inv[last + 1, last + 1]
        for c in range(m):
            inv[c, t + 1] = inv[t + 1, c]
        s[MEMBER, t] = s[MEMBER, last]
        s[SLOT, s[MEMBER, t]] = t
    num[FREE] = last


@jit
def stand_in(s, inv, num, i, side, k_ii):
    """Make sample `i` the only free one, which holds the bias and has no freedom of its own."""
    for t in range(num[FREE]):
        s[SLOT, s[MEMBER, t]] = -1
    s[MEMBER, 0] = i
    s[SLOT, i] = 0
    s[STATE, i] = side
    num[FREE] = 1
    inv[0, 0] = -k_ii
    inv[0, 1] = 1.0
    inv[1, 0] = 1.0
    inv[1, 1] = 0.0


@jit
def schur(v, s, inv, num, K, rest, n_rest, x, gone, i, col, z):
    """Return (Schur complement, size of its terms) of sample `i`; fill `col` and ``z = inv col``.

    O(m^2 + n_rest m).
    """
    m = num[FREE]
    col[0] = 1.0 if num[BORDERED] else 0.0
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
    symmetric_product(inv, m + 1, col, z)
    complement = k_ii
    size = abs(k_ii)
    for c in range(m + 1):
        complement -= col[c] * z[c]
        size += abs(col[c] * z[c])
    return complement, size


@jit
def append(s, inv, num, i, side, z, complement):
    """Border the inverse with sample `i`; `z` as filled by `schur`. O(m^2)."""
    m = num[FREE] + 1
    add_outer(inv, m, 1.0 / complement, z)
    for c in range(m):
        inv[m, c] = -z[c] / complement
        inv[c, m] = inv[m, c]
    inv[m, m] = 1.0 / complement
    s[MEMBER, m - 1] = i
    s[SLOT, i] = m - 1
    s[STATE, i] = side
    num[FREE] = m


@jit
def enter(v, s, inv, num, real, K, rest, n_rest, x, gone, i, side, col, z):
    """Let sample `i`, whose margin is its target on `side`, into the free set. O(m^2).

    A sample in the span of the free ones has no inverse. The solution then isn't unique: along
    ``beta_i += t, (bias, beta_F) -= t z`` no margin moves. It is followed until a free sample
    meets its bound and makes room, or until `i` has crossed to its other bound.

    Returns True unless the arithmetic failed to make room.
    """
    complement, size = schur(v, s, inv, num, K, rest, n_rest, x, gone, i, col, z)
    if complement > DEPENDENT * size and num[FREE] + 2 <= inv.shape[0]:
        append(s, inv, num, i, side, z, complement)
        return True
    up = v[BETA, i] < 0.5 * (lower(v, i, side) + upper(v, i, side))
    first, at_zero = slide(v, s, num, real, i, side, z, np.inf, up)
    if first < 0:
        s[STATE, i] = 0 if at_zero else 2 * side
        return True
    c = s[MEMBER, first]
    v[MARGIN, c] = target(v, c, s[STATE, c])
    park(v, s, c, at_zero)
    if num[BORDERED] and num[FREE] == 1:
        k_ii = diagonal(v, K, rest, n_rest, x, gone, i)
        stand_in(s, inv, num, i, side, k_ii)
        return True
    drop(v, s, inv, num, first, col)
    complement, size = schur(v, s, inv, num, K, rest, n_rest, x, gone, i, col, z)
    if complement <= 1e-14 * size:
        return False
    append(s, inv, num, i, side, z, complement)
    return True


@jit
def diagonal(v, K, rest, n_rest, x, gone, i):
    """Return the kernel of sample `i` with itself, ridge included."""
    k_ii = K[i, i] + v[RIDGE, i] - gone * x[i] * x[i]
    for r in range(n_rest):
        k_ii -= rest[r, i] * rest[r, i]
    return k_ii


@jit
def slide(v, s, num, real, i, side, z, reach, up):
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
    for t in range(num[FREE]):
        c = s[MEMBER, t]
        rate = -z[t + 1] if up else z[t + 1]
        if rate == 0.0:
            continue
        bound = upper(v, c, s[STATE, c]) if rate > 0.0 else lower(v, c, s[STATE, c])
        room = (bound - v[BETA, c]) / rate
        if room < limit:
            limit, first, at_zero = max(room, 0.0), t, bound == 0.0
    move = limit if up else -limit
    for t in range(num[FREE]):
        v[BETA, s[MEMBER, t]] -= move * z[t + 1]
    real[BIAS] -= move * z[0]
    v[BETA, i] = end if first == -1 else v[BETA, i] + move
    return first, at_zero
