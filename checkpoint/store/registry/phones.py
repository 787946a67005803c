"""Other phones that ask for a pass whose link bound one already.

A phone is known by the hash of its mark, as in `access.py`; of the phone itself only a coarse word is kept. A request waits
until somebody decides or its time is over; each phone has one, and may ask again when it is over or was refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import PhoneRequests

State = Literal["waiting", "approved", "refused", "expired"]


class PhoneRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A phone that asks; `link` is the one it opened, `kind` a coarse word for it (`iphone`, `android` ...). Whether its time is
    over is for whoever asks, with its own clock."""

    id: str
    pass_id: str
    person: str
    link: str
    phone_hash: str
    kind: str
    asked_at: datetime
    expires: datetime
    state: State
    decided_at: datetime | None = None
    decided_by: str = ""

    def state_at(self, now: datetime) -> State:
        """How it stands at an instant."""
        return "expired" if self.state == "waiting" and now >= self.expires else self.state


class PhonesShelf(Shelf):
    """Requests of phones."""

    def ask_for_phone(
        self, phone_hash: str, *, pass_id: str, person: str, link: str, kind: str, expires: datetime
    ) -> PhoneRequest:
        """A phone asks; one that asks again after a decision, or after its time was over, asks anew."""
        now = self._micros()
        values: dict[str, Any] = {
            "id": new_id("phone"), "pass_id": pass_id, "person": person, "link": link, "kind": kind, "asked_at": now,
            "expires_at": micros(expires), "state": "waiting", "decided_at": None, "decided_by": "", "left_hash": None,
        }  # fmt: skip

        def work() -> None:
            standing = self._request(PhoneRequests.phone_hash == phone_hash)
            if standing is not None and standing.link == link and standing.state_at(instant(now)) == "waiting":
                return
            insert = PhoneRequests.insert(phone_hash=phone_hash, **values)
            insert.on_conflict(conflict_target=[PhoneRequests.phone_hash], update=values).execute(self._db)

        self._write(work)
        found = self.phone_request_of(phone_hash)
        assert found is not None
        return found

    def phone_request(self, request: str) -> PhoneRequest | None:
        """The request of that id, or None."""
        return self._request(PhoneRequests.id == request)

    def phone_request_of(self, phone_hash: str) -> PhoneRequest | None:
        """What a phone asked for last, or None."""
        return self._request(PhoneRequests.phone_hash == phone_hash)

    def phone_left(self, phone_hash: str) -> PhoneRequest | None:
        """The request whose approval took the pass from this phone, or None."""
        return self._request(PhoneRequests.left_hash == phone_hash)

    def phones_waiting(self, now: datetime, pass_id: str | None = None) -> list[PhoneRequest]:
        """The requests that wait (for one pass, or all), the oldest first."""
        query = PhoneRequests.select().where(PhoneRequests.state == "waiting", PhoneRequests.expires_at > micros(now))
        if pass_id is not None:
            query = query.where(PhoneRequests.pass_id == pass_id)
        return [_request(row) for row in self._all(query.order_by(PhoneRequests.asked_at, PhoneRequests.id))]

    def decide_phone(self, request: str, state: State, by: str, left_hash: str | None = None) -> bool:
        """Decide a request that waits. False when somebody did already, or its time is over."""
        now = self._micros()
        query = PhoneRequests.update(state=state, decided_at=now, decided_by=by, left_hash=left_hash)
        query = query.where(PhoneRequests.id == request, PhoneRequests.state == "waiting", PhoneRequests.expires_at > now)
        return bool(self._write(lambda: query.execute(self._db)))

    def _request(self, condition: Any) -> PhoneRequest | None:
        row = self._one(PhoneRequests.select().where(condition).order_by(PhoneRequests.asked_at.desc()))
        return _request(row) if row is not None else None


def _request(row: dict[str, Any]) -> PhoneRequest:
    return PhoneRequest(
        id=row["id"],
        pass_id=row["pass_id"],
        person=row["person"],
        link=row["link"],
        phone_hash=row["phone_hash"],
        kind=row["kind"],
        asked_at=instant(row["asked_at"]),
        expires=instant(row["expires_at"]),
        state=cast("State", row["state"]),
        decided_at=instant(row["decided_at"]) if row["decided_at"] is not None else None,
        decided_by=row["decided_by"],
    )
