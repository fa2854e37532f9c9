"""A squared-loss optimum, with the changes since some base that a small system stands for."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.primal_quadratic import add_product
from featprune.importance.svm.primal_table import Table
from featprune.importance.svm.problems import Problem

# Changes that there is room for at first.
_ROOM = 256


class Block:
    """Samples that turn and columns that leave, prepared many at a time.

    Parameters
    ----------
    table : Table
    problem : Problem
    w, f, side : ndarray of shape (q,), (n,), (n,)
        The optimum at the base, its decision values and which samples are active (as in
        :class:`~featprune.importance.svm.primal_model.Model`); copied.
    inverse : ndarray of shape (q, q)
        Of the Hessian of the active samples; not copied and not changed until `close`.

    Attributes
    ----------
    count : int
        Changes that are prepared.
    used : ndarray of shape (>= count,), bool
        Those that are in force.
    of_row, of_column : ndarray of shape (n,), (q,), int
        The change that stands for a sample turning or a column leaving; -1 if not prepared.

    Notes
    -----
    With Q the inverse at the base, each change is a vector v: a sample z that becomes active,
    -z for one that no longer is, the unit vector of a column that leaves. With V those in
    force, the optimum is ``w0 - Q V s`` where ``(V' Q V + E) s = V' w0 - t``: E is 1 / (2 C),
    with the sign of z, for a sample and 0 for a column, t is the sample's target, with that
    sign, and the column's weight, 0. The decision values are ``f0 - Z Q V s``.

    A column costs O(n q), a sample O(n q + q^2), at the speed of matrix products if there are
    many, and each optimum O(c (n + q) + c^3) for c changes. Memory: c (n + q).
    """

    def __init__(
        self,
        table: Table,
        problem: Problem,
        w: np.ndarray,
        f: np.ndarray,
        side: np.ndarray,
        inverse: np.ndarray,
    ) -> None:
        self.table, self.inverse = table, inverse
        self.low, self.high, self.ridge = problem.low, problem.high, problem.ridge
        self.w, self.f, self.side = w.copy(), f.copy(), side.copy()
        self.count = 0
        self.of_row, self.of_column = np.full(len(f), -1), np.full(len(w), -1)
        # of each change: the row or column, the sign of a sample or 0, Q v and Z Q v
        self.at, self.sign = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.used = np.zeros(0, dtype=bool)
        self.directions, self.values = np.empty((0, len(w))), np.empty((0, len(f)))
        self.small = np.zeros((0, 0))
        self._make_room(_ROOM)

    def add_columns(self, columns: np.ndarray) -> None:
        """Prepare columns that have not been."""
        new = self._new(columns)
        self.of_column[columns] = np.arange(new.start, new.stop)
        self.directions[new] = self.inverse[columns]
        self._cross(new)

    def add_rows(self, rows: np.ndarray) -> None:
        """Prepare samples that have not been."""
        new = self._new(rows)
        self.of_row[rows] = np.arange(new.start, new.stop)
        self.sign[new] = np.where(self.side[rows] != 0, -1.0, 1.0)
        directions, sign = self.directions[new], self.sign[new, None]
        for part, Z in self.table.blocks(rows, with_dead=True):
            np.matmul(sign[part] * Z, self.inverse, out=directions[part])
        self._cross(new)

    def turn(self, rows: np.ndarray, side: np.ndarray) -> None:
        """Give prepared samples a side; O(n + q) for each that goes over to the other target."""
        changes, base = self.of_row[rows], self.side[rows]
        across = np.flatnonzero(base * side < 0)
        for row, new, change in zip(rows[across], side[across], changes[across], strict=True):
            # still active: only the base's pull is another
            target = self._targets(row, new) - self._targets(row, -new)
            self.w -= target / self.ridge[row] * self.directions[change]
            self.f -= target / self.ridge[row] * self.values[change]
            self.side[row] = new
        self.used[changes] = (side != 0) != (base != 0)

    def _targets(self, rows: np.ndarray, side: np.ndarray) -> np.ndarray:
        """Return the values that samples on a side are pulled to."""
        return np.where(side > 0, self.low[rows], self.high[rows])

    def optimum(self, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (q,) and values (n,) of the optimum for the changes in force.

        Parameters
        ----------
        side : ndarray of shape (n,)
            Present sides.
        """
        used = np.flatnonzero(self.used)
        if not len(used):
            return self.w, self.f
        at, sign = self.at[used], self.sign[used]
        is_row = sign != 0.0
        right = np.empty(len(used))
        right[~is_row] = self.w[at[~is_row]]
        rows = at[is_row]
        sides = np.where(sign[is_row] > 0, side[rows], self.side[rows])
        right[is_row] = sign[is_row] * (self.f[rows] - self._targets(rows, sides))
        direction, rate = self._along(used, self._solve(used, right))
        return self.w + direction, self.f + rate

    def fading(self, columns: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how weights (q,) and values (n,) move while columns lose all of their weight."""
        used = np.flatnonzero(self.used)
        right = np.zeros(len(used))
        right[np.searchsorted(used, self.of_column[columns])] = weights
        return self._along(used, self._solve(used, right))

    def correct(self, gradient: np.ndarray) -> None:
        """Take a Newton step at the base for what rounding has left of the gradient, (q,)."""
        step = self.inverse @ gradient
        self.w -= step
        self.f -= self.table.product(step)

    def close(self) -> tuple[np.ndarray, np.ndarray]:
        """Bring the inverse up to date; the block is of no use afterwards. O(c q^2).

        Returns
        -------
        rows, sign : ndarray of shape (n_turned,)
            Samples that have become active, 1, or are no longer so, -1.
        """
        used = np.flatnonzero(self.used)
        directions = self.directions[used]
        add_product(self.inverse, -directions.T, self._solve(used, directions))
        at, sign = self.at[used], self.sign[used]
        gone = at[sign == 0.0]
        self.inverse[gone] = 0.0
        self.inverse[:, gone] = 0.0
        return at[sign != 0.0], sign[sign != 0.0]

    def _along(self, used: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # one pass over all that is prepared is faster than taking those in force out of it
        steps = np.zeros(self.count)
        steps[used] = -s
        return steps @ self.directions[: self.count], steps @ self.values[: self.count]

    def _solve(self, used: np.ndarray, right: np.ndarray) -> np.ndarray:
        small = self.small[np.ix_(used, used)]
        at, sign = self.at[used], self.sign[used]
        rows = np.flatnonzero(sign)
        small[rows, rows] += sign[rows] * self.ridge[at[rows]]
        return np.linalg.solve(small, right)

    def _new(self, at: np.ndarray) -> slice:
        new = slice(self.count, self.count + len(at))
        if new.stop > len(self.at):
            self._make_room(max(len(at), _ROOM))
        self.at[new] = at
        self.count = new.stop
        return new

    def _make_room(self, more: int) -> None:
        self.at = np.append(self.at, np.zeros(more, dtype=np.int64))
        self.sign = np.append(self.sign, np.zeros(more))
        self.used = np.append(self.used, np.zeros(more, dtype=bool))
        self.directions = np.pad(self.directions, ((0, more), (0, 0)))
        self.values = np.pad(self.values, ((0, more), (0, 0)))
        self.small = np.pad(self.small, ((0, more), (0, more)))

    def _cross(self, new: slice) -> None:
        """Fill in ``Z Q v`` of new changes, and ``v' Q v`` of these with all."""
        self.values[new] = self.table.products(self.directions[new])
        sign, at = self.sign[: self.count], self.at[: self.count]
        is_row = sign != 0.0
        across = np.empty((new.stop - new.start, self.count))
        across[:, is_row] = sign[is_row] * self.values[new][:, at[is_row]]
        across[:, ~is_row] = self.directions[new][:, at[~is_row]]
        self.small[new, : self.count] = across
        self.small[: self.count, new] = across.T
