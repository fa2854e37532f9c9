# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Text: which words a spam filter needs
#
# Messages become thousands of tf-idf terms, which stay sparse all the way: SVM-RFE follows its
# path on the sparse table and keeps the few that a classifier needs. One Pipeline, selection
# inside each fold. With FEATPRUNE_DATA set, the messages are those of the SMS Spam Collection;
# without it, they are made of two small vocabularies.

# %%
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from featprune import SVMRFE

os.environ.setdefault("KERAS_BACKEND", "jax")
from featprune.keras import KerasClassifier

folder = os.environ.get("FEATPRUNE_DATA")
if folder:
    frame = pd.read_parquet(Path(folder, "data", "text", "sms_spam.parquet"))
    frame = frame.sample(800, random_state=0)
    texts, is_spam = frame["text"].to_numpy(), (frame["label"] == "spam").to_numpy(int)
else:
    rng = np.random.default_rng(0)
    is_spam = np.arange(400) % 2
    words = [f"word{i}" for i in range(800)]
    lures = ["win", "free", "prize", "claim", "cash", "urgent"]
    texts = np.array(
        [
            " ".join([*rng.choice(words, 12), *rng.choice(lures, 2 if spam else 0)])
            for spam in is_spam
        ]
    )


# %%
def build_mlp(n_features_in_, n_classes_):
    """A small network for whatever width the pruning left."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((n_features_in_,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(n_classes_, activation="softmax"),
        ]
    )


def draw(X):
    """As many columns at random, the same of training and held-out rows."""
    return X[:, np.random.default_rng(0).choice(X.shape[1], n_kept, replace=False)]


n_kept = 100
terms = TfidfVectorizer(sublinear_tf=True)
n_all = terms.fit_transform(texts).shape[1]
machine = SVC(kernel="linear", class_weight="balanced")
ways = {
    "all": None,
    "SVMRFE": SVMRFE(machine, n_features_to_select=n_kept, step=0.05, standardize=False),
    "random": FunctionTransformer(draw),
}
dense = FunctionTransformer(lambda X: X.toarray())
models = {
    "logistic regression": (LogisticRegression(class_weight="balanced", max_iter=1000),),
    "Keras MLP": (
        dense,
        KerasClassifier(build_mlp, epochs=15, class_weight="balanced", random_state=0),
    ),
}
folds = StratifiedKFold(3, shuffle=True, random_state=0)

# %%
rows = []
for way, selector in ways.items():
    for name, model in models.items():
        pipe = make_pipeline(*[step for step in (terms, selector, *model) if step is not None])
        started, scores = time.perf_counter(), []
        for train, test in folds.split(texts, is_spam):
            fitted = clone(pipe).fit(texts[train], is_spam[train])
            scores.append(balanced_accuracy_score(is_spam[test], fitted.predict(texts[test])))
        rows.append(
            {
                "terms": way,
                "model": name,
                "kept": f"{n_all if selector is None else n_kept} of {n_all}",
                "balanced accuracy": f"{np.mean(scores):.3f} ± {np.std(scores):.3f}",
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
summary = pd.DataFrame(rows).set_index(["model", "terms"]).sort_index()
print(summary.to_string())

# %% [markdown]
# The words that are left, strongest first:

# %%
table = terms.fit_transform(texts)
chosen = clone(ways["SVMRFE"]).fit(table, is_spam)
strongest = np.argsort(-chosen.importances_ * chosen.support_)[:15]
print(", ".join(terms.get_feature_names_out()[strongest]))

# %%
accuracy = summary["balanced accuracy"].str.split().str[0].astype(float)
kept, chance = (accuracy["logistic regression", way] for way in ("SVMRFE", "random"))
assert kept > chance
