"""What would have been said of a recorded track: by the rules of the watch, in the order things were learnt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from checkpoint import cli
from checkpoint.core import rules
from checkpoint.core.facts import Left, Loaded, LoopPublished, PassGranted, WarningCleared, WarningRaised, WarningWithdrawn
from checkpoint.core.fixes import Fix
from checkpoint.core.loop import Loop, Policy
from checkpoint.replay import Arrival, Said, differences, replay
from checkpoint.store import Store
from checkpoint.watch import Watch
from tests.ground import Still
from tests.roads import END_M, PATH, SAME_ROAD, T0, Truck, loop_of, place_moved, station
from tests.seeds import seeds
from tests.witness import PLATE, fact

MINUTE = timedelta(minutes=1)


def at_once(fixes: Sequence[Fix]) -> list[Arrival]:
    return [(fix, fix.fixed_at) for fix in fixes]


def warnings(said: Sequence[Said]) -> list[Said]:
    return [one for one in said if one.confirmed_at is not None]


def a_drive(**more: Any) -> Truck:
    return Truck(PATH, noise_m=4.0, **more).drive(0, 10_000)


def test_of_a_drive_along_the_line_nothing_is_said() -> None:
    assert not warnings(replay(SAME_ROAD, at_once(a_drive().drive(10_000, END_M).stand(1200, at_m=END_M).fixes)))


def test_nothing_is_said_of_no_fixes() -> None:
    assert replay(SAME_ROAD, []) == []


def test_an_excursion_is_suspected_at_once_then_confirmed_turns_red_and_is_cleared() -> None:
    truck = a_drive().leave(10_000, 40, 1_000)
    out = truck.fixes[-1]
    truck.stand(1200, (out.lon, out.lat)).drive(11_000, 15_000)
    (said,) = [one for one in warnings(replay(SAME_ROAD, at_once(truck.fixes))) if one.kind == "off-loop"]
    assert (said.level, said.state, said.late) == ("red", "cleared", False)
    assert said.confirmed_at is not None
    assert said.red_at is not None
    assert said.cleared_at is not None
    assert said.since == said.raised_at < said.confirmed_at < said.red_at < said.cleared_at
    assert timedelta() <= said.red_at - said.since - 15 * MINUTE <= timedelta(seconds=1)
    assert said.evidence
    assert said.evidence[0].at == said.since


def test_what_is_open_when_the_track_ends_stays_so_and_no_silence_is_made_of_the_end() -> None:
    said = warnings(replay(SAME_ROAD, at_once(a_drive().leave(10_000, 40, 2_000).fixes)))
    assert [(one.kind, one.state, one.cleared_at) for one in said] == [("off-loop", "confirmed", None)]


def test_one_thrown_fix_is_a_suspicion_at_most_and_comes_to_nothing() -> None:
    fixes = list(a_drive().fixes)
    lon, lat = place_moved((fixes[20].lon, fixes[20].lat), 150, -150)
    fixes[20] = msgspec.structs.replace(fixes[20], lon=lon, lat=lat, speed_kmh=None, course_deg=None)
    said = replay(SAME_ROAD, at_once(fixes))
    assert not warnings(said)
    assert all(one.state == "suspected" and one.cleared_at is not None for one in said)


def test_a_suspicion_before_a_silence_is_not_that_of_the_excursion_after_it() -> None:
    fixes = list(a_drive().fixes)
    away = place_moved((fixes[-1].lon, fixes[-1].lat), 300, -300)
    fixes[-1] = msgspec.structs.replace(fixes[-1], lon=away[0], lat=away[1])
    fixes += a_drive().silent(7200).stand(300, away).fixes[len(fixes) :]
    said = [one for one in replay(SAME_ROAD, at_once(fixes)) if one.kind == "off-loop"]
    assert [(one.state, one.confirmed_at is None) for one in said] == [("suspected", True), ("confirmed", False)]
    assert all(one.raised_at >= one.since for one in said)


def test_silence_stops_and_the_wrong_way_are_said_by_their_names() -> None:
    truck = a_drive().stand(40 * 60, at_m=10_000).drive(10_000, 20_000).silent(2400).drive(20_100, 25_000).drive(25_000, 22_000)
    said = warnings(replay(SAME_ROAD, at_once(truck.drive(22_000, 30_000).fixes)))
    assert [(one.kind, one.level, one.state) for one in said if one.kind != "late"] == [
        ("unscheduled-stop", "yellow", "cleared"),
        ("silent", "red", "cleared"),
        ("wrong-way", "yellow", "cleared"),
    ]
    assert all(one.kind in rules.MOVEMENT for one in said)


def test_a_station_is_visited_by_standing_there_and_not_by_driving_through() -> None:
    wash = a_required("wash")
    loop = loop_of(PATH.points, None, wash, policy=Policy(half_width_m=50))
    truck = a_drive().drive(10_000, END_M).stand(300, at_m=END_M)
    assert [(one.kind, one.values["station"]) for one in warnings(replay(loop, at_once(truck.fixes)))] == [
        ("station-skipped", "wash")
    ]
    truck = a_drive().drive(10_000, 20_000).stand(300, at_m=20_000).drive(20_000, END_M).stand(300, at_m=END_M)
    assert not warnings(replay(loop, at_once(truck.fixes)))


def a_required(name: str) -> Any:
    return msgspec.structs.replace(station(name, PATH.at(20_000), "sampling"), required_on=("outbound",))


def test_a_truck_last_seen_driving_through_a_station_is_silent_and_one_last_seen_coming_to_it_is_not() -> None:
    loop = loop_of(PATH.points, None, station("wash", PATH.at(10_000)), policy=Policy(half_width_m=50))
    for kmh, said in ((72.0, ["silent"]), (12.0, [])):
        truck = Truck(PATH, noise_m=4.0).drive(0, 9_700).drive(9_700, 9_900, kmh).silent(2400).drive(10_100, 14_000)
        assert [one.kind for one in warnings(replay(loop, at_once(truck.fixes)))] == said


def test_an_excursion_that_late_fixes_prove_is_late_with_its_true_time() -> None:
    out = Truck(PATH, noise_m=4.0).drive(0, 10_000).leave(10_000, 40, 2_000).drive(12_000, 20_000).fixes
    later = out[-1].fixed_at + timedelta(hours=2)
    gone = [(fix, fix.fixed_at if fix.fixed_at < T0 + 7 * MINUTE else later) for fix in out]
    (said,) = [one for one in warnings(replay(SAME_ROAD, gone)) if one.kind == "off-loop"]
    assert said.late
    assert said.since < later <= said.raised_at


def test_an_excursion_that_late_fixes_disprove_is_withdrawn() -> None:
    truck = Truck(PATH, every_s=60.0).drive(0, 10_000)
    on = list(truck.fixes)
    # A device that is displaced for minutes, while the truck's other one, whose fixes come later, shows it on the line.
    ghost = [
        msgspec.structs.replace(fix, lon=place[0], lat=place[1], device="ghost", speed_kmh=None, course_deg=None)
        for fix in on[4:8]
        for place in [place_moved((fix.lon, fix.lat), 120, -120)]
    ]
    other = Truck(PATH, every_s=10.0, device="true").drive(0, 10_000).fixes
    arrivals = at_once([*on[:4], *ghost]) + [(fix, on[-1].fixed_at + MINUTE) for fix in other]
    (said,) = warnings(replay(SAME_ROAD, arrivals))
    assert (said.kind, said.state) == ("off-loop", "withdrawn")
    assert said.withdrawn_at == on[-1].fixed_at + MINUTE


def test_a_phone_a_day_ahead_is_not_judged_and_leaves_its_truck_silent() -> None:
    fixes = list(a_drive().drive(10_000, END_M).fixes)
    turned = fixes[40].fixed_at
    ahead = [msgspec.structs.replace(f, fixed_at=f.fixed_at + timedelta(days=f.fixed_at > turned)) for f in fixes]
    arrivals = [(fix, true.fixed_at) for fix, true in zip(ahead, fixes, strict=True)]
    (said, *more) = warnings(replay(SAME_ROAD, [*arrivals, (fixes[-1], fixes[-1].fixed_at)]))
    assert (said.kind, said.since, more) == ("silent", turned, [])


def _watched(tmp_path: Path, loop: Loop, arrivals: Sequence[Arrival]) -> list[tuple[str, str, datetime, datetime]]:
    """What the watch itself tells over a real store: kind, what became of it, since when, and when it was told."""
    first = arrivals[0][1]
    clock = Still(first - MINUTE)
    loop = msgspec.structs.replace(loop, effective_from=first - timedelta(days=1))
    store = Store.open(tmp_path / "w.sqlite", clock, key_folder=tmp_path)
    watch = Watch(store, clock, lambda event, data: None)
    granted = PassGranted(
        pass_id="330304-0000001", generation=1, vehicle=PLATE, crew=(), loop=loop.id, carrier="c",
        not_before=first - timedelta(days=1), expires=first + timedelta(days=5),
    )  # fmt: skip
    published = LoopPublished(loop=loop.id, version=1, document=msgspec.json.encode(loop).decode())
    load = Loaded(vehicle=PLATE, pass_id=granted.pass_id, parcels_count=1, seal="")
    gone = Left(vehicle=PLATE, pass_id=granted.pass_id)
    for fact_id, what, station_id in (("loop", published, ""), ("pass", granted, ""), ("load", load, "A"), ("left", gone, "A")):
        assert store.record(fact(fact_id, first - MINUTE, what, station=station_id)).held
    for fix, at in arrivals:
        clock.at = at
        store.add_positions([(PLATE, fix)])
        watch.settle()
    told = [(r.fact.at, r.fact) for r in store.facts_after(0, 10_000)]
    watch.stop()
    store.close()
    ends = {f.what.warning: "cleared" for _, f in told if isinstance(f.what, WarningCleared)}
    ends |= {f.what.warning: "withdrawn" for _, f in told if isinstance(f.what, WarningWithdrawn)}
    return [
        (f.what.finding, ends.get(f.id, "confirmed"), f.what.since, at)
        for at, f in told
        if isinstance(f.what, WarningRaised) and f.what.finding in rules.MOVEMENT
    ]


@pytest.mark.parametrize("seed", seeds(3))
def test_a_replay_says_what_the_watch_says_of_the_same_fixes(seed: int, tmp_path: Path) -> None:
    chance = Random(seed)
    truck = Truck(PATH, noise_m=8.0, every_s=20.0, seed=seed).drive(2_000, 8_000).leave(8_000, 35, chance.uniform(300, 1500))
    truck.drive(9_000, 14_000).drive(14_000, 12_500).drive(12_500, 16_000)
    last = truck.fixes[-1].fixed_at
    arrivals = [(fix, fix.fixed_at if chance.random() < 0.9 else min(last, fix.fixed_at + 3 * MINUTE)) for fix in truck.fixes]
    arrivals.sort(key=lambda arrival: arrival[1])
    found = [
        (one.kind, one.state, one.since, one.confirmed_at) for one in warnings(replay(SAME_ROAD, arrivals)) if one.confirmed_at
    ]
    assert sorted(found) == sorted(_watched(tmp_path, SAME_ROAD, arrivals))
    assert {kind for kind, *_ in found} >= {"off-loop", "wrong-way"}


def test_two_replays_are_compared_by_what_they_say() -> None:
    arrivals = at_once(
        a_drive().leave(10_000, 40, 1_000).drive(11_000, 15_000).stand(1200, at_m=15_000).drive(15_000, 16_000).fixes
    )
    other = msgspec.structs.replace(SAME_ROAD, policy=msgspec.structs.replace(SAME_ROAD.policy, stop_s=3000, off_loop_red_s=30))
    first, second = replay(SAME_ROAD, arrivals), replay(other, arrivals)
    found = differences(first, second)
    assert [one.kind for one in found.only_first] == ["unscheduled-stop"]
    assert [(a.level, b.level) for a, b in found.changed] == [("yellow", "red")]
    assert differences(first, first).changed == ()


# -- at the shell -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A loop document, another policy, and a track that leaves the loop."""
    (tmp_path / "loop.json").write_bytes(msgspec.json.encode(SAME_ROAD))
    (tmp_path / "other.json").write_text('{"half_width_m": 2000}')
    truck = a_drive().leave(10_000, 40, 1_000).drive(11_000, 15_000)
    rows = [f"{f.fixed_at.isoformat()},{f.lat},{f.lon},{f.speed_kmh},{f.course_deg},{f.accuracy_m}" for f in truck.fixes]
    (tmp_path / "track.csv").write_text("\n".join(["time,lat,lon,speed,course,accuracy", *rows]))
    (tmp_path / "drawn.csv").write_text("lat,lon\n28,120.7\n28.1,120.8\n")
    return tmp_path


