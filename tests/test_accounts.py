"""Accounts and what they prove themselves with: made by links, changed with a fresh proof, never left with too little."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pyotp
import pytest
from starlette.testclient import TestClient

from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web import board, credentials, passkeys
from checkpoint.web.access import ADMINISTRATOR, CARRIER, COORDINATOR, IDLE, LABORATORY, WITH_ACCOUNT, digest, open_session
from checkpoint.web.invitations import FIRST_LASTS, INVITATION_LASTS, begin, first_link
from checkpoint.web.passphrases import stands_alone
from checkpoint.web.visitor import BROWSERS, PROGRAM, SYSTEMS
from tests.accounts import PASSPHRASE
from tests.door import HOST, Door, door, shows, ticket_of, tries
from tests.ground import Still
from tests.served import serving

NEW = "eleven snails climb slowly"
COOKIE = "__Host-checkpoint"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as found:
        yield found


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path, second_factor=True) as found:
        yield found


def path_of(link: str) -> str:
    assert link.startswith(f"{HOST}/join/")
    return link.removeprefix(HOST)


def link_on(page: str) -> str:
    found = re.search(r'id="link"[^>]* value="([^"]+)"', page)
    assert found is not None, page
    return path_of(found[1])


def invited(client: TestClient, **changes: str) -> str:
    form = {"name": "linxia", "display": "林夏", "role": COORDINATOR, "office": ""} | changes
    answer = client.post("/accounts", data=form)
    assert answer.status_code == 200, answer.text
    return link_on(answer.text)


# -- beginnings -------------------------------------------------------------------------------------------------------


def test_a_first_start_gives_a_link_and_a_start_with_accounts_gives_none(tmp_path: Path) -> None:
    clock = Still()
    store = Store.open(tmp_path / "checkpoint.db", clock)
    try:
        first = begin(store, "", HOST, clock())
        second = begin(store, "", HOST, clock())
        assert store.registry.invitation(digest(first.rpartition("/")[2])) is None, "only the last is good"
        assert store.registry.invitation(digest(second.rpartition("/")[2])) == ""
        assert begin(store, "a passphrase for a demonstration", HOST, clock()) == ""
        assert {account.name for account in store.registry.accounts()} == {ADMINISTRATOR, COORDINATOR, LABORATORY}
        assert begin(store, "", HOST, clock()) == ""
    finally:
        store.close()


def test_the_first_link_makes_an_administrator_who_can_come_in_and_works_once(house: Door) -> None:
    path = path_of(first_link(house.store, HOST, house.clock()))
    form = {"display": "周敏", "name": "Zhou Min", "passphrase": NEW}
    client = house.browser()
    assert client.get(path).status_code == 200
    assert "without spaces" in client.post(path, data=form).text, "a mistake uses nothing up"
    assert "taken" in client.post(path, data=form | {"name": COORDINATOR}).text
    done = client.post(path, data=form | {"name": " ZhouMin "})
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in?joined")
    assert client.get(path).status_code == 410
    assert client.post(path, data=form | {"name": "again"}).status_code == 410
    made = house.store.registry.account_named("zhoumin")
    assert made is not None
    assert (made.role, made.display) == (ADMINISTRATOR, "周敏")
    assert tries(client, "ZHOUMIN", NEW).status_code == 303


def test_links_run_out(house: Door) -> None:
    first = path_of(first_link(house.store, HOST, house.clock()))
    admin = house.signed_in(ADMINISTRATOR)
    invitation = invited(admin)
    house.clock.at += FIRST_LASTS
    assert house.browser().get(first).status_code == 410
    assert house.browser().get(invitation).status_code == 200
    house.clock.at += INVITATION_LASTS - FIRST_LASTS
    assert house.browser().post(invitation, data={"passphrase": NEW}).status_code == 410


def test_who_is_invited_chooses_a_passphrase_and_nobody_else_sees_it(house: Door) -> None:
    admin = house.signed_in(ADMINISTRATOR)
    path = invited(admin, name="LinXia")
    assert link_on_is_gone(admin)
    client = house.browser()
    assert "林夏" in client.get(path).text
    short = client.post(path, data={"passphrase": "short"})
    assert short.status_code == 422
    assert "15" in short.text
    assert client.post(path, data={"passphrase": NEW}).status_code == 303
    assert tries(client, "linxia", NEW).status_code == 303
    assert "invitation-used" in house.done()


def link_on_is_gone(client: TestClient) -> bool:
    return "/join/" not in client.get("/accounts").text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "two words"}, 422),
        ({"name": "x" * 61}, 422),
        ({"display": " "}, 422),
        ({"role": "driver"}, 422),
        ({"role": CARRIER}, 422),
        ({"role": LABORATORY, "office": "\x00"}, 422),
        ({"name": CARRIER.upper()}, 409),
    ],
)
def test_an_account_that_cannot_be_is_refused_and_what_was_typed_stays(house: Door, changes: dict[str, str], status: int) -> None:
    admin = house.signed_in(ADMINISTRATOR)
    form = {"name": "linxia", "display": "林夏", "role": COORDINATOR, "office": ""} | changes
    answer = admin.post("/accounts", data=form)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert len(house.store.registry.accounts()) == len(WITH_ACCOUNT)


def test_a_program_makes_accounts_and_accepts_their_links(house: Door) -> None:
    client = house.browser()

    def post(path: str, body: dict[str, str], token: str = "") -> tuple[int, dict[str, str]]:
        headers = {"accept": "application/json", "accept-language": "en"} | (
            {"authorization": f"Bearer {token}"} if token else {}
        )
        answer = client.post(f"/api/v1/{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    _, session = post("session", {"account": ADMINISTRATOR, "passphrase": PASSPHRASE})
    wish = {"account": "pingyang", "name": "平阳物流", "role": CARRIER, "office": "平阳物流"}
    status, made = post("accounts", wish, session["token"])
    assert (status, made["link"]) == (200, f"{HOST}/join/{made['invitation']}")
    assert post("accounts", wish, session["token"])[0] == 409
    assert post("accounts", wish | {"role": "king"}, session["token"])[0] == 422
    assert post("invitations", {"invitation": made["invitation"], "passphrase": "short"})[0] == 422
    assert post("invitations", {"invitation": made["invitation"], "passphrase": NEW}) == (200, {"id": made["id"]})
    assert post("invitations", {"invitation": made["invitation"], "passphrase": NEW})[0] == 410
    assert post("session", {"account": "pingyang", "passphrase": NEW})[0] == 200
    assert post("session", {"account": "pingyang", "passphrase": PASSPHRASE})[0] == 401


def test_a_program_brings_its_code_beside_the_passphrase(house: Door) -> None:
    totp = house.add_totp(house.accounts[COORDINATOR])
    asked = {"account": COORDINATOR, "passphrase": PASSPHRASE}
    client = house.browser()

    def kind(**more: str) -> str:
        answer = client.post("/api/v1/session", json=asked | more)
        return "in" if answer.status_code == 200 else str(answer.json()["type"]).rpartition("/")[2]

    assert kind() == "code-wanted"
    assert kind(code="000000") == "wrong-code"
    assert kind(code=totp.at(house.clock())) == "in"


# -- administrators ---------------------------------------------------------------------------------------------------


def test_disabling_ends_sessions_at_once_and_can_be_taken_back(house: Door) -> None:
    who = house.accounts[COORDINATOR]
    victim, admin = house.signed_in(COORDINATOR), house.signed_in(ADMINISTRATOR)
    assert victim.get("/passes").status_code == 200
    assert admin.post(f"/accounts/{who.id}/disable").status_code == 303
    assert victim.get("/passes").headers["location"].startswith("/sign-in")
    assert tries(house.browser(), COORDINATOR).status_code == 401
    assert admin.post(f"/accounts/{who.id}/reset").status_code == 409
    assert admin.post(f"/accounts/{who.id}/enable").status_code == 303
    assert tries(house.browser(), COORDINATOR).status_code == 303


def test_a_stream_that_is_open_ends_with_the_session_it_was_opened_in(house: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "ASK_AGAIN_S", 0.0)
    who = house.accounts[COORDINATOR]
    token = open_session(house.house, role=COORDINATOR, who=who.id, name=who.display, account=who.id)
    headers = {"authorization": f"Bearer {token}"}
    with serving(house.app) as address, httpx.stream("GET", f"{address}/events", headers=headers, timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        house.house.hub.publish("vehicle", {"vehicle": "浙C12345"})
        assert any("浙C12345" in line for line in lines)
        house.store.registry.disable_account(who.id)
        house.house.hub.publish("vehicle", {"vehicle": "浙C67890"})
        assert "浙C67890" not in "".join(lines)


def test_a_reset_takes_everything_and_gives_a_link(house: Door) -> None:
    who = house.accounts[COORDINATOR]
    house.add_totp(who)
    house.add_recovery_code(who, "abcd-efgh-jkmn-pqrs")
    admin = house.signed_in(ADMINISTRATOR)
    path = link_on(admin.post(f"/accounts/{who.id}/reset").text)
    assert tries(house.browser(), COORDINATOR).status_code == 401
    assert house.browser().post(path, data={"passphrase": NEW}).status_code == 303
    assert tries(house.browser(), COORDINATOR, NEW).status_code == 303
    assert house.store.registry.recovery_codes_left(who.id) == 0


def test_an_administrator_signs_others_out_and_does_nothing_to_their_own_account(house: Door) -> None:
    victim, admin = house.signed_in(CARRIER), house.signed_in(ADMINISTRATOR)
    assert admin.post(f"/accounts/{house.accounts[CARRIER].id}/sessions/end").status_code == 303
    assert victim.get("/passes").status_code == 303
    own = house.accounts[ADMINISTRATOR].id
    for act in ("reset", "disable", "enable", "sessions/end"):
        assert admin.post(f"/accounts/{own}/{act}").status_code == 409
        assert admin.post(f"/accounts/acc-none/{act}").status_code == 404


def test_an_administrator_sees_no_truck_no_pass_and_no_result(house: Door) -> None:
    admin = house.signed_in(ADMINISTRATOR)
    assert admin.get("/").headers["location"] == "/accounts"
    for path in ("/passes", "/board/live", "/vehicles/x", "/lab", "/events", "/stations"):
        assert admin.get(path).status_code == 403, path


def test_what_was_done_can_be_read_by_account_and_page_after_page(house: Door) -> None:
    admin = house.signed_in(ADMINISTRATOR)
    path = invited(admin)
    house.browser().post(path, data={"passphrase": NEW})
    for _ in range(120):
        house.store.registry.audit("sign-in", account=house.accounts[CARRIER].id, detail="passphrase")
        house.clock.forward(seconds=1)
    for lang in ("zh", "en"):
        admin.cookies.set("lang", lang)
        page = admin.get("/audit").text
        older = re.search(r'href="(/audit\?before=[^"]+)"', page)
        assert older is not None
        assert "林夏" in admin.get(older[1]).text
        own = admin.get(f"/audit?account={house.accounts[ADMINISTRATOR].id}").text
        assert texts(lang)("audit.what.sign-in") in own
        assert house.accounts[CARRIER].id not in own


def test_everything_that_can_be_written_down_has_a_name_in_both_languages(house: Door) -> None:
    written = set()
    for path in Path(credentials.__file__).parent.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        written |= set(re.findall(r'(?:audit|_audit|_changed|changed)\(\s*(?:request, )?(?:account, )?"([a-z-]+)"', source))
        written |= set(re.findall(r'partial\(registry\.audit, "([a-z-]+)"', source))
    assert len(written) > 12, "the search found too little to be a check"
    for lang in ("zh", "en"):
        assert {what for what in written if f"audit.what.{what}" not in texts(lang)} == set()
        assert {word for word in (*BROWSERS, *SYSTEMS, PROGRAM) if f"device.{word}" not in texts(lang)} == set()


# -- one's own account ------------------------------------------------------------------------------------------------


def add_app(client: TestClient, house: Door) -> pyotp.TOTP:
    page = client.post("/account/totp").text
    token, secret = (
        re.search(pattern, page) for pattern in (r'name="token" value="([^"]+)"', r'id="secret"[^>]* value="([^"]+)"')
    )
    assert token is not None
    assert secret is not None
    totp = pyotp.TOTP(secret[1].replace(" ", ""))
    wrong = client.post("/account/totp/confirm", data={"token": token[1], "code": "000000", "label": "工作手机"})
    assert wrong.status_code == 422
    right = {"token": token[1], "code": totp.at(house.clock()), "label": "工作手机"}
    assert client.post("/account/totp/confirm", data=right).headers["location"] == "/account?added"
    return totp


def test_an_app_is_added_once_its_code_was_seen_and_every_other_session_ends(house: Door) -> None:
    other, client = house.signed_in(COORDINATOR, address="198.51.100.1"), house.signed_in(COORDINATOR)
    before = client.cookies[COOKIE]
    totp = add_app(client, house)
    assert client.cookies[COOKIE] != before
    assert other.get("/passes").status_code == 303
    assert "工作手机" in client.get("/account").text
    fresh = house.browser()
    asked = tries(fresh, COORDINATOR)
    assert shows(fresh, ticket_of(asked), totp.at(house.clock())).status_code == 401, "the code that added it is used up"
    house.clock.forward(seconds=30)
    assert shows(fresh, ticket_of(asked), totp.at(house.clock())).status_code == 303


def test_whoever_had_to_add_one_is_free_afterwards(strict: Door) -> None:
    client = strict.signed_in(COORDINATOR)
    add_app(client, strict)
    assert client.get("/passes").status_code == 200
    page = client.get("/account").text
    assert texts("en")("account.recovery.none") in page
    codes = re.findall(r"<li>([a-z0-9-]{19})</li>", client.post("/account/recovery").text)
    assert len(set(codes)) == 10
    for code in codes[:2]:
        fresh = strict.browser()
        assert shows(fresh, ticket_of(tries(fresh, COORDINATOR)), code).status_code == 303
    assert "8 recovery codes are left" in client.get("/account").text


def test_the_last_factor_stays_where_one_is_required_or_the_passphrase_is_short(house: Door, tmp_path: Path) -> None:
    client = house.signed_in(COORDINATOR)
    add_app(client, house)
    who = house.accounts[COORDINATOR]
    [factor] = house.store.registry.factors(who.id)
    assert client.post("/account/passphrase", data={"passphrase": "quk7 vzx"}).headers["location"] == "/account?changed"
    refused = client.post(f"/account/factors/{factor.id}/remove")
    assert (refused.status_code, texts("en")("account.short-passphrase") in refused.text) == (409, True)
    client.post("/account/passphrase", data={"passphrase": NEW})
    assert client.post(f"/account/factors/{factor.id}/remove").headers["location"] == "/account?removed"
    assert house.store.registry.factors(who.id) == []
    (tmp_path / "strict").mkdir()
    with door(tmp_path / "strict", second_factor=True) as strict:
        client = strict.signed_in(COORDINATOR)
        add_app(client, strict)
        [factor] = strict.store.registry.factors(strict.accounts[COORDINATOR].id)
        assert texts("en")("account.last-factor") in client.post(f"/account/factors/{factor.id}/remove").text


def test_anothers_factor_cannot_be_removed_nor_their_session_ended(house: Door) -> None:
    house.add_totp(house.accounts[CARRIER])
    [factor] = house.store.registry.factors(house.accounts[CARRIER].id)
    victim, client = house.signed_in(LABORATORY), house.signed_in(COORDINATOR)
    assert client.post(f"/account/factors/{factor.id}/remove").status_code == 409
    assert len(house.store.registry.factors(house.accounts[CARRIER].id)) == 1
    session = digest(victim.cookies[COOKIE])[:16]
    client.post(f"/account/sessions/{session}/end")
    client.post("/account/sessions/others/end")
    assert victim.get("/lab").status_code == 200


def test_a_new_passphrase_is_held_to_the_rules_and_ends_all_other_sessions(house: Door) -> None:
    other, client = house.signed_in(COORDINATOR, address="198.51.100.1"), house.signed_in(COORDINATOR)
    assert client.post("/account/passphrase", data={"passphrase": "coordinator coordinator"}).status_code == 422
    assert client.post("/account/passphrase", data={"passphrase": "quk7 vzx"}).status_code == 422, "too short to stand alone"
    assert other.get("/passes").status_code == 200
    assert client.post("/account/passphrase", data={"passphrase": NEW}).status_code == 303
    assert other.get("/passes").status_code == 303
    assert client.get("/passes").status_code == 200
    assert tries(house.browser(), COORDINATOR).status_code == 401
    assert tries(house.browser(), COORDINATOR, NEW).status_code == 303
    assert stands_alone(NEW)


def test_where_one_is_signed_in_is_listed_and_can_be_ended(house: Door) -> None:
    others = [house.signed_in(CARRIER, address=f"198.51.100.{n}") for n in range(3)]
    client = house.signed_in(CARRIER)
    page = client.get("/account").text
    assert page.count("Firefox Linux") == 4
    ends = re.findall(r'action="(/account/sessions/\w{16}/end)"', page)
    assert len(ends) == 3, "one's own is not among them"
    client.post(ends[0])
    assert sum(other.get("/passes").status_code == 200 for other in others) == 2
    client.post("/account/sessions/others/end")
    assert sum(other.get("/passes").status_code == 200 for other in others) == 0
    assert client.get("/passes").status_code == 200
    assert "sessions-ended" in house.done()


@pytest.mark.parametrize(
    "act", ["/account/passphrase", "/account/totp", "/account/totp/confirm", "/account/passkeys/ask", "/account/passkeys",
            "/account/factors/x/remove", "/account/recovery"],
)  # fmt: skip
def test_what_changes_how_one_comes_in_wants_a_fresh_proof(house: Door, act: str) -> None:
    client = house.signed_in(COORDINATOR)
    house.clock.forward(minutes=11)
    assert client.post(act).headers["location"].startswith("/confirm")


def test_how_strong_a_passphrase_is_is_told_to_whoever_may_choose_one_only(house: Door) -> None:
    form = {"passphrase": NEW}
    assert house.browser().post("/account/strength", data=form, headers={"accept": "*/*"}).status_code == 401
    assert house.browser().post("/join/none/strength", data=form).status_code == 410
    assert house.signed_in(CARRIER).post("/account/strength", data=form).json() == {"strength": "strong"}
    path = path_of(first_link(house.store, HOST, house.clock()))
    assert house.browser().post(f"{path}/strength", data={"passphrase": "password123456789"}).json() == {"strength": "weak"}


def test_what_a_browser_held_opens_no_door_to_a_program_once_it_was_left_unused(house: Door) -> None:
    client = house.signed_in(COORDINATOR)
    token = next(value for name, value in client.cookies.items() if name.endswith("checkpoint"))
    program = house.browser()
    program.headers.update({"authorization": f"Bearer {token}", "accept": "application/json"})
    assert program.get("/api/v1/vehicles").status_code == 200
    house.clock.at += IDLE[COORDINATOR]
    assert program.get("/api/v1/vehicles").status_code == 401


def test_an_unused_session_of_an_administrator_ends_first() -> None:
    assert IDLE[ADMINISTRATOR] == timedelta(minutes=30) < min(IDLE[role] for role in WITH_ACCOUNT if role != ADMINISTRATOR)


# -- passkeys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "possible"),
    [
        ("https://loop.example", True),
        ("https://loop.example:8443", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", False),
        ("https://192.0.2.7", False),
        ("https://[2001:db8::1]", False),
        ("http://loop.example", False),
    ],
)
def test_a_passkey_needs_https_and_a_name(address: str, possible: bool) -> None:
    assert passkeys.possible(address) is possible


def test_a_browser_leaves_out_the_port_that_goes_without_saying() -> None:
    said = [
        passkeys.origin_of(each) for each in ("https://Loop.example:443", "http://localhost:80/", "https://loop.example:8443")
    ]
    assert said == ["https://loop.example", "http://localhost", "https://loop.example:8443"]


@pytest.mark.parametrize(
    "answer", [{}, {"id": 7}, {"id": "x", "response": {}}, {"id": "cred", "rawId": "!", "response": "x", "type": 1}]
)
def test_a_device_that_answers_nonsense_is_not_let_in(house: Door, answer: dict[str, object]) -> None:
    house.store.registry.add_factor(house.accounts[COORDINATOR].id, "passkey", "x", "kept", credential="cred")
    client = house.browser()
    token = client.post("/sign-in/passkey/ask").json()["token"]
    body = {"token": token, "credential": answer}
    refused = client.post("/sign-in/passkey", json=body, headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (401, "wrong-passkey")
    assert COOKIE not in client.cookies
