"""The ground of the access matrix: a server on which everybody has something, and somebody else has the same."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from checkpoint.core import badges, pins
from checkpoint.core.facts import Fact, Happening, Loaded, LoopPublished, Scanned, Shown, WarningRaised, encode
from checkpoint.messages.events import FOR_ROLE
from checkpoint.store import Store
from checkpoint.store.registry import Account
from checkpoint.store.registry.accounts import TOTP
from checkpoint.web import access, devices, terminals
from checkpoint.web.access import (
    ADMINISTRATOR,
    ANYONE,
    CARRIER,
    COORDINATOR,
    DRIVER,
    KIOSK,
    LABORATORY,
    STATION,
    Caller,
    digest,
)
from checkpoint.web.account import SESSION_CHARS
from checkpoint.web.app import create_app
from checkpoint.web.invitations import new_token
from checkpoint.wish import Person
from kiosk.kept import FIRST_PREV, Enrolment, Head, chained
from tests.accounts import account
from tests.ground import LOOP, T0, Still, document, store_in, wish

BASE = "http://testserver"
OWN, FOREIGN, MISSING = "own", "foreign", "missing"
# Who of a role one is, and who the other is.
OFFICES = {CARRIER: ("甲运输", "乙运输"), LABORATORY: ("lab-a", "lab-b")}
# The public key of RFC 8032's first test.
PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
PROGRAMS = (COORDINATOR, CARRIER, LABORATORY)
BROWSERS = (ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY)


@dataclass
class Machine:
    """An enrolled kiosk, as far as a request needs it."""

    enrolment: Enrolment
    seq: int = 0
    prev: str = FIRST_PREV

    def batch(self, *happened: tuple[Happening, str], witness: str = "", station: str = "") -> bytes:
        """A batch of new facts, each with its time, signed."""
        entries = []
        for what, name in happened:
            fact = Fact(id=name, at=T0, witness=witness or self.enrolment.witness, what=what, station=station)  # type: ignore[arg-type]
            body = encode(fact)
            self.seq, before = self.seq + 1, self.prev
            self.prev = chained(before, self.seq, body)
            entries.append({"seq": self.seq, "prev": before, "hash": self.prev, "fact": msgspec.Raw(body)})
        head = Head(self.seq, self.prev)
        signed = {"seq": head.seq, "hash": head.hash, "signature": self.enrolment.signature(head)}
        return msgspec.json.encode({"entries": entries, "head": signed})


@dataclass
class World:
    """A server with two of everything. Objects are made when they are asked for; what is only read is made once."""

    app: Any
    store: Store
    clock: Still
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    kept: dict[tuple[str, str, str], str] = field(default_factory=dict)
    clients: dict[str, TestClient] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, folder: Path) -> World:
        """A server with a loop in force, and nobody on it."""
        clock = Still()
        store = store_in(folder, clock)
        return cls(create_app(store, clock, public_url=BASE), store, clock)

    @property
    def house(self) -> Any:
        return self.app.state.house

    # -- who ----------------------------------------------------------------------------------------------------------

    def as_(self, role: str) -> TestClient:
        """A caller of a role, as it comes in in earnest: people by cookie, kiosks by key."""
        if role not in self.clients:
            client = TestClient(self.app, base_url=BASE, headers={"accept": "application/json"}, follow_redirects=False)
            if role == KIOSK:
                client.headers["authorization"] = f"Bearer {self.machine(OWN).enrolment.bearer}"
            elif role == DRIVER:
                _, mark = self.bound(OWN)
                client.cookies.set(access.cookie_name(self.house, DRIVER), mark)
            elif role != ANYONE:
                client.cookies.set(access.cookie_name(self.house, COORDINATOR), self.session(role))
            self.clients[role] = client
        return self.clients[role]

    def account(self, role: str, owner: str = OWN) -> Account:
        """An account of a role: the one whose callers we are, or another's."""
        name = f"{role}-{owner}"
        office = self.office(role, owner) if role in OFFICES else ""
        return self.store.registry.account_named(name) or account(self.store, role, name, office=office)

    def session(self, role: str, owner: str = OWN, *, proved: bool = True) -> str:
        """The token of a session of a role."""
        if role == STATION:
            return access.open_session(self.house, role=role, who=role, name="周敏")
        who = self.account(role, owner)
        return access.open_session(
            self.house, role=role, who=who.office or who.id, name=who.display, account=who.id, proved=proved
        )

    def program(self, role: str, *, writes: bool) -> TestClient:
        """A program of a role's own office, with a token made for it."""
        text = access.BEGINS_WITH + secrets.token_urlsafe(16)
        office = OFFICES[role][0] if role in OFFICES else ""
        self.store.registry.add_api_token(
            digest(text), name="程序", role=role, office=office, writes=writes, made_by="x",
            expires=self.clock() + timedelta(days=30),
        )  # fmt: skip
        headers = {"accept": "application/json", "authorization": f"Bearer {text}"}
        return TestClient(self.app, base_url=BASE, headers=headers, follow_redirects=False)

    def office(self, role: str, owner: str) -> str:
        return OFFICES[role][0 if owner == OWN else 1]

    # -- what ---------------------------------------------------------------------------------------------------------

    def of(self, kind: str, owner: str, role: str, *, fresh: bool = False) -> str:
        """The id of an object of a kind: the role's own, somebody else's, or one that nobody has."""
        if owner == MISSING:
            return MISSING_ONES[kind]
        key = (kind, owner, role if role in OFFICES else "")
        if fresh or key not in self.kept:
            made = MAKERS[kind](self, owner, role)
            if fresh:
                return made
            self.kept[key] = made
        return self.kept[key]

    def number(self) -> int:
        return int(next(self.numbers))

    def plate(self) -> str:
        return f"浙C{10000 + self.number()}"

    def requested(self, owner: str, **changes: Any) -> str:
        names = {OWN: "张三", FOREIGN: "欧阳陌"}
        standard = {"vehicle": self.plate(), "crew": (Person(name=names[owner]),)}
        asked = wish(carrier=self.office(CARRIER, owner), **(standard | changes))
        return str(self.house.office.request(asked, "carrier"))

    def granted(self, owner: str, **changes: Any) -> Any:
        return self.house.office.grant(self.requested(owner, **changes), "coordinator")

    def tell(self, what: Happening, *, station: str = "", witness: str = "desk:coordinator", ago: timedelta = timedelta()) -> str:
        name = f"f-{self.number()}"
        self.store.record(Fact(id=name, at=self.clock() - ago, witness=witness, what=what, station=station))  # type: ignore[arg-type]
        return name

    def truck(self, owner: str, plate: str = "", hours: int = 72) -> tuple[str, str]:
        """A loaded truck on its way under a pass of so many hours: plate and pass."""
        begins = self.clock()
        when = {"not_before": begins, "expires": begins + timedelta(hours=hours)}
        done = self.granted(owner, vehicle=plate or self.plate(), **when)
        shown = Shown(word="HOLD", reasons=("evidence-missing",), next_step="sample-here")
        self.tell(
            Scanned(digest="0" * 32, medium="screen", shown=shown, pass_id=done.pass_id, vehicle=done.vehicle), station="panqiao"
        )
        self.tell(Loaded(vehicle=done.vehicle, pass_id=done.pass_id, parcels_count=40, seal="A1"), station="panqiao")
        self.house.watch.noticed([done.vehicle])
        self.house.watch.settle()
        return done.vehicle, done.pass_id

    def warning(self, owner: str) -> str:
        plate, pass_id = self.truck(owner)
        raised = WarningRaised(
            finding="off-loop", vehicle=plate, colour="red", since=self.clock(), subject="off-loop", pass_id=pass_id
        )
        name = self.tell(raised, witness="server")
        self.house.watch.noticed([plate])
        self.house.watch.settle()
        return name

    def bound(self, owner: str) -> tuple[str, str]:
        """A pass that a phone is bound to: the pass's id and the phone's mark."""
        if owner not in self.links:
            done = self.granted(owner)
            phone = TestClient(self.app, base_url=BASE, headers={"accept": "text/html"}, follow_redirects=False)
            phone.get(f"/d/{done.link_token}")
            assert phone.post(f"/d/{done.link_token}").status_code == 303
            mark = next(c.value for c in phone.cookies.jar if c.name == access.cookie_name(self.house, DRIVER))
            self.links[owner] = f"{done.pass_id} {mark}"
        pass_id, _, mark = self.links[owner].partition(" ")
        return pass_id, mark

    def machine(self, owner: str) -> Machine:
        if owner not in self.machines:
            station = {OWN: "panqiao", FOREIGN: "elsewhere-gate"}[owner]
            token, bearer, key = secrets.token_hex(8), secrets.token_hex(8), Ed25519PrivateKey.generate()
            registry = self.store.registry
            registry.add_kiosk(station, digest(token), self.clock() + timedelta(days=1))
            kiosk = registry.enrol_kiosk(digest(token), key.public_key().public_bytes_raw(), digest(bearer))
            assert kiosk is not None
            self.machines[owner] = Machine(
                Enrolment(kiosk=kiosk.id, station=station, server=BASE, bearer=bearer, private_key=key.private_bytes_raw().hex())
            )
        return self.machines[owner]

    def marks(self, role: str) -> list[str]:
        """What no answer to this role may hold: the plates, passes and numbers of others."""
        found = []
        if role in (CARRIER, DRIVER):
            found += [made for (kind, owner, _), made in self.kept.items() if owner == FOREIGN and kind in ("plate", "pass")]
            found += ["欧阳陌", OFFICES[CARRIER][1]]
        if role == LABORATORY:
            found += [made for (kind, owner, _), made in self.kept.items() if owner == FOREIGN and kind == "result"]
        return found


