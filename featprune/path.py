"""The elimination path: the order in which columns went, and the score at each size."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featprune.files import replacing

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class EliminationPath:
    """The order in which units of a table left, and what each size was worth.

    A *unit* is what leaves as a whole: a column, a group of columns, or one dimension of an
    embedding. Model ``s`` was fitted on ``sizes[s]`` units.

    Parameters
    ----------
    names : tuple of str
        The units' names, in the order of the table.
    order : ndarray of shape (n_removed,), int
        Units in the order in which they left, first gone first. Those that are not in it
        never left.
    criterion : ndarray of shape (n_removed,), float
        The criterion of each unit of `order` in the model because of which it left.
    sizes : ndarray of shape (n_sizes,), int
        The sizes at which there was a model, descending.
    scores : ndarray of shape (n_folds, n_sizes), float, or None
        Score of each fold's model on that fold's held-out rows; None if there were no folds.
    fold_orders : ndarray of shape (n_folds, n_removed), int, or None
        The `order` of each fold.
    baseline : ndarray of shape (n_folds,), float, or None
        Score of a model that knows no column, on each fold's held-out rows.

    Examples
    --------
    >>> import numpy as np
    >>> path = EliminationPath(
    ...     names=("a", "b", "c"),
    ...     order=np.array([1, 0]),
    ...     criterion=np.array([0.1, 0.5]),
    ...     sizes=np.array([3, 2, 1]),
    ... )
    >>> path.support(2).tolist()
    [True, False, True]
    >>> path.ranking(1).tolist()
    [2, 3, 1]
    """

    names: tuple[str, ...]
    order: np.ndarray
    criterion: np.ndarray
    sizes: np.ndarray
    scores: np.ndarray | None = None
    fold_orders: np.ndarray | None = None
    baseline: np.ndarray | None = None

    @property
    def has_scores(self) -> bool:
        """Whether there were folds, and so a score at each size."""
        return self.scores is not None

    @property
    def mean_scores(self) -> np.ndarray:
        """Mean score over the folds at each of `sizes`, shape (n_sizes,)."""
        return self._folds()[0].mean(axis=0)

    @property
    def score_errors(self) -> np.ndarray:
        """Standard error of the mean score at each of `sizes`, shape (n_sizes,).

        The sample standard deviation over the folds divided by the square root of their
        number. Folds share training rows, so this is a yardstick, not a confidence interval.
        """
        scores = self._folds()[0]
        if len(scores) == 1:
            return np.zeros(scores.shape[1])
        return scores.std(axis=0, ddof=1) / np.sqrt(len(scores))

    @property
    def mean_baseline(self) -> float:
        """Mean score over the folds of a model that knows no column."""
        return float(self._folds()[2].mean())

    def _folds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the scores, orders and baseline of the folds, or raise if there were none."""
        if self.scores is None or self.fold_orders is None or self.baseline is None:
            raise ValueError(
                "This path has no scores: it was found without cross-validation. Fit with "
                "n_features_to_select='one_se' or 'best' for a score at each size."
            )
        return self.scores, self.fold_orders, self.baseline

    def support(self, size: int) -> np.ndarray:
        """Return the mask of the `size` units that stay, shape (n_units,).

        `size` may lie between two of `sizes`: of the units that left in one step, the
        weakest are left out first.
        """
        return _support(self.order, len(self.names), size)

    def ranking(self, size: int) -> np.ndarray:
        """Rank the units as scikit-learn's RFE does when it stops at `size`.

        Returns
        -------
        ndarray of shape (n_units,), int
            1 for those that stay; those that left last have rank 2, and units that left in
            the same step share a rank.
        """
        return _ranking(self.order, self.sizes, len(self.names), size)

    def cv_results(self) -> Mapping[str, np.ndarray]:
        """Return the scores under the keys of scikit-learn's ``RFECV.cv_results_``.

        Keys: ``n_features``, ``mean_test_score``, ``std_test_score`` and, per fold,
        ``split{i}_test_score``, ``split{i}_ranking`` and ``split{i}_support``; rows ascend
        with the number of features. The last two are n_sizes × n_units each and made anew at
        each access: at 20,000 columns one of them would take gigabytes.
        """
        return CVResults(self.sizes, len(self.names), *self._folds()[:2])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a unit, in the order in which they left, those that stayed last.

        Columns: ``name``; ``size_before``, how many units there were when it left (if it
        stayed, how many stayed); ``criterion``, missing if it stayed; with folds
        ``mean_score`` and ``score_error``, the score of the model from which it was dropped
        (if it stayed, of the last one), and ``score_fold{i}``.
        """
        import pandas as pd

        stayed = np.flatnonzero(self.support(len(self.names) - len(self.order)))
        step = np.repeat(np.arange(len(self.sizes) - 1), -np.diff(self.sizes))
        step = np.concatenate([step, np.full(len(stayed), len(self.sizes) - 1)])
        units = np.concatenate([self.order, stayed])
        frame = pd.DataFrame(
            {
                "name": [self.names[unit] for unit in units],
                "size_before": self.sizes[step],
                "criterion": np.concatenate([self.criterion, np.full(len(stayed), np.nan)]),
            }
        )
        if self.scores is not None:
            frame["mean_score"] = self.mean_scores[step]
            frame["score_error"] = self.score_errors[step]
            for i, fold_scores in enumerate(self.scores):
                frame[f"score_fold{i}"] = fold_scores[step]
        return frame

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the path to a ``.json`` or ``.parquet`` file; every number survives exactly.

        Raises
        ------
        ValueError
            If the file's name ends in neither.
        """
        suffix = _suffix(file)
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        content = {
            key: _to_lists(value) if isinstance(value, np.ndarray) else value
            for key, value in content.items()
        }
        content = {"schema_version": SCHEMA_VERSION, **content, "names": list(self.names)}
        with replacing(file) as beside:
            if suffix == ".json":
                beside.write_text(json.dumps(content))
            else:
                import pyarrow as pa
                import pyarrow.parquet as pq

                pq.write_table(pa.Table.from_pylist([content]), beside)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> EliminationPath:
        """Read a path that :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file is of a newer schema, contradicts itself or holds something else.
        """
        suffix = _suffix(file)
        try:
            if suffix == ".json":
                content = json.loads(Path(file).read_text())
            else:
                import pyarrow.parquet as pq

                content = next(iter(pq.read_table(file).to_pylist()), None)
        except ValueError as error:  # pyarrow's, json's and unicode's are ValueErrors
            raise ValueError(f"{file} does not hold an elimination path: {error}") from error
        return cls._from_content(content, file)

    @classmethod
    def _from_content(cls, content: Any, file: str | os.PathLike[str]) -> EliminationPath:
        keys = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or not keys | {"schema_version"} <= content.keys():
            raise ValueError(f"{file} does not hold an elimination path.")
        if not isinstance(content["schema_version"], int):
            raise ValueError(
                f"{file} does not hold an elimination path: its schema version is "
                f"{content['schema_version']!r}."
            )
        if content["schema_version"] > SCHEMA_VERSION:
            raise ValueError(
                f"{file} has schema version {content['schema_version']}; this featprune reads "
                f"up to {SCHEMA_VERSION}. Update featprune to read it."
            )

        def array(key: str, dtype: type) -> np.ndarray | None:
            return None if content[key] is None else np.asarray(content[key], dtype=dtype)

        try:
            path = cls(
                names=tuple(content["names"]),
                order=np.asarray(content["order"], dtype=np.intp),
                criterion=np.asarray(content["criterion"], dtype=float),
                sizes=np.asarray(content["sizes"], dtype=np.intp),
                scores=array("scores", float),
                fold_orders=array("fold_orders", np.intp),
                baseline=array("baseline", float),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file} does not hold an elimination path: {error}") from error
        if not _is_whole(path):
            raise ValueError(f"{file} contradicts itself: its parts are not of one path.")
        return path


