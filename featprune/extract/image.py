"""Pictures as columns of vectors: by a network, or by gradients and pixels without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from featprune.extract.base import Batch, chunks
from featprune.extract.extras import load
from featprune.extract.network import Source
from featprune.extract.onnx import OnnxEmbedder
from featprune.extract.pictures import check_preprocess, open_picture, resize
from featprune.extract.rows import Rows
from featprune.parameters import check_count

# Dalal and Triggs's: nine orientations, cells of 8 pixels, blocks of 2 × 2 cells
_HOG: dict[str, Any] = dict(orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
_LEAST_SIDE = 16


class ImageEmbedder(OnnxEmbedder):
    """Turn pictures into columns of vectors.

    With a model, by it, as :class:`OnnxEmbedder` does. Without one, nothing is downloaded: each
    picture becomes a histogram of oriented gradients and a few grey pixels.

    Parameters
    ----------
    model : str, path, bytes or None, default=None
        An ONNX file, or what stands in one. None: two columns, ``image_hog`` and
        ``image_pixels``.
    size : int or (height, width), default=64
        Without a model: to what pictures are resized for the gradients, at least 16.
    n_pixels : int, default=16
        Without a model: height and width of the grey pixels.
    output, pool, preprocess, batch_size, providers, n_jobs
        With a model: as in :class:`OnnxEmbedder`.
    errors : {"raise", "skip"}, default="raise"
        What becomes of pictures that can't be read: an error that names the row and the file, or
        missing vectors.
    name : str, default=None
        Name of the column; with several ``name_hog`` or ``name_output``. None: "image", and with
        a model the outputs' names.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    widths_ : dict of str to int
        How long the vectors of each column are.

    See Also
    --------
    OnnxEmbedder : For inputs of any kind.

    Notes
    -----
    X is a list, an array, a Series or a frame of one column. A picture is a file, the bytes of
    one, a PIL image, or an array of shape (height, width[, channels]) or (channels, height,
    width) of values 0 to 255, of any size. Files are turned as their EXIF says, and made red,
    green and blue (or grey); what is transparent is not.

    The gradients are those of Dalal and Triggs: 9 orientations in cells of 8 pixels, each block of
    2 × 2 cells made comparable; 1764 numbers at size 64. Pixels are 0 to 1. Cost: about a
    millisecond a picture, beside reading it.

    References
    ----------
    Dalal, N., Triggs, B. (2005). Histograms of oriented gradients for human detection. CVPR,
    886-893. https://doi.org/10.1109/CVPR.2005.177

    Examples
    --------
    >>> import numpy as np
    >>> from featprune.extract import ImageEmbedder
    >>> pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 30), dtype=np.uint8)
    >>> vectors = ImageEmbedder(size=32, n_pixels=4).fit_transform(pictures)
    >>> {name: len(vectors[name][0]) for name in vectors}
    {'image_hog': 324, 'image_pixels': 16}
    """

    _row = "a picture"

    def __init__(
        self,
        model: Source | None = None,
        *,
        size: int | tuple[int, int] = 64,
        n_pixels: int = 16,
        output: str | Sequence[str] | None = None,
        pool: str | None = "auto",
        preprocess: Mapping[str, Any] | Callable[[Any], Any] | None = None,
        batch_size: int = 32,
        providers: Sequence[Any] | None = None,
        n_jobs: int | None = None,
        errors: str = "raise",
        name: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.size = size
        self.n_pixels = n_pixels
        self.output = output
        self.pool = pool
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.providers = providers
        self.n_jobs = n_jobs
        self.errors = errors
        self.name = name
        self.verbose = verbose

    def _check_parameters(self) -> None:
        owner = type(self).__name__
        if self.model is not None:
            super()._check_parameters()
            return
        self._check_shared()
        check_count(self.n_pixels, "n_pixels", owner)
        check_count(self.batch_size, "batch_size", owner)
        sides = self._sides()
        if len(sides) != 2:
            raise ValueError(
                f"The 'size' parameter of {owner} must be an int or (height, width). Got "
                f"{self.size!r} instead."
            )
        for side in sides:
            check_count(side, "size", owner, least=_LEAST_SIDE)
        check_preprocess(self.preprocess, owner)
        if self.output is not None or self.preprocess is not None:
            raise ValueError(
                f"'output' and 'preprocess' of {owner} are for a model, and there is none. Pass "
                "an ONNX file as 'model', or leave them out."
            )

    def _sides(self) -> tuple[Any, ...]:
        return tuple(self.size) if isinstance(self.size, (tuple, list)) else (self.size, self.size)

    def _columns(self) -> list[str]:
        if self.model is not None:
            return super()._columns()
        name = "image" if self.name is None else self.name
        return [f"{name}_hog", f"{name}_pixels"]

    def _batches(self, rows: Rows) -> Iterator[Batch]:
        if self.model is not None:
            yield from super()._batches(rows)
            return
        for idx in chunks(np.arange(len(rows)), self.batch_size):
            readable, made = self._made(rows, idx, self._describe)
            if readable:
                gradients, pixels = (np.stack(part) for part in zip(*made, strict=True))
                yield Batch(np.array(readable), [gradients, pixels])

    def _describe(self, value: Any) -> tuple[np.ndarray, np.ndarray]:
        owner = type(self).__name__
        features = load("skimage.feature", "image", owner)
        picture = open_picture(value, owner, gray=True)
        large = resize(picture, self._sides(), owner)[:, :, 0].astype(np.float32)
        small = resize(picture, (self.n_pixels, self.n_pixels), owner)
        return (
            features.hog(large, **_HOG).astype(np.float32),
            small.astype(np.float32).ravel() / np.float32(255),
        )
