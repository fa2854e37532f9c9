"""Tree selectors against what scikit-learn, shap and BorutaPy do, and what they select is worth.

    python benchmarks/trees.py [row ...] [--write]

Without names, all rows. The tables go to standard output; --write puts them into their section
of benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the
folder that holds data/. Seconds are CPU seconds of one thread.

How it is measured:

- Peer and ours alternate, the median of three runs counts; of a peer (or ours) that takes over a
  minute, one run. Kernels are compiled beforehand.
- There is a ratio only if what the cell before it says was checked holds: the same values, or the
  planted columns found by both, or a score that is as good.
- Losses by permutation are compared for the permutations that scikit-learn draws, for which ours
  is run once more; the timed runs draw their own.
- Quality on Madelon: columns are selected on 2000 rows; RandomForestClassifier(500), fitted on
  those rows and columns, is scored on the other 600 rows by sqrt(AUROC * AUPR). The seeds are
  those of the forest and of permutations; a booster leaves nothing to chance.
- Real tables: half of the rows to select on, a quarter to fit on besides those, and a quarter to
  score: an XGBoost of all columns and one of those kept, both fitted on the first three quarters
  and scored on the last, which no selection saw.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import inputs
import numpy as np
import report
from clock import cpu_seconds, in_turn, say
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFECV
from sklearn.inspection import permutation_importance
from sklearn.metrics import average_precision_score, check_scoring, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from xgboost import XGBClassifier, XGBRegressor

from featprune import ShadowSelector, TreeSelector
from featprune.importance.trees.family import family_of
from featprune.importance.trees.measure import of_contributions
from featprune.importance.trees.model import Fitted, Rows, Trees, as_taken
from featprune.importance.trees.permutation import losses, of_permutations

RACES = ("work", "peer s", "ours s", "ratio", "checked", "at least / aim")
QUALITY = ("columns of Madelon", "columns kept", "score: mean ± sd of 5 seeds", "CPU s each")
REAL = ("table", "importance", "kept of all", "metric", "all columns", "kept columns", "CPU s")
# rows of a table that takes too long as a whole
MOST_ROWS = 100_000
N_SEEDS = 5


def race(
    work: str, goal: str, rivals: dict[str, Callable[[], Any]], check: Callable[..., tuple]
) -> list[list[str]]:
    """Run "peer" and "ours" in turn; `check` takes both results, says if they are alike and how."""
    seconds, results = in_turn(rivals)
    is_alike, how = check(results["peer"], results["ours"])
    peer, ours = (statistics.median(seconds[name]) for name in ("peer", "ours"))
    ratio = f"**{peer / ours:.1f}x**" if is_alike else "none"
    spent = [
        f"{median:.3g} ({len(seconds[name])})" for name, median in (("peer", peer), ("ours", ours))
    ]
    return [[work, *spent, ratio, how, goal]]


def importance(n: int = 100_000, p: int = 200) -> list[list[str]]:
    """The importance of all columns, once."""
    X, y = inputs.drawn(n, p)
    planted = inputs.planted(n, p)

    def check(peer: np.ndarray, ours: np.ndarray) -> tuple[bool, str]:
        found = [
            len(np.intersect1d(np.argsort(-values)[: len(planted)], planted))
            for values in (peer, ours)
        ]
        text = f"planted columns among the first {len(planted)}: peer {found[0]}, ours {found[1]}"
        return found[1] >= found[0], text

    return race(
        f"importance, RandomForest(100) against TreeSelector(), drawn {n}x{p}",
        "10x / 20x",
        {
            "peer": lambda: (
                RandomForestClassifier(n_jobs=1, random_state=0).fit(X, y).feature_importances_
            ),
            "ours": lambda: (
                TreeSelector(n_features_to_select=len(planted), cv=None, random_state=0)
                .fit(X, y)
                .importances_
            ),
        },
        check,
    )


def permutation(estimator: Any, n: int = 20_000, p: int = 200) -> list[list[str]]:
    """Losses by permutation of one fitted model."""
    X, y = inputs.drawn(n, p)
    fitted, rows = _fitted(estimator, X, y)
    unit, scorer = np.arange(p), check_scoring(estimator)
    some = rows.take(np.arange(50))
    of_permutations(fitted, some, unit, scorer, n_repeats=1, seed=0)

    def check(peer: Any, ours: np.ndarray) -> tuple[bool, str]:
        again = losses(fitted, rows, unit, scorer, partial(_as_sklearn_draws, n))
        apart = float(np.abs(again - peer.importances_mean).max())
        return apart < 1e-9, f"losses {apart:.0e} apart"

    name = type(estimator).__name__
    return race(
        f"permutation importance, 5 repeats, {name}, drawn {n}x{p}",
        "3x / 10x",
        {
            "peer": lambda: permutation_importance(
                fitted.model, rows.X, y, n_repeats=5, n_jobs=1, random_state=0
            ),
            "ours": lambda: of_permutations(fitted, rows, unit, scorer, n_repeats=5, seed=0),
        },
        check,
    )


def _as_sklearn_draws(n: int, _one: int) -> np.ndarray:
    """The permutations of a column by permutation_importance: each one of what the last made."""
    seed = check_random_state(0).randint(np.iinfo(np.int32).max + 1)
    rng, places, mixing, mixings = check_random_state(seed), np.arange(n), np.arange(n), []
    for _ in range(5):
        rng.shuffle(places)
        mixing = mixing[places]
        mixings.append(mixing)
    return np.stack(mixings)


def _fitted(estimator: Any, X: np.ndarray, y: np.ndarray) -> tuple[Fitted, Rows]:
    family = family_of(estimator, "TreeSelector")
    rows = Rows(as_taken(X, family), y, None)
    p = X.shape[1]
    return Trees(estimator, family, np.zeros(p, dtype=int), 0).fit(rows, np.arange(p)), rows


def recursive(
    kind: str, peer: XGBClassifier, ours: XGBClassifier | None, n: int = 20_000, p: int = 200
) -> list[list[str]]:
    """Recursive elimination with cross-validation, the same sizes and folds."""
    X, y = inputs.drawn(n, p)
    folds = list(StratifiedKFold(5).split(X, y))

    def check(peer: RFECV, ours: TreeSelector) -> tuple[bool, str]:
        best = [float(np.max(each.cv_results_["mean_test_score"])) for each in (peer, ours)]
        text = (
            f"best score: peer {best[0]:.4f} with {peer.n_features_}, ours {best[1]:.4f} with "
            f"{ours.n_features_}"
        )
        sizes = [set(each.cv_results_["n_features"]) for each in (peer, ours)]
        return best[1] > best[0] - 0.002 and sizes[0] == sizes[1], text

    return race(
        f"RFECV({_short(peer)}) by steps of 20, 5 folds, against "
        f"TreeSelector({'' if ours is None else _short(ours)}), {kind!r}, drawn {n}x{p}",
        "3x / 10x",
        {
            "peer": lambda: RFECV(peer, step=20, min_features_to_select=20, cv=folds).fit(X, y),
            "ours": lambda: TreeSelector(
                ours,
                importance=kind,
                recursive=True,
                step=20,
                min_features_to_select=20,
                n_features_to_select="best",
                cv=folds,
                random_state=0,
            ).fit(X, y),
        },
        check,
    )


def _short(booster: XGBClassifier) -> str:
    """The booster as its user would write it, less its number of threads."""
    names = ("max_bin", "early_stopping_rounds")
    told = [f"{name}={getattr(booster, name)}" for name in names if getattr(booster, name)]
    return f"XGBClassifier({', '.join(told)})"


def contributions(n: int = 20_000, p: int = 200) -> list[list[str]]:
    """Mean sizes of SHAP values of one booster."""
    import shap

    X, y = inputs.drawn(n, p)
    fitted, rows = _fitted(XGBClassifier(n_jobs=1), X, y)

    def peer() -> np.ndarray:
        explainer = shap.TreeExplainer(fitted.model.get_booster())
        return np.abs(explainer.shap_values(rows.X)).mean(axis=0)

    def check(peer: np.ndarray, ours: np.ndarray) -> tuple[bool, str]:
        apart = float(np.abs(peer - ours).max() / np.abs(peer).max())
        return apart < 1e-4, f"values {apart:.0e} of the largest apart"

    return race(
        f"SHAP importance, shap.TreeExplainer, drawn {n}x{p}",
        "1x / 2x",
        {"peer": peer, "ours": lambda: of_contributions(fitted, rows.X, None)},
        check,
    )


def shadow() -> list[list[str]]:
    """Boruta's test, each at its own best: the forest that BorutaPy asks for, and our default."""
    from boruta import BorutaPy

    X, y = inputs.madelon()
    forest = RandomForestClassifier(max_depth=5, n_jobs=1)

    def ours() -> np.ndarray:
        selector = ShadowSelector(random_state=0)
        return np.flatnonzero(selector.fit(X, y).confirmed_)

    def peer() -> np.ndarray:
        selector = BorutaPy(clone(forest), n_estimators="auto", random_state=0)
        return np.flatnonzero(selector.fit(X, y).support_)

    def check(peer: np.ndarray, ours: np.ndarray) -> tuple[bool, str]:
        both = len(np.intersect1d(peer, ours))
        # so many change when BorutaPy is given another seed
        alike = len(peer) + len(ours) - 2 * both <= 2
        return alike, f"confirmed: peer {len(peer)}, ours {len(ours)}, both {both}"

    work = "shadow test, BorutaPy against ShadowSelector, madelon 2000x500"
    return race(work, "5x / 10x", {"peer": peer, "ours": ours}, check)


