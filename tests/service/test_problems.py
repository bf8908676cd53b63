"""What a refusal says: the place, the nearest names, and the bounds on both sides."""

from __future__ import annotations

import pytest

FAULTS = {
    "a knob below its bounds": (
        {"optimizer": {"name": "sgd", "lr": -0.1}},
        ("/optimizer/lr", "greater_than", "input should be greater than 0 and at most 1000"),
    ),
    "a knob above its bounds": (
        {"optimizer": {"name": "sgd", "lr": 5000}},
        ("/optimizer/lr", "less_than_equal", "input should be greater than 0 and at most 1000"),
    ),
    "a knob that may be left out": (
        {"training": {"gradient_clip_norm": 0}},
        ("/training/gradient_clip_norm", "greater_than", "input should be greater than 0 and at most 1000000"),
    ),
    "a knob of a generator": (
        {"dataset": {"name": "spirals", "noise": 2}},
        ("/dataset/noise", "less_than_equal", "input should be at least 0 and at most 1"),
    ),
    "a knob of what a knob holds": (
        {"model": {"name": "mlp", "normalization": {"name": "batch_norm", "momentum": 0}}},
        ("/model/normalization/momentum", "greater_than", "input should be greater than 0 and at most 1"),
    ),
    "an element of a list": (
        {"model": {"name": "mlp", "hidden": [8, 0]}},
        ("/model/hidden/1", "greater_than_equal", "input should be at least 1 and at most 16384"),
    ),
    "a value under a name of one's own": (
        {"training": {"layer_rates": {"0.*": -1}}},
        ("/training/layer_rates/0.*", "greater_than_equal", "input should be at least 0 and at most 1000"),
    ),
    "a default that does not fit a knob that is given": (
        {"dataset": {"name": "rare_event", "n": 30}},
        ("/dataset/rare", "value_error", "20 rows of 30 are no rare class; set rare to at most 15"),
    ),
    "two knobs that do not fit each other": (
        {"dataset": {"name": "rare_event", "n": 30, "rare": 16}},
        ("/dataset/rare", "value_error", "16 rows of 30 are no rare class; set rare to at most 15"),
    ),
    "a piece of a schedule": (
        {"schedule": [{"name": "linear", "steps": 5}, {"name": "cosine", "final": -1}]},
        ("/schedule/1/final", "greater_than_equal", "input should be at least 0 and at most 1000"),
    ),
    "a misspelt knob": (
        {"optimizer": {"name": "sgd", "momentun": 0.9}},
        (
            "/optimizer/momentun",
            "unknown_field",
            "there is no field 'momentun' here; did you mean 'momentum'? 'momentum' is at least 0 and below 1",
        ),
    ),
    "a misspelt knob of a generator": (
        {"dataset": {"name": "spirals", "nois": 0.1}},
        (
            "/dataset/nois",
            "unknown_field",
            "there is no field 'nois' here; did you mean 'noise'? 'noise' is at least 0 and at most 1",
        ),
    ),
    "a misspelt name": (
        {"optimizer": {"name": "adamm"}},
        ("/optimizer/name", "unknown_name", "'adamm' is not one of the names here; did you mean 'adam'"),
    ),
    "an open piece before the last": (
        {"schedule": [{"name": "cosine"}, {"name": "linear"}]},
        ("/schedule", "value_error", "only the last piece may leave its length open; give 'cosine' steps, epochs"),
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_says_where_it_is_and_what_would_be_right(ask, what):
    spec, (pointer, code, message) = FAULTS[what]
    answer = ask("POST", "/v1/jobs", json={"dataset": {"name": "digits"}} | spec)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert fault["message"].startswith(message)
