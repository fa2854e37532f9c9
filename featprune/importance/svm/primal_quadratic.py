"""The quadratic that a squared-loss objective is while the same samples are active."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg import blas, cholesky, lapack, solve_triangular

# The inverse is updated for up to a sixth as many samples as there are weights, else made anew.
_FEW = 6
# Of the weights, the share of samples up to which an inverse is made by way of these.
_FEW_ROWS = 0.7
# Residuals, relative as `Quadratic.relative` says: that of rounding, and what is let pass.
ROUNDING, FINE = 3e-16, 1e-13


class Quadratic:
    """``w' H w / 2 - pull' w`` and the inverse of H, for q weights.

    Attributes
    ----------
    H, inverse : ndarray of shape (q, q), in C order
        ``I + sum_active 2 C_i z_i z_i'`` and its inverse; a dead weight's row is that of I.
    pull : ndarray of shape (q,)
        ``sum_active 2 C_i target_i z_i``; 0 for dead weights.
    square : float
        ``sum_active 2 C_i target_i^2``.
    """

    def __init__(self, q: int) -> None:
        self.H, self.inverse, self.pull = np.eye(q), np.eye(q), np.zeros(q)
        self.square = 0.0

    def add(
        self,
        n_rows: int,
        blocks: Iterable[tuple[slice, np.ndarray]],
        pull: np.ndarray,
        curve: np.ndarray,
    ) -> None:
        """Add samples' terms; O(q^2) a sample, O(q^3) if there are more than q / 6.

        Parameters
        ----------
        n_rows : int
        blocks : iterable of (slice, ndarray of shape (n_block, q))
            The samples z by blocks, and which of the `n_rows` these are.
        pull, curve : ndarray of shape (n_rows,)
            What is added for each: ``pull_i z_i`` and ``curve_i z_i z_i'``.
        """
        few = n_rows <= len(self.pull) // _FEW
        for part, Z in blocks:
            self.pull += pull[part] @ Z
            bend = curve[part]
            if few:
                few = self._update(Z, bend)
                add_product(self.H, Z.T * bend, Z)
                continue
            for sign in (1.0, -1.0):
                pick = sign * bend > 0.0
                A = Z[pick] * np.sqrt(np.abs(bend[pick]))[:, None]
                # numpy forms half of a product with the same array's transpose
                self.H += sign * (A.T @ A)
        if not few:
            self.invert()

    def solve(self, w: np.ndarray) -> np.ndarray:
        """Return the minimum, by Newton steps from w; O(q^2)."""
        last, inverted = np.inf, False
        while True:
            gradient = self.H @ w - self.pull
            residual = self.relative(gradient)
            stalled = residual > last / 4
            if residual <= ROUNDING or (stalled and (residual <= FINE or inverted)):
                return w
            if stalled:
                self.invert()
                inverted = True
            last = residual
            w = w - self.inverse @ gradient

    def relative(self, gradient: np.ndarray) -> float:
        """Return a gradient's largest entry, each relative to a bound of its terms.

        By Cauchy and Schwarz, the sum over the samples behind entry j is at most
        ``sqrt(square * H_jj)``.
        """
        size = np.sqrt(max(self.square, 1e-300) * self.H.diagonal())
        return float(np.max(np.abs(gradient) / size))

    def mend(self, w: np.ndarray, gradient: np.ndarray) -> None:
        """Let the quadratic have a gradient at w that was taken from the samples."""
        self.pull = self.H @ w - gradient

    def leave(self, w: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Let weights die; returns the minimum over the others, given that w is it with them.

        O(q^2) a weight, O(q^3) for more than a quarter of them.
        """
        block = self.inverse[np.ix_(at, at)]
        edge = self.inverse[at]
        many = len(at) > len(w) / 4
        w = w - edge.T @ np.linalg.solve(block, w[at])
        w[at] = 0.0
        if not many:
            add_product(self.inverse, -edge.T, np.linalg.solve(block, edge))
        for M in (self.H, self.inverse):
            M[at] = 0.0
            M[:, at] = 0.0
            M[at, at] = 1.0
        self.pull[at] = 0.0
        if many:
            self.invert()
        return w

    def scale(self, ratio: float) -> None:
        """Multiply every C by a ratio; O(q^3)."""
        self.H *= ratio
        self.H[np.diag_indices(len(self.H))] += 1.0 - ratio
        self.pull *= ratio
        self.square *= ratio
        self.invert()

    def compact(self, at: np.ndarray) -> None:
        """Forget all weights but some."""
        self.pull = self.pull[at]
        self.H, self.inverse = self.H[np.ix_(at, at)], self.inverse[np.ix_(at, at)]

    def inflation(self) -> float:
        """Return the most that a weight's variance is inflated by the others, >= 1."""
        return float((self.H.diagonal() * self.inverse.diagonal()).max())

    def doubt(self) -> np.ndarray:
        """Return what rounding of its gradient may do to each weight, shape (q,)."""
        return 1e-14 * np.sqrt(self.square * self.H.diagonal()) * self.inverse.diagonal()

    def invert(self) -> None:
        """Take the inverse anew from a Cholesky factor, O(q^3)."""
        self.inverse = invert(self.H)

    def _update(self, Z: np.ndarray, curve: np.ndarray) -> bool:
        """Woodbury's formula for the inverse; False if that would lose too many digits."""
        Z, curve = Z[curve != 0.0], curve[curve != 0.0]
        across = Z @ self.inverse
        inner = across @ Z.T
        # of a row that goes, 1 - curve z' inverse z is what is left of the curvature
        if (1.0 + curve * inner.diagonal()).min(initial=1.0) < 1e-6:
            return False
        inner[np.diag_indices(len(Z))] += 1.0 / curve
        add_product(self.inverse, -across.T, np.linalg.solve(inner, across))
        return True


