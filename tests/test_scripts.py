"""The way in: locks that name no address, a set-up that stops before half the work, and processes that begin and end whole."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.server import clean_environment, free_port

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts"


# -- locks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_and_hashes_everything_and_names_no_address(name: str) -> None:
    text = (SCRIPTS / name).read_text()
    assert not re.search(r"https?://|file:|index-url|find-links|@ ", text)
    pins = re.findall(r"^[\w.-]+==[^\s;\\]+", text, re.MULTILINE)
    assert len(pins) > 20
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_run_lock_is_part_of_the_tests_lock() -> None:
    pins = [set(re.findall(r"^[\w.-]+==[^\s;\\]+", (SCRIPTS / name).read_text(), re.MULTILINE))
            for name in ("requirements.lock", "requirements-dev.lock")]  # fmt: skip
    assert pins[0] < pins[1]


def test_the_front_end_lock_pins_and_hashes_everything_and_names_no_registry() -> None:
    package = json.loads((SCRIPTS / "front-end" / "package.json").read_text())
    lock = json.loads((SCRIPTS / "front-end" / "package-lock.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    for name, held in lock["packages"].items():
        assert "resolved" not in held
        assert not name or held["integrity"].startswith("sha512-")
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version


# -- set-up ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/setup.py as a module, pointed at a folder where it may do no harm."""
    spec = importlib.util.spec_from_file_location("setup_script", SCRIPTS / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "set-up.json")
    return module


