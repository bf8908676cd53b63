"""Which jobs may be trained together."""

import pytest

from api_schemas.fusing import fuse_key
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan


def key(**job):
    return fuse_key(make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}} | job), None).spec)


@pytest.mark.parametrize(
    "job",
    [
        {"optimizer": {"name": "sgd", "lr": 0.3}},
        {"loss": {"name": "focal"}},
        {"training": {"seed": 7, "epochs": 3}},
        {"schedule": [{"name": "cosine"}]},
        {"resources": {"priority": 9}},
        {"name": "another", "metrics": [{"name": "f1_macro"}]},
    ],
    ids=str,
)
def test_jobs_that_learn_otherwise_have_the_same_key(job):
    assert key(**job) == key()


@pytest.mark.parametrize(
    "job",
    [
        {"dataset": {"name": "iris"}},
        {"split": {"seed": 1}},
        {"preprocessing": {"numeric": {"name": "none"}}},
        {"model": {"name": "mlp", "hidden": [64]}},
        {"training": {"batch_size": 32}},
        {"training": {"precision": "float64"}},
        {"resources": {"device": "cpu"}},
    ],
    ids=str,
)
def test_jobs_of_other_data_networks_or_batches_have_other_keys(job):
    assert key(**job) not in (None, key())


@pytest.mark.parametrize(
    "job",
    [
        {"resources": {"fuse": False}},
        {"training": {"engine": "eager"}},
        {"training": {"accumulate_batches": 2}},
        {"optimizer": {"name": "lbfgs"}},
        {"model": {"name": "cnn"}},
        {"model": {"name": "mlp", "normalization": {"name": "weight_norm"}}},
    ],
    ids=str,
)
def test_what_trains_alone_has_none(job):
    assert key(**job) is None
