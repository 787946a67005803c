"""Who may what with whose: every role, every route, one's own object, somebody else's, and one that nobody has.

The matrix is made from the route table. A cell that is not as it should be is printed with all others that are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from checkpoint.web import access
from checkpoint.web.access import ANYONE, KIOSK, ROLES, SAFE, STATION, Rule
from checkpoint.web.routes import TABLE
from kiosk.app import create_app as kiosk_app
from kiosk.station import open_kiosk
from tests.ground import Still
from tests.matrix import CASES, ENDLESS, Ask, Case, path_of, plain
from tests.matrix_world import BASE, BROWSERS, FOREIGN, MISSING, OWN, World, world

ROUTES = [(method, rule) for rule in TABLE for method in rule.methods]
UNKNOWN_METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECTED")


class Cell(NamedTuple):
    """One place of the matrix, and how it came out."""

    method: str
    path: str
    role: str
    whose: str
    wanted: str
    got: str


def printed(cells: list[Cell]) -> str:
    """The cells as a table to be read."""
    rows = [Cell("method", "route", "role", "whose", "wanted", "got"), *cells]
    widths = [max(len(row[i]) for row in rows) for i in range(len(Cell._fields))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n" + "\n".join(lines)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = world(tmp_path_factory.mktemp("matrix"))
    yield found
    found.store.close()


def case_of(method: str, rule: Rule) -> Case:
    """How a route is asked. One that is only read and names nothing needs no word of its own."""
    found = CASES.get((method, rule.path))
    if found is None and method == "GET" and "{" not in rule.path:
        return plain()
    assert found is not None, f"{method} {rule.path}: declare in tests/matrix.py how it is asked, and whose its objects are"
    return found


def request(ground: World, method: str, rule: Rule, role: str, ask: Ask, **headers: str) -> Any:
    """Ask as a role; a browser's requests come from our own pages."""
    mine = {"sec-fetch-site": "same-origin"} if role in BROWSERS else {}
    got = ground.as_(role).request(method, path_of(rule.path, ask), headers=mine | headers, **ask.send)
    if "set-cookie" in got.headers or method == "DELETE":
        ground.clients.pop(role)  # a sign-out, another phone's mark: the next request is again from whom it says
    return got


def named(answer: Any, ask: Ask) -> Any:
    """A refusal without what was asked for in it: the same for what is hidden and for what does not exist."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return answer.status_code
    said = answer.json()
    text = json.dumps({key: said.get(key) for key in ("type", "title", "status", "detail")}, ensure_ascii=False)
    return text.replace(ask.path, "…") if ask.path else text


def test_every_route_says_how_it_is_asked_and_whose_its_objects_are() -> None:
    """A route that names an object, or changes anything, is declared; what is declared exists."""
    undeclared = [
        f"{method} {rule.path}"
        for method, rule in ROUTES
        if (method, rule.path) not in CASES and (method != "GET" or "{" in rule.path)
    ]
    assert undeclared == [], "declare them in tests/matrix.py: how each is asked, and whose its objects are"
    assert set(CASES) <= {(method, rule.path) for method, rule in ROUTES}, "declared, and no longer a route"
    for (method, path), case in CASES.items():
        rule = next(rule for m, rule in ROUTES if (m, rule.path) == (method, path))
        assert case.hidden <= set(rule.who), (
            f"{method} {path}: hidden from {sorted(case.hidden - set(rule.who))}, who may not come at all"
        )


@pytest.mark.parametrize("role", ROLES)
def test_who_is_not_named_does_not_pass(ground: World, role: str) -> None:
    """401 for nobody, 403 for whoever is somebody else; and with no word of whether there is such an object."""
    wrong = []
    for method, rule in ROUTES:
        if role in rule.who or ANYONE in rule.who:
            continue
        for whose in (OWN, MISSING):
            ask = Ask("x") if whose == MISSING else case_of(method, rule).ask(ground, _other(rule), OWN)
            got = request(ground, method, rule, role, ask)
            wanted = "401 sign-in" if role == ANYONE else "403 not-yours"
            said = f"{got.status_code} {_kind(got)}"
            if said != wanted:
                wrong.append(Cell(method, rule.path, role, whose, wanted, said))
    assert not wrong, printed(wrong)


def _other(rule: Rule) -> str:
    """A role for whom the route's objects are made, when the asking role has none of its own."""
    return min(rule.who)


def _kind(answer: Any) -> str:
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.headers.get("content-type", "")).partition(";")[0]
    return re.split(r"[/#]", answer.json()["type"])[-1]


