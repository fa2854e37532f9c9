"""One way to compile for all kernels: cached on disk where that can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba.core import event

from featprune.progress import tell

COMPILING = "compiling, once on this machine"


def jit(
    function: Callable[..., Any] | None = None, *, allocates: bool = True, **options: Any
) -> Callable[..., Any]:
    """Compile a scalar-loop kernel at its first call, in nopython mode, cached on disk.

    Numba refuses at decoration time to cache a function for which it finds no folder that can
    be written; such a function is compiled anew in each process instead.

    Parameters
    ----------
    function : callable, optional
        The kernel; left out where options are given (``@jit(inline="always")``).
    allocates : bool, default=True
        Whether it makes arrays. Without, views of arrays are not counted, which makes them free.
    **options
        Passed on to `numba.njit`.

    Returns
    -------
    callable
        The compiled kernel, or the decorator that compiles it.
    """
    if function is None:
        return lambda kernel: jit(kernel, allocates=allocates, **options)
    options = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": allocates, **options}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(cache=False, **options)(function)


def inner(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """As `jit`, for a kernel that only other kernels call and that makes no arrays."""
    return jit(function, allocates=False, no_cpython_wrapper=True, **options)


@contextmanager
def telling_of_compiling() -> Iterator[None]:
    """Tell, once in the block, that kernels are compiled; not if all come from the cache."""
    listener = _CompilingListener()
    with event.install_listener("numba:compile", listener):
        yield
    if listener.heard:
        tell(COMPILING, 1, 1)


class _CompilingListener(event.Listener):
    """Hears what numba compiles; what it loads from its cache, numba does not announce."""

    def __init__(self) -> None:
        self.heard = False

    def on_start(self, event: Any) -> None:
        """Tell of the first kernel of this package."""
        ours = event.data["dispatcher"].py_func.__module__.startswith("featprune.")
        if ours and not self.heard:
            self.heard = True
            tell(COMPILING, 0, 1)

    def on_end(self, event: Any) -> None:
        """Do nothing: further kernels may follow."""
