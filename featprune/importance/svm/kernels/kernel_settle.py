"""The optimum of a boxed dual as a linear system on its free samples."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import jit


@jit
def settle_small(K, target, lower, upper, beta, tol, max_rounds):
    """Guess which samples are free, solve for them, correct the guess, until it holds.

    The primal-dual active set method for ``min beta' K beta / 2 - target' beta`` within the
    bounds, the sum of beta zero; started from the bounds at which `beta` is. It does not
    descend, so it may cycle: then it gives up.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Symmetric kernel matrix.
    target, lower, upper : ndarray of shape (n,)
        Linear term and bounds.
    beta : ndarray of shape (n,)
        Start; the optimum where the return value is True, else unchanged.
    tol : float
        Violation at the bounds that is let pass.
    max_rounds : int
        Systems solved before it gives up.

    Returns
    -------
    bool
        Whether the optimum was found. O(n^2 + n_free^3 / 3) a round.
    """
    n = beta.shape[0]
    trial = np.empty(n)
    free = np.empty(n, np.int64)
    product = np.empty(n)
    at = np.zeros(n, np.int8)
    for t in range(n):
        trial[t] = beta[t]
        if beta[t] <= lower[t]:
            at[t] = -1
        elif beta[t] >= upper[t]:
            at[t] = 1
    multiply(K, trial, product)
    for _ in range(max_rounds):
        n_free = 0
        total = 0.0
        for t in range(n):
            total += trial[t]
            if at[t] == 0:
                free[n_free] = t
                n_free += 1
        if n_free == 0:
            return False
        U = np.empty((n_free, n_free))
        step = np.empty(n_free)
        ones = np.ones(n_free)
        for i in range(n_free):
            row = K[free[i]]
            for j in range(i, n_free):
                U[i, j] = row[free[j]]
            step[i] = target[free[i]] - product[free[i]]
        if not factor(U, 1e-12):
            return False
        substitute(U, step)
        substitute(U, ones)
        bias = total
        scale = 0.0
        for i in range(n_free):
            bias += step[i]
            scale += ones[i]
        bias /= scale
        wrong = 0
        for i in range(n_free):
            t = free[i]
            trial[t] += step[i] - bias * ones[i]
            # Also False for NaN, which must not pass.
            if not lower[t] < trial[t]:
                at[t] = -1
                trial[t] = lower[t]
                wrong += 1
            elif not trial[t] < upper[t]:
                at[t] = 1
                trial[t] = upper[t]
                wrong += 1
        # Clipped values are those of the next guess, so the signs below are those of a point
        # between the two guesses: good enough to guess by, and exact once nothing is clipped.
        multiply(K, trial, product)
        for t in range(n):
            slack = target[t] - product[t] - bias
            if wrong == 0 and at[t] != 0 and -slack * at[t] > tol:
                at[t] = 0
                n_free = -1
        if wrong == 0 and n_free >= 0:
            for t in range(n):
                beta[t] = trial[t]
            return True
    return False


@jit
def multiply(K, beta, out):
    """Put ``K @ beta`` into `out`, K symmetric."""
    n = beta.shape[0]
    for t in range(n):
        out[t] = 0.0
    for i in range(n):
        b = beta[i]
        if b != 0.0:
            row = K[i]
            for t in range(n):
                out[t] += b * row[t]


@jit
def factor(U, singular):
    """Replace the upper triangle of A by U with ``A = U' U``, in place.

    A pivot below `singular` of the diagonal entry it came from is put up to that; the return
    value tells whether there was none.
    """
    n = U.shape[0]
    least = np.empty(n)
    for k in range(n):
        least[k] = max(singular * U[k, k], 1e-300)
    regular = True
    for k in range(n):
        row = U[k]
        if not row[k] > least[k]:
            row[k] = least[k]
            regular = False
        root = np.sqrt(row[k])
        for j in range(k, n):
            row[j] /= root
        for i in range(k + 1, n):
            below = U[i]
            s = row[i]
            for j in range(i, n):
                below[j] -= s * row[j]
    return regular


@jit
def substitute(U, b):
    """Replace b by the solution of ``U' U x = b``."""
    n = b.shape[0]
    for k in range(n):
        row = U[k]
        b[k] /= row[k]
        for j in range(k + 1, n):
            b[j] -= row[j] * b[k]
    for k in range(n - 1, -1, -1):
        row = U[k]
        s = b[k]
        for j in range(k + 1, n):
            s -= row[j] * b[j]
        b[k] = s / row[k]


@jit
def gather_lower(K, free, out):
    """Put the lower triangle of ``K[free][:, free]`` into `out`."""
    for i in range(free.shape[0]):
        row = K[free[i]]
        to = out[i]
        for j in range(i + 1):
            to[j] = row[free[j]]
