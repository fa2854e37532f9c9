"""One way to compile for all kernels: cached on disk where that can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def jit(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """Compile a scalar-loop kernel at its first call, in nopython mode, cached on disk.

    Numba refuses at decoration time to cache a function for which it finds no folder that can
    be written; such a function is compiled anew in each process instead.

    Parameters
    ----------
    function : callable, optional
        The kernel; left out where options are given (``@jit(inline="always")``).
    **options
        Passed on to `numba.njit`.

    Returns
    -------
    callable
        The compiled kernel, or the decorator that compiles it.
    """
    if function is None:
        return lambda kernel: jit(kernel, **options)
    options = {"error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(cache=False, **options)(function)
