"""Fixes: kept in the order of arrival, read in the order of time, each once.

They are not facts: a journey has forty facts and thousands of fixes. A repeat is the same vehicle, device, instant and
place. What comes from a device that belongs to no vehicle is kept apart until somebody binds it. Numbers that nobody ever bound
are anybody's invention, and have a bounded room; a device of ours cannot be crowded out of it, nor crowd others out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.core.track import Fix
from checkpoint.store.database import Database, instant, micros
from checkpoint.store.readings import outdate_readings

MOST_STRANGE_PER_DEVICE = 5_000
MOST_STRANGE = 100_000
# Anybody can send under any number before a code is shown: that is kept apart even from strangers, and takes no room of theirs.
UNPROVED = "unproved"
# Was laid to a vehicle by a binding that was corrected since: put right as it was then, and judged no more for itself.
WITHDRAWN = "binding-corrected"
MOST_UNPROVED_PER_DEVICE = 100
MOST_UNPROVED = 10_000
# How many are moved in one commit.
AT_ONCE = 5_000
_COLUMNS = "device, fixed_at, lat, lon, accuracy_m, speed_kmh, course_deg, altitude_m, valid, encrypted, alarms, crossing, mended"
_UNBOUND = "unbound"
_WAITS = f"why IN ('unknown-device', '{WITHDRAWN}')"


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A fix in the order of arrival: its number, whose it is, and when it came."""

    number: int
    vehicle: str
    received_at: datetime
    fix: Fix


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that belongs to no vehicle (yet): from a device nobody bound, of a time that cannot be, or taken from a vehicle."""

    device: str
    why: str
    received_at: datetime
    fix: Fix


class StrangeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that reports for no vehicle: how many of its fixes wait, how many of these were taken from a vehicle, from when to
    when they are, since when they came, and the last."""

    device: str
    count: int
    withdrawn: int
    first_at: datetime
    last_at: datetime
    since: datetime
    last: Fix


# What tells fixes of one device apart: instant, latitude, longitude.
Key = tuple[int, float, float]
FIRST: Key = (-(1 << 62), 0.0, 0.0)
# What waits -> the vehicle it belongs to and the fix as it is kept; None: nobody's yet.
Whose = Callable[[Stranger], tuple[str, Fix] | None]


