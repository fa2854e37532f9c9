"""The optimum of a squared-loss problem of many columns, kept by blocks of changes."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.primal_block import Block
from featprune.importance.svm.primal_model import Model, least_share
from featprune.importance.svm.primal_quadratic import FINE, ROUNDING, inverse_of_ridge
from featprune.importance.svm.primal_table import Table
from featprune.importance.svm.problems import Problem

# Columns that a block is prepared for, points on their way at which is looked which samples will
# have turned, how often, and how much further; what is prepared besides when something is missing.
_AHEAD, _STOPS, _LOOKS, _FURTHER, _MORE = 112, 8, 2, 1.25, 24
# Changes beyond those prepared at its start after which a block ends.
_LATER = 128
# Newton steps for the first model and for one after columns left, and those of them that are
# taken in full; the others are searched along.
_FIRST, _ROUNDS, _PLAIN = 60, 12, 4
# Turns of a sample, on average, while columns fade, after which that is given up.
_TURNS = 4
# Relative gradient at the end of a block beyond which the inverse has lost too many digits.
_WORN = 1e-12
# ... and within a block, beyond which this ends.
_LOST = 1e-7
# Random sums of the gradient's entries that are looked at for each model, and what they may be
# before the entries themselves are.
_SUMS, _ROUGH = 4, 3e-13


class Blocked:
    """Weights and active samples of one problem, as :class:`Model` keeps them for few columns.

    Parameters
    ----------
    table : Table
        Shared by the problems.
    problem : Problem
        With all rows and a squared loss.
    start : ndarray of shape (q,)
        Weights near the optimum.

    Attributes
    ----------
    w : ndarray of shape (q,)
        Weights of the columns that the table holds and, last, of the bias.
    f, side : ndarray of shape (n,)
        Decision values, and 1 where a sample is active under `low`, -1 above `high`, else 0.
    residual : float
        Relative gradient of a model that did not settle, else 0.

    Notes
    -----
    See :class:`~featprune.importance.svm.primal_block.Block`. After a column has left, plain
    Newton steps go on until no sample turns; where they do not come to an end, the column's
    weight is taken away by degrees, and each sample turned where it comes to its kink. At the
    end of a block the inverse is brought up to date, and the weights by the gradient of the
    samples themselves; an inverse that has lost digits is made anew.

    Memory: q^2, and some hundred times n + q.
    """

    w: np.ndarray
    f: np.ndarray
    side: np.ndarray
    residual: float
    block: Block
    # changes at which the block ends
    most: int
    # inverse and diagonal of the Hessian
    inverse: np.ndarray
    curve: np.ndarray
    # random sums: the share of each entry of the gradient, and of each sample's pull
    shares: np.ndarray
    sums: np.ndarray
    # weights, values and sides before columns left in this block, and these
    before: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None

    def __init__(self, table: Table, problem: Problem, start: np.ndarray) -> None:
        self.table, self.problem = table, problem
        self.low, self.high = problem.low, problem.high
        self.force = 1.0 / problem.ridge
        targets = np.abs(np.concatenate([self.low, self.high]))
        # decision values are not told apart more finely than this
        self.grain = 1e-13 * float(targets[np.isfinite(targets)].max())
        self.w, self.residual = start, 0.0
        self.f = table.product(start)
        self.side = self._sides(self.f, np.zeros(table.n, dtype=np.int8))
        self._rebuild()
        self._refine()
        self._begin()
        if not self._newton(_FIRST):
            self._start_over()

    def doubt(self) -> np.ndarray:
        """Return what rounding of its gradient may do to each weight, shape (q,)."""
        return 1e-14 * self._size() * self.inverse.diagonal()

    def leave(self, columns: np.ndarray, coming: np.ndarray) -> None:
        """Let columns go, active samples held.

        Parameters
        ----------
        columns : ndarray of shape (n_gone,), int
        coming : ndarray of shape (n_coming,), int
            Columns that are expected to leave next, in that order.
        """
        missing = columns[self.block.of_column[columns] < 0]
        if self.block.count and self.block.count + len(missing) > self.most:
            self._close()
            self._begin()
        if not self.block.count:
            self._prepare(np.concatenate([columns, coming[: max(0, _AHEAD - len(columns))]]))
            self.most = self.block.count + _LATER
        elif len(missing):
            others = coming[self.block.of_column[coming] < 0]
            self.block.add_columns(np.concatenate([missing, others[:_MORE]]))
        self.before = self.w, self.f, self.side.copy(), columns
        for column in columns:
            at, values = self.table.entries(column)
            self.sums[:, at] -= np.outer(self.shares[:, column], values)
        self.shares[:, columns] = 0.0
        self.block.used[self.block.of_column[columns]] = True
        self.w, self.f = self._optimum()
        self.w[columns] = 0.0

    def settle(self) -> None:
        """Go on until the optimum for the active samples has these active."""
        self.residual = 0.0
        for _ in range(_ROUNDS):
            if not (self._newton(_ROUNDS) or self._fade()):
                break
            if not self._is_rough():
                return
            if not self._correct():
                self._close()
                self._begin()
            elif np.array_equal(self._sides(self.f, self.side), self.side):
                return
        self._start_over()

    def compact(self, keep: np.ndarray) -> None:
        """Forget all but some columns, just before the table does; keep is (p_held,), bool."""
        self._close()
        at = np.append(np.flatnonzero(keep), len(keep))
        self.w, self.curve = self.w[at], self.curve[at]
        self.inverse = self.inverse[np.ix_(at, at)]

    def resume(self, *, measured: bool) -> None:
        """Go on once the table has forgotten columns."""
        self._begin()

    # -- blocks

    def _begin(self) -> None:
        # nothing is prepared yet: what samples turn before is a block of its own
        self.most = 0
        self.before = None
        self.block = Block(self.table, self.problem, self.w, self.f, self.side, self.inverse)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_SUMS, len(self.w)))
        self.shares = signs / self._size()
        self.shares[:, np.append(~self.table.alive, False)] = 0.0
        self.sums = self.table.products(self.shares)

    def _close(self) -> None:
        """Bring inverse and weights up to date, at the optimum for the active samples."""
        rows, sign = self.block.close()
        for part, Z in self.table.blocks(rows):
            self.curve += (sign[part] * self.force[rows[part]]) @ np.square(Z, out=Z)
        self._refine()

    def _prepare(self, columns: np.ndarray) -> None:
        """Prepare for columns leaving in this order, and for the samples that will turn."""
        block, start = self.block, self.side
        block.add_columns(columns)
        for _ in range(_LOOKS):
            turning = np.zeros(self.table.n, dtype=bool)
            for part in np.linspace(0, len(columns), _STOPS + 1).astype(int)[1:]:
                block.used[block.of_column[columns[:part]]] = True
                f = self._optimum()[1]
                turning |= self._sides(self.f + _FURTHER * (f - self.f), self.side) != self.side
                side = self._sides(f, self.side)
                self._turn(np.flatnonzero((side != self.side) & (block.of_row >= 0)), side)
            self._turn(np.flatnonzero(self.side != start), start)
            block.used[:] = False
            rows = np.flatnonzero(turning & (block.of_row < 0))
            if not len(rows):
                break
            block.add_rows(rows[: 2 * _AHEAD])

    # -- one model

    def _optimum(self) -> tuple[np.ndarray, np.ndarray]:
        w, f = self.block.optimum(self.side)
        w = w.copy()
        # exactly 0, whatever rounding has left of them
        w[np.append(~self.table.alive, False)] = 0.0
        return w, f

    def _sides(self, f: np.ndarray, side: np.ndarray) -> np.ndarray:
        """Sides of decision values; on its kink a sample stays what it was."""
        grain = self.grain
        new = (f < np.where(side > 0, self.low + grain, self.low - grain)).astype(np.int8)
        new -= f > np.where(side < 0, self.high - grain, self.high + grain)
        new[self.low == self.high] = 1
        return new

    def _turn(self, rows: np.ndarray, side: np.ndarray) -> None:
        """Give some samples their sides out of those of all."""
        if not len(rows):
            return
        missing = rows[self.block.of_row[rows] < 0]
        if len(missing):
            self.block.add_rows(missing)
        self.block.turn(rows, side[rows])
        self.side = self.side.copy()
        self.side[rows] = side[rows]

    def _newton(self, rounds: int) -> bool:
        """Take up to a number of Newton steps; tells whether the optimum was reached."""
        for step in range(rounds):
            side = self._sides(self.f, self.side)
            turned = np.flatnonzero(side != self.side)
            if not len(turned):
                return True
            self._turn(turned, side)
            w, f = self._optimum()
            if step >= _PLAIN:
                whole, change = w - self.w, f - self.f
                slopes = float(self.w @ whole), float(whole @ whole)
                share = least_share(self.low, self.high, self.force, self.f, change, *slopes)
                w, f = self.w + share * whole, self.f + share * change
            self.w, self.f = w, f
        return False

    def _fade(self) -> bool:
        """Let the columns that left do so by degrees, turning each sample at its kink.

        Tells whether the optimum was reached; that takes the state before, of the same block.
        """
        if self.before is None:
            return False
        self.w, self.f, side, columns = self.before
        self._turn(np.flatnonzero(self.side != side), side)
        weights, gone = self.w[columns], 0.0
        # a sample turns a few times at most, unless rounding turns it for ever
        for _ in range(_TURNS * self.table.n):
            direction, rate = self.block.fading(columns, weights)
            until = self._kinks(rate)
            row = int(np.argmin(until))
            step = min(float(until[row]), 1.0 - gone)
            self.w, self.f = self.w + step * direction, self.f + step * rate
            gone += step
            if gone >= 1.0:
                self.w, self.f = self._optimum()
                return self._newton(_ROUNDS)
            if self.block.of_row[row] < 0:
                near = np.argsort(until)[:_MORE]
                self.block.add_rows(near[(self.block.of_row[near] < 0) & np.isfinite(until[near])])
            side = self.side.copy()
            side[row] = 0 if side[row] else -np.sign(rate[row])
            self._turn(np.array([row]), side)
        return False

    def _kinks(self, rate: np.ndarray) -> np.ndarray:
        """How far each sample is from its kink, at a rate of its value; infinite if it has none."""
        side, up = self.side, rate > 0
        kink = np.where((side > 0) | ((side == 0) & ~up), self.low, self.high)
        meets = np.where(up, side >= 0, side <= 0) & (rate != 0) & (self.low != self.high)
        until = np.full(len(rate), np.inf)
        until[meets] = np.maximum((kink[meets] - self.f[meets]) / rate[meets], 0.0)
        return until

    def _start_over(self) -> None:
        """Solve by other means where all else has failed, and go on from there."""
        model = Model(self.table, self.problem, self.w)
        self.w, self.side, self.residual = model.w, model.side, model.residual
        self.f = self.table.product(self.w)
        self._rebuild()
        self._begin()

    # -- what rounding does

    def _targets(self, active: np.ndarray) -> np.ndarray:
        """Values that active samples are pulled to."""
        return np.where(self.side[active] > 0, self.low[active], self.high[active])

    def _size(self) -> np.ndarray:
        """Bound on the sum over the samples behind each entry of the gradient, shape (q,)."""
        active = np.flatnonzero(self.side)
        targets = self._targets(active)
        return np.sqrt(max(float(self.force[active] @ targets**2), 1e-300) * self.curve)

    def _pull(self) -> np.ndarray:
        """How much each sample pulls its value towards its target, shape (n,)."""
        pull, active = np.zeros(self.table.n), np.flatnonzero(self.side)
        targets = self._targets(active)
        pull[active] = self.force[active] * (targets - self.f[active])
        return pull

    def _gradient(self) -> np.ndarray:
        self.f = self.table.product(self.w)
        return self.w - self.table.project(self._pull())

    def _is_rough(self) -> bool:
        """Tell by random sums whether the gradient is more than rounding; O(n + q)."""
        sums = self.shares @ self.w - self.sums @ self._pull()
        return bool(np.sqrt(np.square(sums).mean()) > _ROUGH)

    def _correct(self) -> bool:
        """Bring the gradient down to rounding within a block; tells whether that was possible."""
        size, last = self._size(), np.inf
        while True:
            gradient = self._gradient()
            residual = float(np.max(np.abs(gradient) / size))
            if residual <= FINE:
                return True
            if residual > last / 10 or residual > _LOST:
                return False
            last = residual
            self.block.correct(gradient)
            self.w, self.f = self._optimum()

    def _refine(self) -> None:
        """Newton steps by the samples' own gradient, until it is down to rounding."""
        last, rebuilt, size = np.inf, False, self._size()
        while True:
            gradient = self._gradient()
            residual = float(np.max(np.abs(gradient) / size))
            stalled = residual > last / 2
            if residual <= 10 * ROUNDING or (stalled and (rebuilt or residual <= FINE)):
                self.residual = residual if residual > FINE else 0.0
                return
            if not rebuilt and residual > _WORN:
                self._rebuild()
                rebuilt = True
            last = residual
            self.w = self.w - self.inverse @ gradient

    def _rebuild(self) -> None:
        """Take the inverse anew, O(m q^2) for m active samples and O(q^3) if these are many."""
        active = np.flatnonzero(self.side)
        Z = np.empty((len(active), len(self.w)))
        for part, rows in self.table.blocks(active):
            np.multiply(rows, np.sqrt(self.force[active[part], None]), out=Z[part])
        self.curve = 1.0 + np.einsum("ij,ij->j", Z, Z)
        self.inverse = inverse_of_ridge(Z)
        dead = np.flatnonzero(~self.table.alive)
        self.inverse[dead, dead] = 0.0
