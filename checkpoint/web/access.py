"""Who is calling, and may they: the gate before every route.

The law of this file: a route is a `Rule` and names who may call it; nothing is reachable that is not in the table, and nobody
passes who is not named. Ways to say who one is: a session cookie (people), a bearer token (programs: of a session, or one made
for the program, which opens the API and no page), a kiosk's own key. A role that acts in a browser acts from our own pages
only: a request that another site set off is refused.

A session ends by itself: when nobody used it for a while, and after a working day whatever happens. What a page fetches by
itself is no use of it. A row with `step_up` wants to know again who is there: the last proof is at most ten minutes old.

A driver's session lives in a cookie of its own, so that a coordinator may try a driver's link in the same browser.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive

from checkpoint.store import StorageFailed
from checkpoint.web import bounds, idempotency
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import ORDINARY, STRANGERS, Rate
from checkpoint.web.problems import Problem, wants_page
from checkpoint.web.visitor import PROGRAM

if TYPE_CHECKING:
    from checkpoint.store.registry import Kiosk, Session

ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY, STATION, DRIVER, KIOSK, ANYONE = (
    "administrator", "coordinator", "carrier", "laboratory", "station", "driver", "kiosk", "anyone",
)  # fmt: skip
ROLES = (ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY, STATION, DRIVER, KIOSK, ANYONE)
WITH_ACCOUNT = (ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY)
# What an API token begins with: whoever finds one in a log or a repository knows what it is.
BEGINS_WITH = "checkpoint_"
# How often it is noted that a token was used: each time would cost a commit.
NOTED_EVERY = timedelta(minutes=5)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Where each role begins its day.
HOME = {ADMINISTRATOR: "/accounts", COORDINATOR: "/", CARRIER: "/passes", LABORATORY: "/lab"}
# How long a session lasts whatever happens, and how long unused. An administrator's can do most, and is short.
SESSION = timedelta(hours=12)
# How programs say who they are: a token that no site can make a browser send.
PROGRAMS = ("bearer", "token")
LASTING = dict.fromkeys(WITH_ACCOUNT, SESSION) | {ADMINISTRATOR: timedelta(hours=8)}
IDLE = {role: timedelta(hours=2) for role in WITH_ACCOUNT} | {ADMINISTRATOR: timedelta(minutes=30)}
SEEN_EVERY = timedelta(minutes=1)
FRESH = timedelta(minutes=10)
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is calling. `who` is the id within the role (carrier, kiosk, pass), `name` what the person gave at sign-in,
    `by` the pseudonym their facts carry, `kiosk` the kiosk itself, as the gate read it; `writes`: it may change things. Of a
    person's session: whose `account` it is, the `session` by its token's hash, when it last `proved` who holds it, and whether
    it is `limited` to setting up a second factor."""

    role: str
    who: str = ""
    name: str = ""
    by: str = ""
    way: str = ""
    kiosk: Kiosk | None = None
    writes: bool = True
    account: str = ""
    session: str = ""
    proved: datetime | None = None
    limited: bool = False

    @property
    def witness(self) -> str:
        """Whom the facts that this caller tells are witnessed by."""
        return {KIOSK: f"kiosk:{self.who}", LABORATORY: f"lab:{self.who}", DRIVER: f"phone:{self.who}"}.get(
            self.role, f"desk:{self.role}"
        )


NOBODY = Caller(role=ANYONE)


