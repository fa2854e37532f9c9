"""The parts of a path in a JSON or Parquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from featprune.files import replacing

SCHEMA_VERSION = 1

# dtype of each array, and whether a path always has it
_ARRAYS = {
    "order": (np.intp, True),
    "criterion": (float, True),
    "sizes": (np.intp, True),
    "scores": (float, False),
    "fold_orders": (np.intp, False),
    "baseline": (float, False),
    "explained": (float, False),
}
# parts that files of an older featprune lack
_LATER = {"explained"}


def write(parts: Mapping[str, Any], file: str | os.PathLike[str]) -> None:
    """Write names and arrays; the file is whole or not there.

    Raises
    ------
    ValueError
        If the file's name ends in neither ``.json`` nor ``.parquet``.
    """
    suffix = _suffix(file)
    content = {
        key: _to_lists(value) if isinstance(value, np.ndarray) else value
        for key, value in parts.items()
    }
    content = {"schema_version": SCHEMA_VERSION, **content, "names": list(parts["names"])}
    with replacing(file) as beside:
        if suffix == ".json":
            beside.write_text(json.dumps(_without_infinity(content), allow_nan=False))
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.Table.from_pylist([content]), beside)


def read(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the parts that :func:`write` wrote.

    Raises
    ------
    ValueError
        If the file is of a newer schema, contradicts itself or holds something else.
    """
    content = _content(file)
    try:
        parts: dict[str, Any] = {"names": tuple(content["names"])}
        for key, (dtype, always) in _ARRAYS.items():
            value = content.get(key)
            is_absent = value is None and not always
            parts[key] = None if is_absent else np.asarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} does not hold an elimination path: {error}") from error
    if not _is_whole(parts):
        raise ValueError(f"{file} contradicts itself: its parts are not of one path.")
    return parts


def _content(file: str | os.PathLike[str]) -> dict[str, Any]:
    """What the file holds, if it has the keys of a path whose schema is known."""
    suffix = _suffix(file)
    try:
        if suffix == ".json":
            content = json.loads(Path(file).read_text())
        else:
            import pyarrow.parquet as pq

            content = next(iter(pq.read_table(file).to_pylist()), None)
    except ValueError as error:  # pyarrow's, json's and unicode's are ValueErrors
        raise ValueError(f"{file} does not hold an elimination path: {error}") from error
    needed = {"schema_version", "names", *_ARRAYS} - _LATER
    if not isinstance(content, dict) or not needed <= content.keys():
        raise ValueError(f"{file} does not hold an elimination path.")
    found = content["schema_version"]
    if not isinstance(found, int):
        raise ValueError(
            f"{file} does not hold an elimination path: its schema version is {found!r}."
        )
    if found > SCHEMA_VERSION:
        raise ValueError(
            f"{file} has schema version {found}; this featprune reads up to {SCHEMA_VERSION}. "
            "Update featprune to read it."
        )
    return content


def _is_whole(parts: Mapping[str, Any]) -> bool:
    """Whether the parts fit each other, as those of a file that was changed may not."""
    order, sizes, explained = parts["order"], parts["sizes"], parts["explained"]
    if not order.ndim == sizes.ndim == 1 or not len(sizes):
        return False
    n_units, n_removed = len(parts["names"]), len(order)
    folds = [parts["scores"], parts["fold_orders"], parts["baseline"]]
    shapes = [None if part is None else part.shape for part in folds]
    n_folds = 0 if folds[2] is None else folds[2].size
    expected = [(n_folds, len(sizes)), (n_folds, n_removed), (n_folds,)]
    return (
        parts["criterion"].shape == order.shape == (n_removed,)
        and bool(np.isin(order, np.arange(n_units)).all())
        and len(np.unique(order)) == n_removed
        and sizes[[0, -1]].tolist() == [n_units, n_units - n_removed]
        and bool((np.diff(sizes) < 0).all())
        and shapes in ([None] * 3, expected)
        and (explained is None or explained.shape == sizes.shape)
    )


def _to_lists(values: np.ndarray) -> list:
    """Nested lists, with None for NaN, which JSON does not know."""
    if values.dtype.kind != "f":
        return values.tolist()
    objects = values.astype(object)
    objects[np.isnan(values)] = None
    return objects.tolist()


def _without_infinity(value: Any) -> Any:
    """The content with the word for what JSON has no number for; numpy reads it as one."""
    if isinstance(value, dict):
        return {key: _without_infinity(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_infinity(one) for one in value]
    if isinstance(value, float) and abs(value) == float("inf"):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _suffix(file: str | os.PathLike[str]) -> str:
    suffix = Path(file).suffix
    if suffix not in (".json", ".parquet"):
        raise ValueError(f"A path is saved as .json or .parquet. Got {str(file)!r} instead.")
    return suffix