@pytest.mark.parametrize("role", [role for role in ROLES if role != STATION])
def test_ones_own_is_open_and_somebody_elses_is_as_if_it_were_not(ground: World, role: str) -> None:
    wrong = []
    for method, rule in ROUTES:
        if (role not in rule.who and ANYONE not in rule.who) or rule.path in ENDLESS:
            continue
        case = case_of(method, rule)
        for whose in (OWN, FOREIGN, MISSING) if case.objects or case.hidden else (OWN,):
            if whose == MISSING and not case.objects:
                continue
            ask = case.ask(ground, role, whose)
            before = ground.store.last_number()
            got = request(ground, method, rule, role, ask)
            said = f"{got.status_code} {_kind(got)}"
            if whose == OWN or (whose == FOREIGN and role not in case.hidden):
                fine, wanted = _open(rule, role, got), "open"
            else:
                nobodys = request(ground, method, rule, role, case.ask(ground, role, MISSING)) if case.objects else got
                untouched = case.stands is None or whose == MISSING or case.stands(ground, ask.path)
                refused = got.status_code in (403, 404, 410) or case.stands is not None
                fine = untouched and refused and ground.store.last_number() == before
                fine = fine and named(got, ask) == named(nobodys, case.ask(ground, role, MISSING) if case.objects else ask)
                wanted = "as if it were not"
            if not fine:
                wrong.append(Cell(method, rule.path, role, whose, wanted, said))
    assert not wrong, printed(wrong)


def _open(rule: Rule, role: str, got: Any) -> bool:
    """Whether the gate let somebody through: what they said may still be wrong, and a wrong token or password too."""
    if got.status_code >= 500:
        return rule.path == "/readyz"  # this one is not: nobody started its watch
    if got.status_code in (401, 403, 404):
        # These are not the gate's: a token, a password, a device that is not known; a phone that no pass is bound to.
        return _kind(got) in ("token-used", "wrong-password", "no-device", "no-such-account") or (
            (rule.path in ("/driver", "/metrics") and got.status_code == 403)
            or (rule.path.startswith(("/sign-in", "/confirm")) and got.status_code == 401)
        )
    return True


@pytest.mark.parametrize("role", [role for role in ROLES if role not in (STATION, ANYONE)])
def test_no_answer_tells_of_what_is_somebody_elses(ground: World, role: str) -> None:
    """Lists and pages too: nothing that a role reads holds a mark of another's trucks, passes or results."""
    wrong = []
    for method, rule in ROUTES:
        if method != "GET" or role not in rule.who or rule.path in ENDLESS:
            continue
        for accept in ("text/html", "application/json"):
            ask = case_of(method, rule).ask(ground, role, OWN)
            got = request(ground, method, rule, role, ask, accept=accept)
            told = [mark for mark in ground.marks(role) if mark in got.text]
            if told:
                wrong.append(Cell(method, rule.path, role, "list", "nothing of others", ", ".join(told)))
    assert not wrong, printed(wrong)


def test_the_walk_sees_what_a_coordinator_is_shown(ground: World) -> None:
    """Without this the test above could pass by seeing nothing."""
    seen = ground.as_("coordinator").get("/passes", headers={"accept": "text/html"}).text
    assert all(mark in seen for mark in ground.marks("carrier"))


def test_a_kiosk_speaks_and_hears_for_its_own_station_only(ground: World) -> None:
    own, other = ground.machine(OWN), ground.machine(FOREIGN)
    case = CASES["POST", "/api/v1/facts"]
    for whose, held in ((OWN, 1), (FOREIGN, 0)):
        answer = ground.as_(KIOSK).post("/api/v1/facts", content=case.ask(ground, KIOSK, whose).send["content"]).json()
        assert (len(answer["held"]), len(answer["set_aside"])) == (held, 1 - held), whose
    told = ground.as_(KIOSK).get("/api/v1/feed?after=0&limit=2000").json()
    plate = ground.of("plate", OWN, "carrier")
    assert plate in json.dumps(told, ensure_ascii=False), "the trucks of its loop"
    ground.as_(KIOSK)
    headers = {"authorization": f"Bearer {other.enrolment.bearer}"}
    elsewhere = ground.as_(ANYONE).get("/api/v1/feed?after=0&limit=2000", headers=headers).json()
    assert plate not in json.dumps(elsewhere, ensure_ascii=False), "a station of another loop hears nothing of them"
    assert elsewhere["people"] == []
    assert (told["kiosk"], elsewhere["kiosk"]) == (own.enrolment.kiosk, other.enrolment.kiosk)


