"""What can be said on the command line."""

from __future__ import annotations

import argparse

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
  featprune prune houses.csv --target price --method trees -o out
  featprune prune houses.csv --target price --method shadow -o out
  featprune prune sensors.parquet --method pca --reconstruction 0.99 -o out
  featprune prune houses.csv --method redundancy --threshold 0.9 -o out
"""

APPLY_EXAMPLES = """\
Only the kept columns are read. The schema is checked first: kept columns must be there and of
the kind that they were.

examples:
  featprune apply out/plan.json new_customers.parquet -o pruned.parquet
  featprune apply out/plan.json new_customers.csv -o pruned.csv
"""

MANY_ROWS = 2000


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `command` is the one that was given."""
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
        description="Choose the columns of a CSV or Parquet table that predict a target column, "
        "or that stand for all others.",
        epilog=PRUNE_EXAMPLES,
        formatter_class=raw,
    )
    prune.set_defaults(command="prune")
    prune.add_argument("table", metavar="TABLE", help="a .csv or .parquet file")
    prune.add_argument(
        "--target",
        metavar="COLUMN",
        help="the column to predict; pca and redundancy don't look at it, and need none",
    )
    prune.add_argument("-o", "--output", required=True, metavar="DIR", help="where results go")
    prune.add_argument(
        "--method",
        choices=["svm-rfe", "trees", "shadow", "mrmr", "pca", "redundancy"],
        default="svm-rfe",
        help="how columns are ranked: by a linear SVM, for classes (default); by boosted trees, "
        "for classes or numbers; by the shadow test (Boruta), which says how many to keep; by "
        "relevance and redundancy (mRMR); by what they explain of all columns (pca); or without "
        "those that say what another one says (redundancy)",
    )
    prune.add_argument(
        "--n-features",
        default=None,
        type=_rule,
        metavar="N",
        help="how many to keep: a number, a share such as 0.5, or, of svm-rfe and trees, 'best' "
        "(the best score) or 'one_se' (the fewest within one standard error of the best; their "
        "default). mrmr keeps 10 unless told; shadow, pca and redundancy say themselves",
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
        help=f"of svm-rfe: SVC(kernel='linear') or LinearSVC; auto is svc up to {MANY_ROWS} rows",
    )
    prune.add_argument("-C", type=float, default=1.0, help="regularisation of the SVM (default 1)")
    prune.add_argument(
        "--importance",
        default="auto",
        help="of trees: shap (default), permutation, total_gain, gain, weight, cover or null",
    )
    prune.add_argument(
        "--recursive",
        action="store_true",
        help="of trees: take importances anew at each size, as svm-rfe always does",
    )
    prune.add_argument(
        "--reconstruction",
        type=float,
        default=0.95,
        metavar="SHARE",
        help="of pca: the share of the variance that the kept columns explain (default 0.95)",
    )
    prune.add_argument(
        "--threshold",
        type=float,
        default=0.95,
        metavar="R",
        help="of redundancy: of two columns with a higher correlation one goes (default 0.95)",
    )
    prune.add_argument(
        "--class-weight",
        choices=["balanced", "none"],
        default="balanced",
        help="whether rare classes weigh as much as frequent ones (default balanced)",
    )
    prune.add_argument(
        "--scoring",
        default=None,
        help="score of held-out rows, one of scikit-learn's (default balanced_accuracy, r2 for "
        "numbers)",
    )
    prune.add_argument(
        "--cv", type=int, default=5, help="number of folds, 0 for no scores (default 5)"
    )
    prune.add_argument(
        "--step",
        type=_number,
        default=None,
        help="columns to drop at a time: a number or a share (default 1; of trees a fifth of "
        "those that are left)",
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
    apply.set_defaults(command="apply")
    apply.add_argument("plan", metavar="PLAN", help="the plan.json that `prune` wrote")
    apply.add_argument("table", metavar="TABLE", help="a .csv or .parquet file")
    apply.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the .parquet or .csv file to write"
    )
    _add_quiet(apply)
    return parser


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")


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
