"""Passes asked for, granted, refused, revoked: what a carrier and a coordinator do, whichever page or program they use.

The law of this file: what is asked is checked whole and every fault is named with its path; names, numbers and phones go to
the registry and pseudonyms into facts; saying the same thing again changes nothing and gives the same answer. Randomness and
the clock are passed in. A seed is made once for a generation of a pass, kept encrypted, and shown to one phone only. What was
voided was never asked or decided: it can be again, under another name. A voided generation is given to no other pass or phone.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from checkpoint.bindings import book_of, told_of
from checkpoint.core import passes
from checkpoint.core.book import Book
from checkpoint.core.facts import Fact, PassGranted, PassRefused, PassRequested, PassRevoked, digest_id
from checkpoint.core.journey import PassState, fold_passes
from checkpoint.core.loop import Loop
from checkpoint.store import Store
from checkpoint.store.registry import Issuer, Link
from checkpoint.wish import Fault, Faulty, Person, Wish, checked, words

Entropy = Callable[[int], bytes]
SEED_BYTES = passes.ANCHOR_BYTES
MAX_STEPS = 0xFFFF
LINK_BYTES = 20
LINK_LASTS = timedelta(days=7)
# Requests and passes are decided one at a time, whichever process decides.
TURN = "passes"
AREA_SETTING, DEFAULT_AREA = "area_code", "330304"


class Unknown(LookupError):
    """There is no request or pass of that name."""


class Settled(RuntimeError):
    """The request was decided the other way before; `state` is `granted`, `refused` or `revoked`."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, kw_only=True)
