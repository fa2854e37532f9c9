"""Bounds on the criterion of many single features under kernels of the inner product."""

from __future__ import annotations

import math

import numpy as np

from featprune.importance.svm.kernel_models import Models
from featprune.importance.svm.kernel_screen import EPS, Features, half_form

# Largest |tanh^(k)| / k! on the real line, for k = 0 (not used) to 4.
_TANH_BOUNDS = (0.0, 1.0, 0.38491, 1.0 / 3.0 + 1e-9, 0.17025)


class ProductScreen(Features):
    """Screen for functions of the inner product, by their Taylor series in one feature.

    With t = gamma x_a x_b, ``f(s) - f(s - t) = -sum_k (-t)^k f^(k)(s) / k!``: level k - 1 adds
    the term of order k, a quadratic form of x^k with ``B * f^(k)(s) / k!``. A polynomial's
    series ends with its degree, and the last term is of the rank of B, so it is there from the
    start; the other orders that a level leaves out, or Lagrange's remainder of tanh, are
    bounded by Frobenius norms.

    Parameters
    ----------
    x : ndarray of shape (n_features, n)
        Features, one a row, on the rows that the models use. Kept.
    ids : ndarray of shape (n_features,), int
        Their names.
    gamma, coef0 : float
    degree : int or None
        Of the polynomial; None for the sigmoid kernel.
    """

    def __init__(
        self, x: np.ndarray, ids: np.ndarray, gamma: float, degree: int | None, coef0: float
    ) -> None:
        super().__init__(x, ids)
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.n_levels = 3 if degree is None else max(degree - 1, 1)
        n_orders = len(_TANH_BOUNDS) if degree is None else degree + 1
        powers = np.ones_like(x)
        self.norms = np.empty((len(x), n_orders))
        for k in range(n_orders):
            self.norms[:, k] = np.einsum("ij,ij->i", powers, powers)
            powers *= x
        self.arrays.append(self.norms)

    def expand(self, gamma: float) -> None:
        """Set gamma."""
        self.gamma = gamma

    def refine(
        self, level: int, models: Models, at: np.ndarray | slice, score: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the criteria of the features at these positions, and bounds of the errors."""
        order = level + 1
        rows = self.x[at]
        sizes = (
            self.norms[at] * self._largest(models) * self.gamma ** np.arange(self.norms.shape[1])
        )
        if self.degree is None:
            ahead = sizes[:, order + 1]
        else:
            ahead = sizes[:, order + 1 : self.degree].sum(axis=1)
            if level == 0 and self.degree > 0:
                last = np.square(rows**self.degree @ models.beta.T).sum(axis=1)
                score = score - 0.5 * (-self.gamma) ** self.degree * last
        if self.degree is None or order < self.degree:
            form = half_form(self._coefficient(models, order), rows**order)
            score = score - (-self.gamma) ** order * form
        return score, 0.5 * ahead + 4.0 * rows.shape[1] * EPS * sizes.sum(axis=1)

    def _coefficient(self, models: Models, order: int) -> np.ndarray:
        """Lower half of ``B * f^(order)(s) / order!``."""
        from featprune.importance.svm.kernels.kernel_weigh import weigh_poly, weigh_tanh

        if self.degree is None:
            return weigh_tanh(models.beta, models.K, order)
        power, factor = self.degree - order, float(math.comb(self.degree, order))
        return weigh_poly(models.beta, models.base, self.gamma, self.coef0, power, factor)

    def _largest(self, models: Models) -> np.ndarray:
        """Bound the Frobenius norm of ``B * f^(k)(s) / k!`` for each order k."""
        if self.degree is None:
            return models.pair_norm * np.array(_TANH_BOUNDS)
        largest = self.gamma * models.largest_base + abs(self.coef0)
        orders = range(1, self.degree + 1)
        return models.pair_norm * np.array(
            [0.0, *(math.comb(self.degree, k) * largest ** (self.degree - k) for k in orders)]
        )
