"""What a unit is worth under kernels of the inner product, from the definition.

The polynomial kernel ``(gamma <a, b> + coef0) ** degree`` and the sigmoid kernel
``tanh(gamma <a, b> + coef0)``. As in `kernel_delta`: ``sum_ab B_ab (K_ab - K(-u)_ab) / 2``
with K(-u) the kernel without the unit's features; the diagonal changes here too. Differences
are formed without cancellation, and equal columns give equal bits.
"""

from __future__ import annotations

import math

import numpy as np

from featprune.importance.jit import jit


@jit
def poly_delta(B, G, x, gamma, coef0, degree):
    """Criterion of one unit under the polynomial kernel.

    Parameters
    ----------
    B : ndarray of shape (n, n)
        Sum of ``beta beta'`` over the problems; the lower triangle is read.
    G : ndarray of shape (n, n)
        Inner products over all features that are left; the lower triangle is read.
    x : ndarray of shape (n_unit_features, n)
        The unit's features, one a row.
    gamma, coef0 : float
        Parameters of the kernel.
    degree : int
        Exponent, at least 0.

    Returns
    -------
    float
        The criterion. ``s^d - r^d = (s - r) sum_i s^i r^(d-1-i)``: about `degree` ns a pair.
    """
    n = x.shape[1]
    total = np.zeros(n)
    t = np.empty(n)
    powers = np.empty(n)
    e = np.empty(n)
    if degree == 0:
        return 0.0
    for a in range(n):
        _inner_row(x, a, gamma, t)
        g = G[a]
        weight = B[a]
        for b in range(a + 1):
            powers[b] = 1.0
            e[b] = 1.0
        for _ in range(1, degree):
            for b in range(a + 1):
                s = gamma * g[b] + coef0
                powers[b] *= s
                e[b] = e[b] * (s - t[b]) + powers[b]
        for b in range(a):
            total[b] += weight[b] * (t[b] * e[b])
        total[a] += 0.5 * weight[a] * (t[a] * e[a])
    result = 0.0
    for b in range(n):
        result += total[b]
    return result


@jit
def tanh_delta(B, G, x, gamma, coef0):
    """Criterion of one unit under the sigmoid kernel; parameters as in `poly_delta`.

    ``tanh s - tanh r = tanh(s - r) (1 - tanh s tanh r)``: three tanh, about 30 ns a pair.
    """
    n = x.shape[1]
    total = np.zeros(n)
    t = np.empty(n)
    for a in range(n):
        _inner_row(x, a, gamma, t)
        for b in range(a + 1):
            s = gamma * G[a, b] + coef0
            e = math.tanh(t[b]) * (1.0 - math.tanh(s) * math.tanh(s - t[b]))
            total[b] += (0.5 if a == b else 1.0) * B[a, b] * e
    result = 0.0
    for b in range(n):
        result += total[b]
    return result


@jit
def _inner_row(x, a, gamma, t):
    """Put ``gamma <x_a, x_b>`` into ``t[b]`` for all b up to a."""
    for b in range(a + 1):
        t[b] = 0.0
    for j in range(x.shape[0]):
        row = x[j]
        x_a = row[a]
        for b in range(a + 1):
            t[b] += x_a * row[b]
    for b in range(a + 1):
        t[b] *= gamma


@jit
def poly_of(G, gamma, coef0, degree, out):
    """Put ``(gamma * G + coef0) ** degree`` into `out`, both of shape (n, m); in place."""
    for a in range(G.shape[0]):
        g = G[a]
        row = out[a]
        for b in range(G.shape[1]):
            row[b] = 1.0
        for _ in range(degree):
            for b in range(G.shape[1]):
                row[b] *= gamma * g[b] + coef0
