"""The server's chores: in their rhythm, one failing alone, remembered over a restart."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Event

import pytest

from checkpoint.chores import Chore, Chores
from checkpoint.store import Store
from tests.ground import T0, Still
from tests.places import Place


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


def _chores(store: Store, clock: Still, *chores: Chore, elected: bool = True) -> Chores:
    made = Chores(clock, lambda: elected, store.registry)
    for chore in chores:
        made.add(chore)
    return made


def _counting(name: str, every: timedelta) -> Chore:
    def work(now: datetime) -> str:
        seen.append(now)
        return f"run={len(seen)}"

    seen: list[datetime] = []
    return Chore(name, every, work)


def _failing(name: str, every: timedelta = timedelta(days=1)) -> Chore:
    def work(now: datetime) -> str:
        raise RuntimeError("the disk is full")

    return Chore(name, every, work)


def test_a_chore_runs_in_its_rhythm_and_says_what_it_did(store: Store, clock: Still) -> None:
    chores = _chores(store, clock, _counting("sweep", timedelta(hours=1)))
    assert chores.run_due() == ["sweep"]
    assert chores.run_due() == []
    clock.forward(minutes=59)
    assert chores.run_due() == []
    clock.forward(minutes=1)
    assert chores.run_due() == ["sweep"]
    (record,) = chores.reports()
    assert (record.name, record.last_run, record.last_report, record.failures) == ("sweep", clock.at, "run=2", 0)


def test_a_restart_neither_forgets_a_chore_nor_hurries_it(store: Store, clock: Still) -> None:
    _chores(store, clock, _counting("sweep", timedelta(hours=1))).run_due()
    again = _chores(store, clock, _counting("sweep", timedelta(hours=1)))
    assert again.reports()[0].last_run == T0
    clock.forward(minutes=30)
    assert again.run_due() == []
    clock.forward(minutes=30)
    assert again.run_due() == ["sweep"]


def test_one_that_fails_is_loud_and_stops_no_other(store: Store, clock: Still, caplog: pytest.LogCaptureFixture) -> None:
    chores = _chores(store, clock, _failing("copy"), _counting("sweep", timedelta(hours=1)))
    with caplog.at_level(logging.ERROR):
        assert chores.run_due() == ["copy", "sweep"]
    assert "chore copy failed" in caplog.text
    failed, ran = chores.reports()
    assert (failed.last_failure, failed.failed_at, failed.failures) == ("RuntimeError: the disk is full", T0, 1)
    assert (failed.last_run, ran.last_run) == (None, T0)


def test_one_that_fails_is_tried_again_after_ever_longer_waits(store: Store, clock: Still) -> None:
    chores = _chores(store, clock, _failing("copy"))
    tried: list[int] = []
    for minute in range(320):
        if chores.run_due():
            tried.append(minute)
        clock.forward(minutes=1)
    assert tried[:7] == [0, 1, 3, 7, 15, 31, 63]
    assert {later - earlier for earlier, later in pairwise(tried[6:])} == {60}


def test_one_that_fails_is_never_tried_later_than_its_own_rhythm(store: Store, clock: Still) -> None:
    chores = _chores(store, clock, _failing("send", timedelta(seconds=10)))
    for _ in range(3):
        assert chores.run_due() == ["send"]
        clock.forward(seconds=10)


def test_what_failed_and_then_ran_well_says_both(store: Store, clock: Still) -> None:
    broken = [True]

    def work(now: datetime) -> str:
        if broken:
            raise RuntimeError(broken.pop())
        return "copied=1"

    chores = _chores(store, clock, Chore("copy", timedelta(days=1), work))
    chores.run_due()
    clock.forward(minutes=1)
    assert chores.run_due() == ["copy"]
    (record,) = chores.reports()
    assert (record.failures, record.failed_at, record.last_run, record.last_report) == (0, T0, clock.at, "copied=1")


def test_only_the_elected_process_does_them_and_starts_where_the_other_ended(store: Store, clock: Still) -> None:
    assert _chores(store, clock, _counting("sweep", timedelta(hours=1)), elected=False).run_due() == []
    elected = [False]
    waiting = Chores(clock, lambda: elected[0], store.registry)
    waiting.add(_counting("sweep", timedelta(hours=1)))
    assert waiting.run_due() == []
    _chores(store, clock, _counting("sweep", timedelta(hours=1))).run_due()
    elected[0] = True
    assert waiting.run_due() == []
    clock.forward(hours=1)
    assert waiting.run_due() == ["sweep"]


def test_a_clock_set_back_does_not_put_a_chore_to_sleep(store: Store, clock: Still) -> None:
    chores = _chores(store, clock, _counting("sweep", timedelta(hours=1)))
    chores.run_due()
    clock.forward(days=-300)
    assert chores.run_due() == ["sweep"]


def test_two_of_one_name_are_refused(store: Store, clock: Still) -> None:
    with pytest.raises(ValueError, match="sweep"):
        _chores(store, clock, _failing("sweep"), _failing("sweep"))


def test_one_can_be_run_at_once(store: Store, clock: Still) -> None:
    chores = _chores(store, clock, _counting("sweep", timedelta(hours=1)), _failing("copy"))
    chores.run_due()
    assert chores.run_now("sweep").last_report == "run=2"
    assert chores.run_now("copy").failures == 2
    with pytest.raises(KeyError):
        chores.run_now("nothing")


def test_the_thread_does_what_is_due_and_ends_when_told(store: Store, clock: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkpoint.chores.TICK_S", 0.01)
    ran = Event()

    def work(now: datetime) -> str:
        ran.set()
        return "done"

    chores = _chores(store, clock, Chore("sweep", timedelta(hours=1), work))
    chores.start()
    assert ran.wait(30)
    chores.stop()
    assert chores.reports()[0].last_report == "done"