# -- how each kind of object is made ----------------------------------------------------------------------------------


def _phone(world: World, owner: str) -> str:
    done = world.granted(owner)
    world.house.store.registry.use_link(access.digest(done.link_token), digest(f"phone {world.number()}"))
    [link] = world.store.registry.links(done.pass_id)
    asked = world.store.registry.ask_for_phone(
        digest(f"other {world.number()}"), pass_id=done.pass_id, person=link.person, link=link.id, kind="android",
        expires=world.clock() + timedelta(minutes=30),
    )  # fmt: skip
    return asked.id


def _result(world: World, owner: str, _: str) -> str:
    n = world.number()
    told = {"accession": f"acc-{n}", "test": "pcr", "result": "negative", "reported_at": T0.isoformat(), "tube": f"T-{n}"}
    [taken] = world.house.intake.take_results(world.office(LABORATORY, owner), json.dumps({"results": [told]}).encode())
    return str(taken.id)


def _member(world: World, _: str, __: str) -> str:
    member = world.store.registry.add_staff("陈站长", pins.seal("2580", b"0123456789abcdef"))
    world.store.registry.give_badge(member.id, badges.seal(badges.make(secrets.token_bytes(20))))
    return member.id


def _kiosk(world: World, _: str, __: str) -> str:
    token = secrets.token_hex(8)
    world.store.registry.add_kiosk("panqiao", digest(token), world.clock() + timedelta(days=1))
    kiosk = world.store.registry.enrol_kiosk(digest(token), b"\x01" * 32, digest(secrets.token_hex(8)))
    assert kiosk is not None
    return kiosk.id


