"""What columns kept by each method leave of all columns, beside what components would leave.

    python benchmarks/residuals.py [row ...] [--write]

Without names, all rows. The table goes to standard output; --write puts it into its section of
benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/.

How it is measured:

- Columns are standardised, constant ones left out of the count. A cell is the sum of squares that
  least squares from the k columns kept leaves of all columns, over what the first k principal
  components leave, which no k columns can be below: 1 is the optimum of rank k.
- Each method is asked for k columns, and looks at k components.
- "random" is the mean and standard deviation of 20 draws of k columns that are not constant.
- The default, the greedy method, must not be worse than the mean of random draws; the row says
  so if it is.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
from collections.abc import Callable
from functools import partial

import inputs
import numpy as np
import report
from clock import cpu_seconds, say
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler

from featprune import PCASelector

METHODS = ("greedy", "qr", "pfa", "b2", "b4", "leverage", "loading")
HEADER = ("table", "k", *METHODS, "random: mean ± sd of 20", "CPU s, greedy")
N_DRAWS = 20


def residuals(name: str, load: Callable[[], np.ndarray], k: int) -> list[str]:
    """The row of one table and size."""
    X = load()
    X = X[:, X.std(axis=0) > 0]
    X = StandardScaler().fit_transform(X)
    squares = np.linalg.svd(X, compute_uv=False) ** 2
    optimum = squares[k:].sum()
    found, seconds = {}, 0.0
    for method in METHODS:
        selector = PCASelector(k, method=method, n_components=k, random_state=0)
        spent, _ = cpu_seconds(partial(selector.fit, X))
        seconds = spent if method == "greedy" else seconds
        found[method] = _left(X, selector.support_) / optimum
        say(f"    {method}: {found[method]:.3f}, {spent:.2f} s")
    rng = np.random.default_rng(0)
    draws = [_left(X, rng.choice(X.shape[1], k, replace=False)) / optimum for _ in range(N_DRAWS)]
    chance = f"{np.mean(draws):.2f} ± {np.std(draws, ddof=1):.2f}"
    if found["greedy"] > np.mean(draws):
        chance += ", below greedy"
    cells = [f"{found[method]:.2f}" for method in METHODS]
    return [f"{name} {len(X)}x{X.shape[1]}, k={k}", str(k), *cells, chance, f"{seconds:.2f}"]


def _left(X: np.ndarray, columns: np.ndarray) -> float:
    """The sum of squares that least squares from some columns leaves of all."""
    basis, triangle = np.linalg.qr(X[:, columns])
    size = np.abs(triangle.diagonal())
    basis = basis[:, size > 1e-9 * size.max()]
    return float(((X - basis @ (basis.T @ X)) ** 2).sum())


TABLES: dict[str, tuple[Callable[[], np.ndarray], tuple[int, ...]]] = {
    "digits": (lambda: load_digits().data, (10, 20, 50)),
    "breast_cancer": (lambda: load_breast_cancer().data, (3, 5, 10)),
    "isolet": (lambda: inputs.real("classics/Isolet")[0], (10, 20, 50)),
    "usps": (lambda: inputs.real("classics/USPS")[0], (10, 20, 50)),
    "colon": (lambda: inputs.real("genes/dm_alon")[0], (10, 20, 50)),
    "madelon": (lambda: inputs.real("classics/madelon")[0], (10, 20, 50)),
    "trec_minilm384": (lambda: inputs.real("text/trec_minilm384")[0], (10, 20, 50)),
    "clothing_lite0_1280": (lambda: inputs.real("images/clothing_lite0_1280")[0], (10, 20, 50)),
}
ROWS = {
    f"{name}_{k}": partial(residuals, name, load, k)
    for name, (load, sizes) in TABLES.items()
    for k in sizes
}


def main() -> None:
    """Run the rows that are asked for, print the table, and write it if told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}, or a table's name"
    )
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(ROWS) - set(TABLES))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(ROWS)}.")
    for name, call in ROWS.items():
        if arguments.rows and not {name, name.rpartition("_")[0]} & set(arguments.rows):
            continue
        say(name)
        row = [*call(), report.stamp()]
        print(report.table([*HEADER, "run"], [row]), flush=True)
        if arguments.write:
            _write(row)


def _write(row: list[str]) -> None:
    """Put a row into the table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## What kept columns leave of all\n\n`python benchmarks/residuals.py [row ...] --write`; "
        "what is measured, and how, stands at the top of that file.\nWhat k columns leave, over "
        "what k principal components leave; 1 is the optimum.\n\n"
        f"{report.machine()}."
    )
    old = report.section("residuals")
    old = old if preface in old else ""
    merged = report.merge(old, [*HEADER, "run"], [row])
    report.write("residuals", f"{preface}\n\n{report.table([*HEADER, 'run'], merged)}")


if __name__ == "__main__":
    main()
