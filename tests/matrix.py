"""How every route is asked: for one's own, for somebody else's, and for what nobody has.

A route with a place in its path, or that changes anything, is declared in `CASES`, or `test_matrix.py` fails: so nobody adds
one and forgets to say whose its objects are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from checkpoint.core.facts import Loaded
from checkpoint.web.access import CARRIER, COORDINATOR, LABORATORY, Caller, digest
from checkpoint.web.devices import new_tracker
from tests.ground import LOOP, T0, document
from tests.matrix_world import BROWSERS, FOREIGN, OWN, PROGRAMS, PUBLIC_KEY, World, factor_stands, session_stands


class Ask(NamedTuple):
    """A request: what stands in its path, and what it sends."""

    path: str
    send: dict[str, Any] = {}  # noqa: RUF012 (never changed)


Asking = Callable[["World", str, str], Ask]


class Case(NamedTuple):
    """How a route is asked as a role for an object that is `own`, `foreign` or `missing`. `hidden` are the roles that have
    foreign objects here: to them a foreign one is as one that does not exist. `objects`: there is something to be missing.
    `stands` tells whether a foreign object is still there, for a route that answers alike whatever became of it."""

    ask: Asking
    hidden: frozenset[str] = frozenset()
    objects: bool = False
    stands: Callable[[World, str], bool] | None = None


# -- how a route is declared ------------------------------------------------------------------------------------------


def one(
    kind: str,
    *hidden: str,
    once: bool = False,
    more: str = "",
    stands: Callable[[World, str], bool] | None = None,
    **send: Any,
) -> Case:
    """A route about one object that its path names, and `more` that follows it there. `once`: asking changes it, so each
    asking gets its own."""

    def ask(world: World, role: str, owner: str) -> Ask:
        return Ask(world.of(kind, owner, role, fresh=once) + more, send)

    return Case(ask, frozenset(hidden), objects=True, stands=stands)


def plain(**send: Any) -> Case:
    """A route that names no object of anybody's."""
    return Case(lambda *_: Ask("", send))


def made(ask: Callable[[World, str, str], Mapping[str, Any]], *hidden: str) -> Case:
    """A route whose body names an object."""
    return Case(lambda world, role, owner: Ask("", dict(ask(world, role, owner))), frozenset(hidden))


def _wanted(world: World, role: str, owner: str) -> dict[str, Any]:
    return {"json": {
        "carrier": world.office(CARRIER, owner), "vehicle": world.plate(), "crew": [{"name": "张三"}], "loop": LOOP,
        "not_before": T0.isoformat(), "expires": (T0 + timedelta(days=1)).isoformat(),
    }}  # fmt: skip


def _witnessed(world: World, role: str, owner: str) -> dict[str, Any]:
    own, other = world.machine(OWN), world.machine(FOREIGN)
    what = Loaded(vehicle=world.plate(), pass_id="", parcels_count=1, seal="x")
    witness = own.enrolment.witness if owner == OWN else other.enrolment.witness
    station = own.enrolment.station if owner == OWN else other.enrolment.station
    return {"content": own.batch((what, f"k-{world.number()}"), witness=witness, station=station)}


def _as_tracker(world: World, role: str, owner: str) -> dict[str, Any]:
    device, found = new_tracker(world.house, world.plate(), Caller(role=COORDINATOR, by="x"))
    return {"json": {"_type": "lwt"}, "auth": (device, found.key)}


def _released(world: World, role: str, owner: str) -> dict[str, Any]:
    return {"json": {"device": new_tracker(world.house, world.plate(), Caller(role=COORDINATOR, by="x"))[0]}}


def _next_key(world: World, role: str, owner: str) -> dict[str, Any]:
    own = world.machine(OWN).enrolment
    hashed = digest(own.bearer)
    signer = own if owner == OWN else world.machine(FOREIGN).enrolment
    return {"json": {"key_hash": hashed, "signature": signer.signed(f"key|{hashed}")}}


