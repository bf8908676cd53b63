"""An operator's package adds a model, as the how-to says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "add-a-model.md"
CATALOG = """
import sys
from api_schemas.catalog import FAMILIES
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan

assert "rbf" in FAMILIES["models"].names()
assert "my_models" not in sys.modules
plan = make_plan(JobSpec.model_validate({"dataset": {"name": "iris"}, "model": {"name": "rbf", "centres": 5}}), None)
assert plan.parameters == 5 * 4 + (5 + 1) * 3
assert "rbf" in FAMILIES["models"].members()
assert "torch" not in sys.modules
"""
TRAINED = """
import torch
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from script.program import write_script
from tests.script.runs import job_of
from training.data.prepare import prepare
from training.loop import Run

spec = {"dataset": {"name": "iris"}, "model": {"name": "rbf"}, "training": {"epochs": 2}}
plan = make_plan(JobSpec.model_validate(spec), None)
run = Run(plan.spec, plan, prepare(plan.spec, None, None), torch.device("cpu"))
assert len(list(run.events())) > 2
assert "from my_models.layers import Distances" in write_script(job_of(spec), None)
"""


@pytest.fixture
def package(tmp_path):
    """The package of the how-to, as it lies where packages are installed."""
    for name, text in re.findall(r"```python\n# my_models/(\w+)\.py\n(.*?)```", HOWTO.read_text(), re.DOTALL):
        (tmp_path / "my_models").mkdir(exist_ok=True)
        (tmp_path / "my_models" / f"{name}.py").write_text(text)
    installed = tmp_path / "my_models-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1\n")
    (group,) = re.findall(r'\[project\.entry-points\."(.*?)"\]\n(.*?)```', HOWTO.read_text(), re.DOTALL)
    (installed / "entry_points.txt").write_text(f"[{group[0]}]\n{group[1].replace(chr(34), '')}")
    return tmp_path


@pytest.mark.parametrize("program", [CATALOG, TRAINED], ids=["catalog", "worker"])
def test_a_model_of_an_operators_package_is_in_the_catalog_and_trains(package, program):
    path = f"import sys; sys.path[:0] = [{str(package)!r}, {str(HOWTO.parents[2])!r}]\n"
    done = subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
