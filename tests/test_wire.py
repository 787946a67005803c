"""The wire between kiosk and server: exact bytes up, and down what the station's loops concern, and nothing of anybody else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from checkpoint.core.facts import (
    AntigenRead,
    DeviceBound,
    Fact,
    HelpCalled,
    ResultReported,
    Scanned,
    Shown,
    SwabTaken,
    Voided,
    encode,
)
from checkpoint.granting import Granted
from checkpoint.store import Store
from checkpoint.web.access import digest
from checkpoint.web.app import create_app
from checkpoint.wish import Person
from tests.ground import ID_NUMBER, LOOP, T0, Still, document, publish, store_in, wish

OTHER_LOOP = "ningbo-suzhou"
SHOWN = Shown(word="GO", reasons=("in-order",), next_step="drive-on")


class AtStation:
    """A kiosk as the wire sees it: a key, a chain of facts, and the exact bytes it sends."""

    def __init__(self, client: TestClient, station: str) -> None:
        self.client, self.signing = client, Ed25519PrivateKey.generate()
        house = client.app.state.house  # type: ignore[attr-defined]
        house.store.registry.add_kiosk(station, digest(f"token-{station}"), house.now() + timedelta(days=1))
        body = {"token": f"token-{station}", "public_key": self.signing.public_key().public_bytes_raw().hex()}
        enrolled = client.post("/api/v1/enrol", json=body).json()
        self.kiosk, self.station = enrolled["kiosk"], enrolled["station"]
        self.headers = {"Authorization": f"Bearer {enrolled['key']}"}
        self.prev, self.seq = "00" * 32, 0

    def link(self, raw: bytes) -> bytes:
        """The next link of the chain, as JSON, with the fact's own bytes in it."""
        self.seq += 1
        own = hashlib.sha256(bytes.fromhex(self.prev) + self.seq.to_bytes(8) + raw).hexdigest()
        made = b'{"seq":%d,"prev":"%s","hash":"%s","fact":%s}' % (self.seq, self.prev.encode(), own.encode(), raw)
        self.prev = own
        return made

    def send(self, *links: bytes) -> Any:
        """Send links under the signed head of the chain."""
        signature = self.signing.sign(f"{self.kiosk}|{self.seq}|{self.prev}".encode()).hex()
        head = json.dumps({"seq": self.seq, "hash": self.prev, "signature": signature}).encode()
        body = b'{"entries":[' + b",".join(links) + b'],"head":' + head + b',"sent_at":"2026-05-03T02:00:00Z"}'
        return self.client.post("/api/v1/facts", content=body, headers=self.headers | {"Content-Type": "application/json"})

    def scan(self, name: str) -> bytes:
        what = Scanned(digest="0" * 32, medium="screen", shown=SHOWN, vehicle="浙C12345")
        return encode(Fact(id=name, at=T0, witness=f"kiosk:{self.kiosk}", what=what, station=self.station))

    def feed(self, after: int = 0, limit: int = 500) -> Any:
        answered = self.client.get(f"/api/v1/feed?after={after}&limit={limit}", headers=self.headers)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def told(self, after: int = 0, limit: int = 500) -> tuple[dict[str, Any], int]:
        """Everything the feed tells from a cursor to its end, by the facts' ids; and the cursor then."""
        found: dict[str, Any] = {}
        while True:
            page = self.feed(after, limit)
            found |= {told["fact"]["id"]: told for told in page["facts"]}
            after = page["cursor"]
            if not page["more"]:
                return found, after


@pytest.fixture
def store(tmp_path: Path, clock: Still) -> Iterator[Store]:
    store = store_in(tmp_path, clock)
    elsewhere = [s | {"id": "elsewhere" if s["id"] == "panqiao" else s["id"]} for s in document()["stations"]]
    publish(store, id=OTHER_LOOP, stations=elsewhere, origin="elsewhere")
    yield store
    store.close()


@pytest.fixture
def client(store: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(store, clock)) as client:
        yield client


@pytest.fixture
def kiosk(client: TestClient) -> AtStation:
    return AtStation(client, "panqiao")


def granted(client: TestClient, **changes: Any) -> Granted:
    office = client.app.state.house.office  # type: ignore[attr-defined]
    done: Granted = office.grant(office.request(wish(**changes), by="a"), by="c")
    return done


