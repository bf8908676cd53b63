"""What is computed twice is the same twice, and what is not kept takes no memory."""

from __future__ import annotations

import weakref

import pytest
import torch

from api_schemas.catalog.layers import InputShape, parameter_shapes
from api_schemas.jobs import JobSpec
from api_schemas.trained import trained_network
from training.build import evaluate
from training.loop import Points

DEEP = {"name": "mlp", "hidden": [16] * 6, "dropout": 0.2}
MODELS = {
    "batch_norm": DEEP | {"normalization": {"name": "batch_norm"}},
    "batch_renorm": DEEP | {"normalization": {"name": "batch_renorm", "warmup_steps": 0}},
    "spectral_norm": DEEP | {"normalization": {"name": "spectral_norm"}},
    "resnet": {"name": "resnet", "widths": [4, 8], "blocks": 2},
    "lstm": {"name": "lstm", "array": [8, 8], "width": 8, "layers": 2, "dropout": 0.2},
}


def trained(make_run, **training):
    """Every loss of a run, and the digest of its weights."""
    run = make_run(**{**training, "training": {"epochs": 2, "batch_size": 400, **training["training"]}})
    losses = [loss for told in run.events() if isinstance(told, Points) for loss in told.series["train/loss"]]
    return run, losses


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_number_of_a_run_changes(make_run, tmp_path, name, precision):
    told = []
    for recomputed in (False, True):
        knobs = {"activation_checkpointing": recomputed, "precision": precision}
        run, losses = trained(make_run, dataset={"name": "digits"}, model=MODELS[name], training=knobs)
        told.append((losses, run.save_model(tmp_path / "model")))
    assert told[0] == told[1]


@pytest.mark.parametrize("optimizer", ["sam", "adahessian"])
def test_an_optimizer_that_asks_twice_or_differentiates_twice_gets_the_same(make_run, optimizer):
    specs = [
        {"dataset": {"name": "iris"}, "optimizer": {"name": optimizer}, "training": {"activation_checkpointing": on}}
        for on in (False, True)
    ]
    without, within = (
        trained(make_run, **spec | {"training": spec["training"] | {"batch_size": 40}})[1] for spec in specs
    )
    assert without == within


@pytest.mark.parametrize("model", [{"name": "mlp", "hidden": [32] * 20}, {"name": "gpt", "layers": 12}])
def test_of_a_deep_network_little_is_alive_before_the_way_back(model):
    text = model["name"] == "gpt"
    shape = InputShape(16, tokens=(16, 50)) if text else InputShape(9)
    alive = []
    for recomputed in (False, True):
        training = {"activation_checkpointing": recomputed}
        spec = JobSpec.model_validate({"dataset": {"name": "iris"}, "model": model, "training": training})
        described = trained_network(spec, shape, 50)
        network = evaluate(described).train()
        assert [name for name, _ in network.named_parameters()] == list(parameter_shapes(described))
        given: list[weakref.ref[torch.Tensor]] = []
        for layer in network.modules():
            if not list(layer.children()):
                layer.register_forward_hook(lambda _layer, _x, y, given=given: given.append(weakref.ref(y)))
        scores = network(torch.randint(50, (4, 16)) if text else torch.randn(4, 9))
        alive.append(sum(reference() is not None for reference in given))
        scores.sum().backward()
        assert all(weight.grad is not None for weight in network.parameters())
    assert alive[1] < alive[0] / 2
