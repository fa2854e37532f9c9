"""Scores of held-out rows from decision values, for whole paths and any scikit-learn scorer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer
from sklearn.svm import SVC, LinearSVC

from featprune.importance.svm.machine import Machine, is_regressor


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


class HeldOutRegressor(RegressorMixin, BaseEstimator):
    """A regressor that knows only what it says of some rows, whatever rows it is given.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        What it predicts.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def predict(self, X: Any) -> np.ndarray:
        """Return the values."""
        return self.values


def score_path(
    estimator: Machine,
    decisions: np.ndarray,
    classes: np.ndarray | None,
    X: Any,
    y: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    scoring: str | Callable | None = None,
) -> np.ndarray:
    """Score each model of a path on held-out rows.

    Parameters
    ----------
    estimator : SVC, LinearSVC, SVR or LinearSVR
        The machine whose values they are; decides how problems become labels.
    decisions : ndarray of shape (n_models, n_rows, n_problems)
        As in :class:`~featprune.importance.trace.Trace`.
    classes : ndarray of shape (n_classes,), or None
        The classes of the training rows; None for a regressor.
    X, y : the held-out rows and their labels or targets
        Handed to the scorer.
    sample_weight : ndarray of shape (n_rows,), optional
    scoring : str, callable or None
        As in scikit-learn; None is accuracy, for a regressor R2.

    Returns
    -------
    ndarray of shape (n_models,)

    Raises
    ------
    ValueError
        If the scorer asks for what decision values can't give, such as probabilities.
    """
    if classes is None or is_regressor(estimator):
        if scoring is None or scoring == "r2":
            return _r2(decisions[..., 0], np.asarray(y), sample_weight)
        models = [HeldOutRegressor(values[:, 0]) for values in decisions]
        return _score_each(models, scoring, X, y, sample_weight)
    codes = predicted_codes(estimator, decisions, len(classes))
    if scoring is None or scoring == "accuracy":
        hits = classes[codes] == np.asarray(y)
        return np.average(hits, axis=1, weights=sample_weight)
    values = public_values(estimator, decisions, len(classes))
    models = [HeldOutModel(classes, classes[codes[i]], values[i]) for i in range(len(decisions))]
    return _score_each(models, scoring, X, y, sample_weight)


def _score_each(
    models: list[Any], scoring: str | Callable, X: Any, y: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    """Ask the scorer about one model after the other."""
    weights = {} if weight is None else {"sample_weight": weight}
    scorer = get_scorer(scoring)
    scores = np.empty(len(models))
    for i, model in enumerate(models):
        try:
            with warnings.catch_warnings():
                # precision and F1 warn of a class that is never predicted, and score it 0
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                scores[i] = scorer(model, X, y, **weights)
        except AttributeError as error:
            has, such = "labels and decision values", "'roc_auc', 'f1' or 'accuracy'"
            if isinstance(model, HeldOutRegressor):
                has, such = "predictions", "'r2' or 'neg_mean_absolute_error'"
            raise ValueError(
                f"scoring={scoring!r} asks an SVM for more than its {has}: {error}. Choose a "
                f"scoring that ranks or counts, such as {such}."
            ) from error
    return scores


def _r2(predictions: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """R2 of each row of predictions, as scikit-learn has it: NaN for less than two rows."""
    if len(y) < 2:
        return np.full(len(predictions), np.nan)
    missed = np.average((predictions - y) ** 2, axis=1, weights=weight)
    spread = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    if spread == 0:  # nothing to explain: perfect or worthless
        return np.where(missed == 0, 1.0, 0.0)
    return 1.0 - missed / spread


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


def guess_mean(
    y: np.ndarray, n_rows: int, *, sample_weight: np.ndarray | None = None
) -> np.ndarray:
    """Return the predictions of a regressor that knows nothing but the mean of its targets.

    Parameters
    ----------
    y : ndarray of shape (n_training_rows,)
    n_rows : int
        Rows to predict.
    sample_weight : ndarray of shape (n_training_rows,), optional

    Returns
    -------
    ndarray of shape (1, n_rows, 1)
        As the decisions of a path of one model.
    """
    return np.full((1, n_rows, 1), np.average(y, weights=sample_weight))


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
