"""The driver's phone: the pass at hand, what counts until when, a word back, and positions.

The law of this file: a phone is bound by a cookie (`driver_link.py`); its session and its link end together, and with the pass.
What a phone sees is its own pass and nothing else. Every answer here names what to do next, to somebody who stands beside a
truck.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from checkpoint.core import passes
from checkpoint.core.facts import Contested, Fact, Happening, HelpCalled, digest_id
from checkpoint.core.journey import PassState
from checkpoint.core.loop import Loop
from checkpoint.core.track import Fix
from checkpoint.granting import Screen, Unknown
from checkpoint.store.registry import Link
from checkpoint.ui import Texts, texts
from checkpoint.web import access
from checkpoint.web.access import ANYONE, DRIVER, Caller, Rule, caller_of, digest
from checkpoint.web.api import answer, body_of
from checkpoint.web.driver_card import Card, card_of
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import HELP
from checkpoint.web.page import FALLBACK_ZONE, HERE, language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.words import Words

# Sessions outlast the pass a little, so that a phone can still say why it is over and send what it kept.
AFTER_THE_PASS = timedelta(days=1)
BATCH_BYTES = 256 * 1024
MOST_FIXES = 1000
MOST_PHONES = 3
STATIC = HERE / "static" / "driver"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A phone that is bound to a pass: its link, and the pass as it stands."""

    link: Link
    state: PassState

    @property
    def vehicle(self) -> str:
        """The truck's plate."""
        return self.state.grant.vehicle

    @property
    def device(self) -> str:
        """How this phone's positions name it."""
        return f"phone-{self.link.id}"


@dataclass(frozen=True, kw_only=True)
class Telephone:
    """Whom a driver can call."""

    name: str
    number: str


class PhoneFix(msgspec.Struct, frozen=True, kw_only=True):
    """One position as a phone's page sends it, with the pass that it was taken under (empty: by a page from before)."""

    fixed_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None
    pass_id: str = ""


class PhoneFixes(msgspec.Struct, frozen=True):
    """A batch of positions; each is read for itself, so that one bad fix keeps no other waiting."""

    fixes: tuple[msgspec.Raw, ...]


# -- the pass -------------------------------------------------------------------------------------------------------------


async def page(request: Request) -> Response:
    """The pass, its verdict and everything a driver needs; made to be kept by the phone for when there is no line."""
    house, caller = house_of(request), caller_of(request)
    bound = await run_in_threadpool(bound_of, house, caller)
    if bound is None:
        mark = request.cookies.get(access.cookie_name(house, DRIVER), "")
        left = await run_in_threadpool(house.store.registry.phone_left, digest(mark)) if mark else None
        moved_at = left.decided_at if left is not None else None
        response = render(request, "driver/link.html", status=403, state="moved" if moved_at else "none", moved_at=moved_at)
        # Whatever this phone kept of a pass it is no longer bound to goes with the answer.
        if mark:
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response
    t = texts(language_of(request))
    values = await run_in_threadpool(_page_values, house, bound, t)
    return _timed(request, render(request, "driver/page.html", **values))


async def card(request: Request) -> Response:
    """The part of the page that changes, asked for every half minute."""
    house, bound = house_of(request), await _must_be_bound(request)
    t = texts(language_of(request))
    values = await run_in_threadpool(_card_values, house, bound, t)
    return _timed(request, render(request, "driver/card.html", **values))


async def live(request: Request) -> Response:
    """The live text of the pass at this moment, for a phone that cannot compute it."""
    house, bound = house_of(request), await _must_be_bound(request)
    screen = await run_in_threadpool(house.office.screen, bound.state.grant.pass_id)
    return answer({"text": screen.live_text(house.now()), "step_s": screen.step_s, "server_time": house.now()})


async def sheet(request: Request) -> Response:
    """The paper pass, to be printed."""
    house, bound = house_of(request), await _must_be_bound(request)
    grant = bound.state.grant

    def work() -> tuple[str, dict[str, str], Loop | None]:
        text = house.office.sheet_text(grant.pass_id)
        return text, house.store.registry.names(bound.state.crew), house.store.loops().in_force(grant.loop, house.now())

    text, names, loop = await run_in_threadpool(work)
    lang = language_of(request)
    return render(
        request,
        "driver/sheet.html",
        zone=loop.zone if loop else None,
        plate=bound.vehicle,
        text=text,
        number=grant.pass_id,
        check=passes.check_character(grant.pass_id),
        crew=[names.get(person, person) for person in bound.state.crew],
        carrier=grant.carrier,
        not_before=grant.not_before,
        expires=grant.expires,
        loop_name=getattr(loop.name, lang) if loop else grant.loop,
    )


