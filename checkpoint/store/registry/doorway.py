"""What is remembered at the door: questions that wait for an answer, failures in a row, and who did what about accounts.

The law of this file: a challenge is answered once; a row of the audit is added and never changed.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.tables import Attempts, Audit, Challenges

FORGOTTEN = timedelta(days=1)


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """A question put to a browser: for what, to whom ("": whoever answers), and what must be known to check the answer."""

    purpose: str
    account: str
    state: str


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """Something done about an account: `account` is whose, `actor` who did it, `address` coarse, `detail` encrypted at rest."""

    id: str
    at: datetime
    what: str
    account: str
    actor: str
    address: str
    detail: str


class DoorwayShelf(Shelf):
    """Challenges, attempts, audit."""

    def put_challenge(self, token_hash: str, purpose: str, account: str, state: str, expires: datetime) -> None:
        """Keep a question until it is answered or runs out."""
        values = {
            "token_hash": token_hash,
            "purpose": purpose,
            "account": account,
            "state": self._keys.encrypt(state, f"challenges.state:{token_hash}"),
            "expires_at": micros(expires),
        }

        def work() -> None:
            Challenges.delete().where(Challenges.expires_at <= self._micros()).execute(self._db)
            Challenges.insert(**values).execute(self._db)

        self._write(work)

    def challenge(self, token_hash: str, purpose: str) -> Challenge | None:
        """A question that is still open, left as it is."""
        row = self._one(Challenges.select().where(self._waiting(token_hash, purpose)))
        if row is None:
            return None
        state = self._keys.decrypt(bytes(row["state"]), f"challenges.state:{token_hash}")
        return Challenge(purpose=row["purpose"], account=row["account"], state=state)

    def take_challenge(self, token_hash: str, purpose: str) -> Challenge | None:
        """A question that is still open, used up."""
        found = self.challenge(token_hash, purpose)
        query = Challenges.delete().where(self._waiting(token_hash, purpose))
        return found if found is not None and self._write(lambda: query.execute(self._db)) else None

    def _waiting(self, token_hash: str, purpose: str) -> Any:
        return (Challenges.token_hash == token_hash) & (Challenges.purpose == purpose) & (Challenges.expires_at > self._micros())

    # -- failures in a row --------------------------------------------------------------------------------------------

    def failures(self, name: str) -> tuple[int, datetime] | None:
        """How many failures there were under a name, and when the last was; None when there were none."""
        row = self._one(Attempts.select().where(Attempts.mark == self._keys.mark("attempts", name)))
        return (int(row["failures"]), instant(row["last_at"])) if row is not None else None

    def note_failure(self, name: str, forget_after: timedelta) -> None:
        """One failure more; those before are forgotten when the last is that long ago."""
        mark, now = self._keys.mark("attempts", name), self._micros()

        def work() -> None:
            Attempts.delete().where(Attempts.last_at < now - micros_of(FORGOTTEN)).execute(self._db)
            Attempts.delete().where(Attempts.mark == mark, Attempts.last_at < now - micros_of(forget_after)).execute(self._db)
            one_more = {Attempts.failures: Attempts.failures + 1, Attempts.last_at: now}
            insert = Attempts.insert(mark=mark, failures=1, last_at=now)
            insert.on_conflict(conflict_target=[Attempts.mark], update=one_more).execute(self._db)

        self._write(work)

    def forget_failures(self, name: str) -> None:
        """Forget the failures under a name."""
        mark = self._keys.mark("attempts", name)
        if self._one(Attempts.select(Attempts.failures).where(Attempts.mark == mark)) is not None:
            self._write(lambda: Attempts.delete().where(Attempts.mark == mark).execute(self._db))

    def known_browser(self, account: str, nonce: str) -> str:
        """What proves that a browser which holds this nonce has signed in to an account before."""
        return self._keys.mark("known-browser", f"{account}\x1f{nonce}").hex()

    # -- what was done ------------------------------------------------------------------------------------------------

    def audit(self, what: str, *, account: str = "", actor: str = "", address: str = "", detail: str = "") -> None:
        """Write down what was done about an account."""
        now = self._now()
        row = f"{micros(now):016d}-{secrets.token_hex(6)}"  # ids are in the order of time
        insert = Audit.insert(
            id=row,
            at=micros(now),
            what=what,
            account=account,
            actor=actor,
            address=address,
            detail=self._keys.encrypt(detail, f"audit.detail:{row}"),
        )
        self._write(lambda: insert.execute(self._db))

    def audited(self, limit: int, *, before: str = "", account: str = "") -> list[Audited]:
        """What was done, the newest first; `before` an entry's id; of one account only when it is named."""
        query = Audit.select().order_by(Audit.id.desc()).limit(limit)
        if before:
            query = query.where(Audit.id < before)
        if account:
            query = query.where(Audit.account == account)
        return [
            Audited(
                id=row["id"],
                at=instant(row["at"]),
                what=row["what"],
                account=row["account"],
                actor=row["actor"],
                address=row["address"],
                detail=self._keys.decrypt(bytes(row["detail"]), f"audit.detail:{row['id']}"),
            )
            for row in self._all(query)
        ]


def micros_of(length: timedelta) -> int:
    """A length of time as the database counts it."""
    return length // timedelta(microseconds=1)
