"""A stream of events as its end comes."""

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
