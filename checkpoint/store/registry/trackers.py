"""Trackers: devices that send positions by themselves, and the keys we gave them.

A key comes here already hashed (SHA-256, hex). A device without a key has a row once it was heard or shut out: the number it
came with is all it shows, and it counts until it is revoked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import instant
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.tables import Trackers


class Tracker(msgspec.Struct, frozen=True, kw_only=True):
    """A device by the name that the record knows; `keyed` when it shows a key of ours in place of that name. `regions` is what
    its app was told of our stations, in the form of whoever told it; empty: nothing yet."""

    device: str
    keyed: bool
    created_at: datetime
    seen_at: datetime | None = None
    revoked_at: datetime | None = None
    regions: str = ""


class TrackersShelf(Shelf):
    """Trackers."""

    def add_tracker(self, device: str, key_hash: str) -> None:
        """A device with a key of ours; a new key for the same device takes the place of the last, and lets it in again."""
        values = {"key_hash": key_hash, "revoked_at": None, "regions": ""}  # another app, perhaps: it is told all anew
        insert = Trackers.insert(device=device, created_at=self._micros(), **values)
        self._write(lambda: insert.on_conflict(conflict_target=[Trackers.device], update=values).execute(self._db))

    def tracker(self, device: str) -> Tracker | None:
        """The tracker of that name, or None."""
        # Asked with every position of every device, as the next: past peewee, whose building of a query costs more.
        return self._tracker("device = ?", device)

    def tracker_by_key(self, key_hash: str) -> Tracker | None:
        """The tracker that shows this key, or None."""
        return self._tracker("key_hash = ?", key_hash)

    def trackers(self) -> dict[str, Tracker]:
        """All trackers, by name."""
        return {row["device"]: _tracker(row) for row in self._all(Trackers.select().order_by(Trackers.device))}

    def tracker_seen(self, device: str) -> None:
        """A device was heard just now."""
        now = self._micros()
        insert = Trackers.insert(device=device, created_at=now, seen_at=now)
        self._write(lambda: insert.on_conflict(conflict_target=[Trackers.device], update={"seen_at": now}).execute(self._db))

    def tell_tracker(self, device: str, regions: str) -> None:
        """Keep what a device's app holds of our stations now."""
        self._write(lambda: Trackers.update(regions=regions).where(Trackers.device == device).execute(self._db))

    def revoke_tracker(self, device: str) -> None:
        """Take no more positions of a device."""
        now = self._micros()
        values: dict[str, Any] = {"revoked_at": now, "key_hash": None}
        insert = Trackers.insert(device=device, created_at=now, **values)
        self._write(lambda: insert.on_conflict(conflict_target=[Trackers.device], update=values).execute(self._db))

    def _tracker(self, condition: str, value: str) -> Tracker | None:
        columns = ("device", "key_hash", "created_at", "seen_at", "revoked_at", "regions")
        rows = self._db.rows(f"SELECT {', '.join(columns)} FROM trackers WHERE {condition}", (value,))
        return _tracker(dict(zip(columns, rows[0], strict=True))) if rows else None


def _tracker(row: dict[str, Any]) -> Tracker:
    return Tracker(
        device=row["device"],
        keyed=row["key_hash"] is not None,
        created_at=instant(row["created_at"]),
        seen_at=instant(row["seen_at"]) if row["seen_at"] is not None else None,
        revoked_at=instant(row["revoked_at"]) if row["revoked_at"] is not None else None,
        regions=row["regions"],
    )