def _timed(request: Request, response: Response) -> Response:
    """Put the server's time on an answer, and who asked: a page that comes out of the phone's own store shows by it."""
    response.headers["X-Server-Time"] = str(int(house_of(request).now().timestamp() * 1000))
    asked_at = request.headers.get("x-asked-at", "")
    if asked_at.isascii() and asked_at.isdecimal() and len(asked_at) < 20:
        response.headers["X-Asked-At"] = asked_at
    return response


def _page_values(house: House, bound: Bound, t: Texts) -> dict[str, Any]:
    grant = bound.state.grant
    loop = house.store.loops().in_force(grant.loop, house.now())
    try:
        screen: Screen | None = house.office.screen(grant.pass_id)
    except Unknown:
        screen = None
    return _card_values(house, bound, t) | {
        "plate": bound.vehicle,
        "screen": screen,
        "prefix": passes.PREFIX,
        "begins_s": int(grant.not_before.timestamp()),
        "number": grant.pass_id,
        "check": passes.check_character(grant.pass_id),
        "not_before": grant.not_before,
        "expires": grant.expires,
        "phones": _telephones(loop, t),
    }


def _card_values(house: House, bound: Bound, t: Texts) -> dict[str, Any]:
    """What the card's template needs. The key makes a form that is sent twice one fact."""
    now = house.now()
    look = house.watch.look(bound.vehicle)
    found = Card()
    if look is not None:
        names = house.store.registry.names(bound.state.crew)
        loops = [look.view.loop] if look.view.loop else []
        words = Words(t, now, zone_of(house, bound), loops, names)
        mates = [person for person in bound.state.crew if person != bound.link.person]
        house.store.traces.note(reader=bound.link.person, role=DRIVER, way="cookie", what="mate", people=mates, at=now)
        found = card_of(look.view, look.judgement, _reading(house, bound, now), bound.link.person, words, now)
    return {"card": found, "key": secrets.token_hex(8), "zone": zone_of(house, bound)}


def _reading(house: House, bound: Bound, now: datetime) -> passes.Reading | None:
    """The pass as the next gate would read it off this phone now."""
    try:
        screen = house.office.screen(bound.state.grant.pass_id)
        return passes.read(screen.live_text(now) or screen.text, house.store.registry.trusted_keys())
    except (Unknown, ValueError):
        return None


def zone_of(house: House, bound: Bound) -> ZoneInfo:
    """The zone of the loop that a phone's pass is for."""
    loop = house.store.loops().in_force(bound.state.grant.loop, house.now())
    return loop.zone if loop is not None else FALLBACK_ZONE


def _telephones(loop: Loop | None, t: Texts) -> list[Telephone]:
    stations = loop.stations if loop is not None else ()
    return [Telephone(name=getattr(s.name, t.lang), number=s.phone) for s in stations if s.phone][:MOST_PHONES]


# -- a word back --------------------------------------------------------------------------------------------------------------


async def call_help(request: Request) -> Response:
    """A driver calls for help."""
    bound, form = await _must_be_bound(request), await request.form()
    words = _words(str(form.get("words", "")))
    what = HelpCalled(person=bound.link.person, vehicle=bound.vehicle, words=words)
    return await _said(request, bound, what, str(form.get("key", "")), "driver.help.sent")


async def contest(request: Request) -> Response:
    """A driver disagrees with a colour or a verdict."""
    bound, form = await _must_be_bound(request), await request.form()
    words, target = _words(str(form.get("words", ""))), str(form.get("target", ""))[:300]
    if not words or not target:
        raise Problem(422, "malformed", why=texts(language_of(request))("fault.reason-wanted"))
    what = Contested(person=bound.link.person, vehicle=bound.vehicle, target=target, words=words)
    return await _said(request, bound, what, str(form.get("key", "")), "driver.contest.sent")


