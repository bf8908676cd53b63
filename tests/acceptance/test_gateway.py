"""The gateway as its operator needs it: light, closed to strangers, true to its document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from storage.keys import create_key
from tests.servers import wait_until

TORCH_IN_SIGHT = """
import sys
from service.app import create_app
from storage.settings import Settings
app = create_app(Settings(home=sys.argv[1]))
app.openapi()
heavy = {"torch", "training", "sklearn", "polars", "safetensors"} & {name.split(".")[0] for name in sys.modules}
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""

SPECS = ("POST /v1/jobs", "POST /v1/architecture.svg")
"""What takes a whole spec."""


def test_the_gateway_imports_nothing_that_trains(tmp_path):
    done = subprocess.run([sys.executable, "-c", TORCH_IN_SIGHT, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_running_gateway_has_not_mapped_torch_and_is_small(deployment):
    """One of its own: what others ask a gateway to draw and to check is in its memory too."""
    one = deployment()
    process = Path("/proc") / str(one.start_gateway().pid)
    for _ in range(20):
        one.client.get("/v1/jobs")
    assert "torch" not in (process / "maps").read_text()
    assert _resident_megabytes(process) < 128
    assert one.client.get("/openapi.json").json()["info"]["title"] == "Anneal"
    assert _resident_megabytes(process) < 165  # what the schemas took on the way


def test_with_a_key_made_only_its_holder_enters_and_sees_only_their_project(deployment):
    one = deployment()
    one.start_gateway()
    assert one.client.get("/v1/jobs").status_code == 200
    _, mine = create_key(one.database, "mine", "physics")
    _, theirs = create_key(one.database, "theirs", "biology")
    refused = wait_until(lambda: (a := one.client.get("/v1/jobs")).status_code == 401 and a, 3, "the door to close")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["code"] == "unauthorized"
    assert one.client.get("/v1/jobs", headers={"Authorization": "Bearer ann_wrong"}).status_code == 401
    me, them = ({"Authorization": f"Bearer {secret}"} for secret in (mine, theirs))
    job = one.client.post("/v1/jobs", json={"dataset": {"name": "iris"}}, headers=me).json()
    upload = {"file": ("a.csv", b"a,b\n1,2\n")}
    one.start_worker()
    dataset = one.client.post("/v1/datasets", files=upload, headers=me).json()
    for method, path in _routes_of(one, job["id"], dataset["id"]):
        body = {"json": {}} if method == "PATCH" else {}
        answer = one.client.request(method, path, headers=them, **body)
        assert answer.status_code == 404, (method, path, answer.text)
    assert one.client.get("/v1/jobs", headers=them).json()["data"] == []
    assert one.client.get("/v1/datasets", headers=them).json()["data"] == []
    stolen = {"dataset": {"id": dataset["id"]}, "target": "b"}
    assert one.client.post("/v1/jobs", json=stolen, headers=them).status_code == 422
    assert one.client.get(f"/v1/jobs/{job['id']}", headers=me).status_code == 200


def test_bound_to_the_network_it_is_closed_from_the_first_moment(deployment):
    one = deployment(host="0.0.0.0")
    one.start_gateway()
    assert one.client.get("/v1/jobs").status_code == 401
    assert one.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("headers", "method"),
    [({"Host": "evil.example"}, "GET"), ({"Sec-Fetch-Site": "cross-site"}, "POST")],
    ids=["a name that was pointed at this machine", "a page of another site"],
)
def test_without_keys_a_web_page_of_somebody_else_gets_nothing(anneal, headers, method):
    answer = anneal.client.request(method, "/v1/jobs", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


def test_the_same_request_id_is_in_the_answer_and_made_up_when_it_could_forge_a_line(anneal):
    assert anneal.client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert anneal.client.get("/healthz", headers={"X-Request-ID": "a b"}).headers["x-request-id"].startswith("req_")


def test_a_gateway_whose_database_is_away_says_so_and_recovers(deployment, postgres, postgres_url):
    from embedded.supervisor import pick_port

    nowhere = f"postgresql+psycopg://postgres@127.0.0.1:{pick_port('127.0.0.1', 0)}/none"
    one = deployment(database_url=postgres_url)
    one.start_gateway(database_url=nowhere, wait=False)
    wait_until(lambda: _answers(one), 30, "the gateway")
    answer = one.client.get("/v1/jobs")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert one.client.get("/readyz").status_code == 503


def test_every_route_keeps_the_apis_own_document(anneal):
    # A spec holds every knob of the catalog, too many to go through edge by edge in each run; it comes below.
    others = [f"--exclude-name={route}" for route in SPECS]
    _keeps_its_document(anneal, *others, "--phases=coverage,fuzzing", "--max-examples=8")


@pytest.mark.parametrize(
    "phases",
    [
        pytest.param(("--phases=fuzzing", "--max-examples=100"), id="any specs"),
        pytest.param(
            ("--phases=coverage",), id="the edges of every knob", marks=[pytest.mark.verify, pytest.mark.timeout(1800)]
        ),
    ],
)
def test_a_spec_keeps_the_document(deployment, phases):
    """Without a worker, as some of the specs are good ones for days of training."""
    one = deployment()
    one.start_gateway()
    _keeps_its_document(one, *(f"--include-name={route}" for route in SPECS), *phases)


def _keeps_its_document(one, *options):
    """Schemathesis sends what the document allows and what it does not; every answer is as documented."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{one.url}/openapi.json",
        "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--seed=1",
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=one.settings.folder)
    assert done.returncode == 0, done.stdout[-6000:]


def _resident_megabytes(process):
    status = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def _routes_of(one, job_id, dataset_id):
    """Every route of the document that names a job or a dataset."""
    for path, operations in one.client.get("/openapi.json").json()["paths"].items():
        if "{job_id}" in path or "{dataset_id}" in path:
            for method in operations:
                yield method.upper(), path.replace("{job_id}", job_id).replace("{dataset_id}", dataset_id)


def _answers(one):
    try:
        return one.client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
