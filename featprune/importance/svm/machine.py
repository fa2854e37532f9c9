"""What a support vector machine asks for: which are taken, each row's bound, the kernel."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.utils.class_weight import compute_class_weight

Machine: TypeAlias = SVC | LinearSVC | SVR | LinearSVR

KERNELS = ("linear", "rbf", "poly", "sigmoid")
_LOSSES = {
    LinearSVC: ("hinge", "squared_hinge"),
    LinearSVR: ("epsilon_insensitive", "squared_epsilon_insensitive"),
}


def is_regressor(machine: Machine) -> bool:
    """Whether its target is a number, not a class."""
    return isinstance(machine, SVR | LinearSVR)


def has_kernel(machine: Machine) -> bool:
    """Whether it has a kernel that is not linear, and so no weights."""
    return isinstance(machine, SVC | SVR) and machine.kernel != "linear"


def is_squared(machine: Machine) -> bool:
    """Whether its loss is squared."""
    return isinstance(machine, LinearSVC | LinearSVR) and machine.loss.startswith("squared")


def check_machine(machine: Any, owner: str) -> None:
    """Raise unless it is a machine whose path can be followed.

    Parameters
    ----------
    machine : object
        What the caller passed.
    owner : str
        The class whose `estimator` it is, for the message.

    Raises
    ------
    TypeError
        If it is no SVC, LinearSVC, SVR or LinearSVR.
    ValueError
        If one of its parameters is none that is supported; the message names it.
    """
    if not isinstance(machine, SVC | LinearSVC | SVR | LinearSVR):
        raise TypeError(
            f"The 'estimator' parameter of {owner} must be an SVC, LinearSVC, SVR, LinearSVR or "
            f"None. Got {machine!r} instead."
        )
    if isinstance(machine, SVC | SVR):
        _check_kernel(machine, owner)
    else:
        _check_liblinear(machine, owner)
    _require(machine, "C", _is_real(machine.C) and 0 < machine.C < np.inf, "a number > 0", owner)
    if is_regressor(machine):
        fits = _is_real(machine.epsilon) and 0 <= machine.epsilon < np.inf
        _require(machine, "epsilon", fits, "a number >= 0", owner)
    else:
        weight = machine.class_weight
        fits = weight is None or isinstance(weight, dict) or weight == "balanced"
        _require(machine, "class_weight", fits, "a dict, 'balanced' or None", owner)
    if isinstance(machine, SVC):
        fits = machine.decision_function_shape in ("ovr", "ovo")
        _require(machine, "decision_function_shape", fits, "'ovr' or 'ovo'", owner)


def check_criterion(machine: Machine, criterion: str, rescale_gamma: bool, owner: str) -> None:
    """Raise unless the machine knows the criterion, and has a gamma that can be set anew.

    Raises
    ------
    ValueError
        For pseudo-samples of LinearSVC and LinearSVR, and for `rescale_gamma` without
        ``gamma="scale"`` of a kernel that has a gamma.
    """
    if criterion == "pseudo_samples" and not isinstance(machine, SVC | SVR):
        instead = "SVR" if is_regressor(machine) else "SVC"
        raise ValueError(
            f"criterion='pseudo_samples' of {owner} is there for SVC and SVR. Got "
            f"{machine!r} as 'estimator'. Pass {instead}(kernel='linear'), or criterion='delta_j'."
        )
    if rescale_gamma and not (
        has_kernel(machine) and not callable(machine.kernel) and machine.gamma == "scale"
    ):
        raise ValueError(
            f"rescale_gamma=True of {owner} needs an SVC or SVR with gamma='scale' and the kernel "
            f"'rbf', 'poly' or 'sigmoid'. Got {machine!r} as 'estimator'. Pass such a machine, "
            "or rescale_gamma=False."
        )


def row_bounds(machine: Machine, y: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
    """Return C times the weight of each row's class, times that of the row, as scikit-learn does.

    Parameters
    ----------
    machine : SVC, LinearSVC, SVR or LinearSVR
    y : ndarray of shape (n_samples,)
        Labels or targets.
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    ndarray of shape (n_samples,), for LinearSVC (n_problems, n_samples)
        liblinear weights a class only in the problem in which it stands against the rest.

    Raises
    ------
    ValueError
        If a class weight is not positive, or the dict names no class of `y`.
    """
    rows = machine.C * (np.ones(len(y)) if sample_weight is None else sample_weight)
    if is_regressor(machine):
        return rows
    classes, codes = np.unique(y, return_inverse=True)
    if machine.class_weight is None:
        n_problems = 1 if len(classes) == 2 else len(classes)
        return rows if isinstance(machine, SVC) else np.tile(rows, (n_problems, 1))
    # of the two, only LinearSVC counts a row of weight 2 as two where it balances the classes
    counted = {"sample_weight": sample_weight} if isinstance(machine, LinearSVC) else {}
    weights = compute_class_weight(machine.class_weight, classes=classes, y=y, **counted)
    if not (weights > 0).all():
        raise ValueError(
            f"Each class_weight of {type(machine).__name__} must be above 0. Got "
            f"{machine.class_weight!r} instead. Leave the rows of a class out instead."
        )
    if isinstance(machine, SVC):
        return rows * weights[codes]
    if len(classes) == 2:
        return (rows * weights[codes])[np.newaxis]
    return rows * np.where(codes == np.arange(len(classes))[:, np.newaxis], weights[:, None], 1.0)


def kernel_parameters(machine: SVC | SVR, X: Any) -> dict[str, Any]:
    """Return `kernel`, `gamma` (a number), `degree` and `coef0`; the linear one as a polynomial.

    Parameters
    ----------
    machine : SVC or SVR
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        From which ``gamma="scale"`` and ``"auto"`` follow.
    """
    if machine.kernel == "linear":
        return {"kernel": "poly", "gamma": 1.0, "degree": 1, "coef0": 0.0}
    return {
        "kernel": machine.kernel,
        "gamma": _gamma(machine.gamma, X),
        "degree": machine.degree,
        "coef0": float(machine.coef0),
    }


def _gamma(gamma: str | float, X: Any) -> float:
    n_features = X.shape[1]
    if gamma == "auto":
        return 1.0 / n_features
    if gamma != "scale":
        return float(gamma)
    # of a sparse matrix, from the moments: what scikit-learn computes, to the last digits too
    variance = X.multiply(X).mean() - X.mean() ** 2 if sparse.issparse(X) else X.var()
    return float(1.0 / (n_features * variance)) if variance != 0 else 1.0


def _check_kernel(machine: SVC | SVR, owner: str) -> None:
    known = "'linear', 'rbf', 'poly', 'sigmoid' or a callable"
    if isinstance(machine.kernel, str) and machine.kernel == "precomputed":
        known += ", which are computed from the columns that are left"
    _require(machine, "kernel", callable(machine.kernel) or machine.kernel in KERNELS, known, owner)
    if getattr(machine, "probability", False) is True:
        _require(machine, "probability", False, "False: a path has decision values, no more", owner)
    gamma = machine.gamma
    fits = gamma in ("scale", "auto") if isinstance(gamma, str) else _is_real(gamma) and gamma >= 0
    _require(machine, "gamma", fits, "'scale', 'auto' or a number >= 0", owner)
    fits = isinstance(machine.degree, Integral) and int(machine.degree) >= 0
    _require(machine, "degree", fits, "an int >= 0", owner)
    _require(machine, "coef0", _is_real(machine.coef0), "a number", owner)


def _check_liblinear(machine: LinearSVC | LinearSVR, owner: str) -> None:
    losses = _LOSSES[LinearSVC if isinstance(machine, LinearSVC) else LinearSVR]
    _require(machine, "loss", machine.loss in losses, " or ".join(map(repr, losses)), owner)
    scaling = machine.intercept_scaling
    fits = _is_real(scaling) and 0 < scaling < np.inf
    _require(machine, "intercept_scaling", fits, "a number > 0", owner)
    if isinstance(machine, LinearSVC):
        _require(machine, "penalty", machine.penalty == "l2", "'l2'", owner)
        _require(machine, "multi_class", machine.multi_class == "ovr", "'ovr'", owner)


def _require(machine: Machine, parameter: str, fits: bool, expected: str, owner: str) -> None:
    if not fits:
        name = type(machine).__name__
        raise ValueError(
            f"The {parameter!r} parameter of the {name} that {owner} gets as 'estimator' must be "
            f"{expected}. Got {parameter}={getattr(machine, parameter)!r} instead."
        )


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not np.isnan(float(value))
