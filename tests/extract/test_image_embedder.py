"""Pictures as vectors without a model; with one it is OnnxEmbedder."""

import sys

import numpy as np
import pandas as pd
import pytest
from onnx_graphs import convolution
from PIL import Image
from skimage.feature import hog

from featprune.extract import ImageEmbedder, OnnxEmbedder

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 20, 30), dtype=np.uint8)


def test_gradients_and_pixels_are_scikit_images_and_pils():
    frame = ImageEmbedder(size=(16, 24), n_pixels=3).fit_transform(PICTURES)
    for picture, gradients, pixels in zip(
        PICTURES, frame["image_hog"], frame["image_pixels"], strict=True
    ):
        image, how = Image.fromarray(picture), Image.Resampling.BILINEAR
        large = np.asarray(image.resize((24, 16), how)).astype(float)
        expected = hog(large, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
        np.testing.assert_allclose(gradients, expected, atol=1e-6)
        small = np.asarray(image.resize((3, 3), how)).ravel() / 255
        np.testing.assert_allclose(pixels, small, atol=1e-6)


def test_pictures_of_differing_size_are_vectors_of_one_length():
    rows = [PICTURES[0], PICTURES[1][:7, :9], Image.fromarray(PICTURES[2])]
    embedder = ImageEmbedder().fit(rows)
    assert embedder.widths_ == {"image_hog": 1764, "image_pixels": 256}
    assert [len(v) for v in embedder.transform(rows)["image_hog"]] == [1764] * 3


def test_a_constant_picture_has_no_gradient():
    frame = ImageEmbedder(name="black").fit_transform(np.zeros((2, 9, 9), dtype=np.uint8))
    assert list(frame) == ["black_hog", "black_pixels"]
    assert not frame["black_hog"][0].any()


def test_pictures_that_cannot_be_read_are_named_or_skipped(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(PICTURES[0]).save(good)
    bad.write_bytes(b"no picture")
    rows = pd.Series([str(good), str(bad), np.nan], index=list("abc"))
    with pytest.raises(ValueError, match=r"ImageEmbedder can't read row 1 \(.*bad\.png\): cannot"):
        ImageEmbedder().fit_transform(rows)
    frame = ImageEmbedder(errors="skip", batch_size=1).fit_transform(rows)
    assert frame["image_hog"].isna().tolist() == frame["image_pixels"].isna().tolist()
    assert frame["image_hog"].isna().tolist() == [False, True, True]
    assert list(frame.index) == list("abc")


def test_with_a_model_it_is_the_onnx_embedder():
    colours = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    found = ImageEmbedder(convolution()).fit_transform(colours)
    expected = OnnxEmbedder(convolution()).fit_transform(colours)
    assert np.array_equal(np.stack(found["relu"]), np.stack(expected["relu"]))


@pytest.mark.parametrize("rows", [[], PICTURES[:0], pd.Series([], dtype=str)], ids=type)
def test_no_pictures_are_refused(rows):
    with pytest.raises(ValueError, match=r"X has no rows: ImageEmbedder .*Pass a picture a row"):
        ImageEmbedder().fit(rows)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 8}, "'size' parameter of ImageEmbedder must be an int >= 16. Got 8"),
        ({"size": (1, 2, 3)}, r"an int or \(height, width\)"),
        ({"n_pixels": 0}, "'n_pixels' parameter"),
        ({"output": "x"}, "are for a model, and there is none"),
        ({"preprocess": {"size": 9}}, "are for a model, and there is none"),
        ({"errors": "warn"}, "'errors' parameter"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_used_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        ImageEmbedder(**options).fit(PICTURES)


@pytest.mark.parametrize("module", ["skimage.feature", "PIL.Image"])
def test_a_missing_package_is_answered_by_the_pip_line(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'featprune\[image\]'"):
        ImageEmbedder().fit(PICTURES)
