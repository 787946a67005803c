"""A journey played back: where the truck was at each moment, what we knew then, and what we know now.

The law of this file: the page says everything that is drawn in words as well, and without its module it is still a track with its
gaps and a table of what was said. Whoever may see a truck's page may see this, of the same journeys, and leaves the same traces.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.bindings import PHONES
from checkpoint.core.journey import Journey, View
from checkpoint.core.loop import LEGS, Loop
from checkpoint.store import Concern, Recorded
from checkpoint.ui import Texts, texts
from checkpoint.web.access import CARRIER, COORDINATOR, Caller, Rule, caller_of
from checkpoint.web.board import loops_now
from checkpoint.web.house import House, house_of
from checkpoint.web.journeys import look_of, within
from checkpoint.web.ladder import LEFT, RIGHT, WIDTH, Heights, ladder
from checkpoint.web.narrowing import REASONS_OF_HEALTH, is_own, without_health
from checkpoint.web.overview import Projection, around, drawing, geojson
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.reads import crew_of, noted
from checkpoint.web.replay_data import Frame, Spell, Verdict, frames, spells, stretches, thinned, verdicts
from checkpoint.web.words import Words

# The still map, in its own pixels.
SIZE = (760.0, 680.0)
STATES = ("on", "off", "suspected", "wrong-way", "unknown")
_WORDS = ("play", "pause", "gap", "no-position", "at-station", "on-the-way", "speed", "nothing-open", "late", "withdrawn")


class Played(NamedTuple):
    """All that is played back of one journey."""

    view: View
    journey: Journey | None
    loop: Loop | None
    frames: list[Frame]
    spells: list[Spell]
    verdicts: list[Verdict]
    begins: datetime
    ends: datetime


def _played(request: Request) -> Played:
    """The journey asked for, as far as it is the caller's to see. Raises `Problem`."""
    house, caller = house_of(request), caller_of(request)
    look, journey = look_of(request)
    view, now = look.view, house.now()
    loop = (view.loop_at(journey.opened_at) if journey is not None else None) or view.loop
    nothing = journey is None and caller.role == CARRIER and view.pass_ is None
    since = journey.opened_at if journey is not None else None
    until = journey.closed_at if journey is not None else None
    arrived = [] if nothing else house.store.positions_arrived(view.vehicle, since, until)
    told = _told(house, caller, view)
    found = frames(loop, arrived)
    shown = [w for w in view.warnings if within(journey, w.raised.since) or within(journey, w.raised_at)]
    at_gates = [v for v in verdicts(told, view.vehicle) if within(journey, v.at)]
    noted(request, "journey", crew_of(view))
    if found:
        noted(request, "track", crew_of(view))
    times = [f.fix.fixed_at for f in found]
    begins = min([since] if since is not None else times or [now], default=now)
    ends = max(min(until, now) if until is not None else now, begins)
    return Played(view, journey, loop, found, spells(shown, (r.fact for r in told)), at_gates, begins, ends)


def _told(house: House, caller: Caller, view: View) -> list[Recorded]:
    """The facts about the truck that the caller may read."""
    told = house.store.concerning(Concern(view.vehicle))
    if caller.role != CARRIER:
        return told
    seen = without_health(r.fact for r in told)
    return [r for r in told if r.fact.id in seen and is_own(r.fact, view.passes, view.journeys)]


def _source(t: Texts, caller: Caller, device: str) -> str:
    """What reported, in words; which tracker it was is for those who bind it."""
    if device.startswith(PHONES):
        return t("sources.phone")
    return t("moment.source.tracker", device=device) if caller.role == COORDINATOR else t("moment.source.any")


def _page(request: Request) -> Response:
    played, lang = _played(request), language_of(request)
    t, loop = texts(lang), played.loop
    zone = loop.zone if loop is not None else FALLBACK_ZONE
    house = house_of(request)
    words = Words(t, house.now(), zone, loops_now(house, house.now()))
    drawn = thinned(played.frames)
    pieces = stretches(drawn)
    loops = (loop,) if loop is not None else ()
    places = [(f.fix.lon, f.fix.lat) for f in drawn if f.state != "unknown"]
    gaps = [(a.fix.fixed_at, b.fix.fixed_at) for a, b in pairwise(played.frames) if b.after_gap]
    return render(
        request,
        "replay.html",
        zone=zone,
        view=played.view,
        journey=played.journey,
        journeys=tuple(reversed(played.view.journeys)),
        begins=played.begins,
        ends=played.ends,
        frames_count=len(played.frames),
        spells=played.spells,
        gaps=gaps,
        states=STATES,
        one=ladder(loop, ()) if loop is not None else None,
        ladder_widths=(LEFT, RIGHT, WIDTH),
        drawing=drawing(loops, (), stretches=pieces, width=SIZE[0], height=SIZE[1], box=around(places, 0.15) if places else None),
        named={loop.origin, loop.destination} if loop is not None else set(),
        **words.for_templates(),
    )


