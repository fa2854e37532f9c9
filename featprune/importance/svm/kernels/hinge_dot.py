"""Inner products and symmetric updates that the hinge-loss kernels share."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernels._jit import jit


# Only here may the compiler reorder sums, which makes them four times faster. The order then
# depends on the machine's vector length, but not on addresses: equal rows give equal bits.
@jit(fastmath={"reassoc", "contract", "nsz"})
def dot(A, i, a, B, j, b, n):
    """Return ``A[i, a:a+n] @ B[j, b:b+n]`` without making views. O(n)."""
    total = 0.0
    # Unsigned, for which no index can count from the end: that check would bar SIMD.
    a, b = np.uint64(a), np.uint64(b)
    for t in range(np.uint64(n)):
        total += A[i, a + t] * B[j, b + t]
    return total


@jit
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


@jit
def add_row(K, r, lo, hi, cut, n, scale, out):
    """Add `scale` times row `r` of K, at the columns of a problem's two runs, to `out`. O(n)."""
    for i in range(cut):
        out[i] += scale * K[r, lo + i]
    shift = hi - cut
    for i in range(cut, n):
        out[i] += scale * K[r, shift + i]


@jit
def add_outer(S, m, scale, v):
    """Add ``scale * v v'`` to ``S[:m, :m]`` in place. O(m^2)."""
    for r in range(m):
        s = scale * v[r]
        if s != 0.0:
            for c in range(m):
                S[r, c] += s * v[c]
