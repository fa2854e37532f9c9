"""The code in notebooks/recipes.md, with networks of true architecture and random weights."""

import importlib
import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnx_graphs import pyramid

from featprune import PCASelector
from featprune.extract import ImageEmbedder, OnnxEmbedder

RECIPES = Path(__file__).parent.parent.parent / "notebooks" / "recipes.md"
LEVELS = ["p3", "p4", "p5", "p6", "p7"]
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def recipe(number):
    """Names that a block of Python makes."""
    blocks = re.findall(r"```python\n(.*?)```", RECIPES.read_text(), flags=re.DOTALL)
    names = {}
    exec(compile(blocks[number], RECIPES.name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A file of the detector's size: 31 million weights."""
    file = tmp_path_factory.mktemp("models") / "fcos.onnx"
    file.write_bytes(pyramid())
    return file


def test_the_levels_of_a_pyramid_are_columns_of_vectors(detector):
    embedder = ImageEmbedder(
        detector,
        output=LEVELS,
        preprocess={"mean": [123.675, 116.28, 103.53], "scale": [58.395, 57.12, 57.375]},
        batch_size=2,
    )
    table = embedder.fit_transform(PICTURES)
    assert embedder.widths_ == dict.fromkeys(LEVELS, 256)
    assert all(np.isfinite(np.stack(table[level])).all() for level in LEVELS)
    groups = {"fine": ["p3", "p4"], "coarse": ["p5", "p6", "p7"]}
    kept = PCASelector(1, feature_groups=groups).fit(table).get_feature_names_out().tolist()
    assert kept in groups.values()


def test_tensors_inside_the_backbone_are_had_by_torchvisions_names(detector):
    name = "/body/layer3/layer3.5/Add_output_0"
    embedder = OnnxEmbedder(detector, output=[name, "/fpn/Add/p3"], pool="max").fit(PICTURES[:1])
    assert embedder.widths_ == {name: 1024, "/fpn/Add/p3": 256}
    with pytest.raises(ValueError, match=r"most alike first: '/body/layer3/layer3.0/Add_output_0'"):
        OnnxEmbedder(detector, output="/body/layer3/layer3.6/Add_output_0").fit(PICTURES[:1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_torchvisions_own_detector_is_exported(tmp_path):
    if any(find_spec(package) is None for package in ("torch", "torchvision", "onnxscript")):
        pytest.skip(
            "torch, torchvision and onnxscript, which are too large for CI, are not all here"
        )
    torch = importlib.import_module("torch")
    models = importlib.import_module("torchvision.models.detection")
    torch.manual_seed(0)
    net = models.fcos_resnet50_fpn(weights=None, weights_backbone=None).eval()
    file = tmp_path / "fcos.onnx"
    assert recipe(0)["export_pyramid"](net, file, size=(64, 64)) == LEVELS
    table = OnnxEmbedder(file, output=LEVELS).fit_transform(PICTURES)
    rows = torch.tensor(PICTURES.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        expected = list(net.backbone(rows).values())
    for level, maps in zip(LEVELS, expected, strict=True):
        means = maps.mean(dim=(2, 3)).numpy()
        np.testing.assert_allclose(np.stack(table[level]), means, atol=1e-4 * np.abs(means).max())


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "tensorflow", reason="exports by itself")
def test_vgg_from_keras_gives_the_vectors_of_keras(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    net = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    top = keras.layers.Flatten(name="flatten")(net.output)
    top = keras.layers.Dense(20, activation="relu", name="fc1")(top)
    top = keras.layers.Dense(3, activation="softmax", name="predictions")(top)
    net = keras.Model(net.input, top)
    file = tmp_path / "vggface.onnx"
    recipe(1)["export_plain_network"](net, file)
    faces = [picture[:50, :40] for picture in PICTURES]
    options = {"channels": "BGR", "mean": [93.594, 104.7624, 129.1863]}
    embedder = ImageEmbedder(
        file, output=["block5_pool", "fc1", "predictions"], preprocess=options, name="face"
    )
    table = embedder.fit_transform(faces)
    assert embedder.widths_ == {"face_block5_pool": 512, "face_fc1": 20, "face_predictions": 3}

    from PIL import Image

    sized = [Image.fromarray(face).resize((32, 32), Image.Resampling.BILINEAR) for face in faces]
    rows = np.stack(sized).astype(np.float32)[..., ::-1] - np.float32(options["mean"])
    outputs = [net.get_layer(name).output for name in ("block5_pool", "fc1", "predictions")]
    maps, fc1, predictions = keras.Model(net.input, outputs).predict(rows, verbose=0)
    for name, expected in (("block5_pool", maps.mean(axis=(1, 2))), ("fc1", fc1),
                           ("predictions", predictions)):  # fmt: skip
        found = np.stack(table[f"face_{name}"])
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_a_layer_that_the_recipe_does_not_know_is_named(tmp_path):
    import keras

    net = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Rescaling(2.0)])
    with pytest.raises(ValueError, match="does not know Rescaling"):
        recipe(1)["export_plain_network"](net, tmp_path / "net.onnx")
