"""Who stays and who ranks where, when a path is cut at a size."""

from __future__ import annotations

import numpy as np


def support_at(order: np.ndarray, n_units: int, size: int) -> np.ndarray:
    """Mask of the units that are left when ``n_units - size`` have gone."""
    smallest = n_units - len(order)
    if not smallest <= size <= n_units:
        raise ValueError(f"The path has sizes from {smallest} to {n_units}. Got {size} instead.")
    support = np.ones(n_units, dtype=bool)
    support[order[: n_units - size]] = False
    return support


def ranking_at(order: np.ndarray, sizes: np.ndarray, n_units: int, size: int) -> np.ndarray:
    """Ranks as RFE gives them: counted in steps back from the one that reached `size`."""
    removed = order[: n_units - size]
    step = np.repeat(np.arange(len(sizes) - 1), -np.diff(sizes))[: len(removed)]
    ranking = np.ones(n_units, dtype=np.intp)
    if len(removed):
        ranking[removed] = step[-1] - step + 2
    return ranking
