"""The Python client against a gateway that trains."""

from __future__ import annotations

import asyncio
import csv
import io

import numpy as np
import pytest

from api_schemas.datasets import ColumnChoice
from api_schemas.errors import InvalidRequest, NotFound
from api_schemas.jobs import JobSpec
from client import AsyncClient, Client
from tests.client.loops import run
from tests.servers import wait_until

SHORT = {"dataset": {"name": "wine"}, "training": {"epochs": 2}}


@pytest.fixture
def client(anneal):
    with Client(anneal.url) as client:
        yield client


def test_a_job_is_submitted_waited_for_and_read(client) -> None:
    job = client.jobs.create({**SHORT, "name": "by hand"})
    assert job.state == "queued"
    done = client.jobs.wait(job.id, timeout=120)
    assert (done.state, done.name) == ("succeeded", "by hand")
    assert client.jobs.get(job.id) == done
    assert done.id in [each.id for each in client.jobs.list(state="succeeded", name="by hand")]


def test_a_spec_as_a_class_runs_as_it_is(client) -> None:
    spec = JobSpec.model_validate(SHORT)
    job = client.jobs.create(spec)
    assert job.spec.optimizer == spec.optimizer
    client.jobs.cancel(job.id)


def test_a_curve_is_every_point_as_the_csv_has_it(client, anneal) -> None:
    job = client.jobs.wait(client.jobs.create(SHORT).id, timeout=120)
    step, value = client.jobs.curve(job.id, "train/loss")
    rows = list(csv.DictReader(io.StringIO(anneal.client.get(f"/v1/jobs/{job.id}/metrics.csv").text)))
    truth = [(int(row["step"]), float(row["value"])) for row in rows if row["key"] == "train/loss"]
    assert list(zip(step.tolist(), value.tolist(), strict=True)) == truth
    assert (step.dtype, value.dtype, len(step)) == (np.int64, np.float64, job.progress.total_steps)


def test_a_script_is_the_program_that_the_gateway_gives(client, anneal) -> None:
    job = client.jobs.create(SHORT)
    program = client.jobs.script(job.id)
    assert program == anneal.client.get(f"/v1/jobs/{job.id}/script").text
    compile(program, "script", "exec")
    client.jobs.cancel(job.id)
    with pytest.raises(NotFound):
        client.jobs.script("job_unknown")


def test_a_curve_that_does_not_exist_is_empty(client) -> None:
    job = client.jobs.create(SHORT)
    assert client.jobs.curve(job.id, "no/such").step.shape == (0,)
    client.jobs.cancel(job.id)


def test_a_diverged_curve_ends_in_what_it_diverged_to(client) -> None:
    spec = {
        "dataset": {"name": "badly_scaled"},
        "preprocessing": {"numeric": {"name": "none"}},
        "optimizer": {"name": "sgd", "lr": 1000.0},
    }
    job = client.jobs.wait(client.jobs.create(spec).id, timeout=120)
    assert job.state == "failed"
    assert job.error.code == "diverged"
    assert not np.isfinite(client.jobs.curve(job.id, "train/loss").value[-1])


def test_metrics_are_sampled_as_asked(client) -> None:
    job = client.jobs.wait(client.jobs.create({**SHORT, "training": {"epochs": 30}}).id, timeout=120)
    metrics = client.jobs.metrics(job.id, ["train/loss", "val/loss"], max_points=10)
    assert [series.key for series in metrics.series] == ["train/loss", "val/loss"]
    assert metrics.series[0].sampled
    assert len(metrics.series[0].step) <= 10


def test_events_tell_a_job_from_its_submission_to_its_end_and_can_go_on_in_the_middle(client) -> None:
    job = client.jobs.create(SHORT)
    events = list(client.jobs.events(job.id))
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    states = [event.data["state"] for event in events if event.type == "state"]
    assert (states[0], states[-1]) == ("queued", "succeeded")
    assert list(client.jobs.events(job.id, after=2)) == events[2:]


