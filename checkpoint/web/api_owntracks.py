"""Positions from OwnTracks, over HTTP.

The law of this file: as in `api_positions.py`, and stricter, since this app gives up on nothing: whoever shows the right key is
answered 200 with a list, whatever was sent. Refused are wrong credentials (401: the app keeps what it has and tries again, so
that nothing is lost once the right key is in it), too many of them from one address (429), and no room (503, 507). Who is
there is told by HTTP Basic alone: `topic`, `tid` and the `X-Limit-` headers are claims.

Of what an app says about regions that are no stations of ours, and about networks it sees, nothing is kept: that is its
driver's own life.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.fixes import Fix
from checkpoint.core.journey import View
from checkpoint.decoders import owntracks
from checkpoint.web import bounds
from checkpoint.web.access import ANYONE, Rule
from checkpoint.web.api import answer
from checkpoint.web.api_positions import RETRY_S
from checkpoint.web.devices import heard, known_as
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import FIXES, UNBOUND
from checkpoint.web.problems import Problem
from checkpoint.web.regions import Answers, Asked, Waypoint, station_of, told_to, waypoints_of

# A crossing and the location that an app sends with it have one time and one place, and a fix is told by these.
_BESIDE = timedelta(milliseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC) - _BESIDE
MESSAGE_BYTES = 1024 * 1024  # a card carries a picture, and a phone that is refused one sends nothing behind it


class OwnTracksMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the app, by its `_type`; a `transition` has `event` and `desc`. Others are taken too."""

    type: str = msgspec.field(name="_type", default="")
    lat: float = 0.0
    lon: float = 0.0
    tst: int = 0
    acc: float = 0.0
    vel: float = 0.0
    cog: float = 0.0
    alt: float = 0.0
    batt: float = 0.0
    event: str = ""
    desc: str = ""
    rid: str = ""


async def take(request: Request) -> Response:
    """One message of OwnTracks, or a list of them; answered with what the app is asked to do."""
    house, received_at = house_of(request), house_of(request).now()
    user, password = owntracks.basic(request.headers.get("authorization", ""))
    device = await run_in_threadpool(_recognised, house, user, password)
    if device is None:
        bounds.spend(request, house.limits, UNBOUND, None)
        raise Problem(401, "device-key", headers={"WWW-Authenticate": 'Basic realm="checkpoint", charset="UTF-8"'})
    body = await request.body()
    answers: Answers = request.app.state.answers

    def work() -> list[Asked]:
        heard(house, device, received_at)
        view = _under_pass(house, device, received_at)
        wanted = waypoints_of(view.loop) if view is not None and view.loop is not None else ()
        messages = owntracks.decode(device, body)
        # What was told with the last answer counts before the app has shown that it read it: a crossing may be the first it says.
        _take(house, device, messages, {each.rid: each for each in wanted} | told_to(house.store.registry.tracker(device)), body)
        found = answers.to(house, device, wanted, body)
        placed = any(message.fix is not None for message in messages)
        if view is not None and not placed and answers.wants_position(device, _last_at(view), received_at):
            found.append(Asked(type="cmd", action="reportLocation"))
        return found

    return answer(await run_in_threadpool(work))


def _recognised(house: House, user: str, password: str) -> str | None:
    """The device whose name and key these are, or None."""
    known = known_as(house, password) if password else None
    if known is None or not known.keyed or known.revoked or known.device.lower() != user.lower():
        return None
    return known.device


def _under_pass(house: House, device: str, at: datetime) -> View | None:
    """The truck that the device reports for, while it is under a pass of a loop."""
    vehicle = house.intake.vehicle_of(device, at)
    look = house.watch.look(vehicle) if vehicle is not None else None
    return look.view if look is not None and look.view.pass_ is not None and look.view.loop is not None else None


def _last_at(view: View) -> datetime | None:
    return view.track.last.fixed_at if view.track is not None and view.track.last is not None else None


def _take(house: House, device: str, messages: tuple[owntracks.Message, ...], held: Mapping[str, Waypoint], body: bytes) -> None:
    fixes: list[Fix] = []
    troubles: set[str] = set()
    for message in messages:
        if message.trouble:
            troubles.add(message.trouble)
        if message.fix is None:
            continue
        station = station_of(held, message.rid, message.desc) if message.event else ""
        if message.event and not station:
            troubles.add("region")
        elif station:
            at = min(message.fix.fixed_at, _LAST) + _BESIDE
            fixes.append(msgspec.structs.replace(message.fix, fixed_at=at, crossing=f"{message.event} {station}"))
        else:
            fixes.append(message.fix)
    if fixes and house.intake.take_fixes(fixes).refused:
        raise Problem(503, "busy", headers={"Retry-After": str(RETRY_S)})
    for trouble in sorted(troubles):
        # Words about private regions, and what nobody can open, are not kept: that they came is.
        kept = trouble.encode() if trouble in ("region", "encrypted") else _ours(body)
        house.intake.keep_aside(device, kept, f"position-{trouble}")


def _ours(body: bytes) -> bytes:
    """A body without what is its driver's own: the networks that the phone sees, and all but the kind of what is no location."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    found = [_of_ours(each) for each in document] if isinstance(document, list) else _of_ours(document)
    return msgspec.json.encode(found)


def _of_ours(said: object) -> object:
    if not isinstance(said, dict):
        return said
    kind = said.get("_type")
    if isinstance(kind, str) and kind in owntracks.PRIVATE:
        return {"_type": kind}
    return {key: value for key, value in said.items() if key not in ("SSID", "BSSID")}


ROUTES = (Rule("/api/v1/positions/owntracks", ("POST",), take, (ANYONE,), body_bytes=MESSAGE_BYTES, rate=FIXES),)
