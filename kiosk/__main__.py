"""`python -m kiosk`: the kiosk's page on this machine. `python -m kiosk enrol TOKEN`: become a station's kiosk.

Settings come from the environment (see `checkpoint.config`); what is said on the command line goes before them.
"""

from __future__ import annotations

import argparse
import locale
import socket
import sys
from pathlib import Path

import uvicorn

from checkpoint.config import Config, Misconfigured, load, steady_of, supervisor
from checkpoint.logs import log_to_stderr
from checkpoint.process import Process
from checkpoint.tls import Certificate
from checkpoint.ui import Texts, pick_language, texts
from checkpoint.wire import Wire
from kiosk import scanner
from kiosk.app import create_app
from kiosk.link import NotEnrolled
from kiosk.outbox import RESERVE_BYTES
from kiosk.station import Kiosk, open_kiosk
from kiosk.web.guard import HEADERS, LOCAL_NAMES


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        config = load()
    except Misconfigured as wrong:
        for problem in wrong.problems:
            _say(problem, error=True)
        return 2
    asked = _arguments(config).parse_args(argv)
    log_to_stderr(config.logs)
    t = texts(pick_language(None, (locale.getlocale()[0] or "").replace("_", "-")))
    if asked.command == "enrol":
        return _enrol(asked.data, asked.token, asked.server, config, t)
    return _serve(asked.data, asked.host, asked.port, asked.server, config, t)


def _arguments(config: Config) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--server", default=config.server_url, help="address of the server (CHECKPOINT_SERVER_URL)")
    common.add_argument("--data", type=Path, default=config.kiosk_data, help="folder of the kiosk (CHECKPOINT_KIOSK_DATA)")
    parser = argparse.ArgumentParser(
        prog="python -m kiosk", parents=[common], description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--port", type=int, default=config.kiosk_port, help="port of the page (CHECKPOINT_KIOSK_PORT)")
    parser.add_argument("--host", default=config.kiosk_host, help="address the page listens on (CHECKPOINT_KIOSK_HOST)")
    parser.set_defaults(command="serve")
    enrol = parser.add_subparsers(required=False).add_parser("enrol", help="become a station's kiosk", parents=[_quiet(common)])
    enrol.add_argument("token", help="the one-time token that the coordinator made")
    enrol.set_defaults(command="enrol")
    return parser


def _quiet(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The same options again, to be given after the command too, without undoing what was given before it."""
    again = argparse.ArgumentParser(add_help=False)
    for action in common._actions:
        again.add_argument(*action.option_strings, type=action.type or str, default=argparse.SUPPRESS, help=action.help)
    return again


def _enrol(data: Path, token: str, server: str, config: Config, t: Texts) -> int:
    kiosk = open_kiosk(data, config.now)
    try:
        enrolment = kiosk.enrol(token, server)
    except NotEnrolled as refusal:
        _say(t(f"kiosk.enrol.{refusal.why}"), error=True)
        return 1
    finally:
        kiosk.close()
    _say(t("kiosk.cli.enrolled", kiosk=enrolment.kiosk, station=enrolment.station))
    return 0


def _serve(data: Path, host: str, port: int, server: str, config: Config, t: Texts) -> int:
    listener = _listener(host, port)
    if listener is None:
        _say(t("kiosk.cli.port", port=port), error=True)
        return 1
    kiosk = open_kiosk(data, config.now, steady=steady_of(config.now), reserve_bytes=RESERVE_BYTES)
    try:
        _say_reader(kiosk, t)
        if kiosk.outbox.enrolment is None and config.kiosk_token:
            try:
                kiosk.enrol(config.kiosk_token, server)
            except NotEnrolled as refusal:
                # The page asks for a token; a station must not stay dark because the server is.
                _say(t(f"kiosk.enrol.{refusal.why}"), error=True)
        app = create_app(kiosk, server=server, names=LOCAL_NAMES | {host, *config.hosts})
        own = config.tls_certificate and config.tls_key and Certificate(config.tls_certificate, config.tls_key)
        scheme = "https" if own else "http"
        _say(t("kiosk.cli.at", url=f"{scheme}://localhost:{listener.getsockname()[1]}"))
        wire = Wire(headers=[(name.lower().encode(), value.encode()) for name, value in HEADERS.items()])
        Process(
            uvicorn.Config(
                app,
                http=wire.protocol(),
                callback_notify=wire.swept,
                timeout_notify=1,
                log_config=None,
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=3,
                server_header=False,
                proxy_headers=False,
            ),
            certificate=own or None,
            supervisor=supervisor(),
        ).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        kiosk.close()
        listener.close()
    return 0


def _listener(host: str, port: int) -> socket.socket | None:
    """The page's socket, or None when somebody else has the port: asked before anything else is begun."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        return None
    return listener


def _say_reader(kiosk: Kiosk, t: Texts) -> None:
    if kiosk.no_reader is not None:
        _say(t(f"kiosk.reader.{kiosk.no_reader.trouble}", package=scanner.PACKAGE), error=True)
        return
    build = scanner.check_reader()
    if build:
        _say(t("kiosk.cli.build", build=build), error=True)


def _say(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(text + "\n")
    (sys.stderr if error else sys.stdout).flush()


if __name__ == "__main__":
    sys.exit(main())
