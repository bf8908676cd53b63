"""A gateway process, or several that share its port: `python -m service`."""

import gc

# What the imports make stays for good; to look through it for garbage again and again is a sixth of the start.
gc.disable()

import importlib
import os
import socket
import sys
import tempfile
from contextlib import suppress
from functools import partial

import uvicorn

from service.processes import keep_running
from storage.logs import configure_logs
from storage.scratch import scratch_folder, sweep_scratch
from storage.settings import Settings

SHUTDOWN_SECONDS = 3


def main() -> None:
    """Serve until a signal."""
    settings = Settings()
    configure_logs(settings)
    if settings.gateway_processes == 1:
        _serve(settings, None)
        return
    with scratch_folder(settings, "measured-") as folder, _listen(settings) as listening:
        # Read when the counters are made: each process then adds to files that all of them can sum up.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        importlib.import_module("service.app")  # once for all processes, whose memory then has it once, too
        gc.freeze()
        keep_running(settings.gateway_processes, partial(_serve, settings, listening), SHUTDOWN_SECONDS + 1)


def _listen(settings: Settings) -> socket.socket:
    return uvicorn.Config(
        "service.app:create_app", host=settings.host, port=settings.port, log_config=None
    ).bind_socket()


def _serve(settings: Settings, listening: socket.socket | None) -> None:
    """Answer requests, from this socket or from one of its own."""
    from service.app import create_app  # noqa: PLC0415  # see `main`

    app = create_app(settings)
    gc.freeze()
    gc.enable()
    sweep_scratch(settings)
    # An upload is spooled on the disk that holds the datasets: the system's own folder may be small, or in memory.
    with scratch_folder(settings, "gateway-") as folder:
        tempfile.tempdir = str(folder)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening] if listening else None)
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