# -- up -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spaces", ["", " ", "\n\t "])
def test_the_bytes_that_were_hashed_are_the_bytes_that_are_held(kiosk: AtStation, store: Store, spaces: str) -> None:
    written = kiosk.scan("scan-1").replace(b',"', f',{spaces}"'.encode()).replace(b'":', f'":{spaces}'.encode())
    answered = kiosk.send(kiosk.link(written)).json()
    assert (answered["held"], answered["set_aside"]) == (["scan-1"], [])
    recorded = store.fact("scan-1")
    assert recorded is not None
    assert recorded.raw == written
    assert store.verify().ok


def test_an_answer_that_was_lost_is_given_again(kiosk: AtStation, store: Store) -> None:
    links = [kiosk.link(kiosk.scan(f"scan-{n}")) for n in range(5)]
    assert kiosk.send(*links).json()["held"] == [f"scan-{n}" for n in range(5)]
    before = store.last_number()
    assert kiosk.send(*links).json()["held"] == [f"scan-{n}" for n in range(5)]
    assert store.last_number() == before


def test_one_that_cannot_be_read_blocks_none_behind_it(kiosk: AtStation, store: Store) -> None:
    odd = b'{"id":"odd","what":{"kind":"Levitated"}}'
    answered = kiosk.send(kiosk.link(kiosk.scan("a")), kiosk.link(odd), kiosk.link(kiosk.scan("b"))).json()
    assert answered["held"] == ["a", "b"]
    [aside] = answered["set_aside"]
    assert (aside["id"], aside["seq"], aside["why"]) == ("odd", 2, "malformed")
    assert answered["gaps"] == []
    assert store.verify().ok


def test_a_gap_is_told(kiosk: AtStation) -> None:
    first, second, third = (kiosk.link(kiosk.scan(f"scan-{n}")) for n in range(3))
    assert kiosk.send(first, third).json()["gaps"] == [{"first": 2, "last": 2}]
    assert kiosk.send(second).json()["gaps"] == []


def test_a_changed_byte_is_not_held_as_the_fact(kiosk: AtStation, store: Store) -> None:
    link = kiosk.link(kiosk.scan("scan-1")).replace("浙C12345".encode(), "浙C54321".encode())
    answered = kiosk.send(link).json()
    assert answered["held"] == []
    assert answered["set_aside"][0]["why"] == "hash-wrong"


def test_a_head_that_another_signed_is_refused_whole(kiosk: AtStation, client: TestClient, store: Store) -> None:
    before = store.last_number()
    link = kiosk.link(kiosk.scan("scan-1"))
    kiosk.signing = Ed25519PrivateKey.generate()
    answered = kiosk.send(link)
    assert answered.status_code == 400
    assert answered.json()["errors"][0]["path"] == "$.head.signature"
    assert store.last_number() == before


def test_nobody_speaks_for_another_kiosk(client: TestClient, kiosk: AtStation) -> None:
    other = AtStation(client, "sampling-1")
    answered = kiosk.send(kiosk.link(other.scan("scan-1"))).json()
    assert answered["set_aside"][0]["why"] == "other-witness"


# -- down -----------------------------------------------------------------------------------------------------------------


def test_a_station_is_told_its_loops_facts_in_the_bytes_that_are_held(client: TestClient, kiosk: AtStation, store: Store) -> None:
    done = granted(client)
    answered = client.get("/api/v1/feed", headers=kiosk.headers)
    grant = next(r for r in store.recorded_of(f"pass:{done.pass_id}"))
    assert grant.raw in answered.content
    assert "loop-" + LOOP + "-1" in kiosk.told()[0]


def test_a_station_is_told_nothing_of_another_loops_people(client: TestClient, kiosk: AtStation) -> None:
    ours = granted(client)
    theirs = granted(client, vehicle="沪B99999", loop=OTHER_LOOP, crew=(Person(name="外人"),))
    text = client.get("/api/v1/feed", headers=kiosk.headers).text
    assert ours.pass_id in text
    for foreign in (theirs.pass_id, "沪B99999", "外人", OTHER_LOOP):
        assert foreign not in text


def test_requests_and_devices_stay_at_the_desk(client: TestClient, kiosk: AtStation, store: Store) -> None:
    granted(client)
    bound = DeviceBound(device="secret-device", vehicle="浙C12345")
    store.record(Fact(id="bound", at=T0, witness="desk:c", what=bound))
    text = client.get("/api/v1/feed", headers=kiosk.headers).text
    assert "secret-device" not in text
    assert "PassRequested" not in text


