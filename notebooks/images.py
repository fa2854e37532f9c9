# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Images: from pictures to a classifier that sees a quarter of their embedding
#
# One Pipeline takes pictures, makes vectors of them, drops the dimensions that the classifier does
# not need, and classifies. Selection stays inside each fold. With FEATPRUNE_DATA set, a second part
# tells people apart by the embeddings of a face network.

# %%
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from featprune import SVMRFE
from featprune.extract import ImageEmbedder, OnnxEmbedder, ToMatrix

os.environ.setdefault("KERAS_BACKEND", "jax")
from featprune.keras import KerasClassifier

digits = load_digits()
pictures = (digits.images[:400] * 15).astype("uint8")
labels = digits.target[:400]


# %%
def build_mlp(n_features_in_, n_classes_):
    """A small network for whatever width the pruning left."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((n_features_in_,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(n_classes_, activation="softmax"),
        ]
    )


# what a picture of 32 pixels becomes: 324 gradients and 64 grey values
embedder = ImageEmbedder(size=32, n_pixels=8)
n_all = int(ToMatrix().fit_transform(embedder.fit_transform(pictures[:2])).shape[1])
n_kept = n_all // 4
pruned = make_pipeline(
    SVMRFE(
        LinearSVC(dual=False, C=0.01),
        n_features_to_select=n_kept,
        step=0.05,
        embeddings="dimensions",
    ),
    ToMatrix(),
)
drawn = np.sort(np.random.default_rng(0).choice(n_all, n_kept, replace=False))
at_random = make_pipeline(
    ToMatrix(), FunctionTransformer(np.take, kw_args={"indices": drawn, "axis": 1})
)
ways = {"all": (ToMatrix(), n_all), "SVMRFE": (pruned, n_kept), "random": (at_random, n_kept)}
models = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "Keras MLP": KerasClassifier(build_mlp, epochs=20, random_state=0),
}
# the second model of a fold finds there what was selected for the first
cache = tempfile.TemporaryDirectory()
folds = StratifiedKFold(3, shuffle=True, random_state=0)

# %%
rows = []
for way, (columns, n_left) in ways.items():
    for name, model in models.items():
        pipe = make_pipeline(embedder, columns, StandardScaler(), model, memory=cache.name)
        started, scores = time.perf_counter(), []
        for train, test in folds.split(pictures, labels):
            fitted = clone(pipe).fit(pictures[train], labels[train])
            scores.append(fitted.score(pictures[test], labels[test]))
        rows.append(
            {
                "dimensions": way,
                "model": name,
                "kept": f"{n_left} of {n_all}",
                "accuracy": f"{np.mean(scores):.3f} ± {np.std(scores):.3f}",
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
cache.cleanup()
summary = pd.DataFrame(rows).set_index(["model", "dimensions"]).sort_index()
print(summary.to_string())

# %%
accuracy = summary["accuracy"].str.split().str[0].astype(float)
assert (accuracy.xs("SVMRFE", level=1) > accuracy.xs("all", level=1) - 0.05).all()

# %% [markdown]
# ## Faces
#
# Forty people, ten pictures each. The first five pictures of each choose the dimensions and are
# the gallery; the other five are asked for. Identification is by the nearest picture of the
# gallery; verification accepts pairs of pictures, at a rate of one false pair in a hundred.


# %%
def identified(gallery, asked, people):
    """Share of pictures whose nearest one in the gallery is of the same person."""
    nearest = (unit(asked) @ unit(gallery).T).argmax(axis=1)
    return float((people[nearest] == people).mean())


def verified(asked, people, rate=0.01):
    """Share of pairs of one person above the similarity that `rate` of other pairs exceed."""
    likeness = unit(asked) @ unit(asked).T
    first, second = np.triu_indices(len(asked), 1)
    same = people[first] == people[second]
    values = likeness[first, second]
    return float((values[same] > np.quantile(values[~same], 1 - rate)).mean())


def unit(vectors):
    """Vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


folder = os.environ.get("FEATPRUNE_DATA")
if folder:
    with np.load(Path(folder, "data", "images", "att_faces_112x92.npz")) as stored:
        faces, people = stored["X"].reshape(-1, 112, 92).astype("uint8"), stored["y"]
    in_gallery = np.zeros(len(people), dtype=bool)
    for person in np.unique(people):
        in_gallery[np.flatnonzero(people == person)[:5]] = True
    network = Path(folder, "models", "faceapi_resnet128_u8.onnx")
    colour = np.repeat(faces[..., None], 3, axis=3)
    embedded = OnnxEmbedder(network, name="face").fit_transform(colour)
    vectors = ToMatrix().fit_transform(embedded)
    by_person = np.argsort(people[in_gallery], kind="stable")
    gallery = vectors[in_gallery][by_person]
    asked = vectors[~in_gallery][np.argsort(people[~in_gallery], kind="stable")]
    names = people[in_gallery][by_person]
    chooser = SVMRFE(LinearSVC(dual=False, C=1.0), n_features_to_select=1, step=4)
    chooser.fit(gallery, names)
    rng, rows = np.random.default_rng(0), []
    for share in (1, 0.5, 0.25, 0.125):
        size = int(share * vectors.shape[1])
        chosen = np.flatnonzero(chooser.reselect(size).support_)
        lots = [rng.choice(vectors.shape[1], size, replace=False) for _ in range(10)]
        for way, sets in {"SVMRFE": [chosen], "random, 10 draws": lots}.items():
            found = [
                (identified(gallery[:, idx], asked[:, idx], names), verified(asked[:, idx], names))
                for idx in sets
            ]
            rate, accepted = np.mean(found, axis=0)
            rows.append(
                {
                    "dimensions": size,
                    "way": way,
                    "identified": round(rate, 3),
                    "TAR at FAR 0.01": round(accepted, 3),
                }
            )
    print(pd.DataFrame(rows).to_string(index=False))
    assert rows[0]["identified"] > 0.9
