"""Who is in: sessions, and the personal links of drivers.

Tokens come here already hashed (SHA-256, hex): a copy of the database opens nothing.
Whoever asks compares expiry with its own clock where a record says `expires`; links are checked here, because a link
works once and that must be decided in one transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import Links, Sessions


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is signed in: in which role, as whom within it, under which name.

    `account` is whose session it is (a driver's phone has none), `seen` when it was last used, `proved` when its holder last
    showed with their strongest proof who they are; `limited`: it may do nothing but set up a second factor; `device` names
    browser and system, coarsely.
    """

    token_hash: str
    role: str
    who: str
    name: str
    opened: datetime
    expires: datetime
    account: str = ""
    seen: datetime
    proved: datetime | None = None
    limited: bool = False
    device: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A personal link to a pass. `used_at` is set once a phone is bound to it; `closed_at` when it opens nothing more."""

    id: str
    person: str
    pass_id: str
    created_at: datetime
    expires: datetime
    used_at: datetime | None = None
    closed_at: datetime | None = None


class AccessShelf(Shelf):
    """Sessions, links."""

    def open_session(
        self,
        token_hash: str,
        *,
        role: str,
        who: str,
        name: str,
        opened: datetime,
        expires: datetime,
        account: str = "",
        proved: datetime | None = None,
        limited: bool = False,
        device: str = "",
    ) -> None:
        """Keep a session by the hash of its token; those that ran out are swept away."""
        values = {
            "token_hash": token_hash,
            "role": role,
            "who": who,
            "name": self._keys.encrypt(name, f"sessions.name:{token_hash}"),
            "opened_at": micros(opened),
            "expires_at": micros(expires),
            "account": account,
            "seen_at": micros(opened),
            "proved_at": micros(proved) if proved is not None else None,
            "limited": int(limited),
            "device": device,
        }

        def work() -> None:
            Sessions.delete().where(Sessions.expires_at <= micros(opened)).execute(self._db)
            Sessions.insert(**values).execute(self._db)

        self._write(work)

    def session(self, token_hash: str) -> Session | None:
        """The session of a token's hash, run out or not, or None."""
        row = self._one(Sessions.select().where(Sessions.token_hash == token_hash))
        return self._session(row) if row is not None else None

    def sessions_of(self, account: str) -> list[Session]:
        """An account's sessions, the one seen last first."""
        query = Sessions.select().where(Sessions.account == account, Sessions.expires_at > self._micros())
        return [self._session(row) for row in self._all(query.order_by(Sessions.seen_at.desc(), Sessions.token_hash))]

    def _session(self, row: dict[str, Any]) -> Session:
        return Session(
            token_hash=row["token_hash"],
            role=row["role"],
            who=row["who"],
            name=self._keys.decrypt(bytes(row["name"]), f"sessions.name:{row['token_hash']}"),
            opened=instant(row["opened_at"]),
            expires=instant(row["expires_at"]),
            account=row["account"],
            seen=instant(row["seen_at"] if row["seen_at"] is not None else row["opened_at"]),
            proved=instant(row["proved_at"]) if row["proved_at"] is not None else None,
            limited=bool(row["limited"]),
            device=row["device"],
        )

    def see_session(self, token_hash: str) -> None:
        """Note that a session is in use."""
        query = Sessions.update(seen_at=self._micros()).where(Sessions.token_hash == token_hash)
        self._write(lambda: query.execute(self._db))

    def renew_session(self, token_hash: str, new_hash: str, *, proved: datetime | None, limited: bool) -> bool:
        """Give a session another token, which has just proved who holds it. False when it has ended."""

        def work() -> bool:
            row = self._one(Sessions.select().where(Sessions.token_hash == token_hash))
            if row is None:
                return False
            name = self._keys.decrypt(bytes(row["name"]), f"sessions.name:{token_hash}")
            changes = {
                "token_hash": new_hash,
                "name": self._keys.encrypt(name, f"sessions.name:{new_hash}"),
                "seen_at": self._micros(),
                "proved_at": micros(proved) if proved is not None else None,
                "limited": int(limited),
            }
            return bool(Sessions.update(**changes).where(Sessions.token_hash == token_hash).execute(self._db))

        return self._write(work)

    def end_sessions(self, account: str, but: str = "") -> int:
        """End all sessions of an account, but one perhaps. Returns how many there were."""
        query = Sessions.delete().where(Sessions.account == account, Sessions.token_hash != but)
        return int(self._write(lambda: query.execute(self._db)))

    def close_session(self, token_hash: str) -> None:
        """End a session."""
        self._write(lambda: Sessions.delete().where(Sessions.token_hash == token_hash).execute(self._db))

    def close_sessions(self, role: str, who: str | None = None) -> int:
        """End all sessions of a role, or of one within it. Returns how many there were."""
        query = Sessions.delete().where(Sessions.role == role)
        if who is not None:
            query = query.where(Sessions.who == who)
        return int(self._write(lambda: query.execute(self._db)))

    # -- personal links -----------------------------------------------------------------------------------------------

    def add_link(self, token_hash: str, *, person: str, pass_id: str, expires: datetime, phone_hash: str | None = None) -> Link:
        """A new link to a pass for one person; with a phone, it is bound to that one from the beginning."""
        now = self._now()
        used_at = now if phone_hash is not None else None
        link = Link(id=new_id("link"), person=person, pass_id=pass_id, created_at=now, expires=expires, used_at=used_at)
        insert = Links.insert(
            id=link.id,
            token_hash=token_hash,
            person=person,
            pass_id=pass_id,
            created_at=micros(link.created_at),
            expires_at=micros(expires),
            used_at=micros(now) if used_at is not None else None,
            phone_hash=phone_hash,
        )
        self._write(lambda: insert.execute(self._db))
        return link

    def phone_of(self, link: str) -> str | None:
        """The hash of the phone that a link is bound to, or None."""
        row = self._one(Links.select(Links.phone_hash).where(Links.id == link))
        return row["phone_hash"] if row is not None else None

    def use_link(self, token_hash: str, phone_hash: str) -> Link | None:
        """Open a link and bind the phone to it: works once. None when it is unknown, used, closed, or has run out."""

        def work() -> bool:
            now = self._micros()
            return bool(
                Links.update(used_at=now, phone_hash=phone_hash)
                .where(
                    Links.token_hash == token_hash,
                    Links.used_at.is_null(),
                    Links.closed_at.is_null(),
                    Links.expires_at > now,
                )
                .execute(self._db)
            )

        return self.link_by_phone(phone_hash) if self._write(work) else None

    def link(self, link: str) -> Link | None:
        """The link of that id, whatever became of it, or None."""
        return self._link(Links.id == link)

    def link_by_token(self, token_hash: str) -> Link | None:
        """The link of a token's hash, whatever became of it, or None."""
        return self._link(Links.token_hash == token_hash)

    def link_by_phone(self, phone_hash: str) -> Link | None:
        """The link that a phone is bound to, or None when there is none or it was closed."""
        return self._link((Links.phone_hash == phone_hash) & Links.closed_at.is_null())

    def phone_is_taken(self, phone_hash: str, link: str) -> bool:
        """Whether a phone's mark is bound to another link than this one, closed ones included: a mark names one phone."""
        return self._link((Links.phone_hash == phone_hash) & (Links.id != link)) is not None

    def links(self, pass_id: str) -> list[Link]:
        """All links to a pass, the oldest first."""
        rows = self._all(Links.select().where(Links.pass_id == pass_id).order_by(Links.created_at, Links.id))
        return [_link(row) for row in rows]

    def close_link(self, link: str) -> bool:
        """Let a link open nothing more, and its phone neither. False when it was closed before or never was."""

        def work() -> bool:
            query = Links.update(closed_at=self._micros()).where(Links.id == link, Links.closed_at.is_null())
            return bool(query.execute(self._db))

        return self._write(work)

    def _link(self, condition: Any) -> Link | None:
        row = self._one(Links.select().where(condition))
        return _link(row) if row is not None else None


def _link(row: dict[str, Any]) -> Link:
    return Link(
        id=row["id"],
        person=row["person"],
        pass_id=row["pass_id"],
        created_at=instant(row["created_at"]),
        expires=instant(row["expires_at"]),
        used_at=instant(row["used_at"]) if row["used_at"] is not None else None,
        closed_at=instant(row["closed_at"]) if row["closed_at"] is not None else None,
    )
