"""Which units leave next, without looking at most of them."""

from __future__ import annotations

import math

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.hinge_dot import dot
from featprune.importance.svm.kernels.hinge_free import row_of


# Called for every candidate: it takes the arrays that it needs one by one, because passing a
# whole tuple of them costs more than the work itself.
@jit
def unit_criterion(XT, first, features, beta, span, n_rows, u):
    """Return the sum of squared weights of unit `u` over its features and all problems."""
    total = 0.0
    for t in range(first[u], first[u + 1]):
        j = features[t]
        for k in range(n_rows.shape[0]):
            lo, hi, cut, n = span[k, 0], span[k, 1], span[k, 2], n_rows[k]
            if lo + cut == hi:
                w = dot(XT, j, lo, beta, k, 0, n)
            else:
                w = dot(XT, j, lo, beta, k, 0, cut) + dot(XT, j, hi, beta, k, cut, n - cut)
            total += w * w
    return total


@jit
def sparse_criterion(start, row, value, first, features, beta, span, n_rows, u):
    """Return what `unit_criterion` does, of a sparse table. O(entries of the unit)."""
    total = 0.0
    for t in range(first[u], first[u + 1]):
        j = features[t]
        for k in range(n_rows.shape[0]):
            lo, hi, cut = span[k, 0], span[k, 1], span[k, 2]
            end = hi + n_rows[k] - cut
            w = 0.0
            for e in range(start[j], start[j + 1]):
                r = row[e]
                if lo <= r < lo + cut:
                    w += value[e] * beta[k, r - lo]
                elif hi <= r < end:
                    w += value[e] * beta[k, r - hi + cut]
            total += w * w
    return total


@jit
def keep_smallest(keys, ids, n, count):
    """Bring the `count` smallest of `n` keys to the front, with their ids; unsorted.

    Equal keys: the larger id comes first. O(n) expected (quickselect).
    """
    lo, hi = 0, n - 1
    while lo < hi:
        mid = (lo + hi) // 2
        pivot, pivot_id = keys[mid], ids[mid]
        a, b = lo, hi
        while a <= b:
            while keys[a] < pivot or (keys[a] == pivot and ids[a] > pivot_id):
                a += 1
            while keys[b] > pivot or (keys[b] == pivot and ids[b] < pivot_id):
                b -= 1
            if a <= b:
                keys[a], keys[b] = keys[b], keys[a]
                ids[a], ids[b] = ids[b], ids[a]
                a += 1
                b -= 1
        if count <= b:
            hi = b
        elif count > a:
            lo = a
        else:
            break


@jit
def sort_front(keys, ids, count):
    """Sort the first `count` keys, with their ids; equal keys: larger id first. Insertion."""
    for a in range(1, count):
        key, unit = keys[a], ids[a]
        b = a - 1
        while b >= 0 and (keys[b] > key or (keys[b] == key and ids[b] < unit)):
            keys[b + 1], ids[b + 1] = keys[b], ids[b]
            b -= 1
        keys[b + 1], ids[b + 1] = key, unit


@jit
def moved(L, P, level, step):
    """Return a bound on how far the betas are from the anchor of a pool, rounding included.

    In the metric of `L`, Frobenius over the problems. `step` is scratch of shape (1, max n_k).
    O(n_k^2) a problem.
    """
    total = 0.0
    size = 0.0
    euclid = L.metric.shape[0] == 0
    for k in range(P.n_rows.shape[0]):
        n, cut = P.n_rows[k], P.span[k, 2]
        lo, hi = P.span[k, 0], P.span[k, 1]
        for i in range(n):
            step[0, i] = P.beta[k, i] - L.anchor[level, k, i]
            if euclid:
                total += step[0, i] * step[0, i]
                size += P.beta[k, i] * P.beta[k, i]
        if euclid:
            continue
        for i in range(n):
            r = row_of(P.span, k, i)
            size += P.beta[k, i] * P.beta[k, i] * L.metric[r, r]
            if step[0, i] != 0.0:
                total += step[0, i] * (
                    dot(L.metric, r, lo, step, 0, 0, cut)
                    + dot(L.metric, r, hi, step, 0, cut, n - cut)
                )
    slop = 1e-15 * P.beta.shape[1] * math.sqrt(size)
    return math.sqrt(max(total, 0.0)) * (1.0 + 1e-6) + slop


