"""Greedy column subset selection: each step takes the unit that explains most of what is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from featprune.importance.pca.residual import Residual
from featprune.importance.pca.spread import Spread

# Gains are found by recursion, whose rounding is of the size of the first ones. When the largest
# has sunk by this factor since they were found exactly, they are found exactly again.
_SUNK = 1e-4
# scores that differ by less than this share of the largest are equal
_TIE = 1e-9
# rounding of a residual, as a share of the variance that it is left of
_ROUNDING = 1e-13


def greedy_order(
    spread: Spread,
    unit: np.ndarray,
    protected: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Order units by what they explain of all features beyond those before them.

    Parameters
    ----------
    spread : Spread
    unit : ndarray of shape (n_features,), int
        The unit that each feature belongs to.
    protected : ndarray of shape (n_units,), bool
        Units that come before all others.
    progress : callable, optional
        Called with how many units have their place, and how many there are.

    Returns
    -------
    ndarray of shape (n_units,), int
        Units, the first one best. Those that explain nothing beyond the ones before come last,
        from left to right, and constant ones at the very end.

    Notes
    -----
    With E the second moments that the units taken so far leave, a unit U takes away
    ``trace(pinv(E_UU) (E^2)_UU)``; of one feature that is the squared length of its column of E
    over its diagonal entry. Both matrices are needed within units only, and taking out L (see
    ``residual``) changes them by L and by E L (Farahat, Ghodsi, Kamel 2013): one product of E
    with a vector is what a step costs. Every 64 steps they are found exactly, from an E of the
    features that are left. With p features of one unit each, the whole order costs p^3 / 3
    multiplications at the speed of memory and p^3 at that of BLAS 3.

    References
    ----------
    Farahat, A. K., Ghodsi, A., Kamel, M. S. (2013). Efficient greedy feature selection for
    unsupervised learning. Knowledge and Information Systems 35(2), 285-310.
    https://doi.org/10.1007/s10115-012-0538-1
    """
    n_units = len(protected)
    state = _Gains(spread, unit, n_units)
    candidates = protected.copy() if protected.any() else np.ones(n_units, dtype=bool)
    order: list[int] = []
    while len(order) < n_units:
        gains = np.where(candidates, state.gains, 0.0)
        best = leftmost_largest(gains, state.doubt + state.doubt[gains.argmax()])
        if gains[best] > 0:
            order.append(best)
            candidates[best] = False
            state.take(best)
        else:
            order += _by_variance(spread, unit, candidates)
            candidates = np.ones(n_units, dtype=bool)
            candidates[order] = False
        if progress is not None and (len(order) % 50 == 0 or len(order) == n_units):
            progress(len(order), n_units)
    return np.array(order, dtype=np.intp)


def leftmost_largest(scores: np.ndarray, tie: float | np.ndarray = _TIE) -> int:
    """Return the first position whose score is the largest, but for the share `tie` of it."""
    return int((scores >= scores.max() * (1 - tie)).argmax())


def _by_variance(spread: Spread, unit: np.ndarray, candidates: np.ndarray) -> list[int]:
    """List candidates that explain nothing: those that vary first, each from left to right."""
    varies = np.bincount(unit, weights=spread.variances, minlength=len(candidates)) > 0
    rest = np.flatnonzero(candidates)
    return [*rest[varies[rest]].tolist(), *rest[~varies[rest]].tolist()]


