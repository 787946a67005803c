"""The door: who may come in does, who may not learns nothing, guessing is slow, and nobody is kept out by another's guesses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher

from checkpoint.config import Clock
from checkpoint.store import Store
from checkpoint.web import factors, passphrases
from checkpoint.web.access import ADMINISTRATOR, CARRIER, COORDINATOR, LABORATORY, LASTING, digest
from checkpoint.web.app import create_app
from checkpoint.web.house import House
from checkpoint.web.signing import CodeWanted, Refused, by_code, by_passphrase
from checkpoint.web.throttle import FREE_TRIES, Guessing, at_the_door
from checkpoint.web.visitor import Visitor, device, network
from tests.accounts import PASSPHRASE, account, cheap_hashes
from tests.door import Door, door, shows, ticket_of, tries
from tests.fleet import StillWatch
from tests.ground import Still

COOKIE, KNOWN = "__Host-checkpoint", "__Host-checkpoint-known"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as found:
        yield found


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Door]:
    """An installation where administrators and coordinators must have a second factor."""
    with door(tmp_path, second_factor=True) as found:
        yield found


# -- by passphrase ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", ["disable_account", "reset_account"])
def test_whoever_is_shut_out_while_signing_in_is_not_in(house: Door, monkeypatch: pytest.MonkeyPatch, done: str) -> None:
    """Comparing a passphrase takes a while, and much can be decided in it."""
    registry = house.store.registry
    one = account(house.store, COORDINATOR, name="racer")
    real = passphrases.fits

    def meanwhile(passphrase: str, held: str) -> bool:
        right = real(passphrase, held)
        getattr(registry, done)(one.id)
        return right

    monkeypatch.setattr(passphrases, "fits", meanwhile)
    with pytest.raises(Refused, match="wrong"):
        by_passphrase(house.house, "racer", PASSPHRASE, Visitor(address="192.0.2.0/24"))
    assert registry.sessions_of(one.id) == []


@pytest.mark.parametrize(
    ("role", "home"), [(ADMINISTRATOR, "/accounts"), (COORDINATOR, "/"), (CARRIER, "/passes"), (LABORATORY, "/lab")]
)
def test_each_role_begins_its_day_on_its_own_page(house: Door, role: str, home: str) -> None:
    answer = tries(house.browser(), role.upper())
    assert (answer.status_code, answer.headers["location"]) == (303, home)


def test_whatever_is_wrong_the_answer_is_the_same(house: Door) -> None:
    disabled = account(house.store, COORDINATOR, "disabled")
    house.store.registry.disable_account(disabled.id)
    house.store.registry.add_account("invited", "x", COORDINATOR)
    said: set[tuple[int, str]] = set()
    for name, passphrase in (("nobody", "x"), (COORDINATOR, "x"), ("disabled", PASSPHRASE), ("invited", ""), ("", "")):
        answer = tries(house.browser(f"198.51.100.{len(said)}"), name, passphrase)
        said.add((answer.status_code, answer.text.replace(f'value="{name}"', 'value=""')))
    assert len(said) == 1


def test_whatever_is_wrong_one_hash_is_computed(house: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes time is the hash: it is the same for a name that exists and for one that does not."""
    computed: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, held: str | bytes, given: str | bytes) -> bool:
        computed.append(str(held)[:32])
        return bool(verify(self, held, given))

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    house.store.registry.add_account("invited", "x", COORDINATOR)
    for name in ("nobody", COORDINATOR, "invited"):
        tries(house.browser(), name, "x")
    assert len(computed) == 3
    assert len({parameters.rpartition("$")[0] for parameters in computed}) == 1


def test_a_weak_hash_is_made_anew_when_its_owner_comes_in(house: Door) -> None:
    weak = PasswordHasher(time_cost=2, memory_cost=64).hash(PASSPHRASE)
    who = house.accounts[COORDINATOR]
    house.store.registry.set_passphrase(who.id, weak, stands_alone=True)
    house.signed_in(COORDINATOR)
    found = house.store.registry.account(who.id)
    assert found is not None
    assert not passphrases.outdated(found.passphrase)
    house.signed_in(COORDINATOR)


