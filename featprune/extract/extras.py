"""Packages that come with an extra: loaded when they are used, or an error with the pip line."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(module: str, extra: str, owner: str) -> Any:
    """Return the module of that name.

    Parameters
    ----------
    module : str
    extra : str
        The extra of featprune that installs it.
    owner : str
        Who needs it, for the message.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{owner} needs the package {module.partition('.')[0]}, which is not installed or "
            f"can't be loaded ({error}). Run: pip install 'featprune[{extra}]'"
        ) from error