def test_names_come_with_the_feed_and_numbers_do_not(client: TestClient, kiosk: AtStation) -> None:
    granted(client)
    page = client.get("/api/v1/feed", headers=kiosk.headers)
    assert {person["name"] for person in page.json()["people"]} == {"张三", "李四"}
    for secret in (ID_NUMBER, "13800138000"):
        assert secret not in page.text


def test_the_feed_has_the_keys_that_passes_are_read_with(client: TestClient, kiosk: AtStation, store: Store) -> None:
    granted(client)
    issuers = {issuer["key_id"]: issuer["public_key"] for issuer in kiosk.feed()["issuers"]}
    assert issuers == {key: k.public_bytes_raw().hex() for key, k in store.registry.trusted_keys().items()}


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_read_page_by_page_the_feed_tells_the_same(client: TestClient, kiosk: AtStation, store: Store, limit: int) -> None:
    eventful(client, store)
    assert set(kiosk.told(limit=limit)[0]) == set(kiosk.told(limit=2000)[0])


def eventful(client: TestClient, store: Store) -> str:
    """A driver swabbed before anybody granted a pass, a result, a correction; then the pass."""
    person = store.registry.add_person("张三", id_number=ID_NUMBER).id
    taken = SwabTaken(specimen="S1", person=person, test="pcr", tube="T1")
    mate = SwabTaken(specimen="S2", person="p-stranger", test="pcr", tube="T1", pooled=True)
    told = ResultReported(test="pcr", result="negative", laboratory="lab", tube="T1")
    read = AntigenRead(specimen="S9", person="p-nobody", result="negative")
    hours = iter(range(20, 0, -1))
    void = Voided(target="told", reason="typo")
    for name, what in (("swab", taken), ("mate", mate), ("told", told), ("foreign", read), ("void-told", void)):
        store.record(Fact(id=name, at=T0 - timedelta(hours=next(hours)), witness="desk:x", station="elsewhere", what=what))
    granted(client, crew=(Person(name="张三", id_number=ID_NUMBER),))
    store.record(Fact(id="help", at=T0, witness="phone:x", what=HelpCalled(person=person, vehicle="浙C12345")))
    return person


def test_what_came_to_concern_the_loop_later_is_told_to_who_had_read_past_it(
    client: TestClient, kiosk: AtStation, store: Store
) -> None:
    granted(client, vehicle="浙C00001", crew=(Person(name="甲"),))
    person = store.registry.add_person("张三", id_number=ID_NUMBER).id
    taken = SwabTaken(specimen="S1", person=person, test="pcr", tube="T1")
    told = ResultReported(test="pcr", result="positive", laboratory="lab", tube="T1")
    store.record(Fact(id="swab", at=T0 - timedelta(hours=9), witness="desk:x", station="elsewhere", what=taken))
    store.record(Fact(id="told", at=T0 - timedelta(hours=2), witness="lab:x", what=told))
    before, cursor = kiosk.told()
    assert not {"swab", "told"} & set(before)
    granted(client, crew=(Person(name="张三", id_number=ID_NUMBER),))
    late, _ = kiosk.told(cursor)
    assert {"swab", "told"} <= set(late)
    recorded = store.fact("swab")
    assert recorded is not None
    assert late["swab"]["number"] == recorded.number


def test_a_correction_follows_what_it_corrects(client: TestClient, kiosk: AtStation, store: Store) -> None:
    eventful(client, store)
    told = kiosk.told()[0]
    assert {"swab", "mate", "told", "void-told", "help"} <= set(told)
    assert "foreign" not in told


def test_the_cursor_never_goes_back(client: TestClient, kiosk: AtStation, store: Store) -> None:
    eventful(client, store)
    _, cursor = kiosk.told()
    assert cursor == store.last_number()
    page = kiosk.feed(cursor)
    assert (page["facts"], page["cursor"], page["more"]) == ([], cursor, False)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=99999999999999999999", "limit=0", "limit=1e9", "after=１"])
def test_an_odd_cursor_is_no_error_of_ours(kiosk: AtStation, query: str) -> None:
    answered = kiosk.client.get(f"/api/v1/feed?{query}", headers=kiosk.headers)
    assert answered.status_code == 200