def test_everybody_acts_under_their_accounts_pseudonym_and_an_office_as_itself(house: Door) -> None:
    client = house.signed_in(COORDINATOR)
    session = house.store.registry.session(digest(client.cookies[COOKIE]))
    assert session is not None
    assert (session.who, session.account) == (house.accounts[COORDINATOR].id,) * 2
    client = house.signed_in(CARRIER)
    session = house.store.registry.session(digest(client.cookies[COOKIE]))
    assert session is not None
    assert (session.who, session.account) == (house.accounts[CARRIER].office, house.accounts[CARRIER].id)


# -- with a code ------------------------------------------------------------------------------------------------------


def test_a_code_is_asked_for_and_works_once(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    client = house.browser()
    asked = tries(client, COORDINATOR, next="/passes")
    assert asked.status_code == 200
    assert COOKIE not in client.cookies
    code = totp.at(house.clock())
    done = client.post("/sign-in/code", data={"ticket": ticket_of(asked), "code": code, "next": "/passes"})
    assert (done.status_code, done.headers["location"]) == (303, "/passes")
    other = house.browser()
    again = shows(other, ticket_of(tries(other, COORDINATOR)), code)
    assert again.status_code == 401
    assert COOKIE not in other.cookies


@pytest.mark.parametrize(("early", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_may_be_one_step_early_or_late(house: Door, early: int, taken: bool) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    client = house.browser()
    code = totp.at(house.clock() - timedelta(seconds=early))
    assert (shows(client, ticket_of(tries(client, COORDINATOR)), code).status_code == 303) is taken


def test_a_step_before_one_that_was_used_is_not_taken(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    now = house.clock()
    for at, expected in ((now + timedelta(seconds=30), 303), (now, 401)):
        client = house.browser()
        assert shows(client, ticket_of(tries(client, COORDINATOR)), totp.at(at)).status_code == expected


def test_a_recovery_code_stands_in_once_however_it_is_typed(house: Door) -> None:
    who = house.accounts[COORDINATOR]
    house.add_totp(who)
    house.add_recovery_code(who, "abcd-efgh-jkmn-pqrs")
    for typed, expected in ((" ABCDEFGH jkmn-pqrs", 303), ("abcd-efgh-jkmn-pqrs", 401)):
        client = house.browser()
        assert shows(client, ticket_of(tries(client, COORDINATOR)), typed).status_code == expected
    assert "recovery-code-used" in house.done()


def test_a_ticket_runs_out_and_opens_nothing_by_itself(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    client = house.browser()
    ticket = ticket_of(tries(client, COORDINATOR))
    client.cookies.set(COOKIE, ticket, domain="loop.example")
    assert client.get("/passes").headers["location"].startswith("/sign-in")
    house.clock.forward(minutes=5)
    late = shows(client, ticket, totp.at(house.clock()))
    assert late.status_code == 401
    assert "too long" in late.text


def test_guessing_codes_is_slow_even_from_everywhere(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    for n in range(FREE_TRIES):
        client = house.browser(f"198.51.{n}.1")
        assert shows(client, ticket_of(tries(client, COORDINATOR)), "000000").status_code == 401
    client = house.browser()
    ticket = ticket_of(tries(client, COORDINATOR))
    assert shows(client, ticket, totp.at(house.clock())).status_code == 429
    house.clock.forward(seconds=3)
    assert shows(client, ticket, totp.at(house.clock())).status_code == 303


def test_whoever_guesses_codes_does_not_hold_up_a_browser_that_came_in_before(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    owner = house.browser()
    assert shows(owner, ticket_of(tries(owner, COORDINATOR)), totp.at(house.clock())).status_code == 303
    owner.post("/sign-out")
    for n in range(FREE_TRIES):
        thief = house.browser(f"198.51.{n}.1")
        shows(thief, ticket_of(tries(thief, COORDINATOR)), "000000")
    house.clock.forward(seconds=1)
    assert shows(thief, ticket_of(tries(thief, COORDINATOR)), "000000").status_code == 429
    code = totp.at(house.clock() + timedelta(seconds=30))
    assert shows(owner, ticket_of(tries(owner, COORDINATOR)), code).status_code == 303


# -- guessing ---------------------------------------------------------------------------------------------------------


def test_guessing_at_a_name_is_slow_from_one_address_and_free_from_another(house: Door) -> None:
    attacker, owner = house.browser("198.51.100.9"), house.browser("203.0.113.7")
    for _ in range(FREE_TRIES):
        assert tries(attacker, COORDINATOR, "guess").status_code == 401
    assert tries(attacker, COORDINATOR).status_code == 429, "even the right one waits now"
    assert tries(house.browser("198.51.100.200"), COORDINATOR).status_code == 429, "its neighbours are the same network"
    assert tries(owner, COORDINATOR).status_code == 303


def test_each_wait_is_twice_the_last_up_to_a_quarter_of_an_hour_and_never_for_good(house: Door) -> None:
    client, waits = house.browser(), []
    for _ in range(FREE_TRIES):
        tries(client, COORDINATOR, "guess")
    for _ in range(12):
        refused = client.post("/api/v1/session", json={"account": COORDINATOR, "passphrase": "guess"})
        assert refused.status_code == 429
        waits.append(int(refused.headers["retry-after"]))
        house.clock.forward(seconds=waits[-1])
        assert tries(client, COORDINATOR, "guess").status_code == 401
    assert waits[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[9:]) == {900}
    house.clock.forward(minutes=15)
    assert tries(client, COORDINATOR).status_code == 303


def test_a_restart_forgives_nothing(house: Door) -> None:
    for _ in range(FREE_TRIES):
        tries(house.browser(), COORDINATOR, "guess")
    begun_again = Guessing(house.store.registry, house.clock)
    assert begun_again.wait(at_the_door(COORDINATOR, network("203.0.113.7"))) > timedelta()


def test_a_flood_from_everywhere_delays_strangers_by_a_minute_and_never_who_was_here_before(house: Door) -> None:
    owner = house.signed_in(COORDINATOR)
    owner.post("/sign-out")
    assert KNOWN in owner.cookies
    for n in range(60):
        tries(house.browser(f"198.{n}.1.1"), COORDINATOR, "guess")
        house.clock.forward(seconds=61)
    tries(house.browser("198.99.1.1"), COORDINATOR, "guess")
    stranger = house.browser("192.0.2.1")
    assert tries(stranger, COORDINATOR).status_code == 429
    assert tries(owner, COORDINATOR).status_code == 303
    house.clock.forward(seconds=61)
    assert tries(stranger, COORDINATOR).status_code == 303, "and a stranger only for a minute"


def test_what_a_browser_shows_for_one_account_is_worth_nothing_for_another(house: Door) -> None:
    carrier = house.signed_in(CARRIER, address="198.51.100.9")
    carrier.post("/sign-out")
    for _ in range(FREE_TRIES):
        assert tries(carrier, COORDINATOR, "guess").status_code == 401
    assert tries(carrier, COORDINATOR).status_code == 429
    forged = house.browser("198.51.100.9")
    number = carrier.cookies[KNOWN].split(".")[0]
    forged.cookies.set(KNOWN, f"{number}.{'0' * 20}", domain="loop.example")
    assert tries(forged, COORDINATOR).status_code == 429


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_a_fresh_proof_is_asked_for_after_ten_minutes_and_brings_one_back(house: Door) -> None:
    client = house.signed_in(ADMINISTRATOR)
    invite = {"name": "linxia", "display": "林夏", "role": COORDINATOR, "office": ""}
    assert client.post("/accounts", data=invite).status_code == 200
    house.clock.forward(minutes=10, seconds=1)
    before = client.cookies[COOKIE]
    asked = client.post("/accounts", data=invite | {"name": "x"}, headers={"referer": "https://loop.example/accounts"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/confirm?next=/accounts")
    assert client.post("/confirm", data={"passphrase": "wrong", "next": "/accounts"}).status_code == 401
    done = client.post("/confirm", data={"passphrase": PASSPHRASE, "next": "/accounts"})
    assert (done.status_code, done.headers["location"]) == (303, "/accounts")
    assert client.cookies[COOKIE] != before, "a proof renews the token"
    assert house.store.registry.session(digest(before)) is None
    assert client.post("/accounts", data=invite | {"name": "x"}).status_code == 200
    elsewhere = client.post("/confirm", data={"passphrase": PASSPHRASE, "next": "https://evil.example/"})
    assert elsewhere.headers["location"] == "/accounts"


def test_a_program_is_told_what_to_do_about_a_stale_proof(house: Door) -> None:
    client = house.browser()
    token = client.post("/api/v1/session", json={"account": ADMINISTRATOR, "passphrase": PASSPHRASE}).json()["token"]
    house.clock.forward(minutes=11)
    wish = {"account": "x", "name": "x", "role": CARRIER, "office": "甲"}
    refused = client.post("/api/v1/accounts", json=wish, headers={"authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "step-up")
    assert "signs in again" in refused.json()["detail"]


def test_the_strongest_factor_is_asked_for_and_a_recovery_code_stands_in(house: Door) -> None:
    who = house.accounts[ADMINISTRATOR]
    totp = house.add_totp(who)
    client = house.browser()
    shows(client, ticket_of(tries(client, ADMINISTRATOR)), totp.at(house.clock()))
    house.store.registry.add_factor(who.id, "passkey", "laptop", "kept", credential="cred")
    house.add_recovery_code(who, "abcd-efgh-jkmn-pqrs")
    house.clock.forward(minutes=11)
    for code, expected in ((totp.at(house.clock()), 401), ("abcd-efgh-jkmn-pqrs", 303)):
        assert client.post("/confirm", data={"code": code, "next": "/"}).status_code == expected


def test_signing_in_with_less_than_the_strongest_factor_is_no_fresh_proof(house: Door) -> None:
    who = house.accounts[ADMINISTRATOR]
    totp = house.add_totp(who)
    house.store.registry.add_factor(who.id, "passkey", "laptop", "kept", credential="cred")
    client = house.browser()
    assert shows(client, ticket_of(tries(client, ADMINISTRATOR)), totp.at(house.clock())).status_code == 303
    assert client.post("/account/totp").headers["location"].startswith("/confirm")


def test_whoever_signs_in_again_leaves_no_session_behind(house: Door) -> None:
    client = house.signed_in(CARRIER)
    before = client.cookies[COOKIE]
    assert tries(client, CARRIER).status_code == 303
    assert house.store.registry.session(digest(before)) is None
    assert len(house.store.registry.sessions_of(house.accounts[CARRIER].id)) == 1


def test_that_somebody_is_there_is_noted_at_most_once_a_minute(house: Door) -> None:
    client = house.signed_in(CARRIER)
    seen = []
    for _ in range(7):
        house.clock.forward(seconds=20)
        client.get("/passes")
        [session] = house.store.registry.sessions_of(house.accounts[CARRIER].id)
        seen.append(session.seen)
    assert len(set(seen)) == 3


def test_whoever_must_have_a_second_factor_sets_it_up_before_anything_else(strict: Door) -> None:
    client = strict.browser()
    assert tries(client, COORDINATOR, next="/passes").headers["location"] == "/account"
    for path in ("/", "/passes", "/stations"):
        assert client.get(path).headers["location"] == "/account"
    refused = client.post("/stations/staff", data={"name": "x", "pin": "1357"}, headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "factor-wanted")
    assert client.get("/account").status_code == 200
    program = {"account": COORDINATOR, "passphrase": PASSPHRASE}
    answer = client.post("/api/v1/session", json=program)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "factor-wanted")
    assert tries(strict.browser(), CARRIER).headers["location"] == "/passes", "an office need not"


def test_a_passphrase_too_short_to_stand_alone_is_mended_first_when_nothing_stands_beside_it(house: Door) -> None:
    """As when an installation that required a second factor only offers it now."""
    who = house.accounts[COORDINATOR]
    house.store.registry.set_passphrase(who.id, who.passphrase, stands_alone=False)
    client = house.signed_in(COORDINATOR)
    assert client.get("/passes").headers["location"] == "/account"
    assert "too short" in client.get("/account").text
    assert client.post("/account/passphrase", data={"passphrase": "eleven snails climb slowly"}).status_code == 303
    assert client.get("/passes").status_code == 200


def test_everything_at_the_door_is_written_down_with_the_network_it_came_from(house: Door) -> None:
    client = house.browser()
    for name, passphrase in (("nobody", "my passphrase in the wrong field"), (COORDINATOR, "x"), (COORDINATOR, PASSPHRASE)):
        tries(client, name, passphrase)
        house.clock.forward(seconds=1)
    client.post("/sign-out")
    rows = house.rows()[:4]
    assert [row.what for row in rows] == ["sign-out", "sign-in", "sign-in-failed", "sign-in-failed"]
    assert {row.address for row in rows} == {"203.0.113.0/24"}
    assert [bool(row.account) for row in rows] == [True, True, True, False]
    assert "passphrase in the wrong" not in repr(rows)


# -- who stands there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "edge windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/18.0 Safari/605.1", "safari macos"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 CriOS/130.0 Mobile Safari/604.1",
            "chrome ios",
        ),
        ("Mozilla/5.0 (Linux; Android 14; V2309A) Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0", "wechat android"),
        ("Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 Safari/537.36", "chrome harmony"),
        ("python-httpx/0.28", "program"),
        ("", "program"),
        ("<script>", "program"),
    ],
)
def test_a_browser_is_known_by_two_words(agent: str, said: str) -> None:
    assert device(agent) == said


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("x\x00" * 100, "x" * 40),
    ],
)
def test_an_address_is_known_by_its_network(address: str, said: str) -> None:
    assert network(address) == said


def test_a_ticket_lets_in_once_even_two_that_come_at_the_same_time(house: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = house.store.registry
    totp = house.add_totp(account(house.store, COORDINATOR, name="racer"))
    wanted = by_passphrase(house.house, "racer", PASSPHRASE, Visitor())
    assert isinstance(wanted, CodeWanted)
    real = factors.code_fits

    def meanwhile(*asked: Any) -> bool:
        assert registry.take_challenge(digest(wanted.ticket), "code") is not None, "the other was in first"
        return real(*asked)

    monkeypatch.setattr(factors, "code_fits", meanwhile)
    with pytest.raises(Refused, match="late"):
        by_code(house.house, wanted.ticket, totp.at(house.clock()), Visitor())


def test_both_languages_say_why(house: Door) -> None:
    for lang, wanted in (("zh", "登录名或口令不对"), ("en", "passphrase is wrong")):
        answer = tries(house.browser(lang=lang), COORDINATOR, "x")
        found = re.search(r'role="alert"[^>]*>([^<]+)<', answer.text)
        assert found is not None
        assert wanted in found[1]


def test_a_hurried_clock_hurries_nobody_at_the_door(tmp_path: Path) -> None:
    """In a demonstration an hour passes in a minute: a session lasts as long as ever, and an app's codes fit."""
    still = Still()
    hurried = Clock(still(), 60, now=still)
    store = Store.open(tmp_path / "checkpoint.db", hurried)
    try:
        with cheap_hashes():
            house: House = create_app(store, hurried, watch=StillWatch({})).state.house  # type: ignore[arg-type]
            who = account(store, COORDINATOR)
            still.forward(minutes=10)
            assert hurried() - still() == timedelta(minutes=590)
            totp = pyotp.TOTP(pyotp.random_base32())
            store.registry.add_factor(who.id, "totp", "phone", totp.secret)
            wanted = by_passphrase(house, COORDINATOR, PASSPHRASE, Visitor())
            assert isinstance(wanted, CodeWanted)
            still.forward(minutes=4)
            token = by_code(house, wanted.ticket, totp.at(still()), Visitor()).token
            session = store.registry.session(digest(token))
            assert session is not None
            assert session.expires - session.opened == 60 * LASTING[COORDINATOR]
    finally:
        store.close()
