"""The one-vs-one problems of a kernel machine, solved again after each elimination."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from sklearn.exceptions import ConvergenceWarning

# Violation of the optimality conditions that is let pass, in units of the margin.
TOLERANCE = 1e-9
_MAX_TURNS = 8
# Guesses of the free samples before pairwise steps take over.
_MAX_ROUNDS = 8
# Pivots below this share of their diagonal entry are rounding (as in `kernel_settle`).
_SINGULAR = 1e-12
# Up to here a compiled loop solves the systems faster than a call of LAPACK.
_SMALL = 128
# Pairs after which a kernel that is not positive semidefinite is given up.
_ALL_PAIRS = 10_000_000
# Share of the distance between its bounds by which rounding may keep a sample off one.
_BOUND_SHARE = 1e-12


@dataclass
class Problem:
    """One binary dual: ``min beta' K beta / 2 - target' beta``, boxed, the sum of beta zero.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int
        Rows of the kernel that take part.
    target : ndarray of shape (n_rows,)
        -1 and +1 for a classifier; ``K beta + bias`` equals it on free rows.
    lower, upper : ndarray of shape (n_rows,)
        Bounds of beta.
    beta : ndarray of shape (n_rows,)
        Signed coefficients, the last solution.
    bias : float
    """

    rows: np.ndarray
    target: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    beta: np.ndarray
    bias: float = 0.0


def one_vs_one(y: np.ndarray, box: np.ndarray) -> list[Problem]:
    """Set up the problems in SVC's order and with its signs.

    With two classes the second is positive, with more the first of each pair, as in
    ``decision_function``.
    """
    n_classes = int(y.max()) + 1
    problems = []
    for first in range(n_classes):
        for second in range(first + 1, n_classes):
            rows = np.flatnonzero((y == first) | (y == second))
            positive = second if n_classes == 2 else first
            target = np.where(y[rows] == positive, 1.0, -1.0)
            bound = target * box[rows]
            problems.append(
                Problem(
                    rows=rows,
                    target=target,
                    lower=np.minimum(bound, 0.0),
                    upper=np.maximum(bound, 0.0),
                    beta=np.zeros(len(rows)),
                )
            )
    return problems


def solve_all(problems: list[Problem], K: np.ndarray, size: int, convex: bool) -> np.ndarray:
    """Solve each problem, from its last solution if that must lead to the optimum, else from 0.

    Returns the coefficients, shape (n_problems, n_samples), zero on rows out of a problem.
    """
    betas = np.zeros((len(problems), len(K)))
    for k, problem in enumerate(problems):
        if len(problem.rows) == len(K):
            part = K
        else:
            part = np.ascontiguousarray(K[problem.rows[:, None], problem.rows])
        if not convex:
            problem.beta[:] = 0.0
        gap = solve(problem, part, convex)
        if gap > TOLERANCE:
            warnings.warn(
                f"The SVM on {size} units is not solved to the end: its optimality conditions "
                f"are violated by {gap:.2g}, where {TOLERANCE:.0e} is asked for. Scale the "
                "columns or lower C.",
                ConvergenceWarning,
                stacklevel=3,
            )
        # A row may take part twice: with what pushes it up, and with what pulls it down.
        betas[k] = np.bincount(problem.rows, problem.beta, minlength=len(K))
    return betas


def solve(problem: Problem, K: np.ndarray, convex: bool) -> float:
    """Solve one problem on its own kernel matrix, from its beta; returns the violation left.

    Mostly the free samples are those of the step before, or nearly: a linear system on them
    (O(n_free^3)) gives the optimum to the last digits. Where that does not work out, pairwise
    steps (O(n) each) go on from the same point; and where these crawl, because samples are
    nearly dependent, descent on systems that need no good guess.
    """
    from featprune.importance.svm.kernels.kernel_descend import descend
    from featprune.importance.svm.kernels.smo import gap_and_bias, optimise_pairs

    target, lower, upper, beta = problem.target, problem.lower, problem.upper, problem.beta
    stalled = 0
    for turn in range(_MAX_TURNS):
        if not _settle(K, target, lower, upper, beta) and turn > 0 and convex:
            descend(K, target, lower, upper, beta, 0.1 * TOLERANCE, len(beta) + 100)
        slack = target - K @ beta
        gap, problem.bias = gap_and_bias(slack, lower, upper, beta)
        if gap <= TOLERANCE:
            return _snap(problem, K, gap)
        if stalled > 1:
            break
        # A kernel that is not positive semidefinite has several local optima: there, libsvm's
        # way is gone to the end before anything else, to end up in the same one.
        n_pairs = (1000 + 10 * len(beta)) * 2**turn if convex else _ALL_PAIRS
        done, _ = optimise_pairs(K, lower, upper, beta, slack, 0.5 * TOLERANCE, n_pairs)
        # Through by its own account and yet not through: rounding lets it sink no further.
        stalled = stalled + 1 if done < n_pairs else 0
    return gap


def _snap(problem: Problem, K: np.ndarray, gap: float) -> float:
    """Put samples that miss a bound by rounding onto it, if that is optimal too; returns the gap.

    They would count as free, and one that is free determines the bias; without any, all of
    an interval are optimal, and the middle is taken. Under a kernel of huge values a tiny
    coefficient need not be rounding: then optimality would suffer.
    """
    from featprune.importance.svm.kernels.smo import gap_and_bias

    lower, upper, beta = problem.lower, problem.upper, problem.beta
    near = _BOUND_SHARE * (upper - lower)
    to_lower = (beta != lower) & (beta - lower < near)
    to_upper = (beta != upper) & (upper - beta < near)
    if not to_lower.any() and not to_upper.any():
        return gap
    trial = np.where(to_lower, lower, np.where(to_upper, upper, beta))
    trial_gap, bias = gap_and_bias(problem.target - K @ trial, lower, upper, trial)
    if trial_gap > TOLERANCE:
        return gap
    beta[:] = trial
    problem.bias = bias
    return trial_gap


def _settle(
    K: np.ndarray, target: np.ndarray, lower: np.ndarray, upper: np.ndarray, beta: np.ndarray
) -> bool:
    """`kernels.kernel_settle.settle_small` for any size: LAPACK solves the larger systems.

    `beta` is the optimum where the return value is True, else unchanged.
    """
    from featprune.importance.svm.kernels.kernel_settle import gather_lower, settle_small

    slack_allowed = 0.1 * TOLERANCE
    if len(beta) <= _SMALL:
        return settle_small(K, target, lower, upper, beta, slack_allowed, _MAX_ROUNDS)
    at_lower, at_upper = beta <= lower, beta >= upper
    trial = beta.copy()
    product = K @ trial
    for _ in range(_MAX_ROUNDS):
        free = np.flatnonzero(~(at_lower | at_upper))
        if len(free) == 0:
            return False
        system = np.empty((len(free), len(free)))
        gather_lower(K, free, system)
        factor, failed = lapack.dpotrf(system.T, lower=0, clean=0, overwrite_a=1)
        # LAPACK takes a pivot that is positive by rounding alone: as singular as any.
        pivots = np.square(factor.diagonal())
        if failed or (pivots < _SINGULAR * K[free, free]).any():
            return False
        sides = np.column_stack([(target - product)[free], np.ones(len(free))])
        solved, _ = lapack.dpotrs(factor, sides, lower=0)
        bias = (solved[:, 0].sum() + trial.sum()) / solved[:, 1].sum()
        values = trial[free] + solved[:, 0] - bias * solved[:, 1]
        if not np.isfinite(values).all():
            return False
        below = free[values <= lower[free]]
        above = free[values >= upper[free]]
        trial[free] = np.clip(values, lower[free], upper[free])
        product = K @ trial
        if len(below) or len(above):
            at_lower[below] = True
            at_upper[above] = True
            continue
        slack = target - product - bias
        rise = at_lower & (slack > slack_allowed)
        sink = at_upper & (slack < -slack_allowed)
        if not rise.any() and not sink.any():
            beta[:] = trial
            return True
        at_lower &= ~rise
        at_upper &= ~sink
    return False
