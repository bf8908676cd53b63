"""Polls: answered from a read that is shared, and never with what the same gateway knows better."""

from __future__ import annotations

import asyncio

from service.standings import TICK_SECONDS
from tests.client.loops import run

JOB = {"dataset": {"name": "iris"}}


def test_a_poll_is_answered_304_until_something_changes_and_at_once_when_it_does(ask):
    path = _ended(ask)
    tag = ask("GET", path).headers["etag"]
    for _ in range(3):
        unchanged = ask("GET", path, headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.headers["etag"], unchanged.content) == (304, tag, b"")
        assert unchanged.headers["x-request-id"].startswith("req_")
        assert "content-security-policy" in unchanged.headers
    assert ask("GET", path, headers={"If-None-Match": '"0", "99"'}).status_code == 200
    ask("DELETE", path)
    assert ask("GET", path, headers={"If-None-Match": tag}).status_code == 404


def test_what_is_done_here_is_seen_by_the_very_next_poll(ask):
    path = ask("POST", "/v1/jobs", json=JOB).headers["location"]
    for change in ("pause", "resume", "cancel"):
        tag = ask("GET", path).headers["etag"]
        assert ask("GET", path, headers={"If-None-Match": tag}).status_code == 304
        ask("POST", f"{path}/{change}")
        assert ask("GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_hundreds_of_polls_at_a_time_are_one_read(send, ask, database_reads):
    paths = [_ended(ask) for _ in range(3)]
    polls = [(path, {"If-None-Match": ask("GET", path).headers["etag"]}) for path in paths]

    async def poll_all() -> list[int]:
        answers = [send("GET", path, headers=headers) for path, headers in polls * 100]
        return [answer.status_code for answer in await asyncio.gather(*answers)]

    with database_reads("jobs.version") as reads:
        assert set(run(poll_all())) == {304}
    assert len(reads) <= 3


def test_a_change_by_somebody_else_is_seen_a_tick_later(send, ask, send_elsewhere):
    path = ask("POST", "/v1/jobs", json=JOB).headers["location"]
    headers = {"If-None-Match": ask("GET", path).headers["etag"]}

    async def meanwhile() -> tuple[int, int]:
        before = await send("GET", path, headers=headers)
        await send_elsewhere("POST", f"{path}/cancel")
        await asyncio.sleep(TICK_SECONDS)
        return before.status_code, (await send("GET", path, headers=headers)).status_code

    assert run(meanwhile()) == (304, 200)


def _ended(ask) -> str:
    path = ask("POST", "/v1/jobs", json=JOB).headers["location"]
    ask("POST", f"{path}/cancel")
    return path
