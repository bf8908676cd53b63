"""Networks that are compiled for their training: the same steps but for rounding, and judged as they are served."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from torch._inductor import config as inductor

from api_schemas.catalog.models import ModelEntry
from tests.script.runs import run_all
from tests.training.test_autocast import networks
from training.events import CheckpointDue, Evaluation, Points

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="a network is compiled with g++"),
    pytest.mark.timeout(1800),  # a compiler on a busy machine
]
COMPILED = {"engine": "compiled", "epochs": 2, "batch_size": 60}
OF_TWO_SIZES = {
    "split": {"test": 0.1},
    "model": {"name": "mlp", "hidden": [8], "normalization": {"name": "batch_norm"}, "dropout": 0.3},
    "training": {**COMPILED, "batch_size": 50, "epochs": 3, "checkpoint_every_steps": 4},
}
"""The last batch of an epoch is smaller than the others."""


@pytest.fixture(autouse=True)
def compiler(tmp_path, monkeypatch):
    """Compiles in this process, into a folder of the test."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    torch.compiler.reset()
    with inductor.patch(compile_threads=1):
        yield


def told(events):
    """Losses and evaluations."""
    happened = list(events)
    losses = [loss for event in happened if isinstance(event, Points) for loss in event.series["train/loss"]]
    return losses, [event for event in happened if isinstance(event, Evaluation)]


def test_a_compiled_run_takes_eagers_steps_and_its_judge_is_eager(make_run):
    job = {"model": {"name": "linear"}}
    eager, compiled = (make_run(**job, training={**COMPILED, "engine": engine}) for engine in ("eager", "compiled"))
    names = list(compiled.model.state_dict())
    (wanted, _), (losses, evaluations) = told(eager.events()), told(compiled.events())
    assert losses == pytest.approx(wanted, rel=1e-5)
    assert list(compiled.model.state_dict()) == names
    again = make_run(**job, training=COMPILED)
    again.model.load_state_dict(compiled.model.state_dict())
    assert again._judge("val", again._validation, again._judged_model) == evaluations[-1].values


@pytest.mark.verify
@pytest.mark.parametrize("name", ModelEntry.names())
def test_every_network_computes_compiled_what_it_computes_eagerly(name):
    network, _, rows = networks(name, "float32")
    network.train()
    compiled = torch.compile(copy.deepcopy(network), dynamic=False)
    for one in (network, compiled):
        torch.manual_seed(0)
        one(rows).square().mean().backward()
    for eager, weight in zip(network.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, eager.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.verify
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_compiled_run_is_taken_up_bit_for_bit_by_a_process_that_has_compiled_nothing(make_run, tmp_path, precision):
    job = {**OF_TWO_SIZES, "training": {**OF_TWO_SIZES["training"], "precision": precision}}
    whole, left = make_run(**job), make_run(**job)
    wanted, judged = told(whole.events())
    next(event for event in left.events() if isinstance(event, CheckpointDue))
    left.save(tmp_path / "state")
    torch.compiler.reset()
    taken_up = make_run(**job)
    taken_up.restore(tmp_path / "state")
    losses, evaluations = told(taken_up.events())
    assert losses == wanted[4:]
    assert evaluations == judged[-len(evaluations) :]
    assert taken_up.save_model(tmp_path / "a") == whole.save_model(tmp_path / "b")


@pytest.mark.verify
def test_the_script_of_a_compiled_run_prints_its_numbers(tmp_path):
    specs = {
        "two sizes": {"dataset": {"name": "iris"}, **OF_TWO_SIZES},
        "closures": {"dataset": {"name": "iris"}, "optimizer": {"name": "sam"}, "training": COMPILED},
    }
    for _, expected, printed in run_all(specs, tmp_path).values():
        assert len(expected) > 2
        assert printed == expected
