"""The addresses that phones send to, over a real socket, fed what no app sends: answered, and nothing kept that should not be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from checkpoint.store import Store
from checkpoint.web.access import COORDINATOR, Caller
from checkpoint.web.app import create_app
from checkpoint.web.devices import new_tracker
from tests.ground import T0, Still, store_in
from tests.served import serving
from tests.test_driver import PLATE, granted

OSMAND = "/api/v1/positions/osmand"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
AT_S = int(T0.timestamp())


class Server(NamedTuple):
    """A server over a socket, its application, its store, and the key of a tracker."""

    address: str
    app: Any
    store: Store
    key: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    clock = Still()
    store = store_in(tmp_path_factory.mktemp("phones"), clock)
    app = create_app(store, clock, public_url="http://127.0.0.1")
    _, found = new_tracker(app.state.house, PLATE, Caller(role=COORDINATOR, who=COORDINATOR))
    with serving(app) as address:
        yield Server(address, app, store, found.key)
    store.close()


def hostile(key: str) -> list[tuple[str, str, bytes]]:
    """Query, content type and body of what no app sends."""
    known = f"id={key}"
    return [
        (known, JSON, b"[" * 100_000),
        (known, JSON, b'{"location":' * 15_000),
        (known, JSON, b'{"location":{"coords":{"latitude":NaN,"longitude":1}}}'),
        (known, JSON, b'{"location":{"coords":{"latitude":1e999,"longitude":1}}}'),
        (known, JSON, b'{"location":{"timestamp":' + b"9" * 5000 + b"}}"),
        (known, JSON, b'{"location":{"alarm":"\\ud800"}}'),
        (known, JSON, b"\xff\xfe\x00"),
        (known, JSON + "; charset=utf-16", b"{}"),
        (known, "text/plain", b"\x00" * 1000),
        (known, "multipart/form-data", b"--x"),
        (f"{known}&lat=%ff&lon=%00&timestamp=%f0%28", "", b""),
        (f"{known}&lat=1e308&lon=-1e308", "", b""),
        (f"{known}&lat=9&lon=2&timestamp=" + "9" * 4000, "", b""),
        (f"{known}&" + "&".join(f"k{n}=1" for n in range(150)), "", b""),
        ("", FORM, f"{known}&lat=nan&lon=inf".encode()),
        ("", FORM, f"{known}&lat=9&lon=2&speed={'9' * 500}&alarm={'x' * 5000}&timestamp={AT_S}".encode()),
    ]


def test_a_device_of_ours_is_answered_whatever_it_sends_and_speaks_on_after_it(server: Server) -> None:
    with httpx.Client(base_url=server.address) as phone:
        for n, (query, kind, body) in enumerate(hostile(server.key)):
            headers = {"Content-Type": kind} if kind else {}
            answer = phone.post(f"{OSMAND}?{query}" if query else OSMAND, content=body, headers=headers)
            assert answer.status_code == 200, (n, answer.text)
            assert server.key not in answer.text
        too_large = phone.post(OSMAND, content=f"id={server.key}&x=".encode() + b"x" * 1_000_000, headers={"Content-Type": FORM})
        assert too_large.status_code == 413
        assert phone.get(f"{OSMAND}?id={server.key}&lat=28&lon=120.6&timestamp={AT_S}").status_code == 200
    assert all(server.key.encode() not in each.raw for each in server.store.aside(500))
    assert {(f.lat, f.lon) for f in server.store.positions(PLATE)} == {(28.0, 120.6), (9.0, 2.0)}


@pytest.mark.parametrize(
    "body", [b"", b"[" * 100_000, b'{"device_id":"\\ud800"}', b'{"device_id":' + b"9" * 5000 + b"}", b"\xff"]
)
def test_what_names_no_device_is_refused_by_what_to_set_in_the_app(server: Server, body: bytes) -> None:
    answer = httpx.post(server.address + OSMAND, content=body, headers={"Content-Type": JSON})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("no-device")


def test_a_drivers_page_is_refused_what_is_no_batch_and_loses_nothing_by_a_bad_one(server: Server) -> None:
    done = granted(server.app)
    with httpx.Client(base_url=server.address, headers={"Sec-Fetch-Site": "same-origin"}) as phone:
        assert phone.get(f"/d/{done.link_token}").status_code == 200
        assert phone.post(f"/d/{done.link_token}").status_code == 303
        headers = {"Content-Type": JSON}
        for body in (b"[" * 100_000, b"{", b'{"fixes":NaN}', b"\xff"):
            assert phone.post("/driver/positions", content=body, headers=headers).status_code == 400
        assert phone.post("/driver/positions", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
        good = json.dumps({"fixed_at": T0.isoformat(), "lat": 28.01, "lon": 120.6, "accuracy_m": 7})
        deep = "[" * 900 + "]" * 900
        bad = (
            '{"lat":1e999}',
            '{"fixed_at":"9999-12-31T23:59:59Z","lat":1,"lon":1}',
            deep,
            '{"lat":' + "9" * 5000 + "}",
            '"\\ud800"',
        )
        for each in bad:
            answer = phone.post("/driver/positions", content=f'{{"fixes":[{each},{good}]}}'.encode(), headers=headers)
            assert answer.status_code in (200, 400), each
        assert phone.post("/driver/positions", content=f'{{"fixes":[{good}]}}'.encode(), headers=headers).status_code == 200
    assert 28.01 in {f.lat for f in server.store.positions(PLATE)}
