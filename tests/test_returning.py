"""A server that was brought back from a backup, and kiosks that know more than it: what it lost, it has again.

What must hold: whatever a kiosk saw or was told is in the record once it has spoken; a number, a serial or a link is never
good twice; and no truck goes because of what was forgotten.
"""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from checkpoint.backup.restoring import restore
from checkpoint.backup.taking import take
from checkpoint.core.facts import Fact, HelpCalled, PassRevoked, Restored, TubeSealed
from checkpoint.granting import PassOffice
from checkpoint.store import Store
from checkpoint.store.keys import KEY_FILE
from checkpoint.store.registry import Person as Known
from checkpoint.store.restored import FACTS_PER_S, LEAP, SERIALS_LEAP
from checkpoint.version import VERSION
from checkpoint.web.access import ADMINISTRATOR, COORDINATOR, digest, open_session
from checkpoint.web.app import create_app
from checkpoint.wish import Person
from kiosk.deeds import Enter, Leave
from kiosk.link import LineDown
from kiosk.station import open_kiosk
from kiosk.web.render import page as rendered
from tests.ground import OTHER_ID_NUMBER, T0, wish
from tests.seeds import seeds
from tests.station import SERVER, Ground, ground


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        found.sign_on()
        yield found


def copied(g: Ground, folder: Path) -> Path:
    """A backup of the server, taken while it runs."""
    data = folder.parent
    return take(data / "checkpoint.db", data / KEY_FILE, folder, g.clock, rest=lambda: None)


@contextmanager
def brought_back(g: Ground, backup: Path, *, marked: bool = True) -> Iterator[Store]:
    """The line leads to a server over what was brought back from now on. Not `marked`: by somebody's own tools."""
    data = backup.parent.parent
    place = data / "restored" / "checkpoint.db"
    if marked:
        restore(backup, data / KEY_FILE, place, g.clock)
    else:
        place.parent.mkdir()
        place.write_bytes(gzip.decompress((backup / "checkpoint.db.gz").read_bytes()))
        shutil.copy(data / KEY_FILE, place.parent)
    store = Store.open(place, g.clock)
    with TestClient(create_app(store, g.clock, public_url=SERVER), base_url=SERVER) as server:
        g.line.server = server
        yield store
    store.close()


def ids(store: Store) -> set[str]:
    return {r.fact.id for r in store.facts_after(0, 10_000)}


def settle(g: Ground) -> None:
    """Turns of both loops until nothing is left to say."""
    for _ in range(3):
        g.pull()
        g.push()


def scanned(g: Ground, number: str) -> None:
    g.clock.forward(seconds=40)
    g.kiosk.desk.scan(g.live(number))
    g.kiosk.desk.do(Enter())
    g.kiosk.desk.do(Leave())


def test_what_a_kiosk_saw_after_the_backup_is_sent_again_though_it_was_held(g: Ground, tmp_path: Path) -> None:
    number = g.pass_()
    g.pull()
    scanned(g, number)
    settle(g)
    copy = copied(g, tmp_path / "copy")
    scanned(g, number)
    settle(g)
    own = [f.id for f in g.kiosk.outbox.own_facts()]
    assert set(own) <= ids(g.store)
    assert g.kiosk.outbox.depth().waiting == 0
    with brought_back(g, copy) as store:
        lost = set(own) - ids(store)
        assert len(lost) > 2
        settle(g)
        assert set(own) <= ids(store)
        assert store.verify().ok
        assert store.gaps() == []
        assert {r.recorded.fact.id for r in store.returned() if r.how == "own"} == lost
        enrolled = g.kiosk.outbox.enrolment
        assert enrolled is not None
        assert {r.kiosk for r in store.returned()} == {enrolled.kiosk}


def test_a_kiosk_whose_server_lost_nothing_sends_nothing_again(g: Ground, tmp_path: Path) -> None:
    scanned(g, g.pass_())
    settle(g)
    copy = copied(g, tmp_path / "copy")
    with brought_back(g, copy) as store:
        before = store.last_number()
        g.line.asked.clear()
        settle(g)
        assert store.last_number() == before
        assert {line.split()[0] for line in g.line.asked} == {"GET"}
        assert store.returned() == []


