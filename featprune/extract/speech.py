"""Recordings as a column of vectors: by bands of the mel scale, or by a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from featprune.extract.base import Batch, by_shape, chunks
from featprune.extract.network import Port, Source, check_source
from featprune.extract.networked import Networked
from featprune.extract.rows import Rows
from featprune.extract.sound import cepstrum, log_mel, read_sound, resample, statistics, stretch
from featprune.parameters import check_choice, check_count

_FEATURES = ("logmel", "mfcc", "waveform")
_LAYOUTS = ("statistics", "grid")


class SpeechEmbedder(Networked):
    """Turn recordings of any length and rate into a column of vectors.

    Without a model, nothing is downloaded: each recording becomes the statistics of its mel bands,
    or a grid of them. With a model, the bands, or the samples, go through it.

    Parameters
    ----------
    model : str, path, bytes or None, default=None
        An ONNX file, or what stands in one.
    sample_rate : int, default=16000
        To how many samples a second recordings are brought.
    array_rate : int, default=None
        Samples a second of arrays that come without a rate. None: `sample_rate`.
    features : {"logmel", "mfcc", "waveform"}, default="logmel"
        What is made of the samples: the logarithm of the power in each mel band; its cosine
        transform; nothing, which only a model takes.
    n_mels : int, default=40
        How many bands.
    n_mfcc : int, default=20
        How many coefficients of the cosine transform, up to `n_mels`.
    layout : {"statistics", "grid"}, default="statistics"
        Without a model: mean and deviation over time of each band and of its changes from window
        to window; or all bands in `n_windows` windows.
    n_windows : int, default=50
        Of a grid.
    output, pool, batch_size, providers, n_jobs
        With a model: as in :class:`OnnxEmbedder`.
    errors : {"raise", "skip"}, default="raise"
        What becomes of recordings that can't be read or have no samples: an error that names the
        row and the file, or missing vectors. Silence is a recording.
    name : str, default=None
        Name of the column; with several outputs ``name_output``. None: "speech", and with a model
        the outputs' names.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    widths_ : dict of str to int
        How long the vectors of each column are.

    Notes
    -----
    X is a list, an array, a Series or a frame of one column. A recording is a file (WAV, FLAC,
    OGG and whatever libsndfile reads), an array of shape (n_samples,) or (n_samples, n_channels),
    or a pair (array, rate). Ints of up to 32 bits count as parts of the largest one; channels are
    averaged.

    Windows are 25 ms long and 10 ms apart. Natural logarithms, of powers of at least 1e-10: the
    bands of silence are all -23.03. A vector of statistics is, of all bands, first the means, then
    the deviations, then those of the changes; a grid is band after band.

    A model takes (n_bands, n_windows) or (n_windows, n_bands), whichever its input's shape says,
    with a channel's dimension before or not; if it leaves that open, the former. Where it takes a
    fixed number of windows or samples, recordings are cut off there, or filled up with silence.

    The bands are those of librosa (``librosa.feature.melspectrogram`` with ``pad_mode="constant"``)
    to rounding, as the tests say, made by numpy and scipy alone; resampling is scipy's.
    Cost: about 2 ms a second of sound.

    References
    ----------
    Davis, S., Mermelstein, P. (1980). Comparison of parametric representations for monosyllabic
    word recognition in continuously spoken sentences. IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 357-366. https://doi.org/10.1109/TASSP.1980.1163420

    Examples
    --------
    >>> import numpy as np
    >>> from featprune.extract import SpeechEmbedder
    >>> seconds = np.arange(8000) / 8000
    >>> low, high = (np.sin(2 * np.pi * hz * seconds) for hz in (200, 2000))
    >>> embedder = SpeechEmbedder(sample_rate=8000, n_mels=10)
    >>> vectors = embedder.fit_transform([low, (high, 8000)])
    >>> [int(vector[:10].argmax()) for vector in vectors["speech"]]
    [0, 7]
    """

    _row = "a recording"

    def __init__(
        self,
        model: Source | None = None,
        *,
        sample_rate: int = 16_000,
        array_rate: int | None = None,
        features: str = "logmel",
        n_mels: int = 40,
        n_mfcc: int = 20,
        layout: str = "statistics",
        n_windows: int = 50,
        output: str | Sequence[str] | None = None,
        pool: str | None = "auto",
        batch_size: int = 32,
        providers: Sequence[Any] | None = None,
        n_jobs: int | None = None,
        errors: str = "raise",
        name: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.sample_rate = sample_rate
        self.array_rate = array_rate
        self.features = features
        self.n_mels = n_mels
        self.n_mfcc = n_mfcc
        self.layout = layout
        self.n_windows = n_windows
        self.output = output
        self.pool = pool
        self.batch_size = batch_size
        self.providers = providers
        self.n_jobs = n_jobs
        self.errors = errors
        self.name = name
        self.verbose = verbose

    def _check_parameters(self) -> None:
        self._check_shared()
        self._check_network()
        owner = type(self).__name__
        for parameter in ("sample_rate", "n_mels", "n_mfcc", "n_windows"):
            check_count(getattr(self, parameter), parameter, owner)
        if self.array_rate is not None:
            check_count(self.array_rate, "array_rate", owner)
        check_choice(self.layout, "layout", owner, _LAYOUTS)
        check_choice(self.features, "features", owner, _FEATURES)
        if self.features == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(
                f"The 'n_mfcc' parameter of {owner} must be an int <= n_mels={self.n_mels}. Got "
                f"{self.n_mfcc} instead."
            )
        if self.model is not None:
            check_source(self.model, owner)
        elif self.features == "waveform":
            raise ValueError(
                f"features='waveform' of {owner} is for a model, and there is none. Pass an ONNX "
                "file as 'model', or features='logmel'."
            )

    def _columns(self) -> list[str]:
        if self.model is not None:
            return self._names_of_outputs(self.name)
        return ["speech" if self.name is None else self.name]

    def _batches(self, rows: Rows) -> Iterator[Batch]:
        network = None if self.model is None else self._network()
        for idx in chunks(np.arange(len(rows)), self.batch_size):
            if network is None:
                readable, made = self._made(rows, idx, self._describe)
                if readable:
                    yield Batch(np.array(readable), [np.stack(made)])
                continue
            port = self._only_input(network)
            readable, made = self._made(rows, idx, partial(self._fed, port))
            for part, stacked in by_shape(readable, made):
                feeds = {port.name: stacked.astype(port.dtype, copy=False)}
                yield Batch(part, self._embed(network, feeds))

    def _describe(self, value: Any) -> np.ndarray:
        """A recording as a vector of one length."""
        bands = self._hear(value)
        if self.layout == "statistics":
            return statistics(bands)
        return stretch(bands, self.n_windows).ravel()

    def _hear(self, value: Any) -> np.ndarray:
        """The bands of a recording, or its samples as one band."""
        rate = self.sample_rate if self.array_rate is None else self.array_rate
        samples, rate = read_sound(value, rate, type(self).__name__)
        return self._bands(resample(samples, rate, self.sample_rate))

    def _bands(self, samples: np.ndarray) -> np.ndarray:
        if self.features == "waveform":
            return samples[np.newaxis]
        bands = log_mel(samples, self.sample_rate, self.n_mels)
        return bands if self.features == "logmel" else cepstrum(bands, self.n_mfcc)

    def _fed(self, port: Port, value: Any) -> np.ndarray:
        """A recording in the shape of one row of the model's input."""
        heard = self._hear(value)
        shape, n_bands = port.shape[1:], len(heard)
        silence = self._bands(np.zeros(1, dtype=np.float32))[:, :1]
        if self.features == "waveform" and len(shape) in (1, 2):
            cut = _to_length(heard, shape[-1], silence)
            return cut[0] if len(shape) == 1 else cut
        if self.features != "waveform" and len(shape) in (2, 3):
            turned = shape[-1] == n_bands and shape[-2] != n_bands
            cut = _to_length(heard, shape[-2 if turned else -1], silence)
            cut = cut.T if turned else cut
            return cut if len(shape) == 2 else cut[np.newaxis]
        raise ValueError(
            f"The model of {type(self).__name__} takes {port}, and a recording with "
            f"features={self.features!r} is of shape {heard.shape}. Pass a model of such rows, or "
            "OnnxEmbedder a callable 'preprocess'."
        )


def _to_length(heard: np.ndarray, length: int | None, silence: np.ndarray) -> np.ndarray:
    """Cut a recording off, or fill it up, if a length is given."""
    if length is None:
        return heard
    cut = heard[:, :length]
    return np.hstack([cut, np.repeat(silence, length - cut.shape[1], axis=1)])