async def page(request: Request) -> Response:
    """The page on which a journey is played back."""
    return await run_in_threadpool(_page, request)


def _data(request: Request) -> bytes:
    played, caller, lang = _played(request), caller_of(request), language_of(request)
    t, loop = texts(lang), played.loop
    house = house_of(request)
    zone = loop.zone if loop is not None else FALLBACK_ZONE
    words = Words(t, house.now(), zone, loops_now(house, house.now()))
    drawn = thinned(played.frames)
    plan = geojson((loop,) if loop is not None else (), lang, stretches=stretches(drawn))
    heights = Heights(ladder(loop, ())) if loop is not None else None
    devices = list(dict.fromkeys(f.fix.device for f in drawn))
    stations = list(dict.fromkeys(f.station for f in drawn if f.station))
    hidden = REASONS_OF_HEALTH if caller.role == CARRIER else frozenset[str]()
    project = Projection(plan["view"], *SIZE)
    plan["moments"] = {
        "still": [*project.middle, project.kx, project.ky, SIZE[0] / 2, SIZE[1] / 2],
        "zone": str(zone),
        "lang": lang,
        "plate": played.view.vehicle,
        "frames": [_row(f, devices, stations, heights) for f in drawn],
        "states": {state: t(f"moment.state.{state}") for state in STATES},
        "order": STATES,
        "rails": [LEFT, RIGHT],
        "legs": [t(f"board.leg.{leg}") for leg in LEGS],
        "devices": [_source(t, caller, device) for device in devices],
        "stations": [words.station_name("", station) for station in stations],
        "warnings": [_spell(spell, t) for spell in played.spells],
        "verdicts": [_verdict(verdict, words, hidden) for verdict in played.verdicts],
        "words": _patterns(t),
    }
    return msgspec.json.encode(plan)


async def data(request: Request) -> Response:
    """The journey's plan, track and moments, for the page's module."""
    body = await run_in_threadpool(_data, request)
    return Response(body, media_type="application/geo+json", headers={"Cache-Control": "no-store"})


def _row(frame: Frame, devices: list[str], stations: list[str], heights: Heights | None) -> list[Any]:
    """A frame as a row: when, when known, where, its state, after a gap, leg, percent, height, station, device, speed, and
    the state that was known then."""
    leg = LEGS.index(frame.leg) if frame.leg is not None else None
    height = heights.y(frame.leg, frame.share, frame.station) if heights and frame.leg and frame.share is not None else None
    return [
        round(frame.fix.fixed_at.timestamp(), 1),
        round(frame.received_at.timestamp(), 1),
        round(frame.fix.lon, 6),
        round(frame.fix.lat, 6),
        STATES.index(frame.state),
        int(frame.after_gap),
        leg,
        round(100 * frame.share) if frame.share is not None else None,
        height,
        stations.index(frame.station) if frame.station else None,
        devices.index(frame.fix.device),
        round(frame.fix.speed_kmh) if frame.fix.speed_kmh is not None else None,
        STATES.index(frame.then),
    ]


def _at(at: datetime | None) -> float | None:
    return round(at.timestamp(), 1) if at is not None else None


def _spell(spell: Spell, t: Texts) -> dict[str, Any]:
    return {
        "said": t(f"finding.{spell.kind}"),
        "since": _at(spell.since),
        "until": _at(spell.until),
        "said_at": _at(spell.said_at),
        "over_at": _at(spell.over_at),
        "withdrawn": spell.withdrawn,
        "late": spell.late,
        "colours": [[_at(at), colour, t(f"colour.{colour}")] for at, colour in spell.colours],
    }


def _verdict(verdict: Verdict, words: Words, hidden: frozenset[str]) -> dict[str, Any]:
    reasons = [words.say(f"reason.{reason}", {}) for reason in verdict.shown.reasons if reason not in hidden]
    return {
        "at": _at(verdict.at),
        "known_at": _at(verdict.recorded_at),
        "word": words.t(f"word.{verdict.shown.word}"),
        "said": words.t("board.comma").join(reasons),
        "station": words.station_name("", verdict.station),
    }


def _patterns(t: Texts) -> dict[str, str]:
    """The sentences that the module fills in, each value in braces."""
    values = {name: f"{{{name}}}" for name in ("time", "span", "leg", "percent", "station", "kmh")}
    found = {name: t(f"moment.{name}", **values) for name in _WORDS}
    return found | {unit: t(f"span.{unit}", count="{n}") for unit in ("seconds", "minutes", "hours", "days")}


SEERS = (COORDINATOR, CARRIER)
ROUTES = (
    Rule("/vehicles/{plate}/replay", ("GET",), page, SEERS),
    Rule("/vehicles/{plate}/replay.json", ("GET",), data, SEERS),
)
