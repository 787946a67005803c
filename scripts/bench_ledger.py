"""What durability costs: scans accepted and durable by the store, against the least that can be done.

On SQLite and on PostgreSQL, each beside a floor of its own: one raw insert (`synchronous=FULL`; psycopg), one commit each,
in this process and on this disk. Ours decodes the fact, checks its place in its kiosk's chain, seals the row, and indexes
it by every subject it names. Many kiosks wait at once, so that they share commits; alone, each waits for its own.
"""

from __future__ import annotations

import gc
import hashlib
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import psycopg

from checkpoint.core.facts import Fact, Scanned, Shown, decode, encode, uuid7
from checkpoint.store import Entry, Store

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres import Server, running

AT = datetime(2026, 5, 1, tzinfo=UTC)


def scans(kiosk: str, count: int) -> list[tuple[bytes, int, str, str]]:
    """A kiosk's chain of scans: raw, seq, prev, hash."""
    made, prev = [], "0" * 64
    for seq in range(1, count + 1):
        at = AT + timedelta(seconds=seq)
        entropy = hashlib.sha256(f"{kiosk}{seq}".encode()).digest()[:10]
        what = Scanned(
            digest=f"{seq:032x}",
            medium="screen",
            shown=Shown(word="GO", reasons=("in-order",), next_step="drive-on"),
            pass_id=f"330304-{seq % 500:07d}",
            vehicle=f"浙C{seq % 500:05d}",
            live=True,
            loop="ouhai-shanghai",
            loop_version=1,
        )
        raw = encode(Fact(id=uuid7(at, entropy), at=at, witness=f"kiosk:{kiosk}", what=what, by="staff-1", station="gate-1"))
        own = hashlib.sha256(bytes.fromhex(prev) + seq.to_bytes(8) + raw).hexdigest()
        made.append((raw, seq, prev, own))
        prev = own
    return made


def sqlite_floor(folder: Path, count: int) -> float:
    """Raw inserts a second, one commit each."""
    db = apsw.Connection(str(folder / "floor.db"))
    for pragma in ("journal_mode=wal", "synchronous=full"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE scans (id INTEGER PRIMARY KEY, raw BLOB)")
    rows = [raw for raw, *_ in scans("floor", count)]
    began = time.perf_counter()
    for raw in rows:
        db.execute("INSERT INTO scans (raw) VALUES (?)", (raw,))
    taken = time.perf_counter() - began
    db.close()
    return count / taken


def postgres_floor(url: str, count: int) -> float:
    """The same through psycopg, to a server on this machine."""
    rows = [raw for raw, *_ in scans("floor", count)]
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE scans (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw BYTEA)")
        began = time.perf_counter()
        for raw in rows:
            db.execute("INSERT INTO scans (raw) VALUES (%s)", (raw,))
        return count / (time.perf_counter() - began)


def ours(where: Path | str, folder: Path, kiosks: int, each: int) -> tuple[float, float, float]:
    """Scans a second, and the median and 99th percentile wait in milliseconds, with so many kiosks waiting at once."""
    store = Store.open(where, lambda: AT, key_folder=folder)
    chains = {f"k{n}": scans(f"k{n}", each) for n in range(kiosks)}
    waits: list[float] = []
    gc.collect()
    gc.freeze()
    together = threading.Barrier(kiosks + 1)

    def speak(kiosk: str) -> None:
        together.wait()
        for raw, seq, prev, own in chains[kiosk]:
            began = time.perf_counter()
            entry = Entry(witness=f"kiosk:{kiosk}", raw=raw, fact=decode(raw), seq=seq, prev=prev, hash=own)
            if store.append([entry])[0].state != "held":
                raise RuntimeError("a scan was not held")
            waits.append(time.perf_counter() - began)

    threads = [threading.Thread(target=speak, args=(kiosk,)) for kiosk in chains]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    if len(waits) != kiosks * each:
        raise RuntimeError("not every scan was answered")
    store.close()
    waits.sort()
    return len(waits) / taken, statistics.median(waits) * 1000, waits[int(len(waits) * 0.99)] * 1000


WAITING = (1, 8, 40)
Rounds = dict[int, list[tuple[float, float, float]]]


def sqlite(count: int, rounds: int) -> tuple[list[float], Rounds]:
    """Floor and ours by turns, on files."""
    floors: list[float] = []
    found: Rounds = {waiting: [] for waiting in WAITING}
    for _ in range(rounds):
        for kiosks, measured in found.items():
            with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
                floors.append(sqlite_floor(Path(name), count))
                measured.append(ours(Path(name, "ours.db"), Path(name), kiosks, count // kiosks))
    return floors, found


def postgres(server: Server, count: int, rounds: int) -> tuple[list[float], Rounds]:
    """Floor and ours by turns, in databases of one server."""
    floors: list[float] = []
    found: Rounds = {waiting: [] for waiting in WAITING}
    for _ in range(rounds):
        for kiosks, measured in found.items():
            with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
                with server.database() as url:
                    floors.append(postgres_floor(url, count))
                with server.database() as url:
                    measured.append(ours(url, Path(name), kiosks, count // kiosks))
    return floors, found


def told(floor_name: str, floors: list[float], found: Rounds) -> None:
    """The medians of the rounds."""
    raw = statistics.median(floors)
    print(f"{floor_name:<49}{raw:8.0f}/s")
    for kiosks, measured in found.items():
        rate, median, p99 = (statistics.median(values) for values in zip(*measured, strict=True))
        print(
            f"scan accepted and durable, {kiosks:2} waiting at once {rate:8.0f}/s"
            f"   {rate / raw:5.2f} of the floor   p50 {median:6.2f} ms   p99 {p99:6.2f} ms"
        )


def main(count: int = 2000, rounds: int = 3) -> int:
    """Measure both databases, and print the medians."""
    told("raw SQLite insert at FULL, one a commit", *sqlite(count, rounds))
    with running() as server:
        told("raw psycopg insert into PostgreSQL, one a commit", *postgres(server, count, rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
