"""What each feature of a fitted tree ensemble is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.trees.family import LIGHTGBM, XGBOOST
from featprune.importance.trees.model import Fitted


def of_splits(fitted: Fitted, importance: str) -> np.ndarray:
    """Return what the model itself counts for each of its features, shape (k,).

    Parameters
    ----------
    fitted : Fitted
    importance : {"gain", "total_gain", "cover", "weight", "impurity"}
    """
    model = fitted.model
    if importance == "impurity":
        return np.asarray(model.feature_importances_)
    if fitted.family is XGBOOST:
        values = np.zeros(len(fitted.features))
        for name, value in model.get_booster().get_score(importance_type=importance).items():
            # a booster of several outputs may list one value for each
            values[int(name[1:])] = np.sum(value)
        return values
    booster = model.booster_
    counts = booster.feature_importance("split").astype(float)
    if importance == "weight":
        return counts
    total = booster.feature_importance("gain")
    return total if importance == "total_gain" else total / np.maximum(counts, 1.0)


def of_contributions(fitted: Fitted, X: Any, weight: np.ndarray | None) -> np.ndarray:
    """Return the mean size of each feature's SHAP values over rows, summed over outputs, (k,).

    Parameters
    ----------
    fitted : Fitted
    X : ndarray or CSR matrix of shape (n_rows, k)
        Rows of the model's own features.
    weight : ndarray of shape (n_rows,) or None

    Raises
    ------
    ImportError
        If the model is scikit-learn's and `shap` is not installed.
    """
    k = len(fitted.features)
    if fitted.family is XGBOOST:
        import xgboost

        booster = fitted.model.get_booster()
        table = xgboost.DMatrix(
            X,
            feature_types=booster.feature_types,
            enable_categorical=True,
            nthread=_threads(fitted),
        )
        until = fitted.n_rounds()
        values = booster.predict(table, pred_contribs=True, iteration_range=(0, until))
        values = values.reshape(len(values), -1, k + 1)[:, :, :k]
    elif fitted.family is LIGHTGBM:
        values = fitted.model.booster_.predict(X, pred_contrib=True)
        if sparse.issparse(values) or isinstance(values, list):
            values = np.stack(
                [np.asarray(part.todense()) for part in np.atleast_1d(values)], axis=1
            )
        values = np.asarray(values).reshape(X.shape[0], -1, k + 1)[:, :, :k]
    else:
        values = _by_shap(fitted.model, X)
    return np.average(np.abs(values).sum(axis=1), axis=0, weights=weight)


def _by_shap(model: Any, X: Any) -> np.ndarray:
    """SHAP values of scikit-learn's trees, (n_rows, n_outputs, k)."""
    try:
        import shap
    except ImportError as error:
        raise ImportError(
            f"importance='shap' of {type(model).__name__} needs the package shap: pip install "
            "'featprune[shap]'. Boosters of xgboost and lightgbm need no package."
        ) from error
    X = X.toarray() if sparse.issparse(X) else X
    values = np.asarray(shap.TreeExplainer(model).shap_values(X, check_additivity=False))
    return values[:, None] if values.ndim == 2 else np.moveaxis(values, 2, 1)


def _threads(fitted: Fitted) -> int:
    return int(fitted.model.get_params(deep=False).get("n_jobs") or 1)
