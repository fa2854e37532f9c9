"""Pictures of all kinds as arrays, against PIL and arithmetic."""

import io

import numpy as np
import pytest
from PIL import Image

from featprune.extract.network import Port
from featprune.extract.pictures import (
    check_preprocess,
    make_plan,
    normalise,
    open_picture,
    prepare,
    resize,
)
from featprune.extract.rows import UnreadableError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
FREE = Port("image", np.float32, (None, 3, None, None))


def saved(folder, **options):
    file = folder / "picture.png"
    Image.fromarray(PIXELS).save(file, **options)
    return file


@pytest.mark.parametrize(
    "kind", ["path", "str", "bytes", "PIL", "array", "channels first", "alpha"]
)
def test_a_picture_is_the_same_however_it_comes(kind, tmp_path):
    file = saved(tmp_path)
    made = {
        "path": file,
        "str": str(file),
        "bytes": file.read_bytes(),
        "PIL": Image.fromarray(PIXELS),
        "array": PIXELS,
        "channels first": PIXELS.transpose(2, 0, 1),
        "alpha": np.dstack([PIXELS, np.full((6, 5), 9, dtype=np.uint8)]),
    }
    assert np.array_equal(open_picture(made[kind], "Test"), PIXELS)


@pytest.mark.parametrize("kind", ["PIL", "array"])
def test_grey_is_weighed_as_pil_does(kind):
    picture = Image.fromarray(PIXELS) if kind == "PIL" else PIXELS
    found = open_picture(picture, "Test", gray=True)
    expected = np.asarray(Image.fromarray(PIXELS).convert("L"), dtype=float)
    np.testing.assert_allclose(found[:, :, 0], expected, atol=1)


def test_grey_pictures_are_repeated_for_colour():
    grey = open_picture(PIXELS[:, :, 0], "Test")
    assert grey.shape == (6, 5, 3)
    assert (grey == PIXELS[:, :, :1]).all()


def test_sixteen_bits_are_scaled_to_eight():
    deep = Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257)
    assert np.allclose(open_picture(deep, "Test", gray=True)[:, :, 0], PIXELS[:, :, 0])


def test_a_photo_is_turned_as_its_exif_says():
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees
    Image.fromarray(PIXELS).save(content, "PNG", exif=exif)
    found = open_picture(content.getvalue(), "Test")
    assert np.array_equal(found, np.rot90(PIXELS, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resizing_is_pils(dtype):
    expected = np.asarray(Image.fromarray(PIXELS).resize((3, 2), Image.Resampling.BILINEAR))
    found = resize(PIXELS.astype(dtype), (2, 3), "Test")
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=0 if dtype == np.uint8 else 1)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_values_are_scaled_and_laid_out(layout, channels):
    options = {"mean": [1, 2, 3], "scale": [4, 5, 6], "channels": channels, "layout": layout}
    plan = make_plan(Port("image", np.float32, (None,) * 4), options, "Test")
    found = prepare(PIXELS, plan, "Test")
    assert found.dtype == np.float32
    for k, letter in enumerate(channels):
        source = PIXELS[:, :, "RGB".index(letter)].astype(float)
        layer = found[k] if layout == "NCHW" else found[:, :, k]
        np.testing.assert_allclose(layer, (source - [1, 2, 3][k]) / [4, 5, 6][k], rtol=1e-6)
    batch = normalise(np.stack([PIXELS[:, :, ::-1] if channels == "BGR" else PIXELS] * 2), plan,
                      channels_last=True)  # fmt: skip
    assert np.array_equal(batch[1], found)


@pytest.mark.parametrize(
    ("shape", "size", "channels", "last"),
    [
        ((None, 3, 20, 30), (20, 30), "RGB", False),
        ((1, 20, 30, 3), (20, 30), "RGB", True),
        ((None, 1, 20, 30), (20, 30), "L", False),
        ((None, 20, 30, 1), (20, 30), "L", True),
        ((None, 3, None, None), None, "RGB", False),
        ((None, None, None, None), None, "RGB", False),
    ],
)
def test_the_plan_is_read_off_the_input(shape, size, channels, last):
    plan = make_plan(Port("image", np.float32, shape), None, "Test")
    assert (plan.size, plan.channels, plan.channels_last) == (size, channels, last)


def test_a_size_is_for_what_the_model_leaves_free():
    assert make_plan(FREE, {"size": 32}, "Test").size == (32, 32)
    assert make_plan(FREE, {"size": (32, 16)}, "Test").size == (32, 16)
    fixed = Port("image", np.float32, (None, 3, 20, 20))
    with pytest.raises(ValueError, match=r"height 20: .*Got size=32 in 'preprocess' of Test"):
        make_plan(fixed, {"size": 32}, "Test")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 0}, "'size': 0"),
        ({"size": (1, 2, 3)}, "'size'"),
        ({"size": True}, "'size'"),
        ({"scale": 0}, "'scale': 0"),
        ({"scale": [1, "a"]}, "'scale'"),
        ({"mean": np.nan}, "'mean'"),
        ({"mean": []}, "'mean'"),
        ({"channels": "GBR"}, "'channels': 'GBR'"),
        ({"layout": "HWC"}, "'layout'"),
        ({"std": 1}, "'std': 1"),
    ],
    ids=str,
)
def test_a_dict_with_something_else_in_it_is_refused(options, match):
    with pytest.raises(ValueError, match=rf"'preprocess' parameter of Test may have.*Got {match}"):
        check_preprocess(options, "Test")


def test_what_is_no_dict_is_refused():
    with pytest.raises(TypeError, match="must be None, a callable or a dict"):
        check_preprocess("RGB", "Test")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"channels": "L"}, "1 channel.s., L, and the model takes 3"),
        ({"mean": [1, 2]}, "one for each of the 3 channel.s. of RGB. Got 2"),
    ],
)
def test_a_plan_that_is_not_the_models_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        make_plan(FREE, options, "Test")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("nowhere.png", "No such file"),
        (b"no picture", "cannot identify image file"),
        (b"", "cannot identify image file"),
        (None, "it is missing"),
        (3, "it is of type int"),
        (np.zeros((5, 5, 7)), r"shape \(5, 5, 7\)"),
        (np.zeros(4), r"shape \(4,\)"),
        (np.zeros((0, 4)), r"shape \(0, 4, 1\)"),
        (np.full((4, 4), np.nan), "missing or infinite"),
        (np.array([["a"]]), "must be numbers"),
    ],
)
def test_what_is_no_picture_is_unreadable(value, match):
    with pytest.raises(UnreadableError, match=match):
        open_picture(value, "Test")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
def test_a_truncated_file_is_unreadable(kind, share):
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, kind)
    with pytest.raises(UnreadableError):
        open_picture(content.getvalue()[: int(share * content.tell())], "Test")
