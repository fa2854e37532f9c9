"""Make a Keras model that fits a table, and read from a model what its output means."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def import_keras() -> ModuleType:
    """Return the module keras, or raise an ImportError that says how to get it."""
    try:
        import keras
    except ImportError as error:  # Keras itself, or the backend that it was told to use
        raise ImportError(
            f"featprune.keras needs Keras and a backend, and importing Keras failed: {error}. "
            'Run: pip install "featprune[keras]" jax, and set the environment variable '
            "KERAS_BACKEND=jax (or install and name another backend, torch or tensorflow)."
        ) from error
    return keras


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
    source: Any,
    kwargs: Mapping[str, Any] | None,
    told: Mapping[str, int],
    widths: Sequence[int],
    owner: str,
) -> tuple[keras.Model, int]:
    """Build the model or copy the pattern, and check that it fits the table.

    Parameters
    ----------
    source : callable or keras.Model
        The builder or the pattern.
    kwargs : dict or None
        What the builder is given in any case.
    told : dict of str to int
        What the builder is given if its signature has it; n_features_in_ first.
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
    keras = import_keras()
    model = copy_model(source, owner) if isinstance(source, keras.Model) else None
    if model is None:
        accepted = inspect.signature(source).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        known = {name: value for name, value in told.items() if takes_all or name in accepted}
        model = source(**known | copy.deepcopy(dict(kwargs or {})))
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"The 'model' parameter of {owner} must be a function that returns a keras.Model. "
                f"Got a function that returns {model!r} instead."
            )
    n_features, asked = told["n_features_in_"], list(told)[-1]
    try:  # a symbolic call: it builds what is not built yet and computes nothing
        shape = tuple(model(keras.Input((n_features,))).shape)
    except Exception as error:
        got = getattr(model, "input_shape", "unknown") if model.built else "unknown"
        raise ValueError(
            f"The model in {owner} must take the {n_features} features of X, input shape (None, "
            f"{n_features}). Got a model with input shape {got}. Give a function that takes "
            f"n_features_in_ and starts with keras.Input((n_features_in_,)). Keras said: {error}"
        ) from error
    if len(shape) != 2 or shape[1] not in widths:
        raise ValueError(
            f"The model in {owner} must end in {' or '.join(map(str, widths))} units for this y, "
            f"output shape (None, {widths[-1]}). Got a model with output shape {shape}. Give a "
            f"function that takes {asked} and ends in that many units."
        )
    return model, shape[1]


def copy_model(pattern: keras.Model, owner: str) -> keras.Model:
    """Return a model of the same layers with fresh weights, compiled as the pattern is."""
    keras = import_keras()
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


def make_callbacks(source: Any, owner: str) -> list[keras.callbacks.Callback]:
    """Return fresh callbacks: deep copies of those given, or what the function given returns."""
    keras = import_keras()
    made = source() if callable(source) else copy.deepcopy(source)
    made = [] if made is None else list(made) if isinstance(made, (list, tuple)) else [made]
    for callback in made:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"The 'callbacks' parameter of {owner} must be a list of keras.callbacks.Callback "
                f"or a function that returns one. Got {callback!r} in it instead."
            )
    return made


def last_activation(model: keras.Model) -> str:
    """Name the activation that a Sequential or Functional model ends in, "" if unknown."""
    keras = import_keras()
    steps = model.layers if isinstance(model, keras.Sequential) else []
    steps = getattr(model, "operations", steps)
    if not steps:
        return ""
    activation = getattr(steps[-1], "activation", steps[-1])  # or a Softmax layer or operation
    return getattr(activation, "__name__", type(activation).__name__).lower()


def loss_of(model: keras.Model) -> tuple[str, bool]:
    """Return the compiled loss's name, as in "binarycrossentropy", and if it is from logits."""
    keras = import_keras()
    loss = model.loss
    while isinstance(loss, (list, tuple, dict)) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    name = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "")
    return name, bool(getattr(loss, "from_logits", False))
