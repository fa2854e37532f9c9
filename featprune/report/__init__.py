"""What a selection does to the rows: plain tables, and pictures where matplotlib is installed.

The names are loaded when they are first used, so that importing the room is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_home = {
    "Preservation": "featprune.report.neighbourhood",
    "neighbourhood_preservation": "featprune.report.neighbourhood",
    "plot_maps": "featprune.report.maps",
    "plot_pruning_cost": "featprune.report.plots",
    "pruning_cost": "featprune.report.embeddings",
}

__all__ = [
    "Preservation",
    "neighbourhood_preservation",
    "plot_maps",
    "plot_pruning_cost",
    "pruning_cost",
]


def __getattr__(name: str) -> Any:
    if name in _home:
        return getattr(import_module(_home[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
