"""What is paid once, for compiling, and what is paid in memory: each in a process of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inputs
import numpy as np
from clock import say
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.svm import SVC, SVR, LinearSVC

FIRST_HEADER = (
    "road",
    "import after scikit-learn",
    "first call, compiling",
    "first call, cached",
    "second call",
)
MEMORY_HEADER = (
    "table",
    "machine",
    "input MB",
    "nxn matrix MB",
    "peak beyond the input MB",
    "peak less one nxn, over input",
)
ROADS: dict[str, tuple[BaseEstimator, tuple[int, int]]] = {
    "SVC linear": (SVC(kernel="linear"), (40, 60)),
    "LinearSVC, more columns than rows": (LinearSVC(), (40, 60)),
    "LinearSVC, more rows than columns": (LinearSVC(), (400, 20)),
    "SVC RBF": (SVC(), (40, 60)),
    "SVR linear": (SVR(kernel="linear"), (40, 60)),
}
MEGABYTE = 1e6


def first_calls() -> list[list[str]]:
    """Return CPU seconds of the first calls of each road, with an empty cache and a full one."""
    rows = []
    for road in ROADS:
        with tempfile.TemporaryDirectory() as cache:
            compiling, cached = (_child(["first", road], cache) for _ in range(2))
        cells = [cached[0], compiling[1], cached[1], cached[2]]
        rows.append([road, *(f"{seconds:.2g}" for seconds in cells)])
        say(f"    {' | '.join(rows[-1])}")
    return rows


def memory() -> list[list[str]]:
    """Return the peak of each table's path, less that of a process that only loads the table."""
    tables: dict[str, tuple[Callable[[], Any], str]] = {
        "chowdary 104x22283": (lambda: inputs.real("genes/dm_chowdary"), "SVC linear"),
        "drawn 1000x2000": (lambda: inputs.drawn(1000, 2000), "SVC linear"),
        "drawn 500x20000": (lambda: inputs.drawn(500, 20_000), "LinearSVC"),
        "drawn 100000x100": (lambda: inputs.drawn(100_000, 100), "LinearSVC"),
        "sparse PCMAC 1943x3289": (lambda: inputs.real_sparse("classics/PCMAC"), "SVC linear"),
    }
    rows = []
    for name, (load, machine) in tables.items():
        X, y = load()
        with tempfile.TemporaryDirectory() as folder:
            _save(Path(folder), X, y)
            say(f"    {name}")
            # the first fills the cache: compiling takes memory, too
            tasks = ("prune", "load", "prune")
            _, loaded, peak = (_child([task, machine, folder])[0] for task in tasks)
        size = _bytes(X) / MEGABYTE
        # tall tables go the primal road, without such a matrix
        gram = 8 * X.shape[0] ** 2 / MEGABYTE if X.shape[0] < 10_000 else 0.0
        more = (peak - loaded) / MEGABYTE
        cells = [f"{size:.1f}", f"{gram:.1f}", f"{more:.1f}", f"{(more - gram) / size:.1f}"]
        rows.append([name, machine, *cells])
        say(f"    {' | '.join(rows[-1])}")
    return rows


def _bytes(X: Any) -> int:
    parts = (X.data, X.indices, X.indptr) if sparse.issparse(X) else (X,)
    return sum(part.nbytes for part in parts)


def _save(folder: Path, X: Any, y: np.ndarray) -> None:
    if sparse.issparse(X):
        sparse.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)


def _child(arguments: list[str], cache: str | None = None) -> list[float]:
    """Run this file in a process of its own and return the numbers that it prints."""
    environment = dict(os.environ) if cache is None else {**os.environ, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def _prune(machine: BaseEstimator, X: Any, y: np.ndarray) -> None:
    from featprune import SVMRFE

    SVMRFE(machine, n_features_to_select=1, standardize=False, encoder=None).fit(X, y)


def _print_first(road: str) -> None:
    """Print CPU seconds of importing the selector, of its first call and of the second."""
    machine, (n, p) = ROADS[road]
    X, y = inputs.drawn(n, p, n_true=5)
    marks = [time.process_time()]
    from featprune import SVMRFE  # noqa: F401

    marks.append(time.process_time())
    for _ in range(2):
        _prune(machine, X, y)
        marks.append(time.process_time())
    print(*np.diff(marks))


def _print_peak(machine: str, folder: Path, *, prune: bool) -> None:
    """Print the largest memory of this process in bytes, with the table loaded, or pruned too."""
    estimator = {"SVC linear": SVC(kernel="linear"), "LinearSVC": LinearSVC()}[machine]
    for n, p in ((40, 60), (400, 20)):
        _prune(estimator, *inputs.drawn(n, p, n_true=5))
    dense = folder / "X.npy"
    X = np.load(dense) if dense.exists() else sparse.load_npz(folder / "X.npz")
    if prune:
        _prune(estimator, X, np.load(folder / "y.npy"))
    print(_own_peak())


def _own_peak() -> int:
    """Return the largest memory of this process so far, in bytes.

    Linux lets ru_maxrss start at the peak of the process that started this one, which has
    drawn the tables and is larger; the mark in /proc is this process's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        marks = (line.split() for line in status.read_text().splitlines())
        return next(1024 * int(mark[1]) for mark in marks if mark[0] == "VmHWM:")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    if task == "first":
        _print_first(*rest)
    else:
        _print_peak(rest[0], Path(rest[1]), prune=task == "prune")
