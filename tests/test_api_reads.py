"""What an office's program reads: its own and nothing else, page by page to the last, and not again when nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import Fact, ResultReported
from checkpoint.core.rules import ABOUT_TESTS
from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.app import create_app
from tests.desk import Desk, desk
from tests.fleet import NOW
from tests.ground import LOOP, T0, Still
from tests.places import Place

Get = Callable[..., Any]
OURS, THEIRS = "瓯海冷链", "平阳物流"
PLATES = [f"浙C1000{n}" for n in range(7)]


@pytest.fixture
def client(store: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(store, clock, public_url="https://loop.example"), base_url="https://loop.example") as client:
        yield client


def calling(client: TestClient, role: str, who: str = "") -> Callable[..., Any]:
    """Requests as somebody."""
    house = client.app.state.house  # type: ignore[attr-defined]
    token = access.open_session(house, role=role, who=who or role, name="测试")

    def call(path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {token}", "Accept-Language": "en"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        address = path if path.startswith("https:") else f"/api/v1{path}"
        return client.get(address, headers=sent) if body is None else client.post(address, json=body, headers=sent)

    return call


def wish(plate: str, carrier: str = OURS) -> dict[str, Any]:
    return {
        "carrier": carrier,
        "vehicle": plate,
        "crew": [{"name": f"司机{plate[-1]}"}],
        "loop": LOOP,
        "not_before": T0.isoformat(),
        "expires": (T0 + timedelta(days=3)).isoformat(),
    }


@pytest.fixture
def asked(client: TestClient, clock: Still) -> dict[str, str]:
    """Seven requests, an hour apart, every second of them another carrier's; the first four granted, the fifth refused."""
    coordinator, found = calling(client, "coordinator"), {}
    for n, plate in enumerate(PLATES):
        found[plate] = coordinator("/pass-requests", wish(plate, THEIRS if n % 2 else OURS)).json()["request"]
        if n < 4:
            assert coordinator(f"/pass-requests/{found[plate]}/grant", {}).status_code == 200
        if n == 4:
            assert coordinator(f"/pass-requests/{found[plate]}/refuse", {"reason": "名额已满"}).status_code == 200
        clock.forward(hours=1)
    return found


def walked(get: Get, path: str) -> list[dict[str, Any]]:
    """A list from its first page to its last."""
    found: list[dict[str, Any]] = []
    while True:
        answered = get(path)
        assert answered.status_code == 200, answered.text
        page = answered.json()
        found += page["items"]
        if page["next"] is None:
            assert "link" not in answered.headers
            return found
        assert answered.headers["link"] == f'<{page["next"]}>; rel="next"'
        path = page["next"]


# -- whose --------------------------------------------------------------------------------------------------------------


def test_a_carrier_reads_its_own_requests_and_passes_and_no_others(client: TestClient, asked: dict[str, str]) -> None:
    own, everybody = calling(client, "carrier", OURS), calling(client, "coordinator")
    ours, all_of_them = PLATES[::2], PLATES
    assert [r["vehicle"] for r in walked(own, "/pass-requests")] == ours
    assert [r["vehicle"] for r in walked(everybody, "/pass-requests")] == all_of_them
    assert [p["vehicle"] for p in walked(own, "/passes")] == PLATES[0:4:2]
    assert [p["vehicle"] for p in walked(everybody, "/passes")] == PLATES[:4]
    for n, (plate, request) in enumerate(asked.items()):
        assert own(f"/pass-requests/{request}").status_code == (404 if n % 2 else 200), plate
    for found in walked(everybody, "/passes"):
        assert own(f"/passes/{found['pass_id']}").status_code == (200 if found["carrier"] == OURS else 404)


def test_what_became_of_a_request_is_told(client: TestClient, asked: dict[str, str]) -> None:
    own = calling(client, "carrier", OURS)
    states = {r["vehicle"]: (r["state"], r["reason"], bool(r["pass_id"])) for r in walked(own, "/pass-requests")}
    assert states == {
        PLATES[0]: ("granted", None, True),
        PLATES[2]: ("granted", None, True),
        PLATES[4]: ("refused", "名额已满", False),
        PLATES[6]: ("waiting", None, False),
    }
    one = own(f"/pass-requests/{asked[PLATES[0]]}").json()
    assert one["crew"][0]["name"] == "司机0"
    granted = own(f"/passes/{one['pass_id']}").json()
    assert (granted["vehicle"], granted["request"], granted["state"]) == (PLATES[0], one["request"], "counting")


