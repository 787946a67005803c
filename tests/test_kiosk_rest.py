"""What lies on the kiosk's disk: names and keys locked with a key beside them, and what the server has had for long, gone."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

from checkpoint.core import badges, pins
from checkpoint.core.facts import Entered, Scanned
from kiosk.deeds import Enter
from kiosk.kept import Broken, Enrolment, Head, StaffMember
from kiosk.outbox import MIGRATIONS, Outbox
from kiosk.vault import KEY_FILE, Unreadable, Vault, open_vault
from tests.ground import T0, Still, publish
from tests.station import PIN, Ground, ground
from tests.test_outbox import enrolment, fact

NAME, OTHER = "张三丰", "陈站长"
BADGE = badges.make(bytes(range(20)))
PIN_SEAL = pins.seal(PIN, b"0123456789abcdef")
DAY = timedelta(days=1)


def keyed() -> Enrolment:
    """An enrolment whose keys can be told from everything else."""
    return msgspec.structs.replace(enrolment(), bearer="the-key-it-calls-with", private_key="5a" * 32)


def taken(outbox: Outbox) -> None:
    """A page of the feed with a person and a member of staff."""
    staff = [StaffMember(id="staff-1", name=OTHER, pin=PIN_SEAL, badge=badges.seal(BADGE))]
    outbox.take([], 1, people={"p-1": NAME}, staff=staff, issuers={}, complete_at=T0)


def on_disk(folder: Path) -> bytes:
    """All that lies in the kiosk's folder beside the key."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != KEY_FILE)


# -- names and keys ---------------------------------------------------------------------------------------------------


def test_no_name_no_pin_no_badge_and_no_key_lies_open_on_the_disk(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "kiosk.db")
    me = keyed()
    outbox.enrol(me)
    taken(outbox)
    assert outbox.people() == {"p-1": NAME}
    assert outbox.staff()["staff-1"] == StaffMember(id="staff-1", name=OTHER, pin=PIN_SEAL, badge=badges.seal(BADGE))
    for written in (0, 1):  # while it is open, in the log beside the file too; and after it was closed
        if written:
            outbox.close()
        disk = on_disk(tmp_path)
        for secret in (NAME, OTHER, PIN_SEAL, badges.seal(BADGE), me.bearer, me.private_key):
            assert secret.encode() not in disk, secret
    again = Outbox(tmp_path / "kiosk.db")
    assert (again.people(), again.enrolment) == ({"p-1": NAME}, me)
    again.close()


