"""The prune plan: which columns of a table are kept, which went and why; JSON with a schema."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from featprune.files import replacing
from featprune.path import EliminationPath
from featprune.table import columns as tables
from featprune.table.columns import quote_some
from featprune.table.units import Units

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PrunePlan:
    """What a selector decided about a table, apart from the selector.

    Parameters
    ----------
    selector : dict
        ``class`` and ``parameters`` of the selector.
    columns : list of dict
        All columns of the table that it was fitted on: ``name``, ``kind`` and ``dtype``.
    kept, dropped : list of dict
        ``name``, ``rank``, ``importance`` (None if it is infinite), ``reason``; an embedding
        column of which only a part is kept has ``dimensions``, the positions that are kept, and
        its ``width``.
    scores : dict or None
        ``scoring``, ``size`` (the chosen number of units), and lists ``sizes``, ``mean`` and
        ``standard_error``, None where a score is no finite number.
    details : dict
        What else the maker wanted to say, such as the target's name.
    versions : dict
        Of featprune and of what it stands on.
    created : str
        Time in UTC, ISO 8601.
    schema_version : int
    """

    selector: dict[str, Any]
    columns: list[dict[str, str]]
    kept: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    scores: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def kept_names(self) -> list[str]:
        """Names of the kept columns, in the order of the table."""
        return [column["name"] for column in self.kept]

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """Which dimensions are kept of embedding columns that lose some, by name."""
        return {column["name"]: _mask(column) for column in self.kept if "width" in column}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the names and kinds of the table's columns, in their order."""
        return fingerprint([(column["name"], column["kind"]) for column in self.columns])

    def check(self, kinds: Mapping[str, str], source: str = "X") -> None:
        """Raise unless a table with these columns can be pruned by this plan.

        Parameters
        ----------
        kinds : mapping of str to str
            Kind of each column by its name; see :class:`featprune.table.columns.Table`. An unknown
            kind is ``""``.
        source : str
            What to call the table in the message.

        Raises
        ------
        ValueError
            If a kept column is missing or of another kind than it was.
        """
        missing = [name for name in self.kept_names if name not in kinds]
        if missing:
            raise ValueError(
                f"{source} lacks {len(missing)} of the {len(self.kept)} columns that the plan "
                f"keeps: {quote_some(missing)}. Pass a table with the columns that the plan was "
                "made for."
            )
        was = {column["name"]: column["kind"] for column in self.columns}
        changed = [n for n in self.kept_names if kinds[n] not in (was[n], "")]
        if changed:
            one = changed[0]
            raise ValueError(
                f"{source} has columns of another kind than the plan was made for: "
                f"{quote_some(changed)}; {one!r} was {was[one]!r} and is {kinds[one]!r}. Read or "
                "convert them as they were."
            )

    def apply(self, X: Any) -> Any:
        """Return the kept columns of `X`, a pandas or polars DataFrame, as they are.

        Raises
        ------
        TypeError
            If `X` is no frame.
        ValueError
            If a kept column is missing or of another kind than it was.

        Notes
        -----
        Other columns are not looked at. A kept column that holds no value in any row of `X`,
        as may be in a few rows, is of whatever kind it was.
        """
        if not tables.is_frame(X):
            raise TypeError(
                f"A plan finds columns by name, so X must be a pandas or polars DataFrame. Got "
                f"{type(X).__name__} instead."
            )
        wanted = set(self.kept_names)
        idx = [i for i, name in enumerate(X.columns) if str(name) in wanted]
        table = tables.read(X.iloc[:, idx] if hasattr(X, "iloc") else X[:, idx])
        frame = nw.from_native(table.native)
        kinds = {
            name: "" if frame[:, i].is_null().all() else kind
            for i, (name, kind) in enumerate(zip(table.names, table.kinds, strict=True))
        }
        self.check(kinds)
        position = {name: i for i, name in enumerate(table.names)}
        masks = {position[name]: mask for name, mask in self.masks.items()}
        return table.take([position[name] for name in self.kept_names], masks)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the plan as JSON, whole or not at all."""
        content = {"fingerprint": self.fingerprint, **asdict(self)}
        with replacing(file) as beside:
            beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> PrunePlan:
        """Read a plan that :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is no plan, was changed by hand so that it contradicts itself, or has
            a newer schema.
        """
        try:
            content = json.loads(Path(file).read_text("utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is not JSON: {error}. Pass a plan.json.") from error
        if not isinstance(content, dict) or "schema_version" not in content:
            raise ValueError(f"{file} is not a prune plan. Pass a plan.json of featprune.")
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(
                f"{file} has schema version {content['schema_version']!r}; this featprune reads "
                f"{SCHEMA_VERSION}. Make the plan anew, or install the featprune that made it."
            )
        stored = content.pop("fingerprint", None)
        try:
            plan = cls(**content)
            known = {column["name"] for column in plan.columns}
            listed = [column["name"] for column in (*plan.kept, *plan.dropped)]
            agrees = stored == plan.fingerprint and sorted(known) == sorted(listed)
        except (TypeError, KeyError) as error:
            raise ValueError(f"{file} is not a whole prune plan: {error}.") from error
        if not agrees:
            raise ValueError(
                f"{file} contradicts itself: its columns are not those that it keeps and drops, "
                "or not those of its fingerprint. Make the plan anew."
            )
        return plan


def fingerprint(columns: Sequence[tuple[str, str]]) -> str:
    """Return the SHA-256 of column names and kinds, in their order, as hex digits."""
    return hashlib.sha256(json.dumps([list(c) for c in columns]).encode()).hexdigest()


def make_plan(
    *,
    selector: str,
    parameters: Mapping[str, Any],
    columns: Sequence[tuple[str, str, str]],
    units: Units,
    path: EliminationPath,
    size: int,
    importances: np.ndarray,
    details: Mapping[str, Any],
) -> PrunePlan:
    """Put down what was decided.

    Parameters
    ----------
    selector : str
        Name of the class.
    parameters : mapping
        Its parameters; what JSON does not know is written as its repr.
    columns : sequence of (name, kind, dtype)
    units : Units
    path : EliminationPath
    size : int
        How many units of the path stay.
    importances : ndarray of shape (n_columns,)
    details : mapping
        As in :class:`PrunePlan`.
    """
    of_units = path.support(size)
    support = units.columns(of_units)
    ranking = units.column_ranking(path.ranking(size))
    dimensions = units.dimensions(of_units)
    reasons = _reasons(path, size)
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    for i, (name, _, _) in enumerate(columns):
        row: dict[str, Any] = {
            "name": name,
            "rank": int(ranking[i]),
            "importance": _number(importances[i]),
            "reason": _column_reason(units, i, name, reasons, dimensions),
        }
        if support[i] and i in dimensions and not dimensions[i].all():
            row["dimensions"] = np.flatnonzero(dimensions[i]).tolist()
            row["width"] = len(dimensions[i])
        (kept if support[i] else dropped).append(row)
    return PrunePlan(
        selector={"class": selector, "parameters": {k: _plain(v) for k, v in parameters.items()}},
        columns=[{"name": n, "kind": kind, "dtype": dtype} for n, kind, dtype in columns],
        kept=kept,
        dropped=dropped,
        scores=_scores(path, size, parameters.get("scoring")),
        details={key: _plain(value) for key, value in details.items()},
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("featprune", "numpy", "pandas", "scikit-learn")},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _reasons(path: EliminationPath, size: int) -> list[str]:
    """Why each unit stayed or went."""
    n_units = len(path.names)
    reasons = [f"among the {size} of {n_units} that stayed"] * n_units
    gone = n_units - size
    before = np.repeat(path.sizes[:-1], -np.diff(path.sizes))
    for unit, n_left, criterion in zip(
        path.order[:gone], before[:gone], path.criterion[:gone], strict=True
    ):
        reasons[unit] = f"weakest when {n_left} were left (criterion {criterion:.3g})"
    return reasons


def _column_reason(
    units: Units, i: int, name: str, reasons: list[str], dimensions: Mapping[int, np.ndarray]
) -> str:
    if i in dimensions:
        return f"{int(dimensions[i].sum())} of its {len(dimensions[i])} dimensions stayed"
    unit = units.first[i]
    is_lone = units.names[unit] in (name, f"{name}[0]")  # a vector of one dimension, too
    together = "" if is_lone else f"with its group {units.names[unit]!r}: "
    always = "always kept; " if units.protected[unit] else ""
    return f"{together}{always}{reasons[unit]}"


def _scores(path: EliminationPath, size: int, scoring: Any) -> dict[str, Any] | None:
    if not path.has_scores:
        return None
    return {
        "scoring": "accuracy" if scoring is None else _plain(scoring),
        "size": size,
        "sizes": path.sizes.tolist(),
        "mean": _listed(path.mean_scores),
        "standard_error": _listed(path.score_errors),
    }


def _listed(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """A number, None for NaN and infinity, which JSON does not know."""
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """`value` if JSON knows it, else its repr on one line."""
    if isinstance(value, np.generic):
        value = value.item()
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return " ".join(repr(value).split())
    return value


def _mask(column: Mapping[str, Any]) -> np.ndarray:
    mask = np.zeros(column["width"], dtype=bool)
    mask[column["dimensions"]] = True
    return mask
