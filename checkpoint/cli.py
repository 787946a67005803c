"""`checkpoint ...`: what can be done from a shell. Each command is one function; its words are in the catalogues.

Results go to standard output, complaints to standard error. 0: done. 1: done, and the answer is no. 2: asked wrongly.
3: something here is in the way (a port, a setting, a file).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from getpass import getpass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from checkpoint import config
from checkpoint.backup import commands as backing
from checkpoint.config import Config, Misconfigured
from checkpoint.core.datum import BY_NAME
from checkpoint.core.loop import LEGS, MalformedLoop, parse
from checkpoint.ports import PortTaken, listen
from checkpoint.ui import Texts, texts

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_KEYS = ("issuer", "kiosk", "encryption")
DONE, NO, ASKED_WRONGLY, IN_THE_WAY = range(4)
FORMATS = ("jt808", "osmand", "owntracks")  # as in `checkpoint.shell.decode`, which is read only when it is asked for
Command = Callable[[argparse.Namespace, Texts], int]


def language() -> str:
    """The language of this shell: Chinese where its locale is, else English."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    t = texts(language())
    asked = parser(t).parse_args(arguments)
    command: Command = asked.command
    try:
        return command(asked, t)
    except Misconfigured as error:
        for problem in error.problems:
            print(t("cli.setting", problem=problem), file=sys.stderr)
    except OSError as error:
        print(_in_the_way(error, t), file=sys.stderr)
    except KeyboardInterrupt:
        return DONE
    return IN_THE_WAY


def _in_the_way(error: OSError, t: Texts) -> str:
    if isinstance(error, PortTaken):
        return t("cli.port-taken", host=error.host, port=error.port, why=error.why, setting=error.setting)
    return t("cli.file", file=error.filename or "", why=error.strerror or str(error))