def test_a_laboratory_reads_what_it_handed_in(client: TestClient, clock: Still) -> None:
    lab, other = calling(client, "laboratory", "区疾控"), calling(client, "laboratory", "市疾控")
    good = {"accession": "A1", "test": "pcr", "result": "negative", "tube": "T1", "reported_at": T0.isoformat()}
    taken = lab("/lab/results", {"results": [good, good, good | {"accession": "A2", "result": "blue"}]}).json()["results"]
    assert [r["state"] for r in taken] == ["held", "repeated", "aside"]
    [held] = walked(lab, "/lab/results")
    assert (held["accession"], held["state"], held["result"], held["tube"]) == ("A1", "held", "negative", "T1")
    assert held["id"] == taken[0]["id"]
    [aside] = walked(lab, "/lab/results?state=aside")
    assert (aside["accession"], aside["why"], aside["result"]) == ("A2", "malformed", None)
    assert walked(lab, "/lab/results?accession=A1") == [held]
    assert walked(lab, "/lab/results?accession=A9") == []
    assert lab(f"/lab/results/{held['id']}").json() == held
    assert walked(other, "/lab/results") == walked(other, "/lab/results?state=aside") == []
    assert other(f"/lab/results/{held['id']}").status_code == 404
    assert lab(f"/lab/results/loop-{LOOP}-1").status_code == 404, "another witness's fact is no result"


# -- pages and filters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_page_by_page_a_list_is_the_same(client: TestClient, asked: dict[str, str], limit: int) -> None:
    get = calling(client, "coordinator")
    assert [r["vehicle"] for r in walked(get, f"/pass-requests?limit={limit}")] == PLATES
    first = get(f"/pass-requests?limit={limit}").json()
    assert len(first["items"]) == min(limit, len(PLATES))


def test_what_comes_while_somebody_reads_comes_behind(client: TestClient, asked: dict[str, str]) -> None:
    get = calling(client, "coordinator")
    first = get("/pass-requests?limit=5").json()
    get("/pass-requests", wish("浙C20000"))
    rest = walked(get, first["next"])
    assert [r["vehicle"] for r in first["items"] + rest] == [*PLATES, "浙C20000"]


def test_a_reissued_pass_is_listed_once(client: TestClient, asked: dict[str, str]) -> None:
    get = calling(client, "coordinator")
    first = walked(get, "/passes")[0]
    get(f"/passes/{first['pass_id']}/reissue", {})
    again = walked(get, "/passes")
    assert sorted(p["pass_id"] for p in again) == sorted({p["pass_id"] for p in again})
    assert {p["pass_id"]: p["generation"] for p in again}[first["pass_id"]] == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=waiting", PLATES[5:]),
        ("state=granted", PLATES[:4]),
        ("state=refused", [PLATES[4]]),
        (f"vehicle={PLATES[3]}", [PLATES[3]]),
        ("since=2026-05-03T06:00:00Z", PLATES[4:]),
        ("since=2026-05-03T14:00:00+08:00", PLATES[4:]),
        ("since=2026-05-03T14:00:00%2B08:00&state=waiting", PLATES[5:]),
        ("lang=zh&state=refused", [PLATES[4]]),
    ],
)
def test_a_filter_leaves_what_fits(client: TestClient, asked: dict[str, str], query: str, found: list[str]) -> None:
    get = calling(client, "coordinator")
    for limit in (1, 50):
        assert [r["vehicle"] for r in walked(get, f"/pass-requests?limit={limit}&{query}")] == found


def test_passes_are_found_by_how_they_stand(client: TestClient, asked: dict[str, str], clock: Still) -> None:
    get = calling(client, "coordinator")
    first, *others = walked(get, "/passes")
    get(f"/passes/{first['pass_id']}/revoke", {"reason": "换车"})
    [revoked] = walked(get, "/passes?state=revoked")
    assert (revoked["pass_id"], revoked["revoked_reason"]) == (first["pass_id"], "换车")
    assert walked(get, "/passes?state=counting") == others
    clock.at = T0 + timedelta(days=3)
    assert [p["pass_id"] for p in walked(calling(client, "coordinator"), "/passes?state=over")] == [p["pass_id"] for p in others]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "$.limit"),
        ("limit=201", "$.limit"),
        ("limit=x", "$.limit"),
        ("state=lost", "$.state"),
        ("since=yesterday", "$.since"),
        ("since=2026-05-03T06:00:00", "$.since"),
        ("stat=waiting", "$"),
        ("limit=1&limit=2", "$.limit"),
        ("cursor=nonsense", "$.cursor"),
        ("cursor=WzFd!", "$.cursor"),
        ("cursor=Wy0xXQ", "$.cursor"),
        ("cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTldXQ", "$.cursor"),
        ("cursor=" + "x" * 201, "$.cursor"),
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_query_that_cannot_be_meant_is_refused_with_its_name(client: TestClient, query: str, path: str, lang: str) -> None:
    refused = calling(client, "coordinator")(f"/pass-requests?{query}", Accept_Language=lang)
    assert refused.status_code == 400, refused.text
    [wrong] = refused.json()["errors"]
    assert wrong["path"] == path
    assert any("一" <= c <= "鿿" for c in wrong["what"]) == (lang == "zh"), wrong["what"]


