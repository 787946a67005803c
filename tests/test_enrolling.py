"""A kiosk becomes a station's by one code, once; it renews its key without losing its chain; the server lets it go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from checkpoint.core import enrolling
from checkpoint.web.access import COORDINATOR, digest
from kiosk.app import create_app
from kiosk.link import KEY_LASTS, LockedOut, NotEnrolled, enrol
from kiosk.station import open_kiosk
from tests.desk import Desk, desk
from tests.ground import T0, Still
from tests.station import SERVER, Ground, ground, jpeg, picture

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        yield found


# -- the code ---------------------------------------------------------------------------------------------------------


@given(
    st.from_regex(r"https?://[a-z0-9.-]{1,60}(:[0-9]{2,5})?", fullmatch=True),
    st.text("0123456789abcdefghijklmnopqrstuvwxyz-_", min_size=1, max_size=64),
)
def test_a_code_says_server_and_token_in_letters_that_hand_scanners_type_right(server: str, token: str) -> None:
    code = enrolling.code(server, token)
    assert re.fullmatch(r"CE1[A-Z2-7]+", code)
    for written in (code, code.lower(), f" {code}\n", f"{server}#{token}"):
        assert enrolling.read(written) == (server, token)


def test_a_token_alone_is_taken_as_it_is_also_from_a_scanner_that_types_capitals() -> None:
    assert enrolling.read(f" {TOKEN} ") == ("", TOKEN)
    assert enrolling.read(TOKEN.upper()) == ("", TOKEN)
    assert enrolling.read("enrol-token") == ("", "enrol-token")


@pytest.mark.parametrize("text", ["", "  ", "a b", "CE1", "CE1AAA", "CE1189", "x" * 601, "a\x00b"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(enrolling.NoEnrolment):
        enrolling.read(text)
    assert not enrolling.is_code(text)


# -- at the kiosk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, g: Ground) -> Iterator[TestClient]:
    """The page of a kiosk that nobody enrolled, on the same line."""
    g.store.registry.add_kiosk("rest-1", digest(TOKEN), g.clock() + timedelta(days=3))
    kiosk = open_kiosk(tmp_path / "fresh", g.clock, transport=g.line)
    with TestClient(create_app(kiosk, start_link=False), base_url="http://localhost:8100") as page:
        yield page
    kiosk.close()


@pytest.mark.parametrize("way", ["frame", "photo", "scanner"])
def test_the_page_fills_in_what_it_reads_and_leaves_the_pressing_to_a_person(fresh: TestClient, way: str) -> None:
    code = enrolling.code(SERVER, TOKEN)
    if way == "scanner":
        answer = fresh.post("/enrol/read", json={"text": code})
    else:
        answer = fresh.post(f"/scan/{way}", content=jpeg(picture(code)))
    assert answer.json() == {"enrol": {"server": SERVER, "token": TOKEN}}
    assert 'id="enrol-token"' in fresh.get("/").text, "nothing was enrolled by a code that was held up"
    done = fresh.post("/enrol", json=answer.json()["enrol"])
    assert done.status_code == 200
    assert 'id="enrol-token"' not in done.json()["screen"]


def test_a_whole_code_may_be_typed_or_pasted_too(fresh: TestClient) -> None:
    answer = fresh.post("/enrol", json={"server": "http://elsewhere.example", "token": enrolling.code(SERVER, TOKEN)})
    assert answer.status_code == 200
    assert fresh.post("/enrol/read", json={"text": "CE1AAA"}).status_code == 422


def test_a_token_works_once_and_ends(g: Ground, fresh: TestClient) -> None:
    assert fresh.post("/enrol", json={"server": SERVER, "token": TOKEN}).status_code == 200
    with pytest.raises(NotEnrolled, match="bad-token"):
        enrol(TOKEN, SERVER, transport=g.line)
    g.store.registry.add_kiosk("rest-1", digest("late"), g.clock() + timedelta(days=3))
    g.clock.forward(days=3)
    with pytest.raises(NotEnrolled, match="bad-token"):
        enrol("late", SERVER, transport=g.line)


def test_guessing_tokens_becomes_slow_and_is_said_so(g: Ground) -> None:
    for _ in range(5):
        with pytest.raises(NotEnrolled, match="bad-token"):
            enrol("guess", SERVER, transport=g.line)
    with pytest.raises(NotEnrolled, match="too-many"):
        enrol("guess", SERVER, transport=g.line)


def test_a_kiosk_that_was_closed_says_what_to_do_and_still_reads_passes(g: Ground) -> None:
    enrolment = g.kiosk.outbox.enrolment
    assert enrolment is not None
    number = g.pass_()
    g.pull()
    assert g.store.registry.close_kiosk(enrolment.kiosk)
    with pytest.raises(LockedOut):
        g.pull()
    with TestClient(create_app(g.kiosk, start_link=False), base_url="http://localhost:8100") as page:
        assert 'id="enrol-token"' in page.get("/").text
        g.store.registry.add_kiosk("sampling-1", digest(TOKEN), g.clock() + timedelta(days=3))
        code = enrolling.code(SERVER, TOKEN)
        assert page.post("/scan/frame", content=jpeg(picture(g.live(number)))).json()["state"] == "verdict"
        assert page.post("/scan/frame", content=jpeg(picture(code))).json()["enrol"]["token"] == TOKEN
        assert page.post("/enrol", json={"server": SERVER, "token": code}).status_code == 200
        g.push()
    assert g.kiosk.outbox.depth().waiting == 0, "what was recorded while nobody let it in came with the new name"


# -- the key ----------------------------------------------------------------------------------------------------------


def bearer(g: Ground) -> str:
    enrolment = g.kiosk.outbox.enrolment
    assert enrolment is not None
    return enrolment.bearer


def opens(g: Ground, key: str) -> bool:
    return g.server.get("/api/v1/feed?after=0", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_key_is_renewed_after_a_month_and_the_chain_goes_on(g: Ground) -> None:
    before, witness = bearer(g), g.kiosk.outbox.enrolment
    number = g.pass_()
    g.pull()
    g.kiosk.desk.scan(g.live(number))
    g.push()
    g.clock.forward(days=KEY_LASTS.days - 1)
    g.pull()
    assert bearer(g) == before
    g.clock.forward(days=1)
    g.pull()
    after = bearer(g)
    assert after != before
    assert (opens(g, before), opens(g, after)) == (False, True)
    g.pull()
    assert bearer(g) == after, "once"
    g.kiosk.desk.scan(g.live(g.pass_(vehicle="浙C54321", expires=g.clock() + timedelta(days=1))))
    g.push()
    renewed = g.kiosk.outbox.enrolment
    assert witness is not None
    assert renewed is not None
    assert renewed.witness == witness.witness
    assert g.kiosk.outbox.verify() is None
    assert g.store.gaps() == []


def test_the_desk_can_ask_for_a_new_key(g: Ground) -> None:
    before, enrolment = bearer(g), g.kiosk.outbox.enrolment
    assert enrolment is not None
    assert g.store.registry.ask_new_key(enrolment.kiosk)
    g.pull()
    assert bearer(g) != before
    kiosk = g.store.registry.kiosk(enrolment.kiosk)
    assert kiosk is not None
    assert not kiosk.renew


@pytest.mark.parametrize("trouble", ["answer-lost", "dead", "portal", "twice"])
def test_a_renewal_on_a_bad_line_locks_nobody_out(g: Ground, trouble: str) -> None:
    before, enrolment = bearer(g), g.kiosk.outbox.enrolment
    assert enrolment is not None
    g.store.registry.ask_new_key(enrolment.kiosk)
    said = iter(["", trouble])  # the feed passes, the renewal does not
    g.line.trouble = lambda: next(said, "")
    g.pull()
    g.pull()
    assert opens(g, bearer(g))
    if trouble == "answer-lost":
        assert bearer(g) != before, "the next key is tried before anybody is called locked out"
    g.clock.forward(days=1)
    g.pull()
    assert (opens(g, before), opens(g, bearer(g))) == (False, True)


def test_a_server_that_was_brought_back_from_before_the_renewal_still_knows_the_kiosk(g: Ground) -> None:
    before, enrolment = bearer(g), g.kiosk.outbox.enrolment
    assert enrolment is not None
    g.store.registry.ask_new_key(enrolment.kiosk)
    g.pull()
    assert bearer(g) != before
    g.store.registry.renew_key(enrolment.kiosk, digest(before))  # as a backup has it
    g.pull()
    assert opens(g, bearer(g))
    assert not opens(g, before), "and the key is renewed again at once"


def test_a_server_of_an_older_version_is_asked_again_only_the_next_day(tmp_path: Path) -> None:
    clock = Still()
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == "/api/v1/enrol":
            return httpx.Response(200, json={"kiosk": "k-1", "station": "sampling-1", "key": "first"})
        if request.url.path == "/api/v1/feed":
            return httpx.Response(200, json={
                "facts": [], "cursor": 0, "more": False, "server_time": clock().isoformat(), "people": [], "issuers": [],
                "staff": [{"id": "s", "name": "陈", "pin": "x"}], "station": "sampling-1", "kiosk": "k-1",
            })  # fmt: skip
        return httpx.Response(404, json={"title": "no such page"})

    kiosk = open_kiosk(tmp_path, clock, transport=httpx.MockTransport(answer), steady=lambda: (clock() - T0).total_seconds())
    kiosk.enrol("t", SERVER)
    kiosk.link.pull_once()
    clock.forward(days=KEY_LASTS.days)
    for _ in range(3):
        kiosk.link.pull_once()
    assert asked.count("/api/v1/kiosk/key") == 1
    clock.forward(days=1)
    kiosk.link.pull_once()
    assert asked.count("/api/v1/kiosk/key") == 2
    assert kiosk.outbox.enrolment is not None
    assert kiosk.outbox.enrolment.bearer == "first"
    kiosk.close()


def test_a_stolen_key_alone_cannot_be_traded_for_another(g: Ground) -> None:
    headers = {"Authorization": f"Bearer {bearer(g)}"}
    enrolment = g.kiosk.outbox.enrolment
    assert enrolment is not None
    hashed = digest("mine now")
    for signature in ("", "zz", "00" * 64, enrolment.signed(f"key|{digest('other')}")):
        answer = g.server.post("/api/v1/kiosk/key", json={"key_hash": hashed, "signature": signature}, headers=headers)
        assert answer.status_code == 422
    answer = g.server.post("/api/v1/kiosk/key", json={"key_hash": "x", "signature": enrolment.signed("key|x")}, headers=headers)
    assert answer.status_code == 422
    assert opens(g, bearer(g))


# -- at the desk ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("enrolling")) as found:
        yield found


def test_the_page_shows_server_and_token_as_one_code(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    client.post("/stations/kiosks", data={"station": "ouhai-sampling"})
    page = client.get("/stations").text
    token = re.search(r'id="token"[^>]*value="([0-9a-f]{32})"', page)
    assert token is not None
    assert f'value="{server.house.public_url}"' in page
    assert f"enrol {token.group(1)}" in page


def test_what_a_chain_lacks_and_how_old_a_key_is_stand_beside_the_kiosk(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    registry = server.store.registry
    registry.add_kiosk("ouhai-sampling", digest("t1"), server.house.now() + timedelta(days=1))
    kiosk = registry.enrol_kiosk(digest("t1"), b"\x03" * 32, digest("k1"))
    assert kiosk is not None
    page = client.get("/stations").text
    assert "key made" in page
    assert client.post(f"/stations/kiosks/{kiosk.id}/renew").status_code == 303
    assert "a new one was asked for" in client.get("/stations").text
    assert client.post("/stations/kiosks/nobody/renew").status_code == 404
    assert client.post("/stations/kiosks/nobody/close").status_code == 404
