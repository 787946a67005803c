"""Badges: made at the desk, checked at a kiosk with no network, taken back; never taken for a pass, nor a pass for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from checkpoint.core import badges, enrolling, passes
from checkpoint.core.facts import Entered, Scanned
from checkpoint.web.access import COORDINATOR, LABORATORY
from kiosk.app import create_app
from kiosk.deeds import Enter
from kiosk.scanner import is_tube
from kiosk.wire import Page
from tests.desk import Desk, desk
from tests.fleet import Fleet
from tests.ground import publish
from tests.station import PIN, Ground, ground, jpeg, picture

BADGE = badges.make(bytes(range(20)))


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        found.store.registry.give_badge(found.staff, badges.seal(BADGE))
        found.pull()
        yield found


def on_duty(g: Ground) -> str | None:
    member = g.kiosk.desk.screen().signed_on
    return member.id if member is not None else None


# -- the text ---------------------------------------------------------------------------------------------------------


def test_a_badge_fits_its_seal_and_nothing_else_does() -> None:
    sealed = badges.seal(BADGE)
    assert badges.fits(BADGE, sealed)
    assert badges.fits(f" {BADGE.lower()}\n", sealed), "as a hand scanner with another keyboard types it"
    assert not badges.fits(badges.make(bytes(20)), sealed)
    assert not badges.fits(BADGE[:-1], sealed)
    assert BADGE not in sealed
    for broken in ("", "sha256:", "sha256:zz", "scrypt:14:8:1:00:00", "é"):
        assert not badges.fits(BADGE, broken)
    with pytest.raises(ValueError, match="20 bytes"):
        badges.make(bytes(16))
    with pytest.raises(ValueError, match="badge"):
        badges.seal("CB1")


def test_no_code_of_ours_is_taken_for_another() -> None:
    code = enrolling.code("https://loop.example", "0" * 32)
    assert len({passes.PREFIX, badges.PREFIX, enrolling.PREFIX}) == 3
    with pytest.raises(passes.NotAPass):
        passes.read(BADGE, {})
    assert badges.normal(code) is None
    assert not enrolling.is_code(BADGE)
    assert not is_tube(BADGE), "a badge held before the camera is no tube"


# -- at the kiosk -----------------------------------------------------------------------------------------------------


def test_a_badge_signs_on_with_no_network_and_every_deed_names_its_owner(g: Ground) -> None:
    g.line.trouble = lambda: "dead"
    number = g.pass_()
    g.line.trouble = lambda: ""
    g.pull()
    g.line.trouble = lambda: "dead"
    g.kiosk.desk.scan(g.live(number))
    g.kiosk.desk.scan(BADGE)
    assert on_duty(g) == g.staff
    assert g.kiosk.desk.do(Enter())
    entered = [f for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Entered)]
    assert [f.by for f in entered] == [g.staff]


def test_a_badge_leaves_no_look_at_a_pass_and_a_pass_signs_nobody_on(g: Ground) -> None:
    g.kiosk.desk.scan(BADGE)
    assert [f for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Scanned)] == []
    assert g.kiosk.desk.screen().verdict is None
    g.kiosk.desk.sign_off()
    number = g.pass_()
    g.pull()
    g.kiosk.desk.scan(g.live(number))
    assert on_duty(g) is None


def test_a_badge_taken_back_dies_with_the_next_feed_and_the_pin_still_works(g: Ground) -> None:
    g.store.registry.give_badge(g.staff, "")
    g.kiosk.desk.scan(BADGE)
    assert on_duty(g) == g.staff, "this list is older than the taking back"
    g.kiosk.desk.sign_off()
    g.pull()
    g.clock.forward(seconds=90)
    g.kiosk.desk.scan(BADGE)
    assert on_duty(g) is None
    said = g.kiosk.desk.screen().notice
    assert said is not None
    assert (said.key, said.values) == ("kiosk.refused.badge", {"age_s": 90}), "it says how old its list is"
    assert g.kiosk.desk.sign_on(g.staff, PIN)


def test_a_badge_made_anew_ends_the_one_before(g: Ground) -> None:
    another = badges.make(bytes(range(1, 21)))
    g.store.registry.give_badge(g.staff, badges.seal(another))
    g.pull()
    g.kiosk.desk.scan(BADGE)
    assert on_duty(g) is None
    g.kiosk.desk.scan(another)
    assert on_duty(g) == g.staff


def test_half_a_badge_is_asked_for_again(g: Ground) -> None:
    g.kiosk.desk.scan(BADGE[:20])
    assert g.notice == "kiosk.refused.badge-half"
    assert on_duty(g) is None


def test_whoever_left_the_list_is_signed_off_and_their_badge_opens_nothing(g: Ground) -> None:
    g.kiosk.desk.scan(BADGE)
    g.store.registry.change_staff(g.staff, active=False)
    g.pull()
    assert on_duty(g) is None
    g.kiosk.desk.scan(BADGE)
    assert on_duty(g) is None


def test_a_badge_that_stays_before_the_camera_is_shown_once(g: Ground) -> None:
    look = g.kiosk.desk
    assert look.good(BADGE)
    look.glimpse((BADGE,), BADGE)
    assert on_duty(g) == g.staff
    look.sign_off()
    for _ in range(20):
        g.clock.forward(seconds=1)
        assert not look.good(BADGE), "the scanner looks on for a pass beside it"
        look.glimpse((BADGE,), None)
    assert on_duty(g) is None, "whoever signed off is not signed on by the card on the table"
    g.clock.forward(seconds=6)
    assert look.good(BADGE)
    look.glimpse((BADGE,), BADGE)
    assert on_duty(g) == g.staff, "taken away and shown again"


def test_a_strange_badge_must_be_seen_some_frames_running(g: Ground) -> None:
    strange = badges.make(bytes(20))
    assert not g.kiosk.desk.good(strange)
    for _ in range(2):
        g.kiosk.desk.glimpse((strange,), None)
    assert g.notice == ""
    g.kiosk.desk.glimpse((strange,), None)
    assert g.notice == "kiosk.refused.badge"


def test_a_station_may_want_badge_and_pin(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        g.store.registry.give_badge(g.staff, badges.seal(BADGE))
        publish(g.store, version=2, policy={"sign_on": "badge-and-pin"})
        g.pull()
        assert not g.kiosk.desk.sign_on(g.staff, PIN)
        assert g.notice == "kiosk.refused.badge-first"
        g.kiosk.desk.scan(BADGE)
        assert on_duty(g) is None
        assert (g.notice, g.kiosk.desk.screen().badge_shown) == ("kiosk.done.badge", g.staff)
        assert not g.kiosk.desk.sign_on(g.staff, "9999")
        assert g.kiosk.desk.sign_on(g.staff, PIN)
        g.kiosk.desk.sign_off()
        g.kiosk.desk.scan(BADGE)
        g.clock.forward(minutes=3)
        assert not g.kiosk.desk.sign_on(g.staff, PIN), "the badge was shown too long ago"


def test_the_page_reads_a_badge_off_a_frame_and_a_photograph(g: Ground) -> None:
    with TestClient(create_app(g.kiosk, start_link=False), base_url="http://localhost:8100") as page:
        assert page.post("/scan/frame", content=jpeg(picture(BADGE))).status_code == 200
        assert on_duty(g) == g.staff
        g.kiosk.desk.sign_off()
        g.clock.forward(seconds=10)
        assert page.post("/scan/photo", content=jpeg(picture(BADGE))).status_code == 200
        assert on_duty(g) == g.staff
        assert page.post("/scan/frame?for=tube", content=jpeg(picture(BADGE))).json() == {"tube": ""}


class Older(msgspec.Struct, frozen=True):
    """What an older kiosk wants of a member."""

    id: str
    name: str
    pin: str


class OlderPage(msgspec.Struct, frozen=True):
    """What an older kiosk wants of the feed, as far as badges go."""

    staff: tuple[Older, ...]


def test_a_kiosk_of_an_older_version_reads_the_feed_without_badges(g: Ground) -> None:
    enrolment = g.kiosk.outbox.enrolment
    assert enrolment is not None
    answer = g.server.get("/api/v1/feed?after=0", headers={"Authorization": f"Bearer {enrolment.bearer}"})
    older = msgspec.json.decode(answer.content, type=OlderPage)
    assert [m.id for m in older.staff] == [g.staff]
    told = answer.json()
    for member in told["staff"]:
        assert badges.fits(BADGE, member.pop("badge"))
    del told["renew"]
    assert msgspec.json.decode(json.dumps(told), type=Page).staff[0].badge == ""


# -- at the desk ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("badges"), told=Fleet({}, ())) as found:
        yield found


def printed(page: str) -> bool:
    return "badge-card" in page


def test_a_badge_is_shown_once_to_be_printed_and_only_its_seal_is_kept(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    client.post("/stations/staff", data={"name": "林夏", "pin": "2468"})
    member = server.store.registry.staff()[0]
    page = f"/stations/staff/{member.id}/badge"
    assert not printed(client.get(page).text)
    made = client.post(page)
    assert (made.status_code, made.headers["location"]) == (303, page)
    for _ in range(2):
        assert printed(client.get(page).text), "reloading makes no other badge"
    seal = server.store.registry.staff()[0].badge
    assert seal.startswith("sha256:")
    assert not printed(server.signed_in(COORDINATOR).get(page).text), "nobody else is shown it"
    client.post(page)
    assert server.store.registry.staff()[0].badge not in ("", seal)
    assert client.post(f"{page}/revoke").status_code == 303
    assert server.store.registry.staff()[0].badge == ""
    assert not printed(client.get(page).text), "what opens nothing is not printed"


def test_there_is_no_badge_for_whoever_does_not_exist_or_only_signs_in_at_a_desk(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    desk_only = server.store.registry.add_staff("周敏", "").id  # as desks had before there were accounts
    for who in ("nobody", desk_only):
        assert client.post(f"/stations/staff/{who}/badge").status_code == 404
    assert server.signed_in(LABORATORY).post("/stations/staff/x/badge").status_code == 403
