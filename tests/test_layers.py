"""The house has floors: imports run from a floor down to those below it, and never in a circle."""

import ast
from pathlib import Path

import pytest

import featprune

ROOT = Path(featprune.__file__).parent

# rooms by floor, as the picture in README.md has them; a room is a module or a folder
FLOORS = {
    "files": 0,
    "parameters": 0,
    "progress": 0,
    "table": 1,
    "path": 1,
    "ranking": 1,
    "importance": 2,
    "cut": 2,
    "io": 2,
    "plan": 2,
    "selectors": 3,
    "cli": 4,
    "report": 4,
    "__main__": 5,
}
# used by nobody but the caller
APART = {"extract", "keras", "__init__"}


def room(module):
    return module.split(".")[1] if "." in module else "__init__"


def modules():
    for file in sorted(ROOT.rglob("*.py")):
        parts = file.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts), file


def imports(file):
    """Names of featprune's modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "featprune":
            if node.module == "featprune":
                yield from (f"featprune.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "featprune")


@pytest.mark.parametrize(("module", "file"), list(modules()), ids=lambda value: str(value)[-40:])
def test_imports_run_down_the_floors(module, file):
    here = room(module)
    for imported in imports(file):
        there = room(imported)
        if there == here or here in APART:
            continue
        if there not in FLOORS:  # a public name, taken from the package itself
            there = "__init__"
        if there == "__init__":
            assert here in ("cli", "__main__"), f"{module} takes {imported} from the front door"
            continue
        assert there not in APART, f"{module} imports {imported}, which stands apart"
        assert FLOORS[there] < FLOORS[here], f"{module} imports {imported}, against the floors"


def test_every_room_has_a_floor():
    rooms = {room(module) for module, _ in modules()}
    assert rooms == set(FLOORS) | APART


def test_importing_featprune_loads_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, featprune, featprune.cli;"
        "heavy = {'sklearn', 'pandas', 'numpy', 'skrub', 'xgboost', 'numba', 'keras', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_selector_loads_neither_skrub_nor_xgboost_nor_keras():
    import subprocess
    import sys

    code = (
        "import sys; from featprune import SVMRFE; import numpy as np;"
        "rng = np.random.default_rng(0);"
        "SVMRFE(n_features_to_select=2).fit(rng.normal(size=(20, 4)), np.arange(20) % 2);"
        "heavy = {'skrub', 'xgboost', 'keras', 'pyarrow.parquet', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
