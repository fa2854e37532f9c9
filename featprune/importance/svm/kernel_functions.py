"""The kernel matrix of the features that are left, kept up while features leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

# Distances and inner products are updated by subtraction: the rounding of the largest value
# they ever had stays in them. Computed anew after this many steps, or once a row's squared
# norm is down to this share.
_REBUILD_STEPS = 256
_REBUILD_SHARE = 1.0 / 16.0


@dataclass
class Gram:
    """Kernel of the features that are left.

    Attributes
    ----------
    kernel : {"rbf", "poly", "sigmoid"} or callable
        As in scikit-learn; a callable maps two matrices of rows to their kernel.
    gamma, coef0 : float
    degree : int
    x : ndarray of shape (n_features, n_samples)
        The features, one a row; centred for "rbf", which does not see where they stand.
    held_out : ndarray of shape (n_features, n_held_out) or None
        The same features of the held-out rows, shifted alike.
    left : ndarray of shape (n_features,), bool
        Features that are left.
    means, variances, ranges : ndarray of shape (n_features,)
        Means and variances of the features as they came, and largest squared differences.
    base, cross : ndarray of shape (n_samples, n_samples), (n_held_out, n_samples), or None
        Squared distances ("rbf") or inner products of the features left.
    K, K_cross : ndarray of the same shapes
        The kernel itself.
    """

    kernel: str | Callable[[np.ndarray, np.ndarray], np.ndarray]
    gamma: float
    degree: int
    coef0: float
    x: np.ndarray
    held_out: np.ndarray | None
    left: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    ranges: np.ndarray
    base: np.ndarray | None = None
    cross: np.ndarray | None = None
    K: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    K_cross: np.ndarray | None = None
    _norms: np.ndarray = field(default_factory=lambda: np.empty(0))
    _norms_built: np.ndarray = field(default_factory=lambda: np.empty(0))
    _age: int = 0


def open_gram(
    X: np.ndarray,
    held_out: np.ndarray | None,
    kernel: str | Callable[[np.ndarray, np.ndarray], np.ndarray],
    gamma: float,
    degree: int,
    coef0: float,
) -> Gram:
    """Build the kernel of all features; O(n_samples^2 n_features)."""
    x = np.array(X.T, dtype=np.float64, order="C")
    other = None if held_out is None else np.array(held_out.T, dtype=np.float64, order="C")
    means = x.mean(axis=1)
    variances = x.var(axis=1)
    if kernel == "rbf":
        x -= means[:, None]
        if other is not None:
            other -= means[:, None]
    left = np.ones(len(x), dtype=bool)
    ranges = np.square(np.ptp(x, axis=1))
    gram = Gram(kernel, gamma, degree, coef0, x, other, left, means, variances, ranges)
    _rebuild(gram)
    _evaluate(gram)
    return gram


def take_out(gram: Gram, features: np.ndarray, rescale_gamma: bool) -> None:
    """Let features leave, and set gamma anew if asked to; O(n_samples^2) a feature, in place."""
    gram.left[features] = False
    if rescale_gamma:
        gram.gamma = scaled_gamma(gram)
    if callable(gram.kernel):
        _evaluate(gram)
        return
    gram._norms -= np.square(gram.x[features]).sum(axis=0)
    gram._age += 1
    lost = gram._norms < _REBUILD_SHARE * gram._norms_built
    if gram._age >= _REBUILD_STEPS or lost.any() or len(features) > gram.left.sum():
        _rebuild(gram)
    else:
        _subtract(gram, features)
    _evaluate(gram)


def scaled_gamma(gram: Gram) -> float:
    """Return scikit-learn's ``gamma="scale"`` for the features that are left; O(n_features)."""
    means = gram.means[gram.left]
    variance = gram.variances[gram.left].mean() + means.var()
    return 1.0 / (len(means) * variance) if variance > 0 else 1.0


def _subtract(gram: Gram, features: np.ndarray) -> None:
    """Take features out of the distances or inner products."""
    from featprune.importance.svm.kernels import kernel_weigh

    take = kernel_weigh.take_distances if gram.kernel == "rbf" else kernel_weigh.take_products
    x = gram.x[features]
    take(gram.base, x, x)
    if gram.cross is not None and gram.held_out is not None:
        take(gram.cross, gram.held_out[features], x)


def _rebuild(gram: Gram) -> None:
    """Compute distances or inner products from the features that are left."""
    if callable(gram.kernel):
        return
    x = gram.x if gram.left.all() else gram.x[gram.left]
    gram.base = x.T @ x
    gram._norms = gram.base.diagonal().copy()
    gram._norms_built = gram._norms.copy()
    gram._age = 0
    if gram.held_out is not None:
        other = gram.held_out if gram.left.all() else gram.held_out[gram.left]
        gram.cross = other.T @ x
    if gram.kernel == "rbf":
        _to_distances(gram.base, gram._norms, gram._norms)
        np.fill_diagonal(gram.base, 0.0)
        if gram.cross is not None:
            _to_distances(gram.cross, np.square(other).sum(axis=0), gram._norms)


def _to_distances(products: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Turn inner products into squared distances, given the squared norms; in place."""
    products *= -2.0
    products += left[:, None]
    products += right
    np.maximum(products, 0.0, out=products)


def _evaluate(gram: Gram) -> None:
    """Compute the kernel from the distances or inner products, or by the callable."""
    if callable(gram.kernel):
        rows = np.ascontiguousarray(gram.x[gram.left].T)
        gram.K = np.array(gram.kernel(rows, rows), dtype=np.float64, order="C")
        if gram.held_out is not None:
            others = np.ascontiguousarray(gram.held_out[gram.left].T)
            gram.K_cross = np.asarray(gram.kernel(others, rows), dtype=np.float64)
        return
    assert gram.base is not None
    gram.K = kernel_values(gram, gram.base, gram.K)
    if gram.cross is not None:
        gram.K_cross = kernel_values(gram, gram.cross, gram.K_cross)


def kernel_values(gram: Gram, base: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """Return the kernel of distances or inner products, in `out` where that fits."""
    if out is None or out.shape != base.shape:
        out = np.empty_like(base)
    if gram.kernel == "rbf":
        np.multiply(base, -gram.gamma, out=out)
        return np.exp(out, out=out)
    if gram.kernel == "poly":
        from featprune.importance.svm.kernels.kernel_product import poly_of

        poly_of(base, gram.gamma, gram.coef0, gram.degree, out)
        return out
    np.multiply(base, gram.gamma, out=out)
    out += gram.coef0
    return np.tanh(out, out=out)
