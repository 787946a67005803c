"""Readings put by: a start goes on where the last one was, says the same as one that reads everything, and trusts nothing odd."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest

from checkpoint import readings
from checkpoint.core.facts import Voided, WarningCleared, WarningRaised, WarningWithdrawn
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.follow import Follower
from checkpoint.core.kept import Unreadable, pack, unpack
from checkpoint.core.track import Track
from checkpoint.core.ways import ways_of
from checkpoint.store import StorageFailed
from tests.ground import T0
from tests.places import Place
from tests.roads import SAME_ROAD, loop_of
from tests.roads import T0 as BEGUN
from tests.seeds import rounds, seeds
from tests.test_track_order import EVENTFUL, IN_ORDER
from tests.test_watch import MINUTE, OTHER, SECOND, Yard
from tests.witness import PLATE

WAYS = ways_of(SAME_ROAD)


# -- a follower as bytes ------------------------------------------------------------------------------------------------


def test_a_follower_that_is_put_by_after_any_fix_reads_on_as_if_nothing_had_been() -> None:
    follower = Follower(WAYS)
    for i, fix in enumerate(EVENTFUL):
        follower.step(fix)
        if i % 5 == 0:
            packed = pack([follower])
            [again] = unpack(packed.data, WAYS)
            assert again.reading() == follower.reading()
            assert pack([again]) == packed
            follower = again
    assert follower.reading() == IN_ORDER


def test_what_devices_say_themselves_is_put_by_too() -> None:
    follower = Follower(WAYS)
    for i, fix in enumerate(EVENTFUL[:60]):
        said = {"alarms": ("overspeed",) if i % 20 < 5 else (), "crossing": "enter A" if i == 7 else ""}
        follower.step(msgspec.structs.replace(fix, **said))
    [again] = unpack(pack([follower]).data, WAYS)
    assert again.reading() == follower.reading()
    assert again.reading().alarms
    assert again.reading().crossings


def test_the_earliest_instant_that_is_named_is_known() -> None:
    follower = Follower(WAYS)
    assert pack([follower]).oldest is None
    for fix in EVENTFUL:
        follower.step(fix)
    oldest = pack([follower]).oldest
    assert oldest is not None
    assert oldest <= min(e.since for e in IN_ORDER.episodes)


@pytest.mark.parametrize("seed", seeds(rounds(40, soak=400)))
def test_bytes_that_are_damaged_or_of_another_loop_are_unreadable_and_nothing_worse(seed: int) -> None:
    follower, chance = Follower(WAYS), Random(seed)
    for fix in EVENTFUL[:200]:
        follower.step(fix)
    data = bytearray(pack([follower]).data)
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    cut = chance.randrange(len(data)) if chance.random() < 0.3 else len(data)
    with suppress(Unreadable):
        unpack(bytes(data[:cut]), WAYS)


def test_a_class_that_is_not_the_cores_own_is_never_made() -> None:
    for name in ("pathlib:Path", "checkpoint.core.kept:Path", "checkpoint.core.nothing:Fix", "checkpoint.core.track:Fix"):
        bad = msgspec.msgpack.encode([[[name, ["_raw"]]], [[0, ["/etc/passwd"]]], [[2, 0]]])
        with pytest.raises(Unreadable):
            unpack(bad, WAYS)
    follower = Follower(WAYS)
    follower.visits = (object(),)  # type: ignore[assignment]
    with pytest.raises(TypeError, match="builtins:object is no class of the core's"):
        pack([follower])


# -- a track ------------------------------------------------------------------------------------------------------------


class Shelf:
    """A store of fixes, a track over it, and a process that may end at any moment."""

    def __init__(self) -> None:
        self.held: dict[tuple[object, ...], Fix] = {}
        self.track = Track.over(SAME_ROAD, self.stored, BEGUN - timedelta(days=1), timedelta(days=5))

    def stored(self, since: datetime | None, until: datetime | None) -> list[Fix]:
        found = sorted(self.held.values(), key=lambda f: f.fixed_at)
        return [f for f in found if (since is None or f.fixed_at >= since) and (until is None or f.fixed_at < until)]

    def take(self, fix: Fix) -> Fix | None:
        """Store it; None when it was here."""
        key = (fix.fixed_at, fix.device, fix.lat, fix.lon)
        return fix if self.held.setdefault(key, fix) is fix else None

    def put_by(self, back: timedelta) -> tuple[bytes, bytes]:
        last = self.track.reading().last
        assert last is not None
        follower, before = self.track.put_by(last.fixed_at - back)
        return pack([follower]).data, pack(before).data

    def resume(self, kept: tuple[bytes, bytes], came: list[Fix]) -> None:
        state, before = kept
        [follower] = unpack(state, WAYS)
        self.track = Track.resumed(self.stored, timedelta(days=5), follower, lambda: unpack(before, WAYS))
        for fix in came:
            self.track.add(fix)


@pytest.mark.parametrize("seed", seeds(rounds(15, soak=300)))
def test_any_order_any_repeats_and_any_restarts_give_the_reading_of_one_pass(seed: int) -> None:
    chance, shelf = Random(seed), Shelf()
    blocks, rest = [], list(EVENTFUL)
    while rest:
        size = chance.randint(1, 150)
        blocks.append(rest[:size])
        rest = rest[size:]
    # Mostly in order, some blocks hours late, some twice.
    order = sorted(range(len(blocks)), key=lambda i: i + chance.choice((0.0, 0.0, 0.0, 3.0, 40.0)) * chance.random())
    order += chance.choices(range(len(blocks)), k=2)
    kept, came = None, list[Fix]()
    for block in order:
        for fix in blocks[block]:
            new = shelf.take(fix)
            if new is not None:
                came.append(new)
                shelf.track.add(new)
            if chance.random() < 0.05:
                shelf.track.reading()
            if chance.random() < 0.03:
                kept, came = shelf.put_by(timedelta(days=chance.choice((0, 1)))), []
            if kept is not None and chance.random() < 0.02:
                shelf.resume(kept, came)
    assert shelf.track.reading() == IN_ORDER
    assert len(shelf.track) == len(EVENTFUL)


# -- the watch ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def yard(place: Place) -> Iterator[Yard]:
    found = Yard(place)
    yield found
    found.store.close()


def _asked(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes of whom fixes are read from the store."""
    asked: list[str] = []
    positions = yard.store.positions

    def noted(vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Fix]:
        asked.append(vehicle)
        return positions(vehicle, since, until)

    monkeypatch.setattr(yard.store, "positions", noted)
    return asked


