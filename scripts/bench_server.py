"""What a scan costs at the server: accepted, checked and durable over HTTP, against the least that can be done there.

The floor is a bare Starlette endpoint that takes the same body and does one raw insert, committed: into SQLite at
`synchronous=FULL`, and into a real PostgreSQL that syncs. Ours asks who is calling, verifies the signed head and the chain,
decodes the fact, seals and indexes it, and wakes the watch; on SQLite, and on PostgreSQL in one process and in two. All run
behind uvicorn on a real socket of their own, are asked by the same client (one fact a request, eight at a time), turn by turn,
and the middle of the rounds is told. Client, servers and database share the machine.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import apsw
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from checkpoint.config import utc_now
from checkpoint.core.facts import Fact, Scanned, Shown, encode, uuid7
from checkpoint.store import Store
from checkpoint.web.access import digest
from checkpoint.web.app import create_app

AT_ONCE = 8
KIOSKS = 8


# -- what is sent ---------------------------------------------------------------------------------------------------------


def batches(kiosk: str, signing: Ed25519PrivateKey, count: int) -> Iterator[bytes]:
    """A kiosk's scans, one a request, each under the signed head of its chain."""
    prev, at = "00" * 32, datetime.now(UTC)
    for seq in range(1, count + 1):
        at += timedelta(milliseconds=3)
        what = Scanned(
            digest=f"{seq:032x}",
            medium="screen",
            shown=Shown(word="GO", reasons=("in-order",), next_step="drive-on"),
            pass_id=f"330304-{seq % 500:07d}",
            vehicle=f"浙C{seq % 500:05d}",
            live=True,
            loop="ouhai-shanghai",
            loop_version=1,
        )
        entropy = hashlib.sha256(f"{kiosk}{seq}".encode()).digest()[:10]
        raw = encode(Fact(id=uuid7(at, entropy), at=at, witness=f"kiosk:{kiosk}", what=what, by="staff-1", station="gate-1"))
        own = hashlib.sha256(bytes.fromhex(prev) + seq.to_bytes(8) + raw).hexdigest()
        head = {"seq": seq, "hash": own, "signature": signing.sign(f"{kiosk}|{seq}|{own}".encode()).hex()}
        entry = b'{"seq":%d,"prev":"%s","hash":"%s","fact":%s}' % (seq, prev.encode(), own.encode(), raw)
        yield b'{"entries":[' + entry + b'],"head":' + json.dumps(head).encode() + b"}"
        prev = own


# -- the two servers ------------------------------------------------------------------------------------------------------


def floor_app(where: Path | str) -> Starlette:
    """The bare endpoint: the body as it came, one insert, one commit."""
    insert: Callable[[bytes], object]
    if isinstance(where, Path):
        db = apsw.Connection(str(where / "floor.db"))
        for pragma in ("journal_mode=wal", "synchronous=full"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("CREATE TABLE IF NOT EXISTS scans (id INTEGER PRIMARY KEY, raw BLOB)")
        insert = partial(_sqlite_insert, db)
    else:
        pg = psycopg.connect(where, autocommit=True)
        pg.execute("CREATE TABLE IF NOT EXISTS floor (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw BYTEA)")
        insert = partial(_postgres_insert, pg)

    async def take(request: Request) -> Response:
        insert(await request.body())
        return Response(b'{"held":[]}', media_type="application/json")

    return Starlette(routes=[Route("/api/v1/facts", take, methods=["POST"])])


def _sqlite_insert(db: apsw.Connection, body: bytes) -> None:
    db.execute("INSERT INTO scans (raw) VALUES (?)", (body,))


def _postgres_insert(db: psycopg.Connection[object], body: bytes) -> None:
    db.execute("INSERT INTO floor (raw) VALUES (%s)", (body,))


def serve(what: str, folder: Path, port: int, url: str) -> None:
    """One of the servers, in a process of its own, until it is ended."""
    import uvicorn

    if what == "floor":
        app = floor_app(url or folder)
    else:
        app = create_app(Store.open(url or folder / "checkpoint.db", utc_now, key_folder=folder), utc_now)
    gc.collect()
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, ws="none")


# -- the client -----------------------------------------------------------------------------------------------------------