def add_product(M: np.ndarray, A: np.ndarray, B: np.ndarray) -> None:
    """Add the symmetric product ``A B`` to the symmetric M in place, O(q^2 k)."""
    if len(B):
        blas.dgemm(1.0, B.T, A.T, beta=1.0, c=M.T, overwrite_c=1)


def invert(H: np.ndarray) -> np.ndarray:
    """Return the inverse of a Hessian, positive definite but for rounding; O(q^3)."""
    # scaled to a unit diagonal, columns of unlike units do no harm
    size = 1.0 / np.sqrt(H.diagonal())
    scaled = H * size * size[:, None]
    for ridge in (0.0, 1e-14, 1e-12, 1e-10):
        # where rounding made it indefinite, something close will do: Newton steps mend it
        scaled[np.diag_indices(len(size))] = 1.0 + ridge * len(size)
        factor, failed = lapack.dpotrf(scaled.T, lower=1)
        if not failed:
            break
    else:
        raise FloatingPointError(
            "The Hessian of the squared loss is not positive definite in float64. Look for "
            "values that are not finite or are very large, scale the columns, or lower C."
        )
    half = np.tril(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
    half *= size
    half *= size[:, None]
    return np.ascontiguousarray(half + np.tril(half, -1).T)


def inverse_of_ridge(Z: np.ndarray) -> np.ndarray:
    """Return the inverse of ``I + Z'Z`` for Z of shape (m, q), which is overwritten.

    O(m q^2), and O(q^3) unless m is the smaller: then by way of ``I + Z Z'``.
    """
    m, q = Z.shape
    if m > _FEW_ROWS * q:
        H = Z.T @ Z
        H[np.diag_indices(q)] += 1.0
        return invert(H)
    H = Z @ Z.T
    H[np.diag_indices(m)] += 1.0
    factor = cholesky(H, lower=True, overwrite_a=True, check_finite=False)
    half = solve_triangular(factor, Z, lower=True, overwrite_b=True, check_finite=False)
    inverse = -(half.T @ half)
    inverse[np.diag_indices(q)] += 1.0
    return inverse