def test_a_pass_revoked_after_the_backup_stays_revoked(g: Ground, tmp_path: Path) -> None:
    number = g.pass_()
    g.tested(number)
    copy = copied(g, tmp_path / "copy")
    g.revoke(number)
    settle(g)
    with brought_back(g, copy) as store:
        assert not any(isinstance(f.what, PassRevoked) for f in store.facts_of(f"pass:{number}"))
        g.pull()
        g.kiosk.desk.scan(g.live(number))
        assert g.shown[0] == "STOP", "the kiosk has not forgotten"
        settle(g)
        assert any(isinstance(f.what, PassRevoked) for f in store.facts_of(f"pass:{number}")), "and it told the server"
        assert [r.how for r in store.returned() if isinstance(r.recorded.fact.what, PassRevoked)] == ["told"]
        # Another station's kiosk, which never heard of it, hears of it from the server.
        anew = PassOffice(store, g.clock, store.record)
        assert anew.pass_state(number).revoked_at is not None


def test_a_pass_granted_after_the_backup_is_known_again_and_its_number_is_never_given_twice(g: Ground, tmp_path: Path) -> None:
    before = g.pass_()
    copy = copied(g, tmp_path / "copy")
    after = g.pass_(vehicle="浙C77777")
    settle(g)
    with brought_back(g, copy) as store:
        settle(g)
        office = PassOffice(store, g.clock, store.record)
        assert office.pass_state(after).grant.vehicle == "浙C77777"
        assert office.pass_state(before).grant.pass_id == before
        g.office, g.store = office, store
        anew = g.pass_(vehicle="浙C88888")
        assert anew not in (before, after)
        assert int(anew.split("-")[1]) > SERIALS_LEAP


def test_the_same_backup_brought_back_again_gives_nothing_out_a_second_time(g: Ground, tmp_path: Path) -> None:
    """It knows nothing of the first time; how old it is says how much may have been given out."""
    g.pass_()
    copy = copied(g, tmp_path / "copy")
    given: list[tuple[set[int], set[str]]] = []
    for n in range(3):
        g.clock.forward(minutes=30)
        place = tmp_path / f"again-{n}" / "checkpoint.db"
        restore(copy, copy.parent.parent / KEY_FILE, place, g.clock)
        store = Store.open(place, g.clock)
        office = PassOffice(store, g.clock, store.record)
        until = g.clock() + timedelta(days=1)
        asked = [wish(vehicle=f"浙C{n}000{i}", not_before=g.clock(), expires=until) for i in range(5)]
        granted = {office.grant(office.request(each, "a"), "c").pass_id for each in asked}
        [restored] = store.facts_of_kind("Restored")
        numbers = {r.number for r in store.facts_after(restored.number - 1, 1000)}
        assert len(numbers) > 10
        given.append((numbers, granted))
        assert store.verify().ok
        store.close()
    for (numbers, granted), (later_numbers, later_granted) in pairwise(given):
        assert max(numbers) < min(later_numbers)
        assert max(granted) < min(later_granted)


def test_no_number_of_a_fact_is_given_twice_and_cursors_read_on(g: Ground, tmp_path: Path) -> None:
    g.pass_()
    copy = copied(g, tmp_path / "copy")
    scanned(g, g.pass_(vehicle="浙C77777"))
    settle(g)
    last, cursor = g.store.last_number(), g.kiosk.outbox.cursor
    with brought_back(g, copy) as store:
        [restored] = store.facts_of_kind("Restored")
        assert isinstance(restored.fact.what, Restored)
        age_s = (restored.fact.at - restored.fact.what.taken_at).total_seconds()
        assert restored.number == restored.fact.what.last_number + LEAP + int(age_s) * FACTS_PER_S + 1 > last
        assert store.lost == ((restored.fact.what.last_number, restored.number),)
        told = Fact(id="later", at=g.clock(), witness="desk:x", what=HelpCalled(person="p", vehicle="浙C12345"))
        assert store.record(told).number > restored.number > cursor
        g.pull()
        assert g.kiosk.outbox.cursor > cursor
        assert store.verify().ok


