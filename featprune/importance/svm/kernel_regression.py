"""SVM-RFE for support vector regression: the road of the kernel classifiers, with another dual."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from featprune.importance.svm.kernel import follow
from featprune.importance.svm.kernel_problems import Problem
from featprune.importance.trace import Trace


def trace_svr(
    X: np.ndarray,
    y: np.ndarray,
    *,
    box: np.ndarray,
    epsilon: float,
    kernel: str | Callable[[np.ndarray, np.ndarray], np.ndarray],
    gamma: float,
    degree: int,
    coef0: float,
    criterion: str = "delta_j",
    rescale_gamma: bool = False,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Follow recursive feature elimination of ``SVR(kernel=...)`` down to `floor` units.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Not changed.
    y : ndarray of shape (n_samples,), float64
        Targets.
    box : ndarray of shape (n_samples,)
        Upper bound of each sample's coefficients, positive.
    epsilon : float
        Half the width of the tube inside which errors cost nothing.
    kernel : {"linear", "rbf", "poly", "sigmoid"} or callable
        "linear" has no use for `gamma`, `degree`, `coef0` and `rescale_gamma`.
    gamma, degree, coef0, criterion, rescale_gamma, unit, protected, floor, step, held_out, \
progress, deadline
        As in :func:`~featprune.importance.svm.kernel.trace_kernel`.

    Returns
    -------
    Trace
        `decisions`, of shape (n_models, n_held_out, 1), are predictions.

    Warns
    -----
    ConvergenceWarning
        Where optimality conditions stay violated by more than 1e-9 of the spread of `y`.

    Notes
    -----
    The dual has two coefficients a sample, what pushes its prediction up and what pulls it
    down, and is otherwise that of a classifier; its kernel matrix is 2 n by 2 n. With
    ``beta`` their difference the criterion is ``(beta' K beta - beta' K(-u) beta) / 2``; for
    the linear kernel half the unit's squared weights, which rank alike.

    References
    ----------
    Smola, A. J., Schoelkopf, B. (2004). A tutorial on support vector regression. Statistics
    and Computing 14, 199-222. https://doi.org/10.1023/B:STCO.0000035301.49549.88
    """
    if kernel == "linear":
        kernel, gamma, degree, coef0, rescale_gamma = "poly", 1.0, 1, 0.0, False
    centre = float(y.mean())
    spread = float(y.std())
    # A power of two: the solver's tolerance then fits any y, and scaling back rounds nothing.
    scale = 2.0 ** round(math.log2(spread)) if spread > 0 else 1.0
    problem = _epsilon_dual((y - centre) / scale, box / scale, epsilon / scale)
    trace = follow(
        X,
        [problem],
        kernel=kernel,
        gamma=gamma,
        degree=degree,
        coef0=coef0,
        criterion=criterion,
        rescale_gamma=rescale_gamma,
        unit=unit,
        protected=protected,
        floor=floor,
        step=step,
        held_out=held_out,
        progress=progress,
        deadline=deadline,
    )
    # Quadratic in the coefficients, or linear.
    of_criterion = scale**2 if criterion == "delta_j" else scale
    return trace._replace(
        criterion=of_criterion * trace.criterion,
        importances=of_criterion * trace.importances,
        decisions=None if trace.decisions is None else scale * trace.decisions + centre,
    )


def _epsilon_dual(y: np.ndarray, box: np.ndarray, epsilon: float) -> Problem:
    """Set up ``min b' K b / 2 - y' b + epsilon |b|_1``, b split into its positive and negative."""
    n = len(y)
    zeros = np.zeros(n)
    return Problem(
        rows=np.tile(np.arange(n), 2),
        target=np.concatenate([y - epsilon, y + epsilon]),
        lower=np.concatenate([zeros, -box]),
        upper=np.concatenate([box, zeros]),
        beta=np.zeros(2 * n),
    )