_TWENTY = partial(TreeSelector, n_features_to_select=20, cv=None)
VARIANTS: dict[str, Callable[..., Any]] = {
    "total_gain": partial(_TWENTY, importance="total_gain"),
    "shap": partial(_TWENTY, importance="shap"),
    "permutation": partial(_TWENTY, importance="permutation"),
    "total_gain, recursive": partial(_TWENTY, importance="total_gain", recursive=True),
    "shap, recursive": partial(_TWENTY, importance="shap", recursive=True),
    "permutation, recursive": partial(_TWENTY, importance="permutation", recursive=True),
    "forest, impurity": partial(_TWENTY, RandomForestClassifier(500), importance="impurity"),
    # which says itself how many
    "shadow": ShadowSelector,
}


def quality(name: str) -> list[list[str]]:
    """The score of a forest on 20 columns of Madelon, selected in one way with five seeds."""
    X, y, others, labels = inputs.madelon_parts()
    scores, spent, kept = [], [], 0
    for seed in range(N_SEEDS):
        if name in VARIANTS:
            selector = VARIANTS[name](random_state=seed)
            seconds, _ = cpu_seconds(partial(selector.fit, X, y))
            columns = np.flatnonzero(selector.support_)
        else:
            drawn = np.random.default_rng(seed).choice(X.shape[1], 20, replace=False)
            columns, seconds = (drawn if name == "random" else np.arange(X.shape[1])), 0.0
        forest = RandomForestClassifier(n_estimators=500, n_jobs=1, random_state=seed)
        chance = forest.fit(X[:, columns], y).predict_proba(others[:, columns])[:, 1]
        positive = labels == forest.classes_[1]
        area = roc_auc_score(positive, chance) * average_precision_score(positive, chance)
        scores.append(area**0.5)
        spent.append(seconds)
        kept = len(columns)
        say(f"    seed {seed}: {scores[-1]:.4f}")
    mean, spread = np.mean(scores), np.std(scores, ddof=1)
    seconds = f"{np.median(spent):.3g}" if name in VARIANTS else "-"
    return [[name, str(kept), f"{mean:.4f} ± {spread:.4f}", seconds]]


