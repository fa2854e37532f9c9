"""SVM-RFE with a squared loss where samples outnumber features: a Newton that remembers."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from sklearn.exceptions import ConvergenceWarning

from featprune.importance.svm.squared_log import Log
from featprune.importance.svm.squared_newton import Losses, search_line
from featprune.importance.svm.squared_table import Table

# Rows that are copied at a time; a block of them stays in the second-level cache.
_CHUNK = 1024
# Values below which all rows are multiplied anew rather than those that may have changed.
_CHEAP = 50_000
# Residual of the gradient, relative to what it is summed from, that is let pass.
_RESIDUAL = 1e-11
# The same, below which it is rounding.
_ROUNDING = 2e-16


class TallProblem:
    """The optimum of one problem in the primal, with its Hessian and the inverse of that.

    Parameters
    ----------
    table : Table
    losses : Losses
    f : ndarray of shape (n,)
        Decision values to take the first sides from.

    Attributes
    ----------
    w : ndarray of shape (q,)
        Weights of the columns the table holds and, last, of the bias; q is p_held + 1.
    H, G : ndarray of shape (q, q)
        ``I + 2 sum_active C_i x_i x_i'`` and its inverse, 0 for dead columns.
    pull : ndarray of shape (q,)
        ``2 sum_active C_i target_i x_i``; the optimum for these sides is ``G pull``.
    side : ndarray of shape (n,), int8
    f, w_f : ndarray of shape (n,), (q,)
        Decision values, and the weights that gave them.

    Notes
    -----
    With new weights a sample's value differs from `f` by the same shift for all, that of the
    mean sample, and by no more than ``reach_i * |sd * (w - w_f)|``; only samples whose next
    target is within that are multiplied. Memory: 16 q^2 bytes and some arrays of n.
    """

    def __init__(self, table: Table, losses: Losses, f: np.ndarray) -> None:
        self.table, self.losses = table, losses
        self.side = losses.sides(f)
        self.w = np.zeros(len(table.ids) + 1)
        self.f, self.w_f = np.zeros(table.n), self.w.copy()
        self.H, self.pull = np.diag(np.ones(len(self.w))), np.zeros(len(self.w))
        self.fixed = 0.0
        self._sum(np.flatnonzero(self.side), self.side[self.side != 0].astype(float))
        self._measure()
        self._invert()
        self.w = self.G @ self.pull
        self.settle()

    def settle(self) -> None:
        """Change sides and solve, until the optimum for the sides has these sides."""
        last, last_w = np.inf, self.w
        residual = np.inf
        for _ in range(200):
            changed, new = self._changed()
            if not len(changed):
                residual = self._polish()
                if residual <= _RESIDUAL:
                    return
                self._invert()
                continue
            self._change(changed, new)
            worth = self._worth()
            if worth >= last:
                self._between(last_w)
                worth = self._worth()
            last, last_w = worth, self.w.copy()
            self.w -= self.G @ (self.H @ self.w - self.pull)
        warnings.warn(
            f"LinearSVC did not converge on {int(self.table.alive.sum())} features: relative "
            f"residual {residual:.1e}. Scale the columns or lower C.",
            ConvergenceWarning,
            stacklevel=2,
        )

    def _polish(self) -> float:
        """Newton steps for these sides while they help; returns the gradient, relatively."""
        last = np.inf
        for _ in range(5):
            residual = self._correct()
            if residual <= _ROUNDING or residual >= 0.5 * last:
                break
            last = residual
            if len(self.f) * len(self.w) <= _CHEAP:
                self._look_everywhere()
        return residual

    def leave(self, columns: np.ndarray) -> None:
        """Let columns leave: the optimum for the sides without them, O(q^2) a column."""
        gone = self.w_f[columns]
        if gone.any():
            # their part of the decision values goes exactly; what the others do is bounded
            self.f -= self.table.columns[:, columns] @ gone
            self.w_f[columns] = 0.0
            self._distance()
        edge = self.G[columns]
        block = np.linalg.inv(edge[:, columns])
        self.w -= edge.T @ (block @ self.w[columns])
        self.w[columns] = 0.0
        self.G -= edge.T @ (block @ edge)
        for M in (self.G, self.H):
            M[columns] = 0.0
            M[:, columns] = 0.0
        self.pull[columns] = 0.0

    def compact(self, keep: np.ndarray) -> None:
        """Forget dead columns; the table has done so."""
        keep = np.append(keep, True)
        self.w, self.w_f, self.pull = self.w[keep], self.w_f[keep], self.pull[keep]
        self.H, self.G = self.H[np.ix_(keep, keep)], self.G[np.ix_(keep, keep)]
        self._measure()

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """Dense copy of some rows, with the bias's constant."""
        block = self.table.rows[rows]
        Z = np.empty((len(rows), len(self.w)))
        Z[:, :-1] = block.toarray() if sparse.issparse(block) else block
        Z[:, -1] = self.table.scale
        return Z

    def _sum(self, rows: np.ndarray, sides: np.ndarray) -> None:
        """Add the active rows' terms to the Hessian and the pull; sides of -1, 1."""
        alive = np.append(self.table.alive[self.table.ids], True)
        for low in range(0, len(rows), _CHUNK):
            at, side = rows[low : low + _CHUNK], sides[low : low + _CHUNK]
            losses = self.losses.at(at)
            target = losses.targets(side)
            Z = self._rows(at)
            Z *= np.sqrt(2.0 * losses.box)[:, None]
            Z[:, ~alive] = 0.0
            self.H += Z.T @ Z
            self.pull += Z.T @ (np.sqrt(2.0 * losses.box) * target)
            self.fixed += float(losses.box @ target**2)

    def _change(self, rows: np.ndarray, new: np.ndarray) -> None:
        """Give some samples new sides; Hessian, pull and inverse follow."""
        old = self.side[rows]
        alive = np.append(self.table.alive[self.table.ids], True)
        few = len(rows) < len(self.w) / 4
        for low in range(0, len(rows), _CHUNK):
            part = slice(low, low + _CHUNK)
            losses = self.losses.at(rows[part])
            Z = self._rows(rows[part])
            Z[:, ~alive] = 0.0
            before, after = losses.targets(old[part]), losses.targets(new[part])
            weight = 2.0 * losses.box * ((new[part] != 0).astype(float) - (old[part] != 0))
            self.pull += Z.T @ (2.0 * losses.box * (after - before))
            self.fixed += float(losses.box @ (after**2 - before**2))
            turned = weight != 0.0
            Z, weight = Z[turned], weight[turned]
            self.H += (Z.T * weight) @ Z
            if few and len(Z):
                few = self._update_inverse(Z, weight)
        self.side[rows] = new
        if not few:
            self._invert()

    def _update_inverse(self, Z: np.ndarray, weight: np.ndarray) -> bool:
        """Woodbury's formula; False if it would lose too many digits."""
        GZ = self.G @ Z.T
        inner = Z @ GZ
        # of a row that goes, 1 - |weight| z'Gz is what is left of the curvature
        if (1.0 + weight * np.diag(inner)).min() < 1e-6:
            return False
        inner[np.diag_indices(len(Z))] += 1.0 / weight
        self.G -= GZ @ np.linalg.solve(inner, GZ.T)
        return True

    def _invert(self) -> None:
        """Inverse of the Hessian over what is alive, from its Cholesky factor."""
        live = np.flatnonzero(np.diag(self.H) > 0.0)
        # scaled to a unit diagonal, columns of unlike units do no harm
        size = 1.0 / np.sqrt(np.diag(self.H)[live])
        block = np.asfortranarray(self.H[np.ix_(live, live)] * size * size[:, None])
        factor, failed = lapack.dpotrf(block, lower=1, overwrite_a=1)
        if failed:
            raise FloatingPointError(
                "The Hessian is not positive definite in float64: its columns depend on each "
                "other and C is too large. Lower C, or scale the columns."
            )
        half = np.tril(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
        half += np.tril(half, -1).T
        self.G = np.zeros_like(self.H)
        self.G[np.ix_(live, live)] = half * size * size[:, None]

    def _correct(self) -> float:
        """One Newton step for these sides; returns the gradient that it met, relatively."""
        if np.array_equal(self.w, self.w_f):
            # from the samples' residuals, which cancel less than the sums do
            force = 2.0 * self.losses.box * (self.side != 0)
            force *= self.losses.targets(self.side) - self.f
            gradient = self.w.copy()
            gradient[:-1] -= self.table.columns.T @ force
            gradient[-1] -= self.table.scale * force.sum()
            gradient[:-1][~self.table.alive[self.table.ids]] = 0.0
        else:
            gradient = self.H @ self.w - self.pull
        root = np.sqrt(np.diag(self.H))
        size = root * (root @ np.abs(self.w)) + np.abs(self.pull)
        residual = float(np.max(np.abs(gradient) / np.maximum(size, 1e-300)))
        self.w -= self.G @ gradient
        return residual

    def _worth(self) -> float:
        """Objective at the weights, if the sides are theirs."""
        return 0.5 * float(self.w @ (self.H @ self.w)) - float(self.pull @ self.w) + self.fixed

    def _between(self, start: np.ndarray) -> None:
        """Go back to the best weights between a start and the present ones."""
        end = self.w
        self.w = start
        self._look_everywhere()
        f = self.f
        self.w = end
        self._look_everywhere()
        d = end - start
        t = search_line(f, self.f - f, float(start @ d), float(d @ d), self.losses)
        self.w = start + t * d
        self._look_everywhere()
        new = self.losses.sides(self.f)
        changed = np.flatnonzero(new != self.side)
        self._change(changed, new[changed])

    def _measure(self) -> None:
        """Means and deviations of the columns, and each row's length in these units."""
        X = self.table.rows
        n = max(len(self.f), 1)
        if len(self.f) * len(self.w) <= _CHEAP:
            self._look_everywhere()
            return
        self.mean = np.asarray(X.sum(axis=0)).ravel() / n
        if sparse.issparse(X):
            squares = X.multiply(X)
            second = np.asarray(squares.sum(axis=0)).ravel() / n
        else:
            second = np.einsum("ij,ij->j", X, X) / n
        spread = np.sqrt(np.maximum(second - self.mean**2, 1e-12 * second))
        self.spread = np.where(spread > 0.0, spread, 1.0)
        inverse = self.spread**-2.0
        inverse[second == 0.0] = 0.0
        if sparse.issparse(X):
            length = squares @ inverse
        else:
            length = np.empty(len(X))
            for low in range(0, len(X), _CHUNK):
                length[low : low + _CHUNK] = X[low : low + _CHUNK] ** 2 @ inverse
        length += -2.0 * (X @ (inverse * self.mean)) + inverse @ self.mean**2
        self.reach = np.sqrt(np.maximum(length, 0.0) + 1e-9 * len(self.mean))
        self._look_everywhere()

    def _look_everywhere(self) -> None:
        """Decision values of all samples at the present weights, O(n q)."""
        self.f = self.table.rows @ self.w[:-1] + self.table.scale * self.w[-1]
        self.w_f = self.w.copy()
        self._distance()

    def _distance(self) -> None:
        """How far each sample is from its next change of side; negative if it is due."""
        inner = np.where(self.side > 0, self.losses.low - self.f, self.f - self.losses.high)
        outer = np.minimum(self.f - self.losses.low, self.losses.high - self.f)
        self.gap = np.where(self.side != 0, inner, outer)
        self.gap[self.losses.low == self.losses.high] = np.inf

    def _changed(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples whose side is not what the weights say, and their sides."""
        n = len(self.f)
        if n * len(self.w) > _CHEAP:
            d = self.w - self.w_f
            shift = float(self.mean @ d[:-1] + self.table.scale * d[-1])
            way = self.reach * float(np.linalg.norm(self.spread * d[:-1])) + abs(shift)
            near = np.flatnonzero(self.gap <= way * (1.0 + 1e-9) + 1e-12)
            if len(near) <= n / 8:
                X = self.table.rows[near]
                f = X @ self.w[:-1] + self.table.scale * self.w[-1]
                new = self.losses.at(near).sides(f, self.side[near])
                moved = new != self.side[near]
                return near[moved], new[moved]
        self._look_everywhere()
        new = self.losses.sides(self.f, self.side)
        changed = np.flatnonzero(new != self.side)
        return changed, new[changed]


def follow_tall(
    table: Table, losses: list[Losses], held: Table | None, log: Log, values: np.ndarray
) -> None:
    """Follow the primal to the end of the path.

    Parameters
    ----------
    table : Table
    losses : list of Losses
    held : Table or None
        Held-out rows.
    log : Log
        Is written to.
    values : ndarray of shape (n_problems, n)
        Decision values near each problem's optimum.

    Notes
    -----
    Units of one step leave at once. O(q^2) for a feature, O(q^2) for a sample that changes
    sides, and passes over the rows that may have changed.
    """
    for each in (table, held):
        if each is not None:
            each.compact(0.0)
    problems = [TallProblem(table, *pair) for pair in zip(losses, values, strict=True)]
    while True:
        weights = np.zeros((len(table.alive), len(problems)))
        weights[table.ids] = np.column_stack([problem.w[:-1] for problem in problems])
        if not log.sizes:
            log.importances[:] = np.square(weights).sum(axis=1)
        decisions = None
        if held is not None:
            decisions = held.apply(weights)
            decisions += table.scale * np.array([problem.w[-1] for problem in problems])
        if not log.model(decisions):
            return
        features = log.choose(weights)
        for problem in problems:
            problem.leave(table.place[features])
        for each in (table, held):
            if each is not None:
                each.drop(features)
        keep = table.alive[table.ids]
        if table.compact():
            if held is not None:
                held.compact()
            for problem in problems:
                problem.compact(keep)
        for problem in problems:
            problem.settle()
