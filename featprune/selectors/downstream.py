"""What a model makes of the columns that are left, at each size of a path, on held-out rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

# Rows up to which turning them is cheaper than fitting on many features.
_MOST_TURNED = 1000
# Features up to which Newton's method is the faster solver for two classes.
_MOST_BY_NEWTON = 80


class Part(NamedTuple):
    """Encoded rows with their target and weights."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None


class Downstream:
    """A model that is fitted on some features, and scored.

    Parameters
    ----------
    estimator : estimator or None
        None is a logistic regression by the faster of two solvers, or a ridge regression for
        numbers, on features of variance 1.
    regresses : bool
        Whether the target is of numbers that are no classes.
    scoring : str, callable or None
        As in scikit-learn.
    seed : int
        For a `random_state` of the estimator that is None.
    """

    def __init__(self, estimator: Any, *, regresses: bool, scoring: Any, seed: int) -> None:
        self.scales = estimator is None
        self.regresses = regresses
        if estimator is None:
            estimator = Ridge() if regresses else LogisticRegression(max_iter=2000)
        self.estimator = clone(estimator)
        if self.estimator.get_params(deep=False).get("random_state", 0) is None:
            self.estimator.set_params(random_state=seed)
        self.scorer = check_scoring(self.estimator, scoring=scoring)

    def prepare(self, train: Part, test: Part) -> tuple[Part, Part]:
        """Scale both parts by the first, if this model is scaled."""
        if not self.scales:
            return train, test
        scaler = StandardScaler(with_mean=not sparse.issparse(train.X))
        X = scaler.fit_transform(train.X, sample_weight=train.sample_weight)
        return train._replace(X=X), test._replace(X=scaler.transform(test.X))

    def scores(
        self, train: Part, test: Part, features: list[np.ndarray], baseline: float
    ) -> list[float]:
        """Fit on some features of one part, and score the other, for each set of features.

        Without any feature the score is the baseline.
        """
        # BLAS rounds otherwise with other numbers of threads, of which workers have fewer
        with threadpool_limits(1, user_api="blas"):
            return [self._score(train, test, some) if len(some) else baseline for some in features]

    def _score(self, train: Part, test: Part, features: np.ndarray) -> float:
        model, X, others = clone(self.estimator), train.X[:, features], test.X[:, features]
        if self.scales and not self.regresses:
            if _is_wide(X):
                X, others = _turned(X, others)
            if X.shape[1] <= _MOST_BY_NEWTON and len(np.unique(train.y)) == 2:
                model.set_params(solver="newton-cholesky")
        model.fit(X, train.y, **_weights(model, train))
        return self._of(model, others, test)

    def baseline(self, train: Part, test: Part) -> float:
        """Return the score of a model that knows no column."""
        model = DummyRegressor() if self.regresses else DummyClassifier()
        model.fit(train.X[:, :1], train.y, **_weights(model, train))
        return self._of(model, test.X[:, :1], test)

    def _of(self, model: Any, X: Any, test: Part) -> float:
        weights = {} if test.sample_weight is None else {"sample_weight": test.sample_weight}
        return float(self.scorer(model, X, test.y, **weights))


def _is_wide(X: Any) -> bool:
    """Whether there are far more features than rows, and few enough of these."""
    return not sparse.issparse(X) and 2 * X.shape[0] < X.shape[1] and X.shape[0] <= _MOST_TURNED


def _turned(X: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in the directions that those of `X` span, no more than there are rows.

    A model with an L2 penalty has no weight in other directions, so that it is the same one.
    """
    values, vectors = np.linalg.eigh(X @ X.T)
    has_length = values > values[-1] * 1e-12
    lengths = np.sqrt(values[has_length])
    vectors = vectors[:, has_length]
    return vectors * lengths, (others @ X.T) @ (vectors / lengths)


def _weights(model: Any, part: Part) -> dict[str, np.ndarray]:
    if part.sample_weight is None:
        return {}
    if not has_fit_parameter(model, "sample_weight"):
        raise ValueError(
            f"The 'estimator' that scores the sizes, {type(model).__name__}, takes no "
            "sample_weight. Leave the weights out, or pass another estimator."
        )
    return {"sample_weight": part.sample_weight}