def _tracker(world: World, _: str, __: str) -> str:
    return devices.new_tracker(world.house, world.plate(), Caller(role=COORDINATOR, by="x"))[0]


def _terminal(world: World, _: str, __: str) -> str:
    number = str(13_900_000_000 + world.number())
    return terminals.enrol(world.house, number, world.plate(), Caller(role=COORDINATOR, by="x")).device


def _journey(world: World, owner: str, _: str) -> str:
    plate, _pass = world.truck(owner)
    journey = world.house.watch.look(plate).view.journey
    assert journey is not None
    return str(journey.id)


def _token(world: World, owner: str, role: str) -> str:
    of = role if role != ADMINISTRATOR else COORDINATOR
    if owner == FOREIGN:
        of = CARRIER
    office = world.office(of, owner) if of in OFFICES else ""
    made = world.store.registry.add_api_token(
        digest(secrets.token_hex(8)), name="程序", role=of, office=office, writes=True, made_by="x",
        expires=world.clock() + timedelta(days=30),
    )  # fmt: skip
    return made.id


def _webhook(world: World, owner: str, role: str) -> str:
    of = CARRIER if owner == FOREIGN and role not in OFFICES else role if role in OFFICES else COORDINATOR
    made = world.store.registry.add_webhook(
        "https://carrier.example/hook", FOR_ROLE[of], role=of, office=world.office(of, owner) if of in OFFICES else "",
        secret="whsec_" + secrets.token_hex(16), made_by="x", since=0,
    )  # fmt: skip
    return made.id