def run(files: Path, *words: str) -> int:
    return cli.main(["replay", "--loop", str(files / "loop.json"), *words])


def test_with_json_each_line_is_one_thing_said(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "--json", str(files / "track.csv")) == 0
    (said,) = [one for line in capsys.readouterr().out.splitlines() if (one := json.loads(line))["confirmed_at"]]
    assert said.keys() >= {"kind", "level", "state", "raised_at", "confirmed_at", "cleared_at", "evidence"}
    assert (said["kind"], said["level"], said["state"]) == ("off-loop", "yellow", "cleared")
    assert said["raised_at"] < said["confirmed_at"] < said["cleared_at"]
    assert all(one["what"] == "fix" and {"at", "lat", "lon", "off_m"} <= one.keys() for one in said["evidence"])


@pytest.mark.parametrize(("locale", "words"), [("en_GB.UTF-8", "Off the loop"), ("zh_CN.UTF-8", "脱离闭环")])
def test_without_it_is_read_in_the_users_language_and_the_loops_time(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, locale: str, words: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert run(files, str(files / "track.csv")) == 0
    said = capsys.readouterr().out
    assert words in said
    assert "08:0" in said  # T0 is midnight in UTC, eight in Shanghai


def test_another_policy_says_what_it_would_say_otherwise(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "--json", "--policy", str(files / "other.json"), str(files / "track.csv")) == 0
    *said, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["under"] for one in said if one["confirmed_at"]] == ["loop"]
    assert [one["kind"] for one in last["summary"]["only_loop"]] == ["off-loop"]
    assert run(files, "--policy", str(files / "other.json"), str(files / "track.csv")) == 0
    assert "only under the loop as it is" in capsys.readouterr().out


