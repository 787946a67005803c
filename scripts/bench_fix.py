"""What judging costs: one fix read against the loop (`Track.add` and the reading), against one fix stored.

The floor is a raw SQLite insert into a table and unique index like the store's, `synchronous=FULL`, in batches that share
a commit as the store's do. Judged one by one means that the reading is asked for after every fix; judged together, once a
batch. Lines are 480 km long; the truck drives out and back at a fix every ten seconds. Then what must not grow: the cost of
one more fix with the line's vertices, on the line and beside it; with how long the journey has lasted; with how many journeys
there are, read in turn. Last, the whole way of a position through the watch: read from the store, folded, judged by every
rule, told and published. Figures are the judging thread's own processor time (a machine that others use is not measured),
medians of rounds that alternate.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import sin, sqrt
from pathlib import Path
from random import Random

import apsw
import msgspec

from checkpoint.core import geo
from checkpoint.core.fixes import Fix
from checkpoint.core.loop import Boundary, Circle, Line, Loop, Name, Station
from checkpoint.core.track import Track

AT = datetime(2026, 5, 1, tzinfo=UTC)
BATCH = 200
ROUNDS = 3


def a_loop(vertices: int, km: float = 480.0, *, bend_m: float = 2_000, every_m: float = 9_000) -> Loop:
    """A winding road to the north-east and back the same way, a station at each end."""
    kx, ky = geo.scale_m(28.0)
    points = []
    for i in range(vertices):
        m = km * 1000 * i / (vertices - 1)
        side = bend_m * sin(m / every_m)
        points.append((120.6 + (m - side) / sqrt(2) / kx, 28.0 + (m + side) / sqrt(2) / ky))
    ends = [
        Station(
            id=name, name=Name(zh=name, en=name), boundary=Boundary(circle=Circle(center=place, radius_m=300)), services=("gate",)
        )
        for name, place in (("a", points[0]), ("b", points[-1]))
    ]
    return Loop(
        id="bench", version=1, effective_from=AT, name=Name(zh="b", en="b"), time_zone="Asia/Shanghai", origin="a",
        destination="b", stations=tuple(ends), outbound=Line(points=tuple(points)), inbound=Line(points=tuple(points[::-1])),
    )  # fmt: skip


def a_drive(loop: Loop, kmh: float = 80.0, every_s: float = 10.0) -> list[Fix]:
    """Out and back along the loop's line, with a receiver's noise."""
    path, random, step = geo.Path(loop.outbound.points), Random(1), kmh / 3.6 * every_s  # noqa: S311
    places = [i * step for i in range(int(path.length_m / step) + 1)]
    fixes = []
    for i, s in enumerate([*places, *reversed(places)]):
        back = i >= len(places)
        (lon, lat), (kx, ky) = path.at(s), geo.scale_m(28.0)
        fixes.append(
            Fix(
                device="d", fixed_at=AT + timedelta(seconds=i * every_s), lat=lat + random.gauss(0, 5) / ky,
                lon=lon + random.gauss(0, 5) / kx, accuracy_m=6.0, speed_kmh=kmh,
                course_deg=(path.bearing_at(s) + 180 * back) % 360,
            )
        )  # fmt: skip
    return fixes


def stored(folder: Path, fixes: list[Fix]) -> float:
    """Microseconds to store one fix."""
    db = apsw.Connection(str(folder / f"{time.monotonic_ns()}.db"))
    for pragma in ("journal_mode=wal", "synchronous=full"):
        db.execute(f"PRAGMA {pragma}")
    db.execute(
        "CREATE TABLE p (n INTEGER PRIMARY KEY, vehicle, device, fixed_at, lat, lon, accuracy, speed, course, received_at)"
    )
    db.execute("CREATE UNIQUE INDEX track ON p (vehicle, fixed_at, device, lat, lon)")
    rows = [
        ("浙C12345", f.device, int(f.fixed_at.timestamp() * 1e6), f.lat, f.lon, f.accuracy_m, f.speed_kmh, f.course_deg, 0)
        for f in fixes
    ]
    began = time.process_time()
    for i in range(0, len(rows), BATCH):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO p VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows[i : i + BATCH])
        db.execute("COMMIT")
    taken = time.process_time() - began
    if db.execute("SELECT count(*) FROM p").fetchall() != [(len(rows),)]:
        raise RuntimeError("not every fix was stored")
    db.close()
    return taken / len(fixes) * 1e6


def judged(loop: Loop, fixes: list[Fix], ask_every: int) -> float:
    """Microseconds to judge one fix, the reading asked for after every so many."""
    track = Track(loop)
    track.reading()
    began = time.process_time()
    for i, fix in enumerate(fixes, start=1):
        track.add(fix)
        if i % ask_every == 0:
            track.reading()
    reading = track.reading()
    taken = time.process_time() - began
    if reading.fixes_count != len(fixes) or reading.episodes or reading.leg != "inbound":
        raise RuntimeError("the drive was not read as what it is")
    return taken / len(fixes) * 1e6


def beside(fixes: list[Fix], metres: float = 1_000.0) -> list[Fix]:
    """The same drive, to the south-east of it."""
    kx, ky = geo.scale_m(28.0)
    east, north = metres / sqrt(2) / kx, -metres / sqrt(2) / ky
    return [msgspec.structs.replace(f, lat=f.lat + north, lon=f.lon + east) for f in fixes[: len(fixes) // 4]]


def standing(fixes: list[Fix]) -> list[Fix]:
    """A drive a kilometre beside the line that stops in the middle of the line, with a receiver's noise."""
    aside = beside(fixes)
    gone, place = aside[-200:], aside[-1]
    chance, (kx, ky) = Random(2), geo.scale_m(28.0)  # noqa: S311
    return gone + [
        msgspec.structs.replace(
            place, fixed_at=place.fixed_at + timedelta(seconds=10 * i), speed_kmh=0.0, course_deg=None,
            lat=place.lat + chance.gauss(0, 5) / ky, lon=place.lon + chance.gauss(0, 5) / kx,
        )
        for i in range(1, 1_000)
    ]  # fmt: skip


