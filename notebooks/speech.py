# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Speech: spoken digits of people who were never heard
#
# Each recording is a picture of loudness by band and time, log-mel. Whole speakers are left out of
# each fold, so that what is kept must serve people whom neither selection nor classifier has heard.
# With FEATPRUNE_DATA set, the recordings are those of the Free Spoken Digit Dataset; without it,
# four "speakers" of different pitch hum five tunes, and `SpeechEmbedder` turns the sound into
# vectors.

# %%
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from featprune import SVMRFE
from featprune.extract import SpeechEmbedder, ToMatrix

os.environ.setdefault("KERAS_BACKEND", "jax")
from featprune.keras import KerasClassifier


# %%
def hum(tune, pitch, rng, rate=8000):
    """A second of three notes, told by the tune, with some noise."""
    times = np.arange(rate // 3) / rate
    notes = pitch * 2 ** (np.array([tune, 4 - tune, 2 * tune % 5]) / 5)
    sound = np.concatenate([np.sin(2 * np.pi * note * times) for note in notes])
    return (sound + 0.1 * rng.normal(size=len(sound))).astype(np.float32)


folder = os.environ.get("FEATPRUNE_DATA")
if folder:
    with np.load(Path(folder, "data", "speech", "fsdd_logmel.npz")) as stored:
        some = np.random.default_rng(0).permutation(len(stored["y"]))[:500]
        vectors, said, speaker = stored["X"][some], stored["y"][some], stored["speaker"][some]
else:
    rng = np.random.default_rng(0)
    said, speaker = np.tile(np.arange(5), 48), np.repeat(np.arange(4), 60)
    sounds = [hum(t, 200 + 40 * s, rng) for t, s in zip(said, speaker, strict=True)]
    embedder = SpeechEmbedder(sample_rate=8000, array_rate=8000)
    vectors = ToMatrix().fit_transform(embedder.fit_transform(sounds))
table = pd.DataFrame({"sound": list(vectors.astype(np.float32))})


# %%
def build_mlp(n_features_in_, n_classes_):
    """A small network for whatever width the pruning left."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((n_features_in_,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(n_classes_, activation="softmax"),
        ]
    )


n_all = vectors.shape[1]
n_kept = n_all // 8
machine = LinearSVC(dual=False, C=1e-3)
pruned = make_pipeline(
    SVMRFE(machine, n_features_to_select=n_kept, step=0.1, embeddings="dimensions"), ToMatrix()
)
drawn = np.sort(np.random.default_rng(0).choice(n_all, n_kept, replace=False))
at_random = make_pipeline(
    ToMatrix(), FunctionTransformer(np.take, kw_args={"indices": drawn, "axis": 1})
)
ways = {"all": (ToMatrix(), n_all), "SVMRFE": (pruned, n_kept), "random": (at_random, n_kept)}
models = {
    "logistic regression": LogisticRegression(C=0.01, max_iter=1000),
    "Keras MLP": KerasClassifier(build_mlp, epochs=20, random_state=0),
}
# the second model of a fold finds there what was selected for the first
cache = tempfile.TemporaryDirectory()
folds = list(GroupKFold(3).split(table, said, groups=speaker))

# %%
rows = []
for way, (columns, n_left) in ways.items():
    for name, model in models.items():
        pipe = make_pipeline(columns, StandardScaler(), model, memory=cache.name)
        started, scores = time.perf_counter(), []
        for train, test in folds:
            fitted = clone(pipe).fit(table.iloc[train], said[train])
            scores.append(fitted.score(table.iloc[test], said[test]))
        rows.append(
            {
                "dimensions": way,
                "model": name,
                "kept": f"{n_left} of {n_all}",
                "accuracy, new speakers": f"{np.mean(scores):.3f} ± {np.std(scores):.3f}",
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
cache.cleanup()
summary = pd.DataFrame(rows).set_index(["model", "dimensions"]).sort_index()
print(summary.to_string())

# %%
accuracy = summary["accuracy, new speakers"].str.split().str[0].astype(float)
assert accuracy["logistic regression", "SVMRFE"] > 1.5 / len(np.unique(said))
