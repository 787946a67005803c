"""The kiosk's file: what was recorded is there, chained, in order, whatever happens to the power."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.core.facts import Fact, TubeSealed, decode
from kiosk.kept import FIRST_PREV, Broken, Depth, Enrolment, Head, StaffMember, Told, chained
from kiosk.outbox import Outbox

T0 = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)


def enrolment(kiosk: str = "k-1", station: str = "sampling-1") -> Enrolment:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return Enrolment(
        kiosk=kiosk, station=station, server="https://loop.example", bearer="b", private_key=key.private_bytes_raw().hex()
    )


def fact(number: int, kiosk: str = "k-1") -> Fact:
    return Fact(id=f"f-{number}", at=T0 + timedelta(seconds=number), witness=f"kiosk:{kiosk}", what=TubeSealed(tube=f"T{number}"))


def pulled(outbox: Outbox) -> datetime | None:
    return outbox.pulled_at


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "kiosk.db")
    found.enrol(enrolment())
    yield found
    found.close()


def test_the_file_waits_for_the_disk(outbox: Outbox) -> None:
    """A process that is killed cannot show it; only the power can: NORMAL would lose what was shown."""
    asked = [outbox._db.execute_sql(f"PRAGMA {name}").fetchone() for name in ("synchronous", "journal_mode")]
    assert asked == [(2,), ("wal",)]


def test_facts_are_numbered_from_one_and_chained_over_their_exact_bytes(outbox: Outbox) -> None:
    outbox.record(fact(1), fact(2))
    outbox.record(fact(3))
    entries = outbox.waiting(10)
    assert [e.seq for e in entries] == [1, 2, 3]
    prev = FIRST_PREV
    for entry in entries:
        assert entry.prev == prev
        assert entry.hash == chained(prev, entry.seq, entry.body)
        assert decode(entry.body).id == entry.id
        prev = entry.hash
    assert outbox.head() == Head(3, prev)
    assert outbox.verify() is None


def test_the_head_is_signed_with_the_kiosks_own_key(outbox: Outbox) -> None:
    outbox.record(fact(1))
    head = outbox.head()
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    key.verify(bytes.fromhex(enrolment().signature(head)), f"k-1|1|{head.hash}".encode())


def test_only_what_the_server_named_stops_being_sent(outbox: Outbox) -> None:
    outbox.record(*(fact(i) for i in range(1, 5)))
    outbox.answered(["f-2", "somebody else's"], {"f-3": ("malformed", "not JSON")})
    assert [e.id for e in outbox.waiting(10)] == ["f-1", "f-4"]
    assert outbox.depth() == Depth(waiting=2, oldest_at=T0 + timedelta(seconds=1), aside=1, refused=0)
    assert [(a.id, a.why, a.detail) for a in outbox.aside()] == [("f-3", "malformed", "not JSON")]
    # What is held stays what it is: a late answer of another kind changes nothing.
    outbox.answered([], {"f-2": ("id-taken", "")})
    assert outbox.depth().aside == 1


def test_what_the_server_would_not_look_at_goes_last_and_stays(outbox: Outbox) -> None:
    outbox.record(*(fact(i) for i in range(1, 4)))
    outbox.refused("f-1")
    assert [e.id for e in outbox.waiting(10)] == ["f-2", "f-3", "f-1"]
    assert outbox.depth().refused == 1


def test_a_batch_is_written_whole_or_not_at_all(outbox: Outbox) -> None:
    outbox.record(fact(1))
    with pytest.raises(ValueError, match="not this kiosk's"):
        outbox.record(fact(2), fact(3, kiosk="k-other"))
    assert [e.id for e in outbox.waiting(10)] == ["f-1"]
    outbox.record(fact(2))
    assert outbox.verify() is None


def test_a_kiosk_that_is_not_enrolled_is_no_witness(tmp_path: Path) -> None:
    fresh = Outbox(tmp_path / "new" / "kiosk.db")
    with pytest.raises(RuntimeError, match="not enrolled"):
        fresh.record(fact(1))
    assert fresh.enrolment is None
    fresh.close()


def test_what_was_recorded_is_there_after_the_power_goes(tmp_path: Path) -> None:
    """A process records, says so, and is killed at once; and the files as they lie on the disk at that moment open whole."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.test_outbox import Outbox, enrolment, fact\n"
        "outbox = Outbox(Path(sys.argv[1]) / 'kiosk.db'); outbox.enrol(enrolment())\n"
        "for i in range(1, 8): outbox.record(fact(i)); print(i, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parent.parent
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(root)], capture_output=True, text=True, check=False)
    assert ran.returncode == -9
    said = [int(line) for line in ran.stdout.split()]
    for folder in (tmp_path, Path(shutil.copytree(tmp_path, tmp_path.with_name(tmp_path.name + "-copy")))):
        outbox = Outbox(folder / "kiosk.db")
        assert [e.seq for e in outbox.waiting(100)] == said == list(range(1, 8))
        assert outbox.verify() is None
        outbox.close()


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        ("UPDATE own SET body = CAST(replace(body, 'T2', 'T9') AS BLOB) WHERE seq = 2", Broken(2, "changed")),
        ("DELETE FROM own WHERE seq = 2", Broken(2, "missing")),
        ("UPDATE own SET hash = prev WHERE seq = 3", Broken(3, "changed")),
    ],
    ids=["a changed fact", "a fact taken out", "another hash"],
)
def test_the_first_bad_place_in_the_chain_is_named(outbox: Outbox, spoil: str, broken: Broken) -> None:
    outbox.record(*(fact(i) for i in range(1, 5)))
    outbox._db.execute_sql(spoil)
    assert outbox.verify() == broken