@dataclass(frozen=True)
class Rule:
    """One row of the route table: where, how, what answers, who may, how large a body may be and how often one may ask.

    `step_up`: only with a fresh proof that it is still they. `step_up_people`: the same, but for a program's token, which was
    made with such a proof. `limited`: also for somebody who must set up a second factor
    before anything else. `vital`: it never waits behind others.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: Endpoint
    who: frozenset[str] | tuple[str, ...]
    body_bytes: int = 64 * 1024
    step_up: bool = False
    step_up_people: bool = False
    rate: Rate = ORDINARY
    vital: bool = False
    limited: bool = False

    def __post_init__(self) -> None:
        """A row that names nobody, or somebody unknown, is a mistake of ours."""
        object.__setattr__(self, "who", frozenset(self.who))
        if not self.who or not set(self.who) <= set(ROLES):
            raise ValueError(f"{self.path}: who may call it? {sorted(self.who)}")


def caller_of(request: Request) -> Caller:
    """Who is calling, as the gate found out."""
    caller: Caller = request.state.caller
    return caller


def guarded(rule: Rule) -> Route:
    """The row as a route with the gate before it."""

    async def endpoint(request: Request) -> Response:
        house = house_of(request)
        callers = await _callers(request, house)
        request.state.caller = caller = _admitted(callers, rule)
        if "\0" in request.scope["path"]:  # names nothing that a database can hold
            raise Problem(404, "not-found")
        if caller is None:
            if not callers:
                bounds.spend(request, house.limits, STRANGERS, None)
            # Whoever is known to us by another role is told so by the page itself.
            request.state.caller = next(iter(callers), None)
            if callers:
                home = HOME.get(callers[0].role, "/")
                if request.url.path == "/" != home and wants_page(request):
                    return RedirectResponse(home, 303)
                raise Problem(403, "not-yours")
            if request.method == "GET" and wants_page(request):
                return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
            raise Problem(401, "sign-in", headers={"WWW-Authenticate": "Bearer"})
        bounds.spend(request, house.limits, rule.rate, caller)
        if request.method not in SAFE and caller.way not in PROGRAMS and _from_elsewhere(request):
            raise Problem(403, "other-site")
        if caller.way == "token":
            _within_its_scope(request, caller)
        if caller.limited and not rule.limited and caller.role in rule.who:
            if request.method == "GET" and wants_page(request):
                return RedirectResponse("/account", 303)
            raise Problem(403, "factor-wanted")
        wanted = rule.step_up or (rule.step_up_people and caller.way != "token")
        if wanted and not is_fresh(caller, house):
            if caller.way == "token":
                raise Problem(403, "token-step-up")
            if wants_page(request) and caller.way == "cookie":
                return RedirectResponse(f"/confirm?next={quote(_page_of(request))}", 303)
            raise Problem(403, "step-up")
        counted = Request(request.scope, _limited(request, rule.body_bytes))
        await bounds.whole(counted)
        async with bounds.place(house.limits, vital=rule.vital):
            if request.method not in SAFE and idempotency.KEY in request.headers and caller.role != ANYONE:
                return await idempotency.once(counted, f"{caller.role}|{caller.who}|{caller.by}", rule.endpoint)
            return await rule.endpoint(counted)

    endpoint.__name__ = getattr(rule.endpoint, "__name__", "endpoint")
    return Route(rule.path, endpoint, methods=list(rule.methods))


def _within_its_scope(request: Request, caller: Caller) -> None:
    """A program's token opens the API, and for writing only when it was made for that."""
    if not request.url.path.startswith("/api/"):
        raise Problem(403, "token-pages")
    if request.method not in SAFE and not caller.writes:
        raise Problem(403, "token-reads")


def is_fresh(caller: Caller, house: House) -> bool:
    """Whether a caller has shown a short while ago who they are."""
    return caller.proved is not None and timedelta() <= house.now() - caller.proved <= house.lasting(FRESH)


def _page_of(request: Request) -> str:
    """The page to go back to once it is clear who is there: the one asked for, or the one that the button stands on."""
    if request.method == "GET":
        return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    parts = urlsplit(request.headers.get("referer", ""))
    return parts.path if parts.netloc == request.headers.get("host", "") and parts.path.startswith("/") else "/"


def _admitted(callers: Iterable[Caller], rule: Rule) -> Caller | None:
    callers = list(callers)
    for caller in callers:
        if caller.role in rule.who:
            return caller
    return (callers[0] if callers else NOBODY) if ANYONE in rule.who else None


async def _callers(request: Request, house: House) -> list[Caller]:
    """Everyone this request shows itself to be: by bearer token, by session cookie, by driver's cookie."""
    found: list[Caller] = []
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        # One probe of an index, on the way of every scan: going to a thread for it would cost ten times as much. A database
        # server may let it wait, and then everybody would.
        find, mark = house.store.registry.kiosk_by_key, digest(token.strip())
        kiosk = await run_in_threadpool(find, mark) if house.store.far else find(mark)
        if kiosk is not None:
            return [Caller(role=KIOSK, who=kiosk.id, way="bearer", kiosk=kiosk)]
        known = partial(_by_session, way="bearer", used=True) if not token.startswith(BEGINS_WITH) else _by_api_token
        by_token = await run_in_threadpool(known, house, token.strip())
        return [by_token] if by_token else []  # a wrong token is wrong: cookies do not mend it
    for name in (cookie_name(house, COORDINATOR), cookie_name(house, DRIVER)):
        token = request.cookies.get(name, "")
        if token:
            # What a page fetches by itself says nothing of whether somebody sits before it.
            used = request.method not in SAFE or request.headers.get("sec-fetch-dest", "document") != "empty"
            caller = await run_in_threadpool(_by_session, house, token, "cookie", used=used)
            # Each cookie opens its own kind of session only.
            if caller is not None and cookie_name(house, caller.role) == name:
                found.append(caller)
    return found


def _open(house: House, token_hash: str, way: str) -> Session | None:
    """The session of that hash, when it has not ended and was not left unused."""
    session, now = house.store.registry.session(token_hash), house.now()
    if session is None or session.expires <= now:
        return None
    # A browser's session is left alone by its own clock, however its token is shown: a cookie's value is no program's token.
    browsers = way == "cookie" or session.device not in ("", PROGRAM)
    if browsers and session.role in IDLE and now - session.seen >= house.lasting(IDLE[session.role]):
        return None
    return session


