"""A scan, a deed -> facts -> outbox -> what the screen says. In this order, always.

The law of this file:

* Nothing is shown before it is committed: a verdict is first a `Scanned` fact in the outbox, then a colour on the screen.
* One truck stands before the desk. Its verdict is judged anew after every deed and whenever something was learnt; when it
  then says something else, that too was shown, and is a fact.
* The same pass seen again within the cool-down is the same look at it: the standing answer is shown, nothing is written.
* Half a pass is not recorded: it is asked for again. A text that is not ours is: somebody presented it.
* Every deed names who did it. Looking at a pass needs no sign-on, so that a gate is never blind.
* A badge is no pass: it signs on, and leaves no look in the record. One that lies before the camera is shown once.

What the page may show is a `Screen`, a value; the desk holds no sentence and no HTML.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from checkpoint.core import badges, passes
from checkpoint.core.facts import Fact, Happening, Medium, Scanned, Shown, uuid7
from checkpoint.core.journey import View
from checkpoint.core.loop import Loop, Policy
from checkpoint.core.rules import decide, step_s_of
from checkpoint.core.sampling import members, standing
from checkpoint.core.verdict import Gate, Verdict
from kiosk import deeds, doing
from kiosk.deeds import AnyDeed
from kiosk.doing import UNDO_WITHIN, Bench, Refused
from kiosk.duty import Duty
from kiosk.kept import NoRoom
from kiosk.knowledge import Knowledge
from kiosk.link import LinkState
from kiosk.outbox import Outbox
from kiosk.screen import CrewMember, Notice, Screen, Subject

COOL_DOWN = timedelta(seconds=30)
STAYS = timedelta(minutes=10)
"""How long a truck stays before the desk when nobody touches anything: then it has gone."""
CALLED_BACK = timedelta(hours=1)
"""For how long a look at a pass still stands for the truck whose antigen test is read later."""
GLIMPSES = 3
"""In how many frames running a code that is no good pass must be seen: a sticker flitting by stops nobody."""
BADGE_AWAY = timedelta(seconds=5)
"""A badge that the camera has not seen for so long was taken away, and is shown anew when it comes back."""
_TICK, _SAME_MOMENT = timedelta(microseconds=1), timedelta(seconds=1)


class Desk:
    """The station's desk. Safe to use from many threads; `link_state` tells how the line stands."""

    def __init__(
        self,
        outbox: Outbox,
        now: Callable[[], datetime],
        entropy: Callable[[int], bytes],
        link_state: Callable[[], LinkState],
        recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox, self._now, self._entropy = outbox, now, entropy
        self._link_state, self._recorded = link_state, recorded
        self._lock = threading.RLock()
        self._known = Knowledge(outbox)
        self._subject: Subject | None = None
        self._seen: dict[str, Subject] = {}
        self._last_read: tuple[passes.Reading | None, object] = (None, None)
        self._verdict: Verdict | None = None
        self._shown: Shown | None = None
        self._scan_id = ""
        self._judged_at_revision = -1
        self._glimpsed: tuple[str, int] = ("", 0)
        self._badge_in_view: tuple[str, datetime] | None = None
        self._notice: Notice | None = None
        self._duty = Duty(lambda: self._known.staff)
        self._was_on_duty: str | None = None
        self._last_fact_at = datetime.min.replace(tzinfo=UTC)
        self._revision = 0
        self._sounded = 0

    def _after_the_last(self, now: datetime) -> datetime:
        """The next fact's instant: one desk's facts stand in the order in which they happened, also within a tick."""
        return max(now, self._last_fact_at + _TICK) if self._last_fact_at - now < _SAME_MOMENT else now

    # -- what comes in ------------------------------------------------------------------------------------------------

    def learnt(self, facts: Sequence[Fact]) -> None:
        """The server told something; the truck before the desk is judged with it at once."""
        with self._lock:
            self._known.relist()
            self._known.learn(facts)
            self._revision += 1
            self._refresh(self._now())

    def enrolled(self) -> None:
        """This kiosk became another one: what it knew belongs to the station it was at."""
        with self._lock:
            self._known = Knowledge(self._outbox)
            self._drop()

    def good(self, text: str) -> bool:
        """Whether a text is a pass with a genuine seal, or a badge of somebody here that was not in view a moment ago: what
        the scanner stops for."""
        if badges.begins(text):
            with self._lock:
                return not self._still_in_view(text, self._now()) and self._duty.owner(text) is not None
        try:
            self._read(text)
        except (passes.NotAPass, passes.Untrusted):
            return False
        return True

    def _read(self, text: str) -> passes.Reading:
        """Read a pass. The scanner asks first and the desk once more: the last genuine one is remembered."""
        with self._lock:
            keys, (last, by) = self._known.keys, self._last_read
            if last is not None and last.text == text and by is keys:
                return last
            reading = passes.read(text, keys)
            self._last_read = (reading, keys)
            return reading

    def glimpse(self, texts: Sequence[str], good: str | None) -> None:
        """What the camera saw in one frame. What is no good pass must be seen several frames running to count."""
        with self._lock:
            now = self._now()
            fresh = [text for text in texts if not (badges.begins(text) and self._still_in_view(text, now))]
            if len(fresh) < len(texts):
                self._badge_in_view = (self._badge_in_view[0], now) if self._badge_in_view else None
        if good is not None:
            self._glimpsed = ("", 0)
            self.scan(good)
            return
        text = next((t for t in fresh if t.startswith((passes.PREFIX, badges.PREFIX))), fresh[0] if fresh else "")
        with self._lock:
            seen, times = self._glimpsed
            self._glimpsed = (text, times + 1 if text == seen else 1)
            subject = self._subject
            ours = text.startswith((passes.PREFIX, badges.PREFIX))
            busy = subject is not None and subject.genuine and self._now() - subject.touched < COOL_DOWN
            if text and self._glimpsed[1] == GLIMPSES and (ours or not busy):
                self.scan(text)

    def _still_in_view(self, text: str, now: datetime) -> bool:
        """Whether this badge lies before the camera since it was last shown."""
        before = self._badge_in_view
        return before is not None and before[0] == badges.normal(text) and now - before[1] < BADGE_AWAY

    def _show_badge(self, text: str, now: datetime) -> None:
        """Somebody showed a badge. Nothing is written: who it is stands in every deed that follows."""
        self._badge_in_view = (badges.normal(text) or "", now)
        refusal = self._duty.show_badge(text, now, pin_too=self._policy(now).sign_on == "badge-and-pin")
        self._notice = None
        self._revision += 1
        if refusal == "pin-wanted":
            self._say(now, "done", "kiosk.done.badge", who=self._known.staff[self._duty.badge_shown(now)].name)
        elif refusal:
            self._say(now, "refused", f"kiosk.refused.{refusal}", age_s=self._lists_age_s(now))

    def scan(self, text: str) -> None:
        """A text was presented: by the camera, a hand scanner or a photograph."""
        with self._lock:
            now = self._now()
            if badges.begins(text):
                self._show_badge(text, now)
                return
            if not self._ready(now):
                return
            try:
                reading = self._read(text)
            except passes.HalfAPass:
                self._say(now, "refused", "kiosk.refused.half")
            except passes.NotAPass:
                if _torn(text):
                    self._say(now, "refused", "kiosk.refused.half")
                else:
                    self._present(self._stranger_text(text, "foreign", "screen", now), now)
            except passes.Untrusted:
                self._present(self._stranger_text(text, "forged", "screen", now), now)
            else:
                self._present(self._of_reading(reading, now), now)

    def type_number(self, text: str) -> None:
        """Somebody typed a pass number with its check character."""
        with self._lock:
            now = self._now()
            if not self._ready(now):
                return
            try:
                number = passes.typed_number(text)
            except ValueError:
                self._say(now, "refused", "kiosk.refused.number")
                return
            grant = self._known.granted(number)
            if grant is None:
                self._present(self._stranger_text(number, "unknown", "typed", now), now)
                return
            self._present(
                Subject(
                    digest=passes.digest(number),
                    medium="typed",
                    first_seen=now,
                    last_seen=now,
                    touched=now,
                    number=number,
                    vehicle=grant.vehicle,
                    generation=grant.generation,
                ),
                now,
            )

    def _ready(self, now: datetime) -> bool:
        if self._known.keys:
            return True
        # Without issuers every pass would look forged: that is our ignorance, not the driver's.
        self._say(now, "refused", "kiosk.refused.no-issuers")
        return False

    def _stranger_text(self, text: str, refused: str, medium: Medium, now: datetime) -> Subject:
        return Subject(digest=passes.digest(text), medium=medium, first_seen=now, last_seen=now, touched=now, refused=refused)

    def _of_reading(self, reading: passes.Reading, now: datetime) -> Subject:
        sealed = reading.pass_
        loop = self._loop(sealed.plate, now)
        policy = loop.policy_at(self._station_id()) if loop is not None else Policy()
        step_s = self._step_s(sealed, now, policy)
        live = None if sealed.paper else passes.is_live(reading, now, step_s, policy.steps_tolerated)
        return Subject(
            digest=passes.digest(reading.text),
            medium="paper" if sealed.paper else "screen",
            first_seen=now,
            last_seen=now,
            touched=now,
            reading=reading,
            number=sealed.number,
            vehicle=sealed.plate,
            generation=sealed.generation,
            live=live,
        )

    def _step_s(self, shown: passes.Pass, now: datetime, policy: Policy) -> int:
        return step_s_of(self._known.view(shown.plate, now), shown, policy)

    # -- the verdict --------------------------------------------------------------------------------------------------

    def _present(self, subject: Subject, now: datetime) -> None:
        standing_before = self._subject
        if standing_before is not None and self._same_look(standing_before, subject):
            fresher = subject if subject.live and not standing_before.live else standing_before
            self._subject = replace(
                standing_before,
                last_seen=now,
                touched=now,
                reading=fresher.reading,
                digest=fresher.digest,
                live=fresher.live,
            )
            if self._judge(now):
                self._sounded += 1
            return
        self._remember(standing_before)
        self._subject, self._shown, self._verdict, self._scan_id = subject, None, None, ""
        self._notice = None
        if self._judge(now):
            self._sounded += 1

    def _same_look(self, before: Subject, after: Subject) -> bool:
        same = (before.number, before.generation, before.medium) == (after.number, after.generation, after.medium)
        if not after.number:
            same = before.digest == after.digest
        return same and after.last_seen - before.last_seen < COOL_DOWN

    def _refresh(self, now: datetime) -> None:
        """Judge anew what stands before the desk when something was learnt, or the answer's time is over."""
        subject, verdict = self._subject, self._verdict
        if subject is None or verdict is None:
            return
        if now - subject.touched >= STAYS:
            self._drop()
            return
        stale = verdict.until is not None and now >= verdict.until > verdict.at
        if (stale or self._judged_at_revision != self._known.book.revision) and self._judge(now):
            self._sounded += 1

    def _judge(self, now: datetime) -> bool:
        """Judge, and write down what will be shown when it is not what was shown before; returns whether it is not."""
        subject = self._subject
        assert subject is not None
        now = self._after_the_last(now)
        view = self._known.view(subject.vehicle, now)
        loop = self._loop(subject.vehicle, now)
        policy = loop.policy_at(self._station_id()) if loop is not None else Policy()
        offset_s = self._link_state().offset_s
        gate = Gate(
            station=self._station_id(),
            reading=self._as_when_read(subject, now, policy),
            loop=loop,
            refused=subject.refused,
            medium=subject.medium,
            lists_age_s=self._lists_age_s(now),
            offset_s=offset_s,
            plate_read=subject.plate_read,
            names_agree=subject.names_agree,
        )
        verdict = decide(view, gate, now, policy)
        shown = Shown(
            word=verdict.word,
            reasons=tuple(found.row.reason for found in verdict.reasons),
            next_step=verdict.next_step,
            until=verdict.until,
        )
        changed = self._shown is None or _said(shown) != _said(self._shown)
        if changed:
            scanned = Scanned(
                digest=subject.digest,
                medium=subject.medium,
                shown=shown,
                pass_id=subject.number,
                vehicle=subject.vehicle,
                generation=subject.generation,
                live=subject.live,
                loop=verdict.loop,
                loop_version=verdict.loop_version,
                lists_age_s=self._lists_age_s(now),
                offset_s=offset_s,
            )
            try:
                (fact,) = self._record(now, scanned)
            except NoRoom:
                # Nothing is shown that was not written down: no verdict at all, and the reason why.
                self._drop()
                self._say(now, "refused", "kiosk.refused.no-room")
                return False
            self._shown, self._scan_id = shown, fact.id
        self._verdict = verdict
        self._judged_at_revision = self._known.book.revision
        self._revision += 1
        return changed

    def _as_when_read(self, subject: Subject, now: datetime, policy: Policy) -> passes.Reading | None:
        """A screen pass that was live when it was read does not die while its truck stands before the desk."""
        reading = subject.reading
        if reading is None or not subject.live:
            return reading
        return replace(reading, step=passes.step_at(reading.pass_, now, self._step_s(reading.pass_, now, policy)))

    # -- deeds --------------------------------------------------------------------------------------------------------

    def do(self, deed: AnyDeed) -> bool:
        """Do something at this station; what came of it is the notice. Returns whether it was done."""
        with self._lock:
            now = self._now()
            self._refresh(now)
            if self._subject is not None:
                self._subject = replace(self._subject, touched=now)
            try:
                self._do(deed, now)
            except Refused as refused:
                self._say(now, "refused", f"kiosk.refused.{refused.why}", **refused.values)
                return False
            except NoRoom:
                self._say(now, "refused", "kiosk.refused.no-room")
                return False
            return True

    def _do(self, deed: AnyDeed, now: datetime) -> None:
        by = self._who(now)
        if by is None:
            raise Refused("sign-on")
        bench = self._bench(by, now)
        happened = doing.facts_of(deed, bench)
        self._record(now, *happened, by=by)
        self._duty.acted(now)
        self._after(deed, bench, now)
        if self._subject is not None and self._judge(now):
            self._sounded += 1

    def _after(self, deed: AnyDeed, bench: Bench, now: datetime) -> None:
        """What a deed changes about the look at the truck, and what is said of it."""
        key, values = f"kiosk.done.{type(deed).__name__}", msgspec.structs.asdict(deed)
        subject = self._subject
        if subject is not None:
            match deed:
                case deeds.Compare():
                    read = doing.plate_read(deed, subject.vehicle)
                    subject = replace(subject, plate_read=read, names_agree=deed.names_agree)
                case deeds.Join() | deeds.StayBehind():
                    # Whoever made the names differ is on the pass now, or gone.
                    subject = replace(subject, names_agree=None if subject.names_agree is None else True)
                case _:
                    pass
            self._subject = subject
        if isinstance(deed, deeds.ReadAntigen):
            swab = doing.antigen_swab(self._known, deed.specimen)
            self._call_back(getattr(swab.what, "vehicle", ""), now)
            age_s = (now - swab.at).total_seconds()
            if not bench.policy.antigen_read_after_s <= age_s <= bench.policy.antigen_read_before_s:
                key = "kiosk.done.read-outside"
        self._say(now, "done", key, **values)

    def _bench(self, by: str, now: datetime) -> Bench:
        station = self._known.station(self._station_id(), now)
        if station is None:
            raise Refused("no-station")
        subject = self._subject if self._subject is not None and self._subject.genuine else None
        loop = self._loop(subject.vehicle if subject else "", now)
        assert loop is not None
        enrolment = self._outbox.enrolment
        assert enrolment is not None
        return Bench(
            known=self._known,
            station=station,
            policy=loop.policy_at(station.id),
            by=by,
            witness=enrolment.witness,
            now=now,
            specimen=uuid7(now, self._entropy(10)),
            vehicle=subject.vehicle if subject else "",
            pass_id=subject.number if subject else "",
            scan=self._scan_id,
            view=self._known.view(subject.vehicle, now) if subject else None,
        )

    def _remember(self, subject: Subject | None) -> None:
        if subject is not None and subject.vehicle:
            self._seen[subject.vehicle] = subject

    def _call_back(self, vehicle: str, now: datetime) -> None:
        """Bring a truck that was scanned here a while ago before the desk again: its antigen test was just read."""
        subject = self._seen.get(vehicle)
        if self._subject is None and subject is not None and now - subject.last_seen < CALLED_BACK:
            self._subject, self._shown = replace(subject, touched=now), None

    def clear(self) -> None:
        """The next truck: nothing stands before the desk."""
        with self._lock:
            now = self._now()
            if self._who(now) is not None:
                self._duty.acted(now)
            self._drop()

    def _drop(self) -> None:
        self._remember(self._subject)
        self._subject, self._verdict, self._shown, self._scan_id, self._notice = None, None, None, "", None
        self._revision += 1

    # -- who is here --------------------------------------------------------------------------------------------------

    def sign_on(self, staff_id: str, pin: str) -> bool:
        """Sign on with a PIN, checked against the list held here. Returns whether it fits."""
        now = self._now()
        badge_first = self._policy(now).sign_on == "badge-and-pin"
        # Slow on purpose: the desk is not held meanwhile.
        refusal = self._duty.sign_on(staff_id, pin, now, badge_first=badge_first)
        with self._lock:
            self._notice = None
            self._revision += 1
            if refusal:
                self._say(now, "refused", f"kiosk.refused.{refusal}")
            return not refusal

    def sign_off(self) -> None:
        """Nobody is at the desk."""
        with self._lock:
            self._duty.sign_off()
            self._revision += 1

    def _who(self, now: datetime) -> str | None:
        """Who is on duty; that somebody has been signed off is news for the screen."""
        who = self._duty.who(now)
        if who != self._was_on_duty:
            self._was_on_duty = who
            self._revision += 1
        return who

    # -- the record ---------------------------------------------------------------------------------------------------

    def _record(self, now: datetime, *happened: Happening, by: str | None = None) -> list[Fact]:
        enrolment = self._outbox.enrolment
        assert enrolment is not None
        who = self._who(now) if by is None else by
        written = []
        for what in happened:
            self._last_fact_at = at = self._after_the_last(now)
            written.append(
                Fact(
                    id=uuid7(at, self._entropy(10)),
                    at=at,
                    witness=enrolment.witness,
                    what=what,  # type: ignore[arg-type]  # every Happening is one of What
                    by=who or "",
                    station=enrolment.station,
                )
            )
        self._outbox.record(*written)
        self._known.learn(written)
        self._recorded()
        return written

    def _say(self, now: datetime, kind: str, key: str, **values: object) -> None:
        self._notice = Notice(kind=kind, key=key, values=values, at=now)
        self._revision += 1

    # -- the screen ---------------------------------------------------------------------------------------------------

    def _station_id(self) -> str:
        enrolment = self._outbox.enrolment
        return enrolment.station if enrolment is not None else ""

    def _loop(self, vehicle: str, now: datetime) -> Loop | None:
        """The loop of this station; where it has several, the one the vehicle's pass is for."""
        view = self._known.view(vehicle, now)
        wanted = view.pass_.grant.loop if view is not None and view.pass_ is not None else ""
        return self._known.loop_here(self._station_id(), now, wanted)

    def _policy(self, now: datetime) -> Policy:
        """The policy of this station, whatever stands before the desk."""
        with self._lock:
            loop = self._known.loop_here(self._station_id(), now)
            return loop.policy_at(self._station_id()) if loop is not None else Policy()

    def history(self, now: datetime) -> timedelta:
        """For how long this station keeps what the server has."""
        return timedelta(seconds=self._policy(now).kiosk_history_s)

    def _lists_age_s(self, now: datetime) -> int | None:
        pulled_at = self._outbox.pulled_at
        return max(0, int((now - pulled_at).total_seconds())) if pulled_at is not None else None

    def screen(self) -> Screen:
        """What the page may show now."""
        with self._lock:
            now = self._now()
            self._refresh(now)
            who = self._who(now)
            enrolment, known = self._outbox.enrolment, self._known
            here = self._station_id()
            subject = self._subject
            vehicle = subject.vehicle if subject is not None else ""
            loop = self._loop(vehicle, now)
            station = loop.station(here) if loop is not None else None
            policy = loop.policy_at(here) if loop is not None else Policy()
            view = known.view(vehicle, now) if vehicle else None
            tubes = known.open_tubes(here, who, now - doing.TUBE_DAY) if who else []
            recent = now - timedelta(seconds=policy.antigen_read_before_s + 40 * 60)
            crew = self._crew(view, here, policy, now)
            return Screen(
                now=now,
                revision=self._revision,
                sounded=self._sounded,
                enrolment=enrolment,
                station=station,
                loop=loop,
                policy=policy,
                offered=deeds.offered(station) if station is not None else frozenset(),
                staff=tuple(known.staff.values()),
                signed_on=known.staff.get(who) if who else None,
                badge_shown=self._duty.badge_shown(now),
                badge_wanted=self._policy(now).sign_on == "badge-and-pin",
                subject=subject,
                verdict=self._verdict,
                view=view,
                crew=crew,
                inside=view is not None and view.journey is not None and view.journey.at_station == here,
                strangers={p: n for p, n in known.people.items() if p not in {c.id for c in crew}},
                running=tuple(known.running_tests(here, recent)),
                open_tube=tubes[-1] if tubes else "",
                tube_count=len(members(known.book, tubes[-1])) if tubes else 0,
                taken=tuple(known.bays_taken(here)),
                alerts=tuple(known.alerts(here)),
                undoable=known.last_deed(enrolment.witness, who, now - UNDO_WITHIN) if enrolment and who else None,
                names=known.people,
                depth=self._outbox.depth(),
                disk=self._outbox.disk,
                server_program=self._outbox.setting("server_program"),
                aside=tuple(self._outbox.aside()),
                link=self._link_state(),
                lists_age_s=self._lists_age_s(now),
                notice=self._notice,
            )

    def _crew(self, view: View | None, here: str, policy: Policy, now: datetime) -> tuple[CrewMember, ...]:
        if view is None or view.pass_ is None:
            return ()
        since = doing.visit_since(view, here, now)
        return tuple(
            CrewMember(
                id=person,
                name=self._known.people.get(person, person),
                evidence=view.people[person],
                standing=standing(view.people[person], now, policy),
                pack_given=self._known.pack_given(person, here, since),
            )
            for person in view.pass_.crew
        )


def _said(shown: Shown) -> tuple[object, ...]:
    """What a person would notice of a verdict; the moment it holds until creeps on with the age of the lists."""
    return shown.word, shown.reasons, shown.next_step


def _torn(text: str) -> bool:
    """Whether a text is the rest of a pass whose beginning was lost: a hand scanner's first letters, mostly."""
    letters = text.strip().upper()
    return len(letters) > 40 and letters.isascii() and letters.isalnum() and not set(letters) & set("089")
