"""The demonstration loop is a loop that could be driven, and is what its drawing says."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from checkpoint.core import geo
from checkpoint.core.loop import LEGS, Leg, Loop, Policy, Service, parse
from checkpoint.demo import drawing


@pytest.fixture(scope="module")
def loop() -> Loop:
    return parse(drawing.DOCUMENT.read_bytes())


def test_the_document_is_what_the_drawing_draws() -> None:
    assert drawing.document(drawing.draw()) == drawing.DOCUMENT.read_bytes()


@pytest.mark.parametrize("leg", LEGS)
def test_each_way_is_about_480_km_and_smooth(loop: Loop, leg: Leg) -> None:
    path = loop.paths[leg]
    assert 450_000 < path.length_m < 510_000
    assert 150 <= len(path.points) <= 400
    courses = [geo.bearing_deg(a, b) for a, b in pairwise(path.points)]
    assert max(abs((b - a + 180) % 360 - 180) for a, b in pairwise(courses)) < 45


def test_there_are_stations_of_every_kind_with_names_in_both_languages(loop: Loop) -> None:
    assert {service for station in loop.stations for service in station.services} == set(get_args(Service))
    assert all(station.name.zh and station.name.en for station in loop.stations)
    rest = loop.station("ouhai-rest")
    assert rest is not None
    assert len(rest.bays) >= 20
    assert len(rest.beds) >= 20


@pytest.mark.parametrize("leg", LEGS)
def test_a_truck_drives_into_every_station_without_leaving_the_loop(loop: Loop, leg: Leg) -> None:
    """Walk from the line to the middle of each station: every step is in the corridor or in the station."""
    path, line = loop.paths[leg], loop.line(leg)
    assert [stop.station.id for stop in loop.stops[leg]][:: len(loop.stops[leg]) - 1] == (
        [loop.origin, loop.destination] if leg == "outbound" else [loop.destination, loop.origin]
    )
    for stop in loop.stops[leg]:
        half_width_m = [s.half_width_m for s in line.sections if s.from_m <= stop.along_m][-1]
        start, end = path.at(stop.along_m), stop.station.center
        for k in range(21):
            step = start[0] + (end[0] - start[0]) * k / 20, start[1] + (end[1] - start[1]) * k / 20
            on = path.nearest(step).off_m <= half_width_m
            assert on or geo.outside_m(stop.station.boundary, step) == 0, (stop.station.id, k)


def test_the_way_back_is_a_line_of_its_own_on_the_other_carriageway(loop: Loop) -> None:
    off = [loop.paths["outbound"].nearest(place).off_m for place in loop.inbound.points[1:-1]]
    assert min(off) > 10
    assert max(off) < 20


def test_the_policy_is_the_default_and_the_note_says_that_the_line_is_approximate(loop: Loop) -> None:
    assert loop.policy == Policy()
    assert loop.note is not None
    assert "by hand" in loop.note.en
    assert "手工绘制" in loop.note.zh
