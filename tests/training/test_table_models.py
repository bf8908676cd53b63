"""Models of tables are those of their authors' own library."""

from __future__ import annotations

import pytest
import rtdl_revisiting_models
import tabm
import torch
from torch import nn

from api_schemas.catalog.layers import InputShape, parameter_shapes
from api_schemas.catalog.models import FtTransformer, Layers, LinearModel, Mlp, TabM
from training.build import build_model

MIXED = InputShape(5, categories={1: 4, 3: 3})
NUMBERS, CODES = [0, 2, 4], [1, 3]


def rows(count):
    x = torch.randn(count, 5)
    x[:, 1], x[:, 3] = torch.randint(0, 4, (count,)).float(), torch.randint(0, 3, (count,)).float()
    return x


def known(network, entry, shape, outputs):
    """Check that a network's parameters are those that were described."""
    shapes = [(name, tuple(weight.shape)) for name, weight in network.named_parameters()]
    assert list(parameter_shapes(entry.network(shape, outputs)).items()) == shapes


def weighted(module):
    """A module's layers with weights, in the order in which its rows pass them."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.LayerNorm | nn.Embedding)]


def test_an_ft_transformer_is_that_of_its_authors():
    torch.manual_seed(0)
    entry = FtTransformer(width=16, heads=2, layers=2)
    ours = build_model(entry, MIXED, 3).eval()
    known(ours, entry, MIXED, 3)
    theirs = rtdl_revisiting_models.FTTransformer(
        n_cont_features=3,
        cat_cardinalities=[4, 3],
        d_out=3,
        n_blocks=2,
        d_block=16,
        attention_n_heads=2,
        attention_dropout=0.2,
        ffn_d_hidden=None,
        ffn_d_hidden_multiplier=4 / 3,
        ffn_dropout=0.1,
        residual_dropout=0.0,
    ).eval()
    with torch.no_grad():
        _take_over(ours, theirs)
        x = rows(32)
        torch.testing.assert_close(ours(x), theirs(x[:, NUMBERS], x[:, CODES].long()), rtol=1e-4, atol=1e-5)


def _take_over(ours, theirs):
    tokens, blocks = ours[0], theirs.backbone.blocks
    tokens.weight.copy_(theirs.cont_embeddings.weight)
    tokens.bias.copy_(torch.cat([theirs.cont_embeddings.bias, theirs.cat_embeddings.bias]))
    for table, other in zip(tokens.tables, theirs.cat_embeddings.embeddings, strict=True):
        table.weight.copy_(other.weight)
    ours[1].weight.copy_(theirs.cls_embedding.weight)
    wanted = [layer for block in blocks for layer in _in_order(block)] + weighted(theirs.backbone.output)
    for layer, other in zip(weighted(ours[2:]), wanted, strict=True):
        layer.weight.copy_(torch.cat([part.weight for part in other]) if isinstance(other, list) else other.weight)
        layer.bias.copy_(torch.cat([part.bias for part in other]) if isinstance(other, list) else other.bias)


def _in_order(block):
    attention = block["attention"]
    normalized = [block["attention_normalization"]] if "attention_normalization" in block else []
    project = [attention.W_q, attention.W_k, attention.W_v]
    return [
        *normalized,
        project,
        attention.W_out,
        block["ffn_normalization"],
        block["ffn"].linear1,
        block["ffn"].linear2,
    ]


def test_a_category_that_no_row_had_stands_for_zeros_and_learns_nothing():
    torch.manual_seed(0)
    network = build_model(FtTransformer(width=16, heads=2, layers=1), MIXED, 3)
    x = rows(8)
    x[:, 1] = 3.0
    network(x).sum().backward()
    assert network[0].tables[0].weight[3].abs().sum() == 0
    assert network[0].tables[0].weight.grad[3].abs().sum() == 0


def test_tabm_is_that_of_its_authors():
    torch.manual_seed(0)
    entry = TabM(networks=6, hidden=[8, 10])
    shape = InputShape(5)
    ours = build_model(entry, shape, 3)
    known(ours, entry, shape, 3)
    theirs = tabm.TabM.make(n_num_features=5, d_out=3, n_blocks=2, d_block=8, k=6)
    theirs.backbone.blocks[1][0] = tabm.LinearBatchEnsemble(8, 10, k=6, scaling_init="ones")
    theirs.output = tabm.LinearEnsemble(10, 3, k=6)
    with torch.no_grad():
        shared = [layer for layer in ours if type(layer).__name__ == "SharedLinear"]
        for layer, block in zip(shared, theirs.backbone.blocks, strict=True):
            for mine, its in (("before", "r"), ("after", "s"), ("bias", "bias")):
                assert getattr(layer, mine).std(dim=0).bool().any() == getattr(block[0], its).std(dim=0).bool().any()
                getattr(layer, mine).copy_(torch.randn_like(getattr(block[0], its)))
                getattr(block[0], its).copy_(getattr(layer, mine))
            block[0].weight.copy_(layer.linear.weight)
        theirs.output.weight.copy_(ours[-2].weight)
        theirs.output.bias.copy_(ours[-2].bias)
        x = torch.randn(9, 5)
        answers = theirs.eval()(x)  # (rows, members, outputs)
        torch.testing.assert_close(ours.eval()(x), answers.mean(dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dataset", "loss"), [("wine", {"class_weights": "balanced"}), ("diabetes", {})])
def test_the_members_of_tabm_learn_each_by_itself(make_run, dataset, loss):
    named = {"name": "cross_entropy", **loss} if loss else {"name": "mse"}
    job = {"dataset": {"name": dataset}, "loss": named, "model": {"name": "tabm", "networks": 4, "hidden": [16]}}
    run = make_run(**job, training={"epochs": 1})
    network, criterion = run.model, run._loss
    x, y = run.train.x[:20], run.train.y[:20]
    network[-1].train()
    scores = network(x)  # (rows times members, outputs)
    each = [criterion._loss(scores[member::4], y) for member in range(4)]
    torch.testing.assert_close(criterion(scores, y), torch.stack(each).mean())
    assert criterion.weigh(y) == criterion._loss.weigh(y)


@pytest.mark.parametrize("entry", [LinearModel(), Mlp(hidden=[8]), Layers(), TabM(hidden=[8])], ids=lambda e: e.name)
def test_codes_are_looked_up_and_stand_behind_the_numbers(entry):
    network = build_model(entry, MIXED, 3).eval()
    known(network, entry, MIXED, 3)
    x, tables = rows(6), network[0].tables
    learned = [table.weight[x[:, place].long()] for place, table in zip(CODES, tables, strict=True)]
    torch.testing.assert_close(network(x), network[1:](torch.cat([x[:, NUMBERS], *learned], dim=1)))
