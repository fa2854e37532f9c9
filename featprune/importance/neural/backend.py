"""The two things that Keras leaves to its backend: gradients, and compiled functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np


def import_keras(owner: str) -> ModuleType:
    """Return the module keras, or raise an ImportError that says how to get it.

    Parameters
    ----------
    owner : str
        Who needs it, for the message.
    """
    try:
        import keras
    except ImportError as error:  # Keras itself, or the backend that it was told to use
        raise ImportError(
            f"{owner} needs Keras and a backend, and importing Keras failed: {error}. "
            'Run: pip install "featprune[keras]" jax, and set the environment variable '
            "KERAS_BACKEND=jax (or install and name another backend, torch or tensorflow)."
        ) from error
    return keras


def value_and_gradients(
    function: Callable[..., Any], inputs: tuple[Any, ...], *others: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Return the value of ``function(inputs, *others)`` and its derivatives by `inputs`.

    Parameters
    ----------
    function : callable
        Of tensors, by ``keras.ops``; returns a scalar.
    inputs : tuple of tensors
    *others
        What the derivatives are not by.

    Returns
    -------
    value : tensor of shape ()
    gradients : tuple of tensors, shaped as `inputs`
    """
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.value_and_grad(function)(inputs, *others)
    if backend == "torch":
        import torch

        inputs = tuple(one.detach().requires_grad_() for one in inputs)
        value = function(inputs, *others)
        return value.detach(), torch.autograd.grad(value, inputs)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            value = function(inputs, *others)
        return value, tape.gradient(value, inputs)
    raise ValueError(
        f"Keras runs on its backend {backend!r}, which has no gradients. Set the environment "
        "variable KERAS_BACKEND to jax, torch or tensorflow."
    )


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled, on backends that do; it must be of tensors alone.

    It is compiled once for each set of shapes: keep what is returned.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def tensors(arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
    """Return arrays as float32 tensors."""
    from keras import ops

    # cast by numpy: a cast by the backend is compiled for each shape
    return tuple(ops.convert_to_tensor(np.asarray(array, dtype=np.float32)) for array in arrays)


def as_array(tensor: Any) -> np.ndarray:
    """Return a tensor as an array in double precision."""
    from keras import ops

    return np.asarray(ops.convert_to_numpy(tensor), dtype=np.float64)
