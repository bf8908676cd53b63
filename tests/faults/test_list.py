"""docs/faults.md names a test for every fault, and every test of faults stands in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = (ROOT / "docs" / "faults.md").read_text()
NAMED = set(re.findall(r"`(tests/[a-z_/]+\.py)::([a-z0-9_]+)`", LIST))


def defined_in(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_is_named_exists():
    assert NAMED
    assert {(path, name) for path, name in NAMED if name not in defined_in(path)} == set()


def test_every_test_of_faults_is_named():
    paths = [path.relative_to(ROOT).as_posix() for path in Path(__file__).parent.glob("test_*.py")]
    here = {(path, name) for path in paths if not path.endswith("test_list.py") for name in defined_in(path)}
    assert here - NAMED == set()


def test_every_fault_has_a_test():
    _, *sections = LIST.split("\n## ")
    faults = [line for part in sections for line in part.splitlines() if line.startswith("| ")]
    rows = [line for line in faults if not line.startswith(("| fault", "| ---"))]
    assert len(rows) > 40
    assert [line for line in rows if "`tests/" not in line] == []
