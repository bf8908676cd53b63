"""What a person is told when a training does not fit, and what is tried in its place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from worker.memory import asked_for, out_of_memory, plan_that_fits
from worker.messages import OutOfMemory

TOLD = OutOfMemory("can't allocate memory", 2_000_000_000, 3_000_000_000)


def settled(**training):
    asked = {"dataset": {"name": "digits"}, "model": {"name": "mlp", "hidden": [4000]}, "training": training}
    return make_plan(JobSpec.model_validate(asked), None)


def batches(plan):
    return plan.spec.training.batch_size, plan.spec.training.accumulate_batches


def test_half_the_batch_is_tried_where_nobody_knows_how_much_room_there_is():
    spec = settled(batch_size=512, accumulate_batches=2).spec
    assert batches(plan_that_fits(spec, None, None)) == (256, 4)


def test_the_parts_are_equal_so_that_a_step_has_the_same_rows():
    assert batches(plan_that_fits(settled(batch_size=99).spec, None, None)) == (33, 3)


def test_the_largest_batch_that_is_thought_to_fit_is_tried():
    plan = settled(batch_size=1024)
    wanted = settled(batch_size=128, accumulate_batches=8)
    fitting = plan_that_fits(plan.spec, None, wanted.memory_bytes)
    assert batches(fitting) == (128, 8)
    assert fitting.total_steps == plan.total_steps


def test_where_nothing_is_thought_to_fit_the_smallest_batch_is_tried_and_of_one_row_there_is_none():
    assert batches(plan_that_fits(settled(batch_size=64).spec, None, 1)) == (1, 64)
    assert plan_that_fits(settled(batch_size=1).spec, None, 1) is None


def test_a_batch_that_cannot_train_is_not_tried():
    asked = {"dataset": {"name": "digits"}, "model": {"name": "mlp", "normalization": {"name": "batch_norm"}}}
    spec = make_plan(JobSpec.model_validate(asked | {"training": {"batch_size": 64}}), None).spec
    assert batches(plan_that_fits(spec, None, 1)) == (2, 32)


def test_what_would_fit_is_named():
    spec = settled(batch_size=512, accumulate_batches=2).spec
    error = out_of_memory(TOLD, spec, plan_that_fits(spec, None, None))
    assert error.message == "out of memory: 2.0 GB more were asked for, where there are 3.0 GB for a training"
    assert "training.batch_size to 256 and accumulate_batches to 4" in error.hint
    assert "training.activation_checkpointing" in error.hint


def test_what_is_used_up_already_is_not_suggested():
    spec = settled(batch_size=1, activation_checkpointing=True).spec
    assert out_of_memory(TOLD, spec, None).hint == "use a smaller network"


def test_how_much_was_asked_for_is_understood_of_pytorch_and_numpy():
    for make in (lambda: torch.empty(1 << 58, dtype=torch.uint8), lambda: np.empty(1 << 58, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as raised:
            make()
        assert asked_for(raised.value) == 1 << 58
    on_a_gpu = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB of which"
    assert asked_for(torch.OutOfMemoryError(on_a_gpu)) == 20 << 20
    assert asked_for(RuntimeError("std::bad_alloc")) is None
