"""Runs that train together: each as if it were alone, and alone as autograd has it, to the last bit."""

import pytest
import torch

from api_schemas.fusing import fuse_key
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from tests.script.catalog import jobs_of
from training.data.prepare import prepare
from training.events import CheckpointDue, Diverged, Ended, Evaluation, Points
from training.fused import Group
from training.loop import Run

CPU = torch.device("cpu")
IRIS = {"dataset": {"name": "iris"}}
DIGITS = {"dataset": {"name": "digits"}}


def mlp(*hidden, **knobs):
    return {"model": {"name": "mlp", "hidden": list(hidden), **knobs}}


def norm(name):
    return {"normalization": {"name": name}}


NETWORKS = {
    "linear": {"model": {"name": "linear"}},
    "of odd widths": mlp(13, 7),
    "with batch norm": mlp(64, 32, **norm("batch_norm")),
    "with batch norm of odd widths": mlp(10, 17, **norm("batch_norm")),
    "with batch norm behind tanh": mlp(
        32, **norm("batch_norm"), normalization_place="after_activation", activation={"name": "tanh"}
    ),
    "with layer norm": mlp(32, **norm("layer_norm")),
    "with dropout": mlp(32, 13, dropout=0.3),
    "with gelu": mlp(32, activation={"name": "gelu"}),
    "with mish of odd width": mlp(7, activation={"name": "mish"}),
    "with prelu": mlp(32, activation={"name": "prelu"}),
    "of doubles": mlp(32, 10) | {"training": {"precision": "float64"}},
}
LEARNING = {
    "sgd with momentum": {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3}},
    "sgd whose momentum is warmed up": {
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        "momentum_schedule": [{"name": "linear_warmup", "steps": 5, "initial": 0}, {"name": "constant"}],
    },
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.01, "weight_decay": 0.1}},
    "adam with the largest squares": {"optimizer": {"name": "adam", "amsgrad": True}},
    "adagrad": {"optimizer": {"name": "adagrad"}},
    "rmsprop": {"optimizer": {"name": "rmsprop"}},
    "muon": {"optimizer": {"name": "muon"}},
    "layers with rates of their own": {"training": {"layer_rates": {"0.*": 0.1}}},
    "a warmup and a cosine": {"schedule": [{"name": "linear_warmup", "steps": 20}, {"name": "cosine"}]},
    "a clipped gradient": {"training": {"gradient_clip_norm": 0.5}},
    "gradients clipped by their history": {"training": {"gradient_clip_percentile": 50}},
    "smoothed labels": {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}},
    "focal loss": {"loss": {"name": "focal"}},
    "averaged weights": {"training": {"averaging": {"name": "ema"}}},
    "numbers": {"dataset": {"name": "diabetes"}},
    "a learning rate that it diverges at": {"optimizer": {"name": "sgd", "lr": 1000}},
}


def begin(job, **training):
    training = {"epochs": 1} | job.get("training", {}) | training
    plan = make_plan(JobSpec.model_validate(DIGITS | job | {"training": training}), None)
    return Run(plan.spec, plan, prepare(plan.spec, None, None), CPU)


def train(*runs, leaving=None):
    """What each run tells, points joined, with its weights at the end; `leaving(run, told)` says who leaves."""
    group = Group(runs)
    told = {run: ({}, []) for run in runs}
    for run, happening in group.events():
        series, others = told[run]
        if isinstance(happening, Points):
            for key, values in happening.series.items():
                series.setdefault(key, []).extend(values)
        elif not isinstance(happening, CheckpointDue):
            others.append(str(happening))
        if leaving and leaving(run, happening):
            group.leave(run)
    return [
        (*map(repr, told[run]), {name: repr(w.tolist()) for name, w in run.model.state_dict().items()}) for run in runs
    ]


