# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Pruning embeddings
#
# An embedding is a vector a row: wide, redundant, and stored in one column. Here vectors lose
# dimensions, beside an ordinary column; what that costs is measured; and the rows are looked at
# before and after.
#
# With FEATPRUNE_DATA set, the vectors are sentence embeddings of questions (MiniLM, 384
# dimensions); without it, digits of 64 pixels stand in for them.

# %%
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from featprune import SVMRFE
from featprune.report import (
    neighbourhood_preservation,
    plot_maps,
    plot_pruning_cost,
    pruning_cost,
)

folder = os.environ.get("FEATPRUNE_DATA")
if folder:
    with np.load(Path(folder, "data", "text", "trec_minilm384.npz")) as stored:
        vectors, y = stored["X"][:1000].astype(np.float32), stored["y"][:1000]
else:
    vectors, y = load_digits(return_X_y=True)
    vectors = vectors.astype(np.float32)

# %% [markdown]
# ## A column of vectors loses dimensions
#
# With `embeddings="whole"`, the default, a column of vectors stays or goes. With "dimensions" it
# gets shorter, and the plan says which dimensions are left, so that vectors that are made
# tomorrow can be cut alike.

# %%
noise = np.random.default_rng(0).normal(size=len(vectors))
table = pd.DataFrame({"vector": list(vectors), "noise": noise})
machine = LinearSVC(dual=False, C=0.01)
n_left = vectors.shape[1] // 4
selector = SVMRFE(machine, n_features_to_select=n_left, step=0.02, embeddings="dimensions")
shorter = selector.fit_transform(table, y)
plan = selector.to_plan()
tomorrow = plan.apply(table.head(3))
print(vectors.shape[1], "dimensions before,", len(tomorrow["vector"].iloc[0]), "after")

# %%
assert tomorrow["vector"].iloc[0].dtype == np.float32
assert selector.embedding_support_["vector"].sum() + selector.support_[1] == n_left

# %% [markdown]
# ## What it costs
#
# Each fold selects on its own training rows, once, and is cut to all sizes from that path. Beside
# the selector: dimensions drawn at random, the first ones, and, as what could be had by making new
# dimensions instead of choosing old ones, PCA. Recall is about search: which of the ten nearest
# training rows are found with the short vectors, too.

# %%
cost = pruning_cost(
    vectors,
    y,
    SVMRFE(machine, step=0.02),
    shares=(1, 0.5, 0.25, 0.125),
    cv=3,
    n_random=2,
    random_state=0,
)
cost.round(3)

# %%
plot_pruning_cost(cost)[0].get_figure()

# %%
quarter = cost["accuracy"].xs(0.25, level="share")
assert quarter["SVMRFE"] > max(quarter["random"], quarter["truncation"])

# %% [markdown]
# ## Looking at the rows
#
# t-SNE cannot choose columns: it has no loadings and no map for new rows. It shows whether the
# groups that were there are there still. The figures beside it are measured on the vectors: how
# many neighbours are kept, by all that went and by each dimension as if it alone had gone.

# %%
is_left = selector.embedding_support_["vector"]
kept = neighbourhood_preservation(vectors, is_left)
print(f"recall {kept.recall:.2f}, trustworthiness {kept.trustworthiness:.3f}")
kept.columns.sort_values("recall").head()

# %%
plot_maps(vectors, is_left, y, max_rows=300)
