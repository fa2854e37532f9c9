"""Units as an autoencoder sees them, and the order of those that it chose."""

from __future__ import annotations

import numpy as np

# a unit of more features than this is seen by as many principal components: all units get as much
# room as the widest, which for a whole embedding beside thousands of columns would be gigabytes
_MOST_PARTS = 16


def by_unit(rows: np.ndarray, unit: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return rows with one slice a unit.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Centred.
    unit : ndarray of shape (n_features,), int
    units : ndarray of shape (n_units,), int
        Those that are wanted.

    Returns
    -------
    ndarray of shape (n_rows, n_parts, n_units), float32
        The features of each unit, or of those with more than 16 the first principal components,
        and zeros where a unit has fewer than others.
    """
    members = [np.flatnonzero(unit == one) for one in units] if len(units) < len(unit) else None
    if members is None or max((len(some) for some in members), default=0) == 1:
        # one feature each, in the order of units, as in most tables
        place = np.full(int(unit.max(initial=0)) + 1, -1)
        place[unit] = np.arange(len(unit))
        return np.ascontiguousarray(rows[:, None, place[units]])
    n_parts = min(_MOST_PARTS, max(len(some) for some in members))
    seen = np.zeros((len(rows), n_parts, len(units)), dtype=np.float32)
    for i, some in enumerate(members):
        values = rows[:, some]
        if len(some) > n_parts:
            products = values.T.astype(np.float64) @ values
            directions = np.linalg.eigh(products)[1][:, ::-1][:, :n_parts]
            values = values @ directions.astype(np.float32)
        seen[:, : values.shape[1], i] = values
    return seen


def order_of_chosen(
    rows: np.ndarray, weight: np.ndarray, unit: np.ndarray, chosen: np.ndarray, n_first: int = 0
) -> np.ndarray:
    """Order units by what they explain of all features beyond those before them.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Centred.
    weight : ndarray of shape (n_rows,)
    unit : ndarray of shape (n_features,), int
    chosen : ndarray of shape (n_chosen,), int
        Units to be ordered.
    n_first : int, default=0
        So many of them come before the others.

    Returns
    -------
    ndarray of shape (n_chosen,), int
        Units, the first one best. Of equals, the one that stands further left comes first.

    Notes
    -----
    As in the greedy order of all units (Farahat et al. 2013), among few: with E the products of
    all features with those of the chosen units, a unit U takes away trace(pinv(E_UU) E_U'E_U).
    With n rows, p features and k chosen ones, costs n p k, and p k for each unit.
    """
    members = [np.flatnonzero(unit == one) for one in chosen]
    features = np.concatenate(members) if members else np.empty(0, dtype=np.intp)
    rows = np.asarray(rows, dtype=np.float64)
    left = rows.T @ (rows[:, features] * weight[:, None])
    ends = np.cumsum([0, *(len(some) for some in members)])
    columns = [np.arange(ends[i], ends[i + 1]) for i in range(len(members))]
    least = 1e-10 * np.abs(left).max(initial=0.0)
    waiting, order = sorted(range(len(chosen)), key=lambda i: int(chosen[i])), []
    while waiting:
        open_ones = [i for i in waiting if i < n_first] or waiting
        gains = [_gain(left[:, columns[i]], members[i], least) for i in open_ones]
        best = open_ones[int(np.argmax(np.round(gains, 12) if max(gains) > 0 else gains))]
        order.append(best)
        waiting.remove(best)
        own = left[:, columns[best]]
        left = left - own @ (_inverse(own[members[best]], least) @ left[members[best]])
    return chosen[order]


def _gain(own: np.ndarray, members: np.ndarray, least: float) -> float:
    """What a unit explains, from its columns of the products that are left."""
    inside = own[members]
    if len(members) == 1:
        return float(own[:, 0] @ own[:, 0] / inside[0, 0]) if inside[0, 0] > least else 0.0
    return float(np.einsum("ij,ij->", _inverse(inside, least), own.T @ own))


def _inverse(inside: np.ndarray, least: float) -> np.ndarray:
    """Return the pseudo-inverse of what is left within a unit; what is rounding counts as 0."""
    values, directions = np.linalg.eigh((inside + inside.T) / 2)
    kept = values > least
    return (directions[:, kept] / values[kept]) @ directions[:, kept].T
