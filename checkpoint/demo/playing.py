"""The demonstration as processes: server, kiosk, and in this one the fleet that drives them.

The law of this file: ports are tried first and nothing is begun when one is taken; whatever was begun is ended, however this
ends; the folder is emptied only when it bears our mark. Nothing is written behind the server's back: this process knows a
password and speaks over sockets like anybody else. The heavy parts are imported while the processes begin.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx

from checkpoint.config import Clock, Config, utc_now
from checkpoint.ports import PortTaken, listen
from checkpoint.ui import Texts

if TYPE_CHECKING:
    from checkpoint.lan.authority import Authority
    from checkpoint.lan.neighbourhood import Neighbourhood

EVERYWHERE = "0.0.0.0"  # noqa: S104 - whoever says --lan means it
MARK = "demo.json"
STATION = "ouhai-sampling"
BEGIN_S, END_S = 30.0, 8.0
# A hurried clock runs at the machine's pace for as long as the past day is being sent: at sixty times that, every truck
# would fall silent before it first moves.
SENDING = timedelta(seconds=20)


class Lan(NamedTuple):
    """This machine among its neighbours, and who signs for it."""

    near: Neighbourhood
    authority: Authority

    def settings(self) -> dict[str, str]:
        """What server and kiosk are told."""
        return self.near.settings(self.authority)

    def say(self, t: Texts) -> None:
        """Tell how phones come to trust this machine."""
        from checkpoint.ui.page import qr_text

        near, authority = self
        if strange := near.strange(authority):
            print(t("cli.lan.moved", addresses=", ".join(strange), folder=authority.folder), flush=True)
        if not near.addresses:
            print(t("cli.lan.alone"))
        words = t("cli.lan.begun", server=near.server, kiosk=near.kiosk, install=near.install, fingerprint=authority.fingerprint)
        print(words, qr_text(near.install), sep="\n", flush=True)


class Ended(RuntimeError):
    """A process of ours ended by itself; the message is the end of its log."""


class Processes:
    """The processes begun here, each with a log of its own. They do not hear the terminal's Ctrl-C: we pass it on once."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._begun: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, name: str, command: Sequence[str], settings: dict[str, str]) -> None:
        """Start one."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CHECKPOINT_")} | settings
        with (self._logs / f"{name}.log").open("wb") as log:
            self._begun[name] = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-m", *command], env=environment, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )

    def check(self) -> None:
        """Raises `Ended` when one is no more."""
        for name, process in self._begun.items():
            if process.poll() is not None:
                log = (self._logs / f"{name}.log").read_text(errors="replace").strip()
                raise Ended(f"{name} ({process.returncode})\n" + "\n".join(log.splitlines()[-8:]))

    async def answers(self, client: httpx.AsyncClient, address: str) -> None:
        """Wait until `/livez` answers there. Raises `Ended`."""
        for _ in range(int(BEGIN_S / 0.05)):
            self.check()
            try:
                if (await client.get(f"{address}/livez")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
        raise Ended(f"{address}/livez")

    def end(self) -> None:
        """End all, the last begun first; those that do not within some seconds are killed."""
        for process in reversed(self._begun.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in reversed(self._begun.values()):
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def write(self) -> str:
        """Where the logs are."""
        return str(self._logs)


def on_the_lan(settings: Config) -> Lan:
    """Make ready for phones on the same network: a certificate of this machine's own authority."""
    from checkpoint.lan.neighbourhood import Neighbourhood

    near = Neighbourhood.of(settings)
    authority = near.authority(settings.data)
    near.sign(authority)
    # The one place where programs look for roots; the processes begun here inherit it.
    os.environ["SSL_CERT_FILE"] = str(authority.root_file)
    return Lan(near, authority)


def play(settings: Config, t: Texts, *, seed: int, speed: float, keep: bool, lan: Lan | None = None) -> int:
    """The demonstration, until Ctrl-C. With `keep`, the last one's data are looked at again, and nothing moves."""
    _try_ports(settings, lan)
    folder = settings.data / "demo"
    mark = _kept(folder) if keep else None
    if keep and mark is None:
        print(t("cli.demo.nothing-kept", folder=folder), file=sys.stderr)
        return 2
    if mark is None:
        if folder.exists() and _kept(folder) is None:
            print(t("cli.demo.not-ours", folder=folder), file=sys.stderr)
            return 3
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark = {"password": "-".join(secrets.token_hex(2) for _ in range(4))}
        (folder / MARK).write_text(json.dumps(mark))
    now = Clock(utc_now() + SENDING, speed) if speed != 1 else None
    stage = _Stage(settings, t, folder, mark["password"], now, seed, lan)
    return asyncio.run(_until_told(stage.play(moving=not keep), stage.processes, t))


