"""Which tree ensembles are known, and what is said to others."""

import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRanker, XGBRFRegressor

from featprune.importance.trees import family as families
from featprune.importance.trees.family import check_importance, family_of


class Own(RandomForestClassifier):
    """A forest of the caller's own."""


@pytest.mark.parametrize(
    ("estimator", "family"),
    [
        (XGBClassifier(), families.XGBOOST),
        (XGBRFRegressor(), families.XGBOOST),
        (LGBMRegressor(), families.LIGHTGBM),
        (RandomForestClassifier(), families.FOREST),
        (Own(), families.FOREST),
        (ExtraTreesRegressor(), families.FOREST),
        (GradientBoostingClassifier(), families.BOOSTING),
        (HistGradientBoostingClassifier(), families.HISTOGRAM),
        (DecisionTreeClassifier(), families.TREE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tree_ensembles_are_known(estimator, family):
    assert family_of(estimator, "T") is family


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), IsolationForest(), XGBRanker(), XGBClassifier, None, "trees"],
    ids=lambda value: str(value)[:20],
)
def test_others_are_refused_by_name(estimator):
    with pytest.raises(TypeError, match=r"'estimator' parameter of T must be a tree ensemble: XGB"):
        family_of(estimator, "T")


def test_a_linear_booster_is_refused():
    with pytest.raises(ValueError, match=r"T needs trees, and booster='gblinear' has none"):
        family_of(XGBClassifier(booster="gblinear"), "T")


@pytest.mark.parametrize("importance", ["shap", "impurity", "none", None, 3])
def test_an_importance_that_an_estimator_cannot_tell_is_refused(importance):
    model = HistGradientBoostingClassifier()
    with pytest.raises(ValueError, match=r"for HistGradientBoostingClassifier, one of 'permut"):
        check_importance(importance, model, families.HISTOGRAM, "T")


def test_auto_is_the_first_of_the_family():
    assert check_importance("auto", XGBClassifier(), families.XGBOOST, "T") == "shap"
    assert check_importance("auto", Own(), families.FOREST, "T") == "permutation"
