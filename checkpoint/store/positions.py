"""Fixes: kept in the order of arrival, read in the order of time, each once.

They are not facts: a journey has forty facts and thousands of fixes. A repeat is the same vehicle, device, instant and
place. What comes from a device that belongs to no vehicle is kept apart until somebody binds it, within limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from checkpoint.core.track import Fix
from checkpoint.store.database import Database, instant, micros

MOST_STRANGE_PER_DEVICE = 5_000
MOST_STRANGE = 100_000
# Anybody can send under any number before a code is shown: that is kept apart even from strangers, and takes no room of theirs.
UNPROVED = "unproved"
MOST_UNPROVED_PER_DEVICE = 100
MOST_UNPROVED = 10_000
_COLUMNS = "device, fixed_at, lat, lon, accuracy_m, speed_kmh, course_deg, altitude_m, valid, encrypted, alarms, crossing, mended"
_IS_UNPROVED = f"(CASE WHEN why = '{UNPROVED}' THEN 1 ELSE 0 END)"


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A fix in the order of arrival: its number, whose it is, and when it came."""

    number: int
    vehicle: str
    received_at: datetime
    fix: Fix


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that belongs to no vehicle (yet): from a device nobody bound, or of a time that cannot be."""

    device: str
    why: str
    received_at: datetime
    fix: Fix


class StrangeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that reports for no vehicle: how many of its fixes wait, from when to when, since when they came, and the last."""

    device: str
    count: int
    first_at: datetime
    last_at: datetime
    since: datetime
    last: Fix


# A fix as its device sent it, and when it came -> the vehicle it belongs to and the fix as it is kept; None: nobody's yet.
Whose = Callable[[Fix, datetime], tuple[str, Fix] | None]


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

    def add_strangers(self, fixes: Sequence[tuple[Fix, str]], now: datetime) -> list[bool]:
        """Keep fixes that belong to no vehicle, with why. For each: False when there is no room and it was not kept."""
        total, unproved = self._db.rows(f"SELECT count(*), coalesce(sum({_IS_UNPROVED}), 0) FROM strangers")[0]
        room = {True: MOST_UNPROVED - int(unproved), False: MOST_STRANGE - int(total) + int(unproved)}
        most = {True: MOST_UNPROVED_PER_DEVICE, False: MOST_STRANGE_PER_DEVICE}
        kept: list[bool] = []
        counts: dict[tuple[str, bool], int] = {}
        for fix, why in fixes:
            kind = why == UNPROVED
            if room[kind] <= 0:
                kept.append(False)
                continue
            key = (fix.device, kind)
            if key not in counts:
                held = f"SELECT count(*) FROM strangers WHERE device = ? AND {_IS_UNPROVED} = ?"
                counts[key] = int(self._db.rows(held, (fix.device, int(kind)))[0][0])
            if counts[key] >= most[kind]:
                kept.append(False)
                continue
            # What comes again with a proof is more than what came without.
            new = self._db.run(
                "INSERT INTO strangers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, fixed_at, lat, lon) DO UPDATE"
                " SET why = excluded.why, received_at = excluded.received_at, raw = excluded.raw"
                f" WHERE strangers.why = '{UNPROVED}' AND excluded.why <> '{UNPROVED}'",
                (fix.device, micros(fix.fixed_at), fix.lat, fix.lon, why, micros(now), msgspec.json.encode(fix)),
            )
            room[kind], counts[key] = room[kind] - new, counts[key] + new
            kept.append(True)
        return kept

    def adopt(self, device: str, whose: Whose, now: datetime) -> int:
        """Move a device's fixes from among the strangers to the vehicle that `whose` says; those of nobody stay, and so do
        those of a device that never proved what it is."""
        rows = self._db.rows(
            f"SELECT fixed_at, lat, lon, raw, received_at FROM strangers WHERE device = ? AND why <> '{UNPROVED}'", (device,)
        )
        mine = []
        for row in rows:
            found = whose(msgspec.json.decode(row[3], type=Fix), instant(row[4]))
            if found is not None:
                mine.append((row[:3], found))
        self.add([found for _, found in mine], now)
        for key, _ in mine:
            self._db.run("DELETE FROM strangers WHERE device = ? AND fixed_at = ? AND lat = ? AND lon = ?", (device, *key))
        return len(mine)

    def of(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Fix]:
        """The fixes of a vehicle from `since` on and before `until`, in the order of time."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM positions WHERE vehicle = ? AND fixed_at >= ? AND fixed_at < ?"
            " ORDER BY fixed_at, device, lat, lon",
            (vehicle, micros(since) if since is not None else -(1 << 62), micros(until) if until is not None else 1 << 62),
        )
        return [_fix(row) for row in rows]

    def arrived(self, vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Arrived]:
        """As `of`, each with when it came."""
        rows = self._db.rows(
            f"SELECT number, vehicle, received_at, {_COLUMNS} FROM positions WHERE vehicle = ? AND fixed_at >= ? AND fixed_at < ?"
            " ORDER BY fixed_at, device, lat, lon",
            (vehicle, micros(since) if since is not None else -(1 << 62), micros(until) if until is not None else 1 << 62),
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
            "SELECT device, count(*), min(fixed_at), max(fixed_at), min(received_at), max(received_at) FROM strangers"
            " WHERE why = 'unknown-device' GROUP BY device ORDER BY 6 DESC, device LIMIT ?",
            (limit,),
        )
        found = []
        for device, count, first, last, since, _ in rows:
            last_raw = "SELECT raw FROM strangers WHERE device = ? AND fixed_at = ? AND why = 'unknown-device' LIMIT 1"
            newest = self._db.rows(last_raw, (device, last))
            if newest:
                found.append(
                    StrangeDevice(
                        device=device,
                        count=int(count),
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
        return [
            Stranger(device=device, why=why, received_at=instant(at), fix=msgspec.json.decode(raw, type=Fix))
            for device, why, at, raw in rows
        ]


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
