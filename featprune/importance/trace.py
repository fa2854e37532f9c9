"""What an elimination returns: plain arrays that describe it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Trace(NamedTuple):
    """One elimination, from all units down to ``floor`` of them.

    A *unit* is what leaves as a whole: a feature, or the features of one column or group.
    Model ``s`` is the one trained on the ``sizes[s]`` units that were left; the units that
    left because of its weights are the next ``sizes[s] - sizes[s + 1]`` entries of ``order``.

    Attributes
    ----------
    order : ndarray of shape (n_removed,), int
        Units in the order in which they left, first gone first. Within one step the unit of
        the smallest criterion comes first; of equal ones, that of the larger index.
    criterion : ndarray of shape (n_removed,), float
        Criterion of each unit of `order` in the model because of which it left.
    sizes : ndarray of shape (n_models,), int
        How many units each model was trained on; descending, the first is all of them.
    importances : ndarray of shape (n_features,), float
        Criterion of each feature in the first model, that of all features.
    decisions : ndarray of shape (n_models, n_held_out, n_problems), float, or None
        Decision values of each model on the held-out rows, None without held-out rows.
    """

    order: np.ndarray
    criterion: np.ndarray
    sizes: np.ndarray
    importances: np.ndarray
    decisions: np.ndarray | None = None
