"""A network as a classifier that scikit-learn's scorers take."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from featprune.extract.network import Network


class _Answer(NamedTuple):
    """What a network says of some rows.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,) or None
    probabilities : ndarray of shape (n_rows, n_classes) or None
    named : list or None
        The class of each probability, where the network says it.
    """

    labels: np.ndarray | None
    probabilities: np.ndarray | None
    named: list[Any] | None


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A network of which X is what goes in: a dict of arrays, one for each input.

    Parameters
    ----------
    network : Network
    batch_size : int
        Rows that it gets at a time.
    classes : array-like or None
        The classes in the order of its probabilities, if the caller says them.
    owner : str
        Who uses it, for messages.
    """

    def __init__(self, network: Network, batch_size: int, classes: Any, owner: str) -> None:
        self.network = network
        self.batch_size = batch_size
        self.classes = classes
        self.owner = owner

    def fit(self, X: dict[str, np.ndarray], y: np.ndarray) -> Self:
        """Find out from the first row which classes there are."""
        first = self._answer({name: values[:1] for name, values in X.items()})
        given = None if self.classes is None else np.asarray(self.classes)
        found = np.unique(y)
        if first.probabilities is None:
            self._order = found if given is None else given
        else:
            n_classes = first.probabilities.shape[1]
            if given is not None and len(given) != n_classes:
                raise ValueError(
                    f"The 'classes' parameter of {self.owner} must have {n_classes}, as many as "
                    f"the model has probabilities. Got {len(given)} instead."
                )
            if given is not None:
                self._order = given
            elif first.named is not None:
                self._order = np.array(first.named)
            else:
                self._order = found if len(found) == n_classes else np.arange(n_classes)
        self.classes_ = np.unique(self._order)
        return self

    def predict(self, X: dict[str, np.ndarray]) -> np.ndarray:
        """Return the most likely class of each row."""
        answer = self._answer(X)
        if answer.labels is not None:
            return answer.labels
        return self._order[self._there(answer).argmax(axis=1)]

    def predict_proba(self, X: dict[str, np.ndarray]) -> np.ndarray:
        """Return the probability of each class of `classes_`."""
        return self._there(self._answer(X))[:, np.argsort(self._order, kind="stable")]

    def _there(self, answer: _Answer) -> np.ndarray:
        if answer.probabilities is None:
            raise ValueError(
                f"The model {self.network.name} returns no probabilities, which this 'scoring' of "
                f"{self.owner} needs. Pass scoring='accuracy', or a model that does."
            )
        return answer.probabilities

    def _answer(self, feeds: dict[str, np.ndarray]) -> _Answer:
        n_rows = len(next(iter(feeds.values())))
        labels, probabilities, named = [], [], None
        for start in range(0, n_rows, self.batch_size):
            part = {name: v[start : start + self.batch_size] for name, v in feeds.items()}
            for values in self.network.run(part):
                if isinstance(values, list) and values and isinstance(values[0], dict):
                    # skl2onnx's list of dicts, one a row
                    named = list(values[0])
                    rows = [[row[c] for c in named] for row in values]
                    probabilities.append(np.array(rows, dtype=np.float32))
                elif isinstance(values, np.ndarray) and values.dtype.kind in "biuOUS":
                    labels.append(values.ravel())
                elif isinstance(values, np.ndarray) and values.dtype.kind == "f":
                    probabilities.append(values.reshape(len(values), -1))
        if not labels and not probabilities:
            raise ValueError(
                f"The model {self.network.name} returns neither classes nor probabilities, so it "
                f"is no classifier. Its outputs: {', '.join(map(str, self.network.outputs))}."
            )
        found = np.concatenate(probabilities) if probabilities else None
        if found is not None and found.shape[1] == 1:  # that of the second of two classes
            found = np.hstack([1 - found, found])
        words = np.concatenate(labels) if labels else None
        if words is not None and words.dtype == object:
            words = words.astype(str)
        return _Answer(words, found, named)
