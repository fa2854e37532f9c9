"""Each notebook runs from its first cell to its last, as a script."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
# the demo trains networks for minutes, and is a command of its own
NOTEBOOKS = [file for file in sorted(FOLDER.glob("*.py")) if file.name != "demo.py"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_runs(file):
    assert runpy.run_path(str(file))
