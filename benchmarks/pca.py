"""PCASelector's parts against scikit-learn's PCA, plain greedy selection and plain reading.

    python benchmarks/pca.py [row ...] [--write]

Without names, all rows. The table goes to standard output; --write puts it into its section of
benchmarks/RESULTS.md, rows that were not run staying as they were. Row "parquet" writes 5 GB to
a temporary folder.

How it is measured:

- Each run is a process of its own, which loads modules and makes its input first. Seconds are CPU
  seconds of the work alone, of one thread (row "parquet": of all threads, beside seconds on the
  clock); the peak of memory is that of the process, input included.
- Peers and ours alternate, the median of three runs counts; of one that takes over a minute, one
  run.
- PCA: mean, second moments, components and loadings of columns that are centred and not scaled,
  against each of scikit-learn's solvers that can do it; the ratio is to the fastest of those that
  find the same explained variances, and the same sum of the loadings' sizes, to 1e-4 in float32
  and 1e-6 in float64.
- Greedy: the order of all columns out of their second moments, against a plain one that works
  every column into the p x p matrix at once, and the same columns in the same order; of 5000
  columns, the plain one finds the first 100 only, and there is no ratio.
- Parquet: 200 columns of float32 in row groups of 65,536, against reading the same batches and
  doing nothing with them.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import report
from clock import LONG_SECONDS, N_ROUNDS, say

HEADER = (
    "work",
    "who",
    "CPU s (runs)",
    "clock s",
    "peak MB",
    "ratio to ours",
    "checked",
    "at least / aim",
)
N_COMPONENTS = 20
# by every run before its clock starts
LOADED = ("featprune.selectors.pca", "sklearn.decomposition", "pyarrow.parquet")
N_ROWS_OF_FILE = 6_750_000


def low_rank(n: int, p: int, dtype: Any) -> np.ndarray:
    """Columns of 40 strong directions and noise, made in place of the result."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((40, p), dtype=dtype) / np.sqrt(1 + np.arange(40))[:, None]
    X = np.empty((n, p), dtype=dtype)
    for start in range(0, n, 10_000):
        some = X[start : start + 10_000]
        rng.standard_normal(out=some, dtype=dtype)
        some *= 0.5
        some += rng.standard_normal((len(some), 40), dtype=dtype) @ directions.astype(dtype)
        some += 3
    return X


def second_moments(p: int) -> Any:
    """Correlations of related columns."""
    from featprune.importance.pca.moments import Moments

    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * p, p)) / np.sqrt(1 + np.arange(p))
    X = X @ rng.normal(size=(p, p)) + rng.normal(size=X.shape)
    moments = Moments(p)
    moments.add(X, copy=False)
    return moments.centred(standardize=True).spread


def sklearn_pca(X: np.ndarray, solver: str) -> list[float]:
    from sklearn.decomposition import PCA

    model = PCA(N_COMPONENTS, svd_solver=solver, random_state=0).fit(X)
    loadings = model.components_.T * np.sqrt(model.explained_variance_)
    return [*model.explained_variance_ratio_.tolist(), float(np.abs(loadings).sum())]


def our_pca(X: np.ndarray) -> list[float]:
    from featprune.importance.pca.moments import Moments
    from featprune.importance.pca.spectrum import spectrum

    moments = Moments(X.shape[1])
    moments.add(X, copy=False)
    found = spectrum(moments.centred(standardize=False).spread, N_COMPONENTS)
    # scikit-learn divides by one row less
    size = float(np.abs(found.loadings).sum()) * (len(X) / (len(X) - 1)) ** 0.5
    return [*(found.values / found.total).tolist(), size]


def our_greedy(spread: Any) -> list[int]:
    from featprune.importance.pca.greedy import greedy_order

    p = len(spread.variances)
    return greedy_order(spread, np.arange(p), np.zeros(p, dtype=bool)).tolist()


def plain_greedy(spread: Any, n_steps: int) -> list[int]:
    E, order = spread.matrix.copy(), []
    for _ in range(n_steps):
        variances = E.diagonal()
        alive = variances > 1e-10
        gains = np.einsum("ij,ij->i", E, E) / np.where(alive, variances, np.inf)
        best = int(gains.argmax())
        order.append(best)
        E -= np.outer(E[best] / E[best, best], E[best])
    return order


def plain_reading(file: str) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        return sum(len(batch) for batch in parquet.iter_batches(batch_size=65_536))


def our_reading(file: str) -> list[float]:
    from featprune.selectors.pca import PCASelector

    return PCASelector().fit_parquet(file).path_.explained.tolist()


