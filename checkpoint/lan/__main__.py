"""`python -m checkpoint.lan`: the page that hands the local root out. `scripts/run --lan` starts it."""

from __future__ import annotations

import sys
from contextlib import suppress

import uvicorn

from checkpoint.config import load
from checkpoint.headers import headers_of
from checkpoint.lan.neighbourhood import EVERYWHERE, Neighbourhood
from checkpoint.lan.page import create_app
from checkpoint.logs import log_to_stderr
from checkpoint.ports import listen
from checkpoint.wire import Wire


def main() -> int:
    """Serve the page until told to end."""
    config = load()
    log_to_stderr(config.logs)
    near = Neighbourhood.of(config)
    wire = Wire(headers=headers_of(secure=False))
    settings = uvicorn.Config(
        create_app(near.authority(config.data), near),
        http=wire.protocol(),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        callback_notify=wire.swept,
        timeout_notify=1,
        timeout_graceful_shutdown=2,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listen(EVERYWHERE, config.lan_port)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