def test_what_waits_is_told_again_in_the_name_of_the_kiosk_enrolled_anew(outbox: Outbox) -> None:
    outbox.record(*(fact(i) for i in range(1, 4)))
    outbox.answered(["f-1"], {})
    outbox.take([Told(7, b"{}")], 7, people={}, staff=[], issuers={}, complete_at=T0)
    outbox.enrol(enrolment("k-2"))
    entries = outbox.waiting(10)
    assert [(e.seq, e.id) for e in entries] == [(1, "f-2"), (2, "f-3")]
    assert {decode(e.body).witness for e in entries} == {"kiosk:k-2"}
    assert [decode(e.body).at for e in entries] == [fact(2).at, fact(3).at]
    assert outbox.verify() is None
    assert outbox.cursor == 7, "the same station of the same server: what was told stays told"
    assert [f.id for f in outbox.own_facts()] == ["f-1", "f-2", "f-3"]
    outbox.enrol(enrolment("k-3", station="rest-1"))
    assert outbox.cursor == 0, "another station is told other things"
    assert pulled(outbox) is None


def test_a_page_of_the_feed_is_kept_with_its_cursor(outbox: Outbox) -> None:
    staff = [StaffMember(id="staff-1", name="陈 😀", pin="scrypt:…")]
    outbox.take([Told(1, b'{"a":1}')], 1, people={"p-1": "张三"}, staff=staff, issuers={"ab12": "00"}, complete_at=None)
    assert pulled(outbox) is None, "not read to its end yet"
    outbox.take([Told(1, b'{"a":1}'), Told(2, b"{}")], 2, people={"p-2": "李四"}, staff=staff, issuers={}, complete_at=T0)
    assert list(outbox.received()) == [b'{"a":1}', b"{}"]
    assert (outbox.cursor, pulled(outbox)) == (2, T0)
    assert outbox.people() == {"p-2": "李四"}, "lists replace lists"
    assert outbox.staff() == {"staff-1": staff[0]}
    assert outbox.issuers() == {}


def test_a_page_that_cannot_be_kept_moves_no_cursor(outbox: Outbox) -> None:
    class Odd:
        def __conform__(self, protocol: object) -> object:
            raise RuntimeError("the disk is full")

    with pytest.raises(Exception, match=r".+"):
        outbox.take([Told(1, b"{}"), Told(2, Odd())], 2, people={}, staff=[], issuers={}, complete_at=T0)  # type: ignore[arg-type]
    assert outbox.cursor == 0
    assert list(outbox.received()) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["record", "held", "aside", "refused"]), st.integers(1, 12)), max_size=25))
def test_what_waits_is_what_was_seen_and_not_answered(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int]]
) -> None:
    outbox = Outbox(tmp_path_factory.mktemp("outbox") / "kiosk.db")
    outbox.enrol(enrolment())
    seen: list[str] = []
    answered: set[str] = set()
    for deed, number in deeds:
        name = f"f-{number}"
        if deed == "record" and name not in seen:
            outbox.record(fact(number))
            seen.append(name)
        elif deed == "held":
            outbox.answered([name], {})
            answered |= {name} & set(seen)
        elif deed == "aside":
            outbox.answered([], {name: ("why", "")})
            answered |= {name} & set(seen)
        elif deed == "refused":
            outbox.refused(name)
    assert {e.id for e in outbox.waiting(100)} == set(seen) - answered
    assert [f.id for f in outbox.own_facts()] == seen
    assert outbox.verify() is None
    outbox.close()
