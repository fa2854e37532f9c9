"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")  # the one that the test extra installs


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder of real data sets that are no part of the project."""
    folder = os.environ.get("FEATPRUNE_DATA")
    if not folder:
        pytest.skip("FEATPRUNE_DATA is not set: the real data sets are not here")
    return Path(folder) / "data"


@pytest.fixture(params=["pandas", "polars"])
def frame_library(request):
    """Return a function that makes a frame of one library out of a dict or a pandas frame."""
    if request.param == "pandas":
        import pandas as pd

        return pd.DataFrame
    import polars as pl

    return lambda data: pl.DataFrame(data) if isinstance(data, dict) else pl.from_pandas(data)
