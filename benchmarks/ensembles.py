"""What combining rankings is worth: stability, accuracy and cost against the members alone.

    python benchmarks/ensembles.py [row ...] [--write]

Without names, all rows. The tables go to standard output; --write puts them into their section
of benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/. Seconds are CPU seconds of one thread.

How it is measured:

- Quality: 50 columns are selected on the training rows of each of ten folds (twice five,
  stratified, the same for all), on columns scaled by all rows. The accuracy is the mean over the
  folds of LogisticRegression on the standardised columns kept, on the fold's held-out rows, with
  its standard error. The stability is Nogueira's, of the ten selections, with its 95 % interval,
  which takes them to be independent; folds share rows, so that all values are higher than for new
  rows, for all selectors alike.
- Boosted trees have splits on fewer than 50 columns of so few rows. The others of the 50 are those
  furthest left, in every fold, which the stability of "trees" counts as agreement; how many they
  are, on average, stands behind the name. An ensemble takes them to be equal.
- Members are those that RankEnsemble has by default. "svm, 10 bootstraps" is an ensemble of one.
- Cost: the members one after the other, each with n_features_to_select as the ensemble has it,
  and the ensemble; in turn, the median of three. With "one_se" members and ensemble find scores
  by five folds each. Encodings are those of tables that are not left as they are.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import statistics
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import inputs
import numpy as np
import report
from clock import cpu_seconds, in_turn, say
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from featprune import SVMRFE, PCASelector, TreeSelector
from featprune.importance.stability import stability
from featprune.selectors.rank_ensemble import RankEnsemble
from featprune.table.encode import TableEncoder

QUALITY = ("genes and selector", "accuracy with 50", "stability (95 %)", "CPU s a selection")
COST = ("table", "n_features_to_select", "members s", "ensemble s", "ratio", "encodings", "aim")
N_KEPT = 50
N_BOOTSTRAPS = 10


def members(**parameters: Any) -> list[tuple[str, Any]]:
    """The default members, each as it would be used alone."""
    return [
        ("svm", SVMRFE(**parameters)),
        ("trees", TreeSelector(random_state=0, **parameters)),
        ("pca", PCASelector(**parameters)),
    ]


_ALONE = members(n_features_to_select=N_KEPT)
_ENSEMBLE = partial(RankEnsemble, n_features_to_select=N_KEPT, random_state=0)
_SEEING = [("svm", SVMRFE()), ("trees", TreeSelector())]
VARIANTS: dict[str, Any] = {
    **dict(_ALONE),
    "svm, 10 bootstraps": _ENSEMBLE([("svm", SVMRFE())], n_bootstraps=N_BOOTSTRAPS),
    "ensemble": _ENSEMBLE(),
    "ensemble, 10 bootstraps": _ENSEMBLE(n_bootstraps=N_BOOTSTRAPS),
    "ensemble, rra": _ENSEMBLE(aggregate="rra"),
    "ensemble, rra, 10 bootstraps": _ENSEMBLE(aggregate="rra", n_bootstraps=N_BOOTSTRAPS),
    "svm and trees, 10 bootstraps": _ENSEMBLE(_SEEING, n_bootstraps=N_BOOTSTRAPS),
}


def quality(name: str) -> list[list[str]]:
    """Accuracy and stability of each variant on one set of genes."""
    X, y = inputs.real(f"genes/{name}")
    folds = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0).split(X, y))
    rows = []
    for variant, selector in VARIANTS.items():
        selections, scores, spent, idle = [], [], [], []
        for train, test in folds:
            seconds, _ = cpu_seconds(partial(selector.fit, X[train], y[train]))
            kept = selector.support_
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            model.fit(X[train][:, kept], y[train])
            scores.append(model.score(X[test][:, kept], y[test]))
            selections.append(kept.copy())
            idle.append((selector.importances_[kept] == 0).sum())
            spent.append(seconds)
        found = stability(np.array(selections))
        error = np.std(scores, ddof=1) / np.sqrt(len(scores))
        padded = f" ({np.mean(idle):.0f} unused)" if np.any(idle) else ""
        rows.append(
            [
                f"{name} {X.shape[0]}x{X.shape[1]}, {variant}{padded}",
                f"{np.mean(scores):.3f} ± {error:.3f}",
                f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})",
                f"{statistics.median(spent):.3g}",
            ]
        )
        say(f"    {rows[-1]}")
    return rows


def cost(name: str, rule: int | str, load: Callable[[], tuple[Any, Any]]) -> list[list[str]]:
    """CPU seconds of the ensemble, and of its members one after the other."""
    X, y = load()

    def alone() -> None:
        for _, member in members(n_features_to_select=rule):
            member.fit(X, y)

    def together() -> None:
        RankEnsemble(n_features_to_select=rule, random_state=0).fit(X, y)

    rivals = {"members": alone, "ensemble": together}
    encodings = {who: _encodings(call) for who, call in rivals.items()}  # which compiles, too
    seconds, _ = in_turn(rivals)
    spent = {who: statistics.median(runs) for who, runs in seconds.items()}
    return [
        [
            f"{name} {X.shape[0]}x{X.shape[1]}, {rule}",
            repr(rule),
            *(f"{spent[who]:.3g} ({len(seconds[who])})" for who in rivals),
            f"**{spent['ensemble'] / spent['members']:.2f}**",
            f"members {encodings['members']}, ensemble {encodings['ensemble']}",
            "at most 1",
        ]
    ]


def _encodings(call: Callable[[], None]) -> int:
    """How often a call learns an encoding of other columns than numbers."""
    count = 0
    learn = TableEncoder.fit_transform

    def counting(encoder: TableEncoder, table: Any, *others: Any) -> Any:
        nonlocal count
        count += set(table.kinds) != {"number"}
        return learn(encoder, table, *others)

    with mock.patch.object(TableEncoder, "fit_transform", counting):
        call()
    return count


_GENES = ("dm_alon", "dm_golub", "Prostate_GE", "GLIOMA")
_CREDIT = partial(inputs.frame, "german_credit", "bad")
TABLES: list[tuple[str, tuple[str, ...], dict[str, Callable[[], list[list[str]]]]]] = [
    ("Quality", QUALITY, {name: partial(quality, name) for name in _GENES}),
    (
        "Cost",
        COST,
        {
            f"cost_{name}_{rule}": partial(cost, name, rule, partial(inputs.real, f"genes/{name}"))
            for name in ("dm_alon", "dm_golub")
            for rule in (N_KEPT, "one_se")
        }
        | {f"cost_credit_{rule}": partial(cost, "german_credit", rule, _CREDIT) for rule in (10,)},
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
    # that no size is surely better than guessing is no news here
    warnings.filterwarnings("ignore", ".*found no size", UserWarning)
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
        "## Rankings combined\n\n`python benchmarks/ensembles.py [row ...] --write`; what is "
        "measured, and how, stands at the top of that file.\nCPU seconds of one thread, and "
        "in brackets how many runs.\n\n"
        f"{report.machine()}."
    )
    old = report.section("ensembles")
    old = old if preface in old else ""
    parts = [preface]
    for title, header, _ in TABLES:
        merged = report.merge(old, [*header, "run"], rows if title == changed else [])
        if merged:
            parts.append(f"### {title}\n\n{report.table([*header, 'run'], merged)}")
    report.write("ensembles", "\n\n".join(parts))


if __name__ == "__main__":
    main()