class _Gains:
    """What each unit would explain of what is left, kept up to date as units are taken."""

    def __init__(self, spread: Spread, unit: np.ndarray, n_units: int) -> None:
        self._residual: Residual = spread.residual()
        self._unit = unit
        self._variances = spread.variances
        self._alive = self._variances > 0
        # the variance, of each feature and unit, below which there is only rounding
        self._least = spread.rounding * self._variances
        self._least_of_unit = np.zeros(n_units)
        np.maximum.at(self._least_of_unit, unit, self._least)
        self._members = _by_size(unit, n_units)
        self._tie = max(_TIE, spread.rounding)
        # what each unit would explain, and the share of it that may be rounding
        self.gains = np.zeros(n_units)
        self.doubt = np.full(n_units, self._tie)
        self._measure()

    def take(self, best: int) -> None:
        """Take a unit out of what is left."""
        features = np.flatnonzero((self._unit == best) & self._alive)
        part = self._residual.part(features, self._least_of_unit[best])
        L = part.loadings
        H = self._residual.product(L)
        self._alive[features] = False
        is_full = self._residual.take(part)
        if is_full:
            self._measure()
            return
        inner = L.T @ L
        for i, (_, groups) in enumerate(self._members):
            self._left[i], self._squares[i] = _less(
                self._left[i], self._squares[i], L[groups], H[groups], inner
            )
        self._update()
        if self.gains.max() < _SUNK * self._measured:
            self._measure()

    def _measure(self) -> None:
        """Find E and E^2 within units exactly."""
        if not self._alive.any():
            self.gains[:] = 0.0
            return
        self._residual.refresh(self._alive)
        self._left = [self._residual.entries(groups) for _, groups in self._members]
        self._squares = [self._residual.squares(groups) for _, groups in self._members]
        self._update()
        self._measured = self.gains.max()

    def _update(self) -> None:
        """Find the gains; features of which nothing is left count no more."""
        for (units, groups), left, squares in zip(
            self._members, self._left, self._squares, strict=True
        ):
            variances = np.einsum("ijj->ij", left)
            self._alive[groups] &= variances > self._least[groups]
            if groups.shape[1] == 1:
                alive = self._alive[groups[:, 0]]
                gains = np.zeros(len(units))
                np.divide(squares[:, 0, 0], left[:, 0, 0], out=gains, where=alive)
                # a feature of which little is left is known by so much less
                self.doubt[units] = self._tie + _ROUNDING * np.divide(
                    self._variances[groups[:, 0]],
                    left[:, 0, 0],
                    where=alive,
                    out=np.zeros(len(units)),
                )
            else:
                gains = _gains_of_blocks(
                    left, squares, self._alive[groups], self._least_of_unit[units]
                )
            self.gains[units] = np.maximum(gains, 0.0)


def _less(
    left: np.ndarray, squares: np.ndarray, L: np.ndarray, H: np.ndarray, inner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return E and E^2 within groups after L, with H = E L, is taken out.

    (E - L L^T)^2 = E^2 - L H^T - H L^T + L (L^T L) L^T. `L` and `H` are of the shape
    (n_groups, size, rank).
    """
    if L.shape[1:] == (1, 1):
        squares = squares + (inner[0, 0] * L - 2 * H) * L
        return left - L * L, squares
    across = L.transpose(0, 2, 1)
    mixed = H @ across
    squares = squares - mixed - mixed.transpose(0, 2, 1) + (L @ inner) @ across
    return left - L @ across, squares


def _gains_of_blocks(
    left: np.ndarray, squares: np.ndarray, alive: np.ndarray, least: np.ndarray
) -> np.ndarray:
    """Return trace(pinv(E_UU) (E^2)_UU) of units of one size, shape (n_units,)."""
    known = alive[:, :, None] & alive[:, None, :]
    values, vectors = np.linalg.eigh(left * known)
    along = np.einsum("uji,ujk,uki->ui", vectors, squares * known, vectors, optimize=True)
    gains = np.zeros_like(along)
    np.divide(along, values, out=gains, where=values > least[:, None])
    return gains.sum(axis=1)


def _by_size(unit: np.ndarray, n_units: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the units of each size, and their features, shape (n_such_units, size)."""
    counts = np.bincount(unit, minlength=n_units)
    by_unit = np.argsort(unit, kind="stable")
    starts = np.cumsum(counts) - counts
    found = []
    for size in np.unique(counts[counts > 0]):
        units = np.flatnonzero(counts == size)
        found.append((units, by_unit[starts[units][:, None] + np.arange(size)]))
    return found
