"""Kiosks and devices: the machines that speak to us, and for whom.

A kiosk is made for a station with a token that works once; enrolling trades it for a key. A kiosk enrolled anew is a
new kiosk with a chain of its own. Tokens and keys come here already hashed (SHA-256, hex).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import Devices, Kiosks

_COLUMNS = (
    "id", "station", "public_key", "created_at", "enrolled_at", "seen_at", "offset_s", "closed_at", "key_at", "renew", "program",
)  # fmt: skip


class Kiosk(msgspec.Struct, frozen=True, kw_only=True):
    """A station's program. `public_key` is raw Ed25519, 32 bytes, empty before it enrolled; `offset_s` is how far its
    clock was ahead of ours when it last spoke (None: never). `key_at` is when it got the key it calls with, `renew` whether
    it is asked to make itself another, `program` the version of its program (empty before it said)."""

    id: str
    station: str
    public_key: bytes = b""
    created_at: datetime
    enrolled_at: datetime | None = None
    seen_at: datetime | None = None
    offset_s: float | None = None
    closed_at: datetime | None = None
    key_at: datetime | None = None
    renew: bool = False
    program: str = ""

    @property
    def witness(self) -> str:
        """How its facts name it."""
        return f"kiosk:{self.id}"


class StationsShelf(Shelf):
    """Kiosks, devices."""

    def add_kiosk(self, station: str, token_hash: str, expires: datetime) -> Kiosk:
        """A kiosk that may enrol for a station, once, until then."""
        kiosk = Kiosk(id=new_id("k"), station=station, created_at=self._now())
        insert = Kiosks.insert(
            id=kiosk.id,
            station=station,
            token_hash=token_hash,
            token_expires=micros(expires),
            created_at=micros(kiosk.created_at),
        )
        self._write(lambda: insert.execute(self._db))
        return kiosk

    def enrol_kiosk(self, token_hash: str, public_key: bytes, key_hash: str) -> Kiosk | None:
        """Trade a token for a key: works once. None when the token is unknown, used, closed, or has run out."""
        if len(public_key) != 32:
            raise ValueError("a raw Ed25519 public key of 32 bytes wanted")

        def work() -> bool:
            now = self._micros()
            return bool(
                Kiosks.update(public_key=public_key, key_hash=key_hash, enrolled_at=now, key_at=now, token_hash=None)
                .where(
                    Kiosks.token_hash == token_hash,
                    Kiosks.enrolled_at.is_null(),
                    Kiosks.closed_at.is_null(),
                    Kiosks.token_expires > now,
                )
                .execute(self._db)
            )

        return self.kiosk_by_key(key_hash) if self._write(work) else None

    def waiting_kiosk(self, token_hash: str) -> Kiosk | None:
        """The kiosk that still may enrol with this token, or None."""
        return self._kiosk("token_hash = ? AND enrolled_at IS NULL AND closed_at IS NULL", token_hash)

    def renew_key(self, kiosk: str, key_hash: str) -> bool:
        """Put another key in the place of the one a kiosk calls with; its chain and its own key stay. False when it was closed
        or never was."""
        query = Kiosks.update(key_hash=key_hash, key_at=self._micros(), renew=0)
        query = query.where(Kiosks.id == kiosk, Kiosks.closed_at.is_null(), Kiosks.enrolled_at.is_null(False))
        return bool(self._write(lambda: query.execute(self._db)))

    def ask_new_key(self, kiosk: str) -> bool:
        """Ask a kiosk to make itself another key: it is told with its next reading of the feed. False as above."""
        query = Kiosks.update(renew=1).where(Kiosks.id == kiosk, Kiosks.closed_at.is_null(), Kiosks.enrolled_at.is_null(False))
        return bool(self._write(lambda: query.execute(self._db)))

    def kiosk(self, kiosk: str) -> Kiosk | None:
        """The kiosk of that id, open or closed, or None."""
        return self._kiosk("id = ?", kiosk)

    def kiosk_by_key(self, key_hash: str) -> Kiosk | None:
        """The kiosk that holds this key, or None when there is none or it was closed."""
        return self._kiosk("key_hash = ? AND closed_at IS NULL", key_hash)

    def kiosks(self) -> list[Kiosk]:
        """All kiosks, by station and age."""
        return [_kiosk(row) for row in self._all(Kiosks.select().order_by(Kiosks.station, Kiosks.created_at, Kiosks.id))]

    def kiosk_seen(self, kiosk: str, offset_s: float | None, program: str = "") -> None:
        """A kiosk spoke just now, and its clock was so far ahead of ours (None: it did not say); its program's version."""
        values: dict[str, Any] = {"seen_at": self._micros()}
        if program:
            values["program"] = program
        if offset_s is not None:
            values["offset_s"] = offset_s
        self._write(lambda: Kiosks.update(**values).where(Kiosks.id == kiosk).execute(self._db))

    def close_kiosk(self, kiosk: str) -> bool:
        """Let a kiosk in no more. False when it was closed before or never was."""

        def work() -> bool:
            query = Kiosks.update(closed_at=self._micros(), token_hash=None)
            return bool(query.where(Kiosks.id == kiosk, Kiosks.closed_at.is_null()).execute(self._db))

        return self._write(work)

    def _kiosk(self, condition: str, value: str) -> Kiosk | None:
        # Asked for every batch of every kiosk: past peewee, whose building of a query costs more than all the rest.
        rows = self._db.rows(f"SELECT {', '.join(_COLUMNS)} FROM kiosks WHERE {condition}", (value,))
        return _kiosk(dict(zip(_COLUMNS, rows[0], strict=True))) if rows else None

    # -- devices ------------------------------------------------------------------------------------------------------

    def bind_device(self, device: str, vehicle: str) -> None:
        """Let a device report for a vehicle, whatever the date of its fixes. The record's own word is `DeviceBound`, and
        goes before; this is for fixes from before the first one."""
        values = {"vehicle": vehicle, "bound_at": self._micros()}
        insert = Devices.insert(device=device, **values)
        self._write(lambda: insert.on_conflict(conflict_target=[Devices.device], update=values).execute(self._db))

    def device_vehicle(self, device: str) -> str | None:
        """The vehicle that a device reported for before its first binding, or None."""
        # Asked with every position of every phone: past peewee, as above.
        rows = self._db.rows("SELECT vehicle FROM devices WHERE device = ?", (device,))
        return str(rows[0][0]) or None if rows else None

    def add_device(self, device: str) -> None:
        """A device that the record binds. Of the time before its first binding nothing is known."""
        insert = Devices.insert(device=device, vehicle="", bound_at=self._micros())
        self._write(lambda: insert.on_conflict_ignore().execute(self._db))

    def devices(self) -> dict[str, str]:
        """Vehicles by device."""
        return {row["device"]: row["vehicle"] for row in self._all(Devices.select(Devices.device, Devices.vehicle))}


def _kiosk(row: dict[str, Any]) -> Kiosk:
    def when(name: str) -> datetime | None:
        return instant(row[name]) if row[name] is not None else None

    return Kiosk(
        id=row["id"],
        station=row["station"],
        public_key=bytes(row["public_key"] or b""),
        created_at=instant(row["created_at"]),
        enrolled_at=when("enrolled_at"),
        seen_at=when("seen_at"),
        offset_s=row["offset_s"],
        closed_at=when("closed_at"),
        key_at=when("key_at"),
        renew=bool(row["renew"]),
        program=row["program"] or "",
    )
