"""Elimination by a tree ensemble: its importance once, or anew at each size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from featprune.importance.trace import Trace
from featprune.importance.trees import null
from featprune.importance.trees.family import LIGHTGBM, XGBOOST
from featprune.importance.trees.measure import of_contributions, of_splits
from featprune.importance.trees.model import Fitted, Rows, Trees
from featprune.importance.trees.permutation import of_permutations
from featprune.ranking import fold, weakest_first

# Rows whose predictions are taken apart: a row takes as long as a hundred take to be predicted, and
# the mean of a thousand is known to a few percent.
MOST_EXPLAINED = 1000


class Measure(NamedTuple):
    """How a model's importances are taken.

    Attributes
    ----------
    importance : str
        One of the family's.
    scorer : callable
        For "permutation".
    n_repeats : int
        Permutations of each unit, or of the target.
    seed : int
    """

    importance: str
    scorer: Callable[..., float]
    n_repeats: int
    seed: int


def eliminate(
    trees: Trees,
    rows: Rows,
    spare: Rows | None,
    parts: list[tuple[Rows, Rows]],
    measure: Measure,
    *,
    unit: np.ndarray,
    protected: np.ndarray,
    sizes: np.ndarray,
    recursive: bool,
    score: Callable[[Fitted], float] | None,
    progress: Callable[[int, int], None] | None = None,
    deadline: float | None = None,
) -> tuple[Trace, np.ndarray | None]:
    """Let the weakest units go, from one size to the next.

    Parameters
    ----------
    trees : Trees
    rows : Rows
        To fit on.
    spare : Rows or None
        Kept out of the fit, for early stopping.
    parts : list of (Rows, Rows)
        For "permutation": rows to fit on, and others to permute. Each gives importances, of which
        the mean is taken.
    measure : Measure
    unit : ndarray of shape (n_features,), int
        The unit of each feature.
    protected : ndarray of shape (n_units,), bool
        Units that never leave.
    sizes : ndarray of shape (n_models,), int
        Descending, from the number of units.
    recursive : bool
        Whether importances are taken anew at each size; otherwise those of the first model
        give the order of all.
    score : callable, optional
        Called with the model of each size.
    progress, deadline
        As in `featprune.importance.svm.eliminate`.

    Returns
    -------
    trace : Trace
    scores : ndarray of shape (n_models,) or None

    Notes
    -----
    A fit for each size, and one for each part where importances are taken, less those that would
    give the same model again: a booster without a random choice among columns does not miss
    columns that stand in no split. Without `score` and `recursive` there is one model.
    """
    left = np.ones(len(protected), dtype=bool)
    order: list[np.ndarray] = []
    criteria: list[np.ndarray] = []
    scores: list[float] = []
    n_models = 0
    fitted, importances, values = None, np.zeros(len(unit)), np.zeros(len(protected))
    for place, size in enumerate(sizes):
        if deadline is not None and n_models and time.monotonic() > deadline:
            break
        if progress is not None:
            progress(int(sizes[0] - size), int(sizes[0] - sizes[-1]))
        is_first = place == 0
        features = np.flatnonzero(left[unit])
        is_same = fitted is not None and _is_spared(trees, fitted, features)
        needed = is_first or score is not None or (recursive and size != sizes[-1])
        if needed and not is_same:
            fitted = trees.fit(rows, features, spare)
            if is_first or recursive:
                found = _importances(trees, fitted, rows, spare, parts, measure, unit)
                values = fold(found, unit[features], len(protected))
                if is_first:
                    importances = found
        if score is not None and fitted is not None:
            scores.append(scores[-1] if is_same else score(fitted))
        n_models += 1
        if size == sizes[-1]:
            break
        going = _weakest(values, left & ~protected, int(size - sizes[place + 1]))
        order.append(going)
        criteria.append(values[going])
        left[going] = False
    # a path that the deadline ended has no model after its last units
    order, criteria = order[: n_models - 1], criteria[: n_models - 1]
    trace = Trace(
        order=np.concatenate([*order, np.empty(0, dtype=np.intp)]).astype(np.intp),
        criterion=np.concatenate([*criteria, np.empty(0)]),
        sizes=sizes[:n_models],
        importances=importances,
        decisions=None,
    )
    return trace, None if score is None else np.array(scores)


def _weakest(values: np.ndarray, candidates: np.ndarray, take: int) -> np.ndarray:
    units = np.flatnonzero(candidates)
    return units[weakest_first(values[units])][:take]


def _is_spared(trees: Trees, fitted: Fitted, features: np.ndarray) -> bool:
    """Whether a fit on `features`, a part of the model's own, would give that model again."""
    if trees.family not in (XGBOOST, LIGHTGBM) or not _is_deterministic(trees.estimator):
        return False
    used = fitted.used()
    return used is not None and bool(np.isin(fitted.features[used], features).all())


def _is_deterministic(estimator: Any) -> bool:
    """Whether no column is left out by chance."""
    shares = (
        "colsample_bytree",
        "colsample_bylevel",
        "colsample_bynode",
        "feature_fraction",
        "feature_fraction_bynode",
    )
    parameters = estimator.get_params(deep=False)
    chance = any((parameters.get(name) or 1.0) != 1.0 for name in shares)
    return not chance and parameters.get("booster") in (None, "gbtree", "gbdt")


def _sample(n: int, seed: int) -> np.ndarray:
    """Numbers of the rows whose predictions are taken apart."""
    if n <= MOST_EXPLAINED:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_EXPLAINED, replace=False))


def _importances(
    trees: Trees,
    fitted: Fitted,
    rows: Rows,
    spare: Rows | None,
    parts: list[tuple[Rows, Rows]],
    measure: Measure,
    unit: np.ndarray,
) -> np.ndarray:
    """Importance of each of the model's features, (k,)."""
    features = fitted.features
    if measure.importance == "null":
        return null.importances(
            trees, fitted, rows, unit, n_repeats=measure.n_repeats, seed=measure.seed
        )
    if measure.importance == "shap":
        some = rows.take(_sample(len(rows.y), measure.seed)).features(features)
        return of_contributions(fitted, some.X, some.weight)
    if measure.importance == "permutation":
        losses = [
            of_permutations(
                trees.fit(fit, features, spare),
                held_out.features(features),
                unit[features],
                measure.scorer,
                n_repeats=measure.n_repeats,
                seed=measure.seed + i,
            )
            for i, (fit, held_out) in enumerate(parts)
        ]
        return np.average(losses, axis=0, weights=[len(held_out.y) for _, held_out in parts])
    return of_splits(fitted, measure.importance)
