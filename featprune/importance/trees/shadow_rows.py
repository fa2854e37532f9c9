"""The rows of a shadow test: in an order of their own, and permuted."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.trees.model import Rows

# The largest of fewer shadows would say too little about chance.
_LEAST_SHADOWS = 5
# Up to this mean, whole weights are turned into repeated rows.
_MOST_REPEATS = 10


def shadows_of(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which features are copied, and to which shadow each copy belongs.

    Every unit has as many shadows as any other: one, or as many as make five of all units.
    """
    units, numbers = np.unique(unit, return_inverse=True)
    n_copies = -(-_LEAST_SHADOWS // len(units)) if len(units) < _LEAST_SHADOWS else 1
    source = np.tile(np.arange(len(unit)), n_copies)
    return source, np.concatenate([numbers + i * len(units) for i in range(n_copies)])


def permute(X: Any, shadow_of: np.ndarray, rng: np.random.Generator) -> Any:
    """Permute the rows of a table, those of each shadow's features in the same way.

    Parameters
    ----------
    X : ndarray or CSC matrix of shape (n_rows, k)
    shadow_of : ndarray of shape (k,), int
        The shadow that each feature belongs to.
    rng : Generator

    Returns
    -------
    ndarray or CSC matrix of shape (n_rows, k)
        A copy.
    """
    n_rows = X.shape[0]
    mixed: Any = X.copy() if sparse.issparse(X) else np.array(X, order="F")
    by_shadow = np.argsort(shadow_of, kind="stable")
    starts = np.flatnonzero(np.diff(shadow_of[by_shadow])) + 1
    for features in np.split(by_shadow, starts):
        order = rng.permutation(n_rows)
        if sparse.issparse(X):
            place = np.argsort(order)
            for j in features:
                stored = slice(X.indptr[j], X.indptr[j + 1])
                mixed.indices[stored] = place[X.indices[stored]]
        else:
            for j in features:
                mixed[:, j] = X[order, j]
    if sparse.issparse(X):
        mixed.has_sorted_indices = False
        mixed.sort_indices()
    return mixed


def in_order(rows: Rows) -> Rows:
    """Sort rows by what they hold, and repeat those of whole weights.

    So the test gives the same for the same rows in any order, and a row of weight 2 is as good
    as two: its values are drawn twice for the shadows. Weights that are no whole numbers, or
    that would make the table too long, stay weights.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    Rows
        Copies.
    """
    n_rows = len(rows.y)
    codes = [np.unique(one, return_inverse=True)[1] for one in rows.y.reshape(n_rows, -1).T]
    order = np.lexsort((_row_numbers(rows.X), *codes))
    weight = None if rows.weight is None else rows.weight[order]
    if weight is not None and (weight == np.round(weight)).all() and weight.mean() <= _MOST_REPEATS:
        order, weight = np.repeat(order, weight.astype(int)), None
    return Rows(rows.X[order], rows.y[order], weight)


def _row_numbers(X: Any) -> np.ndarray:
    """Number rows by what they hold, equal ones alike; shape (n_rows,), int."""
    if sparse.issparse(X):
        X = sparse.csr_matrix(X)
        X.sort_indices()
        parts = (np.split(part, X.indptr[1:-1]) for part in (X.indices, X.data))
        held = [place.tobytes() + value.tobytes() for place, value in zip(*parts, strict=True)]
        known = {one: i for i, one in enumerate(sorted(set(held)))}
        return np.array([known[one] for one in held])
    X = np.ascontiguousarray(X)
    return np.unique(X.view(f"V{X.itemsize * X.shape[1]}").ravel(), return_inverse=True)[1]


def by_columns(X: Any) -> Any:
    """A table in single precision, as trees take it, whose columns lie in one piece each."""
    if sparse.issparse(X):
        return sparse.csc_matrix(X, dtype=np.float32)
    return np.asfortranarray(X, dtype=np.float32)
