"""The two-class and regression problems that a support vector machine consists of."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """One convex problem: a penalty on the weights, and a loss for each row it takes.

    With ``f`` the decision value of a row, the loss is zero from `low` to `high` and grows
    outside, ``box * d`` at a distance d (hinge, epsilon-insensitive) or ``d^2 / (4 ridge)``,
    which is ``C d^2`` (squared hinge). In the dual, each row has a coefficient beta within
    plus or minus `box`, positive where ``f + ridge * beta`` is `low`, negative where it is
    `high`; the weights are ``X' beta``.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int
        Rows of X that take part, ascending.
    low, high : ndarray of shape (n_rows,)
        +1 and infinity for a positive row, minus infinity and -1 for a negative one; target
        minus and plus epsilon in a regression.
    box : ndarray of shape (n_rows,)
        C times the weight of each row; infinite for a squared loss.
    ridge : ndarray of shape (n_rows,)
        ``1 / (2 C)`` of each row for a squared loss, else 0.
    """

    rows: np.ndarray
    low: np.ndarray
    high: np.ndarray
    box: np.ndarray
    ridge: np.ndarray


def one_vs_one(codes: np.ndarray, C: np.ndarray) -> list[Problem]:
    """Return a hinge-loss problem for each pair of classes, with the order and signs of SVC.

    Of two classes the second is positive, of more the first of each pair.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
        Classes 0 to n_classes - 1, each of them present.
    C : ndarray of shape (n_samples,)
        Largest loss rate of each row, positive.
    """
    n_classes = int(codes.max()) + 1
    problems = []
    for first, second in combinations(range(n_classes), 2):
        rows = np.flatnonzero((codes == first) | (codes == second))
        positive = codes[rows] == (second if n_classes == 2 else first)
        problems.append(_classifier(rows, positive, C[rows], squared=False))
    return problems


def one_vs_rest(codes: np.ndarray, C: np.ndarray, *, squared: bool) -> list[Problem]:
    """Return a problem for each class, or one for two classes, as LinearSVC has them.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
    C : ndarray of shape (n_problems, n_samples)
    squared : bool
        Whether the hinge loss is squared.
    """
    n_classes = int(codes.max()) + 1
    rows = np.arange(len(codes))
    classes = [1] if n_classes == 2 else range(n_classes)
    return [
        _classifier(rows, codes == c, bounds, squared=squared)
        for c, bounds in zip(classes, C, strict=True)
    ]


def regression(y: np.ndarray, C: np.ndarray, epsilon: float, *, squared: bool) -> list[Problem]:
    """Return the one problem of SVR or LinearSVR.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), float
    C : ndarray of shape (n_samples,)
    epsilon : float
    squared : bool
        Whether the loss outside the tube is squared.
    """
    return [_problem(np.arange(len(y)), y - epsilon, y + epsilon, C, squared=squared)]


def _classifier(rows: np.ndarray, positive: np.ndarray, C: np.ndarray, *, squared: bool) -> Problem:
    low = np.where(positive, 1.0, -np.inf)
    high = np.where(positive, np.inf, -1.0)
    return _problem(rows, low, high, C, squared=squared)


def _problem(
    rows: np.ndarray, low: np.ndarray, high: np.ndarray, C: np.ndarray, *, squared: bool
) -> Problem:
    C = np.asarray(C, dtype=np.float64)
    if squared:
        return Problem(rows, low, high, np.full(len(rows), np.inf), 1.0 / (2.0 * C))
    return Problem(rows, low, high, C, np.zeros(len(rows)))
