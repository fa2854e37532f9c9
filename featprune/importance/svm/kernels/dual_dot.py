"""Inner products and symmetric updates that the dual's kernels share."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner


# Only here may the compiler reorder sums, which makes them four times faster. The order then
# depends on the machine's vector length, but not on addresses: equal rows give equal bits.
@inner(fastmath={"reassoc", "contract", "nsz"})
def dot(a, b, start, stop):
    """Return ``a[start:stop] @ b[start:stop]``. O(stop - start)."""
    total = 0.0
    # Unsigned, for which no index can count from the end: that check would bar SIMD.
    for t in range(np.uint64(start), np.uint64(stop)):
        total += a[t] * b[t]
    return total


@inner(fastmath={"reassoc", "contract", "nsz"})
def row_dot(A, i, B, k):
    """Return ``A[i] @ B[k]``. O(n)."""
    total = 0.0
    i, k = np.uint64(i), np.uint64(k)
    for t in range(np.uint64(A.shape[1])):
        total += A[i, t] * B[k, t]
    return total


@inner
def span_dot(a, b, span):
    """Return the inner product over the two runs of rows that a problem takes."""
    total = dot(a, b, span[0], span[1])
    if span[2] < span[3]:
        total += dot(a, b, span[2], span[3])
    return total


@inner
def add_scaled(out, scale, a, span):
    """Add ``scale * a`` to `out` over a problem's two runs of rows."""
    for i in range(np.uint64(span[0]), np.uint64(span[1])):
        out[i] += scale * a[i]
    for i in range(np.uint64(span[2]), np.uint64(span[3])):
        out[i] += scale * a[i]


@inner
def add_rows(out, K, rows, d, count, span):
    """Add ``d[t + 1] * K[rows[t]]`` for each t below `count` to `out`. O(n count)."""
    t = 0
    while t + 4 <= count:
        d0, d1, d2, d3 = d[t + 1], d[t + 2], d[t + 3], d[t + 4]
        a, b, c, e = K[rows[t]], K[rows[t + 1]], K[rows[t + 2]], K[rows[t + 3]]
        for i in range(np.uint64(span[0]), np.uint64(span[1])):
            out[i] += (d0 * a[i] + d1 * b[i]) + (d2 * c[i] + d3 * e[i])
        for i in range(np.uint64(span[2]), np.uint64(span[3])):
            out[i] += (d0 * a[i] + d1 * b[i]) + (d2 * c[i] + d3 * e[i])
        t += 4
    while t < count:
        add_scaled(out, d[t + 1], K[rows[t]], span)
        t += 1


@inner
def sparse_product(out, full, start, row, value, alive):
    """Add ``X X' full`` to `out`, over some features of a sparse table. O(their entries)."""
    for j in alive:
        along = 0.0
        for e in range(start[j], start[j + 1]):
            along += value[e] * full[row[e]]
        if along != 0.0:
            for e in range(start[j], start[j + 1]):
                out[row[e]] += along * value[e]


@inner
def symmetric_product(S, m, v, out):
    """Write ``S[:m, :m] @ v[:m]`` into `out`, S symmetric. O(m^2), four rows at a time."""
    for c in range(m):
        out[c] = 0.0
    r = 0
    while r + 4 <= m:
        v0, v1, v2, v3 = v[r], v[r + 1], v[r + 2], v[r + 3]
        for c in range(m):
            out[c] += (v0 * S[r, c] + v1 * S[r + 1, c]) + (v2 * S[r + 2, c] + v3 * S[r + 3, c])
        r += 4
    while r < m:
        v0 = v[r]
        for c in range(m):
            out[c] += v0 * S[r, c]
        r += 1


@inner
def add_outer(S, m, scale, v):
    """Add ``scale * v v'`` to ``S[:m, :m]`` in place. O(m^2)."""
    for r in range(m):
        a = scale * v[r]
        if a != 0.0:
            for c in range(m):
                S[r, c] += a * v[c]


@inner(fastmath={"reassoc", "contract", "nsz"})
def block_form(M, e, top, bottom, left, right):
    """Return ``e[top:bottom] @ M[top:bottom, left:right] @ e[left:right]``, 4 rows at a time."""
    total = 0.0
    left, right = np.uint64(left), np.uint64(right)
    r = top
    while r + 4 <= bottom:
        e0, e1, e2, e3 = e[r], e[r + 1], e[r + 2], e[r + 3]
        a, b, c, d = M[r], M[r + 1], M[r + 2], M[r + 3]
        for t in range(left, right):
            total += e[t] * ((e0 * a[t] + e1 * b[t]) + (e2 * c[t] + e3 * d[t]))
        r += 4
    while r < bottom:
        total += e[r] * dot(M[r], e, left, right)
        r += 1
    return total


@inner
def subtract_products(K, rest, count):
    """Take ``rest[r] rest[r]'`` of the first `count` rows off K, four at a time. O(n^2 count)."""
    n = K.shape[0]
    r = 0
    while r + 4 <= count:
        a, b, c, d = rest[r], rest[r + 1], rest[r + 2], rest[r + 3]
        for i in range(n):
            row = K[i]
            a0, a1, a2, a3 = a[i], b[i], c[i], d[i]
            for t in range(n):
                row[t] -= (a0 * a[t] + a1 * b[t]) + (a2 * c[t] + a3 * d[t])
        r += 4
    while r < count:
        add_outer(K, n, -1.0, rest[r])
        r += 1
