"""An entry is one class, and everything that tells of it follows."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from pydantic import ValidationError

from api_schemas.catalog import FAMILIES
from api_schemas.jobs import JobSpec

ENTRIES = [entry for family in FAMILIES.values() for entry in family.members().values()]

ADDED = """
from typing import Literal
from api_schemas.catalog.optimizers import OptimizerEntry

class SignDescent(OptimizerEntry):
    '''Steps by the sign of the momentum.'''
    formula = "w = w - lr sign(m)"
    target = "torch.optim.SGD"
    name: Literal["sign_descent"] = "sign_descent"
    lr: float = 1e-4
    '''Learning rate.'''

from api_schemas.catalog import FAMILIES
from api_schemas.jobs import JobSpec
from docs.generate import catalog

spec = JobSpec.model_validate({"dataset": {"name": "digits"}, "optimizer": {"name": "sign_descent", "lr": 0.5}})
assert spec.optimizer.lr == 0.5
assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
assert "sign_descent" in str(JobSpec.model_json_schema())
assert FAMILIES["optimizers"].members()["sign_descent"].describe().summary == "Steps by the sign of the momentum."
assert "### `sign_descent`" in catalog()
"""


KINDS = """
from api_schemas.catalog import FAMILIES
assert all(family.names() for family in FAMILIES.values()), {kind: family.names() for kind, family in FAMILIES.items()}
"""


def test_the_catalog_alone_has_entries_of_every_kind():
    done = subprocess.run([sys.executable, "-c", KINDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_adding_an_entry_is_adding_a_class():
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.model_fields['name'].default}")
def test_an_entry_tells_what_it_is_and_what_each_knob_means(entry):
    told = entry.describe()
    assert told.summary.endswith((".", ":"))
    assert all(knob.get("description") for knob in told.knobs.values())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.model_fields['name'].default}")
def test_an_entry_tells_its_formula_and_what_goes_wrong_with_it(entry):
    told = entry.describe()
    assert told.formula or entry.kind == "datasets"
    assert told.pitfall.endswith(".")


def test_an_optimizer_tells_where_it_comes_from():
    assert [name for name, entry in FAMILIES["optimizers"].members().items() if not entry.paper] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.model_fields['name'].default}")
def test_an_entry_as_it_stands_is_read_back_as_itself(entry):
    made = entry()
    assert entry.model_validate_json(made.model_dump_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made  # as a worker hands it to its trainer


def test_a_spec_cannot_be_changed_once_it_is_made():
    spec = JobSpec.model_validate({"dataset": {"name": "digits"}})
    with pytest.raises(ValidationError, match="frozen"):
        spec.training.epochs = 1
