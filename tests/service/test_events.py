"""Streams of events: what many of them cost, and how they end."""

from __future__ import annotations

import asyncio

from tests.client.loops import run


def test_a_stream_whose_job_is_deleted_ends(send):
    async def listen_and_delete():
        job = (await send("POST", "/v1/jobs", json={"dataset": {"name": "iris"}})).json()
        path = f"/v1/jobs/{job['id']}"
        listening = asyncio.create_task(send("GET", f"{path}/events", headers={"Accept": "text/event-stream"}))
        await asyncio.sleep(0.3)  # it listens, as nothing more happens to the job
        assert not listening.done()
        assert (await send("DELETE", path)).status_code == 204
        return await asyncio.wait_for(listening, 10)

    said = run(listen_and_delete()).text
    assert "event: state" in said
    assert "event: end" not in said


def test_a_hundred_listeners_of_a_job_are_told_from_the_same_few_reads(apps, send, send_elsewhere, database_reads):
    async def listen_and_cancel():
        job = (await send("POST", "/v1/jobs", json={"dataset": {"name": "iris"}})).json()
        path = f"/v1/jobs/{job['id']}"
        stream = {"Accept": "text/event-stream"}
        listening = [asyncio.create_task(send("GET", f"{path}/events", headers=stream)) for _ in range(100)]
        while len(apps[0].state.gateway.watch._listeners.get(job["id"], ())) < 100:  # noqa: ASYNC110 - the gateway tells nobody that somebody listens
            await asyncio.sleep(0.01)
        with database_reads("FROM events") as reads:
            await send_elsewhere("POST", f"{path}/cancel")
            answers = await asyncio.wait_for(asyncio.gather(*listening), 10)
        return [answer.text for answer in answers], len(reads)

    said, reads = run(listen_and_cancel())
    assert len(set(said)) == 1
    assert "event: end" in said[0]
    # Of a job and its events; once more at most, by those whom a read was too early for.
    assert reads <= 4
