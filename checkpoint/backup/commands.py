"""`checkpoint backup ...`, `checkpoint restore`, `checkpoint restored ...`: each command is one function, its words in the
catalogues. Exit codes are those of `cli.py`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoint import config
from checkpoint.backup import keyfile
from checkpoint.backup.manifest import Unusable, read
from checkpoint.backup.restoring import InTheWay, restore
from checkpoint.backup.taking import AlreadyTaking, backups, check, overdue, take, taken_at
from checkpoint.config import Config
from checkpoint.core.facts import Restored
from checkpoint.store import StorageFailed, StorageFull, Store, WrongKey
from checkpoint.store.alone import in_use
from checkpoint.store.keys import KEY_FILE
from checkpoint.ui import Texts

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, NO, ASKED_WRONGLY, IN_THE_WAY = range(4)
Command = Callable[[argparse.Namespace, Texts], int]


def add(commands: _Commands, t: Texts) -> None:
    """The commands and their options, in words of one language."""

    def made(name: str, command: Command, under: _Commands) -> argparse.ArgumentParser:
        words = t(f"cli.help.{name.replace(' ', '-')}")
        parser = under.add_parser(name.split()[-1], help=words, description=words)
        parser.set_defaults(command=_plainly(command))
        return parser

    backup = made("backup", backup_, commands)
    backup.add_argument("--to", type=Path, metavar="FOLDER", help=t("cli.help.backup.to"))
    more = backup.add_subparsers(required=False, metavar=t("cli.help.command"))
    listed = made("backup list", backup_list, more)
    listed.add_argument("--in", type=Path, dest="to", metavar="FOLDER", default=argparse.SUPPRESS, help=t("cli.help.backup.in"))
    checked = made("backup check", backup_check, more)
    checked.add_argument("backup", type=Path, metavar="BACKUP", help=t("cli.help.backup.backup"))
    checked.add_argument("--key", type=Path, metavar="FILE", help=t("cli.help.backup.key"))
    keys = made("backup keys", backup_keys, more)
    keys.add_argument("file", type=Path, metavar="FILE", help=t("cli.help.backup.keys-file"))

    back = made("restore", restore_, commands)
    back.add_argument("backup", type=Path, metavar="BACKUP", help=t("cli.help.backup.backup"))
    back.add_argument("--to", type=Path, metavar="FOLDER", help=t("cli.help.restore.to"))
    back.add_argument("--key", type=Path, metavar="FILE", help=t("cli.help.backup.key"))
    back.add_argument("--move-aside", action="store_true", help=t("cli.help.restore.move-aside"))

    restored = commands.add_parser("restored", help=t("cli.help.restored"), description=t("cli.help.restored"))
    under = restored.add_subparsers(required=True, metavar=t("cli.help.command"))
    made("restored show", restored_show, under)
    mark = made("restored mark", restored_mark, under)
    mark.add_argument("--taken-at", type=_instant, metavar="TIME", help=t("cli.help.restored.taken-at"))


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _plainly(command: Command) -> Command:
    """The command, with everything that can be in its way said in words."""

    def said(asked: argparse.Namespace, t: Texts) -> int:
        try:
            return command(asked, t)
        except Unusable as error:
            _complain(t(f"backup.unusable.{error.why}", **error.values))
        except InTheWay as error:
            _complain(t(f"restore.in-the-way.{error.why}", place=error.place))
        except keyfile.WrongPassphrase as error:
            _complain(t("backup.passphrase.wrong", file=error))
        except AlreadyTaking as error:
            _complain(t("backup.already", folder=error))
        except StorageFull as error:
            _complain(t("backup.no-room", why=error))
        except (StorageFailed, WrongKey) as error:
            _complain(t("cli.store", why=str(error)))
        return IN_THE_WAY

    return said


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


# -- taking ---------------------------------------------------------------------------------------------------------------


def backup_(asked: argparse.Namespace, t: Texts) -> int:
    """Take a backup now."""
    settings = config.load()
    database = settings.database
    if not isinstance(database, Path):
        _complain(t("backup.postgresql"))
        return ASKED_WRONGLY
    if not database.exists():
        _complain(t("backup.nothing", database=database))
        return IN_THE_WAY
    folder = asked.to or _folder(settings)
    key_file = settings.key_folder / KEY_FILE
    taken = take(database, key_file, folder, settings.now, spare_bytes=settings.headroom_mb << 20)
    held = read(taken).held
    print(t("backup.taken", path=taken, count=held.counts["facts"], witnesses=len(held.heads)))
    print(t("backup.keys", key_file=key_file))
    return DONE


def _folder(settings: Config) -> Path:
    return settings.backups or settings.data / "backups"


def backup_list(asked: argparse.Namespace, t: Texts) -> int:
    """The backups that are there, and whether the newest is as new as it should be."""
    settings = config.load()
    folder = getattr(asked, "to", None) or _folder(settings)
    there = backups(folder)
    for backup in there:
        try:
            manifest = read(backup)
        except Unusable as error:
            print(f"{backup.name}  {t(f'backup.unusable.{error.why}', **error.values)}")
            continue
        count, size = manifest.held.counts.get("facts", 0), f"{manifest.file.size / 1e6:.1f}"
        print(t("backup.listed", name=backup.name, count=count, size=size, program=manifest.program))
    if not there:
        print(t("backup.none", folder=folder))
    if settings.backups is None:
        print(t("backup.not-regular"))
    elif overdue(folder, settings.backup_every, settings.now()):
        print(t("backup.overdue", at=taken_at(there[-1]).isoformat(timespec="seconds") if there else "-"))
        return NO
    return DONE if there else NO


def backup_check(asked: argparse.Namespace, t: Texts) -> int:
    """Bring a backup back to a place where nothing depends on it, and prove it there."""
    settings = config.load()
    with _scratch() as scratch, _key(asked.key, settings, t) as key_file:
        manifest = check(asked.backup, key_file, settings.now, scratch)
    at = manifest.taken_at.isoformat(timespec="seconds")
    print(t("backup.sound", path=asked.backup, at=at, count=manifest.held.counts["facts"], witnesses=len(manifest.held.heads)))
    return DONE


def backup_keys(asked: argparse.Namespace, t: Texts) -> int:
    """Write the key file for a safe, under a passphrase."""
    settings = config.load()
    key_file = settings.key_folder / KEY_FILE
    if not key_file.exists():
        _complain(t("backup.no-key-file", key_file=key_file))
        return IN_THE_WAY
    passphrase = _passphrase(t("backup.passphrase.new"))
    if len(passphrase) < keyfile.MIN_CHARS:
        _complain(t("backup.passphrase.short", least=keyfile.MIN_CHARS))
        return ASKED_WRONGLY
    if sys.stdin.isatty() and _passphrase(t("backup.passphrase.again")) != passphrase:
        _complain(t("backup.passphrase.differs"))
        return ASKED_WRONGLY
    keyfile.write_new(asked.file, keyfile.lock(key_file, passphrase))
    print(t("backup.keys-written", file=asked.file))
    return DONE


def _passphrase(prompt: str) -> str:
    """Typed unseen at a terminal, else the first line of the input."""
    return getpass(f"{prompt} ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        yield Path(folder)


@contextmanager
def _key(given: Path | None, settings: Config, t: Texts) -> Iterator[Path]:
    """The key file to use: the one given, unlocked when it is under a passphrase, else the installation's own."""
    if given is None or not given.is_file() or not keyfile.is_locked(given):
        yield given or settings.key_folder / KEY_FILE
        return
    with _scratch() as folder:
        keyfile.unlock(given, _passphrase(t("backup.passphrase.ask")), folder / KEY_FILE)
        yield folder / KEY_FILE


