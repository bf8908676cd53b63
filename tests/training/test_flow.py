"""What a network costs, and what leaves each of its layers, is known before it is built."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from api_schemas.catalog.activations import ActivationEntry
from api_schemas.catalog.flow import entering, leaves, leaving
from api_schemas.catalog.layers import InputShape, Layer, multiplications
from api_schemas.catalog.models import ModelEntry
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_model

TABLE = InputShape(9, categories={2: 4, 5: 7})
STEPS = InputShape(36, (12, 3))
IMAGE = InputShape(192, (3, 8, 8))
TEXT = InputShape(16, tokens=(16, 50))
SHAPES = {"linear": TABLE, "mlp": TABLE, "ft_transformer": TABLE, "tabm": TABLE, "gpt": TEXT, "layers": TABLE}
SHAPES |= {"cnn": IMAGE, "resnet": IMAGE, "vit": IMAGE}
KNOBS = [
    ("cnn", {"pool": "stride", "head": "average"}),
    ("cnn", {"pool": "average", "dimensions": 1}),
    ("resnet", {"normalization": {"name": "weight_standardization"}, "dropout": 0.1}),
    ("lstm", {"bidirectional": True, "layers": 2, "pool": "mean", "normalization": {"name": "layer_norm"}}),
    ("transformer", {"normalization_place": "after", "normalization": {"name": "batch_norm"}, "pool": "cls"}),
    ("gpt", {"tied_embedding": False}),
    *(("mlp", {"activation": {"name": activation}}) for activation in ActivationEntry.names()),
]
CASES = [*((name, {}) for name in ModelEntry.names()), *KNOBS]


def networks(name, knobs):
    """A model's input, its description and the network itself."""
    shape = STEPS if knobs.get("dimensions") == 1 else SHAPES.get(name, STEPS)
    entry = ModelEntry.find(name).model_validate({"name": name, **knobs})
    outputs = shape.tokens[1] if shape.tokens else 5
    torch.manual_seed(0)
    return shape, entry.network(shape, outputs), build_model(entry, shape, outputs).eval()


def rows_of(shape: InputShape) -> torch.Tensor:
    rows = torch.randn(4, shape.width)
    rows[:, list(shape.categories)] = 0.0
    return torch.randint(shape.tokens[1], (4, shape.width)) if shape.tokens else rows


def watch(module: nn.Module, layer: Layer, seen: list[tuple[int, ...]]) -> None:
    """Note what leaves every layer that is not made of others."""
    if layer.target.rpartition(".")[2] in ("Sequential", "Residual", "TiedScores"):
        for name, child in layer.children.items():
            watch(module.get_submodule(name), child, seen)
    else:
        module.register_forward_hook(lambda _module, _given, given: seen.append(tuple(given.shape[1:])))


@pytest.mark.parametrize(("name", "knobs"), CASES)
def test_the_axes_behind_each_layer_are_those_that_torch_has_there(name, knobs):
    shape, described, built = networks(name, knobs)
    seen: list[tuple[int, ...]] = []
    watch(built, described, seen)
    scores = built(rows_of(shape))
    assert sorted(axes for _, axes in leaves(described, entering(shape))) == sorted(seen)
    assert leaving(described, entering(shape)) == tuple(scores.shape[1:])


@pytest.mark.parametrize("name", ModelEntry.names())
def test_the_multiplications_are_those_that_torch_counts(name):
    """To the last one; but for weights that are themselves computed, whose torch counts none."""
    shape, described, built = networks(name, {})
    # Fused kernels are not counted: recurrence and attention are spelled out here.
    spelled = torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH)
    with spelled[0], spelled[1], torch.no_grad(), FlopCounterMode(display=False) as counter:
        built(rows_of(shape))
    counted = counter.get_total_flops() / 2 / 4
    assert multiplications(described) == pytest.approx(counted, rel=0.02 if name in ("tcn", "tabm") else 0)


def test_a_step_costs_what_torch_counts_forward_and_backward_but_for_the_gradient_of_the_input():
    job = {"dataset": {"name": "digits"}, "model": {"name": "mlp", "hidden": [32, 16]}, "training": {"batch_size": 50}}
    plan = make_plan(JobSpec.model_validate(job), None)
    network = build_model(plan.spec.model, InputShape(64, (8, 8)), 10)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(50, 64)).sum().backward()
    assert plan.flops_per_step == counter.get_total_flops() + 2 * 50 * 64 * 32
    twice = plan.spec.training.model_copy(update={"accumulate_batches": 2})
    assert make_plan(plan.spec.model_copy(update={"training": twice}), None).flops_per_step == 2 * plan.flops_per_step


def test_the_memory_of_a_deep_network_is_that_of_what_its_layers_give():
    """As large as what torch keeps for the gradient, within a factor of two."""
    job = {"dataset": {"name": "digits"}, "model": {"name": "resnet", "blocks": 2}, "training": {"batch_size": 256}}
    plan = make_plan(JobSpec.model_validate(job), None)
    network = build_model(plan.spec.model, InputShape(64, (8, 8)), 10)
    kept: dict[int, int] = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.update({x.data_ptr(): x.nbytes}) or x, lambda x: x):
        scores = network(torch.randn(256, 64))
    assert scores.requires_grad
    assert 0.5 < plan.memory_bytes / sum(kept.values()) < 2
