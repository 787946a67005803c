"""A line set on a JT/T 808 terminal (0x8606) and taken off again (0x8607), so that it raises its own alarm when it leaves it.

The law of this file: a route here is a value of the standard's, not of ours. What cannot be said in it (a width above 255 m,
more points than `TURNS_MAX`) is refused, not bent: the caller decides what to leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct

import msgspec

from checkpoint.decoders.jt808.header import Edition, Peer, written

WIDTH_MAX_M = 255  # one byte
TURNS_MAX = 500  # no edition has a limit; a terminal's memory has. 2011 counts the points of a message in one byte
_TURNS_MAX_2011 = 255
DELETED_MAX = 125
ENTER_DRIVER, ENTER_PLATFORM, LEAVE_DRIVER, LEAVE_PLATFORM = 1 << 2, 1 << 3, 1 << 4, 1 << 5
_TIMED, _LIMITED, _SOUTH, _WEST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHINA = timedelta(hours=8)
_HEAD = Struct(">IH")
_PLACE = Struct(">IIBB")


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a route, and the segment from it to the next one.

    `width_m` is the segment's whole width as the tables read; they do not say so outright. `seconds`: an alarm when the
    segment takes more than the first or less than the second. `limit`: the highest speed (km/h), for how many seconds it may
    be exceeded, and the highest speed by night, which terminals before 2019 are not told.
    """

    lat: float
    lon: float
    width_m: int
    seconds: tuple[int, int] | None = None
    limit: tuple[int, int, int] | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A line to be kept to. `alarms`: whom the terminal tells when it goes into it or out of it. `between`: only then."""

    id: int
    turns: Sequence[Turn]
    name: str = ""
    alarms: int = ENTER_PLATFORM | LEAVE_PLATFORM | LEAVE_DRIVER
    between: tuple[datetime, datetime] | None = None


def route_8606(peer: Peer, serial: int, route: Route) -> list[bytes]:
    """The frames that set a route; several, with serials in a row, when it is long. Raises `ValueError` for what the standard
    cannot say."""
    most = _TURNS_MAX_2011 if peer.edition == "2011" else TURNS_MAX
    if not 2 <= len(route.turns) <= most:
        raise ValueError(f"a route has 2 to {most} points, this one has {len(route.turns)}")
    body = _HEAD.pack(route.id, route.alarms | (_TIMED if route.between else 0))
    for at in route.between or ():
        body += bytes.fromhex((at.astimezone(UTC) + _CHINA).strftime("%y%m%d%H%M%S"))
    body += len(route.turns).to_bytes(2, "big")
    if peer.edition == "2011":
        body += bytes((len(route.turns),))
    body += b"".join(_turn(peer.edition, number, turn) for number, turn in enumerate(route.turns, 1))
    if peer.edition == "2019":
        name = route.name.encode("gbk", "replace")
        body += len(name).to_bytes(2, "big") + name
    return written(peer, serial, 0x8606, body)


def delete_route_8607(peer: Peer, serial: int, ids: Sequence[int]) -> bytes:
    """Take routes off again; none named: all of them."""
    if len(ids) > DELETED_MAX:
        raise ValueError(f"at most {DELETED_MAX} routes in one message")
    return written(peer, serial, 0x8607, bytes((len(ids),)) + b"".join(id_.to_bytes(4, "big") for id_ in ids))[0]


def _turn(edition: Edition, number: int, turn: Turn) -> bytes:
    if not 1 <= turn.width_m <= WIDTH_MAX_M:
        raise ValueError(f"a route is 1 to {WIDTH_MAX_M} m wide, not {turn.width_m} m")
    if not (-90 <= turn.lat <= 90 and -180 <= turn.lon <= 180):
        raise ValueError(f"no place on Earth: {turn.lat}, {turn.lon}")
    flags = (_TIMED if turn.seconds else 0) | (_LIMITED if turn.limit else 0)
    flags |= (_SOUTH if turn.lat < 0 else 0) | (_WEST if turn.lon < 0 else 0)
    lat, lon = round(abs(turn.lat) * 1_000_000), round(abs(turn.lon) * 1_000_000)
    named = number.to_bytes(4, "big")  # point and segment are counted alike; 2011 knows segments only
    said = (named if edition == "2011" else named * 2) + _PLACE.pack(lat, lon, turn.width_m, flags)
    if turn.seconds:
        longest, shortest = turn.seconds
        said += longest.to_bytes(2, "big") + (b"" if edition == "2011" else shortest.to_bytes(2, "big"))
    if turn.limit:
        fastest, for_s, by_night = turn.limit
        said += fastest.to_bytes(2, "big") + bytes((for_s,)) + (by_night.to_bytes(2, "big") if edition == "2019" else b"")
    return said
