"""Distances, fences and paths, against figures from elsewhere and against looking at everything."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import geo
from checkpoint.core.loop import Boundary, Circle, Line, Policy
from checkpoint.core.ways import Way, ways_of
from tests.roads import loop_of, place_moved, road

PLACE = (120.7, 28.0)
metres = st.floats(-4_000, 4_000)


@pytest.mark.parametrize(
    ("a", "b", "expected", "within"),
    [
        # A degree of latitude at the equator and of longitude at 60° N: the tables of the WGS-84 ellipsoid.
        ((0, -0.01), (0, 0.01), 2 * 1105.74, 0.1),
        ((10.0, 60.0), (10.01, 60.0), 558.0, 0.1),
        # Wenzhou to Shanghai: far enough for the great circle, on a sphere 0.3 % off at most.
        ((120.6994, 27.9943), (121.4737, 31.2304), 366_900, 1_200),
    ],
)
def test_distances_agree_with_the_ellipsoids_tables(a: geo.LonLat, b: geo.LonLat, expected: float, within: float) -> None:
    assert geo.distance_m(a, b) == pytest.approx(expected, abs=within)
    assert geo.distance_m(b, a) == pytest.approx(expected, abs=within)


@given(metres, metres)
def test_a_known_scale_gives_the_same_distance(east: float, north: float) -> None:
    b = place_moved(PLACE, east, north)
    assert geo.apart_m(PLACE, b, geo.scale_m(PLACE[1])) == pytest.approx(geo.distance_m(PLACE, b), rel=1e-3, abs=0.01)


@pytest.mark.parametrize(
    ("east", "north", "course"), [(0, 100, 0), (100, 100, 45), (100, 0, 90), (0, -100, 180), (-100, 0, 270), (-100, 100, 315)]
)
def test_courses_are_clockwise_from_north(east: float, north: float, course: float) -> None:
    assert geo.bearing_deg(PLACE, place_moved(PLACE, east, north)) == pytest.approx(course, abs=0.01)


def test_a_circles_edge_is_inside_it() -> None:
    fence = Boundary(circle=Circle(center=PLACE, radius_m=200))
    assert geo.outside_m(fence, PLACE) == 0
    assert geo.outside_m(fence, place_moved(PLACE, 199.9, 0)) == 0
    assert geo.outside_m(fence, place_moved(PLACE, 0, -250)) == pytest.approx(50, abs=0.1)


def test_a_polygon_may_have_a_notch() -> None:
    corners = [(0, 0), (300, 0), (300, 300), (150, 100), (0, 300)]
    fence = Boundary(polygon=tuple(place_moved(PLACE, e, n) for e, n in corners))
    assert geo.outside_m(fence, place_moved(PLACE, 150, 50)) == 0
    assert geo.outside_m(fence, place_moved(PLACE, 30, 200)) == 0
    assert geo.outside_m(fence, place_moved(PLACE, 150, 110)) > 1
    assert geo.outside_m(fence, place_moved(PLACE, 350, 150)) == pytest.approx(50, abs=0.1)


def test_a_path_knows_its_length_its_places_and_its_courses() -> None:
    path = geo.Path([PLACE, place_moved(PLACE, 0, 1_000), place_moved(PLACE, 1_000, 1_000)])
    assert path.length_m == pytest.approx(2_000, abs=1)
    assert geo.distance_m(path.at(1_500), place_moved(PLACE, 500, 1_000)) < 1
    assert [path.bearing_at(500), path.bearing_at(1_500)] == pytest.approx([0, 90], abs=0.1)
    assert path.at(-5) == path.points[0]
    assert path.at(99_999) == path.points[-1]


@given(metres, metres)
def test_the_place_nearest_on_a_path_is_as_far_as_is_said(east: float, north: float) -> None:
    path = geo.Path(road(5, 40, PLACE))
    place = place_moved(PLACE, east, north)
    near = path.nearest(place)
    assert geo.distance_m(place, path.at(near.along_m)) == pytest.approx(near.off_m, abs=0.5)
    assert all(geo.distance_m(place, corner) >= near.off_m - 0.5 for corner in path.points)


# -- matching, which leaps where `nearest` looks at everything ------------------------------------------------------------


def a_way(km: float = 40, vertices: int = 400) -> Way:
    return ways_of(loop_of(road(km, vertices))).legs["outbound"]


@given(st.floats(-100, 40_100), metres, metres)
def test_leaping_finds_what_looking_at_everything_finds(along_m: float, east: float, north: float) -> None:
    way = WAY
    place = place_moved(way.path.at(along_m), east, north)
    found = way.match(place, geo.scale_m(place[1]), None, 0.0, None)
    assert found.off_m == pytest.approx(way.path.nearest(place).off_m, abs=1e-6)
    assert geo.distance_m(place, way.path.at(found.along_m)) == pytest.approx(found.off_m, abs=1.0)
    if found.off_m < 500:
        hinted = way.match(place, geo.scale_m(place[1]), found.along_m - 150, 150.0, None)
        assert hinted.off_m == pytest.approx(found.off_m, abs=1e-6)


WAY = a_way()


@given(st.integers(0, 10_000))
def test_leaping_holds_on_lines_that_tangle(seed: int) -> None:
    random = Random(seed)
    points = [PLACE]
    for _ in range(60):
        points.append(place_moved(points[-1], random.uniform(-400, 400), random.uniform(-400, 400)))
    way = Way("outbound", loop_of(points).outbound, Policy())
    place = place_moved(PLACE, random.uniform(-1_500, 1_500), random.uniform(-1_500, 1_500))
    found = way.match(place, geo.scale_m(place[1]), None, 0.0, None)
    assert found.off_m == pytest.approx(way.path.nearest(place).off_m, abs=1e-6)


def test_the_side_of_the_line_is_told() -> None:
    way = Way("outbound", loop_of([PLACE, place_moved(PLACE, 0, 5_000)]).outbound, Policy())
    left, right = place_moved(PLACE, -70, 1_000), place_moved(PLACE, 70, 1_000)
    assert way.match(left, geo.scale_m(28.0), None, 0.0, None).left_m == pytest.approx(70, abs=0.1)
    assert way.match(right, geo.scale_m(28.0), None, 0.0, None).left_m == pytest.approx(-70, abs=0.1)


def test_points_drawn_twice_do_no_harm() -> None:
    a, b = PLACE, place_moved(PLACE, 0, 2_000)
    way = Way("outbound", loop_of([a, a, b, b]).outbound, Policy())
    found = way.match(place_moved(PLACE, 30, 1_000), geo.scale_m(28.0), None, 0.0, 90.0)
    assert [found.off_m, found.along_m] == pytest.approx([30, 1_000], abs=0.5)
    lone = Way("outbound", Line(points=(a, a)), Policy())
    assert lone.match(b, geo.scale_m(28.0), None, 0.0, None).off_m == pytest.approx(2_000, abs=1)
