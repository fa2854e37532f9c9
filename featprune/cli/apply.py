"""``featprune apply``: take the chosen columns out of another table."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from featprune.cli import output


def run(options: argparse.Namespace) -> None:
    """Check the schema, read the kept columns alone, and write them."""
    from featprune import io
    from featprune.files import replacing
    from featprune.plan import PrunePlan

    started = time.monotonic()
    io.check_suffix(options.output)
    plan = PrunePlan.load(options.plan)
    if not Path(options.table).is_file():
        raise ValueError(f"there is no file {options.table!r}. Check the path.")
    io.check_suffix(options.table)
    found = io.column_names(options.table)
    plan.check(dict.fromkeys(found, ""), options.table)
    known = {column["name"]: column["kind"] for column in plan.columns}
    table = io.read(options.table, plan.kept_names, known)
    plan.check(io.kinds(table), options.table)
    pruned = io.prune(table, plan.kept_names, plan.masks)
    with replacing(options.output) as beside:
        io.write(pruned, beside)
    if not options.quiet:
        output.console().print(
            f"{options.table}: kept {len(plan.kept)} of {len(found)} columns, {len(table)} rows "
            f"-> {options.output} ({time.monotonic() - started:.1f} s)",
            highlight=False,
            soft_wrap=True,
        )
