"""`checkpoint decode`: what an integrator gives in, and what is printed of it."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checkpoint import cli
from checkpoint.cli import main
from checkpoint.shell import decode
from checkpoint.ui import texts
from tests.fuzzing import assault
from tests.seeds import rounds, seeds
from tests.terminals import EDITIONS, Terminal, place
from tests.test_jt808 import captured

AT = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
KEYS = {"device", "fixes", "reply", "error"}
FIX_KEYS = {"fixed_at", "lat", "lon", "speed_kmh", "course_deg", "altitude_m", "accuracy_m", "valid", "alarms"}
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


class Said(list[dict[str, Any]]):
    code = 0


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(form: str, *lines: str | bytes) -> Said:
        given = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main(["decode", form])
        said = Said(json.loads(line) for line in capsys.readouterr().out.splitlines())
        said.code = code
        for each in said:
            assert set(each) == KEYS
            for fix in each["fixes"]:
                assert set(fix) - {"encrypted", "crossing", "trouble"} == FIX_KEYS
        return said

    return run


def wire(frames: list[bytes]) -> str:
    return b"".join(frames).hex()


# -- terminals ------------------------------------------------------------------------------------------------------------


def test_a_position_is_printed_with_what_the_terminal_is_answered(decoded: Any) -> None:
    body = place(AT, 28.1, 120.6, speed_kmh=61.5, course_deg=90, altitude_m=-3, alarms=1 << 23 | 1)
    (said,) = decoded("jt808", wire(Terminal(serial=7).locate(body)))
    assert said == {
        "device": "13912345678",
        "fixes": [
            {
                "fixed_at": "2026-05-03T02:00:00Z",
                "lat": 28.1,
                "lon": 120.6,
                "speed_kmh": 61.5,
                "course_deg": 90,
                "altitude_m": -3,
                "accuracy_m": None,
                "valid": True,
                "alarms": ["emergency", "route-deviation"],
            }
        ],
        "reply": "7e8001000501391234567800000007020000b17e",
        "error": None,
    }


def test_what_is_special_about_a_fix_is_marked(decoded: Any) -> None:
    terminal = Terminal(edition="2019")
    enciphered = terminal.locate(place(AT, 28, 120, status=0b100010))
    unfixed = terminal.locate(place(AT, 28, 120, status=0))
    broken = terminal.locate(place(AT, 28, 120) + b"\xeb\x20\0")
    said = decoded("jt808", wire(enciphered), wire(unfixed), wire(broken))
    assert [(each["fixes"][0]["valid"], each["fixes"][0].get("encrypted"), each["fixes"][0].get("trouble")) for each in said] == [
        (True, True, None),
        (False, None, None),
        (True, None, ["items"]),
    ]
    assert said.code == 0


def test_bad_lines_are_named_and_stop_nothing(decoded: Any) -> None:
    good = wire(Terminal().locate(place(AT, 28, 120)))
    lines = ["zz", "7e7e", "0102", good[:-4] + "007e", good[:40] + "7e", "", good, "7e" + "00" * 12 + "007e"]
    said = decoded("jt808", *lines)
    assert [each["error"] and each["error"]["name"] for each in said] == [
        "hex",
        "frame",
        "frame",
        "checksum",
        "checksum",
        None,
        None,
    ]
    assert said.code == 1
    assert [len(each["fixes"]) for each in said] == [0, 0, 0, 0, 0, 1, 0]


def test_a_batch_says_which_of_its_positions_gave_no_fix(decoded: Any) -> None:
    good = place(AT, 28, 120)
    (said,) = decoded("jt808", wire(Terminal().resend([good, good[:22] + b"\xff" * 6, good[:10], good])))
    assert (len(said["fixes"]), said["error"]["name"], said["error"]["positions"]) == (2, "time", [2, 3])
    assert said["reply"][30:36] == "0704" + "00"


def test_part_of_a_message_is_explained(decoded: Any) -> None:
    frames = Terminal().resend([place(AT, 28, 120)] * 50)
    said = decoded("jt808", *(frame.hex() for frame in frames))
    assert [each["error"]["name"] for each in said] == ["part", "part"]
    assert "2 of 2" in said[1]["error"]["text"]
    assert (said[0]["device"], said[0]["fixes"], said[0]["reply"]) == ("13912345678", [], None)


def test_frames_in_one_line_are_one_reading_when_they_are_of_one_terminal(decoded: Any) -> None:
    frames = Terminal().heartbeat() + Terminal().locate(place(AT, 28, 120))
    (said,) = decoded("jt808", "2424" + wire(frames))
    assert (said["device"], len(said["fixes"]), said["reply"].count("8001")) == ("13912345678", 1, 2)
    (said,) = decoded("jt808", wire(frames + Terminal("13800000000").heartbeat()))
    assert said["error"]["name"] == "devices"


def test_each_message_is_answered_as_a_server_that_knows_the_terminal_would(decoded: Any) -> None:
    new, old = Terminal(edition="2019"), Terminal()
    said = decoded(
        "jt808",
        wire(new.register()),
        wire(new.authenticate("code")),
        wire(new.say(0x0004)),
        wire(old.answer(1, 0x8103)),
        wire(old.say(0x0900, b"x")),
        wire(old.say(0x0200, b"x")),
        wire(old.say(0x8001, b"12345")),
    )
    assert [(each["reply"] or "")[2:6] for each in said] == ["8100", "8001", "8004", "", "8001", "8001", ""]
    # By a code of ours it may come in; here the terminal's own number stands for it.
    assert bytes.fromhex(said[0]["reply"])[-22:-2] == b"00000000013912345678"
    assert [each["reply"][-6:-4] for each in said[4:6]] == ["03", "02"]
    assert [each["error"] and each["error"]["name"] for each in said[4:]] == [None, "short", None]


@pytest.mark.parametrize("case", captured({"standard", "vendor", "malformed"}))
def test_captured_messages_are_printed_as_expected(case: dict[str, Any]) -> None:
    spec = case["expected"]["spec"]
    read = decode.jt808_line(case["input"], AT)
    if not (spec["checksum_ok"] and spec["body_length_ok"]):
        assert (read.error, read.fixes, read.reply) == ("length" if spec["checksum_ok"] else "checksum", [], None)
        return
    places = spec["locations"] if "locations" in spec else [spec["location"]] if "location" in spec else []
    good = [place for place in places if abs(place["lat"]) <= 90 and abs(place["lon"]) <= 180 and place["time_utc"]]
    assert [(fix["fixed_at"], fix["lat"], fix["lon"], fix["valid"]) for fix in read.fixes] == [
        (place["time_utc"], place["lat"], place["lon"], place["fixed"]) for place in good
    ]
    assert bool(read.error) is (len(good) != len(places))
    if spec["header"]["phone_bcd"].isdecimal():
        assert read.device == (spec["header"]["phone_bcd"].lstrip("0") or "0")


# -- phones ---------------------------------------------------------------------------------------------------------------


def request(**said: Any) -> str:
    return json.dumps({"method": "POST", "url": "/", "headers": {}, "body": ""} | said)


def test_an_apps_request_is_read_in_all_its_forms(decoded: Any) -> None:
    asked = "id=7&lat=30.5&lon=120.25&timestamp=1767225600&speed=10&accuracy=4"
    document = {
        "device_id": "7",
        "location": {
            "timestamp": "2026-01-01T00:00:00Z",
            "coords": {"latitude": 30.5, "longitude": 120.25, "speed": 18.52 / 3.6, "accuracy": 4},
        },
    }
    json_type = {"content-type": "application/json"}
    said = decoded(
        "osmand",
        request(url=f"/?{asked}"),
        request(body=asked, headers={"Content-Type": "application/x-www-form-urlencoded"}),
        request(body=json.dumps(document), headers=json_type),
        request(body=document, headers=json_type),
    )
    assert said.code == 0
    assert said[0] == {
        "device": "7",
        "fixes": [
            {
                "fixed_at": "2026-01-01T00:00:00Z",
                "lat": 30.5,
                "lon": 120.25,
                "speed_kmh": 18.52,
                "course_deg": None,
                "altitude_m": None,
                "accuracy_m": 4.0,
                "valid": True,
                "alarms": [],
            }
        ],
        "reply": {"status": 200, "body": {"device": "7", "fixes": 1, "trouble": ""}},
        "error": None,
    }
    for each in said[1:]:
        assert each["fixes"][0] | {"speed_kmh": round(each["fixes"][0]["speed_kmh"], 9)} == said[0]["fixes"][0]


def test_a_message_without_a_time_counts_from_when_it_came(decoded: Any) -> None:
    (said,) = decoded("osmand", request(url="/?id=7&lat=1&lon=2", received_at="2026-05-03T10:00:00+08:00"))
    assert said["fixes"][0]["fixed_at"] == "2026-05-03T02:00:00Z"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("not JSON", "request"),
        ("[]", "request"),
        ('{"headers": 1}', "request"),
        ('{"url": "http://[1"}', "request"),
        ("[" * 2_000, "request"),
        (request(received_at="0001-01-01T00:00:00+14:00"), "request"),
        (b"\xff\xfe", "request"),
        (b'{"url": "' + b"x" * decode.LINE_BYTES + b'"}', "long"),
        (request(url="/?lat=1&lon=2"), "no-device"),
        (request(url="/?id=1&lat=91&lon=2"), "place"),
        (request(url="/?id=1&lat=9&lon=2&timestamp=never"), "time"),
        (request(body="{", headers={"Content-Type": "application/json"}, url="/?id=1"), "unreadable"),
    ],
)
def test_a_request_that_cannot_be_read_is_named_and_stops_nothing(decoded: Any, line: str | bytes, name: str) -> None:
    said = decoded("osmand", line, request(url="/?id=1&lat=9&lon=2"))
    assert [each["error"] and each["error"]["name"] for each in said] == [name, None]
    assert said.code == 1


CORPUS = {
    "jt808": [wire(Terminal(edition=edition).resend([place(AT, 28, 120)] * 3)).encode() for edition in EDITIONS]
    + [wire(Terminal().register() + Terminal().locate(place(AT, 28, 120, items={0xEB: b"x" * 9}))).encode()],
    "osmand": [
        request(url="/?id=7&lat=30.5&lon=120.25&timestamp=1767225600&alarm=sos").encode(),
        request(body="id=7&lat=30.5&lon=120.25&timestamp=2026-01-01T00:00:00Z").encode(),
        request(body={"device_id": "7", "location": {"coords": {"latitude": 1, "longitude": 2}}}).encode(),
        request(body='{"device_id": "7", "location": [{}]}', headers={"content-type": "application/json"}).encode(),
    ],
    "owntracks": [
        request(body={"_type": "location", "lat": 1, "lon": 2, "tst": 1767225600, "tid": "ab"}).encode(),
        request(body=[{"_type": "transition", "event": "leave", "lat": 1, "lon": 2, "tst": 1767225600, "desc": "x"}]).encode(),
        request(body='{"_type": "encrypted"}', url="//a:b@c/", headers={"authorization": "Basic YTpi"}).encode(),
    ],
}


def test_owntracks_is_read_with_whoever_shows_a_name_or_claims_one(decoded: Any) -> None:
    place = {"lat": 30.5, "lon": 120.25, "tst": 1767225600, "acc": 4, "vel": 80}
    fix = {"fixed_at": "2026-01-01T00:00:00Z", "lat": 30.5, "lon": 120.25, "speed_kmh": 80.0, "course_deg": None}
    fix |= {"altitude_m": None, "accuracy_m": 4.0, "valid": True, "alarms": []}
    location = {"_type": "location"} | place
    basic = {"authorization": "Basic dHJhY2tlci0xOmtleQ==", "X-Limit-U": "somebody"}
    said = decoded(
        "owntracks",
        request(body=location, headers=basic),
        request(body=location, url="https://tracker-1:key@loop.example/pub"),
        request(body=location, headers={"X-Limit-U": "tracker-1"}),
        request(body=location | {"topic": "tracker-1"}),
        request(body=location | {"tid": "tracker-1"}),
        request(
            body=[location, {"_type": "lwt"}, {"_type": "transition", "event": "enter", "rid": "rest-1"} | place], headers=basic
        ),
        request(body=""),
    )
    assert said.code == 0
    for each in said[:5]:
        assert each == {"device": "tracker-1", "fixes": [fix], "reply": {"status": 200, "body": []}, "error": None}
    crossing = fix | {"crossing": "enter rest-1"}
    assert said[5]["fixes"] == [fix, crossing]
    assert said[6] == {"device": None, "fixes": [], "reply": {"status": 401}, "error": None}


def test_what_owntracks_sent_and_nobody_can_use_is_named(decoded: Any) -> None:
    bodies = [{"_type": "encrypted", "data": "x"}, {"_type": "z"}, "{", {"_type": "location", "tst": 1}, [{"_type": "lwt"}, 5]]
    said = decoded("owntracks", *(request(body=body, headers={"X-Limit-U": "d"}) for body in bodies))
    assert [each["error"]["name"] for each in said] == ["encrypted", "unknown", "unreadable", "place", "unreadable"]
    assert said[4]["error"]["positions"] == [2]
    assert all(each["reply"]["status"] == 200 for each in said), "no phone is blocked by it"


@pytest.mark.parametrize("form", sorted(decode.FORMATS))
@pytest.mark.parametrize("seed", seeds(1))
def test_no_line_at_all_ends_the_command(form: str, seed: int) -> None:
    def read(line: bytes) -> object:
        found = decode.FORMATS[form](line.decode("utf-8", "replace"), AT)
        assert json.loads(decode._printed(found, texts("en"))).keys() == KEYS
        return found

    corpus = CORPUS.get(form, CORPUS["osmand"])
    assert assault(read, corpus, named=(), seed=seed, count=rounds(1_000, soak=20_000)) == rounds(1_000, soak=20_000)


# -- the command ------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_standard_input_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "messages"
    file.write_text(wire(Terminal().heartbeat()))
    assert main(["decode", "jt808", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == "13912345678"
    assert main(["decode", "jt808", str(tmp_path / "none")]) == 3


def test_what_an_editor_puts_before_a_file_costs_no_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = b"\xef\xbb\xbf\r\n" + wire(Terminal().heartbeat()).upper().encode() + b"\r\n"
    (tmp_path / "messages").write_bytes(given)
    assert main(["decode", "jt808", str(tmp_path / "messages")]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert main(["decode", "jt808", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_command_offers_what_there_is_and_every_error_has_its_words() -> None:
    assert tuple(decode.FORMATS) == cli.FORMATS
    names = set(
        re.findall(
            r'Malformed\("([\w-]+)"\)',
            "".join(path.read_text() for path in (Path(decode.__file__).parent.parent / "decoders" / "jt808").glob("*.py")),
        )
    )
    assert names
    for language in ("zh", "en"):
        for name in names - {"kind"}:
            assert texts(language)(f"decode.error.{name}")


def test_the_example_in_the_readme_is_what_is_printed(decoded: Any) -> None:
    section = README.split("\n### What we read of a message\n", 1)[1].split("\n## ", 1)[0]
    given, printed = re.findall(r"```(?:text|json)\n(.*?)\n```", section, re.DOTALL)[:2]
    (said,) = decoded("jt808", given)
    assert said == json.loads(printed)
