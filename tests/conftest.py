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
