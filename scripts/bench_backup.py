"""What a backup costs the server beside it: how long scans wait while one is taken, against how long they wait without.

The store takes one scan after the other, each durable, fifty a second, as a busy gate does; meanwhile the server's own
chore takes a backup in a process of its own. The floor for the time is a plain copy of the same bytes, synced.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench_ledger import scans

from checkpoint.backup import manifest, regular
from checkpoint.backup.restoring import restore
from checkpoint.backup.taking import backups
from checkpoint.config import utc_now
from checkpoint.core.facts import decode
from checkpoint.core.track import Fix
from checkpoint.keeping import DEFAULT, parse
from checkpoint.store import Entry, Store
from checkpoint.store.keys import KEY_FILE

AT = datetime(2026, 5, 1, tzinfo=UTC)
FACTS, FIXES, A_SECOND = 40_000, 400_000, 50


def filled(folder: Path) -> Store:
    """A store with a month of a middling loop in it."""
    store = Store.open(folder / "checkpoint.db", utc_now)
    chain = scans("k0", FACTS)
    for first in range(0, FACTS, 500):
        store.append([entry(*one) for one in chain[first : first + 500]])
    for first in range(0, FIXES, 5_000):
        store.add_positions([(f"浙C{n % 500:05d}", fix(n)) for n in range(first, first + 5_000)])
    return store


def fix(n: int) -> Fix:
    """One of five hundred trucks reports."""
    return Fix(device=f"d{n % 500}", fixed_at=AT + timedelta(seconds=n), lat=28 + n % 999 / 1e3, lon=120.6)


def entry(raw: bytes, seq: int, prev: str, own: str, kiosk: str = "k0") -> Entry:
    """One scan as it comes in."""
    return Entry(witness=f"kiosk:{kiosk}", raw=raw, fact=decode(raw), seq=seq, prev=prev, hash=own)


def waits(store: Store, kiosk: str, until: threading.Event, least: int) -> list[float]:
    """How long each of a gate's scans waited for its answer, in milliseconds, until something is over."""
    found: list[float] = []
    for one in scans(kiosk, 60_000):
        if until.is_set() and len(found) >= least:
            break
        began = time.perf_counter()
        store.append([entry(*one, kiosk=kiosk)])
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(max(0.0, 1 / A_SECOND - found[-1] / 1000))
    return found


def said(name: str, found: list[float]) -> str:
    """Median, 99th percentile, longest."""
    ordered = sorted(found)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    return f"{name:<34}{len(ordered):>6} scans  p50 {p50:6.2f} ms  p99 {p99:7.2f} ms  longest {ordered[-1]:7.2f} ms"


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir="data") as name:
        folder = Path(name)
        store = filled(folder / "data")
        database, key = folder / "data" / "checkpoint.db", folder / "data" / KEY_FILE
        over = threading.Event()
        over.set()
        alone = waits(store, "alone", over, 500)
        over.clear()
        job = regular.Job(database=str(database), key_file=str(key), folder=str(folder / "backups"), spare_bytes=0)
        took: list[float] = []

        def back_up() -> None:
            began = time.perf_counter()
            regular.chore(job, timedelta(hours=1), parse(DEFAULT)).work(utc_now())
            took.append(time.perf_counter() - began)
            over.set()

        taking = threading.Thread(target=back_up)
        taking.start()
        beside = waits(store, "beside", over, 50)
        taking.join()
        store.close()
        [backup] = backups(folder / "backups")
        file = manifest.read(backup).file
        began = time.perf_counter()
        shutil.copyfile(database, folder / "floor")
        with (folder / "floor").open("rb+") as copied:
            os.fsync(copied.fileno())
        floor = time.perf_counter() - began
        began = time.perf_counter()
        restore(backup, key, folder / "restored" / "checkpoint.db", utc_now)
        back = time.perf_counter() - began
    whole, packed = file.whole_size / 1e6, file.size / 1e6
    print(f"backup of {FACTS} facts, {FIXES} fixes: {whole:.0f} MB, packed {packed:.0f} MB ({whole / packed:.1f} to 1)")
    print(f"taken and proved in {took[0]:.1f} s, brought back and proved in {back:.1f} s (a plain copy: {floor:.2f} s)")
    print(said("without a backup", alone))
    print(said("while one is taken", beside))
    return 0


if __name__ == "__main__":
    sys.exit(main())
