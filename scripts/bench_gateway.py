"""What a fleet's own terminals cost a server, and whether kiosks notice: 1,000 JT/T 808 terminals on one process, each a fix
every 10 s for a minute, while kiosks hand in scans.

The server is `checkpoint serve` on SQLite, in earnest; the terminals are another process over real sockets, the kiosks a third.
Every truck has a pass and is on its way along the demonstration's line, so that the watch judges each as its fixes come. A
terminal keeps a fix until it is acknowledged, and sends it again when it is not. Afterwards the fixes in the store are counted
against those that were sent: none may be lost, none doubled. Scans come at a fixed rate, forty times what such a fleet makes, and
are measured before the terminals come and while they report. All of it shares the machine; its load is told.

`bench_gateway.py [TERMINALS [SECONDS]]`
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx

from checkpoint.config import utc_now
from checkpoint.core import geo
from checkpoint.core.facts import DeviceBound, Fact, Left, Loaded, LoopPublished, PassGranted, What
from checkpoint.core.loop import Loop, parse
from checkpoint.demo.drawing import DOCUMENT
from checkpoint.gateway.admission import hashed
from checkpoint.simulator.devices import Seen
from checkpoint.simulator.terminal import Line, authentication, location, peer_of
from checkpoint.store import Store

EVERY_S = 10.0
SCANS_A_SECOND = 20.0
KMH = 70.0
COME_S = 10.0
SETTLE_S = 15.0


def number(i: int) -> str:
    """A terminal's number."""
    return str(13_900_000_000 + i)


def plate(i: int) -> str:
    """Its truck's."""
    return f"浙C{i:05}"


# -- the ground -----------------------------------------------------------------------------------------------------------


def fill(folder: Path, count: int) -> None:
    """The loop, and for each truck a pass, a journey under way, and a terminal that has its code."""
    now = utc_now()
    loop = parse(DOCUMENT.read_bytes())
    store = Store.open(folder / "checkpoint.db", utc_now, key_folder=folder)
    published = LoopPublished(loop=loop.id, version=loop.version, document=DOCUMENT.read_text())
    facts = [_fact("loop", now - timedelta(days=2), published)]
    for i in range(count):
        pass_id, vehicle, device = f"330304-{i:07}", plate(i), f"terminal-{number(i)}"
        granted = PassGranted(
            pass_id=pass_id, generation=1, vehicle=vehicle, crew=(f"p-{i}",), loop=loop.id, carrier="c",
            not_before=now - timedelta(hours=12), expires=now + timedelta(days=5),
        )  # fmt: skip
        at = now - timedelta(hours=_driven_h(loop, i)) - timedelta(minutes=20)
        facts += [
            _fact(f"{i}-1", now - timedelta(hours=12), granted),
            _fact(f"{i}-2", now - timedelta(hours=12), DeviceBound(device=device, vehicle=vehicle)),
            _fact(f"{i}-3", at, Loaded(vehicle=vehicle, pass_id=pass_id, parcels_count=640, seal="1"), loop.origin),
            _fact(f"{i}-4", at + timedelta(minutes=20), Left(vehicle=vehicle, pass_id=pass_id), loop.origin),
        ]
    for fact in facts:
        assert store.record(fact).held
    registry = store.registry
    for i in range(count):
        device = f"terminal-{number(i)}"
        registry.enrol_terminal(device, plate(i), now + timedelta(days=1))
        said = {"edition": "2013", "maker": "71108", "model": "BENCH", "terminal_id": f"B{i:06}", "plate_said": plate(i)}
        registry.terminal_registered(device, hashed(f"code-{i}"), **said)
    store.close()


def _fact(name: str, at: datetime, what: What, station: str = "") -> Fact:
    return Fact(id=name, at=at, witness="bench", what=what, station=station)


def _driven_h(loop: Loop, i: int) -> float:
    """For how long a truck has been driving: spread over the line, with a lap's end kept free."""
    return (i * 0.618 % 1.0) * 0.9 * loop.paths["outbound"].length_m / 1000 / KMH


# -- the terminals' process ------------------------------------------------------------------------------------------------