def test_what_worked_once_works_no_more(g: Ground, tmp_path: Path) -> None:
    registry, soon = g.store.registry, g.clock() + timedelta(days=1)
    number = g.pass_()
    link = next(link for link in registry.links(number) if link.used_at is None)
    registry.open_session("s", role="coordinator", who="", name="n", opened=g.clock(), expires=soon)
    registry.add_kiosk("rest-1", "token-hash", soon)
    for sql in (
        "INSERT INTO sessions (token_hash, role, who, name, opened_at, expires_at) VALUES ('d', 'driver', 'p', x'00', 0, 9)",
        "INSERT INTO invitations (token_hash, account, created_at, expires_at) VALUES ('i', 'a', 0, 9)",
        "INSERT INTO recovery_codes (account, code_hash) VALUES ('a', 'c')",
        "INSERT INTO challenges (token_hash, purpose, account, state, expires_at) VALUES ('c', 'sign-in', 'a', x'00', 9)",
    ):
        g.store._writer.do(lambda sql=sql: g.store._db.run(sql))  # type: ignore[misc]
    copy = copied(g, tmp_path / "copy")
    with brought_back(g, copy) as store:
        assert store.registry.session("s") is None
        kept = store.registry.link(link.id)
        assert kept is not None
        assert kept.closed_at is not None
        assert store.registry.enrol_kiosk("token-hash", b"k" * 32, "key") is None
        left = "SELECT count(*) FROM"
        assert store._db.rows(f"{left} invitations WHERE used_at IS NULL")[0][0] == 0
        assert store._db.rows(f"{left} recovery_codes WHERE used_at IS NULL")[0][0] == 0
        assert store._db.rows(f"{left} challenges")[0][0] == 0
        assert store._db.rows("SELECT role FROM sessions") == [("driver",)], "a phone in a cab stays bound"


def test_a_fact_told_back_is_believed_for_its_stamp_alone(g: Ground, tmp_path: Path) -> None:
    number = g.pass_()
    copy = copied(g, tmp_path / "copy")
    g.revoke(number)
    settle(g)
    [told] = [t for t in g.kiosk.outbox.lost_by_server(0, 10**9, 500) if b"PassRevoked" in t.body]
    enrolled = g.kiosk.outbox.enrolment
    assert enrolled is not None
    headers = {"Authorization": f"Bearer {enrolled.bearer}", "Content-Type": "application/json"}

    def tell_back(server: TestClient, **changes: object) -> str:
        one = {"number": told.number, "seq": told.seq, "prev": told.prev, "stamp": told.stamp, "fact": msgspec.Raw(told.body)}
        body = msgspec.json.encode({"facts": [one | changes]})
        answer = server.post("/api/v1/returned", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["facts"][0]["state"])

    with brought_back(g, copy) as store:
        server = g.line.server
        forged = msgspec.Raw(told.body.replace(number.encode(), b"330304-9999999"))
        assert tell_back(server, fact=forged) == "refused"
        assert tell_back(server, stamp="00" * 32) == "refused"
        assert tell_back(server, stamp="ü") == "refused"
        assert tell_back(server, seq=told.seq + 1) == "refused"
        assert tell_back(server, prev="x") == "refused"
        assert tell_back(server, fact=msgspec.Raw(b'{"id":"x"}')) == "refused"
        assert store.returned() == []
        assert tell_back(server) == "held"
        assert tell_back(server) == "held", "and again"
        assert len(store.returned()) == 1
        assert store.verify().ok


