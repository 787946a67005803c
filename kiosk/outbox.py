"""What this station saw, until the server says that it holds it; and what this station needs to know meanwhile.

The law of this file:

* A fact is committed here before anything is shown: `record` returns after the commit (SQLite, WAL, synchronous FULL).
* Own facts are numbered from 1 without gaps and chained: hash = SHA-256(previous hash | number, 8 bytes big endian | the
  exact JSON bytes). What was written is never changed; only its state is: `waiting`, `held`, `aside`.
* Nothing stops being sent but what the server named as held or set aside. What it set aside stays here to be seen.
* The server may be brought back from a backup and know less than it said. What it no longer holds of our chain waits again;
  what it told and has lost stays known here, and is told back. Nothing is forgotten because the server forgot it.
* What the server told is kept as it came, with the cursor, in one transaction: after a power cut there is never a cursor
  ahead of its facts.
* On a full disk what was seen goes first: a reserve is given up for it, and the feed stops before. What there is no room for
  raises `NoRoom`: it was not written down, and nothing may be shown of it.
* Enrolled anew, the kiosk is a new witness: its chain begins at 1, and what still waited is told again in its own name.
* What the server has had for long is dropped from the beginning of the chain; where the rest begins is kept, and the end is
  never dropped.
* Names, PINs, badges and keys are locked (`vault.py`). What an older version left open is locked at the start.

One connection, one lock: a station sees a few facts a minute, and its threads take turns.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import apsw
import msgspec
from peewee import SQL, OperationalError, Table, fn
from playhouse.apsw_ext import APSWDatabase

from checkpoint.core import facts
from checkpoint.core.facts import Fact
from checkpoint.headroom import Reserve, free_bytes
from kiosk.kept import (
    FIRST_PREV,
    Broken,
    Depth,
    Enrolment,
    Forked,
    Head,
    NoRoom,
    SetAside,
    StaffMember,
    Told,
    Waiting,
    chained,
)
from kiosk.vault import LOCKED, Unreadable, open_vault

_log = logging.getLogger(__name__)

FILE_NAME = "kiosk.db"
RESERVE_FILE = "kiosk.reserve"
RESERVE_BYTES = 8 << 20
# With less than so many reserves free, staff are told that the disk fills up.
_LOW = 8
Disk = Literal["ample", "low", "full"]
# Settings that open something.
_SECRET = frozenset({"enrolment", "next_key", "former_key"})

# Append only: a kiosk that comes back after months finds its way from wherever it was.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE own (
            witness TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
            body BLOB NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', why TEXT NOT NULL DEFAULT '',
            detail TEXT NOT NULL DEFAULT '', refusals INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (witness, seq))""",
        "CREATE UNIQUE INDEX own_id ON own (id, witness)",
        "CREATE INDEX own_waiting ON own (refusals, seq) WHERE state = 'waiting'",
        "CREATE TABLE received (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT NOT NULL)",
        "CREATE TABLE staff (id TEXT PRIMARY KEY, name TEXT NOT NULL, pin TEXT NOT NULL)",
        "CREATE TABLE issuer (key_id TEXT PRIMARY KEY, public_key TEXT NOT NULL)",
        "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
    (
        # What the server held and lost is sent again, and says so; what it told is kept with its stamp, to be told back.
        "ALTER TABLE own ADD COLUMN again INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE received ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE received ADD COLUMN prev TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE received ADD COLUMN stamp TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE received ADD COLUMN told_back TEXT NOT NULL DEFAULT ''",
    ),
    (
        "ALTER TABLE staff ADD COLUMN badge TEXT NOT NULL DEFAULT ''",
        # The last number of a chain that was dropped, and its hash: what follows begins there.
        "CREATE TABLE dropped (witness TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL)",
    ),
    # The server's stamp under a name, with which it is told back.
    ("ALTER TABLE person ADD COLUMN stamp TEXT NOT NULL DEFAULT ''",),
    ("ALTER TABLE person ADD COLUMN mark TEXT NOT NULL DEFAULT ''",),
)


