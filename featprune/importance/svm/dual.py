"""Linear machines in their dual: the optimum followed while features leave, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import blas

from featprune.importance.svm import dual_list, dual_optimum
from featprune.importance.svm import dual_setup as setup
from featprune.importance.svm.dual_start import near_optimum
from featprune.importance.svm.dual_state import (
    ALIVE,
    BAD,
    BETA,
    COUNTS,
    FEW,
    RESTING,
    SPARE,
)
from featprune.importance.svm.problems import Problem

# Steps that are taken before looking up: of few rows, of many.
_STEPS_OF_FEW, _STEPS_OF_MANY = 256, 64
# Share of the kernel's trace after whose loss it is computed anew.
_STALE = 0.875
# Features after which rounding is cleared away.
_REFRESH = 512


class Dual:
    """A linear machine at the optimum of its dual, on the units that are left.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
    problems : list of Problem
    scale : float or None
        Value of the constant feature that stands for a penalised bias; None for a free bias.
    unit : ndarray of shape (n_features,), int
    protected : ndarray of shape (n_units,), bool
    held_out : ndarray or sparse matrix of shape (n_held_out, n_features), optional

    Attributes
    ----------
    T, P, C, H : Table, Problems, Course, HeldOut
        See `dual_state`.
    order : ndarray of shape (n,), int
        Row of X that each row of the table is.
    left : int
        Units that are left.

    Notes
    -----
    Memory: one copy of X, one n x n matrix (two up to 512 rows), and an inverse a problem of
    the size of its free rows.
    """

    def __init__(
        self,
        X: Any,
        problems: list[Problem],
        *,
        scale: float | None,
        unit: np.ndarray,
        protected: np.ndarray,
        held_out: Any = None,
    ) -> None:
        n_features = X.shape[1]
        bordered = scale is None
        self.scale = 0.0 if scale is None else scale
        self.order = order = setup.sort_rows(problems, X.shape[0])
        self.T = setup.make_table(X, order, unit, centred=bordered)
        n = X.shape[0] if not len(self.T.XT) else self.T.XT.shape[1]
        self.P = setup.make_problems(problems, order, n, n_features, scale)
        self.C = setup.make_course(self.T, self.P, self.scale)
        self.protected = protected
        self.owner = unit
        self.left = len(protected)
        self.n, self.n_features = n, n_features
        self.is_noting = held_out is not None
        self.H = setup.make_held_out(self.T, held_out, n, self.scale)
        self.work = np.zeros((7, n + 2))
        self.B = np.zeros((len(problems), n))
        self.C.way[SPARE] = _STALE * self._trace()
        self.since = 0
        self.C = dual_list.renew_metric(self.T, self.C, unit)
        if n > FEW:
            self._start_near(X, problems, scale)
        self._settle_all()

    def _start_near(self, X: Any, problems: list[Problem], scale: float | None) -> None:
        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        for k, problem in enumerate(problems):
            rows = place[problem.rows]
            whole = len(rows) == self.n and np.array_equal(rows, np.arange(self.n))
            K = self.C.K if whole else self.C.K[np.ix_(rows, rows)]
            part = X if len(rows) == X.shape[0] else X[problem.rows]
            self.P.V[k, BETA, rows] = near_optimum(part, problem, scale, K)

    # -- what the machine is like --------------------------------------------------------

    def features_left(self) -> np.ndarray:
        """Return the features of the units that are left."""
        return np.flatnonzero(~self.C.gone[self.owner])

    def criteria(self, features: np.ndarray) -> np.ndarray:
        """Return the sum over problems of squared weights; O(n n_features n_problems)."""
        weights = self.weights(features)
        return np.square(weights[:, 0]) if weights.shape[1] == 1 else (weights**2).sum(axis=1)

    def weights(self, features: np.ndarray) -> np.ndarray:
        """Return the weights of features, (n_features, n_problems)."""
        betas = self.P.V[:, BETA].T
        if not len(self.T.XT):
            return setup.sparse_rows(self.T, self.n)[features] @ betas
        if 2 * len(features) > len(self.T.XT):
            return (self.T.XT @ betas)[features]
        return self.T.XT[features] @ betas

    def constants(self) -> np.ndarray:
        """Return the weights of the constant feature that stands for the bias, (n_problems,)."""
        return self.scale * self.P.V[:, BETA].sum(axis=1)

    def unit_criteria(self) -> np.ndarray:
        """Return the criterion of each unit, 0 of those that are gone."""
        features = self.features_left()
        values = self.criteria(features)
        return np.bincount(self.owner[features], values, minlength=len(self.protected))

    def decisions(self) -> np.ndarray:
        """Return the decision values of the rows held out, (n_held_out, n_problems)."""
        return self.H.K @ self.P.V[:, BETA].T + dual_optimum.biases(self.P)

    def n_active(self) -> int:
        """Return the largest number of rows of nonzero coefficient in a problem."""
        return int(np.count_nonzero(self.P.V[:, BETA], axis=1).max())

    # -- what happens to it --------------------------------------------------------------

    def run(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Let up to `steps` units leave one by one.

        Returns
        -------
        order : ndarray of shape (n_left,), int
            At least one unit.
        criterion : ndarray of shape (n_left,)
        decisions : ndarray of shape (n_left, n_held_out, n_problems) or None
            Of the models because of which they left.
        """
        from featprune.importance.svm.kernels import dual_run as kernel

        steps = min(steps, _STEPS_OF_FEW if self.n <= FEW else _STEPS_OF_MANY)
        decisions = np.empty((steps, len(self.H.K), len(self.P.V)))
        order, criterion = np.empty(steps, dtype=np.int64), np.empty(steps)
        for _ in range(2):
            taken, why = kernel.run(
                self.T, self.P, self.C, self.H, decisions, order, criterion, steps,
                self.work, self.B,
            )  # fmt: skip
            if taken or why == kernel.FULL:
                break
            units = self._candidates()
            dual_list.make_list(self.T, self.P, self.C, units, self.unit_criteria()[units])
        if not taken:
            return self.leave_weakest(1)
        self.left -= taken
        self._flush(order[:taken])
        return order[:taken], criterion[:taken], decisions[:taken] if self.is_noting else None

    def leave_weakest(self, take: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Let the `take` weakest units leave because of the present model; returns as `run`."""
        from featprune.importance.svm.kernels.dual_run import remove_units

        scores = self.unit_criteria()
        units = self._candidates()
        units = units[np.lexsort((-units, scores[units]))][:take]
        decisions = self.decisions()[None] if self.is_noting else None
        n_features = int((self.T.first[units + 1] - self.T.first[units]).sum())
        self.left -= len(units)
        # One by one is the shorter way if they are few against what there is to follow.
        if n_features <= min(len(self.C.rest), self.n // 8 + 1):
            self._take_off_rest()
            remove_units(self.T, self.P, self.C, self.H, units, self.work)
            self._flush(units)
        else:
            self._remove_at_once(units)
        return units, scores[units], decisions

    def _remove_at_once(self, units: np.ndarray) -> None:
        self._take_off_rest()
        if not len(self.T.XT):
            alive = self.C.alive[: self.C.count[ALIVE]]
            alive = alive[~np.isin(alive, self._features_of(units))]
            self.C.alive[: len(alive)], self.C.count[ALIVE] = alive, len(alive)
        self.C.gone[units] = True
        features = self._features_of(units)
        if 2 * len(features) < len(self.features_left()):
            gone = setup.kernel(self.T, features, self.n)
            self.C.K[...] -= gone
            self.C.way[SPARE] -= np.trace(gone)
            self.H.K[...] -= setup.held_kernel(self.T, self.H, features, self.n)
        else:
            self._renew_kernels()
        self.since += len(features)
        self._refresh()

    def _features_of(self, units: np.ndarray) -> np.ndarray:
        first = self.T.first
        if len(self.T.features) == len(self.protected):
            return self.T.features[first[units]]
        return np.concatenate([self.T.features[first[u] : first[u + 1]] for u in units])

    def _flush(self, units: np.ndarray) -> None:
        """Take the features that left off the kernel, and clear rounding away when due."""
        from featprune.importance.svm.kernels import dual_run as kernel

        self.since += len(self._features_of(units))
        if 2 * self.C.count[RESTING] >= len(self.C.rest):
            self._take_off_rest()
        due = self.since >= _REFRESH or kernel.worn(self.P.V)
        if due or self.P.S[:, COUNTS, BAD].any() or self.C.way[SPARE] < 0.0:
            self._refresh()

    def _take_off_rest(self) -> None:
        if not self.C.count[RESTING]:
            return
        part = self.C.rest[: self.C.count[RESTING]].T
        # in place: a product of its own would be a second matrix; K is its own transpose
        blas.dgemm(-1.0, part, part, trans_b=True, beta=1.0, c=self.C.K.T, overwrite_c=True)
        self.C.count[RESTING] = 0

    def _refresh(self) -> None:
        """Clear rounding away: the kernel once half its trace is gone, solutions always."""
        self._take_off_rest()
        self.since = 0
        if self.C.way[SPARE] < 0.0:
            self._renew_kernels()
            self.C = dual_list.renew_metric(self.T, self.C, self.owner)
        self._settle_all()
        if not len(self.C.metric):
            dual_list.forget(self.C)

    def _renew_kernels(self) -> None:
        features = self.features_left()
        self.C.K[...] = setup.kernel(self.T, features, self.n) + self.scale**2
        self.H.K[...] = setup.held_kernel(self.T, self.H, features, self.n) + self.scale**2
        self.C.way[SPARE] = _STALE * self._trace()

    def _trace(self) -> float:
        """Trace of the kernel of the features."""
        return float(np.trace(self.C.K)) - self.n * self.scale**2

    def _settle_all(self) -> None:
        for k in range(len(self.P.V)):
            dual_optimum.settle(self.T, self.P, self.C, k, self.left, self.work)

    def _candidates(self) -> np.ndarray:
        """Units that are left and may leave."""
        return np.flatnonzero(~self.C.gone & ~self.protected)
