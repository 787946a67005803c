"""Another datum: a constant shift is one question about the line or the device, and a road beside the line is none."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from math import cos, hypot, pi, sin
from pathlib import Path
from random import Random

import pytest

from checkpoint.core import datum, geo
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.loop import Policy
from tests.roads import Truck, confirmed, loop_of, moved, place_moved, read, road
from tests.seeds import rounds, seeds

ROAD = road()
PATH = geo.Path(ROAD)
NARROW = Policy(half_width_m=50)


def kinds(reading: TrackReading) -> list[str]:
    return [e.kind for e in confirmed(reading)]


def test_a_line_drawn_on_a_chinese_map_is_suspected_and_not_taken_for_a_departure() -> None:
    shifted = [datum.wgs_to_gcj(*p) for p in ROAD]
    truck = Truck(PATH, noise_m=5).drive(500, 25_000)
    reading = read(truck.fixes, loop_of(shifted, policy=Policy(half_width_m=50)))
    assert kinds(reading) == ["datum-suspect"]
    (suspect,) = confirmed(reading)
    assert suspect.values["likely"] == "GCJ-02"
    gx, gy = datum.wgs_to_gcj(*ROAD[0])
    kx, ky = geo.scale_m(28.0)
    assert suspect.values["shift_east_m"] == pytest.approx(-(gx - ROAD[0][0]) * kx, abs=40)
    assert suspect.values["shift_north_m"] == pytest.approx(-(gy - ROAD[0][1]) * ky, abs=40)
    assert reading.place == "on"


def test_any_constant_shift_is_suspected_on_a_line_with_bends() -> None:
    truck = Truck(PATH, noise_m=5).drive(500, 25_000)
    reading = read(truck.fixes, loop_of(moved(ROAD, 250, -180), policy=Policy(half_width_m=50)))
    assert kinds(reading) == ["datum-suspect"]
    assert confirmed(reading)[0].values == {
        "shift_east_m": pytest.approx(-250, abs=25),
        "shift_north_m": pytest.approx(180, abs=25),
        "likely": "",
    }


@pytest.mark.parametrize("every_s", [10, 30])
def test_a_lap_in_another_datum_turns_and_stands_at_its_stations_all_the_same(every_s: int) -> None:
    """Its stations are shifted with its line: turning at the far point was the wrong way, and standing there a stop elsewhere."""
    there = [datum.wgs_to_gcj(*p) for p in ROAD]
    truck = Truck(PATH, every_s=every_s, noise_m=5).stand(300, at_m=0).drive(0, PATH.length_m)
    truck.stand(1500, at_m=PATH.length_m).drive(PATH.length_m, 0)
    reading = read(truck.fixes, loop_of(there, policy=NARROW))
    assert kinds(reading) == ["datum-suspect"]
    assert [visit.station for visit in reading.visits if visit.until is not None] == ["B"]


def test_a_place_that_only_the_shift_puts_on_a_winding_line_proves_no_shortcut() -> None:
    side = [(x, 900 * sin(x / 1_430) + 300 * sin(x / 320)) for x in range(0, 30_000, 50)]
    path = geo.Path([place_moved((120.7, 28.0), *place) for place in side])
    there = [datum.wgs_to_gcj(*p) for p in path.points]
    truck = Truck(path, noise_m=5, seed=4).drive(0, path.length_m, 70)
    assert kinds(read(truck.fixes, loop_of(there, policy=NARROW))) == ["datum-suspect"]


def test_a_truck_in_another_datum_that_turns_where_there_is_no_station_is_still_seen_to() -> None:
    there = [datum.wgs_to_gcj(*p) for p in ROAD]
    truck = Truck(PATH, noise_m=5).drive(0, 25_000).drive(25_000, 15_000)
    assert sorted(kinds(read(truck.fixes, loop_of(there, policy=NARROW)))) == ["datum-suspect", "wrong-way"]


def test_a_road_beside_the_line_is_a_departure_and_not_another_datum() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 5_000).drive(5_000, 30_000, side_m=300)
    assert kinds(read(truck.fixes)) == ["off-loop"]


def test_a_truck_that_leaves_a_shifted_line_is_still_seen_to_leave() -> None:
    truck = Truck(PATH, noise_m=5).drive(500, 25_000).leave(25_000, 70, 4_000)
    assert kinds(read(truck.fixes, loop_of(moved(ROAD, 250, -180), policy=Policy(half_width_m=50)))) == [
        "datum-suspect",
        "off-loop",
    ]


def test_trucks_on_a_line_that_was_drawn_in_gcj_each_ask_one_question_and_none_is_said_to_have_left() -> None:
    drawn = loop_of([datum.wgs_to_gcj(*p) for p in ROAD], policy=NARROW)
    for seed in range(4):
        truck = Truck(PATH, noise_m=6, seed=seed, every_s=30.0).drive(2_000 * seed + 400, 30_000)
        assert kinds(read(truck.fixes, drawn)) == ["datum-suspect"]


def test_the_departure_that_was_the_shift_all_along_is_taken_back_and_a_real_one_stays() -> None:
    drawn = loop_of([datum.wgs_to_gcj(*p) for p in ROAD], policy=NARROW)
    truck = Truck(PATH, noise_m=6).drive(400, 2_500)
    assert kinds(read(truck.fixes, drawn)) == ["off-loop"]
    assert kinds(read(truck.drive(2_500, 12_000).fixes, drawn)) == ["datum-suspect"]
    assert kinds(read(truck.leave(12_000, 70, 4_000).fixes, drawn)) == ["datum-suspect", "off-loop"]


def test_a_truck_that_was_on_its_line_before_is_not_excused_by_a_shift() -> None:
    truck = Truck(PATH, noise_m=5).drive(0, 6_000)
    path = geo.Path(moved(ROAD, 300, -200))
    truck.drive(6_500, 30_000, path=path)
    assert kinds(read(truck.fixes)) == ["off-loop"]


def _winding(chance: Random, km: int) -> list[geo.LonLat]:
    """A road whose course wanders, more or less."""
    kx, ky = geo.scale_m(28.0)
    bend, course = chance.choice([0.03, 0.06, 0.12]), chance.uniform(0, 2 * pi)
    x, y, first = 120.7, 28.0, course
    found = [(x, y)]
    for _ in range(km * 10):
        course += chance.gauss(0, bend) - 0.02 * (course - first)
        x, y = x + 100 * sin(course) / kx, y + 100 * cos(course) / ky
        found.append((x, y))
    return found


def _beside(points: list[geo.LonLat], left_m: float, then_m: float) -> list[geo.LonLat]:
    """A road beside another, at a distance that changes evenly."""
    kx, ky = geo.scale_m(28.0)
    found = []
    for i, place in enumerate(points):
        a, b = points[max(i - 1, 0)], points[min(i + 1, len(points) - 1)]
        east, north = (b[0] - a[0]) * kx, (b[1] - a[1]) * ky
        metres = (left_m + (then_m - left_m) * i / len(points)) / hypot(east, north)
        found.append((place[0] - north * metres / kx, place[1] + east * metres / ky))
    return found


def _suspected(reading: TrackReading) -> bool:
    return "datum-suspect" in {e.kind for e in reading.episodes}


def test_on_many_roads_the_shift_of_gcj_is_found_and_a_road_beside_the_line_is_not_taken_for_it() -> None:
    false = found = 0
    count = rounds(40, soak=400)
    for seed in seeds(count):
        chance = Random(seed)
        points = _winding(chance, 25)
        apart_m = chance.choice([-1, 1]) * chance.uniform(100, 600)
        other_m = apart_m if seed % 2 else chance.choice([-1, 1]) * chance.uniform(100, 600)
        road_beside = geo.Path(_beside(points, apart_m, other_m))
        strayed = Truck(road_beside, every_s=20.0, noise_m=6, seed=seed).drive(1_500, 22_000)
        false += _suspected(read(strayed.fixes, loop_of(points, policy=NARROW)))
        line = loop_of([datum.wgs_to_gcj(*p) for p in points], policy=NARROW)
        true = Truck(geo.Path(points), every_s=20.0, noise_m=6, seed=seed).drive(500, 22_000)
        found += _suspected(read(true.fixes, line))
    assert false <= 0.05 * count + 0.5
    assert found >= 0.95 * count - 0.5


BUS = Path(__file__).parents[2] / "shared" / "traces" / "shanghai_bus71"


@pytest.mark.skipif(not BUS.exists(), reason="the recorded drive is not here")
@pytest.mark.parametrize("half_m", [50, 150])
def test_a_bus_in_shanghai_beside_its_line_by_a_constant_shift_is_a_question_of_datum(half_m: int) -> None:
    lines = [f["geometry"]["coordinates"] for f in json.loads((BUS / "busline.geojson").read_text())["features"]]
    there, back = ([(x, y) for x, y in line] for line in lines)
    loop = loop_of(there, back, policy=Policy(half_width_m=half_m))
    rows = csv.DictReader((BUS / "positions.csv").read_text(encoding="utf-8").splitlines())
    fixes = [
        Fix(device="bus", fixed_at=datetime.fromisoformat(r["time_utc"]), lat=float(r["lat"]), lon=float(r["lon"])) for r in rows
    ]
    reading = read(fixes, loop)
    assert {"off-loop", "wrong-way"}.isdisjoint(kinds(reading))
    (suspect,) = [e for e in confirmed(reading) if e.kind == "datum-suspect"]
    # Whoever published it says: about 140 m east and 160 m north.
    assert suspect.values["shift_east_m"] == pytest.approx(140, abs=40)
    assert suspect.values["shift_north_m"] == pytest.approx(160, abs=30)
