"""Fitting a tree ensemble on some features, so that it can be asked like any other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier

from featprune.importance.trees.family import HISTOGRAM, LIGHTGBM, XGBOOST, Family


def as_taken(X: Any, family: Family) -> Any:
    """Return encoded values in the form in which a family's models take them as they are.

    xgboost takes what a sparse matrix does not store for missing, not for zero: for it, the
    matrix is made dense, in the single precision that it works in, 4 bytes an entry.
    """
    if family is XGBOOST:
        X = X.astype(np.float32)
        return X.toarray() if sparse.issparse(X) else X
    return sparse.csr_matrix(X) if sparse.issparse(X) else X


class Rows(NamedTuple):
    """Encoded rows with their target.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    weight : ndarray of shape (n_rows,) or None
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> Rows:
        """Return some rows."""
        return Rows(self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows])

    def features(self, features: np.ndarray) -> Rows:
        """Return some features."""
        return self._replace(X=self.X[:, features])


class Trees:
    """A tree ensemble, to be fitted on some features at a time.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fit. Its own `n_jobs` is kept; None is one thread, so that what comes out
        does not depend on the machine.
    family : Family
    levels : ndarray of shape (n_features,), int
        As in :class:`~featprune.table.encode.Encoded`.
    seed : int
        Of an estimator without a `random_state` of its own.
    """

    def __init__(self, estimator: Any, family: Family, levels: np.ndarray, seed: int) -> None:
        self.estimator, self.family = estimator, family
        self.levels, self.seed = levels, seed

    @property
    def stops_early(self) -> bool:
        """Whether fits need rows beside the training rows, to know when to stop."""
        return bool(self._stops())

    def _stops(self) -> list[str]:
        """Parameters that make the estimator stop early."""
        parameters = self.estimator.get_params(deep=False)
        names = ("early_stopping_rounds", "early_stopping_round")
        return [name for name in names if parameters.get(name)]

    def fit(
        self,
        rows: Rows,
        features: np.ndarray,
        stopping: Rows | None = None,
        like: Fitted | None = None,
    ) -> Fitted:
        """Fit a clone.

        Parameters
        ----------
        rows : Rows
            With all features.
        features : ndarray of shape (k,), int
            Those to fit on.
        stopping : Rows, optional
            By whose score a booster stops, if it is to.
        like : Fitted, optional
            A model whose number of rounds to take in place of early stopping.

        Returns
        -------
        Fitted
        """
        model = clone(self.estimator)
        model.set_params(**self._settings(model, features))
        if like is not None and self.stops_early:
            model.set_params(n_estimators=like.n_rounds(), **dict.fromkeys(self._stops()))
        y, classes = rows.y, None
        # xgboost takes codes only, lightgbm takes only codes of the rows to stop by
        if self.family in (XGBOOST, LIGHTGBM) and is_classifier(model) and rows.y.ndim == 1:
            classes, y = np.unique(rows.y, return_inverse=True)
        options: dict[str, Any] = {}
        if rows.weight is not None:
            options["sample_weight"] = rows.weight
        if self.family is LIGHTGBM and self.levels[features].any():
            options["categorical_feature"] = np.flatnonzero(self.levels[features]).tolist()
        if stopping is not None and self.stops_early:
            by = stopping.y if classes is None else np.searchsorted(classes, stopping.y)
            if self.family is XGBOOST:
                options |= {"eval_set": [(stopping.X[:, features], by)], "verbose": False}
            else:
                options |= {"eval_X": (stopping.X[:, features],), "eval_y": (by,)}
        model.fit(rows.X[:, features], y, **options)
        return Fitted(model, features, self.family, classes)

    def _settings(self, model: Any, features: np.ndarray) -> dict[str, Any]:
        """Parameters that the fit needs: seed, threads, which features hold codes."""
        known = model.get_params(deep=False)
        settings: dict[str, Any] = {}
        if known.get("random_state", 0) is None:
            settings["random_state"] = self.seed
        if known.get("n_jobs", 0) is None:
            settings["n_jobs"] = 1
        is_code = self.levels[features] > 0
        if self.family is XGBOOST and is_code.any():
            settings["enable_categorical"] = True
            settings["feature_types"] = ["c" if code else "q" for code in is_code]
        if self.family is HISTOGRAM:
            settings["categorical_features"] = is_code
        if self.family is LIGHTGBM and known.get("verbosity", known.get("verbose")) is None:
            settings["verbosity"] = -1
        return settings


class Fitted:
    """A model, and the features it was fitted on.

    Attributes
    ----------
    model : estimator
    features : ndarray of shape (k,), int
    classes : ndarray of shape (n_classes,), or None
        Of which the model knows the codes; None if it knows the target itself.
    """

    def __init__(
        self, model: Any, features: np.ndarray, family: Family, classes: np.ndarray | None
    ) -> None:
        self.model, self.features, self.family = model, features, family
        self.classes = classes

    def as_estimator(self) -> Any:
        """Return what a scorer may ask: predictions for rows of the model's own features."""
        if self.classes is None:
            return self.model
        return Decoded(self.model, self.classes)

    def n_rounds(self) -> int:
        """Return how many rounds predictions use: those up to the best, where it stopped early."""
        if self.family is LIGHTGBM:
            return int(self.model.best_iteration_ or self.model.n_estimators_)
        try:
            return int(self.model.best_iteration + 1)
        except AttributeError:
            return int(self.model.get_num_boosting_rounds())

    def used(self) -> np.ndarray | None:
        """Say which features stand in a split, shape (k,), bool; None if that can't be known."""
        if self.family is XGBOOST:
            counts = self.model.get_booster().get_score(importance_type="weight")
            used = np.zeros(len(self.features), dtype=bool)
            used[[int(name[1:]) for name in counts]] = True
            return used
        if self.family is LIGHTGBM:
            return self.model.booster_.feature_importance("split") > 0
        return None


class Decoded(ClassifierMixin, BaseEstimator):
    """A classifier of codes that answers in labels."""

    def __init__(self, model: Any, classes: np.ndarray) -> None:
        self.model, self.classes = model, classes
        self.classes_ = classes

    def __sklearn_is_fitted__(self) -> bool:
        """It is."""
        return True

    def predict(self, X: Any) -> np.ndarray:
        """Return labels."""
        return self.classes[np.asarray(self.model.predict(X)).astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class."""
        return self.model.predict_proba(X)
