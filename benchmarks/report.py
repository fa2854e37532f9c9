"""Tables in Markdown, and a section of RESULTS.md that a command replaces when it runs again."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("featprune", "scikit-learn", "numpy", "scipy", "numba")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def merge(old: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the rows of a table in `old` with those of `rows` in place of the ones so called.

    A row is called by its first cell. New ones come last.
    """
    merged = {row[0]: row for row in _rows_under(old, header)}
    merged.update({row[0]: row for row in rows})
    return list(merged.values())


def _rows_under(text: str, header: Sequence[str]) -> list[list[str]]:
    _, found, after = text.partition("| " + " | ".join(header) + " |\n")
    rows = []
    for line in after.splitlines()[1:] if found else []:
        if not line.startswith("| "):
            break
        rows.append(line.strip("| ").split(" | "))
    return rows


def stamp() -> str:
    """Return the date and the commit, with a plus if files differ from it."""
    git = ["git", "-C", str(RESULTS.parent)]
    commit = _output([*git, "rev-parse", "--short", "HEAD"])
    changed = _output([*git, "status", "--porcelain", "--", "../featprune"])
    return f"{datetime.date.today()}, {commit or 'no git'}{'+' if changed else ''}"


def machine() -> str:
    """Return the versions and the processor."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {versions}; {_processor()}"


def section(name: str) -> str:
    """Return what stands between the markers of a section of RESULTS.md, or nothing."""
    return RESULTS.read_text().partition(_start(name))[2].partition(_end(name))[0]


def write(name: str, text: str) -> None:
    """Put `text` between the markers of a section of RESULTS.md, at its end if there are none."""
    content = RESULTS.read_text()
    before, found, after = content.partition(_start(name))
    rest = after.partition(_end(name))[2] if found else "\n"
    before = before if found else content.rstrip("\n") + "\n\n"
    RESULTS.write_text(f"{before}{_start(name)}\n{text}\n{_end(name)}{rest}")


def _start(name: str) -> str:
    return f"<!-- {name}: written by its command -->"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->"


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
    return f"{model.partition(':')[2].strip()}, {os.cpu_count()} cores"
