"""Filters against what feature_engine, pandas and mrmr_selection do.

    python benchmarks/filters.py [row ...] [--write]

Without names, all rows. The table goes to standard output; --write puts it into its section of
benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/. Seconds are CPU seconds of one thread.

How it is measured:

- Peer and ours alternate, the median of three runs counts; of a peer that takes over a minute,
  one run. Both get the same pandas frame.
- There is a ratio only if both gave the same answer: the same columns dropped, or the same
  columns picked in the same order. pandas' corr drops nothing; what is to go by its table of
  correlations, from the left, is found outside of its time.
- Memory is the peak of a process of its own that makes the frame and runs one of the two, once,
  libraries and frame included; the frame's size stands beside it.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import inputs
import numpy as np
import pandas as pd
import report
from clock import in_turn, say

from featprune.selectors.mrmr import MRMRSelector
from featprune.selectors.redundancy import RedundancySelector

HEADER = (
    "work",
    "peer s",
    "ours s",
    "ratio",
    "peer MB",
    "ours MB",
    "frame MB",
    "checked",
    "at least / aim",
)


class Race(NamedTuple):
    """One row: a table, the two that run on it, and what is compared of their results.

    Attributes
    ----------
    work, goal : str
        First and last cell.
    load : callable
        Returns the frame and a target or None.
    peer, ours : callable
        From frame and target to a result.
    answer : callable
        From a peer's or our result and the frame to the names that are compared, in order.
    what : str
        What these names are, with their number in front.
    """

    work: str
    goal: str
    load: Callable[[], tuple[pd.DataFrame, Any]]
    peer: Callable[..., Any]
    ours: Callable[..., Any]
    answer: Callable[..., list[str]]
    what: str


def related(n: int, p: int) -> tuple[pd.DataFrame, None]:
    """Return normal columns, of which half follow one of the others, more closely or less."""
    rng = np.random.default_rng(0)
    place, noise = rng.permutation(p), rng.uniform(0.05, 1.0, p)
    # column by column, so that the peak of memory is that of what runs on it
    X = np.empty((p, n))
    for i in range(p):
        X[place[i]] = rng.standard_normal(n)
        if i >= p // 2:
            X[place[i]] *= noise[i]
            X[place[i]] += X[place[rng.integers(0, p // 2)]]
    return _frame(X.T), None


def real(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a real table of numbers."""
    X, y = inputs.real(name)
    return _frame(X), y