def test_a_kiosk_that_is_gone_is_witnessed_by_what_another_was_told(g: Ground, tmp_path: Path) -> None:
    """Its own chain comes back through the neighbour, link by link, in the bytes that it chained."""
    number = g.pass_()
    g.pull()
    copy = copied(g, tmp_path / "copy")
    scanned(g, number)
    settle(g)
    gone = list(g.kiosk.outbox.own_facts())
    # The neighbour was told all of it, and the first one is never heard of again.
    token = "neighbour"
    g.store.registry.add_kiosk("panqiao", digest(token), g.clock() + timedelta(days=1))
    other = open_kiosk(tmp_path / "other", g.clock, transport=g.line)
    other.enrol(token, SERVER)
    while other.link.pull_once():
        pass
    enrolled = other.outbox.enrolment
    assert enrolled is not None
    with brought_back(g, copy) as store:
        # The neighbour's own enrolment was lost too: it enrols anew, and tells what it knows.
        store.registry.add_kiosk("panqiao", digest("anew"), g.clock() + timedelta(days=1))
        other.enrol("anew", SERVER)
        while other.link.pull_once():
            pass
        assert {f.id for f in gone} <= ids(store)
        assert {r.how for r in store.returned()} == {"told"}
        assert store.verify().ok
        assert store.gaps() == []
    other.close()


def test_a_kiosk_enrolled_after_the_backup_tells_everything_under_its_new_name(g: Ground, tmp_path: Path) -> None:
    copy = copied(g, tmp_path / "copy")
    g.store.registry.add_kiosk("sampling-1", digest("second"), g.clock() + timedelta(days=1))
    g.kiosk.enrol("second", SERVER)
    number = g.pass_()
    g.pull()
    scanned(g, number)
    settle(g)
    own = {f.id for f in g.kiosk.outbox.own_facts()}
    assert own
    with brought_back(g, copy) as store:
        store.registry.add_kiosk("sampling-1", digest("third"), g.clock() + timedelta(days=1))
        g.kiosk.enrol("third", SERVER)
        settle(g)
        assert own <= ids(store)
        assert store.verify().ok


def test_a_record_brought_back_in_silence_is_noticed_and_tells_no_kiosk_that_it_is_fresh(g: Ground, tmp_path: Path) -> None:
    copy = copied(g, tmp_path / "copy")
    scanned(g, g.pass_())
    settle(g)
    pulled = g.kiosk.outbox.pulled_at
    g.clock.forward(minutes=1)
    with brought_back(g, copy, marked=False) as store:
        with pytest.raises(LineDown, match="409"):
            g.kiosk.link.pull_once()
        assert g.kiosk.outbox.pulled_at == pulled, "its lists grow old, in sight"
        store.bring_back(g.clock())
        settle(g)
        assert g.kiosk.outbox.pulled_at == g.clock()
        assert {f.id for f in g.kiosk.outbox.own_facts()} <= ids(store)