def test_validation_says_what_would_run_and_stores_nothing(client) -> None:
    plan = client.jobs.validate({**SHORT, "name": "only validated"})
    assert plan.total_steps == plan.steps_per_epoch * 2
    assert not list(client.jobs.list(name="only validated"))


def test_a_refusal_points_at_its_place(client) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.jobs.create({**SHORT, "optimizer": {"name": "adamm"}})
    assert "adam" in caught.value.faults[0].message
    assert caught.value.faults[0].pointer.startswith("/optimizer")


def test_a_paused_job_is_resumed(client) -> None:
    job = client.jobs.create({"dataset": {"name": "digits"}, "training": {"epochs": 5000}})
    client.jobs.pause(job.id)
    try:
        wait_until(lambda: client.jobs.get(job.id).state == "paused", 60)
        assert client.jobs.resume(job.id).state == "queued"
    finally:
        client.jobs.cancel(job.id)


def test_a_deleted_job_is_gone(client) -> None:
    job = client.jobs.wait(client.jobs.create(SHORT).id, timeout=120)
    client.jobs.delete(job.id)
    with pytest.raises(NotFound):
        client.jobs.get(job.id)


def test_a_table_is_uploaded_corrected_and_trained_on(client, tmp_path) -> None:
    rows = [f"{i},{i % 7},{['no', 'yes'][i % 2]}" for i in range(100)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["number,day,sold", *rows]))
    columns = [ColumnChoice(name="day", role="ignore")]
    dataset = client.datasets.wait(client.datasets.upload(path, target="sold", columns=columns).id, timeout=60)
    assert (dataset.name, dataset.rows, dataset.target) == ("table.csv", 100, "sold")
    assert next(column for column in dataset.columns if column.name == "day").role == "ignore"
    assert client.datasets.preview(dataset.id).columns == ["number", "day", "sold"]
    job = client.jobs.create({"dataset": {"id": dataset.id}, "training": {"epochs": 1}})
    assert client.jobs.wait(job.id, timeout=120).state == "succeeded"
    assert [each.id for each in client.jobs.list(dataset=dataset.id)] == [job.id]
    client.jobs.delete(job.id)
    client.datasets.delete(dataset.id)
    assert dataset.id not in [each.id for each in client.datasets.list()]


def test_an_open_file_is_uploaded_under_the_name_it_is_given(client) -> None:
    stream = io.BytesIO(b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * 2) for i in range(50)))
    stream.name = "doubles.csv"
    dataset = client.datasets.wait(client.datasets.upload(stream, name="doubles").id, timeout=60)
    assert (dataset.name, dataset.rows) == ("doubles", 50)
    client.datasets.delete(dataset.id)


def test_a_schedule_is_looked_at_before_a_job_has_it(client) -> None:
    seen = client.catalog.preview_schedule([{"name": "linear"}], lr=0.1, total_steps=4)
    assert seen.lr == pytest.approx([0.1, 0.075, 0.05, 0.025])
    assert [piece.name for piece in seen.pieces] == ["linear"]


def test_the_catalog_the_workers_and_the_health_are_told(client) -> None:
    assert {entry.kind for entry in client.catalog.all()} >= {"optimizers", "losses", "models"}
    assert "adam" in [entry.name for entry in client.catalog.kind("optimizers")]
    assert "lr" in client.catalog.entry("optimizers", "adam").knobs
    assert client.workers()[0].online
    assert client.health().status == "ok"


def test_the_asynchronous_client_trains_many_at_once(anneal) -> None:
    async def train() -> list[str]:
        async with AsyncClient(anneal.url) as client:
            jobs = await asyncio.gather(*(client.jobs.create(SHORT) for _ in range(4)))
            done = await asyncio.gather(*(client.jobs.wait(job.id, timeout=120) for job in jobs))
            assert len((await client.jobs.curve(jobs[0].id, "train/loss")).step) == done[0].progress.total_steps
            assert (await anext(client.jobs.events(jobs[0].id))).id == 1
            assert {job.id for job in jobs} <= {job.id async for job in client.jobs.list()}
            return [job.state for job in done]

    assert run(train()) == ["succeeded"] * 4
