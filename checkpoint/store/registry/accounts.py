"""Accounts: who may sign in, with what they prove it, and the one-time links that let somebody begin.

The law of this file: what works once (a link, a recovery code, a step of a one-time code) is used up by one statement that
says so, never by looking first. Names are encrypted; a sign-in name is found again by its mark. Passphrases come as argon2
hashes, tokens and recovery codes as SHA-256, hex. An account is disabled, never removed: facts carry its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec
import peewee

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, T, new_id
from checkpoint.store.tables import Accounts, Factors, Invitations, RecoveryCodes, Sessions

TOTP, PASSKEY = "totp", "passkey"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `id` is the pseudonym that their facts carry; `office` the carrier or laboratory they are of.

    `passphrase` is its hash, empty until the invitation was accepted; `stands_alone`: it is long enough to be the only proof.
    """

    id: str
    name: str
    display: str
    role: str
    office: str = ""
    passphrase: str = ""
    stands_alone: bool = False
    created_at: datetime
    disabled_at: datetime | None = None


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """A second proof: the secret of one-time codes, or a passkey's public half with its credential's id."""

    id: str
    account: str
    kind: str
    label: str
    secret: str
    credential: str = ""
    uses: int = 0
    created_at: datetime
    used_at: datetime | None = None


class NameTaken(ValueError):
    """The sign-in name belongs to another account."""


