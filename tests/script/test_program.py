"""A job's script prints the numbers of its run, every bit of them, and needs nothing of ours."""

import ast
import sys

import pytest

from script.program import write_script
from tests.script.runs import INSTALLED_AS, job_of, run_all, tidy

BATCH_NORM = {"name": "mlp", "hidden": [8, 8], "normalization": {"name": "batch_norm"}}
SPECS = {
    "shortest": {"dataset": {"name": "iris"}, "training": {"epochs": 2}},
    "float64 on numbers": {
        "dataset": {"name": "diabetes"},
        "training": {"precision": "float64", "epochs": 2, "batch_size": 100, "drop_last": True},
        "split": {"test": 0.1},
        "metrics": [{"name": "rmse"}, {"name": "r2"}],
        "optimizer": {"name": "sgd", "momentum": 0.9},
    },
    "bfloat16": {
        "dataset": {"name": "digits"},
        "model": {"name": "cnn", "channels": [4], "normalization": {"name": "batch_norm"}},
        "training": {"precision": "bfloat16", "epochs": 2, "batch_size": 256, "averaging": {"name": "ema"}},
    },
    "float16, steps skipped, the norm clipped": {
        "dataset": {"name": "diabetes"},
        "preprocessing": {"target": {"name": "none"}},
        "training": {"precision": "float16", "epochs": 2, "batch_size": 32, "gradient_clip_norm": 10.0},
    },
    "float16, batches that add up, matrices and a percentile": {
        "dataset": {"name": "diabetes"},
        "preprocessing": {"target": {"name": "none"}},
        "optimizer": {"name": "muon"},
        "training": {"precision": "float16", "epochs": 2, "accumulate_batches": 2, "gradient_clip_percentile": 50},
    },
    "tf32 on a processor": {"dataset": {"name": "iris"}, "training": {"precision": "tf32", "epochs": 1}},
    "activation checkpointing": {
        "dataset": {"name": "wine"},
        "model": {**BATCH_NORM, "dropout": 0.3},
        "training": {"activation_checkpointing": True, "precision": "bfloat16", "epochs": 2, "drop_last": True},
    },
    "a generator and three schedules": {
        "dataset": {"name": "spirals", "n": 100},
        "loss": {"name": "binary_cross_entropy", "class_weights": "balanced"},
        "optimizer": {"name": "adamw"},
        "schedule": [{"name": "linear_warmup", "steps": 3}, {"name": "step", "epochs": 2}, {"name": "cosine"}],
        "momentum_schedule": [{"name": "linear", "initial": 1.0, "final": 0.9}],
        "weight_decay_schedule": [{"name": "linear"}],
        "training": {"epochs": 5, "batch_size": 16},
    },
    "a plateau and early stopping": {
        "dataset": {"name": "iris"},
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "schedule": [{"name": "linear_warmup", "epochs": 2}, {"name": "plateau", "patience": 1}],
        "training": {
            "epochs": 30,
            "evaluate_every_epochs": 2,
            "early_stopping": {"metric": "val/accuracy", "patience": 3},
        },
        "split": {"test": 0.2},
    },
    "dropout, weighted batches that add up, the norm clipped": {
        "dataset": {"name": "wine"},
        "loss": {"name": "cross_entropy", "class_weights": [1.0, 5.0, 0.3]},
        "model": {**BATCH_NORM, "dropout": 0.3},
        "training": {"epochs": 3, "batch_size": 20, "accumulate_batches": 3, "gradient_clip_norm": 0.5},
    },
    "the best of averaged weights with batch norm": {
        "dataset": {"name": "iris"},
        "split": {"test": 0.2},
        "model": BATCH_NORM,
        "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9},
        "training": {"epochs": 12, "batch_size": 32, "averaging": {"name": "ema"}, "keep": "best"},
    },
    "the best before an early end": {
        "dataset": {"name": "diabetes"},
        "split": {"test": 0.2},
        "optimizer": {"name": "schedulefreeadamw", "lr": 0.1},
        "training": {"epochs": 30, "keep": "best", "best_metric": "val/mae", "early_stopping": {"patience": 2}},
    },
    "a closure, a percentile": {
        "dataset": {"name": "iris"},
        "optimizer": {"name": "lbfgs"},
        "training": {"epochs": 2, "gradient_clip_percentile": 50},
    },
    "a gradient and a closure": {
        "dataset": {"name": "iris"},
        "optimizer": {"name": "sam"},
        "training": {"epochs": 2, "accumulate_batches": 2},
    },
    "a graph, values clipped": {
        "dataset": {"name": "iris"},
        "optimizer": {"name": "adahessian"},
        "training": {"epochs": 2, "gradient_clip_value": 0.01},
    },
    "matrices and their companion, in groups": {
        "dataset": {"name": "iris"},
        "optimizer": {"name": "muon"},
        "schedule": [{"name": "cosine"}],
        "weight_decay_schedule": [{"name": "linear"}],
        "training": {"epochs": 3, "decay_norms_and_biases": False, "layer_rates": {"0.*": 0.1, "*bias": 2.0}},
    },
    "weights judged elsewhere": {
        "dataset": {"name": "iris"},
        "model": BATCH_NORM,
        "optimizer": {"name": "schedulefreeadamw"},
        "training": {"epochs": 2},
    },
    "weights averaged": {
        "dataset": {"name": "iris"},
        "model": BATCH_NORM,
        "training": {"epochs": 4, "averaging": {"name": "swa", "start": 0.5}},
    },
    "images": {
        "dataset": {"name": "digits"},
        "model": {"name": "cnn", "channels": [4], "initialization": {"name": "lsuv"}},
        "preprocessing": {"numeric": {"name": "channel_standard"}},
        "metrics": [{"name": "top_k"}, {"name": "roc_auc"}, {"name": "calibration_error"}],
        "training": {"epochs": 1, "batch_size": 256},
    },
    "many networks in one, and classes that weigh": {
        "dataset": {"name": "wine"},
        "model": {"name": "tabm", "networks": 3, "hidden": [8]},
        "loss": {"name": "cross_entropy", "class_weights": "balanced"},
        "training": {"epochs": 1, "accumulate_batches": 2},
    },
    "columns turned together": {
        "dataset": {"name": "digits"},
        "model": {"name": "linear"},
        "preprocessing": {"numeric": {"name": "whiten"}},
        "training": {"epochs": 1, "batch_size": 256, "precision": "float64"},
    },
    "no row held out": {
        "dataset": {"name": "breast_cancer"},
        "split": {"validation": 0.0},
        "optimizer": {"name": "lookahead", "base": {"name": "sgd"}},
        "training": {"epochs": 1},
    },
}
RAW = {"dataset": {"name": "badly_scaled"}, "preprocessing": {"numeric": {"name": "none"}}, "model": {"name": "linear"}}
DIVERGES = {
    "its gradient is too long before its loss is too large": {**RAW, "optimizer": {"name": "sgd", "lr": 0.1}},
    "its clipped gradient was infinite": {
        **RAW,
        "optimizer": {"name": "sgd", "lr": 1000.0, "momentum": 0.9, "weight_decay": 1000.0},
        "training": {"gradient_clip_norm": 1.0, "accumulate_batches": 2},
    },
    "a step that asks twice": {**RAW, "optimizer": {"name": "sam", "base": {"name": "sgd", "lr": 0.1}}},
    "its last step is too long": {
        "dataset": {"name": "iris"},
        "split": {"test": 0.1},
        "model": {"name": "linear"},
        "optimizer": {"name": "sgd", "lr": 1000.0, "weight_decay": 1e6},
        "training": {"epochs": 1, "batch_size": 24},
    },
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """By name: a spec's script, what its run says and what the script prints."""
    folder = tmp_path_factory.mktemp("scripts")
    return run_all({**SPECS, **DIVERGES}, folder)


@pytest.mark.parametrize("name", SPECS)
def test_a_script_prints_the_numbers_of_its_run(told, name):
    _, expected, printed = told[name]
    assert len(expected) > 2
    assert printed == expected


@pytest.mark.parametrize("name", SPECS)
def test_a_script_imports_nothing_of_ours_and_says_what_it_needs(told, name):
    path, _, _ = told[name]
    text = path.read_text()
    assert "anneal" not in text.lower()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    rooms = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    assert rooms <= {"numpy", "torch", "sklearn", "pytorch_optimizer", "torchmetrics"}
    docstring = ast.get_docstring(ast.parse(text))
    assert all(INSTALLED_AS.get(room, room) in docstring for room in rooms)


def test_scripts_are_as_formatters_and_linters_want_them(told):
    tidy([path for path, _, _ in told.values()])


@pytest.mark.parametrize("name", DIVERGES)
def test_a_run_that_diverges_is_repeated_to_its_end(told, name):
    _, expected, printed = told[name]
    assert len(expected) > 2
    assert printed == expected
    assert "weights_sha256" not in printed[-1]


def test_a_job_that_has_not_run_has_a_script_as_well():
    job = job_of(SPECS["shortest"]).model_copy(update={"environment": None, "state": "queued"})
    text = write_script(job, None)
    assert "set_num_threads" not in text
    compile(text, "script", "exec")


def test_no_name_breaks_out_of_the_docstring(tmp_path):
    job = job_of(SPECS["shortest"]).model_copy(update={"name": 'a """ b \\" c\\'})
    compile(write_script(job, None), "script", "exec")


def script_on(device: str, spec: dict) -> str:
    job = job_of(spec)
    environment = job.environment.model_copy(update={"device": device})
    return write_script(job.model_copy(update={"environment": environment}), None)


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("bfloat16", False), ("tf32", True)])
def test_a_run_on_a_gpu_is_repeated_on_one_with_the_same_kernels(precision, allowed):
    spec = {"dataset": {"name": "iris"}, "training": {"precision": precision}}
    text = script_on("NVIDIA H100 80GB HBM3", spec)
    assert f'device = torch.device("cuda")\nmake_deterministic(device)\nallow_tf32(device, {allowed})' in text
    assert ").to(device)" in text
    assert ("with exact_products(device):\n        values = evaluate(" in text) == allowed
    compile(text, "script", "exec")


def test_a_run_on_apples_gpu_is_repeated_on_one():
    text = script_on("mps (Apple M2)", SPECS["shortest"])
    assert 'device = torch.device("mps")' in text
    assert "cuda" not in text
    compile(text, "script", "exec")


def test_a_compiled_run_is_repeated_by_a_compiled_network_and_judged_by_the_one_that_is_served():
    text = write_script(job_of({"dataset": {"name": "iris"}, "training": {"engine": "compiled"}}), None)
    assert "forward = torch.compile(network, dynamic=False)" in text
    assert "criterion(forward(x_train[batch])" in text
    assert "values = evaluate(network, x_validation" in text
    compile(text, "script", "exec")
