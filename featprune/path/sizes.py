"""At how many units a path has a model."""

from __future__ import annotations

import numpy as np

from featprune.parameters import step_size


def path_sizes(n_units: int, floor: int, step: int | float | str) -> np.ndarray:
    """Return how many units there are at each model of a path.

    Parameters
    ----------
    n_units, floor : int
        At the first and at the last.
    step : int, float or "auto"
        Units that leave at a time: a number, a share of all, or a fifth of those that are left.

    Examples
    --------
    >>> path_sizes(20, 1, "auto").tolist()
    [20, 16, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    """
    sizes = [n_units]
    while sizes[-1] > floor:
        gone = max(1, sizes[-1] // 5) if isinstance(step, str) else step_size(step, n_units)
        sizes.append(max(floor, sizes[-1] - gone))
    return np.array(sizes)