def _reading(yard: Yard, vehicle: str = PLATE) -> TrackReading:
    look = yard.watch.look(vehicle)
    assert look is not None
    assert look.view.track is not None
    return look.view.track


def _whole(yard: Yard, vehicle: str = PLATE) -> TrackReading:
    """What a track says that reads everything there is, by itself."""
    look = yard.watch.look(vehicle)
    assert look is not None
    assert look.view.loop is not None
    track = Track(look.view.loop)
    for fix in yard.store.positions(vehicle):
        track.add(fix)
    return track.reading()


def _kept(yard: Yard) -> list[str]:
    return [vehicle for (vehicle,) in yard.place.behind("SELECT vehicle FROM readings ORDER BY vehicle")]


def test_a_start_goes_on_from_what_was_put_by_and_reads_no_fix_from_before_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.departed()
    yard.drive(600)
    yard.watch.keep()
    assert _kept(yard) == [PLATE]
    before = _reading(yard)
    yard.restart()
    asked = _asked(yard, monkeypatch)
    yard.watch.settle()
    assert _reading(yard) == before
    yard.drive(600)
    assert asked == []
    assert _reading(yard) == _whole(yard)


def test_what_came_after_it_was_put_by_is_read_on_after_a_crash(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for vehicle in (PLATE, OTHER):
        yard.departed(vehicle)
    yard.drive(600)
    yard.drive(300, vehicle=OTHER)
    yard.watch.keep()
    yard.drive(300)  # and nothing of it is put by
    yard.drive(200, vehicle=OTHER, at=T0 + 1000 * SECOND)  # nor was this even seen
    yard.restart()
    asked = _asked(yard, monkeypatch)
    yard.watch.settle()
    assert asked == []
    for vehicle in (PLATE, OTHER):
        assert _reading(yard, vehicle) == _whole(yard, vehicle)


def test_a_fix_from_before_what_was_put_by_has_the_track_go_back(yard: Yard) -> None:
    yard.departed()
    yard.drive(2_400)
    yard.watch.keep()
    yard.restart()
    yard.watch.settle()
    for late in (30, 1_210, 2_389):
        yard.drive(1, step=1, at=T0 + late * SECOND)
        yard.watch.settle()
        assert _reading(yard) == _whole(yard)
    assert _reading(yard).fixes_count == 123


def test_only_what_changed_is_written_again_and_only_after_a_while(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for vehicle in (PLATE, OTHER):
        yard.departed(vehicle)
        yard.drive(100, vehicle=vehicle)
    assert yard.watch.keep(everything=False)
    assert _kept(yard) == sorted([PLATE, OTHER])
    yard.drive(100)
    assert not yard.watch.keep(everything=False)
    monkeypatch.setattr(readings, "KEEP_EVERY_S", 0.0)
    numbers = dict(yard.place.behind("SELECT vehicle, number FROM readings"))
    assert yard.watch.keep(everything=False)
    after = dict(yard.place.behind("SELECT vehicle, number FROM readings"))
    assert after[OTHER] == numbers[OTHER]
    assert after[PLATE] > numbers[PLATE]
    assert yard.place.behind("SELECT number FROM readings_to") == [(yard.store.last_position(),)]


def test_the_number_that_all_go_to_is_held_back_by_the_one_that_was_not_written(yard: Yard) -> None:
    for vehicle in (PLATE, OTHER):
        yard.departed(vehicle)
        yard.drive(100, vehicle=vehicle)
    yard.watch.keep()
    yard.drive(40)
    first_missing = yard.store.last_position() - 1
    yard.drive(40, vehicle="粤B00001")  # one that is not known has no track, and holds up nobody
    yard.departed("粤B00001", "p-3")
    yard.watch.settle()
    yard.watch.keep(everything=False)
    assert "粤B00001" in _kept(yard)
    assert yard.place.behind("SELECT number FROM readings_to") == [(first_missing - 1,)]


@pytest.mark.parametrize("column", ["made_by", "number", "oldest", "state", "before", "seal"])
def test_a_row_that_was_altered_is_read_again_from_the_fixes_and_said_once(
    yard: Yard, column: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    kind = "made_by || 'x'" if column == "made_by" else "number + 1" if column == "number" else "oldest - 1"
    if column in ("state", "before", "seal"):
        [(value,)] = yard.place.behind(f"SELECT {column} FROM readings")
        damaged = bytearray(value)
        damaged[len(damaged) // 2] ^= 1
        yard.place.behind(f"UPDATE readings SET {column} = ?", (bytes(damaged),))
    else:
        yard.place.behind(f"UPDATE readings SET {column} = {kind}")
    yard.restart()
    asked = _asked(yard, monkeypatch)
    with caplog.at_level(logging.INFO, "checkpoint.readings"):
        yard.watch.settle()
        yard.watch.settle()
    assert asked == [PLATE]
    assert [r.message for r in caplog.records] == [
        "what was put by of 1 tracks is another program's, or damaged: they are read again"
    ]
    assert _reading(yard) == _whole(yard)
    yard.watch.keep()
    yard.restart()
    asked = _asked(yard, monkeypatch)
    yard.watch.settle()
    assert asked == []


def test_another_program_or_another_loop_takes_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    other = msgspec.structs.replace(SAME_ROAD, policy=msgspec.structs.replace(SAME_ROAD.policy, half_width_m=60.0))
    made = readings.made_by(SAME_ROAD)
    assert made == readings.made_by(loop_of([*SAME_ROAD.outbound.points], policy=SAME_ROAD.policy))
    assert made != readings.made_by(other)
    monkeypatch.setattr(readings, "program", lambda: "another")
    assert made != readings.made_by(SAME_ROAD)


def test_what_was_put_by_leaves_with_the_fixes_and_is_not_written_again_in_their_absence(yard: Yard) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    yard.store.sweep("positions", yard.clock() + MINUTE)
    assert yard.store.positions(PLATE) == []
    assert _kept(yard) == []
    yard.watch.settle()
    yard.watch.keep()
    assert _kept(yard) == []
    yard.clock.at += 60 * MINUTE
    yard.drive(100)  # the track in memory still knows of before
    yard.watch.keep()
    assert _kept(yard) == []


def test_a_row_that_may_not_be_written_any_more_does_not_stand_for_what_came_after_it(yard: Yard) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    yard.drive(100)
    # As if the sweep had let go of what the track still names, after the row was written.
    yard.place.behind("UPDATE readings_to SET swept = (SELECT oldest + 1 FROM readings)")
    yard.watch.keep()
    assert _kept(yard) == []
    yard.restart()
    yard.watch.settle()
    assert _reading(yard) == _whole(yard)


def test_a_vehicle_that_is_on_no_loop_any_more_holds_nothing_back(yard: Yard) -> None:
    yard.departed()
    yard.drive(100)
    yard.watch.keep()
    [number] = yard.place.behind("SELECT number FROM facts WHERE kind = 'LoopPublished'")[0]
    yard.tell(Voided(target=next(r.fact.id for r in yard.store.facts_after(number - 1, 1)), reason="wrong"))
    yard.restart()
    yard.watch.settle()
    yard.drive(100)
    yard.watch.keep()
    assert _kept(yard) == []
    assert yard.place.behind("SELECT number FROM readings_to") == [(yard.store.last_position(),)]


def test_a_record_that_was_brought_back_reads_its_tracks_anew(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    yard.store.bring_back(yard.clock())
    assert _kept(yard) == []
    yard.restart()
    asked = _asked(yard, monkeypatch)
    yard.watch.settle()
    assert asked == [PLATE]
    yard.watch.keep()
    assert _kept(yard) == [PLATE]


def test_of_two_watches_that_put_by_the_one_that_finds_the_other_begins_anew(yard: Yard) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    other = yard.new_watch()
    other.settle()
    yard.drive(40)
    other.settle()
    assert yard.watch.keep()
    assert other.keep()  # not its turn: all is thrown away
    assert _kept(yard) == []
    other.settle()
    assert other.keep()
    assert _kept(yard) == [PLATE]
    yard.restart()
    yard.watch.settle()
    assert _reading(yard) == _whole(yard)


def test_what_could_not_be_written_is_written_later(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.departed()
    yard.drive(300)
    yard.watch.keep()
    yard.drive(100)

    def full(*_: object) -> str:
        raise StorageFailed("no room")

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "keep_readings", full)
        with pytest.raises(StorageFailed):
            yard.watch.keep()
    assert yard.watch.keep()
    assert yard.place.behind("SELECT number FROM readings_to") == [(yard.store.last_position(),)]
    yard.restart()
    yard.watch.settle()
    assert _reading(yard) == _whole(yard)


# -- late truth, end to end -----------------------------------------------------------------------------------------------


def test_what_was_put_by_hinders_no_late_fix_from_disproving_a_warning(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    yard.drive(360, lon=120.602, step=60)
    yard.watch.keep()
    yard.restart()
    assert yard.told("off-loop") == ["raised off-loop yellow"]
    since = yard.facts(WarningRaised)[0].since
    yard.clock.forward(hours=1)
    yard.drive(420, step=10, at=since - 45 * SECOND)
    yard.watch.settle()
    assert yard.told("off-loop") == ["raised off-loop yellow", "withdrawn off-loop"]
    assert _reading(yard) == _whole(yard)


def test_nor_one_that_proves_what_nobody_was_told_at_its_true_time(yard: Yard) -> None:
    yard.departed()
    yard.drive(200)
    yard.drive(400, at=T0 + 600 * SECOND)
    yard.clock.at = T0 + 1_000 * SECOND
    yard.watch.settle()
    yard.watch.keep()
    yard.restart()
    yard.clock.at = T0 + 3600 * SECOND
    yard.drive(300, lon=120.61, at=T0 + 240 * SECOND)
    yard.watch.settle()
    assert yard.told("off-loop") == ["raised off-loop yellow late", "cleared off-loop"]
    [raised] = [
        r.fact.what
        for r in yard.store.facts_of_kind("WarningRaised")
        if isinstance(r.fact.what, WarningRaised) and r.fact.what.finding == "off-loop"
    ]
    assert raised.since == T0 + 260 * SECOND
    assert _reading(yard) == _whole(yard)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # what is delivered in which order is not the database's matter
def test_any_order_of_delivery_and_any_restarts_tell_the_same_in_the_end(yard: Yard) -> None:
    for seed in seeds(rounds(3, soak=60)):
        vehicle, chance = f"浙C{seed % 100_000:05}", Random(seed)
        start = T0
        yard.departed(vehicle, f"p-{seed}")
        yard.clock.at = start
        fixes: list[Fix] = []
        lon = 120.6
        for s in range(20, 1_141, 20):
            lon = 120.63 if 300 < s <= 500 or 700 < s <= 860 else 120.6
            fixes.append(
                Fix(
                    device=f"d-{vehicle}", fixed_at=start + s * SECOND, lon=lon + chance.gauss(0, 5) / 98_000,
                    lat=28.0 + s * (60 / 3.6) / 111_000, accuracy_m=8.0, speed_kmh=60.0,
                )
            )  # fmt: skip
        blocks = [fixes[i : i + 10] for i in range(0, len(fixes), 10)]
        order = sorted(range(len(blocks)), key=lambda i: i + chance.choice((0, 0, 4, 9)) * chance.random())
        for block in [*order, chance.randrange(len(blocks))]:
            yard.clock.at = max(yard.clock.at, blocks[block][-1].fixed_at)
            yard.store.add_positions([(vehicle, fix) for fix in blocks[block]])
            if chance.random() < 0.7:
                yard.watch.settle()
            if chance.random() < 0.4:
                yard.watch.keep()
            if chance.random() < 0.3:
                yard.restart()
        yard.watch.settle()
        assert _reading(yard, vehicle) == _whole(yard, vehicle)
        look = yard.watch.look(vehicle)
        assert look is not None
        found = sorted((f.since, f.until) for f in look.judgement.findings if f.kind == "off-loop" and f.confirmed)
        assert len(found) == 2
        standing = sorted(
            (w.raised.since, w.ended) for w in look.view.warnings if w.raised.finding == "off-loop" and w.withdrawn_at is None
        )
        # A warning keeps its name while late facts move its beginning: as many stand as there were excursions, and all are over.
        assert len(standing) == len(found)
        assert all(ended is not None for _, ended in standing)
        assert not [w for w in look.view.warnings if w.raised.finding == "off-loop" and w.open]


def test_a_fix_is_stored_once_however_often_it_comes(yard: Yard) -> None:
    yard.departed()
    fix = Fix(device="d", fixed_at=T0 + MINUTE, lat=28.01, lon=120.6, accuracy_m=8.0)
    yard.clock.at = T0 + MINUTE
    assert sum(sum(yard.store.add_positions([(PLATE, fix)] * 3)) for _ in range(17)) == 1
    yard.watch.settle()
    assert _reading(yard).fixes_count == 1
    assert not {WarningCleared, WarningWithdrawn} & {type(r.fact.what) for r in yard.store.facts_after(0, 100)}
