"""How many stay: from a rule and a path to a size."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np

from featprune.path import EliminationPath

SCORED_RULES = ("best", "one_se")


def check_rule(
    rule: object, parameter: str, owner: str, words: tuple[str, ...] = SCORED_RULES
) -> None:
    """Raise if `rule` is no rule for a cut.

    Parameters
    ----------
    rule : object
        What the caller passed.
    parameter, owner : str
        The names of the parameter and of the class, for the message.
    words : tuple of str
        Rules that are words and that the class knows.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what it may be and what was passed.
    """
    allowed = ["an int >= 1", "a float in (0, 1)", *map(repr, words)]
    message = (
        f"The {parameter!r} parameter of {owner} must be {', '.join(allowed[:-1])} or "
        f"{allowed[-1]}. Got {rule!r} instead."
    )
    if isinstance(rule, str):
        if rule not in words:
            raise ValueError(message)
    elif isinstance(rule, bool) or not isinstance(rule, Real):
        raise TypeError(message)
    elif isinstance(rule, Integral):
        if int(rule) < 1:
            raise ValueError(message)
    elif not 0 < float(rule) < 1:
        raise ValueError(message)


def needs_scores(rule: int | float | str) -> bool:
    """Whether the rule can be followed only where there are scores for each size."""
    return rule in SCORED_RULES


def cut(path: EliminationPath, rule: int | float | str, *, stacklevel: int = 3) -> int:
    """Return how many units of `path` stay under `rule`.

    Parameters
    ----------
    path : EliminationPath
    rule : int, float, "best" or "one_se"
        A count; a share of all units, rounded down as scikit-learn's RFE does; the size of
        the best mean score; or the smallest size whose mean score is within one standard
        error of the best (Breiman et al. 1984). Of equal scores the smaller size wins.
    stacklevel : int, default=3
        Whom the warning about a count above the table's points at.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the path does not reach down to the size, or has no scores for the rule.
    """
    n_units = len(path.names)
    smallest = n_units - len(path.order)
    if isinstance(rule, str):
        return _scored_size(path, rule)
    if isinstance(rule, Integral):
        size = int(rule)
        if size > n_units:
            warnings.warn(
                f"n_features_to_select={size} is more than the {n_units} there are: "
                "all of them are kept.",
                UserWarning,
                stacklevel=stacklevel,
            )
            return n_units
    else:
        size = max(int(n_units * rule), smallest)
    if size < smallest:
        raise ValueError(
            f"n_features_to_select={rule!r} asks for {size}, but min_features_to_select, "
            f"always_keep or a time_limit that ran out hold {smallest}. Ask for at least "
            f"{smallest}."
        )
    return size


def _scored_size(path: EliminationPath, rule: str) -> int:
    if not path.has_scores:
        raise ValueError(
            f"The rule {rule!r} needs a score at each size, and this path has none. Fit with "
            "n_features_to_select='one_se' or 'best'."
        )
    means, errors = path.mean_scores, path.score_errors
    if np.isnan(means).all():
        raise ValueError("The score is NaN at every size. Choose another scoring.")
    best = np.nanmax(means)
    if rule == "one_se":
        # sizes descend, so the last of the equals is the smallest size
        at = np.flatnonzero(means == best)[-1]
        best = best - errors[at]
    return int(path.sizes[np.flatnonzero(means >= best)[-1]])


def size_explaining(path: EliminationPath, share: float) -> int:
    """Return the smallest size of `path` that explains `share` of all columns' variance.

    The whole table explains all of it, so there is always one; rounding is allowed for.
    """
    if path.explained is None:
        raise ValueError("This path does not say what is explained at each size.")
    enough = np.flatnonzero(path.explained >= share - 1e-12)
    return int(path.sizes[enough[-1]]) if len(enough) else len(path.names)