async def _said(request: Request, bound: Bound, what: Happening, key: str, sent: str) -> Response:
    """Take a driver's word in; the same form sent again is the same word."""
    house = house_of(request)
    name = digest_id("said", bound.link.id, key or secrets.token_hex(8), type(what).__name__)
    fact = Fact(id=name, at=house.now(), witness=f"phone:{bound.link.id}", by=bound.link.person, what=what)  # type: ignore[arg-type]

    def work() -> None:
        if house.store.fact(name) is None:
            house.intake.record(fact)

    await run_in_threadpool(work)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/driver", 303)
    return answer({"said": texts(language_of(request))(sent), "at": house.now()})


def _words(text: str) -> str:
    return text.replace("\x00", "").strip()[:1000]


# -- positions ----------------------------------------------------------------------------------------------------------------


async def positions(request: Request) -> Response:
    """Positions that a phone kept; answered when they are held. What cannot be read is kept aside and blocks nothing."""
    house, bound = house_of(request), await _must_be_bound(request)
    batch = await body_of(request, PhoneFixes)
    if len(batch.fixes) > MOST_FIXES:
        raise Problem(413, "too-many-fixes", most=MOST_FIXES)
    taken = await run_in_threadpool(_take, house, bound, batch)
    return answer({"held": taken, "server_time": house.now()})


def _take(house: House, bound: Bound, batch: PhoneFixes) -> int:
    found = []
    for raw in batch.fixes:
        try:
            fix = msgspec.json.decode(raw, type=PhoneFix)
            if fix.fixed_at.tzinfo is None:
                raise msgspec.ValidationError("an instant with its zone is wanted - at `$.fixed_at`")
            if fix.pass_id not in ("", bound.state.grant.pass_id):
                # Kept by the phone from an earlier pass, and another truck: it is not laid to this one.
                house.intake.keep_aside(bound.device, bytes(raw), "position-other-pass")
                continue
            said = msgspec.structs.asdict(fix)
            del said["pass_id"]
            found.append(Fix(device=bound.device, **said))
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            house.intake.keep_aside(bound.device, bytes(raw), "position-unreadable", str(error))
    taken = house.intake.take_fixes(found)
    if taken.refused:
        raise Problem(503, "busy", headers={"Retry-After": "60"})
    return len(batch.fixes)


# -- who is calling, and what the phone keeps ---------------------------------------------------------------------------------


def bound_to(house: House, link: Link) -> Bound:
    """What a link opens, as it stands."""
    return Bound(link=link, state=house.office.pass_state(link.pass_id))


def bound_of(house: House, caller: Caller) -> Bound | None:
    """The pass that the caller's phone is bound to; None when it is none, or no longer."""
    if caller.role != DRIVER:
        return None
    link = house.store.registry.link(caller.who)
    return bound_to(house, link) if link is not None and link.closed_at is None else None


async def _must_be_bound(request: Request) -> Bound:
    bound = await run_in_threadpool(bound_of, house_of(request), caller_of(request))
    if bound is None:
        raise Problem(403, "not-bound")
    return bound


async def worker(request: Request) -> Response:
    """The service worker that keeps the pass at hand; it may look after `/driver` itself."""
    headers = {"Service-Worker-Allowed": "/driver", "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers=headers)


async def manifest(request: Request) -> Response:
    """What a phone needs to put the pass on its home screen."""
    t = texts(language_of(request))
    icon = {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}
    body = {
        "name": t("driver.title"),
        "short_name": t("driver.title"),
        "lang": "zh-Hans" if t.lang == "zh" else "en",
        "start_url": "/driver",
        "scope": "/driver",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": [icon],
    }
    return Response(msgspec.json.encode(body), media_type="application/manifest+json", headers={"Cache-Control": "no-cache"})


ROUTES = (
    Rule("/driver", ("GET",), page, (DRIVER, ANYONE)),
    Rule("/driver/card", ("GET",), card, (DRIVER,)),
    Rule("/driver/live", ("GET",), live, (DRIVER,)),
    Rule("/driver/sheet", ("GET",), sheet, (DRIVER,)),
    Rule("/driver/help", ("POST",), call_help, (DRIVER,), rate=HELP, vital=True),
    Rule("/driver/contest", ("POST",), contest, (DRIVER,)),
    Rule("/driver/positions", ("POST",), positions, (DRIVER,), body_bytes=BATCH_BYTES),
    Rule("/driver/sw.js", ("GET",), worker, (ANYONE,)),
    Rule("/driver/manifest.webmanifest", ("GET",), manifest, (ANYONE,)),
)
