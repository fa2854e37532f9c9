"""Linear machines in their dual: the optimum followed while features leave, one by one."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning

from featprune.importance.svm import dual_setup as setup
from featprune.importance.svm.dual_start import near_optimum
from featprune.importance.svm.problems import Problem

# Violation of optimality, margins being of size 1, above which a warning is due.
_TOLERATED = 1e-8
# Free samples up to which compiled loops invert faster than LAPACK.
_FEW_FREE = 100
# Steps that are taken before looking up.
_STEPS = 64
# Units that are listed at most, and features after which rounding is cleared away.
_LISTED, _REFRESH = 512, 256


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
    T, P, C : Table, Problems, Course
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
        rank = n_features + (self.scale != 0.0)
        self.P = setup.make_problems(problems, order, n, rank, bordered=bordered)
        self.P.V[:, 6, 2] = self.scale**2
        self.C = setup.make_course(self.T, self.P, self.scale)
        self.protected = protected
        self.owner = unit
        self.left = len(protected)
        self.n, self.n_features = n, n_features
        self.K_held = None
        if held_out is not None:
            self.held = setup.make_held_out(self.T, held_out)
            self.K_held = self._held_kernel(np.arange(n_features))
        self.work = np.zeros((5, n + 2))
        self.B = np.zeros((len(problems), n))
        self.C.way[3] = self._trace() / 2
        self.since = 0
        self._renew_metric()
        if n > setup.FEW:
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
            self.P.V[k, 0, rows] = near_optimum(part, problem, scale, K)

    # -- what the machine is like --------------------------------------------------------

    def features_left(self) -> np.ndarray:
        """Return the features of the units that are left."""
        return np.flatnonzero(~self.C.gone[self.owner])

    def criteria(self, features: np.ndarray) -> np.ndarray:
        """Return the sum over problems of squared weights; O(n n_features n_problems)."""
        betas = self.P.V[:, 0]
        if not len(self.T.XT):
            weights = setup.sparse_rows(self.T, self.n)[features] @ betas.T
            return np.square(weights).sum(axis=1)
        many = 2 * len(features) > len(self.T.XT)
        weights = (self.T.XT if many else self.T.XT[features]) @ betas.T
        squares = np.square(weights[:, 0]) if len(betas) == 1 else np.square(weights).sum(axis=1)
        return squares[features] if many else squares

    def unit_criteria(self) -> np.ndarray:
        """Return the criterion of each unit, 0 of those that are gone."""
        features = self.features_left()
        values = self.criteria(features)
        return np.bincount(self.owner[features], values, minlength=len(self.protected))

    def decisions(self) -> np.ndarray:
        """Return the decision values of the rows held out, (n_held_out, n_problems)."""
        return self.K_held @ self.P.V[:, 0].T + self._biases()

    def n_active(self) -> int:
        """Return the largest number of rows of nonzero coefficient in a problem."""
        return int(np.count_nonzero(self.P.V[:, 0], axis=1).max())

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

        steps = min(steps, _STEPS)
        noting = (steps, len(self.P.V), self.n) if self.K_held is not None else (0, 0, 0)
        noted, biases = np.empty(noting), np.empty(noting[:2])
        order, criterion = np.empty(steps, dtype=np.int64), np.empty(steps)
        for _ in range(2):
            taken, why = kernel.run(
                self.T, self.P, self.C, noted, biases, order, criterion, steps, self.work, self.B
            )
            if taken or why == kernel.FULL:
                break
            self._list()
        if not taken:
            return self.leave_weakest(1)
        decisions = self._noted_decisions(noted[:taken], biases[:taken], order[:taken])
        self.left -= taken
        self._flush(order[:taken])
        return order[:taken], criterion[:taken], decisions

    def leave_weakest(self, take: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Let the `take` weakest units leave because of the present model; returns as `run`."""
        from featprune.importance.svm.kernels.dual_run import remove_units

        scores = self.unit_criteria()
        units = np.flatnonzero(~self.C.gone & ~self.protected)
        units = units[np.lexsort((-units, scores[units]))][:take]
        decisions = None if self.K_held is None else self.decisions()[None]
        n_features = int((self.T.first[units + 1] - self.T.first[units]).sum())
        self.left -= len(units)
        # One by one is the shorter way if they are few against what there is to follow.
        if n_features <= min(len(self.C.rest), self.n // 8 + 1):
            remove_units(self.T, self.P, self.C, units, self.work)
            self._flush(units)
        else:
            self._remove_at_once(units)
        return units, scores[units], decisions

    def _remove_at_once(self, units: np.ndarray) -> None:
        self._take_off_rest()
        if not len(self.T.XT):
            keep = ~np.isin(self.C.alive, self._features_of(units))
            alive = self.C.alive[: self.C.count[4]][keep[: self.C.count[4]]]
            self.C.alive[: len(alive)], self.C.count[4] = alive, len(alive)
        self.C.gone[units] = True
        features = self._features_of(units)
        if 2 * len(features) < len(self.features_left()):
            gone = setup.kernel(self.T, features, self.n)
            self.C.K[...] -= gone
            self.C.way[3] -= np.trace(gone)
            if self.K_held is not None:
                self.K_held -= setup.held_kernel(self.T, self.held, features, self.n)
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
        """Take the features that left off both kernels, and clear rounding away when due."""
        from featprune.importance.svm.kernels import dual_run as kernel

        features = self._features_of(units)
        if self.K_held is not None:
            self.K_held -= setup.held_kernel(self.T, self.held, features, self.n)
        self.since += len(features)
        if 2 * self.C.count[0] >= len(self.C.rest):
            self._take_off_rest()
        due = self.since >= _REFRESH or (self.P.V[:, 6, 3] > kernel.WORN).any()
        if due or self.P.S[:, 3, 2].any() or self.C.way[3] < 0.0:
            self._refresh()

    def _take_off_rest(self) -> None:
        part = self.C.rest[: self.C.count[0]]
        self.C.K[...] -= part.T @ part
        self.C.count[0] = 0

    def _refresh(self) -> None:
        """Clear rounding away: the kernel once half its trace is gone, solutions always."""
        self._take_off_rest()
        self.since = 0
        if self.C.way[3] < 0.0:
            self._renew_kernels()
            self._renew_metric()
        self._settle_all()
        if not len(self.C.metric):
            self._forget_list()

    def _renew_kernels(self) -> None:
        features = self.features_left()
        self.C.K[...] = setup.kernel(self.T, features, self.n) + self.scale**2
        if self.K_held is not None:
            self.K_held = self._held_kernel(features)
        self.C.way[3] = self._trace() / 2

    def _held_kernel(self, features: np.ndarray) -> np.ndarray:
        return setup.held_kernel(self.T, self.held, features, self.n) + self.scale**2

    def _trace(self) -> float:
        """Trace of the kernel of the features."""
        return float(np.trace(self.C.K)) - self.n * self.scale**2

    # -- which unit is next --------------------------------------------------------------

    def _renew_metric(self) -> None:
        """Take the present kernel as the metric of the list's bounds."""
        self._forget_list()
        if self.n > setup.FEW or not len(self.T.XT):
            return
        M = self.C.K.copy()
        # The ridge makes it definite; the bound holds for any.
        M.flat[:: self.n + 1] += 1e-7 * np.trace(M) / self.n + 1e-300
        self.C = self.C._replace(metric=M)
        features = self.features_left()
        part = setup.feature_rows(self.T, features, self.n)
        squares = np.zeros(self.n_features)
        lower = np.linalg.cholesky(M)
        solved = solve_triangular(lower, part.T, lower=True, check_finite=False)
        squares[features] = np.einsum("ij,ij->j", solved, solved)
        norm = np.sqrt(np.bincount(self.owner, squares, minlength=len(self.protected)))
        # Rounding must not make a bound too small.
        self.C.norm[:-1] = norm * (1 + 1e-6)
        self.C.norm[-1] = self.C.norm[:-1].max()

    def _forget_list(self) -> None:
        self.C.count[1] = 0
        self.C.way[2] = -np.inf

    def _list(self) -> None:
        """List the units of the smallest values, as of now."""
        C = self.C
        units = np.flatnonzero(~C.gone & ~self.protected)
        values = np.sqrt(self.unit_criteria()[units])
        most = min(max(_LISTED, len(units) // 4), len(units))
        C.way[2] = np.inf
        if most < len(units):
            part = np.argpartition(values, most)
            C.way[2] = values[part[most]]
            units, values = units[part[:most]], values[part[:most]]
        C.order[:most], C.slope[:most] = units, C.norm[units]
        C.anchors[:] = self.P.V[:, 0]
        size = np.abs(C.anchors[1]) @ np.sqrt(np.diagonal(C.K).clip(0))
        C.count[1] = most
        C.way[0], C.way[1] = 0.0, 1e-13 * float(size.sum())
        C.bound[:most] = values - C.slope[:most] * C.way[1]

    # -- its optimum ---------------------------------------------------------------------

    def _settle_all(self) -> None:
        for k in range(len(self.P.V)):
            self._settle(k)

    def _settle(self, k: int) -> None:
        """Bring problem `k` to its optimum on the present kernel; warn if that can't be had."""
        from featprune.importance.svm.kernels import dual_settle as kernel
        from featprune.importance.svm.kernels.dual_free import flush

        V, S, inv, spans = self.P
        one = (V[k], S[k], inv[k], spans[k], self.C.K, self.C.rest)
        features = (self.T.start, self.T.row, self.T.value, self.C.alive[: self.C.count[4]])
        counts = S[k, 3]
        V[k, 6, 3] = 0.0
        flush(V[k], S[k], inv[k])
        if not (np.isfinite(V[k, :2]).all() and np.isfinite(V[k, 6, 0])):
            V[k, :2] = V[k, 6, 0] = 0.0
            counts[2] = True
        kernel.compute_margins(V[k], spans[k], self.C.K, self.work, *features)
        for _ in range(3):
            tol = self._attainable(k)
            if counts[2] or not self._inverse_is_good(k):
                self._gather(k)
                kernel.compute_margins(V[k], spans[k], self.C.K, self.work, *features)
            kernel.settle(*one, tol, 1000 + 20 * self.n, self.work)
            kernel.compute_margins(V[k], spans[k], self.C.K, self.work, *features)
            violation = self._violation(k)
            counts[2] = violation > 10 * tol
            if not counts[2]:
                return
        counts[2] = 0
        if violation > _TOLERATED:
            warnings.warn(
                f"Problem {k} of the linear machine was not solved to the end with {self.left} "
                f"columns or groups left: its optimality conditions are violated by "
                f"{violation:.1e}. Scale the columns or lower C.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _gather(self, k: int) -> None:
        """Make the free set of problem `k` and its inverse anew."""
        from featprune.importance.svm.kernels import dual_settle as kernel

        V, S, inv, spans = self.P
        kernel.place(V[k], S[k], spans[k])
        free = np.flatnonzero(np.abs(S[k, 0]) == 1)
        if _FEW_FREE < len(free) < inv.shape[2]:
            bordered, m = S[k, 3, 1], len(free) + 1
            system = np.full((m, m), float(bordered))
            system[0, 0] = 1.0 - bordered
            system[1:, 1:] = self.C.K[np.ix_(free, free)]
            system[1:, 1:][np.diag_indices(m - 1)] += V[k, 5, free]
            S[k, 2, : m - 1], S[k, 1, free], S[k, 3, 0] = free, np.arange(m - 1), m - 1
            with suppress(np.linalg.LinAlgError):
                inv[k, :m, :m] = np.linalg.inv(system)
                inv[k, 0, 0] *= bordered
                if self._inverse_is_good(k):
                    return
        kernel.gather(V[k], S[k], inv[k], spans[k], self.C.K, self.C.rest, self.work)

    def _rows(self, k: int) -> np.ndarray:
        a, b, c, d = self.P.spans[k]
        return np.r_[a:b, c:d]

    def _attainable(self, k: int) -> float:
        """Violation that rounding of the margins alone can make, at least 1e-11."""
        size = np.sqrt(np.diagonal(self.C.K).clip(0))[self._rows(k)]
        beta = np.abs(self.P.V[k, 0, self._rows(k)])
        return max(1e-11, 2e-16 * float(size.max() * (size @ beta)))

    def _violation(self, k: int) -> float:
        """Largest violation of optimality, from the margins."""
        beta, f, low, high, box = self.P.V[k, :5][:, self._rows(k)]
        rise = (np.where(beta >= 0, low, high) - f)[beta < box]
        sink = (f - np.where(beta > 0, low, high))[beta > -box]
        return float(max(rise.max(initial=0.0), sink.max(initial=0.0)))

    def _inverse_is_good(self, k: int) -> bool:
        """Say whether the inverse still is one, by a probe without chance."""
        V, S, inv, _ = self.P
        m, bordered = S[k, 3, 0] + 1, S[k, 3, 1]
        members = S[k, 2, : m - 1]
        probe = np.cos(np.arange(m))
        probe[0] *= bordered
        image = inv[k, :m, :m] @ probe
        back = np.empty(m)
        back[0] = image[1:].sum() * bordered
        back[1:] = self.C.K[np.ix_(members, members)] @ image[1:] + image[0]
        back[1:] += V[k, 5, members] * image[1:]
        return bool(np.abs(back - probe).max(initial=0.0) < 1e-6)

    def _biases(self) -> np.ndarray:
        from featprune.importance.svm.kernels.dual_run import middle_bias

        V, S, _, spans = self.P
        return np.array([middle_bias(V[k], S[k], spans[k]) for k in range(len(V))])

    def _noted_decisions(
        self, noted: np.ndarray, biases: np.ndarray, units: np.ndarray
    ) -> np.ndarray | None:
        """Decision values of models noted in `run`, before the kernels are brought up to date."""
        if self.K_held is None:
            return None
        sizes = self.T.first[units + 1] - self.T.first[units]
        before = np.cumsum(sizes) - sizes
        features = self._features_of(units)
        weights = noted @ setup.feature_rows(self.T, features, self.n).T
        # the kernel still has the features that had left before a model
        weights *= np.arange(len(features)) < before[:, None, None]
        values = noted @ self.K_held.T
        values -= weights @ setup.held_features(self.T, self.held, features)
        return values.transpose(0, 2, 1) + biases[:, None, :]


def follow_dual(
    dual: Dual,
    *,
    floor: int,
    step: int,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
    stop: Callable[[Dual], bool],
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Let units leave until `floor` of them, the deadline, or until `stop` says so.

    Returns
    -------
    order, criterion, decisions : list of ndarray
        In the order of the steps, to be concatenated; decisions of the last model are missing.
    """
    total, told = dual.left - floor, -np.inf
    order, criterion, decisions = [], [], []
    while dual.left > floor and not stop(dual):
        now = time.monotonic()
        if deadline is not None and now > deadline:
            break
        if progress is not None and now - told > 0.1:
            progress(total - (dual.left - floor), total)
            told = now
        if step == 1:
            gone, values, decided = dual.run(dual.left - floor)
        else:
            gone, values, decided = dual.leave_weakest(min(step, dual.left - floor))
        order.append(gone)
        criterion.append(values)
        if decided is not None:
            decisions.append(decided)
    if progress is not None and dual.left <= floor:
        progress(total, total)
    return order, criterion, decisions