async def fleet(port: int, count: int, seconds: float) -> dict[str, object]:
    """All terminals; what each sent, and how long each acknowledgement took (ms)."""
    loop = parse(DOCUMENT.read_bytes())
    waits: list[float] = []
    sent: dict[str, list[int]] = {}
    again = 0
    begun = time.monotonic()

    async def one(i: int) -> None:
        nonlocal again
        dice, path = Random(i), loop.paths["outbound"]  # noqa: S311 - noise, no secret
        start_m = _driven_h(loop, i) * KMH * 1000
        await asyncio.sleep(dice.uniform(0, COME_S))
        line: Line | None = None
        told = sent[plate(i)] = []
        while time.monotonic() - begun < COME_S + seconds:
            at = datetime.now(UTC).replace(microsecond=0)
            along = start_m + (time.monotonic() - begun) * KMH / 3.6
            place, (east, north) = path.at(along), geo.scale_m(28.0)
            lat, lon = place[1] + dice.gauss(0, 4) / north, place[0] + dice.gauss(0, 4) / east
            body = location(Seen(at, lat, lon, 6.0, KMH, path.bearing_at(along)))
            told.append(int(at.timestamp()))
            began = time.monotonic()
            while True:
                try:
                    if line is None or line.over:
                        line = await Line.open("127.0.0.1", port, peer_of(number(i)))
                        if (await line.ask(0x0102, authentication("2013", f"code-{i}"))).body[4]:
                            raise ConnectionError("not let in")
                        began = time.monotonic()
                    if (await line.ask(0x0200, body)).body[4] == 0:
                        break
                except (OSError, TimeoutError):
                    pass
                again += 1
                await asyncio.sleep(1)
            waits.append((time.monotonic() - began) * 1000)
            await asyncio.sleep(max(EVERY_S - (time.monotonic() - began), 0))
        if line is not None:
            await line.close()

    await asyncio.gather(*(one(i) for i in range(count)))
    return {"waits": waits, "sent": sent, "again": again}


# -- the kiosks' process ---------------------------------------------------------------------------------------------------


async def scans(port: int, lots: list[tuple[bytes, list[bytes]]], rate: float) -> list[float]:
    """Each kiosk's scans in turn, at a fixed rate together: how long each took from when it was due (ms)."""
    waits: list[float] = []
    every = len(lots) / rate

    async def kiosk(n: int, head: bytes, bodies: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = time.monotonic() + n / rate
        for body in bodies:
            await asyncio.sleep(max(due - time.monotonic(), 0))
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            said = await reader.readexactly(length)
            waits.append((time.monotonic() - due) * 1000)
            if not answer.startswith(b"HTTP/1.1 200") or b'"set_aside":[{' in said:
                raise RuntimeError(f"not taken: {answer[:60]!r} {said[:200]!r}")
            due += every
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(kiosk(n, head, bodies) for n, (head, bodies) in enumerate(lots)))
    return waits


# -- the measurement -------------------------------------------------------------------------------------------------------


def figure(pid: int, name: str) -> float:
    """Megabytes of a process: `VmRSS` now, `VmHWM` at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name + ":")) / 1024


def cpu_s(pid: int) -> float:
    """Seconds of processor time a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def doubled_or_lost(folder: Path, sent: dict[str, list[int]]) -> tuple[int, int, int]:
    """Fixes held, lost and doubled, counted from the store."""
    store = Store.open(folder / "checkpoint.db", utc_now, key_folder=folder)
    held = lost = doubled = 0
    for vehicle, told in sent.items():
        found = [int(fix.fixed_at.timestamp()) for fix in store.positions(vehicle)]
        held += len(found)
        lost += len(set(told) - set(found))
        doubled += len(found) - len(set(found))
    store.close()
    return held, lost, doubled


def measured(metrics: str, name: str) -> float:
    """One figure of `/metrics`."""
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith(f"{name} "))


def told(what: str, waits: list[float]) -> None:
    """One line."""
    cuts = statistics.quantiles(waits, n=100)
    print(f"  {what:<52}p50 {cuts[49]:7.1f} ms   p99 {cuts[98]:7.1f} ms   worst {max(waits):7.1f} ms   ({len(waits)})")


