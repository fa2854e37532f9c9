"""Matrices whose quadratic forms are the terms of the criterion, and updates of the kernel."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import jit


@jit
def weigh_rbf(beta, K, kappa, scale, L, R):
    """Weigh the kernel by the models: ``M = B * K`` off the diagonal, B the sum of beta beta'.

    Parameters
    ----------
    beta : ndarray of shape (n_problems, n)
        Signed coefficients of each problem.
    K : ndarray of shape (n, n)
        Kernel matrix; the lower triangle is read.
    kappa : ndarray of shape (n,)
        ``kappa kappa'`` is near K off the diagonal.
    scale : float
        Factor on R that brings it near 1.
    L : ndarray of shape (n, n), zero on and above the diagonal
        Output: strict lower triangle of M.
    R : ndarray of shape (n, n), float32, zero on and above the diagonal
        Output: strict lower triangle of ``scale * B * (K - kappa kappa')``.

    Returns
    -------
    sums, kernel_sums : ndarray of shape (n,)
        Row sums of M, and of K off the diagonal.
    norm, norm_rest : float
        Frobenius norms of M and of ``B * (K - kappa kappa')`` off the diagonal.

    Notes
    -----
    O(n^2 n_problems); about 2 ns a pair for one problem.
    """
    n = K.shape[0]
    sums = np.zeros(n)
    kernel_sums = np.zeros(n)
    squares = np.zeros(n)
    squares_rest = np.zeros(n)
    weight = np.empty(n)
    for a in range(1, n):
        _weight_row(beta, a, a, weight)
        k = K[a]
        m = L[a]
        r = R[a]
        kappa_a = kappa[a]
        for b in range(a):
            value = weight[b] * k[b]
            rest = value - weight[b] * (kappa_a * kappa[b])
            m[b] = value
            r[b] = scale * rest
            sums[b] += value
            kernel_sums[b] += k[b]
            squares[b] += value * value
            squares_rest[b] += rest * rest
        sums[a] += _row_sum(m, a)
        kernel_sums[a] += _row_sum(k, a)
    norm = 0.0
    norm_rest = 0.0
    for b in range(n):
        norm += squares[b]
        norm_rest += squares_rest[b]
    return sums, kernel_sums, np.sqrt(2.0 * norm), np.sqrt(2.0 * norm_rest)


@jit
def weigh_poly(beta, G, gamma, coef0, power, factor):
    """Weigh a power of the inner products: the lower triangle, half of its diagonal.

    ``factor * B * (gamma * G + coef0) ** power``; arguments otherwise as in `weigh_rbf`.
    """
    n = G.shape[0]
    L = np.zeros((n, n))
    weight = np.empty(n)
    for a in range(n):
        _weight_row(beta, a, a + 1, weight)
        g = G[a]
        m = L[a]
        for b in range(a + 1):
            m[b] = factor * weight[b]
        for _ in range(power):
            for b in range(a + 1):
                m[b] *= gamma * g[b] + coef0
        m[a] *= 0.5
    return L


@jit
def weigh_tanh(beta, K, order):
    """Weigh a Taylor coefficient of tanh: the lower triangle, half of its diagonal.

    ``B * f^(order)(s) / order!`` for ``f = tanh`` and ``K = tanh(s)``; order 1, 2 or 3.
    """
    n = K.shape[0]
    L = np.zeros((n, n))
    weight = np.empty(n)
    for a in range(n):
        _weight_row(beta, a, a + 1, weight)
        k = K[a]
        m = L[a]
        for b in range(a + 1):
            slope = 1.0 - k[b] * k[b]
            if order == 1:
                m[b] = weight[b] * slope
            elif order == 2:
                m[b] = -weight[b] * k[b] * slope
            else:
                m[b] = weight[b] * slope * (k[b] * k[b] - 1.0 / 3.0)
        m[a] *= 0.5
    return L


@jit(inline="always")
def _weight_row(beta, a, n, weight):
    """Put row a of ``B``, its first n entries, into `weight`."""
    for b in range(n):
        weight[b] = beta[0, a] * beta[0, b]
    for problem in range(1, beta.shape[0]):
        row = beta[problem]
        for b in range(n):
            weight[b] += row[a] * row[b]


# Reordered sums are good enough here: `sums` only narrows the choice, by a bound that allows
# for any order of addition; what decides is computed by the pair loops.
@jit(fastmath={"reassoc"})
def _row_sum(row, n):
    """Sum the first n entries."""
    total = 0.0
    for b in range(n):
        total += row[b]
    return total


@jit(fastmath={"reassoc"})
def row_products(left, right, out):
    """Add ``sum_a left_ja right_ja`` to ``out[j]``, for arrays of shape (n_features, n)."""
    for j in range(left.shape[0]):
        u = left[j]
        v = right[j]
        total = 0.0
        for a in range(left.shape[1]):
            total += np.float64(u[a]) * np.float64(v[a])
        out[j] += total


@jit(fastmath={"reassoc"})
def low_rank_terms(f, plus, minus, sums, u, u_squares, out):
    """Add the part of the criterion that costs O(n) a feature to ``out[j]``.

    ``-f_j sums`` and, for each row of u, half of ``(plus_j u)^2 - (minus_j u)^2`` less the
    diagonal, of which ``u_squares`` is the sum over u. Arrays of shape (n_features, n).
    """
    n = f.shape[1]
    for j in range(f.shape[0]):
        free, g, w = f[j], plus[j], minus[j]
        total = 0.0
        for a in range(n):
            p = np.float64(g[a])
            m = np.float64(w[a])
            total += 0.5 * u_squares[a] * (m * m - p * p) - np.float64(free[a]) * sums[a]
        for k in range(u.shape[0]):
            v = u[k]
            of_plus = 0.0
            of_minus = 0.0
            for a in range(n):
                of_plus += v[a] * np.float64(g[a])
                of_minus += v[a] * np.float64(w[a])
            total += 0.5 * (of_plus * of_plus - of_minus * of_minus)
        out[j] += total


@jit
def take_distances(D, left, right):
    """Take features out of squared distances, in place.

    ``D`` (n, m) loses ``(left_ja - right_jb)^2`` for each feature j of `left`
    (n_leaving, n) and `right` (n_leaving, m); what rounding makes negative becomes 0.
    """
    for a in range(D.shape[0]):
        row = D[a]
        for j in range(left.shape[0]):
            x_a = left[j, a]
            z = right[j]
            for b in range(D.shape[1]):
                d = x_a - z[b]
                row[b] -= d * d
        for b in range(D.shape[1]):
            row[b] = max(row[b], 0.0)


@jit
def take_products(G, left, right):
    """Take features out of inner products, in place; arguments as in `take_distances`."""
    for a in range(G.shape[0]):
        row = G[a]
        for j in range(left.shape[0]):
            x_a = left[j, a]
            z = right[j]
            for b in range(G.shape[1]):
                row[b] -= x_a * z[b]
