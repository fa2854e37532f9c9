"""A limit on the time of a fit: a share for each path, and what to do with paths cut short."""

from __future__ import annotations

import time
import warnings
from math import ceil
from numbers import Real
from typing import Any, NamedTuple

from featprune.importance.trace import Trace


class Clock(NamedTuple):
    """When the fit must be over, and how the time until then is shared; can be pickled.

    Attributes
    ----------
    limit : float
        Seconds for the whole fit.
    end : float
        Value of ``time.monotonic()``, which all processes of one machine share.
    n_paths, n_jobs : int
        How many paths there are, and how many are followed at a time.
    """

    limit: float
    end: float
    n_paths: int
    n_jobs: int

    def deadline(self, i: int, owner: str) -> float:
        """Return when path `i`, which begins now, must end: the rest of the time in equal shares.

        Without shares the first path would take it all, and the folds would score one size.

        Raises
        ------
        TimeoutError
            If nothing is left.
        """
        now = time.monotonic()
        if now >= self.end:
            raise TimeoutError(
                f"{owner} ran out of time_limit={self.limit:g} seconds before each of its "
                f"{self.n_paths} path(s) had a model. Give it more time or fewer rows."
            )
        return now + (self.end - now) / ceil((self.n_paths - i) / self.n_jobs)


def check_time_limit(value: Any, owner: str) -> None:
    """Raise unless `value` is a number of seconds above 0, or None."""
    if value is None:
        return
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not float(value) > 0:
        raise (ValueError if is_number or isinstance(value, str) else TypeError)(
            f"The 'time_limit' parameter of {owner} must be a number > 0, of seconds, or None. "
            f"Got {value!r} instead."
        )


def start_clock(limit: float | None, n_paths: int, n_jobs: int) -> Clock | None:
    """Return the clock of a fit that begins now; None without a limit."""
    if limit is None:
        return None
    return Clock(float(limit), time.monotonic() + float(limit), n_paths, n_jobs)


def cut_short(trace: Trace, n_models: int) -> Trace:
    """Return the first `n_models` of a trace."""
    n_removed = int(trace.sizes[0] - trace.sizes[n_models - 1])
    return trace._replace(
        order=trace.order[:n_removed],
        criterion=trace.criterion[:n_removed],
        sizes=trace.sizes[:n_models],
    )


def warn_of_time(
    limit: float, reached: int, n_units: int, floor: int, rule: int | float | str, owner: str
) -> None:
    """Say how far the paths came, and what a number that they did not reach becomes."""
    missed = ""
    if not isinstance(rule, str):
        asked = int(rule) if rule >= 1 else int(rule * n_units)
        if asked < reached:
            missed = f"n_features_to_select={rule!r} was not reached and becomes {reached}. "
    warnings.warn(
        f"{owner} ran out of time_limit={limit:g} seconds: of {n_units}, {reached} are left where "
        f"its path ends, not {floor}. {missed}Give it more time, a larger step, fewer rows or "
        "fewer folds.",
        UserWarning,
        stacklevel=5,
    )
