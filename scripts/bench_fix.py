"""What judging costs: one fix read against the loop (`Track.add` and the reading), against one fix stored.

The floor is a raw SQLite insert into a table and unique index like the store's, `synchronous=FULL`, in batches that share
a commit as the store's do. Judged one by one means that the reading is asked for after every fix; judged together, once a
batch. Both lines are 480 km long, with 500 and with 5,000 vertices; the truck drives out and back at a fix every ten
seconds. Rounds of floor and ours alternate; figures are medians.
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

from checkpoint.core import geo
from checkpoint.core.fixes import Fix
from checkpoint.core.loop import Boundary, Circle, Line, Loop, Name, Station
from checkpoint.core.track import Track

AT = datetime(2026, 5, 1, tzinfo=UTC)
BATCH = 200
ROUNDS = 5


def a_loop(vertices: int, km: float = 480.0) -> Loop:
    """A winding road to the north-east and back the same way, a station at each end."""
    kx, ky = geo.scale_m(28.0)
    points = []
    for i in range(vertices):
        m = km * 1000 * i / (vertices - 1)
        side = 2_000 * sin(m / 9_000)
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
    began = time.perf_counter()
    for i in range(0, len(rows), BATCH):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO p VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows[i : i + BATCH])
        db.execute("COMMIT")
    taken = time.perf_counter() - began
    if db.execute("SELECT count(*) FROM p").fetchall() != [(len(rows),)]:
        raise RuntimeError("not every fix was stored")
    db.close()
    return taken / len(fixes) * 1e6


def judged(loop: Loop, fixes: list[Fix], ask_every: int) -> float:
    """Microseconds to judge one fix, the reading asked for after every so many."""
    track = Track(loop)
    track.reading()
    began = time.perf_counter()
    for i, fix in enumerate(fixes, start=1):
        track.add(fix)
        if i % ask_every == 0:
            track.reading()
    reading = track.reading()
    taken = time.perf_counter() - began
    if reading.fixes_count != len(fixes) or reading.episodes or reading.leg != "inbound":
        raise RuntimeError("the drive was not read as what it is")
    return taken / len(fixes) * 1e6


def main() -> int:
    """Measure and print."""
    loops = {vertices: a_loop(vertices) for vertices in (500, 5_000)}
    drives = {vertices: a_drive(loop) for vertices, loop in loops.items()}
    ways = {"one by one": 1, f"together, {BATCH} a time": BATCH}
    floor: list[float] = []
    ours: dict[tuple[int, str], list[float]] = defaultdict(list)
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
        for _ in range(ROUNDS):
            floor.append(stored(Path(name), drives[500]))
            for vertices, loop in loops.items():
                for way, ask_every in ways.items():
                    ours[vertices, way].append(judged(loop, drives[vertices], ask_every))
    unit = statistics.median(floor)
    print(f"one fix stored, raw SQLite at FULL, {BATCH} a commit   {unit:7.1f} us")
    for (vertices, way), times in ours.items():
        median = statistics.median(times)
        print(f"one fix judged, {vertices:5,} vertices, {way:18} {median:7.1f} us   {median / unit:5.2f} of the floor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
