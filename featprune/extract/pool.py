"""What a network says of a row, at many positions, as one vector."""

from __future__ import annotations

import numpy as np

POOLS = ("auto", "mean", "max", "cls", "spatial", None)


def pool(values: np.ndarray, how: str | None, *, channels_last: bool | None = None) -> np.ndarray:
    """Return one vector a row.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        Vectors; tokens, (n_rows, n_tokens, n_channels); or maps of channels, (n_rows, n_channels,
        height, width).
    how : {"auto", "mean", "max", "cls", "spatial", None}
        "mean" and "max" are over positions, one number a channel, and "auto" is "mean"; "cls" is
        the first token; "spatial" is the mean over channels, one number a position; None is all
        there is. Vectors are as they are.
    channels_last : bool, optional
        Where the channels are. None: of tokens last, of maps first.

    Returns
    -------
    ndarray of shape (n_rows, width), float32

    Raises
    ------
    ValueError
        For "cls" of what are no tokens.
    """
    values = np.asarray(values, dtype=np.float32)
    if values.ndim <= 2 or how is None:
        return values.reshape(len(values), -1)
    if how == "cls":
        if values.ndim != 3:
            raise ValueError(
                f"pool='cls' takes the first of a row's tokens, and rows are of shape "
                f"{values.shape[1:]}. Pass pool='mean'."
            )
        return values[:, 0]
    if channels_last is None:
        channels_last = values.ndim == 3
    channels = values.ndim - 1 if channels_last else 1
    if how == "spatial":
        return values.mean(axis=channels).reshape(len(values), -1)
    positions = tuple(axis for axis in range(1, values.ndim) if axis != channels)
    return values.max(axis=positions) if how == "max" else values.mean(axis=positions)


def pool_tokens(values: np.ndarray, mask: np.ndarray, how: str | None) -> np.ndarray:
    """Return one vector a row from tokens of which some only fill the row up.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_tokens, n_channels)
    mask : ndarray of shape (n_rows, n_tokens)
        1 for tokens, 0 for what fills up.
    how : {"auto", "mean", "max", "cls"}

    Returns
    -------
    ndarray of shape (n_rows, n_channels), float32
    """
    if how == "cls":
        return pool(values, how)
    is_token = mask.astype(bool)[:, :, np.newaxis]
    if how == "max":
        return np.where(is_token, values, -np.inf).max(axis=1).astype(np.float32)
    # a text without any token is all zeros
    n_tokens = np.maximum(is_token.sum(axis=1), 1)
    return (np.where(is_token, values, 0).sum(axis=1) / n_tokens).astype(np.float32)
