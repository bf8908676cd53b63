"""A gateway process: `python -m service`."""

import gc

# What the imports make stays for good; to look through it for garbage again and again is a sixth of the start.
gc.disable()

import tempfile

import uvicorn

from service.app import create_app
from storage.logs import configure_logs
from storage.scratch import scratch_folder, sweep_scratch
from storage.settings import Settings

SHUTDOWN_SECONDS = 3

if __name__ == "__main__":
    settings = Settings()
    configure_logs(settings)
    app = create_app(settings)
    gc.freeze()
    gc.enable()
    sweep_scratch(settings)
    # An upload is spooled on the disk that holds the datasets: the system's own folder may be small, or in memory.
    with scratch_folder(settings, "gateway-") as folder:
        tempfile.tempdir = str(folder)
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