async def ask(port: int, head: bytes, bodies: list[bytes], waits: list[float]) -> None:
    """One connection, one request after the other, by hand: so that the client costs little and the same for both."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        began = time.perf_counter()
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        said = await reader.readexactly(length)
        waits.append((time.perf_counter() - began) * 1000)
        if not answer.startswith(b"HTTP/1.1 200") or b'"set_aside":[{' in said:
            raise RuntimeError(f"not taken: {answer[:60]!r} {said[:200]!r}")
    writer.close()
    await writer.wait_closed()


async def round_of(ports: list[int], lots: list[tuple[bytes, list[bytes]]]) -> tuple[float, list[float]]:
    """All lots side by side, each at one of the ports; requests a second, and each one's wait in ms."""
    waits: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(ask(ports[i % len(ports)], head, bodies, waits) for i, (head, bodies) in enumerate(lots)))
    return len(waits) / (time.perf_counter() - began), waits


def awake(port: int) -> None:
    """Wait until a port answers."""
    import socket

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up")


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enrolled(where: Path | str, folder: Path) -> list[tuple[str, str, Ed25519PrivateKey]]:
    """Kiosks of a new ledger: id, bearer key, signing key."""
    store = Store.open(where, utc_now, key_folder=folder)
    found = []
    for n in range(KIOSKS):
        signing = Ed25519PrivateKey.generate()
        store.registry.add_kiosk("gate-1", digest(f"token-{n}"), utc_now() + timedelta(days=1))
        kiosk = store.registry.enrol_kiosk(digest(f"token-{n}"), signing.public_key().public_bytes_raw(), digest(f"key-{n}"))
        assert kiosk is not None
        found.append((kiosk.id, f"key-{n}", signing))
    store.close()
    return found


def lots_of(kiosks: list[tuple[str, str, Ed25519PrivateKey]], count: int) -> list[tuple[bytes, list[bytes]]]:
    """For each kiosk the head of its requests, and so many bodies."""
    lots = []
    for kiosk, key, signing in kiosks:
        head = (
            f"POST /api/v1/facts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        )
        lots.append((head.encode(), list(batches(kiosk, signing, count))))
    return lots


@dataclass
class Side:
    """One thing measured: its name, the floor it is held against, its servers, what is sent to it, and what came of it."""

    name: str
    floor: str
    what: str
    folder: Path
    url: str
    processes: int
    lots: list[tuple[bytes, list[bytes]]]
    ports: list[int] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def begin(self) -> list[subprocess.Popen[bytes]]:
        """Its servers, on ports of their own."""
        self.ports = [free_port() for _ in range(self.processes)]
        return [
            subprocess.Popen([sys.executable, __file__, "serve", self.what, str(self.folder), str(port), self.url])
            for port in self.ports
        ]


def main(rounds: int = 5, each: int = 150) -> None:
    """Print the figures; a round is `each` requests on each of eight connections, the first warms up and is not counted."""
    from tests.postgres import running

    logging.disable(logging.INFO)
    count = each * (rounds + 1)
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name, running() as postgres, ExitStack() as databases:
        folder = Path(name)
        sides = []
        for which, processes in (("SQLite", 1), ("PostgreSQL", 1), ("PostgreSQL", 2)):
            own = folder / f"{which}-{processes}"
            own.mkdir()
            url = databases.enter_context(postgres.database()) if which == "PostgreSQL" else ""
            lots = lots_of(enrolled(url or own / "checkpoint.db", own), count)
            if processes == 1:
                sides.append(Side(f"{which}: bare endpoint, one raw insert", which, "floor", own, url, 1, lots))
            sides.append(
                Side(f"{which}: ours, {processes} process{'es'[: 2 * processes - 2]}", which, "ours", own, url, processes, lots)
            )
        ends = [end for side in sides for end in side.begin()]
        try:
            for side in sides:
                for port in side.ports:
                    awake(port)
            for turn in range(rounds + 1):
                for side in sides:
                    part = [(head, bodies[turn * each : (turn + 1) * each]) for head, bodies in side.lots]
                    speed, waited = asyncio.run(round_of(side.ports, part))
                    if turn:
                        side.speeds.append(speed)
                        side.waits += waited
        finally:
            for end in ends:
                end.send_signal(signal.SIGTERM)
            for end in ends:
                end.wait(timeout=30)
    floors = {side.floor: statistics.median(side.speeds) for side in sides if side.what == "floor"}
    print(f"scan accepted and durable over HTTP, one fact a request, {AT_ONCE} at a time, median of {rounds} rounds:")
    for side in sides:
        cuts, speed = statistics.quantiles(side.waits, n=100), statistics.median(side.speeds)
        ratio = f"   {speed / floors[side.floor]:5.2f} of the floor" if side.what == "ours" else ""
        print(f"  {side.name:<42}{speed:>8.0f} /s   p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms{ratio}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
