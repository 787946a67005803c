"""The store: what is held, durably. The only part of the house that knows peewee.

The law of this package: what a method that takes something in has returned for is on disk (`synchronous=FULL`, after the
commit); whatever it raises for is not held. All writing goes through one thread (`writer.py`); reading happens on the
caller's own thread and never waits for it. Everything here may be called from any thread.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from checkpoint.core.facts import Fact
from checkpoint.core.loop import Loops, MalformedLoop, parse
from checkpoint.core.outages import Outage
from checkpoint.core.track import Fix
from checkpoint.database_url import DatabaseUrl, is_database_url
from checkpoint.store import keys, listening, migrations, moving, restored, sweeps
from checkpoint.store.concern import Concern
from checkpoint.store.database import Database, StorageBusy, StorageFailed, StorageFull, micros
from checkpoint.store.election import Election, SharedElection
from checkpoint.store.following import Asked, follow
from checkpoint.store.keys import WrongKey
from checkpoint.store.ledger import (
    Entry,
    Gap,
    Head,
    Ledger,
    Outcome,
    Recorded,
    Returned,
    SetAside,
    Signed,
    entry_of,
    person_told,
    told_stamp,
)
from checkpoint.store.positions import FIRST, UNPROVED, WITHDRAWN, Arrived, Key, Positions, StrangeDevice, Stranger, Whose
from checkpoint.store.postgres import Postgres, open_postgres
from checkpoint.store.readings import Account, KeptReading, Readings, sweep_readings
from checkpoint.store.registry import Kiosk, Person, Registry
from checkpoint.store.removal import remove_aside, remove_facts
from checkpoint.store.restored import BroughtBack, Lost
from checkpoint.store.room import Headroom, Room
from checkpoint.store.rotation import Standing, encrypt_anew, standing
from checkpoint.store.seals import seal_anew
from checkpoint.store.signals import RECORD, SharedSignals, Signals
from checkpoint.store.sqlite import Sqlite, open_sqlite
from checkpoint.store.tally import Tally
from checkpoint.store.traces import Trace, Traces
from checkpoint.store.turns import SharedTurns, Turns
from checkpoint.store.verify import Problem, Verification, verify
from checkpoint.store.writer import Writer

__all__ = [
    "SERVER",
    "UNPROVED",
    "WITHDRAWN",
    "Account",
    "Arrived",
    "BroughtBack",
    "Concern",
    "Entry",
    "Gap",
    "Head",
    "KeptReading",
    "Lost",
    "Outcome",
    "Outrun",
    "Problem",
    "Recorded",
    "Registry",
    "Returned",
    "Room",
    "SetAside",
    "Signed",
    "StorageBusy",
    "StorageFailed",
    "StorageFull",
    "Store",
    "StrangeDevice",
    "Stranger",
    "Taken",
    "Trace",
    "Verification",
    "WrongKey",
]

T = TypeVar("T")
# Who speaks of warnings.
SERVER = "server"
_KEY_CHECK = "key-check"
_INSTALLATION = "installation"


class Outrun(RuntimeError):
    """Somebody else told something in the server's name that the teller had not read: nothing was told. Read on, judge again."""


class Taken(NamedTuple):
    """What became of a batch of a witness that chains itself: each entry, what is missing of its chain, and its end."""

    outcomes: list[Outcome]
    gaps: list[Gap]
    head: Head | None


def _among(database: Database) -> tuple[Signals, Election | SharedElection, Turns]:
    """What processes of one database have to settle among themselves."""
    if isinstance(database, Postgres):
        return SharedSignals(database), SharedElection(database), SharedTurns(database)
    assert isinstance(database, Sqlite)
    return Signals(), Election(database.beside("elected")), Turns()


