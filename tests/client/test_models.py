"""Models from Python and from the command: files, predictions, names."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from sklearn.datasets import load_wine

from api_schemas.errors import Conflict, InvalidRequest, NotFound
from api_schemas.models import RegisteredModel
from client import AsyncClient, Client
from tests.client.loops import run as run_loop
from tests.client.test_command import command

WINE = load_wine()


@pytest.fixture(scope="module")
def client(anneal):
    with Client(anneal.url) as client:
        yield client


@pytest.fixture(scope="module")
def job(client) -> str:
    """The id of a job that knows wines."""
    job = client.jobs.create(
        {"dataset": {"name": "wine"}, "training": {"epochs": 20}, "optimizer": {"name": "adam", "lr": 0.01}}
    )
    return client.jobs.wait(job.id, timeout=120).id


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Three wines, one of each class, as a file."""
    path = tmp_path_factory.mktemp("wine") / "new.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([WINE.feature_names, *WINE.data[[0, 80, 170]].tolist()])
    return path


def test_rows_and_columns_are_predicted(client, job):
    columns = dict(zip(WINE.feature_names, WINE.data[[0, 80, 170]].T.tolist(), strict=True))
    said = client.models.predict(job, columns=columns)
    assert said.predictions == WINE.target_names[[0, 1, 2]].tolist()
    rows = [{name: values[place] for name, values in columns.items()} for place in range(3)]
    assert client.models.predict(job, rows) == said
    with pytest.raises(InvalidRequest, match="malic_acid"):
        client.models.predict(job, [{"alcohol": 13}])


def test_a_file_is_predicted_and_a_model_downloaded_in_both_clients(anneal, client, job, table, tmp_path):
    assert client.models.predict_file(job, table, tmp_path / "answers.csv") == tmp_path / "answers.csv"
    assert client.models.download(job, tmp_path / "model.zip", "zip").stat().st_size > 1000

    async def both() -> None:
        async with AsyncClient(anneal.url) as other:
            await other.models.predict_file(job, table, tmp_path / "again.csv")
            await other.models.download(job, tmp_path / "again.zip", "zip")

    run_loop(both())
    for first, second in (("answers.csv", "again.csv"), ("model.zip", "again.zip")):
        assert (tmp_path / first).read_bytes() == (tmp_path / second).read_bytes()
    assert zipfile.ZipFile(tmp_path / "model.zip").testzip() is None
    assert not list(tmp_path.glob(".*")), "nothing half written is left"


def test_a_name_is_given_found_and_forgotten(client, job, tmp_path):
    made = client.models.put("wine", job, aliases=["champion"])
    assert client.models.get("wine") == made
    assert made in list(client.models.list())
    assert client.models.predict("wine@champion", [dict(zip(WINE.feature_names, WINE.data[0], strict=True))]).job == job
    with pytest.raises(NotFound, match="no version"):
        client.models.download("wine@7", tmp_path / "never")
    by_name = client.models.download("wine@champion", tmp_path / "a").read_bytes()
    assert by_name == client.models.download(job, tmp_path / "b").read_bytes()
    client.models.delete("wine")
    with pytest.raises(NotFound):
        client.models.get("wine")


def test_a_job_that_has_no_model_is_a_conflict(client, tmp_path):
    waiting = client.jobs.create({"dataset": {"name": "wine"}, "resources": {"queue": "nobody"}})
    with pytest.raises(Conflict, match="wait for its end"):
        client.models.download(waiting.id, tmp_path / "model")
    client.jobs.cancel(waiting.id)
    assert not list(tmp_path.iterdir())


def test_the_commands_name_export_and_predict(anneal, job, table, tmp_path, monkeypatch):
    def run(*arguments):
        return command(*arguments, ANNEAL_URL=anneal.url)

    named = run("models", "put", "cellar", job, "--alias", "best", "--json")
    assert RegisteredModel.model_validate_json(named.stdout).versions[0].aliases == ["best"]
    assert f"cellar@1\tbest\t{job}" in run("models", "ls").stdout
    answers = list(csv.DictReader(io.StringIO(run("predict", "cellar@best", str(table)).stdout)))
    assert [row["prediction"] for row in answers] == WINE.target_names.tolist()
    output = tmp_path / "wine.safetensors"
    assert run("export", "cellar", "-o", str(output)).stdout.strip() == str(output)
    assert output.stat().st_size > 1000
    assert (
        "/v1/models/cellar%40best/model?format=onnx"
        in run("export", "cellar@best", "--format", "onnx", "--curl").stdout
    )
    assert "-F file=@" in run("predict", "cellar", str(table), "--curl").stdout
    assert run("models", "rm", "cellar").returncode == 0
    refused = run("predict", "cellar", str(table))
    assert refused.returncode == 1
    assert "no model 'cellar'" in refused.stderr
