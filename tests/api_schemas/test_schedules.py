"""The learning rate of every step, against the schedulers of PyTorch, transformers and pytorch_optimizer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.chebyshev import chebval
from pydantic import ValidationError
from pytorch_optimizer.lr_scheduler import REXScheduler, get_wsd_schedule
from pytorch_optimizer.lr_scheduler.chebyshev import get_chebyshev_permutation, get_chebyshev_steps
from torch.optim import lr_scheduler

from api_schemas.catalog.schedule_entry import Factors, ScheduleEntry
from api_schemas.catalog.schedules import (
    Chebyshev,
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
    Plateau,
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
    "wsd": (
        Wsd(warmup=0.1, decay=0.2, shape="sqrt"),
        lambda o: get_wsd_schedule(o, 6, 42, 12, cooldown_type="1-sqrt"),
    ),
    "chebyshev": (
        Chebyshev(condition=20, period=16),
        lambda o: lr_scheduler.LambdaLR(o, lambda i: get_chebyshev_steps(16)[get_chebyshev_permutation(16)][i % 16]),
    ),
    "cyclic": (
        Cyclic(low=0.2, half=8, unit="step"),
        lambda o: lr_scheduler.CyclicLR(o, 0.2, 1.0, 8, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_piece_gives_the_rates_of_the_scheduler_that_others_wrote(name):
    piece, make = PAIRS[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    ours = Factors([piece], STEPS, PER_EPOCH)
    for step in range(STEPS):
        assert ours(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_rex_gives_the_rates_of_the_scheduler_that_others_wrote():
    theirs = REXScheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), STEPS)
    ours = Factors([Rex()], STEPS, PER_EPOCH)
    rates = [ours(step) for step in range(1, STEPS + 1)]  # theirs takes a step when it is made
    assert rates == pytest.approx([theirs.step() for _ in rates], abs=1e-12)


BY_HAND: dict[str, tuple[ScheduleEntry, dict[int, float]]] = {
    "inverse_sqrt": (InverseSqrt(timescale=100), {0: 1.0, 100: 0.5**0.5, 300: 0.5, 800: 1 / 3}),
    "noam": (Noam(warmup=10), {0: 0.1, 4: 0.5, 9: 1.0, 39: 0.5, 89: 1 / 3}),
    "one_over_t": (OneOverT(unit="step", decay=0.1), {0: 1.0, 10: 0.5, 90: 0.1}),
    "rex": (Rex(), {0: 1.0, 500: 2 / 3, 750: 0.4, 1000: 0.0}),
    "tanh": (Tanh(lower=-4, upper=4), {0: 0.99966465, 500: 0.5, 1000: 0.00033535}),
    "plateau": (Plateau(), {0: 1.0, 1000: 1.0}),
}


PIECES = {name: piece for name, (piece, _) in [*PAIRS.items(), *BY_HAND.items()]}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_piece_that_pytorch_does_not_have_gives_the_rates_of_its_formula(name):
    piece, rates = BY_HAND[name]
    factors = Factors([piece], 1000, 10)
    for step, rate in rates.items():
        assert factors(step) == pytest.approx(rate, abs=1e-8)


# The multipliers of transformers/optimization.py (5.0), as its source has them; w steps of warmup, n in all.
TRANSFORMERS = {
    "linear": (
        [LinearWarmup(initial=0.0, steps=10), Linear()],
        lambda i, w, n: i / w if i < w else max(0.0, (n - i) / max(1, n - w)),
    ),
    "cosine": (
        [LinearWarmup(initial=0.0, steps=10), Cosine()],
        lambda i, w, n: i / w if i < w else max(0.0, 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * (i - w) / (n - w)))),
    ),
    "cosine_with_restarts": (
        [LinearWarmup(initial=0.0, steps=10), CosineRestarts(every=10, unit="step")],
        lambda i, w, n: i / w if i < w else 0.5 * (1.0 + math.cos(math.pi * ((5 * (i - w) / (n - w)) % 1.0))),
    ),
    "polynomial": (
        [LinearWarmup(initial=0.0, steps=10), Polynomial(power=2.0, final=1e-7)],
        lambda i, w, n: i / w if i < w else (1 - 1e-7) * (1 - (i - w) / (n - w)) ** 2.0 + 1e-7,
    ),
    "inverse_sqrt": (
        [LinearWarmup(initial=0.0, steps=10), InverseSqrt(timescale=10)],
        lambda i, w, _: i / w if i < w else 1.0 / math.sqrt((i + (10 - w)) / 10),
    ),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_pieces_in_a_row_give_the_rates_of_transformers(name):
    pieces, multiplier = TRANSFORMERS[name]
    factors = Factors(pieces, STEPS, PER_EPOCH)
    assert [factors(i) for i in range(STEPS)] == pytest.approx([multiplier(i, 10, STEPS) for i in range(STEPS)])


@pytest.mark.parametrize("period", [8, 32])
def test_a_period_of_chebyshev_rates_shrinks_every_curvature_by_the_bound_of_the_theory(period):
    factors = Factors([Chebyshev(condition=20, period=period)], period, 1)
    curvatures = np.linspace(1 / 20, 1, 1001)
    left = np.abs(np.prod([1 - factors(step) * curvatures for step in range(period)], axis=0))
    assert left.max() == pytest.approx(1 / chebval(21 / 19, [0] * period + [1]), rel=1e-6)


def test_a_period_of_chebyshev_rates_is_a_power_of_two():
    with pytest.raises(ValidationError, match="power of two"):
        Chebyshev(period=12)


@pytest.mark.parametrize(("shape", "halfway"), [("linear", 0.5), ("cosine", 0.5), ("sqrt", 1 - 0.5**0.5)])
def test_the_last_part_of_wsd_falls_in_its_shape(shape, halfway):
    assert Factors([Wsd(shape=shape)], 1000, 10)(900) == pytest.approx(halfway)


def test_every_piece_of_the_catalog_is_compared():
    assert set(PAIRS) | set(BY_HAND) == set(ScheduleEntry.members())


@pytest.mark.parametrize("total", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("name", ScheduleEntry.members())
def test_the_shortest_run_has_a_finite_rate_at_each_step(name, total):
    piece = ScheduleEntry.members()[name].model_validate({})
    factors = Factors([piece], total, 1)
    assert all(0 <= factors(step) <= piece.highest for step in range(total + 1))


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
def test_no_factor_of_any_schedule_is_negative_or_above_what_its_pieces_say(names, total, per_epoch):
    pieces = [PIECES[name].model_copy(update={"fraction": 1 / len(names)}) for name in names]
    factors = Factors(pieces, total, per_epoch)
    highest = max(piece.highest for piece in pieces)
    assert all(0 <= factors(step) <= highest for step in range(total + 1))


@given(
    st.lists(st.floats(0.01, 10), min_size=1, max_size=60),
    st.sampled_from(["val/loss", "val/accuracy"]),
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from([0.0, 1e-4, 0.1]),
)
def test_a_plateau_drops_where_the_scheduler_of_pytorch_does(values, metric, patience, cooldown, threshold):
    knobs = {"patience": patience, "cooldown": cooldown, "threshold": threshold}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    mode = "min" if metric == "val/loss" else "max"
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.5, min_lr=0.01, eps=0, **knobs)
    ours = Factors([Plateau(metric=metric, gamma=0.5, minimum=0.01, **knobs)], 1000, 10)
    for step, value in enumerate(values):
        theirs.step(value)
        ours.see(step, {metric: value, "val/other": 0.0})
        assert ours(step + 1) == optimizer.param_groups[0]["lr"]


def test_a_plateau_of_a_metric_that_is_negative_asks_for_a_gain_too():
    factors = Factors([Plateau(metric="val/r2", gamma=0.5, patience=0, threshold=0.1)], 100, 1)
    for step, (r2, factor) in enumerate([(-1.0, 1.0), (-0.8, 1.0), (-0.75, 0.5), (math.nan, 0.25)]):
        factors.see(step, {"val/r2": r2})
        assert factors(step + 1) == factor


def test_a_plateau_follows_only_what_happens_while_it_lasts():
    factors = Factors([LinearWarmup(steps=10), Plateau(patience=0, gamma=0.5, steps=10), Constant(value=0.3)], 30, 1)
    for step in range(30):
        factors.see(step, {"val/loss": 1.0})
    assert [factors(step) for step in (10, 25)] == [0.5**9, 0.3]


def test_a_plateau_goes_on_from_its_kept_state():
    pieces = [Constant(steps=2), Plateau(patience=1, gamma=0.5, cooldown=1)]
    whole, first, second = (Factors(pieces, 40, 1) for _ in range(3))
    losses = [1.0, 0.9, 0.9, 0.95, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    for step, loss in enumerate(losses):
        whole.see(step, {"val/loss": loss})
        (first if step < 5 else second).see(step, {"val/loss": loss})
        if step == 4:
            second.restore(first.state())
    assert second(11) == whole(11) < 1
    assert second.state() == whole.state()
