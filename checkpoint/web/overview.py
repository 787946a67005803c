"""The map from our own data: stations, corridors, trucks, a graticule, a scale. Once as GeoJSON for the live map, once as a
drawing that stands in its place wherever there is no WebGL: the map is never blank.

Pure. Places are WGS-84, `(longitude, latitude)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, floor, log10, radians, sin
from typing import Any, NamedTuple

from checkpoint.core.geo import LonLat, scale_m
from checkpoint.core.loop import LEGS, Leg, Loop, Station
from checkpoint.web.board_data import Truck

Bounds = tuple[float, float, float, float]
EVERYWHERE: Bounds = (119.5, 27.5, 122.5, 31.8)
_CIRCLE_CORNERS = 48
_LINE_PX = 2.0


def bounds(loops: Iterable[Loop], margin: float = 0.06) -> Bounds:
    """West, south, east, north of all lines and stations, with a margin; a stretch of coast when there are none."""
    places = [p for loop in loops for leg in LEGS for p in loop.line(leg).points]
    places += [s.center for loop in loops for s in loop.stations]
    return around(places, margin) if places else EVERYWHERE


def around(places: Sequence[LonLat], margin: float = 0.06) -> Bounds:
    """The bounds of some places, widened by a share of their extent and by 300 m at least."""
    west, east = min(p[0] for p in places), max(p[0] for p in places)
    south, north = min(p[1] for p in places), max(p[1] for p in places)
    wide = max((east - west) * margin, 0.003)
    high = max((north - south) * margin, 0.003)
    return west - wide, south - high, east + wide, north + high


def step_deg(extent: float) -> float:
    """A round distance between graticule lines: 1, 2 or 5 times a power of ten, some five of them in sight."""
    raw = extent / 5
    power = 10.0 ** floor(log10(raw)) if raw > 0 else 1.0
    return next(power * k for k in (1, 2, 5, 10) if power * k >= raw)


def ticks(low: float, high: float, step: float) -> list[float]:
    """The graticule's degrees between two."""
    first = floor(low / step) + 1
    return [round(k * step, 6) for k in range(first, floor(high / step) + 1)]


def ring(station: Station) -> list[LonLat]:
    """A station's boundary as a closed ring."""
    circle = station.boundary.circle
    if circle is None:
        return [*station.boundary.polygon, station.boundary.polygon[0]]
    kx, ky = scale_m(circle.center[1])
    return [
        (
            round(circle.center[0] + circle.radius_m / kx * cos(radians(360 * i / _CIRCLE_CORNERS)), 6),
            round(circle.center[1] + circle.radius_m / ky * sin(radians(360 * i / _CIRCLE_CORNERS)), 6),
        )
        for i in range(_CIRCLE_CORNERS + 1)
    ]


# -- for the live map -------------------------------------------------------------------------------------------------


def _feature(kind: str, geometry: str, coordinates: object, **properties: object) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": geometry, "coordinates": coordinates},
        "properties": {"kind": kind, **properties},
    }


def geojson(
    loops: Sequence[Loop],
    lang: str,
    track: Sequence[LonLat] = (),
    proof: Sequence[LonLat] = (),
    stretches: Sequence[tuple[str, Sequence[LonLat]]] = (),
) -> dict[str, Any]:
    """Lines, corridors, station boundaries and graticule as one feature collection; `kind` tells them apart. `proof` are the
    places that suspicions and warnings cite.

    `stretches` are parts of a track with what each shows, its `state`. Beside the features: `view`, the bounds to look at first,
    and `stations`, the signs to set up. Trucks come separately.
    """
    features = []
    driven = track or [place for _, places in stretches for place in places]
    view = around(driven, 0.15) if driven else bounds(loops)
    extent = max(view[2] - view[0], view[3] - view[1])
    step = step_deg(extent)
    # The picture may be any shape: the graticule goes on for one extent beyond it, every way.
    west, south, east, north = view[0] - extent, view[1] - extent, view[2] + extent, view[3] + extent
    features += [_feature("graticule", "LineString", [(x, south), (x, north)]) for x in ticks(west, east, step)]
    features += [_feature("graticule", "LineString", [(west, y), (east, y)]) for y in ticks(south, north, step)]
    for loop in loops:
        for leg in LEGS:
            features.append(_feature("line", "LineString", loop.line(leg).points, leg=leg))
            features += [
                _feature("corridor", "LineString", points, leg=leg, half_width_m=half_width_m)
                for half_width_m, points in pieces(loop, leg)
            ]
        features += [_feature("station", "Polygon", [ring(s)]) for s in loop.stations]
    if len(track) > 1:
        features.append(_feature("track", "LineString", list(track)))
    features += [_feature("proof", "Point", place) for place in proof]
    features += [_feature("stretch", "LineString", list(places), state=state) for state, places in stretches if len(places) > 1]
    signs = [
        {"id": s.id, "name": getattr(s.name, lang), "at": s.center, "end": s.id in (loop.origin, loop.destination)}
        for loop in loops
        for s in loop.stations
    ]
    return {"type": "FeatureCollection", "features": features, "view": view, "stations": signs}


