"""Sound as numbers, against librosa's formulas spelled out, and against librosa where it is."""

import numpy as np
import pytest
from scipy.fft import dct

from featprune.extract.rows import UnreadableError
from featprune.extract.sound import (
    cepstrum,
    log_mel,
    mel_filters,
    read_sound,
    resample,
    statistics,
    stretch,
    window_and_hop,
)

NOISE = np.random.default_rng(0).normal(size=4000).astype(np.float32)


def slow_log_mel(samples, rate, n_mels):
    """Window by window, frequency by frequency."""
    window, hop = window_and_hop(rate)
    n_fft = 1
    while n_fft < window:
        n_fft *= 2
    padded = np.concatenate([np.zeros(n_fft // 2), samples, np.zeros(n_fft // 2)])
    hann = np.zeros(n_fft)
    for i in range(window):
        hann[(n_fft - window) // 2 + i] = np.sin(np.pi * i / window) ** 2
    columns = []
    for start in range(0, len(samples) + 1, hop):
        spectrum = np.fft.fft(padded[start : start + n_fft] * hann)[: n_fft // 2 + 1]
        columns.append(mel_filters(rate, n_fft, n_mels) @ np.abs(spectrum) ** 2)
    return np.log(np.maximum(np.array(columns).T, 1e-10))


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("n_samples", [1, 100, 4000])
def test_bands_are_those_of_the_slow_way(rate, n_samples):
    found = log_mel(NOISE[:n_samples], rate, 20)
    np.testing.assert_allclose(found, slow_log_mel(NOISE[:n_samples], rate, 20), atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_filters_have_one_peak_and_equal_area(rate):
    filters = mel_filters(rate, 4096, 20)
    areas = filters.sum(axis=1) * rate / 4096
    np.testing.assert_allclose(areas, 1, rtol=0.02)
    peaks = filters.argmax(axis=1)
    assert (np.diff(peaks) > 0).all()
    for band, peak in zip(filters, peaks, strict=True):
        assert (np.diff(band[: peak + 1]) >= 0).all()
        assert (np.diff(band[peak:]) <= 0).all()


@pytest.mark.parametrize("rate", [8000, 16000])
def test_bands_and_cepstrum_are_librosas(rate):
    librosa = pytest.importorskip("librosa", reason="librosa, the oracle, is in no extra")
    window, hop = window_and_hop(rate)
    n_fft = 1 << (window - 1).bit_length()
    np.testing.assert_allclose(
        mel_filters(rate, n_fft, 40), librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=40),
        atol=1e-8,
    )  # fmt: skip
    power = librosa.feature.melspectrogram(
        y=NOISE, sr=rate, n_fft=n_fft, win_length=window, hop_length=hop, n_mels=40,
        pad_mode="constant",
    )  # fmt: skip
    found = log_mel(NOISE, rate, 40)
    np.testing.assert_allclose(found, np.log(np.maximum(power, 1e-10)), atol=1e-5)
    theirs = librosa.feature.mfcc(S=np.log(np.maximum(power, 1e-10)), n_mfcc=13)
    np.testing.assert_allclose(cepstrum(found, 13), theirs, atol=1e-4)


def test_the_cepstrum_of_all_bands_loses_nothing():
    bands = log_mel(NOISE, 8000, 12)
    np.testing.assert_allclose(
        dct(cepstrum(bands, 12), axis=0, type=3, norm="ortho"), bands, atol=1e-4
    )


def test_statistics_are_band_by_band():
    bands = np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]])
    expected = [7 / 3, 5, np.std([1, 2, 4]), 0, 1.5, 0, 0.5, 0]
    np.testing.assert_allclose(statistics(bands), expected, rtol=1e-6)
    assert statistics(bands[:, :1]).tolist() == [1, 5, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("n_windows", [1, 2, 3, 6, 50])
def test_a_grid_keeps_the_mean(n_windows):
    bands = np.array([[1.0, 2.0, 6.0]])
    stretched = stretch(bands, n_windows)
    assert stretched.shape == (1, n_windows)
    np.testing.assert_allclose(stretched.mean(), 3.0, rtol=1e-6)
    if n_windows == 3:
        np.testing.assert_allclose(stretched, bands)
    if n_windows == 6:
        np.testing.assert_allclose(stretched, np.repeat(bands, 2, axis=1))


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_a_tone_is_the_same_tone_at_another_rate(rate):
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)

    found = resample(tone(rate), rate, 16000)
    assert found.dtype == np.float32
    assert len(found) == 16000
    np.testing.assert_allclose(found[2000:-2000], tone(16000)[2000:-2000], atol=5e-3)


def test_what_is_too_high_for_the_new_rate_is_filtered_out():
    high = np.sin(2 * np.pi * 7000 * np.arange(16000) / 16000)
    assert np.abs(resample(high, 16000, 8000)[500:-500]).max() < 0.02


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float32, np.float64])
def test_ints_are_parts_of_the_largest(dtype):
    wave = np.array([0.5, 0.0, -0.5])
    if dtype == np.uint8:
        made = (wave * 128 + 128).astype(np.uint8)
    else:
        largest = 1 if np.issubdtype(dtype, np.floating) else -int(np.iinfo(dtype).min)
        made = (wave * largest).astype(dtype)
    samples, rate = read_sound(made, 100, "Test")
    assert rate == 100
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, wave, atol=1e-6)


def test_channels_are_averaged():
    samples, rate = read_sound((np.array([[1.0, 0.0], [0.5, 0.5]]), 50), 100, "Test")
    assert samples.tolist() == [0.5, 0.5]
    assert rate == 50


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (None, "it is missing"),
        (3, "it is of type int"),
        (np.zeros(0), "it has no samples"),
        (np.array([0.0, np.nan]), "missing or infinite"),
        (np.zeros((2, 2, 2)), r"of shape \(2, 2, 2\)"),
        (np.array(["a"]), "must be numbers"),
        ([1, 2], "samples are of int64, of which nothing is the loudest"),
        ((np.zeros(3), 0), "its rate must be an int >= 1, and is 0"),
        ((np.zeros(3), 1.5), "its rate must be an int"),
        ("nowhere.wav", "No such file"),
    ],
    ids=str,
)
def test_what_is_no_sound_is_unreadable(value, match):
    with pytest.raises(UnreadableError, match=match):
        read_sound(value, 8000, "Test")
