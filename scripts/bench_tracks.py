"""What the coordinator's tools cost on a long recording: read from CSV, replayed, drafted, made ready to be played back.

The recording has 20,000 positions, one a second, on laps of a road of 40 km, with a receiver's noise. The floor of each figure
is what cannot be saved: for reading, Python's own `csv` over the same lines; for all else, the track itself read once
(`Track.add`, and the reading after each position). Figures are the thread's own processor time, medians of rounds that
alternate with their floor.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import sin, sqrt
from random import Random

from checkpoint.core import geo
from checkpoint.core.loop import Boundary, Circle, Line, Loop, Name, Station
from checkpoint.core.track import Track
from checkpoint.decoders.recorded import decode, fixes_of
from checkpoint.drafting import draft
from checkpoint.replay import replay
from checkpoint.store.positions import Arrived
from checkpoint.web.replay_data import frames, thinned

AT = datetime(2026, 5, 1, tzinfo=UTC)
COUNT, ROUNDS, KM = 20_000, 3, 40.0


def a_road() -> list[geo.LonLat]:
    """A winding road to the north-east."""
    kx, ky = geo.scale_m(28.0)
    found = []
    for i in range(400):
        m = KM * 1000 * i / 399
        side = 800 * sin(m / 2_000)
        found.append((120.6 + (m - side) / sqrt(2) / kx, 28.0 + (m + side) / sqrt(2) / ky))
    return found


def a_loop(points: list[geo.LonLat]) -> Loop:
    """There and back the same way."""
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


def a_recording(path: geo.Path) -> bytes:
    """Laps at 72 km/h, a position a second, as a table."""
    chance, rows = Random(1), ["time,lat,lon,speed,accuracy"]  # noqa: S311
    kx, ky = geo.scale_m(28.0)
    for i in range(COUNT):
        gone = i * 20.0 % (2 * path.length_m)
        lon, lat = path.at(gone if gone < path.length_m else 2 * path.length_m - gone)
        at = (AT + timedelta(seconds=i)).isoformat()
        rows.append(f"{at},{lat + chance.gauss(0, 5) / ky:.7f},{lon + chance.gauss(0, 5) / kx:.7f},72,6")
    return "\n".join(rows).encode()


def took(work: Callable[[], object]) -> float:
    """Seconds of this thread."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def main() -> int:
    """Measure, and print a line a tool."""
    points = a_road()
    loop, data = a_loop(points), a_recording(geo.Path(points))
    (drive,) = decode(data).drives
    arrivals = fixes_of(drive, "d")
    arrived = [Arrived(number=i, vehicle="v", received_at=at, fix=fix) for i, (fix, at) in enumerate(arrivals, start=1)]

    def tracked() -> None:
        track = Track(loop)
        for fix, _ in arrivals:
            track.add(fix)
            track.reading()

    def rows() -> None:
        list(csv.reader(data.decode().splitlines()))

    tools: tuple[tuple[str, Callable[[], object], str, Callable[[], object]], ...] = (
        ("read from CSV", lambda: decode(data), "csv alone", rows),
        ("replayed", lambda: replay(loop, arrivals), "the track alone", tracked),
        ("drafted", lambda: draft([("d", drive)]), "the track alone", tracked),
        ("ready to be played back", lambda: thinned(frames(loop, arrived)), "the track alone", tracked),
    )
    print(f"a recording of {COUNT} positions, one a second")
    for name, work, floor_name, floor in tools:
        pairs = [(took(work), took(floor)) for _ in range(ROUNDS)]
        one, least = (statistics.median(side) * 1e6 / COUNT for side in zip(*pairs, strict=True))
        print(
            f"{name}: {one:.1f} µs a position ({one * COUNT / 1e6:.1f} s); {floor_name}: {least:.1f} µs; ratio {one / least:.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
