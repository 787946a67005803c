"""A table of positions -> drives: CSV as recorders, fleet portals and spreadsheets write it, or a JSON list of objects.

The law of this file: the columns are known by their names, in English or Chinese, and a unit in a name counts
(`speed(m/s)`, `speed_kmh`, `time_utc`). A row is known by its line in the file, and what is wrong names it. A row without
any place is a receiver that knew none: counted, not refused. What else a row says and cannot be read is left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from math import isfinite

from checkpoint.decoders.recorded.drive import MAX_POINTS, Drive, MalformedTrack, Place, Recording, placed
from checkpoint.decoders.recorded.times import NotATime, ZoneWanted, instant

# What a column may be called, folded (see `_folded`).
NAMES: dict[str, tuple[str, ...]] = {
    "lat": ("lat", "latitude", "gpslat", "gpslatitude", "positionlat", "latdeg", "纬度", "gps纬度", "定位纬度"),
    "lon": (
        "lon", "lng", "long", "longitude", "gpslon", "gpslng", "gpslongitude", "positionlong", "londeg",
        "经度", "gps经度", "定位经度",
    ),
    "point": ("point", "wkt", "geom", "geometry"),
    "day": ("date", "day", "日期", "定位日期"),
    "at": (
        "time", "timestamp", "datetime", "dateandtime", "gpstime", "gpsdatetime", "fixtime", "fixedat", "devicetime",
        "recordedat", "at", "ts", "tst", "utc", "epoch", "时间", "定位时间", "gps时间", "采集时间", "设备时间", "时间戳",
    ),
    "received_at": ("receivedat", "received", "servertime", "arrivedat", "接收时间", "服务器时间", "入库时间", "上传时间"),
    "speed": ("speed", "velocity", "spd", "gpsspeed", "groundspeed", "速度", "车速", "gps速度", "时速"),
    "course": ("course", "heading", "bearing", "direction", "azimuth", "cog", "方向", "航向", "方位角", "方向角", "角度"),
    "accuracy": ("accuracy", "acc", "hacc", "horizontalaccuracy", "gpsaccuracy", "精度", "定位精度", "水平精度"),
    "altitude": ("altitude", "alt", "ele", "elevation", "height", "海拔", "高程", "高度"),
    "valid": ("valid", "gpsvalid", "isvalid", "定位有效", "有效"),
    "whose": (
        "vehicle", "plate", "platenumber", "车牌", "车牌号", "车牌号码", "车辆",
        "device", "deviceid", "deviceno", "terminal", "终端号", "设备号", "id",
    ),
}  # fmt: skip
_UNITS = {
    "kmh": 1.0, "kph": 1.0, "km/h": 1.0, "公里/小时": 1.0, "千米/时": 1.0, "m/s": 3.6, "ms": 3.6, "mps": 3.6, "米/秒": 3.6,
    "knots": 1.852, "knot": 1.852, "kn": 1.852, "kt": 1.852, "节": 1.852, "mph": 1.609344,
}  # fmt: skip
_DELIMITERS = ",;\t"
_Columns = dict[str, tuple[str, str]]
_POINT = re.compile(r"(?:SRID=\d+;)?POINT\s*Z?\s*\(\s*(\S{1,40})\s+(\S{1,40})(?:\s+\S{1,40})?\s*\)", re.IGNORECASE)
_KINDS = {name: kind for kind, names in NAMES.items() for name in names}
_NO = frozenset({"0", "false", "no", "v", "invalid", "否", "无效"})


def from_csv(data: bytes, zone: tzinfo | None) -> Recording:
    """The drives of a table in UTF-8 (with or without its mark), UTF-16 or GBK. Raises `MalformedTrack`."""
    text = _text(data)
    lines = text.split("\n", 20)
    first = next((i for i, line in enumerate(lines[:20]) if line.strip() and not line.startswith(("#", "sep="))), None)
    if first is None:
        raise MalformedTrack("empty")
    delimiter = max(_DELIMITERS, key=lambda d: (len(_columns(lines[first].split(d), quiet=True)), lines[first].count(d)))
    table = text.split("\n")[first:]
    if _too_long(table, delimiter):
        raise MalformedTrack("too-many", count=MAX_POINTS)
    reader = csv.reader(_lines(table), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader)]
        rows = ((first + reader.line_num, dict(zip(names, row, strict=False))) for row in reader if _says_something(row))
        return _drives(_columns(names), rows, zone, decimal_comma=delimiter == ";")
    except csv.Error:
        raise MalformedTrack("table-broken", line=first + reader.line_num) from None


def _lines(table: Sequence[str]) -> Iterator[str]:
    return (f"{line}\n" for line in table)


def _says_something(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row) and not row[0].startswith("#")


def _too_long(table: Sequence[str], delimiter: str) -> bool:
    """Whether the table has too many rows: counted before any is read, which takes ten times as long. What is broken is left to
    whoever reads it, and names its line."""
    try:
        rows = csv.reader(_lines(table), delimiter=delimiter)
        return len(table) > MAX_POINTS and sum(map(_says_something, rows)) - 1 > MAX_POINTS
    except csv.Error:
        return False


def from_objects(found: Sequence[object], zone: tzinfo | None) -> Recording:
    """The drives of a JSON list of objects, each a position. Raises `MalformedTrack`."""
    if not found:
        raise MalformedTrack("empty")
    if len(found) > MAX_POINTS:
        raise MalformedTrack("too-many", count=MAX_POINTS)
    for i, one in enumerate(found, start=1):
        if not isinstance(one, Mapping):
            raise MalformedTrack("no-object", line=i)
    rows = [one for one in found if isinstance(one, Mapping)]
    names = list(dict.fromkeys(str(name) for one in rows[:100] for name in one))
    return _drives(_columns(names), enumerate(rows, start=1), zone, decimal_comma=False)


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise MalformedTrack("characters")


def _folded(name: str) -> tuple[str, str]:
    """A column's name without what writers vary, and the unit it carries: `Speed (km/h)` -> (`speed`, `km/h`)."""
    name = name.strip().strip('"').casefold()
    unit = ""
    if (found := re.fullmatch(r"(.*?)\s*[(（\[]([^)）\]]*)[)）\]]\s*", name)) is not None:
        name, unit = found[1], found[2].strip()
    elif (found := re.fullmatch(r"(.+)[_ -](utc|kmh|kph|mps|ms|knots|kn|mph|m|deg|s)", name)) is not None:
        name, unit = found[1], found[2]
    return re.sub(r"[\s_.\-]+", "", name), unit


