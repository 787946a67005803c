"""The store opened for one command, and closed after it; what is in the way is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkpoint import config
from checkpoint.config import Config
from checkpoint.store import Store
from checkpoint.store.alone import in_use
from checkpoint.ui import Texts

DONE, NO, ASKED_WRONGLY, IN_THE_WAY = range(4)


class InTheWay(RuntimeError):
    """Something here keeps a command from being done; the text says what, in the asker's language."""


def settled() -> Config:
    """The settings, once there is a database. Raises `FileNotFoundError`."""
    settings = config.load()
    if isinstance(settings.database, Path) and not settings.database.exists():
        raise FileNotFoundError(2, os.strerror(2), str(settings.database))
    return settings


@contextmanager
def opened(settings: Config, t: Texts, *, alone: bool = False) -> Iterator[Store]:
    """The store; `alone`: only when no server and no other command has it open. Raises `InTheWay`."""
    from checkpoint.store import StorageFailed, WrongKey

    try:
        if alone and in_use(settings.database):
            raise InTheWay(t("keys.server-runs"))
        store = Store.open(settings.database, settings.now, key_folder=settings.key_folder)
    except (StorageFailed, WrongKey) as error:
        raise InTheWay(t("cli.store", why=str(error))) from error
    try:
        yield store
    finally:
        store.close()


def complain(text: str) -> None:
    """Say what is wrong to whoever sits at the shell."""
    print(text, file=sys.stderr)
