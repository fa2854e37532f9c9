"""Make a Keras model that fits a table, and read from a model what its output means."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from featprune.importance.neural.backend import import_keras

if TYPE_CHECKING:
    import keras


@contextmanager
def seeded(keras: ModuleType, seed: int | None) -> Iterator[None]:
    """Seed all that Keras draws from, and afterwards put back the states that can be read."""
    if seed is None:
        yield
        return
    python_state = random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - Keras shuffles by numpy's global state
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        # Keras and its backend do not show their state, so they are seeded anew from the caller's.
        callers = random.Random()
        callers.setstate(python_state)
        keras.utils.set_random_seed(callers.getrandbits(32))
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def make_model(
    source: keras.Model | Callable[..., keras.Model],
    kwargs: Mapping[str, Any],
    told: Mapping[str, Any],
    shape: tuple[int, ...],
    widths: Sequence[int],
    owner: str,
) -> tuple[keras.Model, int]:
    """Build the model or copy the pattern, and check that it fits the table.

    Parameters
    ----------
    source : callable or keras.Model
        The builder or the pattern.
    kwargs : dict
        What the builder is given in any case.
    told : dict
        What the builder is given if its signature has it.
    shape : tuple of int
        Of one row.
    widths : sequence of int
        The numbers of output units that are right.
    owner : str
        The estimator's name, for errors.

    Returns
    -------
    model : keras.Model
        A built model, compiled if the source is.
    n_units : int
        Its number of output units, one of `widths`.
    """
    keras = import_keras(owner)
    if isinstance(source, keras.Model):
        model = copy_model(source, owner)
    else:
        accepted = inspect.signature(source).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        known = {name: value for name, value in told.items() if takes_all or name in accepted}
        model = source(**known, **kwargs)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"The 'model' parameter of {owner} must be a function that returns a keras.Model. "
                f"Got a function that returns {model!r} instead."
            )
    try:  # a symbolic call: it builds what is not built yet and computes nothing
        out = tuple(model(keras.Input(shape)).shape)
    except Exception as error:
        got = getattr(model, "input_shape", "unknown") if model.built else "unknown"
        raise ValueError(
            f"The model in {owner} must take rows of the shape {shape}, input shape "
            f"{(None, *shape)}. Got a model with input shape {got}. Give a function that takes "
            f"{next(iter(told))} and starts with that shape. Keras said: {error}"
        ) from error
    if len(out) != 2 or out[1] not in widths:
        raise ValueError(
            f"The model in {owner} must end in {' or '.join(map(str, widths))} units for this y, "
            f"output shape (None, {widths[-1]}). Got a model with output shape {out}. Give a "
            "function that ends in that many units."
        )
    return model, out[1]


def copy_model(pattern: keras.Model, owner: str) -> keras.Model:
    """Return a model of the same layers with fresh weights, compiled as the pattern is."""
    keras = import_keras(owner)
    try:
        model = keras.models.clone_model(pattern)
        if pattern.compiled:
            model.compile_from_config(pattern.get_compile_config())
    except Exception as error:  # whatever a custom layer or loss raises
        raise ValueError(
            f"The 'model' parameter of {owner} must be a model that keras.models.clone_model can "
            f"copy, or a function that builds one. Got {pattern!r}. Keras said: {error}"
        ) from error
    return model


def last_activation(model: keras.Model) -> str:
    """Name the activation that a Sequential or Functional model ends in, "" if unknown."""
    import keras

    steps = model.layers if isinstance(model, keras.Sequential) else []
    steps = getattr(model, "operations", steps)
    if not steps:
        return ""
    activation = getattr(steps[-1], "activation", steps[-1])  # or a Softmax layer or operation
    return getattr(activation, "__name__", type(activation).__name__).lower()


def loss_of(model: keras.Model) -> tuple[str, bool]:
    """Return the compiled loss's name, as in "binarycrossentropy", and if it is from logits."""
    import keras

    loss = model.loss
    while isinstance(loss, (list, tuple, dict)) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    name = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "")
    return name, bool(getattr(loss, "from_logits", False))


def default_loss(model: keras.Model, n_units: int, owner: str) -> keras.losses.Loss:
    """Return the cross-entropy that fits the last layer of a classifier."""
    import keras

    activation = last_activation(model)
    if activation not in ("linear", "sigmoid", "softmax"):
        raise ValueError(
            f"The model in {owner} must be compiled, as the loss can't be chosen from its last "
            f"activation. Got {activation or 'an unknown one'!r}. Call model.compile in the "
            "builder."
        )
    if n_units == 1 or activation == "sigmoid":
        return keras.losses.BinaryCrossentropy(from_logits=activation == "linear")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=activation == "linear")


def target_of(codes: np.ndarray, loss: str, n_units: int) -> np.ndarray:
    """Return codes of classes as a loss wants them.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int
    loss : str
        The name that `loss_of` returns.
    n_units : int

    Returns
    -------
    ndarray of shape (n_rows, 1) for one unit, of codes for a sparse loss, one-hot for others
    """
    if n_units == 1:
        return codes.reshape(-1, 1).astype(np.float32)
    if loss.startswith("sparse"):
        return codes.astype(np.int32)
    return np.eye(n_units, dtype=np.float32)[codes]
