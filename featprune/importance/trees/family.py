"""Which tree ensembles there are, and what each of them takes and tells."""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn import ensemble, tree
from sklearn.base import is_classifier, is_regressor

# Levels that a booster's bins can tell apart: scikit-learn keeps one bin of 256 for missing values.
_MANY, _BINS = 10_000, 255


class Family(NamedTuple):
    """One library's tree ensembles.

    Attributes
    ----------
    name : {"xgboost", "lightgbm", "forest", "boosting", "histogram", "tree"}
    importances : tuple of str
        Those that can be asked for, the default first.
    most_levels : int
        Levels that a column of categories may have to reach the model as it is; 0 if the model
        takes numbers only.
    takes_missing : bool
        Whether NaN reaches the model as it is.
    """

    name: str
    importances: tuple[str, ...]
    most_levels: int
    takes_missing: bool


_SKLEARN = ("permutation", "impurity", "shap", "null")
XGBOOST = Family(
    "xgboost",
    ("shap", "total_gain", "gain", "cover", "weight", "permutation", "null"),
    _MANY,
    True,
)
LIGHTGBM = Family(
    "lightgbm", ("shap", "total_gain", "gain", "weight", "permutation", "null"), _MANY, True
)
FOREST = Family("forest", _SKLEARN, 0, True)
BOOSTING = Family("boosting", _SKLEARN, 0, False)
HISTOGRAM = Family("histogram", ("permutation",), _BINS, True)
TREE = Family("tree", _SKLEARN, 0, True)

_OF_SKLEARN: dict[str, Family] = {
    "RandomForestClassifier": FOREST,
    "RandomForestRegressor": FOREST,
    "ExtraTreesClassifier": FOREST,
    "ExtraTreesRegressor": FOREST,
    "GradientBoostingClassifier": BOOSTING,
    "GradientBoostingRegressor": BOOSTING,
    "HistGradientBoostingClassifier": HISTOGRAM,
    "HistGradientBoostingRegressor": HISTOGRAM,
    "DecisionTreeClassifier": TREE,
    "DecisionTreeRegressor": TREE,
    "ExtraTreeClassifier": TREE,
    "ExtraTreeRegressor": TREE,
}
_SUPPORTED = (
    "XGBClassifier, XGBRegressor, LGBMClassifier, LGBMRegressor, RandomForest, ExtraTrees, "
    "GradientBoosting and HistGradientBoosting of both kinds, and single trees"
)


def family_of(estimator: Any, owner: str) -> Family:
    """Return the family of an estimator.

    Parameters
    ----------
    estimator : estimator
    owner : str
        The class that it was passed to, for messages.

    Raises
    ------
    TypeError
        If it is no instance of a tree ensemble that is known; the message says which are.
    ValueError
        If its parameters make it something else, such as a linear booster.
    """
    found = None
    for kind in type(estimator).__mro__:
        home, name = kind.__module__.split(".")[0], kind.__name__
        if home == "xgboost" and name == "XGBModel":
            found = XGBOOST
        elif home == "lightgbm" and name == "LGBMModel":
            found = LIGHTGBM
        elif kind is getattr(ensemble, name, None) or kind is getattr(tree, name, None):
            found = found or _OF_SKLEARN.get(name)
    if found is None or not (is_classifier(estimator) or is_regressor(estimator)):
        raise TypeError(
            f"The 'estimator' parameter of {owner} must be a tree ensemble: {_SUPPORTED}. Got "
            f"{estimator!r} instead."
        )
    if found is XGBOOST and getattr(estimator, "booster", None) == "gblinear":
        raise ValueError(
            f"{owner} needs trees, and booster='gblinear' has none. Pass booster='gbtree'."
        )
    return found


def check_importance(importance: Any, estimator: Any, family: Family, owner: str) -> str:
    """Return which importance is meant, "auto" being the family's first, or raise.

    Raises
    ------
    ValueError
        For an importance that is none, or that the estimator can't tell.
    """
    if importance == "auto":
        return family.importances[0]
    if importance in family.importances:
        return str(importance)
    raise ValueError(
        f"The 'importance' parameter of {owner} must be 'auto' or, for "
        f"{type(estimator).__name__}, one of {', '.join(map(repr, family.importances))}. Got "
        f"{importance!r} instead."
    )
