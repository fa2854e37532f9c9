"""One problem of a linear machine brought to the optimum of its dual, rounding cleared away."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from featprune.importance.svm.dual_state import (
    ALIVE,
    BAD,
    BETA,
    BIAS,
    BORDERED,
    BOX,
    COUNTS,
    FREE,
    MEMBER,
    RIDGE,
    SCALARS,
    SLOT,
    STATE,
    WEAR,
    Course,
    Problems,
    Table,
)

# Violation of optimality, margins being of size 1, above which a warning is due.
_TOLERATED = 1e-8
# Free samples up to which compiled loops invert faster than LAPACK.
_FEW_FREE = 100


def settle(T: Table, P: Problems, C: Course, k: int, left: int, work: np.ndarray) -> None:
    """Bring problem `k` to its optimum on the present kernel; warn if that can't be had.

    Parameters
    ----------
    T, P, C : Table, Problems, Course
        Nothing is resting: the kernel is that of the features that are left.
    k : int
    left : int
        Units that are left, for the warning.
    work : ndarray of shape (7, n + 2)
        Scratch.
    """
    from featprune.importance.svm.kernels import dual_settle as kernel
    from featprune.importance.svm.kernels.dual_free import flush

    v, s, inv, span = P.V[k], P.S[k], P.inv[k], P.spans[k]
    features = (T.start, T.row, T.value, C.alive[: C.count[ALIVE]])
    v[SCALARS, WEAR] = 0.0
    flush(s, inv)
    if not (np.isfinite(v[:2]).all() and np.isfinite(v[SCALARS, BIAS])):
        v[:2] = v[SCALARS, BIAS] = 0.0
        s[COUNTS, BAD] = True
    kernel.compute_margins(v, span, C.K, work, *features)
    for _ in range(3):
        tol = _attainable(P, C, k)
        if s[COUNTS, BAD] or not _inverse_is_good(P, C, k):
            _gather(P, C, k, work)
            kernel.compute_margins(v, span, C.K, work, *features)
        kernel.settle(v, s, inv, span, C.K, C.rest, tol, 1000 + 20 * len(C.K), work)
        kernel.compute_margins(v, span, C.K, work, *features)
        violation = violation_of(P, k)
        s[COUNTS, BAD] = violation > 10 * tol
        if not s[COUNTS, BAD]:
            return
    s[COUNTS, BAD] = False
    if violation > _TOLERATED:
        warnings.warn(
            f"Problem {k} of the linear machine was not solved to the end with {left} columns or "
            f"groups left: its optimality conditions are violated by {violation:.1e}. Scale the "
            "columns or lower C.",
            ConvergenceWarning,
            stacklevel=2,
        )


def violation_of(P: Problems, k: int) -> float:
    """Return the largest violation of optimality of problem `k`, from its margins."""
    beta, f, low, high, box = P.V[k, : BOX + 1][:, _rows(P, k)]
    rise = (np.where(beta >= 0, low, high) - f)[beta < box]
    sink = (f - np.where(beta > 0, low, high))[beta > -box]
    return float(max(rise.max(initial=0.0), sink.max(initial=0.0)))


def biases(P: Problems) -> np.ndarray:
    """Return the bias of each problem, the middle one where several are optimal."""
    from featprune.importance.svm.kernels.dual_run import middle_bias

    return np.array([middle_bias(*parts) for parts in zip(P.V, P.S, P.spans, strict=True)])


def _gather(P: Problems, C: Course, k: int, work: np.ndarray) -> None:
    """Make the free set of problem `k` and its inverse anew."""
    from featprune.importance.svm.kernels import dual_settle as kernel

    v, s, inv, span = P.V[k], P.S[k], P.inv[k], P.spans[k]
    kernel.place(v, s, span)
    free = np.flatnonzero(np.abs(s[STATE]) == 1)
    if _FEW_FREE < len(free) < inv.shape[1] - 1:
        bordered, m = s[COUNTS, BORDERED], len(free) + 1
        system = np.full((m, m), float(bordered))
        system[0, 0] = 1.0 - bordered
        system[1:, 1:] = C.K[np.ix_(free, free)]
        system[1:, 1:][np.diag_indices(m - 1)] += v[RIDGE, free]
        s[MEMBER, : m - 1], s[SLOT, free], s[COUNTS, FREE] = free, np.arange(m - 1), m - 1
        with suppress(np.linalg.LinAlgError):
            inv[:m, :m] = np.linalg.inv(system)
            inv[0, 0] *= bordered
            if _inverse_is_good(P, C, k):
                return
    # samples in the span of others have no inverse: one by one, they make room
    kernel.gather(v, s, inv, span, C.K, C.rest, work)


def _rows(P: Problems, k: int) -> slice | np.ndarray:
    a, b, c, d = P.spans[k]
    return slice(a, b) if c == d else np.r_[a:b, c:d]


def _attainable(P: Problems, C: Course, k: int) -> float:
    """Violation that rounding of the margins alone can make, at least 1e-11."""
    rows = _rows(P, k)
    size = np.sqrt(np.diagonal(C.K).clip(0))[rows]
    return max(1e-11, 2e-16 * float(size.max() * (size @ np.abs(P.V[k, BETA, rows]))))


def _inverse_is_good(P: Problems, C: Course, k: int) -> bool:
    """Say whether the inverse still is one, by a probe without chance."""
    v, s, inv = P.V[k], P.S[k], P.inv[k]
    m, bordered = s[COUNTS, FREE] + 1, s[COUNTS, BORDERED]
    members = s[MEMBER, : m - 1]
    probe = np.cos(np.arange(m))
    probe[0] *= bordered
    image = inv[:m, :m] @ probe
    back = np.empty(m)
    back[0] = image[1:].sum() * bordered
    back[1:] = C.K[np.ix_(members, members)] @ image[1:] + image[0]
    back[1:] += v[RIDGE, members] * image[1:]
    return bool(np.abs(back - probe).max(initial=0.0) < 1e-6)