class CVResults(Mapping):
    """Scores under scikit-learn's keys; the wide arrays are made when asked for.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,), int
        Descending, as all else here.
    n_units : int
    scores : ndarray of shape (n_folds, n_sizes)
    orders : ndarray of shape (n_folds, n_removed), int
    """

    def __init__(
        self, sizes: np.ndarray, n_units: int, scores: np.ndarray, orders: np.ndarray
    ) -> None:
        self._sizes = sizes
        self._n_units = n_units
        self._scores = scores
        self._orders = orders

    def __getitem__(self, key: str) -> np.ndarray:
        if key == "n_features":
            return self._sizes[::-1].copy()
        if key == "mean_test_score":
            return self._scores.mean(axis=0)[::-1]
        if key == "std_test_score":
            return self._scores.std(axis=0)[::-1]
        for scores, order, name in zip(self._scores, self._orders, self._splits(), strict=True):
            if key == f"{name}_test_score":
                return scores[::-1].copy()
            if key == f"{name}_ranking":
                rows = [_ranking(order, self._sizes, self._n_units, k) for k in self._sizes[::-1]]
                return np.array(rows)
            if key == f"{name}_support":
                return np.array([_support(order, self._n_units, k) for k in self._sizes[::-1]])
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from ("mean_test_score", "std_test_score")
        for part in ("test_score", "ranking", "support"):
            yield from (f"{name}_{part}" for name in self._splits())
        yield "n_features"

    def __len__(self) -> int:
        return 3 + 3 * len(self._scores)

    def __repr__(self) -> str:
        return f"CVResults({', '.join(self)})"

    def _splits(self) -> list[str]:
        return [f"split{i}" for i in range(len(self._scores))]


