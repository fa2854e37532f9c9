"""SVM-RFE for machines with a kernel: no refits from nothing, no kernels rebuilt."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from featprune.importance.svm.kernel_functions import Gram, open_gram, take_out
from featprune.importance.svm.kernel_problems import Problem, one_vs_one, solve_all
from featprune.importance.svm.kernel_pseudo import PseudoSamples
from featprune.importance.svm.kernel_ranking import DeltaJ
from featprune.importance.svm.threads import one_thread
from featprune.importance.trace import Trace

_REPORT_SECONDS = 0.1


def trace_kernel(
    X: np.ndarray,
    y: np.ndarray,
    *,
    box: np.ndarray,
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
    """Follow recursive feature elimination of ``SVC(kernel=...)`` down to `floor` units.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Not changed.
    y : ndarray of shape (n_samples,), int
        Class codes 0 .. n_classes - 1, each present; two or more classes, one-vs-one.
    box : ndarray of shape (n_samples,)
        Upper bound of each sample's coefficient, positive.
    kernel : {"rbf", "poly", "sigmoid"} or callable
        A callable maps two matrices of rows, of the features left in their order, to their
        kernel.
    gamma, coef0 : float
        Parameters of the kernel, as in scikit-learn. `gamma` is a number.
    degree : int
        Of the polynomial kernel.
    criterion : {"delta_j", "pseudo_samples"}
        What a unit is worth; see Notes.
    rescale_gamma : bool
        Set gamma anew at each step, by scikit-learn's rule "scale" on the features left.
    unit : ndarray of shape (n_features,), int
        The unit of each feature; a unit leaves as a whole.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    floor : int
        How many units are left at the end.
    step : int
        How many units leave at a time.
    held_out : ndarray of shape (n_held_out, n_features), optional
        Rows for which each model gives its decision values.
    progress : callable, optional
        Called with units gone and units to go in all, at most ten times a second.
    deadline : float, optional
        Value of ``time.monotonic()`` past which the path so far is returned.

    Returns
    -------
    Trace

    Warns
    -----
    ConvergenceWarning
        Where a model's optimality conditions stay violated by more than 1e-9.

    Notes
    -----
    "delta_j" is Guyon's criterion, see `kernel_ranking.DeltaJ`; "pseudo_samples" that of Sanz
    et al., see `kernel_pseudo.PseudoSamples`. Of equal criteria the unit of the larger index
    goes first; equal columns have equal criteria to the last bit, except under a callable, where
    the callable rounds as it likes.

    Each step costs O(n_samples^2) for the kernel and O(n_samples^2) a feature for the
    criterion, at the speed of a matrix product; a callable is called once for each unit left
    (so O(n_samples^2 n_features^2) a step for a kernel that costs O(n_features) a pair).

    A kernel that is not positive semidefinite (sigmoid with few features, some callables) has
    no single optimum: each model is then started from zero, as SVC does, so that it depends on
    the features that are left and on nothing else.

    References
    ----------
    Guyon, I., Weston, J., Barnhill, S., Vapnik, V. (2002). Gene selection for cancer
    classification using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797

    Sanz, H., Valim, C., Vegas, E., Oller, J. M., Reverter, F. (2018). SVM-RFE: selection and
    visualization of the most relevant features through non-linear kernels. BMC Bioinformatics
    19:432. https://doi.org/10.1186/s12859-018-2451-4
    """
    return follow(
        X,
        one_vs_one(y, box),
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


def follow(
    X: np.ndarray,
    problems: list[Problem],
    *,
    kernel: str | Callable[[np.ndarray, np.ndarray], np.ndarray],
    gamma: float,
    degree: int,
    coef0: float,
    criterion: str,
    rescale_gamma: bool,
    unit: np.ndarray,
    protected: np.ndarray,
    floor: int,
    step: int,
    held_out: np.ndarray | None,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
) -> Trace:
    """Follow the elimination of any set of duals; parameters as in `trace_kernel`."""
    with one_thread():
        gram = open_gram(X, held_out, kernel, gamma, degree, coef0)
        criteria = {"delta_j": DeltaJ, "pseudo_samples": PseudoSamples}
        ranking = criteria[criterion](gram, unit, protected)
        return _eliminate(
            gram,
            problems,
            ranking,
            unit,
            len(protected),
            floor,
            step,
            rescale_gamma,
            progress,
            deadline,
        )


def _eliminate(
    gram: Gram,
    problems: list[Problem],
    ranking: DeltaJ | PseudoSamples,
    unit: np.ndarray,
    n_units: int,
    floor: int,
    step: int,
    rescale_gamma: bool,
    progress: Callable[[int, int], None] | None,
    deadline: float | None,
) -> Trace:
    """Solve, rank and take out, until `floor` units are left."""
    order: list[np.ndarray] = []
    criterion: list[np.ndarray] = []
    sizes: list[int] = []
    decisions: list[np.ndarray] = []
    importances = None
    size = n_units
    reported = -np.inf
    while True:
        betas = solve_all(problems, gram.K, size, _is_convex(gram))
        sizes.append(size)
        if gram.held_out is not None:
            biases = np.array([problem.bias for problem in problems])
            decisions.append(gram.K_cross @ betas.T + biases)
        known = None
        if importances is None:
            importances = known = ranking.each_feature(betas)
        now = time.monotonic()
        if progress is not None and (now >= reported + _REPORT_SECONDS or size <= floor):
            progress(n_units - size, n_units - floor)
            reported = now
        if size <= floor or (deadline is not None and now > deadline):
            break
        gone, values = ranking.weakest(betas, min(step, size - floor), known)
        order.append(gone)
        criterion.append(values)
        size -= len(gone)
        ranking.drop(gone)
        take_out(gram, np.concatenate([ranking.features[name] for name in gone]), rescale_gamma)
    return Trace(
        order=np.concatenate([*order, np.empty(0, dtype=np.intp)]).astype(np.intp),
        criterion=np.concatenate([*criterion, np.empty(0)]),
        sizes=np.array(sizes, dtype=np.intp),
        importances=importances,
        decisions=np.array(decisions) if gram.held_out is not None else None,
    )


def _is_convex(gram: Gram) -> bool:
    """Tell whether the kernel is positive semidefinite, so that any start leads to one optimum."""
    if gram.kernel in ("rbf", "poly"):
        # coef0 < 0 makes a polynomial indefinite.
        return gram.kernel == "rbf" or gram.coef0 >= 0.0
    n = len(gram.K)
    jitter = 1e-10 * max(float(np.abs(gram.K.diagonal()).max()), 1e-300)
    try:
        np.linalg.cholesky(gram.K + jitter * np.eye(n))
    except np.linalg.LinAlgError:
        return False
    return True
