"""Bounds on the criterion of many single features at once, by matrix products.

A screen gives, level by level, an estimate of each feature's criterion and a bound on its
error; each further level costs one triangular matrix product for the features that the levels
before could not rule out. Whoever is left is computed from the definition by the pair loops,
so a screen decides only what need not be computed.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas

from featprune.importance.svm.kernel_models import Models, Weighed

# Features at once in a matrix product: their rows and results stay in the cache.
_BLOCK = 512
EPS = float(np.finfo(np.float64).eps)
_EPS_SINGLE = 2.0**-24
# Length of sums in single precision.
_INNER = 256
# Weights below this share of the largest might underflow there.
_UNDERFLOW = 1e-15


class Features:
    """Arrays of one row a feature, from which features can be dropped in O(n) each."""

    def __init__(self, x: np.ndarray, ids: np.ndarray) -> None:
        self.x = x
        self.ids = ids.copy()
        self.place = {int(name): at for at, name in enumerate(ids)}
        self.count = len(ids)
        self.arrays = [self.x, self.ids]

    def drop(self, names: np.ndarray) -> None:
        """Drop features by name: the last one moves into the gap."""
        for name in names:
            at = self.place.pop(int(name), None)
            if at is None:
                continue
            self.count -= 1
            if at < self.count:
                for array in self.arrays:
                    array[at] = array[self.count]
                self.place[int(self.ids[at])] = at


class RbfScreen(Features):
    """Screen for the RBF kernel, by the expansion in `kernels.kernel_expand`.

    Parameters
    ----------
    x : ndarray of shape (n_features, n)
        Features, one a row, on the rows that the models use. Kept and changed.
    ids : ndarray of shape (n_features,), int
        Their names.
    gamma : float

    Notes
    -----
    Level 0 has the first order and, on the rank-one parts ``u u'`` of M, which are most of it
    where many features are left (rows are then about equally far apart), the second; level 1
    has the second, and the third on ``u u'``; both in single precision, with its error in the
    bound. Level 2 has three orders in double precision. Four more arrays of the size of x, in
    single precision.
    """

    n_levels = 3

    def __init__(self, x: np.ndarray, ids: np.ndarray, gamma: float) -> None:
        super().__init__(x, ids)
        self.f, self.G, self.W, self.Q = (np.empty(x.shape, dtype=np.float32) for _ in range(4))
        self.norms = np.empty((len(x), 5))
        self.arrays += [self.f, self.G, self.W, self.Q, self.norms]
        self.expand(gamma)

    def expand(self, gamma: float) -> None:
        """Expand each feature for this gamma; O(n) a feature."""
        from featprune.importance.svm.kernels.kernel_expand import expand_rbf

        self.gamma = gamma
        outputs = (self.f, self.G, self.W, self.Q, self.norms)
        expand_rbf(self.x[: self.count], gamma, *(array[: self.count] for array in outputs))

    def refine(
        self, level: int, models: Models, at: np.ndarray | slice, score: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the criteria of the features at these positions, and bounds of the errors."""
        weighed = models.weighed
        n = self.x.shape[1]
        # Factors on the columns of `norms`: G, W, Q, rest, f.
        factors = np.zeros(5)
        factors[3] = 0.5 * max(weighed.norm, 1e-300)
        if level < 2:
            score = self._single(level, weighed, at, score)
            # |v' L v| is at most |R|_F |v|^2 / sqrt(2); a sum of k terms loses k units.
            units = 0.71 * (min(n, _INNER) + 6) * weighed.norm_rest + 4.0 * weighed.u_squares.sum()
            factors[:3] = _EPS_SINGLE * units
            factors[4] = 2.0 * _EPS_SINGLE * math.sqrt(weighed.sums @ weighed.sums)
            factors[1] += 0.5 * weighed.norm_rest * (level == 0)
            factors[2] += 0.5 * (weighed.norm if level == 0 else weighed.norm_rest)
            if weighed.norm_rest * weighed.scale < _UNDERFLOW:
                factors[3] = np.inf
        else:
            score = self._double(weighed, at)
            factors[:3] = 4.0 * n * EPS * weighed.norm
            factors[4] = 8.0 * n * math.sqrt(n) * EPS * weighed.norm
        norms = self.norms[at]
        if factors[3] == np.inf:
            return score, np.full(len(score), np.inf)
        return score, norms @ (factors * (1.0 + 1e-12))

    def _single(
        self, level: int, weighed: Weighed, at: np.ndarray | slice, score: np.ndarray
    ) -> np.ndarray:
        """Add what levels 0 and 1 have, in single precision."""
        from featprune.importance.svm.kernels.kernel_weigh import low_rank_terms

        u, u_squares = weighed.u, weighed.u_squares
        if level == 0:
            out = half_form_single(weighed.R, self.G[at])
            out /= weighed.scale
            low_rank_terms(self.f[at], self.G[at], self.W[at], weighed.sums, u, u_squares, out)
            return out
        Q = self.Q[at].astype(np.float64)
        score = score - half_form_single(weighed.R, self.W[at]) / weighed.scale
        return score + 0.5 * (np.square(Q @ u.T).sum(axis=1) - np.square(Q) @ u_squares)

    def _double(self, weighed: Weighed, at: np.ndarray | slice) -> np.ndarray:
        """Return three orders in double precision."""
        from featprune.importance.svm.kernels.kernel_expand import expand_rbf

        x = self.x[at]
        f, G, W, Q = (np.empty_like(x) for _ in range(4))
        expand_rbf(x, self.gamma, f, G, W, Q, np.empty((len(x), 5)))
        score = half_form(weighed.L, G) - half_form(weighed.L, W) + half_form(weighed.L, Q)
        return score - f @ weighed.sums


def half_form(L: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return ``v' L v`` for each row v; O(n^2) a row, at the speed of a matrix product."""
    from featprune.importance.svm.kernels.kernel_weigh import row_products

    out = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        # BLAS counts by columns: to it the transpose of L is an upper triangle, and the block
        # a matrix of one column a feature.
        product = blas.dtrmm(1.0, L.T, block.T, trans_a=1)
        row_products(block, product.T, out[start : start + _BLOCK])
    return out


def half_form_single(R: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`_half_form` in single precision; sums run over at most `_INNER` terms before doubles."""
    from featprune.importance.svm.kernels.kernel_weigh import row_products

    out = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        for inner in range(0, R.shape[0], _INNER):
            # Rows above the block of columns are zero in a lower triangle.
            part = R[inner:, inner : inner + _INNER]
            product = block[:, inner : inner + _INNER] @ part.T
            row_products(block[:, inner:], product, out[start : start + _BLOCK])
    return out
