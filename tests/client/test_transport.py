"""What the client does when the way to the gateway, or the gateway itself, misbehaves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from api_schemas.catalog.datasets import Digits
from api_schemas.errors import (
    ERRORS,
    AnnealError,
    Conflict,
    Fault,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from api_schemas.jobs import Job, JobSpec, JobState, Progress
from client import AsyncClient, Client, UnexpectedAnswer, Unreachable, WaitTimeout
from tests.client.loops import run
from tests.client.misbehaving import HANG_UP, Answer, misbehaving, refusal

Ask = Callable[..., Any]


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Make one call, with either client."""

    def blocking(url: str, call: Callable[[Any], Any], **options: Any) -> Any:
        with Client(url, **options) as client:
            answer = call(client)
            return list(answer) if hasattr(answer, "__next__") else answer

    def asynchronous(url: str, call: Callable[[Any], Any], **options: Any) -> Any:
        async def talk() -> Any:
            async with AsyncClient(url, **options) as client:
                answer = call(client)
                return [item async for item in answer] if hasattr(answer, "__anext__") else await answer

        return run(talk())

    return blocking if request.param == "blocking" else asynchronous


def job(state: JobState = "queued", job_id: str = "job_1") -> Answer:
    found = Job(
        id=job_id,
        version=1,
        name="a job",
        tags={},
        state=state,
        state_reason="",
        terminal=state == "succeeded",
        created_at=datetime.now(UTC),
        attempt=0,
        progress=Progress(total_steps=1),
        transitions=[],
        spec=JobSpec(dataset=Digits()),
    )
    return Answer(200, found.model_dump_json().encode(), {"ETag": f'"{state}"'})


def page(*ids: str, next_cursor: str | None = None) -> Answer:
    data = [json.loads(job(job_id=each).body) for each in ids]
    body = {"data": data, "has_more": next_cursor is not None, "next_cursor": next_cursor}
    return Answer(200, json.dumps(body).encode())


def events(*numbers: int, last: bool = False) -> Answer:
    """A stream with a heartbeat, a hint that has no id, these events, and at last the job's end."""
    at = datetime.now(UTC).isoformat()
    text = ': heartbeat\n\nevent: progress\ndata: {"step": 3}\n\n'
    text += "".join(f'id: {each}\nevent: state\ndata: {{"at": "{at}", "state": "running"}}\n\n' for each in numbers)
    if last:
        text += 'event: end\ndata: {"state": "succeeded"}\n\n'
    return Answer(200, text.encode(), {"Content-Type": "text/event-stream"})


@pytest.mark.parametrize(
    "trouble",
    [HANG_UP, Answer(408), Answer(502), Answer(504), refusal(TooManyRequests("slow")), refusal(Unavailable("away"))],
    ids=["hang up", "408", "502", "504", "429", "503"],
)
def test_trouble_that_passes_is_waited_out(ask: Ask, trouble: Answer) -> None:
    with misbehaving([trouble, trouble, job()]) as gateway:
        assert ask(gateway.url, lambda client: client.jobs.get("job_1")).id == "job_1"
        assert len(gateway.asked) == 3


def test_a_conflict_is_tried_again_only_when_the_gateway_says_when(ask: Ask) -> None:
    in_flight = refusal(Conflict("the first request with this key is still in flight"), {"Retry-After": "0"})
    with misbehaving([in_flight, job()]) as gateway:
        ask(gateway.url, lambda client: client.jobs.create({}))
        assert len(gateway.asked) == 2
    with misbehaving([refusal(Conflict("it has ended")), job()]) as gateway:
        with pytest.raises(Conflict, match="it has ended"):
            ask(gateway.url, lambda client: client.jobs.pause("job_1"))
        assert len(gateway.asked) == 1


