"""Tracks: the same fixes in any order, late, and any number of times give the same reading."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.core import geo
from checkpoint.core.fixes import Fix, TrackReading, TrackVisit
from checkpoint.core.track import Track
from tests.roads import END_M, PATH, SAME_ROAD, T0, Truck, confirmed, place_moved, read


def eventful() -> list[Fix]:
    """A lap with a departure, a stop, a jump, poor fixes, a turn back and two devices."""
    truck = Truck(PATH, every_s=20.0, noise_m=5).stand(200).drive(0, 6_000).leave(6_000, 60, 1_500)
    back = geo.Path([(truck.fixes[-1].lon, truck.fixes[-1].lat), PATH.at(8_000)])
    truck.drive(0, back.length_m, path=back).drive(8_000, 12_000)
    truck.report((13.4, 52.5), 72, 0)
    truck.stand(1_000, at_m=12_000).drive(12_000, 16_000).drive(16_000, 15_000)
    truck.said["accuracy_m"] = 500.0
    truck.drive(15_000, 15_600).said["accuracy_m"] = 6.0
    truck.drive(15_600, END_M, kmh=110).stand(300, at_m=END_M).drive(END_M, END_M - 4_000)
    second = Truck(PATH, device="e", every_s=45.0, noise_m=5, seed=3).stand(200).drive(0, 6_000)
    return sorted(truck.fixes + second.fixes, key=lambda fix: fix.fixed_at)


EVENTFUL = eventful()
IN_ORDER = read(EVENTFUL)


def test_the_eventful_drive_is_eventful() -> None:
    assert {e.kind for e in confirmed(IN_ORDER)} == {"off-loop", "unscheduled-stop", "wrong-way"}
    assert len(IN_ORDER.visits) == 2


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_order_and_repetition_do_not_show(data: st.DataObject) -> None:
    blocks, rest = [], list(EVENTFUL)
    while rest:
        size = data.draw(st.integers(1, 120))
        blocks.append(rest[:size])
        rest = rest[size:]
    order = data.draw(st.permutations(range(len(blocks))))
    again = data.draw(st.lists(st.sampled_from(range(len(blocks))), max_size=3))
    asked = data.draw(st.booleans())
    track = Track(SAME_ROAD)
    for block in [*order, *again]:
        for fix in blocks[block]:
            track.add(fix)
        if asked:
            track.reading()
    assert track.reading() == IN_ORDER


wild_fixes = st.lists(
    st.builds(
        lambda device, minute, along_m, east, north, accuracy, kmh, course, valid: Fix(
            device=device,
            fixed_at=T0 + timedelta(seconds=minute * 30),
            lon=place_moved(PATH.at(along_m), east, north)[0],
            lat=place_moved(PATH.at(along_m), east, north)[1],
            accuracy_m=accuracy,
            speed_kmh=kmh,
            course_deg=course,
            valid=valid,
        ),
        st.sampled_from("de"),
        st.integers(0, 200),
        st.sampled_from([0.0, 50.0, 5_000.0, 5_300.0, 20_000.0, END_M - 100, END_M]),
        st.sampled_from([0.0, 0.0, 30.0, 200.0, 5_000.0, 2_000_000.0]),
        st.sampled_from([0.0, 0.0, -60.0, 400.0]),
        st.sampled_from([None, -1.0, 0.0, 5.0, 80.0, 900.0]),
        st.sampled_from([None, 0.0, 12.0, 70.0]),
        st.sampled_from([None, 0.0, 45.0, 225.0]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(wild_fixes, st.randoms(use_true_random=False))
def test_no_fixes_break_the_reading_whatever_their_order(fixes: list[Fix], random: Random) -> None:
    reading = read(fixes)
    for episode in reading.episodes:
        assert episode.until is None or episode.since <= episode.until
        assert episode.confirmed_at is None or episode.since <= episode.confirmed_at
        assert episode.until is None or episode.confirmed_at is not None
        assert episode.evidence
    for visit in reading.visits:
        assert visit.until is None or visit.since <= visit.until
    shuffled = [*fixes, *fixes[:10]]
    random.shuffle(shuffled)
    track = Track(SAME_ROAD)
    for fix in shuffled:
        track.add(fix)
        if random.random() < 0.2:
            track.reading()
    assert track.reading() == reading
    assert len(track) == reading.fixes_count


@settings(max_examples=10, deadline=None)
@given(st.integers(0, len(EVENTFUL) - 1))
def test_one_late_fix_gives_the_reading_it_would_have_given_in_time(late: int) -> None:
    track = Track(SAME_ROAD)
    for i, fix in enumerate(EVENTFUL):
        if i != late:
            track.add(fix)
            if i % 50 == 0:
                track.reading()
    track.reading()
    assert track.add(EVENTFUL[late]) is True
    assert track.reading() == IN_ORDER
    assert track.add(EVENTFUL[late]) is False
    assert track.reading() == IN_ORDER


def test_a_fix_days_late_gives_the_reading_it_would_have_given_in_time() -> None:
    truck = Truck(PATH, every_s=30.0, noise_m=5)
    for _ in range(8):
        truck.stand(900).drive(0, END_M).stand(900, at_m=END_M).drive(END_M, 0)
    whole, late = read(truck.fixes), (100, 700, 1_500)
    track = Track(SAME_ROAD)
    for i, fix in enumerate(truck.fixes):
        if i not in late:
            track.add(fix)
    track.reading()
    for i in reversed(late):
        track.add(truck.fixes[i])
        track.reading()
    assert track.reading() == whole
    assert [e.kind for e in whole.episodes] == []
    assert len(whole.visits) == 17


class Shelf:
    """A store of fixes, and a track over it: what the track is told lies on the shelf already."""

    def __init__(self, span: timedelta = timedelta(days=5)) -> None:
        self.held: dict[tuple[object, ...], Fix] = {}
        self.asked = 0
        self.track = Track.over(SAME_ROAD, self.stored, T0 - timedelta(days=5), span)

    def stored(self, since: datetime | None, until: datetime | None) -> list[Fix]:
        self.asked += 1
        found = (
            f for f in self.held.values() if (since is None or f.fixed_at >= since) and (until is None or f.fixed_at < until)
        )
        return sorted(found, key=lambda f: f.fixed_at)

    def take(self, fixes: Iterable[Fix], *, told: bool = True) -> None:
        new = [f for f in fixes if self.held.setdefault((f.fixed_at, f.device, f.lat, f.lon), f) is f]
        for fix in new if told else ():
            self.track.add(fix)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_track_over_a_store_reads_the_same_and_holds_few_fixes(data: st.DataObject) -> None:
    shelf, rest = Shelf(), list(EVENTFUL)
    blocks = []
    while rest:
        size = data.draw(st.integers(1, 200))
        blocks.append(rest[:size])
        rest = rest[size:]
    for block in data.draw(st.permutations(blocks)):
        shelf.take(block)
        if data.draw(st.booleans()):
            shelf.track.reading()
    assert shelf.track.reading() == IN_ORDER
    assert len(shelf.track) == len(EVENTFUL)
    assert len(shelf.track._fixes) <= 256
    shelf.take(EVENTFUL)
    assert shelf.track.reading() == IN_ORDER


def test_fixes_in_order_ask_the_store_nothing_more_and_one_late_fix_asks_for_what_lies_after_it() -> None:
    shelf = Shelf()
    for fix in EVENTFUL[:20] + EVENTFUL[21:]:
        shelf.take([fix])
        shelf.track.reading()
    assert shelf.asked == 1
    shelf.take([EVENTFUL[20]])
    assert shelf.track.reading() == IN_ORDER
    assert shelf.asked == 2


def test_what_ended_longer_ago_than_the_span_leaves_the_reading_and_what_is_older_is_not_read() -> None:
    truck = Truck(PATH, every_s=30.0, noise_m=5)
    for _ in range(30):
        truck.stand(900).drive(0, END_M).stand(900, at_m=END_M).drive(END_M, 0)
    whole, shelf = read(truck.fixes), Shelf(timedelta(hours=12))
    for fix in truck.fixes:
        shelf.take([fix])
        shelf.track.reading()
    reading, newest = shelf.track.reading(), truck.fixes[-1].fixed_at
    assert len(reading.visits) < len(whole.visits) / 2
    assert _ended_after(whole, newest - timedelta(hours=12)) == _ended_after(reading, newest - timedelta(hours=12))
    assert msgspec.structs.replace(reading, visits=()) == msgspec.structs.replace(whole, visits=())
    late = msgspec.structs.replace(truck.fixes[0], fixed_at=T0 - timedelta(seconds=5))
    assert shelf.track.add(late) is False
    assert shelf.track.reading() == reading
    assert len(shelf.track._forks) < 30


def _ended_after(reading: TrackReading, at: datetime) -> list[TrackVisit]:
    return [visit for visit in reading.visits if visit.until is None or visit.until >= at]


def test_of_two_copies_that_differ_the_same_is_kept_whichever_came_first() -> None:
    plain = Fix(device="d", fixed_at=T0, lat=28.0, lon=120.7)
    fuller = msgspec.structs.replace(plain, accuracy_m=6.0, speed_kmh=0.0)
    assert read([plain, fuller]) == read([fuller, plain])
    assert read([plain, fuller]).last == fuller


def test_every_reading_is_a_value_that_later_fixes_do_not_change() -> None:
    track = Track(SAME_ROAD)
    half = len(EVENTFUL) // 2
    for fix in EVENTFUL[:half]:
        track.add(fix)
    before = track.reading()
    kept = msgspec.json.encode(before)
    for fix in EVENTFUL[half:]:
        track.add(fix)
    track.reading()
    assert msgspec.json.encode(before) == kept
    assert before.fixes_count == half
