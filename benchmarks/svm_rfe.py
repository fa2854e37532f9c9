"""SVM-RFE against scikit-learn's RFE and RFECV, and against a loop in numpy for kernels.

    python benchmarks/svm_rfe.py [row ...] [--write]

Without names, all rows. The tables go to standard output; --write puts them into their section
of benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/. Seconds are CPU seconds of one thread unless a row says wall.

How it is measured:

- Peer and ours alternate, the median of three runs counts; of a peer (or ours) that takes over a
  minute, one run. A peer's path that takes too long is extrapolated: its step is timed at eight
  sizes, on the columns that our path has left there, and taken to be linear between them; where
  smaller sizes take far longer, sizes between are added. What RFE itself does around a fit, some
  10% of small ones, is not counted, nor are the sizes below one where a step takes over half a
  minute. The extrapolation is an estimate, not a bound.
- The peer runs at the tol at which its ranks are the optimum's, 1e-9 for SVC, 1e-10 for
  LinearSVC, and beside it at its default tol, with the share of ranks that are then the same.
- There is a ratio only if the answers are the same. Where one differs, the model is solved again
  in double precision, and the two criteria must be closer than the peer's error, see agree.py.
- Columns are standardised beforehand, sparse ones to variance 1 without moving their zeros.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import tempfile

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
# numba does not see that an inner kernel's file has changed: an old cache times old code
_cache = tempfile.TemporaryDirectory()
os.environ.setdefault("NUMBA_CACHE_DIR", _cache.name)

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import costs
import growth
import inputs
import races
import report
from clock import say
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_info

HINGE = SVC(kernel="linear")
COLON = partial(inputs.real, "genes/dm_alon")
RACES = {
    "colon": races.Race("RFE(SVC linear), colon 62x2000", COLON, HINGE, "150x / 300x"),
    "leukemia": races.Race(
        "RFE(SVC linear), leukemia 72x7129",
        partial(inputs.real, "genes/dm_golub"),
        HINGE,
        "500x / 1000x",
    ),
    "chowdary": races.Race(
        "RFE(SVC linear), chowdary 104x22283",
        partial(inputs.real, "genes/dm_chowdary"),
        HINGE,
        "1000x / 2000x",
        whole=False,
    ),
    "srbct": races.Race(
        "RFE(SVC linear), SRBCT 83x2308, 4 classes",
        partial(inputs.real, "genes/gems_SRBCT"),
        HINGE,
        "100x / 200x",
    ),
    "linear_svc": races.Race("RFE(LinearSVC), colon 62x2000", COLON, LinearSVC(), "150x / 300x"),
    "tall": races.Race(
        "RFE(LinearSVC(dual=False)), drawn 100000x100",
        partial(inputs.drawn, 100_000, 100),
        LinearSVC(dual=False),
        "100x / 250x",
        whole=False,
    ),
    "square": races.Race(
        "RFE(LinearSVC(dual=False)), drawn 6000x5000",
        partial(inputs.drawn, 6000, 5000),
        LinearSVC(dual=False),
        "120 s / 30 s",
        whole=False,
    ),
    "sms": races.Race(
        "RFE(LinearSVC(dual=False)), sms_spam as dense tf-idf 5574x5000",
        inputs.sms,
        LinearSVC(dual=False),
        "120 s / 30 s",
        whole=False,
    ),
    "rbf_colon": races.Race("ΔJ, SVC RBF, colon 62x2000", COLON, SVC(), "20x / 50x", default=False),
    "rbf_200": races.Race(
        "ΔJ, SVC RBF, drawn 200x1000",
        partial(inputs.curved, 200, 1000),
        SVC(),
        "20x / 50x",
        default=False,
    ),
    "rbf_madelon": races.Race(
        "ΔJ, SVC RBF, madelon 2000x500",
        inputs.madelon,
        SVC(),
        "300 s / 60 s",
        whole=False,
        default=False,
    ),
    "text": races.Race(
        "RFE(SVC linear), sparse, PCMAC 1943x3289",
        partial(inputs.real_sparse, "classics/PCMAC"),
        HINGE,
        "100x / 300x",
        whole=False,
    ),
}


class Table(NamedTuple):
    """One table of the section, and the rows it is made of."""

    title: str
    header: tuple[str, ...]
    rows: dict[str, Callable[[], list[list[str]]]]


def _race(name: str) -> Callable[[], list[list[str]]]:
    return lambda: [races.run_race(RACES[name])]


def _cv(work: str, goal: str, n_jobs: int | None = None) -> Callable[[], list[list[str]]]:
    return lambda: [races.run_cv(work, COLON, goal, n_jobs=n_jobs)]


TABLES = [
    Table(
        "Races",
        races.HEADER,
        {name: _race(name) for name in RACES}
        | {
            "rfecv": _cv("RFECV(SVC linear), 5 folds, colon 62x2000", "300x / 500x"),
            "threads": _cv("RFECV, colon, n_jobs=2, wall seconds", "-", n_jobs=2),
        },
    ),
    Table("The first call", costs.FIRST_HEADER, {"first_call": costs.first_calls}),
    Table("Peak memory", costs.MEMORY_HEADER, {"memory": costs.memory}),
    Table("Growth", growth.HEADER, {"growth": growth.run}),
]


def main() -> None:
    """Run the rows that are asked for, print the tables, and write them if told to."""
    known = [name for each in TABLES for name in each.rows]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(known)}")
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(known))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(known)}.")
    _check_threads()
    # the peer at its default tol says so, at every step
    warnings.simplefilter("ignore", ConvergenceWarning)
    for each in TABLES:
        names = [name for name in each.rows if not arguments.rows or name in arguments.rows]
        for name in names:
            say(name)
            started = time.process_time()
            rows = [[*row, report.stamp()] for row in each.rows[name]()]
            say(f"    {name} took {time.process_time() - started:.0f} CPU s")
            print(report.table([*each.header, "run"], rows), flush=True)
            if arguments.write:
                _write(each, rows)


def _check_threads() -> None:
    """Stop if a library would use more than one thread, and its CPU seconds mean nothing."""
    wide = [pool["filepath"] for pool in threadpool_info() if pool["num_threads"] != 1]
    if wide:
        sys.exit(f"These libraries use more than one thread: {', '.join(wide)}.")


def _write(changed: Table, rows: list[list[str]]) -> None:
    """Put rows into their table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## SVM-RFE\n\n`make bench` or `python benchmarks/svm_rfe.py [row ...] --write`; what is "
        "measured, and how, stands\nat the top of that file. CPU seconds of one thread. Of the "
        "last column, date and commit, a plus\nmeans that files differed from the commit.\n\n"
        f"{report.machine()}."
    )
    old = report.section("svm_rfe")
    old = old if preface in old else ""
    parts = [preface]
    for each in TABLES:
        header = [*each.header, "run"]
        merged = report.merge(old, header, rows if each is changed else [])
        if merged:
            parts.append(f"### {each.title}\n\n{report.table(header, merged)}")
        if merged and each.title == "Growth":
            parts.append(f"![Seconds against columns and rows]({growth.PICTURE.name})")
    report.write("svm_rfe", "\n\n".join(parts))


if __name__ == "__main__":
    main()
