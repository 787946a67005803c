"""Messages as truck terminals send them, with the reading expected of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkpoint.decoders import jt808
from checkpoint.decoders.jt808 import Location, Malformed, Splitter, parse
from checkpoint.decoders.jt808.frames import checksum, unescape

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "jt808.json"


def captured(kinds: set[str]) -> list[Any]:
    if not VECTORS.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the captured messages are not here"))]
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["name"]) for case in cases if case["kind"] in kinds]


@pytest.mark.parametrize("case", captured({"framing"}))
def test_captured_bytes_are_cut_as_expected(case: dict[str, Any]) -> None:
    splitter = Splitter()
    frames = splitter.feed(bytes.fromhex(case["input"]))
    assert [f"7e{unescape(frame).hex()}7e" for frame in frames] == case["expected"]["frames_unescaped"]
    assert splitter.held == len(case["expected"]["rest"]) // 2


# A field's filling is not part of its text; the standard fills up with zeros and with blanks.
FILLED_UP = {"traccar-0x0100-L221": {"model": "BSJ-M7B"}}

# Where another tracker reads another number of positions than we do, and why: the standard's text wins.
DIFFERENCES = {
    # The checksum does not fit: what was changed on the way is not known. It never looks.
    "traccar-0x0200-L328": "checksum",
    "traccar-0x0200-L415": "checksum",
    "smallchi-0x0200-JT808_0x0200Test.cs-L408": "checksum",
    "smallchi-0x0200-JT808_0x0200Test.cs-L793": "checksum",
    "smallchi-0x0200-JT808_0x0200Test.cs-L835": "checksum",
    "smallchi-0x0200-JT808_0x0200Test.cs-L847": "checksum",
    "traccar-0x5501-L142": "checksum",
    # Messages of makers, not of the standard, in frames whose header does not give the body's length.
    "traccar-0x5502-L145": "length",
    "traccar-0x5501-L259": "length",
    "traccar-0x5502-L271": "length",
    # Messages of makers, in frames of the standard: a terminal is told that they are not supported.
    "traccar-0x0210-L196": "maker's",
    "traccar-0x0900-L429": "maker's",
    # It loses the position over what stands beside it.
    "cutelittledevil-0x0200-t_0x0200_addition_extensions_test.go-L111": "kept",
    "smallchi-0x0200-Demo10.cs-L151": "kept",
    "smallchi-0x0200-Demo10.cs-L215": "kept",
    "issue-6000-0": "kept",
}


def same_place(read: Location, said: dict[str, Any]) -> None:
    assert f"{read.alarm_bits:#010x}" == said["alarm_flags"]
    assert f"{read.status_bits:#010x}" == said["status_flags"]
    assert [(f"{id_:#04x}", content.hex()) for id_, content in read.items] == [(i["id"], i["hex"]) for i in said["extras"]]
    assert ("items" in read.trouble) is not said["extras_well_formed"]
    if said["time_utc"] is None:
        assert "time" in read.trouble
    if not (-90 <= said["lat"] <= 90 and -180 <= said["lon"] <= 180):
        assert "coordinates" in read.trouble
    if said["time_utc"] is None or "coordinates" in read.trouble:
        assert read.fix is None
        return
    fix = read.fix
    assert fix is not None
    assert fix.fixed_at.isoformat().replace("+00:00", "Z") == said["time_utc"]
    assert (fix.lat, fix.lon, fix.altitude_m) == (said["lat"], said["lon"], said["altitude_m"])
    assert fix.speed_kmh == said["speed_kmh"]
    assert fix.course_deg == said["course_deg"]
    assert fix.valid is said["fixed"]
    standard = said["standard_extras"]
    for ours, theirs in (
        ("mileage_km", "mileage_km"),
        ("fuel_l", "fuel_l"),
        ("recorder_speed_kmh", "recorder_speed_kmh"),
        ("signal_flags", "vehicle_signal_flags"),
        ("io_flags", "io_flags"),
        ("signal", "signal"),
        ("satellites", "gnss_satellites"),
    ):
        assert read.values.get(ours) == (
            int(standard[theirs], 16) if isinstance(standard.get(theirs), str) else standard.get(theirs)
        )
    region = standard.get("area_or_route_alarm")
    assert (read.region is None) is (region is None)
    if read.region is not None and region is not None:
        assert (read.region.kind, read.region.id, read.region.out) == (
            region["location_type"],
            region["id"],
            region["direction"] in (1, "out"),
        )


@pytest.mark.parametrize("case", captured({"standard", "vendor", "malformed"}))
def test_captured_messages_are_read_as_expected(case: dict[str, Any]) -> None:
    spec = case["expected"]["spec"]
    header = spec["header"]
    (frame,) = Splitter().feed(bytes.fromhex(case["input"]))
    assert (checksum(unescape(frame)) == 0) is spec["checksum_ok"]
    if not (spec["checksum_ok"] and spec["body_length_ok"]):
        with pytest.raises(Malformed) as refused:
            parse(frame)
        assert refused.value.word == ("length" if spec["checksum_ok"] else "checksum")
        return
    message = parse(frame)
    assert f"{message.msg_id:#06x}" == header["msg_id"]
    assert len(message.body) == header["body_length"]
    assert (message.encryption, message.fragment) == (header["encryption"], header["fragmented"])
    assert (message.version == "2019") is (header["protocol_version"] is not None)
    assert (message.phone_field.hex(), message.serial) == (header["phone_bcd"], header["serial"])
    said = case["expected"].get("traccar") or {}
    for tried in (said.get("device_ids_tried") or [])[:1]:
        assert message.phone == (tried.lstrip("0") or "0")
    if message.msg_id == jt808.LOCATION:
        same_place(jt808.location(message), spec["location"])
    elif message.msg_id == jt808.BATCH:
        batch = jt808.batch(message)
        assert (batch.resent, batch.trouble == ()) == (spec["blind_area_resend"], spec["consumed_all"])
        for read, place in zip(batch.locations, spec["locations"], strict=True):
            same_place(read, place)
    elif message.msg_id == jt808.REGISTER:
        registered = jt808.register(message)
        assert {
            "province": registered.province,
            "city": registered.city,
            "manufacturer": registered.maker,
            "model": registered.model,
            "terminal_id": registered.terminal_id,
            "plate_color": registered.plate_colour,
            "plate": registered.plate,
            "layout": registered.version,
        } == spec["register"] | FILLED_UP.get(case["name"], {})
    elif message.msg_id == jt808.AUTHENTICATE:
        said_of_itself = jt808.authenticate(message)
        assert said_of_itself.code == spec["auth"]["code"]
        assert said_of_itself.imei == spec["auth"].get("imei", "")
        assert said_of_itself.software == spec["auth"].get("software", "")
    elif "general_reply" in spec and message.msg_id == jt808.ANSWER:
        answer = jt808.answer(message)
        assert {"ack_serial": answer.serial, "ack_msg_id": f"{answer.msg_id:#06x}", "result": answer.result} == spec[
            "general_reply"
        ]


@pytest.mark.parametrize("case", captured({"standard", "vendor", "malformed"}))
def test_another_tracker_reads_the_same_positions_but_where_the_standard_says_else(case: dict[str, Any]) -> None:
    other = (case["expected"].get("traccar") or {}).get("decoded") or []
    theirs = [each for each in (other if isinstance(other, list) else [other]) if "lat" in each]
    (frame,) = Splitter().feed(bytes.fromhex(case["input"]))
    why, ours = "", []
    try:
        message = parse(frame)
    except Malformed as error:
        why = error.word
    else:
        if message.msg_id in (jt808.LOCATION, jt808.BATCH):
            found = [jt808.location(message)] if message.msg_id == jt808.LOCATION else list(jt808.batch(message).locations)
            ours = [read.fix for read in found if read.fix is not None]
        else:
            why = "maker's"
    expected = DIFFERENCES.get(case["name"])
    assert (len(ours) != len(theirs)) is (expected is not None)
    if expected is not None:
        assert (why or "kept") == expected
        return
    for fix, said in zip(ours, theirs, strict=True):
        assert (fix.lat, fix.lon) == pytest.approx((said["lat"], said["lon"]), abs=1e-9)
        assert fix.fixed_at.isoformat().replace("+00:00", "Z") == said["time"]
        assert fix.speed_kmh == pytest.approx(said["speed_kmh"])
        assert fix.altitude_m == said["altitude"]
        assert (fix.course_deg, fix.valid) == (said["course"], said["valid"])
