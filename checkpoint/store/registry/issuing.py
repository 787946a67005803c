"""What passes are made with: issuers' keys, serials, the seeds of screen passes; and settings that outlive a restart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from checkpoint.core.passes import key_id
from checkpoint.store.database import instant
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.restored import SERIALS_FROM
from checkpoint.store.tables import Issuers, PassSeeds, Serials, Settings


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """A key that seals passes, by its public half (raw, 32 bytes). A retired one seals no more and is trusted still; a revoked
    one is trusted no more: what it sealed is not genuine."""

    key_id: str
    public_key: bytes
    created_at: datetime
    retired_at: datetime | None = None
    revoked_at: datetime | None = None


class IssuingShelf(Shelf):
    """Issuers, serials, seeds, settings."""

    def issuers(self) -> list[Issuer]:
        """All issuers ever, the oldest first."""
        return [
            Issuer(
                key_id=row["key_id"],
                public_key=bytes(row["public_key"]),
                created_at=instant(row["created_at"]),
                retired_at=instant(row["retired_at"]) if row["retired_at"] is not None else None,
                revoked_at=instant(row["revoked_at"]) if row["revoked_at"] is not None else None,
            )
            for row in self._all(Issuers.select().order_by(Issuers.created_at, Issuers.key_id))
        ]

    def trusted_keys(self) -> dict[str, Ed25519PublicKey]:
        """The keys that passes are read with, by key id."""
        return {issuer.key_id: Ed25519PublicKey.from_public_bytes(issuer.public_key) for issuer in self.trusted_issuers()}

    def trusted_issuers(self) -> list[Issuer]:
        """The issuers whose passes are genuine: all that were not revoked."""
        return [issuer for issuer in self.issuers() if issuer.revoked_at is None]

    def sealing_key(self) -> Ed25519PrivateKey:
        """The key that seals passes now: the newest that is not retired. The first is made when there is none."""
        query = Issuers.select().where(Issuers.retired_at.is_null()).order_by(Issuers.created_at.desc(), Issuers.key_id)
        row = self._one(query)
        if row is None:

            def work() -> None:
                # Asked again inside the one writer: two who come at once make one key.
                if self._one(query) is None:
                    self._insert_issuer()

            self._write(work)
            row = self._one(query)
            assert row is not None
        raw = self._keys.decrypt(bytes(row["private_key"]), f"issuers.private_key:{row['key_id']}")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(raw))

    def new_issuer(self) -> str:
        """Make a new key that seals from now on; those before are retired, and trusted still. Returns its key id."""

        def work() -> str:
            self._retire(Issuers.retired_at.is_null())
            return self._insert_issuer()

        return self._write(work)

    def revoke_issuer(self, name: str) -> bool:
        """Trust a key no more; when it was the one that seals, another is made. False when it is unknown or revoked already."""

        def work() -> bool:
            self._retire((Issuers.key_id == name) & Issuers.retired_at.is_null())
            query = Issuers.update(revoked_at=self._micros()).where(Issuers.key_id == name, Issuers.revoked_at.is_null())
            done = bool(query.execute(self._db))
            if self._one(Issuers.select(Issuers.key_id).where(Issuers.retired_at.is_null())) is None:
                self._insert_issuer()
            return done

        return self._write(work)

    def _retire(self, which: Any) -> None:
        """Let keys seal no more. Their private halves have no more use, and are gone."""
        for row in self._all(Issuers.select(Issuers.key_id).where(which)):
            gone = self._keys.encrypt("", f"issuers.private_key:{row['key_id']}")
            change = Issuers.update(retired_at=self._micros(), private_key=gone)
            change.where(Issuers.key_id == row["key_id"]).execute(self._db)

    def _insert_issuer(self) -> str:
        taken = {row["key_id"] for row in self._all(Issuers.select(Issuers.key_id))}
        while True:  # a key id has 16 bits: another key when two would share one
            key = Ed25519PrivateKey.generate()
            name = key_id(key.public_key())
            if name not in taken:
                break
        Issuers.insert(
            key_id=name,
            public_key=key.public_key().public_bytes_raw(),
            private_key=self._keys.encrypt(key.private_bytes_raw().hex(), f"issuers.private_key:{name}"),
            created_at=self._micros(),
        ).execute(self._db)
        return name

    def next_serial(self, area: str) -> int:
        """The next serial of an area code, from 1 on; never given twice."""

        def work() -> int:
            first = int(self.setting(SERIALS_FROM, "0")) + 1
            insert = Serials.insert(area=area, last=first)
            insert.on_conflict(conflict_target=[Serials.area], update={Serials.last: Serials.last + 1}).execute(self._db)
            row = self._one(Serials.select(Serials.last).where(Serials.area == area))
            assert row is not None
            return int(row["last"])

        return self._write(work)

    def keep_seed(self, pass_id: str, generation: int, seed: bytes) -> None:
        """Keep where the chain of a screen pass begins. Raises when that pass and generation has one."""
        kept = self._keys.encrypt(seed.hex(), f"pass_seeds.seed:{pass_id}:{generation}")
        insert = PassSeeds.insert(pass_id=pass_id, generation=generation, seed=kept)
        self._write(lambda: insert.execute(self._db))

    def seed(self, pass_id: str, generation: int) -> bytes | None:
        """Where the chain of a screen pass begins, or None."""
        row = self._one(PassSeeds.select(PassSeeds.seed).where(PassSeeds.pass_id == pass_id, PassSeeds.generation == generation))
        if row is None:
            return None
        return bytes.fromhex(self._keys.decrypt(bytes(row["seed"]), f"pass_seeds.seed:{pass_id}:{generation}"))

    def setting(self, name: str, default: str = "") -> str:
        """A setting's text."""
        row = self._one(Settings.select(Settings.value).where(Settings.name == name))
        return str(row["value"]) if row is not None else default

    def setting_once(self, name: str, value: str) -> str:
        """A setting's text; this value when it has none yet, and then for ever."""
        if not (known := self.setting(name)):
            insert = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            self._write(lambda: self._db.run(insert, (name, value)))
            known = self.setting(name)
        return known

    def set_setting(self, name: str, value: str) -> None:
        """Put a setting's text in the place of the last."""
        change: dict[str, Any] = {"value": value}
        insert = Settings.insert(name=name, value=value)
        self._write(lambda: insert.on_conflict(conflict_target=[Settings.name], update=change).execute(self._db))
