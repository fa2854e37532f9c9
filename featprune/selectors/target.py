"""Checks of targets: classes or numbers; each error says what came and how to mend it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

# a numeric target of more distinct values than this, and than a twentieth of the rows, counts
# as a regression target: an SVM for each pair of its values would run for hours
MANY_CLASSES = 50
# what messages name
SVM_REGRESSOR, SVM_CLASSIFIER = (
    "SVR(kernel='linear') or LinearSVR()",
    "SVC(kernel='linear') or LinearSVC()",
)
TREE_REGRESSOR, TREE_CLASSIFIER = "XGBRegressor()", "XGBClassifier()"


def check_classes(y: Any, owner: str, regressor: str = SVM_REGRESSOR) -> np.ndarray:
    """Return labels of two or more classes as an array, or raise.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    owner : str
        The class that ranks columns for them, for the message.
    regressor : str
        What to pass for numbers, for the message.

    Raises
    ------
    ValueError
        For missing values, for less than two classes, and for a target of numbers that are
        no classes.
    """
    y = _column(y)
    classes = np.unique(y)
    if _are_no_classes(y) or type_of_target(y, input_name="y").startswith("continuous"):
        raise ValueError(
            f"Unknown label type: y has {len(classes)} different numbers in {len(y)} rows, as a "
            f"regression target has, and the 'estimator' of {owner} is a classifier. Pass a "
            f"regressor, estimator={regressor}, or, if these numbers are classes, pass them as "
            "strings."
        )
    check_classification_targets(y)
    if len(classes) < 2:
        raise ValueError(
            f"y has one class, {classes.tolist()[0]!r}, and {owner} needs at least 2 classes. "
            "Pass rows of another class, too."
        )
    return y


def check_numbers(y: Any, owner: str, classifier: str = SVM_CLASSIFIER) -> np.ndarray:
    """Return a target of finite numbers as a float64 array, or raise.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    owner : str
        The class that ranks columns for them, for the message.
    classifier : str
        What to pass for classes, for the message.

    Raises
    ------
    ValueError
        For missing or infinite values, and for what is no number.
    """
    y = _column(y)
    words = y.dtype.kind not in "biufO" or any(isinstance(value, str | bytes) for value in y)
    try:
        numbers = None if words else y.astype(np.float64)
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        raise ValueError(
            f"y must hold numbers, because the 'estimator' of {owner} is a regressor. Got "
            f"{y[0]!r}. Pass a classifier, {classifier}, if y has classes."
        )
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise ValueError(f"y has infinite values in {infinite} row(s). Drop these rows.")
    return numbers


def is_regression(y: Any) -> bool:
    """Say whether a target is of numbers that are no classes."""
    values = np.asarray(y)
    if values.dtype.kind not in "biuf":
        return False
    return _are_no_classes(values) or type_of_target(values).startswith("continuous")


def check_either(y: Any, owner: str) -> tuple[np.ndarray, bool]:
    """Return a target as an array, and whether it is of numbers that are no classes, or raise.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    owner : str
        The class that takes both, for the message.

    Raises
    ------
    ValueError
        For missing or infinite values, and where all are one.
    """
    values = _column(y)
    if values.dtype == object and all(type(value) in (int, float) for value in values):
        values = np.array(values.tolist())
    if values.dtype.kind == "f":
        check_numbers(values, owner)
    if not is_regression(values):
        return check_classes(values, owner), False
    if (values == values[0]).all():
        raise ValueError(
            f"y has one value, {values[0]!s}, in all rows, and {owner} needs at least 2. Pass rows "
            "of another value, too."
        )
    return values.astype(np.float64), True


def check_tree_target(y: Any, classifies: bool, owner: str) -> np.ndarray:
    """Return a target of one or more outputs as an array, or raise.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    classifies : bool
        Whether it is for a classifier.
    owner : str
        The class that ranks columns for it, for the message.

    Raises
    ------
    ValueError
        As `check_classes` and `check_numbers`.
    """

    def check(part: Any) -> np.ndarray:
        if classifies:
            return check_classes(part, owner, TREE_REGRESSOR)
        return check_numbers(part, owner, TREE_CLASSIFIER)

    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] > 1:
        return np.column_stack([check(values[:, k]) for k in range(values.shape[1])])
    return check(y)


def _are_no_classes(y: np.ndarray) -> bool:
    n_values = len(np.unique(y))
    return y.dtype.kind in "iuf" and n_values > max(MANY_CLASSES, y.shape[0] / 20)


def _column(y: Any) -> np.ndarray:
    """Return a target as an array without missing values, or raise."""
    y = column_or_1d(np.asarray(y), warn=True)
    if y.dtype == object:
        missing = any(value is None or value != value for value in y)
    else:
        missing = y.dtype.kind == "f" and bool(np.isnan(y).any())
    if missing:
        raise ValueError("y has missing values. Drop the rows whose target is missing.")
    return y
