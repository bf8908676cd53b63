"""The learning rate of every step, against PyTorch's own schedulers where they have the same rule."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from api_schemas.catalog.schedule_entry import Factors, ScheduleEntry
from api_schemas.catalog.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseSqrt,
    Linear,
    LinearWarmup,
    MultiStep,
    Noam,
    OneCycle,
    OneOverT,
    Polynomial,
    Rex,
    Step,
    Tanh,
    Wsd,
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
    "multi_step": (
        MultiStep(gamma=0.5, milestones=[5, 20, 21], unit="step"),
        lambda o: lr_scheduler.MultiStepLR(o, [5, 20, 21], 0.5),
    ),
    "polynomial": (Polynomial(power=3.0), lambda o: lr_scheduler.PolynomialLR(o, STEPS, 3.0)),
    "cosine_restarts": (
        CosineRestarts(every=7, multiplier=2, unit="step", final=0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, 2, eta_min=0.1),
    ),
    "one_cycle": (OneCycle(), lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False)),
    "cyclic": (
        Cyclic(low=0.2, half=8, unit="step"),
        lambda o: lr_scheduler.CyclicLR(o, 0.2, 1.0, 8, cycle_momentum=False),
    ),
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


BY_HAND: dict[str, tuple[ScheduleEntry, dict[int, float]]] = {
    "inverse_sqrt": (InverseSqrt(timescale=100), {0: 1.0, 100: 0.5**0.5, 300: 0.5, 800: 1 / 3}),
    "noam": (Noam(warmup=10), {0: 0.1, 4: 0.5, 9: 1.0, 39: 0.5, 89: 1 / 3}),
    "one_over_t": (OneOverT(unit="step", decay=0.1), {0: 1.0, 10: 0.5, 90: 0.1}),
    "rex": (Rex(), {0: 1.0, 500: 2 / 3, 750: 0.4, 1000: 0.0}),
    "tanh": (Tanh(lower=-4, upper=4), {0: 0.99966465, 500: 0.5, 1000: 0.00033535}),
    "wsd": (
        Wsd(warmup=0.1, decay=0.2, final=0.1, shape="cosine"),
        {0: 0.0, 50: 0.5, 100: 1.0, 800: 1.0, 900: 0.55, 1000: 0.1},
    ),
}


PIECES = {name: piece for name, (piece, _) in [*PAIRS.items(), *BY_HAND.items()]}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_piece_that_pytorch_does_not_have_gives_the_rates_of_its_formula(name):
    piece, rates = BY_HAND[name]
    factors = Factors([piece], 1000, 10)
    for step, rate in rates.items():
        assert factors(step) == pytest.approx(rate, abs=1e-8)


@pytest.mark.parametrize(("shape", "halfway"), [("linear", 0.5), ("cosine", 0.5), ("sqrt", 1 - 0.5**0.5)])
def test_the_last_part_of_wsd_falls_in_its_shape(shape, halfway):
    assert Factors([Wsd(shape=shape)], 1000, 10)(900) == pytest.approx(halfway)


def test_every_piece_of_the_catalog_is_compared():
    assert set(PAIRS) | set(BY_HAND) == set(ScheduleEntry.members())


@pytest.mark.parametrize("total", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("name", ScheduleEntry.members())
def test_the_shortest_run_has_a_finite_rate_at_each_step(name, total):
    factors = Factors([ScheduleEntry.members()[name]()], total, 1)
    assert all(0 <= factors(step) <= 1 for step in range(total + 1))


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


@given(st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=4), st.integers(1, 500), st.integers(1, 50))
def test_no_factor_of_any_schedule_is_negative_or_above_its_start(names, total, per_epoch):
    pieces = [PIECES[name].model_copy(update={"fraction": 1 / len(names)}) for name in names]
    factors = Factors(pieces, total, per_epoch)
    assert all(0 <= factors(step) <= 1 for step in range(total + 1))