@jit
def make_pool(L, P, level, n, size):
    """Make pool `level` of the `n` units in ``L.order``, whose values are in ``L.keys``."""
    reach = L.reach[level]
    if reach == 0.0:
        mean = 0.0
        for a in range(n):
            mean += L.keys[a] / (L.norm[L.order[a]] + 1e-300)
        reach = 0.1 * mean / n
        L.reach[level] = reach
    for a in range(n):
        L.keys[a] -= reach * L.norm[L.order[a]]
    size = min(size, n)
    keep_smallest(L.keys, L.order, n, size)
    cut = math.inf
    for a in range(size, n):
        cut = min(cut, L.keys[a])
    L.cut[level] = cut
    for a in range(size):
        L.ids[level, a] = L.order[a]
    L.count[level] = size
    for k in range(P.n_rows.shape[0]):
        for i in range(P.n_rows[k]):
            L.anchor[level, k, i] = P.beta[k, i]


@jit
def evaluate(L, T, P, level):
    """Put the units of a pool that are left into ``L.order``, their criteria into ``L.keys``."""
    n = 0
    dense = T.XT.shape[0] > 0
    ids = L.ids[level] if level < 2 else L.alive
    for a in range(L.count[level]):
        u = ids[a]
        if not L.gone[u]:
            ids[n] = u
            L.order[n] = u
            if dense:
                L.keys[n] = unit_criterion(T.XT, T.first, T.features, P.beta, P.span, P.n_rows, u)
            else:
                L.keys[n] = sparse_criterion(
                    T.start, T.row, T.value, T.first, T.features, P.beta, P.span, P.n_rows, u
                )
            n += 1
    L.count[level] = n
    return n


@jit
def choose(L, n, take, out, criterion, at):
    """Write the `take` smallest of ``L.keys`` to `out` and `criterion` from place `at`.

    Returns the largest of them. Keys and order are permuted.
    """
    if take == 1:
        best = 0
        for a in range(1, n):
            if L.keys[a] < L.keys[best] or (
                L.keys[a] == L.keys[best] and L.order[a] > L.order[best]
            ):
                best = a
        out[at], criterion[at] = L.order[best], L.keys[best]
        return L.keys[best]
    keep_smallest(L.keys, L.order, n, take)
    sort_front(L.keys, L.order, take)
    for a in range(take):
        out[at + a], criterion[at + a] = L.order[a], L.keys[a]
    return L.keys[take - 1]


@jit
def pick(L, T, P, take, out, criterion, at, step):
    """Write the `take` units of the smallest criteria, smallest first; see `Pools`."""
    far0 = moved(L, P, 0, step)
    far1 = moved(L, P, 1, step)
    good0 = far0 <= L.reach[0] and L.count[0] > 0
    if good0 and far1 <= L.reach[1] and L.count[1] >= take:
        n = evaluate(L, T, P, 1)
        if n >= take:
            worst = math.sqrt(choose(L, n, take, out, criterion, at))
            if worst < L.cut[1] and worst < L.cut[0]:
                return 1
            if far1 < 0.5 * L.reach[1]:
                L.reach[1] *= 0.7
    elif far1 > L.reach[1]:
        L.reach[1] *= 1.5
    level = 0 if good0 and L.count[0] >= take else 2
    if not good0 and L.count[0] > 0:
        L.reach[0] *= 1.5
    for _ in range(2):
        n = evaluate(L, T, P, level)
        if level == 2 or n >= take:
            worst = math.sqrt(choose(L, n, take, out, criterion, at))
            if level == 2 or worst < L.cut[0]:
                break
            if far0 < 0.5 * L.reach[0]:
                L.reach[0] *= 0.7
        level = 2
    for a in range(n):
        L.keys[a] = math.sqrt(L.keys[a])
    if level == 2:
        make_pool(L, P, 0, n, max(n // 8, 4 * take + 32))
        n = L.count[0]
        for a in range(n):
            L.keys[a] += L.reach[0] * L.norm[L.order[a]]
    make_pool(L, P, 1, n, max(n // 8, 2 * take + 6))
    return 2 - level