def pieces(loop: Loop, leg: Leg) -> list[tuple[float, list[LonLat]]]:
    """A line cut where its corridor changes its half-width (metres), each piece with its own."""
    path = loop.paths[leg]
    cuts = [(0.0, loop.policy.half_width_m), *((s.from_m, s.half_width_m) for s in loop.line(leg).sections)]
    found = []
    for i, (begin, half_width_m) in enumerate(cuts):
        end = min(cuts[i + 1][0], path.length_m) if i + 1 < len(cuts) else path.length_m
        if begin < end:
            between = [p for p, along in zip(path.points, path.along_m, strict=True) if begin < along < end]
            found.append((half_width_m, [path.at(begin), *between, path.at(end)]))
    return found


# -- for the drawing --------------------------------------------------------------------------------------------------


class Tick(NamedTuple):
    """A line of the graticule: where it is drawn, and its label."""

    at: float
    label: str


class Drawing(NamedTuple):
    """The overview as numbers for an SVG: paths by leg, stations and trucks with their places, graticule and scale bar."""

    width: float
    height: float
    meridians: tuple[Tick, ...]
    parallels: tuple[Tick, ...]
    lines: tuple[tuple[Leg, str], ...]
    stations: tuple[tuple[Station, float, float], ...]
    trucks: tuple[tuple[Truck, float, float], ...]
    bar_px: float
    bar_label: str
    track: str = ""
    proof: tuple[tuple[float, float], ...] = ()
    corridors: tuple[tuple[Leg, str, float], ...] = ()
    stretches: tuple[tuple[str, str], ...] = ()


class Projection:
    """An even map of a small part of the earth: degrees to pixels, east-west shortened by the latitude in the middle."""

    def __init__(self, box: Bounds, width: float, height: float) -> None:
        west, south, east, north = box
        kx, ky = scale_m((south + north) / 2)
        self.scale = min(width / ((east - west) * kx), height / ((north - south) * ky))  # pixels per metre
        self.kx, self.ky = kx * self.scale, ky * self.scale
        self.width, self.height = width, height
        self.middle = ((west + east) / 2, (south + north) / 2)

    def __call__(self, place: LonLat) -> tuple[float, float]:
        """Where a place is drawn."""
        x = self.width / 2 + (place[0] - self.middle[0]) * self.kx
        y = self.height / 2 - (place[1] - self.middle[1]) * self.ky
        return round(x, 1), round(y, 1)

    @property
    def box(self) -> Bounds:
        """The whole part of the earth in the picture."""
        dx, dy = self.width / 2 / self.kx, self.height / 2 / self.ky
        return self.middle[0] - dx, self.middle[1] - dy, self.middle[0] + dx, self.middle[1] + dy

    def path(self, places: Iterable[LonLat]) -> str:
        """A polyline as SVG path data; points that fall on the one before are left out."""
        drawn: list[tuple[float, float]] = []
        for place in places:
            at = self(place)
            if not drawn or at != drawn[-1]:
                drawn.append(at)
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in drawn) if drawn else ""


def drawing(
    loops: Sequence[Loop],
    trucks: Iterable[Truck],
    *,
    width: float = 640,
    height: float = 480,
    track: Sequence[LonLat] = (),
    proof: Sequence[LonLat] = (),
    stretches: Sequence[tuple[str, Sequence[LonLat]]] = (),
    box: Bounds | None = None,
) -> Drawing:
    """The overview of some loops and trucks, and of a track where one is given (whole, or in stretches by what each shows),
    with the places that prove something. Corridors are drawn where they are wider than their line."""
    project = Projection(box or bounds(loops), width, height)
    west, south, east, north = project.box
    step = step_deg(max(east - west, north - south))
    bar_m = _round_length(120 / project.scale)
    return Drawing(
        width=width,
        height=height,
        meridians=tuple(Tick(project((x, south))[0], f"{x:g}°E") for x in ticks(west, east, step)),
        parallels=tuple(Tick(project((west, y))[1], f"{y:g}°N") for y in ticks(south, north, step)),
        lines=tuple((leg, project.path(loop.line(leg).points)) for loop in loops for leg in LEGS),
        stations=tuple((s, *project(s.center)) for loop in loops for s in loop.stations),
        trucks=tuple((t, *project((t.lon, t.lat))) for t in trucks if t.lon is not None and t.lat is not None),
        bar_px=round(bar_m * project.scale, 1),
        bar_label=f"{bar_m / 1000:g} km" if bar_m >= 1000 else f"{bar_m:g} m",
        track=project.path(track),
        proof=tuple(project(place) for place in proof),
        corridors=tuple(
            (leg, project.path(points), round(2 * half_width_m * project.scale, 1))
            for loop in loops
            for leg in LEGS
            for half_width_m, points in pieces(loop, leg)
            if 2 * half_width_m * project.scale > _LINE_PX
        ),
        stretches=tuple((state, project.path(places)) for state, places in stretches),
    )


def _round_length(most_m: float) -> float:
    power = 10.0 ** floor(log10(most_m))
    return next(power * k for k in (5, 2, 1) if power * k <= most_m)
