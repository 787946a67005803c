"""`checkpoint move --to ...`: an installation goes over into another database, and says what to do next."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from checkpoint import config
from checkpoint.config import Config
from checkpoint.database_url import DatabaseUrl, is_database_url
from checkpoint.shell.ground import ASKED_WRONGLY, DONE, NO, InTheWay, complain, settled
from checkpoint.store import StorageFailed, Store, Verification, WrongKey, moving
from checkpoint.store.moving import CannotMove, Where
from checkpoint.ui import Texts

# A terminal is told so often how far it is, anything else only when a table is done.
EVERY_S = 1.0


def move(asked: argparse.Namespace, t: Texts) -> int:
    """Carry the database of this installation over, or let the one left behind be opened again."""
    if asked.give_up:
        return _give_up(config.load(), t)
    if not asked.to:
        complain(t("move.to-wanted"))
        return ASKED_WRONGLY
    settings = settled()
    try:
        target: Where = DatabaseUrl(asked.to) if is_database_url(asked.to) else Path(asked.to)
    except ValueError as error:
        complain(t("cli.setting", problem=f"--to: {error}"))
        return ASKED_WRONGLY
    keys = (settings.key_folder, settings.data if isinstance(target, DatabaseUrl) else target.parent)

    def verified(where: Where) -> Verification:
        store = Store.open(where, settings.now, key_folder=keys[1], marked_too=True)
        try:
            return store.verify()
        finally:
            store.close()

    try:
        moved = moving.move(settings.database, target, now=settings.now, keys=keys, verified=verified, say=_Progress(t))
    except CannotMove as error:
        complain(t(f"move.refused.{error.why}", what=error.what))
        return NO
    except (StorageFailed, WrongKey) as error:
        raise InTheWay(t("move.stopped", why=str(error))) from error
    print(t("move.done", tables=len(moved.rows), rows=sum(moved.rows.values()), facts=moved.rows["facts"]))
    print(t("move.next", target=str(target), source=str(settings.database)))
    return DONE


def _give_up(settings: Config, t: Texts) -> int:
    try:
        done = moving.give_up(settings.database)
    except CannotMove as error:
        complain(t(f"move.refused.{error.why}", what=error.what))
        return NO
    except StorageFailed as error:
        raise InTheWay(t("cli.store", why=str(error))) from error
    print(t("move.given-up" if done else "move.nothing-to-give-up", source=str(settings.database)))
    return DONE if done else NO


class _Progress:
    """Says how far a move is."""

    def __init__(self, t: Texts) -> None:
        self._t = t
        self._told = 0.0

    def __call__(self, step: str, table: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and step != "verify" and (not sys.stdout.isatty() or now - self._told < EVERY_S):
            return
        self._told = now
        print(self._t(f"move.step.{step}", table=table, done=done, total=total), flush=True)