class Positions:
    """Reads on any thread; `add` and `add_strangers` on the writer's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, fixes: Sequence[tuple[str, Fix]], now: datetime) -> list[bool]:
        """Keep fixes of vehicles. For each: True when it is new, False when it was here."""
        received_at, fresh = micros(now), []
        for vehicle, fix in fixes:
            changed = self._db.run(
                f"INSERT INTO positions (vehicle, {_COLUMNS}, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (vehicle, fixed_at, device, lat, lon) DO NOTHING",
                (vehicle, *_values(fix), received_at),
            )
            fresh.append(changed == 1)
        return fresh

    def add_strangers(self, fixes: Sequence[tuple[Fix, str]], now: datetime, ours: Collection[str] = ()) -> list[bool]:
        """Keep fixes that belong to no vehicle, with why. For each: False when there is no room and it was not kept. The devices
        of `ours` are not bound here: what they send is as good as positions of vehicles, and takes nobody's room."""
        most = {UNPROVED: (MOST_UNPROVED, MOST_UNPROVED_PER_DEVICE), _UNBOUND: (MOST_STRANGE, MOST_STRANGE_PER_DEVICE)}
        room: dict[str, int] = {}
        held: dict[tuple[str, str], int] = {}
        kept: list[bool] = []
        for fix, why in fixes:
            kind = UNPROVED if why == UNPROVED else _UNBOUND
            known = kind != UNPROVED and fix.device in ours
            key = (kind, fix.device)
            if not known:
                if kind not in room:
                    room[kind] = most[kind][0] - self._count(kind)
                if key not in held:
                    held[key] = self._count(kind, fix.device)
                if room[kind] <= 0 or held[key] >= most[kind][1]:
                    kept.append(False)
                    continue
            # What comes again with a proof is more than what came without.
            new = self._db.run(
                "INSERT INTO strangers (device, fixed_at, lat, lon, why, received_at, raw, ours) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (device, fixed_at, lat, lon) DO UPDATE"
                " SET why = excluded.why, received_at = excluded.received_at, raw = excluded.raw, ours = excluded.ours"
                f" WHERE strangers.why = '{UNPROVED}' AND excluded.why <> '{UNPROVED}'",
                (fix.device, micros(fix.fixed_at), fix.lat, fix.lon, why, micros(now), msgspec.json.encode(fix), int(known)),
            )
            if not known:
                room[kind], held[key] = room[kind] - new, held[key] + new
            kept.append(True)
        return kept

    def _count(self, kind: str, device: str | None = None) -> int:
        """How many fixes of numbers that nobody bound take room of a kind."""
        where = f"ours = 0 AND why {'=' if kind == UNPROVED else '<>'} '{UNPROVED}'"
        also, values = (" AND device = ?", [device]) if device is not None else ("", [])
        return int(self._db.rows(f"SELECT count(*) FROM strangers WHERE {where}{also}", values)[0][0])

    def adopt(self, device: str, whose: Whose, now: datetime, after: Key) -> tuple[int, Key | None]:
        """Move a portion of a device's fixes, those after a key, from among the strangers to the vehicle that `whose` says; those
        of nobody stay, and so do those of a device that never proved what it is. Returns how many, and after which to go on; None
        when that were all."""
        rows = self._db.rows(
            f"SELECT fixed_at, lat, lon, why, received_at, raw FROM strangers WHERE device = ? AND why <> '{UNPROVED}'"
            " AND (fixed_at, lat, lon) > (?, ?, ?) ORDER BY fixed_at, lat, lon LIMIT ?",
            (device, *after, AT_ONCE),
        )
        mine: list[tuple[Key, tuple[str, Fix]]] = []
        for row in rows:
            found = whose(_stranger((device, *row[3:])))
            if found is not None:
                mine.append((row[:3], found))
        self.add([found for _, found in mine], now)
        for key, _ in mine:
            self._db.run("DELETE FROM strangers WHERE device = ? AND fixed_at = ? AND lat = ? AND lon = ?", (device, *key))
        if len(rows) == AT_ONCE:
            return len(mine), rows[-1][:3]
        self._db.run(f"UPDATE strangers SET ours = 1 WHERE device = ? AND ours = 0 AND why <> '{UNPROVED}'", (device,))
        return len(mine), None

    def withdraw(self, vehicle: str, device: str, since: datetime | None, until: datetime | None, now: datetime) -> bool:
        """Move a portion of a device's fixes in a stretch of time from a vehicle to among the strangers, and let whatever was
        read of them go. Whether there may be more."""
        rows = self._db.rows(
            f"SELECT number, {_COLUMNS} FROM positions WHERE vehicle = ? AND device = ? AND fixed_at >= ? AND fixed_at < ?"
            " ORDER BY fixed_at LIMIT ?",
            (vehicle, device, *_between(since, until), AT_ONCE),
        )
        if not rows:
            return False
        # It came among the strangers now: from now on it waits as long as any other.
        self.add_strangers([(_fix(row[1:]), WITHDRAWN) for row in rows], now, (device,))
        self._db.run_many("DELETE FROM positions WHERE number = ?", [row[:1] for row in rows])
        self._db.run("INSERT INTO withdrawn (vehicle, at) VALUES (?, ?)", (vehicle, micros(now)))
        outdate_readings(self._db)
        return len(rows) == AT_ONCE

    def withdrawn_after(self, number: int) -> list[tuple[int, str]]:
        """The vehicles from which fixes were taken after a number, with the number of each time."""
        rows = self._db.rows("SELECT number, vehicle FROM withdrawn WHERE number > ? ORDER BY number", (number,))
        return [(int(number), vehicle) for number, vehicle in rows]

    def last_withdrawn(self) -> int:
        """The number of the last time that fixes were taken from a vehicle, 0 when that never was."""
        return int(self._db.rows("SELECT coalesce(max(number), 0) FROM withdrawn")[0][0])

    def was_withdrawn(self, vehicle: str, since: datetime) -> bool:
        """Whether fixes were taken from a vehicle since an instant."""
        return bool(self._db.rows("SELECT 1 FROM withdrawn WHERE vehicle = ? AND at >= ? LIMIT 1", (vehicle, micros(since))))

    def of(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Fix]:
        """The fixes of a vehicle from `since` on and before `until`, in the order of time."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM positions WHERE vehicle = ? AND fixed_at >= ? AND fixed_at < ?"
            " ORDER BY fixed_at, device, lat, lon",
            (vehicle, *_between(since, until)),
        )
        return [_fix(row) for row in rows]

    def arrived(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Arrived]:
        """As `of`, each with when it came."""
        rows = self._db.rows(
            f"SELECT number, vehicle, received_at, {_COLUMNS} FROM positions WHERE vehicle = ? AND fixed_at >= ? AND fixed_at < ?"
            " ORDER BY fixed_at, device, lat, lon",
            (vehicle, *_between(since, until)),
        )
        return [Arrived(number=r[0], vehicle=r[1], received_at=instant(r[2]), fix=_fix(r[3:])) for r in rows]

    def around(self, vehicle: str, device: str, at: datetime) -> tuple[Fix | None, Fix | None]:
        """The fixes of a device right before an instant and right after it."""
        found = []
        for sign, order in (("<", "DESC"), (">", "ASC")):
            rows = self._db.rows(
                f"SELECT {_COLUMNS} FROM positions WHERE vehicle = ? AND device = ? AND fixed_at {sign} ?"
                f" ORDER BY fixed_at {order} LIMIT 1",
                (vehicle, device, micros(at)),
            )
            found.append(_fix(rows[0]) if rows else None)
        return found[0], found[1]

    def after(self, number: int, limit: int) -> list[Arrived]:
        """The fixes that came after a number, in the order of arrival."""
        rows = self._db.rows(
            f"SELECT number, vehicle, received_at, {_COLUMNS} FROM positions WHERE number > ? ORDER BY number LIMIT ?",
            (number, limit),
        )
        return [Arrived(number=r[0], vehicle=r[1], received_at=instant(r[2]), fix=_fix(r[3:])) for r in rows]

    def last_number(self) -> int:
        """The number of the fix that came last, 0 when there is none."""
        return int(self._db.rows("SELECT coalesce(max(number), 0) FROM positions")[0][0])

    def received_at(self, vehicle: str, fixed_at: datetime) -> datetime | None:
        """When the fix of that instant first came, or None when there is none."""
        rows = self._db.rows(
            "SELECT min(received_at) FROM positions WHERE vehicle = ? AND fixed_at = ?", (vehicle, micros(fixed_at))
        )
        return instant(rows[0][0]) if rows and rows[0][0] is not None else None

    def fix_after(self, vehicle: str, at: datetime) -> datetime | None:
        """The instant of a vehicle's first fix after another, or None when there is none."""
        rows = self._db.rows("SELECT min(fixed_at) FROM positions WHERE vehicle = ? AND fixed_at > ?", (vehicle, micros(at)))
        return instant(rows[0][0]) if rows and rows[0][0] is not None else None

    def vehicles(self, since: datetime) -> list[str]:
        """The vehicles that have a fix at or after that instant."""
        # One probe of the index a vehicle, instead of a walk over all fixes.
        rows = self._db.rows(
            "WITH RECURSIVE v(vehicle) AS (SELECT min(vehicle) FROM positions UNION ALL"
            " SELECT (SELECT min(p.vehicle) FROM positions p WHERE p.vehicle > v.vehicle) FROM v WHERE v.vehicle IS NOT NULL)"
            " SELECT vehicle FROM v WHERE vehicle IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM positions p WHERE p.vehicle = v.vehicle AND p.fixed_at >= ?)",
            (micros(since),),
        )
        return [vehicle for (vehicle,) in rows]

    def unproved(self) -> dict[str, int]:
        """How many fixes came under the number of each terminal that had not proved itself."""
        rows = self._db.rows("SELECT device, count(*) FROM strangers WHERE why = 'unproved' GROUP BY device")
        return {device: int(count) for device, count in rows}

    def strange_devices(self, limit: int) -> list[StrangeDevice]:
        """The devices whose fixes belong to no vehicle, those heard last first."""
        rows = self._db.rows(
            "SELECT device, count(*), min(fixed_at), max(fixed_at), min(received_at), max(received_at),"
            f" sum(CASE WHEN why = '{WITHDRAWN}' THEN 1 ELSE 0 END) FROM strangers"
            f" WHERE {_WAITS} GROUP BY device ORDER BY 6 DESC, device LIMIT ?",
            (limit,),
        )
        found = []
        for device, count, first, last, since, _, withdrawn in rows:
            last_raw = f"SELECT raw FROM strangers WHERE device = ? AND fixed_at = ? AND {_WAITS} LIMIT 1"
            newest = self._db.rows(last_raw, (device, last))
            if newest:
                found.append(
                    StrangeDevice(
                        device=device,
                        count=int(count),
                        withdrawn=int(withdrawn),
                        first_at=instant(first),
                        last_at=instant(last),
                        since=instant(since),
                        last=msgspec.json.decode(newest[0][0], type=Fix),
                    )
                )
        return found

    def last_of(self, vehicle: str, since: datetime) -> dict[str, datetime]:
        """When each device of a vehicle was last placed, of those that were since then."""
        rows = self._db.rows(
            "SELECT device, max(fixed_at) FROM positions WHERE vehicle = ? AND fixed_at >= ? AND valid = 1 AND encrypted = 0"
            " GROUP BY device",
            (vehicle, micros(since)),
        )
        return {device: instant(at) for device, at in rows}

    def strangers(self, limit: int, device: str | None = None) -> list[Stranger]:
        """Fixes that belong to no vehicle, the newest first."""
        where, values = ("WHERE device = ?", [device]) if device is not None else ("", [])
        rows = self._db.rows(
            f"SELECT device, why, received_at, raw FROM strangers {where} ORDER BY received_at DESC, device, fixed_at LIMIT ?",
            [*values, limit],
        )
        return [_stranger(row) for row in rows]


