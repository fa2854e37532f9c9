"""The elimination path: a value that is saved and loaded, with what each size was worth."""

from featprune.path.elimination import EliminationPath

__all__ = ["EliminationPath"]
