"""A real HTTP server that answers as a test told it to, whatever it is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from api_schemas.errors import AnnealError


@dataclass(frozen=True)
class Answer:
    """What the server says to one request; a status of 0 hangs up in its place."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


HANG_UP = Answer(0)


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Misbehaving:
    """Where the server is, and what it was asked."""

    url: str
    asked: list[Asked]


def refusal(error: AnnealError, headers: Mapping[str, str] | None = None) -> Answer:
    """The problem document that a gateway makes of an error."""
    body = error.problem("req_1").model_dump_json().encode()
    return Answer(error.status, body, {"Content-Type": "application/problem+json", **(headers or {})})


@contextmanager
def misbehaving(answers: Sequence[Answer]) -> Iterator[Misbehaving]:
    """Serve the answers in their order; the last one is repeated."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(Asked(self.command, self.path, dict(self.headers), body))
            self.say(answers[min(len(asked), len(answers)) - 1])

        def say(self, answer: Answer) -> None:
            self.close_connection = True
            if not answer.status:
                return
            self.send_response(answer.status)
            for name, value in {
                "Content-Length": str(len(answer.body)),
                **answer.headers,
                "Connection": "close",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Misbehaving(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
