"""Raw input into columns of vectors: images, text, sound, and whatever an ONNX model takes.

The names are loaded when they are first used, and the libraries behind them when they first work,
so that importing the room is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_home = {
    "ImageEmbedder": "featprune.extract.image",
    "OnnxEmbedder": "featprune.extract.onnx",
    "SpeechEmbedder": "featprune.extract.speech",
    "TextEmbedder": "featprune.extract.text",
    "ToMatrix": "featprune.extract.matrix",
    "onnx_importance": "featprune.extract.importance",
}

__all__ = [
    "ImageEmbedder",
    "OnnxEmbedder",
    "SpeechEmbedder",
    "TextEmbedder",
    "ToMatrix",
    "onnx_importance",
]


def __getattr__(name: str) -> Any:
    if name in _home:
        return getattr(import_module(_home[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