def apart(role: str, *values: object) -> subprocess.Popen[bytes]:
    """A part of this measurement in a process of its own; what it prints is JSON."""
    command = [sys.executable, __file__, role, *map(str, values)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def main(count: int = 1000, seconds: float = 60.0) -> None:
    """Print the figures."""
    from scripts.bench_server import awake, enrolled, free_port, lots_of

    Path("data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
        folder = Path(name).resolve()
        fill(folder, count)
        kiosks = enrolled(folder / "checkpoint.db", folder)
        quiet_s, busy_s = 15.0, COME_S + seconds
        lots = lots_of(kiosks, int((quiet_s + busy_s) * SCANS_A_SECOND / len(kiosks)))
        quiet_n = int(quiet_s * SCANS_A_SECOND / len(kiosks))
        (folder / "lots.json").write_text(json.dumps([[head.decode(), [b.decode() for b in bodies]] for head, bodies in lots]))
        http, port = free_port(), free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CHECKPOINT_")} | {
            "CHECKPOINT_DATA": str(folder), "CHECKPOINT_PORT": str(http), "CHECKPOINT_TERMINALS_PORT": str(port),
            "CHECKPOINT_RATES": "0",
        }  # fmt: skip
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "checkpoint.cli", "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            awake(http)
            time.sleep(SETTLE_S)  # the watch meets every truck
            before_mb = figure(server.pid, "VmRSS")
            alone = json.loads(apart("scans", http, folder, 0, quiet_n).communicate()[0])
            load, spent, began = os.getloadavg()[0], cpu_s(server.pid), time.monotonic()
            fleet_process = apart("fleet", port, count, seconds)
            during = json.loads(apart("scans", http, folder, quiet_n, 10**9).communicate()[0])
            found = json.loads(fleet_process.communicate()[0])
            share = (cpu_s(server.pid) - spent) / (time.monotonic() - began)
            metrics = httpx.get(f"http://127.0.0.1:{http}/metrics", timeout=10).text
            memory = figure(server.pid, "VmRSS"), figure(server.pid, "VmHWM")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        held, lost, doubled = doubled_or_lost(folder, found["sent"])
        said = [line for line in (folder / "server.log").read_text().splitlines() if "ERROR" in line]
    fixes = sum(len(each) for each in found["sent"].values())
    print(f"{count} terminals on one process, a fix every {EVERY_S:.0f} s, {seconds:.0f} s; machine's load {load:.1f} before:")
    told(f"scans at {SCANS_A_SECOND:.0f} a second, no terminal there", alone)
    told("scans while the terminals report", during)
    told("a position until it is acknowledged", found["waits"])
    print(f"  fixes sent {fixes}, sent again {found['again']}, held {held}, lost {lost}, doubled {doubled}")
    print(f"  server: {share:.2f} of a core, {memory[0]:.0f} MB ({before_mb:.0f} before, {memory[1]:.0f} at most)")
    names = ("checkpoint_vehicles_watched", "checkpoint_watch_rounds_total", "checkpoint_watch_seconds_total")
    watched, rounds, took_s = (measured(metrics, name) for name in names)
    print(f"  watch: {watched:.0f} trucks under way, {rounds:.0f} rounds, {took_s:.1f} s")
    for line in said[:5]:
        print(f"  log: {line[:160]}")
    if lost or doubled:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if sys.argv[1:2] == ["fleet"]:
        print(json.dumps(asyncio.run(fleet(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))))
    elif sys.argv[1:2] == ["scans"]:
        kept = json.loads((Path(sys.argv[3]) / "lots.json").read_text())
        first, last = int(sys.argv[4]), int(sys.argv[5])
        parts = [(head.encode(), [b.encode() for b in bodies[first:last]]) for head, bodies in kept]
        print(json.dumps(asyncio.run(scans(int(sys.argv[2]), parts, SCANS_A_SECOND))))
    else:
        main(*(int(sys.argv[1]),) if len(sys.argv) > 1 else (), **({"seconds": float(sys.argv[2])} if len(sys.argv) > 2 else {}))
