"""What is noted down while units leave, and which of them leave next."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from featprune.importance.svm.trace import Trace

# Criteria that differ by less, relatively, count as equal: no solver can tell them apart.
_EQUAL = 1e-10
# Seconds between two calls of the progress callback.
_PAUSE = 0.1


def weakest(criterion: np.ndarray, units: np.ndarray, count: int) -> np.ndarray:
    """Return positions of the `count` smallest criteria; of equal ones the larger unit first.

    Parameters
    ----------
    criterion : ndarray of shape (k,)
    units : ndarray of shape (k,), int
    count : int

    Returns
    -------
    ndarray of shape (min(count, k),), int
        O(k) for one, O(k log k) for more.
    """
    if count == 1:
        near = np.flatnonzero(criterion <= criterion.min() * (1.0 + _EQUAL))
        return near[[units[near].argmax()]]
    order = np.argsort(criterion, kind="stable")
    ordered = criterion[order]
    level = np.zeros(len(order))
    level[order] = np.append(0, np.cumsum(ordered[1:] > ordered[:-1] * (1.0 + _EQUAL)))
    return np.lexsort((-units, level))[:count]


class Log:
    """The trace so far, and which units and features are left.

    Parameters
    ----------
    unit : ndarray of shape (p,), int
    protected : ndarray of shape (n_units,), bool
    floor, step : int
    progress : callable(done, total) or None
    deadline : float or None
        In seconds of ``time.monotonic()``.
    """

    def __init__(
        self,
        unit: np.ndarray,
        protected: np.ndarray,
        floor: int,
        step: int,
        progress: Callable[[int, int], None] | None,
        deadline: float | None,
    ) -> None:
        self.unit, self.floor, self.step = unit, floor, step
        self.progress, self.deadline = progress, deadline
        self.n_units = self.size = len(protected)
        self.may_go = ~protected
        self.single = bool(np.array_equal(unit, np.arange(self.n_units)))
        self.by_unit = np.argsort(unit, kind="stable")
        self.first = np.searchsorted(unit[self.by_unit], np.arange(self.n_units + 1))
        self.n_features = len(unit)
        self.order: list[int] = []
        self.criterion: list[float] = []
        self.sizes: list[int] = []
        self.decisions: list[np.ndarray] = []
        self.importances = np.zeros(len(unit))
        self.told = -np.inf

    def model(self, decisions: np.ndarray | None) -> bool:
        """Note a model; say whether units are to leave because of it."""
        self.sizes.append(self.size)
        if decisions is not None:
            self.decisions.append(decisions)
        now = time.monotonic()
        done, total = self.n_units - self.size, self.n_units - self.floor
        if self.progress is not None and (now - self.told >= _PAUSE or done == total):
            self.progress(done, total)
            self.told = now
        return self.size > self.floor and (self.deadline is None or now <= self.deadline)

    def choose(self, weights: np.ndarray) -> np.ndarray:
        """Note the units that leave because of a model, and return their features.

        Parameters
        ----------
        weights : ndarray of shape (p, n_problems)
        """
        squares = weights[:, 0] ** 2 if weights.shape[1] == 1 else (weights**2).sum(axis=1)
        if not self.single:
            squares = np.bincount(self.unit, weights=squares, minlength=self.n_units)
        candidates = np.flatnonzero(self.may_go)
        criterion = squares[candidates]
        chosen = weakest(criterion, candidates, min(self.step, self.size - self.floor))
        units = candidates[chosen]
        self.order.extend(units.tolist())
        self.criterion.extend(criterion[chosen].tolist())
        self.may_go[units] = False
        self.size -= len(units)
        features = units
        if not self.single:
            first, last = self.first[units], self.first[units + 1]
            features = np.concatenate(
                [self.by_unit[i:j] for i, j in zip(first, last, strict=True)]
            )
        self.n_features -= len(features)
        return features

    def trace(self, held_out: bool) -> Trace:
        """Return what was noted."""
        return Trace(
            order=np.array(self.order, dtype=np.intp),
            criterion=np.array(self.criterion),
            sizes=np.array(self.sizes, dtype=np.intp),
            importances=self.importances,
            decisions=np.array(self.decisions) if held_out else None,
        )