def test_a_submit_is_repeated_with_the_key_of_its_first_try_and_another_submit_has_its_own(ask: Ask) -> None:
    with misbehaving([HANG_UP, Answer(502), job()]) as gateway:
        ask(gateway.url, lambda client: client.jobs.create({"dataset": {"name": "digits"}}))
        ask(gateway.url, lambda client: client.jobs.create({"dataset": {"name": "digits"}}))
    keys = [request.headers["Idempotency-Key"] for request in gateway.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert {request.body for request in gateway.asked} == {b'{"dataset":{"name":"digits"}}'}


def test_an_upload_is_repeated_from_its_first_byte(ask: Ask, tmp_path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,y\n" + "1,2\n" * 50_000)
    with misbehaving([Answer(503), refusal(NotFound("enough seen"))]) as gateway, pytest.raises(NotFound):
        ask(gateway.url, lambda client: client.datasets.upload(table, target="y"))
    first, second = gateway.asked
    assert table.read_bytes() in first.body
    assert first.body == second.body
    assert b'name="target"\r\n\r\ny\r\n' in first.body


def test_an_upload_that_cannot_start_over_is_sent_once(ask: Ask) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *where: int) -> int:
            raise io.UnsupportedOperation

        def fileno(self) -> int:
            raise OSError

    with misbehaving([Answer(503)]) as gateway:
        with pytest.raises(AnnealError):
            ask(gateway.url, lambda client: client.datasets.upload(Pipe(b"x,y\n1,2\n")))
        assert len(gateway.asked) == 1


def test_patience_ends_after_the_last_try(ask: Ask) -> None:
    with misbehaving([refusal(Unavailable("the database does not answer"))]) as gateway:
        with pytest.raises(Unavailable, match="the database does not answer"):
            ask(gateway.url, lambda client: client.jobs.get("job_1"), retries=2)
        assert len(gateway.asked) == 3


def test_a_gateway_that_asks_for_an_hour_is_not_waited_for(ask: Ask) -> None:
    with misbehaving([refusal(TooManyRequests("your share is used up"), {"Retry-After": "3600"})]) as gateway:
        with pytest.raises(TooManyRequests) as caught:
            ask(gateway.url, lambda client: client.jobs.get("job_1"))
        assert len(gateway.asked) == 1
    assert caught.value.retry_after_seconds == 3600


@pytest.mark.parametrize("kind", ERRORS.values())
def test_the_gateway_s_error_is_raised_again_as_the_same_class(ask: Ask, kind: type[AnnealError]) -> None:
    fault = Fault(pointer="/optimizer/lr", code="greater_than", message="must be above 0")
    with misbehaving([refusal(kind("no", faults=[fault]))]) as gateway, pytest.raises(kind) as caught:
        ask(gateway.url, lambda client: client.jobs.get("job_1"), retries=0)
    assert type(caught.value) is kind
    assert (caught.value.detail, caught.value.faults) == ("no", [fault])
    assert caught.value.__notes__ == ["request req_1"]


def test_bad_input_is_not_sent_twice(ask: Ask) -> None:
    with misbehaving([refusal(InvalidRequest.at("/optimizer/lr", "greater_than", "must be above 0"))]) as gateway:
        with pytest.raises(InvalidRequest, match="must be above 0"):
            ask(gateway.url, lambda client: client.jobs.create({}))
        assert len(gateway.asked) == 1


def test_nobody_at_the_address_is_said_with_the_address_and_the_remedy(ask: Ask) -> None:
    with misbehaving([job()]) as gone:
        pass
    with pytest.raises(Unreachable, match=f"{gone.url} .*anneal up"):
        ask(gone.url, lambda client: client.jobs.get("job_1"), retries=1)


def test_an_address_without_http_is_said_at_once(ask: Ask) -> None:
    with pytest.raises(Unreachable, match="http"):
        ask("localhost:8000", lambda client: client.jobs.get("job_1"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"<h1>It works!</h1>"),
        Answer(200, b"<h1>It works!</h1>"),
        Answer(200, b'{"id": 1}'),
        Answer(301, headers={"Location": "https://elsewhere.example"}),
    ],
    ids=["page not found", "page", "other JSON", "redirect"],
)
def test_an_address_that_is_no_gateway_is_said_to_be_none(ask: Ask, answer: Answer) -> None:
    with misbehaving([answer]) as other, pytest.raises(UnexpectedAnswer, match="is this address an Anneal gateway"):
        ask(other.url, lambda client: client.jobs.get("job_1"))


