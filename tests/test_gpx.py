"""GPX files and drawn lines: what is read, what is refused and with which words."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import datum, geo
from checkpoint.decoders import gpx, line
from checkpoint.ui import texts
from tests.roads import loop_of

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces" / "graphhopper_gpx"
captured = pytest.mark.skipif(not TRACES.is_dir(), reason="the captured traces are not here")


def a_gpx(points: str, version: str = "1.1", head: str = "") -> bytes:
    ns = f"http://www.topografix.com/GPX/{version.replace('.', '/')}"
    text = f'{head}<gpx xmlns="{ns}" version="{version}" creator="t"><trk><name>潘桥</name><trkseg>{points}</trkseg></trk></gpx>'
    return text.encode()


NORTHWARD = "".join(f'<trkpt lat="{28 + i * 0.001:.4f}" lon="120.6"/>' for i in range(20))


@captured
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gpxv1_0.gpx", [("track", 14)]),
        ("issue-13.gpx", [("track", 29)]),
        ("test1.gpx", [("track", 264), ("route", 34)]),
        ("test2_no_millis.gpx", [("track", 3), ("route", 1)]),
        ("tour-with-loop.gpx", [("track", 11), ("route", 11)]),
        ("tour4-with-uturn.gpx", [("track", 5), ("route", 9)]),
    ],
)
def test_captured_files_are_read_whole(name: str, kinds: list[tuple[str, int]]) -> None:
    assert [(t.kind, len(t.points)) for t in gpx.decode((TRACES / name).read_bytes())] == kinds


@captured
@pytest.mark.parametrize("name", ["no_trk.gpx", "no_trkpt.gpx"])
def test_a_captured_file_without_a_drive_says_what_to_do(name: str) -> None:
    with pytest.raises(gpx.MalformedGpx, match="empty"):
        gpx.decode((TRACES / name).read_bytes())


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.250Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
        ("2026-01-02T11:04:05+08:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_times_with_and_without_milliseconds_are_instants(version: str, text: str, at: datetime) -> None:
    (trace,) = gpx.decode(a_gpx(f'<trkpt lat="28" lon="120.6"><time>{text}</time></trkpt>', version))
    assert trace.points == (gpx.Point(120.6, 28.0, at),)


@pytest.mark.parametrize("encoding", ["GB2312", "UTF-16", "UTF-8"])
def test_names_survive_the_encodings_of_chinese_programs(encoding: str) -> None:
    text = a_gpx(NORTHWARD, head=f'<?xml version="1.0" encoding="{encoding}"?>').decode()
    assert gpx.decode(text.encode(encoding))[0].name == "潘桥"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not-xml"),
        (a_gpx(NORTHWARD)[:-20], "not-xml"),
        (b"<kml></kml>", "not-gpx"),
        (a_gpx('<trkpt lat="x" lon="1"/>'), "value"),
        (a_gpx('<trkpt lon="1"/>'), "value"),
        (a_gpx('<trkpt lat="28" lon="200"/>'), "nowhere"),
        (a_gpx('<trkpt lat="28" lon="1"><time>0001-01-01T00:00:00+14:00</time></trkpt>'), "value"),
        (a_gpx('<trkpt lat="28" lon="1"><time>9999-12-31T23:59:59-14:00</time></trkpt>'), "value"),
        (b'<?xml version="1.0" encoding="klingon"?><gpx/>', "characters"),
        (b"<gpx>\xff</gpx>", "characters"),
        (b'<!DOCTYPE gpx [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><gpx><trk><name>&b;</name></trk></gpx>', "entities"),
        (b'<!DOCTYPE gpx SYSTEM "file:///etc/hostname"><gpx/>', "entities"),
        (b" " * (gpx.MAX_BYTES + 1), "too-large"),
    ],
)
def test_what_is_no_gpx_is_refused_with_what_to_do(data: bytes, why: str) -> None:
    with pytest.raises(gpx.MalformedGpx) as caught:
        gpx.decode(data)
    assert caught.value.why == why
    for lang in ("zh", "en"):
        assert texts(lang)(f"recorded.gpx-{why}", **caught.value.values)
    with pytest.raises(line.MalformedLine) as of_line:
        line.decode(data)
    assert of_line.value.why in ("line.two-points", f"recorded.gpx-{why}")


@given(st.binary(max_size=200).map(lambda junk: a_gpx(NORTHWARD)[:150] + junk))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with suppress(gpx.MalformedGpx):
        gpx.decode(data)


# -- lines -------------------------------------------------------------------------------------------------------------


def a_geojson(*places: tuple[float, float], name: str = "") -> bytes:
    geometry = {"type": "LineString", "coordinates": places}
    return json.dumps({"type": "Feature", "geometry": geometry, "properties": {"name": name}}).encode()


@pytest.mark.parametrize("begins", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n "])
def test_a_mark_of_the_byte_order_is_no_fault_of_a_line(begins: bytes) -> None:
    plain = a_geojson((120.6, 28.0), (120.6, 28.1))
    assert line.decode(begins + plain, "WGS-84") == line.decode(plain, "WGS-84")


def test_a_gpx_file_becomes_a_line_without_the_points_it_does_not_need() -> None:
    drawn = line.decode(a_gpx(NORTHWARD))
    assert drawn.points == ((120.6, 28.0), (120.6, 28.019))


@captured
def test_a_recorded_loop_becomes_a_line_within_the_tolerance_of_every_point() -> None:
    data = (TRACES / "test1.gpx").read_bytes()
    drawn = line.decode(data, tolerance_m=10)
    path = geo.Path(drawn.points)
    assert len(drawn.points) < 60
    assert max(path.nearest((p.lon, p.lat)).off_m for p in gpx.decode(data)[0].points) < 10.5


def test_a_line_drawn_on_a_chinese_map_is_moved_to_wgs_84() -> None:
    true = [(120.6, 28.0), (120.62, 28.05), (120.6, 28.1)]
    drawn = line.decode(a_geojson(*(datum.wgs_to_gcj(*p) for p in true)), "GCJ-02")
    assert [geo.distance_m(a, b) < 0.2 for a, b in zip(drawn.points, true, strict=True)] == [True] * 3


def test_of_several_lines_one_is_named() -> None:
    features = [json.loads(a_geojson((120.6, 28.0), (120.6, 28.0 + n / 10), name=f"r{n}")) for n in (1, 2)]
    data = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    with pytest.raises(line.MalformedLine, match=r"line\.several.*'r1', 'r2'"):
        line.decode(data)
    with pytest.raises(line.MalformedLine, match=r"line\.no-such"):
        line.decode(data, name="r3")
    assert line.decode(data, name="r2").points[-1] == (120.6, 28.2)


@pytest.mark.parametrize(
    ("data", "why", "point"),
    [
        (a_geojson((28.0, 120.6), (28.1, 120.6)), "line.exchanged", 1),
        (a_geojson((120.6, 28.0), (0, 0), (120.6, 28.1)), "line.zero", 2),
        (a_geojson((120.6, 28.0), (190, 28), (120.6, 28.1)), "line.nowhere", 2),
        (a_geojson((120.6, 28.0), (120.6, 28.1), (122.6, 28.1)), "line.jump", 3),
        (a_geojson((120.6, 28.0)), "line.two-points", None),
        (a_geojson((120.6, 28.0), (120.6, 28.001)), "line.short", None),
        (b'{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]}}', "line.not-geojson", None),
        (b'{"type":"LineString","coordinates":[[120.6],[120.6, 28]]}', "recorded.coordinate", 1),
        (b'{"type":\n"LineString"', "recorded.json-broken", 2),
        (b'{"type":"FeatureCollection","features":[]}', "line.empty", None),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_place(data: bytes, why: str, point: int | None) -> None:
    with pytest.raises(line.MalformedLine) as caught:
        line.decode(data)
    assert caught.value.why == why
    for lang in ("zh", "en"):
        said = texts(lang)(why, **caught.value.values)
        assert point is None or str(point) in said


def test_all_that_can_be_wrong_with_a_line_is_said_in_both_languages() -> None:
    named = set(re.findall(r'MalformedLine\("([^"]+)"', Path(line.__file__).read_text()))
    assert len(named) > 10
    for lang in ("zh", "en"):
        t = texts(lang)
        values = {"point": 1, "line": 1, "lon": 1, "lat": 1, "count": 2, "most": 1, "metres": 1, "name": "a", "names": "b"}
        assert all(t(why, **values) != why for why in named)


def test_a_line_is_compared_with_the_stations_of_its_loop() -> None:
    europe = loop_of([(12.3, 51.3), (12.4, 51.4)])
    here = a_geojson((12.3, 51.3), (12.4, 51.4))
    assert line.decode(here, loop=europe)
    with pytest.raises(line.MalformedLine, match=r"line\.all-exchanged"):
        line.decode(a_geojson((51.3, 12.3), (51.4, 12.4)), loop=europe)
    with pytest.raises(line.MalformedLine, match=r"line\.elsewhere"):
        line.decode(a_geojson((120.6, 28.0), (120.6, 28.1)), loop=europe)


wiggles = st.lists(st.tuples(st.floats(120, 120.1), st.floats(28, 28.1)), min_size=2, max_size=40)


@given(wiggles, st.sampled_from([1.0, 50.0, 500.0]))
def test_simplifying_keeps_the_ends_and_leaves_no_place_further_off_than_allowed(
    places: list[tuple[float, float]], tolerance_m: float
) -> None:
    left = line.simplified(places, tolerance_m)
    assert (left[0], left[-1]) == (places[0], places[-1])
    assert all(min(geo.off_chord_m(p, a, b) for a, b in pairwise(left)) <= tolerance_m + 1e-6 for p in places)
