"""What other people's programs come in with and are answered: bearer tokens, and answers kept to be given again.

A token comes here already hashed (SHA-256, hex). An answer may hold what is shown once (a link, a key), so it is encrypted.
One key of one caller is one thing asked: whoever comes first with it does it, and that is decided in one transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import ApiTokens, KeptAnswers


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A program's way in: in which role, for which office, whether it may write, until when; `name` says which program."""

    id: str
    name: str
    role: str
    office: str
    writes: bool
    made_by: str
    created_at: datetime
    expires: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def opens(self, now: datetime) -> bool:
        """Whether it lets anybody in at an instant."""
        return self.revoked_at is None and now < self.expires


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked under a key, by its digest, since when; and the answer (None: it is still being done, or never ended)."""

    asked: str
    begun_at: datetime
    answer: str | None


class ProgramsShelf(Shelf):
    """API tokens, kept answers."""

    def add_api_token(
        self, token_hash: str, *, name: str, role: str, office: str, writes: bool, made_by: str, expires: datetime
    ) -> ApiToken:
        """A new token, by the hash of its text."""
        token = ApiToken(
            id=new_id("token"),
            name=name,
            role=role,
            office=office,
            writes=writes,
            made_by=made_by,
            created_at=self._now(),
            expires=expires,
        )
        insert = ApiTokens.insert(
            id=token.id,
            token_hash=token_hash,
            name=self._keys.encrypt(name, f"api_tokens.name:{token.id}"),
            role=role,
            office=office,
            writes=int(writes),
            made_by=made_by,
            created_at=micros(token.created_at),
            expires_at=micros(expires),
        )
        self._write(lambda: insert.execute(self._db))
        return token

    def api_token(self, token_hash: str) -> ApiToken | None:
        """The token of that hash, whether it opens anything or not, or None."""
        row = self._one(ApiTokens.select().where(ApiTokens.token_hash == token_hash))
        return self._api_token(row) if row is not None else None

    def api_tokens(self, role: str | None = None, office: str | None = None) -> list[ApiToken]:
        """All tokens, or those of a role and an office; the newest first."""
        query = ApiTokens.select().order_by(ApiTokens.created_at.desc(), ApiTokens.id)
        if role is not None:
            query = query.where(ApiTokens.role == role)
        if office is not None:
            query = query.where(ApiTokens.office == office)
        return [self._api_token(row) for row in self._all(query)]

    def api_token_used(self, token: str) -> None:
        """Note that a token was used just now."""
        self._write(lambda: ApiTokens.update(used_at=self._micros()).where(ApiTokens.id == token).execute(self._db))

    def revoke_api_token(self, token: str) -> bool:
        """Let a token open nothing more. False when it was revoked before or never was."""

        def work() -> bool:
            query = ApiTokens.update(revoked_at=self._micros()).where(ApiTokens.id == token, ApiTokens.revoked_at.is_null())
            return bool(query.execute(self._db))

        return self._write(work)

    def _api_token(self, row: dict[str, Any]) -> ApiToken:
        return ApiToken(
            id=row["id"],
            name=self._keys.decrypt(bytes(row["name"]), f"api_tokens.name:{row['id']}"),
            role=row["role"],
            office=row["office"],
            writes=bool(row["writes"]),
            made_by=row["made_by"],
            created_at=instant(row["created_at"]),
            expires=instant(row["expires_at"]),
            used_at=instant(row["used_at"]) if row["used_at"] is not None else None,
            revoked_at=instant(row["revoked_at"]) if row["revoked_at"] is not None else None,
        )

    # -- answers, kept to be given again ------------------------------------------------------------------------------

    def begin_answer(self, caller: str, key: str, asked: str, kept: timedelta) -> KeptAnswer | None:
        """Begin what is asked under a caller's key: None when it is this one's to do, else what was begun before.

        What is older than `kept` is swept away.
        """
        now, turn = self._now(), new_id("turn")
        insert = KeptAnswers.insert(caller=caller, key=key, asked=asked, begun_at=micros(now), turn=turn)
        select = KeptAnswers.select().where(KeptAnswers.caller == caller, KeptAnswers.key == key)

        def work() -> dict[str, Any] | None:
            KeptAnswers.delete().where(KeptAnswers.begun_at <= micros(now - kept)).execute(self._db)
            insert.on_conflict_ignore().execute(self._db)
            return self._one(select)

        row = self._write(work)
        assert row is not None
        if row["turn"] == turn:
            return None
        answer = bytes(row["answer"]) if row["answer"] is not None else None
        return KeptAnswer(
            asked=row["asked"],
            begun_at=instant(row["begun_at"]),
            answer=self._keys.decrypt(answer, _place(caller, key)) if answer is not None else None,
        )

    def keep_answer(self, caller: str, key: str, answer: str) -> None:
        """Keep the answer to what was begun under a caller's key."""
        change = KeptAnswers.update(answer=self._keys.encrypt(answer, _place(caller, key)))
        self._write(lambda: change.where(KeptAnswers.caller == caller, KeptAnswers.key == key).execute(self._db))

    def drop_answer(self, caller: str, key: str) -> None:
        """Let a key be used again: what was begun under it came to nothing."""
        drop = KeptAnswers.delete().where(KeptAnswers.caller == caller, KeptAnswers.key == key, KeptAnswers.answer.is_null())
        self._write(lambda: drop.execute(self._db))

    def sweep_answers(self, before: datetime) -> int:
        """Forget what was begun before then. Returns how much it was."""
        return int(self._write(lambda: KeptAnswers.delete().where(KeptAnswers.begun_at <= micros(before)).execute(self._db)))


def _place(caller: str, key: str) -> str:
    return f"kept_answers.answer:{caller}:{key}"
