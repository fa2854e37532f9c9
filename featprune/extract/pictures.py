"""Pictures of all kinds as arrays: opened, resized, and laid out as a network takes them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from featprune.extract.extras import load
from featprune.extract.network import Port
from featprune.extract.rows import UnreadableError

_KEYS = ("size", "mean", "scale", "channels", "layout")
_CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
# a sixteen-bit picture's white over an eight-bit one's
_SIXTEEN_TO_EIGHT = 257.0


class Plan(NamedTuple):
    """What is done to a picture before a network sees it.

    Attributes
    ----------
    size : tuple of int or None
        Height and width. None: those that the picture has.
    mean, scale : ndarray of shape (n_channels,) or (1,)
        Pixel values become ``(value - mean) / scale``.
    channels : {"RGB", "BGR", "L"}
        "L" is one channel of grey.
    channels_last : bool
    """

    size: tuple[int, int] | None
    mean: np.ndarray
    scale: np.ndarray
    channels: str
    channels_last: bool


def check_preprocess(preprocess: Any, owner: str) -> None:
    """Raise unless it is None, a callable, or a dict of what :func:`make_plan` knows."""
    if preprocess is None or callable(preprocess):
        return
    if not isinstance(preprocess, Mapping):
        raise TypeError(
            f"The 'preprocess' parameter of {owner} must be None, a callable or a dict with keys "
            f"of {', '.join(_KEYS)}. Got {preprocess!r} instead."
        )
    unknown = [key for key in preprocess if key not in _KEYS]
    channels = preprocess.get("channels", "RGB")
    good = {
        "size": preprocess.get("size") is None or _size(preprocess["size"]) is not None,
        "mean": _is_numbers(preprocess.get("mean", 0)),
        "scale": _is_numbers(preprocess.get("scale", 1), nonzero=True),
        "channels": isinstance(channels, str) and channels in _CHANNELS,
        "layout": preprocess.get("layout", "NCHW") in ("NCHW", "NHWC"),
    }
    bad = unknown or [key for key, is_good in good.items() if not is_good]
    if bad:
        raise ValueError(
            f"The 'preprocess' parameter of {owner} may have the keys size (an int or (height, "
            "width)), mean and scale (a number, or one for each channel; scale not 0), channels "
            f"('RGB', 'BGR' or 'L') and layout ('NCHW' or 'NHWC'). Got {bad[0]!r}: "
            f"{preprocess[bad[0]]!r} instead."
        )


def make_plan(port: Port, preprocess: Mapping[str, Any] | None, owner: str) -> Plan:
    """Find out how the input `port` of a network, which is four-dimensional, takes pictures.

    Raises
    ------
    ValueError
        If what `preprocess` wants is not what the network takes.
    """
    wanted = dict(preprocess or {})
    last = wanted.get("layout", _layout(port)) == "NHWC"
    n_channels = port.shape[3 if last else 1]
    channels = wanted.get("channels", "L" if n_channels == 1 else "RGB")
    if n_channels is not None and n_channels != _CHANNELS[channels]:
        raise ValueError(
            f"{owner} makes pictures of {_CHANNELS[channels]} channel(s), {channels}, and the "
            f"model takes {n_channels}: its input is {port}. Pass other 'channels' or 'layout' in "
            "'preprocess', or a callable."
        )
    mine = port.shape[1:3] if last else port.shape[2:4]
    size = _size(wanted["size"]) if wanted.get("size") is not None else None
    for side, (fixed, asked) in enumerate(zip(mine, size or mine, strict=True)):
        if fixed is not None and fixed != asked:
            raise ValueError(
                f"The model takes pictures of {'height' if side == 0 else 'width'} {fixed}: its "
                f"input is {port}. Got size={wanted['size']!r} in 'preprocess' of {owner}."
            )
    if size is None and None not in mine:
        size = mine  # type: ignore[assignment]
    mean = np.atleast_1d(np.asarray(wanted.get("mean", 0), dtype=np.float32))
    scale = np.atleast_1d(np.asarray(wanted.get("scale", 1), dtype=np.float32))
    for key, values in (("mean", mean), ("scale", scale)):
        if len(values) not in (1, _CHANNELS[channels]):
            raise ValueError(
                f"{key!r} in 'preprocess' of {owner} must be a number, or one for each of the "
                f"{_CHANNELS[channels]} channel(s) of {channels}. Got {len(values)} instead."
            )
    return Plan(size, mean, scale, channels, last)


def prepare(value: Any, plan: Plan, owner: str) -> np.ndarray:
    """Return a picture as a network takes it, float32, of the plan's layout.

    Raises
    ------
    UnreadableError
        If it is no picture.
    """
    picture = open_picture(value, owner, gray=plan.channels == "L")
    if plan.size is not None:
        picture = resize(picture, plan.size, owner)
    if plan.channels == "BGR":
        picture = picture[:, :, ::-1]
    return normalise(picture, plan, channels_last=True)


def normalise(pictures: np.ndarray, plan: Plan, *, channels_last: bool) -> np.ndarray:
    """Return pictures of the plan's channels scaled, and in its layout; any number of them."""
    mean, scale = plan.mean, plan.scale
    if not channels_last:
        mean, scale = (v.reshape(-1, 1, 1) for v in (mean, scale))
    values = np.asarray(pictures, dtype=np.float32)
    if mean.any():
        values = values - mean
    if (scale != 1).any():
        values = values / scale
    if channels_last != plan.channels_last:
        values = np.moveaxis(values, -1, -3) if channels_last else np.moveaxis(values, -3, -1)
    return np.ascontiguousarray(values)


