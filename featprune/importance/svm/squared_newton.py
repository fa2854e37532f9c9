"""Newton's method for squared losses that are flat between two targets, from any start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from featprune.importance.svm.squared_table import Table

# How far, relative to the largest decision value, a sample may stand on the wrong side of its
# target: the rounding of a decision value, not a tolerance on the model.
SLACK = 1e-12


class Losses(NamedTuple):
    """One problem's loss: ``box * (f - low)**2`` under `low`, the same above `high`, else 0.

    A squared hinge has one target at infinity: ``low = 1`` for the positive class,
    ``high = -1`` for the negative one. All of shape (n,).
    """

    low: np.ndarray
    high: np.ndarray
    box: np.ndarray

    def at(self, rows: np.ndarray) -> Losses:
        """Return the losses of some rows."""
        return Losses(self.low[rows], self.high[rows], self.box[rows])

    def sides(self, f: np.ndarray, side: np.ndarray | None = None) -> np.ndarray:
        """Return 1 under `low`, -1 above `high`, 0 between; a doubt leaves `side` as it is."""
        if side is None:
            new = (f < self.low).astype(np.int8) - (f > self.high)
        else:
            slack = SLACK * (1.0 + np.abs(f).max(initial=0.0))
            new = (f < self.low + np.where(side > 0, slack, -slack)).astype(np.int8)
            new -= f > self.high - np.where(side < 0, slack, -slack)
        # equal targets leave no flat part: one side for all, so that nothing ever changes
        new[self.low == self.high] = 1
        return new

    def targets(self, side: np.ndarray) -> np.ndarray:
        """Return the target of each sample, 0 where it has none at present."""
        return np.where(side > 0, self.low, np.where(side < 0, self.high, 0.0))

    def total(self, f: np.ndarray) -> float:
        """Return the summed loss."""
        under = np.maximum(self.low - f, 0.0)
        over = np.maximum(f - self.high, 0.0)
        return float(self.box @ (under**2 + over**2))

    def gaps(self, f: np.ndarray) -> np.ndarray:
        """Return how far each decision value is from the nearest target."""
        return np.minimum(np.abs(f - self.low), np.abs(f - self.high))


def search_line(
    f: np.ndarray, change: np.ndarray, linear: float, quadratic: float, losses: Losses
) -> float:
    """Minimise the objective exactly along a line; its slope is piecewise linear.

    Parameters
    ----------
    f, change : ndarray of shape (n,)
        Decision values at the start, and what a whole step adds.
    linear, quadratic : float
        The regulariser's slope at the start, and its second derivative.
    losses : Losses

    Returns
    -------
    float
        Where between 0 and 1 the slope is 0; 1 where it still falls there. O(n) a round.
    """
    low, high, t = 0.0, 1.0, 1.0
    for _ in range(60):
        value = f + t * change
        side = losses.sides(value)
        residual = np.where(side != 0, losses.targets(side) - value, 0.0)
        slope = linear + quadratic * t - 2.0 * float((losses.box * residual) @ change)
        if t == 1.0 and slope <= 0.0:
            return 1.0
        low, high = (t, high) if slope < 0.0 else (low, t)
        bend = quadratic + 2.0 * float((losses.box * (side != 0)) @ change**2)
        step = slope / bend
        if abs(step) <= 1e-14 * max(t, 1e-300) or high - low <= 1e-15 * high:
            break
        t = t - step if low < t - step < high else 0.5 * (low + high)
    return t


class DualSolution(NamedTuple):
    """Coefficients of the optimum on a Gram matrix, and how far from it they are."""

    beta: np.ndarray
    side: np.ndarray
    f: np.ndarray
    inverse: np.ndarray
    residual: float


def solve_dual(K: np.ndarray, losses: Losses, side: np.ndarray | None = None) -> DualSolution:
    """Find the optimum on a Gram matrix by Newton's method on the active samples.

    Parameters
    ----------
    K : ndarray of shape (m, m)
        Gram matrix, the bias's constant included.
    losses : Losses
        Of these samples.
    side : ndarray of shape (m,), int8, optional
        Sides to start from.

    Returns
    -------
    DualSolution
        ``inverse`` is that of ``K + diag(1 / (2 box))`` over the active samples, 0 elsewhere,
        shape (m, m); ``residual`` is 0 unless the sides did not settle within 200 rounds.

    Notes
    -----
    Each round costs a Cholesky factor of the active block. The objective falls from one round
    to the next (else the exact minimum on the line between is taken), so no set of active
    samples comes twice and the rounds end; Keerthi and DeCoste (2005), "A modified finite
    Newton method for fast solution of large scale linear SVMs", JMLR 6, 341-361.
    """
    f = beta = np.zeros(len(K))
    worth = losses.total(f) if side is None else np.inf
    side = losses.sides(f) if side is None else side
    for _ in range(200):
        active = np.flatnonzero(side)
        factor = _factor(K, losses, active)
        new = np.zeros(len(K))
        new[active] = _solve(factor, losses.targets(side)[active])
        new_f = K[:, active] @ new[active]
        # one round of refinement: the residual of the active block, not of its factor
        error = losses.targets(side)[active] - new_f[active]
        error -= new[active] / (2.0 * losses.box[active])
        new[active] += _solve(factor, error)
        new_f = K[:, active] @ new[active]
        new_side = losses.sides(new_f, side)
        if np.array_equal(new_side, side):
            return DualSolution(new, side, new_f, _inverse(factor, active, len(K)), 0.0)
        new_worth = 0.5 * float(new @ new_f) + losses.total(new_f)
        if new_worth >= worth:
            change = new_f - f
            t = search_line(
                f, change, float((new - beta) @ f), float((new - beta) @ change), losses
            )
            new, new_f = beta + t * (new - beta), f + t * change
            new_side = losses.sides(new_f)
            new_worth = 0.5 * float(new @ new_f) + losses.total(new_f)
        beta, f, side, worth = new, new_f, new_side, new_worth
    wrong = np.abs(beta - 2.0 * losses.box * np.where(side != 0, losses.targets(side) - f, 0.0))
    residual = float(wrong.max() / np.abs(beta).max(initial=1e-300))
    active = np.flatnonzero(side)
    return DualSolution(
        beta, side, f, _inverse(_factor(K, losses, active), active, len(K)), residual
    )


def _factor(K: np.ndarray, losses: Losses, active: np.ndarray) -> np.ndarray:
    """Cholesky factor of the active block, lower, in Fortran order."""
    block = K[np.ix_(active, active)].T
    block[np.diag_indices(len(active))] += 1.0 / (2.0 * losses.box[active])
    factor, failed = lapack.dpotrf(block, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise FloatingPointError(
            "The Gram matrix is not positive definite in float64: its values span too many "
            "orders of magnitude. Scale the columns, or lower C."
        )
    return factor


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    return lapack.dpotrs(factor, right, lower=1)[0] if len(right) else right


def _inverse(factor: np.ndarray, active: np.ndarray, m: int) -> np.ndarray:
    """Inverse from its Cholesky factor, spread over all m samples; the factor is lost."""
    P = np.zeros((m, m))
    if len(active):
        half = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
        half = np.tril(half)
        P[np.ix_(active, active)] = half + np.tril(half, -1).T
    return P


def approach(table: Table, losses: Losses, *, tol: float = 1e-3) -> np.ndarray:
    """Return decision values near the optimum's, by Newton's method with conjugate gradients.

    Good enough to tell most active samples from the rest; never the last word.

    Parameters
    ----------
    table : Table
    losses : Losses
        Of all n samples.
    tol : float
        Gradient, relative to that of zero weights, at which it is near enough.

    Returns
    -------
    ndarray of shape (n,)
        O(n p) for each of some tens of products.
    """
    X, scale = table.rows, table.scale
    f = np.zeros(table.n)
    w = np.zeros(X.shape[1] + 1)

    def across(v: np.ndarray) -> np.ndarray:
        return X @ v[:-1] + scale * v[-1]

    def back(v: np.ndarray) -> np.ndarray:
        return np.append(table.columns.T @ v, scale * v.sum())

    first = None
    for _ in range(30):
        side = losses.sides(f)
        pull = 2.0 * losses.box * (side != 0)
        gradient = w - back(pull * (losses.targets(side) - f))
        size = float(np.linalg.norm(gradient))
        first = size if first is None else first
        if size <= tol * first or size == 0.0:
            break
        d, image = _conjugate(gradient, pull, across, back, 0.05)
        t = search_line(f, image, float(w @ d), float(d @ d), losses)
        w, f = w + t * d, f + t * image
    return f


def _conjugate(gradient, pull, across, back, tol):  # type: ignore[no-untyped-def]
    """Solve for a Newton step by conjugate gradients; returns it and its decision values."""
    d, r = np.zeros_like(gradient), -gradient
    image, p = np.zeros(len(pull)), r.copy()
    square = start = float(r @ r)
    for _ in range(50):
        through = across(p)
        Hp = p + back(pull * through)
        a = square / float(p @ Hp)
        d, image, r = d + a * p, image + a * through, r - a * Hp
        new = float(r @ r)
        if new <= tol**2 * start:
            break
        p, square = r + (new / square) * p, new
    return d, image
