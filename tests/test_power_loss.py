"""The power goes, anywhere inside a write or a sync: nothing that was acknowledged is lost, and the chains hold.

The same is played with less than `synchronous=FULL`, and must then find losses: a test that cannot fail shows nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Protocol

import apsw
import peewee
import pytest

from checkpoint.core.facts import SwabTaken
from checkpoint.core.track import Fix
from checkpoint.store import Entry, Signed, StorageFailed, Store, sqlite
from checkpoint.store.ledger import entry_of
from kiosk.kept import Told
from kiosk.outbox import Outbox
from tests.ground import T0, Still, publish
from tests.power import power_until
from tests.seeds import rounds, seeds
from tests.test_outbox import enrolment
from tests.test_outbox import fact as seen
from tests.witness import PLATE, FakeKiosk, fact

POINTS = 60
SECOND = timedelta(seconds=1)


class Side(Protocol):
    """The server's or the kiosk's file: laid down once, written to until the power goes, and looked at afterwards."""

    def lay(self, folder: Path) -> None:
        """Make it, with something in it."""

    def write(self, folder: Path, chance: Random) -> None:
        """Write, and remember what was acknowledged; returns when the power went, or all is done."""

    def lost(self, folder: Path) -> str:
        """What is wrong with what the disk kept; empty when nothing is."""


def put_away(*connections: apsw.Connection) -> None:
    """Let go of files that have no power any more: they complain, and are closed."""
    for connection in connections:
        with suppress(apsw.Error):
            connection.close()


class Server:
    """Batches of a kiosk's links, some of them bad; facts of the server; positions; settings: what the writer is given."""

    def __init__(self, synchronous: str, patch: pytest.MonkeyPatch) -> None:
        # Checkpoints come often, so that the power goes inside them too.
        patch.setattr(sqlite, "_PRAGMAS", {**sqlite._PRAGMAS, "synchronous": synchronous, "wal_autocheckpoint": 12})
        self.facts: dict[str, bytes] = {}
        self.fixes: list[Fix] = []
        self.settings: dict[str, str] = {}
        self.kiosk = FakeKiosk()
        self.unsure: list[Entry] = []

    def lay(self, folder: Path) -> None:
        folder.mkdir()
        store = Store.open(folder / "checkpoint.db", Still())
        publish(store)
        store.close()

    def write(self, folder: Path, chance: Random) -> None:
        self.facts, self.fixes, self.settings, self.kiosk, self.unsure = {}, [], {}, FakeKiosk(), []
        try:
            store = Store.open(folder / "checkpoint.db", Still())
        except (StorageFailed, peewee.PeeweeException, apsw.Error):
            return
        try:
            for turn in range(14):
                self._turn(store, turn, chance)
        except (StorageFailed, peewee.PeeweeException):
            pass
        finally:
            store._writer.stop()
            put_away(*store._db._opened)  # type: ignore[attr-defined]

    def _turn(self, store: Store, turn: int, chance: Random) -> None:
        match chance.randrange(4):
            case 0 | 1:
                entries = []
                for i in range(chance.randint(1, 4)):
                    what = SwabTaken(specimen=f"{turn}-{i}", person="p-1", test="pcr")
                    entries.append(self.kiosk.entry(self.kiosk.tell(f"k-{turn}-{i}", T0, what)))
                if chance.random() < 0.3:
                    bad = self.kiosk.link('{"no":"fact"}')
                    entries.append(
                        Entry(
                            witness=self.kiosk.witness,
                            raw=bad["fact"].encode(),
                            fact=None,
                            seq=bad["seq"],
                            prev=bad["prev"],
                            hash=bad["hash"],
                        )
                    )
                self.unsure += entries
                head = self.kiosk.head()
                store.append(entries, Signed(head["seq"], head["hash"], bytes.fromhex(head["signature"])))
                self.facts |= {e.fact.id: e.raw for e in entries if e.fact is not None}
            case 2:
                told = [entry_of(fact(f"s-{turn}-{i}", T0, witness="server", station="")) for i in range(chance.randint(1, 3))]
                store.append(told)
                self.facts |= {e.fact.id: e.raw for e in told if e.fact is not None}
            case _:
                fixes = [
                    Fix(device="d", fixed_at=T0 + (turn * 10 + i) * SECOND, lat=28.0, lon=120.6)
                    for i in range(chance.randint(1, 9))
                ]
                store.add_positions([(PLATE, fix) for fix in fixes])
                self.fixes += fixes
                store.registry.set_setting(f"turn-{turn % 3}", str(turn))
                self.settings[f"turn-{turn % 3}"] = str(turn)

    def lost(self, folder: Path) -> str:
        try:
            store = Store.open(folder / "checkpoint.db", Still())
        except Exception as error:  # noqa: BLE001 - a torn file breaks whatever reads it
            return f"cannot be opened: {error}"
        try:
            return self._lost(store)
        except Exception as error:  # noqa: BLE001 - a torn file breaks whatever reads it
            return f"cannot be read: {error}"
        finally:
            store.close()

    def _lost(self, store: Store) -> str:
        walked = store.verify()
        if not walked.ok:
            return str(walked.first)
        for name, raw in self.facts.items():
            recorded = store.fact(name)
            if recorded is None or recorded.raw != raw:
                return f"{name} was acknowledged"
        if not set(self.fixes) <= set(store.positions(PLATE)):
            return "fixes were acknowledged"
        for name, value in self.settings.items():
            if int(store.registry.setting(name) or -1) < int(value):
                return f"the setting {name} was acknowledged"
        # The kiosk sends everything again: all of it is held then, once, and nothing is missing.
        again = store.append(self.unsure)
        if any(o.state == "aside" for o, e in zip(again, self.unsure, strict=True) if e.fact is not None):
            return "what is sent again is set aside"
        held = [r.fact.id for r in store.facts_after(0, 10_000)]
        if len(held) != len(set(held)) or store.gaps() or not store.verify().ok:
            return "after sending again the chain does not hold"
        return ""


