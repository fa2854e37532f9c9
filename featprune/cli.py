"""The command line: ``featprune prune`` decides on a table, ``featprune apply`` carries it out."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from featprune.plan import PrunePlan
    from featprune.selectors.base import BaseSelector

EXAMPLES = """\
examples:
  featprune prune churn.csv --target churn -o out
  featprune prune genes.parquet --target tissue --n-features 20 -o out
  featprune prune churn.csv --target churn --keep state --n-features best -o out
  featprune apply out/plan.json new_customers.parquet -o pruned.parquet
"""

PRUNE_EXAMPLES = """\
What is written into DIR:
  plan.json       what is kept, what went and why, the scores, versions; `apply` reads it
  pruned.parquet  the table with the kept columns and the target
  path.csv        every column in the order in which it went, with the score at each size

examples:
  featprune prune churn.csv --target churn -o out
  featprune prune churn.csv --target churn --n-features 0.5 --keep state plan -o out
  featprune prune genes.parquet --target tissue --step 0.05 --jobs 2 -o out
"""

APPLY_EXAMPLES = """\
Only the kept columns are read. The schema is checked first: kept columns must be there and of
the kind that they were.

examples:
  featprune apply out/plan.json new_customers.parquet -o pruned.parquet
  featprune apply out/plan.json new_customers.csv -o pruned.csv
"""

MANY_ROWS = 2000


class InputError(Exception):
    """Something about what the user passed; its text says how to mend it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``featprune``; by default what the shell passed.

    Returns
    -------
    int
        0 if all went well, 1 for a fault of featprune's own, 2 for input that can't be used,
        130 if it was interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    try:
        with _warnings_in_a_line(options.quiet):
            options.run(options)
    except (InputError, ValueError, TypeError, OSError, ImportError) as error:
        if os.environ.get("FEATPRUNE_DEBUG"):
            raise
        sys.stderr.write(f"featprune: error: {_one_line(error)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("featprune: interrupted, nothing was written\n")
        return 130
    except Exception as error:  # the last resort: a user gets a line, a developer the rest
        if os.environ.get("FEATPRUNE_DEBUG"):
            raise
        sys.stderr.write(
            f"featprune: unexpected {type(error).__name__}: {_one_line(error)} "
            "(set FEATPRUNE_DEBUG=1 to see where)\n"
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    from featprune import __version__

    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="featprune",
        description="Drop the columns of a table that a model does not need.",
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"featprune {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    prune = commands.add_parser(
        "prune",
        help="choose the columns of a table",
        description="Choose the columns of a CSV or Parquet table that predict a target column.",
        epilog=PRUNE_EXAMPLES,
        formatter_class=raw,
    )
    prune.set_defaults(run=_prune)
    prune.add_argument("table", metavar="TABLE", help="a .csv or .parquet file")
    prune.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    prune.add_argument("-o", "--output", required=True, metavar="DIR", help="where results go")
    prune.add_argument(
        "--method", choices=["svm-rfe"], default="svm-rfe", help="how columns are ranked"
    )
    prune.add_argument(
        "--n-features",
        default="one_se",
        type=_rule,
        metavar="N",
        help="how many to keep: a number, a share such as 0.5, 'best' (the best score) or "
        "'one_se' (the fewest within one standard error of the best; default)",
    )
    prune.add_argument(
        "--keep", nargs="+", default=[], metavar="COLUMN", help="columns that never go"
    )
    prune.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns to leave out, such as ids",
    )
    prune.add_argument(
        "--estimator",
        choices=["auto", "svc", "linear-svc"],
        default="auto",
        help=f"SVC(kernel='linear') or LinearSVC; auto is svc up to {MANY_ROWS} rows",
    )
    prune.add_argument("-C", type=float, default=1.0, help="regularisation of the SVM (default 1)")
    prune.add_argument(
        "--class-weight",
        choices=["balanced", "none"],
        default="balanced",
        help="whether rare classes weigh as much as frequent ones (default balanced)",
    )
    prune.add_argument(
        "--scoring",
        default="balanced_accuracy",
        help="score of held-out rows, one of scikit-learn's (default balanced_accuracy)",
    )
    prune.add_argument(
        "--cv", type=int, default=5, help="number of folds, 0 for no scores (default 5)"
    )
    prune.add_argument(
        "--step", type=_number, default=1, help="columns to drop at a time: a number or a share"
    )
    prune.add_argument("--jobs", type=int, default=None, help="processes to use (default 1)")
    prune.add_argument("--seed", type=int, default=0, help="seed of what is random (default 0)")
    _add_quiet(prune)
    apply = commands.add_parser(
        "apply",
        help="take the chosen columns out of another table",
        description="Take the columns that a plan keeps out of a CSV or Parquet table.",
        epilog=APPLY_EXAMPLES,
        formatter_class=raw,
    )
    apply.set_defaults(run=_apply)
    apply.add_argument("plan", metavar="PLAN", help="the plan.json that `prune` wrote")
    apply.add_argument("table", metavar="TABLE", help="a .csv or .parquet file")
    apply.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the .parquet or .csv file to write"
    )
    _add_quiet(apply)
    return parser


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")