def decided(n: int, p: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return drawn columns and the labels that 20 of them decide."""
    X, y = inputs.drawn(n, p)
    return _frame(X), y


def _frame(X: np.ndarray) -> pd.DataFrame:
    # names in whose alphabetical order, which is feature_engine's, the columns stand
    return pd.DataFrame(X, columns=[f"x{i:05}" for i in range(X.shape[1])], copy=False)


def drop_correlated(frame: pd.DataFrame, _y: Any) -> list[str]:
    from feature_engine.selection import DropCorrelatedFeatures

    return list(DropCorrelatedFeatures(threshold=0.95).fit(frame).features_to_drop_)


def select_by_mrmr(frame: pd.DataFrame, y: np.ndarray, n_columns: int) -> list[str]:
    from mrmr import mrmr_classif

    return mrmr_classif(frame, pd.Series(y), n_columns, n_jobs=1, show_progress=False)


def redundancy(frame: pd.DataFrame, y: Any) -> RedundancySelector:
    return RedundancySelector(0.95, keep="first").fit(frame)


def dropped(result: Any, frame: pd.DataFrame) -> list[str]:
    """Return which columns go, by a selector, a list or a table of correlations."""
    if isinstance(result, RedundancySelector):
        return list(frame.columns[~result.support_])
    if isinstance(result, list):
        return sorted(result)
    alike, kept = result.abs().to_numpy(), np.empty(0, dtype=int)
    for j in range(len(alike)):
        if not (alike[j, kept] > 0.95).any():
            kept = np.append(kept, j)
    return list(np.delete(frame.columns, kept))


def picked(result: Any, _frame: pd.DataFrame) -> list[str]:
    """Return which columns are picked, the first one first."""
    if isinstance(result, list):
        return result
    path, at_least = result.path_, len(result.path_.names) - len(result.path_.order)
    first = np.flatnonzero(path.support(at_least))
    order = [*first, *path.order[::-1]][: result.n_features_]
    return [path.names[i] for i in order]


def mrmr_race(name: str, load: Callable[[], Any], n_columns: int, goal: str) -> Race:
    return Race(
        f"mRMR, {n_columns} columns, mrmr_selection, {name}",
        goal,
        load,
        partial(select_by_mrmr, n_columns=n_columns),
        lambda frame, y: MRMRSelector(n_columns).fit(frame, y),
        picked,
        "picked, in order",
    )


def redundancy_race(name: str, load: Callable[[], Any], peer: str, goal: str) -> Race:
    return Race(
        f"correlated columns, {peer}, {name}",
        goal,
        load,
        (lambda frame, _y: frame.corr()) if peer == "pandas' corr alone" else drop_correlated,
        redundancy,
        dropped,
        "dropped",
    )


PANDAS, FEATURE_ENGINE = "pandas' corr alone", "feature_engine DropCorrelatedFeatures"
RACES = {
    "related_500": redundancy_race(
        "drawn 20000x500", partial(related, 20_000, 500), FEATURE_ENGINE, "25x / 50x"
    ),
    "related_2000": redundancy_race(
        "drawn 20000x2000", partial(related, 20_000, 2000), PANDAS, "80x / 120x"
    ),
    "isolet": redundancy_race("Isolet", partial(real, "classics/Isolet"), FEATURE_ENGINE, "-"),
    "mrmr_2000": mrmr_race("drawn 2000x2000", partial(decided, 2000, 2000), 50, "80x / 150x"),
    "mrmr_genes": mrmr_race("dm_alon", partial(real, "genes/dm_alon"), 20, "-"),
}


def run(name: str) -> list[str]:
    """Run one row and return its cells, those of HEADER."""
    race = RACES[name]
    frame, y = race.load()
    # what is loaded once is loaded
    race.ours(frame.iloc[:50, :60], None if y is None else np.arange(50) % 2)
    rivals = {one: partial(getattr(race, one), frame, y) for one in ("peer", "ours")}
    seconds, results = in_turn(rivals)
    answers = [race.answer(results[one], frame) for one in rivals]
    is_alike = answers[0] == answers[1]
    both = len(set(answers[0]) & set(answers[1]))
    medians = [statistics.median(seconds[one]) for one in rivals]
    spent = [
        f"{median:.3g} ({len(seconds[one])})" for one, median in zip(rivals, medians, strict=True)
    ]
    checked = (
        f"{both} {race.what}: the same"
        if is_alike
        else f"{race.what}: peer {len(answers[0])}, ours {len(answers[1])}, both {both}"
    )
    ratio = f"**{medians[0] / medians[1]:.0f}x**" if is_alike else "none"
    peaks = [f"{_peak(name, one):.0f}" for one in rivals]
    size = f"{frame.memory_usage(index=False).sum() / 2**20:.0f}"
    return [race.work, *spent, ratio, *peaks, size, checked, race.goal, report.stamp()]


def _peak(name: str, rival: str) -> float:
    """Return the peak memory, in MB, of a process that runs one of the two."""
    command = [sys.executable, __file__, "--peak", name, rival]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    say(f"    {rival}: {result.stdout.strip()} MB")
    return float(result.stdout)


def _print_own_peak(name: str, rival: str) -> None:
    race = RACES[name]
    getattr(race, rival)(*race.load())
    # ru_maxrss would be that of the process that started this one, if that is larger
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024)


def main() -> None:
    """Run the rows that are asked for, print the table, and write it if told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(RACES)}")
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        _print_own_peak(*arguments.peak)
        return
    unknown = sorted(set(arguments.rows) - set(RACES))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(RACES)}.")
    for name in arguments.rows or RACES:
        say(name)
        row = run(name)
        print(report.table([*HEADER, "run"], [row]), flush=True)
        if arguments.write:
            _write(row)


def _write(row: list[str]) -> None:
    """Put a row into the table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## Filters\n\n`python benchmarks/filters.py [row ...] --write`; what is measured, and "
        "how, stands at the top of that file.\nCPU seconds of one thread, and in brackets how "
        "many runs; MB are the peak of a process.\n\n"
        f"{report.machine()}."
    )
    old = report.section("filters")
    merged = report.merge(old if preface in old else "", [*HEADER, "run"], [row])
    report.write("filters", f"{preface}\n\n{report.table([*HEADER, 'run'], merged)}")


if __name__ == "__main__":
    main()
