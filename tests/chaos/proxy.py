"""A TCP port in front of a server, which can be cut off, hang, or be slow."""

from __future__ import annotations

import asyncio
import threading
from asyncio import StreamReader, StreamWriter
from pathlib import Path

_BLOCK = 1 << 16


class Proxy:
    """Passes bytes between its clients and a server, on a thread of its own.

    Args:
        target: the server: a port of this machine, or the path of a unix socket.

    Attributes:
        port: where it listens, on loopback.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._writers: set[StreamWriter] = set()
        self._refuses = False
        self._delay = 0.0
        self._flows = asyncio.Event()
        self._flows.set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = asyncio.run_coroutine_threadsafe(listening, self._loop).result().sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection, new ones too."""
        self._loop.call_soon_threadsafe(self._cut)

    def hang(self) -> None:
        """Take connections and bytes, and pass nothing on."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def strand(self) -> None:
        """Let the connections that there are pass nothing on any more, and tell nobody; new ones are good."""
        self._loop.call_soon_threadsafe(self._strand)

    def delay(self, seconds: float) -> None:
        """Let each block of bytes wait."""
        self._delay = seconds

    def heal(self) -> None:
        """Be a good connection again; what hung goes on, as after a lost network."""
        self._refuses, self._delay = False, 0.0
        self._loop.call_soon_threadsafe(self._flows.set)

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    def _strand(self) -> None:
        self._flows.clear()
        self._flows = asyncio.Event()
        self._flows.set()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        ends = [writer]
        self._writers.add(writer)
        try:
            if self._refuses:
                return
            server_reader, server_writer = await self._connect()
            ends.append(server_writer)
            self._writers.add(server_writer)
            flows = self._flows
            ways = [self._pass(reader, server_writer, flows), self._pass(server_reader, writer, flows)]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # none of our protocols half-closes
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            return  # no server, no connection
        finally:
            for end in ends:
                self._writers.discard(end)
                end.transport.abort()

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pass(self, reader: StreamReader, writer: StreamWriter, flows: asyncio.Event) -> None:
        while data := await reader.read(_BLOCK):
            await asyncio.sleep(self._delay)
            await flows.wait()
            writer.write(data)
            await writer.drain()