def _columns(names: Sequence[str], *, quiet: bool = False) -> _Columns:
    """Which column is what: kind -> (name, unit). The name that stands first in `NAMES` wins. Raises `MalformedTrack`."""
    found: _Columns = {}
    for name in names:
        folded, unit = _folded(name)
        kind = _KINDS.get(folded)
        if kind is None:
            continue
        rank = NAMES[kind].index(folded)
        if kind not in found or rank < NAMES[kind].index(_folded(found[kind][0])[0]):
            found[kind] = (name, unit)
    if not quiet and not ({"lat", "lon"} <= found.keys() or "point" in found):
        shown = ", ".join(name for name in names if name)[:200]
        raise MalformedTrack("columns", columns=shown or "-")
    return found


def _drives(
    columns: _Columns, rows: Iterable[tuple[int, Mapping[str, object]]], zone: tzinfo | None, *, decimal_comma: bool
) -> Recording:
    """The rows as drives, one for each vehicle that the table names, in the order of the rows."""
    drives: dict[str, list[Place]] = {}
    placeless = 0
    for line, row in rows:
        cells = _Row(line, {kind: row.get(name) for kind, (name, _) in columns.items()}, columns, decimal_comma)
        where = cells.where()
        if where is None:
            placeless += 1
            continue
        place = Place(
            lon=where[0],
            lat=where[1],
            at=cells.instant("at", zone),
            received_at=cells.instant("received_at", zone),
            speed_kmh=cells.speed_kmh(),
            course_deg=cells.number("course", 0, 360),
            accuracy_m=cells.number("accuracy", 0, 1e6),
            altitude_m=cells.number("altitude", -1000, 20_000),
            valid=str(cells.said["valid"]).strip().casefold() not in _NO if cells.text("valid") else True,
            row=line,
        )
        drives.setdefault(cells.text("whose")[:200], []).append(placed(place))
    if not drives:
        raise MalformedTrack("placeless" if placeless else "empty")
    found = tuple(Drive(name=name, whose=name, places=tuple(places)) for name, places in drives.items())
    return Recording(drives=found, placeless_count=placeless)


class _Row:
    """One row's cells by kind."""

    def __init__(self, line: int, said: Mapping[str, object], columns: _Columns, decimal_comma: bool) -> None:
        self.line, self.said, self._columns, self._decimal_comma = line, said, columns, decimal_comma

    def text(self, kind: str) -> str:
        """What a cell says, or nothing."""
        value = self.said.get(kind)
        return "" if value is None else str(value).strip()

    def where(self) -> tuple[float, float] | None:
        """Longitude and latitude; None when the row states no place."""
        if (point := self.text("point")) and not (self.text("lat") and self.text("lon")):
            found = _POINT.fullmatch(point)
            if found is None:
                raise MalformedTrack("value", line=self.line, column=self._columns["point"][0], value=point[:60])
            return self._degrees("point", found[1]), self._degrees("point", found[2])
        lon, lat = self.text("lon"), self.text("lat")
        if not lon and not lat:
            return None
        return self._degrees("lon", lon), self._degrees("lat", lat)

    def _degrees(self, kind: str, text: str) -> float:
        value = self._float(text)
        if value is None:
            raise MalformedTrack("value", line=self.line, column=self._columns.get(kind, (kind, ""))[0], value=text[:60])
        return value

    def _float(self, text: str) -> float | None:
        try:
            value = float(text.replace(",", ".") if self._decimal_comma else text)
        except ValueError:
            return None
        return value if isfinite(value) else None

    def number(self, kind: str, least: float, most: float) -> float | None:
        """A number that adds to a position; one that cannot be read, or cannot be, is as if it were not there."""
        value = self._float(self.text(kind))
        return value if value is not None and least <= value <= most else None

    def speed_kmh(self) -> float | None:
        """The speed, by the unit in the column's name; km/h without one."""
        if "speed" not in self._columns:
            return None
        value = self.number("speed", 0, 2000)
        return None if value is None else round(value * _UNITS.get(self._columns["speed"][1], 1.0), 3)

    def instant(self, kind: str, zone: tzinfo | None) -> datetime | None:
        """The instant in a column; the column of the day is put before a time that has none."""
        value = self.said.get(kind)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        name, unit = self._columns[kind]
        if kind == "at" and self.text("day") and isinstance(value, str) and len(value.strip()) < 14 and ":" in value:
            value = f"{self.text('day')} {value.strip()}"
        try:
            return instant(value, UTC if unit == "utc" else zone)
        except ZoneWanted:
            raise MalformedTrack("zone-wanted", line=self.line, column=name, value=str(value)[:60]) from None
        except NotATime:
            raise MalformedTrack("time", line=self.line, column=name, value=str(value)[:60]) from None