def table(name: str, target: str, is_numbers: bool, kind: str) -> list[list[str]]:
    """Columns kept of a real table, and the score with all and with those."""
    X, y = inputs.frame(name, target, MOST_ROWS if name.startswith("kddcup") else None)
    if is_numbers:
        y, metric, model = np.log(y.to_numpy(float)), "R2 of log", XGBRegressor
    else:
        # classes too rare to be in all parts are one
        rare = y.astype(str).map(y.astype(str).value_counts()) < 40
        y = LabelEncoder().fit_transform(y.astype(str).where(~rare, "rare"))
        metric = "AUC" if y.max() == 1 else "accuracy"
        model = XGBClassifier
    split = partial(train_test_split, random_state=0)
    fit, test = split(np.arange(len(y)), test_size=0.25, stratify=None if is_numbers else y)
    select = split(fit, test_size=1 / 3, stratify=None if is_numbers else y[fit])[0]
    estimator = model(n_jobs=1, enable_categorical=True, random_state=0)
    selector = TreeSelector(importance=kind, recursive=True, random_state=0)
    seconds, _ = cpu_seconds(lambda: selector.fit(X.iloc[select], y[select]))
    scorer = check_scoring(estimator, scoring="roc_auc" if metric == "AUC" else None)
    scores = []
    for columns in (X.columns, selector.get_feature_names_out()):
        some = X[list(columns)]
        fitted = clone(estimator).fit(some.iloc[fit], y[fit])
        scores.append(f"{scorer(fitted, some.iloc[test], y[test]):.4f}")
    shape = f"{name}, {len(X)} rows"
    kept = f"{selector.n_features_} of {X.shape[1]}"
    return [[f"{shape}, {kind}", kind, kept, metric, *scores, f"{seconds:.3g}"]]


