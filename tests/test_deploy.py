"""What puts the server on a machine: units, container file and proxies name only what exists, and hold what they promise."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette

from checkpoint import cli, config
from checkpoint.headers import headers_of
from checkpoint.logs import _ID
from checkpoint.notify import ALIVE, READY, STOPPING, tell
from checkpoint.ports import listen
from checkpoint.serving import Server
from checkpoint.ui import texts
from checkpoint.web.routes import TABLE
from checkpoint.wire import HEAD_BYTES, Wire

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "scripts" / "deploy"
UNITS = ("checkpoint-server.service", "checkpoint-kiosk.service")
VARIABLES = {setting.variable for setting in config.SETTINGS}
# Where the units and the container expect the repository.
HOME = "/opt/checkpoint/"


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def unit(name: str) -> dict[str, list[str]]:
    """The assignments of a unit, by key."""
    found: dict[str, list[str]] = {}
    for line in read(name).splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found.setdefault(key, []).append(value)
    return found


def commands() -> set[str]:
    """Every command of the program."""
    subparsers = next(a for a in cli.parser(texts("en"))._actions if hasattr(a, "choices") and isinstance(a.choices, dict))
    return set(subparsers.choices or ())


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_setting_in_a_file_is_one_of_ours_and_no_file_names_a_registrys_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"CHECKPOINT_[A-Z_]+", text)) <= VARIABLES
    assert not re.search(r"index-url|find-links|registry\s*=|mirror|trusted-host", text)
    assert path.name in (ROOT / "README.md").read_text(encoding="utf-8"), "the README says what it is for"


@pytest.mark.parametrize("name", ["server.env", "kiosk.env"])
def test_the_settings_files_can_be_read_as_they_are(name: str) -> None:
    given = dict(line.split("=", 1) for line in read(name).splitlines() if line and not line.startswith("#"))
    found = config.load(given)
    assert "https://loop.example" in (found.public_url, found.server_url)


# -- units --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_begins_a_program_that_exists_and_keeps_what_it_writes(name: str) -> None:
    found = unit(name)
    program, *arguments = shlex.split(found["ExecStart"][0])
    assert program.startswith(f"{HOME}.venv/bin/")
    if name == UNITS[0]:
        assert Path(program).name == "checkpoint"
        assert arguments[0] in commands()
    else:
        assert (Path(program).name, arguments) == ("python", ["-m", "kiosk"])
        assert (ROOT / "kiosk" / "__main__.py").exists()
    state = f"/var/lib/{found['StateDirectory'][0]}"
    assert found["StateDirectoryMode"] == ["0700"]
    assert found["UMask"] == ["0077"]
    set_here = dict(part.split("=", 1) for part in found["Environment"][0].split())
    assert state in set_here.values(), "the data lie where the unit lets it write"
    assert re.search(rf"^u {found['User'][0]} ", read("checkpoint.sysusers"), re.MULTILINE)
    assert found["User"] == found["Group"]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_begun_again_when_it_fails_and_may_do_little(name: str) -> None:
    found = unit(name)
    assert found["Type"] == ["notify"]
    assert found["Restart"] == ["on-failure"]
    assert int(found["WatchdogSec"][0]) >= 30
    assert found["ProtectSystem"] == ["strict"]
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == [""]
    assert found["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    assert found["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]
    for key in (
        "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectClock", "ProtectHostname",
        "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "RestrictNamespaces",
        "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC",
    ):  # fmt: skip
        assert found[key] == ["yes"], key


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_itself_has_nothing_against_a_unit(name: str, tmp_path: Path) -> None:
    # Its program is not installed here: something that can be run stands in for it.
    text = re.sub(rf"{HOME}\.venv/bin/\w+", shutil.which("true") or "/bin/true", read(name))
    text = re.sub(r"(?m)^(User|Group)=.*$", r"\1=root", text).replace("After=network-online.target postgresql.service\n", "")
    (tmp_path / name).write_text(text.replace("Wants=network-online.target\n", ""))
    asked = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    about_it = [line for line in asked.stderr.splitlines() if name in line]
    assert about_it == []
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(tmp_path / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-300:]


def test_the_supervisor_hears_when_it_has_begun_that_it_lives_and_when_it_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(15)
        taken, begun = listen("127.0.0.1", 0), threading.Event()
        wire, there = Wire(headers=headers_of(False)), str(tmp_path / "notify")
        server = Server(Starlette(), wire, begun=begun.set, ending=lambda: None, supervisor=there)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        heard = [supervisor.recv(100).decode() for _ in range(2)]
        server.should_exit = True
        heard.append(supervisor.recv(100).decode())
        thread.join(15)
    assert heard == [READY, ALIVE, STOPPING]


def test_a_supervisor_that_does_not_listen_ends_nobody(tmp_path: Path) -> None:
    tell(str(tmp_path / "nobody"), READY)
    tell("@nobody-of-this-name", READY)
    tell("", READY)


# -- the container --------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The container file's instructions, lines joined."""
    lines = [line for line in read("Containerfile").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def test_the_container_copies_what_exists_and_all_that_the_program_needs() -> None:
    copied: set[str] = set()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists(), source
                copied.add(source)
        assert word != "ADD", "nothing is fetched by the engine"
    assert {"checkpoint", "kiosk", "pyproject.toml"} <= copied
    # What the set-up reads to know what it was made from.
    setup = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")
    named = re.search(r"for name in \((.*?)\):", setup, re.DOTALL)
    assert named is not None
    for name in re.findall(r'"([^"]+)"', named[1]):
        path = (ROOT / "scripts" / name).resolve().relative_to(ROOT)
        assert any(path.is_relative_to(source) for source in copied), path


def test_the_container_runs_as_nobody_in_particular_keeps_its_data_in_a_volume_and_says_how_it_is() -> None:
    stages = [i for i, (word, _) in enumerate(instructions()) if word == "FROM"]
    last = instructions()[stages[-1] :]
    found = dict(last)
    assert all(rest.startswith("docker.io/library/debian:bookworm-slim") for word, rest in instructions() if word == "FROM")
    assert found["USER"] == "10001:10001"
    settings = dict(part.split("=", 1) for part in found["ENV"].split())
    assert settings["CHECKPOINT_DATA"] == found["VOLUME"] == found["WORKDIR"]
    installed = " ".join(rest for word, rest in last if word == "RUN")
    assert "libzbar0" in installed
    assert f"--uid {found['USER'].split(':')[0]} " in installed
    assert f"install -d -m 0700 -o checkpoint -g checkpoint {found['VOLUME']}" in installed
    assert found["ENTRYPOINT"] == '["checkpoint"]'
    assert found["CMD"].strip('[]"') in commands()
    port = next(setting.default for setting in config.SETTINGS if setting.name == "PORT")
    assert found["EXPOSE"] == port
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", found["HEALTHCHECK"])
    assert asked is not None
    assert (asked[1], asked[2]) == (port, "/livez")
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert any("scripts/setup" in rest for word, rest in instructions() if word == "RUN"), "made as on any machine"


# -- proxies --------------------------------------------------------------------------------------------------------------


def test_proxies_say_who_asks_in_their_own_words_pass_the_largest_body_and_hold_no_stream_back() -> None:
    nginx, caddy = read("nginx.conf"), read("Caddyfile")
    largest = max(rule.body_bytes for rule in TABLE)
    for text, size in ((nginx, r"client_max_body_size (\d+)m;"), (caddy, r"max_size (\d+)MB")):
        passed = re.search(size, text)
        assert passed is not None
        assert int(passed[1]) * 1_000_000 >= largest, "and the multipart form around it"
        assert "/metrics" in text
        assert "127.0.0.1:8000" in text
    for line in (
        "proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Request-Id $request_id;", 'proxy_set_header Forwarded "";', "proxy_set_header Host $host;",
        "proxy_buffering off;", "access_log off;", "return 301 https://$host$request_uri;", "ssl_protocols TLSv1.2 TLSv1.3;",
    ):  # fmt: skip
        assert line in nginx
    for line in (
        "flush_interval -1", "header_up X-Forwarded-For {remote_host}", "header_up X-Forwarded-Proto {scheme}",
        "header_up X-Request-Id {http.request.uuid}", "header_up -Forwarded", "header -Server",
    ):  # fmt: skip
        assert line in caddy
    assert nginx.count("{") == nginx.count("}")
    assert caddy.count("{") == caddy.count("}")
    stream = re.search(r"location = (\S+) \{[^}]*proxy_buffering off", nginx)
    assert stream is not None
    assert stream[1] in {rule.path for rule in TABLE}
    buffers = re.search(r"large_client_header_buffers \d+ (\d+)k", nginx)
    assert buffers is not None
    assert int(buffers[1]) * 1024 <= HEAD_BYTES


def test_the_ids_that_proxies_make_are_ids_that_we_keep() -> None:
    nginx, caddy = "c6c09d1b77b75336b6799174e5338c87", "67bd764b-ea9e-4b9c-b1a2-1a776a5760bb"
    assert _ID.fullmatch(nginx)
    assert _ID.fullmatch(caddy)