def test_a_driver_sees_the_own_pass_and_nothing_of_anothers(ground: World) -> None:
    mine, _ = ground.bound(OWN)
    theirs, _ = ground.bound(FOREIGN)
    for path in ("/driver", "/driver/card", "/driver/sheet", "/driver/live"):
        page = ground.as_("driver").get(path, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert theirs not in page.text
    assert mine in ground.as_("driver").get("/driver", headers={"accept": "text/html"}).text


# -- a truck that changed hands ---------------------------------------------------------------------------------------


def test_a_truck_that_changed_hands_shows_each_carrier_its_own_laps(tmp_path: Path) -> None:
    ground = World.empty(tmp_path)
    plate, first = ground.truck(OWN, hours=1)
    ground.clock.forward(hours=2)
    _, second = ground.truck(FOREIGN, plate)
    theirs = ground.house.watch.look(plate).view.journeys[-1]
    assert (theirs.pass_id, len(ground.house.watch.look(plate).view.journeys)) == (second, 2)
    mine = ground.as_("carrier")
    wrong = []
    for path in (
        "/", "/board/live", "/passes", f"/vehicles/{plate}", f"/vehicles/{plate}/plan.json", "/api/v1/vehicles",
        "/api/v1/journeys", "/api/v1/warnings", "/api/v1/passes",
    ):  # fmt: skip
        for accept in ("text/html", "application/json"):
            got = mine.get(path, headers={"accept": accept})
            if got.status_code != 200 or second in got.text or "欧阳陌" in got.text or theirs.id in got.text:
                wrong.append(Cell("GET", path, "carrier", "handed on", "own laps only", str(got.status_code)))
    assert not wrong, printed(wrong)
    assert first in mine.get("/passes", headers={"accept": "text/html"}).text
    assert "已装货" not in mine.get(f"/vehicles/{plate}?journey={theirs.id}", headers={"accept": "text/html"}).text
    for path in (f"/vehicles/{plate}?journey={theirs.id}", f"/journeys/{theirs.id}", f"/api/v1/journeys/{theirs.id}"):
        assert mine.get(path).status_code == 404, path
    assert plate not in mine.get("/board/live", headers={"accept": "text/html"}).text, "it drives for another now"
    both = ground.as_("coordinator").get(f"/vehicles/{plate}", headers={"accept": "text/html"}).text
    assert second in both
    ground.store.close()


# -- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["coordinator", "carrier", "laboratory"])
@pytest.mark.parametrize("writes", [True, False])
def test_a_programs_token_opens_the_api_of_its_role_and_no_page(ground: World, role: str, writes: bool) -> None:
    wrong = []
    program = ground.program(role, writes=writes)
    for method, rule in ROUTES:
        if rule.path in ENDLESS or ANYONE in rule.who:
            continue
        ask = case_of(method, rule).ask(ground, role if role in rule.who else _other(rule), OWN)
        got = program.request(method, path_of(rule.path, ask), **ask.send)
        said = f"{got.status_code} {_kind(got)}"
        if role not in rule.who:
            wanted = "403 not-yours"
        elif not rule.path.startswith("/api/"):
            wanted = "403 token-pages"
        elif method not in SAFE and not writes:
            wanted = "403 token-reads"
        elif rule.step_up:
            wanted = "403 token-step-up"
        else:
            wanted = "open"
        if said != wanted and (wanted != "open" or not _open(rule, role, got)):
            wrong.append(Cell(method, rule.path, f"{role}'s program", OWN, wanted, said))
    assert not wrong, printed(wrong)


# -- a fresh proof ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", BROWSERS)
def test_what_wants_a_fresh_proof_is_refused_without_one(ground: World, role: str) -> None:
    stale = TestClient(ground.app, base_url=BASE, headers={"accept": "application/json"}, follow_redirects=False)
    stale.cookies.set(access.cookie_name(ground.house, role), ground.session(role, proved=False))
    wrong = []
    for method, rule in ROUTES:
        if (rule.step_up or rule.step_up_people) and role in rule.who:
            ask = case_of(method, rule).ask(ground, role, OWN)
            before = ground.store.last_number()
            got = stale.request(method, path_of(rule.path, ask), **ask.send)
            said = f"{got.status_code} {_kind(got)}"
            if said != "403 step-up" or ground.store.last_number() != before:
                wrong.append(Cell(method, rule.path, role, "no fresh proof", "403 step-up", said))
    assert not wrong, printed(wrong)


# -- other sites, other methods ---------------------------------------------------------------------------------------

ELSEWHERE = (
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}, {"origin": "null"},
)  # fmt: skip