BOOSTER = XGBClassifier(n_jobs=1)
COARSE = XGBClassifier(n_jobs=1, max_bin=64)
STOPPING = XGBClassifier(n_jobs=1, max_bin=64, early_stopping_rounds=5)
FOREST = RandomForestClassifier(n_jobs=1, random_state=0)
TABLES: list[tuple[str, tuple[str, ...], dict[str, Callable[[], list[list[str]]]]]] = [
    (
        "Races",
        RACES,
        {
            "importance": importance,
            "permutation_xgboost": partial(permutation, BOOSTER),
            "permutation_forest": partial(permutation, FOREST),
            "recursive": partial(recursive, "total_gain", BOOSTER, None),
            "recursive_stopping": partial(recursive, "total_gain", BOOSTER, STOPPING),
            "recursive_alike": partial(recursive, "total_gain", COARSE, COARSE),
            "recursive_shap": partial(recursive, "shap", BOOSTER, None),
            "shap": contributions,
            "shadow": shadow,
        },
    ),
    (
        "Quality",
        QUALITY,
        {
            f"madelon_{name.replace(', ', '_')}": partial(quality, name)
            for name in ("random", "all", *VARIANTS)
        },
    ),
    (
        "Real tables",
        REAL,
        {
            "adult": partial(table, "adult", "income", False, "shap"),
            "credit": partial(table, "credit_data", "Status", False, "shap"),
            "ames": partial(table, "ames", "price", True, "shap"),
            "kddcup": partial(table, "kddcup99_10pct", "label", False, "total_gain"),
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
        "## Selection by trees\n\n`python benchmarks/trees.py [row ...] --write`; what is "
        "measured, and how, stands at the top of that file.\nCPU seconds of one thread, and "
        "in brackets how many runs.\n\n"
        f"{report.machine()}."
    )
    old = report.section("trees")
    old = old if preface in old else ""
    parts = [preface]
    for title, header, _ in TABLES:
        merged = report.merge(old, [*header, "run"], rows if title == changed else [])
        if merged:
            parts.append(f"### {title}\n\n{report.table([*header, 'run'], merged)}")
    report.write("trees", "\n\n".join(parts))


if __name__ == "__main__":
    main()
