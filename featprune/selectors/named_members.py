"""A list of (name, selector) as a parameter: reached by name, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


class NamedMembers(BaseEstimator):
    """Lets the members in the parameter `selectors` be reached by their names."""

    selectors: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep` also the members by name, and their parameters."""
        parameters = super().get_params(deep=deep)
        if deep:
            for name, member in named(self.selectors):
                parameters[name] = member
                if hasattr(member, "get_params"):
                    inner = member.get_params(deep=True)
                    parameters |= {f"{name}__{key}": value for key, value in inner.items()}
        return parameters

    def set_params(self, **params: Any) -> NamedMembers:
        """Set parameters, members by their names, and parameters of members as `name__key`."""
        if "selectors" in params:
            self.selectors = params.pop("selectors")
        members = named(self.selectors)
        replaced = {name: params.pop(name) for name, _ in members if name in params}
        if replaced:
            self.selectors = [(name, replaced.get(name, member)) for name, member in members]
        super().set_params(**params)
        return self


def named(selectors: Any) -> list[tuple[str, Any]]:
    """Return the members, or none if it is no list of them, which `fit` will say."""
    if not isinstance(selectors, list | tuple):
        return []
    pairs = [one for one in selectors if isinstance(one, list | tuple) and len(one) == 2]
    return [(name, member) for name, member in pairs if isinstance(name, str)]


def check_names(selectors: Any, parameters: Mapping[str, Any], owner: str) -> None:
    """Raise unless they are pairs of a name that is free and a member."""
    if not isinstance(selectors, list | tuple) or not len(selectors):
        raise (ValueError if isinstance(selectors, list | tuple | str) else TypeError)(
            f"The 'selectors' parameter of {owner} must be a list of (name, selector) or None. "
            f"Got {selectors!r} instead."
        )
    names = [name for name, _ in named(selectors)]
    if len(names) < len(selectors):
        raise TypeError(
            f"The 'selectors' parameter of {owner} must be a list of (name, selector), the names "
            f"being strings. Got {selectors!r} instead."
        )
    for name in names:
        if names.count(name) > 1 or "__" in name or name in parameters:
            raise ValueError(
                f"The 'selectors' parameter of {owner} must have names that are unique, have no "
                f"'__' and are no parameter of {owner}. Got {name!r}. Rename the member."
            )


def check_weights(weights: Any, n_members: int, how: str, owner: str) -> None:
    """Raise unless there is a weight for each member, or none at all."""
    if weights is None:
        return
    expected = f"None or {n_members} numbers >= 0, one a member, not all 0"
    if isinstance(weights, str) or not isinstance(weights, Sequence | np.ndarray):
        raise TypeError(
            f"The 'weights' parameter of {owner} must be {expected}. Got {weights!r} instead."
        )
    numbers = all(isinstance(one, Real) and 0 <= float(one) < np.inf for one in weights)
    if len(weights) != n_members or not numbers or not any(weights):
        raise ValueError(
            f"The 'weights' parameter of {owner} must be {expected}. Got {weights!r} instead."
        )
    if how == "rra":
        raise ValueError(
            f"The 'weights' parameter of {owner} must be None with aggregate='rra', whose order "
            f"statistics take each member as one. Got {weights!r} instead."
        )
