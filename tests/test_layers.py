"""Who may import whom, and that the core knows no clock: read off the source, so that the house stays as it was drawn.

`HOUSE` is the README's picture as a table. A part is the longest of its keys that a module's name begins with.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FREE = {"msgspec", "checkpoint.version"}  # a struct is a struct anywhere, and so is our version

# Part -> what its modules may import beside the standard library: parts of ours, and libraries.
HOUSE: dict[str, set[str]] = {
    "checkpoint.config": {"checkpoint.database_url", "checkpoint.keeping"},
    "checkpoint.keeping": set(),
    "checkpoint.database_url": set(),
    "checkpoint.ports": set(),
    "checkpoint.logs": {"pythonjsonlogger", "starlette"},
    "checkpoint.headers": {"starlette"},
    "checkpoint.tls": set(),
    "checkpoint.notify": set(),
    "checkpoint.process": {"checkpoint.notify", "checkpoint.tls", "uvicorn"},
    "checkpoint.lan": {
        "checkpoint.config", "checkpoint.headers", "checkpoint.lan", "checkpoint.logs", "checkpoint.ports", "checkpoint.ui",
        "checkpoint.wire", "starlette", "uvicorn", "cryptography",
    },
    "checkpoint.wire": {"checkpoint.logs", "uvicorn"},
    "checkpoint.headroom": set(),
    "checkpoint.version": set(),
    "checkpoint.core": {"checkpoint.core", "cryptography"},
    "checkpoint.decoders": {"checkpoint.core", "checkpoint.decoders", "gpxpy", "defusedxml"},
    "checkpoint.store": {
        "checkpoint.core", "checkpoint.database_url", "checkpoint.headroom", "checkpoint.store",
        "peewee", "playhouse", "apsw", "psycopg", "cryptography",
    },
    "checkpoint.ui": {"checkpoint.core", "checkpoint.ui", "jinja2", "markupsafe", "babel", "qrcode"},
    "checkpoint.story": {"checkpoint.core", "checkpoint.story"},
    # what stands between the record and the edge
    "checkpoint.wish": {"checkpoint.core"},
    "checkpoint.telling": {"checkpoint.core"},
    "checkpoint.granting": {"checkpoint.bindings", "checkpoint.core", "checkpoint.store", "checkpoint.wish"},
    "checkpoint.bindings": {"checkpoint.core", "checkpoint.store"},
    "checkpoint.hearing": {"checkpoint.bindings", "checkpoint.core", "checkpoint.store"},
    "checkpoint.intake": {
        "checkpoint.bindings", "checkpoint.core", "checkpoint.decoders", "checkpoint.hearing", "checkpoint.store", "cryptography",
    },
    "checkpoint.chores": {"checkpoint.store"},
    "checkpoint.retention": {"checkpoint.chores", "checkpoint.core", "checkpoint.store", "checkpoint.telling"},
    "checkpoint.drafting": {"checkpoint.core", "checkpoint.decoders", "checkpoint.drafting"},
    "checkpoint.hindsight": {"checkpoint.core"},
    "checkpoint.importing": {"checkpoint.bindings", "checkpoint.core", "checkpoint.decoders", "checkpoint.intake"},
    "checkpoint.replay": {"checkpoint.core", "checkpoint.hindsight", "checkpoint.telling"},
    "checkpoint.readings": {"checkpoint.core", "checkpoint.store"},
    "checkpoint.voice": {"checkpoint.core", "checkpoint.hindsight", "checkpoint.store", "checkpoint.telling"},
    "checkpoint.watch": {"checkpoint.core", "checkpoint.readings", "checkpoint.store", "checkpoint.voice"},
    "checkpoint.backup": {
        "checkpoint.backup", "checkpoint.chores", "checkpoint.config", "checkpoint.core", "checkpoint.headroom",
        "checkpoint.keeping", "checkpoint.store", "checkpoint.ui", "cryptography",
    },
    "checkpoint.messages": {"checkpoint.core", "checkpoint.messages", "checkpoint.store", "checkpoint.version", "httpx"},
    # the edge
    "checkpoint.gateway": {
        "checkpoint.core", "checkpoint.decoders", "checkpoint.gateway", "checkpoint.hearing", "checkpoint.intake",
        "checkpoint.store", "checkpoint.watch",
    },
    "checkpoint.web": {
        "checkpoint.bindings", "checkpoint.chores", "checkpoint.config", "checkpoint.headers", "checkpoint.core",
        "checkpoint.decoders", "checkpoint.store", "checkpoint.ui",
        "checkpoint.gateway", "checkpoint.retention",
        "checkpoint.messages",
        "checkpoint.wish",
        "checkpoint.importing",
        "checkpoint.granting", "checkpoint.intake", "checkpoint.logs", "checkpoint.watch", "checkpoint.web",
        "starlette", "jinja2", "markupsafe", "qrcode", "argon2", "cryptography", "fido2", "pyotp", "zxcvbn", "prometheus_client",
    },
    "kiosk": {
        "checkpoint.config", "checkpoint.core", "checkpoint.decoders", "checkpoint.headroom",
        "checkpoint.logs", "checkpoint.process", "checkpoint.tls", "checkpoint.wire", "checkpoint.ui",
        "kiosk",
        "starlette", "uvicorn", "peewee", "playhouse", "apsw", "pyzbar", "PIL", "httpx", "jinja2", "markupsafe", "cryptography",
    },
    # the shell, and what plays before the house instead of living in it
    "checkpoint.cli": {"checkpoint", "httpx"},
    "checkpoint.shell": {"checkpoint"},
    "checkpoint.serving": {
        "checkpoint.backup", "checkpoint.chores", "checkpoint.config", "checkpoint.gateway", "checkpoint.headers",
        "checkpoint.logs", "checkpoint.ports", "checkpoint.store",
        "checkpoint.watch", "checkpoint.web", "checkpoint.process", "checkpoint.tls", "checkpoint.wire", "starlette", "uvicorn",
        "checkpoint.retention",
        "checkpoint.messages",
    },
    "checkpoint.demo": {"checkpoint", "httpx"},
    "checkpoint.simulator": {
        "checkpoint.config", "checkpoint.core", "checkpoint.decoders", "checkpoint.demo", "checkpoint.simulator", "checkpoint.ui",
        "kiosk", "httpx", "cryptography",
    },
}  # fmt: skip

# Calls that ask the machine for the time, or for chance.
CLOCKS = {
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "perf_counter",
    "time_ns",
    "token_bytes",
    "token_hex",
    "urandom",
    "random",
}
WORLD = {
    "time",
    "random",
    "secrets",
    "os",
    "io",
    "uuid",
    "asyncio",
    "socket",
    "threading",
    "subprocess",
    "http",
    "urllib.request",
}


def _modules() -> list[tuple[str, Path]]:
    found = []
    for top in ("checkpoint", "kiosk"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append((name, path))
    return found


MODULES = _modules()


def _part(name: str) -> str | None:
    fitting = [part for part in HOUSE if name == part or name.startswith(part + ".")]
    return max(fitting, key=len, default=None)


def _imports(tree: ast.AST, name: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are written in full"
            assert node.module is not None
            if node.module in ("checkpoint", "kiosk"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_each_module_imports_only_what_its_part_may(name: str, path: Path) -> None:
    if name == "checkpoint":
        assert not list(_imports(_tree(path), name))
        return
    part = _part(name)
    assert part is not None, f"{name} is in no part of the house: put it into HOUSE, or elsewhere"
    allowed = HOUSE[part] | FREE | {part}
    for imported in _imports(_tree(path), name):
        top = imported.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        fits = any(imported == a or imported.startswith(a + ".") for a in allowed)
        assert fits, f"{name} imports {imported}"


CORE = [(name, path) for name, path in MODULES if _part(name) in ("checkpoint.core", "checkpoint.decoders")]


@pytest.mark.parametrize(("name", "path"), CORE, ids=[name for name, _ in CORE])
def test_core_and_decoders_know_no_clock_no_chance_and_no_world(name: str, path: Path) -> None:
    tree = _tree(path)
    imported = set(_imports(tree, name))
    assert not WORLD & (imported | {i.split(".")[0] for i in imported})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            plain = getattr(node.func, "id", "")
            called = node.func.attr if isinstance(node.func, ast.Attribute) else plain
            assert called not in CLOCKS, f"{name}:{node.lineno} calls {called}"
            assert plain not in ("open", "print", "input"), f"{name}:{node.lineno} calls {plain}"


def test_only_config_asks_the_machine_for_the_time() -> None:
    """Everywhere else the time is an argument. (`monotonic` is no time: it measures how long something took.)"""
    asking = [
        name
        for name, path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date", "dt")
    ]
    assert asking == ["checkpoint.config"]


def test_only_config_reads_the_environment() -> None:
    reading = set()
    for name, path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                reading.add(name)
    # The shell asks for its language, and hands its environment on to the processes it begins.
    assert reading == {"checkpoint.config", "checkpoint.cli", "checkpoint.demo.playing"}


def test_the_table_is_what_there_is() -> None:
    parts = {_part(name) for name, _ in MODULES if name != "checkpoint"}
    assert parts == set(HOUSE)
