"""Rows through any ONNX model."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from onnx import TensorProto, helper
from onnx_graphs import FLOAT, convolution, layers, model_of
from PIL import Image

from featprune import SVMRFE
from featprune.extract import OnnxEmbedder
from featprune.extract.network import load_network
from featprune.progress import listening

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
PICTURES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def vectors(frame, name=None):
    return np.stack(list(frame[frame.columns[0] if name is None else name]))


def mean_of_map(pictures, **shape):
    """The means that `convolution` gives of pictures laid out as it takes them."""
    model = load_network(convolution(**shape), "Test")
    maps = model.run({"image": np.ascontiguousarray(pictures, dtype=np.float32)})[0]
    return maps.mean(axis=(1, 2) if shape.get("channels_last") else (2, 3))


def test_every_output_is_a_column_of_vectors():
    model, hidden, second = layers()
    frame = OnnxEmbedder(model, output=["y", "hidden"]).fit_transform(X)
    assert list(frame.columns) == ["y", "hidden"]
    np.testing.assert_allclose(vectors(frame, "hidden"), hidden(X), atol=1e-6)
    np.testing.assert_allclose(vectors(frame, "y"), hidden(X) @ second, atol=1e-5)
    assert frame["y"][0].dtype == np.float32


def test_the_first_output_is_taken_where_none_is_named():
    model, hidden, second = layers()
    frame = OnnxEmbedder(model).fit_transform(X)
    assert list(frame.columns) == ["y"]
    np.testing.assert_allclose(vectors(frame), hidden(X) @ second, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "name", "names"),
    [
        (None, "a", ["a"]),
        ("hidden", "a", ["a"]),
        (["hidden", "y"], "a", ["a_hidden", "a_y"]),
        (["hidden", "y"], None, ["hidden", "y"]),
    ],
)
def test_columns_are_called_by_name_and_output(output, name, names):
    embedder = OnnxEmbedder(layers()[0], output=output, name=name).fit(X)
    assert embedder.get_feature_names_out().tolist() == names == list(embedder.transform(X))


@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_results_do_not_depend_on_the_batch_size(batch):
    model = layers(batch=batch)[0]
    expected = vectors(OnnxEmbedder(model, batch_size=100).fit_transform(X))
    for batch_size in (1, 2, 7):
        found = OnnxEmbedder(model, batch_size=batch_size).fit_transform(X)
        np.testing.assert_allclose(vectors(found), expected, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [list, pd.DataFrame, pl.DataFrame, np.asarray, lambda X: X.astype(np.float64)],
    ids=["list", "pandas", "polars", "array", "doubles"],
)
def test_numbers_may_come_in_any_table(make):
    model, hidden, _ = layers()
    before = make(X.copy())
    made = make(X)
    found = OnnxEmbedder(model, output="hidden").fit_transform(made)
    np.testing.assert_allclose(vectors(found), hidden(X), atol=1e-6)
    assert isinstance(found, pl.DataFrame if isinstance(made, pl.DataFrame) else pd.DataFrame)
    assert np.array_equal(np.asarray(made), np.asarray(before))


def test_the_index_of_a_frame_is_kept():
    frame = pd.DataFrame(X, index=list("gfedcba"))
    assert list(OnnxEmbedder(layers()[0]).fit_transform(frame).index) == list("gfedcba")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_selectors_take_the_columns_as_they_are(library):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    table = OnnxEmbedder(layers()[0], output=["hidden", "y"]).fit_transform(
        pd.DataFrame(rows) if library == "pandas" else pl.DataFrame(rows)
    )
    selector = SVMRFE(n_features_to_select=3, embeddings="dimensions")
    shorter = selector.fit(table, rows[:, 0] > 0).transform(table)
    assert sum(mask.sum() for mask in selector.embedding_support_.values()) == 3
    assert sum(len(shorter[name][0]) for name in shorter.columns) == 3


@pytest.mark.parametrize("pool", ["auto", "mean", "max", "spatial", None])
@pytest.mark.parametrize("channels_last", [False, True], ids=["NCHW", "NHWC"])
def test_maps_are_pooled_wherever_their_channels_are(pool, channels_last):
    shape = ("n", 8, 8, 3) if channels_last else ("n", 3, 8, 8)
    model = convolution(shape, channels_last=channels_last)
    embedder = OnnxEmbedder(model, output=["relu", "back"], pool=pool)
    frame = embedder.fit_transform(PICTURES)
    if pool is None:
        assert embedder.widths_ == {"relu": 320, "back": 320}
    else:
        np.testing.assert_allclose(vectors(frame, "relu"), vectors(frame, "back"), rtol=1e-5)
        assert embedder.widths_["relu"] == (64 if pool == "spatial" else 5)


@pytest.mark.parametrize("kind", ["arrays", "layout", "floats", "list", "PIL", "files", "frame"])
def test_pictures_may_come_in_any_way(kind, tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(len(PICTURES))]
    for file, picture in zip(files, PICTURES, strict=True):
        Image.fromarray(picture).save(file)
    made = {
        "arrays": PICTURES,
        "layout": PICTURES.transpose(0, 3, 1, 2),
        "floats": PICTURES.astype(float),
        "list": list(PICTURES),
        "PIL": [Image.fromarray(picture) for picture in PICTURES],
        "files": files,
        "frame": pd.DataFrame({"file": [str(file) for file in files]}, index=list("edcba")),
    }[kind]
    frame = OnnxEmbedder(convolution(), batch_size=2).fit_transform(made)
    expected = mean_of_map(PICTURES.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(vectors(frame), expected, rtol=1e-4)
    if kind == "frame":
        assert list(frame.index) == list("edcba")


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_the_model_gets_the_type_that_it_takes(dtype):
    frame = OnnxEmbedder(convolution(input_type=dtype)).fit_transform(PICTURES)
    expected = mean_of_map(PICTURES.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(vectors(frame), expected, rtol=1e-3)


def test_pictures_of_differing_size_are_resized_to_the_models():
    small = np.asarray(Image.fromarray(PICTURES[0]).resize((5, 6)))
    back = np.asarray(Image.fromarray(small).resize((8, 8), Image.Resampling.BILINEAR))
    frame = OnnxEmbedder(convolution()).fit_transform([PICTURES[0], small, PICTURES[1]])
    expected = mean_of_map(np.stack([PICTURES[0], back, PICTURES[1]]).transpose(0, 3, 1, 2))
    np.testing.assert_allclose(vectors(frame), expected, rtol=1e-4)


def test_without_a_size_each_picture_keeps_its_own():
    free = ("n", 3, None, None)
    wide = [PICTURES[0], PICTURES[1][:5], PICTURES[2], PICTURES[3][:5]]
    frame = OnnxEmbedder(convolution(free)).fit_transform(wide)
    for row, picture in zip(vectors(frame), wide, strict=True):
        expected = mean_of_map(picture.transpose(2, 0, 1)[np.newaxis], shape=free)[0]
        np.testing.assert_allclose(row, expected, rtol=1e-4)
    with pytest.raises(ValueError, match=r"vectors of length 320 and of length 200 .* 'pool'"):
        OnnxEmbedder(convolution(free), pool=None).fit_transform(wide)
    resized = OnnxEmbedder(convolution(free), pool=None, preprocess={"size": 4}).fit(wide)
    assert resized.widths_ == {"relu": 5 * 4 * 4}


@pytest.mark.parametrize("kind", ["list", "arrays", "layout"])
@pytest.mark.parametrize("channels_last", [False, True], ids=["NCHW", "NHWC"])
def test_a_dict_says_how_values_are_scaled(kind, channels_last):
    mean, scale = np.float32([1, 2, 3]), np.float32([4, 5, 6])
    expected = (PICTURES[..., ::-1].astype(np.float32) - mean) / scale
    last = {"shape": ("n", 8, 8, 3), "channels_last": True} if channels_last else {}
    expected = mean_of_map(expected if channels_last else expected.transpose(0, 3, 1, 2), **last)
    model = convolution(**last)
    rows = {
        "list": list(PICTURES),
        "arrays": PICTURES,
        "layout": PICTURES if channels_last else PICTURES.transpose(0, 3, 1, 2),
    }[kind]
    options = {"mean": mean.tolist(), "scale": scale.tolist(), "channels": "BGR"}
    frame = OnnxEmbedder(model, preprocess=options).fit_transform(rows)
    np.testing.assert_allclose(vectors(frame), expected, rtol=1e-3)


def test_a_callable_makes_of_a_row_what_the_model_takes():
    model, hidden, _ = layers()
    embedder = OnnxEmbedder(model, output="hidden", preprocess=lambda row: X[row["i"]])
    frame = embedder.fit_transform([{"i": 3}, {"i": 0}])
    np.testing.assert_allclose(vectors(frame), hidden(X[[3, 0]]), atol=1e-6)


def test_a_callable_feeds_models_of_several_inputs():
    model = model_of(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        [("a", FLOAT, ["n", 2]), ("b", FLOAT, ["n", 2])],
        [("y", FLOAT, ["n", 2])],
    )
    with pytest.raises(ValueError, match=r"takes 2 inputs: 'a' of shape .* callable 'preprocess'"):
        OnnxEmbedder(model).fit(X)
    add = OnnxEmbedder(model, preprocess=lambda row: {"a": row[:2], "b": row[1:]})
    np.testing.assert_allclose(vectors(add.fit_transform(X)), X[:, :2] + X[:, 1:])
    with pytest.raises(ValueError, match=r"for each of the inputs \['a', 'b'\]. Got \['a'\]"):
        OnnxEmbedder(model, preprocess=lambda row: {"a": row[:2]}).fit(X)
    with pytest.raises(ValueError, match=r"takes 'b' of shape \(\?, 2\).*shape \(1,\)"):
        OnnxEmbedder(model, preprocess=lambda row: {"a": row[:2], "b": row[:1]}).fit(X)


def test_rows_that_cannot_be_read_are_named_or_skipped(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(PICTURES[0]).save(good)
    bad.write_bytes(good.read_bytes()[:60])
    rows = [bad, good, None]
    with pytest.raises(ValueError, match=r"can't read row 0 \(.*bad\.png\): .*errors='skip'"):
        OnnxEmbedder(convolution()).fit(rows)
    embedder = OnnxEmbedder(convolution(), errors="skip").fit(rows)
    frame = embedder.transform(rows)
    assert frame["relu"].isna().tolist() == [True, False, True]
    assert embedder.transform([bad])["relu"].isna().all()
    in_polars = embedder.transform(pl.DataFrame({"file": [str(bad), str(good), None]}))
    assert in_polars["relu"].is_null().to_list() == [True, False, True]
    assert embedder.transform(pl.Series([str(bad)]))["relu"].is_null().all()
    with pytest.raises(ValueError, match="None of the 2 rows of X can be read"):
        OnnxEmbedder(convolution(), errors="skip").fit([bad, None])


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (X[:, :2], r"takes 'x' of shape \(\?, 3\), the rows first. Got rows of shape \(2,\)"),
        (X[0], r"Got rows of shape \(\)"),
        ([[1, 2, 3], [1, 2]], "no such arrays"),
        (np.array([["a", "b", "c"]]), "no such arrays"),
        (X[:0], "X has no rows"),
        ([], "X has no rows"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "X has 2 columns: 'a', 'b'. Choose one"),
    ],
    ids=["narrow", "one row", "ragged", "words", "no rows", "empty list", "frame of words"],
)
def test_rows_of_another_shape_are_refused(rows, match):
    with pytest.raises(ValueError, match=match):
        OnnxEmbedder(layers()[0]).fit_transform(rows)


@pytest.mark.parametrize("rows", ["one.png", 3, None, {"a": 1}], ids=str)
def test_what_is_no_list_of_rows_is_refused(rows):
    with pytest.raises(TypeError, match=r"X must be a list.*Pass one row as \[row\]"):
        OnnxEmbedder(layers()[0]).fit(rows)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"pool": "median"}, ValueError, "'pool' parameter of OnnxEmbedder must be 'auto' or"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter of OnnxEmbedder must be an int"),
        ({"n_jobs": 0}, ValueError, "'n_jobs' parameter"),
        ({"errors": "ignore"}, ValueError, "'errors' parameter .* 'raise' or 'skip'"),
        ({"verbose": 1}, ValueError, "'verbose' parameter"),
        ({"name": 3}, TypeError, "'name' parameter"),
        ({"output": []}, ValueError, "'output' parameter"),
        ({"output": 3}, ValueError, "'output' parameter"),
        ({"output": ["y", "y"]}, ValueError, "different names"),
        ({"preprocess": {"size": 8}}, ValueError, r"is for pictures, and the model takes 'x'"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_used_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        OnnxEmbedder(layers()[0], **options).fit(X)


@pytest.mark.parametrize("kind", ["words", "no rows"])
def test_outputs_that_are_no_vectors_are_refused(kind):
    nodes = {
        "words": [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)],
        "no rows": [helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)],
    }[kind]
    model = model_of(nodes, [("x", FLOAT, ["n", 3])], [("y", TensorProto.STRING, None)]
                     if kind == "words" else [("y", FLOAT, None)])  # fmt: skip
    match = "is no tensor of numbers" if kind == "words" else "needs one part a row"
    with pytest.raises(ValueError, match=match):
        OnnxEmbedder(model).fit(X)


def test_progress_is_told_by_rows():
    told = []
    with listening(lambda *one: told.append(one)):
        OnnxEmbedder(layers()[0], batch_size=3).fit_transform(X)
    assert told == [("OnnxEmbedder: rows", done, 7) for done in (3, 6, 7)]


def test_a_file_that_is_written_anew_is_loaded_anew(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(layers(seed=0)[0])
    embedder = OnnxEmbedder(file)
    before = vectors(embedder.fit_transform(X))
    assert embedder._network() is embedder._network()
    file.write_bytes(layers(seed=1)[0])
    assert not np.allclose(before, vectors(embedder.transform(X)))