class Store:
    """Ledger, positions and registry of one installation, open. Made by `Store.open`."""

    def __init__(
        self, database: Database, key_folder: Path, now: Callable[[], datetime], headroom: Headroom, marked_too: bool = False
    ) -> None:
        self.now = now
        self.headroom = headroom
        self._db = database
        self.tally = Tally()
        self.signals, self.election, self.turns = _among(database)
        self._writer = Writer(self._db, headroom, self.tally)
        try:
            self._writer.do(lambda: migrations.migrate(self._db, now()))
            if not marked_too:
                moving.refuse_marked(self._db)
            fresh = not self._db.rows("SELECT 1 FROM settings WHERE name = ?", (_KEY_CHECK,))
            self._keys = keys.load(key_folder, create=fresh)
            self.registry = Registry(self._db, self._writer, self._keys, now)
            self._check_key()
            self._writer.do(lambda: seal_anew(self._db, self._keys))
        except OSError as error:
            self.close()
            raise StorageFailed(f"the key file cannot be read or written: {error}") from error
        except BaseException:
            self.close()
            raise
        self._ledger = Ledger(self._db, self._keys)
        # A record is brought back while no server runs: it is read once.
        self.lost = restored.lost(self._ledger)
        # Whether somebody showed that they have read further than the record goes: it was brought back, and nobody said so.
        self.went_back = False
        self.installation = self.registry.setting_once(_INSTALLATION, secrets.token_hex(8))
        self._positions = Positions(self._db)
        self._readings = Readings(self._db, self._keys)
        self.traces = Traces(self._db, self._writer)
        self._parsed: dict[str, object] = {}

    @classmethod
    def open(
        cls,
        where: Path | str | DatabaseUrl,
        now: Callable[[], datetime],
        headroom_bytes: int = 0,
        key_folder: Path | None = None,
        marked_too: bool = False,
    ) -> Store:
        """Open the database at a path or address, made and brought up to date when needed.

        The key file lies in `key_folder`: beside a SQLite database when not said. When less than `headroom_bytes` are free on
        a SQLite database's disk, intake is refused (`room.py`); with 0 never by us. Raises `StorageFailed` when it cannot be
        opened, `WrongKey` when the key file is not this database's. One that a move has marked (`moving.py`) is opened with
        `marked_too` only.
        """
        if isinstance(where, str):
            where = DatabaseUrl(where) if is_database_url(where) else Path(where)
        if key_folder is not None:
            key_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if isinstance(where, DatabaseUrl):
            if key_folder is None:
                raise ValueError("a folder for the key file is wanted")
            return cls(open_postgres(where), key_folder, now, Headroom(key_folder, 0), marked_too)
        headroom = Headroom(where.parent, headroom_bytes)
        try:
            database = open_sqlite(where)
        except StorageFailed:
            # Even to open a file takes room: this is what the reserve is for.
            if not headroom.let_go():
                raise
            database = open_sqlite(where)
        return cls(database, key_folder or where.parent, now, headroom, marked_too)

    def _check_key(self) -> None:
        mark = self._keys.mark("check", "")
        known = self.registry.setting_once(_KEY_CHECK, mark.hex())
        if not self._keys.is_ours(bytes.fromhex(known), "check", ""):
            raise WrongKey(f"{keys.KEY_FILE} is not the key of this database")

    def close(self) -> None:
        """Finish what is being written, then close every connection. Nobody may be reading."""
        self.election.stop()
        self._writer.stop()
        self.signals.close()
        self._db.close_all()

    @property
    def far(self) -> bool:
        """Whether even a quick question waits on another program, and must not be asked where nobody may wait."""
        return isinstance(self._db, Postgres)

    def room(self) -> Room:
        """How much room there is on the disk, and what is not taken in now for want of it."""
        return self.headroom.look()

    # -- facts --------------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], signed: Signed | None = None) -> list[Outcome]:
        """Take entries in; durable when it returns, with an outcome for each in the same order.

        `signed` is the head of its chain that the entries' witness signed, its signature verified by the caller.
        """
        return self.append_soon(entries, signed).result()

    def append_soon(self, entries: Sequence[Entry], signed: Signed | None = None) -> Future[list[Outcome]]:
        """Like `append`, without waiting: the future holds the outcomes once they are durable."""
        now = self.now()
        return self._counted(entries, self._writer.submit(lambda: self._ledger.take(entries, now, signed)))

    def append_links_soon(self, witness: str, entries: Sequence[Entry], signed: Signed | None) -> Future[Taken]:
        """Like `append_soon` for a witness that chains itself: with how its chain stands as of the same commit."""
        now = self.now()

        def work() -> Taken:
            outcomes = self._ledger.take(entries, now, signed)
            return Taken(outcomes, self._ledger.gaps(witness), self._ledger.head(witness))

        return self._counted(entries, self._writer.submit(work))

    def _counted(self, entries: Sequence[Entry], future: Future[T]) -> Future[T]:
        def count(done: Future[T]) -> None:
            if not done.cancelled() and done.exception() is None:
                taken: object = done.result()
                self.tally.took(entries, taken.outcomes if isinstance(taken, Taken) else cast("list[Outcome]", taken))

        future.add_done_callback(count)
        return self._spread(future)

    def tell(self, facts: Sequence[Fact], known: int) -> list[Outcome]:
        """Take in what the server tells of warnings, if nothing was told that the teller has not read.

        `known` is the last link of the server's own chain that was read. Raises `Outrun`, and nothing is held: however many
        processes take themselves for the one that tells, none tells past another.
        """
        now, entries = self.now(), [entry_of(fact) for fact in facts]

        def work() -> list[Outcome]:
            head = self._ledger.head(SERVER)
            if head is not None and head.seq > known:
                raise Outrun(f"the server told up to {head.seq}, and {known} was read")
            listening.still(self._db, now)
            return self._ledger.take(entries, now)

        return self._counted(entries, self._writer.submit(work)).result()

    def listen(self) -> list[Outage]:
        """Say that somebody listens now, durably: to be said every minute. Returns when nobody did, in order."""
        now = self.now()
        return self._writer.do(lambda: listening.listen(self._db, now))

    def told(self) -> int:
        """The last link of the server's own chain; 0 when it told nothing yet."""
        head = self._ledger.head(SERVER)
        return head.seq if head is not None else 0

    def _spread(self, future: Future[T]) -> Future[T]:
        """Tell other processes, once it is durable, that there is something to read."""

        def spread(done: Future[T]) -> None:
            if not done.cancelled() and done.exception() is None:
                self.signals.publish(RECORD)

        if self.signals.shared:
            future.add_done_callback(spread)
        return future

    def record(self, fact: Fact) -> Outcome:
        """Take in one fact of a witness that does not chain: the server itself, a desk, a phone."""
        return self.append([entry_of(fact)])[0]

    def set_aside(self, source: str, raw: bytes, why: str, detail: str = "", fact_id: str = "") -> int:
        """Keep something whole that is not even an entry; durable when it returns its number."""
        now = self.now()
        return self._writer.do(lambda: self._ledger.set_aside(source, raw, why, detail, fact_id, None, now))

    def fact(self, fact_id: str) -> Recorded | None:
        """The fact of an id as it was received, or None."""
        return self._ledger.fact(fact_id)

    def handed_in(self, recorded: Recorded) -> bytes | None:
        """What came in (a laboratory's message) when a fact was made of it, or None."""
        return self._ledger.handed_in(recorded)

    def about(self, vehicle: str) -> list[Fact]:
        """Every fact that is needed to judge a vehicle, corrections included, in the order learnt."""
        return [recorded.fact for recorded in self.concerning(Concern(vehicle))]

    def concerning(self, concern: Concern) -> list[Recorded]:
        """The same for a concern just made, which then knows what it was asked for."""
        return self.concerning_each([concern])[0]

    def concerning_each(self, concerns: Sequence[Concern]) -> list[list[Recorded]]:
        """The same for several, asked for together. All of it is held at once: ask for some at a time."""
        return follow(self._ledger, [Asked(concern, concern.subjects) for concern in concerns])

    def follow(self, concern: Concern, facts: Sequence[Fact]) -> list[Recorded]:
        """What else concerns a vehicle now that these facts were learnt of it, in the order learnt."""
        subjects, targets = concern.add(facts)
        return follow(self._ledger, [Asked(concern, subjects, targets)])[0]

    def facts_of(self, *subjects: str) -> list[Fact]:
        """The facts that name any of these subjects (`kind:name`), in the order learnt."""
        return [recorded.fact for recorded in self._ledger.about_subjects(subjects)]

    def recorded_of(self, *subjects: str) -> list[Recorded]:
        """The same with their numbers and times of learning."""
        return self._ledger.about_subjects(subjects)

    def facts_of_kind(self, *kinds: str) -> list[Recorded]:
        """All facts of these kinds (`PassRequested`…), in the order learnt."""
        return self._ledger.of_kind(*kinds)

    def facts_of_kind_after(self, kinds: Sequence[str], number: int, limit: int) -> list[Recorded]:
        """The facts of these kinds learnt after a number, in the order learnt."""
        return self._ledger.of_kind_after(kinds, number, limit)

    def facts_told_by(self, witness: str, after_seq: int, limit: int) -> list[Recorded]:
        """The facts of a witness after a link of its chain, in the order of the chain."""
        return self._ledger.of_witness_after(witness, after_seq, limit)

    def facts_after(self, number: int, limit: int) -> list[Recorded]:
        """The facts learnt after a number, in the order learnt."""
        return self._ledger.after(number, limit)

    def learnt_before(self, before: datetime, limit: int) -> list[Recorded]:
        """The facts that were learnt before an instant, the oldest first."""
        return self._ledger.learnt_before(before, limit)

    def last_number(self) -> int:
        """The number of the fact learnt last."""
        return self._ledger.last_number()

    def last_number_of(self, *kinds: str) -> int:
        """The number of the fact of any of these kinds that was learnt last; 0 when there is none."""
        return self._ledger.last_number_of(*kinds)

    def vehicles(self, since: datetime) -> list[str]:
        """The vehicles that something learnt since then is about: facts, or fixes."""
        return sorted({*self._ledger.vehicles(since), *self._positions.vehicles(since)})

    def loops(self) -> Loops:
        """Every loop version published and not voided since, parsed once."""
        voided = {f.what.target for f in (r.fact for r in self._ledger.of_kind("Voided"))}  # type: ignore[union-attr]
        loops = Loops()
        for recorded in self._ledger.of_kind("LoopPublished"):
            if recorded.fact.id in voided:
                continue
            loop = self._parsed.get(recorded.fact.id)
            if loop is None:
                try:
                    loop = parse(recorded.fact.what.document)  # type: ignore[union-attr]
                except MalformedLoop as error:
                    loop = error
                self._parsed[recorded.fact.id] = loop
            if not isinstance(loop, MalformedLoop):
                loops.add(loop)  # type: ignore[arg-type]
        return loops

    def aside(self, limit: int = 100, *, why: str | None = None, source: str | None = None) -> list[SetAside]:
        """What could not be taken in as a fact, the newest first."""
        return self._ledger.aside(limit, why, source)

    def aside_of(self, source: str, after: int, limit: int) -> list[SetAside]:
        """What was set aside of a source after a number, the oldest first."""
        return self._ledger.aside_after(source, after, limit)

    def gaps(self, witness: str | None = None) -> list[Gap]:
        """The links of witnesses' chains that have not come."""
        return self._ledger.gaps(witness)

    def head(self, witness: str) -> Head | None:
        """The end of a witness's chain as it is held, or None when nothing of it is."""
        return self._ledger.head(witness)

    def told_stamp(self, recorded: Recorded) -> str:
        """The stamp (hex) under a fact that is told: with it whoever was told can show that this record once held it."""
        return told_stamp(self._keys, recorded.fact.witness, recorded.seq, recorded.prev, recorded.raw)

    def is_our_stamp(self, entry: Entry, stamp: str) -> bool:
        """Whether the record once held this entry and told it: nobody without the key file makes such a stamp."""
        try:
            prev = bytes.fromhex(entry.prev)
        except ValueError:
            return False
        made = (told_stamp(proof, entry.witness, entry.seq or 0, prev, entry.raw) for proof in self._keys.proving)
        return any(hmac.compare_digest(each.encode(), stamp.encode()) for each in made)

    def told_person(self, person: Person) -> tuple[str, str]:
        """What is told of a person beside the name: the mark of the ID number (hex, empty without one), by which they are
        recognised and nobody reads anything; and the stamp (hex) under all of it, for the same purpose."""
        mark = self._keys.mark("id_number", person.id_number).hex() if person.id_number else ""
        return mark, self._keys.stamp("told", person_told(person.id, person.name, mark)).hex()

    def take_person_back(self, person: str, name: str, mark: str, stamp: str) -> bool:
        """Enter somebody again who was told and lost, if the stamp is ours, the record names them, and they are not here."""
        made = (proof.stamp("told", person_told(person, name, mark)).hex() for proof in self._keys.proving)
        if not any(hmac.compare_digest(each.encode(), stamp.encode()) for each in made):
            return False
        return bool(self.facts_of(f"person:{person}")) and self.registry.enter_person(person, name, bytes.fromhex(mark))

    def bring_back(self, taken_at: datetime, backup: str = "") -> BroughtBack:
        """Say that this record was brought back from a backup taken then (`backup`: its manifest's SHA-256), and make it fit
        to go on; durable when it returns. No server may be running on it."""
        now = self.now()
        done = self._writer.do(lambda: restored.bring_back(self._db, self._ledger, taken_at, backup, now))
        self.lost = restored.lost(self._ledger)
        return done

    def last_learnt_at(self) -> datetime | None:
        """When the fact learnt last was learnt."""
        last = self._ledger.after(self._ledger.last_number() - 1, 1)
        return last[0].recorded_at if last else None

    def not_heard_since(self, at: datetime) -> list[Kiosk]:
        """The kiosks in use that have not spoken since then: what they know, we may not."""
        there = (k for k in self.registry.kiosks() if k.closed_at is None and k.enrolled_at is not None)
        return [k for k in there if k.seen_at is None or k.seen_at < at]

    def returned(self) -> list[Returned]:
        """What the record had lost and has again, in the order in which it came back."""
        return self._ledger.returned()

    def verify(self) -> Verification:
        """Walk every chain again from the bytes, and compare all that is derived from them."""
        return verify(self._db, self._keys, lambda: {k.witness: k.public_key for k in self.registry.kiosks() if k.public_key})

    # -- how it stands -------------------------------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether the database reads. Takes as long as it takes: ask with a time limit."""
        return self._db.rows("SELECT 1") == [(1,)]

    def at_head(self) -> bool:
        """Whether the schema is the one this program was written for."""
        return self._db.rows("SELECT max(number) FROM migrations") == [(len(migrations.MIGRATIONS),)]

    @property
    def stuck(self) -> bool:
        """Whether writing does not go on."""
        return self._writer.stuck

    @property
    def waiting(self) -> int:
        """How much waits to be written."""
        return self._writer.depth

    def size_bytes(self) -> int:
        """How large the database is on its disk."""
        if self._db.kind == "sqlite":
            sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        else:
            sql = "SELECT pg_database_size(current_database())"
        return int(self._db.rows(sql)[0][0])

    def aside_counts(self) -> dict[str, int]:
        """How much is set aside, by why."""
        return {
            str(why): int(count)
            for why, count in self._db.rows("SELECT why, count(*) FROM aside WHERE removed_at IS NULL GROUP BY why")
        }

    # -- the key file ---------------------------------------------------------------------------------------------------

    def key_versions(self) -> tuple[str, ...]:
        """The versions of the secret in the key file by their names, the newest last."""
        return tuple(version.name for version in self._keys.versions)

    def key_standing(self) -> list[Standing]:
        """What each version of the secret is still needed for."""
        return standing(self._db, self._keys)

    def encrypt_anew(self, say: Callable[[str, int], None]) -> int:
        """Put every encrypted value and every mark under the newest version of the secret; stopped, it goes on where it was.
        Returns how many were changed. No server may be running."""
        done = encrypt_anew(self._db, self._writer, self._keys, say)
        self.registry.set_setting(_KEY_CHECK, self._keys.mark("check", "").hex())
        return done

    # -- what leaves ---------------------------------------------------------------------------------------------------

    def remove_facts(self, numbers: Collection[int], passes: Sequence[str] = ()) -> int:
        """Let the bodies of facts go, all of them or none, and with them what belongs to these passes; the facts' links of
        their chains stay. Returns how many facts there were."""
        now = self.now()

        def work() -> int:
            sweeps.with_passes(self._db, list(passes))
            return remove_facts(self._db, self._keys, numbers, now)

        return self._writer.do(work)

    def sweep(self, kind: str, before: datetime, *, dry: bool = False) -> int:
        """Delete what is older than an instant of one kind (`sweeps.SWEEPS`); `dry` only counts. Returns how many rows."""
        limit = micros(before)
        if dry:
            return sweeps.count(self._db, kind, limit)
        total = 0
        if kind == "positions":
            self._writer.do(lambda: sweep_readings(self._db, limit))
            self._writer.do(lambda: self._db.run("DELETE FROM withdrawn WHERE at < ?", (limit,)))
            for first, last in sweeps.old_positions(self._db, limit):
                total += self._writer.do(partial(sweeps.positions_between, self._db, first, last, limit))
            return total
        while done := self._writer.do(lambda: sweeps.portion(self._db, kind, limit)):
            total += done
        return total

    def aside_count(self, before: datetime) -> int:
        """How much was set aside before an instant and is still here."""
        return int(
            self._db.rows("SELECT count(*) FROM aside WHERE removed_at IS NULL AND received_at < ?", (micros(before),))[0][0]
        )

    def overwrite(self) -> None:
        """See to it that what was deleted is in no file of the database any more. PostgreSQL does so by its own vacuum."""
        if self._db.kind == "sqlite":
            self._db.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def remove_aside(self, before: datetime) -> int:
        """Let go what was set aside before an instant; links of chains stay. Returns how many there were."""
        now = self.now()
        return self._writer.do(lambda: remove_aside(self._db, self._keys, before, now))

    # -- positions ----------------------------------------------------------------------------------------------------

    def add_positions(self, vehicle_fixes: Sequence[tuple[str, Fix]]) -> list[bool]:
        """Keep fixes of vehicles; durable when it returns. For each: True when it is new, False when it was here."""
        now = self.now()
        new = self._spread(self._writer.submit(lambda: self._positions.add(vehicle_fixes, now))).result()
        self.tally.took_fixes("new", sum(new))
        self.tally.took_fixes("repeated", len(new) - sum(new))
        return new

    def add_strangers(self, fixes: Sequence[tuple[Fix, str]], ours: Collection[str] = ()) -> list[bool]:
        """Keep fixes that belong to no vehicle, each with why. False for one that there was no room for: those of the devices of
        `ours` have no other bound than the disk."""
        now = self.now()
        kept = self._writer.do(lambda: self._positions.add_strangers(fixes, now, ours))
        self.tally.took_fixes("strange", sum(kept))
        self.tally.took_fixes("refused", len(kept) - sum(kept))
        return kept

    def adopt(self, device: str, whose: Whose) -> int:
        """Lay a stranger's fixes to the vehicles that `whose` says, each for itself; what stays is a device's of ours from now
        on. In portions, so that nobody else waits for long. Returns how many were laid."""
        now, laid = self.now(), 0
        after: Key | None = FIRST
        while after is not None:
            count, after = self._spread(self._writer.submit(partial(self._positions.adopt, device, whose, now, after))).result()
            laid += count
        return laid

    def withdraw(self, vehicle: str, device: str, since: datetime | None, until: datetime | None) -> None:
        """Take a device's fixes of a stretch of time from a vehicle, and keep them with the strangers; in portions."""
        now = self.now()
        while self._spread(self._writer.submit(lambda: self._positions.withdraw(vehicle, device, since, until, now))).result():
            pass

    def withdrawn_after(self, number: int) -> list[tuple[int, str]]:
        """The vehicles from which fixes were taken after a number, with the number of each time."""
        return self._positions.withdrawn_after(number)

    def last_withdrawn(self) -> int:
        """The number of the last time that fixes were taken from a vehicle."""
        return self._positions.last_withdrawn()

    def was_withdrawn(self, vehicle: str, since: datetime) -> bool:
        """Whether fixes were taken from a vehicle since an instant."""
        return self._positions.was_withdrawn(vehicle, since)

    def positions(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Fix]:
        """The fixes of a vehicle from `since` on and before `until`, in the order of time."""
        return self._positions.of(vehicle, since, until)

    def positions_arrived(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Arrived]:
        """As `positions`, each with when it came."""
        return self._positions.arrived(vehicle, since, until)

    def positions_around(self, vehicle: str, device: str, at: datetime) -> tuple[Fix | None, Fix | None]:
        """The fixes of a vehicle's device right before an instant and right after it; None where there is none."""
        return self._positions.around(vehicle, device, at)

    def positions_after(self, number: int, limit: int) -> list[Arrived]:
        """The fixes that came after a number, in the order of arrival."""
        return self._positions.after(number, limit)

    def last_position(self) -> int:
        """The number of the fix that came last."""
        return self._positions.last_number()

    def fix_received_at(self, vehicle: str, fixed_at: datetime) -> datetime | None:
        """When the fix of that instant came, or None."""
        return self._positions.received_at(vehicle, fixed_at)

    def readings(self, made_by: Sequence[str]) -> Account:
        """What was put by of tracks by these programs for these loops."""
        return self._readings.account(made_by)

    def keep_readings(self, turn: str, number: int, rows: Sequence[KeptReading], gone: Collection[str]) -> str | None:
        """Put readings by (`readings.py`). Returns the next turn, None when somebody else had it and nothing is left."""
        return self._writer.do(lambda: self._readings.keep(turn, number, rows, gone))

    def unproved(self) -> dict[str, int]:
        """How many fixes are kept apart under the number of each terminal that had not proved itself."""
        return self._positions.unproved()

    def strange_devices(self, limit: int = 100) -> list[StrangeDevice]:
        """The devices whose fixes belong to no vehicle, those heard last first."""
        return self._positions.strange_devices(limit)

    def last_positions(self, vehicle: str, since: datetime) -> dict[str, datetime]:
        """When each device of a vehicle was last placed, of those that were since then."""
        return self._positions.last_of(vehicle, since)

    def fix_after(self, vehicle: str, at: datetime) -> datetime | None:
        """The instant of a vehicle's first fix after another, or None."""
        return self._positions.fix_after(vehicle, at)

    def strangers(self, limit: int = 100, device: str | None = None) -> list[Stranger]:
        """Fixes that belong to no vehicle, the newest first."""
        return self._positions.strangers(limit, device)
