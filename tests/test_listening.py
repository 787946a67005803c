"""When nobody listened: it is known to the record, it is nobody's silence, and it takes nothing back that was silence before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core.facts import HelpCalled
from checkpoint.core.outages import Outage, silent_at
from checkpoint.store import Room, StorageFailed, Store
from checkpoint.store.listening import GAP
from tests.ground import T0
from tests.places import Place
from tests.test_watch import MINUTE, SECOND, Yard
from tests.witness import PLATE, fact


@pytest.fixture
def yard(place: Place) -> Iterator[Yard]:
    yard = Yard(place)
    yield yard
    yard.watch.stop()
    yard.store.close()


# -- what the record knows ------------------------------------------------------------------------------------------------


def test_nothing_is_known_before_the_first_time_and_a_restart_in_order_is_no_outage(yard: Yard) -> None:
    yard.clock.forward(days=3)
    assert yard.store.listen() == []
    for _ in range(3):
        yard.clock.at += GAP
        yard.restart()
        assert yard.store.listen() == []


def test_from_the_last_sign_to_the_next_nobody_listened(yard: Yard) -> None:
    yard.store.listen()
    yard.clock.at += MINUTE
    yard.store.listen()
    yard.clock.at += GAP + SECOND
    first = Outage(T0 + MINUTE, yard.clock())
    assert yard.store.listen() == [first]
    yard.restart()
    assert yard.store.listen() == [first]
    yard.clock.forward(hours=3)
    assert yard.store.listen() == [first, Outage(yard.clock() - timedelta(hours=3), yard.clock())]
    yard.clock.forward(days=59)
    assert len(yard.store.listen()) == 3
    yard.clock.forward(days=59)
    assert len(yard.store.listen()) == 1, "nobody asks for what lies months back"


def test_a_clock_that_was_set_back_makes_no_outage(yard: Yard) -> None:
    yard.store.listen()
    yard.clock.forward(hours=-1)
    assert yard.store.listen() == []
    yard.clock.forward(hours=1, seconds=30)
    assert yard.store.listen() == []


def _told(store: Store, name: str) -> None:
    what = HelpCalled(person="p", vehicle=PLATE, words="!")
    store.tell([fact(name, store.now(), what, witness="server", station="")], store.told())


def test_who_told_something_listened_then_but_not_for_all_the_time_before(yard: Yard) -> None:
    yard.store.listen()
    yard.clock.at += MINUTE
    _told(yard.store, "one")
    yard.clock.forward(hours=1)
    _told(yard.store, "two")  # by a process that did not even say that it listens
    assert yard.store.listen() == [Outage(T0 + MINUTE, yard.clock())]


# -- what is made of it ---------------------------------------------------------------------------------------------------

INSTANTS = st.integers(0, 200).map(lambda m: T0 + m * MINUTE)
OUTAGES = st.lists(INSTANTS, unique=True, max_size=8).map(
    lambda found: [Outage(*pair) for n, pair in enumerate(pairwise(sorted(found))) if n % 2 == 0]
)
SPANS = st.integers(1, 60).map(lambda m: m * MINUTE)


def _listened(outages: list[Outage], since: datetime, until: datetime) -> timedelta:
    """For how long somebody listened, counted minute by minute."""
    minutes = (T0 + m * MINUTE for m in range(2_000))
    heard = [at for at in minutes if since <= at < until and not any(o.began <= at < o.ended for o in outages)]
    return len(heard) * MINUTE


@given(INSTANTS, SPANS, SPANS, OUTAGES)
def test_a_device_is_silent_when_it_was_listened_to_for_so_long_and_had_time_to_speak_again(
    since: datetime, after: timedelta, again: timedelta, outages: list[Outage]
) -> None:
    at = silent_at(since, after, again, outages)
    assert silent_at(since, after, again, []) == since + after
    assert _listened(outages, since, at) >= after
    before = [o for o in outages if o.ended > since and o.began < at]
    assert all(at >= o.ended + again for o in before)
    if all(at > o.ended + again for o in before):
        assert _listened(outages, since, at) == after, "and no later"
    assert silent_at(since, after, again, before) == at, "what comes after takes nothing back"
    assert silent_at(since, after + MINUTE, again + MINUTE, outages) > at


# -- what is told ---------------------------------------------------------------------------------------------------------


def _driven(yard: Yard) -> None:
    """A truck that drives for four minutes, and a server that listens."""
    yard.store.listen()
    yard.departed()
    for _ in range(4):
        yard.drive(60)
        yard.store.listen()


def _up(yard: Yard, minutes: int) -> None:
    """Time goes by, and the server listens."""
    for _ in range(minutes):
        yard.clock.forward(minutes=1)
        yard.store.listen()


def _down(yard: Yard, minutes: int) -> None:
    """The server is killed, and comes back."""
    yard.clock.forward(minutes=minutes)
    yard.restart()
    yard.watch._listen()
    yard.watch.settle()


def test_after_an_outage_of_ours_nobody_is_silent_until_he_had_his_time(yard: Yard) -> None:
    _driven(yard)
    _down(yard, 40)
    assert yard.told("silent") == []
    yard.clock.forward(minutes=9, seconds=59)
    yard.watch.settle()
    assert yard.told("silent") == []
    yard.clock.forward(seconds=1)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow"]
    yard.clock.forward(minutes=20)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow", "changed silent red"]


def test_a_device_that_delivers_what_it_kept_for_us_was_never_silent(yard: Yard) -> None:
    _driven(yard)
    stopped = yard.clock()
    _down(yard, 40)
    yard.clock.forward(minutes=5)
    yard.drive(44 * 60, step=60, at=stopped)
    yard.watch.settle()
    yard.clock.forward(minutes=8)
    yard.watch.settle()
    assert yard.told("silent") == []


def test_who_was_told_to_be_silent_before_we_went_down_stays_so_and_is_told_of_once(yard: Yard) -> None:
    """Told between two signs that we listen: the telling itself is one."""
    _driven(yard)
    _up(yard, 9)
    yard.clock.forward(minutes=1)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow"]
    _down(yard, 30)
    assert yard.told("silent") == ["raised silent yellow"]
    yard.drive(20)
    assert yard.told("silent") == ["raised silent yellow", "cleared silent"]


def test_a_server_that_begins_has_said_so_before_it_takes_anything_in(yard: Yard) -> None:
    _driven(yard)
    yard.clock.forward(minutes=40)
    yard.restart()
    yard.watch.start()
    assert yard.watch._outages == (Outage(T0 + 240 * SECOND, yard.clock()),)
    assert len(yard.place.behind("SELECT * FROM listening")) == 2


def test_who_refuses_positions_does_not_listen_and_who_cannot_write_it_down_tells_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _driven(yard)
    yard.clock.forward(minutes=40)
    yard.restart()
    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "room", lambda: Room(refused=("positions",)))
        yard.watch._listen()
        assert len(yard.place.behind("SELECT * FROM listening")) == 1

    def gone() -> list[Outage]:
        raise StorageFailed("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "listen", gone)
        yard.watch.start()
        yard.watch.stop()
    assert "that we listen" in caplog.text
    assert yard.told("silent") == []