def empty(settings: Config, t: Texts, lan: Lan | None = None) -> int:
    """A real installation: server and kiosk on the settings' own folders, and nothing in them but what people put there."""
    _try_ports(settings, lan)
    settings.data.mkdir(parents=True, exist_ok=True)
    processes = Processes(settings.data)
    return asyncio.run(_until_told(_empty(settings, t, processes, lan), processes, t))


async def _empty(settings: Config, t: Texts, processes: Processes, lan: Lan | None) -> None:
    own = {k: v for k, v in os.environ.items() if k.startswith("CHECKPOINT_")} | (lan.settings() if lan else {})
    processes.begin("server", ["checkpoint.cli", "serve"], own)
    processes.begin("kiosk", ["kiosk"], {"CHECKPOINT_SERVER_URL": _local(settings.host, settings.port, lan)} | own)
    if lan is not None:
        processes.begin("lan", ["checkpoint.lan"], own)
    async with httpx.AsyncClient() as client:
        await processes.answers(client, _local(settings.host, settings.port, lan))
        await processes.answers(client, _local(settings.kiosk_host, settings.kiosk_port, lan))
    said = (settings.data / "server.log").read_text(errors="replace")
    # What the server printed itself: its address, and the one-time link of a first start.
    print("\n".join(line for line in said.splitlines() if not (line[:4].isdecimal() or line.startswith("{"))), flush=True)
    print(t("cli.empty.kiosk", kiosk=_page(settings.kiosk_host, settings.kiosk_port, lan)), flush=True)
    if lan is not None:
        lan.say(t)
    print(t("cli.empty.next"), t("cli.demo.end"), sep="\n", flush=True)
    while True:
        await asyncio.sleep(1)
        processes.check()


