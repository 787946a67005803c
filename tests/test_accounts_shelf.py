"""Accounts in the registry, on both databases: what works once works once, whoever asks at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from checkpoint.store import Store
from checkpoint.store.migrations import MIGRATIONS, migrate
from checkpoint.store.registry import NameTaken
from checkpoint.store.registry.doorway import FORGOTTEN
from tests.ground import T0, Still
from tests.places import Place

HOUR = timedelta(hours=1)


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


def test_a_sign_in_name_is_one_accounts_and_found_again(store: Store) -> None:
    made = store.registry.add_account("zhoumin", "周敏", "coordinator")
    assert store.registry.account_named("zhoumin") == made
    assert store.registry.account_named("linxia") is None
    with pytest.raises(NameTaken):
        store.registry.add_account("zhoumin", "周敏的弟弟", "carrier", "平阳物流")
    assert store.registry.accounts() == [made]
    assert store.registry.names([made.id]) == {made.id: "周敏"}


def test_no_name_and_no_secret_of_an_account_can_be_read(place: Place, store: Store) -> None:
    made = store.registry.add_account("trillian", "Tricia McMillan", "coordinator")
    store.registry.add_factor(made.id, "totp", "Heart of Gold", "KEE5SECRET")
    store.registry.put_challenge("hash", "totp", made.id, "KEE5STATE", T0 + HOUR)
    store.registry.audit("sign-in", account=made.id, detail="Magrathea")
    rows = [
        repr([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row])
        for table in ("accounts", "factors", "challenges", "audit")
        for row in place.behind(f"SELECT * FROM {table}")
    ]
    assert len(rows) == 4
    for secret in ("trillian", "Tricia", "Heart", "KEE5", "Magrathea"):
        assert secret not in " ".join(rows)


def test_a_link_is_accepted_once_however_many_try_at_once(store: Store, clock: Still) -> None:
    made = store.registry.add_account("zhoumin", "周敏", "coordinator")
    store.registry.invite("token", made.id, clock() + HOUR)
    with ThreadPoolExecutor(8) as pool:
        tried = list(pool.map(lambda n: store.registry.accept("token", f"hash-{n}", stands_alone=True), range(8)))
    assert [each for each in tried if each is not None] == [made.id]
    assert store.registry.invitation("token") is None
    found = store.registry.account(made.id)
    assert found is not None
    assert found.passphrase.startswith("hash-")


def test_a_link_ends_by_itself_by_a_newer_one_and_with_its_account(store: Store, clock: Still) -> None:
    made = store.registry.add_account("zhoumin", "周敏", "coordinator")
    store.registry.invite("first", made.id, clock() + HOUR)
    store.registry.invite("second", made.id, clock() + HOUR)
    assert store.registry.accept("first", "x", stands_alone=True) is None
    clock.forward(hours=1)
    assert store.registry.accept("second", "x", stands_alone=True) is None
    store.registry.invite("third", made.id, clock() + HOUR)
    assert store.registry.disable_account(made.id)
    assert store.registry.accept("third", "x", stands_alone=True) is None
    found = store.registry.account(made.id)
    assert found is not None
    assert found.passphrase == ""


def test_the_first_link_makes_an_account_and_a_taken_name_leaves_it_good(store: Store, clock: Still) -> None:
    other = store.registry.add_account("taken", "x", "coordinator")
    new = msgspec.structs.replace(other, id="acc-new", role="administrator")
    store.registry.invite("token", "", clock() + HOUR)
    with pytest.raises(NameTaken):
        store.registry.accept("token", "hash", stands_alone=True, new=new)
    assert store.registry.invitation("token") == ""
    named = msgspec.structs.replace(new, name="zhoumin")
    assert store.registry.accept("token", "hash", stands_alone=True, new=named) == "acc-new"
    assert store.registry.accept("token", "hash", stands_alone=True, new=named) is None


def test_a_step_of_a_code_a_recovery_code_and_a_challenge_work_once(store: Store, clock: Still) -> None:
    made = store.registry.add_account("zhoumin", "周敏", "coordinator")
    factor = store.registry.add_factor(made.id, "totp", "phone", "secret", uses=100)
    assert factor is not None
    store.registry.set_recovery_codes(made.id, ["a", "b"])
    store.registry.put_challenge("token", "code", made.id, "", clock() + HOUR)
    with ThreadPoolExecutor(6) as pool:
        steps = list(pool.map(lambda _: store.registry.use_factor(factor.id, 101), range(6)))
        codes = list(pool.map(lambda _: store.registry.use_recovery_code(made.id, "a"), range(6)))
        answers = list(pool.map(lambda _: store.registry.take_challenge("token", "code"), range(6)))
    assert (sum(steps), sum(codes), sum(each is not None for each in answers)) == (1, 1, 1)
    assert not store.registry.use_factor(factor.id, 100), "nor one before it"
    assert store.registry.recovery_codes_left(made.id) == 1
    store.registry.set_recovery_codes(made.id, ["c"])
    assert not store.registry.use_recovery_code(made.id, "b"), "the old ones end"


def test_a_challenge_is_of_one_purpose_and_runs_out(store: Store, clock: Still) -> None:
    store.registry.put_challenge("token", "code", "acc-1", "state", clock() + HOUR)
    assert store.registry.challenge("token", "passkey") is None
    clock.forward(hours=1)
    assert store.registry.challenge("token", "code") is None


def test_a_passkey_is_one_accounts(store: Store) -> None:
    one, other = (store.registry.add_account(name, name, "coordinator") for name in ("one", "other"))
    assert store.registry.add_factor(one.id, "passkey", "laptop", "kept", credential="cred") is not None
    assert store.registry.add_factor(other.id, "passkey", "laptop", "kept", credential="cred") is None
    found = store.registry.passkey("cred")
    assert found is not None
    assert found.account == one.id


def test_with_the_last_factor_go_the_recovery_codes(store: Store) -> None:
    made = store.registry.add_account("zhoumin", "周敏", "coordinator")
    factor = store.registry.add_factor(made.id, "totp", "phone", "secret")
    assert factor is not None
    store.registry.set_recovery_codes(made.id, ["a"])
    assert not store.registry.remove_factor("acc-other", factor.id)
    assert store.registry.remove_factor(made.id, factor.id)
    assert store.registry.recovery_codes_left(made.id) == 0


def test_disabling_and_resetting_end_the_sessions_of_that_account_only(store: Store, clock: Still) -> None:
    one, other = (store.registry.add_account(name, name, "coordinator") for name in ("one", "other"))

    def sit_down() -> None:
        for account in (one, other):
            store.registry.open_session(
                f"s-{account.id}", role="coordinator", who="", name="", opened=clock(), expires=clock() + HOUR, account=account.id
            )

    sit_down()
    store.registry.disable_account(one.id)
    assert store.registry.sessions_of(one.id) == []
    store.registry.reset_account(other.id)
    assert store.registry.sessions_of(other.id) == []
    sit_down()
    assert store.registry.end_sessions(one.id) == 1
    assert len(store.registry.sessions_of(other.id)) == 1


def test_a_renewed_session_has_another_token_and_keeps_its_name(store: Store, clock: Still) -> None:
    store.registry.open_session("old", role="coordinator", who="w", name="周敏", opened=clock(), expires=clock() + HOUR)
    assert store.registry.renew_session("old", "new", proved=clock(), limited=False)
    assert store.registry.session("old") is None
    found = store.registry.session("new")
    assert found is not None
    assert (found.name, found.proved) == ("周敏", clock())
    assert not store.registry.renew_session("old", "newer", proved=None, limited=False)


def test_failures_are_counted_until_they_are_forgotten(store: Store, clock: Still) -> None:
    for _ in range(3):
        store.registry.note_failure("door", HOUR)
    assert store.registry.failures("door") == (3, clock())
    clock.forward(hours=2)
    store.registry.note_failure("door", HOUR)
    assert store.registry.failures("door") == (1, clock())
    store.registry.note_failure("other", HOUR)
    store.registry.forget_failures("door")
    assert store.registry.failures("door") is None
    clock.at += FORGOTTEN + HOUR
    store.registry.note_failure("third", HOUR)
    assert store.registry.failures("other") is None, "what nobody asks for leaves the table"


def test_what_was_done_is_listed_the_newest_first_by_pages(store: Store, clock: Still) -> None:
    for n in range(5):
        store.registry.audit("sign-in", account=f"acc-{n % 2}", detail=str(n))
        clock.forward(seconds=1)
    first = store.registry.audited(2)
    assert [row.detail for row in first] == ["4", "3"]
    assert [row.detail for row in store.registry.audited(9, before=first[-1].id)] == ["2", "1", "0"]
    assert [row.detail for row in store.registry.audited(9, account="acc-1")] == ["3", "1"]


def test_an_installation_with_a_password_a_role_comes_over_and_its_phones_stay_bound(place: Place, clock: Still) -> None:
    store = place.open(clock)
    database, before = store._db, [name for name, _ in MIGRATIONS].index("accounts")
    tables = ("accounts", "factors", "recovery_codes", "invitations", "challenges", "attempts", "audit")

    def back() -> None:
        for table in tables:
            database.execute_sql(f"DROP TABLE {table}")
        database.execute_sql("DROP INDEX sessions_account")
        for column in ("account", "seen_at", "proved_at", "limited", "device"):
            database.execute_sql(f"ALTER TABLE sessions DROP COLUMN {column}")
        database.execute_sql("CREATE TABLE passwords (account TEXT PRIMARY KEY, hash TEXT NOT NULL, changed_at BIGINT NOT NULL)")
        database.execute_sql("INSERT INTO passwords VALUES ('coordinator', 'x', 0)")
        for token, role in (("desk", "coordinator"), ("phone", "driver")):
            insert = "INSERT INTO sessions (token_hash, role, who, name, opened_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
            name = store._keys.encrypt("", f"sessions.name:{token}")
            database.execute_sql(insert.replace("?", database.param), (token, role, "", name, 0, 10**15))
        database.execute_sql(f"DELETE FROM migrations WHERE number = {before + 1}")
        migrate(database, clock())

    store._writer.do(back)
    assert store.registry.session("desk") is None
    assert store.registry.session("phone") is not None
    assert store.registry.accounts() == []
    store.close()
