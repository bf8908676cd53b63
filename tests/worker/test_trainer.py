"""What a person is told when a training does not fit."""

from __future__ import annotations

from api_schemas.jobs import Training
from worker.trainer import less_memory


def test_out_of_memory_names_what_would_fit_and_keeps_the_steps():
    told = less_memory(Training(batch_size=512, accumulate_batches=2))
    assert "training.batch_size to 256 and accumulate_batches to 4" in told
    assert "training.activation_checkpointing" in told


def test_what_is_used_up_already_is_not_suggested():
    assert less_memory(Training(batch_size=1, activation_checkpointing=True)) == "use a smaller network"
