"""What devices say beside their positions: one event an alarm, whatever the order, and never more kept than is of use."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import msgspec

from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.follow import Follower
from checkpoint.core.track import Track
from checkpoint.core.ways import ways_of
from tests.roads import PATH, SAME_ROAD, T0, Truck


def _read(fixes: list[Fix]) -> TrackReading:
    track = Track(SAME_ROAD)
    for fix in fixes:
        track.add(fix)
    return track.reading()


def _alarmed(seed: int = 1) -> list[Fix]:
    """A drive on which a terminal raises and ends alarms at random, beside a phone that raises none."""
    chance = Random(seed)
    truck = Truck(PATH, device="terminal-1", every_s=10.0).drive(0, 8_000)
    held: set[str] = set()
    said = []
    for fix in truck.fixes:
        for name in ("route-deviation", "fatigue", "stolen"):
            if chance.random() < 0.05:
                held ^= {name}
        said.append(msgspec.structs.replace(fix, alarms=tuple(sorted(held)), valid=chance.random() > 0.1))
    return said + Truck(PATH, device="phone", every_s=15.0, seed=2).drive(0, 8_000).fixes


def test_alarms_are_the_same_in_any_order_and_twice() -> None:
    for seed in range(5):
        fixes = _alarmed(seed)
        wanted = _read(sorted(fixes, key=lambda fix: fix.fixed_at)).alarms
        assert wanted
        Random(seed).shuffle(fixes)
        assert _read(fixes + fixes[:50]).alarms == wanted


def test_an_alarm_held_over_many_fixes_says_how_far_off_the_line_we_found_the_truck() -> None:
    fixes = [
        msgspec.structs.replace(fix, alarms=("route-deviation",))
        for fix in Truck(PATH, device="terminal-1").drive(0, 4_000).fixes
    ]
    (alarm,) = _read(fixes).alarms
    assert (alarm.fixes_count, alarm.until, alarm.since) == (len(fixes), None, fixes[0].fixed_at)
    assert alarm.farthest_m is not None
    assert alarm.farthest_m < 20


def test_another_device_that_is_silent_about_it_ends_no_alarm() -> None:
    terminal = [
        msgspec.structs.replace(fix, alarms=("stolen",)) for fix in Truck(PATH, device="terminal-1").drive(0, 2_000).fixes
    ]
    phone = Truck(PATH, device="phone", seed=2).drive(0, 2_000).fixes
    (alarm,) = _read(terminal + phone).alarms
    assert alarm.until is None


def test_a_bit_that_flickers_for_days_does_not_grow_the_track() -> None:
    def fix(minute: int) -> Fix:
        at = T0 + timedelta(minutes=5 * minute)
        names = ("route-deviation",) if minute % 2 else ()
        return Fix(device="terminal-1", fixed_at=at, lon=PATH.at(0)[0], lat=PATH.at(0)[1], speed_kmh=0.0, alarms=names)

    stolen = msgspec.structs.replace(fix(0), fixed_at=T0 - timedelta(hours=1), alarms=("stolen",))
    alarms = _read([stolen, *(fix(minute) for minute in range(2_000))]).alarms
    assert len(alarms) <= 12
    assert "stolen" in {alarm.name for alarm in alarms}  # the many of one name do not push out another


def test_a_crossing_that_is_no_station_of_ours_or_no_sentence_is_harmless() -> None:
    fixes = Truck(PATH).drive(0, 3_000).fixes
    told = ["enter nowhere", "leave", "gibberish", "enter "]
    said = [msgspec.structs.replace(fix, crossing=text) for fix, text in zip(fixes, told, strict=False)]
    assert [c.outside_m for c in _read(said).crossings] == [None] * len(_read(said).crossings)


def test_what_was_said_long_ago_leaves_the_reading() -> None:
    fixes = _alarmed()
    follower = Follower(ways_of(SAME_ROAD))
    for fix in sorted(fixes, key=lambda fix: fix.fixed_at):
        follower.step(fix)
    late = follower.last.fixed_at + timedelta(seconds=1) if follower.last else T0
    assert any(alarm.until is not None for alarm in follower.reading().alarms)
    follower.forget(late)
    assert all(alarm.until is None for alarm in follower.reading().alarms)