WHY: dict[str, Any] = {"json": {"reason": "说明"}}
FORM_WHY: dict[str, Any] = {"data": {"reason": "说明"}}
CASES: dict[tuple[str, str], Case] = {
    # kiosks
    ("POST", "/api/v1/enrol"): plain(json={"token": "none", "public_key": PUBLIC_KEY}),
    ("POST", "/api/v1/facts"): made(_witnessed),
    ("POST", "/api/v1/returned"): plain(json={"facts": []}),
    ("POST", "/api/v1/kiosk/key"): made(_next_key),
    ("GET", "/api/v1/positions/osmand"): plain(),
    ("POST", "/api/v1/positions/osmand"): plain(),
    ("POST", "/api/v1/positions/owntracks"): made(_as_tracker),
    # coming in
    ("POST", "/sign-in"): plain(data={}),
    ("POST", "/sign-out"): plain(),
    ("POST", "/api/v1/session"): plain(json={"role": "carrier", "password": "x", "office": "x"}),
    ("POST", "/sign-in/code"): plain(data={}),
    ("POST", "/sign-in/passkey/ask"): plain(),
    ("POST", "/sign-in/passkey"): plain(json={}),
    ("GET", "/join/{token}"): one("invitation"),
    ("POST", "/join/{token}"): one("invitation", once=True, data={"passphrase": "short"}),
    ("POST", "/join/{token}/strength"): one("invitation", data={"passphrase": "short"}),
    ("POST", "/api/v1/invitations"): plain(json={"invitation": "none", "passphrase": "short"}),
    ("DELETE", "/api/v1/session"): plain(),
    ("POST", "/confirm"): plain(data={}),
    ("POST", "/confirm/passkey/ask"): plain(),
    ("POST", "/confirm/passkey"): plain(json={}),
    # one's own account, and those of others
    ("POST", "/account/passphrase"): plain(data={}),
    ("POST", "/account/strength"): plain(data={"passphrase": "short"}),
    ("POST", "/account/totp"): plain(),
    ("POST", "/account/totp/confirm"): plain(data={}),
    ("POST", "/account/passkeys/ask"): plain(),
    ("POST", "/account/passkeys"): plain(json={}),
    ("POST", "/account/recovery"): plain(),
    ("POST", "/account/factors/{factor}/remove"): one("factor", *BROWSERS, once=True, stands=factor_stands),
    ("POST", "/account/sessions/{session}/end"): one("session", *BROWSERS, once=True, stands=session_stands),
    ("POST", "/accounts"): plain(data={}),
    ("POST", "/accounts/{account}/reset"): one("account", once=True),
    ("POST", "/accounts/{account}/disable"): one("account", once=True),
    ("POST", "/accounts/{account}/enable"): one("account", once=True),
    ("POST", "/accounts/{account}/sessions/end"): one("account", once=True),
    ("POST", "/api/v1/accounts"): plain(json={"account": "x", "name": "x", "role": "x"}),
    # trucks
    ("GET", "/vehicles/{plate}"): one("plate", CARRIER),
    ("GET", "/vehicles/{plate}/plan.json"): one("plate", CARRIER),
    ("GET", "/vehicles/{plate}/replay"): one("plate", CARRIER),
    ("GET", "/vehicles/{plate}/import"): one("plate"),
    ("POST", "/vehicles/{plate}/import"): one("plate", files={"file": ("t.csv", b"time,lat,lon\n1777776000,28,120.6\n")}),
    ("GET", "/vehicles/{plate}/replay.json"): one("plate", CARRIER),
    ("GET", "/journeys/{journey}"): one("journey", CARRIER),
    ("GET", "/api/v1/vehicles/{vehicle}"): one("plate", CARRIER),
    ("GET", "/api/v1/journeys/{journey}"): one("journey", CARRIER),
    ("GET", "/api/v1/warnings/{warning}"): one("warning", CARRIER),
    ("POST", "/warnings/{warning}/answer"): one("warning", data={"answer": "已联系"}),
    ("POST", "/api/v1/warnings/{warning}/answer"): one("warning", json={"answer": "已联系"}),
    ("GET", "/facts/{fact}"): one("fact"),
    ("POST", "/facts/{fact}/void"): one("fact", once=True, data={"reason": "扫错"}),
    ("POST", "/facts/{fact}/amend"): one("fact", once=True, data={"reason": "数错"}),
    # passes
    ("POST", "/passes/new"): plain(data={"vehicle": "x"}),
    ("POST", "/api/v1/pass-requests"): made(_wanted, CARRIER),
    ("GET", "/api/v1/pass-requests/{request}"): one("request", CARRIER),
    ("POST", "/passes/requests/{request}/grant"): one("request", once=True),
    ("POST", "/passes/requests/{request}/refuse"): one("request", once=True, **FORM_WHY),
    ("POST", "/api/v1/pass-requests/{request}/grant"): one("request", once=True),
    ("POST", "/api/v1/pass-requests/{request}/refuse"): one("request", once=True, **WHY),
    ("GET", "/passes/{pass_id}"): one("pass", CARRIER),
    ("GET", "/passes/{pass_id}/sheet"): one("pass", CARRIER),
    ("GET", "/api/v1/passes/{pass_id}"): one("pass", CARRIER),
    ("POST", "/passes/{pass_id}/reissue"): one("pass", once=True),
    ("POST", "/passes/{pass_id}/revoke"): one("pass", once=True, **FORM_WHY),
    ("POST", "/api/v1/passes/{pass_id}/reissue"): one("pass", once=True),
    ("POST", "/api/v1/passes/{pass_id}/revoke"): one("pass", once=True, **WHY),
    ("POST", "/passes/phones/{request}/approve"): one("phone", once=True),
    ("POST", "/passes/phones/{request}/refuse"): one("phone", once=True),
    # the plan
    ("POST", "/loops"): plain(data={"document": "{}"}),
    ("POST", "/loops/line"): plain(data={"loop": LOOP, "leg": "outbound", "text": "x"}),
    ("GET", "/loops/{loop}/{version:int}"): one("loop"),
    ("POST", "/api/v1/loops"): plain(content=json.dumps(document(id="third")).encode()),
    # stations
    ("POST", "/stations/kiosks"): plain(data={"station": "panqiao"}),
    ("POST", "/stations/kiosks/{kiosk}/close"): one("kiosk", once=True),
    ("POST", "/stations/kiosks/{kiosk}/renew"): one("kiosk", once=True),
    ("POST", "/stations/staff"): plain(data={"name": "林夏", "pin": "2468"}),
    ("POST", "/stations/staff/{member}"): one("member", once=True, data={"active": "0"}),
    ("POST", "/stations/staff/{member}/badge"): one("member", once=True),
    ("GET", "/stations/staff/{member}/badge"): one("member"),
    ("POST", "/stations/staff/{member}/badge/revoke"): one("member", once=True),
    ("POST", "/stations/devices"): plain(data={"device": "860123", "vehicle": "浙C12345"}),
    ("POST", "/stations/trackers"): plain(data={"vehicle": "浙C12345"}),
    ("GET", "/stations/trackers/{device:path}"): one("tracker"),
    ("POST", "/stations/trackers/{device:path}"): one("tracker", once=True),
    ("POST", "/stations/terminals"): plain(data={"number": "013900000001", "vehicle": "浙C12345"}),
    ("POST", "/api/v1/terminals"): plain(json={"number": "013900000001", "vehicle": "浙C12345"}),
    ("GET", "/stations/terminals/{device}"): one("terminal"),
    ("POST", "/stations/terminals/{device}/open"): one("terminal"),
    ("POST", "/stations/terminals/{device}/orders"): one("terminal"),
    ("POST", "/stations/terminals/{device}/shut-out"): one("terminal", once=True),
    ("POST", "/stations/release/{device:path}"): one("tracker", once=True),
    ("POST", "/stations/shut-out/{device:path}"): one("tracker", once=True),
    ("GET", "/stations/declared/{device:path}"): one("tracker"),
    ("POST", "/stations/declared/{device:path}"): one("tracker", data={"datum": "WGS-84", "minutes": "0"}),
    ("POST", "/api/v1/devices"): plain(json={"device": "860124", "vehicle": "浙C12345"}),
    ("POST", "/api/v1/devices/release"): made(_released),
    ("POST", "/api/v1/kiosks"): plain(json={"station": "panqiao"}),
    ("POST", "/api/v1/staff"): plain(json={"name": "林夏", "pin": "2468"}),
    # laboratories
    ("POST", "/lab"): plain(data={}),
    ("POST", "/api/v1/lab/results"): plain(json={"results": []}),
    ("GET", "/api/v1/lab/results/{result}"): one("result", LABORATORY),
    # phones
    ("GET", "/d/{token}"): one("link"),
    ("POST", "/d/{token}"): one("link", once=True),
    ("POST", "/d/{token}/ask"): one("link"),
    ("POST", "/driver/help"): plain(data={"words": "爆胎"}),
    # What a driver contests is a text about the own truck, whatever it says: there is no foreign one to name.
    ("POST", "/driver/contest"): plain(data={"words": "封路了", "target": "off-loop"}),
    ("POST", "/driver/positions"): plain(json={"fixes": []}),
    # programs
    ("POST", "/tokens"): plain(data={"name": "程序", "days": "30", "role": "coordinator"}),
    ("POST", "/tokens/{token}/revoke"): one("token", COORDINATOR, CARRIER, LABORATORY, once=True),
    ("POST", "/webhooks"): plain(data={"url": "x"}),
    ("GET", "/webhooks/{webhook}"): one("webhook", *PROGRAMS),
    ("POST", "/webhooks/{webhook}/secret"): one("webhook", *PROGRAMS),
    ("POST", "/webhooks/{webhook}/{what}"): one("webhook", *PROGRAMS, more="/pause"),
    ("POST", "/api/v1/webhooks"): plain(json={"url": "x", "events": []}),
    ("GET", "/api/v1/webhooks/{webhook}"): one("webhook", *PROGRAMS),
    ("DELETE", "/api/v1/webhooks/{webhook}"): one("webhook", *PROGRAMS, once=True),
    ("POST", "/api/v1/webhooks/{webhook}/secret"): one("webhook", *PROGRAMS),
    ("POST", "/api/v1/webhooks/{webhook}/pause"): one("webhook", *PROGRAMS),
    ("POST", "/api/v1/webhooks/{webhook}/resume"): one("webhook", *PROGRAMS),
    ("GET", "/api/v1/webhooks/{webhook}/deliveries"): one("webhook", *PROGRAMS),
    # people's data
    ("POST", "/people/terms"): plain(data={}),
    ("POST", "/people/find"): plain(data={"number": "x"}),
    ("POST", "/people/{person}/export"): one("person"),
    ("POST", "/people/{person}/erase"): one("person", once=True, data={"reason": "说明"}),
    # files and words
    ("GET", "/static/vendor/{path:path}"): Case(lambda *_: Ask("maplibre-gl/dist/maplibre-gl.css")),
    ("GET", "/static/web/{path:path}"): Case(lambda *_: Ask("board.css")),
    ("GET", "/static/{path:path}"): Case(lambda *_: Ask("tokens.css")),
    ("GET", "/problems/{kind}"): Case(lambda *_: Ask("not-found")),
}  # fmt: skip
# Streams do not end by themselves.
ENDLESS = frozenset({"/events"})


def path_of(pattern: str, ask: Ask) -> str:
    """A route's address with what was asked in its places, one after the other; the last text fills what is left."""
    texts = ask.path.split("/") if pattern.count("{") > 1 else [ask.path]

    def text(place: re.Match[str]) -> str:
        found = texts.pop(0) if len(texts) > 1 else texts[0]
        return found if place[1] != ":int" or found.isdecimal() else "1"

    return re.sub(r"\{\w+(:\w+)?\}", text, pattern)
