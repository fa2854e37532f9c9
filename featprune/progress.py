"""The one way in which long work says how far it is: it tells, whoever listens shows.

Numerics and selectors call :func:`tell`; they never print. A listener, such as the bar that
``verbose=True`` and the command line show, is put in place with :func:`listening`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("featprune_progress", default=None)


def tell(task: str, done: int, total: int) -> None:
    """Report that `done` of `total` parts of `task` are finished."""
    listener = _listener.get()
    if listener is not None:
        listener(task, done, total)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Send what is told inside the block to `listener`; None leaves the present one in place."""
    if listener is None:
        yield
        return
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress_bar(show: bool = True) -> Iterator[None]:
    """Show what is told inside the block as bars on standard error, unless somebody listens."""
    if not show or _listener.get() is not None:
        yield
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks = {}

    def draw(task: str, done: int, total: int) -> None:
        if task not in tasks:
            tasks[task] = bar.add_task(task, total=total)
        bar.update(tasks[task], completed=done, total=total)

    with bar, listening(draw):
        yield