def still_in(house: House, caller: Caller) -> bool:
    """Whether a caller's session has not ended meanwhile: a stream outlives the request that opened it. Blocks."""
    return not caller.session or _open(house, caller.session, caller.way) is not None


def _by_session(house: House, token: str, way: str, *, used: bool) -> Caller | None:
    registry, now = house.store.registry, house.now()
    session = _open(house, digest(token), way)
    if session is None:
        return None
    if used and session.role != DRIVER and now - session.seen >= SEEN_EVERY:
        with suppress(StorageFailed):  # that it cannot be noted is no reason to turn anybody away
            registry.see_session(session.token_hash)
    if session.account:
        by = session.account
    else:
        by = f"{session.role}-{hashlib.sha256(session.name.encode()).hexdigest()[:6]}" if session.name else session.role
    return Caller(
        role=session.role,
        who=session.who,
        name=session.name,
        by=by,
        way=way,
        account=session.account,
        session=session.token_hash,
        proved=session.proved,
        limited=session.limited,
    )


def _by_api_token(house: House, text: str) -> Caller | None:
    registry, now = house.store.registry, house.now()
    token = registry.api_token(digest(text))
    if token is None or not token.opens(now):
        return None
    maker = registry.account(token.made_by)
    # An account that let itself in by program goes with all its ways in; what an administrator made for an office stays.
    if maker is not None and maker.disabled_at is not None and maker.role == token.role:
        return None
    if token.used_at is None or now - token.used_at >= NOTED_EVERY:
        with suppress(StorageFailed):  # that it cannot be noted is no reason to turn anybody away
            registry.api_token_used(token.id)
    who = token.office or token.role
    return Caller(role=token.role, who=who, name=token.name, by=token.id, way="token", writes=token.writes)


def _from_elsewhere(request: Request) -> bool:
    """Whether another site set this request off. Programs send neither header; a browser cannot leave both out."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def _limited(request: Request, most: int) -> Receive:
    """The request's body, counted as it streams in: a length that was announced is not believed, only used to refuse early."""
    announced = request.headers.get("content-length", "")
    too_large = Problem(413, "too-large", limit=most)
    if announced.isdecimal() and int(announced) > most:
        raise too_large
    receive, taken = request.receive, 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise too_large
        return message

    return counted


# -- sessions ---------------------------------------------------------------------------------------------------------


def digest(token: str) -> str:
    """How the registry knows a token: by its SHA-256, hex. A copy of the database opens nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def cookie_name(house: House, role: str) -> str:
    """The cookie of a role's session. The `__Host-` prefix binds it to host and https, where there is https."""
    name = "checkpoint-driver" if role == DRIVER else "checkpoint"
    return f"__Host-{name}" if house.secure else name


def open_session(
    house: House,
    *,
    role: str,
    who: str = "",
    name: str = "",
    lasting: timedelta = SESSION,
    account: str = "",
    proved: bool = True,
    limited: bool = False,
    device: str = "",
) -> str:
    """Open a session; the token returned is shown once and kept nowhere. Blocks: call it in a thread.

    `proved`: whoever gets it has just shown with their strongest proof who they are.
    """
    token, now = secrets.token_urlsafe(32), house.now()
    house.store.registry.open_session(
        digest(token),
        role=role,
        who=who,
        name=name,
        opened=now,
        expires=now + house.lasting(lasting),
        account=account,
        proved=now if proved else None,
        limited=limited,
        device=device,
    )
    return token


def set_cookie(response: Response, house: House, role: str, token: str, lasting: timedelta = SESSION) -> None:
    """Put a session's token where its browser keeps it."""
    response.set_cookie(
        cookie_name(house, role),
        token,
        max_age=int(lasting.total_seconds()),
        path="/",
        secure=house.secure,
        httponly=True,
        samesite="lax",
    )


KNOWN_COOKIE, KNOWN_LASTS = "checkpoint-known", timedelta(days=180)


def known_of(request: Request) -> str:
    """What a browser shows that has signed in before."""
    house = house_of(request)
    return request.cookies.get(f"__Host-{KNOWN_COOKIE}" if house.secure else KNOWN_COOKIE, "")[:400]


def set_known(response: Response, house: House, known: str) -> None:
    """Let a browser be known again when its session has ended: then others' guesses do not make its people wait."""
    name = f"__Host-{KNOWN_COOKIE}" if house.secure else KNOWN_COOKIE
    age = int(KNOWN_LASTS.total_seconds())
    response.set_cookie(name, known, max_age=age, path="/", secure=house.secure, httponly=True, samesite="strict")


async def end_session(request: Request, response: Response) -> None:
    """End the session that a request's cookie opened, here and in the browser."""
    house = house_of(request)
    name = cookie_name(house, COORDINATOR)
    token = request.cookies.get(name)
    if token:
        await run_in_threadpool(house.store.registry.close_session, digest(token))
    response.delete_cookie(name, path="/", secure=house.secure, httponly=True, samesite="lax")