def _support(order: np.ndarray, n_units: int, size: int) -> np.ndarray:
    """Mask of the units that are left when ``n_units - size`` have gone."""
    smallest = n_units - len(order)
    if not smallest <= size <= n_units:
        raise ValueError(f"The path has sizes from {smallest} to {n_units}. Got {size} instead.")
    support = np.ones(n_units, dtype=bool)
    support[order[: n_units - size]] = False
    return support


def _ranking(order: np.ndarray, sizes: np.ndarray, n_units: int, size: int) -> np.ndarray:
    """Ranks as RFE gives them: counted in steps back from the one that reached `size`."""
    removed = order[: n_units - size]
    step = np.repeat(np.arange(len(sizes) - 1), -np.diff(sizes))[: len(removed)]
    ranking = np.ones(n_units, dtype=np.intp)
    if len(removed):
        ranking[removed] = step[-1] - step + 2
    return ranking


def _is_whole(path: EliminationPath) -> bool:
    """Whether the parts fit each other, as those of a file that was changed may not."""
    if not path.order.ndim == path.sizes.ndim == 1 or not len(path.sizes):
        return False
    n_units, n_removed = len(path.names), len(path.order)
    folds = [path.scores, path.fold_orders, path.baseline]
    shapes = [None if part is None else part.shape for part in folds]
    n_folds = 0 if path.baseline is None else path.baseline.size
    expected = [(n_folds, len(path.sizes)), (n_folds, n_removed), (n_folds,)]
    return (
        path.criterion.shape == path.order.shape == (n_removed,)
        and bool(np.isin(path.order, np.arange(n_units)).all())
        and len(np.unique(path.order)) == n_removed
        and path.sizes[[0, -1]].tolist() == [n_units, n_units - n_removed]
        and bool((np.diff(path.sizes) < 0).all())
        and shapes in ([None] * 3, expected)
    )


def _to_lists(values: np.ndarray) -> list:
    """Nested lists, with None for NaN, which JSON does not know."""
    if values.dtype.kind != "f":
        return values.tolist()
    objects = values.astype(object)
    objects[np.isnan(values)] = None
    return objects.tolist()


def _suffix(file: str | os.PathLike[str]) -> str:
    suffix = Path(file).suffix
    if suffix not in (".json", ".parquet"):
        raise ValueError(f"A path is saved as .json or .parquet. Got {str(file)!r} instead.")
    return suffix
