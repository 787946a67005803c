"""A restart with many journeys under way: from the start of the process until it is ready and every vehicle is judged.

    python -m scripts.bench_restart [JOURNEYS [HOURS]] [--postgres] [--nothing] [--away MINUTES]

A store is made with so many journeys, each with so many hours of fixes at one every ten seconds (1,000 and 24 by default), on a
loop of two lines of 480 km and 5,000 vertices. The tracks are read once from the fixes and put by, as a server does while it
runs; that reading is timed too: it is what a start costs that finds nothing put by, on this machine's one core. Then, in turn:

* a server that ended in order: everything was put by;
* one that was killed: the last five minutes of every vehicle were stored and not put by;
* with `--away`: the first start comes so long after the last, with nothing heard meanwhile: whoever drove is silent, and that is
  told (a bench that loads and reads for long finds the same);
* with `--nothing`: one that finds nothing put by, and reads every track from its fixes.

Each is a real `checkpoint serve`: the clock runs from its start until `/readyz` says ready, until nothing waits to be judged and
every vehicle has been, and until one more fix, posted then, is on the vehicle's page. Processor time is the server's own up to
"all judged" (without the database's, and with what answering this bench takes); memory is its resident set.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import msgspec

from checkpoint.core.facts import DeviceBound, Entered, Fact, Left, Loaded, LoopPublished, PassGranted, SwabTaken, What
from checkpoint.core.geo import scale_m
from checkpoint.store import Store
from checkpoint.store.database import micros
from checkpoint.store.readings import drop_readings
from checkpoint.watch import Watch

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.bench_fix import a_drive, a_loop

EVERY = timedelta(seconds=10)
NOT_PUT_BY = timedelta(minutes=5)
VERTICES = 5_000
PORTION = 20_000
PATIENCE_S = 1_200
ROUNDS = 3


def plate(i: int) -> str:
    """A number plate."""
    return f"浙C{i:05}"


def lap() -> list[tuple[float, float, float, float]]:
    """One lap: half an hour at each end and the way between, as (latitude, longitude, km/h, course) every ten seconds."""
    fixes, (kx, ky), random = a_drive(a_loop(VERTICES)), scale_m(28.0), Random(2)  # noqa: S311 - noise, no secret
    driven = [(f.lat, f.lon, f.speed_kmh or 0.0, f.course_deg or 0.0) for f in fixes]
    half = len(driven) // 2

    def standing(at: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
        return [(at[0] + random.gauss(0, 3) / ky, at[1] + random.gauss(0, 3) / kx, 0.0, 0.0) for _ in range(180)]

    return [*standing(driven[0]), *driven[:half], *standing(driven[half]), *driven[half:]]


def fill(store: Store, journeys: int, hours: float, now: datetime) -> None:
    """Passes, journeys and a day of fixes each."""
    begun = now - timedelta(hours=hours)
    loop = msgspec.structs.replace(a_loop(VERTICES), effective_from=begun - timedelta(days=30))
    facts = [_fact("loop", begun - timedelta(days=30), LoopPublished(loop=loop.id, version=1, document=_document(loop)))]
    for i in range(journeys):
        vehicle, number, person = plate(i), f"330304-{i:07}", f"p-{i}"
        granted = PassGranted(
            pass_id=number, generation=1, vehicle=vehicle, crew=(person,), loop=loop.id, carrier="c",
            not_before=begun - timedelta(hours=2), expires=begun + timedelta(days=29),
        )  # fmt: skip
        facts += [
            _fact(f"{i}-1", begun - timedelta(hours=2), granted),
            _fact(f"{i}-2", begun - timedelta(hours=2), DeviceBound(device=f"d-{vehicle}", vehicle=vehicle)),
            _fact(f"{i}-3", begun - timedelta(minutes=40), Entered(vehicle=vehicle, pass_id=number), "a"),
            _fact(f"{i}-4", begun - timedelta(minutes=30), SwabTaken(person=person, specimen=f"s-{i}", test="pcr"), "a"),
            _fact(
                f"{i}-5", begun - timedelta(minutes=20), Loaded(vehicle=vehicle, pass_id=number, parcels_count=640, seal="1"), "a"
            ),
            _fact(f"{i}-6", begun, Left(vehicle=vehicle, pass_id=number), "a"),
        ]
    for at in range(0, len(facts), 500):
        for fact in facts[at : at + 500]:
            assert store.record(fact).held


def drive(store: Store, journeys: int, since: datetime, until: datetime, begun: datetime) -> int:
    """Everybody's fixes of some time, in the order in which they would come."""
    path, rows, count = lap(), [], 0

    def put() -> None:
        insert = (
            "INSERT INTO positions (vehicle, device, fixed_at, lat, lon, accuracy_m, speed_kmh, course_deg, altitude_m, valid,"
            " received_at) VALUES (?, ?, ?, ?, ?, 6.0, ?, ?, NULL, 1, ?) ON CONFLICT DO NOTHING"
        )
        store._writer.do(lambda: store._db.run_many(insert, rows))
        rows.clear()

    at = since
    while at < until:
        step = int((at - begun) / EVERY)
        for i in range(journeys):
            lat, lon, kmh, course = path[(step + i * 37) % len(path)]
            rows.append((plate(i), f"d-{plate(i)}", micros(at), lat, lon, kmh, course, micros(at)))
        count += journeys
        if len(rows) >= PORTION:
            put()
        at += EVERY
    put()
    return count


