"""The command line: ``featprune prune`` decides on a table, ``featprune apply`` carries it out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from featprune.cli import output
from featprune.cli.arguments import make_parser


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
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        return 2
    try:
        with output.warnings_in_a_line(options.quiet):
            import_module(f"featprune.cli.{options.command}").run(options)
    except (ValueError, TypeError, OSError, ImportError) as error:
        if os.environ.get("FEATPRUNE_DEBUG"):
            raise
        sys.stderr.write(f"featprune: error: {output.one_line(error)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("featprune: interrupted, nothing was written\n")
        return 130
    except Exception as error:  # the last resort: a user gets a line, a developer the rest
        if os.environ.get("FEATPRUNE_DEBUG"):
            raise
        sys.stderr.write(
            f"featprune: unexpected {type(error).__name__}: {output.one_line(error)} "
            "(set FEATPRUNE_DEBUG=1 to see where)\n"
        )
        return 1
    return 0
