"""Every fault that is made on purpose can still be made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutations.mutation import ROOT, Mutation, failing
from tests.mutations.mutations import MUTATIONS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.says)
def test_what_is_broken_is_still_there_and_so_are_the_tests_that_should_notice(mutation):
    whole = (ROOT / mutation.path).read_text()
    assert ast.dump(ast.parse(mutation.mutate(whole))) != ast.dump(ast.parse(whole))
    for test in mutation.tests:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text()


def test_a_text_that_is_no_longer_there_is_refused():
    with pytest.raises(ValueError, match="0 times, not once"):
        Mutation("", "a.py", "gone", "", ()).mutate("here")


@pytest.mark.parametrize(("body", "wanted"), [("assert True", None), ("assert False", "test_it.py::test_it")])
def test_the_test_that_fails_is_named(tmp_path: Path, body, wanted):
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {body}\n")
    assert failing(tmp_path, ["test_it.py"]) == wanted


def test_tests_that_cannot_be_run_prove_nothing(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(RuntimeError, match="could not be run"):
        failing(tmp_path, ["test_it.py"])
