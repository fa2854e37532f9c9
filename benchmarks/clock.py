"""CPU seconds: of single calls, of two rivals in turn, and of a path from a few of its steps."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

# a call that takes longer is run once, a shorter one three times
LONG_SECONDS = 60.0
N_ROUNDS = 3
# a sampled step that takes longer is the last: smaller sizes, where a peer can be slower still,
# count nothing, in the peer's favour
MOST_STEP_SECONDS = 30.0
# between two sizes whose times differ by more than this factor, another one is sampled, as a
# straight line over a jump would be mostly invention; as long as they are so far apart
MOST_JUMP = 2.0
LEAST_GAP = 1.1
# the sizes at which a path too long to run is sampled, as shares of all columns, and 2 columns
SHARES = (1.0, 0.7, 0.4, 0.2, 0.07, 0.02, 0.005)


def say(text: str) -> None:
    """Report progress; standard output is for the tables."""
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of this process for a call, and what it returned."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def wall_seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds on the clock for a call, and what it returned."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def in_turn(
    rivals: dict[str, Callable[[], Any]],
    clock: Callable[[Callable[[], Any]], tuple[float, Any]] = cpu_seconds,
    once: str = "",
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Run every rival, then every rival again, N_ROUNDS times in all.

    Rivals that take more than LONG_SECONDS run only in the first round, and so does `once`.

    Returns
    -------
    seconds : dict of lists
        Of each run.
    results : dict
        What the first run returned.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    results: dict[str, Any] = {}
    for _ in range(N_ROUNDS):
        for name, call in rivals.items():
            if seconds[name] and (name == once or seconds[name][0] > LONG_SECONDS):
                continue
            spent, result = clock(call)
            results.setdefault(name, result)
            seconds[name].append(spent)
            say(f"    {name}: {spent:.3g} s")
    return seconds, results


def short_call(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median CPU seconds of a call that may take milliseconds, and its result."""
    spent, result = cpu_seconds(call)
    if spent > 5.0:
        return spent, result
    return statistics.median([spent, *(cpu_seconds(call)[0] for _ in range(2))]), result


def sampled_sizes(n_columns: int) -> list[int]:
    """Return the sizes of a path at which steps are timed, descending."""
    return sorted({2, *(max(2, round(share * n_columns)) for share in SHARES)}, reverse=True)


def size_in_a_jump(seconds: dict[int, float]) -> int | None:
    """Return a size between two neighbours of which the smaller takes far longer, if any.

    Times that shrink with the size, as one expects, are left to the straight line.
    """
    sizes = sorted(seconds)
    for small, large in pairwise(sizes):
        jump = seconds[small] > MOST_JUMP * seconds[large] and seconds[small] > 1.0
        if jump and large > LEAST_GAP * small:
            return round((small * large) ** 0.5)
    return None


def whole_path(seconds: dict[int, float]) -> float:
    """Return the seconds of all steps, one at each size, from those at a few sizes.

    Between two sampled sizes a step's time is taken to be linear in the size. Sizes below the
    smallest one sampled count nothing.
    """
    sizes = sorted(seconds)
    every = np.arange(sizes[0], sizes[-1] + 1)
    return float(np.interp(every, sizes, [seconds[size] for size in sizes]).sum())
