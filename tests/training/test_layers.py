"""A network that is written down layer by layer is built so, or refused at the layer that does not fit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from api_schemas.catalog.layers import InputShape, multiplications, parameter_shapes
from api_schemas.catalog.models import Layers
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_model

SIGNAL = InputShape(60 * 3, (60, 3))
STRIDED = [
    {"name": "conv1d", "channels": 8, "kernel": 5, "stride": 2},
    {"name": "activation"},
    {"name": "conv1d", "channels": 8, "kernel": 5, "stride": 2},
    {"name": "activation"},
    {"name": "conv1d", "channels": 4, "kernel": 5, "stride": 2, "padding": 1},
    {"name": "activation"},
    {"name": "flatten"},
    {"name": "linear"},
]


def layers_of(layers, **knobs):
    return Layers.model_validate({"name": "layers", "layers": layers, **knobs})


def test_three_strided_convolutions_and_a_linear_layer_are_those_of_a_papers_table():
    network = build_model(layers_of(STRIDED, dimensions=1), SIGNAL, 7)
    signal = torch.randn(2, 60, 3)
    convolutions = [layer for layer in network if isinstance(layer, nn.Conv1d)]
    seen = signal.mT
    for layer, padding in zip(convolutions, (0, 0, 1), strict=True):
        seen = torch.relu(functional.conv1d(seen, layer.weight, layer.bias, stride=2, padding=padding))
    assert seen.shape == (2, 4, 5)
    torch.testing.assert_close(network(signal.flatten(1)), network[-1](seen.flatten(1)))


def test_a_block_is_added_to_what_it_was_given():
    block = {"name": "residual", "layers": [{"name": "linear", "units": 60}, {"name": "activation"}]}
    network = build_model(layers_of([block, {"name": "linear"}]), InputShape(60), 2)
    x = torch.randn(3, 60)
    inner = network[0].body[0]
    torch.testing.assert_close(network[0](x), x + torch.relu(x @ inner.weight.T + inner.bias))


def test_where_shapes_differ_a_convolution_of_one_place_carries_the_input_past_the_block():
    block = {"name": "residual", "layers": [{"name": "conv2d", "channels": 6, "stride": 2, "padding": 1}]}
    network = build_model(layers_of([block, {"name": "global_average_pool"}, {"name": "linear"}]), image(2, 9, 9), 2)
    projection = network[1].shortcut
    assert (projection.kernel_size, projection.stride) == ((1, 1), (2, 2))
    x = torch.randn(3, 2, 9, 9)
    torch.testing.assert_close(network[1](x), projection(x) + network[1].body(x))


def image(*axes):
    return InputShape(axes[0] * axes[1] * axes[2], axes)


channels = st.sampled_from([1, 3, 8, "outputs"])
small = st.integers(1, 3)
convolutions = st.fixed_dictionaries(
    {"name": st.just("conv2d"), "channels": channels, "kernel": small, "stride": small, "padding": st.integers(0, 2)},
    optional={"dilation": small},
)
pools = st.fixed_dictionaries(
    {"name": st.sampled_from(["max_pool", "average_pool"]), "kernel": small}, optional={"stride": small}
)
plain = st.sampled_from(
    [
        {"name": "flatten"},
        {"name": "global_average_pool"},
        {"name": "dropout"},
        {"name": "activation", "activation": {"name": "prelu"}},
        {"name": "normalization"},
        {"name": "normalization", "normalization": {"name": "rms_norm"}},
        {"name": "normalization", "normalization": {"name": "group_norm", "groups": 3}},
        {"name": "linear", "units": 5},
        {"name": "unflatten", "shape": [1, 5]},
        {"name": "conv1d", "channels": 2},
    ]
)
pieces = convolutions | pools | plain
blocks = st.fixed_dictionaries({"name": st.just("residual"), "layers": st.lists(pieces, min_size=1, max_size=3)})


@settings(max_examples=150)
@given(st.lists(pieces | blocks, max_size=4), st.booleans())
def test_what_is_accepted_can_be_built_and_what_is_refused_is_shown_where(written, flatten):
    entry = layers_of([*written, *([{"name": "flatten"}] if flatten else []), {"name": "linear"}])
    shape = image(3, 7, 6)
    faults = entry.faults(shape)
    if faults:
        at = entry.model_dump()
        for key in faults[0].pointer.split("/")[2:]:
            at = at[int(key)] if isinstance(at, list) else at[key]
        return
    network, built = entry.network(shape, 4), build_model(entry, shape, 4)
    shapes = [(name, tuple(weight.shape)) for name, weight in built.named_parameters()]
    assert list(parameter_shapes(network).items()) == shapes
    assert built(torch.randn(3, shape.width)).shape == (3, 4)
    assert multiplications(network) >= 0


@pytest.mark.parametrize(
    ("layers", "pointer", "said"),
    [
        ([{"name": "linear"}], "/model/layers/0/name", "1 x 8 x 8 arrives"),
        ([{"name": "conv2d"}, {"name": "conv2d", "kernel": 9}], "/model/layers/1/kernel", "16 x 6 x 6"),
        ([{"name": "conv1d"}], "/model/layers/0/name", "1 x 8 x 8 arrives"),
        ([{"name": "flatten"}, {"name": "conv2d"}], "/model/layers/1/name", "unflatten"),
        ([{"name": "flatten"}, {"name": "unflatten", "shape": [3, 3]}], "/model/layers/1/shape", "64 arrive"),
        ([{"name": "max_pool", "kernel": 9}], "/model/layers/0/kernel", "1 x 8 x 8"),
        (
            [{"name": "residual", "layers": [{"name": "conv2d"}, {"name": "conv2d", "kernel": 8}]}],
            "/model/layers/0/layers/1/kernel",
            "16 x 6 x 6",
        ),
        ([{"name": "residual", "layers": [{"name": "conv2d"}]}], "/model/layers/0/layers", "16 x 6 x 6"),
        (
            [{"name": "normalization", "normalization": {"name": "weight_norm"}}],
            "/model/layers/0/normalization",
            "weights",
        ),
        ([{"name": "flatten"}, {"name": "linear", "units": 10}], "/model/layers/1", '{"name": "linear"}'),
        ([{"name": "conv2d", "channels": "outputs"}], "/model/layers/0", "leaves the last layer"),
    ],
    ids=str,
)
def test_a_layer_that_does_not_fit_is_refused_with_the_shape_that_arrives_there(layers, pointer, said):
    job = {"dataset": {"name": "digits"}, "model": {"name": "layers", "layers": layers}}
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate(job), None)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert said in refused.value.faults[0].message


def test_columns_of_a_table_are_a_list_of_numbers():
    job = {"dataset": {"name": "wine"}, "model": {"name": "layers", "layers": [{"name": "linear"}]}}
    assert make_plan(JobSpec.model_validate(job), None).parameters == (13 + 1) * 3


def test_batch_norm_among_the_layers_refuses_a_batch_of_one_row():
    layers = [{"name": "residual", "layers": [{"name": "normalization"}]}, {"name": "linear"}]
    job = {"dataset": {"name": "wine"}, "model": {"name": "layers", "layers": layers}, "training": {"batch_size": 1}}
    with pytest.raises(InvalidRequest, match="batch norm"):
        make_plan(JobSpec.model_validate(job), None)
