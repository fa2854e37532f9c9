"""The tables that are raced on: real ones from FEATPRUNE_DATA, and drawn ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler


def real(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardised columns and the labels of a data set, as ``genes/dm_alon``."""
    X, y = _raw(name)
    return StandardScaler().fit_transform(X), y


def real_sparse(name: str) -> tuple[Any, np.ndarray]:
    """Return columns of variance 1 whose zeros stay zeros, as CSR, and the labels."""
    X, y = _raw(name)
    return sparse.csr_array(StandardScaler(with_mean=False).fit_transform(sparse.csr_matrix(X))), y


def sms() -> tuple[np.ndarray, np.ndarray]:
    """Return dense tf-idf of the 5000 most frequent parts of words of sms_spam, and its labels."""
    frame = pd.read_parquet(_path("text/sms_spam.parquet"))
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=5000)
    return parts.fit_transform(frame["text"]).toarray(), (frame["label"] == "spam").to_numpy(int)


def madelon() -> tuple[np.ndarray, np.ndarray]:
    """Return the first 2000 rows of madelon."""
    X, y = _raw("classics/madelon")
    return StandardScaler().fit_transform(X[:2000]), y[:2000]


def drawn(n: int, p: int, *, n_true: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return normal columns, standardised, and labels that `n_true` of them decide, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    weights = np.zeros(p)
    weights[rng.choice(p, size=n_true, replace=False)] = rng.uniform(0.5, 1.5, size=n_true)
    score = X @ weights
    y = (score + 0.5 * score.std() * rng.standard_normal(n) > 0).astype(int)
    # in place: a copy of a million rows is a gigabyte
    return StandardScaler(copy=False).fit_transform(X), y


def curved(n: int, p: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return normal columns, standardised, and labels by the length of ten of them."""
    X = np.random.default_rng(seed).standard_normal((n, p))
    length = np.square(X[:, :10]).sum(axis=1)
    return StandardScaler().fit_transform(X), (length > np.median(length)).astype(int)


def _raw(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(_path(f"{name}.npz"), allow_pickle=False) as content:
        return content["X"].astype(np.float64), content["y"]


def _path(name: str) -> Path:
    folder = os.environ.get("FEATPRUNE_DATA")
    if not folder:
        sys.exit(
            "FEATPRUNE_DATA is not set. It names the folder that holds data/, with the real tables "
            f"(here data/{name}). Without it: tall, square, rbf_200, first_call, growth."
        )
    file = Path(folder, "data", name)
    if not file.exists():
        sys.exit(f"{file} is not there. FEATPRUNE_DATA must name the folder that holds data/.")
    return file


def planted(n: int, p: int, *, n_true: int = 20, seed: int = 0) -> np.ndarray:
    """Return the columns that decide the labels of `drawn`."""
    rng = np.random.default_rng(seed)
    rng.standard_normal((n, p))
    # the order in which `drawn` draws: the weights before their places
    rng.uniform(0.5, 1.5, size=n_true)
    return np.sort(rng.choice(p, size=n_true, replace=False))


def madelon_parts() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the 2000 training rows of madelon and their labels, and its 600 validation rows."""
    X, y = _raw("classics/madelon")
    return X[:2000], y[:2000], X[2000:], y[2000:]


def frame(name: str, target: str, n_rows: int | None = None) -> tuple[pd.DataFrame, pd.Series]:
    """Return the columns of a real table as they are, and its target; of `n_rows` drawn rows."""
    table = pd.read_parquet(_path(f"tables/{name}.parquet"))
    table = table[table[target].notna()]
    if n_rows is not None:
        table = table.sample(n_rows, random_state=0)
    return table.drop(columns=target).reset_index(drop=True), table[target].reset_index(drop=True)


def vectors(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of a data set as they are, in double precision, and their labels."""
    return _raw(name)
