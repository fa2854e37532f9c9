"""Recordings as vectors."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from onnx import helper
from onnx_graphs import FLOAT, model_of

from featprune.extract import SpeechEmbedder
from featprune.extract.sound import cepstrum, log_mel, statistics, stretch

RATE = 8000
NOISE = (0.1 * np.random.default_rng(0).normal(size=(3, RATE // 2))).astype(np.float32)


def identity(shape):
    return model_of(
        [helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, shape)], [("y", FLOAT, shape)]
    )


def vectors(frame, name="speech"):
    return np.stack(list(frame[name]))


@pytest.mark.parametrize("features", ["logmel", "mfcc"])
@pytest.mark.parametrize("layout", ["statistics", "grid"])
def test_without_a_model_vectors_are_made_of_bands(features, layout):
    embedder = SpeechEmbedder(
        sample_rate=RATE, features=features, layout=layout, n_mels=10, n_mfcc=4, n_windows=7
    )
    found = vectors(embedder.fit_transform(NOISE))
    for row, samples in zip(found, NOISE, strict=True):
        bands = log_mel(samples, RATE, 10)
        bands = cepstrum(bands, 4) if features == "mfcc" else bands
        expected = statistics(bands) if layout == "statistics" else stretch(bands, 7).ravel()
        np.testing.assert_allclose(row, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["files", "frame", "pairs", "ints", "lists", "stereo"])
def test_recordings_may_come_in_any_way(kind, tmp_path):
    files = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for file, samples in zip(files, NOISE, strict=True):
        soundfile.write(file, samples, RATE, subtype="FLOAT")
    made = {
        "files": [Path(file) for file in files],
        "frame": pd.DataFrame({"file": files}, index=list("cba")),
        "pairs": [(samples, RATE) for samples in NOISE],
        "ints": [(samples * 2**31).astype(np.int32) for samples in NOISE],
        "lists": NOISE.tolist(),
        "stereo": list(np.stack([NOISE, NOISE], axis=2)),
    }[kind]
    embedder = SpeechEmbedder(sample_rate=RATE)
    frame = embedder.fit_transform(made)
    np.testing.assert_allclose(vectors(frame), vectors(embedder.transform(NOISE)), atol=1e-3)
    if kind == "frame":
        assert list(frame.index) == list("cba")


def test_any_rate_and_length_is_brought_to_one():
    def tone(rate, seconds):
        times = np.arange(int(rate * seconds)) / rate
        return np.sin(2 * np.pi * 440 * times).astype(np.float32), rate

    rows = [tone(8000, 1.0), tone(11025, 2.0), tone(44100, 0.5), tone(16000, 1.5)]
    embedder = SpeechEmbedder(sample_rate=8000, n_mels=20)
    found = vectors(embedder.fit_transform(rows))
    assert embedder.widths_ == {"speech": 80}
    loudest = found[:, :20].argmax(axis=1)
    assert (loudest == loudest[0]).all()
    arrays = SpeechEmbedder(sample_rate=8000, n_mels=20, array_rate=44100)
    np.testing.assert_array_equal(vectors(arrays.fit_transform([rows[2][0]]))[0], found[2])


def test_silence_is_a_recording():
    found = vectors(SpeechEmbedder(sample_rate=RATE, n_mels=5).fit_transform([np.zeros(RATE)]))
    np.testing.assert_allclose(found[0, :5], np.log(1e-10), rtol=1e-6)
    np.testing.assert_allclose(found[0, 5:], 0, atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 7, 100])
@pytest.mark.parametrize("layout", ["statistics", "grid"])
def test_a_recording_may_be_of_few_samples(n_samples, layout):
    embedder = SpeechEmbedder(sample_rate=RATE, layout=layout)
    assert np.isfinite(vectors(embedder.fit_transform([np.ones(n_samples)]))).all()


def test_recordings_that_cannot_be_read_are_named_or_skipped(tmp_path):
    good, cut, text = (tmp_path / name for name in ("good.wav", "cut.wav", "text.wav"))
    soundfile.write(good, NOISE[0], RATE)
    cut.write_bytes(good.read_bytes()[:-1000])
    text.write_text("no sound")
    rows = [good, cut, text, np.zeros(0), None]
    for row, match in ((cut, r"row 0 \(.*cut\.wav\): it is cut off"), (text, r"text\.wav\): "),
                       (np.zeros(0), "row 0: it has no samples")):  # fmt: skip
        with pytest.raises(ValueError, match=f"SpeechEmbedder can't read {match}" if row is cut
                           else match):  # fmt: skip
            SpeechEmbedder().fit([row])
    frame = SpeechEmbedder(errors="skip").fit_transform(rows)
    assert frame["speech"].isna().tolist() == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("shape", "features", "turn"),
    [
        (["n", 6, "t"], "logmel", lambda bands: bands),
        (["n", "t", 6], "logmel", lambda bands: bands.T),
        (["n", 1, 6, "t"], "logmel", lambda bands: bands[np.newaxis]),
        (["n", 1, "t", 6], "mfcc", lambda bands: bands.T[np.newaxis]),
    ],
    ids=["bands first", "windows first", "with a channel", "mfcc"],
)
def test_a_model_takes_bands_as_its_shape_says(shape, features, turn):
    embedder = SpeechEmbedder(
        identity(shape), sample_rate=RATE, n_mels=6, n_mfcc=6, features=features, pool=None
    )
    bands = log_mel(NOISE[0], RATE, 6)
    bands = cepstrum(bands, 6) if features == "mfcc" else bands
    found = vectors(embedder.fit_transform(NOISE[:1]), "y")[0]
    np.testing.assert_allclose(found, turn(bands).ravel(), atol=1e-5)


@pytest.mark.parametrize("features", ["logmel", "mfcc"])
@pytest.mark.parametrize("n_windows", [5, 90])
def test_what_a_fixed_model_lacks_is_silence(features, n_windows):
    embedder = SpeechEmbedder(
        identity(["n", 6, n_windows]),
        sample_rate=RATE,
        n_mels=6,
        n_mfcc=6,
        features=features,
        pool=None,
    )
    found = vectors(embedder.fit_transform([NOISE[0], NOISE[1][:1000]]), "y")
    padded = np.concatenate([NOISE[1][:1000], np.zeros(2 * RATE)])
    for row, samples in zip(found, (NOISE[0], padded), strict=True):
        bands = log_mel(np.concatenate([samples, np.zeros(2 * RATE)]), RATE, 6)
        bands = cepstrum(bands, 6) if features == "mfcc" else bands
        # the last window that hears both sound and silence is the one that is not cut off alike
        end = min(n_windows, 1 + (len(NOISE[0]) if samples is NOISE[0] else 1000) // 80)
        np.testing.assert_allclose(row.reshape(6, -1)[:, :end], bands[:, :end], atol=1e-4)
    silent = log_mel(np.zeros(1), RATE, 6)
    silent = cepstrum(silent, 6) if features == "mfcc" else silent
    if n_windows == 90:
        np.testing.assert_allclose(found[1].reshape(6, -1)[:, -1:], silent[:, :1], atol=1e-5)


@pytest.mark.parametrize("shape", [["n", "t"], ["n", 1, "t"], ["n", 5000], ["n", 3000]], ids=str)
def test_a_model_may_take_samples(shape):
    embedder = SpeechEmbedder(identity(shape), sample_rate=RATE, features="waveform", pool=None)
    found = vectors(embedder.fit_transform(NOISE), "y")
    width = shape[-1] if isinstance(shape[-1], int) else NOISE.shape[1]
    expected = np.zeros((3, width), dtype=np.float32)
    there = min(width, NOISE.shape[1])
    expected[:, :there] = NOISE[:, :there]
    np.testing.assert_array_equal(found, expected)


def test_recordings_of_differing_length_go_through_a_free_model():
    embedder = SpeechEmbedder(identity(["n", 1, 6, "t"]), sample_rate=RATE, n_mels=6)
    rows = [NOISE[0], NOISE[1][:1000], NOISE[2]]
    found = vectors(embedder.fit_transform(rows), "y")
    alone = np.vstack([vectors(embedder.transform([row]), "y") for row in rows])
    np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sample_rate": 0}, "'sample_rate' parameter of SpeechEmbedder"),
        ({"array_rate": 0}, "'array_rate' parameter"),
        ({"features": "mel"}, "'features' parameter"),
        ({"features": "waveform"}, "is for a model, and there is none"),
        ({"features": "mfcc", "n_mfcc": 41}, "an int <= n_mels=40. Got 41"),
        ({"layout": "image"}, "'layout' parameter"),
        ({"n_windows": 0}, "'n_windows' parameter"),
        ({"model": identity(["n", 7, "t"])}, r"takes 'x' of shape \(\?, 7, \?\)"),
        ({"model": identity(["n", 1, 1, 1, 1])}, "Pass a model of such rows"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_parameters_that_cannot_be_used_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        SpeechEmbedder(**options).fit(NOISE)


def test_a_missing_package_is_answered_by_the_pip_line(monkeypatch, tmp_path):
    file = tmp_path / "a.wav"
    soundfile.write(file, NOISE[0], RATE)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"pip install 'featprune\[speech\]'"):
        SpeechEmbedder().fit([file])
    SpeechEmbedder().fit(NOISE)  # arrays need none
