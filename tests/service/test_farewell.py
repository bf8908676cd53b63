"""A gateway that stops leaves nobody with a fault of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
from fastapi import FastAPI

from service.problems import install


def test_who_is_unanswered_when_the_gateway_stops_is_asked_to_come_back():
    app = FastAPI()
    install(app)
    asked = asyncio.Event()

    @app.get("/slow")
    async def slow() -> None:
        asked.set()
        await asyncio.sleep(3600)

    async def stop_meanwhile() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            answering = asyncio.create_task(client.get("/slow"))
            await asked.wait()
            answering.cancel("timeout graceful shutdown exceeded")
            return await answering

    with ThreadPoolExecutor(1) as thread:  # this one may have a browser's loop
        answer = thread.submit(asyncio.run, stop_meanwhile()).result()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "the gateway stops" in answer.json()["detail"]