class AccountsShelf(Shelf):
    """Accounts, factors, recovery codes, invitations."""

    def add_account(self, name: str, display: str, role: str, office: str = "") -> Account:
        """A new account, which opens nothing until it has a passphrase. Raises `NameTaken`."""
        account = Account(id=new_id("acc"), name=name, display=display, role=role, office=office, created_at=self._now())

        self._named(lambda: self._insert(account))
        return account

    def _named(self, work: Callable[[], T]) -> T:
        """Write what takes a sign-in name: another process may have taken it a moment ago."""
        try:
            return self._write(work)
        except peewee.IntegrityError:
            raise NameTaken from None

    def _insert(self, account: Account) -> None:
        mark = self._keys.mark("sign-in", account.name)
        if self._one(Accounts.select(Accounts.id).where(Accounts.sign_in_mark == mark)) is not None:
            raise NameTaken(account.name)
        Accounts.insert(
            id=account.id,
            sign_in=self._keys.encrypt(account.name, f"accounts.sign_in:{account.id}"),
            sign_in_mark=mark,
            display=self._keys.encrypt(account.display, f"accounts.display:{account.id}"),
            role=account.role,
            office=account.office,
            passphrase=account.passphrase or None,
            stands_alone=int(account.stands_alone),
            created_at=micros(account.created_at),
        ).execute(self._db)

    def account(self, account: str) -> Account | None:
        """The account of that id, or None."""
        return self._account(Accounts.id == account)

    def account_named(self, name: str) -> Account | None:
        """The account of that sign-in name, or None."""
        return self._account(Accounts.sign_in_mark == self._keys.mark("sign-in", name))

    def accounts(self, ids: Iterable[str] | None = None) -> list[Account]:
        """These accounts or all, disabled ones included, by role and age."""
        query = Accounts.select().order_by(Accounts.role, Accounts.created_at, Accounts.id)
        if ids is not None:
            query = query.where(Accounts.id.in_(sorted(set(ids))))
        return [self._opened(row) for row in self._all(query)]

    def set_passphrase(self, account: str, hashed: str, *, stands_alone: bool) -> None:
        """Put a passphrase's hash in the place of the last."""
        query = Accounts.update(passphrase=hashed, stands_alone=int(stands_alone)).where(Accounts.id == account)
        self._write(lambda: query.execute(self._db))

    def rehash(self, account: str, held: str, hashed: str) -> None:
        """The same passphrase, hashed anew; nothing when another took its place meanwhile."""
        query = Accounts.update(passphrase=hashed).where(Accounts.id == account, Accounts.passphrase == held)
        self._write(lambda: query.execute(self._db))

    def disable_account(self, account: str) -> bool:
        """Let an account in no more, and end its sessions. False when it was so before or never was."""

        def work() -> bool:
            query = Accounts.update(disabled_at=self._micros()).where(Accounts.id == account, Accounts.disabled_at.is_null())
            self._forget_links(account)
            Sessions.delete().where(Sessions.account == account).execute(self._db)
            return bool(query.execute(self._db))

        return self._write(work)

    def enable_account(self, account: str) -> bool:
        """Let an account in again. False when it was not disabled."""
        query = Accounts.update(disabled_at=None).where(Accounts.id == account, Accounts.disabled_at.is_null(False))
        return bool(self._write(lambda: query.execute(self._db)))

    def reset_account(self, account: str) -> None:
        """Take passphrase, factors, recovery codes and sessions from an account: it begins again by a link."""

        def work() -> None:
            Accounts.update(passphrase=None, stands_alone=0).where(Accounts.id == account).execute(self._db)
            for table in (Factors, RecoveryCodes, Sessions):
                table.delete().where(table.account == account).execute(self._db)
            self._forget_links(account)

        self._write(work)

    def _account(self, condition: Any) -> Account | None:
        row = self._one(Accounts.select().where(condition))
        return self._opened(row) if row is not None else None

    def _opened(self, row: dict[str, Any]) -> Account:
        return Account(
            id=row["id"],
            name=self._keys.decrypt(bytes(row["sign_in"]), f"accounts.sign_in:{row['id']}"),
            display=self._keys.decrypt(bytes(row["display"]), f"accounts.display:{row['id']}"),
            role=row["role"],
            office=row["office"],
            passphrase=row["passphrase"] or "",
            stands_alone=bool(row["stands_alone"]),
            created_at=instant(row["created_at"]),
            disabled_at=_perhaps(row["disabled_at"]),
        )

    # -- one-time links -----------------------------------------------------------------------------------------------

    def invite(self, token_hash: str, account: str, expires: datetime) -> None:
        """A one-time link for an account, in the place of those it had; for none (""), one that makes an administrator."""
        values = {"token_hash": token_hash, "account": account, "created_at": self._micros(), "expires_at": micros(expires)}

        def work() -> None:
            self._forget_links(account)
            Invitations.insert(**values).execute(self._db)

        self._write(work)

    def invitation(self, token_hash: str) -> str | None:
        """The account that a link is for ("": whoever comes first); None when it opens nothing (any more)."""
        row = self._one(Invitations.select(Invitations.account).where(self._open_link(token_hash)))
        return str(row["account"]) if row is not None else None

    def accept(self, token_hash: str, passphrase: str, *, stands_alone: bool, new: Account | None = None) -> str | None:
        """Use a link up: its account, or the `new` one, gets this passphrase. The account's id, or None when it opens nothing.

        Raises `NameTaken`; the link is then as good as before.
        """

        def work() -> str | None:
            row = self._one(Invitations.select(Invitations.account).where(self._open_link(token_hash)))
            used = Invitations.update(used_at=self._micros()).where(self._open_link(token_hash)).execute(self._db)
            if row is None or not used:
                return None
            if not row["account"]:
                if new is None:
                    return None
                self._insert(msgspec.structs.replace(new, passphrase=passphrase, stands_alone=stands_alone))
                return new.id
            values = {"passphrase": passphrase, "stands_alone": int(stands_alone)}
            Accounts.update(**values).where(Accounts.id == row["account"], Accounts.disabled_at.is_null()).execute(self._db)
            return str(row["account"])

        return self._named(work)

    def _open_link(self, token_hash: str) -> Any:
        return (Invitations.token_hash == token_hash) & Invitations.used_at.is_null() & (Invitations.expires_at > self._micros())

    def _forget_links(self, account: str) -> None:
        Invitations.delete().where(Invitations.account == account, Invitations.used_at.is_null()).execute(self._db)

    # -- factors ------------------------------------------------------------------------------------------------------

    def add_factor(
        self, account: str, kind: str, label: str, secret: str, *, credential: str = "", uses: int = 0
    ) -> Factor | None:
        """Another proof for an account. None when that passkey is somebody's already."""
        factor = Factor(
            id=new_id("f"),
            account=account,
            kind=kind,
            label=label,
            secret=secret,
            credential=credential,
            uses=uses,
            created_at=self._now(),
        )
        insert = Factors.insert(
            id=factor.id,
            account=account,
            kind=kind,
            label=self._keys.encrypt(label, f"factors.label:{factor.id}"),
            secret=self._keys.encrypt(secret, f"factors.secret:{factor.id}"),
            credential=credential or None,
            uses=uses,
            created_at=micros(factor.created_at),
        )
        try:
            self._write(lambda: insert.execute(self._db))
        except peewee.IntegrityError:
            return None
        return factor

    def factors(self, account: str) -> list[Factor]:
        """An account's factors, the oldest first."""
        rows = self._all(Factors.select().where(Factors.account == account).order_by(Factors.created_at, Factors.id))
        return [self._factor(row) for row in rows]

    def factor_kinds(self) -> dict[str, set[str]]:
        """Which kinds of factors each account has."""
        found: dict[str, set[str]] = {}
        for row in self._all(Factors.select(Factors.account, Factors.kind)):
            found.setdefault(row["account"], set()).add(row["kind"])
        return found

    def passkey(self, credential: str) -> Factor | None:
        """The passkey of a credential's id, whosever it is, or None."""
        row = self._one(Factors.select().where(Factors.credential == credential))
        return self._factor(row) if row is not None else None

    def use_factor(self, factor: str, uses: int) -> bool:
        """Note that a factor was used with this count or step. False when it is not above the last: it was used before."""
        query = Factors.update(uses=uses, used_at=self._micros()).where(Factors.id == factor, Factors.uses < uses)
        return bool(self._write(lambda: query.execute(self._db)))

    def touch_factor(self, factor: str) -> None:
        """Note that a factor that does not count was used."""
        query = Factors.update(used_at=self._micros()).where(Factors.id == factor)
        self._write(lambda: query.execute(self._db))

    def remove_factor(self, account: str, factor: str) -> bool:
        """Take a factor from an account; with the last one go its recovery codes. False when it has none of that id."""

        def work() -> bool:
            gone = Factors.delete().where(Factors.id == factor, Factors.account == account).execute(self._db)
            if self._one(Factors.select(Factors.id).where(Factors.account == account)) is None:
                RecoveryCodes.delete().where(RecoveryCodes.account == account).execute(self._db)
            return bool(gone)

        return self._write(work)

    def _factor(self, row: dict[str, Any]) -> Factor:
        return Factor(
            id=row["id"],
            account=row["account"],
            kind=row["kind"],
            label=self._keys.decrypt(bytes(row["label"]), f"factors.label:{row['id']}"),
            secret=self._keys.decrypt(bytes(row["secret"]), f"factors.secret:{row['id']}"),
            credential=row["credential"] or "",
            uses=row["uses"],
            created_at=instant(row["created_at"]),
            used_at=_perhaps(row["used_at"]),
        )

    # -- recovery codes -----------------------------------------------------------------------------------------------

    def set_recovery_codes(self, account: str, hashes: Iterable[str]) -> None:
        """Put these codes in the place of all before."""
        rows = [{"account": account, "code_hash": each} for each in hashes]

        def work() -> None:
            RecoveryCodes.delete().where(RecoveryCodes.account == account).execute(self._db)
            RecoveryCodes.insert_many(rows).execute(self._db)

        self._write(work)

    def recovery_codes_left(self, account: str) -> int:
        """How many codes were not used yet."""
        query = RecoveryCodes.select(RecoveryCodes.code_hash).where(
            RecoveryCodes.account == account, RecoveryCodes.used_at.is_null()
        )
        return len(self._all(query))

    def use_recovery_code(self, account: str, code_hash: str) -> bool:
        """Use a code up. False when there is none such, or no more."""
        query = RecoveryCodes.update(used_at=self._micros()).where(
            RecoveryCodes.account == account, RecoveryCodes.code_hash == code_hash, RecoveryCodes.used_at.is_null()
        )
        return bool(self._write(lambda: query.execute(self._db)))


def _perhaps(value: int | None) -> datetime | None:
    return instant(value) if value is not None else None