# -- not again when nothing changed -------------------------------------------------------------------------------------


def test_whoever_has_the_answer_is_told_so_until_it_changes(client: TestClient, asked: dict[str, str]) -> None:
    get = calling(client, "coordinator")
    client.app.state.house.watch.settle()  # type: ignore[attr-defined] # what is judged meanwhile would be news
    for path in ("/pass-requests", f"/pass-requests/{asked[PLATES[6]]}", "/passes", "/journeys", "/warnings", "/vehicles"):
        tag = get(path).headers["etag"]
        for held in (tag, f'"other", {tag}', "*", f"W/{tag.removeprefix('W/')}"):
            again = get(path, If_None_Match=held)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        assert get(path, If_None_Match='"other"').status_code == 200
    tag = get(f"/pass-requests/{asked[PLATES[6]]}").headers["etag"]
    get(f"/pass-requests/{asked[PLATES[6]]}/refuse", {"reason": "重复"})
    assert get(f"/pass-requests/{asked[PLATES[6]]}", If_None_Match=tag).status_code == 200


def test_when_a_single_thing_last_changed_is_said(client: TestClient, asked: dict[str, str], clock: Still) -> None:
    get, path = calling(client, "coordinator"), f"/pass-requests/{asked[PLATES[6]]}"
    at = T0 + timedelta(hours=6)
    assert get(path).headers["last-modified"] == format_datetime(at, usegmt=True)
    assert get(path, If_Modified_Since=format_datetime(at, usegmt=True)).status_code == 304
    earlier = format_datetime(at - timedelta(seconds=1), usegmt=True)
    assert get(path, If_Modified_Since=earlier).status_code == 200
    assert get(path, If_Modified_Since="some day").status_code == 200
    assert get(path, If_Modified_Since=format_datetime(at, usegmt=True), If_None_Match='"x"').status_code == 200


def test_the_clock_alone_is_no_news(client: TestClient, asked: dict[str, str], clock: Still) -> None:
    get = calling(client, "coordinator")
    client.app.state.house.watch.settle()  # type: ignore[attr-defined]
    first = get("/vehicles")
    clock.forward(seconds=1)
    assert first.json()["server_time"] != calling(client, "coordinator")("/vehicles").json()["server_time"]
    assert get("/vehicles", If_None_Match=first.headers["etag"]).status_code == 304


# -- trucks -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("fleet")) as found:
        yield found


def reading(fleet: Desk, role: str, who: str = "") -> Get:
    client = fleet.nobody()
    token = access.open_session(fleet.house, role=role, who=who or role)

    def get(path: str, **headers: str) -> Any:
        address = path if path.startswith("http") else f"/api/v1{path}"
        return client.get(address, headers={"authorization": f"Bearer {token}", "accept": "*/*", "accept-language": "en"})

    return get


def test_a_carrier_sees_its_own_trucks_journeys_and_warnings(fleet: Desk) -> None:
    everybody, first, second = (
        reading(fleet, "coordinator"),
        reading(fleet, "carrier", "carrier-1"),
        reading(fleet, "carrier", "carrier-2"),
    )
    for path, name in (("/journeys", "journey"), ("/warnings", "warning")):
        seen = {one[name]: one for one in walked(everybody, path)}
        ours = {one[name] for one in walked(first, path)}
        theirs = {one[name] for one in walked(second, path)}
        assert not ours & theirs
        assert ours | theirs == {key for key, one in seen.items() if one.get("kind") not in ABOUT_TESTS}
        for key in seen:
            assert (first(f"{path}/{key}").status_code == 200) == (key in ours)
            assert (second(f"{path}/{key}").status_code == 200) == (key in theirs)
    assert [t["vehicle"] for t in second("/vehicles").json()["vehicles"]] == ["沪A55T21"]
    assert first("/vehicles/沪A55T21").status_code == second("/vehicles/浙C10086").status_code == 404
    assert second("/vehicles/沪A55T21").json()["vehicle"] == "沪A55T21"
    assert len(everybody("/vehicles").json()["vehicles"]) == len(fleet.told.looks)
    nobody = reading(fleet, "carrier", "nobody")
    assert walked(nobody, "/journeys") == walked(nobody, "/warnings") == nobody("/vehicles").json()["vehicles"] == []