def test_missing_packages_are_named_with_the_line_that_brings_them_and_nothing_is_done(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}" if name.startswith("apt") else None)
    monkeypatch.setattr(setup.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        setup.main(["--dev"])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert "sudo apt-get install -y --no-install-recommends libzbar0 chromium fonts-wqy-microhei libnss3-tools" in said
    assert "nothing was changed" in said
    assert not setup.VENV.exists()


def test_without_apt_the_packages_are_still_named(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        setup.bring_packages(["libzbar0"])
    assert "libzbar0" in capsys.readouterr().err


@pytest.mark.parametrize(("version", "good"), [("0.23.92-7+deb12u1", True), ("0.23.92-7", False), ("0.23.93-4", True)])
def test_a_libzbar_with_known_holes_is_missing(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, version: str, good: bool
) -> None:
    monkeypatch.setattr(setup, "distribution", lambda: "debian")
    monkeypatch.setattr(setup, "installed_version", lambda package: version if package == "libzbar0" else None)
    monkeypatch.setattr(setup.ctypes.util, "find_library", lambda name: "libzbar.so.0")
    assert setup.zbar_is_good() is good


def test_what_was_set_up_is_not_set_up_again_and_a_copy_in_another_folder_is(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (setup.VENV / "bin").mkdir(parents=True)
    (setup.VENV / "bin" / "python").touch()
    setup.STAMP.write_text(json.dumps({"made_from": setup.made_from(), "dev": False}))
    assert setup.stamped(dev=False)
    assert not setup.stamped(dev=True)
    monkeypatch.setattr(setup, "ROOT", setup.ROOT / "elsewhere")
    assert not setup.stamped(dev=False)


def test_an_environment_that_is_not_at_home_here_is_not_used(setup: ModuleType) -> None:
    assert not setup.environment_works()
    (setup.VENV / "bin").mkdir(parents=True)
    (setup.VENV / "bin" / "python").symlink_to(sys.executable)
    (setup.VENV / "bin" / "pip").write_text("#!/elsewhere/.venv/bin/python\nimport pip\n")
    assert not setup.environment_works()


def test_one_packages_lines_are_found_in_a_lock(setup: ModuleType) -> None:
    lock = (SCRIPTS / "requirements-dev.lock").read_text()
    lines = list(setup.lines_of(setup.NODE_WHEEL, lock))
    assert lines[0].startswith(f"{setup.NODE_WHEEL}==")
    assert all("--hash" in line for line in lines[1:])
    assert len(lines) > 1


def test_every_script_can_be_run_and_says_what_it_is_for() -> None:
    for script in [*SCRIPTS.iterdir(), ROOT / ".ci" / "run"]:
        if script.is_file() and not script.suffix:
            assert script.stat().st_mode & 0o111, script
            first, second = script.read_text().splitlines()[:2]
            assert first == "#!/bin/sh"
            assert second.startswith("# ")


# -- processes --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (["serve"], "CHECKPOINT_PORT"),
        (["demo"], "CHECKPOINT_PORT"),
        (["demo"], "CHECKPOINT_KIOSK_PORT"),
        (["demo", "--empty"], "CHECKPOINT_KIOSK_PORT"),
    ],
)
def test_a_port_in_use_is_named_with_its_setting_and_nothing_is_begun(
    command: list[str], setting: str, taken: int, tmp_path: Path
) -> None:
    ports = {"CHECKPOINT_PORT": str(free_port()), "CHECKPOINT_KIOSK_PORT": str(free_port()), setting: str(taken)}
    done = subprocess.run(
        [sys.executable, "-m", "checkpoint.cli", *command],
        env=clean_environment() | ports | {"CHECKPOINT_DATA": str(tmp_path / "data")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert setting in done.stderr
    assert str(taken) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def _begin(command: list[str], tmp_path: Path) -> tuple[subprocess.Popen[str], str, str]:
    ports = free_port(), free_port()
    settings = {
        "CHECKPOINT_PORT": str(ports[0]),
        "CHECKPOINT_KIOSK_PORT": str(ports[1]),
        "CHECKPOINT_DATA": str(tmp_path / "data"),
        "CHECKPOINT_KIOSK_DATA": str(tmp_path / "data" / "kiosk"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "checkpoint.cli", *command],
        env=clean_environment() | settings,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    return process, f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"


def _read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"ended without saying {text!r}: {said}")


def _is_gone(address: str) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            httpx.get(f"{address}/livez", timeout=1)
        except httpx.HTTPError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_the_demonstration_begins_whole_and_one_signal_ends_it_whole(signal_: signal.Signals, tmp_path: Path) -> None:
    process, server, kiosk = _begin(["demo"], tmp_path)
    try:
        said = _read_until(process, "PIN")
        assert httpx.get(f"{server}/livez").status_code == 200
        assert httpx.get(f"{kiosk}/livez").status_code == 200
        assert server in said
        passphrase = re.search(r"passphrase of each: (\S+)", said)
        assert passphrase is not None
        asked = {"account": "coordinator", "passphrase": passphrase[1]}
        assert httpx.post(f"{server}/api/v1/session", json=asked).status_code == 200
    finally:
        process.send_signal(signal_)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert _is_gone(server)
    assert _is_gone(kiosk)


def test_an_empty_installation_begins_with_a_link_until_somebody_used_it(tmp_path: Path) -> None:
    links: list[list[str]] = []
    for _ in range(3):
        process, server, _kiosk = _begin(["demo", "--empty"], tmp_path)
        try:
            links.append(re.findall(r"http\S+/join/(\S+)$", _read_until(process, "Ctrl-C"), re.MULTILINE))
            assert httpx.get(f"{server}/livez").json()["facts"] == 0
            if len(links) == 2:
                wish = {"account": "first", "name": "周敏", "passphrase": "green lamps over water"}
                used = [
                    httpx.post(f"{server}/api/v1/invitations", json=wish | {"invitation": token}).status_code
                    for [token] in (links[0], links[1], links[1])
                ]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 0
    assert used == [410, 200, 410], "the last link is the one that works, and works once"
    assert links[2] == []


def test_a_folder_that_is_not_a_demonstrations_is_not_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "data" / "demo" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("kept")
    process, _, _ = _begin(["demo"], tmp_path)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert str(precious.parent) in said
    assert precious.read_text() == "kept"
