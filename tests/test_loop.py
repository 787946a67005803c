"""Loop documents: read whole, or refused with the path of everything that is wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from checkpoint.core import loop as plan
from checkpoint.core.loop import Loops, MalformedLoop, parse

DEPOT, MARKET = [120.58, 27.98], [121.48, 28.78]


def document(**changes: Any) -> dict[str, Any]:
    def station(name: str, place: list[float], services: list[str], **more: Any) -> dict[str, Any]:
        boundary = {"circle": {"center": place, "radius_m": 200}}
        return {"id": name, "name": {"zh": name, "en": name}, "boundary": boundary, "services": services, **more}

    return {
        "id": "two-points",
        "version": 1,
        "effective_from": "2022-04-01T00:00:00+08:00",
        "name": {"zh": "两点一线", "en": "Two points"},
        "time_zone": "Asia/Shanghai",
        "origin": "depot",
        "destination": "market",
        "stations": [
            station("depot", DEPOT, ["loading", "gate"]),
            station("gate-a", [121.03, 28.38], ["gate", "sampling"], required_on=["inbound"]),
            station("market", MARKET, ["unloading", "gate"]),
        ],
        "outbound": {"points": [DEPOT, [121.03, 28.38], MARKET]},
        "inbound": {"points": [MARKET, [121.03, 28.38], DEPOT], "sections": [{"from_m": 0, "half_width_m": 50}]},
    } | changes


def problems(**changes: Any) -> str:
    with pytest.raises(MalformedLoop) as error:
        parse(json.dumps(document(**changes)))
    return str(error.value)


def test_a_sound_document_is_read_and_kept_in_utc() -> None:
    loop = parse(json.dumps(document()))
    assert loop.effective_from == datetime(2022, 3, 31, 16, tzinfo=UTC)
    assert [s.station.id for s in loop.stops["inbound"]] == ["market", "gate-a", "depot"]


def test_a_line_through_nowhere_is_refused_with_its_place() -> None:
    away = {"points": [DEPOT, [0.0, 0.0], MARKET]}
    assert "through nowhere - at `$.outbound.points[1]`" in problems(outbound=away)


def test_axes_the_wrong_way_round_are_refused() -> None:
    assert "[longitude, latitude]" in problems(outbound={"points": [[27.98, 120.58], [28.78, 121.48]]})


def test_a_required_station_off_its_own_line_is_refused() -> None:
    stations = document()["stations"]
    stations[1]["boundary"]["circle"]["center"] = [121.5, 28.0]
    said = [line for line in problems(stations=stations).splitlines() if "off its own line" in line]
    assert said
    assert all(line.endswith("- at `$.stations[1]`") for line in said), "the path ends the sentence, where readers look for it"


def test_a_line_that_does_not_begin_at_its_point_is_refused() -> None:
    assert "more than 1 km from the station depot" in problems(outbound={"points": [[120.7, 28.1], [121.03, 28.38], MARKET]})


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": "a b"}, "$.id"),
        ({"version": 0}, "$.version"),
        ({"effective_from": "2022-04-01T00:00:00"}, "$.effective_from"),
        ({"effective_until": "2022-03-01T00:00:00Z"}, "$.effective_until"),
        ({"time_zone": "Asia/Atlantis"}, "$.time_zone"),
        ({"origin": "nowhere"}, "$.origin"),
        ({"destination": "depot"}, "$.destination"),
        ({"outbound": {"points": [DEPOT]}}, "$.outbound.points"),
        ({"policy": {"pcr_valid_s": -1}}, "$.policy.pcr_valid_s"),
        ({"policy": {"pcr_valid_s": "2 days"}}, "$.policy.pcr_valid_s"),
        ({"policy": {"pcr_valid_hours": 48}}, "pcr_valid_hours"),
        ({"policy": {"return_share": 1.5}}, "$.policy.return_share"),
        ({"policy": {"verdicts": []}}, "$.policy.verdicts"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(changes: dict[str, Any], path: str) -> None:
    assert path in problems(**changes)


def test_a_town_has_the_policys_narrower_corridor() -> None:
    inbound = {
        "points": document()["inbound"]["points"],
        "sections": [{"from_m": 0, "town": True}, {"from_m": 9000, "half_width_m": 80}],
    }
    assert [s.half_width_m for s in parse(json.dumps(document(inbound=inbound))).inbound.sections] == [50, 80]
    inbound["sections"] = [{"from_m": 0}]
    assert "either a half-width or a town wanted - at `$.inbound.sections[0]`" in problems(inbound=inbound)


def test_every_problem_is_told_at_once() -> None:
    assert len(problems(origin="x", time_zone="y", version=0).split("; ")) >= 3


def test_a_positive_can_never_be_made_a_go() -> None:
    rows = [
        {
            "reason": r.reason,
            "verdict": "GO" if r.reason == "tested-positive" else r.verdict,
            "rank": r.rank,
            "next_step": r.next_step,
        }
        for r in plan.VERDICTS
    ]
    assert "can never make a GO" in problems(policy={"verdicts": rows})


def test_a_station_overrides_numbers_and_only_numbers_that_exist() -> None:
    stations = document()["stations"]
    stations[1]["policy"] = {"pcr_valid_s": 3600}
    loop = parse(json.dumps(document(stations=stations)))
    assert loop.policy_at("gate-a").pcr_valid_s == 3600
    assert loop.policy_at("depot").pcr_valid_s == 48 * 3600
    stations[1]["policy"] = {"pcr_valid_days": 2}
    assert "$.stations[1].policy.pcr_valid_days" in problems(stations=stations)


def test_a_past_day_is_judged_under_the_version_of_that_day() -> None:
    first = parse(json.dumps(document()))
    second = parse(json.dumps(document(version=2, effective_from="2022-12-09T00:00:00+08:00")))
    loops = Loops([second, first])
    at = datetime(2022, 12, 8, 15, 59, 59, tzinfo=UTC)
    assert loops.in_force("two-points", at) is first
    assert loops.in_force("two-points", datetime(2022, 12, 8, 16, tzinfo=UTC)) is second
    assert loops.in_force("two-points", datetime(2021, 1, 1, tzinfo=UTC)) is None


def test_a_version_that_ended_is_not_in_force() -> None:
    ended = parse(json.dumps(document(effective_until="2022-12-09T00:00:00+08:00")))
    assert plan.in_force([ended], datetime(2022, 12, 8, 16, tzinfo=UTC)) is None


def test_five_megabytes_are_refused_unread() -> None:
    with pytest.raises(MalformedLoop, match="larger than"):
        parse(b" " * (5 * 1024 * 1024))
