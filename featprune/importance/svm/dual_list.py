"""The list of units that can leave next, and the metric of its bounds; see `Course`."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm import dual_setup as setup
from featprune.importance.svm.dual_state import (
    BETA,
    FEW,
    GATHERED,
    LEVEL,
    LISTED,
    LOOKS,
    NEAR,
    REACH,
    SKETCHED,
    SLOP,
    TRAVEL,
    Course,
    Problems,
    Table,
)

# Up to so many units are looked at faster than bounds on them are kept sharp.
_LOOKED_AT = 150


def renew_metric(T: Table, C: Course, owner: np.ndarray) -> Course:
    """Return the course with the present kernel as its metric, nothing listed.

    Parameters
    ----------
    owner : ndarray of shape (n_features,), int
        The unit of each feature.

    Notes
    -----
    O(n^2 n_features). Memory: n^2, and a block of features. Many rows, sparse tables and few units
    have no metric.
    """
    forget(C)
    n = len(C.K)
    if n > FEW or not len(T.XT) or np.count_nonzero(~C.gone) <= _LOOKED_AT:
        C.norm[:] = 1.0
        return C._replace(metric=np.zeros((0, 0)))
    M = C.K.copy()
    # The ridge makes it definite; the bound holds for any.
    M.flat[:: n + 1] += 1e-7 * np.trace(M) / n + 1e-300
    features = np.flatnonzero(~C.gone[owner])
    root, squares = np.linalg.inv(np.linalg.cholesky(M)).T, np.zeros(len(owner))
    for part, rows in setup.blocks(T, features):
        solved = rows @ root
        squares[part] = np.einsum("ij,ij->i", solved, solved)
    norm = np.sqrt(np.bincount(owner, squares, minlength=len(C.gone)))
    # Rounding must not make a bound too small.
    C.norm[:] = norm * (1 + 1e-6)
    return C._replace(metric=M)


def forget(C: Course) -> None:
    """Let nothing be listed: the betas moved on a way that was not measured."""
    C.count[LISTED] = C.count[NEAR] = C.count[SKETCHED] = 0


def make_list(T: Table, P: Problems, C: Course, units: np.ndarray, criteria: np.ndarray) -> None:
    """List units with their values as of now. O(n_units).

    Parameters
    ----------
    units : ndarray of shape (k,), int
        Those that may leave.
    criteria : ndarray of shape (k,)
    """
    k, values = len(units), np.sqrt(criteria)
    C.order[:k], C.slope[:k] = units, C.norm[units]
    if C.sketch.shape[1]:
        C.length[:k] = C.lengths[T.features[units]]
    C.anchor[:] = P.V[:, BETA]
    size = np.abs(C.anchor) @ np.sqrt(np.diagonal(C.K).clip(0))
    C.way[TRAVEL], C.way[SLOP] = 0.0, 1e-13 * float(size.sum())
    C.bound[:k] = values - C.slope[:k] * C.way[SLOP]
    # the first look gathers those that are near
    C.count[LISTED] = k
    C.count[NEAR] = C.count[SKETCHED] = C.count[LOOKS] = 0
    C.way[GATHERED], C.way[REACH], C.way[LEVEL] = 0.0, 0.0, -1.0
