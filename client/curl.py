"""Shows a request as the curl command that sends it, instead of sending it."""

from __future__ import annotations

import shlex

import httpx

_OF_THE_CLIENT = {
    "host",
    "connection",
    "accept-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "idempotency-key",
    "authorization",
}
"""Headers that curl sets by itself, that are of no use to a person, or that are written below in another way."""


class Shown(Exception):
    """A request was shown and not sent."""


class CurlTransport(httpx.BaseTransport):
    """Prints each request, and answers none."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        print(curl_of(request))
        raise Shown


def curl_of(request: httpx.Request) -> str:
    """The command; an API key stays in the variable `ANNEAL_API_KEY`, so that it can be shown to others."""
    words = ["curl -sS", *_method(request), shlex.quote(str(request.url)), *_headers(request), *_body(request)]
    return " \\\n  ".join(words)


def _method(request: httpx.Request) -> list[str]:
    return [] if request.method == "GET" else [f"-X {request.method}"]


def _headers(request: httpx.Request) -> list[str]:
    found = [
        f"-H {shlex.quote(f'{name.title()}: {value}')}"
        for name, value in request.headers.items()
        if name not in _OF_THE_CLIENT and (name, value) != ("accept", "application/json")
    ]
    if "authorization" in request.headers:
        found.append('-H "Authorization: Bearer $ANNEAL_API_KEY"')
    if request.headers.get("accept") == "text/event-stream":
        found.append("--no-buffer")
    return found


def _body(request: httpx.Request) -> list[str]:
    form: list[tuple[str, str]] | None = request.extensions.get("form")
    if form is not None:
        return [
            f"{'-F' if value.startswith('@') and name == 'file' else '--form-string'} {shlex.quote(f'{name}={value}')}"
            for name, value in form
        ]
    body = request.read()
    if not body:
        return []
    return ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body.decode())}"]