def _prune(options: argparse.Namespace) -> None:
    from featprune import io
    from featprune.progress import progress_bar

    started = time.monotonic()
    arrow = io.read(options.table)
    names = arrow.column_names
    for option in ("target", "keep", "ignore"):
        _check_columns(options, option, names)
    frame = arrow.to_pandas()
    y = frame[options.target]
    X = frame.drop(columns=[options.target, *options.ignore])
    if y.isna().any():
        raise InputError(
            f"the target {options.target!r} is missing in {int(y.isna().sum())} of {len(y)} rows. "
            "Drop those rows first."
        )
    selector = _selector(options, len(X))
    with progress_bar(show=not options.quiet):
        selector.fit(X, y)
    if options.cv:
        selector.reselect(options.n_features)
    plan = selector.to_plan(source=Path(options.table).name, target=options.target, n_rows=len(X))
    pruned = _pruned(arrow, plan, [options.target])
    out = Path(options.output)
    out.mkdir(parents=True, exist_ok=True)
    from featprune.files import replacing

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


def _apply(options: argparse.Namespace) -> None:
    from featprune import io
    from featprune.files import replacing
    from featprune.plan import PrunePlan

    started = time.monotonic()
    io.check_suffix(options.output)
    plan = PrunePlan.load(options.plan)
    if not Path(options.table).is_file():
        raise InputError(f"there is no file {options.table!r}. Check the path.")
    io.check_suffix(options.table)
    found = io.column_names(options.table)
    plan.check(dict.fromkeys(found, ""), options.table)
    known = {column["name"]: column["kind"] for column in plan.columns}
    table = io.read(options.table, plan.kept_names, known)
    plan.check(io.kinds(table), options.table)
    pruned = _pruned(table, plan, [])
    with replacing(options.output) as beside:
        io.write(pruned, beside)
    if not options.quiet:
        _console().print(
            f"{options.table}: kept {len(plan.kept)} of {len(found)} columns, {len(table)} rows "
            f"-> {options.output} ({time.monotonic() - started:.1f} s)",
            highlight=False,
            soft_wrap=True,
        )


def _selector(options: argparse.Namespace, n_rows: int) -> BaseSelector:
    from sklearn.svm import SVC, LinearSVC

    from featprune import SVMRFE

    weight = None if options.class_weight == "none" else options.class_weight
    small = n_rows <= MANY_ROWS if options.estimator == "auto" else options.estimator == "svc"
    machine: Any = (
        SVC(kernel="linear", C=options.C, class_weight=weight)
        if small
        else LinearSVC(dual=False, C=options.C, class_weight=weight)
    )
    return SVMRFE(
        machine,
        # with folds, every size is scored, whatever the rule
        n_features_to_select="one_se" if options.cv else options.n_features,
        step=options.step,
        always_keep=options.keep or None,
        cv=options.cv or None,
        scoring=options.scoring,
        n_jobs=options.jobs,
        random_state=options.seed,
    )


def _pruned(arrow: Any, plan: PrunePlan, more: list[str]) -> Any:
    """The kept columns, and `more`, in the order of the table, with shortened embeddings."""
    from featprune import io

    wanted = {*plan.kept_names, *more}
    table = arrow.select([name for name in arrow.column_names if name in wanted])
    return io.keep(table, plan.masks)


def _check_columns(options: argparse.Namespace, option: str, names: list[str]) -> None:
    given = getattr(options, option)
    for name in [given] if isinstance(given, str) else given:
        if name not in names:
            from difflib import get_close_matches

            close = get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:8])}"
            raise InputError(f"{options.table} has no column {name!r} (--{option}); {hint}")


def _report(selector: BaseSelector, plan: PrunePlan, out: Path, seconds: float) -> None:
    """Say what was kept and what it costs, in a few lines."""
    from rich.table import Table

    console = _console()
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
    console.print(
        f"written to {out}{os.sep}: plan.json, pruned.parquet, path.csv ({seconds:.1f} s)",
        highlight=False,
        soft_wrap=True,
    )


def _names(names: list[str], most: int = 12) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


def _console() -> Console:
    from rich.console import Console

    return Console()


@contextmanager
def _warnings_in_a_line(quiet: bool) -> Iterator[None]:
    """Show each warning once, as one line without a place in the code."""
    shown = set()

    def show(message: Any, *_: Any, **__: Any) -> None:
        line = _one_line(message)
        if not quiet and line not in shown:
            shown.add(line)
            sys.stderr.write(f"featprune: warning: {line}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _rule(text: str) -> int | float | str:
    if text in ("best", "one_se"):
        return text
    return _number(text)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
