"""Recorded tracks are read from what people keep them in; what is wrong names its line."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.core import datum
from checkpoint.decoders import recorded
from checkpoint.decoders.recorded import Drive, MalformedTrack, decode, fixes_of
from checkpoint.decoders.recorded.times import NotATime, ZoneWanted, instant
from checkpoint.ui import LANGUAGES, texts
from tests.fuzzing import TOKENS, assault
from tests.seeds import rounds, seeds

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"
captured = pytest.mark.skipif(not TRACES.is_dir(), reason="the captured traces are not here")
SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2022, 4, 20, 0, 0, tzinfo=UTC)


_TIMED_WRONGLY = '{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2]]},"properties":{"times":[1,2]}}'


def only(data: bytes | str, **more: Any) -> Drive:
    """The one drive of a file."""
    (drive,) = decode(data if isinstance(data, bytes) else data.encode(), **more).drives
    return drive


@captured
@pytest.mark.parametrize(
    ("name", "drives"),
    [
        ("graphhopper_gpx/gpxv1_0.gpx", [("track", 14, True)]),
        ("graphhopper_gpx/tour4-with-uturn.gpx", [("track", 5, True)]),
        ("graphhopper_gpx/test2_no_millis.gpx", [("track", 3, False)]),
        ("munich_barefoot/x0001-001.json", [("track", 1194, True)]),
        ("munich_barefoot/x0001-015.geojson", [("route", 80, False)]),
        ("shanghai_bus71/positions.csv", [("track", 50, True)]),
        ("shanghai_bus71/busline.geojson", [("route", 180, False), ("route", 234, False)]),
        ("shanghai_run/run.csv", [("track", 1915, True)]),
    ],
)
def test_captured_files_are_read_whole(name: str, drives: list[tuple[str, int, bool]]) -> None:
    assert [(d.kind, len(d.places), d.timed) for d in decode((TRACES / name).read_bytes()).drives] == drives


@captured
def test_a_captured_list_and_its_geojson_say_the_same_places() -> None:
    listed = only((TRACES / "munich_barefoot/x0001-015.json").read_bytes())
    drawn = only((TRACES / "munich_barefoot/x0001-015.geojson").read_bytes())
    assert [(p.lon, p.lat) for p in listed.places] == [(p.lon, p.lat) for p in drawn.places]
    assert listed.places[0].at == datetime(2014, 9, 10, 4, 54, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("time,lat,lon,speed,course,accuracy", "2022-04-20T08:00:00+08:00,28,120.5,36,90,6"),
        ("Time;Latitude;Longitude;Speed (m/s);Heading;Accuracy(m)", "2022-04-20 00:00:00Z;28,0;120,5;10,0;90;6"),
        ("时间\t纬度\t经度\t速度\t方向\t精度", "2022/4/20 8:00:00\t28\t120.5\t36\t90\t6"),
        ("日期,时间,定位纬度,定位经度,车速,航向,精度", "2022年4月20日,8:00:00,28,120.5,36,90,6"),
        ("timestamp,lng,lat,speed_kmh,bearing,acc", "1650412800,120.5,28,36,90,6"),
        ("ts,point,velocity(km/h),direction,hacc", "1650412800000,POINT(120.5 28),36,90,6"),
        ("time_utc,lat,lon,speed[mps],course,accuracy_m", "20220420000000,28,120.5,10,90,6"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_is_known_by_its_header(header: str, row: str, encoding: str) -> None:
    place = only(f"{header}\r\n{row}\r\n".encode(encoding), zone=SHANGHAI).places[0]
    assert (place.at, place.lat, place.lon, place.speed_kmh, place.course_deg, place.accuracy_m) == (AT, 28, 120.5, 36, 90, 6)
    assert place.row == 2


def test_a_table_of_several_vehicles_is_a_drive_for_each() -> None:
    recording = decode("车牌号,lat,lon,ts\n浙C1,28,120,1650412800\n浙C2,29,120,1650412800\n浙C1,28.1,120,1650412860\n".encode())
    assert [(d.name, len(d.places)) for d in recording.drives] == [("浙C1", 2), ("浙C2", 1)]


def test_when_a_server_had_it_is_read_and_orders_the_fixes() -> None:
    drive = only(
        "lat,lon,time,received_at\n28,120,2022-04-20T00:00:00Z,2022-04-20T02:00:00Z\n28.1,120,2022-04-20T00:10:00Z,"
        "2022-04-20T00:10:01Z\n28.2,120,2022-04-20T00:20:00Z,\n"
    )
    arrived = fixes_of(drive, "d")
    assert [(fix.lat, at.hour, at.minute) for fix, at in arrived] == [(28.1, 0, 10), (28.2, 0, 20), (28, 2, 0)]


def test_a_row_without_a_place_is_counted_and_a_receiver_that_knows_nothing_is_not_believed() -> None:
    recording = decode(b"time,lat,lon\n1650412800,,\n1650412810,0,0\n1650412820,28,120\n")
    assert recording.placeless_count == 1
    assert [place.valid for place in recording.drives[0].places] == [False, True]


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        (_TIMED_WRONGLY, "times-count", None),
        ("time,lat,lon\n1650412800,28,120\n1650412810,28,abc\n", "value", 3),
        ("# exported\ntime,lat,lon\nyesterday,28,120\n", "time", 3),
        ("time,lat,lon\n2022-04-20 08:00:00,28,120\n", "zone-wanted", 2),
        ("time,lat,lon\n1650412800,120,28\n", "exchanged", 2),
        ("time,lat,lon\n1650412800,28,190\n", "nowhere", 2),
        ("time,lat,lon\n1650412800,nan,120\n", "value", 2),
        ("a,b,c\n1,2,3\n", "columns", None),
        ("time,lat,lon\n", "empty", None),
        ("time,lat,lon\n1650412800,,\n", "placeless", None),
        ("", "empty", None),
        ("[]", "empty", None),
        ("[1]", "no-object", 1),
        ("{", "json-broken", 1),
        ('{"type":"Polygon","coordinates":[]}', "json-shape", None),
        ('{"type":"LineString","coordinates":[[120,28],[120]]}', "coordinate", 2),
        ("<gpx/>", "gpx-empty", None),
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_line_and_says_what_to_do(text: str, why: str, line: int | None) -> None:
    with pytest.raises(MalformedTrack) as caught:
        decode(text.encode())
    assert caught.value.why == why
    assert caught.value.values.get("line") == line
    for lang in LANGUAGES:
        said = texts(lang)(f"recorded.{why}", **caught.value.values)
        assert line is None or str(line) in said


def test_a_file_too_large_or_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded.table, "MAX_POINTS", 3)
    for data in (b"lat,lon\n" + b"28,120\n" * 4, json.dumps([{"lat": 28, "lon": 120}] * 4).encode()):
        with pytest.raises(MalformedTrack, match="too-many"):
            decode(data)
    with pytest.raises(MalformedTrack, match="too-many"):  # counted before the first row is read
        decode(b"lat,lon\nx,y\n" + b"28,120\n" * 3)
    assert len(decode(b"lat,lon\n28,120\n\n# a remark\n28,120\n,\n28,120\n").drives[0].places) == 3
    monkeypatch.setattr(recorded, "MAX_BYTES", 10)
    with pytest.raises(MalformedTrack, match="too-large"):
        decode(b"lat,lon\n28,120\n")


def line(properties: dict[str, Any], coordinates: list[Any] | None = None, kind: str = "LineString") -> bytes:
    geometry = {"type": kind, "coordinates": coordinates or [[120.5, 28, 4], [120.6, 28]]}
    return json.dumps({"type": "Feature", "geometry": geometry, "properties": properties}).encode()


TIMES = ["2022-04-20T00:00:00Z", "2022-04-20T00:01:00Z"]


@pytest.mark.parametrize(
    "data",
    [
        line({"coordTimes": TIMES, "name": "d"}),
        line({"times": [1650412800, 1650412860]}),
        line({"coordinateProperties": {"times": TIMES}}),
        line({"coordTimes": [[TIMES[0]], [TIMES[1]]]}, [[[120.5, 28, 4]], [[120.6, 28]]], "MultiLineString"),
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, 28]}, "properties": {"timestamp": at}}
                    for lon, at in zip((120.5, 120.6), TIMES, strict=True)
                ],
            }
        ).encode(),
    ],
)
def test_geojson_has_its_times_where_recorders_put_them(data: bytes) -> None:
    drive = only(data)
    assert [(p.lon, p.at) for p in drive.places] == [(120.5, AT), (120.6, AT.replace(minute=1))]
    assert drive.kind == "track"


def test_a_drive_without_times_is_a_route_and_gives_no_fixes() -> None:
    drive = only(line({}))
    assert (drive.kind, drive.timed) == ("route", False)
    with pytest.raises(MalformedTrack, match="untimed"):
        fixes_of(drive, "d")


def test_a_planner_s_one_time_for_all_points_gives_no_fixes() -> None:
    drive = only(line({"times": [TIMES[0], TIMES[0]]}))
    assert not drive.timed
    with pytest.raises(MalformedTrack, match="untimed"):
        fixes_of(drive, "d")


def test_a_declared_datum_is_converted_once() -> None:
    there = datum.wgs_to_gcj(120.5, 28)
    place = only(f"lat,lon\n{there[1]},{there[0]}\n", datum="GCJ-02").places[0]
    assert (place.lon, place.lat) == pytest.approx((120.5, 28), abs=1e-8)


def test_speed_and_course_of_gpx_1_0_are_read() -> None:
    point = '<trkpt lat="28" lon="120"><time>2022-04-20T00:00:00Z</time><course>90</course><speed>10</speed></trkpt>'
    ns = "http://www.topografix.com/GPX/1/0"
    place = only(f'<gpx xmlns="{ns}" version="1.0" creator="t"><trk><trkseg>{point}</trkseg></trk></gpx>').places[0]
    assert (place.speed_kmh, place.course_deg, place.at) == (36, 90, AT)


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.none()))
def test_a_time_is_an_instant_or_a_named_error(value: object) -> None:
    for zone in (None, SHANGHAI):
        with suppress(NotATime, ZoneWanted):
            assert instant(value, zone).tzinfo is UTC


@given(st.datetimes(min_value=datetime(1990, 1, 2), max_value=datetime(2099, 1, 1)))  # noqa: DTZ001 - written without a zone
def test_a_time_written_without_its_zone_is_read_in_the_declared_one(written: datetime) -> None:
    wanted = written.replace(tzinfo=SHANGHAI, microsecond=0, fold=0).astimezone(UTC)
    assert instant(f"{written:%Y-%m-%d %H:%M:%S}", SHANGHAI) == wanted
    with pytest.raises(ZoneWanted):
        instant(f"{written:%Y-%m-%d %H:%M:%S}", None)


@given(st.binary(max_size=300), st.sampled_from((b"", b"time,lat,lon\n", b"[{", b'{"type":"Feature",', b"<gpx>", b"\xff\xfe")))
def test_any_bytes_are_a_recording_or_a_named_error(data: bytes, head: bytes) -> None:
    with suppress(MalformedTrack):
        assert decode(head + data, zone=SHANGHAI).drives


_KEYS = ("type", "coordinates", "geometry", "properties", "features", "times", "lat", "lon")
_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.floats(allow_nan=False), st.sampled_from(("Point", "LineString", "Feature", TIMES[0]))
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(_KEYS), inner),
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(_json)
def test_any_json_is_a_recording_or_a_named_error(found: object) -> None:
    with suppress(MalformedTrack):
        assert decode(json.dumps(found).encode()).drives


CORPUS = (
    b"time,lat,lon,speed\n2022-04-20T08:00:00+08:00,28,120.5,36\n2022-04-20T08:00:10+08:00,28.1,120.5,36\n",
    "时间;纬度;经度\n2022-04-20 08:00:00;28,0;120,5\n1650412800;28,1;120,6\n".encode("gb18030"),
    b'[{"point":"POINT(11.5 48.1)","time":"2014-09-10 06:54:07+0200","id":"1"},{"lat":1,"lon":2,"ts":1650412800}]',
    line({"coordTimes": TIMES, "name": "d"}),
    b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},'
    b'"properties":{"time":1650412800}}]}',
    b'<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg><trkpt lat="28" lon="120">'
    b"<time>2022-04-20T00:00:00Z</time></trkpt></trkseg></trk></gpx>",
)


@pytest.mark.parametrize("seed", seeds(1))
def test_nearly_right_files_are_recordings_or_named_errors_and_cost_in_proportion(seed: int) -> None:
    def read(data: bytes) -> object:
        return decode(data, zone=SHANGHAI)

    # Every place names its fields, and XML and JSON unfold to many small objects.
    count = rounds(300, soak=5000)
    taken = assault(
        read, CORPUS, named=(MalformedTrack,), seed=seed, count=count, out_per_byte=200, memory_per_byte=3000, tokens=TOKENS
    )
    assert taken > count / 100
