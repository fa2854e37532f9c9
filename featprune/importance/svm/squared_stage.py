"""One problem of a squared loss in its dual: the samples that matter, and their optimum."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from featprune.importance.svm.squared_newton import Losses, approach, solve_dual
from featprune.importance.svm.squared_table import Table, gram

# Up to so many samples, all of them are held.
_SMALL = 256
# Residual of the optimality conditions, relative to the decision values, above which the
# tableau is made anew.
_RESIDUAL = 1e-11
# Share of its terms that a pivot has to be for the rounding of these not to matter.
_TRUSTED = 1e-8


class Stage:
    """The optimum of one problem, on the samples that are active or may soon become so.

    Parameters
    ----------
    table : Table
        The features that are left, shared by all problems.
    losses : Losses
        Of all n samples.

    Attributes
    ----------
    rows : ndarray of shape (m,), int
        Samples held.
    T : ndarray of shape (m, m)
        Tableau as of the last flush; what happened since is in U, UA, scale and swept. See
        :func:`~featprune.importance.svm.kernels.squared_leave.leave`.
    z : ndarray of shape (m,)
        Coefficients of the active samples, decision values of the others.
    side : ndarray of shape (m,), int8

    Notes
    -----
    Memory 8 m^2 bytes, and up to 24 m^2 for a moment while the tableau is made.
    """

    def __init__(self, table: Table, losses: Losses) -> None:
        self.table, self.all = table, losses
        rows = np.arange(table.n)
        if table.n > _SMALL:
            rows = self._near(approach(table, losses))
        self.meter = np.array([0.0, _TRUSTED])
        self.counter = np.zeros(2, dtype=np.int64)
        self.settle(rows)

    @property
    def n_active(self) -> int:
        """Number of active samples."""
        return int(np.count_nonzero(self.side))

    @property
    def beta(self) -> np.ndarray:
        """Coefficients of all n samples."""
        whole = np.zeros(self.table.n)
        whole[self.rows] = np.where(self.side != 0, self.z, 0.0)
        return whole

    def settle(self, rows: np.ndarray) -> None:
        """Solve on some samples, and take in more until those outside agree."""
        sides = np.zeros(self.table.n, dtype=np.int8)
        if hasattr(self, "rows"):
            sides[self.rows] = self.side
        start = sides[rows] if sides.any() else None
        while True:
            losses = self.all.at(rows)
            K = gram(self.table, rows, self.table, rows)
            solution = solve_dual(K, losses, start)
            self._hold(rows, np.diag(K) + 1.0 / (2.0 * losses.box))
            self.side = solution.side
            self.z = np.where(solution.side != 0, solution.beta, solution.f)
            self._fill(K, solution.inverse)
            if solution.residual > 0.0:
                self._warn(solution.residual)
            if len(rows) == self.table.n:
                return
            weights = self.table.project([self.beta])
            f = self.values(weights[:, 0])
            if not self.all.sides(f)[self.outside].any():
                self._refer(weights[:, 0], f)
                return
            sides[rows] = solution.side
            rows = np.union1d(self._near(f), rows)
            start = sides[rows]

    def leave(self, feature: int) -> None:
        """Let a feature leave, as yet alive in the table."""
        from featprune.importance.svm.kernels import squared_leave as kernel

        x = self.table.column(feature)[self.rows]
        h = self._direction(x)
        self.counter[1] = 0
        while True:
            ended = kernel.leave(
                self.T, self.U, self.UA, self.scale, self.swept, x, h, self.z, self.side,
                self.losses.low, self.losses.high, self.ridge, self.size, self.meter,
                self.counter, self.room,
            )  # fmt: skip
            if ended == kernel.DONE:
                return
            if ended == kernel.TROUBLE:
                self.meter[0] = 0.0
                # the table lets it go only when it has left all problems
                self.table.alive[feature] = False
                self.settle(self.rows)
                self.table.alive[feature] = True
                return
            self._flush()
            self.counter[1] = 0

    def values(self, weights: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return decision values of some samples (None: all), given the features' weights."""
        bias = self.table.scale**2 * self.z[self.side != 0].sum()
        return self.table.apply(weights, rows) + bias

    def agree(self, weights: np.ndarray) -> bool:
        """Take in what has become active outside; False if that changed the coefficients.

        Parameters
        ----------
        weights : ndarray of shape (p,)
            Of the present coefficients.

        Notes
        -----
        A sample's value moved since it was last looked at by no more than its length times the
        move of the weights; of these, those of features that left are known and taken off
        exactly. Only samples that might have met a target by that are looked at.
        """
        if len(self.rows) == self.table.n:
            return True
        lost = self.seen_alive & ~self.table.alive
        if lost.any():
            lost = np.flatnonzero(lost)
            self.f -= self.table.combine(lost, self.w[lost])
            self.w[lost] = 0.0
            self.seen_alive[lost] = False
        bias = self.table.scale**2 * self.z[self.side != 0].sum()
        way = float(np.linalg.norm(weights - self.w)) * self.table.lengths()
        way += abs(bias - self.bias)
        near = self.outside[(self.all.gaps(self.f) <= way * (1.0 + 1e-9))[self.outside]]
        if not len(near):
            return True
        if len(near) > len(self.outside) / 4:
            self._refer(weights, self.values(weights))
            wrong = self.all.sides(self.f)[self.outside].any()
        else:
            f = self.values(weights, near)
            wrong = self.all.at(near).sides(f).any()
        if wrong:
            f = self.values(weights)
            self.settle(np.union1d(self._near(f), self.rows))
        return not wrong

    def refresh(self, weights: np.ndarray) -> bool:
        """Flush when it is time, and put right what rounding did; False if more was to do."""
        if self.counter[0] < len(self.scale) // 2:
            return True
        self._flush()
        f = self.values(weights)
        active = self.side != 0
        error = self.losses.targets(self.side) - f[self.rows] - self.ridge * self.z
        error[~active] = 0.0
        size = np.abs(f).max(initial=1.0)
        if np.abs(error).max(initial=0.0) > 100 * _RESIDUAL * size:
            self.settle(self.rows)
            return False
        self.z[~active] = f[self.rows][~active]
        step = self.T @ error
        self.z += np.where(active, step, -step)
        if not np.array_equal(self.losses.sides(f[self.rows], self.side), self.side):
            self.settle(self.rows)
            return False
        if len(self.rows) < self.table.n:
            self._refer(weights, f)
            self._choose_rows(f)
        return bool(np.abs(error).max(initial=0.0) <= _RESIDUAL * size)

    def _warn(self, residual: float) -> None:
        warnings.warn(
            f"LinearSVC did not converge on {int(self.table.alive.sum())} features: "
            f"relative residual {residual:.1e}. Scale the columns or lower C.",
            ConvergenceWarning,
            stacklevel=2,
        )

    def _hold(self, rows: np.ndarray, size: np.ndarray) -> None:
        m = len(rows)
        self.rows, self.losses = rows, self.all.at(rows)
        self.ridge = 1.0 / (2.0 * self.losses.box)
        self.size = size
        terms = int(np.clip(m // 2, 16, 64)) + 2
        self.U, self.UA = np.zeros((2, terms, m))
        self.scale, self.swept = np.zeros(terms), np.full(terms, -1, dtype=np.int64)
        self.counter[:] = 0
        self.room = np.zeros(m)
        outside = np.ones(self.table.n, dtype=bool)
        outside[rows] = False
        self.outside = np.flatnonzero(outside)

    def _fill(self, K: np.ndarray, P: np.ndarray) -> None:
        """Make the tableau of a Gram matrix and the inverse, spread over all samples held."""
        self.T = P
        self.flushed = self.side.copy()
        A, B = np.flatnonzero(self.side), np.flatnonzero(self.side == 0)
        if len(B):
            across = -K[np.ix_(B, A)] @ P[np.ix_(A, A)]
            P[np.ix_(B, A)] = across
            P[np.ix_(A, B)] = across.T
            P[np.ix_(B, B)] = -across @ K[np.ix_(A, B)] - K[np.ix_(B, B)]
            P[B, B] -= self.ridge[B]

    def _flush(self) -> None:
        """Apply all terms to the tableau, as one product; changed samples' columns apart."""
        from featprune.importance.svm.kernels.squared_leave import column

        rank = int(self.counter[0])
        changed = np.unique(self.swept[:rank])
        changed = changed[changed >= 0]
        columns = np.zeros((len(changed), len(self.rows)))
        for i, out in zip(changed, columns, strict=True):
            column(self.T, self.U, self.scale, self.swept, rank, i, out)
        U = self.U[:rank]
        self.T += (U.T * self.scale[:rank]) @ U
        self.T[changed] = columns
        self.T[:, changed] = columns.T
        self.counter[:] = 0
        self.flushed = self.side.copy()

    def _direction(self, x: np.ndarray) -> np.ndarray:
        """``T x`` as of the last flush: ``P x`` of active samples, the rest of x of others."""
        active = np.where(self.flushed != 0, x, 0.0)
        some = np.flatnonzero(active)
        if len(some) < len(x) / 4:
            return active[some] @ self.T[some] + np.where(self.flushed == 0, x, 0.0)
        return self.T @ active + np.where(self.flushed == 0, x, 0.0)

    def _near(self, f: np.ndarray) -> np.ndarray:
        """Samples that are active, and the quarter more that may become so first."""
        way = np.where(self.all.sides(f) != 0, 0.0, self.all.gaps(f) / self.table.lengths())
        count = np.count_nonzero(way == 0.0)
        count += max(64, count // 4)
        if count >= len(way):
            return np.arange(len(way))
        return np.flatnonzero(way <= np.partition(way, count)[count])

    def _refer(self, weights: np.ndarray, f: np.ndarray) -> None:
        """Remember all decision values, with the weights they are of."""
        self.f, self.w = f, weights.copy()
        self.bias = self.table.scale**2 * self.z[self.side != 0].sum()
        self.seen_alive = self.table.alive.copy()

    def _choose_rows(self, f: np.ndarray) -> None:
        """Hold other samples if one outside is nearer than many inside, or too many are held."""
        n_active = self.n_active
        way = self.all.gaps(f) / self.table.lengths()
        inside = way[self.rows[self.side == 0]]
        enough = max(32, n_active // 8)
        crowded = len(self.rows) > 1.5 * n_active + 150
        if not crowded and len(inside) > enough:
            if way[self.outside].min() > np.partition(inside, enough)[enough]:
                return
        rows = np.union1d(self._near(f), self.rows[self.side != 0])
        keep = np.isin(self.rows, rows)
        self.T, self.size = self.T[np.ix_(keep, keep)], self.size[keep]
        self.z, self.side, kept = self.z[keep], self.side[keep], self.rows[keep]
        new = np.setdiff1d(rows, kept)
        self._extend(kept, new, f)

    def _extend(self, kept: np.ndarray, new: np.ndarray, f: np.ndarray) -> None:
        """Add inactive samples to the tableau: ``Q`` of theirs, less what A explains of it."""
        A = np.flatnonzero(self.side)
        across = gram(self.table, new, self.table, kept)
        own = gram(self.table, new, self.table, new)
        own[np.diag_indices(len(new))] += 1.0 / (2.0 * self.all.box[new])
        part = -across[:, A] @ self.T[A]
        B = self.side == 0
        # T of A and B is minus P Q_AB: what is left is minus Q_nB less what A explains of it
        part[:, B] -= across[:, B]
        corner = -part[:, A] @ across[:, A].T - own
        m, k = len(kept), len(new)
        size = np.concatenate([self.size, np.diag(own)])
        rows = np.concatenate([kept, new])
        order = np.argsort(rows)
        T = np.empty((m + k, m + k))
        T[:m, :m], T[m:, :m], T[:m, m:], T[m:, m:] = self.T, part, part.T, corner
        self.T = T[np.ix_(order, order)]
        self.z = np.concatenate([self.z, f[new]])[order]
        self.side = np.concatenate([self.side, np.zeros(k, dtype=np.int8)])[order]
        self._hold(rows[order], size[order])
        self.flushed = self.side.copy()
