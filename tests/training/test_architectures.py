"""Networks of images, sequences and tokens are what their papers say, and known before they are built."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from api_schemas.catalog.activations import ActivationEntry
from api_schemas.catalog.layers import InputShape, parameter_shapes
from api_schemas.catalog.models import ModelEntry
from api_schemas.catalog.normalizations import NormalizationEntry
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from training.build import build_model, evaluate, initialize

IMAGE = InputShape(3 * 8 * 8, (3, 8, 8))
LINE = InputShape(12, (12,))
STEPS = InputShape(12 * 3, (12, 3))
SMALL = {
    "cnn": {"channels": [8, 8], "dimensions": 1},
    "resnet": {"widths": [8, 16], "blocks": 2},
    "rnn": {"width": 8, "layers": 2},
    "lstm": {"width": 8, "bidirectional": True},
    "gru": {"width": 8, "layers": 2, "pool": "mean"},
    "tcn": {"channels": [8, 16, 16]},
    "transformer": {"width": 16},
    "vit": {"width": 16, "patch": 2},
}
OTHERS = [
    ("resnet", {"skips": False}),
    ("resnet", {"dimensions": 1}),
    ("lstm", {"pool": "mean", "dropout": 0.1}),
    ("tcn", {"pool": "mean", "dropout": 0.1}),
    ("transformer", {"positions": "sinusoidal", "normalization_place": "after", "pool": "cls", "dropout": 0.1}),
    ("transformer", {"positions": "none", "attention_dropout": 0.1}),
    ("vit", {"pool": "mean"}),
]


def model_of(name, **knobs):
    return ModelEntry.find(name).model_validate({"name": name, **SMALL[name], **knobs})


def shape_of(entry):
    images = entry.name in ("resnet", "vit") and getattr(entry, "dimensions", 2) != 1
    return IMAGE if images else STEPS


def _normalized():
    for name, normalization in itertools.product(SMALL, NormalizationEntry.names()):
        entry = model_of(name, normalization={"name": normalization})
        if not entry.faults(shape_of(entry)):
            yield pytest.param(entry, id=f"{name}-{normalization}")


ENTRIES = [
    *_normalized(),
    *(pytest.param(model_of(name, **knobs), id=f"{name}-{'-'.join(knobs)}") for name, knobs in OTHERS),
    *(
        pytest.param(model_of(name, activation={"name": activation}), id=f"{name}-{activation}")
        for name, activation in itertools.product(SMALL, ActivationEntry.names())
    ),
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_its_parameters_are_known_before_it_is_built_and_all_of_them_learn(entry):
    shape = shape_of(entry)
    torch.manual_seed(0)
    built = build_model(entry, shape, 5)
    shapes = [(name, tuple(weight.shape)) for name, weight in built.named_parameters()]
    assert list(parameter_shapes(entry.network(shape, 5)).items()) == shapes
    scores = built(torch.randn(4, shape.width))
    assert scores.shape == (4, 5)
    scores.square().sum().backward()
    assert [name for name, weight in built.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", SMALL)
def test_every_initialization_sets_its_weights(name):
    for initialization in ("he_normal", "xavier_uniform", "orthogonal", "lsuv"):
        entry = model_of(name, initialization={"name": initialization}, normalization={"name": "layer_norm"})
        shape = shape_of(entry)
        torch.manual_seed(0)
        built, rows = build_model(entry, shape, 5), torch.randn(32, shape.width)
        before = {key: weight.clone() for key, weight in built.named_parameters() if weight.dim() > 1}
        initialize(entry, built, rows)
        left = [key for key, weight in before.items() if torch.equal(weight, built.get_parameter(key))]
        kept = {type(built.get_submodule(key.rpartition(".")[0])).__name__ for key in left}
        assert kept <= {"LearnedPositions"}
        assert torch.isfinite(built(rows)).all()


def test_a_sequence_is_read_from_the_array_that_lies_flat_in_a_row():
    steps = torch.randn(4, 12, 3)
    entry = model_of("lstm", bidirectional=False)
    network = build_model(entry, STEPS, 5)
    _, (last, _) = network[1].layer(steps)
    torch.testing.assert_close(network(steps.flatten(1)), network[-1](last[0]))
    cnn = build_model(model_of("cnn", channels=[6], pool="none", head="average"), STEPS, 5)
    seen = torch.relu(nn.functional.conv1d(steps.mT, cnn[2].weight, cnn[2].bias, padding=1)).mean(2)
    torch.testing.assert_close(cnn(steps.flatten(1)), cnn[-1](seen))


def test_a_network_that_reads_both_ways_ends_with_both_last_states():
    network = build_model(model_of("gru", bidirectional=True, layers=1, pool="last"), STEPS, 5)
    steps = torch.randn(4, 12, 3)
    _, last = network[1].layer(steps)
    torch.testing.assert_close(network(steps.flatten(1)), network[-1](torch.cat([last[0], last[1]], dim=1)))


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_layer_of_a_transformer_is_that_of_torch(place):
    entry = model_of("transformer", normalization_place=place, layers=1, activation={"name": "relu"})
    network = build_model(entry, STEPS, 5)
    attending, thinking = [layer for layer in network if type(layer).__name__ == "Residual"]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.LayerNorm)]
    theirs = nn.TransformerEncoderLayer(16, 4, 64, 0.0, batch_first=True, norm_first=place == "before")
    attention = next(layer for layer in attending.body if type(layer).__name__ == "SelfAttention")
    linears = [layer for layer in thinking.body if isinstance(layer, nn.Linear)]
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    theirs.self_attn.in_proj_weight = attention.project.weight
    theirs.self_attn.in_proj_bias = attention.project.bias
    for mine, its in zip(
        [attention.combine, *linears, *norms],
        [theirs.self_attn.out_proj, theirs.linear1, theirs.linear2, theirs.norm1, theirs.norm2],
        strict=False,
    ):
        its.weight, its.bias = mine.weight, mine.bias
    x = torch.randn(4, 12, 16)
    start = next(place for place, layer in enumerate(network) if layer is attending)
    stop = next(place for place, layer in enumerate(network) if layer is thinking) + 1
    ours = network[start : stop + (place == "after")](x)
    torch.testing.assert_close(ours, theirs(x), rtol=1e-5, atol=1e-5)


def test_sinusoidal_positions_are_the_papers():
    entry = model_of("transformer", positions="sinusoidal")
    positions = next(layer for layer in build_model(entry, STEPS, 5) if type(layer).__name__ == "SinusoidalPositions")
    place, pair = np.meshgrid(np.arange(12), np.arange(8), indexing="ij")
    angles = place / 10_000 ** (2 * pair / 16)
    wanted = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(12, 16)
    np.testing.assert_allclose(positions(torch.zeros(1, 12, 16))[0], wanted, atol=1e-6)


def test_without_positions_the_order_of_the_tokens_makes_no_difference():
    steps, order = torch.randn(4, 12, 3), torch.randperm(12)
    blind = build_model(model_of("transformer", positions="none"), STEPS, 5)
    torch.testing.assert_close(blind(steps.flatten(1)), blind(steps[:, order].flatten(1)))
    knowing = build_model(model_of("transformer"), STEPS, 5)
    assert not torch.allclose(knowing(steps.flatten(1)), knowing(steps[:, order].flatten(1)))


def test_a_tcn_sees_as_far_back_as_it_says_and_never_ahead():
    line = InputShape(80, (80,))
    network = build_model(model_of("tcn", channels=[4, 4, 4, 4], activation={"name": "identity"}), line, 1)
    x = torch.randn(1, 80, requires_grad=True)
    channels = network[:-3](x)  # (1, 4, 80)
    channels[0, :, 70].sum().backward()
    assert x.grad is not None
    assert x.grad[0].nonzero().flatten().tolist() == list(range(70 - 60, 71))


def test_the_tokens_of_a_vit_are_squares_of_the_image():
    network = build_model(model_of("vit"), IMAGE, 5)
    image = torch.randn(2, 3, 8, 8)
    tokens = network[:4](image.flatten(1))  # (2, 16, width)
    square = image[:, :, 2:4, 4:6].flatten(1)  # the second row of squares, its third
    torch.testing.assert_close(tokens[:, 4 + 2], square @ network[1].weight.flatten(1).T + network[1].bias)


def test_a_resnet_has_the_papers_layers_and_skips():
    entry = ModelEntry.find("resnet").model_validate({"name": "resnet"})
    network = build_model(entry, InputShape(3 * 32 * 32, (3, 32, 32)), 10)
    kernels = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
    assert len(kernels) + 1 == 20
    theirs = 269_722  # as published for ResNet-20 without biases in front of a batch norm and with shortcuts that pad
    biases, shortcuts = 7 * 16 + 6 * 32 + 6 * 64, (16 * 32 + 32 + 2 * 32) + (32 * 64 + 64 + 2 * 64)
    assert sum(weight.numel() for weight in network.parameters()) == theirs + biases + shortcuts


def test_a_block_without_weights_is_its_shortcut():
    network = build_model(model_of("resnet", normalization={"name": "none"}), IMAGE, 5)
    block = next(layer for layer in network if type(layer).__name__ == "Residual")
    for weight in block.body.parameters():
        nn.init.zeros_(weight)
    x = torch.randn(2, 8, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_tokens_are_normalised_each_as_a_row_of_its_own():
    entry = NormalizationEntry.find("batch_norm").model_validate({"name": "batch_norm"})
    x = torch.randn(4, 12, 3)
    torch.testing.assert_close(evaluate(entry.of_tokens(3))(x), nn.BatchNorm1d(3)(x.mT).mT)


@pytest.mark.parametrize(
    ("model", "pointer", "code"),
    [
        ({"name": "lstm"}, "/model/name", "wrong_axes"),
        ({"name": "lstm", "array": [8, 9]}, "/model/array", "not_this_array"),
        ({"name": "vit", "array": [64]}, "/model/array", "wrong_axes"),
        ({"name": "vit", "patch": 3}, "/model/patch", "patch_unfit"),
        ({"name": "vit", "heads": 5}, "/model/heads", "heads_unfit"),
        ({"name": "transformer", "array": [8, 8], "heads": 3}, "/model/heads", "heads_unfit"),
        ({"name": "cnn", "dimensions": 1}, "/model/name", "wrong_axes"),
        (
            {"name": "gru", "array": [8, 8], "normalization": {"name": "weight_norm"}},
            "/model/normalization",
            "normalization_unfit",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_the_rows_is_refused_with_its_place(model, pointer, code):
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}, "model": model}), None)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]