def test_no_other_site_changes_anything_in_anybodys_name(ground: World) -> None:
    wrong = []
    for method, rule in ROUTES:
        if method in SAFE:
            continue
        for role in sorted(set(rule.who) - {KIOSK}):  # a kiosk's key is no cookie: no site can send it
            ask, client = case_of(method, rule).ask(ground, role, OWN), ground.as_(role)  # a driver's first visit is a fact
            before = ground.store.last_number()
            for headers in ELSEWHERE:
                got = client.request(method, path_of(rule.path, ask), headers=headers, **ask.send)
                said = f"{got.status_code} {_kind(got)}"
                if said != "403 other-site" or ground.store.last_number() != before:
                    wrong.append(Cell(method, rule.path, role, str(headers), "403 other-site", said))
    assert not wrong, printed(wrong)


def test_what_is_no_method_of_a_route_is_refused_whoever_asks(ground: World) -> None:
    wrong = []
    for path in sorted({rule.path for rule in TABLE}):
        known = {method for method, rule in ROUTES if rule.path == path}
        rule = next(rule for rule in TABLE if rule.path == path)
        for role in (ANYONE, min(rule.who)):
            for method in {*UNKNOWN_METHODS, "GET", "POST"} - known:
                got = ground.as_(role).request(method, path_of(path, Ask("x")))
                if got.status_code not in (404, 405) or (got.status_code == 404 and "{" not in path):
                    wrong.append(Cell(method, path, role, "-", "405", str(got.status_code)))
    assert not wrong, printed(wrong)


def test_a_head_is_let_in_as_the_get_is_and_tells_no_more(ground: World) -> None:
    wrong = []
    for method, rule in ROUTES:
        if method != "GET" or rule.path in ENDLESS:
            continue
        for role in (ANYONE, min(rule.who)):
            ask = case_of(method, rule).ask(ground, _other(rule), OWN)
            full, head = request(ground, "GET", rule, role, ask), request(ground, "HEAD", rule, role, ask)
            if (full.status_code, head.content) != (head.status_code, b""):
                wrong.append(Cell("HEAD", rule.path, role, "-", str(full.status_code), str(head.status_code)))
    assert not wrong, printed(wrong)


# -- the kiosk's own page ---------------------------------------------------------------------------------------------


def test_the_kiosks_page_answers_this_machines_own_page_and_nobody_else(tmp_path: Path) -> None:
    """Every route of it: not by a name that is not this machine's (DNS rebinding), not when another site set it off."""
    kiosk = open_kiosk(tmp_path, Still())
    app = kiosk_app(kiosk, start_link=False)
    routes = [(method, route.path) for route in app.routes if isinstance(route, Route) for method in route.methods or ()]
    assert len(routes) > 10
    wrong = []
    with TestClient(app, base_url="http://localhost:8100") as page:
        for method, path in [*routes, ("GET", "/static/kiosk/kiosk.js"), ("GET", "/nowhere")]:
            for host in ("evil.example", "localhost.evil.example", "192.0.2.1:8100", ""):
                got = page.request(method, path, headers={"host": host})
                if got.status_code != 403:
                    wrong.append(Cell(method, path, "browser", f"host {host}", "403", str(got.status_code)))
            for headers in ELSEWHERE if method not in SAFE else ():
                got = page.request(method, path, headers=headers)
                if got.status_code != 403:
                    wrong.append(Cell(method, path, "browser", str(headers), "403", str(got.status_code)))
            known = {m for m, p in routes if p == path}
            for other in sorted({*UNKNOWN_METHODS, "POST"} - known):
                got = page.request(other, path)
                if got.status_code not in (404, 405):
                    wrong.append(Cell(other, path, "browser", "-", "405", str(got.status_code)))
    kiosk.close()
    assert not wrong, printed(wrong)


def test_a_wrong_cell_is_printed_with_all_it_is(ground: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix can fail: a route that forgets whose a pass is, is found and named."""
    monkeypatch.setattr("checkpoint.web.passes._carrier", lambda _: None)
    with pytest.raises(AssertionError) as found:
        test_ones_own_is_open_and_somebody_elses_is_as_if_it_were_not(ground, "carrier")
    rows = str(found.value)
    assert re.search(r"GET +/passes/\{pass_id\} +carrier +foreign +as if it were not +200", rows)
    assert "/vehicles/" not in rows
    with pytest.raises(AssertionError, match="nothing of others"):
        test_no_answer_tells_of_what_is_somebody_elses(ground, "carrier")
