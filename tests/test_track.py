"""Tracks: what is told as a departure, how soon, and what must stay quiet."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest

from checkpoint.core import geo
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.loop import Line, Policy, Section
from checkpoint.core.track import Track
from tests.roads import END_M, PATH, ROAD, SAME_ROAD, T0, Truck, confirmed, loop_of, moved, place_moved, read, station


def kinds(reading: TrackReading) -> list[str]:
    return [e.kind for e in confirmed(reading)]


def seconds(later: datetime | None, earlier: datetime) -> float:
    assert later is not None
    return (later - earlier).total_seconds()


# -- quiet -------------------------------------------------------------------------------------------------------------


def test_before_the_first_fix_nothing_is_said() -> None:
    assert Track(SAME_ROAD).reading() == TrackReading()


@pytest.mark.parametrize("every_s", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("said", [{}, {"speed_kmh": None, "course_deg": None, "accuracy_m": None}])
def test_a_lap_under_a_receivers_own_noise_stays_quiet(every_s: float, said: dict[str, None]) -> None:
    truck = Truck(PATH, every_s=every_s, noise_m=5)
    truck.said |= said
    reading = read(truck.stand(600).drive(0, END_M).stand(1200, at_m=END_M).drive(END_M, 0).stand(600).fixes)
    assert reading.episodes == ()
    assert [v.station for v in reading.visits] == ["A", "B", "A"]
    assert reading.place == "on"


@pytest.mark.parametrize("seed", range(8))
def test_a_few_displaced_fixes_stay_quiet(seed: int) -> None:
    """One to three fixes thrown 80 to 300 m aside by reflections, some of them sure of themselves."""
    random = Random(seed)
    fixes = Truck(PATH, noise_m=5, seed=seed).drive(0, END_M).fixes
    at = 20
    while at < len(fixes) - 20:
        east, north = random.choice((-1, 1)) * random.uniform(60, 220), random.choice((-1, 1)) * random.uniform(60, 220)
        accuracy = random.choice((6.0, 40.0))
        for i in range(at, at + random.choice((1, 1, 2))):
            lon, lat = place_moved((fixes[i].lon, fixes[i].lat), east, north)
            fixes[i] = msgspec.structs.replace(fixes[i], lon=lon, lat=lat, accuracy_m=accuracy)
        at += random.randrange(15, 40)
    assert kinds(read(fixes)) == []


def test_one_jump_out_of_the_country_proves_nothing() -> None:
    truck = Truck(PATH).drive(0, 5_000)
    jump = truck.report((13.4, 52.5), 72, 0)
    before = read(truck.fixes)
    reading = read(truck.drive(5_200, 10_000).fixes)
    assert before.last == jump
    assert before.placed == truck.fixes[truck.fixes.index(jump) - 1]
    assert before.along_m == pytest.approx(5_000, abs=250)
    assert reading.episodes == ()


def test_a_device_left_behind_does_not_pull_the_truck_back() -> None:
    left = Truck(PATH, device="left", every_s=15.0).stand(1500)
    truck = Truck(PATH).drive(0, 25_000)
    reading = read(left.fixes + truck.fixes)
    assert kinds(reading) == []
    assert reading.along_m == pytest.approx(25_000, abs=250)


def test_two_devices_in_one_cab_tell_one_story() -> None:
    a = Truck(PATH, device="a", noise_m=5).drive(0, 20_000)
    b = Truck(PATH, device="b", noise_m=8, every_s=30.0, seed=2).drive(0, 20_000)
    reading = read(a.fixes + b.fixes)
    assert reading.episodes == ()
    assert reading.interval_s == 10.0


def test_two_devices_that_report_in_the_same_second_off_the_line_are_read() -> None:
    """Neither says a speed, and the second is placed farther out: nobody drove there in no time at all."""
    a, b = Truck(PATH, device="a").drive(0, 12_000), Truck(PATH, device="b")
    a.drive(12_000, 12_200, side_m=90).drive(12_200, 12_400, side_m=150)
    b.at = a.fixes[-1].fixed_at
    b.drive(12_200, 12_400, side_m=185)
    mute = [msgspec.structs.replace(fix, speed_kmh=None, course_deg=None) for fix in (*a.fixes, b.fixes[0])]
    (excursion,) = read(mute).episodes
    assert excursion.kind == "off-loop"
    assert excursion.confirmed_at is None


# -- off the loop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_m", [0.0, 5.0])
@pytest.mark.parametrize(("every_s", "soon_s"), [(10.0, 40), (30.0, 90)])
def test_a_true_departure_is_confirmed_quickly(every_s: float, soon_s: float, noise_m: float) -> None:
    truck = Truck(PATH, every_s=every_s, noise_m=noise_m).drive(0, 10_000, kmh=60)
    left_at = truck.at
    (off,) = confirmed(read(truck.leave(10_000, 30, 3_000).fixes))
    assert off.kind == "off-loop"
    assert seconds(off.confirmed_at, left_at) <= soon_s
    assert 0 <= seconds(off.since, left_at) <= 30
    assert off.until is None
    assert off.values["leg"] == "outbound"
    assert off.values["along_m"] == pytest.approx(10_000, abs=700)
    assert all(c.what == "fix" and c.values.keys() == {"lat", "lon", "off_m", "accuracy_m"} for c in off.evidence)
    assert off.evidence[0].at == off.since


def test_one_fix_is_a_suspicion_and_no_more() -> None:
    truck = Truck(PATH).drive(0, 10_000)
    truck.report(place_moved(PATH.at(10_150), 85, -85), 72, None)
    reading = read(truck.fixes)
    assert [(e.kind, e.confirmed_at) for e in reading.episodes] == [("off-loop", None)]
    assert reading.place == "on"
    assert read(truck.drive(10_200, 12_000).fixes).episodes == ()


def test_an_excursion_is_one_episode_with_its_end() -> None:
    truck = Truck(PATH).drive(0, 10_000).leave(10_000, 60, 2_000)
    back = geo.Path([(truck.fixes[-1].lon, truck.fixes[-1].lat), PATH.at(13_000)])
    truck.drive(0, back.length_m, path=back)
    back_at = truck.at
    reading = read(truck.drive(13_000, 20_000).fixes)
    (off,) = confirmed(reading)
    assert abs(seconds(off.until, back_at)) <= 20
    assert reading.place == "on"
    assert isinstance(off.values["farthest_m"], float)
    assert off.values["farthest_m"] > 1_000


def test_along_the_edge_of_the_corridor_there_is_one_excursion_and_not_ten() -> None:
    truck = Truck(PATH).drive(0, 5_000)
    truck.said["accuracy_m"] = 1.0
    for s in range(5_000, 15_000, 200):  # 57 m and 45 m aside in turn: over the edge of 50 m, never inside 40 m
        truck.drive(s, s + 200, side_m=57 if s % 400 else 45)
    (off,) = confirmed(read(truck.drive(15_000, 18_000).fixes))
    assert off.until is not None


def test_a_poor_fix_is_given_the_benefit_of_its_own_accuracy() -> None:
    sure, unsure = Truck(PATH).drive(0, 3_000), Truck(PATH).drive(0, 3_000)
    unsure.said["accuracy_m"] = 80.0
    assert kinds(read(sure.drive(3_000, 6_000, side_m=120).fixes)) == ["off-loop"]
    assert kinds(read(unsure.drive(3_000, 6_000, side_m=120).fixes)) == []


def test_a_corridor_has_the_width_of_its_section() -> None:
    wide = loop_of(ROAD, policy=Policy(half_width_m=50))
    wide = msgspec.structs.replace(
        wide,
        outbound=Line(
            points=tuple(ROAD), sections=(Section(from_m=0, half_width_m=300), Section(from_m=12_000, half_width_m=50))
        ),
    )
    truck = Truck(PATH).drive(0, 3_000).drive(3_000, 16_000, side_m=150)
    (off,) = confirmed(read(truck.fixes, wide))
    assert off.values["along_m"] == pytest.approx(12_000, abs=250)


def test_far_away_two_fixes_are_decisive() -> None:
    truck = Truck(PATH, every_s=60.0).drive(0, 10_000, kmh=60)
    start = truck.at
    (off,) = confirmed(read(truck.leave(10_000, 45, 2_000).fixes))
    assert off.values["decisive"] is True
    assert seconds(off.confirmed_at, start) <= 120


def test_a_station_off_the_line_is_part_of_the_loop() -> None:
    spur = place_moved(PATH.at(20_000), 500, -500)
    loop = loop_of(ROAD, None, station("rest", spur, "rest", radius_m=700), policy=Policy(half_width_m=50))
    there = geo.Path([PATH.at(20_000), spur])
    truck = Truck(PATH).stand(60).drive(0, 20_000)
    truck.drive(0, there.length_m, kmh=30, path=there).stand(3_600, spur).drive(there.length_m, 0, kmh=30, path=there)
    reading = read(truck.drive(20_000, 30_000).fixes, loop)
    assert reading.episodes == ()
    assert [v.station for v in reading.visits] == ["A", "rest"]
    assert seconds(reading.visits[1].until, reading.visits[1].since) > 3_600


def test_nothing_is_claimed_across_a_gap() -> None:
    off = Truck(PATH).drive(0, 10_000).leave(10_000, 60, 3_000)
    last = off.fixes[-1].fixed_at
    back = off.silent(4_000).drive(20_000, 25_000)
    (episode,) = confirmed(read(back.fixes))
    assert episode.until == last


def test_off_on_both_sides_of_a_gap_is_two_excursions() -> None:
    truck = Truck(PATH).drive(0, 10_000).leave(10_000, 60, 3_000)
    away = place_moved((truck.fixes[-1].lon, truck.fixes[-1].lat), 4_000, 0)
    truck.silent(4_000).drive(0, 3_000, path=geo.Path([away, place_moved(away, 4_000, 0)]))
    first, second = confirmed(read(truck.fixes), "off-loop")
    assert first.until is not None
    assert second.until is None


# -- direction ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [{}, {"course_deg": None}, {"course_deg": None, "speed_kmh": None}])
def test_turning_round_on_the_line_is_seen(said: dict[str, None]) -> None:
    truck = Truck(PATH, noise_m=5)
    truck.said |= said
    truck.drive(0, 10_000)
    turned_at = truck.at
    reading = read(truck.drive(10_000, 8_000).fixes)
    (wrong,) = confirmed(reading)
    assert wrong.kind == "wrong-way"
    assert seconds(wrong.confirmed_at, turned_at) <= 40
    assert abs(seconds(wrong.since, turned_at)) <= 10
    assert reading.leg == "outbound"
    assert wrong.values["along_m"] == pytest.approx(10_000, abs=250)


def test_wrong_way_ends_when_the_truck_turns_again() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 10_000).drive(10_000, 8_000)
    turned_at = truck.at
    (wrong,) = confirmed(read(truck.drive(8_000, 14_000).fixes))
    assert abs(seconds(wrong.until, turned_at)) <= 20
    assert wrong.values["back_m"] == pytest.approx(2_000, abs=100)


def test_a_truck_that_shunts_in_a_queue_is_not_going_the_wrong_way() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 10_000)
    for _ in range(6):
        truck.drive(10_000, 9_940, kmh=10).drive(9_940, 10_060, kmh=10).drive(10_060, 10_000, kmh=10)
    assert kinds(read(truck.drive(10_000, 12_000).fixes)) == []


def test_the_same_road_both_ways_is_two_legs() -> None:
    truck = Truck(PATH, noise_m=5).stand(300).drive(0, 20_000)
    out = read(truck.fixes)
    back = read(truck.drive(20_000, END_M).stand(900, at_m=END_M).drive(END_M, 20_000).fixes)
    assert (out.leg, back.leg) == ("outbound", "inbound")
    assert out.along_m == pytest.approx(20_000, abs=250)
    assert back.along_m == pytest.approx(END_M - 20_000, abs=250)
    assert back.episodes == ()


def test_the_leg_is_known_from_the_direction_when_the_track_begins_on_the_road() -> None:
    assert read(Truck(PATH).drive(10_000, 11_000).fixes).leg == "outbound"
    assert read(Truck(PATH).drive(11_000, 10_000).fixes).leg == "inbound"
    mute = Truck(PATH)
    mute.said |= {"speed_kmh": None, "course_deg": None}
    assert read(mute.drive(11_000, 10_000).fixes).leg == "inbound"
    assert read(Truck(PATH).stand(300, at_m=15_000).fixes).leg is None


def test_a_silence_long_enough_to_have_turned_at_the_end_is_no_wrong_way() -> None:
    truck = Truck(PATH).drive(0, 30_000).silent(3 * 3600).drive(30_000, 20_000)
    reading = read(truck.fixes)
    assert kinds(reading) == []
    assert reading.leg == "inbound"


def test_between_two_sparse_fixes_a_truck_may_have_turned_at_the_end() -> None:
    truck = Truck(PATH, every_s=120.0, noise_m=5).drive(0, END_M - 2_500).silent(240)
    reading = read(truck.drive(END_M - 1_500, END_M - 12_000).fixes)
    assert kinds(reading) == []
    assert reading.leg == "inbound"


def test_one_fix_thrown_back_along_the_line_is_no_wrong_way() -> None:
    truck = Truck(PATH, noise_m=8)
    truck.said |= {"speed_kmh": None, "course_deg": None}
    truck.drive(0, 10_000).stand(900, at_m=10_000)
    for back_m in (400, 600):
        truck.report(PATH.at(10_000 - back_m), None, None)
        truck.stand(300, at_m=10_000)
    assert kinds(read(truck.drive(10_000, 12_000).fixes)) == ["unscheduled-stop"]


def test_lines_that_cross_are_not_mixed_up() -> None:
    """A line that crosses itself, as a figure of eight does: progress goes on, it does not jump."""
    eight = [(120.7, 28.0), (120.8, 28.1), (120.9, 28.1), (120.9, 28.0), (120.8, 28.0), (120.7, 28.1)]
    dense = [geo.Path(eight).at(s) for s in range(0, int(geo.Path(eight).length_m), 300)]
    path, loop = geo.Path(dense), loop_of(dense, policy=Policy(half_width_m=50))
    truck, track = Truck(path, noise_m=5), Track(loop)
    seen = []
    for fix in truck.drive(500, path.length_m - 500).fixes:
        track.add(fix)
        seen.append(track.reading().along_m)
    progress = [s for s in seen if s is not None]
    assert len(progress) >= len(seen) - 3
    assert all(100 < b - a < 300 for a, b in pairwise(progress))
    assert track.reading().episodes == ()


def test_a_spur_driven_in_and_out_on_one_leg_is_progress() -> None:
    out = [place_moved((120.7, 28.0), 0, m) for m in range(0, 20_001, 250)]
    spur = [place_moved(out[40], m, 0) for m in range(250, 5_001, 250)]
    line = [*out[:41], *spur, *reversed(spur[:-1]), *out[40:]]
    path = geo.Path(line)
    for said in ({}, {"course_deg": None}):
        truck = Truck(path, noise_m=3)
        truck.said |= said
        reading = read(
            truck.drive(0, path.length_m - 1_000).fixes, loop_of(line, list(reversed(out)), policy=Policy(half_width_m=50))
        )
        assert kinds(reading) == []
        assert reading.along_m == pytest.approx(path.length_m - 1_000, abs=250)


def test_between_stations_around_a_point_a_truck_may_go_back_and_forth() -> None:
    rest = station("rest", PATH.at(3_000), "rest", radius_m=150)
    loop = loop_of(ROAD, None, rest, policy=Policy(half_width_m=50))
    truck = Truck(PATH, noise_m=5).stand(600).drive(0, 3_000, kmh=40).stand(3_600, at_m=3_000)
    truck.drive(3_000, 0, kmh=40).stand(600).drive(0, 15_000)
    reading = read(truck.fixes, loop)
    assert reading.episodes == ()
    assert reading.leg == "outbound"


# -- standing, driving -------------------------------------------------------------------------------------------------


def test_a_stop_away_from_stations_begins_when_the_truck_stands() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 10_000)
    stood_at = truck.at
    reading = read(truck.stand(1_200, at_m=10_000).fixes)
    (stop,) = reading.episodes
    assert (stop.kind, stop.until) == ("unscheduled-stop", None)
    assert abs(seconds(stop.since, stood_at)) <= 10
    assert reading.at_rest_since == stop.since
    assert stop.values["driven_s"] == pytest.approx(500, abs=30)
    left_at = truck.at
    (ended,) = read(truck.drive(10_000, 12_000).fixes).episodes
    assert abs(seconds(ended.until, left_at)) <= 20


def test_traffic_lights_and_creeping_are_no_stops() -> None:
    truck = Truck(PATH, noise_m=5)
    for s in range(0, 8_000, 1_000):
        truck.drive(s, s + 1_000, kmh=40).stand(90, at_m=s + 1_000)
    assert read(truck.drive(8_000, 9_000, kmh=4).fixes).episodes == ()


def test_a_displaced_fix_does_not_end_a_rest() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 10_000).stand(600, at_m=10_000)
    truck.report(place_moved(PATH.at(10_000), 150, 100), 0.0, None)
    reading = read(truck.stand(600, at_m=10_000).fixes)
    (stop,) = reading.episodes
    assert stop.kind == "unscheduled-stop"
    assert seconds(truck.fixes[-1].fixed_at, stop.since) >= 1_190


@pytest.mark.parametrize("every_s", [10.0, 30.0])
@pytest.mark.parametrize("said", [{}, {"speed_kmh": None}])
def test_a_break_is_a_break_although_the_receiver_was_elsewhere_for_three_fixes(every_s: float, said: dict[str, None]) -> None:
    truck = Truck(PATH, noise_m=5, every_s=every_s).drive(0, 10_000)
    truck.said |= said
    truck.stand(900, at_m=10_000)
    for _ in range(3):
        truck.report(place_moved(PATH.at(10_000), 150, 100), 0.0, None)
    assert read(truck.stand(900, at_m=10_000).fixes).driving_since is None


def test_a_receiver_that_dreams_of_speed_still_stands() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 10_000)
    stood_at = truck.at
    truck.said |= {"speed_kmh": 7.0, "course_deg": 90.0}
    reading = read(truck.stand(1_200, at_m=10_000).fixes)
    assert reading.at_rest_since is not None
    assert abs(seconds(reading.at_rest_since, stood_at)) <= 10


def test_at_a_station_standing_is_no_stop() -> None:
    reading = read(Truck(PATH, noise_m=5).stand(3_600).fixes)
    assert reading.episodes == ()
    assert reading.station == "A"
    assert reading.at_rest_since == T0


def test_a_phone_that_sleeps_while_the_truck_rests_has_rested() -> None:
    truck = Truck(PATH).drive(0, 10_000).stand(60, at_m=10_000).silent(7_200)
    reading = read(truck.stand(20, at_m=10_000).fixes)
    assert reading.at_rest_since is not None
    assert seconds(truck.fixes[-1].fixed_at, reading.at_rest_since) >= 7_200
    assert reading.driving_since is None


def test_driving_is_counted_from_the_last_break_of_lawful_length() -> None:
    truck = Truck(PATH).drive(0, 10_000).stand(600, at_m=10_000).drive(10_000, 20_000)
    short = read(truck.fixes)
    assert short.driven_s == pytest.approx(1_000, abs=40)
    assert short.driving_since is not None
    assert seconds(short.driving_since, T0) <= 10
    resting = read(truck.stand(1_300, at_m=20_000).fixes)
    assert (resting.driving_since, resting.driven_s) == (None, 0.0)
    again_at = truck.at
    long = read(truck.drive(20_000, 25_000).fixes)
    assert long.driven_s == pytest.approx(250, abs=30)
    assert long.driving_since is not None
    assert abs(seconds(long.driving_since, again_at)) <= 20


def test_a_silence_that_may_have_been_a_break_is_taken_for_one() -> None:
    truck = Truck(PATH).drive(0, 10_000).silent(3_600).drive(15_000, 16_000)
    assert read(truck.fixes).driven_s <= 120


# -- what cannot be used -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [{"accuracy_m": 900.0}, {"valid": False}])
def test_positions_too_poor_to_say_anything_are_unknown_and_not_off(said: dict[str, Any]) -> None:
    truck = Truck(PATH).drive(0, 5_000)
    truck.said |= said
    began = truck.at
    short = read(truck.drive(5_000, 10_000, side_m=700).fixes)
    assert kinds(short) == []
    reading = read(truck.drive(10_000, 22_000, side_m=700).fixes)
    (unknown,) = confirmed(reading)
    assert (unknown.kind, unknown.since, reading.place) == ("position-unknown", began, "unknown")
    truck.said = {"accuracy_m": 6.0}
    after = read(truck.drive(22_000, 23_000).fixes)
    assert after.place == "on"
    assert after.episodes[0].until is not None


@pytest.mark.parametrize("place", [(0.0, 0.0), (120.7, 90.0), (120.7, float("nan")), (500.0, 28.0)])
def test_what_is_no_place_is_not_believed(place: tuple[float, float]) -> None:
    truck = Truck(PATH).drive(0, 5_000)
    fixes = [*truck.fixes, Fix(device="d", fixed_at=truck.at, lat=place[1], lon=place[0])]
    assert read(fixes).placed == truck.fixes[-1]


# -- progress ----------------------------------------------------------------------------------------------------------


def test_a_shortcut_is_seen_by_the_line_it_left_out_and_the_little_it_drove() -> None:
    """The line goes round three sides of a square; the truck cuts across."""
    corners = [(120.7, 28.0), *moved([(120.7, 28.0)], 0, 3_000), *moved([(120.7, 28.0)], 4_000, 3_000)]
    corners += [*moved([(120.7, 28.0)], 4_000, 0), *moved([(120.7, 28.0)], 12_000, 0)]
    line = geo.Path(corners)
    across = geo.Path([line.at(500), line.at(9_500)])
    truck = Truck(line, noise_m=3).drive(0, 500)
    truck.drive(0, across.length_m, path=across).drive(9_500, 17_000)
    (off,) = confirmed(read(truck.fixes, loop_of(corners, policy=Policy(half_width_m=50))))
    assert off.until is not None
    assert off.values["skipped_m"] == pytest.approx(9_000, abs=400)
    assert off.values["driven_m"] == pytest.approx(4_000, abs=400)


# -- rhythm ------------------------------------------------------------------------------------------------------------


def test_the_devices_rhythm_is_the_middle_of_its_gaps_while_moving() -> None:
    truck = Truck(PATH, every_s=30.0).drive(0, 5_000).silent(500).drive(10_000, 15_000)
    assert read(truck.fixes).interval_s == 30.0
    assert read(truck.stand(300, at_m=15_000).silent(7_000).stand(30, at_m=15_000).fixes).interval_s == 30.0


@pytest.mark.parametrize("every_s", [1, 5, 10, 30])
def test_a_truck_that_says_no_speed_leaves_a_station_by_driving_however_often_it_reports(every_s: int) -> None:
    loop = loop_of(PATH.points, None, station("wash", PATH.at(10_000), radius_m=400), policy=Policy(half_width_m=50))
    truck = Truck(PATH, every_s=every_s, noise_m=4)
    truck.said = {"speed_kmh": None, "course_deg": None, "accuracy_m": None}
    reading = read(truck.drive(8_000, 14_000).fixes, loop)
    assert reading.station == ""
    assert [visit.station for visit in reading.visits] == ["wash"]
    truck.stand(1500, at_m=14_000).drive(14_000, 16_000)
    assert [e.kind for e in confirmed(read(truck.fixes, loop))] == ["unscheduled-stop"]


@pytest.mark.parametrize("every_s", [1, 5, 10, 30])
def test_a_receiver_at_rest_that_drifts_without_a_speed_has_not_left_its_station(every_s: int) -> None:
    wash = station("wash", PATH.at(10_000), radius_m=20)
    truck = Truck(PATH, every_s=every_s, noise_m=12, seed=3)
    truck.said = {"speed_kmh": None, "course_deg": None, "accuracy_m": None}
    reading = read(truck.stand(3 * 3600, at_m=10_000).fixes, loop_of(PATH.points, None, wash))
    assert (reading.station, len(reading.visits)) == ("wash", 1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("every_s", [5, 10])
def test_a_stop_that_no_speed_shows_is_one_stop_from_its_beginning(every_s: int, seed: int) -> None:
    truck = Truck(PATH, every_s=every_s, noise_m=5, seed=seed)
    truck.said = {"speed_kmh": None, "course_deg": None, "accuracy_m": None}
    begun = truck.drive(8_000, 14_000).at
    (stop,) = confirmed(read(truck.stand(1500, at_m=14_058).drive(14_100, 16_000).fixes), "unscheduled-stop")
    assert abs((stop.since - begun).total_seconds()) <= 60
    assert stop.until is not None
    assert (stop.until - stop.since).total_seconds() >= 1430


@pytest.mark.parametrize("every_s", [1, 10, 30])
def test_a_truck_that_stands_before_it_turns_goes_the_wrong_way_from_when_it_turned(every_s: int) -> None:
    truck = Truck(PATH, every_s=every_s, noise_m=5).drive(8_000, 14_000)
    turned = truck.stand(600, at_m=14_000).at
    (back,) = confirmed(read(truck.drive(14_000, 11_000).fixes), "wrong-way")
    assert abs((back.since - turned).total_seconds()) <= 2 * every_s
    assert back.evidence[0].at == back.since