def test_the_key_and_the_file_are_their_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "kiosk"
    Outbox(folder / "kiosk.db").close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in (KEY_FILE, "kiosk.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    (folder / KEY_FILE).chmod(0o644)
    Outbox(folder / "kiosk.db").close()
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600, "one that others could read is made its owner's own again"


def test_what_is_locked_opens_in_its_own_place_only(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    kept = vault.lock(NAME, "person.name:p-1")
    assert vault.unlock(kept, "person.name:p-1") == NAME
    assert kept != vault.lock(NAME, "person.name:p-1"), "the same name twice does not look the same"
    for wrong in (kept[:-4], "v1:AAAA", "v1:", "v1:%%%"):
        with pytest.raises(Unreadable):
            vault.unlock(wrong, "person.name:p-1")
    with pytest.raises(Unreadable):
        vault.unlock(kept, "person.name:p-2")
    with pytest.raises(Unreadable):
        Vault(bytes(32)).unlock(kept, "person.name:p-1")


def test_a_file_of_an_older_version_is_locked_at_the_start_and_its_old_pages_are_overwritten(tmp_path: Path) -> None:
    """As the first version left it: names and keys as they are."""
    me = keyed()
    path = tmp_path / "kiosk.db"
    db = apsw.Connection(str(path))
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    db.execute("INSERT INTO person VALUES ('p-1', ?)", (NAME,))
    db.execute("INSERT INTO staff VALUES ('staff-1', ?, ?)", (OTHER, PIN_SEAL))
    told = {"kiosk": me.kiosk, "station": me.station, "server": me.server, "bearer": me.bearer, "private_key": me.private_key}
    db.execute("INSERT INTO setting VALUES ('enrolment', ?), ('cursor', '7')", (json.dumps(told),))
    db.execute("PRAGMA user_version = 1")
    db.close()
    assert NAME.encode() in path.read_bytes()
    for _ in range(2):
        outbox = Outbox(path)
        assert outbox.enrolment == me
        assert (outbox.people(), outbox.cursor) == ({"p-1": NAME}, 7)
        assert outbox.staff() == {"staff-1": StaffMember(id="staff-1", name=OTHER, pin=PIN_SEAL)}
        disk = on_disk(tmp_path)
        outbox.close()
        for secret in (NAME, OTHER, PIN_SEAL, me.bearer, me.private_key):
            assert secret.encode() not in disk, secret


def test_without_its_key_the_kiosk_is_enrolled_anew_and_tells_what_waited(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(tmp_path / "kiosk.db")
    outbox.enrol(enrolment())
    outbox.record(fact(1), fact(2))
    taken(outbox)
    outbox.close()
    (tmp_path / KEY_FILE).unlink()
    with caplog.at_level(logging.ERROR):
        again = Outbox(tmp_path / "kiosk.db")
        assert again.enrolment is None
        assert (again.people(), again.staff()) == ({}, {})
    assert "does not open" in caplog.text
    assert NAME not in caplog.text
    again.enrol(enrolment("k-2"))
    assert [(entry.seq, entry.id) for entry in again.waiting(9)] == [(1, "f-1"), (2, "f-2")]
    assert again.verify() is None
    again.close()


def test_half_a_key_is_no_key(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("abc")
    vault = open_vault(tmp_path)
    assert vault.unlock(vault.lock(NAME, "x"), "x") == NAME
    assert len((tmp_path / KEY_FILE).read_text().strip()) == 64


# -- what is dropped --------------------------------------------------------------------------------------------------


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "kiosk.db")
    found.enrol(enrolment())
    found.record(*(fact(n) for n in range(1, 9)))
    yield found
    found.close()


def numbers(outbox: Outbox) -> list[int]:
    return [int(f.id.removeprefix("f-")) for f in outbox.own_facts()]


def test_the_beginning_that_the_server_has_had_for_long_goes_and_the_chain_goes_on(outbox: Outbox) -> None:
    outbox.answered([f"f-{n}" for n in range(1, 9)], {})
    before = outbox.head()
    third = next(f.at for f in outbox.own_facts() if f.id == "f-4")
    assert outbox.drop_before(third) == 3
    assert numbers(outbox) == [4, 5, 6, 7, 8]
    assert outbox.begin().seq == 3
    assert (outbox.head(), outbox.verify()) == (before, None)
    outbox.record(fact(9))
    assert outbox.verify() is None
    assert outbox.waiting(9)[0].prev == before.hash
    assert outbox.drop_before(third) == 0


def test_what_waits_is_never_dropped_nor_anything_behind_it(outbox: Outbox) -> None:
    outbox.answered(["f-1", "f-2", "f-4", "f-5"], {})
    assert outbox.drop_before(T0 + 999 * DAY) == 2
    assert numbers(outbox) == [3, 4, 5, 6, 7, 8]
    assert [entry.seq for entry in outbox.waiting(9)] == [3, 6, 7, 8]
    assert outbox.verify() is None


def test_the_end_of_the_chain_stays_whatever_its_age(outbox: Outbox) -> None:
    outbox.answered([f"f-{n}" for n in range(1, 8)], {"f-8": ("malformed", "")})
    head = outbox.head()
    assert outbox.drop_before(T0 + 999 * DAY) == 7
    assert (numbers(outbox), outbox.head()) == ([8], head)
    outbox.record(fact(9))
    assert outbox.head().seq == 9
    assert outbox.verify() is None


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        ("UPDATE dropped SET hash = '00'", Broken(4, "changed")),
        ("UPDATE dropped SET seq = 2", Broken(3, "missing")),
        ("DELETE FROM dropped", Broken(1, "missing")),
        ("DELETE FROM own WHERE seq = 4", Broken(4, "missing")),
    ],
)
def test_where_the_rest_begins_is_part_of_the_chain(outbox: Outbox, spoil: str, broken: Broken) -> None:
    outbox.answered([f"f-{n}" for n in range(1, 9)], {})
    outbox.drop_before(next(f.at for f in outbox.own_facts() if f.id == "f-4"))
    outbox._db.execute_sql(spoil)
    assert outbox.verify() == broken


def test_nothing_was_dropped_of_a_chain_that_is_whole(outbox: Outbox) -> None:
    assert outbox.begin() == Head(0, "0" * 64)


# -- in a station's life ----------------------------------------------------------------------------------------------


def a_visit(g: Ground, plate: str = "浙C12345") -> str:
    number = g.pass_(vehicle=plate, not_before=g.clock(), expires=g.clock() + 3 * DAY)
    g.tested(number)
    g.pull()
    g.kiosk.desk.scan(g.live(number))
    g.sign_on()
    g.kiosk.desk.do(Enter())
    g.push()
    return number


def own(g: Ground, kind: type) -> int:
    return sum(isinstance(f.what, kind) for f in g.kiosk.outbox.own_facts())


def test_after_two_weeks_a_kiosk_keeps_what_happened_since_and_says_the_same_of_a_truck(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        a_visit(g)
        assert (own(g, Scanned) > 0, own(g, Entered)) == (True, 1)
        g.clock.forward(days=13)
        g.pull()
        assert own(g, Entered) == 1, "the history of two weeks stays, for a server that was brought back"
        g.clock.forward(days=2)
        number = a_visit(g, "浙C54321")
        shown = g.shown
        g.clock.forward(days=1, seconds=1)
        g.pull()
        assert own(g, Entered) == 1, "only the new visit"
        assert g.kiosk.outbox.verify() is None
        g.kiosk.desk.clear()
        g.tested(number)
        g.pull()
        g.kiosk.desk.scan(g.live(number))
        assert g.shown == shown
        assert g.store.gaps() == []


def test_the_loops_policy_says_for_how_long(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        publish(g.store, version=2, policy={"kiosk_history_s": 86400})
        a_visit(g)
        g.clock.forward(days=1)
        a_visit(g, "浙C54321")
        g.clock.forward(hours=1)
        g.pull()
        assert g.kiosk.outbox.begin().seq == 0, "once a day is enough"
        g.clock.forward(days=1)
        g.pull()
        assert g.kiosk.outbox.begin().seq > 0


def test_nothing_is_dropped_by_a_clock_that_is_in_doubt(tmp_path: Path) -> None:
    """A clock set a year ahead would drop all that a server brought back from a backup may have lost."""
    clock = Still()
    with ground(tmp_path, clock=clock) as g:
        a_visit(g)
        kiosk = g.kiosk.link
        kiosk._now = lambda: clock() + 400 * DAY
        kiosk._offset._now = kiosk._now
        g.kiosk.link.pull_once()
        assert abs(kiosk.state.offset_s or 0) > 300 * 86400
        assert own(g, Entered) == 1
