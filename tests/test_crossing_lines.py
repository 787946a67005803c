"""Lines that cross or repeat themselves: a fix is at one place along the line, whatever else lies near it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import cos, pi, sin

import pytest

from checkpoint.core import geo
from checkpoint.core.loop import Policy
from checkpoint.core.track import Track
from tests.proving_ground import hairpins
from tests.roads import LonLat, Truck, confirmed, loop_of, place_moved, read
from tests.seeds import seeds

START = (120.7, 28.0)
MUTE = {"speed_kmh": None, "course_deg": None}


def plane(points: Sequence[tuple[float, float]], every_m: float = 60.0) -> list[LonLat]:
    """A line through places of a plane in metres, with a vertex every so often."""
    path = geo.Path([place_moved(START, x, y) for x, y in points])
    n = int(path.length_m / every_m)
    return [path.at(path.length_m * i / n) for i in range(n + 1)]


def figure_eight() -> list[LonLat]:
    return plane([(3_000 * sin(2 * a), 3_000 * sin(a)) for a in (2 * pi * i / 200 for i in range(200))])


def ring() -> list[LonLat]:
    """Its end is its start."""
    return plane([(3_000 * cos(a), 3_000 * sin(a)) for a in (2 * pi * i / 100 for i in range(101))])


def twice_round() -> list[LonLat]:
    """The same streets, twice in the same direction."""
    square = [(0, 0), (2_000, 0), (2_000, 2_000), (0, 2_000)]
    return plane([(-2_000, 0), *square, *square, (0, 0), (0, -2_000)])


def cloverleaf() -> list[LonLat]:
    """Straight on under a road, and up to it by a loop of the junction: 270 degrees to the right."""
    leaf = [(120 + 120 * cos(a), -120 + 120 * sin(a)) for a in (pi - i * pi / 20 * 1.5 for i in range(21))]
    return plane([(-4_000, 0), (0, 0), *[(x, y + 120) for x, y in leaf], (120, 4_000)], 30.0)


def pass_road() -> list[LonLat]:
    """Hairpins whose arms lie nearer to each other than two half-widths."""
    return plane([((x - 120.6) * 1e5, (y - 28.0) * 1.1e5) for x, y in hairpins(bends=8)])


LINES = {
    "figure of eight": figure_eight(),
    "ring": ring(),
    "twice round": twice_round(),
    "cloverleaf": cloverleaf(),
    "pass road": pass_road(),
}


@pytest.mark.parametrize("every_s", [10.0, 30.0])
@pytest.mark.parametrize("said", [{}, {"course_deg": None}, MUTE], ids=["all said", "no course", "mute"])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("seed", seeds(1))
def test_progress_is_where_the_truck_is(name: str, said: dict[str, None], every_s: float, seed: int) -> None:
    line = LINES[name]
    path = geo.Path(line)
    truck = Truck(path, noise_m=4, every_s=every_s, seed=seed)
    truck.said |= said
    stood = len(truck.stand(200).fixes)
    driving = truck.drive(0, path.length_m - 400, kmh=54).fixes[stood:]
    track = Track(loop_of(line, policy=Policy(half_width_m=50)))
    wrong = known = 0
    for fix in truck.fixes:
        track.add(fix)
        if fix in driving:
            reading = track.reading()
            true_m = (driving.index(fix) + 1) * 15.0 * every_s
            if reading.leg is not None and reading.along_m is not None:
                known += 1
                wrong += not (reading.leg == "outbound" and abs(reading.along_m - true_m) <= 80)
    assert known >= len(driving) - 4 - 600 / (15 * every_s)
    # At 30 s a hairpin lies between two fixes; without speed and course the arm beside may look as likely for one of them.
    assert wrong <= (said == MUTE and every_s == 30 and name == "pass road")
    assert confirmed(track.reading()) == []


# -- between two fixes ------------------------------------------------------------------------------------------------------


def bulge() -> list[LonLat]:
    """Straight on but for a way round of seven kilometres, whose two ends lie 800 m apart."""
    return plane([(0, 0), (5_000, 0), (5_000, 3_200), (5_800, 3_200), (5_800, 0), (12_000, 0)])


def test_a_shortcut_that_no_fix_shows_is_a_departure() -> None:
    path = geo.Path(bulge())
    loop = loop_of(bulge(), policy=Policy(half_width_m=50))
    truck = Truck(path, noise_m=4, every_s=60.0).stand(120).drive(0, 4_000, kmh=60)
    left_at = truck.fixes[-1].fixed_at
    truck.drive(12_200, 17_000, kmh=60)
    (off,) = confirmed(read(truck.fixes, loop))
    assert (off.kind, off.since, off.until) == ("off-loop", left_at, left_at + timedelta(seconds=60))
    assert off.values["skipped_m"] == pytest.approx(9_200, abs=100)
    assert off.values["driven_m"] == pytest.approx(2_800, abs=900)
    assert off.confirmed_at is not None
    assert (off.confirmed_at - left_at).total_seconds() <= 180


@pytest.mark.parametrize("every_s", [10.0, 30.0, 60.0, 120.0])
def test_between_sparse_fixes_a_truck_on_its_line_may_have_driven_every_corner(every_s: float) -> None:
    for seed in seeds(3):
        path = geo.Path(bulge())
        truck = Truck(path, noise_m=4, every_s=every_s, seed=seed).stand(240).drive(0, path.length_m - 500, kmh=80)
        assert confirmed(read(truck.fixes, loop_of(bulge(), policy=Policy(half_width_m=50)))) == []


def test_a_fix_matched_farther_on_for_once_is_no_shortcut() -> None:
    path = geo.Path(bulge())
    truck = Truck(path, noise_m=4, every_s=60.0).stand(120).drive(0, 4_000, kmh=60)
    truck.report(path.at(12_400), 60.0, 90.0)
    truck.drive(5_200, 8_000, kmh=60)
    assert confirmed(read(truck.fixes, loop_of(bulge(), policy=Policy(half_width_m=50))), "off-loop") == []