def test_a_track_without_times_and_a_policy_that_is_none_are_refused_in_words(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(files, str(files / "drawn.csv")) == 1
    assert "cannot be replayed" in capsys.readouterr().err
    (files / "other.json").write_text('{"half_width": 2}')
    assert run(files, "--policy", str(files / "other.json"), str(files / "track.csv")) == 1
    assert "half_width" in capsys.readouterr().err
    (files / "other.json").write_text("[")
    assert run(files, "--policy", str(files / "other.json"), str(files / "track.csv")) == 1
    assert "other.json is not whole JSON (line 1)" in capsys.readouterr().err
    (files / "other.json").write_text("[]")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run(files, "--policy", str(files / "other.json"), str(files / "track.csv")) == 1
    assert "不是规则" in capsys.readouterr().err


def test_positions_ahead_of_when_they_were_received_are_set_aside_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    loop, track = tmp_path / "loop.json", tmp_path / "drive.csv"
    loop.write_bytes(msgspec.json.encode(SAME_ROAD))
    rows = [
        f"{fix.fixed_at + timedelta(days=i > 19)},{fix.lat},{fix.lon},{fix.fixed_at}" for i, fix in enumerate(a_drive().fixes)
    ]
    for kept, code, words in ((rows, 0, f"{len(rows) - 20} positions have times"), (rows[20:], 1, "correct the times")):
        track.write_text("\n".join(["time,lat,lon,received_at", *kept]))
        assert cli.main(["replay", "--loop", str(loop), str(track), "--json"]) == code
        assert words in capsys.readouterr().err