def parser(t: Texts) -> argparse.ArgumentParser:
    """The commands and their options, in words of one language."""
    top = argparse.ArgumentParser(prog="checkpoint", description=t("cli.help"))
    commands = top.add_subparsers(required=True, metavar=t("cli.help.command"))

    def add(name: str, command: Command, under: _Commands = commands) -> argparse.ArgumentParser:
        words = t(f"cli.help.{name.replace(' ', '-')}")
        made = under.add_parser(name.split()[-1], help=words, description=words)
        made.set_defaults(command=command)
        return made

    def group(name: str) -> _Commands:
        made = commands.add_parser(name, help=t(f"cli.help.{name}"), description=t(f"cli.help.{name}"))
        return made.add_subparsers(required=True, metavar=t("cli.help.command"))

    add("serve", serve)
    demo_ = add("demo", demo)
    demo_.add_argument("--empty", action="store_true", help=t("cli.help.empty"))
    demo_.add_argument("--keep", action="store_true", help=t("cli.help.keep"))
    demo_.add_argument("--lan", action="store_true", help=t("cli.help.lan"))
    _fleet_options(demo_, t)
    simulate_ = add("simulate", simulate)
    _fleet_options(simulate_, t)
    simulate_.add_argument("--journeys", type=_count, metavar="N", help=t("cli.help.journeys"))
    _talk_options(simulate_, t)
    story_ = add("story", story)
    story_.add_argument("files", nargs="+", metavar="FILE", help=t("cli.help.story-files"))
    add("verify", verify)
    backing.add(commands, t)
    moved = add("move", _in_shell("move", "move"))
    moved.add_argument("--to", metavar="DATABASE", help=t("cli.help.move-to"))
    moved.add_argument("--give-up", action="store_true", help=t("cli.help.move-give-up"))
    loops = group("loop")
    check = add("loop check", loop_check, loops)
    check.add_argument("file", type=Path, metavar="FILE", help=t("cli.help.loop-file"))
    draft = add("loop draft", _in_shell("draft", "drafted"), loops)
    draft.add_argument("--half-width-m", type=_half_width, metavar="N", help=t("cli.help.draft-half-width"))
    _track_options(draft, t)
    line = add("loop line", loop_line, loops)
    line.add_argument("file", type=Path, metavar="FILE", help=t("cli.help.line-file"))
    line.add_argument("--datum", choices=tuple(BY_NAME), default="wgs84", help=t("cli.help.datum"))
    decode = add("decode", _in_shell("decode", "decoded"))
    decode.add_argument("format", choices=FORMATS, help=t("cli.help.decode-format"))
    decode.add_argument("file", nargs="?", type=Path, metavar="FILE", help=t("cli.help.decode-file"))
    imported = add("import", _in_shell("importing", "imported"))
    imported.add_argument("--vehicle", required=True, metavar="PLATE", help=t("cli.help.import-vehicle"))
    imported.add_argument("--device", default="", metavar="NAME", help=t("cli.help.import-device"))
    _track_options(imported, t)
    replayed = add("replay", _in_shell("replay", "replay"))
    replayed.add_argument("--loop", type=Path, required=True, metavar="LOOP.json", help=t("cli.help.loop-file"))
    other = replayed.add_mutually_exclusive_group()
    other.add_argument("--policy", type=Path, metavar="OTHER.json", help=t("cli.help.other-policy"))
    other.add_argument("--against", type=Path, metavar="OTHER_LOOP.json", help=t("cli.help.other-loop"))
    replayed.add_argument("--json", action="store_true", help=t("cli.help.json"))
    _track_options(replayed, t)
    kiosks = group("kiosk")
    retention = add("retention", _in_shell("retention", "swept"))
    retention.add_argument("--dry-run", action="store_true", help=t("cli.help.dry-run"))
    people = group("person")
    for verb in ("export", "erase"):
        one = add(f"person {verb}", _in_shell("person", verb), people)
        who = one.add_mutually_exclusive_group(required=True)
        who.add_argument("person", nargs="?", default="", metavar="PSEUDONYM", help=t("cli.help.pseudonym"))
        who.add_argument("--id-number", action="store_true", help=t("cli.help.id-number"))
        if verb == "export":
            one.add_argument("--to", required=True, type=Path, metavar="FILE.zip", help=t("cli.help.export-to"))
    keys = group("keys")
    add("keys list", _in_shell("keys", "listed"), keys)
    for verb, kinds in (("make", ("issuer", "encryption")), ("rotate", _KEYS), ("revoke", _KEYS)):
        one = add(f"keys {verb}", _in_shell("keys", verb), keys)
        one.add_argument("kind", choices=kinds, help=t("cli.help.keys-kind"))
        if verb != "make":
            one.add_argument("name", nargs="?", default="", metavar="KEY", help=t("cli.help.keys-name"))
        if verb == "revoke":
            one.add_argument("--reissue", action="store_true", help=t("cli.help.keys-reissue"))
    token = add("kiosk token", kiosk_token, kiosks)
    token.add_argument("station", metavar="STATION", help=t("cli.help.station"))
    token.add_argument("--account", default="coordinator", metavar="NAME", help=t("cli.help.account-name"))
    token.add_argument("--code", default="", help=t("cli.help.code"))
    _talk_options(token, t)
    accounts = group("account")
    add("account first-link", account_first_link, accounts)
    return top


def _in_shell(theme: str, name: str) -> Command:
    """A command of `checkpoint.shell`, which is read only when it is asked for: the store behind it takes its time."""

    def command(asked: argparse.Namespace, t: Texts) -> int:
        from checkpoint.shell.ground import InTheWay

        try:
            done: int = getattr(import_module(f"checkpoint.shell.{theme}"), name)(asked, t)
        except InTheWay as error:
            print(error, file=sys.stderr)
            return IN_THE_WAY
        return done

    return command


def _fleet_options(parser: argparse.ArgumentParser, t: Texts) -> None:
    parser.add_argument("--seed", type=_count, default=42, metavar="N", help=t("cli.help.seed"))
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help=t("cli.help.speed"))


