"""Order the units of a table by any of the methods, and say what is explained at each size."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from featprune.importance.pca import orders
from featprune.importance.pca.explained import gains_along, rebuilt_along
from featprune.importance.pca.greedy import greedy_order
from featprune.importance.pca.spectrum import Spectrum
from featprune.importance.pca.spread import Spread
from featprune.ranking import fold

METHODS = ("greedy", "qr", "leverage", "pfa", "b2", "b4", "loading")


class Order(NamedTuple):
    """The units of a table in an order.

    Attributes
    ----------
    units : ndarray of shape (n_units,), int
        The first one best.
    gains : ndarray of shape (n_features,)
        What each feature explains of all beyond those before it, as a share of all variance.
    features : ndarray of shape (n_features,), int
        The features of the units, in their order.
    """

    units: np.ndarray
    gains: np.ndarray
    features: np.ndarray


def order_units(
    method: str,
    spread: Spread,
    components: Spectrum | None,
    unit: np.ndarray,
    protected: np.ndarray,
    *,
    n_clusters: int | None,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Order:
    """Order units by one of METHODS.

    Parameters
    ----------
    method : str
    spread : Spread
    components : Spectrum or None
        All that have variance for "b2", otherwise those that are to be explained; "greedy" does
        without.
    unit : ndarray of shape (n_features,), int
    protected : ndarray of shape (n_units,), bool
        Units that come before all others.
    n_clusters : int or None
        For "pfa"; None is as many as components.
    seed : int
        Of k-means, for "pfa".
    progress : callable, optional
        As in `greedy_order`.

    Returns
    -------
    Order
        Except by "greedy", a unit stands where the first of its features does.
    """
    if method == "greedy" or components is None:
        units = greedy_order(spread, unit, protected, progress)
    else:
        chosen = _chosen(method, spread, components, n_clusters, seed)
        units = _first_seen(unit[orders.completed(spread, chosen)], protected)
    place = np.empty(len(units), dtype=np.intp)
    place[units] = np.arange(len(units))
    features = np.argsort(place[unit], kind="stable")
    return Order(units, gains_along(spread, features), features)


def rebuilt_by_units(
    order: Order,
    unit: np.ndarray,
    spread: Spread,
    values: np.ndarray,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Return how much of other rows the first 0, 1, ... units rebuild, shape (n_units + 1,).

    The arguments are those of `rebuilt_along`.
    """
    shares = rebuilt_along(spread, order.features, values, weight)
    n_features = np.bincount(unit, minlength=len(order.units))[order.units]
    return shares[np.append(0, np.cumsum(n_features))]


def gains_of_units(order: Order, unit: np.ndarray) -> np.ndarray:
    """Return what each unit explains of all beyond those before it, shape (n_units,)."""
    return fold(order.gains, unit, len(order.units))


def _chosen(
    method: str, spread: Spread, components: Spectrum, n_clusters: int | None, seed: int
) -> np.ndarray:
    """Return the features that a method itself chooses or orders."""
    if method == "qr":
        return orders.by_qr(components)
    if method == "pfa":
        return orders.by_clusters(components, n_clusters or len(components.values), spread, seed)
    if method == "b4":
        return orders.by_b4(components)
    if method == "b2":
        return orders.by_b2(components, spread)
    if method == "leverage":
        return orders.by_leverage(components)
    return orders.by_loading(components)


def _first_seen(units: np.ndarray, protected: np.ndarray) -> np.ndarray:
    """Return each unit once, where it stands first; protected ones before all others.

    A unit without a feature of its own, such as a column that its encoder dropped, comes last.
    """
    seen = dict.fromkeys(units.tolist())
    order = np.array([*seen, *(i for i in range(len(protected)) if i not in seen)], dtype=np.intp)
    return order[np.argsort(~protected[order], kind="stable")]
