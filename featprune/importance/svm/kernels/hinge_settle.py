"""The exact optimum of one hinge-loss problem on a kernel that stands still."""

from __future__ import annotations

from featprune.importance.svm.kernels._jit import jit
from featprune.importance.svm.kernels.hinge_dot import add_row, dot, symmetric_product
from featprune.importance.svm.kernels.hinge_free import (
    DEPENDENT,
    append_member,
    drop_member,
    enter_member,
    row_of,
    schur_complement,
    slide,
    snap_last,
    sole_member,
)


@jit
def compute_margins(P, k, K):
    """Write ``K beta + bias`` to the margins of problem `k`. O(n_k^2)."""
    lo, hi, cut = P.span[k, 0], P.span[k, 1], P.span[k, 2]
    for i in range(P.n_rows[k]):
        r = row_of(P.span, k, i)
        P.margin[k, i] = (
            dot(K, r, lo, P.beta, k, 0, cut)
            + dot(K, r, hi, P.beta, k, cut, P.n_rows[k] - cut)
            + P.bias[k]
        )


@jit
def gather_free(P, k, K, work):
    """Make the free set of problem `k` of the samples strictly within their box. O(m^3).

    Samples in the span of others are moved to a bound, which changes no margin. Returns
    whether the arithmetic held.
    """
    P.n_free[k] = 0
    for i in range(P.n_rows[k]):
        P.slot[k, i] = -1
        work[2, i] = 0.0
    fallback = 0
    most = -1.0
    for i in range(P.n_rows[k]):
        room = min(P.upper[k, i] - P.beta[k, i], P.beta[k, i] - P.lower[k, i])
        if room > most:
            most = room
            fallback = i
    r = row_of(P.span, k, fallback)
    sole_member(P, k, fallback, K[r, r])
    for i in range(P.n_rows[k]):
        inside = P.lower[k, i] < P.beta[k, i] < P.upper[k, i]
        if (
            inside
            and P.slot[k, i] < 0
            and not enter_member(P, k, i, K, work[2], 0.0, work[0], work[1])
        ):
            return False
    return True


@jit
def settle(P, k, K, tol, max_moves, work):
    """Bring problem `k` to its optimum from a feasible point whose margins are known.

    A primal active-set method: solve for the free samples (a Newton step, cut short where one
    of them meets its bound), then let in the sample that violates optimality most, until none
    does by more than `tol`. The objective falls with every move.

    Returns
    -------
    moves : int
    violation : float
        What is left of it; above `tol` only if `max_moves` ran out or arithmetic gave out.

    Notes
    -----
    O(n_k^2) a move.
    """
    for i in range(P.n_rows[k]):
        work[2, i] = 0.0
    violation = 0.0
    stalled = 0
    for move in range(max_moves):
        residual = free_residual(P, k, work[0])
        if residual > tol and stalled < 4:
            # A Newton step from an exact inverse ends the residual at once; if rounding keeps
            # it up, go on after a few.
            stalled += 1
            if newton_step(P, k, K, work) >= 0:
                stalled = 0
            continue
        stalled = 0
        i, violation = worst_sample(P, k)
        violation = max(violation, residual)
        if i < 0 or violation <= tol or residual > tol:
            if P.n_free[k] == 1:
                snap_last(P, k)
            return move, violation
        if not bring_in(P, k, i, K, work):
            return move, violation
    return max_moves, violation


@jit
def free_residual(P, k, out):
    """Fill ``out = [0, target - margin]`` over the free samples; return its largest size."""
    largest = 0.0
    out[0] = 0.0
    for s in range(P.n_free[k]):
        i = P.members[k, s]
        out[s + 1] = P.target[k, i] - P.margin[k, i]
        largest = max(largest, abs(out[s + 1]))
    return largest


@jit
def worst_sample(P, k):
    """Return (sample outside the free set, violation) of the largest violation, or (-1, 0)."""
    worst, which = 0.0, -1
    for i in range(P.n_rows[k]):
        if P.slot[k, i] < 0:
            slack = P.target[k, i] - P.margin[k, i]
            if P.beta[k, i] >= P.upper[k, i]:
                slack = -slack
            if slack > worst:
                worst, which = slack, i
    return which, worst


@jit
def shift_margins(P, k, K, full, shift):
    """Add ``K full[0] + shift`` to the margins; `full` is (1, n_k). O(n_k) an entry not 0."""
    lo, hi, cut, n = P.span[k, 0], P.span[k, 1], P.span[k, 2], P.n_rows[k]
    margin = P.margin[k]
    for i in range(n):
        margin[i] += shift
    for i in range(n):
        if full[0, i] != 0.0:
            add_row(K, row_of(P.span, k, i), lo, hi, cut, n, full[0, i], margin)


@jit
def newton_step(P, k, K, work):
    """Go towards the solution for the free samples, up to the first bound. O(n_k^2).

    ``work[0]`` holds the residual. Returns the place of the sample that met its bound and was
    dropped, -1 if none did.
    """
    m = P.n_free[k] + 1
    d = work[1]
    symmetric_product(P.inv[k], m, work[0], d)
    limit, first = 1.0, -1
    for s in range(m - 1):
        i = P.members[k, s]
        room = 1.0
        if d[s + 1] > 0.0:
            room = (P.upper[k, i] - P.beta[k, i]) / d[s + 1]
        elif d[s + 1] < 0.0:
            room = (P.lower[k, i] - P.beta[k, i]) / d[s + 1]
        if room < limit and m > 2:
            limit, first = max(room, 0.0), s
    full = work[3:4]
    for i in range(P.n_rows[k]):
        full[0, i] = 0.0
    for s in range(m - 1):
        i = P.members[k, s]
        full[0, i] = limit * d[s + 1]
        P.beta[k, i] += limit * d[s + 1]
    P.bias[k] += limit * d[0]
    shift_margins(P, k, K, full, limit * d[0])
    if first >= 0:
        i = P.members[k, first]
        P.beta[k, i] = P.upper[k, i] if d[first + 1] > 0.0 else P.lower[k, i]
        drop_member(P, k, first, work[0])
    return first


@jit
def bring_in(P, k, i, K, work):
    """Move sample `i` off its bound until its margin fits or it meets its other bound."""
    col, z = work[0], work[1]
    full = work[3:4]
    while True:
        schur, size = schur_complement(P, k, i, K, work[2], 0.0, col, z)
        slack = P.target[k, i] - P.margin[k, i]
        dependent = schur <= DEPENDENT * size or P.n_free[k] + 1 >= P.inv.shape[1]
        reach = 1e300 if dependent else abs(slack) / schur
        before = P.beta[k, i]
        m = P.n_free[k] + 1
        up = slack > 0.0
        if (up and before >= P.upper[k, i]) or (not up and before <= P.lower[k, i]):
            return True
        first = slide(P, k, i, z, reach, up)
        change = P.beta[k, i] - before
        for c in range(P.n_rows[k]):
            full[0, c] = 0.0
        for s in range(m - 1):
            full[0, P.members[k, s]] = -change * z[s + 1]
        full[0, i] = change
        shift_margins(P, k, K, full, -change * z[0])
        if first == -1:
            return True
        if first == -2:
            append_member(P, k, i, z, schur)
            return True
        if P.n_free[k] == 1:
            r = row_of(P.span, k, i)
            sole_member(P, k, i, K[r, r])
            slack = P.target[k, i] - P.margin[k, i]
            P.bias[k] += slack
            for c in range(P.n_rows[k]):
                P.margin[k, c] += slack
            return True
        drop_member(P, k, first, col)