def _document(loop: object) -> str:
    return msgspec.json.encode(loop).decode()


def _fact(name: str, at: datetime, what: What, station: str = "") -> Fact:
    return Fact(id=name, at=at, witness="bench", what=what, station=station)


# -- the server -----------------------------------------------------------------------------------------------------------


class Seen(msgspec.Struct):
    """Seconds from the start of a process, and megabytes."""

    ready_s: float = 0.0
    judged_s: float = 0.0
    next_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


@contextmanager
def server(data: Path, database: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`checkpoint serve` on a port of its own; killed at the end unless it ended before."""
    from tests.server import PASSWORD, clean_environment, free_port

    port = free_port()
    settings = {"CHECKPOINT_DATA": str(data), "CHECKPOINT_PORT": str(port), "CHECKPOINT_FIRST_PASSWORD": PASSWORD}
    if database:
        settings["CHECKPOINT_DATABASE"] = database
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "checkpoint.cli", "serve"],
            env=clean_environment() | settings, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def started(data: Path, database: str, journeys: int, end: signal.Signals, wait_s: float = 0.0) -> Seen:
    """Start a server, wait until it judges again, and end it."""
    from tests.server import PASSWORD

    seen, log = Seen(), data / "server.log"
    began = time.perf_counter()
    with server(data, database, log) as (process, address), httpx.Client(base_url=address, timeout=30) as client:
        while not seen.judged_s:
            if process.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError(log.read_text()[-2_000:])
            try:
                answer = client.get("/readyz")
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            now_s = time.perf_counter() - began
            if answer.status_code == 200:
                seen.ready_s = seen.ready_s or now_s
                waiting = [c["detail"].rpartition("=")[2] for c in answer.json()["checks"] if c["name"] == "watch"]
                watched = [
                    line for line in client.get("/metrics").text.splitlines() if line.startswith("checkpoint_vehicles_watched")
                ]
                if waiting == ["0"] and watched and float(watched[0].split()[-1]) == journeys:
                    seen.judged_s = now_s
                    spent = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                    seen.cpu_s = sum(int(ticks) for ticks in spent) / os.sysconf("SC_CLK_TCK")
            time.sleep(0.02)
        asked = client.post("/api/v1/session", json={"account": "coordinator", "passphrase": PASSWORD})
        client.headers["Authorization"] = f"Bearer {asked.json()['token']}"
        vehicle, at = plate(journeys // 2), datetime.now(UTC).replace(microsecond=0)
        posted = time.perf_counter()
        said = {"id": f"d-{vehicle}", "timestamp": str(int(at.timestamp())), "lat": "28.0001", "lon": "120.6001", "accuracy": "6"}
        client.get("/api/v1/positions/osmand", params=said).raise_for_status()
        wanted = at.isoformat().replace("+00:00", "")
        while wanted not in client.get(f"/api/v1/vehicles/{vehicle}").raise_for_status().text:
            if time.perf_counter() - posted > 60:
                raise RuntimeError("the fix that came after the start was not judged")
            time.sleep(0.01)
        seen.next_s = seen.judged_s + time.perf_counter() - posted
        status = Path(f"/proc/{process.pid}/status").read_text()
        seen.memory_mb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
        time.sleep(wait_s)
        process.send_signal(end)
        process.wait(60)
    return seen


def told(name: str, seen: Seen) -> None:
    """One line."""
    print(
        f"  {name:<44} ready {seen.ready_s:5.2f} s   all judged {seen.judged_s:5.2f} s   the next fix {seen.next_s:5.2f} s"
        f"   processor {seen.cpu_s:5.2f} s   {seen.memory_mb:5.0f} MB   load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> int:
    """Measure and print."""
    asked = argparse.ArgumentParser()
    asked.add_argument("journeys", nargs="?", type=int, default=1_000)
    asked.add_argument("hours", nargs="?", type=float, default=24.0)
    asked.add_argument("--postgres", action="store_true")
    asked.add_argument("--nothing", action="store_true")
    asked.add_argument("--away", type=float, default=0.0, metavar="MINUTES")
    given = asked.parse_args()
    from tests.postgres import running

    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name,
        running() if given.postgres else nullcontext() as postgres,
        postgres.database() if postgres else nullcontext() as url,
    ):
        data = Path(name).resolve()
        where: Path | str = url or data / "checkpoint.db"
        away = timedelta(minutes=given.away)
        now = datetime.now(UTC).replace(microsecond=0) - away
        begun = now - timedelta(hours=given.hours)
        store = Store.open(where, lambda: datetime.now(UTC) - away, key_folder=data)
        fill(store, given.journeys, given.hours, now)
        began = time.perf_counter()
        count = drive(store, given.journeys, begun, now - NOT_PUT_BY, begun)
        print(f"{given.journeys:,} journeys, {count:,} fixes, stored in {time.perf_counter() - began:.0f} s", flush=True)
        watch = Watch(store, lambda: datetime.now(UTC) - away, lambda *_: None)
        began, cpu = time.perf_counter(), time.process_time()
        watch.settle()
        while watch.pulse().waiting:
            watch.settle()
        read_s = time.process_time() - cpu
        print(
            f"  read from the fixes, nothing put by: {read_s:.0f} s of one core, {read_s / count * 1e6:.0f} us a fix", flush=True
        )
        began = time.perf_counter()
        while watch.keep():
            pass
        size = store._db.rows("SELECT sum(length(state)), sum(length(before)) FROM readings")[0]
        print(
            f"  put by in {time.perf_counter() - began:.1f} s: {int(size[0]) / given.journeys:.0f} bytes a vehicle,"
            f" and {int(size[1]) / given.journeys:.0f} to go back to",
            flush=True,
        )
        del watch
        before = store.told()
        store.close()
        for i in range(ROUNDS):
            told("ended in order", started(data, url or "", given.journeys, signal.SIGTERM))
            if not i:
                store = Store.open(where, lambda: datetime.now(UTC), key_folder=data)
                print(f"  ... with {store.told() - before} warnings told", flush=True)
                store.close()
        store = Store.open(where, lambda: datetime.now(UTC), key_folder=data)
        came = drive(store, given.journeys, now - NOT_PUT_BY, now, begun)
        store.close()
        for _ in range(ROUNDS):
            told(f"killed, {came:,} fixes not put by", started(data, url or "", given.journeys, signal.SIGKILL))
        if given.nothing:
            store = Store.open(where, lambda: datetime.now(UTC), key_folder=data)
            store._writer.do(lambda: drop_readings(store._db))
            store.close()
            told("nothing put by", started(data, url or "", given.journeys, signal.SIGKILL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
