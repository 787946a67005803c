"""Webhooks as their owners make them, by page and by program: an office's own, a secret that is shown once, and no way inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checkpoint.messages.targets import Targets
from checkpoint.ui import LANGUAGES
from checkpoint.web import access
from checkpoint.web.access import ADMINISTRATOR, CARRIER, COORDINATOR, LABORATORY
from checkpoint.web.webhooks_data import MOST
from tests.desk import Desk, desk
from tests.fleet import NOW, Fleet

URL = "https://hooks.example.com/checkpoint"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path, told=Fleet({}, ())) as found:
        yield found


def calling(house: Desk, role: str, who: str = "") -> Any:
    client = house.nobody()
    client.headers["authorization"] = f"Bearer {access.open_session(house.house, role=role, who=who or role, name='测试')}"
    client.headers["accept"], client.headers["accept-language"] = "application/json", "en"
    return client


def made(house: Desk, role: str, who: str = "", events: tuple[str, ...] = ("pass.granted",)) -> dict[str, Any]:
    if role == LABORATORY:
        events = ("result.taken",)
    answered = calling(house, role, who).post("/api/v1/webhooks", json={"url": URL, "events": list(events)})
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


def test_a_secret_is_given_once_and_lies_encrypted(house: Desk, tmp_path: Path) -> None:
    hook = made(house, CARRIER, "甲")
    assert re.fullmatch(r"whsec_[\w+/]{43}=", hook["secret"])
    program = calling(house, CARRIER, "甲")
    assert "secret" not in program.get(f"/api/v1/webhooks/{hook['webhook']}").json()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert hook["secret"].encode() not in written
    assert hook["secret"].removeprefix("whsec_").encode() not in written


def test_an_office_sees_and_changes_its_own_only(house: Desk) -> None:
    owners = ((CARRIER, "甲"), (CARRIER, "乙"), (LABORATORY, "甲"), (COORDINATOR, ""))
    hooks = {owner: made(house, *owner)["webhook"] for owner in owners}
    for role, who in owners:
        program = calling(house, role, who)
        assert [hook["webhook"] for hook in program.get("/api/v1/webhooks").json()["items"]] == [hooks[role, who]]
        for owner, hook in hooks.items():
            if owner == (role, who):
                continue
            for method, path in (
                ("GET", ""), ("GET", "/deliveries"), ("POST", "/secret"), ("POST", "/pause"), ("POST", "/resume"), ("DELETE", ""),
            ):  # fmt: skip
                refused = program.request(method, f"/api/v1/webhooks/{hook}{path}")
                assert refused.status_code == 404, (role, who, method, path)
            browser = house.signed_in(role, who)
            assert browser.get(f"/webhooks/{hook}").status_code == 404
            assert browser.post(f"/webhooks/{hook}/remove").status_code == 404
    assert len(house.store.registry.webhooks()) == len(owners)
    page = house.signed_in(ADMINISTRATOR).get("/webhooks").text
    assert all(f"/webhooks/{hook}" in page for hook in hooks.values())


def test_by_program_it_is_paused_resumed_renewed_and_removed(house: Desk) -> None:
    hook, program = made(house, CARRIER, "甲"), calling(house, CARRIER, "甲")
    path = f"/api/v1/webhooks/{hook['webhook']}"
    assert program.post(f"{path}/pause").json()["state"] == "paused"
    assert program.post(f"{path}/pause").json()["paused_why"] == "asked"
    assert program.post(f"{path}/resume").json()["state"] == "active"
    renewed = program.post(f"{path}/secret").json()
    assert renewed["secret"] != hook["secret"]
    assert renewed["old_until"] == (NOW + timedelta(hours=24)).isoformat().replace("+00:00", "Z")
    assert program.get(f"{path}/deliveries").json() == {"items": [], "next": None}
    assert program.delete(path).json() == {"webhook": hook["webhook"], "state": "removed"}
    assert program.delete(path).status_code == 404


def test_what_was_sent_is_read_page_by_page(house: Desk) -> None:
    hook = made(house, COORDINATOR)
    house.store.registry.put_out([(hook["webhook"], number, "pass.granted") for number in range(1, 8)], 7)
    program, path, found = calling(house, COORDINATOR), f"/api/v1/webhooks/{hook['webhook']}/deliveries?limit=3", []
    while path:
        page = program.get(path).json()
        found += [each["fact"] for each in page["items"]]
        path = page["next"]
    assert found == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("role", "body", "path"),
    [
        (CARRIER, {"url": "http://hooks.example.com/", "events": ["pass.granted"]}, "$.url"),
        (CARRIER, {"url": "https://nowhere.example.com/", "events": ["pass.granted"]}, "$.url"),
        (CARRIER, {"url": "https://u:p@hooks.example.com/", "events": ["pass.granted"]}, "$.url"),
        (CARRIER, {"url": URL, "events": []}, "$.events"),
        (CARRIER, {"url": URL, "events": ["result.taken"]}, "$.events"),
        (LABORATORY, {"url": URL, "events": ["pass.granted"]}, "$.events"),
        (COORDINATOR, {"url": URL, "events": ["earthquake"]}, "$.events"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_with_its_path(house: Desk, role: str, body: Any, path: str) -> None:
    refused = calling(house, role, "甲").post("/api/v1/webhooks", json=body)
    assert refused.status_code == 422
    assert [wrong["path"] for wrong in refused.json()["errors"]] == [path]
    assert house.store.registry.webhooks() == []


def test_an_address_inside_the_house_is_refused(tmp_path: Path) -> None:
    with desk(tmp_path, told=Fleet({}, ()), targets=Targets(resolve=lambda *_: ["169.254.169.254"])) as house:
        refused = calling(house, CARRIER, "甲").post("/api/v1/webhooks", json={"url": URL, "events": ["pass.granted"]})
        assert refused.status_code == 422
        assert "private network" in refused.json()["errors"][0]["what"]


def test_an_office_has_so_many_at_most(house: Desk) -> None:
    for _ in range(MOST):
        made(house, CARRIER, "甲")
    refused = calling(house, CARRIER, "甲").post("/api/v1/webhooks", json={"url": URL, "events": ["pass.granted"]})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "too-many-webhooks")
    made(house, CARRIER, "乙")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_on_the_page_it_is_made_shown_once_and_changed(house: Desk, lang: str) -> None:
    browser = house.signed_in(CARRIER, "甲", lang=lang)
    led = browser.post("/webhooks", data={"url": URL, "event": ["pass.granted", "gate.verdict"]})
    assert led.status_code == 303, led.text
    page = led.headers["location"]
    [hook] = house.store.registry.webhooks()
    assert (hook.events, hook.role, hook.office) == (("pass.granted", "gate.verdict"), CARRIER, "甲")
    assert hook.secrets[0] in browser.get(page).text.replace("&#43;", "+")
    assert hook.secrets[0] not in house.signed_in(CARRIER, "甲").get(page).text
    house.store.registry.put_out([(hook.id, 1, "pass.granted")], 1)
    [due] = house.store.registry.outgoing_due(hook.id, NOW, 1)
    house.store.registry.outgoing_failed(due, 500, "refused", NOW)
    assert "500" in browser.get(page).text
    for what, state in (("pause", True), ("resume", False)):
        assert browser.post(f"{page}/{what}").status_code == 303
        found = house.store.registry.webhook(hook.id)
        assert found is not None
        assert (found.paused_at is not None) == state
        assert browser.get(page).status_code == 200
    assert browser.post(f"{page}/secret").headers["location"] == page
    renewed = house.store.registry.webhook(hook.id)
    assert renewed is not None
    assert renewed.secrets == (renewed.secrets[0], hook.secrets[0])
    assert browser.post(f"{page}/remove").headers["location"] == "/webhooks"
    assert house.store.registry.webhooks() == []
    assert browser.post(f"{page}/explode").status_code == 404


@pytest.mark.parametrize("lang", LANGUAGES)
def test_on_the_page_what_is_wrong_is_said(house: Desk, lang: str) -> None:
    page = house.signed_in(CARRIER, "甲", lang=lang).post("/webhooks", data={"url": "http://x/", "event": ["nonsense"]})
    assert page.status_code == 422
    assert page.text.count('role="alert"') == 2
    assert 'value="http://x/"' in page.text


def test_an_administrator_makes_one_for_any_office(house: Desk) -> None:
    browser = house.signed_in(ADMINISTRATOR)
    form = {"url": URL, "event": ["result.taken"], "role": "laboratory", "office": "区疾控"}
    assert browser.post("/webhooks", data=form).status_code == 303
    [hook] = house.store.registry.webhooks()
    assert (hook.role, hook.office) == (LABORATORY, "区疾控")
    assert browser.post("/webhooks", data=form | {"role": "administrator"}).status_code == 422
