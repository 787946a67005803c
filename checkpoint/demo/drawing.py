"""The demonstration loop, drawn by hand: from a depot in Ouhai (Wenzhou) to one in Jiading (Shanghai) and back.

The law of this file: places are written down here from public knowledge of where the coast motorway G15 runs, a place
every few kilometres, and a smooth curve is laid through them. Nothing is taken from anybody's map data. It is
approximate, by hundreds of metres here and there, and the document says so; nobody should drive by it.

`python -m checkpoint.demo.drawing` prints the document that lies beside this file as `loop.json`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import ceil, cos, radians, sin
from pathlib import Path

import msgspec

from checkpoint.core import geo
from checkpoint.core.loop import Boundary, Circle, Leg, Line, LonLat, Loop, Name, Section, Service, Station

DOCUMENT = Path(__file__).with_name("loop.json")
SPACING_M = 1600.0
IN_TOWN_M, ON_MOTORWAY_M = 50.0, 150.0
CARRIAGEWAYS_M = 14.0  # from the middle of one carriageway to that of the other

# From the depot to the motorway, through the town.
OUHAI: tuple[LonLat, ...] = (
    (120.5853, 27.9862), (120.5915, 27.9833), (120.5985, 27.9790), (120.6070, 27.9736), (120.6150, 27.9680),
    (120.6240, 27.9606), (120.6320, 27.9530), (120.6395, 27.9452), (120.6460, 27.9380),
)  # fmt: skip
# G15 from Wenzhou South to the west of Shanghai.
MOTORWAY: tuple[LonLat, ...] = (
    (120.658, 27.929), (120.690, 27.921), (120.725, 27.922), (120.758, 27.931), (120.790, 27.948),  # Wenzhou
    (120.815, 27.972), (120.835, 27.995), (120.858, 28.018), (120.885, 28.047), (120.915, 28.080),  # across the Oujiang
    (120.945, 28.110), (120.985, 28.140), (121.015, 28.178), (121.040, 28.218), (121.070, 28.255),  # Yueqing
    (121.095, 28.300), (121.108, 28.345), (121.128, 28.390), (121.165, 28.425), (121.205, 28.445),  # Yandang mountains
    (121.245, 28.475), (121.272, 28.515), (121.278, 28.560), (121.262, 28.605), (121.235, 28.650),  # Wenling, Taizhou
    (121.205, 28.690), (121.178, 28.735), (121.150, 28.785), (121.138, 28.840), (121.160, 28.890),  # Linhai
    (121.205, 28.930), (121.255, 28.965), (121.300, 29.005), (121.345, 29.050), (121.372, 29.095),  # Sanmen
    (121.385, 29.145), (121.398, 29.195), (121.420, 29.245), (121.432, 29.295), (121.428, 29.345),  # Ninghai
    (121.440, 29.400), (121.455, 29.455), (121.445, 29.510), (121.425, 29.560), (121.418, 29.610),  # Fenghua
    (121.420, 29.660), (121.435, 29.710), (121.452, 29.755), (121.460, 29.800), (121.462, 29.850),  # Ningbo
    (121.458, 29.900), (121.448, 29.950), (121.435, 29.995), (121.420, 30.040), (121.400, 30.085),  # Cicheng
    (121.372, 30.125), (121.335, 30.160), (121.295, 30.195), (121.255, 30.235), (121.215, 30.270),  # Cixi
    (121.185, 30.305), (121.165, 30.345), (121.150, 30.400), (121.135, 30.455), (121.115, 30.510),  # Hangzhou Bay Bridge
    (121.085, 30.560), (121.045, 30.600), (121.010, 30.635), (120.995, 30.670), (121.005, 30.705),  # Haiyan
    (121.040, 30.735), (121.090, 30.755), (121.140, 30.775), (121.185, 30.800), (121.225, 30.830),  # Pinghu, Jinshan
    (121.262, 30.862), (121.285, 30.900), (121.292, 30.945), (121.290, 30.995), (121.282, 31.040),  # Songjiang
    (121.275, 31.090), (121.272, 31.135), (121.275, 31.180), (121.270, 31.225), (121.262, 31.270),  # west of Hongqiao
    (121.258, 31.320),
)  # fmt: skip
# Off the motorway into Jiading.
JIADING: tuple[LonLat, ...] = ((121.254, 31.352), (121.2475, 31.3625), (121.2420, 31.3705), (121.2395, 31.3770))


def smooth(places: Sequence[LonLat], spacing_m: float = SPACING_M) -> tuple[LonLat, ...]:
    """A Catmull-Rom curve through the places, one vertex about every `spacing_m`."""
    padded = [_beyond(places[1], places[0]), *places, _beyond(places[-2], places[-1])]
    found: list[LonLat] = [places[0]]
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces = max(1, ceil(geo.distance_m(p1, p2) / spacing_m))
        found += [_between(p0, p1, p2, p3, k / pieces) for k in range(1, pieces + 1)]
    return tuple(found)


def _beyond(a: LonLat, b: LonLat) -> LonLat:
    return 2 * b[0] - a[0], 2 * b[1] - a[1]


def _between(p0: LonLat, p1: LonLat, p2: LonLat, p3: LonLat, t: float) -> LonLat:
    def one(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)

    return one(p0[0], p1[0], p2[0], p3[0]), one(p0[1], p1[1], p2[1], p3[1])


def beside(places: Sequence[LonLat], right_m: float) -> tuple[LonLat, ...]:
    """The same way, so many metres to the right of where one drives."""
    found = []
    for i, place in enumerate(places):
        course = geo.bearing_deg(places[max(i - 1, 0)], places[min(i + 1, len(places) - 1)])
        found.append(moved(place, course + 90, right_m))
    return tuple(found)


def moved(place: LonLat, course_deg: float, by_m: float) -> LonLat:
    """A place so many metres away in a direction."""
    east, north = geo.scale_m(place[1])
    return place[0] + by_m * sin(radians(course_deg)) / east, place[1] + by_m * cos(radians(course_deg)) / north


def rounded(places: Iterable[LonLat]) -> tuple[LonLat, ...]:
    """To a decimetre or so: five decimals and one for the carriageways."""
    return tuple((round(x, 6), round(y, 6)) for x, y in places)


def draw() -> Loop:
    """The document: both lines, the stations beside them, the policy as the rules' defaults."""
    middle = smooth((*OUHAI, *MOTORWAY, *JIADING))
    path = geo.Path(middle)
    length = path.length_m

    def at(place: LonLat) -> float:
        return path.nearest(place).along_m

    def station(
        id_: str,
        name: Name,
        place: LonLat,
        radius_m: float,
        services: tuple[Service, ...],
        required_on: tuple[Leg, ...] = (),
        bays: tuple[str, ...] = (),
        beds: tuple[str, ...] = (),
    ) -> Station:
        """A round station beside the line, overlapping the corridor so that one drives in without leaving the loop."""
        boundary = Boundary(circle=Circle(center=rounded([place])[0], radius_m=radius_m))
        return Station(id=id_, name=name, boundary=boundary, services=services, required_on=required_on, bays=bays, beds=beds)

    def off(place: LonLat, right_m: float) -> LonLat:
        along = at(place)
        return moved(path.at(along), path.bearing_at(along) + 90, right_m)

    toll = (120.6460, 27.9380)
    on_motorway, off_motorway = at(toll), at(JIADING[0])
    bays = tuple(f"{row}{n:02d}" for row in "AB" for n in range(1, 13))
    stations = (
        station("ouhai-depot", Name(zh="瓯海潘桥配送仓", en="Panqiao depot, Ouhai"), OUHAI[0], 260, ("loading", "gate")),
        station(
            "ouhai-rest",
            Name(zh="瓯海货车司机服务站", en="Truck drivers' rest station, Ouhai"),
            off((120.6070, 27.9736), -150),
            190,
            ("rest", "gate"),
            bays=bays,
            beds=tuple(f"{n}" for n in range(101, 125)),
        ),
        station(
            "ouhai-sampling",
            Name(zh="瓯海返程采样点", en="Sampling station for returns, Ouhai"),
            off((120.6320, 27.9530), -120),
            170,
            ("sampling", "gate"),
            required_on=("inbound",),
        ),
        station(
            "wenzhou-south-gate",
            Name(zh="温州南查验点", en="Checkpoint Wenzhou South"),
            toll,
            200,
            ("gate",),
            required_on=("outbound", "inbound"),
        ),
        station(
            "taizhou-service",
            Name(zh="台州服务区", en="Taizhou service area"),
            off((121.235, 28.650), 130),
            260,
            ("service_area",),
        ),
        station(
            "ningbo-service",
            Name(zh="宁波服务区", en="Ningbo service area"),
            off((121.462, 29.850), 130),
            260,
            ("service_area",),
        ),
        station(
            "bay-service",
            Name(zh="杭州湾南岸服务区", en="Service area south of the bay"),
            off((121.215, 30.270), 130),
            280,
            ("service_area",),
        ),
        station(
            "jinshan-gate",
            Name(zh="沪浙省界金山查验点", en="Checkpoint Jinshan, Shanghai border"),
            (121.185, 30.800),
            250,
            ("gate", "sampling"),
            required_on=("outbound",),
        ),
        station("jiading-depot", Name(zh="嘉定中转仓", en="Transfer depot, Jiading"), JIADING[-1], 260, ("unloading", "gate")),
    )
    inbound = tuple(reversed(middle))
    return Loop(
        id="ouhai-jiading",
        version=1,
        effective_from=datetime(2022, 4, 17, 16, tzinfo=UTC),  # 18 April in China: the day of the release rule
        name=Name(zh="瓯海—嘉定保供闭环", en="Ouhai - Jiading supply loop"),
        time_zone="Asia/Shanghai",
        origin="ouhai-depot",
        destination="jiading-depot",
        stations=stations,
        outbound=Line(
            points=rounded(beside(middle, CARRIAGEWAYS_M / 2)),
            sections=_sections((0.0, IN_TOWN_M), (on_motorway, ON_MOTORWAY_M), (off_motorway, IN_TOWN_M)),
        ),
        inbound=Line(
            points=rounded(beside(inbound, CARRIAGEWAYS_M / 2)),
            sections=_sections((0.0, IN_TOWN_M), (length - off_motorway, ON_MOTORWAY_M), (length - on_motorway, IN_TOWN_M)),
        ),
        note=Name(
            zh="线路按公开地名坐标手工绘制，仅供演示，误差可达数百米，不可用于导航。",
            en="Drawn by hand from public coordinates for demonstration; off by hundreds of metres in places, not for driving.",
        ),
    )


