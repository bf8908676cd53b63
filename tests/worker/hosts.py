"""A web server on this machine that says what its paths say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TABLE = b"a,b\n" + b"1,2\n" * 500


class Host(BaseHTTPRequestHandler):
    """Answers `/to/URL` with a redirect there, `/status/CODE` with that status, and else with `TABLE`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.headers["Host"], self.path))
        _, what, rest = (*self.path.split("/", 2), "")[:3]
        if what == "to":
            self._answer(302, b"", Location=rest)
        elif what == "status":
            self._answer(int(rest), b"no")
        elif what == "endless":
            self._endless()
        else:
            self._answer(200, b"" if what == "empty.csv" else TABLE)

    def log_message(self, *args):
        """Say nothing."""

    def _answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _endless(self):
        """A body whose length is not announced, and that does not end by itself."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(TABLE)
        except OSError:
            return


@contextmanager
def serving(context=None) -> Iterator[ThreadingHTTPServer]:
    """A server on a free port, with TLS where a context is given; `asked` has each Host header and path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.asked = []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
