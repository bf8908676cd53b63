"""The learning rate of every step, against PyTorch's own schedulers where they have the same rule."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from api_schemas.catalog.schedules import (
    Constant,
    Cosine,
    Exponential,
    Factors,
    Linear,
    LinearWarmup,
    ScheduleEntry,
    Step,
)

STEPS = 60
PER_EPOCH = 6

PAIRS = {
    "constant": (Constant(value=0.5), lambda o: lr_scheduler.ConstantLR(o, 0.5, STEPS + 1)),
    "linear_warmup": (LinearWarmup(initial=0.1), lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, STEPS)),
    "linear": (Linear(initial=1.0, final=0.2), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, STEPS)),
    "cosine": (Cosine(final=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
    "exponential": (Exponential(gamma=0.9, unit="step"), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "step": (Step(gamma=0.5, every=7, unit="step"), lambda o: lr_scheduler.StepLR(o, 7, 0.5)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_piece_gives_the_rates_of_the_scheduler_of_pytorch(name):
    piece, make = PAIRS[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    ours = Factors([piece], STEPS, PER_EPOCH)
    for step in range(STEPS):
        assert ours(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_every_piece_of_the_catalog_is_compared():
    assert set(PAIRS) == set(ScheduleEntry.members())


def test_pieces_follow_each_other_and_the_last_takes_what_is_left():
    factors = Factors([LinearWarmup(steps=10, initial=0.0), Cosine()], 110, 10)
    assert factors(0) == 0.0
    assert factors(5) == 0.5
    assert factors(10) == 1.0
    assert factors(60) == pytest.approx(0.5)
    assert factors(109) < 0.001


def test_a_piece_may_be_as_long_as_steps_epochs_or_a_share_of_the_run_say():
    for piece in (Linear(steps=30), Linear(epochs=5), Linear(fraction=0.5)):
        factors = Factors([piece, Constant(value=7.0)], STEPS, PER_EPOCH)
        assert factors(29) < 0.1
        assert factors(30) == 7.0


def test_after_its_end_the_last_piece_holds_its_end_value():
    factors = Factors([LinearWarmup(steps=10)], 100, 10)
    assert [factors(step) for step in (10, 50, 99)] == [1.0, 1.0, 1.0]


def test_a_rate_that_decays_by_the_epoch_does_so_whatever_an_epoch_is():
    for per_epoch in (1, 7):
        factors = Factors([Exponential(gamma=0.5, unit="epoch")], 10 * per_epoch, per_epoch)
        assert factors(3 * per_epoch) == pytest.approx(0.125)


@given(st.lists(st.sampled_from(sorted(PAIRS)), min_size=1, max_size=4), st.integers(1, 500), st.integers(1, 50))
def test_no_factor_of_any_schedule_is_negative_or_above_its_start(names, total, per_epoch):
    pieces = [PAIRS[name][0].model_copy(update={"fraction": 1 / len(names)}) for name in names]
    factors = Factors(pieces, total, per_epoch)
    assert all(0 <= factors(step) <= 1 for step in range(total + 1))
