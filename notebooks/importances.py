# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Which importance when
#
# Three columns of two values decide the target, with noise. Five others are pure noise, but have as
# many values as there are rows, and two are noise of two values. A tree can split the five in a
# thousand places, and some of these look good by chance: whatever counts splits is fooled.

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from featprune import TreeSelector

rng = np.random.default_rng(0)
n = 1000
table = pd.DataFrame(
    {f"matters_{k}": rng.integers(0, 2, n) for k in "abc"}
    | {f"noise_{k}": rng.normal(size=n) for k in "vwxyz"}
    | {f"coin_{k}": rng.integers(0, 2, n) for k in "st"}
)
score = table.filter(like="matters").sum(axis=1) + rng.normal(scale=1.5, size=n)
y = (score > score.median()).to_numpy()

# %% [markdown]
# Each way ranks the columns by a model of all of them; 1 to 3 are kept.

# %%
booster, forest = XGBClassifier(n_estimators=50), RandomForestClassifier(50)
ways = {
    "xgboost, total_gain": TreeSelector(booster, importance="total_gain"),
    "xgboost, weight": TreeSelector(booster, importance="weight"),
    "forest, impurity": TreeSelector(forest, importance="impurity"),
    "xgboost, shap": TreeSelector(booster, importance="shap"),
    "xgboost, permutation": TreeSelector(booster, importance="permutation"),
    "forest, permutation": TreeSelector(forest, importance="permutation"),
    "forest, null": TreeSelector(forest, importance="null", n_repeats=2),
}
importances = pd.DataFrame(index=table.columns)
kept = {}
for name, way in ways.items():
    way.set_params(n_features_to_select=3, random_state=0).fit(table, y)
    importances[name] = way.importances_ / way.importances_.max()
    kept[name] = list(way.get_feature_names_out())
importances.round(2)

# %% [markdown]
# What splits count puts the noise of many values first. SHAP values, permutations on held-out rows,
# and gains against those for permuted targets do not.

# %%
pd.Series(kept)

# %%
fooled = {name for name, columns in kept.items() if any("noise" in column for column in columns)}
assert fooled == {"xgboost, total_gain", "xgboost, weight", "forest, impurity"}

# %% [markdown]
# With "null" there is a p-value for each column: how likely a target without any relation would
# give the column as much gain.

# %%
pd.Series(ways["forest, null"].p_values_, table.columns).round(4)
