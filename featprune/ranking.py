"""Scores into ranks, and features back into the units and columns that own them."""

from __future__ import annotations

import numpy as np


def weakest_first(scores: np.ndarray) -> np.ndarray:
    """Order positions by score, the smallest first; of equal scores, the later position first.

    This is the tie rule of the whole package: the column that stands further left is kept.

    Parameters
    ----------
    scores : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), int
        A permutation of ``range(n)``.

    Examples
    --------
    >>> weakest_first(np.array([2.0, 1.0, 1.0, 3.0])).tolist()
    [2, 1, 0, 3]
    """
    return np.lexsort((-np.arange(len(scores)), scores))


def fold(scores: np.ndarray, owner: np.ndarray, n_owners: int) -> np.ndarray:
    """Sum the scores of the features that each owner has; an owner of none gets 0.

    Parameters
    ----------
    scores : ndarray of shape (n_features,)
    owner : ndarray of shape (n_features,), int
        The column (or unit) that each feature belongs to.
    n_owners : int

    Returns
    -------
    ndarray of shape (n_owners,)

    Examples
    --------
    >>> fold(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2]), 3).tolist()
    [1.0, 0.0, 6.0]
    """
    return np.bincount(owner, weights=scores, minlength=n_owners)
