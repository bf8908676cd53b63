"""What holds of every optimizer of the catalog, on a problem small enough to try them all."""

import inspect
import math
from typing import Literal, get_args, get_origin

import pytest
import pytorch_optimizer
import torch
from annotated_types import Ge, Gt, Le, Lt

from api_schemas.catalog.optimizers import OptimizerEntry
from api_schemas.catalog.optimizers_around import AroundEntry
from api_schemas.catalog.optimizers_library import LibraryOptimizer, absent
from tests.small import Small
from training.build import evaluate, resolve

ENTRIES = {name: entry for name, entry in OptimizerEntry.members().items() if not entry.sparse_only}
FROM_LIBRARY = {name: ENTRIES[name] for name in LibraryOptimizer.names()}

KNOBS = {
    "shampoo": {"matrix_eps": 1e-3},  # the classes' gradients add up to 0, so its statistics are singular
    "spectralsphere": {"solver_max_iterations": 10},  # for time
}
SLOW = {
    10: """radam muon accsgd adalite adapnm adashift amos ano dadaptadagrad diffgrad dualadam ftrl gravity kron lamb
        laprop lion racs rose scalableshampoo schedulefreeradam scion shampoo sophiah spectralsphere srmm tam
        lookahead""",
    100: "sgd asgd adai adamod grokfastadamw lars pid pnm qhm ranger sara sgdp sgdw simplifiedademamix sam",
}
"""How many times its default the learning rate has to be for 60 steps to show: defaults are for long runs."""


def entry_of(name):
    factor = next((factor for factor, names in SLOW.items() if name in names.split()), 1)
    made = ENTRIES[name](**KNOBS.get(name, {}))
    if isinstance(made, AroundEntry):
        return made.model_copy(update={"base": made.base.model_copy(update={"lr": made.rate * factor})})
    return made.model_copy(update={"lr": made.lr * factor})


@pytest.mark.parametrize("name", ENTRIES)
def test_its_loss_falls(name):
    losses = Small(entry_of(name)).train(60)
    assert sum(losses[-5:]) / 5 < 0.9 * losses[0]


@pytest.mark.parametrize("name", OptimizerEntry.members())
def test_its_knobs_are_arguments_of_its_target_with_the_targets_own_defaults(name):
    entry = OptimizerEntry.members()[name]()
    known = inspect.signature(resolve(entry)).parameters
    for knob, value in entry.knobs().items():
        own = known[knob].default
        assert own is inspect.Parameter.empty or own is None or value == own, f"{knob} is {own} in {entry.target}"


def choices(entry, knob):
    """Every value of a knob that has few."""
    parts = [entry.model_fields[knob].annotation, *get_args(entry.model_fields[knob].annotation)]
    literals = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    return [True, False] if bool in parts else literals


def limits(entry, knob):
    """The outermost values that the catalog lets through."""
    whole = entry.model_fields[knob].annotation is int
    for mark in entry.model_fields[knob].metadata:
        match mark:
            case Ge(ge=bound) | Le(le=bound):
                yield bound
            case Gt(gt=bound):
                yield bound + 1 if whole else math.nextafter(bound, math.inf)
            case Lt(lt=bound):
                yield bound - 1 if whole else math.nextafter(bound, -math.inf)


@pytest.mark.parametrize("name", FROM_LIBRARY)
def test_the_library_takes_every_value_that_the_catalog_lets_through(name):
    entry, model = FROM_LIBRARY[name], torch.nn.Linear(2, 2)
    group = {"params": [model.weight], **({entry.matrices_flag: True} if entry.matrices_flag else {})}
    for knob in set(entry.model_fields) - {knob for pair in entry.ordered for knob in pair}:
        for value in [*choices(entry, knob), *limits(entry, knob)]:
            evaluate(entry(**{knob: value}).call(model if entry.takes_model else [dict(group)]))


@pytest.mark.verify
@pytest.mark.parametrize("name", FROM_LIBRARY)
def test_it_trains_with_every_choice_of_every_knob(name):
    entry = ENTRIES[name]
    for choice in ({knob: value} for knob in entry.model_fields for value in choices(entry, knob)):
        losses = Small(entry(**choice)).train(4)
        assert all(math.isfinite(loss) for loss in losses), choice


def test_every_optimizer_of_torch_and_of_the_library_is_in_the_catalog_or_said_to_be_absent():
    targets = {entry.target for entry in OptimizerEntry.members().values()}
    torchs = [name for name, value in vars(torch.optim).items() if inspect.isclass(value) and name != "Optimizer"]
    assert {f"torch.optim.{name}" for name in torchs} <= targets
    assert set(pytorch_optimizer.get_supported_optimizers()) <= set(ENTRIES) | set(absent())
    assert not set(absent()) & set(ENTRIES)
    assert len(ENTRIES) > 110


def test_a_schedule_finds_the_learning_rate_of_every_optimizer():
    for name, entry in ENTRIES.items():
        made = entry()
        groups = [group for _, optimizer in Small(made).optimization._parts for group in optimizer.param_groups]
        assert all("lr" in group for group in groups), name
        knob = made.innermost.momentum_knob
        assert not knob or any(knob in group for group in groups), name


def test_the_rate_of_every_optimizer_is_usual():
    for entry in ENTRIES.values():
        made = entry().innermost
        low, high = made.usual_lr
        assert low <= made.lr <= high
