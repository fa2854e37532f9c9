"""Selectors inside a selector: what they are told, what they are fitted on, what they answer."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.feature_selection import RFE
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from featprune.cut import needs_scores
from featprune.importance.aggregate import ranks_along
from featprune.progress import listening
from featprune.selectors.base import BaseSelector, weighted_rows
from featprune.selectors.pca import PCASelector
from featprune.selectors.svm_rfe import SVMRFE
from featprune.table.columns import EMBEDDING, OTHER, Table
from featprune.table.encode import Encoded, TableEncoder
from featprune.table.units import Units

# what makes the units of a table is said once, to the selector outside
_OF_UNITS = ("feature_groups", "always_keep", "embeddings")
# selectors whose encoding is the plain one, so that it can be made once for all who take it
_PLAIN = (SVMRFE,)


class Rows(NamedTuple):
    """Some rows of a table, to fit on.

    Attributes
    ----------
    table : Table
    units : Units
    y : ndarray of shape (n_rows,), or None
    sample_weight : ndarray of shape (n_rows,), or None
        None where each row counts as one.
    groups : ndarray of shape (n_rows,), or None
    """

    table: Table
    units: Units
    y: np.ndarray | None
    sample_weight: np.ndarray | None
    groups: np.ndarray | None

    def take(self, idx: np.ndarray) -> Rows:
        """Return the rows `idx` less those of weight 0, in that order."""
        idx, weight = weighted_rows(idx, self.sample_weight)
        y, groups = self.y, self.groups
        is_all = len(idx) == self.table.n_rows and (idx == np.arange(len(idx))).all()
        return Rows(
            self.table if is_all else self.table.rows(idx),
            self.units,
            None if y is None else y[idx],
            weight,
            None if groups is None else groups[idx],
        )


class Answer(NamedTuple):
    """What a fitted member says of units.

    Attributes
    ----------
    ranks : ndarray of shape (n_units,), float, or None
        1 is best, equal ones share the mean of their ranks; None if it tells no ranking.
    support : ndarray of shape (n_units,), bool, or None
        Which it keeps; None if it doesn't say so.
    """

    ranks: np.ndarray | None
    support: np.ndarray | None


def check_member(member: Any, called: str, owner: BaseSelector) -> None:
    """Raise unless `member` can be fitted, and leaves it to `owner` what the units are.

    Parameters
    ----------
    member : object
    called : str
        How messages call it, as "Member 'svm'".
    owner : BaseSelector

    Raises
    ------
    TypeError, ValueError
    """
    name = type(owner).__name__
    if isinstance(member, type) or not all(
        hasattr(member, method) for method in ("fit", "get_params", "set_params")
    ):
        raise TypeError(
            f"{called} of {name} must be a selector, an instance that has fit, get_params and "
            f"set_params. Got {member!r} instead."
        )
    if not isinstance(member, BaseSelector):
        return
    member._check_parameters()
    parameters = member.get_params(deep=False)
    for parameter in _OF_UNITS:
        if parameters.get(parameter) not in (None, "whole"):
            raise ValueError(
                f"{called} of {name} has its own {parameter!r}, and all must choose from the same "
                f"things. Pass {parameter} to {name}, which hands it on."
            )


def takes_features(member: Any, owner: BaseSelector, table: Table) -> bool:
    """Whether the member can be fitted on features that `owner` has encoded for several.

    Selectors of this package encode for themselves. Numbers cost nothing to encode, so they are
    left to do so where all columns are numbers; where there are others, those that would encode
    them in the same way can share.
    """
    if not isinstance(member, BaseSelector):
        return True
    is_plain = isinstance(member, _PLAIN) and _is_auto(member.encoder) and _is_auto(owner.encoder)
    return is_plain and bool({OTHER, EMBEDDING} & set(table.kinds))


def encoder_of(owner: BaseSelector, seed: int) -> TableEncoder:
    """Return what makes the features that members share, not fitted."""
    return TableEncoder(
        owner.encoder,
        standardize=False,
        random_state=seed,
        flag_vectors=owner.embeddings == "whole",
    )


def ask(
    member: Any,
    called: str,
    owner: BaseSelector,
    rows: Rows,
    encoded: Encoded | None,
    seed: int,
    *,
    whole_path: bool,
) -> Answer:
    """Fit a clone of a member, and read what it says of the units.

    Parameters
    ----------
    member, called, owner
        As in :func:`check_member`.
    rows : Rows
    encoded : Encoded, optional
        The features of `rows`, for a member that takes them. Without, a selector of this package
        encodes for itself, and for any other they are made.
    seed : int
        For each `random_state` of the member that is None.
    whole_path : bool
        Whether all that is wanted of it is the ranking, so that no folds of its own are needed.
    """
    fitted = _seeded(clone(member), seed)
    if encoded is None and not isinstance(member, BaseSelector):
        encoded = encoder_of(owner, seed).fit_transform(rows.table, rows.y, rows.sample_weight)
    if isinstance(member, BaseSelector):
        _tell(fitted, owner, rows.units, encoded, whole_path=whole_path)
    elif whole_path and type(member) is RFE:
        fitted.set_params(n_features_to_select=1)  # it ranks no further than it is told to go
    X = rows.table.native if encoded is None else encoded.values
    # BLAS rounds otherwise with other numbers of threads, of which workers have fewer; how far one
    # of many fits is, nobody wants to know
    with threadpool_limits(1, user_api="blas"), listening(lambda task, done, total: None):
        fitted.fit(X, rows.y, **_details(fitted, called, owner, rows))
    if isinstance(fitted, BaseSelector):
        return _of_path(fitted, None if encoded is None else len(rows.units.names))
    assert encoded is not None
    return _of_features(fitted, rows.units.of_features(encoded), len(rows.units.names))


def _seeded(member: Any, seed: int) -> Any:
    """Set each `random_state` that is None, also of what the member holds, to a number."""
    parameters = member.get_params(deep=True)
    open_ones = sorted(
        name
        for name, value in parameters.items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    )
    random = check_random_state(seed)
    return member.set_params(**{name: int(random.randint(2**31 - 1)) for name in open_ones})


def _tell(
    member: BaseSelector,
    owner: BaseSelector,
    units: Units,
    encoded: Encoded | None,
    *,
    whole_path: bool,
) -> None:
    """Set what the selector outside says for all: units, encoder, and no folds of their own."""
    told: dict[str, Any] = {name: getattr(owner, name) for name in _OF_UNITS}
    if _is_auto(getattr(member, "encoder", None)):
        told["encoder"] = owner.encoder
    if encoded is not None:
        unit = units.of_features(encoded)
        features = np.argsort(unit, kind="stable")
        found, starts = np.unique(unit[features], return_index=True)
        parts = np.split(features, starts[1:])
        told |= {
            # names that are numbers find their way back to the units
            "feature_groups": {str(i): part.tolist() for i, part in zip(found, parts, strict=True)},
            "always_keep": np.flatnonzero(units.protected[unit]).tolist(),
            "embeddings": "whole",
            "encoder": None,
        }
    known = member.get_params(deep=False)
    if whole_path:
        told["min_features_to_select"] = 1
        rule = known.get("n_features_to_select")
        least, most = max(1, int(units.protected.sum())), len(units.names)
        if isinstance(rule, str) and needs_scores(rule):
            told["n_features_to_select"] = least
        elif isinstance(rule, Integral):
            told["n_features_to_select"] = min(max(int(rule), least), most)
        if isinstance(member, PCASelector):
            told["cv"] = None
    member.set_params(**{name: value for name, value in told.items() if name in known})


def _details(fitted: Any, called: str, owner: BaseSelector, rows: Rows) -> dict[str, Any]:
    """Weights and groups, as far as the member takes them."""
    details: dict[str, Any] = {}
    if rows.sample_weight is not None:
        if not has_fit_parameter(fitted, "sample_weight"):
            raise ValueError(
                f"{called} of {type(owner).__name__}, {type(fitted).__name__}, takes no "
                "sample_weight. Leave the weights out, or replace the member."
            )
        details["sample_weight"] = rows.sample_weight
    if rows.groups is not None and has_fit_parameter(fitted, "groups"):
        details["groups"] = rows.groups
    return details


def _of_path(fitted: BaseSelector, n_units: int | None) -> Answer:
    """Read a selector of this package; `n_units` if its units are named by numbers."""
    path = fitted.path_
    ranks = ranks_along(path.order, path.criterion, len(path.names))
    support = path.support(fitted.size_)
    if n_units is None:
        return Answer(ranks, support)
    # a unit of which the encoder made no feature ranks last
    place = np.array([int(name) for name in path.names])
    every = np.full(n_units, np.inf)
    every[place] = ranks
    kept = np.zeros(n_units, dtype=bool)
    kept[place] = support
    return Answer(stats.rankdata(every), kept)


def _of_features(fitted: BaseEstimator, unit: np.ndarray, n_units: int) -> Answer:
    """Read a selector that knows features; a unit stands where the best of its features does."""
    worth = _worth(fitted)
    ranks = support = None
    if worth is not None:
        best = np.full(n_units, -np.inf)
        np.maximum.at(best, unit, worth)
        ranks = stats.rankdata(-best)
    if hasattr(fitted, "get_support"):
        support = np.zeros(n_units, dtype=bool)
        support[unit[fitted.get_support()]] = True
    return Answer(ranks, support)


def _worth(fitted: Any) -> np.ndarray | None:
    """What each feature is worth, the larger the better; None if it isn't told."""
    ranking = getattr(fitted, "ranking_", None)
    if ranking is not None:
        return -np.asarray(ranking, dtype=float)
    names = ("importances_", "scores_", "feature_importances_", "coef_")
    # forests have an estimator_, too, which is not fitted
    sources = (fitted, getattr(fitted, "estimator_", None))
    for source, name in product(sources, names):
        scores = getattr(source, name, None)
        if scores is None:
            continue
        scores = scores.toarray() if hasattr(scores, "toarray") else np.asarray(scores, float)
        if name == "coef_":
            scores = np.abs(np.atleast_2d(scores)).sum(axis=0)
        # scikit-learn scores constant columns NaN
        return np.where(np.isnan(scores), -np.inf, scores)
    return None


def takes_sparse(member: Any) -> bool:
    """Whether the member takes sparse matrices; other libraries' estimators are asked to."""
    return not hasattr(member, "__sklearn_tags__") or bool(get_tags(member).input_tags.sparse)


def _is_auto(encoder: Any) -> bool:
    return isinstance(encoder, str) and encoder == "auto"
