"""What pruning embeddings costs: selectors beside random dimensions, truncation and extraction.

    python benchmarks/embeddings.py [row ...] [--seeds N] [--write]

Without names, all rows. The table goes to standard output; --write puts it into its section of
benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/. All rows take about ten minutes for each seed.

How it is measured, by `featprune.report.pruning_cost`:

- Five folds, shuffled by each seed. Every selector is fitted once a fold, on its training rows
  alone, and cut to each size from that one path.
- Accuracy is that of a logistic regression on standardised dimensions on the held-out rows: its
  mean, the standard deviation over folds (of random dimensions over five draws, of their means),
  and in brackets the share of the accuracy with all dimensions. C of the regression is the best
  for all dimensions, of 0.003, 0.03 and 1, and the same at every size: in favour of the whole.
- Recall is the share of a held-out row's ten nearest training rows, by cosine, that stay its
  nearest.
- PCA is no selection: vectors rebuilt from so many principal components of the training rows.
- Seconds are those on the clock for a fold's fit, from which all sizes are cut.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
from functools import partial
from typing import Any

import inputs
import pandas as pd
import report
from clock import say
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from featprune import SVMRFE, TreeSelector
from featprune.report import pruning_cost

SHARES = (1, 0.5, 0.25, 0.125)
HEADER = (
    "vectors, way",
    "accuracy at 100 %",
    "at 50 %",
    "at 25 %",
    "at 12.5 %",
    "recall@10 at 50 / 25 / 12.5 %",
    "fit s",
)
# vectors by name: the file, and the probe's C
VECTORS = {
    "trec": ("text/trec_minilm384", 0.03),
    "clothing": ("images/clothing_lite0_1280", 0.003),
}


def selectors() -> dict[str, Any]:
    """Return the selectors, each with settings for hundreds of dimensions and several classes."""
    from featprune.selectors.pca import PCASelector

    trees = XGBClassifier(n_estimators=60, max_depth=4, max_bin=32, colsample_bynode=0.3, n_jobs=1)
    return {
        "SVMRFE": SVMRFE(LinearSVC(dual=False, C=0.003), step=0.02),
        "TreeSelector": TreeSelector(trees, importance="shap", cv=None),
        "PCASelector": PCASelector(standardize=False),
    }


def measure(name: str, n_seeds: int) -> list[list[str]]:
    """Return a row of the table for each way to shorten the vectors of a data set."""
    file, C = VECTORS[name]
    X, y = inputs.vectors(file)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    tables = []
    for seed in range(n_seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        tables.append(
            pruning_cost(X, y, selectors(), shares=SHARES, probe=probe, cv=folds, random_state=seed)
        )
        say(f"seed {seed}\n{tables[-1].round(4).to_string()}")
    means = pd.concat(tables).groupby(level=["way", "share"], sort=False).mean()
    return [
        [f"{name} {len(X)}x{X.shape[1]}, {way}", *_cells(means.loc[way])]
        for way in means.index.get_level_values("way").unique()
    ]


def _cells(of_way: pd.DataFrame) -> list[str]:
    whole = of_way.loc[1.0, "accuracy"]
    cells = [f"{whole:.4f} ± {of_way.loc[1.0, 'accuracy_sd']:.4f}"]
    for share in SHARES[1:]:
        one = of_way.loc[share]
        cells.append(
            f"{one['accuracy']:.4f} ± {one['accuracy_sd']:.4f} ({one['accuracy'] / whole:.1%})"
        )
    recall = " / ".join(f"{of_way.loc[share, 'recall']:.3f}" for share in SHARES[1:])
    return [*cells, recall, f"{of_way['seconds'].mean():.3g}"]


ROWS = {name: partial(measure, name) for name in VECTORS}


def main() -> None:
    """Run the rows that are asked for, print the table, and write it if told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="of folds (3)")
    parser.add_argument("--write", action="store_true", help="replace the section of RESULTS.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(ROWS))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}. There are {', '.join(ROWS)}.")
    for name, call in ROWS.items():
        if arguments.rows and name not in arguments.rows:
            continue
        say(name)
        run = f"{report.stamp()}, {arguments.seeds} seeds"
        rows = [[*row, run] for row in call(arguments.seeds)]
        print(report.table([*HEADER, "run"], rows), flush=True)
        if arguments.write:
            _write(rows)


def _write(rows: list[list[str]]) -> None:
    """Put rows into the table in RESULTS.md; all others go if versions or processor changed."""
    preface = (
        "## Embeddings\n\n`python benchmarks/embeddings.py [row ...] --write`; what is measured, "
        "and how, stands at the\ntop of that file.\n\n"
        f"{report.machine()}."
    )
    old = report.section("embeddings")
    merged = report.merge(old if preface in old else "", [*HEADER, "run"], rows)
    report.write("embeddings", f"{preface}\n\n{report.table([*HEADER, 'run'], merged)}")


if __name__ == "__main__":
    main()
