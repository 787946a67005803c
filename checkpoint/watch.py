"""The watch: judge the vehicles under way, compare with what was told, tell.

The law of this file:

* The watch follows the record: it reads every fact and fix after the last it has seen, in the order learnt, so that
  nothing depends on who called. `noticed` only wakes it.
* What it tells is a fact of the server's own (`WarningRaised`, `Changed`, `Cleared`, `Withdrawn`, `Alerted`), durable
  before anybody hears of it. What was told is read back from the record: a restart raises nothing twice, and the ids are
  made from what is told, so that a crash between two of them doubles nothing. What to tell is decided in `telling.py`, and
  told in `voice.py`.
* Where several processes share a record each of them judges, for its own pages, and the elected one tells. What it tells is
  taken in only if it has read all that was told before. Pages hear of what was told when it is read, in every process.
* It writes down that it listens (`store/listening.py`): whoever was not heard because nobody listened is not silent.
* A vehicle is judged again when something about it was learnt, and when its judgement said that it may change by itself.
* A vehicle whose judgement fails is named in `troubles` and tried again; it does not blind us to the others.
"""

from __future__ import annotations

import gc
import logging
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import msgspec

from checkpoint.core import rules
from checkpoint.core.book import Book
from checkpoint.core.facts import (
    Alerted,
    Amended,
    Fact,
    LoopPublished,
    Voided,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    subjects,
)
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import Loop, Loops
from checkpoint.core.outages import Outage
from checkpoint.core.track import Track, TrackReading
from checkpoint.core.verdict import Judgement
from checkpoint.readings import Readings
from checkpoint.store import SERVER, Concern, Recorded, StorageFailed, Store
from checkpoint.store.signals import LOST
from checkpoint.voice import Voice, to_tell

log = logging.getLogger(__name__)