def test_a_carrier_is_not_told_of_tests(fleet: Desk) -> None:
    """The positive truck's warning is the coordinator's; the carrier learns by the verdict that it is held."""
    kinds = {w["kind"] for w in walked(reading(fleet, "coordinator"), "/warnings")}
    assert "positive-result" in kinds
    carrier = reading(fleet, "carrier", "carrier-1")
    assert not ABOUT_TESTS & {w["kind"] for w in walked(carrier, "/warnings")}
    told = str([carrier(path).json() for path in ("/vehicles", "/journeys", "/warnings")])
    for kind in ABOUT_TESTS:
        assert f"'{kind}'" not in told
    for health in ("specimen", "antigen", "celsius", "T330304"):
        assert health not in told


def test_a_journey_says_where_it_stands_and_what_the_gate_showed(fleet: Desk) -> None:
    carrier = reading(fleet, "carrier", "carrier-1")
    [waiting] = walked(carrier, "/journeys?vehicle=浙C71K90")
    assert (waiting["state"], waiting["leg"], waiting["at_station"]) == ("open", "inbound", "ouhai-sampling")
    assert waiting["verdict"]["word"] == "HOLD"
    assert waiting["parcels_loaded"] == 640
    assert [v["station"] for v in waiting["visits"]][-1] == "ouhai-sampling"


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/journeys?state=open", lambda j: j["state"] == "open"),
        ("/journeys?state=closed", lambda j: j["state"] == "closed"),
        (f"/journeys?since={(NOW - timedelta(hours=10)).isoformat()}", lambda j: j["opened_at"] >= "2026-05-02T20:30"),
        ("/warnings?colour=red", lambda w: w["colour"] == "red"),
        ("/warnings?kind=silent", lambda w: w["kind"] == "silent"),
        ("/warnings?state=open&colour=yellow", lambda w: (w["state"], w["colour"]) == ("open", "yellow")),
        ("/warnings?vehicle=浙C47T35", lambda w: w["vehicle"] == "浙C47T35"),
    ],
)
def test_trucks_lists_are_filtered_and_paged(fleet: Desk, path: str, fits: Callable[[Any], bool]) -> None:
    get = reading(fleet, "coordinator")
    every = [one for one in walked(get, path.split("?")[0]) if fits(one)]
    assert walked(get, path) == every
    assert walked(get, f"{path}&limit=1") == every


def test_trucks_are_filtered_by_colour_and_state(fleet: Desk) -> None:
    get = reading(fleet, "coordinator")
    every = get("/vehicles").json()["vehicles"]
    red = get("/vehicles?colour=red").json()["vehicles"]
    assert red == [t for t in every if t["colour"] == "red"]
    assert red
    assert get("/vehicles?state=resting").json()["vehicles"] == [t for t in every if t["state"] == "resting"]
    assert get("/vehicles?state=flying").status_code == 400


# -- what lists are made of ---------------------------------------------------------------------------------------------


def test_the_record_is_read_on_from_a_number_on_either_database(place: Place, clock: Still) -> None:
    store = place.open(clock)
    try:
        for n in range(6):
            lab = "lab:甲" if n % 2 else "lab:乙"
            what = ResultReported(test="pcr", result="negative", laboratory=lab[4:], tube=f"T{n}")
            assert store.record(Fact(id=f"r{n}", at=T0, witness=lab, what=what)).held
            store.set_aside(lab, f"odd {n}".encode(), "malformed")
        numbers = [r.number for r in store.facts_of_kind_after(["ResultReported"], 0, 10)]
        assert [r.fact.id for r in store.facts_of_kind_after(["ResultReported"], numbers[1], 2)] == ["r2", "r3"]
        assert store.facts_of_kind_after(["Loaded"], 0, 10) == []
        own = store.facts_told_by("lab:甲", 0, 10)
        assert [r.fact.id for r in own] == ["r1", "r3", "r5"]
        assert [r.fact.id for r in store.facts_told_by("lab:甲", own[0].seq, 1)] == ["r3"]
        aside = store.aside_of("lab:乙", 0, 10)
        assert [a.raw for a in aside] == [b"odd 0", b"odd 2", b"odd 4"]
        assert [a.raw for a in store.aside_of("lab:乙", aside[0].number, 1)] == [b"odd 2"]
    finally:
        store.close()
