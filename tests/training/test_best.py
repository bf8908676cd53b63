"""What comes out of a run is what its validation rows judged best, where that is asked for."""

import math

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from api_schemas.errors import InvalidRequest
from training.best import BestWeights
from training.loop import Evaluation

SHAKY = {
    "dataset": {"name": "wine"},
    "split": {"test": 0.2},
    "model": {"name": "mlp", "hidden": [8], "normalization": {"name": "batch_norm"}},
    "optimizer": {"name": "sgd", "lr": 1.0, "momentum": 0.9},
}
TRAINING = {"epochs": 15, "batch_size": 32}


def evaluations(run):
    return [event for event in run.events() if isinstance(event, Evaluation)]


def weights_of(path):
    return {name: weight for name, weight in load_file(path).items() if name.startswith("weights/")}


@pytest.mark.parametrize(("metric", "pick"), [("val/loss", min), ("val/accuracy", max)])
def test_the_model_and_the_test_rows_are_of_the_best_evaluation(make_run, tmp_path, metric, pick):
    """A run of as many epochs as it took to get there, which keeps its last weights, has the same."""
    best = make_run(**SHAKY, training={**TRAINING, "keep": "best", "best_metric": metric})
    told = evaluations(best)
    values = [event.values[metric] for event in told]
    epochs = values.index(pick(values)) + 1
    assert epochs < TRAINING["epochs"], "the last evaluation is the best; this shows nothing"
    shorter = make_run(**SHAKY, training={**TRAINING, "epochs": epochs})
    tested = {key: value for key, value in evaluations(shorter)[-1].values.items() if key.startswith("test/")}
    assert {key: told[-1].values[key] for key in tested} == tested
    assert best.save_model(tmp_path / "best") == shorter.save_model(tmp_path / "shorter")
    wanted = weights_of(tmp_path / "shorter")
    assert all(torch.equal(weight, wanted[name]) for name, weight in weights_of(tmp_path / "best").items())


def test_to_keep_the_best_changes_no_number_on_the_way(make_run):
    last, best = (evaluations(make_run(**SHAKY, training={**TRAINING, "keep": keep})) for keep in ("last", "best"))
    assert [event.values["val/loss"] for event in last] == [event.values["val/loss"] for event in best]


def test_a_value_that_is_not_finite_is_never_best_unless_there_is_no_other():
    kept, network = BestWeights(higher=False), nn.Linear(1, 1, bias=False)
    held = []
    for number, value in enumerate([math.nan, math.inf, 2.0, math.nan, -math.inf, 2.0, 1.0]):
        nn.init.constant_(network.weight, float(number))
        kept.see(value, network)
        held.append(kept.model(network).weight.item())
    assert held == [0, 1, 2, 2, 2, 2, 6]


def test_the_best_cannot_be_told_without_validation_rows(make_run):
    with pytest.raises(InvalidRequest) as refused:
        make_run(split={"validation": 0}, training={"keep": "best"})
    assert [fault.pointer for fault in refused.value.faults] == ["/training/keep"]
