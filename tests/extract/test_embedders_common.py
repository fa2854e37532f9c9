"""What every embedder keeps to."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from onnx_graphs import convolution, encoder, layers
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from test_text_embedder import TEXTS, WORDS, words_tokenizer

import featprune.extract
from featprune import SVMRFE
from featprune.extract import (
    ImageEmbedder,
    OnnxEmbedder,
    SpeechEmbedder,
    TextEmbedder,
    ToMatrix,
)

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(6, 3)).astype(np.float32)
PICTURES = list(RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8))
SOUNDS = list(RNG.normal(size=(6, 900)))

EMBEDDERS = {
    "OnnxEmbedder": (OnnxEmbedder(layers()[0], output=["hidden", "y"]), list(NUMBERS)),
    "ImageEmbedder": (ImageEmbedder(size=16, n_pixels=2), PICTURES),
    "ImageEmbedder, model": (ImageEmbedder(convolution()), PICTURES),
    "TextEmbedder": (TextEmbedder(n_components=2, random_state=0), TEXTS),
    "TextEmbedder, model": (
        TextEmbedder(encoder(len(WORDS))[0], tokenizer=words_tokenizer()),
        TEXTS,
    ),
    "SpeechEmbedder": (SpeechEmbedder(sample_rate=8000, n_mels=5), SOUNDS),
}
every_embedder = pytest.mark.parametrize(
    ("embedder", "rows"), EMBEDDERS.values(), ids=EMBEDDERS.keys()
)


def matrix(frame):
    columns = [np.stack(list(frame[name])) for name in frame.columns]
    return np.hstack(columns)


@every_embedder
def test_a_clone_and_a_pickle_do_the_same(embedder, rows):
    fitted = clone(embedder).fit(rows)
    expected = matrix(fitted.transform(rows))
    for copy in (
        clone(fitted).fit(rows),
        pickle.loads(pickle.dumps(fitted)),
        joblib.Parallel(1)([joblib.delayed(lambda one: one)(fitted)])[0],
    ):
        assert np.array_equal(matrix(copy.transform(rows)), expected)
    assert "_loaded" not in pickle.loads(pickle.dumps(fitted)).__dict__


@every_embedder
def test_rows_are_independent_of_each_other(embedder, rows):
    fitted = clone(embedder).fit(rows)
    expected = matrix(fitted.transform(rows))
    one_by_one = np.vstack([matrix(fitted.transform([row])) for row in rows])
    np.testing.assert_allclose(one_by_one, expected, atol=1e-4)
    if "batch_size" in fitted.get_params():
        found = matrix(clone(embedder).set_params(batch_size=4).fit(rows).transform(rows))
        np.testing.assert_allclose(found, expected, atol=1e-4)


@every_embedder
def test_columns_and_widths_are_known_after_fit(embedder, rows):
    fitted = clone(embedder).fit(rows)
    frame = fitted.transform(rows)
    assert list(frame.columns) == fitted.get_feature_names_out().tolist() == list(fitted.widths_)
    assert [len(frame[name][0]) for name in frame] == list(fitted.widths_.values())
    assert all(frame[name][0].dtype == np.float32 for name in frame)


@every_embedder
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_the_library_asked_for(embedder, rows, library):
    frame = clone(embedder).set_output(transform=library).fit_transform(rows)
    assert isinstance(frame, pd.DataFrame if library == "pandas" else pl.DataFrame)
    assert np.array_equal(matrix(frame), matrix(clone(embedder).fit_transform(rows)))


@every_embedder
def test_nothing_is_assigned_but_parameters(embedder, rows):
    fresh = clone(embedder)
    assert set(vars(fresh)) == set(fresh.get_params(deep=False))
    before = repr(fresh.get_params())
    fresh.fit(rows).transform(rows)
    assert repr(fresh.get_params()) == before
    tags = get_tags(fresh)
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit


@every_embedder
def test_zero_rows_are_refused(embedder, rows):
    with pytest.raises(ValueError, match="X has no rows"):
        clone(embedder).fit([])
    with pytest.raises(ValueError, match="X has no rows"):
        clone(embedder).fit(rows).transform([])


@every_embedder
def test_verbose_shows_a_bar_on_standard_error(embedder, rows, capsys):
    clone(embedder).set_params(verbose=True).fit(rows).transform(rows)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "rows" in captured.err


def test_from_raw_rows_to_a_classifier_in_one_pipeline():
    y = np.arange(60) % 2
    pictures = np.random.default_rng(0).integers(0, 60, (60, 16, 16), dtype=np.uint8)
    pictures[y == 1, :8] += 90
    pipe = make_pipeline(
        ImageEmbedder(size=16, n_pixels=4),
        SVMRFE(n_features_to_select=20, embeddings="dimensions"),
        ToMatrix(),
        LogisticRegression(),
    )
    assert pipe.fit(pictures, y).score(pictures, y) == 1.0
    assert pipe[-1].n_features_in_ == 20
    grid = GridSearchCV(pipe, {"imageembedder__n_pixels": [1, 4]}, cv=2)
    assert grid.fit(pictures, y).best_score_ > 0.9


def test_a_column_of_a_frame_is_embedded_beside_others():
    frame = pd.DataFrame({"text": TEXTS, "age": np.arange(6.0)})
    both = ColumnTransformer(
        [("text", TextEmbedder(n_components=2, random_state=0), "text")],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    found = both.fit_transform(frame)
    assert list(found) == ["text", "age"]
    assert found["text"][0].shape == (2,)


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, featprune.extract; dir(featprune.extract);"
        "heavy = {'sklearn', 'numpy', 'onnx', 'onnxruntime', 'PIL', 'skimage', 'soundfile'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_there():
    for name in featprune.extract.__all__:
        assert getattr(featprune.extract, name).__name__ == name
    assert issubclass(featprune.extract.OnnxEmbedder, BaseEstimator)
    with pytest.raises(AttributeError, match="no attribute 'VideoEmbedder'"):
        _ = featprune.extract.VideoEmbedder
