"""Scores of held-out rows from decision values, for whole paths and any scikit-learn scorer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer
from sklearn.svm import SVC, LinearSVC


class HeldOutModel(ClassifierMixin, BaseEstimator):
    """A classifier that knows only what it says of some rows, whatever rows it is given.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n_rows,)
        What it predicts.
    values : ndarray of shape (n_rows,) or (n_rows, n_values)
        Its decision values.
    """

    def __init__(self, classes: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
        self.classes = classes
        self.labels = labels
        self.values = values
        self.classes_ = classes

    def predict(self, X: Any) -> np.ndarray:
        """Return the labels."""
        return self.labels

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the decision values."""
        return self.values


def score_path(
    estimator: SVC | LinearSVC,
    decisions: np.ndarray,
    classes: np.ndarray,
    X: Any,
    y: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    scoring: str | Callable | None = None,
) -> np.ndarray:
    """Score each model of a path on held-out rows.

    Parameters
    ----------
    estimator : SVC or LinearSVC
        The machine whose values they are; decides how problems become labels.
    decisions : ndarray of shape (n_models, n_rows, n_problems)
        As in :class:`~featprune.importance.svm.trace.Trace`.
    classes : ndarray of shape (n_classes,)
        The classes of the training rows.
    X, y : the held-out rows and their labels
        Handed to the scorer.
    sample_weight : ndarray of shape (n_rows,), optional
    scoring : str, callable or None
        As in scikit-learn; None is accuracy.

    Returns
    -------
    ndarray of shape (n_models,)

    Raises
    ------
    ValueError
        If the scorer asks for what decision values can't give, such as probabilities.
    """
    codes = predicted_codes(estimator, decisions, len(classes))
    if scoring is None or scoring == "accuracy":
        hits = classes[codes] == np.asarray(y)
        return np.average(hits, axis=1, weights=sample_weight)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    scorer = get_scorer(scoring)
    scores = np.empty(len(decisions))
    for i, values in enumerate(decisions):
        model = HeldOutModel(
            classes, classes[codes[i]], public_values(estimator, values, len(classes))
        )
        try:
            with warnings.catch_warnings():
                # precision and F1 warn of a class that is never predicted, and score it 0
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                scores[i] = scorer(model, X, y, **weights)
        except AttributeError as error:
            raise ValueError(
                f"scoring={scoring!r} asks an SVM for more than its labels and decision values: "
                f"{error}. Choose a scoring that ranks or counts, such as 'roc_auc', 'f1' or "
                "'accuracy'."
            ) from error
    return scores


def guess(codes: np.ndarray, n_rows: int, *, one_vs_one: bool) -> np.ndarray:
    """Return the decision values of a machine that knows nothing but which class is frequent.

    Parameters
    ----------
    codes : ndarray of shape (n_training_rows,), int
        Classes of the training rows, 0 to n_classes - 1.
    n_rows : int
        Rows to decide on; all get the same values.
    one_vs_one : bool
        Whether there is a problem for each pair of classes, or one for each class.

    Returns
    -------
    ndarray of shape (1, n_rows, n_problems)
        As the decisions of a path of one model.
    """
    counts = np.bincount(codes)
    most = counts.argmax()
    if len(counts) == 2:
        values = np.array([1.0 if most == 1 else -1.0])
    elif one_vs_one:
        first, second = np.triu_indices(len(counts), k=1)
        values = (first == most).astype(float) - (second == most)
    else:
        values = np.where(np.arange(len(counts)) == most, 1.0, -1.0)
    return np.tile(values, (1, n_rows, 1))


def predicted_codes(
    estimator: SVC | LinearSVC, decisions: np.ndarray, n_classes: int
) -> np.ndarray:
    """Return the predicted class of each row as a code, shape (..., n_rows)."""
    if n_classes == 2:
        return (decisions[..., 0] > 0).astype(np.intp)
    if isinstance(estimator, LinearSVC):
        return decisions.argmax(axis=-1)
    if estimator.break_ties and estimator.decision_function_shape == "ovr":
        return _one_vs_rest(decisions, n_classes).argmax(axis=-1)
    return _votes(decisions, n_classes)[0].argmax(axis=-1)


def public_values(estimator: SVC | LinearSVC, decisions: np.ndarray, n_classes: int) -> np.ndarray:
    """Return decision values in the shape that the estimator's ``decision_function`` has."""
    if n_classes == 2:
        return decisions[..., 0]
    if isinstance(estimator, SVC) and estimator.decision_function_shape == "ovr":
        return _one_vs_rest(decisions, n_classes)
    return decisions


def _votes(decisions: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes and summed confidences of one-vs-one values, each of shape (..., n_classes)."""
    votes = np.zeros((*decisions.shape[:-1], n_classes))
    confidences = np.zeros_like(votes)
    first, second = np.triu_indices(n_classes, k=1)
    for problem, (i, j) in enumerate(zip(first, second, strict=True)):
        value = decisions[..., problem]
        votes[..., i] += value > 0
        votes[..., j] += value <= 0
        confidences[..., i] += value
        confidences[..., j] -= value
    return votes, confidences


def _one_vs_rest(decisions: np.ndarray, n_classes: int) -> np.ndarray:
    """Votes, with the confidences squeezed into (-1/3, 1/3) to break their ties."""
    votes, confidences = _votes(decisions, n_classes)
    return votes + confidences / (3 * (np.abs(confidences) + 1))
