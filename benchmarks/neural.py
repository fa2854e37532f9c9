"""What networks select: autoencoders under their authors' protocol, and saliency on noise.

    python benchmarks/neural.py [row ...] [--write]

Without names, all rows. The tables go to standard output; --write puts them into their section
of benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/, KERAS_BACKEND the backend. Seconds are CPU seconds of a selector's fit,
with what the backend compiles.

How it is measured:

- Autoencoders, as Balın et al. (2019) do: every column is scaled to [0, 1], a fifth of the rows is
  held out, 50 columns are selected on the others without their labels. Accuracy is that of
  ExtraTreesClassifier(50), the error that of linear regression from the 50 columns to all, mean
  of squares; both fitted on the training rows and taken on the rows held out. Mean and standard
  deviation over three seeds, of which each is that of the rows held out, of the selector and of
  the trees. All selectors see the columns as they are scaled (standardize=False).
- Saliency: columns drawn from a normal distribution, 20 seeds. "any kept wrongly" counts the
  seeds in which a column that does not matter stands above the null.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import inputs
import numpy as np
import report
from clock import cpu_seconds, say
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from featprune.selectors.autoencoder import AutoencoderSelector
from featprune.selectors.pca import PCASelector
from featprune.selectors.saliency import SaliencySelector

REBUILT = ("columns of", "selected by", "accuracy", "error, linear", "CPU s")
NOISE = ("table", "that matter", "found", "seeds with any kept wrongly", "CPU s each")
N_COLUMNS, N_SEEDS, N_TABLES = 50, 3, 20
SELECTORS: dict[str, Callable[..., Any]] = {
    "PCASelector": partial(PCASelector, N_COLUMNS, standardize=False),
    "concrete": partial(AutoencoderSelector, N_COLUMNS, standardize=False),
    "group_lasso": partial(
        AutoencoderSelector, N_COLUMNS, method="group_lasso", epochs=100, standardize=False
    ),
}


def rebuilt(data: str, name: str) -> list[list[str]]:
    """Accuracy and error from 50 columns, selected in one way."""
    X, y = inputs.vectors(f"classics/{data}")
    X, y = MinMaxScaler().fit_transform(X), y.ravel()
    accuracies, errors, seconds = [], [], []
    for seed in range(N_SEEDS):
        train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=seed)
        if name == "random":
            columns = np.random.default_rng(seed).permutation(X.shape[1])[:N_COLUMNS]
        elif name == "all":
            columns = np.arange(X.shape[1])
        else:
            selector = SELECTORS[name](random_state=seed)
            spent, _ = cpu_seconds(partial(selector.fit, X[train]))
            columns = np.flatnonzero(selector.support_)
            seconds.append(spent)
        trees = ExtraTreesClassifier(50, random_state=seed).fit(X[train][:, columns], y[train])
        accuracies.append(trees.score(X[test][:, columns], y[test]))
        linear = LinearRegression().fit(X[train][:, columns], X[train])
        errors.append(np.square(linear.predict(X[test][:, columns]) - X[test]).mean())
        say(f"    seed {seed}: {accuracies[-1]:.4f} {errors[-1]:.5f}")
    cells = [f"{np.mean(accuracies):.3f} ± {np.std(accuracies, ddof=1):.3f}"]
    cells.append(f"{np.mean(errors):.5f} ± {np.std(errors, ddof=1):.5f}")
    shape = f"{data}, {len(X)}x{X.shape[1]}"
    label = {"random": "random", "all": "all columns"}.get(name, name)
    spent = f"{np.median(seconds):.3g}" if seconds else "-"
    return [[f"{shape}, {label}", label, *cells, spent]]


def saliency(n: int, p: int, n_true: int) -> list[list[str]]:
    """How many of the columns that matter stand above the null, and how often any other does."""
    found, wrong, seconds = 0, 0, 0.0
    for seed in range(N_TABLES):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((n, p))
        y = X[:, :n_true].sum(axis=1) + 0.5 * np.sqrt(max(n_true, 1)) * rng.standard_normal(n) > 0
        selector = SaliencySelector(random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*above the null")
            spent, _ = cpu_seconds(partial(selector.fit, X, y))
        found += int(selector.above_null_[:n_true].sum())
        wrong += bool(selector.above_null_[n_true:].any())
        seconds += spent
        say(f"    seed {seed}: {np.flatnonzero(selector.above_null_).tolist()}")
    share = f"{found / (N_TABLES * n_true):.2f}" if n_true else "-"
    kind = f"drawn {n}x{p}, {n_true} of {p}"
    return [[kind, str(n_true), share, f"{wrong} of {N_TABLES}", f"{seconds / N_TABLES:.3g}"]]


TABLES: list[tuple[str, tuple[str, ...], dict[str, Callable[[], list[list[str]]]]]] = [
    (
        "Autoencoders",
        REBUILT,
        {
            f"{data.lower()}_{name}": partial(rebuilt, data, name)
            for data in ("Isolet", "USPS")
            for name in ("all", "random", *SELECTORS)
        },
    ),
    (
        "Saliency",
        NOISE,
        {
            "noise": partial(saliency, 200, 20, 0),
            "planted": partial(saliency, 300, 20, 3),
            "many": partial(saliency, 300, 20, 10),
        },
    ),
]


def main() -> None:
    """Run the rows that are asked for, print the tables, and write them if told to."""
    known = [name for _, _, rows in TABLES for name in rows]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(known)}")
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(known))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(known)}.")
    for title, header, calls in TABLES:
        for name, call in calls.items():
            if arguments.rows and name not in arguments.rows:
                continue
            say(name)
            rows = [[*row, report.stamp()] for row in call()]
            print(report.table([*header, "run"], rows), flush=True)
            if arguments.write:
                _write(title, rows)


def _write(changed: str, rows: list[list[str]]) -> None:
    """Put rows into their table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## Selection by networks\n\n`python benchmarks/neural.py [row ...] --write`; what is "
        "measured, and how, stands at the top of that file.\n\n"
        f"{report.machine()}."
    )
    old = report.section("neural")
    old = old if preface in old else ""
    parts = [preface]
    for title, header, _ in TABLES:
        merged = report.merge(old, [*header, "run"], rows if title == changed else [])
        if merged:
            parts.append(f"### {title}\n\n{report.table([*header, 'run'], merged)}")
    report.write("neural", "\n\n".join(parts))


if __name__ == "__main__":
    main()
