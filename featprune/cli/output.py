"""How the command line speaks: tables on standard output, a line each for what is wrong."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Return the console of standard output."""
    from rich.console import Console

    return Console()


@contextmanager
def warnings_in_a_line(quiet: bool) -> Iterator[None]:
    """Show each warning once, as one line without a place in the code."""
    shown = set()

    def show(message: Any, *_: Any, **__: Any) -> None:
        line = one_line(message)
        if not quiet and line not in shown:
            shown.add(line)
            sys.stderr.write(f"featprune: warning: {line}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def one_line(message: object) -> str:
    """Return the message without line breaks."""
    return " ".join(str(message).split())
