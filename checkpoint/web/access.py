"""Who is calling, and may they: the gate before every route.

The law of this file: a route is a `Rule` and names who may call it; nothing is reachable that is not in the table, and nobody
passes who is not named. Ways to say who one is: a session cookie (people), a bearer token (programs: of a session, or one made
for the program, which opens the API and no page), a kiosk's own key. A role that acts in a browser acts from our own pages
only: a request that another site set off is refused.

A driver's session lives in a cookie of its own, so that a coordinator may try a driver's link in the same browser.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive

from checkpoint.web import bounds, idempotency
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import ORDINARY, STRANGERS, Rate
from checkpoint.web.problems import Problem, wants_page

if TYPE_CHECKING:
    from checkpoint.store import Store
    from checkpoint.store.registry import Kiosk

ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY, STATION, DRIVER, KIOSK, ANYONE = (
    "administrator", "coordinator", "carrier", "laboratory", "station", "driver", "kiosk", "anyone",
)  # fmt: skip
ROLES = (ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY, STATION, DRIVER, KIOSK, ANYONE)
WITH_PASSWORD = (COORDINATOR, CARRIER, LABORATORY)
# What an API token begins with: whoever finds one in a log or a repository knows what it is.
BEGINS_WITH = "checkpoint_"
# How often it is noted that a token was used: each time would cost a commit.
NOTED_EVERY = timedelta(minutes=5)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION = timedelta(hours=12)
# How programs say who they are: a token that no site can make a browser send.
PROGRAMS = ("bearer", "token")
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is calling. `who` is the id within the role (carrier, kiosk, pass), `name` what the person gave at sign-in,
    `by` the pseudonym their facts carry, `kiosk` the kiosk itself, as the gate read it; `writes`: it may change things."""

    role: str
    who: str = ""
    name: str = ""
    by: str = ""
    way: str = ""
    kiosk: Kiosk | None = None
    writes: bool = True

    @property
    def witness(self) -> str:
        """Whom the facts that this caller tells are witnessed by."""
        return {KIOSK: f"kiosk:{self.who}", LABORATORY: f"lab:{self.who}", DRIVER: f"phone:{self.who}"}.get(
            self.role, f"desk:{self.role}"
        )


NOBODY = Caller(role=ANYONE)


@dataclass(frozen=True)
class Rule:
    """One row of the route table: where, how, what answers, who may, how large a body may be and how often one may ask;
    `step_up`: only with a fresh proof that it is still they; `vital`: it never waits behind others."""

    path: str
    methods: tuple[str, ...]
    endpoint: Endpoint
    who: frozenset[str] | tuple[str, ...]
    body_bytes: int = 64 * 1024
    step_up: bool = False
    rate: Rate = ORDINARY
    vital: bool = False

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
        if caller is None:
            if not callers:
                bounds.spend(request, house.limits, STRANGERS, None)
            # Whoever is known to us by another role is told so by the page itself.
            request.state.caller = next(iter(callers), None)
            if callers:
                raise Problem(403, "not-yours")
            if request.method == "GET" and wants_page(request):
                return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303)
            raise Problem(401, "sign-in", headers={"WWW-Authenticate": "Bearer"})
        bounds.spend(request, house.limits, rule.rate, caller)
        if request.method not in SAFE and caller.way not in PROGRAMS and _from_elsewhere(request):
            raise Problem(403, "other-site")
        if caller.way == "token":
            _within_its_scope(request, caller)
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
        # One probe of an index, on the way of every scan: going to a thread for it would cost ten times as much.
        kiosk = house.store.registry.kiosk_by_key(digest(token.strip()))
        if kiosk is not None:
            return [Caller(role=KIOSK, who=kiosk.id, way="bearer", kiosk=kiosk)]
        known = partial(_by_session, way="bearer") if not token.startswith(BEGINS_WITH) else _by_api_token
        by_token = await run_in_threadpool(known, house, token.strip())
        return [by_token] if by_token else []  # a wrong token is wrong: cookies do not mend it
    for name in (cookie_name(house, COORDINATOR), cookie_name(house, DRIVER)):
        token = request.cookies.get(name, "")
        if token:
            caller = await run_in_threadpool(_by_session, house, token, "cookie")
            # Each cookie opens its own kind of session only.
            if caller is not None and cookie_name(house, caller.role) == name:
                found.append(caller)
    return found


