"""What a scorer may ask of a model whose outputs are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from featprune.importance.trees.flat import Flat


class Answers:
    """A fitted model whose outputs for one table are known, and can be set.

    Asked for anything else, or about another table, it passes the question on to the model.
    """

    def __init__(
        self, model: Any, flat: Flat, X: np.ndarray, least: float, is_single: bool
    ) -> None:
        self.model, self.X, self.least, self.is_single = model, X, least, is_single
        self.link, self.n_trees = flat.link, len(flat.column)
        self.outputs = np.empty((0, 0))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.model)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> np.ndarray:
        """Return values, or labels."""
        if X is not self.X:
            return np.asarray(self.model.predict(X))
        return self.outputs[:, 0] / (self.n_trees if self.link == "mean" else 1)

    def score(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        """Return what the model's own method would."""
        mixin = ClassifierMixin if is_classifier(self.model) else RegressorMixin
        if type(self.model).score is not mixin.score:
            return float(self.model.score(X, y, sample_weight=sample_weight))
        if mixin is RegressorMixin or y.ndim != 1:
            return float(mixin.score(self, X, y, sample_weight=sample_weight))
        # as accuracy_score, without its look at what the labels are
        return float(np.average(self.predict(X) == y, weights=sample_weight))


class AnswersOfClasses(Answers):
    """The same of a classifier."""

    def predict(self, X: Any) -> np.ndarray:
        """Return labels; those of rows that are near to a tie are asked of the model."""
        if X is not self.X:
            return np.asarray(self.model.predict(X))
        outputs = self.outputs
        if outputs.shape[1] <= 2:
            lead = outputs[:, -1] - (outputs[:, 0] if outputs.shape[1] == 2 else 0.0)
            codes = (lead > 0).astype(np.intp)
        else:
            codes = outputs.argmax(axis=1)
            lead = np.subtract(*np.partition(outputs, (-1, -2), axis=1)[:, [-1, -2]].T)
        labels = self.model.classes_[codes]
        near = np.flatnonzero(np.abs(lead) < self.least)
        if len(near):
            labels[near] = self.model.predict(X[near])
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class."""
        if X is not self.X:
            return np.asarray(self.model.predict_proba(X))
        if self.link == "mean":
            return self.outputs / self.n_trees
        outputs = self.outputs.astype(np.float32) if self.is_single else self.outputs
        if self.link == "softmax":
            return softmax(outputs, axis=1)
        return np.stack([1 - expit(outputs[:, 0]), expit(outputs[:, 0])], axis=1)

    @available_if(lambda self: hasattr(self.model, "decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the outputs themselves."""
        if X is not self.X:
            return np.asarray(self.model.decision_function(X))
        return self.outputs[:, 0] if self.outputs.shape[1] == 1 else self.outputs
