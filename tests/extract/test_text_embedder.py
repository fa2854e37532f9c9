"""Texts as vectors: latent semantic analysis against an exact one, encoders against loops."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from onnx_graphs import encoder
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from featprune.extract import TextEmbedder

TEXTS = ["the cat sat", "a dog ran", "the cat ran far", "", "one dog sat on the cat", "far"]
WORDS = ["[PAD]", "[CLS]", "a", "cat", "dog", "far", "on", "one", "ran", "sat", "the"]


def words_tokenizer(first="[CLS]"):
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if first:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, WORDS.index(first))]
        )
    return tokenizer


def vectors(frame, name="text"):
    return np.stack(list(frame[name]))


def encoded(table, text, how="mean", most=99):
    ids = [WORDS.index(word) for word in ["[CLS]", *text.split()]][:most]
    return {"mean": np.mean, "max": np.max, "cls": lambda v, axis: v[0]}[how](table[ids], axis=0)


def test_without_a_model_vectors_are_those_of_the_exact_decomposition():
    found = vectors(TextEmbedder(n_components=3, random_state=0).fit_transform(TEXTS))
    weights = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(TEXTS).toarray()
    left, values, _ = np.linalg.svd(weights, full_matrices=False)
    exact = left[:, :3] * values[:3]
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    exact /= np.where(lengths > 1e-9, lengths, 1)
    signs = np.sign((exact * found).sum(axis=0))
    np.testing.assert_allclose(found, exact * signs, atol=1e-4)
    assert not found[3].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(found, 3, axis=0), axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    one, other = (
        vectors(TextEmbedder(n_components=2, random_state=7).fit_transform(TEXTS)) for _ in "12"
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("n_components", [1, 3, 500])
def test_vectors_are_no_longer_than_rows_and_words(n_components):
    embedder = TextEmbedder(n_components=n_components, random_state=0).fit(TEXTS)
    assert embedder.widths_["text"] == min(n_components, len(TEXTS))
    assert vectors(embedder.transform(["new words", "cat"])).shape[1] == embedder.widths_["text"]


@pytest.mark.parametrize("texts", [["cat dog"], ["cat dog"] * 2, ["cat dog", ""]], ids=str)
def test_two_words_are_enough(texts):
    found = vectors(TextEmbedder(random_state=0).fit_transform(texts))
    np.testing.assert_allclose(np.abs(found[0]), [1.0, 0.0][: found.shape[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "n_found"), [([""], 0), (["", None], 0), (["!", "?"], 0), (["cat", ""], 1)], ids=str
)
def test_texts_of_fewer_words_are_refused(texts, n_found):
    match = rf"finds {n_found} different things to count in the {len(texts)} text\(s\) of X"
    with pytest.raises(ValueError, match=match):
        TextEmbedder().fit(texts)


def test_parts_of_words_may_be_counted():
    embedder = TextEmbedder(analyzer="char_wb", ngram_range=(2, 3), random_state=0).fit(TEXTS)
    assert {len(part) for part in embedder.vectorizer_.vocabulary_} == {2, 3}


@pytest.mark.parametrize("kind", ["list", "array", "Series", "frame", "polars", "missing"])
def test_texts_may_come_in_any_way(kind):
    gaps = [text or None for text in TEXTS]
    made = {
        "list": TEXTS,
        "array": np.array(TEXTS)[:, np.newaxis],
        "Series": pd.Series(TEXTS, index=list("fedcba")),
        "frame": pd.DataFrame({"a": TEXTS}),
        "polars": pl.DataFrame({"a": TEXTS}),
        "missing": pd.Series(gaps, dtype="string"),
    }[kind]
    embedder = TextEmbedder(n_components=2, random_state=0)
    expected = vectors(embedder.fit_transform(TEXTS))
    frame = embedder.fit_transform(made)
    assert np.array_equal(vectors(frame), expected)
    if kind == "Series":
        assert list(frame.index) == list("fedcba")


@pytest.mark.parametrize("how", ["auto", "mean", "max", "cls"])
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_with_a_model_tokens_are_pooled_text_by_text(how, batch_size):
    model, table = encoder(len(WORDS))
    embedder = TextEmbedder(
        model, tokenizer=words_tokenizer(), pool=how, batch_size=batch_size, name="text"
    )
    found = vectors(embedder.fit_transform(TEXTS))
    expected = [encoded(table, text, "mean" if how == "auto" else how) for text in TEXTS]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_long_texts_are_cut_off():
    model, table = encoder(len(WORDS))
    embedder = TextEmbedder(model, tokenizer=words_tokenizer(), max_length=3)
    assert embedder.fit(TEXTS).get_feature_names_out().tolist() == ["vectors"]
    found = vectors(embedder.transform(TEXTS), "vectors")
    np.testing.assert_allclose(found, [encoded(table, t, most=3) for t in TEXTS], atol=1e-6)


def test_a_text_of_no_token_is_all_zeros():
    model, _ = encoder(len(WORDS))
    embedder = TextEmbedder(model, tokenizer=words_tokenizer(first=None))
    assert not embedder.fit_transform([""])["vectors"][0].any()


def test_the_tokenizer_is_read_from_its_file_and_never_changed(tmp_path):
    tokenizer = words_tokenizer()
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    before = tokenizer.to_str()
    model, _ = encoder(len(WORDS), names=("input_ids", "attention_mask", "token_type_ids"))
    one = TextEmbedder(model, tokenizer=file).fit_transform(TEXTS)
    other = TextEmbedder(model, tokenizer=tokenizer).fit_transform(TEXTS)
    assert np.array_equal(vectors(one, "vectors"), vectors(other, "vectors"))
    assert tokenizer.to_str() == before


def test_a_tokenizer_that_cannot_be_had_is_refused(tmp_path):
    model, _ = encoder(len(WORDS))
    (tmp_path / "bad.json").write_text("{}")
    for tokenizer, error, match in (
        (tmp_path / "none.json", FileNotFoundError, "none.json' is none"),
        (tmp_path / "bad.json", ValueError, "in the format of tokenizer.json"),
        (3, TypeError, "must be the path of a tokenizer.json"),
    ):
        with pytest.raises(error, match=match):
            TextEmbedder(model, tokenizer=tokenizer).fit(TEXTS)


def test_a_model_of_other_inputs_is_refused():
    model, _ = encoder(len(WORDS), names=("tokens", "mask"))
    with pytest.raises(ValueError, match=r"must take input_ids.*It takes \['tokens', 'mask'\]"):
        TextEmbedder(model, tokenizer=words_tokenizer()).fit(TEXTS)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"pool": "spatial"}, "'pool' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"analyzer": "line"}, "'analyzer' parameter"),
        ({"ngram_range": (2, 1)}, "'ngram_range' parameter of TextEmbedder must be an int >= 2"),
        ({"ngram_range": 2}, "must be two ints"),
        ({"max_features": 0}, "'max_features' parameter"),
        ({"max_length": 0}, "'max_length' parameter"),
        ({"tokenizer": words_tokenizer()}, "Got 'tokenizer' without 'model'"),
        ({"model": encoder(3)[0]}, "Got 'model' without 'tokenizer'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_parameters_that_cannot_be_used_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        TextEmbedder(**options).fit(TEXTS)


def test_a_row_that_is_no_text_is_named():
    with pytest.raises(TypeError, match="takes texts, and row 1 is of type int"):
        TextEmbedder().fit(["a cat", 3])


def test_nothing_is_transformed_before_words_are_learned():
    with pytest.raises(NotFittedError):
        TextEmbedder().transform(TEXTS)
    model, _ = encoder(len(WORDS))
    embedder = TextEmbedder(model, tokenizer=words_tokenizer())
    assert vectors(embedder.transform(TEXTS), "vectors").shape == (6, 3)


def test_a_missing_package_is_answered_by_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    model, _ = encoder(len(WORDS))
    with pytest.raises(ImportError, match=r"pip install 'featprune\[text\]'"):
        TextEmbedder(model, tokenizer="tokenizer.json").fit(TEXTS)