def _talk_options(parser: argparse.ArgumentParser, t: Texts) -> None:
    parser.add_argument("--server", metavar="URL", help=t("cli.help.server"))
    parser.add_argument("--password", help=t("cli.help.password"))


def _track_options(parser: argparse.ArgumentParser, t: Texts) -> None:
    parser.add_argument("tracks", nargs="+", type=Path, metavar="TRACK", help=t("cli.help.tracks"))
    parser.add_argument("--datum", choices=tuple(BY_NAME), default="wgs84", help=t("cli.help.datum"))
    parser.add_argument("--zone", type=_zone, metavar="ZONE", help=t("cli.help.zone"))


def _half_width(text: str) -> float:
    number = float(text)
    if not 10 <= number <= 2000:
        raise ValueError(text)
    return number


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, OSError):
        raise ValueError(text) from None


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise ValueError(text)
    return number


def _speed(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise ValueError(text)
    return number


# -- the server -----------------------------------------------------------------------------------------------------------


def serve(asked: argparse.Namespace, t: Texts) -> int:
    """Run the server until it is told to end."""
    settings = config.load()
    taken = listen(settings.host, settings.port)  # before the rest is even read: a port in use is said at once
    from checkpoint import serving
    from checkpoint.logs import log_to_stderr
    from checkpoint.store import StorageFailed, WrongKey

    def begun(link: str) -> None:
        print(t("cli.serve.listening", address=settings.public_url), flush=True)
        if link:
            print(t("cli.serve.first-link", link=link), flush=True)

    log_to_stderr(settings.logs, plain=(StorageFailed,))
    try:
        return serving.serve(settings, begun, [taken])
    except (StorageFailed, WrongKey) as error:
        print(t("cli.store", why=str(error)), file=sys.stderr)
        return IN_THE_WAY


def verify(asked: argparse.Namespace, t: Texts) -> int:
    """Walk the ledger: is everything there, and unchanged?"""
    from checkpoint.store import StorageFailed, Store, WrongKey

    settings = config.load()
    if isinstance(settings.database, Path) and not settings.database.exists():
        raise FileNotFoundError(2, os.strerror(2), str(settings.database))
    try:
        store = Store.open(settings.database, settings.now, key_folder=settings.key_folder)
    except (StorageFailed, WrongKey) as error:
        print(t("cli.store", why=str(error)), file=sys.stderr)
        return IN_THE_WAY
    try:
        found = store.verify()
    finally:
        store.close()
    for witness, count in sorted(found.witnesses.items()):
        print(t("cli.verify.witness", witness=witness, count=count))
    for gap in found.waiting:
        print(t("cli.verify.waiting", witness=gap.witness, first=gap.first, last=gap.last))
    for problem in found.problems:
        print(t("cli.verify.problem", problem=str(problem)))
    if found.left_count:
        print(t("cli.verify.left", count=found.left_count))
    print(t("cli.verify.ok" if found.ok else "cli.verify.broken", count=found.facts_count))
    return DONE if found.ok else NO


# -- the demonstration ----------------------------------------------------------------------------------------------------


def demo(asked: argparse.Namespace, t: Texts) -> int:
    """Server, kiosk and a simulated fleet; or, with --empty, a real installation with nothing in it."""
    from checkpoint.demo import playing

    settings = config.load()
    lan = playing.on_the_lan(settings) if asked.lan else None
    if asked.empty:
        return playing.empty(settings, t, lan)
    return playing.play(settings, t, seed=asked.seed, speed=asked.speed, keep=asked.keep, lan=lan)


def simulate(asked: argparse.Namespace, t: Texts) -> int:
    """Drive a fleet before a running server."""
    from checkpoint.simulator.playing import simulated

    settings = config.load()
    server = asked.server or settings.server_url
    password = _password(asked, settings, t)
    if not password:
        return ASKED_WRONGLY
    now = settings.now
    if asked.speed != 1:
        now = config.Clock(config.utc_now(), asked.speed)
    return _spoken(t, simulated(server, password, seed=asked.seed, now=now, journeys=asked.journeys, say=print, t=t))


# -- loops, kiosks, stories -----------------------------------------------------------------------------------------------


def loop_check(asked: argparse.Namespace, t: Texts) -> int:
    """Read a loop document and say everything that is wrong with it."""
    try:
        loop = parse(asked.file.read_bytes())
    except MalformedLoop as error:
        for problem in error.problems:
            print(t("cli.loop.problem", problem=problem))
        return NO
    print(t("cli.loop.ok", id=loop.id, version=loop.version, stations=len(loop.stations)))
    for leg in LEGS:
        path = loop.paths[leg]
        print(t("cli.loop.leg", leg=t(f"board.leg.{leg}"), km=f"{path.length_m / 1000:.1f}", count=len(path.points)))
    return DONE


def loop_line(asked: argparse.Namespace, t: Texts) -> int:
    """Turn a recorded drive into a loop's line: JSON for `outbound` or `inbound`."""
    from checkpoint.decoders.line import MalformedLine, decode

    try:
        line = decode(asked.file.read_bytes(), BY_NAME[asked.datum])
    except MalformedLine as error:
        print(t("cli.loop.problem", problem=t(error.why, **error.values)), file=sys.stderr)
        return NO
    print(msgspec.json.encode(line).decode())
    return DONE


def kiosk_token(asked: argparse.Namespace, t: Texts) -> int:
    """Ask the running server for a one-time token that enrols a kiosk at a station."""
    import httpx

    from checkpoint.simulator.offices import Office

    settings = config.load()
    password = _password(asked, settings, t)
    if not password:
        return ASKED_WRONGLY

    async def ask() -> int:
        async with httpx.AsyncClient(base_url=asked.server or settings.server_url, timeout=20) as client:
            office = await Office.open(client, asked.account, password, asked.code)
            print((await office.post("/api/v1/kiosks", {"station": asked.station}))["token"])
        return DONE

    return _spoken(t, ask())


def account_first_link(asked: argparse.Namespace, t: Texts) -> int:
    """A new one-time link that makes an administrator, for whoever can reach the machine when nobody can come in."""
    from checkpoint.store import StorageFailed, Store, WrongKey
    from checkpoint.web.invitations import first_link

    settings = config.load()
    if isinstance(settings.database, Path) and not settings.database.exists():
        raise FileNotFoundError(2, os.strerror(2), str(settings.database))
    try:
        store = Store.open(settings.database, settings.now, key_folder=settings.key_folder)
    except (StorageFailed, WrongKey) as error:
        print(t("cli.store", why=str(error)), file=sys.stderr)
        return IN_THE_WAY
    try:
        print(t("cli.first-link", link=first_link(store, settings.public_url, settings.now())))
    finally:
        store.close()
    return DONE


def story(asked: argparse.Namespace, t: Texts) -> int:
    """Run story files."""
    from checkpoint import story as stories

    return stories.main(asked.files)


def _password(asked: argparse.Namespace, settings: Config, t: Texts) -> str:
    """The password to sign in with: said, set, or asked for at a terminal; empty when there is none, and that was said."""
    password: str = asked.password or settings.first_password
    if not password and sys.stdin.isatty():
        password = getpass(t("cli.password") + " ")
    if not password:
        print(t("cli.password-wanted"), file=sys.stderr)
    return password


def _spoken(t: Texts, conversation: Coroutine[None, None, int]) -> int:
    """Run a conversation with a server; say why when it would not talk."""
    import httpx

    from checkpoint.simulator.offices import Refused

    try:
        done = asyncio.run(conversation)
    except Refused as error:
        print(t("cli.server.refused", why=str(error)), file=sys.stderr)
        return IN_THE_WAY
    except httpx.HTTPError as error:
        print(t("cli.server.unreachable", why=str(error)), file=sys.stderr)
        return IN_THE_WAY
    return done


if __name__ == "__main__":
    sys.exit(main())
