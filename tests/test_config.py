"""Settings are cast at the door and complained of by name; the hurried clock keeps its promise."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checkpoint import config

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_nothing_set_gives_the_defaults() -> None:
    found = config.load({})
    assert (found.host, found.port, found.kiosk_port) == ("127.0.0.1", 8000, 8100)
    assert found.database == Path("data", "checkpoint.db")
    assert found.public_url == found.server_url == "http://127.0.0.1:8000"
    assert found.front_end.is_absolute()
    assert abs(found.now() - config.utc_now()) < timedelta(seconds=5)


def test_what_is_set_is_cast() -> None:
    found = config.load(
        {"CHECKPOINT_PORT": "9000", "CHECKPOINT_DATA": "elsewhere", "CHECKPOINT_SERVER_URL": "https://x.example/"}
    )
    assert found.port == 9000
    assert found.database == Path("elsewhere", "checkpoint.db")
    assert found.server_url == "https://x.example"
    assert found.public_url == "http://127.0.0.1:9000"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert config.load({"CHECKPOINT_PORT": " "}).port == 8000


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CHECKPOINT_PORT", "80 00"),
        ("CHECKPOINT_PORT", "0"),
        ("CHECKPOINT_PORT", "65536"),
        ("CHECKPOINT_KIOSK_PORT", "八千"),
        ("CHECKPOINT_HOST", "a b"),
        ("CHECKPOINT_SERVER_URL", "ftp://x"),
        ("CHECKPOINT_CLOCK", "yesterday*2"),
        ("CHECKPOINT_CLOCK", "2026-05-01T08:00:00Z*0"),
        ("CHECKPOINT_CLOCK", "2026-05-01T08:00:00*2"),
        ("CHECKPOINT_PROT", "8000"),
        ("CHECKPOINT_PROXIES", "127.0.0.1, somewhere"),
        ("CHECKPOINT_PROXIES", "10.0.0.1/8"),
        ("CHECKPOINT_HOSTS", "a b"),
        ("CHECKPOINT_RATES", "-1"),
        ("CHECKPOINT_RATES", "many"),
        ("CHECKPOINT_METRICS_TOKEN", "short"),
        ("CHECKPOINT_LOGS", "xml"),
        ("CHECKPOINT_TLS_CERTIFICATE", "nowhere.pem"),
    ],
)
def test_what_cannot_be_used_is_complained_of_by_name(variable: str, text: str) -> None:
    with pytest.raises(config.Misconfigured, match=f"^{variable}: "):
        config.load({variable: text})


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(config.Misconfigured, match="CHECKPOINT_DATA: a folder wanted"):
        config.load({"CHECKPOINT_DATA": str(tmp_path / "data")})
    with pytest.raises(config.Misconfigured, match="CHECKPOINT_DATABASE: a file wanted"):
        config.load({"CHECKPOINT_DATABASE": str(tmp_path)})


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(config.Misconfigured) as caught:
        config.load({"CHECKPOINT_PORT": "x", "CHECKPOINT_KIOSK_PORT": "y", "CHECKPOINT_Z": "1"})
    assert len(caught.value.problems) == 3


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    fields = {field.name for field in dataclasses.fields(config.Config)} - {"now"} | {"clock"}
    assert fields == {setting.name.lower() for setting in config.SETTINGS}


def test_a_hurried_clock_agrees_until_its_start_and_runs_ahead_from_then_on() -> None:
    real = NOON - timedelta(hours=1)
    clock = config.Clock(NOON, 10, now=lambda: real)
    assert clock() == NOON - timedelta(hours=1)
    real = NOON + timedelta(minutes=6)
    assert clock() == NOON + timedelta(hours=1)
    assert clock.real_s(60) == 6


def test_a_clock_survives_its_own_setting() -> None:
    clock = config.load({"CHECKPOINT_CLOCK": str(config.Clock(NOON, 2.5))}).now
    assert isinstance(clock, config.Clock)
    assert (clock.start, clock.speed) == (NOON, 2.5)


def test_a_hurried_clock_and_its_steady_count_go_on_side_by_side() -> None:
    real, count = NOON, 100.0
    clock = config.Clock(NOON, 60, now=lambda: real, count=lambda: count)
    steady = config.steady_of(clock)
    shown, counted = clock(), steady()
    real, count = NOON + timedelta(seconds=3), 103.0
    assert clock() - shown == timedelta(minutes=3)
    assert steady() - counted == 180
    assert config.steady_of(config.utc_now) is time.monotonic, "a clock that is not hurried goes by the machine's count"


def test_a_certificate_and_its_key_come_together(tmp_path: Path) -> None:
    (tmp_path / "one.pem").touch()
    for variable in ("CHECKPOINT_TLS_CERTIFICATE", "CHECKPOINT_TLS_KEY"):
        with pytest.raises(config.Misconfigured, match="CHECKPOINT_TLS_KEY: wanted with"):
            config.load({variable: str(tmp_path / "one.pem")})


def test_a_token_that_cannot_be_used_is_not_shown() -> None:
    with pytest.raises(config.Misconfigured) as caught:
        config.load({"CHECKPOINT_METRICS_TOKEN": "too-short"})
    assert "too-short" not in str(caught.value)
