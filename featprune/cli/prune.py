"""``featprune prune``: choose the columns of a table and write down what was chosen."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featprune.cli import output
from featprune.cli.arguments import MANY_ROWS

if TYPE_CHECKING:
    from featprune.plan import PrunePlan
    from featprune.selectors.base import BaseSelector


def run(options: argparse.Namespace) -> None:
    """Fit, and write plan, table and path: all of them or none."""
    from sklearn.utils.class_weight import compute_sample_weight

    from featprune import io
    from featprune.files import replacing
    from featprune.progress import progress_bar
    from featprune.selectors.target import is_regression

    started = time.monotonic()
    arrow = io.read(options.table)
    names = arrow.column_names
    for option in ("target", "keep", "ignore"):
        _check_columns(options, option, names)
    frame = arrow.to_pandas()
    y = _target(options, frame)
    target = [] if options.target is None else [options.target]
    X = frame.drop(columns=[*target, *options.ignore])
    selector = SELECTORS[options.method](options, y)
    weight = None
    if options.method == "trees" and options.class_weight == "balanced" and not is_regression(y):
        weight = compute_sample_weight("balanced", y)
    with progress_bar(show=not options.quiet):
        selector.fit(X, y, sample_weight=weight)
    if options.n_features is not None and (options.cv or options.method not in _SCORED):
        selector.reselect(options.n_features)
    plan = selector.to_plan(source=Path(options.table).name, target=options.target, n_rows=len(X))
    pruned = io.prune(arrow, [*plan.kept_names, *target], plan.masks)
    out = Path(options.output)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:  # renamed together, when all are whole
        beside = {
            name: files.enter_context(replacing(out / name))
            for name in ("path.csv", "pruned.parquet", "plan.json")
        }
        selector.path_.to_frame().to_csv(beside["path.csv"], index=False)
        io.write(pruned, beside["pruned.parquet"])
        plan.save(beside["plan.json"])
    if not options.quiet:
        _report(selector, plan, out, time.monotonic() - started)


def _target(options: argparse.Namespace, frame: Any) -> Any:
    """Return the column to predict, None if none is named, or raise if there must be one."""
    if options.target is None:
        if options.method in _WITHOUT_TARGET:
            return None
        raise ValueError(
            f"--method {options.method} needs a column to predict. Name it by --target, or choose "
            f"--method {' or '.join(_WITHOUT_TARGET)}, which need none."
        )
    y = frame[options.target]
    if y.isna().any():
        raise ValueError(
            f"the target {options.target!r} is missing in {int(y.isna().sum())} of {len(y)} rows. "
            "Drop those rows first."
        )
    return y


def _svm_rfe(options: argparse.Namespace, y: Any) -> BaseSelector:
    from sklearn.svm import SVC, LinearSVC

    from featprune import SVMRFE

    n_rows = len(y)
    weight = None if options.class_weight == "none" else options.class_weight
    small = n_rows <= MANY_ROWS if options.estimator == "auto" else options.estimator == "svc"
    machine: Any = (
        SVC(kernel="linear", C=options.C, class_weight=weight)
        if small
        else LinearSVC(dual=False, C=options.C, class_weight=weight)
    )
    step = 1 if options.step is None else options.step
    return SVMRFE(machine, step=step, **_shared(options, "balanced_accuracy"))


def _trees(options: argparse.Namespace, y: Any) -> BaseSelector:
    from featprune import TreeSelector
    from featprune.selectors.target import is_regression

    return TreeSelector(
        importance=options.importance,
        recursive=options.recursive,
        step="auto" if options.step is None else options.step,
        **_shared(options, "r2" if is_regression(y) else "balanced_accuracy"),
    )


def _shadow(options: argparse.Namespace, y: Any) -> BaseSelector:
    from featprune import ShadowSelector

    return ShadowSelector(
        always_keep=options.keep or None, n_jobs=options.jobs, random_state=options.seed
    )


def _mrmr(options: argparse.Namespace, y: Any) -> BaseSelector:
    from featprune import MRMRSelector

    return MRMRSelector(
        10 if options.n_features is None else options.n_features,
        always_keep=options.keep or None,
        n_jobs=options.jobs,
        random_state=options.seed,
    )


def _pca(options: argparse.Namespace, y: Any) -> BaseSelector:
    from featprune import PCASelector

    return PCASelector(
        reconstruction=options.reconstruction,
        always_keep=options.keep or None,
        random_state=options.seed,
    )


def _redundancy(options: argparse.Namespace, y: Any) -> BaseSelector:
    from featprune import RedundancySelector

    return RedundancySelector(options.threshold, always_keep=options.keep or None)


_SCORED = ("svm-rfe", "trees")
_WITHOUT_TARGET = ("pca", "redundancy")
SELECTORS: dict[str, Callable[[argparse.Namespace, Any], BaseSelector]] = {
    "svm-rfe": _svm_rfe,
    "trees": _trees,
    "shadow": _shadow,
    "mrmr": _mrmr,
    "pca": _pca,
    "redundancy": _redundancy,
}


def _shared(options: argparse.Namespace, scoring: str) -> dict[str, Any]:
    """Parameters that every selector with a path has."""
    return dict(
        # with folds, every size is scored, whatever the rule
        n_features_to_select="one_se" if options.cv else options.n_features or "one_se",
        always_keep=options.keep or None,
        cv=options.cv or None,
        scoring=options.scoring or scoring,
        n_jobs=options.jobs,
        random_state=options.seed,
    )


def _check_columns(options: argparse.Namespace, option: str, names: list[str]) -> None:
    given = getattr(options, option) or []
    for name in [given] if isinstance(given, str) else given:
        if name not in names:
            from difflib import get_close_matches

            close = get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:8])}"
            raise ValueError(f"{options.table} has no column {name!r} (--{option}); {hint}")


def _report(selector: BaseSelector, plan: PrunePlan, out: Path, seconds: float) -> None:
    """Say what was kept and what it costs, in a few lines."""
    from rich.table import Table

    console = output.console()
    path = selector.path_
    strongest_first = path.to_frame()["name"].tolist()[::-1]
    n_kept = selector.size_
    console.print(
        f"[bold]{plan.details['source']}[/bold]: kept {len(plan.kept)} of "
        f"{len(plan.columns)} columns"
    )
    console.print(f"  kept, strongest first: {_names(strongest_first[:n_kept])}", highlight=False)
    console.print(
        f"  dropped, last gone first: {_names(strongest_first[n_kept:])}", highlight=False
    )
    if plan.scores:
        best = int(path.mean_scores.argmax())
        table = Table(box=None, pad_edge=True)
        table.add_column("columns", justify="right")
        table.add_column(f"{plan.scores['scoring']} (each fold selects for itself)")
        rows = {"all": 0, "best": best}
        if n_kept in path.sizes:
            rows["kept"] = path.sizes.tolist().index(n_kept)
        for what, i in rows.items():
            score, error = path.mean_scores[i], path.score_errors[i]
            table.add_row(f"{what} {path.sizes[i]}", f"{score:.3f} ± {error:.3f}")
        table.add_row("none 0", f"{path.mean_baseline:.3f}, by guessing")
        console.print(table)
    for name, others in getattr(selector, "clusters_", {}).items():
        console.print(f"  {name} stands for {_names(others)}", highlight=False)
    if path.explained is not None:
        share = path.explained[path.sizes.tolist().index(n_kept)]
        console.print(f"  they explain {share:.1%} of the variance of all columns")
    console.print(
        f"written to {out}{os.sep}: plan.json, pruned.parquet, path.csv ({seconds:.1f} s)",
        highlight=False,
        soft_wrap=True,
    )


def _names(names: list[str], most: int = 12) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"
