"""What a unit is worth under the RBF kernel, from the definition: compiled pair loops.

Both functions return ``sum_ab B_ab (K_ab - K(-u)_ab) / 2``, K(-u) the kernel without the
unit's features and B the sum of ``beta beta'`` over the problems: Guyon's criterion of the
unit, alpha held. Only the strict lower triangles of the square inputs are read. A loop runs
along a row and adds into a vector, so it vectorises without a change in the order of additions:
equal columns give equal bits.
"""

from __future__ import annotations

import math

import numpy as np

from featprune.importance.jit import jit

# Up to this exponent expm1 is a series, halved until below 1/4 and then squared back (each
# time at most doubling its relative error); beyond, K itself may underflow.
SMALL_EXPONENT = 8.0


@jit
def rbf_delta_small(M, x, gamma, largest):
    """Criterion of one unit, for small ``gamma * d^2``.

    Parameters
    ----------
    M : ndarray of shape (n, n)
        ``B * K``.
    x : ndarray of shape (n_unit_features, n)
        The unit's features, one a row.
    gamma : float
        The kernel's gamma.
    largest : float
        Upper bound of ``gamma * d^2``, at most `SMALL_EXPONENT`.

    Returns
    -------
    float
        ``-sum_{a>b} M_ab expm1(gamma d_ab^2)``. About 1 ns a pair for a single feature.
    """
    if x.shape[0] == 1 and largest <= 0.25:
        return _delta_one(M, x[0], gamma)
    n = x.shape[1]
    scale = 1.0
    n_halvings = 0
    while largest * scale > 0.25:
        scale *= 0.5
        n_halvings += 1
    total = np.zeros(n)
    e = np.empty(n)
    for a in range(1, n):
        m = M[a]
        for b in range(a):
            e[b] = 0.0
        for j in range(x.shape[0]):
            row = x[j]
            x_a = row[a]
            for b in range(a):
                d = x_a - row[b]
                e[b] += d * d
        for b in range(a):
            e[b] = _expm1_series(gamma * scale * e[b])
        for _ in range(n_halvings):
            for b in range(a):
                e[b] *= e[b] + 2.0
        for b in range(a):
            total[b] += m[b] * e[b]
    result = 0.0
    for b in range(n):
        result -= total[b]
    return result


@jit
def rbf_delta_singles(M, x, gamma, largest, out):
    """Put `rbf_delta_small` of each row of x, as a unit of its own, into `out`.

    `x` is of shape (n_units, n), `largest` and `out` of shape (n_units,).
    """
    for j in range(x.shape[0]):
        out[j] = rbf_delta_small(M, x[j : j + 1], gamma, largest[j])


@jit
def _delta_one(M, x, gamma):
    """`rbf_delta_small` for one feature of shape (n,) with ``gamma d^2 <= 1/4``."""
    n = x.shape[0]
    total = np.zeros(n)
    for a in range(1, n):
        x_a = x[a]
        m = M[a]
        for b in range(a):
            d = x_a - x[b]
            total[b] += m[b] * _expm1_series(gamma * (d * d))
    result = 0.0
    for b in range(n):
        result -= total[b]
    return result


@jit(inline="always")
def _expm1_series(t):
    """Return ``expm1(t)`` for ``0 <= t <= 1/4``: what is left out is below 1e-17 of it."""
    s = 1.0 + t * (1.0 / 11.0) * (1.0 + t * (1.0 / 12.0))
    s = 1.0 + t * (1.0 / 9.0) * (1.0 + t * (1.0 / 10.0) * s)
    s = 1.0 + t * (1.0 / 7.0) * (1.0 + t * (1.0 / 8.0) * s)
    s = 1.0 + t * (1.0 / 5.0) * (1.0 + t * (1.0 / 6.0) * s)
    s = 1.0 + t * (1.0 / 3.0) * (1.0 + t * (1.0 / 4.0) * s)
    return t * (1.0 + t * 0.5 * s)


@jit
def rbf_delta_large(B, D, x, gamma):
    """Criterion of one unit, for any ``gamma * d^2``, by two exponentials a pair.

    Parameters
    ----------
    B : ndarray of shape (n, n)
        Sum of ``beta beta'`` over the problems.
    D : ndarray of shape (n, n)
        Squared distances over all features that are left.
    x : ndarray of shape (n_unit_features, n)
        The unit's features, one a row.
    gamma : float
        The kernel's gamma.

    Returns
    -------
    float
        ``sum_{a>b} B_ab (exp(-gamma D_ab) - exp(-gamma (D_ab - d_ab^2)))``.
    """
    n = x.shape[1]
    total = np.zeros(n)
    e = np.empty(n)
    for a in range(1, n):
        for b in range(a):
            e[b] = 0.0
        for j in range(x.shape[0]):
            row = x[j]
            x_a = row[a]
            for b in range(a):
                d = x_a - row[b]
                e[b] += d * d
        for b in range(a):
            if e[b] > 0.0:
                # Rounding must not leave a negative distance where the unit is all there is.
                rest = max(D[a, b] - e[b], 0.0)
                total[b] += (
                    B[a, b] * math.exp(-gamma * rest) * math.expm1(-gamma * (D[a, b] - rest))
                )
    result = 0.0
    for b in range(n):
        result += total[b]
    return result
