"""WGS-84 and GCJ-02: known pairs, the way there and back, and where both are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import geo
from checkpoint.core.datum import TO_WGS, gcj_to_wgs, is_shifted, wgs_to_gcj

# The country's mainland within the formula's rectangle.
lons, lats = st.floats(73.7, 135.0), st.floats(18.2, 53.5)


def test_a_place_in_beijing_is_drawn_where_other_programs_draw_it() -> None:
    # Printed to the last digit by several independent programs.
    assert wgs_to_gcj(116.404, 39.915) == pytest.approx((116.41024449916938, 39.91640428150164), abs=1e-9)


@pytest.mark.parametrize(("place", "metres"), [((120.15515, 30.27415), 520), ((121.4737, 31.2304), 481)])
def test_the_shift_is_of_the_size_that_was_measured(place: geo.LonLat, metres: float) -> None:
    assert geo.distance_m(place, wgs_to_gcj(*place)) == pytest.approx(metres, abs=15)


@given(lons, lats)
def test_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    back = gcj_to_wgs(*wgs_to_gcj(lon, lat))
    assert geo.distance_m((lon, lat), back) < 0.001


@given(lons, lats)
def test_the_shift_is_some_hundred_metres_everywhere(lon: float, lat: float) -> None:
    assert 20 < geo.distance_m((lon, lat), wgs_to_gcj(lon, lat)) < 1_200


@pytest.mark.parametrize("place", [(12.36, 51.34), (-122.08, 37.42), (151.2, -33.9), (140.0, 36.0)])
def test_elsewhere_both_are_the_same(place: geo.LonLat) -> None:
    assert not is_shifted(*place)
    assert wgs_to_gcj(*place) == place == gcj_to_wgs(*place)
    assert TO_WGS["WGS-84"](*place) == place
