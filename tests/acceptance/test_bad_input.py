"""Whatever is wrong with a request, the answer says what and where, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

DIGITS: dict[str, Any] = {"dataset": {"name": "digits"}}

BAD_SPECS = {
    "no dataset": ({}, "/dataset", ""),
    "a wrong type": (DIGITS | {"training": {"epochs": "ten"}}, "/training/epochs", "integer"),
    "a number in quotes": (DIGITS | {"optimizer": {"name": "adam", "lr": "0.1"}}, "/optimizer/lr", "number"),
    "true for a number": (DIGITS | {"training": {"epochs": True}}, "/training/epochs", "integer"),
    "an unknown optimizer": (DIGITS | {"optimizer": {"name": "adamm"}}, "/optimizer/name", "did you mean 'adam'"),
    "an unknown dataset": ({"dataset": {"name": "digit"}}, "/dataset/name", "did you mean 'digits'"),
    "an optimizer without a name": (DIGITS | {"optimizer": {"lr": 0.1}}, "/optimizer/name", "name"),
    "an unknown field": (DIGITS | {"optimiser": {"name": "adam"}}, "/optimiser", "did you mean 'optimizer'"),
    "an unknown knob": (DIGITS | {"optimizer": {"name": "sgd", "momentun": 0.9}}, "/optimizer/momentun", "'momentum'"),
    "an unknown knob deep inside": (
        DIGITS | {"model": {"name": "mlp", "normalization": {"name": "batch_norm", "epsilon": 1e-3}}},
        "/model/normalization/epsilon",
        "did you mean 'eps'",
    ),
    "a negative lr": (DIGITS | {"optimizer": {"name": "adam", "lr": -0.1}}, "/optimizer/lr", "greater than 0"),
    "a beta of 1": (DIGITS | {"optimizer": {"name": "adam", "betas": [0.9, 1.0]}}, "/optimizer/betas/1", "below 1"),
    "nesterov without momentum": (DIGITS | {"optimizer": {"name": "sgd", "nesterov": True}}, "/optimizer", "momentum"),
    "a piece of the schedule": (
        DIGITS | {"schedule": [{"name": "linear_warmup", "steps": 5}, {"name": "cosine", "final": -1}]},
        "/schedule/1/final",
        "at least 0",
    ),
    "two lengths": (DIGITS | {"schedule": [{"name": "cosine", "steps": 5, "epochs": 1}]}, "/schedule/0", "once"),
    "an open piece before the last": (
        DIGITS | {"schedule": [{"name": "cosine"}, {"name": "linear"}]},
        "/schedule",
        "length",
    ),
    "a name with a line break": (DIGITS | {"name": "a\nb"}, "/name", "control characters"),
    "a NUL in a tag": (DIGITS | {"tags": {"a\0": "b"}}, "/tags/a\0", "control characters"),
    "a batch larger than the data": (DIGITS | {"training": {"batch_size": 1439}}, "/training/batch_size", "1438"),
    "a last batch of one row with batch norm": (
        DIGITS | {"model": {"name": "mlp", "normalization": {"name": "batch_norm"}}, "training": {"batch_size": 479}},
        "/training/batch_size",
        "drop_last",
    ),
    "nothing left to train on": (DIGITS | {"split": {"validation": 0.5, "test": 0.5}}, "/split", "no row"),
    "regression on classes": (DIGITS | {"loss": {"name": "mse"}}, "/loss", "cross_entropy"),
    "classes on numbers": ({"dataset": {"name": "diabetes"}, "loss": {"name": "cross_entropy"}}, "/loss", "mse"),
    "a target for a dataset that has its own": (DIGITS | {"target": "x"}, "/target", "own target"),
    "a dataset that does not exist": ({"dataset": {"id": "ds_" + "0" * 32}}, "/dataset/id", "no dataset"),
    "an id that is none": ({"dataset": {"id": "nonsense"}}, "/dataset/id", "no dataset"),
    "early stopping with nothing to judge": (
        DIGITS | {"split": {"validation": 0.0}, "training": {"early_stopping": {"patience": 2}}},
        "/training/early_stopping",
        "validation rows",
    ),
    "a metric of another task": (
        DIGITS | {"training": {"early_stopping": {"metric": "val/r2"}}},
        "/training/early_stopping/metric",
        "val/accuracy",
    ),
    "a stratified split of numbers": (
        {"dataset": {"name": "diabetes"}, "split": {"method": "stratified"}},
        "/split/method",
        "random",
    ),
}


@pytest.mark.parametrize("what", BAD_SPECS)
def test_a_bad_spec_is_refused_at_its_place_and_nothing_is_stored(anneal, what):
    spec, pointer, said = BAD_SPECS[what]
    before = anneal.client.get("/v1/jobs", params={"limit": 1}).json()["data"]
    answer = anneal.client.post("/v1/jobs", json=spec)
    assert answer.status_code == 422, answer.text
    problem = _problem(answer)
    assert problem["errors"][0]["pointer"] == pointer
    assert said in problem["errors"][0]["message"]
    assert anneal.client.get("/v1/jobs", params={"limit": 1}).json()["data"] == before


def test_every_fault_is_named_at_once(anneal):
    spec = {"dataset": {"name": "digits", "x": 1}, "optimizer": {"name": "adam", "lr": -1}, "training": {"epochs": 0}}
    pointers = [fault["pointer"] for fault in _problem(anneal.client.post("/v1/jobs", json=spec))["errors"]]
    assert pointers == ["/dataset/x", "/optimizer/lr", "/training/epochs"]


BAD_BODIES = {
    "no JSON": (b'{"dataset": ', "application/json", 400),
    "a NaN that JSON does not have": (b'{"dataset":{"name":"digits"},"optimizer":{"name":"sgd","lr":NaN}}', None, 422),
    "a number too large": (b'{"dataset":{"name":"digits"},"optimizer":{"name":"sgd","lr":1e999}}', None, 422),
    "a number of 5,000 digits": (b'{"dataset":{"name":"digits"},"priority":' + b"9" * 5000 + b"}", None, 400),
    "brackets 100,000 deep": (b"[" * 100_000, None, 400),
    "a list": (b"[]", None, 422),
    "null": (b"null", None, 422),
    "nothing": (b"", None, 422),
    "another content type": (b'{"dataset":{"name":"digits"}}', "text/plain", 415),
    "no content type": (b'{"dataset":{"name":"digits"}}', "", 415),
    "bytes that are no UTF-8": (b'{"name":"\xff\xfe"}', None, 400),
    "half a surrogate pair": (b'{"dataset":{"name":"digits"},"name":"\\ud800"}', None, 422),
    "a body over the limit": (b'{"name":"' + b"x" * (1 << 20) + b'"}', None, 413),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_cannot_be_read_is_a_problem_of_its_own(anneal, what):
    body, content_type, status = BAD_BODIES[what]
    headers = {} if content_type == "" else {"content-type": content_type or "application/json"}
    answer = anneal.client.post("/v1/jobs", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    _problem(answer)


BAD_FILES = {
    "an empty file": ("a.csv", b"", {}, "/file"),
    "a header without rows": ("a.csv", b"a,b\n", {}, "/file"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), {}, "/file"),
    "a row too long": ("a.csv", b"a,b\n1,2\n3,4,5\n", {}, "/file"),
    "a name that tells nothing": ("a.xyz", b"a,b\n1,2\n", {}, "/file"),
    "text in a column said to be numeric": (
        "a.csv",
        b"a,b\n1,2\n3,x\n",
        {"columns": '[{"name":"b","type":"numeric"}]'},
        "/columns/0/type",
    ),
    "a choice for no column": ("a.csv", b"a,b\n1,2\n3,4\n", {"columns": '[{"name":"c"}]'}, "/columns/0/name"),
    "choices that are no JSON": ("a.csv", b"a,b\n1,2\n3,4\n", {"columns": "["}, "/columns"),
    "a target that is no column": ("a.csv", b"a,b\n1,2\n3,4\n", {"target": "c"}, "/target"),
    "a target that no column can have": ("a.csv", b"a,b\n1,2\n3,4\n", {"target": "c\0"}, "/target"),
    "parquet that is none": ("a.parquet", b"PAR1 not really", {}, "/file"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_that_is_no_table_is_refused_and_forgotten(anneal, what):
    name, content, fields, pointer = BAD_FILES[what]
    before = anneal.client.get("/v1/datasets", params={"limit": 1}).json()["data"]
    answer = anneal.client.post("/v1/datasets", files={"file": (name, content)}, data=fields)
    assert answer.status_code == 422, answer.text
    assert _problem(answer)["errors"][0]["pointer"] == pointer
    assert anneal.client.get("/v1/datasets", params={"limit": 1}).json()["data"] == before


BAD_TABLES = {
    "a target column that is missing": ("a,b\n" + "1,2\n3,4\n" * 10, {"target": "c"}, "/target", "'c'"),
    "no target at all": ("a,b\n" + "1,2\n3,4\n" * 10, {}, "/target", "name the column"),
    "text in a numeric target": (
        "a,b\n" + "1,red\n3,blue\n" * 10,
        {"target": "b", "loss": {"name": "mse"}},
        "/target",
        "'red' in row 1",
    ),
    "NaN in a feature": ("a,b\n1,0\n,1\nNaN,0\n4,1\n" * 5, {"target": "b"}, "/dataset", "rows 2, 3"),
    "a target without a value": ("a,b\n1,0\n2,\n3,1\n4,1\n" * 5, {"target": "b"}, "/target", "row"),
    "one class only": ("a,b\n" + "1,yes\n2,yes\n" * 5, {"target": "b"}, "/target", "one class"),
    "no feature": ("b\n" + "0\n1\n" * 5, {"target": "b"}, "/dataset", "no column is left"),
    "a batch larger than the rows": (
        "a,b\n" + "1,0\n2,1\n" * 5,
        {"target": "b", "training": {"batch_size": 64}},
        "/training/batch_size",
        "8",
    ),
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_a_job_that_its_table_cannot_train_is_refused(anneal, what):
    text, spec, pointer, said = BAD_TABLES[what]
    dataset = anneal.client.post("/v1/datasets", files={"file": ("a.csv", text.encode())}).json()
    answer = anneal.client.post("/v1/jobs", json={"dataset": {"id": dataset["id"]}} | spec)
    assert answer.status_code == 422, answer.text
    fault = _problem(answer)["errors"][0]
    assert fault["pointer"] == pointer
    assert said in fault["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/jobs/job_" + "0" * 32, 404),
        ("GET", "/v1/jobs/nonsense", 404),
        ("GET", "/v1/jobs/%00", 404),
        ("GET", "/v1/jobs/%ff%fe", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs?limit=many", 422),
        ("GET", "/v1/jobs?cursor=%00", 422),
        ("GET", "/v1/jobs?cursor=YQBi", 422),
        ("GET", "/v1/jobs?state=asleep", 422),
        ("GET", "/v1/jobs?name=%00", 422),
        ("GET", "/v1/jobs?tag=a", 422),
        ("GET", "/v1/jobs?tag=%00:%00", 422),
        ("GET", "/v1/jobs?created_after=yesterday", 422),
        ("GET", "/v1/jobs/job_" + "0" * 32 + "/metrics?keys=a%20b", 422),
        ("GET", "/v1/jobs/job_" + "0" * 32 + "/metrics?from_step=-1", 422),
        ("GET", "/v1/catalog/optimisers", 404),
        ("GET", "/v1/catalog/optimizers/adamm", 404),
        ("PUT", "/v1/jobs", 405),
        ("POST", "/v1/jobs/job_" + "0" * 32 + "/cancel", 404),
        ("DELETE", "/v1/datasets/ds_" + "0" * 32, 404),
    ],
)
def test_a_wrong_address_or_parameter_is_said_to_be_so(anneal, method, path, status):
    answer = anneal.client.request(method, path)
    assert answer.status_code == status, answer.text
    _problem(answer)


def _problem(answer) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.text)
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    return problem