# -- the way back ---------------------------------------------------------------------------------------------------------


def restore_(asked: argparse.Namespace, t: Texts) -> int:
    """Bring a backup back."""
    settings = config.load()
    place = asked.to / "checkpoint.db" if asked.to is not None else settings.database
    if not isinstance(place, Path):
        _complain(t("restore.postgresql"))
        return ASKED_WRONGLY
    with _key(asked.key, settings, t) as key_file:
        done = restore(asked.backup, key_file, place, settings.now, move_aside=asked.move_aside)
    for name in done.aside:
        print(t("restore.aside", name=name))
    for head in done.manifest.held.heads:
        print(t("cli.verify.witness", witness=head.witness, count=head.links))
    print(t("restore.done", place=place, count=done.facts, at=done.manifest.taken_at.isoformat(timespec="seconds")))
    _say_spent(done.brought_back.spent, t)
    return DONE


def _say_spent(spent: dict[str, int], t: Texts) -> None:
    for name, count in spent.items():
        if count:
            print(t(f"restore.spent.{name}", count=count))
    print(t("restore.look"))


def _open(settings: Config) -> Store:
    if isinstance(settings.database, Path) and not settings.database.exists():
        raise Unusable("no-database", backup=str(settings.database))
    return Store.open(settings.database, settings.now, key_folder=settings.key_folder)


def restored_mark(asked: argparse.Namespace, t: Texts) -> int:
    """Say that the database was brought back by other tools."""
    settings = config.load()
    if in_use(settings.database):
        raise InTheWay("live", settings.database)
    store = _open(settings)
    try:
        found = store.verify()
        if found.first is not None:
            _complain(t("cli.verify.problem", problem=str(found.first)))
            return NO
        done = store.bring_back(asked.taken_at or store.last_learnt_at() or settings.now())
    finally:
        store.close()
    print(t("restored.marked", count=found.facts_count, number=done.number))
    _say_spent(done.spent, t)
    return DONE


def restored_show(asked: argparse.Namespace, t: Texts) -> int:
    """When the record was brought back, what came back since and from whom, and what is still missing."""
    settings = config.load()
    store = _open(settings)
    try:
        events, returned, gaps = store.facts_of_kind(Restored.__name__), store.returned(), store.gaps()
        silent = store.not_heard_since(events[-1].recorded_at) if events else []
    finally:
        store.close()
    if not events:
        print(t("restored.never"))
    for event in events:
        assert isinstance(event.fact.what, Restored)
        what = event.fact.what
        print(
            t(
                "restored.event",
                at=event.recorded_at.isoformat(timespec="seconds"),
                taken=what.taken_at.isoformat(timespec="seconds"),
                number=what.last_number,
            )
        )
    for one in returned:
        kind = t(f"fact.{type(one.recorded.fact.what).__name__}")
        at, witness = one.recorded.fact.at.isoformat(timespec="seconds"), one.recorded.fact.witness
        print(t(f"restored.{one.how}", number=one.recorded.number, kind=kind, at=at, witness=witness, kiosk=one.kiosk))
    print(t("restored.count", count=len(returned)))
    for gap in gaps:
        print(t("cli.verify.waiting", witness=gap.witness, first=gap.first, last=gap.last))
    for kiosk in silent:
        print(t("restored.silent", kiosk=kiosk.id, station=kiosk.station))
    return DONE if not gaps and not silent else NO