def _session(world: World, owner: str, role: str) -> str:
    return digest(world.session(role, owner))[:SESSION_CHARS]


def _factor(world: World, owner: str, role: str) -> str:
    label = f"phone {world.number()}"
    found = world.store.registry.add_factor(world.account(role, owner).id, TOTP, label, "JBSWY3DPEHPK3PXP")
    assert found is not None
    return found.id


def _account(world: World, *_: str) -> str:
    return account(world.store, COORDINATOR, f"someone-{world.number()}").id


def _invitation(world: World, *_: str) -> str:
    made = world.store.registry.account(_account(world))
    assert made is not None
    return new_token(world.house, made)


def session_stands(world: World, session: str) -> bool:
    """Whether a session is still open."""
    accounts = world.store.registry.accounts()
    return any(each.token_hash.startswith(session) for a in accounts for each in world.store.registry.sessions_of(a.id))


def factor_stands(world: World, factor: str) -> bool:
    """Whether a factor is still somebody's."""
    accounts = world.store.registry.accounts()
    return any(each.id == factor for a in accounts for each in world.store.registry.factors(a.id))


MAKERS: dict[str, Callable[[World, str, str], str]] = {
    "plate": lambda w, owner, _: w.truck(owner)[0],
    "journey": _journey,
    "pass": lambda w, owner, _: w.truck(owner)[1],
    "request": lambda w, owner, _: w.requested(owner),
    "warning": lambda w, owner, _: w.warning(owner),
    "fact": lambda w, owner, _: w.tell(Loaded(vehicle=w.plate(), pass_id="", parcels_count=1, seal="x"), station="panqiao"),
    "phone": lambda w, owner, _: _phone(w, owner),
    "result": _result,
    "member": _member,
    "kiosk": _kiosk,
    "tracker": _tracker,
    "terminal": _terminal,
    "token": _token,
    "link": lambda w, owner, _: w.granted(owner).link_token,
    "loop": lambda w, owner, _: f"{LOOP}/1",
    "person": lambda w, owner, _: w.store.registry.add_person("王五").id,
    "webhook": _webhook,
    "session": _session,
    "factor": _factor,
    "account": _account,
    "invitation": _invitation,
}
MISSING_ONES = dict.fromkeys(MAKERS, "nobody-has-this") | {"plate": "浙C99999", "pass": "330304-9999999", "loop": "nowhere/1"}


def world(folder: Path) -> World:
    """Two carriers, two laboratories, two kiosks of two loops, two drivers."""
    found = World.empty(folder)
    store, clock = found.store, found.clock
    other = document(id="elsewhere", origin="elsewhere-gate", destination="elsewhere-b")
    for station, name in zip(other["stations"], ("elsewhere-gate", "elsewhere-s", "elsewhere-r", "elsewhere-b"), strict=True):
        station["id"] = name
    what = LoopPublished(loop="elsewhere", version=1, document=json.dumps(other))
    store.record(Fact(id="loop-elsewhere", at=clock(), witness="desk:coordinator", what=what))
    for kind, owner, role in itertools.product(("plate", "pass", "result"), (OWN, FOREIGN), (CARRIER, LABORATORY)):
        found.of(kind, owner, role)
    return found
