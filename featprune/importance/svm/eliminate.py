"""SVM-RFE: from an SVM and a matrix to the order in which its features leave."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

from featprune.importance.svm.trace import Trace
from featprune.ranking import fold, weakest_first


def eliminate(
    estimator: SVC | LinearSVC,
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
) -> Trace:
    """Follow recursive feature elimination from all units down to `floor` of them.

    Parameters
    ----------
    estimator : SVC with a linear kernel, or LinearSVC
        Its parameters are read; it is not fitted.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels of two or more classes.
    sample_weight : ndarray of shape (n_samples,), optional
    unit : ndarray of shape (n_features,), int
        The unit of each feature.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        How many units are left at the end; at least those that are protected.
    step : int
        How many units leave at a time.
    held_out : ndarray or CSR matrix of shape (n_held_out, n_features), optional
        Rows whose decision values each model gives.
    progress : callable, optional
        Called with how many units have left and how many will.

    Returns
    -------
    Trace

    Notes
    -----
    A unit's criterion is the sum of the squared weights of its features, over all problems of
    a multi-class machine (Guyon et al. 2002). Costs one fit a step.

    References
    ----------
    Guyon, I., Weston, J., Barnhill, S., Vapnik, V. (2002). Gene selection for cancer
    classification using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797
    """
    machine = clone(estimator)
    if isinstance(machine, SVC):
        # one-vs-one values, from which every other shape and the labels follow
        machine.set_params(decision_function_shape="ovo", break_ties=False)
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
            values = machine.decision_function(held_out[:, features])
            decisions.append(values.reshape(len(values), -1))
        if size == n_units:
            importances[features] = squares
        if size <= floor:
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
    machine: SVC | LinearSVC, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, size: int
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
    return (weights**2).sum(axis=0)
