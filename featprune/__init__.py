"""featprune drops the columns that a model does not need.

The public names are loaded when they are first used, so that importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_home = {
    "EliminationPath": "featprune.path",
    "MRMRSelector": "featprune.selectors.mrmr",
    "PCASelector": "featprune.selectors.pca",
    "PrunePlan": "featprune.plan",
    "RankEnsemble": "featprune.selectors.rank_ensemble",
    "RedundancySelector": "featprune.selectors.redundancy",
    "SVMRFE": "featprune.selectors.svm_rfe",
    "ShadowSelector": "featprune.selectors.shadow",
    "StabilitySelector": "featprune.selectors.stability",
    "TreeSelector": "featprune.selectors.trees",
}

__all__ = [
    "SVMRFE",
    "EliminationPath",
    "MRMRSelector",
    "PCASelector",
    "PrunePlan",
    "RankEnsemble",
    "RedundancySelector",
    "ShadowSelector",
    "StabilitySelector",
    "TreeSelector",
]


def __getattr__(name: str) -> Any:
    if name in _home:
        return getattr(import_module(_home[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