@pytest.mark.parametrize("job", (NETWORKS | LEARNING).values(), ids=(NETWORKS | LEARNING).keys())
def test_alone_and_in_company_it_is_what_autograd_makes_of_it(job):
    seeds = (0, 5)
    eager = [train(begin(job, engine="eager", seed=seed))[0] for seed in seeds]
    runs = [begin(job, seed=seed) for seed in seeds]
    assert all(run.stackable for run in runs)
    assert train(begin(job))[0] == eager[0]
    assert train(*runs) == eager


@pytest.mark.parametrize("others", [1, 63])
def test_its_company_may_differ_in_all_but_network_and_data(others):
    ways = list(LEARNING.values())[:10]
    jobs = [ways[place % len(ways)] | mlp(32, 16, **norm("batch_norm")) for place in range(others + 1)]
    runs = [begin(job, epochs=1, seed=seed) for seed, job in enumerate(jobs)]
    together = train(*runs)
    for place in (0, 1, others):
        assert together[place] == train(begin(jobs[place], epochs=1, seed=place))[0]


def test_whoever_ends_leaves_and_the_others_go_on():
    jobs = {
        "short": IRIS | {"training": {"epochs": 2}},
        "long": IRIS | {"training": {"epochs": 9}},
        "diverging": IRIS | {"optimizer": {"name": "sgd", "lr": 1000}, "training": {"epochs": 9}},
        "stopping early": IRIS | {"training": {"epochs": 9, "early_stopping": {"patience": 1, "min_delta": 10}}},
    }
    alone = {name: train(begin(job))[0] for name, job in jobs.items()}
    runs = {name: begin(job) for name, job in jobs.items()} | {"cancelled": begin(IRIS, epochs=9)}
    cancelled = runs["cancelled"]
    *others, _ = train(*runs.values(), leaving=lambda run, told: run is cancelled and isinstance(told, Evaluation))
    assert dict(zip(jobs, others, strict=True)) == alone
    assert cancelled.steps_done == 2  # an epoch
    assert [run.steps_done for run in runs.values()][:2] == [4, 18]


def test_taken_up_again_in_the_midst_of_an_epoch_it_catches_up_with_its_company(tmp_path):
    job = mlp(16, dropout=0.2) | {"training": {"checkpoint_every_steps": 7, "batch_size": 100}}
    alone = [train(begin(job, seed=seed))[0] for seed in (1, 2)]
    first = begin(job, seed=1)
    for _, happening in Group([first, begin(job, seed=2)]).events():
        if isinstance(happening, CheckpointDue):
            first.save(tmp_path / "state")
            break
    again, fresh = begin(job, seed=1), begin(job, seed=2)
    again.restore(tmp_path / "state")
    (_, happened, weights), other = train(again, fresh)
    assert (happened, weights) == alone[0][1:]
    assert other == alone[1]


def test_what_cannot_be_computed_together_is_refused_in_company_and_trains_alone():
    spec = {"model": {"name": "mlp", "hidden": [8], "normalization": {"name": "weight_norm"}}}
    with pytest.raises(ValueError, match="alone"):
        Group([begin(spec), begin(spec, seed=1)])
    told = [happening for _, happening in Group([begin(spec)]).events()]
    assert told[-1] == Ended()
    assert not any(isinstance(happening, Diverged) for happening in told)


@pytest.mark.parametrize("kind", ["optimizers", "normalizations", "activations"])
def test_what_has_a_key_can_be_computed_together_and_nothing_else(kind):
    for name in jobs_of(kind).keys() - {"instance_norm"}:  # which is for images
        named = {kind.removesuffix("s"): {"name": name} | ({"groups": 2} if name == "group_norm" else {})}
        job = named if kind == "optimizers" else mlp(8, **named)
        plan = make_plan(JobSpec.model_validate(IRIS | job), None)
        run = Run(plan.spec, plan, prepare(plan.spec, None, None), CPU)
        assert run.stackable == (fuse_key(plan.spec) is not None), name
