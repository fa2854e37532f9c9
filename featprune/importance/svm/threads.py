"""One BLAS thread inside a path: two of them on small matrices are several times slower."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Hold BLAS at one thread inside the block."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    # looking for the libraries that are loaded takes milliseconds
    return ThreadpoolController()