def write_parquet(file: str) -> None:
    """Write the columns of `low_rank` row group by row group, without compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    X = low_rank(65_536, 200, np.float32)
    names = [f"x{i}" for i in range(200)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    rng = np.random.default_rng(1)
    with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, N_ROWS_OF_FILE, len(X)):
            some = X[rng.permutation(len(X))[: N_ROWS_OF_FILE - start]]
            some += rng.standard_normal(some.shape, dtype=np.float32) * 0.1
            arrays = [pa.array(np.ascontiguousarray(some[:, i])) for i in range(200)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


# what a row's runs start from, and who runs
TALL, WIDE = partial(low_rank, 1_000_000, 200, np.float32), partial(low_rank, 2000, 20_000, float)
WORK: dict[str, tuple[Callable[[], Any] | None, dict[str, Callable[..., Any]]]] = {
    "pca_tall": (
        TALL,
        {
            "covariance_eigh": partial(sklearn_pca, solver="covariance_eigh"),
            "randomized": partial(sklearn_pca, solver="randomized"),
            "full": partial(sklearn_pca, solver="full"),
            "ours": our_pca,
        },
    ),
    "pca_wide": (
        WIDE,
        {
            "arpack": partial(sklearn_pca, solver="arpack"),
            "randomized": partial(sklearn_pca, solver="randomized"),
            "full": partial(sklearn_pca, solver="full"),
            "ours": our_pca,
        },
    ),
    "greedy_1000": (
        partial(second_moments, 1000),
        {"plain": partial(plain_greedy, n_steps=1000), "ours": our_greedy},
    ),
    "greedy_5000": (
        partial(second_moments, 5000),
        {"plain, first 100": partial(plain_greedy, n_steps=100), "ours": our_greedy},
    ),
    "parquet": (None, {"plain reading": plain_reading, "ours": our_reading}),
}
TITLES = {
    "pca_tall": ("PCA, 1,000,000x200 float32", "1x / 1.5x"),
    "pca_wide": ("PCA, 2000x20,000 float64", "1x / 1.5x"),
    "greedy_1000": ("greedy order, p=1000", "5 s / 2 s"),
    "greedy_5000": ("greedy order, p=5000", "120 s / 60 s"),
    "parquet": ("Parquet, 5 GB of 200 float32", "2x, 1000 MB / 1.3x"),
}


def alike(row: str, peer: Any, ours: Any) -> str:
    """Say how far two results are apart; nothing if they are not alike."""
    if row.startswith("pca"):
        apart = float(np.max(np.abs(np.array(peer) / np.array(ours) - 1)))
        return f"{apart:.0e} apart" if apart < (1e-4 if row == "pca_tall" else 1e-6) else ""
    if row.startswith("greedy"):
        return f"same {len(peer)} columns" if peer == ours[: len(peer)] else ""
    return f"{peer} rows" if peer == N_ROWS_OF_FILE else ""


def one_run(row: str, who: str, file: str) -> None:
    """Run in a process of its own: write seconds, memory and the result as JSON."""
    make, rivals = WORK[row]
    for name in LOADED:
        import_module(name)
    given = file if make is None else make()
    started = time.process_time(), time.perf_counter()
    result = rivals[who](given)
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak, "result": result}))


def rows_of(row: str) -> list[list[str]]:
    """One line for each who runs."""
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in WORK[row][1]}
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "table.parquet"))
        if row == "parquet":
            write_parquet(file)
        for _ in range(N_ROUNDS):
            for who, done in runs.items():
                if done and done[0]["cpu"] > LONG_SECONDS:
                    continue
                command = [sys.executable, __file__, "--one", row, who, file]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                done.append(json.loads(output.stdout))
                say(f"    {who}: {done[-1]['cpu']:.3g} s, {done[-1]['peak']:.0f} MB")
    ours = runs["ours"]
    lines = []
    for who, done in runs.items():
        cpu, wall, peak = (
            statistics.median(run[key] for run in done) for key in ("cpu", "wall", "peak")
        )
        ratio = checked = "-"
        if who != "ours":
            checked = alike(row, done[0]["result"], ours[0]["result"]) or "not alike"
            key = "wall" if row == "parquet" else "cpu"
            mine = statistics.median(run[key] for run in ours)
            if checked != "not alike" and row != "greedy_5000":
                ratio = f"{(wall if key == 'wall' else cpu) / mine:.2f}x"
        title, goal = TITLES[row]
        seconds = f"{cpu:.3g} ({len(done)})"
        goal = goal if who == "ours" else "-"
        name = f"{title}: {who}"
        lines.append([name, who, seconds, f"{wall:.3g}", f"{peak:.0f}", ratio, checked, goal])
    return lines


def main() -> None:
    """Run the rows that are asked for, print the table, and write it if told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(WORK)}")
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_run(*arguments.one)
        return
    unknown = sorted(set(arguments.rows) - set(WORK))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(WORK)}.")
    for name in WORK:
        if arguments.rows and name not in arguments.rows:
            continue
        say(name)
        rows = [[*row, report.stamp()] for row in rows_of(name)]
        print(report.table([*HEADER, "run"], rows), flush=True)
        if arguments.write:
            _write(rows)


def _write(rows: list[list[str]]) -> None:
    """Put rows into the table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## Selection by components\n\n`python benchmarks/pca.py [row ...] --write`; what is "
        "measured, and how, stands at the top of that file.\n\n"
        f"{report.machine()}."
    )
    old = report.section("pca")
    old = old if preface in old else ""
    merged = report.merge(old, [*HEADER, "run"], rows)
    report.write("pca", f"{preface}\n\n{report.table([*HEADER, 'run'], merged)}")


if __name__ == "__main__":
    main()
