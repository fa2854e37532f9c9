"""Prune two real tables and train models on what is left; `make demo` runs this."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skrub import StringEncoder, TableVectorizer

from featprune import SVMRFE, ShadowSelector
from featprune.keras import KerasClassifier

DATA = Path(__file__).resolve().parent.parent / "data"
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def build_mlp(n_features_in_: int, n_classes_: int):
    """Build a small network for whatever width the pruning left."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((n_features_in_,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(n_classes_, activation="softmax"),
        ]
    )


def keras_mlp(epochs: int) -> KerasClassifier | None:
    """Return the network as a step, or None where Keras or its backend is not installed."""
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if not all(importlib.util.find_spec(name) for name in ("keras", backend)):
        return None
    return KerasClassifier(
        build_mlp, epochs=epochs, batch_size=32, class_weight="balanced", random_state=0
    )


def compare(
    name: str, target: str, selector: BaseEstimator, encode: list, models: dict[str, BaseEstimator]
) -> list[list[str]]:
    """Cross-validate each model with and without the selector in front of it."""
    frame = pd.read_parquet(DATA / f"{name}.parquet")
    X, y = frame.drop(columns=target), frame[target].astype(str)
    rows = []
    with tempfile.TemporaryDirectory() as memory:  # a fold's selection serves every model
        for label, model in models.items():
            if model is None:
                continue
            plain = make_pipeline(*encode, model)
            pruned = make_pipeline(selector, *encode, model, memory=memory)
            scores, seconds = [], []
            for pipe in (plain, pruned):
                started = time.perf_counter()
                scores.append(cross_val_score(pipe, X, y, cv=FOLDS, scoring="balanced_accuracy"))
                seconds.append(time.perf_counter() - started)
            kept = pruned.fit(X, y)[0].n_features_
            rows.append(
                [
                    name,
                    label,
                    f"{X.shape[1]} -> {kept}",
                    *(f"{score.mean():.3f} ± {score.std():.3f}" for score in scores),
                    f"{seconds[0]:.1f} -> {seconds[1]:.1f}",
                ]
            )
    return rows


def main() -> None:
    """Print one row for each table and model."""
    started = time.perf_counter()
    rows = compare(
        "tissue_gene",
        "tissue",
        SVMRFE(SVC(kernel="linear"), cv=4),
        [StandardScaler()],
        {"logistic regression": LogisticRegression(max_iter=1000), "Keras MLP": keras_mlp(60)},
    )
    rows += compare(
        "mlc_churn",
        "churn",
        ShadowSelector(random_state=0),
        [TableVectorizer(high_cardinality=StringEncoder(random_state=0))],
        {
            "gradient boosting": HistGradientBoostingClassifier(
                class_weight="balanced", max_iter=50, random_state=0
            ),
            "Keras MLP": None
            if (mlp := keras_mlp(15)) is None
            else make_pipeline(StandardScaler(), mlp),
        },
    )
    table = Table(title="5-fold cross-validation, columns selected inside each fold")
    for heading in ("table", "model", "columns"):
        table.add_column(heading)
    for heading in ("all columns", "pruned", "seconds"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(100, Console().width))
    console.print(table)
    console.print("score: balanced accuracy, mean ± standard deviation over the folds")
    if keras_mlp(1) is None:
        console.print('for the Keras rows: pip install "featprune[keras]" jax')
    console.print(f"{time.perf_counter() - started:.0f} s in all", highlight=False)


if __name__ == "__main__":
    main()
