"""The models of one elimination step, and what the criterion of every unit needs of them."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np


class Models:
    """The models of one step on the rows that they use, and what follows from them.

    Parameters
    ----------
    beta : ndarray of shape (n_problems, n)
        Signed coefficients.
    K, base : ndarray of shape (n, n)
        The kernel, and the squared distances or inner products that it is a function of
        (None for a callable).
    kappa : ndarray of shape (n,), optional
        Vector with ``kappa kappa'`` near K off the diagonal; from K where not given.
    room : tuple of two ndarray of shape (n, n), float64 and float32, optional
        Zeroed on and above the diagonal: where the weighed kernel goes.
    """

    def __init__(
        self,
        beta: np.ndarray,
        K: np.ndarray,
        base: np.ndarray | None,
        kappa: np.ndarray | None = None,
        room: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self.beta = np.ascontiguousarray(beta)
        self.K = K
        self.base = base
        self.kappa = kappa
        self.room = room

    @cached_property
    def pair_weights(self) -> np.ndarray:
        """B, the sum of ``beta beta'`` over the problems."""
        return self.beta.T @ self.beta

    @cached_property
    def pair_norm(self) -> float:
        """Frobenius norm of B."""
        return float(np.linalg.norm(self.beta @ self.beta.T))

    @cached_property
    def largest_base(self) -> float:
        """Largest absolute entry of `base`."""
        assert self.base is not None
        return float(np.abs(self.base).max())

    @cached_property
    def weighed(self) -> Weighed:
        """``B * K`` as in `kernels.kernel_weigh.weigh_rbf`."""
        from featprune.importance.svm.kernels.kernel_weigh import weigh_rbf

        n = len(self.K)
        kappa = self.kappa
        if kappa is None:
            kappa = flat_kernel(self.K.sum(axis=1) - self.K.diagonal())
        L, R = self.room or (np.zeros((n, n)), np.zeros((n, n), dtype=np.float32))
        scale = 1.0 / max(len(self.beta) * float(np.abs(self.beta).max()) ** 2, 1e-300)
        sums, kernel_sums, norm, rest = weigh_rbf(self.beta, self.K, kappa, scale, L, R)
        u = self.beta * kappa
        return Weighed(L, R, scale, sums, kernel_sums, norm, rest, u, np.square(u).sum(axis=0))


class Weighed(NamedTuple):
    """``M = B * K`` off the diagonal, and its rank-one parts ``u u'``, one a problem."""

    L: np.ndarray
    R: np.ndarray
    scale: float
    sums: np.ndarray
    kernel_sums: np.ndarray
    norm: float
    norm_rest: float
    u: np.ndarray
    u_squares: np.ndarray


def flat_kernel(sums: np.ndarray) -> np.ndarray:
    """Return kappa with ``kappa kappa'`` near an RBF kernel, from its sums off the diagonal."""
    kappa = sums / max(len(sums) - 1, 1)
    # Where rows lie too far apart for the kernel to see, kappa is as good as zero.
    return kappa / math.sqrt(max(float(kappa.mean()), 1e-300))
