"""A file is uploaded as the body itself, as curl sends one."""

from __future__ import annotations

import gzip
import hashlib
import socket
import subprocess

import pytest

from tests.servers import wait_until

TABLE = b"size,kind\n" + b"".join(b"%d,%s\n" % (row, (b"cat", b"dog")[row % 2]) for row in range(50))


def test_a_body_is_the_same_dataset_as_a_form(anneal):
    said = {"name": "pets", "target": "kind", "columns": '[{"name": "size", "type": "category"}]'}
    body = anneal.client.post("/v1/datasets", params={"filename": "pets.csv", **said}, content=TABLE)
    form = anneal.client.post("/v1/datasets", files={"file": ("pets.csv", TABLE)}, data=said)
    assert (body.status_code, form.status_code) == (202, 202), body.text
    assert body.headers["location"] == f"/v1/datasets/{body.json()['id']}"
    own = {"id", "created_at", "version"}
    first, second = ({key: value for key, value in each.json().items() if key not in own} for each in (body, form))
    assert first == second
    assert first["state"] == "ready"


@pytest.mark.parametrize("options", [["--data-binary", "@pets.csv.gz"], ["-X", "POST", "-T", "pets.csv.gz"]])
def test_curl_needs_the_name_alone(anneal, tmp_path, options):
    (tmp_path / "pets.csv.gz").write_bytes(gzip.compress(TABLE))
    url = f"{anneal.url}/v1/datasets?filename=pets.csv.gz"
    subprocess.run(["curl", "-fsS", *options, url, "-o", "answer"], cwd=tmp_path, check=True)
    answer = (tmp_path / "answer").read_text()
    assert hashlib.sha256((tmp_path / "pets.csv.gz").read_bytes()).hexdigest() in answer
    assert '"rows":50' in answer


def test_a_content_type_tells_what_a_file_is(anneal):
    headers = {"Content-Type": "text/csv; charset=utf-8"}
    dataset = anneal.client.post("/v1/datasets", content=TABLE, headers=headers).json()
    assert (dataset["format"], dataset["name"], dataset["rows"]) == ("csv", "upload.csv", 50)


@pytest.mark.parametrize(
    ("params", "content", "pointer"),
    [
        ({}, TABLE, "query:filename"),
        ({"filename": "pets.doc"}, TABLE, "/file"),
        ({"filename": "pets.csv"}, b"", "/file"),
        ({"filename": "pets.csv", "columns": "no"}, TABLE, "/columns"),
        ({"filename": "pets.csv", "target": "age"}, TABLE, "/target"),
    ],
)
def test_a_body_that_is_no_dataset_is_refused_at_its_place(anneal, params, content, pointer):
    headers = {"Content-Type": "application/octet-stream"}
    answer = anneal.client.post("/v1/datasets", params=params, content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_the_same_key_gives_the_same_dataset_and_refuses_another_body(anneal):
    def send(content):
        headers = {"Idempotency-Key": "pets-by-body", "Content-Type": "text/csv"}
        return anneal.client.post("/v1/datasets", content=content, headers=headers)

    assert send(TABLE).json()["id"] == send(TABLE).json()["id"]
    assert send(TABLE + b"1,cat\n").status_code == 422


def test_a_body_that_is_too_large_or_breaks_off_leaves_nothing_behind(deployment):
    one = deployment(max_upload_bytes=1000)
    one.start_gateway()
    headers = {"Content-Type": "text/csv"}

    def blocks():
        for _ in range(100):
            yield b"1,2\n" * 10

    for content in (b"1" * 1001, blocks()):
        answer = one.client.post("/v1/datasets", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    folder = one.settings.folder / "artifacts"

    def kept():
        return [path for path in folder.rglob("*") if path.is_file()]

    address = (one.client.base_url.host, one.client.base_url.port)
    with socket.create_connection(address) as line:
        line.sendall(
            b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 900\r\n\r\na,b"
        )
        wait_until(kept, what="the beginning of a file")
    wait_until(lambda: not kept(), what="its end")