def open_picture(value: Any, owner: str, *, gray: bool = False) -> np.ndarray:
    """Return a picture as an array.

    Parameters
    ----------
    value : str, path, bytes, PIL image or array
        A file, what stands in one, or pixels of shape (height, width[, channels]) or (channels,
        height, width), 0 to 255.
    owner : str
    gray : bool
        Whether to return one channel instead of red, green and blue.

    Returns
    -------
    ndarray of shape (height, width, 3 or 1), uint8 or float32

    Raises
    ------
    UnreadableError
        If it is no picture.
    """
    if isinstance(value, np.ndarray):
        return _of_array(value, gray)
    if isinstance(value, (str, os.PathLike, bytes)):
        images = load("PIL.Image", "image", owner)
        try:
            with images.open(io.BytesIO(value) if isinstance(value, bytes) else value) as file:
                return _of_pil(file, gray, owner)
        # PIL raises SyntaxError for broken headers, and its own error for a bomb
        except (OSError, SyntaxError, ValueError, images.DecompressionBombError) as error:
            raise UnreadableError(_reason(error)) from error
    if hasattr(value, "convert") and hasattr(value, "getdata"):
        try:
            return _of_pil(value, gray, owner)
        except (OSError, SyntaxError, ValueError) as error:  # it is read from its file only now
            raise UnreadableError(_reason(error)) from error
    what = "it is missing" if value is None else f"it is of type {type(value).__name__}"
    raise UnreadableError(f"{what}, and must be a file, bytes, a PIL image or an array.")


def resize(picture: np.ndarray, size: tuple[int, int], owner: str) -> np.ndarray:
    """Return a picture of shape (height, width, channels) stretched to another height and width.

    By PIL, bilinear, with all pixels of the old picture counting where the new one is smaller.
    """
    if picture.shape[:2] == size:
        return picture
    images = load("PIL.Image", "image", owner)
    to, how = size[::-1], images.Resampling.BILINEAR
    if picture.dtype == np.uint8 and picture.shape[2] == 3:
        return np.asarray(images.fromarray(np.ascontiguousarray(picture)).resize(to, how))
    layers = [
        np.asarray(images.fromarray(np.ascontiguousarray(layer)).resize(to, how))
        for layer in np.moveaxis(picture, 2, 0)
    ]
    return np.stack(layers, axis=2)


def _of_pil(picture: Any, gray: bool, owner: str) -> np.ndarray:
    picture = load("PIL.ImageOps", "image", owner).exif_transpose(picture)
    if picture.mode.startswith("I;16"):  # of which PIL's own conversion cuts all that is bright
        return _of_array(np.asarray(picture, dtype=np.float32) / _SIXTEEN_TO_EIGHT, gray)
    pixels = np.asarray(picture.convert("L" if gray else "RGB"))
    return pixels[:, :, np.newaxis] if gray else pixels


def _of_array(pixels: np.ndarray, gray: bool) -> np.ndarray:
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    is_picture = pixels.ndim == 3 and pixels.size and pixels.dtype.kind in "biuf"
    if is_picture and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if not is_picture or pixels.shape[2] not in (1, 3, 4):
        raise UnreadableError(
            f"it is an array of {pixels.dtype} of shape {pixels.shape}, and must be numbers of "
            "shape (height, width), or with 1, 3 or 4 channels."
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnreadableError("it has pixels that are missing or infinite.")
    pixels = pixels[:, :, :3]
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    if gray and pixels.shape[2] == 3:  # as PIL weighs them: ITU-R 601-2
        grays = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        return grays[:, :, np.newaxis]
    return pixels if gray or pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _layout(port: Port) -> str:
    """Where an input's channels are, by its shape; first, if that doesn't tell."""
    is_last = port.shape[3] in (1, 3, 4) and port.shape[1] not in (1, 3, 4)
    return "NHWC" if is_last else "NCHW"


def _size(value: Any) -> tuple[int, int] | None:
    """Height and width, or None if it is no size."""
    sides = (value, value) if isinstance(value, Integral) else value
    if not isinstance(sides, (tuple, list)) or len(sides) != 2:
        return None
    if any(not isinstance(side, Integral) or isinstance(side, bool) for side in sides):
        return None
    height, width = int(sides[0]), int(sides[1])
    return (height, width) if min(height, width) >= 1 else None


def _is_numbers(value: Any, *, nonzero: bool = False) -> bool:
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    return bool(values) and all(
        isinstance(v, Real) and np.isfinite(float(v)) and not (nonzero and v == 0) for v in values
    )


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if text.endswith(".") else f"{text}."
