"""The list of units that can leave next, and the metric of its bounds; see `Course`."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from featprune.importance.svm import dual_setup as setup
from featprune.importance.svm.dual_state import (
    BETA,
    CUT,
    FEW,
    LISTED,
    SLOP,
    TRAVEL,
    Course,
    Problems,
    Table,
)

# Units that are listed: so many, or a quarter of them.
_LISTED = 512


def renew_metric(T: Table, C: Course, owner: np.ndarray) -> Course:
    """Return the course with the present kernel as its metric, nothing listed.

    Parameters
    ----------
    owner : ndarray of shape (n_features,), int
        The unit of each feature.

    Notes
    -----
    O(n^2 n_features). Many rows and sparse tables have no metric.
    """
    forget(C)
    n = len(C.K)
    if n > FEW or not len(T.XT):
        return C
    M = C.K.copy()
    # The ridge makes it definite; the bound holds for any.
    M.flat[:: n + 1] += 1e-7 * np.trace(M) / n + 1e-300
    features = np.flatnonzero(~C.gone[owner])
    part = setup.feature_rows(T, features, n)
    solved = solve_triangular(np.linalg.cholesky(M), part.T, lower=True, check_finite=False)
    squares = np.zeros(len(owner))
    squares[features] = np.einsum("ij,ij->j", solved, solved)
    norm = np.sqrt(np.bincount(owner, squares, minlength=len(C.gone)))
    # Rounding must not make a bound too small.
    C.norm[:-1] = norm * (1 + 1e-6)
    C.norm[-1] = C.norm[:-1].max()
    return C._replace(metric=M)


def forget(C: Course) -> None:
    """Let nothing be listed: the betas moved on a way that was not measured."""
    C.count[LISTED] = 0
    C.way[CUT] = -np.inf


def make_list(P: Problems, C: Course, units: np.ndarray, criteria: np.ndarray) -> None:
    """List the units of the smallest values, as of now. O(n_units).

    Parameters
    ----------
    units : ndarray of shape (k,), int
        Those that may leave.
    criteria : ndarray of shape (k,)
    """
    values = np.sqrt(criteria)
    most = min(max(_LISTED, len(units) // 4), len(units))
    C.way[CUT] = np.inf
    if most < len(units):
        part = np.argpartition(values, most)
        C.way[CUT] = values[part[most]]
        units, values = units[part[:most]], values[part[:most]]
    C.order[:most], C.slope[:most] = units, C.norm[units]
    C.anchors[:] = P.V[:, BETA]
    size = np.abs(C.anchors[1]) @ np.sqrt(np.diagonal(C.K).clip(0))
    C.count[LISTED] = most
    C.way[TRAVEL], C.way[SLOP] = 0.0, 1e-13 * float(size.sum())
    C.bound[:most] = values - C.slope[:most] * C.way[SLOP]