def one_more(loop: Loop, fixes: list[Fix]) -> float:
    """Microseconds to judge one fix away from the line."""
    track = Track(loop)
    began = time.process_time()
    for fix in fixes:
        track.add(fix)
        track.reading()
    taken = time.process_time() - began
    if [e.kind for e in track.reading().episodes if e.confirmed_at and e.kind != "unscheduled-stop"] != ["off-loop"]:
        raise RuntimeError("the drive was not read as what it is")
    return taken / len(fixes) * 1e6


def for_days(fixes: list[Fix], count: int) -> list[Fix]:
    """So many fixes of laps, one after the other."""
    found: list[Fix] = []
    lap = fixes[-1].fixed_at - fixes[0].fixed_at + timedelta(seconds=10)
    while len(found) < count:
        shift = len(found) // len(fixes) * lap
        found += [msgspec.structs.replace(f, fixed_at=f.fixed_at + shift) for f in fixes]
    return found[:count]


MORE = 500


def after(loop: Loop, fixes: list[Fix]) -> float:
    """Microseconds for each of the last `MORE` fixes of a journey, one by one."""
    track = Track.over(loop, lambda since, until: fixes[:-MORE], fixes[0].fixed_at, timedelta(days=5))
    track.reading()
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for fix in fixes[-MORE:]:
        track.add(fix)
        track.reading()
    taken = time.process_time() - began
    gc.unfreeze()
    return taken / MORE * 1e6


