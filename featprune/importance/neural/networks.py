"""Networks for those who bring none: dense layers, and convolutions along one axis or two.

They are made with weights of 0, for `first_weights` to replace: what draws weights in Keras is
compiled anew for each shape, which takes longer than training a small network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_EMPTY = {"kernel_initializer": "zeros"}


def dense_network(shape: tuple[int, ...], n_units: int) -> keras.Model:
    """Return two dense layers and an output without an activation, not compiled."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape),
            *([layers.Flatten()] if len(shape) > 1 else []),
            layers.Dense(64, activation="relu", **_EMPTY),
            layers.Dense(32, activation="relu", **_EMPTY),
            layers.Dense(n_units, **_EMPTY),
        ]
    )


def convolutional_network(shape: tuple[int, ...], n_units: int) -> keras.Model:
    """Return two convolutions, a dense layer and an output without an activation, not compiled.

    Along one axis for rows of shape (n_features,), along two for (height, width, channels).
    Between the convolutions every second position is kept, where there are four or more.
    """
    import keras

    layers = keras.layers
    is_image = len(shape) == 3
    convolution = layers.Conv2D if is_image else layers.Conv1D
    pooling = layers.MaxPooling2D if is_image else layers.MaxPooling1D
    reach = 3 if is_image else 5
    return keras.Sequential(
        [
            layers.Input(shape),
            *([] if is_image else [layers.Reshape((*shape, 1))]),
            convolution(16, reach, padding="same", activation="relu", **_EMPTY),
            *([pooling(2)] if min(shape[:2]) >= 4 else []),
            convolution(16, reach, padding="same", activation="relu", **_EMPTY),
            layers.Flatten(),
            layers.Dense(32, activation="relu", **_EMPTY),
            layers.Dense(n_units, **_EMPTY),
        ]
    )


def first_weights(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Return weights for the variables of one of these networks: Glorot's uniform, biases of 0.

    References
    ----------
    Glorot, X., Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural
    networks. AISTATS 2010, PMLR 9, 249-256.
    """
    rng = np.random.default_rng(seed)
    weights = []
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) < 2:
            weights.append(np.zeros(shape, dtype=np.float32))
            continue
        reach = int(np.prod(shape[:-2]))  # positions that a convolution looks at
        bound = np.sqrt(6 / (reach * (shape[-2] + shape[-1])))
        weights.append(rng.uniform(-bound, bound, size=shape).astype(np.float32))
    return weights
