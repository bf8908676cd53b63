"""A run goes on at its newest checkpoint that can be read, and ends as if nothing had happened."""

from __future__ import annotations

import hashlib

import pytest
import torch

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.data.prepare import prepare
from training.events import CheckpointDue
from training.loop import Run
from worker.messages import Kept
from worker.resumption import take_up

SPEC = {
    "dataset": {"name": "iris"},
    "model": {"name": "mlp", "hidden": [8], "dropout": 0.1},
    "training": {"epochs": 20, "checkpoint_every_steps": 10, "keep": "best"},
}


@pytest.fixture(autouse=True)
def one_thread():
    """A run's bits depend on the number of threads."""
    torch.set_num_threads(1)


def make(seed=0):
    spec = JobSpec.model_validate(SPEC)
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": seed})})
    plan = make_plan(spec, None)
    return Run(plan.spec, plan, prepare(plan.spec, None, None), torch.device("cpu"))


def finish(run, folder, checkpoints=None):
    """Digest of the weights; checkpoints are written where they are due, if somebody wants them."""
    for event in run.events():
        if isinstance(event, CheckpointDue) and checkpoints is not None:
            path = folder / f"{event.step}.checkpoint"
            run.save(path)
            checkpoints.append(kept(event.step, path))
    return run.save_model(folder / "model.safetensors")


def kept(step, path):
    return Kept(step, hashlib.sha256(path.read_bytes()).hexdigest(), path)


@pytest.fixture
def written(tmp_path):
    """The digest of an undisturbed run, and the checkpoints that it wrote after 10, 20, 30 and 40 steps."""
    checkpoints = []
    return finish(make(), tmp_path, checkpoints), checkpoints


def flip_a_bit(path):
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)


DAMAGES = {
    "a bit is flipped": flip_a_bit,
    "it is cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "it is empty": lambda path: path.write_bytes(b""),
    "it cannot be opened": lambda path: (path.unlink(), path.mkdir()),
}


def test_the_last_checkpoint_is_where_it_goes_on(written, tmp_path):
    digest, checkpoints = written
    run, fell_back = take_up(make, checkpoints)
    assert (run.steps_done, fell_back) == (checkpoints[-1].steps_done, None)
    assert finish(run, tmp_path) == digest


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_with_the_same_end(damage, written, tmp_path):
    digest, checkpoints = written
    damage(checkpoints[-1].path)
    run, fell_back = take_up(make, checkpoints)
    assert run.steps_done == fell_back.steps_done == checkpoints[-2].steps_done
    assert f"the checkpoint of step {checkpoints[-1].steps_done} cannot be read" in fell_back.reason
    assert finish(run, tmp_path) == digest


def test_one_that_is_gone_and_one_of_another_run_are_passed_over_too(written, tmp_path):
    digest, (first, second, third, *_) = written
    make(seed=1).save(tmp_path / "other.checkpoint")
    checkpoints = [first, second, kept(third.steps_done, tmp_path / "other.checkpoint"), Kept(40, "0" * 64, None)]
    run, fell_back = take_up(make, checkpoints)
    assert run.steps_done == second.steps_done
    assert "its file is gone" in fell_back.reason
    assert "belongs to another run" in fell_back.reason
    assert finish(run, tmp_path) == digest


def test_where_none_can_be_read_it_starts_over(written, tmp_path):
    digest, checkpoints = written
    for checkpoint in checkpoints:
        checkpoint.path.unlink()
    run, fell_back = take_up(make, checkpoints)
    assert run.steps_done == fell_back.steps_done == 0
    assert all(f"step {checkpoint.steps_done} " in fell_back.reason for checkpoint in checkpoints)
    assert finish(run, tmp_path) == digest
