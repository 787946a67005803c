"""A loop is drafted from recorded drives: its ways, its turning point, its stations, and a corridor that fits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint import cli
from checkpoint.core import geo
from checkpoint.core.fixes import Fix
from checkpoint.core.loop import LEGS, Loop, MalformedLoop, parse
from checkpoint.decoders.recorded import Drive, Place, decode, fixes_of
from checkpoint.drafting import Draft, NoLoop, draft
from checkpoint.drafting.cleaning import cleaned
from checkpoint.replay import replay
from checkpoint.shell.draft import written
from checkpoint.simulator.road import Road
from tests.roads import END_M, PATH, Truck, moved, place_moved, road
from tests.seeds import rounds, seeds

ROOT = Path(__file__).resolve().parents[1]
TRACES = ROOT.parent / "shared" / "traces"
captured = pytest.mark.skipif(not TRACES.is_dir(), reason="the captured traces are not here")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEMO = parse((ROOT / "checkpoint/demo/loop.json").read_bytes())


def a_drive(fixes: Sequence[Fix]) -> Drive:
    places = (Place(lon=f.lon, lat=f.lat, at=f.fixed_at, accuracy_m=f.accuracy_m, speed_kmh=f.speed_kmh) for f in fixes)
    return Drive(name="", places=tuple(places))


def drawn(points: Sequence[geo.LonLat]) -> Drive:
    return Drive(name="", kind="route", places=tuple(Place(lon=lon, lat=lat) for lon, lat in points))


def loop_of(suggested: Draft) -> Loop:
    return parse(written(suggested, "drive.csv", "Asia/Shanghai", NOW))


def departures(loop: Loop, drive: Drive) -> list[str]:
    said = replay(loop, fixes_of(drive, "d"))
    return [one.kind for one in said if one.confirmed_at is not None and one.kind in ("off-loop", "wrong-way")]


def a_lap(seed: int = 1, noise_m: float = 5.0, every_s: float = 10.0) -> Truck:
    """Out to B, a long stand there, and home over the same road with a rest on the way."""
    truck = Truck(PATH, noise_m=noise_m, seed=seed, every_s=every_s).stand(900, at_m=0).drive(0, END_M).stand(2400, at_m=END_M)
    return truck.drive(END_M, 15_000).stand(1200, at_m=15_000).drive(15_000, 0).stand(600, at_m=0)


@pytest.mark.parametrize("every_s", [10.0, 30.0])
@pytest.mark.parametrize("seed", seeds(3))
def test_out_and_back_over_the_same_road_turns_where_it_turned_and_says_nothing_of_its_own_drive(
    seed: int, every_s: float
) -> None:
    drive = a_drive(a_lap(seed, every_s=every_s).fixes)
    suggested = draft([("d", drive)])
    loop = loop_of(suggested)
    assert suggested.shape == "out-and-back"
    assert [s.role for s in suggested.stations] == ["origin", "destination", "stop"]
    for station, wanted in zip(suggested.stations, (PATH.at(0), PATH.at(END_M), PATH.at(15_000)), strict=True):
        assert geo.distance_m(station.center, wanted) < 60
    assert loop.paths["outbound"].length_m == pytest.approx(END_M, rel=0.02)
    assert departures(loop, drive) == []


def test_a_ring_turns_at_its_long_stop_and_each_way_is_its_own_road() -> None:
    back = [PATH.points[0], *moved(PATH.points[5:-5], 4_000, -4_000), PATH.points[-1]][::-1]
    other = geo.Path(back)
    truck = Truck(PATH, noise_m=5.0).drive(0, END_M).stand(1800, at_m=END_M)
    truck.drive(0, other.length_m, path=other)
    drive = a_drive(truck.fixes)
    suggested = draft([("d", drive)])
    assert suggested.shape == "ring"
    assert geo.distance_m(suggested.stations[1].center, PATH.at(END_M)) < 60
    loop = loop_of(suggested)
    assert loop.paths["inbound"].length_m == pytest.approx(other.length_m, rel=0.05)
    assert departures(loop, drive) == []


def test_one_way_without_times_has_its_ends_and_the_way_back_is_said_to_be_assumed() -> None:
    suggested = draft([("route", drawn(PATH.points))])
    assert (suggested.shape, suggested.back_driven) == ("one-way", False)
    assert [s.role for s in suggested.stations] == ["origin", "destination"]
    loop = loop_of(suggested)
    assert loop.note is not None
    assert "not driven" in loop.note.en
    assert loop.inbound.points == tuple(reversed(loop.outbound.points))


def test_one_time_for_all_places_is_no_time() -> None:
    places = tuple(msgspec.structs.replace(place, at=NOW) for place in drawn(PATH.points).places)
    assert draft([("planned", Drive(name="", places=places))]) == draft([("planned", drawn(PATH.points))])


def test_a_recording_that_ends_on_the_way_home_still_turns_where_it_turned() -> None:
    truck = Truck(PATH, noise_m=5.0).drive(0, END_M).stand(900, at_m=END_M).drive(END_M, 12_000)
    drive = a_drive(truck.fixes)
    suggested = draft([("d", drive)])
    assert (suggested.shape, suggested.back_driven) == ("out-and-back", False)
    assert geo.distance_m(suggested.stations[1].center, PATH.at(END_M)) < 60
    assert departures(loop_of(suggested), drive) == []


def test_a_drive_there_and_another_one_back_make_one_loop() -> None:
    there = a_drive(Truck(PATH, noise_m=4.0).drive(0, END_M).fixes)
    back = a_drive(Truck(PATH, noise_m=4.0, seed=2).drive(END_M, 0).fixes)
    suggested = draft([("there", there), ("back", back)])
    assert suggested.back_driven
    assert not suggested.elsewhere
    assert all(departures(loop_of(suggested), drive) == [] for drive in (there, back))


def test_several_drives_give_their_median_and_a_corridor_that_holds_them() -> None:
    drives = []
    for i, side in enumerate((0.0, 12.0, -12.0, 20.0, -90.0)):
        drives.append((f"d{i}", a_drive(Truck(PATH, noise_m=5.0, seed=i).drive(0, END_M, side_m=side).fixes)))
    suggested = draft(drives)
    line = geo.Path(suggested.out.points)
    # The one that keeps far to the left does not pull the line, but fits into the corridor.
    assert max(PATH.nearest(p).off_m for p in line.points) < 35
    assert max(width for _, width in suggested.out.sections) >= 100
    loop = loop_of(suggested)
    assert all(departures(loop, drive) == [] for _, drive in drives)


def test_a_stop_is_weighed_among_those_who_drove_that_way_and_could_show_it() -> None:
    lap, route = a_drive(a_lap().fixes), drawn(PATH.points)
    out = [(f"o{i}", a_drive(Truck(PATH, noise_m=4.0, seed=i).drive(0, END_M).fixes)) for i in range(3)]
    suggested = draft([("route", route), ("lap", lap), *out])
    # On the way home at 15 km: one of the one that came home.
    assert [s.role for s in suggested.stations] == ["origin", "destination", "stop"]
    jam = a_drive(Truck(PATH, noise_m=4.0, seed=7).drive(0, 9_000).stand(900, at_m=9_000).drive(9_000, END_M).fixes)
    assert [s.role for s in draft([*out, ("jam", jam)]).stations] == ["origin", "destination"]


def test_a_drive_that_runs_elsewhere_is_said_and_not_averaged_in() -> None:
    usual = [(f"d{i}", a_drive(Truck(PATH, noise_m=5.0, seed=i).drive(0, END_M).fixes)) for i in range(3)]
    other = geo.Path([PATH.points[0], *moved(PATH.points[5:-5], -3_000, 3_000), PATH.points[-1]])
    strange = a_drive(Truck(other, noise_m=5.0).drive(0, other.length_m).fixes)
    with_it, without = draft([*usual, ("strange", strange)]), draft(usual)
    assert with_it.elsewhere == ("strange",)
    line = geo.Path(without.out.points)
    assert max(line.nearest(p).off_m for p in with_it.out.points) < 10


def test_a_detour_of_one_drive_is_said_with_its_kilometres_and_makes_no_room() -> None:
    usual = [(f"d{i}", a_drive(Truck(PATH, noise_m=3.0, seed=i).drive(0, END_M).fixes)) for i in range(2)]
    truck = Truck(PATH, noise_m=3.0, seed=9).drive(0, 10_000).drive(10_000, 13_000, side_m=600).drive(13_000, END_M)
    suggested = draft([*usual, ("detour", a_drive(truck.fixes))])
    ((name, first, last),) = suggested.detours
    assert name == "detour"
    assert 9_000 < first < 11_000
    assert 12_000 < last < 14_500
    assert all(width <= 150 for _, width in suggested.out.sections)


def test_several_laps_in_one_recording_are_laps() -> None:
    truck = Truck(PATH, noise_m=5.0)
    for _ in range(3):
        truck.stand(600, at_m=0).drive(0, END_M).stand(900, at_m=END_M).drive(END_M, 0)
    drive = a_drive(truck.stand(300, at_m=0).fixes)
    suggested = draft([("day", drive)])
    assert suggested.laps_count == 3
    assert suggested.shape == "out-and-back"
    assert departures(loop_of(suggested), drive) == []


def test_noise_is_cleaned_away_leaps_jitter_and_fixes_thrown_while_standing() -> None:
    fixes = list(Truck(PATH, noise_m=8.0).stand(1800, at_m=0).drive(0, 20_000).fixes)
    chance = Random(5)
    for i in (20, 60, 200, 230):
        lon, lat = place_moved((fixes[i].lon, fixes[i].lat), chance.choice((-1, 1)) * 3_000, 2_000)
        fixes[i] = msgspec.structs.replace(fixes[i], lon=lon, lat=lat)
    lon, lat = place_moved((fixes[100].lon, fixes[100].lat), 150, 150)
    fixes[100] = msgspec.structs.replace(fixes[100], lon=lon, lat=lat)
    found = cleaned(a_drive(fixes))
    assert found.dropped_count == 5
    assert len(found.stands) == 1
    assert max(PATH.nearest(p).off_m for p in found.points) < 40
    assert geo.Path(found.points).length_m == pytest.approx(20_000, rel=0.03)


@pytest.mark.parametrize("half_width_m", [10.0, 50.0, 300.0])
def test_the_half_width_asked_for_is_the_policys_and_widens_where_the_drive_needs_it(half_width_m: float) -> None:
    drive = a_drive(a_lap(noise_m=8.0).fixes)
    loop = loop_of(draft([("d", drive)], half_width_m))
    assert loop.policy.half_width_m == half_width_m
    assert all(s.half_width_m >= half_width_m for leg in LEGS for s in loop.line(leg).sections)
    assert departures(loop, drive) == []


@pytest.mark.parametrize("every_s", [30.0])
def test_the_demonstrations_own_lap_gives_a_loop_like_the_one_it_was_driven_on(every_s: float) -> None:
    way, chance, at = Road(DEMO), Random(3), NOW
    places: list[Place] = []
    for leg, begin, end in (("outbound", DEMO.origin, DEMO.destination), ("inbound", DEMO.destination, DEMO.origin)):
        for moment in way.drive(leg, begin, end, at, 75.0, every_s):  # type: ignore[arg-type]
            lon, lat = place_moved(moment.place, chance.gauss(0, 5), chance.gauss(0, 5))
            places.append(Place(lon=lon, lat=lat, at=moment.at, speed_kmh=moment.speed_kmh))
            at = moment.at
        places += (msgspec.structs.replace(places[-1], at=at + timedelta(minutes=m)) for m in range(1, 40))
        at += timedelta(minutes=40)
    drive = Drive(name="", places=tuple(places))
    suggested = draft([("demo", drive)])
    loop = loop_of(suggested)
    for leg in LEGS:
        assert loop.paths[leg].length_m == pytest.approx(DEMO.paths[leg].length_m, rel=0.05)
    assert departures(loop, drive) == []


@pytest.mark.parametrize("seed", seeds(4))
def test_no_drive_departs_from_the_loop_that_was_drafted_from_it(seed: int) -> None:
    """Roads, rhythms, noise and shapes at random, some fixes thrown by up to 250 m."""
    for turn in range(rounds(1, soak=20)):
        chance = Random(1000 * seed + turn)
        every_s, noise_m = chance.choice((5.0, 10.0, 30.0, 60.0)), chance.choice((3.0, 5.0, 8.0, 12.0))
        path = geo.Path(road(chance.uniform(5, 40), chance.randint(20, 400), bend_m=chance.uniform(100, 900)))
        truck = Truck(path, noise_m=noise_m, seed=seed, every_s=every_s).stand(chance.uniform(0, 1200), at_m=0)
        truck.drive(0, path.length_m, chance.uniform(40, 85)).stand(chance.uniform(0, 3000), at_m=path.length_m)
        for _ in range(chance.randint(0, 2)):
            truck.drive(path.length_m, 0).stand(900, at_m=0).drive(0, path.length_m).stand(600, at_m=path.length_m)
        truck.drive(path.length_m, chance.choice((0.0, 0.3, 1.0)) * path.length_m)
        fixes = []
        for fix in truck.fixes:
            lon, lat = place_moved((fix.lon, fix.lat), chance.uniform(-250, 250), chance.uniform(-250, 250))
            fixes.append(msgspec.structs.replace(fix, lon=lon, lat=lat) if chance.random() < 0.004 else fix)
        drive = a_drive(fixes)
        assert departures(loop_of(draft([("d", drive)])), drive) == [], (seed, turn)


def test_what_is_no_drive_is_refused_in_words() -> None:
    with pytest.raises(NoLoop):
        draft([("d", drawn([(120.0, 28.0), (120.0005, 28.0)]))])


_places = st.builds(
    Place,
    lon=st.floats(120.0, 120.1),
    lat=st.floats(28.0, 28.1),
    accuracy_m=st.sampled_from((None, 5.0, 500.0)),
    valid=st.sampled_from((True, True, True, False)),
)


@given(st.lists(_places, max_size=25), st.lists(st.integers(0, 3000), min_size=25, max_size=25), st.booleans())
def test_whatever_is_handed_in_is_a_loop_or_a_named_refusal(places: list[Place], seconds: list[int], timed: bool) -> None:
    if timed:
        places = [msgspec.structs.replace(p, at=NOW + timedelta(seconds=s)) for p, s in zip(places, seconds, strict=False)]
    with suppress(NoLoop):
        suggested = draft([("d", Drive(name="", places=tuple(places)))])
        with suppress(MalformedLoop):
            assert loop_of(suggested).stations


@captured
@pytest.mark.parametrize(
    "name",
    [
        "graphhopper_gpx/tour-with-loop.gpx",
        "graphhopper_gpx/tour4-with-uturn.gpx",
        "graphhopper_gpx/gpxv1_0.gpx",
        "graphhopper_gpx/test1.gpx",
        "graphhopper_gpx/issue-13.gpx",
        "munich_barefoot/x0001-001.json",
        "munich_barefoot/x0001-015.json",
        "munich_barefoot/x0001-015.geojson",
        "shanghai_run/run.csv",
        "shanghai_bus71/positions.csv",
        "shanghai_bus71/busline.geojson",
    ],
)
def test_captured_tracks_give_loops_that_say_nothing_of_their_own_drives(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["loop", "draft", str(TRACES / name)]) == 0
    said = capsys.readouterr()
    loop = parse(said.out)
    for drive in decode((TRACES / name).read_bytes()).drives:
        if drive.timed:
            assert departures(loop, drive) == []
    (tmp_path / "loop.json").write_text(said.out)
    assert cli.main(["loop", "check", str(tmp_path / "loop.json")]) == 0


@captured
def test_the_bus_on_a_line_of_another_datum_is_a_question_of_datum_and_no_flood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["loop", "draft", str(TRACES / "shanghai_bus71/busline.geojson")]) == 0
    (tmp_path / "loop.json").write_text(capsys.readouterr().out)
    track = str(TRACES / "shanghai_bus71/positions.csv")
    assert cli.main(["replay", "--json", "--loop", str(tmp_path / "loop.json"), track]) == 0
    said = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert "datum-suspect" in {one["kind"] for one in said}
    assert not [one for one in said if one["kind"] == "off-loop" and one["state"] == "confirmed"]
    assert not [one for one in said if one["kind"] == "off-loop" and one["confirmed_at"]]  # a question of datum from the start


def test_the_shell_says_what_was_assumed_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.csv").write_text("lat,lon\n" + "".join(f"{lat},{lon}\n" for lon, lat in road(5, 40)))
    assert cli.main(["loop", "draft", str(tmp_path / "d.csv"), "--half-width-m", "80"]) == 0
    said = capsys.readouterr()
    assert parse(said.out).policy.half_width_m == 80
    assert "taken to be the same road" in said.err
    (tmp_path / "d.csv").write_text("lat,lon\n28,120\nx,120\n")
    assert cli.main(["loop", "draft", str(tmp_path / "d.csv")]) == 1
    assert "Line 3" in capsys.readouterr().err