def _between(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    return micros(since) if since is not None else -(1 << 62), micros(until) if until is not None else 1 << 62


def _stranger(row: tuple[Any, ...]) -> Stranger:
    device, why, at, raw = row
    return Stranger(device=device, why=why, received_at=instant(at), fix=msgspec.json.decode(raw, type=Fix))


def _values(fix: Fix) -> tuple[object, ...]:
    return (
        fix.device,
        micros(fix.fixed_at),
        fix.lat,
        fix.lon,
        fix.accuracy_m,
        fix.speed_kmh,
        fix.course_deg,
        fix.altitude_m,
        int(fix.valid),
        int(fix.encrypted),
        " ".join(fix.alarms),
        fix.crossing,
        fix.mended,
    )


def _fix(row: tuple[object, ...]) -> Fix:
    device, fixed_at, lat, lon, accuracy, speed, course, altitude, valid, encrypted, alarms, crossing, mended = row
    return Fix(
        device=device,  # type: ignore[arg-type]
        fixed_at=instant(fixed_at),  # type: ignore[arg-type]
        lat=lat,  # type: ignore[arg-type]
        lon=lon,  # type: ignore[arg-type]
        accuracy_m=accuracy,  # type: ignore[arg-type]
        speed_kmh=speed,  # type: ignore[arg-type]
        course_deg=course,  # type: ignore[arg-type]
        altitude_m=altitude,  # type: ignore[arg-type]
        valid=bool(valid),
        encrypted=bool(encrypted),
        alarms=tuple(alarms.split()) if alarms else (),  # type: ignore[attr-defined]
        crossing=crossing,  # type: ignore[arg-type]
        mended=mended,  # type: ignore[arg-type]
    )
