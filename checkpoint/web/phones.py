"""Other phones at the desk: who asks for which pass, and the decision.

Of a phone only a coarse word is kept, enough for a driver to say on the telephone "yes, that one is mine".
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.granting import Settled, Unknown
from checkpoint.store.registry import PhoneRequest
from checkpoint.ui import texts
from checkpoint.web.access import COORDINATOR, Rule, caller_of
from checkpoint.web.api import faulty
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of
from checkpoint.web.problems import Problem
from checkpoint.wish import Faulty

# What a browser says of itself, in the order in which it counts, and our coarse word for it.
_MACHINES = (
    ("iPhone", "iphone"), ("iPad", "ipad"), ("OpenHarmony", "harmony"), ("HarmonyOS", "harmony"), ("Android", "android"),
    ("Windows", "windows"), ("Macintosh", "mac"), ("Linux", "linux"),
)  # fmt: skip
_PROGRAMS = (("MicroMessenger", "wechat"), ("DingTalk", "dingtalk"), ("AlipayClient", "alipay"))


class Asking(NamedTuple):
    """A phone that waits, as the desk shows it."""

    request: PhoneRequest
    plate: str
    name: str
    machine: str
    program: str


def kind_of(user_agent: str) -> str:
    """A coarse word for a phone, and for the program the link was opened in where that is a known one: `android wechat`."""
    machine = next((word for sign, word in _MACHINES if sign in user_agent), "other")
    program = next((word for sign, word in _PROGRAMS if sign in user_agent), "")
    return f"{machine} {program}".strip()


def waiting(house: House, now: datetime, pass_id: str | None = None) -> list[Asking]:
    """The phones that wait, the oldest first."""
    asked = house.store.registry.phones_waiting(now, pass_id)
    names = house.store.registry.names({each.person for each in asked})
    found = []
    for each in asked:
        machine, _, program = each.kind.partition(" ")
        plate = house.office.pass_state(each.pass_id).grant.vehicle
        found.append(Asking(each, plate, names.get(each.person, each.person), machine, program))
    return found


async def approve(request: Request) -> Response:
    """Move a pass to the phone that asks; the one before loses it at once."""
    return await run_in_threadpool(_decide, request, "approved")


async def refuse(request: Request) -> Response:
    """Refuse a phone; the one that is bound stays."""
    return await run_in_threadpool(_decide, request, "refused")


def _decide(request: Request, what: str) -> Response:
    house, by, t = house_of(request), caller_of(request).by, texts(language_of(request))
    registry = house.store.registry
    asked = registry.phone_request(request.path_params["request"])
    if asked is None:
        raise Problem(404, "no-phone")
    try:
        if what == "refused":
            if not registry.decide_phone(asked.id, "refused", by):
                raise Settled("decided")
        else:
            house.office.rebind(
                asked.pass_id, asked.phone_hash, by, lambda before: registry.decide_phone(asked.id, "approved", by, before)
            )
    except Unknown:
        raise Problem(404, "no-pass") from None
    except Settled as error:
        raise Problem(409, "settled", state=t(f"state.{error.state}")) from None
    except Faulty as error:
        raise faulty(request, error) from None
    house.hub.publish("board", {})
    return RedirectResponse(f"/passes/{asked.pass_id}", 303)


DESK = (COORDINATOR,)
ROUTES = (
    Rule("/passes/phones/{request}/approve", ("POST",), approve, DESK),
    Rule("/passes/phones/{request}/refuse", ("POST",), refuse, DESK),
)