def in_turn(loop: Loop, fixes: list[Fix], journeys: int) -> float:
    """Microseconds for one more fix of each of so many journeys, in turn."""
    tracks = [Track.over(loop, lambda since, until: fixes[:200], fixes[0].fixed_at, timedelta(days=5)) for _ in range(journeys)]
    for track in tracks:
        track.reading()
    turns = max(5, 2_000 // journeys)
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for fix in fixes[200 : 200 + turns]:
        for track in tracks:
            track.add(fix)
            track.reading()
    taken = time.process_time() - began
    gc.unfreeze()
    return taken / turns / journeys * 1e6


def watched(folder: Path, journeys: int, count: int) -> float:
    """Microseconds for one position through the watch: of so many journeys, each with so many fixes before."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from checkpoint.store import Store
    from checkpoint.watch import Watch
    from scripts.bench_restart import drive, fill

    now = datetime.now(UTC).replace(microsecond=0)
    begun, clock = now - timedelta(seconds=10 * count), [now]
    store = Store.open(folder / f"{time.monotonic_ns()}.db", lambda: clock[0], key_folder=folder)
    fill(store, journeys, 10 * count / 3600, now)
    drive(store, journeys, begun, now, begun)
    watch = Watch(store, lambda: clock[0], lambda *_: None)
    watch.settle()
    while watch.pulse().waiting:
        watch.settle()
    turns, taken = max(2, 400 // journeys), 0.0
    gc.collect()
    gc.freeze()
    for _ in range(turns):
        drive(store, journeys, clock[0], clock[0] + timedelta(seconds=10), begun)
        clock[0] += timedelta(seconds=10)
        began = time.thread_time()
        watch.settle()
        taken += time.thread_time() - began
    gc.unfreeze()
    store.close()
    return taken / turns / journeys * 1e6


def told(name: str, times: list[float], unit: float) -> None:
    """One line."""
    median = statistics.median(times)
    print(f"{name:<58} {median:7.1f} us   {median / unit:5.2f} of the floor", flush=True)


def main() -> int:
    """Measure and print."""
    loops = {vertices: a_loop(vertices) for vertices in (500, 5_000, 20_000)}
    drives = {vertices: a_drive(loop) for vertices, loop in loops.items()}
    curly = {n: a_loop(n, bend_m=200, every_m=500) for n in (5_000, 20_000)}
    curls = {n: (loop, a_drive(loop)) for n, loop in curly.items()}
    ways = {"one by one": 1, f"together, {BATCH} a time": BATCH}
    days = {name: for_days(drives[5_000], count) for name, count in (("an hour", 860), ("a day", 8_640), ("five days", 43_200))}
    floor: list[float] = []
    ours: dict[str, list[float]] = defaultdict(list)
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
        folder = Path(name).resolve()
        for _ in range(ROUNDS):
            floor.append(stored(folder, drives[500]))
            for vertices, loop in loops.items():
                for way, ask_every in ways.items():
                    ours[f"one fix judged, {vertices:6,} vertices, {way}"].append(judged(loop, drives[vertices], ask_every))
                for metres in (150, 1_000, 5_000, 50_000):
                    aside = beside(drives[vertices], metres)
                    ours[f"one fix {metres:6,} m off the line, {vertices:6,} vertices"].append(one_more(loop, aside))
                ours[f"one fix at rest 1 km off the line, {vertices:6,} vertices"].append(
                    one_more(loop, standing(drives[vertices]))
                )
            for vertices, (winding, drive) in curls.items():
                ours[f"one fix 1 km off a line that curls, {vertices:6,} vertices"].append(one_more(winding, beside(drive)))
            for journeys in (1, 100, 1_000):
                ours[f"one more fix of each of {journeys:5,} journeys"].append(in_turn(loops[5_000], drives[5_000], journeys))
        for _ in range(3):
            for length, fixes in days.items():
                ours[f"one more fix after {length}"].append(after(loops[5_000], fixes))
        for journeys, count in ((10, 360), (100, 360), (1_000, 360), (10, 8_640)):
            ours[f"through the watch, {journeys:5,} journeys of {count / 360:g} h"].append(watched(folder, journeys, count))
    unit = statistics.median(floor)
    print(f"one fix stored, raw SQLite at FULL, {BATCH} a commit            {unit:7.1f} us")
    for what, times in ours.items():
        told(what, times, unit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