class Requested:
    """A request as it stands: `waiting`, `granted` (then with its pass) or `refused` (then with the reason)."""

    request: str
    at: datetime
    wish: PassRequested
    state: str
    pass_id: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Granted:
    """A granted pass. `link_token` opens it on one phone, once; it is empty when a phone has opened it already."""

    pass_id: str
    generation: int
    vehicle: str
    link_token: str


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What a phone needs to show the pass live with no network: the sealed bytes, the seed, and the steps of the chain."""

    pass_: passes.Pass
    text: str
    seed: bytes
    steps: int
    step_s: int

    @property
    def sealed(self) -> bytes:
        """The sealed pass as bytes, before the base32 that a code carries."""
        packed = self.text.removeprefix(passes.PREFIX)
        return base64.b32decode(packed + "=" * (-len(packed) % 8))

    def live_text(self, now: datetime) -> str | None:
        """What the phone shows at an instant; None before the pass begins and after it ends."""
        step = passes.step_at(self.pass_, now, self.step_s)
        if not 0 <= step <= self.steps:
            return None
        return passes.with_step(self.text, step, passes.chain(self.seed, self.steps - step))


class PassOffice:
    """The desk at which passes are asked for and given. `record` takes a fact in and returns once it is durable."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime],
        record: Callable[[Fact], object],
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        self._store, self._now, self._record, self._entropy = store, now, record, entropy

    # -- asking ---------------------------------------------------------------------------------------------------------

    def request(self, wish: Wish, by: str) -> str:
        """Ask for a pass; returns the request's id. The same wish again is the same request, unless it was refused since.

        Raises `Faulty`.
        """
        with self._store.turns.take(TURN):
            sound = checked(wish, self._store.loops(), self._now())
            earlier = self._earlier(sound.vehicle)
            for asked in earlier:
                if asked.state != "refused" and self._same(asked.wish, sound):
                    return asked.request
            known = {person for asked in earlier for person in asked.wish.crew}
            crew = tuple(self._person(person, known) for person in sound.crew)
            request = f"req-{self._entropy(8).hex()}"
            self._record(
                Fact(
                    id=digest_id("requested", request),
                    at=self._now(),
                    witness="desk:carrier",
                    by=by,
                    what=PassRequested(
                        request=request,
                        carrier=sound.carrier,
                        vehicle=sound.vehicle,
                        crew=crew,
                        loop=sound.loop,
                        not_before=sound.not_before,
                        expires=sound.expires,
                    ),
                )
            )
            return request

    def _earlier(self, vehicle: str) -> list[Requested]:
        """What was asked for this vehicle before."""
        facts = self._store.facts_of(f"vehicle:{vehicle}")
        asked = [f.what.request for f in facts if isinstance(f.what, PassRequested)]
        return [found for request in dict.fromkeys(asked) if (found := self._standing(request)) is not None]

    def _same(self, asked: PassRequested, wish: Wish) -> bool:
        plan = (asked.carrier, asked.loop, asked.not_before, asked.expires)
        if plan != (wish.carrier, wish.loop, wish.not_before, wish.expires):
            return False
        people = {person.id: person for person in self._store.registry.people(asked.crew)}
        named = [people[who] for who in asked.crew if who in people]
        return [Person(name=p.name, id_number=p.id_number, phone=p.phone) for p in named] == list(wish.crew)

    def _person(self, person: Person, known: set[str]) -> str:
        """The pseudonym of somebody in the crew. An ID number makes them one person for everybody; without it only a name
        together with its phone does, and only on the same truck: two drivers taken for one would share their tests."""
        registry = self._store.registry
        if not person.id_number and person.phone:
            for held in registry.people(known):
                if (held.name, held.phone) == (person.name, person.phone):
                    return held.id
        return registry.add_person(person.name, id_number=person.id_number, phone=person.phone).id

    def requested(self, request: str) -> Requested:
        """How a request stands. Raises `Unknown`."""
        found = self._standing(request)
        if found is None:
            raise Unknown(request)
        return found

    def _standing(self, request: str) -> Requested | None:
        asked: Fact | None = None
        state, pass_id, reason = "waiting", "", ""
        for fact in book_of(self._store, f"request:{request}").of(f"request:{request}"):
            match fact.what:
                case PassRequested():
                    asked = fact
                case PassGranted(pass_id=pass_id):
                    state = "granted"
                case PassRefused(reason=reason):
                    state = "refused"
                case _:
                    pass
        if asked is None or not isinstance(asked.what, PassRequested):
            return None
        return Requested(request=request, at=asked.at, wish=asked.what, state=state, pass_id=pass_id, reason=reason)

    # -- deciding -------------------------------------------------------------------------------------------------------

    def grant(self, request: str, by: str) -> Granted:
        """Grant what was asked. Granting again gives the same pass, with a new link as long as no phone opened one.

        Raises `Unknown`, `Settled`, `Faulty`.
        """
        with self._store.turns.take(TURN):
            asked = self.requested(request)
            if asked.state == "refused":
                raise Settled("refused")
            if asked.state == "granted":
                state = self.pass_state(asked.pass_id)
                if state.revoked_at is not None:
                    raise Settled("revoked")
                return self._granted(state.grant)
            wish = asked.wish
            loop = self._loop(wish.loop, wish.not_before)
            if loop is None:
                raise Faulty([Fault("$.loop", "fault.loop-not-in-force", loop=wish.loop)])
            area = self._store.registry.setting(AREA_SETTING, DEFAULT_AREA)
            number = passes.pass_number(area, self._store.registry.next_serial(area))
            return self._granted(self._issue(wish, number, 1, loop, by))

    def reissue(self, pass_id: str, by: str) -> Granted:
        """Give a pass a new generation and a new link: for a driver whose phone was lost. What the old phone and old
        sheets show is superseded from now on. Raises `Unknown`, `Settled`, `Faulty`."""
        with self._store.turns.take(TURN):
            wish, loop = self._renewable(pass_id)
            self._close_links(pass_id)
            return self._granted(self._issue(wish, pass_id, self._next_generation(pass_id), loop, by))

    def rebind(self, pass_id: str, phone_hash: str, by: str, claim: Callable[[str | None], bool]) -> Link:
        """Move a pass to another phone: a new generation, bound to it from the beginning; what the phone before shows is
        superseded and its link closed. `claim` is told that phone's hash and says whether this is still to be done.

        Raises `Unknown`, `Settled`, `Faulty`.
        """
        registry = self._store.registry
        with self._store.turns.take(TURN):
            wish, loop = self._renewable(pass_id)
            before = next((x for x in registry.links(pass_id) if x.closed_at is None and x.used_at is not None), None)
            if not claim(registry.phone_of(before.id) if before is not None else None):
                raise Settled("decided")
            self._close_links(pass_id)
            grant = self._issue(wish, pass_id, self._next_generation(pass_id), loop, by)
            token = base64.b32encode(self._entropy(LINK_BYTES)).decode().lower()  # nobody is told: the phone has its mark
            return registry.add_link(
                token_hash(token), person=grant.crew[0], pass_id=pass_id, expires=grant.expires, phone_hash=phone_hash
            )

    def _next_generation(self, pass_id: str) -> int:
        """After all that a phone or a sheet may show: a generation that was voided too."""
        told = told_of(self._store, f"pass:{pass_id}")
        return max((f.what.generation for f in told if isinstance(f.what, PassGranted)), default=0) + 1

    def _name(self, *parts: str) -> str:
        """The id of a decision; another one when that was taken back before."""
        name, again = digest_id(*parts), 0
        while self._store.fact(name) is not None:
            again += 1
            name = digest_id(*parts, f"again {again}")
        return name

    def _renewable(self, pass_id: str) -> tuple[PassRequested, Loop]:
        """The wish that another generation of a pass is issued for, and the loop as it is then."""
        state = self.pass_state(pass_id)
        if state.revoked_at is not None:
            raise Settled("revoked")
        grant = state.grant
        loop = self._loop(grant.loop, max(grant.not_before, self._now()))
        if loop is None or self._next_generation(pass_id) > 255:
            raise Faulty([Fault("$.loop", "fault.loop-not-in-force", loop=grant.loop)])
        wish = PassRequested(
            request=grant.request, carrier=grant.carrier, vehicle=grant.vehicle, crew=state.crew, loop=grant.loop,
            not_before=grant.not_before, expires=grant.expires,
        )  # fmt: skip
        return wish, loop

    def refuse(self, request: str, reason: str, by: str) -> None:
        """Refuse what was asked, and say why. Raises `Unknown`, `Settled`, `Faulty`."""
        said = _reason(reason)
        with self._store.turns.take(TURN):
            asked = self.requested(request)
            if asked.state == "refused":
                return
            if asked.state == "granted":
                raise Settled("granted")
            self._record(
                Fact(
                    id=self._name("refused", request),
                    at=self._now(),
                    witness="desk:coordinator",
                    by=by,
                    what=PassRefused(request=request, reason=said),
                )
            )

    def revoke(self, pass_id: str, reason: str, by: str) -> None:
        """End a pass at once, in every generation; its links and phones go with it. Raises `Unknown`, `Faulty`."""
        said = _reason(reason)
        with self._store.turns.take(TURN):
            state = self.pass_state(pass_id)
            if state.revoked_at is None:
                self._record(
                    Fact(
                        id=self._name("revoked", pass_id),
                        at=self._now(),
                        witness="desk:coordinator",
                        by=by,
                        what=PassRevoked(pass_id=pass_id, reason=said),
                    )
                )
            self._close_links(pass_id)

    def _close_links(self, pass_id: str) -> None:
        for link in self._store.registry.links(pass_id):
            self._store.registry.close_link(link.id)

    def _issue(self, wish: PassRequested, number: str, generation: int, loop: Loop, by: str) -> PassGranted:
        """Seed first, fact second: a pass in the ledger without its seed could never be shown."""
        begins, expires = _whole_minute(wish.not_before), _whole_minute(wish.expires)
        step_s = loop.policy.step_s
        count = _steps(begins, expires, step_s)
        if count > MAX_STEPS:
            raise Faulty([Fault("$.expires", "fault.too-many-steps", seconds=step_s)])
        # A seed that is there already is from a granting that ended before its fact.
        seed = self._store.registry.seed(number, generation)
        if seed is None:
            seed = self._entropy(SEED_BYTES)
            self._store.registry.keep_seed(number, generation, seed)
        grant = PassGranted(
            pass_id=number,
            generation=generation,
            vehicle=wish.vehicle,
            crew=wish.crew,
            loop=wish.loop,
            carrier=wish.carrier,
            not_before=begins,
            expires=expires,
            anchor=passes.chain(seed, count).hex(),
            step_s=step_s,
            request=wish.request,
        )
        fact_id = self._name("granted", wish.request, str(generation))
        self._record(Fact(id=fact_id, at=self._now(), witness="desk:coordinator", by=by, what=grant))
        return grant

    def _granted(self, grant: PassGranted) -> Granted:
        return Granted(
            pass_id=grant.pass_id,
            generation=grant.generation,
            vehicle=grant.vehicle,
            link_token=self._new_link(grant),
        )

    def _new_link(self, grant: PassGranted) -> str:
        """A link for the driver, in the place of one that was never opened; empty when a phone is bound already."""
        registry = self._store.registry
        standing = [link for link in registry.links(grant.pass_id) if link.closed_at is None]
        if any(link.used_at is not None for link in standing):
            return ""
        for link in standing:
            registry.close_link(link.id)
        token = base64.b32encode(self._entropy(LINK_BYTES)).decode().lower()
        expires = min(grant.expires, self._now() + LINK_LASTS)
        registry.add_link(token_hash(token), person=grant.crew[0], pass_id=grant.pass_id, expires=expires)
        return token

    def sealed_with(self, issuer: Issuer) -> list[PassState]:
        """The passes that still count, or will, and may be in the field under an issuer's seal: those whose newest generation was
        granted before the key stopped sealing. Which of them were shown or printed meanwhile, nobody knows."""
        now = self._now()
        book = Book(r.fact for r in self._store.facts_of_kind("PassGranted", "PassRevoked", "CrewJoined", "Voided", "Amended"))
        vehicles = {f.what.vehicle for f in book.all() if isinstance(f.what, PassGranted)}
        until = issuer.retired_at or now
        states = [state for vehicle in sorted(vehicles) for state in fold_passes(book, vehicle)]
        return [state for state in states if state.closed_at > now and state.granted_at <= until]

    # -- showing --------------------------------------------------------------------------------------------------------

    def pass_state(self, pass_id: str) -> PassState:
        """A pass as it stands now. Raises `Unknown`."""
        book = book_of(self._store, f"pass:{pass_id}")
        vehicle = next((f.what.vehicle for f in book.of(f"pass:{pass_id}") if isinstance(f.what, PassGranted)), None)
        if vehicle is None:
            raise Unknown(pass_id)
        for state in fold_passes(book, vehicle):
            if state.grant.pass_id == pass_id:
                return state
        raise Unknown(pass_id)

    def screen(self, pass_id: str) -> Screen:
        """What the pass's phone needs to show it. Raises `Unknown`."""
        grant = self.pass_state(pass_id).grant
        seed = self._store.registry.seed(pass_id, grant.generation)
        if seed is None:
            raise Unknown(pass_id)
        found = _credential(grant, paper=False, anchor=bytes.fromhex(grant.anchor))
        count = passes.steps(found, grant.step_s)
        return Screen(pass_=found, text=self._sealed(found), seed=seed, steps=count, step_s=grant.step_s)

    def sheet_text(self, pass_id: str) -> str:
        """The text of the paper pass: sealed with the paper bit, and without a chain. Raises `Unknown`."""
        return self._sealed(_credential(self.pass_state(pass_id).grant, paper=True, anchor=b""))

    def _sealed(self, credential: passes.Pass) -> str:
        return passes.seal(credential, self._store.registry.sealing_key())

    def _loop(self, loop_id: str, at: datetime) -> Loop | None:
        return self._store.loops().in_force(loop_id, at)


def token_hash(token: str) -> str:
    """How the registry knows a link: by the SHA-256 of its token, hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _reason(text: str) -> str:
    try:
        return words(text, "$.reason")
    except Fault as fault:
        raise Faulty([fault]) from None


def _steps(begins: datetime, expires: datetime, step_s: int) -> int:
    """N, as `passes.steps` counts it."""
    return -int(-(expires - begins).total_seconds() // step_s)


def _whole_minute(at: datetime) -> datetime:
    """A pass is sealed to the minute; what the fact says is what the seal says."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _credential(grant: PassGranted, *, paper: bool, anchor: bytes) -> passes.Pass:
    return passes.Pass(
        number=grant.pass_id,
        plate=grant.vehicle,
        loop_digest=passes.loop_digest(grant.loop),
        not_before=grant.not_before,
        expires=grant.expires,
        generation=grant.generation,
        paper=paper,
        anchor=anchor,
    )
