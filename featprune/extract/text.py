"""Text as a column of vectors: by a sentence encoder, or by latent semantic analysis."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from featprune.extract.base import Batch, chunks
from featprune.extract.extras import load
from featprune.extract.network import Network, Port, Source, check_source
from featprune.extract.networked import Networked
from featprune.extract.pool import pool, pool_tokens
from featprune.extract.rows import Rows
from featprune.parameters import check_choice, check_count

_ANALYZERS = ("word", "char", "char_wb")
# of which progress is told without a model
_ROWS_AT_A_TIME = 1000
# what sentence encoders call their inputs
_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class TextEmbedder(Networked):
    """Turn texts into a column of vectors.

    With a model and its tokenizer, by that sentence encoder. Without, nothing is downloaded: the
    weights of words (tf-idf) are reduced to a few dimensions, latent semantic analysis.

    Parameters
    ----------
    model : str, path, bytes or None, default=None
        An ONNX file of an encoder with inputs ``input_ids``, ``attention_mask`` and, if it has
        them, ``token_type_ids``; or what stands in one.
    tokenizer : str, path or tokenizers.Tokenizer, default=None
        The encoder's tokenizer, a file ``tokenizer.json``.
    max_length : int, default=128
        Tokens of a text that the encoder sees; those that come later are cut off.
    output, batch_size, providers, n_jobs
        With a model: as in :class:`OnnxEmbedder`.
    pool : {"auto", "mean", "max", "cls"}, default="auto"
        What becomes of an encoder's tokens: "auto" is their mean, "cls" the first one. What fills
        short texts up doesn't count.
    n_components : int, default=100
        Without a model: how long the vectors are, if the texts have so many words and rows.
    analyzer : {"word", "char", "char_wb"}, default="word"
        Without a model: what is counted; of "char_wb", parts of words.
    ngram_range : (int, int), default=(1, 2)
        Without a model: how many of them in a row are counted as one, at least and at most.
    max_features : int, default=50_000
        Without a model: how many different ones are counted, the most frequent ones.
    random_state : int, RandomState or None, default=None
        Without a model: seed of the reduction.
    name : str, default=None
        Name of the column; with several outputs ``name_output``. None: "text", and with a model
        the outputs' names.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    widths_ : dict of str to int
        How long the vectors of each column are.
    vectorizer_, reduction_ : TfidfVectorizer and TruncatedSVD
        Without a model: as fitted.

    Notes
    -----
    X is a list, an array, a Series or a frame of one column. A missing text counts as an empty
    one, which has a vector, too: without a model all zeros, with one what the encoder makes of it.

    Texts go to the encoder sorted by length, so that little is filled up, and come back in their
    order.

    Without a model, `fit` learns words and reduction from its rows. The weights themselves, one
    column a word, are scikit-learn's TfidfVectorizer; its sparse matrix goes into
    :class:`featprune.SVMRFE` as it is. Frequencies count by their logarithm
    (``sublinear_tf=True``). Each vector is of length 1, as their angles are what tells.

    References
    ----------
    Deerwester, S. et al. (1990). Indexing by latent semantic analysis. Journal of the American
    Society for Information Science 41, 391-407.
    https://doi.org/10.1002/(SICI)1097-4571(199009)41:6%3C391::AID-ASI1%3E3.0.CO;2-9

    Examples
    --------
    >>> from featprune.extract import TextEmbedder
    >>> texts = ["the cat sat", "the cat ran", "a dog barked", ""]
    >>> vectors = TextEmbedder(n_components=2, random_state=0).fit_transform(texts)
    >>> len(vectors), vectors["text"][0].shape, vectors["text"][3].tolist()
    (4, (2,), [0.0, 0.0])
    """

    _row = "a text"

    def __init__(
        self,
        model: Source | None = None,
        *,
        tokenizer: Any = None,
        max_length: int = 128,
        output: str | Sequence[str] | None = None,
        pool: str | None = "auto",
        batch_size: int = 32,
        providers: Sequence[Any] | None = None,
        n_jobs: int | None = None,
        n_components: int = 100,
        analyzer: str = "word",
        ngram_range: tuple[int, int] = (1, 2),
        max_features: int | None = 50_000,
        random_state: Any = None,
        name: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.output = output
        self.pool = pool
        self.batch_size = batch_size
        self.providers = providers
        self.n_jobs = n_jobs
        self.n_components = n_components
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.max_features = max_features
        self.random_state = random_state
        self.name = name
        self.verbose = verbose

    def _check_parameters(self) -> None:
        self._check_shared()
        self._check_network()
        owner = type(self).__name__
        check_choice(self.pool, "pool", owner, ("auto", "mean", "max", "cls"))
        check_count(self.max_length, "max_length", owner)
        check_count(self.n_components, "n_components", owner)
        check_choice(self.analyzer, "analyzer", owner, _ANALYZERS)
        if self.max_features is not None:
            check_count(self.max_features, "max_features", owner)
        if self.model is not None:
            check_source(self.model, owner)
        if (self.model is None) != (self.tokenizer is None):
            lacks, has = (
                ("tokenizer", "model") if self.tokenizer is None else ("model", "tokenizer")
            )
            raise ValueError(
                f"{owner} needs a model and its tokenizer, or none of them. Got {has!r} without "
                f"{lacks!r}."
            )
        least, most = _pair(self.ngram_range, owner)
        check_count(least, "ngram_range", owner)
        check_count(most, "ngram_range", owner, least=least)

    def _check_before_transform(self) -> None:
        if self.model is None:
            check_is_fitted(self, "reduction_")
        self._check_parameters()

    def _columns(self) -> list[str]:
        if self.model is not None:
            return self._names_of_outputs(self.name)
        return ["text" if self.name is None else self.name]

    def _learn(self, rows: Rows) -> None:
        if self.model is not None:
            return
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(
            analyzer=self.analyzer,
            ngram_range=tuple(self.ngram_range),
            max_features=self.max_features,
            sublinear_tf=True,
            dtype=np.float32,
        )
        try:
            weights = vectorizer.fit_transform(self._texts(rows))
        except ValueError:  # of an empty vocabulary
            weights = np.zeros((len(rows), 0), dtype=np.float32)
        if weights.shape[1] < 2:  # scikit-learn reduces no single column
            raise ValueError(
                f"{type(self).__name__} finds {weights.shape[1]} different things to count in the "
                f"{len(rows)} text(s) of X, and needs two. Pass other texts, or another 'analyzer'."
            )
        n_components = min(self.n_components, *weights.shape)
        reduction = TruncatedSVD(n_components, random_state=self.random_state)
        with np.errstate(invalid="ignore"):  # equal texts have no variance to explain a share of
            self.reduction_ = reduction.fit(weights)
        self.vectorizer_ = vectorizer

    def _batches(self, rows: Rows) -> Iterator[Batch]:
        texts = self._texts(rows)
        if self.model is None:
            for idx in chunks(np.arange(len(texts)), _ROWS_AT_A_TIME):
                weights = self.vectorizer_.transform(texts[idx[0] : idx[-1] + 1])
                yield Batch(idx, [_to_length_one(self.reduction_.transform(weights))])
            return
        network = self._network()
        self._check_inputs(network)
        tokenizer, filling = self._loaded_tokenizer()
        codes = tokenizer.encode_batch(texts)
        longest_last = np.argsort([len(code.ids) for code in codes], kind="stable")
        for idx in chunks(longest_last, self.batch_size):
            some = [codes[i] for i in idx]
            feeds = {
                port.name: _filled(some, port, filling if port.name == "input_ids" else 0)
                for port in network.inputs
            }
            yield Batch(idx, self._embed(network, feeds))

    def _check_inputs(self, network: Network) -> None:
        names = [port.name for port in network.inputs]
        if "input_ids" not in names or not set(names) <= set(_INPUTS):
            raise ValueError(
                f"The model {network.name} must take input_ids, and may take attention_mask and "
                f"token_type_ids. It takes {names}. Rename its inputs, or pass OnnxEmbedder a "
                "callable 'preprocess'."
            )

    def _pooled(
        self, network: Network, name: str, values: np.ndarray, feeds: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        if values.ndim != 3:
            return pool(values, self.pool)
        mask = feeds.get("attention_mask", np.ones(values.shape[:2], dtype=np.int64))
        return pool_tokens(values, mask, self.pool)

    def _texts(self, rows: Rows) -> list[str]:
        texts = ["" if _is_missing(value) else value for value in rows.values]
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(
                    f"{type(self).__name__} takes texts, and row {i} is of type "
                    f"{type(text).__name__}. Convert the column by astype(str), or drop it."
                )
        return texts

    def _loaded_tokenizer(self) -> Any:
        owner = type(self).__name__

        def make() -> Any:
            return _load_tokenizer(self.tokenizer, self.max_length, owner)

        return self._kept("tokenizer", (self.tokenizer, self.max_length), make)


def _load_tokenizer(tokenizer: Any, max_length: int, owner: str) -> tuple[Any, int]:
    """A tokenizer of our own that cuts texts off, and the token that fills them up."""
    tokenizers = load("tokenizers", "text", owner)
    if isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
    elif not isinstance(tokenizer, (str, os.PathLike)):
        raise TypeError(
            f"The 'tokenizer' parameter of {owner} must be the path of a tokenizer.json, or a "
            f"tokenizers.Tokenizer. Got {tokenizer!r} instead."
        )
    elif not Path(tokenizer).is_file():
        raise FileNotFoundError(
            f"The 'tokenizer' parameter of {owner} must be a file, tokenizer.json, and "
            f"{str(tokenizer)!r} is none."
        )
    else:
        try:
            tokenizer = tokenizers.Tokenizer.from_file(os.fspath(tokenizer))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ValueError(
                f"The 'tokenizer' parameter of {owner} must be a file in the format of "
                f"tokenizer.json, and {str(tokenizer)!r} is not: {error}."
            ) from error
    names = [tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>")]
    filling = tokenizer.padding["pad_id"] if tokenizer.padding else names[0] or names[1] or 0
    tokenizer.no_padding()
    try:
        tokenizer.enable_truncation(max_length)
    except Exception as error:  # tokenizers raises nothing narrower
        raise ValueError(
            f"The 'max_length' parameter of {owner} must leave room for the tokens that the "
            f"tokenizer adds to each text. Got {max_length} instead: {error}."
        ) from error
    return tokenizer, filling


def _filled(codes: Sequence[Any], port: Port, filling: int) -> np.ndarray:
    """What an input takes of each token, filled up, shape (n_texts, n_tokens)."""
    longest = max(len(code.ids) for code in codes)
    # a network can't run on no token at all
    filled = np.full((len(codes), max(1, longest)), filling, dtype=port.dtype)
    for row, code in zip(filled, codes, strict=True):
        row[: len(code.ids)] = getattr(code, _INPUTS[port.name])
    return filled


def _to_length_one(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _pair(value: Any, owner: str) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(
            f"The 'ngram_range' parameter of {owner} must be two ints, as (1, 2). Got {value!r} "
            "instead."
        )
    return value[0], value[1]
