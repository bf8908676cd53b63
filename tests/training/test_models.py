"""Every model is the network that its description promises, and learns with every normalization in every place."""

from __future__ import annotations

import itertools

import pytest
import torch

from api_schemas.catalog.activations import ActivationEntry
from api_schemas.catalog.layers import InputShape, multiplications, parameter_count, parameter_shapes
from api_schemas.catalog.models import ModelEntry
from api_schemas.catalog.normalizations import NormalizationEntry
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_model
from training.loop import Points

DIGITS = InputShape(64, (1, 8, 8))
DEEP = ["mlp", "cnn"]


def model_of(name, **knobs):
    return ModelEntry.find(name).model_validate({"name": name, **knobs})


def _together():
    """Every model, normalization and place that go together."""
    for name, normalization in itertools.product(DEEP, NormalizationEntry.names()):
        for place in ("before_activation", "after_activation"):
            knobs = {"normalization": {"name": normalization}, "normalization_place": place}
            if not model_of(name, **knobs).faults(DIGITS):
                yield pytest.param({"name": name, **knobs}, id=f"{name}-{normalization}-{place}")


PLACES = list(_together())
MODELS = [
    model_of("linear"),
    *(model_of(**place.values[0]) for place in PLACES),
    *(
        model_of(name, activation={"name": activation}, dropout=0.1)
        for name in DEEP
        for activation in ActivationEntry.names()
    ),
    *(model_of("cnn", pool=pool, head=head) for pool in ("stride", "none") for head in ("flatten", "average")),
]


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_the_parameters_are_known_before_the_network_is_built(entry):
    described = entry.network(DIGITS, 10)
    built = build_model(entry, DIGITS, 10)
    shapes = [(name, tuple(weight.shape)) for name, weight in built.named_parameters()]
    assert list(parameter_shapes(described).items()) == shapes
    assert parameter_count(described) == sum(weight.numel() for weight in built.parameters())
    assert built(torch.randn(3, 64)).shape == (3, 10)


@pytest.mark.parametrize("model", PLACES)
def test_a_network_learns_with_every_normalization_in_every_place(make_run, model):
    run = make_run(
        dataset={"name": "digits"},
        model=model | {"hidden": [32, 32]} if model["name"] == "mlp" else model | {"channels": [8, 16]},
        optimizer={"name": "adam", "lr": 0.01},
        training={"epochs": 1},
    )
    losses = [loss for told in run.events() if isinstance(told, Points) for loss in told.series["train/loss"]]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_a_cnn_is_blocks_of_convolution_normalization_activation_and_pooling():
    entry = model_of("cnn", normalization={"name": "batch_norm"}, dropout=0.5, head="average", channels=[4, 6])
    layers = [type(layer).__name__ for layer in build_model(entry, DIGITS, 10)]
    block = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Dropout"]
    assert layers == ["Unflatten", *block, *block, "AvgPool2d", "Flatten", "Linear"]


def test_a_convolution_sees_the_row_as_the_image_that_it_was():
    network = build_model(model_of("cnn", channels=[5], pool="none", kernel=3), InputShape(2 * 4 * 3, (2, 4, 3)), 7)
    image = torch.randn(6, 2, 4, 3)
    scores = torch.relu(torch.nn.functional.conv2d(image, network[1].weight, network[1].bias, padding=1))
    scores = scores.flatten(1) @ network[-1].weight.T + network[-1].bias
    torch.testing.assert_close(network(image.flatten(1)), scores)


def test_a_convolution_is_multiplied_with_at_every_place():
    alone = model_of("cnn", channels=[4], pool="none", head="average").network(DIGITS, 10)
    assert multiplications(alone) == 64 * 4 * 9 + 4 * 10


@pytest.mark.parametrize(
    ("dataset", "model", "pointer", "code"),
    [
        ("wine", {"name": "cnn"}, "/model/name", "no_array"),
        ("digits", {"name": "cnn", "array": [1, 8, 9]}, "/model/array", "not_this_array"),
        ("digits", {"name": "cnn", "channels": [4, 4, 4, 4]}, "/model/channels", "image_too_small"),
        (
            "digits",
            {"name": "cnn", "channels": [16, 30], "normalization": {"name": "group_norm"}},
            "/model/normalization",
            "normalization_unfit",
        ),
        (
            "digits",
            {"name": "mlp", "hidden": [8], "normalization": {"name": "group_norm"}},
            "/model/normalization",
            "normalization_unfit",
        ),
        (
            "wine",
            {"name": "mlp", "normalization": {"name": "instance_norm"}},
            "/model/normalization",
            "normalization_unfit",
        ),
        (
            "wine",
            {"name": "mlp", "normalization": {"name": "spectral_norm"}, "initialization": {"name": "lsuv"}},
            "/model/initialization",
            "initialization_unfit",
        ),
        (
            "wine",
            {"name": "mlp", "normalization": {"name": "weight_norm"}, "initialization": {"name": "zeros"}},
            "/model/initialization",
            "initialization_unfit",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and not value.startswith("/") else "",
)
def test_what_does_not_go_together_is_refused_with_its_place(dataset, model, pointer, code):
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate({"dataset": {"name": dataset}, "model": model}), None)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


def test_flat_rows_are_images_where_the_job_says_so():
    plan = make_plan(
        JobSpec.model_validate(
            {"dataset": {"name": "wine"}, "model": {"name": "cnn", "array": [13, 1, 1], "pool": "none"}}
        ),
        None,
    )
    assert plan.parameters == (13 * 9 + 1) * 16 + (16 * 9 + 1) * 32 + (32 + 1) * 3
