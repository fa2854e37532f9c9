"""What the autoencoders share: dense layers, steps of Adam, and rows in random order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from featprune.importance.neural.backend import value_and_gradients

# of the leaky ReLU between layers, as in Balın et al.
_SLOPE = 0.2
# Adam's, as in Kingma and Ba (2015)
_DECAYS, _EPSILON = (0.9, 0.999), 1e-8


class Training(NamedTuple):
    """How an autoencoder is trained.

    Attributes
    ----------
    hidden : tuple of int
        Units of each layer between the first one and the output.
    epochs, batch_size : int
    learning_rate : float
    seed : int
    deadline : float or None
        Value of ``time.monotonic()`` after which no epoch begins, but for the first.
    progress : callable
        Called with how many epochs are done, and how many there are at most.
    """

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    deadline: float | None
    progress: Callable[[int, int], None]

    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline


def new_layers(widths: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Return weights and biases of dense layers between `widths`: Glorot's uniform, and zeros."""
    layers: list[np.ndarray] = []
    for n_in, n_out in pairwise(widths):
        bound = np.sqrt(6 / (n_in + n_out))
        layers += [rng.uniform(-bound, bound, size=(n_in, n_out)), np.zeros(n_out)]
    return layers


def through_layers(layers: Sequence[Any], values: Any) -> Any:
    """Return the output of dense layers, with a leaky ReLU between them."""
    from keras import ops

    for i in range(0, len(layers), 2):
        if i:
            values = ops.leaky_relu(values, negative_slope=_SLOPE)
        values = ops.matmul(values, layers[i]) + layers[i + 1]
    return values


def share_left(rebuilt: Any, rows: Any, weight: Any, total: Any) -> Any:
    """Return the weighted sum of squares that is not rebuilt, over what one row has on average."""
    from keras import ops

    squares = ops.sum(ops.square(rebuilt - rows), axis=1)
    return ops.sum(weight * squares) / (ops.sum(weight) * total)


def adam_step(
    loss: Callable[..., Any],
    state: tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]],
    step: Any,
    learning_rate: Any,
    *data: Any,
    in_common: int = 0,
) -> tuple[Any, tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]], Any]:
    """Take a step of Adam.

    Parameters
    ----------
    loss : callable
        Of the parameters, a tuple of tensors, and `data`.
    state : tuple of three tuples of tensors
        Parameters, and the running means of their gradients and squared gradients.
    step : tensor of shape ()
        1 for the first.
    learning_rate : tensor of shape ()
    *data
        Of this step.
    in_common : int, default=0
        For so many of the first parameters the squared gradient is one mean over all entries, so
        that all of them go the same distance for the same gradient.

    Returns
    -------
    value : tensor of shape ()
    state : as it was given
    rate : tensor of shape ()
        What a gradient of the first parameter is multiplied by; of use if it is `in_common`.

    References
    ----------
    Kingma, D. P., Ba, J. (2015). Adam: a method for stochastic optimization. ICLR 2015.
    https://doi.org/10.48550/arXiv.1412.6980
    """
    from keras import ops

    parameters, means, squares = state
    value, gradients = value_and_gradients(loss, parameters, *data)
    first, second = _DECAYS
    new: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    rates = []
    for i, gradient in enumerate(gradients):
        square = ops.square(gradient)
        if i < in_common:
            square = ops.mean(square)
        mean = first * means[i] + (1 - first) * gradient
        square = second * squares[i] + (1 - second) * square
        rate = learning_rate / (ops.sqrt(square / (1 - second**step)) + _EPSILON)
        rates.append(rate)
        for values, one in zip(
            new,
            (parameters[i] - rate * mean / (1 - first**step), mean, square),
            strict=True,
        ):
            values.append(one)
    return value, (tuple(new[0]), tuple(new[1]), tuple(new[2])), rates[0]


def batches(n_rows: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield row numbers without end, `size` at a time, each row once before any is twice.

    Batches of one size are one shape to compile for.
    """
    rest = rng.permutation(n_rows)
    while True:
        while len(rest) < size:
            rest = np.append(rest, rng.permutation(n_rows))
        yield rest[:size].astype(np.int32)
        rest = rest[size:]
