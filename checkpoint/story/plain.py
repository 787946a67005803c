"""The small loop that stories are told on, and the drives of a truck along it.

    km 0                10                     50                                  100
    depot ----------- gate-a ------------- service-1 ---------------------------- market    outbound, west to east
      |     rest  sampling                 service-2                                |
      +-------96------90----------------------50------------------------------------+       inbound, one kilometre south

Outbound is 100 km, inbound 102 km (one kilometre down at the market, one up at the depot); each leg counts its own
kilometres. Depot and market are 500 m circles at the ends, `gate-a` lies on the line, the others 300 m beside it, so that
a truck that drives past is not inside. `sampling` is required on the way back. It is nowhere on earth where a truck could go.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from math import cos, radians, sin

import msgspec

from checkpoint.core import datum, geo
from checkpoint.core.geo import LonLat
from checkpoint.core.loop import Boundary, Circle, Leg, Line, Loop, Name, Policy, Service, Station
from checkpoint.core.track import Fix

_CORNER: LonLat = (120.0, 28.0)
_EAST_M, _NORTH_M = geo.scale_m(_CORNER[1])
DEVICE = "phone-1"


def _place(east_km: float, north_km: float) -> LonLat:
    return _CORNER[0] + east_km * 1000 / _EAST_M, _CORNER[1] + north_km * 1000 / _NORTH_M


def _station(
    station_id: str,
    name_zh: str,
    place: LonLat,
    radius_m: float,
    services: tuple[Service, ...],
    required_on: tuple[Leg, ...] = (),
) -> Station:
    rest = "rest" in services
    return Station(
        id=station_id,
        name=Name(zh=name_zh, en=station_id),
        boundary=Boundary(circle=Circle(center=place, radius_m=radius_m)),
        services=services,
        required_on=required_on,
        bays=("1", "2", "3") if rest else (),
        beds=("1", "2", "3", "4") if rest else (),
    )


STATIONS = (
    _station("depot", "仓库", _place(0, 0), 500, ("loading", "gate")),
    _station("gate-a", "甲卡点", _place(10, 0), 200, ("gate",)),
    _station("service-1", "去程服务区", _place(50, 0.3), 200, ("service_area",)),
    _station("market", "市场", _place(100, 0), 500, ("unloading", "gate")),
    _station("service-2", "回程服务区", _place(51, -0.7), 200, ("service_area",)),
    _station("sampling", "采样点", _place(11, -0.7), 200, ("sampling", "gate"), ("inbound",)),
    _station("rest", "司机之家", _place(5, -0.7), 200, ("rest", "gate")),
)


def plain_loop() -> Loop:
    """Version 1 of the loop named `plain`, in force since 2020, with the default policy."""
    outbound = tuple(_place(km, 0) for km in range(0, 101, 10))
    inbound = (_place(100, 0), *(_place(km, -1) for km in range(100, -1, -10)), _place(0, 0))
    return Loop(
        id="plain",
        version=1,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        name=Name(zh="故事里的小闭环", en="the plain loop of the stories"),
        time_zone="Asia/Shanghai",
        origin="depot",
        destination="market",
        stations=STATIONS,
        outbound=Line(points=outbound),
        inbound=Line(points=inbound),
        policy=Policy(),
    )


def fix_beside(
    loop: Loop,
    leg: Leg,
    along_km: float,
    off_m: float,
    at: datetime,
    *,
    speed_kmh: float,
    course_deg: float | None,
    accuracy_m: float,
) -> Fix:
    """A position so many metres to the left of the line of a leg (to its right when negative), `along_km` along it."""
    path = geo.Path(loop.line(leg).points)
    lon, lat = path.at(along_km * 1000)
    left = radians(path.bearing_at(along_km * 1000) - 90)
    east_m, north_m = geo.scale_m(lat)
    return Fix(
        device=DEVICE,
        fixed_at=at,
        lat=lat + off_m * cos(left) / north_m,
        lon=lon + off_m * sin(left) / east_m,
        accuracy_m=accuracy_m,
        speed_kmh=speed_kmh,
        course_deg=course_deg,
    )


def drive(
    loop: Loop,
    leg: Leg,
    begins: datetime,
    from_km: float,
    to_km: float,
    *,
    speed_kmh: float,
    every_s: float,
    off_m: float = 0.0,
    off_from_km: float = 0.0,
    off_to_km: float = 0.0,
    accuracy_m: float = 10.0,
    noise_m: float = 0.0,
) -> list[Fix]:
    """The fixes of a drive at an even speed; backwards along the leg when `to_km` is less than `from_km`."""
    duration_s = abs(to_km - from_km) / speed_kmh * 3600
    path = geo.Path(loop.line(leg).points)
    jitter = random.Random(f"{begins} {from_km} {to_km}")  # noqa: S311 - the same story, the same noise
    off_low, off_high = sorted((off_from_km, off_to_km))
    fixes, elapsed_s = [], 0.0
    while elapsed_s <= duration_s + 1e-6:
        share = elapsed_s / duration_s if duration_s else 0.0
        km = from_km + (to_km - from_km) * share
        ahead = path.bearing_at(km * 1000)
        fixes.append(
            fix_beside(
                loop,
                leg,
                km,
                (off_m if off_low <= km <= off_high else 0.0) + jitter.gauss(0, noise_m),
                begins + timedelta(seconds=elapsed_s),
                speed_kmh=speed_kmh,
                course_deg=ahead if to_km >= from_km else (ahead + 180) % 360,
                accuracy_m=accuracy_m,
            )
        )
        elapsed_s += every_s
    return fixes


def as_gcj(fix: Fix) -> Fix:
    """The fix as a source would tell it that says WGS-84 and gives GCJ-02."""
    lon, lat = datum.wgs_to_gcj(fix.lon, fix.lat)
    return msgspec.structs.replace(fix, lon=lon, lat=lat)


def stand(begins: datetime, place: LonLat, *, duration_s: float, every_s: float, accuracy_m: float = 10.0) -> list[Fix]:
    """The fixes of a truck that stands still, the last one at the end of the time."""
    count = int(duration_s // every_s)
    return [
        Fix(
            device=DEVICE,
            fixed_at=begins + timedelta(seconds=i * every_s),
            lat=place[1],
            lon=place[0],
            accuracy_m=accuracy_m,
            speed_kmh=0.0,
        )
        for i in range(count + 1)
    ]
