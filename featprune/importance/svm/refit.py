"""SVM-RFE by refits: the plain loop, for machines that no other road takes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from featprune.importance.svm.machine import Machine, is_regressor
from featprune.importance.trace import Trace
from featprune.ranking import fold, weakest_first


def trace_refit(
    estimator: Machine,
    X: Any,
    y: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: Any = None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> Trace:
    """Follow recursive feature elimination with a fit at each size.

    Parameters
    ----------
    estimator : SVC or SVR with a linear kernel, LinearSVC or LinearSVR
        Cloned, never fitted itself. Its `tol` and `max_iter` count.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels of two or more classes, or targets.
    sample_weight : ndarray of shape (n_samples,), optional
    unit, protected, floor, step, held_out, progress, deadline
        As in :func:`~featprune.importance.svm.eliminate.eliminate`.

    Returns
    -------
    Trace

    Warns
    -----
    ConvergenceWarning
        Where a fit stops at `max_iter`.

    Notes
    -----
    Costs one fit a step and a copy of the columns that are left; needs no Gram matrix.
    """
    machine = clone(estimator)
    if isinstance(machine, SVC):
        # one-vs-one values, from which every other shape and the labels follow
        machine.set_params(decision_function_shape="ovo", break_ties=False)
    decide = machine.predict if is_regressor(machine) else machine.decision_function
    n_units = len(protected)
    left = np.ones(n_units, dtype=bool)
    order, criterion, sizes, decisions = [], [], [], []
    importances = np.zeros(X.shape[1])
    while True:
        features = np.flatnonzero(left[unit])
        size = int(left.sum())
        sizes.append(size)
        squares = _fit(machine, X[:, features], y, sample_weight, size)
        if held_out is not None:
            values = decide(held_out[:, features])
            decisions.append(values.reshape(len(values), -1))
        if size == n_units:
            importances[features] = squares
        if size <= floor or (deadline is not None and time.monotonic() > deadline):
            break
        scores = fold(squares, unit[features], n_units)
        candidates = np.flatnonzero(left & ~protected)
        leaving = candidates[weakest_first(scores[candidates])][: min(step, size - floor)]
        left[leaving] = False
        order.extend(leaving)
        criterion.extend(scores[leaving])
        if progress is not None:
            progress(len(order), n_units - floor)
    return Trace(
        order=np.array(order, dtype=np.intp),
        criterion=np.array(criterion, dtype=float),
        sizes=np.array(sizes, dtype=np.intp),
        importances=importances,
        decisions=np.array(decisions) if held_out is not None else None,
    )


def _fit(
    machine: Machine, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, size: int
) -> np.ndarray:
    """Fit, and return each feature's squared weight summed over the problems."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        machine.fit(X, y, sample_weight=sample_weight)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            warnings.warn(
                f"{type(machine).__name__} did not converge on {size} units within "
                f"max_iter={machine.max_iter}: the ranking may differ from the optimum's. "
                "Scale the columns, raise max_iter or lower C.",
                ConvergenceWarning,
                stacklevel=2,
            )
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    weights = machine.coef_
    if hasattr(weights, "toarray"):
        weights = weights.toarray()
    return (np.atleast_2d(weights) ** 2).sum(axis=0)
