"""A dataset by URL, over HTTP: off unless the operator allows a host, and never from where strangers must not look."""

import httpx
import pytest

from client import Client
from embedded.supervisor import Supervisor
from storage.settings import Settings
from tests.client.test_command import command
from tests.servers import wait_until

URL = "https://data.example.org/a.csv"


@pytest.fixture(scope="module")
def anneal_that_fetches(tmp_path_factory):
    """Anneal under an operator who allows every name."""
    settings = Settings(
        home=tmp_path_factory.mktemp("fetching"), port=0, workers=1, threads=1, fetch_hosts="*,http://*"
    )
    with Supervisor(settings) as supervisor:
        supervisor.start()
        with httpx.Client(base_url=supervisor.url, timeout=60, trust_env=False) as client:
            yield client


def ended(client, body):
    answer = client.post("/v1/datasets", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "processing"
    path = answer.headers["location"]
    return wait_until(lambda: (found := client.get(path).json())["terminal"] and found, 60, "the end of the fetch")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/a.csv",
        "http://169.254.169.254/latest/meta-data/a.csv",
        "https://localhost/a.csv",
        "http://[::1]/a.csv",
    ],
)
def test_what_is_not_on_the_internet_is_not_fetched(anneal_that_fetches, url):
    dataset = ended(anneal_that_fetches, {"source": {"url": url}})
    assert (dataset["state"], dataset["error"]["code"]) == ("failed", "not_public")
    assert dataset["error"]["pointer"] == "/source/url"
    assert dataset["url"] == url


def test_a_gateway_itself_is_not_fetched_from(anneal_that_fetches):
    own = anneal_that_fetches.base_url.copy_with(path="/v1/datasets")
    answer = anneal_that_fetches.post("/v1/datasets", json={"source": {"url": str(own), "filename": "a.csv"}})
    assert answer.json()["errors"][0]["code"] == "host_not_allowed"


def test_by_default_nothing_is_fetched(anneal):
    answer = anneal.client.post("/v1/datasets", json={"source": {"url": URL}})
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, "/source/url", "fetching_is_off")
    assert "ANNEAL_FETCH_HOSTS" in fault["message"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/source"),
        ({"source": {"url": URL, "file": "a.csv"}}, "/source/file"),
        ({"source": {"url": "https://data.example.org/get?id=7"}}, "/source/filename"),
        ({"source": {"url": "data.csv"}}, "/source/url"),
    ],
)
def test_a_body_that_is_wrong_is_refused_at_its_place(anneal_that_fetches, body, pointer):
    answer = anneal_that_fetches.post("/v1/datasets", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_the_client_fetches_and_the_command_tells_why_a_file_was_not(anneal_that_fetches):
    with Client(str(anneal_that_fetches.base_url)) as client:
        dataset = client.datasets.wait(
            client.datasets.fetch("https://localhost/x?id=1", filename="a.csv").id, timeout=60
        )
    assert (dataset.name, dataset.format, dataset.error.code) == ("a.csv", "csv", "not_public")
    asked = ("datasets", "fetch", "https://localhost/a.csv")
    done = command(*asked, ANNEAL_URL=str(anneal_that_fetches.base_url))
    assert done.returncode == 1
    assert "localhost is not on the public internet" in " ".join(done.stderr.split())


def test_a_key_makes_one_dataset_of_a_request_that_is_sent_twice(anneal_that_fetches):
    body, headers = {"source": {"url": "https://localhost/a.csv"}}, {"Idempotency-Key": "fetch-once"}
    first, second = (anneal_that_fetches.post("/v1/datasets", json=body, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]


def test_the_hosts_that_are_allowed_are_told(anneal, anneal_that_fetches):
    told = [client.get("/v1/datasets/hosts").json()["data"] for client in (anneal.client, anneal_that_fetches)]
    assert [[host["pattern"] for host in hosts] for hosts in told] == [[], ["*", "http://*"]]
