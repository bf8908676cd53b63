"""Preparation over HTTP: columns are given their use, a job trains on them, and raw rows are predicted."""

from __future__ import annotations

from tests.servers import wait_until


def table() -> bytes:
    """60 visits of 20 patients, whose names are no categories; some weights are missing."""
    lines = ["patient,city,weight,ill"]
    for visit in range(60):
        weight = "" if visit % 9 == 0 else 50 + visit % 20 * 3
        lines.append(f"p{visit % 20 * 7919:06},{('Rome', 'Oslo', 'Lima')[visit % 3]},{weight},{int(visit % 20 > 9)}")
    return "\n".join(lines).encode()


def test_groups_embeddings_and_missing_values_go_from_the_upload_to_a_prediction(anneal):
    client = anneal.client
    upload = client.post("/v1/datasets", files={"file": ("visits.csv", table())}, data={"target": "ill"}).json()
    path = f"/v1/datasets/{upload['id']}"
    columns = [
        {"name": "patient", "role": "group"},
        {"name": "city", "encode": "embedding"},
        {"name": "weight", "missing": "indicator"},
    ]
    dataset = client.patch(path, json={"columns": columns}).json()
    patient, city, weight, _ = dataset["columns"]
    assert (patient["role"], patient["stats"]["group_sizes"]) == ("group", {"3": 20})
    assert (city["encode"], weight["missing"]) == ("embedding", "indicator")

    spec = {"dataset": {"id": dataset["id"]}, "training": {"epochs": 3, "batch_size": 16}}
    plan = client.post("/v1/jobs?validate_only=true", json=spec).json()
    assert (plan["train_rows"], plan["validation_rows"]) == (48, 12)
    assert (plan["spec"]["split"]["method"], plan["spec"]["split"]["column"]) == ("grouped", "patient")

    job = client.post("/v1/jobs", json=spec).json()
    wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["terminal"], 60, "the job to end")
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "succeeded"
    rows = [{"city": "Rome", "weight": 61}, {"city": "Atlantis", "weight": None}]
    told = client.post(f"/v1/jobs/{job['id']}/predict", json={"rows": rows}).json()
    assert set(told["predictions"]) <= {"0", "1"}
    refused = client.post(f"/v1/jobs/{job['id']}/predict", json={"rows": [{"weight": "heavy", "city": "Oslo"}]})
    assert refused.status_code == 422
    assert "'heavy'" in refused.json()["errors"][0]["message"]


def test_a_split_that_the_columns_do_not_fit_is_refused_with_its_place(anneal):
    client = anneal.client
    upload = client.post("/v1/datasets", files={"file": ("visits.csv", table())}, data={"target": "ill"}).json()
    meaningless = client.patch(f"/v1/datasets/{upload['id']}", json={"columns": [{"name": "city", "missing": "mean"}]})
    assert [fault["pointer"] for fault in meaningless.json()["errors"]] == ["/columns/0/missing"]
    complete = {"columns": [{"name": "weight", "missing": "mean"}]}
    client.patch(f"/v1/datasets/{upload['id']}", json=complete)
    wrong = {"/split/method": {"method": "grouped"}, "/split/column": {"method": "time", "column": "city"}}
    for pointer, split in wrong.items():
        answer = client.post("/v1/jobs", json={"dataset": {"id": upload["id"]}, "split": split})
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