def _by_session(house: House, token: str, way: str) -> Caller | None:
    session = house.store.registry.session(digest(token))
    if session is None or session.expires <= house.now():
        return None
    if session.who.startswith("staff-"):
        by = session.who
    else:
        by = f"{session.role}-{hashlib.sha256(session.name.encode()).hexdigest()[:6]}" if session.name else session.role
    return Caller(role=session.role, who=session.who, name=session.name, by=by, way=way)


def _by_api_token(house: House, text: str) -> Caller | None:
    registry, now = house.store.registry, house.now()
    token = registry.api_token(digest(text))
    if token is None or not token.opens(now):
        return None
    if token.used_at is None or now - token.used_at >= NOTED_EVERY:
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


def open_session(house: House, *, role: str, who: str = "", name: str = "", lasting: timedelta = SESSION) -> str:
    """Open a session; the token returned is shown once and kept nowhere. Blocks: call it in a thread."""
    token, now = secrets.token_urlsafe(32), house.now()
    house.store.registry.open_session(digest(token), role=role, who=who, name=name, opened=now, expires=now + lasting)
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


async def end_session(request: Request, response: Response) -> None:
    """End the session that a request's cookie opened, here and in the browser."""
    house = house_of(request)
    name = cookie_name(house, COORDINATOR)
    token = request.cookies.get(name)
    if token:
        await run_in_threadpool(house.store.registry.close_session, digest(token))
    response.delete_cookie(name, path="/", secure=house.secure, httponly=True, samesite="lax")


# -- passwords --------------------------------------------------------------------------------------------------------

MAX_PASSWORD_CHARS = 200
_HASHER = PasswordHasher()


@cache
def _no_account() -> str:
    """Verified against when there is no such account, so that the time taken does not tell. Made when first asked for:
    it costs as much as it is meant to, and most starts never need it."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def first_passwords(store: Store, given: str = "") -> dict[str, str]:
    """Give every role that has no password yet one of its own, or the one `given` for a demonstration.

    Returns those made now, by role, to be printed once.
    """
    made: dict[str, str] = {}
    for role in WITH_PASSWORD:
        if store.registry.password(role) is None:
            made[role] = given or readable_password()
            store.registry.set_password(role, _HASHER.hash(made[role]))
    return made


def readable_password() -> str:
    """A password of 74 random bits that can be read aloud: five groups of three, no letter mistaken for another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(3)) for _ in range(5))


def account_of(store: Store, role: str, who: str) -> str:
    """The account whose password opens a role: a carrier's or laboratory's own where it has one, else the role's."""
    own = f"{role}:{who}"
    return own if who and store.registry.password(own) is not None else role


def sign_in(house: House, role: str, password: str, *, name: str = "", office: str = "") -> str | None:
    """A session's token, or None when the password does not fit. Slow by intent: call it in a thread.

    A coordinator acts under the pseudonym of the `name`; a carrier or laboratory is the `office` it says it is, a carrier by
    the name in its requests.
    """
    known = role in WITH_PASSWORD
    # An unknown role takes as long to refuse as a wrong password.
    account = account_of(house.store, role, office) if known else COORDINATOR
    if not password_fits(house.store, account, password[:MAX_PASSWORD_CHARS]) or not known:
        return None
    who = desk_member(house.store, name) if role == COORDINATOR and name else office or role
    return open_session(house, role=role, who=who, name=name)


def desk_member(store: Store, name: str) -> str:
    """The pseudonym under which somebody acts at a desk: a member of staff whom no kiosk lets in, one for a name."""
    for member in store.registry.staff(active=None):
        if member.name == name and not member.pin:
            return member.id
    member = store.registry.add_staff(name, "")
    store.registry.change_staff(member.id, active=False)
    return member.id


def password_fits(store: Store, account: str, password: str) -> bool:
    """Whether this is the account's password. Slow by intent: call it in a thread."""
    held = store.registry.password(account)
    try:
        return _HASHER.verify(held or _no_account(), password) and held is not None
    except (VerifyMismatchError, InvalidHashError):
        return False
