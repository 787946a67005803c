"""Tokens for programs: shown once, bound to an office and what it may, ending by themselves or when somebody says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.access import ADMINISTRATOR, CARRIER, COORDINATOR, LABORATORY
from checkpoint.web.app import create_app
from tests.accounts import account
from tests.ground import LOOP, T0, Still

CARRIER_NAME = "瓯海冷链"
WISH = {
    "carrier": CARRIER_NAME,
    "vehicle": "浙C12345",
    "crew": [{"name": "张三"}],
    "loop": LOOP,
    "not_before": T0.isoformat(),
    "expires": (T0 + timedelta(days=3)).isoformat(),
}


@pytest.fixture
def client(store: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(store, clock), follow_redirects=False, headers={"accept-language": "en"}) as client:
        yield client


def signed_in(client: TestClient, role: str, who: str = "") -> dict[str, str]:
    house = client.app.state.house  # type: ignore[attr-defined]
    return {"Authorization": f"Bearer {access.open_session(house, role=role, who=who or role, name='测试')}"}


def made(client: TestClient, maker: str = CARRIER, who: str = CARRIER_NAME, **form: Any) -> str:
    """A token made on the page, as its maker sees it."""
    given = {"name": "dispatch", "scope": "write", "days": "30"} | form
    headers = signed_in(client, maker, who)
    led = client.post("/tokens", data=given, headers=headers)
    assert (led.status_code, led.headers["location"]) == (303, "/tokens"), led.text
    page = client.get("/tokens", headers=headers)
    client.cookies.clear()
    found = re.search(rf'value="({access.BEGINS_WITH}[\w-]+)"', page.text)
    assert found is not None
    return found.group(1)


def by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_is_shown_once_and_kept_as_a_digest(client: TestClient, store: Store, tmp_path: Path) -> None:
    token = made(client)
    again = client.get("/tokens", headers=signed_in(client, CARRIER, CARRIER_NAME))
    assert "dispatch" in again.text
    assert token not in again.text
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in written
    assert b"dispatch" not in written, "what an office calls its programs is its own business"


def test_a_program_acts_for_its_office_under_the_tokens_own_name(client: TestClient, store: Store) -> None:
    token = made(client)
    asked = client.post("/api/v1/pass-requests", json=WISH, headers=by(token))
    assert asked.status_code == 200
    [told] = store.facts_of(f"request:{asked.json()['request']}")
    [held] = store.registry.api_tokens()
    assert told.by == held.id
    assert store.registry.names([held.id]) == {held.id: "dispatch"}
    foreign = client.post("/api/v1/pass-requests", json=WISH | {"carrier": "别家"}, headers=by(token))
    assert foreign.status_code == 403


def test_a_token_that_reads_changes_nothing(client: TestClient) -> None:
    token = made(client, scope="read")
    refused = client.post("/api/v1/pass-requests", json=WISH, headers=by(token))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "token-reads")
    coordinator = made(client, COORDINATOR, scope="read")
    assert client.get("/api/v1/vehicles", headers=by(coordinator)).status_code == 200


def test_a_token_opens_no_page(client: TestClient) -> None:
    token = made(client)
    refused = client.get("/passes", headers=by(token))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "token-pages")
    assert client.get("/tokens", headers=by(token)).status_code == 403, "a program makes itself no tokens"


def test_a_token_ends_by_itself_and_when_it_is_revoked(client: TestClient, store: Store, clock: Still) -> None:
    first, second = made(client, name="one"), made(client, name="two")
    ids = {token.name: token.id for token in store.registry.api_tokens()}
    revoked = client.post(f"/tokens/{ids['one']}/revoke", headers=signed_in(client, CARRIER, CARRIER_NAME))
    assert revoked.status_code == 303
    assert client.post("/api/v1/pass-requests", json=WISH, headers=by(first)).status_code == 401
    clock.forward(days=29, hours=23)
    assert client.post("/api/v1/pass-requests", json={}, headers=by(second)).status_code == 400
    clock.forward(hours=1)
    assert client.post("/api/v1/pass-requests", json={}, headers=by(second)).status_code == 401


def test_when_a_token_was_last_used_is_noted_now_and_then(client: TestClient, store: Store, clock: Still) -> None:
    token = made(client)
    for minutes, noted in ((0, 0), (4, 0), (2, 6)):
        clock.forward(minutes=minutes)
        client.post("/api/v1/pass-requests", json={}, headers=by(token))
        [held] = store.registry.api_tokens()
        assert held.used_at == T0 + timedelta(minutes=noted)


def test_an_office_sees_and_revokes_its_own_tokens_only(client: TestClient, store: Store) -> None:
    made(client, CARRIER, "甲", name="of-first")
    made(client, CARRIER, "乙", name="of-second")
    made(client, LABORATORY, "甲", name="of-lab")
    made(client, COORDINATOR, name="of-desk")
    names = {"of-first", "of-second", "of-lab", "of-desk"}

    def seen(role: str, who: str) -> set[str]:
        page = client.get("/tokens", headers=signed_in(client, role, who)).text
        return {name for name in names if name in page}

    assert seen(CARRIER, "甲") == {"of-first"}
    assert seen(CARRIER, "乙") == {"of-second"}
    assert seen(LABORATORY, "甲") == {"of-lab"}
    assert seen(COORDINATOR, "staff-1") == {"of-desk"}
    assert seen(ADMINISTRATOR, "") == names
    for token in store.registry.api_tokens(CARRIER, "甲"):
        for role, who in ((CARRIER, "乙"), (LABORATORY, "甲"), (COORDINATOR, "")):
            refused = client.post(f"/tokens/{token.id}/revoke", headers=signed_in(client, role, who))
            assert refused.status_code == 404, (role, who)
    assert all(token.revoked_at is None for token in store.registry.api_tokens())


def test_an_administrator_makes_tokens_for_any_office(client: TestClient) -> None:
    token = made(client, ADMINISTRATOR, role="laboratory", office="区疾控")
    assert client.post("/api/v1/lab/results", json={"results": []}, headers=by(token)).json() == {"results": []}
    assert client.post("/api/v1/pass-requests", json=WISH, headers=by(token)).status_code == 403


@pytest.mark.parametrize(
    "form",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"days": "100000"},
        {"days": ""},
        {"role": "administrator"},
        {"role": "kiosk"},
        {"role": "carrier"},
        {"role": "carrier", "office": "x" * 61},
    ],
)
def test_a_form_that_cannot_be_a_token_is_answered_with_what_is_wrong(client: TestClient, store: Store, form: Any) -> None:
    given = {"name": "x", "scope": "read", "days": "30", "role": "coordinator"} | form
    page = client.post("/tokens", data=given, headers=signed_in(client, ADMINISTRATOR))
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert store.registry.api_tokens() == []


def test_an_office_cannot_make_a_token_for_another_role(client: TestClient, store: Store) -> None:
    made(client, CARRIER, CARRIER_NAME, role="coordinator", office="别家")
    [held] = store.registry.api_tokens()
    assert (held.role, held.office) == (CARRIER, CARRIER_NAME)


def test_a_token_goes_with_the_account_that_let_itself_in_by_it(client: TestClient, store: Store) -> None:
    own, given = account(store, CARRIER, "own", office=CARRIER_NAME), account(store, ADMINISTRATOR, "boss")
    tokens = {}
    for maker in (own, given):
        text = f"{access.BEGINS_WITH}{maker.name}"
        store.registry.add_api_token(
            access.digest(text),
            name="dispatch",
            role=CARRIER,
            office=CARRIER_NAME,
            writes=False,
            made_by=maker.id,
            expires=T0 + timedelta(days=1),
        )
        tokens[maker.id] = text
    for maker, status in ((own, 401), (given, 200)):
        assert client.get("/api/v1/passes", headers=by(tokens[maker.id])).status_code == 200
        assert store.registry.disable_account(maker.id)
        assert client.get("/api/v1/passes", headers=by(tokens[maker.id])).status_code == status


def test_who_made_and_revoked_a_token_is_written_down(client: TestClient, store: Store) -> None:
    made(client)
    [held] = store.registry.api_tokens()
    client.post(f"/tokens/{held.id}/revoke", headers=signed_in(client, CARRIER, CARRIER_NAME))
    assert sorted((row.what, row.detail) for row in store.registry.audited(2)) == [
        ("token-made", "dispatch"),
        ("token-revoked", "dispatch"),
    ]