@pytest.mark.parametrize("seed", seeds(3))
def test_over_a_bad_line_all_of_it_comes_back(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with ground(tmp_path) as g:
        g.sign_on()
        number = g.pass_()
        g.pull()
        scanned(g, number)
        settle(g)
        copy = copied(g, tmp_path / "copy")
        for _ in range(rng.randint(1, 4)):
            scanned(g, number)
            settle(g)
        told = Fact(id="sealed", at=g.clock(), witness="desk:x", what=TubeSealed(tube="T1"), station="sampling-1")
        g.store.record(told)
        g.revoke(number)
        settle(g)
        own = {f.id for f in g.kiosk.outbox.own_facts()}
        with brought_back(g, copy) as store:
            g.line.trouble = lambda: rng.choice(("", "", "dead", "answer-lost", "twice", "portal"))
            for _ in range(25):
                with suppress(LineDown):
                    rng.choice((g.kiosk.link.pull_once, g.kiosk.link.push_once))()
            g.line.trouble = lambda: ""
            settle(g)
            assert own <= ids(store)
            assert any(isinstance(f.what, PassRevoked) for f in store.facts_of(f"pass:{number}"))
            assert store.verify().ok
            assert len(store.returned()) == len({r.recorded.fact.id for r in store.returned()})


def test_the_page_says_what_came_back_from_whom_and_what_is_missing(g: Ground, tmp_path: Path) -> None:
    number = g.pass_()
    g.pull()
    g.store.registry.add_kiosk("rest-1", digest("quiet"), g.clock() + timedelta(days=1))
    quiet = open_kiosk(tmp_path / "quiet", g.clock, transport=g.line)
    quiet.enrol("quiet", SERVER)
    quiet.link.pull_once()
    copy = copied(g, tmp_path / "copy")
    scanned(g, number)
    settle(g)
    g.clock.forward(minutes=1)
    with brought_back(g, copy) as store:
        house = g.line.server.app.state.house  # type: ignore[attr-defined]

        def page(role: str = COORDINATOR, lang: str = "en") -> str:
            headers = {"Authorization": f"Bearer {open_session(house, role=role, who=role)}", "Accept-Language": lang}
            answered = g.line.server.get("/restored", headers=headers)
            assert answered.status_code == 200
            return answered.text

        assert "Nothing has come back yet" in page()
        g.clock.forward(minutes=1)
        settle(g)
        enrolled = quiet.outbox.enrolment
        assert enrolled is not None
        said = page()
        assert f"Facts that came back: {len(store.returned())}" in said
        assert said.count("sent again by its witness") == len(store.returned()) > 2
        assert f"Kiosk {enrolled.kiosk} has not been heard from since" in said
        assert "/facts/" in said
        assert "/facts/" not in page(ADMINISTRATOR)
        assert "由见证方补发" in page(lang="zh")
        quiet.link.pull_once()
        assert "Nothing is known to be missing" in page()
    quiet.close()


def test_who_runs_another_version_is_seen_on_both_ends(g: Ground) -> None:
    house = g.line.server.app.state.house  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {open_session(house, role=COORDINATOR, who='c')}", "Accept-Language": "en"}
    enrolled = g.kiosk.outbox.enrolment
    assert enrolled is not None
    assert [k.program for k in g.store.registry.kiosks()] == [VERSION]
    assert "(server: " not in g.server.get("/stations", headers=headers).text
    old = {"Authorization": f"Bearer {enrolled.bearer}", "User-Agent": "checkpoint-kiosk"}
    assert g.server.get("/api/v1/feed", headers=old).status_code == 200
    assert f"version 0.1.0 (server: {VERSION})" in g.server.get("/stations", headers=headers).text
    assert g.server.get("/livez").json()["program"] == VERSION
    assert f"Version {VERSION}" in rendered("strip.html", g.kiosk.desk.screen(), "en")
    assert "Both go on working" not in rendered("strip.html", g.kiosk.desk.screen(), "en")
    g.kiosk.outbox.keep(server_program="9.0.0")
    assert "the server 9.0.0" in rendered("strip.html", g.kiosk.desk.screen(), "en")


def test_a_record_brought_back_in_silence_is_not_ready(g: Ground, tmp_path: Path) -> None:
    copy = copied(g, tmp_path / "copy")
    scanned(g, g.pass_())
    settle(g)

    def record() -> bool:
        checks = g.line.server.get("/readyz").json()["checks"]
        return bool(next(check["ok"] for check in checks if check["name"] == "record"))

    with brought_back(g, copy, marked=False):
        assert record()
        with pytest.raises(LineDown):
            g.kiosk.link.pull_once()
        assert not record()


def test_the_name_of_somebody_new_comes_back_and_is_never_missed_at_the_station(g: Ground, tmp_path: Path) -> None:
    g.pass_()
    g.pull()
    copy = copied(g, tmp_path / "copy")
    new = Person(name="王五", id_number=OTHER_ID_NUMBER, phone="13800138001")
    number = g.pass_(vehicle="浙C77777", crew=(new,))
    [person] = g.crew(number)
    g.pull()
    assert g.kiosk.outbox.people()[person] == "王五"
    with brought_back(g, copy) as store:
        assert store.registry.person(person) is None
        for _ in range(3):
            g.kiosk.link.pull_once()
            assert g.kiosk.outbox.people()[person] == "王五"
        found = store.registry.person(person)
        assert found is not None
        assert (found.name, found.id_number, found.phone) == ("王五", "", "")
        assert store.registry.add_person("王五", id_number=OTHER_ID_NUMBER).id == person, "the same number is the same person"
        g.kiosk.link.pull_once()
        assert {p["id"] for p in _page(g)["people"]} == set(g.kiosk.outbox.people()), "the lists are the server's again"


def _page(g: Ground) -> dict[str, Any]:
    enrolled = g.kiosk.outbox.enrolment
    assert enrolled is not None
    found: dict[str, Any] = g.line.server.get("/api/v1/feed", headers={"Authorization": f"Bearer {enrolled.bearer}"}).json()
    return found


def test_a_name_is_believed_for_its_stamp_and_only_of_whom_the_record_names(g: Ground, tmp_path: Path) -> None:
    g.pass_()
    copy = copied(g, tmp_path / "copy")
    number = g.pass_(vehicle="浙C77777", crew=(Person(name="王五"),))
    [person] = g.crew(number)
    g.pull()
    stamp, mark = g.kiosk.outbox.stamps()[person]
    with brought_back(g, copy) as store:
        assert not store.take_person_back(person, "王五", mark, stamp), (
            "nothing in the record speaks of them: they may have left it"
        )
        g.pull()
        assert store.registry.person(person) is not None
        other = g.store.registry.add_person("赵六").id
        assert not store.take_person_back(other, "赵六", mark, stamp)
        renamed = g.store.told_person(Known(id=person, name="别人"))
        assert not store.take_person_back(person, "别人", *renamed), "nobody is renamed"


@pytest.mark.parametrize("told", [True, False])
def test_what_a_kiosk_no_longer_keeps_of_its_own_comes_back_as_told_or_is_said_to_be_missing(
    g: Ground, tmp_path: Path, told: bool
) -> None:
    """Its own history goes back two weeks, and the backup is older."""
    number = g.pass_(expires=T0 + timedelta(days=20))
    g.pull()
    copy = copied(g, tmp_path / "copy")
    scanned(g, number)
    settle(g)
    own = {f.id for f in g.kiosk.outbox.own_facts()}
    g.clock.forward(days=16)
    scanned(g, number)
    settle(g)
    begin, enrolled = g.kiosk.outbox.begin().seq, g.kiosk.outbox.enrolment
    assert begin > 1, "the first were dropped"
    assert enrolled is not None
    if not told:
        g.kiosk.outbox._received.delete().execute()
    with brought_back(g, copy) as store:
        settle(g)
        if told:
            assert own <= ids(store)
            assert store.gaps() == []
        else:
            [gap] = store.gaps()
            assert (gap.witness, gap.first, gap.last) == (enrolled.witness, 1, begin)
        assert g.kiosk.outbox.depth().waiting == 0
        assert store.verify().ok
        asked = len(g.line.asked)
        settle(g)
        assert {line.split()[0] for line in g.line.asked[asked:]} == {"GET"}, "what nobody has is not asked for for ever"


def test_a_key_that_was_revoked_after_the_backup_opens_no_gate_though_the_server_trusts_it_again(
    g: Ground, tmp_path: Path
) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    copy = copied(g, tmp_path / "copy")
    g.kiosk.desk.scan(g.live(number))
    assert g.shown[0] == "GO"
    stolen = g.live(number)
    [issuer] = g.store.registry.issuers()
    assert g.store.registry.revoke_issuer(issuer.key_id)
    g.pull()
    with brought_back(g, copy) as store:
        settle(g)
        assert [i.key_id for i in store.registry.trusted_issuers()] == [issuer.key_id], "the server has forgotten it"
        g.clock.forward(minutes=11)
        assert g.kiosk.desk.screen().subject is None, "the truck before has gone"
        g.kiosk.desk.scan(stolen)
        assert g.notice == "kiosk.refused.no-issuers"
        store.registry.new_issuer()
        settle(g)
        g.kiosk.desk.scan(stolen)
        assert g.shown == ("STOP", ("not-genuine",))
