"""Train one Keras model again and again, from other weights or for other targets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from featprune.importance.neural.steps import batches

if TYPE_CHECKING:
    import keras

# rows that the loss on held-out rows is found for at a time
_MOST_ROWS = 1024


class Sample(NamedTuple):
    """Rows for a network.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, ...), float32
    target : ndarray of shape (n_rows, ...)
        As the loss wants it.
    weight : ndarray of shape (n_rows,), float32
    """

    rows: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def take(self, idx: np.ndarray) -> Sample:
        """Return the rows `idx`."""
        return Sample(self.rows[idx], self.target[idx], self.weight[idx])


@dataclass(frozen=True)
class Schedule:
    """How long a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
    patience : int
        After so many epochs without a smaller loss on held-out rows training ends, and the
        weights of the smallest one count.
    deadline : float or None
        Value of ``time.monotonic()`` after which no epoch begins, but for the first.
    """

    epochs: int
    batch_size: int
    patience: int
    deadline: float | None

    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline


class Network:
    """A compiled Keras model that starts anew as often as needed, without being compiled again.

    Parameters
    ----------
    model : keras.Model
        Built and compiled; trained in place.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        optimizer = model.optimizer
        optimizer.build(model.trainable_variables)
        self._optimizer_state = [_values(one) for one in optimizer.variables]

    def weights(self) -> list[np.ndarray]:
        """Return what the model's variables hold, those of seeds, too."""
        return [_values(one) for one in self.model.variables]

    def start(self, weights: list[np.ndarray]) -> None:
        """Put values into the model's variables, and the optimizer back to its start."""
        for variable, values in zip(self.model.variables, weights, strict=True):
            variable.assign(values)
        optimizer = self.model.optimizer
        for variable, values in zip(optimizer.variables, self._optimizer_state, strict=True):
            variable.assign(values)

    def train(
        self, train: Sample, held_out: Sample, schedule: Schedule, rng: np.random.Generator
    ) -> tuple[int, list[float]]:
        """Train until the loss on held-out rows no longer falls; go back to its least.

        Returns
        -------
        n_epochs : int
            Epochs to the least loss.
        losses : list of float
            On the held-out rows, after each epoch.

        Raises
        ------
        FloatingPointError
            If the loss is NaN or infinite after the first epoch.
        """
        losses: list[float] = []
        best, weights = 0, self.weights()
        size = min(schedule.batch_size, len(train.rows))
        draws = batches(len(train.rows), size, rng)
        for epoch in range(schedule.epochs):
            self._one_epoch(train, size, draws)
            losses.append(self._loss(held_out))
            if not np.isfinite(losses[0]):
                raise FloatingPointError
            if epoch == 0 or losses[-1] < losses[best]:
                best, weights = epoch, self.weights()
            elif epoch - best >= schedule.patience:
                break
            if schedule.is_late():
                break
        for variable, values in zip(self.model.variables, weights, strict=True):
            variable.assign(values)
        return best + 1, losses

    def train_as_long(
        self, train: Sample, n_epochs: int, schedule: Schedule, rng: np.random.Generator
    ) -> bool:
        """Train for `n_epochs`; returns whether there was time for all of them."""
        size = min(schedule.batch_size, len(train.rows))
        draws = batches(len(train.rows), size, rng)
        for _ in range(n_epochs):
            if schedule.is_late():
                return False
            self._one_epoch(train, size, draws)
        return True

    def _one_epoch(self, train: Sample, size: int, draws: Iterator[np.ndarray]) -> None:
        for _ in range(-(-len(train.rows) // size)):
            some = train.take(next(draws))
            self.model.train_on_batch(some.rows, some.target, some.weight)

    def _loss(self, held_out: Sample) -> float:
        self.model.reset_metrics()
        logs: Any = {"loss": np.nan}
        for start in range(0, len(held_out.rows), _MOST_ROWS):
            some = held_out.take(np.arange(start, min(start + _MOST_ROWS, len(held_out.rows))))
            logs = self.model.test_on_batch(some.rows, some.target, some.weight, return_dict=True)
        self.model.reset_metrics()
        return float(logs["loss"])


def _values(variable: Any) -> np.ndarray:
    from keras import ops

    return np.array(ops.convert_to_numpy(variable.value))
