"""What holds for every test: a text that is missing, or not filled in, fails.

And the ground of most tests: a clock, a store with a loop in force, an empty database of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from checkpoint.store import Store
from checkpoint.ui import catalogue
from tests.ground import Still, store_in
from tests.places import KINDS, Place

if TYPE_CHECKING:
    from tests.postgres import Server

catalogue.strict = True


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server: one for each worker."""
    from tests.postgres import running

    with running() as server:
        yield server


@pytest.fixture
def clock() -> Still:
    """A clock that moves only when a test moves it."""
    return Still()


@pytest.fixture
def store(tmp_path: Path, clock: Still) -> Iterator[Store]:
    """A new store with the loop in force."""
    store = store_in(tmp_path, clock)
    yield store
    store.close()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database of each kind in turn, with a folder for its key."""
    if request.param == "sqlite":
        yield Place("sqlite", tmp_path, tmp_path / "checkpoint.db")
        return
    server: Server = request.getfixturevalue("postgres")
    with server.room() as url:
        yield Place("postgresql", tmp_path, url)
