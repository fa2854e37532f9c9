"""One feature leaves the dual of a squared loss: the optimum is followed, sample by sample."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernels._jit import jit

# How `leave` ended: done; no room for another term; the arithmetic can't carry on.
DONE, FULL, TROUBLE = 0, 1, 2


@jit
def replay(U, UA, scale, swept, first, last, x, h):
    """Bring a column of the tableau from before term `first` to after term `last - 1`.

    A term with ``swept[r] < 0`` is a share of a feature that left; the column is that of a
    feature, ``h = T x``, and takes on ``scale U (UA x)``. Else sample ``swept[r]`` changed its
    side, U is its column before that, and the column is swept. O((last - first) m).
    """
    m = h.shape[0]
    for r in range(first, last):
        i = swept[r]
        if i < 0:
            s = 0.0
            for k in range(m):
                s += UA[r, k] * x[k]
            s *= scale[r]
            for k in range(m):
                h[k] += s * U[r, k]
        else:
            s = h[i] / U[r, i]
            for k in range(m):
                h[k] -= s * U[r, k]
            h[i] = s if U[r, i] > 0.0 else -s


@jit
def column(T, U, scale, swept, rank, i, u):
    """Write the present column of sample i into u; O(rank m)."""
    m = u.shape[0]
    for k in range(m):
        u[k] = T[i, k]
    for r in range(rank):
        j = swept[r]
        if j < 0:
            s = scale[r] * U[r, i]
            for k in range(m):
                u[k] += s * U[r, k]
            continue
        pivot = U[r, j]
        sign = 1.0 if pivot > 0.0 else -1.0
        if j == i:
            for k in range(m):
                u[k] = sign * U[r, k] / pivot
            u[i] = -1.0 / pivot
        else:
            s = u[j] / pivot
            for k in range(m):
                u[k] -= s * U[r, k]
            u[j] = sign * s


@jit
def _next(z, h, side, low, high, full):
    """Where, as a share of the way `full`, the first sample changes its side, and to what."""
    first, who, to = 1.0, -1, 0
    for i in range(z.shape[0]):
        if side[i] != 0:
            move = full * h[i]
            if low[i] < high[i] and side[i] * (z[i] + move) < 0.0 and side[i] * move < 0.0:
                share = max(0.0, -z[i] / move)
                if share < first:
                    first, who, to = share, i, 0
            continue
        move = -full * h[i]
        if z[i] + move < low[i] and move < 0.0:
            share = max(0.0, (low[i] - z[i]) / move)
            if share < first:
                first, who, to = share, i, 1
        elif z[i] + move > high[i] and move > 0.0:
            share = max(0.0, (high[i] - z[i]) / move)
            if share < first:
                first, who, to = share, i, -1
    return first, who, to


@jit
def _append(U, UA, scale, swept, r, v, side, factor, who):
    for i in range(v.shape[0]):
        U[r, i] = v[i]
        UA[r, i] = v[i] if side[i] != 0 else 0.0
    scale[r] = factor
    swept[r] = who


@jit
def leave(T, U, UA, scale, swept, x, h, z, side, low, high, ridge, size, meter, counter, u):
    """Follow the optimum while a feature leaves.

    With ``Q = K + diag(ridge)``, active samples A and others B, the tableau is

        T = [[P, -P Q_AB], [-Q_BA P, Q_BA P Q_AB - Q_BB]],   P = inverse of Q_AA.

    Taking ``t x x'`` off Q adds ``t / (1 - t q) h h'`` to T, where ``h_A = P x_A``,
    ``h_B = x_B - Q_BA h_A`` and ``q = x_A' h_A``; it moves the coefficients of A by ``c h_A``
    and the decision values of B by ``-c h_B``, where ``c = t w / (1 - t q)`` and w is the
    feature's weight. All is linear in c, so it is followed up to the next share t at which a
    coefficient comes to 0 or a value to its target; there that sample is swept in T.

    Parameters
    ----------
    T : (m, m)
        The tableau as of the last flush.
    U, UA : (R, m); scale, swept : (R,)
        What happened to it since, see `replay`; changed.
    x, h : (m,)
        The feature's column, and ``T x`` at the last flush (after FULL: at present); `h` is
        changed.
    z : (m,)
        Coefficients of the active samples, decision values of the others; changed.
    side, low, high, ridge : (m,)
        Side is 1 for a sample beneath `low`, -1 above `high`, 0 between; changed.
    size : (m,)
        No less than the diagonal of Q.
    meter : (2,)
        [0] share of the feature that has left: 0 unless called again after FULL.
        [1] share of its terms above which the difference that is a pivot is trusted.
    counter : (2,) int
        Terms in U; terms that h has been brought past.
    u : (m,)
        Room for one column.

    Returns
    -------
    int
        DONE, FULL or TROUBLE.

    Notes
    -----
    O(R m) for the feature and for each sample that changes its side.
    """
    m = z.shape[0]
    for _ in range(20 * m + 200):
        replay(U, UA, scale, swept, counter[1], counter[0], x, h)
        counter[1] = counter[0]
        if counter[0] + 2 > U.shape[0]:
            return FULL
        q, w = 0.0, 0.0
        for i in range(m):
            if side[i] != 0:
                q += x[i] * h[i]
                w += x[i] * z[i]
        rest = 1.0 - meter[0]
        pivot = 1.0 - rest * q
        if not pivot > meter[1]:
            return TROUBLE
        full = rest * w / pivot
        share, who, to = _next(z, h, side, low, high, full)
        c = share * full
        t = rest if who < 0 else c / (w + c * q) if c != 0.0 else 0.0
        for i in range(m):
            z[i] += c * h[i] if side[i] != 0 else -c * h[i]
        if t > 0.0:
            _append(U, UA, scale, swept, counter[0], h, side, t / (1.0 - t * q), -1)
            counter[0] += 1
        if who < 0:
            meter[0] = 0.0
            return DONE
        meter[0] += t
        column(T, U, scale, swept, counter[0], who, u)
        # a pivot is P_ii of a sample that goes, less than 2 C_i, or minus the Schur
        # complement of one that comes, more than 1 / (2 C_i)
        bound = ridge[who] * u[who]
        if side[who] != 0:
            if not bound > 0.0 or bound > 1.01:
                return TROUBLE
            z[who] = low[who] if side[who] > 0 else high[who]
        else:
            if not (-u[who] > 0.99 * ridge[who] and -u[who] > 0.1 * meter[1] * size[who]):
                return TROUBLE
            z[who] = 0.0
        _append(U, UA, scale, swept, counter[0], u, side, -1.0 / u[who], who)
        side[who] = to
        counter[0] += 1
    return TROUBLE