class Outbox:
    """The kiosk's file. Safe to use from many threads."""

    def __init__(self, path: Path | str, reserve_bytes: int = 0) -> None:
        """Open the file, or make it, and bring it up to date; so many bytes are kept back for a full disk."""
        folder = Path(path).parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._vault = open_vault(folder)
        self._lock = threading.RLock()
        self._db = APSWDatabase(
            str(path),
            thread_safe=False,
            pragmas={"journal_mode": "wal", "synchronous": "full", "busy_timeout": 5000, "secure_delete": 1},
        )
        self._folder, self._reserve_bytes = folder, reserve_bytes
        self._reserve = Reserve(folder / RESERVE_FILE, reserve_bytes)
        self._twice(self._db.connect)
        Path(path).chmod(0o600)
        self._own = _table(self._db, "own")
        self._received = _table(self._db, "received")
        self._person = _table(self._db, "person")
        self._staff = _table(self._db, "staff")
        self._issuer = _table(self._db, "issuer")
        self._setting = _table(self._db, "setting")
        self._dropped = _table(self._db, "dropped")
        self._settings: dict[str, str] = {}
        self._enrolment: Enrolment | None = None
        self._twice(self._migrate)
        self._twice(self._lock_what_lies_open)
        self._twice(self._remember)

    def close(self) -> None:
        """Close the file; everything recorded is already in it."""
        with self._lock:
            self._db.close()

    def _migrate(self) -> None:
        with self._writing():
            (done,) = self._db.execute_sql("PRAGMA user_version").fetchone()
            for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
                for statement in statements:
                    self._db.execute_sql(statement)
                self._db.execute_sql(f"PRAGMA user_version = {number}")

    def _lock_what_lies_open(self) -> None:
        """An older version wrote names and keys as they are; what is open is locked, and its old pages are overwritten."""
        places = [(self._person, "id", "name"), (self._setting, "name", "value")]
        places += [(self._staff, "id", column) for column in ("name", "pin", "badge")]
        found = 0
        with self._writing():
            for table, key, column in places:
                for row in list(table.select()):
                    open_ = row[column] and not row[column].startswith(LOCKED)
                    if open_ and (table is not self._setting or row[key] in _SECRET):
                        locked = self._locked(table, column, row[key], row[column])
                        table.update(**{column: locked}).where(table.c[key] == row[key]).execute()
                        found += 1
        if found:
            self._db.execute_sql("VACUUM")
            self._db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _locked(self, table: Table, column: str, row: str, text: str) -> str:
        return self._vault.lock(text, f"{table.__name__}.{column}:{row}") if text else ""

    def _unlocked(self, table: Table, column: str, row: str, kept: str) -> str:
        """What was locked; the empty text when the key beside the file is not the one it was locked with."""
        try:
            return self._vault.unlock(kept, f"{table.__name__}.{column}:{row}") if kept else ""
        except Unreadable:
            _log.error("the key file does not open what is kept at %s.%s", table.__name__, column)
            return ""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # IMMEDIATE: a transaction that reads first and writes later would fail when another process has written between.
        with self._lock:
            try:
                with self._db.atomic("IMMEDIATE"):
                    yield
            except BaseException:
                self._remember()
                raise

    def _twice(self, work: Callable[[], object]) -> None:
        """Do it; when the disk is full, once more in the room of the reserve. Raises `NoRoom`."""
        with self._lock:
            try:
                try:
                    work()
                except (apsw.FullError, OperationalError) as error:
                    if not _is_full(error) or not self._reserve.let_go():
                        raise
                    work()
            except (apsw.FullError, OperationalError) as error:
                if _is_full(error):
                    raise NoRoom(str(error)) from error
                raise
            if self.disk == "ample":
                self._reserve.lay()

    @property
    def disk(self) -> Disk:
        """How the disk stands; `full` when the reserve was given up, or less than it is free."""
        if not self._reserve_bytes:
            return "ample"
        free = free_bytes(self._folder)
        if free < self._reserve_bytes or (free < _LOW * self._reserve_bytes and not self._reserve.laid):
            return "full"
        return "low" if free < _LOW * self._reserve_bytes else "ample"

    def _remember(self) -> None:
        """Settings are asked for at every scan: they are kept in memory, as the file has them."""
        self._settings = {
            row["name"]: self._unlocked(self._setting, "value", row["name"], row["value"])
            if row["name"] in _SECRET
            else row["value"]
            for row in self._setting.select()
        }
        self._enrolment = None

    # -- who we are ---------------------------------------------------------------------------------------------------

    @property
    def enrolment(self) -> Enrolment | None:
        """Who this kiosk is, or None before it was enrolled."""
        with self._lock:
            kept = self.setting("enrolment")
            if self._enrolment is None and kept:
                self._enrolment = msgspec.json.decode(kept, type=Enrolment)
            return self._enrolment

    def enrol(self, enrolment: Enrolment, held_to: int | None = None) -> None:
        """Become this kiosk. What still waited under an earlier name is told again under the new one, same id, same `at`; and
        so is what the server has lost of the earlier name's chain, when it says to which link it still holds it (`held_to`)."""
        with self._writing():
            before = self.enrolment
            self.keep(enrolment=msgspec.json.encode(enrolment).decode(), next_key="", former_key="", key_since="")
            self._enrolment = enrolment
            if before is not None and before.kiosk == enrolment.kiosk:
                return
            # Whoever it was before: also when the key file was lost, and with it the name it had.
            open_still = (self._own.c.witness != enrolment.witness) & (self._own.c.state == "waiting")
            if before is not None and held_to is not None:
                lost = (self._own.c.state == "held") & (self._own.c.seq > held_to)
                open_still |= (self._own.c.witness == before.witness) & lost
            bodies = [bytes(row["body"]) for row in self._own.select(self._own.c.body).where(open_still).order_by(SQL("rowid"))]
            self._own.delete().where(open_still).execute()
            self._chain(msgspec.structs.replace(facts.decode(body), witness=enrolment.witness) for body in bodies)
            if before is None or before.server != enrolment.server or before.station != enrolment.station:
                # Another station has other facts: read its feed from the beginning.
                self.keep(cursor="0", pulled_at="")

    def renew(self, enrolment: Enrolment, now: datetime) -> None:
        """The same kiosk, calling since `now` with another key. The one before is kept for a server that forgot this one."""
        with self._writing():
            before = self.enrolment
            self.keep(
                enrolment=msgspec.json.encode(enrolment).decode(),
                former_key=before.bearer if before is not None else "",
                next_key="",
                key_since=now.isoformat(),
            )
            self._enrolment = enrolment

    # -- what we saw --------------------------------------------------------------------------------------------------

    def record(self, *seen: Fact) -> None:
        """Write facts down, all or none, in this order; durable when it returns.

        Raises `NoRoom` on a full disk, `RuntimeError` before enrolment.
        """

        def chained_on() -> None:
            with self._writing():
                self._chain(seen)

        self._twice(chained_on)

    def _chain(self, seen: Iterable[Fact]) -> None:
        enrolment = self.enrolment
        if enrolment is None:
            raise RuntimeError("a kiosk that is not enrolled is no witness")
        head = self._head(enrolment.witness)
        for fact in seen:
            if fact.witness != enrolment.witness:
                raise ValueError(f"not this kiosk's to tell: {fact.witness}")
            body = facts.encode(fact)
            seq = head.seq + 1
            told = chained(head.hash, seq, body)
            self._own.insert(
                witness=fact.witness, seq=seq, id=fact.id, prev=head.hash, hash=told, body=body, at=fact.at.isoformat()
            ).execute()
            head = Head(seq, told)

    def _head(self, witness: str) -> Head:
        own = self._own
        row = own.select(own.c.seq, own.c.hash).where(own.c.witness == witness).order_by(own.c.seq.desc()).limit(1).first()
        return Head(row["seq"], row["hash"]) if row else Head(0, FIRST_PREV)

    def head(self) -> Head:
        """The end of this kiosk's chain."""
        with self._lock:
            enrolment = self.enrolment
            return self._head(enrolment.witness) if enrolment else Head(0, FIRST_PREV)

    def waiting(self, limit: int) -> list[Waiting]:
        """What to send next: the oldest first, and what the server would not look at behind the rest."""
        with self._lock:
            own = self._own
            rows = (
                own.select(own.c.seq, own.c.id, own.c.prev, own.c.hash, own.c.body, own.c.again)
                .where(own.c.state == "waiting")
                .order_by(own.c.refusals, own.c.seq)
                .limit(limit)
            )
            return [Waiting(r["seq"], r["id"], r["prev"], r["hash"], bytes(r["body"]), bool(r["again"])) for r in rows]

    def held_only_to(self, head: Head, gaps: Iterable[tuple[int, int]]) -> int:
        """The server holds this kiosk's chain up to this head but for the gaps: what it once answered for beyond that waits
        again. Returns how many facts do. Raises `Forked` when the head is not of this chain."""
        with self._writing():
            own, enrolment = self._own, self.enrolment
            if enrolment is None:
                return 0
            mine = own.c.witness == enrolment.witness
            there = own.select(own.c.hash).where(mine & (own.c.seq == head.seq)).first()
            if there is not None and there["hash"] != head.hash:
                raise Forked(f"link {head.seq} of the server is not ours")
            gone = own.c.seq > head.seq
            for first, last in gaps:
                gone |= (own.c.seq >= first) & (own.c.seq <= last)
            answered = own.c.state << ["held", "aside"]
            again = own.update(state="waiting", why="", detail="", refusals=0, again=1).where(mine & answered & gone)
            return int(again.execute())

    def answered(self, held: Iterable[str], aside: Mapping[str, tuple[str, str]]) -> None:
        """The server holds these ids, and set those aside with (why, detail). They are not sent again."""
        ids = list(held)

        def noted() -> None:
            with self._writing():
                own = self._own
                for fact_id in ids:
                    own.update(state="held").where((own.c.id == fact_id) & (own.c.state == "waiting")).execute()
                for fact_id, (why, detail) in aside.items():
                    told = own.update(state="aside", why=why, detail=detail)
                    told.where((own.c.id == fact_id) & (own.c.state == "waiting")).execute()

        self._twice(noted)

    def refused(self, fact_id: str) -> None:
        """The server would not look at this fact: the others go first from now on, and it is tried again after them."""
        with self._writing():
            own = self._own
            own.update(refusals=own.c.refusals + 1).where(own.c.id == fact_id).execute()

    def depth(self) -> Depth:
        """How much waits, and since when."""
        with self._lock:
            own = self._own
            counts = own.select(
                fn.COUNT(SQL("CASE state WHEN 'waiting' THEN 1 END")).alias("waiting"),
                fn.MIN(SQL("CASE state WHEN 'waiting' THEN at END")).alias("oldest"),
                fn.COUNT(SQL("CASE state WHEN 'aside' THEN 1 END")).alias("aside"),
                fn.COUNT(SQL("CASE WHEN state = 'waiting' AND refusals > 0 THEN 1 END")).alias("refused"),
            ).first()
            oldest = datetime.fromisoformat(counts["oldest"]) if counts["oldest"] else None
            return Depth(counts["waiting"], oldest, counts["aside"], counts["refused"])

    def aside(self, limit: int = 50) -> list[SetAside]:
        """What the server set aside, the newest first."""
        with self._lock:
            own = self._own
            rows = own.select().where(own.c.state == "aside").order_by(own.c.at.desc()).limit(limit)
            return [SetAside(r["seq"], r["id"], r["why"], r["detail"], datetime.fromisoformat(r["at"])) for r in rows]

    def own_facts(self) -> Iterator[Fact]:
        """Every fact this kiosk kept, whatever became of it, in its own order."""
        with self._lock:
            rows = list(self._own.select(self._own.c.body).order_by(SQL("rowid")))
        return (facts.decode(bytes(row["body"])) for row in rows)

    def drop_before(self, moment: datetime) -> int:
        """Drop the beginning of each chain: what the server answered for and that is older than the moment, up to the first
        that waits or is younger. The end of a chain stays. Returns how many facts went."""
        gone = 0
        with self._writing():
            own = self._own
            for row in list(own.select(own.c.witness, fn.MAX(own.c.seq).alias("end")).group_by(own.c.witness)):
                mine = own.c.witness == row["witness"]
                stays = mine & ((own.c.state == "waiting") | (own.c.at >= moment.isoformat()))
                first = own.select(fn.MIN(own.c.seq).alias("seq")).where(stays).first()["seq"]
                last = own.select(own.c.seq, own.c.hash).where(mine & (own.c.seq < min(first or row["end"], row["end"])))
                last = last.order_by(own.c.seq.desc()).limit(1).first()
                if last is None:
                    continue
                gone += own.delete().where(mine & (own.c.seq <= last["seq"])).execute()
                values = {"witness": row["witness"], "seq": last["seq"], "hash": last["hash"]}
                self._dropped.insert(**values).on_conflict_replace().execute()
        return gone

    def begin(self) -> Head:
        """The last of this kiosk's facts that was dropped: its kept chain begins after it."""
        with self._lock:
            enrolment = self.enrolment
            found = self._dropped.select().where(self._dropped.c.witness == (enrolment.witness if enrolment else "")).first()
            return Head(found["seq"], found["hash"]) if found else Head(0, FIRST_PREV)

    def verify(self) -> Broken | None:
        """Walk this kiosk's chain. None when every number that was not dropped is there and every hash fits."""
        with self._lock:
            enrolment = self.enrolment
            own = self._own
            mine = own.c.witness == (enrolment.witness if enrolment else "")
            begin = self.begin()
            prev = begin.hash
            for place, row in enumerate(own.select().where(mine).order_by(own.c.seq), start=begin.seq + 1):
                if row["seq"] != place:
                    return Broken(place, "missing")
                if row["prev"] != prev or row["hash"] != chained(prev, place, bytes(row["body"])):
                    return Broken(place, "changed")
                prev = row["hash"]
            return None

    # -- what we were told --------------------------------------------------------------------------------------------

    def take(
        self,
        told: Sequence[Told],
        cursor: int,
        *,
        people: Mapping[str, str],
        staff: Sequence[StaffMember],
        issuers: Mapping[str, str],
        complete_at: datetime | None,
        stamps: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Keep a page of the feed: its facts, and the lists, which replace what was known.

        `complete_at` is set with the last page: it is the moment from which the age of the lists is counted.
        Raises `NoRoom` while the disk is full: what is seen here needs what is left.
        """
        if self.disk == "full":
            raise NoRoom("what the server tells must wait")
        with self._writing():
            for one in told:
                self._received.insert(**one._asdict()).on_conflict_ignore().execute()
            for_ = stamps or {}
            named = ((i, n, *for_.get(i, ("", ""))) for i, n in people.items())
            rows = ({"id": i, "name": n, "stamp": stamp, "mark": mark} for i, n, stamp, mark in named)
            self._replace(self._person, rows, "name")
            self._replace(self._staff, (msgspec.structs.asdict(member) for member in staff), "name", "pin", "badge")
            self._replace(self._issuer, ({"key_id": k, "public_key": p} for k, p in issuers.items()))
            self.keep(cursor=str(cursor))
            if complete_at is not None:
                self.keep(pulled_at=complete_at.isoformat())

    def _replace(self, table: Table, rows: Iterable[Mapping[str, str]], *locked: str) -> None:
        table.delete().execute()
        for row in rows:
            hidden = {column: self._locked(table, column, row["id"], row[column]) for column in locked}
            table.insert(**{**row, **hidden}).execute()

    def lost_by_server(self, after: int, before: int, limit: int) -> list[Told]:
        """Facts the server told under numbers it lost, after the one and before the other, that were not told back yet."""
        with self._lock:
            had = self._received
            lost = (had.c.number > after) & (had.c.number < before) & (had.c.told_back == "") & (had.c.stamp != "")
            rows = had.select().where(lost).order_by(had.c.number).limit(limit)
            return [Told(r["number"], bytes(r["body"]), r["seq"], r["prev"], r["stamp"]) for r in rows]

    def told_back(self, answers: Mapping[int, str]) -> None:
        """What the server answered for facts told back, by number. They stay known here, whatever it said."""
        with self._writing():
            for number, state in answers.items():
                self._received.update(told_back=state).where(self._received.c.number == number).execute()

    def received(self) -> Iterator[bytes]:
        """The exact JSON of every fact the server told, in its order."""
        with self._lock:
            rows = list(self._received.select(self._received.c.body).order_by(self._received.c.number))
        return (bytes(row["body"]) for row in rows)

    @property
    def cursor(self) -> int:
        """Up to which number the feed was read."""
        return int(self.setting("cursor") or 0)

    @property
    def pulled_at(self) -> datetime | None:
        """When the feed was last read to its end, by this kiosk's clock."""
        kept = self.setting("pulled_at")
        return datetime.fromisoformat(kept).astimezone(UTC) if kept else None

    def people(self) -> dict[str, str]:
        """Names by pseudonym."""
        with self._lock:
            names = {row["id"]: self._unlocked(self._person, "name", row["id"], row["name"]) for row in self._person.select()}
            return {person: name for person, name in names.items() if name}

    def stamps(self) -> dict[str, tuple[str, str]]:
        """The server's stamps under the names, and its marks of the ID numbers, by pseudonym."""
        with self._lock:
            return {row["id"]: (row["stamp"], row["mark"]) for row in self._person.select() if row["stamp"]}

    def staff(self) -> dict[str, StaffMember]:
        """Who may sign on, by pseudonym."""
        with self._lock:
            found = []
            for row in self._staff.select():
                columns = {c: self._unlocked(self._staff, c, row["id"], row[c]) for c in ("name", "pin", "badge")}
                found.append(StaffMember(id=row["id"], **columns))
            return {member.id: member for member in sorted(found, key=lambda m: (m.name, m.id)) if member.name}

    def issuers(self) -> dict[str, str]:
        """Public keys of the trusted issuers (hex) by key id."""
        with self._lock:
            return {row["key_id"]: row["public_key"] for row in self._issuer.select()}

    # -- small things -------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        """A small thing remembered, or the empty text."""
        with self._lock:
            return self._settings.get(name, "")

    def keep(self, **values: str) -> None:
        """Remember small things."""
        with self._writing():
            for name, value in values.items():
                kept = self._locked(self._setting, "value", name, value) if name in _SECRET else value
                self._setting.insert(name=name, value=kept).on_conflict_replace().execute()
            self._settings.update(values)


def _is_full(error: Exception) -> bool:
    return isinstance(error, apsw.FullError) or isinstance(getattr(error, "orig", None), apsw.FullError)


def _table(db: APSWDatabase, name: str) -> Table:
    return Table(name).bind(db)
