"""Importance against that of the same model on permuted targets."""

from __future__ import annotations

import numpy as np

from featprune.importance.trees.family import LIGHTGBM, XGBOOST
from featprune.importance.trees.measure import of_splits
from featprune.importance.trees.model import Fitted, Rows, Trees
from featprune.ranking import fold


def importances(
    trees: Trees, fitted: Fitted, rows: Rows, unit: np.ndarray, *, n_repeats: int, seed: int
) -> np.ndarray:
    """Return how far each unit's importance stands above those it has for permuted targets.

    The importance is the total gain of a booster, the impurity of scikit-learn's trees.

    Parameters
    ----------
    trees : Trees
    fitted : Fitted
        On the true target.
    rows : Rows
        That it was fitted on, with all features.
    unit : ndarray of shape (n_features,), int
        The unit of each feature of `rows`.
    n_repeats : int
        Permutations of the target, at least 2, a fit each.
    seed : int

    Returns
    -------
    ndarray of shape (k,)
        In standard deviations of the permuted ones, 0 where it is no higher than their mean; the
        unit's, in equal shares for its features.

    References
    ----------
    Altmann, A., Tolosi, L., Sander, O., Lengauer, T. (2010). Permutation importance: a
    corrected feature importance measure. Bioinformatics 26, 1340-1347.
    https://doi.org/10.1093/bioinformatics/btq134
    """
    base = "total_gain" if fitted.family in (XGBOOST, LIGHTGBM) else "impurity"
    own = unit[fitted.features]
    n_units = int(unit.max()) + 1
    nulls = np.empty((n_repeats, n_units))
    for i in range(n_repeats):
        mixed = np.random.default_rng([seed, i]).permutation(len(rows.y))
        weight = None if rows.weight is None else rows.weight[mixed]
        again = trees.fit(Rows(rows.X, rows.y[mixed], weight), fitted.features, like=fitted)
        nulls[i] = fold(of_splits(again, base), own, n_units)
    above = fold(of_splits(fitted, base), own, n_units) - nulls.mean(axis=0)
    spread = nulls.std(axis=0, ddof=1)
    # a unit that permuted targets have no use for can't be above them by an infinite amount
    least = spread[spread > 0].min() if (spread > 0).any() else 1.0
    score = np.maximum(above, 0.0) / np.maximum(spread, least)
    return (score / np.maximum(np.bincount(own, minlength=n_units), 1))[own]
