"""Pooling, against loops."""

import numpy as np
import pytest

from featprune.extract.pool import pool, pool_tokens

MAPS = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
TOKENS = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(np.float32)


def each_channel(maps, function):
    return np.array([[function(channel) for channel in row] for row in maps], dtype=np.float32)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("auto", each_channel(MAPS, np.mean)),
        ("mean", each_channel(MAPS, np.mean)),
        ("max", each_channel(MAPS, np.max)),
        ("spatial", each_channel(MAPS.reshape(2, 3, 20).transpose(0, 2, 1), np.mean)),
        (None, MAPS.reshape(2, 60)),
    ],
    ids=str,
)
def test_maps_become_one_vector_a_row(how, expected):
    pooled = pool(MAPS, how)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    if how is not None:
        turned = pool(MAPS.transpose(0, 2, 3, 1), how, channels_last=True)
        np.testing.assert_allclose(turned, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("auto", TOKENS.mean(axis=1)),
        ("max", TOKENS.max(axis=1)),
        ("cls", TOKENS[:, 0]),
        ("spatial", TOKENS.mean(axis=2)),
    ],
)
def test_tokens_become_one_vector_a_row(how, expected):
    np.testing.assert_allclose(pool(TOKENS, how), expected, atol=1e-6)


@pytest.mark.parametrize("how", ["auto", "mean", "max", "cls", "spatial", None])
def test_vectors_are_as_they_are(how):
    vectors = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(pool(vectors, how), vectors)
    assert pool(np.array([1, 2]), how).tolist() == [[1.0], [2.0]]


def test_there_is_no_first_token_in_a_map():
    with pytest.raises(ValueError, match=r"pool='cls'.*rows are of shape \(3, 4, 5\)"):
        pool(MAPS, "cls")


@pytest.mark.parametrize("how", ["auto", "mean", "max", "cls"])
def test_what_fills_up_does_not_count(how):
    mask = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])
    pooled = pool_tokens(TOKENS, mask, how)
    for row, tokens, n in zip(pooled, TOKENS, mask.sum(axis=1), strict=True):
        np.testing.assert_allclose(row, pool(tokens[np.newaxis, :n], how)[0], atol=1e-6)


def test_a_text_of_no_token_is_all_zeros():
    assert not pool_tokens(TOKENS, np.zeros((2, 6)), "mean").any()