class Station:
    """What a desk records, what a page of the feed brings, what the server answers."""

    def __init__(self, synchronous: str, patch: pytest.MonkeyPatch) -> None:
        del patch
        self.synchronous = synchronous
        self.recorded = self.cursor = 0

    def _open(self, folder: Path) -> Outbox:
        outbox = Outbox(folder / "kiosk.db")
        outbox._db.execute_sql(f"PRAGMA synchronous={self.synchronous}")
        outbox._db.execute_sql("PRAGMA wal_autocheckpoint=12")
        return outbox

    def lay(self, folder: Path) -> None:
        folder.mkdir()
        outbox = Outbox(folder / "kiosk.db")
        outbox.enrol(enrolment())
        outbox.close()

    def write(self, folder: Path, chance: Random) -> None:
        self.recorded = self.cursor = 0
        try:
            outbox = self._open(folder)
        except (peewee.PeeweeException, apsw.Error):
            return
        try:
            for _ in range(24):
                self._turn(outbox, chance)
        except (peewee.PeeweeException, apsw.Error):
            pass
        finally:
            put_away(outbox._db.connection())

    def _turn(self, outbox: Outbox, chance: Random) -> None:
        match chance.randrange(3):
            case 0 | 1:
                count = chance.randint(1, 3)
                outbox.record(*(seen(self.recorded + 1 + i) for i in range(count)))
                self.recorded += count
            case _:
                cursor = self.cursor + chance.randint(1, 5)
                page = [Told(number, b'{"n":%d}' % number) for number in range(self.cursor + 1, cursor + 1)]
                outbox.take(page, cursor, people={"p": "x"}, staff=[], issuers={}, complete_at=T0)
                self.cursor = cursor
                if self.recorded:
                    outbox.answered([f"f-{chance.randint(1, self.recorded)}"], {})

    def lost(self, folder: Path) -> str:
        try:
            outbox = Outbox(folder / "kiosk.db")
        except Exception as error:  # noqa: BLE001 - a torn file breaks whatever reads it
            return f"cannot be opened: {error}"
        try:
            broken = outbox.verify()
            if broken is not None:
                return str(broken)
            if outbox.enrolment is None or outbox.head().seq < self.recorded:
                return f"{self.recorded} were recorded, {outbox.head().seq} are here"
            if outbox.cursor < self.cursor or len(list(outbox.received())) < outbox.cursor:
                return "the cursor is not at the end of what was told"
            outbox.record(seen(10_000))
            return "" if outbox.verify() is None else "it does not go on"
        except Exception as error:  # noqa: BLE001 - a torn file breaks whatever reads it
            return f"cannot be read: {error}"
        finally:
            outbox.close()


SIDES: tuple[Callable[[str, pytest.MonkeyPatch], Side], ...] = (Server, Station)


def losses(side: Side, folder: Path, played: range) -> dict[int, str]:
    """What was lost, by seed: each is another history, another moment, and another part that the disk kept."""
    laid = folder / "laid"
    side.lay(laid)
    found: dict[int, str] = {}
    for seed in played:
        chance = Random(seed)
        live, kept = folder / f"{seed}-live", folder / f"{seed}-kept"
        shutil.copytree(laid, live)
        history = chance.random()
        with power_until(live, 0) as disk:
            side.write(live, Random(history))
            steps = disk.steps
        shutil.rmtree(live)
        shutil.copytree(laid, live)
        with power_until(live, chance.randint(1, steps)) as disk:
            side.write(live, Random(history))
            assert disk.off, f"seed {seed}: the history is not the same twice"
            shutil.copytree(laid, kept, ignore=shutil.ignore_patterns("*.db", "*.db-*"))
            disk.left_behind(kept, chance)
        lost = side.lost(kept)
        if lost:
            found[seed] = lost
        shutil.rmtree(live)
        shutil.rmtree(kept)
    return found


@pytest.mark.parametrize("side", SIDES, ids=["server", "kiosk"])
def test_what_was_acknowledged_is_there_after_the_power_went(
    side: Callable[[str, pytest.MonkeyPatch], Side], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert losses(side("full", monkeypatch), tmp_path, seeds(rounds(POINTS, soak=10 * POINTS))) == {}


@pytest.mark.parametrize("synchronous", ["off", "normal"])
@pytest.mark.parametrize("side", SIDES, ids=["server", "kiosk"])
def test_with_less_than_full_the_same_test_finds_losses(
    side: Callable[[str, pytest.MonkeyPatch], Side], synchronous: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert losses(side(synchronous, monkeypatch), tmp_path, seeds(20))
