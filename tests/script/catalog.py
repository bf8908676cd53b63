"""A small job for everything that a job can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api_schemas.catalog import FAMILIES, Entry

KINDS = (
    *("optimizers", "schedules", "normalizations", "preprocessing", "losses", "metrics", "activations"),
    *("initializations", "averaging", "models", "datasets", "generators", "tokenizers"),
)
_NO_JOB_HAS = {"sparse_adam"}
_DATASETS = {"classification": {"name": "iris"}, "regression": {"name": "diabetes"}}
_TRAINING = {"epochs": 3, "batch_size": 32}
_STEPS = {"array": [8, 8]}
_ARCHITECTURES: dict[str, dict[str, Any]] = {
    "autoencoder": {"hidden": [16], "code": 4, "noise": 0.1, "normalization": {"name": "batch_norm"}, "dropout": 0.1},
    "ft_transformer": {"width": 16, "heads": 2, "layers": 1},
    "resnet": {"blocks": 1, "widths": [8, 16]},
    "rnn": _STEPS | {"width": 8, "layers": 2},
    "lstm": _STEPS | {"width": 8, "bidirectional": True},
    "gru": _STEPS | {"width": 8, "pool": "mean", "normalization": {"name": "batch_norm"}},
    "tabm": {"networks": 4, "hidden": [16, 16]},
    "tcn": _STEPS | {"channels": [8, 16]},
    "transformer": _STEPS | {"width": 16, "attention_dropout": 0.1, "positions": "sinusoidal"},
    "vit": {"width": 16, "dropout": 0.1},
}
"""What makes a model small, and digits what it reads."""
_BATCH_NORM = {"name": "mlp", "hidden": [8, 8], "normalization": {"name": "batch_norm"}, "dropout": 0.1}


_GPT = {"name": "gpt", "context": 16, "width": 8, "heads": 2, "layers": 1, "dropout": 0.1}
_TEXT: dict[str, Any] = {"dataset": {"name": "python_reference", "characters": 4000}, "model": _GPT}


def jobs_of(kind: str) -> dict[str, dict[str, Any]]:
    """A job by the name of each entry of a kind."""
    names = [name for name in FAMILIES[kind].names() if name not in _NO_JOB_HAS]
    return {name: _small(kind, name, FAMILIES[kind].find(name)) for name in names}


def _small(kind: str, name: str, entry: type[Entry]) -> dict[str, Any]:
    model = {"name": "mlp", "hidden": [8, 8]}
    job = {"dataset": _DATASETS["classification"], "model": model, "training": _TRAINING}
    special = _SPECIAL.get(kind)
    return job | (
        special({"name": name}, entry) if special else {"model": {**model, kind.removesuffix("s"): {"name": name}}}
    )


def _normalized(named: dict[str, Any]) -> dict[str, Any]:
    """Every normalization has a place between images."""
    groups = {"groups": 2} if named["name"] == "group_norm" else {}
    return {"dataset": {"name": "digits"}, "model": {"name": "cnn", "channels": [4], "normalization": named | groups}}


def _learning(named: dict[str, Any], entry: type[Entry]) -> dict[str, Any]:
    """A dataset, and a model that reads it."""
    short = {"characters": 4000} if "characters" in entry.model_fields else {"n": 4000}
    return {"dataset": named | short, "model": _GPT} if entry().text else {"dataset": named}


def _losing(named: dict[str, Any], entry: type[Entry]) -> dict[str, Any]:
    weights = {"class_weights": "balanced"} if "class_weights" in entry.model_fields else {}
    two = {"name": "breast_cancer"}
    dataset = two if named["name"] == "binary_cross_entropy" else _DATASETS[entry.task]
    return {"loss": named | weights, "dataset": dataset}


_SPECIAL: dict[str, Callable[[dict[str, Any], type[Entry]], dict[str, Any]]] = {
    "optimizers": lambda named, _: {"optimizer": named, "model": _BATCH_NORM},
    "schedules": lambda named, _: {"schedule": [{"name": "linear_warmup", "steps": 2}, named]},
    "normalizations": lambda named, _: _normalized(named),
    "preprocessing": lambda named, entry: {
        "preprocessing": {"numeric": named},
        "dataset": {"name": "digits" if entry.needs_image else "wine"},
    },
    "losses": _losing,
    "metrics": lambda named, entry: {
        "metrics": [named],
        "dataset": {"name": "digits"} if named["name"] == "top_k" else _DATASETS[entry.task],
        **(_TEXT if entry.judges == "text" else {}),
    },
    "averaging": lambda named, _: {"model": _BATCH_NORM, "training": {**_TRAINING, "averaging": named}},
    "models": lambda named, _: (
        _TEXT
        if named["name"] == "gpt"
        else {"model": named | _ARCHITECTURES.get(named["name"], {}), "dataset": {"name": "digits"}}
    ),
    "datasets": _learning,
    "generators": _learning,
    "tokenizers": lambda named, _: {**_TEXT, "preprocessing": {"text": named}},
}
"""What of a job names an entry, where it is more than a part of its model."""