class _Stage:
    """One demonstration."""

    def __init__(
        self, settings: Config, t: Texts, folder: Path, password: str, clock: Clock | None, seed: int, lan: Lan | None
    ) -> None:
        self._settings, self._t, self._folder = settings, t, folder
        self._password, self._clock, self._seed = password, clock, seed
        self.processes = Processes(folder)
        self._lan = lan
        # Phones keep a cookie for the address their link had: the fleet's too.
        self._server = lan.near.server if lan is not None else _local(settings.host, settings.port, None)
        # Two of the trucks have terminals of their own; where no port is set, they get one that is free.
        self._terminals = settings.terminals_port or _free_port(settings.terminals_host)

    def _own(self) -> dict[str, str]:
        """The settings of both processes."""
        s = self._settings
        return {
            "CHECKPOINT_DATA": str(self._folder),
            "CHECKPOINT_HOST": s.host,
            "CHECKPOINT_PORT": str(s.port),
            "CHECKPOINT_PUBLIC_URL": s.public_url,
            "CHECKPOINT_FRONT_END": str(s.front_end),
            "CHECKPOINT_FIRST_PASSWORD": self._password,
            "CHECKPOINT_SECOND_FACTOR": "offered",
            "CHECKPOINT_KIOSK_DATA": str(self._folder / "kiosk"),
            "CHECKPOINT_KIOSK_HOST": s.kiosk_host,
            "CHECKPOINT_KIOSK_PORT": str(s.kiosk_port),
            "CHECKPOINT_SERVER_URL": self._server,
            "CHECKPOINT_TERMINALS_PORT": str(self._terminals),
            "CHECKPOINT_TERMINALS_HOST": s.terminals_host,
            "CHECKPOINT_CLOCK": str(self._clock) if self._clock else "",
            **(self._lan.settings() if self._lan else {}),
        }

    async def play(self, *, moving: bool) -> None:
        """Begin, tell how to sign in, and play the fleet."""
        s, t, own = self._settings, self._t, self._own()
        self.processes.begin("server", ["checkpoint.cli", "serve"], own)
        self.processes.begin("kiosk", ["kiosk"], own)
        if self._lan is not None:
            here = {"CHECKPOINT_DATA": str(s.data), "CHECKPOINT_LAN_PORT": str(s.lan_port)}
            self.processes.begin("lan", ["checkpoint.lan"], own | here)
        from checkpoint.simulator.cast import CARRIERS
        from checkpoint.simulator.playing import PIN, client_of

        kiosk = _local(s.kiosk_host, s.kiosk_port, self._lan)
        async with client_of(self._server) as client:
            await self.processes.answers(client, self._server)
            await self.processes.answers(client, kiosk)
            page, public = _page(s.kiosk_host, s.kiosk_port, self._lan), own["CHECKPOINT_PUBLIC_URL"]
            names = ", ".join(("administrator", "coordinator", "laboratory", *CARRIERS.values()))
            print(t("cli.demo.begun", server=public, kiosk=page, names=names, password=self._password, pin=PIN), flush=True)
            if self._lan is not None:
                self._lan.say(t)
            if moving:
                await self._enrol(client, kiosk)
                await self._move(client, page)
            else:
                await self._watch_over()

    async def _enrol(self, client: httpx.AsyncClient, kiosk: str) -> None:
        """Publish the loop, and make the kiosk the sampling station's, as its page does it."""
        from checkpoint.demo.drawing import DOCUMENT
        from checkpoint.simulator.offices import Office

        coordinator = await Office.open(client, "coordinator", self._password)
        await coordinator.publish(DOCUMENT.read_bytes())
        token = (await coordinator.post("/api/v1/kiosks", {"station": STATION}))["token"]
        answer = await client.post(f"{kiosk}/enrol", json={"token": token, "server": self._server})
        answer.raise_for_status()

    async def _move(self, client: httpx.AsyncClient, page: str) -> None:
        from checkpoint.core.loop import parse
        from checkpoint.demo.drawing import DOCUMENT
        from checkpoint.simulator.cast import CAST
        from checkpoint.simulator.fleet import Fleet
        from checkpoint.simulator.playing import PIN, told

        t, document = self._t, DOCUMENT.read_bytes()
        print(t("cli.simulate.seed", seed=self._seed, count=len(CAST)), flush=True)
        gateway = (_reached(self._settings.terminals_host), self._terminals)
        fleet = Fleet(client, parse(document), CAST, self._seed, self._clock or utc_now, gateway)
        await fleet.prepare(self._password, document, PIN)
        await fleet.play_past()
        print(told(fleet, t), flush=True)
        for role in CAST:
            print(f"  {role.plate}  {t(f'cli.plays.{role.plays}')}")
        for role, link in fleet.guests():
            print(t("cli.demo.guest", plate=role.plate, link=link, kiosk=page))
        print(t("cli.demo.end"), flush=True)
        over = asyncio.create_task(self._watch_over())
        playing = asyncio.create_task(fleet.play_on())
        try:
            done, _ = await asyncio.wait({over, playing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            over.cancel()
            playing.cancel()
            await asyncio.gather(over, playing, return_exceptions=True)

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.processes.check()


async def _until_told(play: Coroutine[None, None, None], processes: Processes, t: Texts) -> int:
    """Play until it ends, or until Ctrl-C or SIGTERM; then end every process that was begun."""
    task = asyncio.create_task(play)
    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(which, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print(t("cli.demo.ending"), flush=True)
    except Ended as ended:
        print(t("cli.demo.ended", what=str(ended), logs=processes.write()), file=sys.stderr)
        return 3
    finally:
        await asyncio.get_running_loop().run_in_executor(None, processes.end)
    return 0


def _try_ports(settings: Config, lan: Lan | None) -> None:
    """Raises `PortTaken`, naming the setting, when a port cannot be had."""
    tried = [
        (settings.host, settings.port, "CHECKPOINT_PORT"),
        (settings.kiosk_host, settings.kiosk_port, "CHECKPOINT_KIOSK_PORT"),
    ]
    if lan is not None:
        tried = [(EVERYWHERE, port, setting) for _, port, setting in tried]
    if settings.terminals_port is not None:
        tried.append((settings.terminals_host, settings.terminals_port, "CHECKPOINT_TERMINALS_PORT"))
    if lan is not None:
        tried.append((EVERYWHERE, settings.lan_port, "CHECKPOINT_LAN_PORT"))
    for host, port, setting in tried:
        try:
            listen(host, port).close()
        except PortTaken as taken:
            taken.setting = setting
            raise


def _kept(folder: Path) -> dict[str, str] | None:
    """What the mark in a folder says, or None when it is not one of ours."""
    try:
        mark: dict[str, str] = json.loads((folder / MARK).read_text())
    except (OSError, ValueError):
        return None
    return mark if "password" in mark else None


def _local(host: str, port: int, lan: Lan | None) -> str:
    """The address of a listener on this machine, as another process here reaches it."""
    if lan is not None:
        return f"https://localhost:{port}"
    reached = _reached(host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _reached(host: str) -> str:
    """The address at which this machine reaches what listens on a host of its own."""
    return "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host  # noqa: S104


def _free_port(host: str) -> int:
    """A port that nobody listened on a moment ago."""
    with listen(host, 0) as asked:
        return int(asked.getsockname()[1])


def _page(host: str, port: int, lan: Lan | None) -> str:
    """The address for a browser: cameras open on `localhost` without https."""
    if lan is not None:
        return f"https://{lan.near.host}:{port}"
    local = host in ("127.0.0.1", "0.0.0.0", "localhost", "::1", "::")  # noqa: S104
    return f"http://localhost:{port}" if local else f"http://{host}:{port}"