Publish = Callable[[str, dict[str, Any]], None]
# A pass is good for a month at most: whatever was learnt of a vehicle before is not under way.
UNDER_WAY = timedelta(days=32)
# How far back a track goes: longer than a lap with its rest.
TRACK_READ = timedelta(days=5)
LOOK_EVERY_S = 5.0
# How often it is written down that we listen.
LISTENING_S = 60.0
# Rounds begin no closer together: what streams in is judged together, once a vehicle. A lone event waits for nothing.
ROUND_EVERY_S = 0.25
# How long a stop waits for the vehicle under the eye. Judging one takes milliseconds.
STOP_S = 10.0
# How long tracks are read from the store in one round, before what is new is looked at again.
READING_S = 2.0
# How long a stop may put tracks by.
KEEPING_S = 3.0
TRY_AGAIN = timedelta(seconds=60)
# How far the clocks of processes that share a record may be apart.
CLOCKS_DIFFER = timedelta(minutes=2)
# Vehicles that are met together: what concerns them is asked for in a few questions, and pages wait for no more than these.
MET_AT_ONCE = 100
_AT_ONCE = 5_000
_TOLD = WarningRaised | WarningChanged | WarningCleared | WarningWithdrawn | Alerted
_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Telling can change what is found (an alert that nobody acknowledged); this is far more than it can chain.
_MOST_ROUNDS = 8


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle as the watch last saw it."""

    view: View
    judgement: Judgement


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """How the watch does: whether it runs, seconds since its last good round (or since it began), how many rounds there
    were and how long they took together, the number of the fact it has read to, and how many vehicles wait to be judged."""

    running: bool
    age_s: float
    rounds: int
    rounds_s: float
    read_to: int
    waiting: int = 0


class _Watched:
    """One vehicle: what concerns it, its book, its track, and when to look again."""

    def __init__(self, vehicle: str) -> None:
        self.vehicle = vehicle
        self.concern = Concern(vehicle)
        self.book = Book()
        self.facts: dict[str, Fact] = {}
        self.track: Track | None = None
        self.look: Look | None = None
        self.due = _NEVER
        self.learnt_at: datetime | None = None
        self.told_at = _EVER
        # The instants at which the view is another by the clock alone.
        self.turns: list[datetime] = []
        self._view: View | None = None
        self._view_at = _EVER
        self._folded, self._plan = -1, Loops()

    def add(self, recorded: Iterable[Recorded]) -> None:
        """Take facts into the book."""
        for r in recorded:
            self.facts[r.fact.id] = r.fact
            self.book.add(r.fact)
            if r.fact.witness == SERVER:
                self.told_at = max(self.told_at, r.fact.at)

    def view(self, loops: Loops, at: datetime) -> View:
        """Everything about the vehicle joined but its track; folded again only when something else would come of it."""
        kept = self._view
        if (
            kept is None
            or (self._folded, self._plan) != (self.book.revision, loops)
            or at < self._view_at
            or _next(self.turns, self._view_at) <= at
        ):
            kept = self._view = view_of(self.book, self.vehicle, loops, None, at)
            self._folded, self._plan, self._view_at = self.book.revision, loops, at
            self.turns = _turns(kept, loops)
        return kept


class Watch:
    """Judges on a thread of its own between `start` and `stop`. `settle` does the same at once, on the caller's."""

    def __init__(self, store: Store, now: Callable[[], datetime], publish: Publish) -> None:
        self._store = store
        self._now = now
        self._publish = publish
        self._lock = threading.RLock()
        self._watched: dict[str, _Watched] = {}
        # Which vehicles a subject concerns.
        self._concerned: dict[str, set[str]] = defaultdict(set)
        self._dirty: set[str] = set()
        # Vehicles that could not even be met, and when that is tried again.
        self._again: dict[str, datetime] = {}
        self._fact_number: int | None = None
        self._fix_number = 0
        self._withdrawn = 0
        # Up to which link of the server's own chain was read or told.
        self._told_to = 0
        self._outrun = False
        self._telling = False
        self._loops = Loops()
        self._readings = Readings(store)
        self._parted_at: datetime | None = None
        # When nobody listened, as it is known since we last said that we do (`monotonic`).
        self._outages: tuple[Outage, ...] = ()
        self._listened_s: float | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._deaf: Callable[[], None] = lambda: None
        self.troubles: dict[str, Exception] = {}
        self._pulse_at = monotonic()
        self._rounds, self._rounds_s = 0, 0.0

    # -- from outside -------------------------------------------------------------------------------------------------

    def noticed(self, vehicles: Iterable[str]) -> None:
        """Something was learnt: look soon. The vehicles are a courtesy; the record says whom it concerns."""
        del vehicles
        self._wake.set()

    def look(self, vehicle: str) -> Look | None:
        """The vehicle as last seen; looked at now when the watch has not met it. None when nothing is known of it."""
        watched = self._watched.get(vehicle)
        if watched is not None and watched.look is not None:
            return watched.look
        with self._lock:
            self._learn()
            watched = self._watched.get(vehicle) or self._meet(vehicle)
            if not watched.facts:
                self._forget(vehicle)
                return None
            if watched.look is None:
                self._judge(watched, self._now())
            return watched.look

    def looks(self) -> dict[str, Look]:
        """Every vehicle under way as last seen."""
        return {vehicle: w.look for vehicle, w in sorted(self._watched.copy().items()) if w.look is not None}

    def pulse(self) -> Pulse:
        """How the watch does."""
        thread = self._thread
        return Pulse(
            running=thread is not None and thread.is_alive(),
            age_s=monotonic() - self._pulse_at,
            rounds=self._rounds,
            rounds_s=self._rounds_s,
            read_to=self._fact_number or 0,
            waiting=len(self._dirty),
        )

    def start(self) -> None:
        """Begin to watch, and stand for election."""
        if self._thread is None:
            self._stopping.clear()
            self._pulse_at = monotonic()
            try:
                self._listen()  # before anything is taken in that would look as if we had listened all the time
            except StorageFailed as error:
                log.warning("it could not be written down that we listen: %s", error)
            self._deaf = self._store.signals.subscribe(self._heard)
            self._store.election.start(self._wake.set)
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the vehicle under the eye, then stop. One that is stuck is left behind, loudly: it must not hold the
        end of the process up, and nothing of it was told."""
        self._stopping.set()
        self._wake.set()
        self._deaf()
        if self._thread is not None:
            self._store.election.stop()
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.error("the watch is stuck and was left behind after %.0f s: what is new is judged at the next start", STOP_S)
            elif self._telling:
                self._keep_all()
            self._thread = None

    def _keep_all(self) -> None:
        """Put by what can be put by in a moment: the next start reads the rest again."""
        until = monotonic() + KEEPING_S
        try:
            while monotonic() < until and self.keep():
                pass
        except StorageFailed as error:
            log.warning("not all tracks could be put by: %s", error)

    def _heard(self, channel: str, payload: str) -> None:
        """Another process, or this one, has something new to read."""
        del payload
        self._wake.set()
        if channel == LOST:
            self._publish("reload", {})

    def settle(self) -> None:
        """Judge all that is to be judged now, and tell, elected or not. Raises what a judgement raised."""
        self._stopping.clear()
        self._round(telling=True)
        if self.troubles:
            raise next(iter(self.troubles.values()))

    # -- rounds -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._rounds == 0:
                # What a start lays down stays: to look through it for garbage again and again would take most of its time.
                gc.disable()
            self._wake.clear()
            begun = monotonic()
            try:
                self._listen()
                self._round(telling=self._store.election.elected())
                if self._telling and not self._stopping.is_set():
                    self.keep(everything=False)
            except StorageFailed as error:
                log.error("the watch waits for the database: %s", error)
            except Exception:
                # We failed: said loudly, and tried again; a watch that died in silence would be worse.
                log.exception("the watch could not finish its round")
            else:
                self._pulse_at = monotonic()
            took_s = monotonic() - begun
            self._rounds, self._rounds_s = self._rounds + 1, self._rounds_s + took_s
            if self._rounds == 1:
                gc.freeze()
                gc.enable()
                begun, took_s = monotonic(), 0.0  # a start needs no rest as long as itself
            self._wake.wait(self._pause_s())
            # Never busier than half of the time: those who hand in facts and look at pages need the machine too.
            self._stopping.wait(max(2 * took_s, ROUND_EVERY_S) - (monotonic() - begun))

    def _listen(self) -> None:
        """Write down, now and then, that we listen, and see when nobody did. Who refuses positions does not listen."""
        if self._store.room().refused or (self._listened_s is not None and monotonic() - self._listened_s < LISTENING_S):
            return
        # Whoever was judged without it is judged again before it matters: when he would be silent.
        self._outages, self._listened_s = tuple(self._store.listen()), monotonic()

    def _pause_s(self) -> float:
        """Until something changes by itself, and never longer than `LOOK_EVERY_S`: clocks can be set."""
        due = min((w.due for w in self._watched.copy().values()), default=_NEVER)
        until = (due - self._now()).total_seconds()
        return min(max(until, 0.05), LOOK_EVERY_S)

    def _round(self, *, telling: bool) -> None:
        if telling and not self._telling:
            # Just elected: the one before may have left something untold.
            self._dirty |= self._watched.keys()
        self._telling = telling
        for _ in range(_MOST_ROUNDS):
            with self._lock:
                self._learn()
                now = self._now()  # after reading: what was just learnt has happened
                learnt, self._dirty = self._dirty, set()
                due = {v for v, w in self._watched.items() if w.due <= now} | {v for v, at in self._again.items() if at <= now}
            if not self._look_at_all(learnt, due, now):
                break
        with self._lock:
            self._part(self._now())

    def _look_at_all(self, learnt: set[str], due: set[str], now: datetime) -> bool:
        """Judge these vehicles and tell what is new. Whether anything was told, so that there may be more to learn."""
        told, reading_s, voice = False, 0.0, Voice(self._store)
        # Those whose tracks are at hand first: a fleet that is read from the store blinds nobody.
        at_hand = {v for v in learnt | due if self._at_hand(v)}
        in_turn = [*sorted(at_hand), *sorted((learnt | due) - at_hand)]
        try:
            for turn, vehicle in enumerate(in_turn):
                if self._stopping.is_set() or reading_s > READING_S:
                    self._wake.set()
                    self._speak(voice, now)
                    return False
                if turn % MET_AT_ONCE == 0:
                    self._meet_all([v for v in in_turn[turn : turn + MET_AT_ONCE] if v in learnt])
                begun = monotonic()
                # What is found of vehicles at hand does not wait for tracks that are read from the store.
                if turn == len(at_hand) or voice.due(begun):
                    told |= self._speak(voice, now)
                # Let go between vehicles: a page that asks for one does not wait for the fleet.
                with self._lock:
                    self._look_at(vehicle, vehicle in learnt, now, voice)
                learnt.discard(vehicle)
                reading_s += 0.0 if vehicle in at_hand else monotonic() - begun
            told |= self._speak(voice, now)
        finally:
            # Whoever was not looked at, or not told of, is looked at in the next round.
            self._dirty |= learnt | voice.waiting
        if voice.failed is not None:
            raise voice.failed
        return told

    def _at_hand(self, vehicle: str) -> bool:
        """Whether a vehicle can be judged without reading its track from the store."""
        watched = self._watched.get(vehicle)
        return self._readings.rests(vehicle) or (watched is not None and watched.track is not None)

    def keep(self, *, everything: bool = True) -> bool:
        """Put tracks by as they were read: a few, or everything there is. Whether there may be more. Raises `StorageFailed`."""
        with self._lock:
            if self._fact_number is None or self._store.room().refused:
                return False
            self._withdraw()  # what was read of fixes that are there no more must not be put by
            tracks = {vehicle: w.track for vehicle, w in self._watched.items() if w.track is not None}
            draft = self._readings.draft(tracks, self._fix_number, monotonic(), everything=everything)
        if draft is None:
            return False
        try:
            ours = self._readings.write(draft)
        except StorageFailed:
            with self._lock:
                self._readings.unwritten(draft)
            raise
        if not ours:
            log.info("another process put tracks by: ours are put by anew")
            with self._lock:
                self._readings.lost(tracks)
        return True

    def _look_at(self, vehicle: str, learnt: bool, now: datetime, voice: Voice) -> None:
        """Judge a vehicle, and give the voice what is new of it."""
        try:
            watched = self._watched.get(vehicle) or self._meet(vehicle)
        except StorageFailed:
            raise
        except Exception as error:
            log.exception("what concerns a vehicle could not be read")
            self.troubles[vehicle] = error
            self._again[vehicle] = now + TRY_AGAIN
            return
        if timedelta() < watched.told_at - now < CLOCKS_DIFFER:
            # Another process told it by its own clock: judged before that, what it told of had not happened yet.
            now = watched.told_at
        before = _outline(watched.look)
        try:
            look = self._judge(watched, now)
            if self._telling:
                facts = to_tell(self._store, look.view, look.judgement, watched.facts.values(), self._loops, now)
                if facts:
                    voice.take(vehicle, facts, self._told_to, monotonic())
        except Exception as error:
            log.exception("a vehicle could not be judged")
            self.troubles[vehicle] = error
            watched.due = now + TRY_AGAIN
            return
        self.troubles.pop(vehicle, None)
        if learnt or _outline(look) != before:
            self._publish("vehicle", {"vehicle": vehicle, "at": now.isoformat()})

    def _speak(self, voice: Voice, now: datetime) -> bool:
        """Tell what waits to be told. Whether there is something to learn of it."""
        spoken = voice.speak()
        with self._lock:
            self._told_to = max(self._told_to, spoken.told_to)
            self._outrun |= spoken.outrun
            self._dirty |= spoken.again
            for vehicle, error in spoken.refused.items():
                self.troubles[vehicle] = error
                if vehicle in self._watched:
                    self._watched[vehicle].due = now + TRY_AGAIN
        return bool(spoken.told_to) or spoken.outrun

    def _judge(self, watched: _Watched, now: datetime) -> Look:
        view = watched.view(self._loops, now)
        view = msgspec.structs.replace(view, track=self._reading(watched, view.loop, now), outages=self._outages)
        judgement = rules.judge(view, now)
        look = watched.look = Look(view=view, judgement=judgement)
        watched.due = min(judgement.next_change or _NEVER, _next(watched.turns, now))
        return look

    def _reading(self, watched: _Watched, loop: Loop | None, now: datetime) -> TrackReading | None:
        """What the fixes say, read against the loop in force; None without a loop or a fix."""
        if loop is None:
            if watched.track is None:
                self._readings.forget(watched.vehicle)
            return None
        if watched.track is None or watched.track.loop is not loop:
            watched.track = self._readings.track(watched.vehicle, loop, now - TRACK_READ, TRACK_READ, monotonic())
        reading = watched.track.reading()
        return reading if reading.fixes_count else None

    # -- learning -----------------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        """Read on in the record: facts, then fixes."""
        if self._fact_number is None:
            self._begin()
            assert self._fact_number is not None
        # Asked before reading on: whatever was told up to there is read then, or has left the record since.
        told_to = self._store.told() if self._outrun else 0
        while recorded := self._store.facts_after(self._fact_number, _AT_ONCE):
            self._take(recorded)
            self._fact_number = recorded[-1].number
        while arrived := self._store.positions_after(self._fix_number, _AT_ONCE):
            for a in arrived:
                self._readings.arrived(a)
                watched = self._watched.get(a.vehicle)
                if watched is not None and watched.track is not None:
                    watched.track.add(a.fix)
                self._learnt(a.vehicle)
            self._fix_number = arrived[-1].number
        self._withdraw()
        self._told_to, self._outrun = max(self._told_to, told_to), False

    def _withdraw(self) -> None:
        """Read the tracks of vehicles anew from which fixes were taken."""
        for number, vehicle in self._store.withdrawn_after(self._withdrawn):
            self._readings.forget(vehicle)
            watched = self._watched.get(vehicle)
            if watched is not None:
                watched.track = None
            self._learnt(vehicle)
            self._withdrawn = number

    def _begin(self) -> None:
        # The numbers first: what comes while we read the rest is then read twice, and not missed.
        self._fact_number, last_fix = self._store.last_number(), self._store.last_position()
        self._withdrawn = self._store.last_withdrawn()
        self._told_to = self._store.told()
        self._loops = self._store.loops()
        self._fix_number = self._readings.begin((loop for all_ in self._loops.all().values() for loop in all_), last_fix)
        self._dirty |= set(self._store.vehicles(self._now() - UNDER_WAY))

    def _take(self, recorded: list[Recorded]) -> None:
        """Lay new facts into the books of all the vehicles they concern."""
        whose: defaultdict[str, list[Recorded]] = defaultdict(list)
        replanned, told_to = False, self._told_to
        for r in recorded:
            if r.fact.witness == SERVER:
                told_to = max(told_to, r.seq)
                if isinstance(r.fact.what, _TOLD):
                    self._publish("warning", _told(r.fact))
            replanned |= isinstance(r.fact.what, LoopPublished | Voided | Amended)
            names = subjects(r.fact)
            concerned = set().union(*(self._concerned.get(name, ()) for name in names))
            for vehicle in concerned:
                whose[vehicle].append(r)
            for vehicle in concerned | {n.removeprefix("vehicle:") for n in names if n.startswith("vehicle:")}:
                self._learnt(vehicle)
        for vehicle, found in whose.items():
            watched = self._watched[vehicle]
            watched.add(found)
            watched.add(self._store.follow(watched.concern, [r.fact for r in found]))
            self._index(watched)
        self._told_to = told_to  # not before all of it lies in the books
        if replanned:
            loops = self._store.loops()
            if loops.all() != self._loops.all():
                self._loops = loops
                self._dirty |= self._watched.keys()

    def _learnt(self, vehicle: str) -> None:
        self._dirty.add(vehicle)
        if vehicle in self._watched:
            self._watched[vehicle].learnt_at = self._now()

    def _meet(self, vehicle: str) -> _Watched:
        """Read all that concerns a vehicle."""
        watched = _Watched(vehicle)
        self._met(watched, self._store.concerning(watched.concern))
        return watched

    def _meet_all(self, vehicles: Iterable[str]) -> None:
        """Meet those of these vehicles that are not watched, all together. They are to be judged: nobody waits for them yet."""
        with self._lock:
            new = [_Watched(vehicle) for vehicle in vehicles if vehicle not in self._watched]
            if not new:
                return
            try:
                for watched, recorded in zip(new, self._store.concerning_each([w.concern for w in new]), strict=True):
                    self._met(watched, recorded)
            except StorageFailed:
                raise
            except Exception:
                log.warning("what concerns some vehicles could not be read together: each is read by itself", exc_info=True)

    def _met(self, watched: _Watched, recorded: Iterable[Recorded]) -> None:
        watched.learnt_at = self._now()
        watched.add(recorded)
        # Not before all of it is read: a vehicle of which half is known would be judged by that half.
        self._watched[watched.vehicle] = watched
        self._again.pop(watched.vehicle, None)
        self._index(watched)

    def _index(self, watched: _Watched) -> None:
        for subject in watched.concern.subjects:
            self._concerned[subject].add(watched.vehicle)

    def _forget(self, vehicle: str) -> None:
        watched = self._watched.pop(vehicle)
        self._readings.forget(vehicle)
        for subject in watched.concern.subjects:
            self._concerned[subject].discard(vehicle)
            if not self._concerned[subject]:
                del self._concerned[subject]

    def _part(self, now: datetime) -> None:
        """Forget, now and then, the vehicles of which nothing was learnt for longer than a pass lasts."""
        if self._parted_at is not None and now - self._parted_at < timedelta(hours=1):
            return
        self._parted_at = now
        for vehicle, watched in list(self._watched.items()):
            if watched.learnt_at is not None and now - watched.learnt_at > UNDER_WAY:
                self._forget(vehicle)


def _turns(view: View, loops: Loops) -> list[datetime]:
    """When a view is another by the clock alone: a pass begins or closes, a version of its loop comes into force."""
    found = {at for p in view.passes for at in (p.grant.not_before, p.closed_at)}
    for name in {p.grant.loop for p in view.passes}:
        for version in loops.all().get(name, ()):
            found.add(version.effective_from)
            if version.effective_until is not None:
                found.add(version.effective_until)
    return sorted(found)


def _next(turns: Sequence[datetime], after: datetime) -> datetime:
    """The first of some instants after another."""
    first = bisect_right(turns, after)
    return turns[first] if first < len(turns) else _NEVER


def _outline(look: Look | None) -> tuple[object, ...]:
    """What of a look a page would show differently."""
    if look is None:
        return ()
    return tuple((f.kind, f.subject, f.colour, f.since, f.until, f.confirmed) for f in look.judgement.findings)


def _told(fact: Fact) -> dict[str, Any]:
    """An event about a warning, as pages hear it: enough to know what to fetch again."""
    what = fact.what
    return {
        "event": type(what).__name__,
        "warning": fact.id if isinstance(what, WarningRaised) else getattr(what, "warning", ""),
        "vehicle": getattr(what, "vehicle", ""),
        "finding": getattr(what, "finding", ""),
        "colour": getattr(what, "colour", ""),
        "at": fact.at.isoformat(),
    }
