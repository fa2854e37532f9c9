"""Sound as numbers: read, brought to one rate, and looked at by bands of the mel scale."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from featprune.extract.extras import load
from featprune.extract.rows import UnreadableError

# a window of 25 ms moved by 10 ms, as is usual for speech
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010
# silence is 100 dB below a power of 1
_LEAST_POWER = 1e-10
# Slaney's mel scale: linear up to 1000 Hz, 15 mels, and 27 mels for a factor of 6.4 above
_HZ_A_MEL = 200.0 / 3
_LINEAR_HZ, _LINEAR_MELS = 1000.0, 15.0
_LOG_STEP = math.log(6.4) / 27.0


def read_sound(value: Any, rate: int, owner: str) -> tuple[np.ndarray, int]:
    """Return the samples of a recording, and how many there are a second.

    Parameters
    ----------
    value : str, path, array or (array, rate)
        A file that libsndfile reads, or samples of shape (n_samples,) or (n_samples, n_channels):
        floats, or ints of up to 32 bits, of which the largest possible one is 1.
    rate : int
        That of an array which comes without.
    owner : str

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        The mean over channels.
    rate : int

    Raises
    ------
    UnreadableError
        If it is no sound, is cut off, or has no samples.
    """
    if isinstance(value, (str, os.PathLike)):
        samples, rate = _read_file(value, owner)
    elif isinstance(value, tuple) and len(value) == 2 and np.ndim(value[1]) == 0:
        samples, rate = np.asarray(value[0]), value[1]
        if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate < 1:
            raise UnreadableError(f"its rate must be an int >= 1, and is {rate!r}.")
    elif isinstance(value, (np.ndarray, list)):
        samples = np.asarray(value)
    else:
        what = "it is missing" if value is None else f"it is of type {type(value).__name__}"
        raise UnreadableError(f"{what}, and must be a file, an array or (array, rate).")
    return _mono(samples), int(rate)


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Return the samples at another rate, what is too high for it filtered out.

    By a polyphase filter (scipy's resample_poly); 1 sample stays 1 at least.
    """
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    return resample_poly(samples, to // common, rate // common).astype(np.float32)


def mel_filters(rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Return what each band takes of each frequency, shape (n_mels, n_fft // 2 + 1).

    Triangles of equal area, at equal distances on Slaney's mel scale from 0 to ``rate / 2``; see
    the Auditory Toolbox (Slaney 1998).
    """
    top = _to_mels(rate / 2)
    edges = _to_hz(np.linspace(0.0, top, n_mels + 2))
    frequencies = np.fft.rfftfreq(n_fft, 1.0 / rate)
    low, centre, high = edges[:-2, np.newaxis], edges[1:-1, np.newaxis], edges[2:, np.newaxis]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * 2.0 / (high - low)


def log_mel(samples: np.ndarray, rate: int, n_mels: int) -> np.ndarray:
    """Return the logarithm of the power in each band, window by window.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
    rate : int
        Samples a second.
    n_mels : int

    Returns
    -------
    ndarray of shape (n_mels, n_windows), float32
        Natural logarithm; ``n_windows = 1 + n_samples // hop``.

    Notes
    -----
    Hann windows centred on every tenth millisecond, zeros beyond both ends; the spectrum of each
    at the next power of two.
    """
    window, hop = window_and_hop(rate)
    n_fft = 1 << (window - 1).bit_length()
    padded = np.pad(samples.astype(np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    shape = np.zeros(n_fft)
    start = (n_fft - window) // 2
    shape[start : start + window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.square(np.abs(np.fft.rfft(frames * shape, axis=1)))
    bands = mel_filters(rate, n_fft, n_mels) @ power.T
    return np.log(np.maximum(bands, _LEAST_POWER)).astype(np.float32)


def window_and_hop(rate: int) -> tuple[int, int]:
    """Return how long a window is, and by how much it moves, in samples."""
    return max(2, round(WINDOW_SECONDS * rate)), max(1, round(HOP_SECONDS * rate))


def cepstrum(bands: np.ndarray, n_mfcc: int) -> np.ndarray:
    """Return the mel frequency cepstral coefficients, shape (n_mfcc, n_windows).

    The first ones of the orthonormal cosine transform over bands of :func:`log_mel`.
    """
    from scipy.fft import dct

    return dct(bands, axis=0, norm="ortho")[:n_mfcc]


def statistics(bands: np.ndarray) -> np.ndarray:
    """Return mean and deviation of each band, and those of its changes, shape (4 * n_bands,)."""
    bands = bands.astype(np.float64)
    changes = np.diff(bands, axis=1) if bands.shape[1] > 1 else np.zeros_like(bands)
    parts = [f(part, axis=1) for part in (bands, changes) for f in (np.mean, np.std)]
    return np.concatenate(parts).astype(np.float32)


def stretch(bands: np.ndarray, n_windows: int) -> np.ndarray:
    """Return the bands in another number of windows, shape (n_bands, n_windows).

    Each is the mean over its part of the time, between windows by a straight line.
    """
    n_old = bands.shape[1]
    # the integral of a step function is linear between steps
    ends = np.linspace(0.0, n_old, n_windows + 1)
    sums = np.concatenate([np.zeros((len(bands), 1)), np.cumsum(bands, axis=1, dtype=float)], 1)
    at_ends = np.stack([np.interp(ends, np.arange(n_old + 1), row) for row in sums])
    return (np.diff(at_ends, axis=1) * (n_windows / n_old)).astype(np.float32)


def _read_file(file: str | os.PathLike[str], owner: str) -> tuple[np.ndarray, int]:
    soundfile = load("soundfile", "speech", owner)
    try:
        _refuse_cut_off(file)
        return soundfile.read(os.fspath(file), dtype="float32")
    except (OSError, RuntimeError, TypeError) as error:  # libsndfile's are RuntimeErrors
        raise UnreadableError(f"{str(error).rstrip('.')}.") from error


def _refuse_cut_off(file: str | os.PathLike[str]) -> None:
    """Raise if a WAV file is shorter than it says; libsndfile takes what is there."""
    with open(file, "rb") as content:
        head = content.read(12)
        there = content.seek(0, os.SEEK_END)
    said = int.from_bytes(head[4:8], "little")
    # of a stream that was never ended, the length is 0 or all ones
    if head[:4] == b"RIFF" and said not in (0, 0xFFFFFFFF) and said + 8 > there + 1:
        raise UnreadableError(f"it is cut off: {said + 8} bytes were written, {there} are there.")


def _mono(samples: np.ndarray) -> np.ndarray:
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        raise UnreadableError(
            f"it is an array of {samples.dtype} of shape {samples.shape}, and must be numbers of "
            "shape (n_samples,) or (n_samples, n_channels)."
        )
    if samples.dtype.kind in "iu" and samples.dtype.itemsize > 4:  # 16 bits in 64, most likely
        raise UnreadableError(
            f"its samples are of {samples.dtype}, of which nothing is the loudest: make them "
            "floats in [-1, 1], or int16."
        )
    if not samples.size:
        raise UnreadableError("it has no samples.")
    if samples.dtype.kind == "u":  # unsigned ones are silent in the middle
        half = np.iinfo(samples.dtype).max / 2 + 0.5
        samples = (samples - half) / half
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    if not np.isfinite(samples).all():
        raise UnreadableError("it has samples that are missing or infinite.")
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    return mono.astype(np.float32)


def _to_mels(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz / _HZ_A_MEL
    return _LINEAR_MELS + math.log(hz / _LINEAR_HZ) / _LOG_STEP


def _to_hz(mels: np.ndarray) -> np.ndarray:
    above = _LINEAR_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _LINEAR_MELS) - _LINEAR_MELS))
    return np.where(mels < _LINEAR_MELS, mels * _HZ_A_MEL, above)
