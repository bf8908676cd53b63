"""Mixed precision: short numbers where they are multiplied, long ones where they are kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from api_schemas.catalog.layers import InputShape, parameter_shapes
from api_schemas.catalog.models import ModelEntry
from api_schemas.jobs import JobSpec
from api_schemas.trained import trained_network
from training.build import build_model, evaluate
from training.loop import Evaluation, Points

TABLE = InputShape(9, categories={2: 4})
SHAPES = {name: InputShape(36, (12, 3)) for name in ("rnn", "lstm", "gru", "tcn", "transformer")}
SHAPES |= {name: InputShape(192, (3, 8, 8)) for name in ("cnn", "resnet", "vit")}
SHAPES |= {"gpt": InputShape(16, tokens=(16, 50))}
BFLOAT16 = {"precision": "bfloat16", "epochs": 3}
SHORT = ("bfloat16", "float16")


def networks(name: str, precision: str):
    """A model's network as it trains in a short type, and as it is served, with the same weights."""
    shape = SHAPES.get(name, TABLE)
    spec = JobSpec.model_validate(
        {"dataset": {"name": "iris"}, "model": {"name": name}, "training": {"precision": precision}}
    )
    outputs = 50 if shape.tokens else 5
    described = trained_network(spec, shape, outputs)
    torch.manual_seed(0)
    short, served = evaluate(described), build_model(spec.model, shape, outputs)
    assert list(parameter_shapes(described)) == [key for key, _ in short.named_parameters()]
    served.load_state_dict(short.state_dict())
    rows = torch.randint(50, (8, 16)) if shape.tokens else torch.randn(8, shape.width)
    rows[:, list(shape.categories)] = 0
    return short, served.eval(), rows


@pytest.mark.parametrize("precision", SHORT)
@pytest.mark.parametrize("name", ModelEntry.names())
def test_every_network_multiplies_in_sixteen_bits_and_learns_in_float32(name, precision):
    short, _, rows = networks(name, precision)
    seen: set[torch.dtype] = set()
    for layer in short.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _given, given: seen.add(given.dtype))
    scores = short.train()(rows)
    scores.square().mean().backward()
    assert scores.dtype == torch.float32
    assert seen <= {getattr(torch, precision)}
    assert {weight.grad.dtype for weight in short.parameters()} == {torch.float32}
    assert all(weight.grad.isfinite().all() for weight in short.parameters())


@pytest.mark.parametrize("name", ModelEntry.names())
def test_it_is_judged_as_it_is_served(name):
    short, served, rows = networks(name, "bfloat16")
    assert torch.equal(short.eval()(rows), served(rows))


def test_a_run_in_bfloat16_learns_as_well_as_one_in_float32_by_other_numbers(make_run):
    told = {}
    for precision in ("float32", "bfloat16"):
        events = list(make_run(dataset={"name": "digits"}, training={**BFLOAT16, "precision": precision}).events())
        losses = [loss for told in events if isinstance(told, Points) for loss in told.series["train/loss"]]
        told[precision] = losses, [event for event in events if isinstance(event, Evaluation)][-1].values
    assert told["float32"][0] != told["bfloat16"][0]
    assert told["bfloat16"][0] == pytest.approx(told["float32"][0], rel=0.05, abs=0.02)
    assert told["bfloat16"][1]["val/accuracy"] == pytest.approx(told["float32"][1]["val/accuracy"], abs=0.02)


def test_a_run_in_bfloat16_goes_on_bit_for_bit(make_run, tmp_path):
    spec = {
        "dataset": {"name": "digits"},
        "model": {"name": "mlp", "dropout": 0.2, "normalization": {"name": "batch_norm"}},
        "training": BFLOAT16,
    }
    whole, first, second = make_run(**spec), make_run(**spec), make_run(**spec)
    expected = [told for told in whole.events() if isinstance(told, Evaluation)]
    next(told for told in first.events() if isinstance(told, Evaluation))
    first.save(tmp_path / "state")
    second.restore(tmp_path / "state")
    assert [told for told in second.events() if isinstance(told, Evaluation)] == expected[1:]
    digests = [run.save_model(tmp_path / name) for name, run in (("whole", whole), ("second", second))]
    assert digests[0] == digests[1]
