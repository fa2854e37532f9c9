"""The optimum of one squared-loss problem in the primal, kept while features leave."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.primal_quadratic import FINE, ROUNDING, Quadratic
from featprune.importance.svm.primal_table import Table
from featprune.importance.svm.problems import Problem

# Newton steps for a model; after the first few, each is searched along. More than some tens
# are only taken on a detour by way of smaller C, of at least a share of the true one.
_SOME, _ROUNDS, _PLAIN = 40, 200, 10
_LEAST = 1e-12
# Share of the rows from which all are multiplied rather than those that may have changed, and
# number of columns from which all are multiplied rather than these taken off.
_MANY_ROWS, _MANY_COLUMNS = 0.25, 8
# n q up to which every model is checked against the samples, and how much a weight's variance
# may be inflated by the other columns before it is: beyond, the Hessian's rounding shows.
_CHEAP, _INFLATION = 200_000, 1e4


class Model:
    """Weights and active samples of one problem.

    Parameters
    ----------
    table : Table
        Shared by the problems.
    problem : Problem
        With all rows and a squared loss.
    start : ndarray of shape (q,), optional
        Weights to start from, else 0.

    Attributes
    ----------
    w : ndarray of shape (q,)
        Weights of the columns that the table holds and, last, of the bias; replaced, never
        changed in place. A dead column's weight is 0.
    residual : float
        Relative gradient (`Quadratic.relative`) of a model that did not settle, else 0.
    quadratic : Quadratic
        The objective for the active samples.
    side : ndarray of shape (n,), int8
        1 where a sample is active under `low`, -1 above `high`, 0 where it has no loss.
    f, down, up : ndarray of shape (n,)
        Decision values, each as of its own time, and within what they leave `side` as it is.

    Notes
    -----
    `path` is how far the weights have gone in all (`Table.length`); row i, looked at when
    that was ``at[i]``, is on its side for sure until `path` reaches
    ``due[i] = at[i] + min(up[i] - f[i], f[i] - down[i]) / reach[i]``. Only rows that are due
    are multiplied. Memory: 16 q^2 bytes, and some arrays of n.
    """

    def __init__(self, table: Table, problem: Problem, start: np.ndarray | None = None) -> None:
        self.table = table
        self.low, self.high = problem.low, problem.high
        self.full_force = self.force = 1.0 / problem.ridge
        self.share = 1.0
        self.one_target = self.low == self.high
        targets = np.abs(np.concatenate([self.low, self.high]))
        # decision values are not told apart more finely than this
        self.grain = 1e-13 * float(targets[np.isfinite(targets)].max())
        q, n = len(table.ids) + 1, table.n
        self.w = np.zeros(q) if start is None else start
        self.residual = 0.0
        self.quadratic = Quadratic(q)
        self.side = np.zeros(n, dtype=np.int8)
        # no value is right until each row has been given its side
        self.down, self.up = np.full(n, np.inf), np.full(n, -np.inf)
        self.at, self.due = np.zeros(n), np.zeros(n)
        self.settle(careful=True, check=True)

    def settle(self, *, careful: bool = False, check: bool = False) -> None:
        """Newton steps until the optimum for the active samples has these active.

        Parameters
        ----------
        careful : bool
            Search along every step, not only where plain ones do not come to an end.
        check : bool
            Look at every row, and compare with the samples' own gradient even if that is dear.
        """
        self.residual = 0.0
        if check:
            self._look()
        check = check or self._wants_check()
        if not (self._try(_SOME, careful=careful, check=check) or self._detour(1.0)):
            self._look()
            self.residual = self.quadratic.relative(self._gradient())

    def _try(self, rounds: int, *, careful: bool, check: bool) -> bool:
        """Take Newton steps, up to a number; tells whether the optimum was reached."""
        last, rebuilt = np.inf, False
        for step in range(rounds):
            moved = self._follow()
            if not moved and check and self.seen is not self.w:
                self._look()
                moved = self._follow()
            if moved:
                start = self.w
                self._go(self.quadratic.solve(self.w))
                if careful or step >= _PLAIN:
                    self._search(start)
                    check = True
                continue
            if not check:
                return True
            gradient = self._gradient()
            self.quadratic.mend(self.w, gradient)
            residual = self.quadratic.relative(gradient)
            stalled = residual > last / 2
            if residual <= ROUNDING or (stalled and residual <= FINE):
                return True
            if stalled and rebuilt:
                return False
            if stalled:
                self._rebuild()
                rebuilt = True
            last = residual
            self._go(self.w - self.quadratic.inverse @ gradient)
        return False

    def _detour(self, share: float) -> bool:
        """Settle at a share of C from the optimum at a tenth of it, which is found likewise.

        Where the samples are nearly separable and C is large, Newton steps from afar come to
        nothing; those from the optimum at a C that is not far do not.
        """
        if share < _LEAST:
            return False
        self._weigh(share / 10.0)
        if not self._try(_SOME, careful=True, check=True):
            self._detour(share / 10.0)
        self._weigh(share)
        return self._try(_ROUNDS, careful=True, check=True)

    def _weigh(self, share: float) -> None:
        """Go over to a share of C, with the weights and active samples held."""
        self.force = share * self.full_force
        self.quadratic.scale(share / self.share)
        self.share = share

    def leave(self, columns: np.ndarray, coming: np.ndarray) -> None:
        """Let columns go, active samples held: exact, and O(q^2) a column.

        Which ones are `coming` is of no use here; :class:`Blocked` prepares for them.
        """
        gone = self.w[columns]
        w = self.quadratic.leave(self.w, columns)
        if len(columns) > _MANY_COLUMNS:
            self.w = w
            self._look()
            return
        # what the others do is bounded, the part of those that go is taken off exactly
        change = w - self.w
        change[columns] = 0.0
        self.path += self.table.length(change)
        self.w = w
        for column, weight in zip(columns, gone, strict=True):
            at, values = self.table.entries(column)
            self.f[at] -= weight * values
            self._plan(at)

    def compact(self, keep: np.ndarray) -> None:
        """Forget all but some columns, just before the table does; keep is (p_held,), bool."""
        at = np.append(np.flatnonzero(keep), len(keep))
        self.w = self.w[at]
        self.quadratic.compact(at)

    def resume(self, *, measured: bool) -> None:
        """Go on once the table has forgotten columns; `measured` as `Table.compact` tells."""
        if measured:
            self.settle(check=True)

    def doubt(self) -> np.ndarray:
        """Return what rounding of its gradient may do to each weight, shape (q,)."""
        return self.quadratic.doubt()

    def _wants_check(self) -> bool:
        if self.table.n * len(self.w) <= _CHEAP:
            return True
        return self.quadratic.inflation() > _INFLATION

    def _go(self, w: np.ndarray) -> None:
        self.path += self.table.length(w - self.w)
        self.w = w

    def _look(self) -> None:
        """Decision values of all rows at the present weights, O(n q)."""
        self.f = self.table.product(self.w)
        self.at[:] = self.path = 0.0
        self.seen = self.w
        self._plan(slice(None))

    def _plan(self, at: slice | np.ndarray) -> None:
        """Set when some rows are due."""
        f = self.f[at]
        room = np.minimum(self.up[at] - f, f - self.down[at])
        room /= self.table.reach[at]
        self.due[at] = self.at[at] + room

    def _follow(self) -> bool:
        """Bring the active samples up to date with the weights; tells whether any changed."""
        near = np.flatnonzero(self.due <= self.path)
        if self.seen is not self.w and len(near) > _MANY_ROWS * len(self.due):
            self._look()
            near = np.flatnonzero(self.due <= self.path)
        if self.seen is not self.w and len(near):
            self.f[near] = self.table.product_at(near, self.w)
            self.at[near] = self.path
        f = self.f[near]
        # on the kink a sample stays what it was, or rounding could turn it for ever
        moved = (f < self.down[near] - self.grain) | (f > self.up[near] + self.grain)
        if moved.any():
            self._turn(near[moved])
        self._plan(near)
        return bool(moved.any())

    def _targets(self, rows: np.ndarray, side: np.ndarray) -> np.ndarray:
        return np.where(side > 0, self.low[rows], np.where(side < 0, self.high[rows], 0.0))

    def _turn(self, rows: np.ndarray) -> None:
        """Give rows the sides of their decision values, and the quadratic their terms."""
        old, f = self.side[rows], self.f[rows]
        low, high = self.low[rows], self.high[rows]
        new = (f < low).astype(np.int8) - (f > high)
        # equal targets leave no flat part: one side for all, so that nothing ever changes
        one = self.one_target[rows]
        new[one] = 1
        self.side[rows] = new
        self.down[rows] = np.where(one | (new > 0), -np.inf, np.where(new < 0, high, low))
        self.up[rows] = np.where(one | (new < 0), np.inf, np.where(new > 0, low, high))
        before, after = self._targets(rows, old), self._targets(rows, new)
        force = self.force[rows]
        curve = force * ((new != 0) * 1.0 - (old != 0))
        self.quadratic.square += float(force @ (after**2 - before**2))
        self.quadratic.add(len(rows), self.table.blocks(rows), force * (after - before), curve)

    def _gradient(self) -> np.ndarray:
        """Gradient from the samples' own losses, O(n q), all rows seen at these weights."""
        loss = np.maximum(self.low - self.f, 0.0) - np.maximum(self.f - self.high, 0.0)
        return self.w - self.table.project(self.force * loss)

    def _rebuild(self) -> None:
        """Sum the quadratic anew, O(n q^2)."""
        self.quadratic = Quadratic(len(self.w))
        rows = np.flatnonzero(self.side)
        force, target = self.force[rows], self._targets(rows, self.side[rows])
        self.quadratic.square = float(force @ target**2)
        self.quadratic.add(len(rows), self.table.blocks(rows), force * target, force)

    def _search(self, start: np.ndarray) -> None:
        """Go back to the best point between a start and the present weights."""
        before = self.f.copy() if self.seen is start else self.table.product(start)
        whole = self.w - start
        self._look()
        change = self.f - before
        share = least_share(
            self.low,
            self.high,
            self.force,
            before,
            change,
            float(start @ whole),
            float(whole @ whole),
        )
        if share < 1.0:
            self.w = start + share * whole
            self._look()


def least_share(
    low: np.ndarray,
    high: np.ndarray,
    force: np.ndarray,
    f: np.ndarray,
    change: np.ndarray,
    linear: float,
    square: float,
) -> float:
    """Where from 0 to 1 the objective is least; its slope is piecewise linear. O(n)."""
    least, most, t = 0.0, 1.0, 1.0
    for _ in range(60):
        value = f + t * change
        under, over = np.maximum(low - value, 0.0), np.maximum(value - high, 0.0)
        slope = linear + square * t + float((force * (over - under)) @ change)
        if t == 1.0 and slope <= 0.0:
            break
        least, most = (t, most) if slope < 0.0 else (least, t)
        active = (under > 0.0) | (over > 0.0)
        step = slope / (square + float((force * active) @ change**2))
        if abs(step) <= 1e-14 * t:
            break
        t = t - step if least < t - step < most else 0.5 * (least + most)
    return t
