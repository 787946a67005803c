"""The sweep of positions: whatever is old leaves and nothing else, and whoever writes does not wait while it is looked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from checkpoint.core.track import Fix
from checkpoint.store import Store, sweeps
from checkpoint.store.database import micros
from tests.ground import T0, Still
from tests.places import Place
from tests.witness import PLATE

HOUR = timedelta(hours=1)
# How old each position is, in the order of their numbers: one that was a stranger's lies among newer ones.
AGES_H = [50, 50, 49, 2, 48, 48, 48, 1, 1, 47, 0, 0, 46]


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    clock = Still()
    store = place.open(clock)
    for n, age in enumerate(AGES_H):
        clock.at = T0 - age * HOUR
        store.add_positions([(PLATE, Fix(device="d", fixed_at=T0 + timedelta(seconds=n), lat=28.0, lon=120.6))])
    clock.at = T0
    yield store
    store.close()


@pytest.mark.parametrize(("at_once", "looked_at"), [(1, 1), (2, 3), (2, 5), (3, 2), (5_000, 50_000)])
def test_all_that_is_old_leaves_in_small_portions_wherever_it_lies(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int, looked_at: int
) -> None:
    monkeypatch.setattr(sweeps, "AT_ONCE", at_once)
    monkeypatch.setattr(sweeps, "LOOKED_AT", looked_at)
    assert all(last - first < looked_at for first, last in sweeps.old_positions(store._db, micros(T0 - 24 * HOUR)))
    portions, delete = [], sweeps.positions_between

    def counted(*given: Any) -> int:
        portions.append(delete(*given))
        return portions[-1]

    monkeypatch.setattr(sweeps, "positions_between", counted)
    assert store.sweep("positions", T0 - 24 * HOUR) == len([age for age in AGES_H if age > 24])
    assert max(portions) <= at_once
    assert [f.fixed_at for f in store.positions(PLATE)] == [T0 + timedelta(seconds=n) for n, a in enumerate(AGES_H) if a <= 24]
    assert store.sweep("positions", T0 - 24 * HOUR) == 0


def test_positions_are_looked_through_where_nobody_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows, run = store._db.rows, store._db.run

    def asking(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if "FROM positions" in sql:
            asked.append(threading.current_thread().name)
        return rows(sql, values)

    def running(sql: str, values: Sequence[object] = ()) -> int:
        assert "FROM positions" not in sql, "nothing is old: the writer has nothing to do"
        return run(sql, values)

    monkeypatch.setattr(store._db, "rows", asking)
    monkeypatch.setattr(store._db, "run", running)
    assert store.sweep("positions", T0 - 100 * HOUR) == 0
    assert asked
    assert set(asked) == {threading.current_thread().name}