def test_a_list_fetches_its_pages_as_it_is_read(ask: Ask) -> None:
    pages = [page("job_3", "job_2", next_cursor="after 2"), page("job_1")]
    with misbehaving(pages) as gateway:
        found = ask(gateway.url, lambda client: client.jobs.list(state="running"))
    assert [each.id for each in found] == ["job_3", "job_2", "job_1"]
    assert [request.path for request in gateway.asked] == [
        "/v1/jobs?state=running&limit=200",
        "/v1/jobs?state=running&limit=200&cursor=after+2",
    ]


def test_a_list_asks_for_no_more_than_its_limit(ask: Ask) -> None:
    with misbehaving([page("job_3", "job_2", next_cursor="after 2"), page("job_1", next_cursor="after 1")]) as gateway:
        assert len(ask(gateway.url, lambda client: client.jobs.list(limit=3))) == 3
    assert [request.path for request in gateway.asked] == ["/v1/jobs?limit=3", "/v1/jobs?limit=1&cursor=after+2"]


def test_events_go_on_behind_the_last_one_when_the_stream_breaks(ask: Ask) -> None:
    with misbehaving([events(1, 2), HANG_UP, events(3, 4, last=True)]) as gateway:
        found = ask(gateway.url, lambda client: client.jobs.events("job_1"))
    assert [event.id for event in found] == [1, 2, 3, 4]
    assert [request.headers.get("Last-Event-ID") for request in gateway.asked] == [None, "2", "2"]


def test_an_event_that_was_cut_in_the_middle_is_read_whole_the_next_time(ask: Ask) -> None:
    whole = events(1, 2, last=True)
    cut = Answer(
        200, whole.body[: whole.body.rindex(b"id:") + 30], {**whole.headers, "Content-Length": str(len(whole.body))}
    )
    with misbehaving([cut, events(2, last=True)]) as gateway:
        found = ask(gateway.url, lambda client: client.jobs.events("job_1"))
    assert [event.id for event in found] == [1, 2]


def test_waiting_asks_for_changes_until_the_end(ask: Ask) -> None:
    same = Answer(304, headers={"ETag": '"running"'})
    with misbehaving([job("running"), same, job("succeeded")]) as gateway:
        assert ask(gateway.url, lambda client: client.jobs.wait("job_1")).state == "succeeded"
    assert [request.headers.get("If-None-Match") for request in gateway.asked] == [None, '"running"', '"running"']
    assert gateway.asked[1].headers["Prefer"] == "wait=30"


def test_waiting_too_long_says_that_the_job_goes_on(ask: Ask) -> None:
    said = r"job_1 is still running after 0\.5 s; it goes on"
    with misbehaving([job("running"), Answer(304)]) as gateway, pytest.raises(WaitTimeout, match=said):
        ask(gateway.url, lambda client: client.jobs.wait("job_1", timeout=0.5))


def test_the_key_travels_as_a_bearer_token(ask: Ask) -> None:
    with misbehaving([job()]) as gateway:
        ask(gateway.url, lambda client: client.jobs.get("job_1"), key="ann_secret")
    assert gateway.asked[0].headers["Authorization"] == "Bearer ann_secret"


def test_an_id_cannot_reach_another_path(ask: Ask) -> None:
    with misbehaving([job()]) as gateway:
        ask(gateway.url, lambda client: client.jobs.get("../workers?x=1"))
    assert gateway.asked[0].path == "/v1/jobs/..%2Fworkers%3Fx%3D1"