def _sections(*rows: tuple[float, float]) -> tuple[Section, ...]:
    return tuple(
        Section(from_m=round(from_m), town=True) if width_m == IN_TOWN_M else Section(from_m=round(from_m), half_width_m=width_m)
        for from_m, width_m in rows
    )


def document(loop: Loop) -> bytes:
    """The JSON text of a drawn loop, indented for reading, with the numbers of a place kept together on a line."""
    raw = msgspec.to_builtins(loop)
    raw.pop("policy")  # what is left out is as the rules' defaults have it
    lines = {leg: raw[leg]["points"] for leg in ("outbound", "inbound")}
    for leg in lines:
        raw[leg]["points"] = f"<{leg}>"
    text = msgspec.json.format(msgspec.json.encode(_plain(raw)), indent=2).decode()
    text = re.sub(r"\[\s+(-?[\d.]+),\s+(-?[\d.]+)\s+\]", r"[\1, \2]", text)
    for leg, points in lines.items():
        rows = ["      " + ", ".join(f"[{x:.6f}, {y:.6f}]" for x, y in points[i : i + 5]) for i in range(0, len(points), 5)]
        text = text.replace(f'"<{leg}>"', "[\n" + ",\n".join(rows) + "\n    ]")
    return (text + "\n").encode()


def _plain(value: object) -> object:
    """Without what is empty: a reader of the document should see what is said, not what could be."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not _empty(k, v)}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _empty(key: str, value: object) -> bool:
    return value in (None, "", (), [], {}) or value is False or (key == "half_width_m" and not value)


if __name__ == "__main__":
    sys.stdout.buffer.write(document(draw()))
