"""What a scan costs at the server: accepted, checked and durable over HTTP, against the least that can be done there.

The floor is a bare Starlette endpoint that takes the same body and does one raw SQLite insert at `synchronous=FULL`. Ours
asks who is calling, verifies the signed head and the chain, decodes the fact, seals and indexes it, and wakes the watch.
Both run behind uvicorn on a real socket of their own, are asked by the same client (one fact a request, eight at a time),
turn by turn, and the middle of the rounds is told.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
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


def floor_app(folder: Path) -> Starlette:
    """The bare endpoint: the body as it came, one insert, one commit."""
    db = apsw.Connection(str(folder / "floor.db"))
    for pragma in ("journal_mode=wal", "synchronous=full"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE IF NOT EXISTS scans (id INTEGER PRIMARY KEY, raw BLOB)")

    async def take(request: Request) -> Response:
        db.execute("INSERT INTO scans (raw) VALUES (?)", (await request.body(),))
        return Response(b'{"held":[]}', media_type="application/json")

    return Starlette(routes=[Route("/api/v1/facts", take, methods=["POST"])])


def serve(what: str, folder: Path, port: int) -> None:
    """One of the two servers, in a process of its own, until it is ended."""
    import uvicorn

    app = floor_app(folder) if what == "floor" else create_app(Store.open(folder / "checkpoint.db", utc_now), utc_now)
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


async def round_of(port: int, lots: list[tuple[bytes, list[bytes]]]) -> tuple[float, list[float]]:
    """All lots side by side; requests a second, and each one's wait in ms."""
    waits: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(ask(port, head, bodies, waits) for head, bodies in lots))
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


def enrolled(folder: Path) -> list[tuple[str, str, Ed25519PrivateKey]]:
    """Kiosks of a new ledger: id, bearer key, signing key."""
    store = Store.open(folder / "checkpoint.db", utc_now)
    found = []
    for n in range(KIOSKS):
        signing = Ed25519PrivateKey.generate()
        store.registry.add_kiosk("gate-1", digest(f"token-{n}"), utc_now() + timedelta(days=1))
        kiosk = store.registry.enrol_kiosk(digest(f"token-{n}"), signing.public_key().public_bytes_raw(), digest(f"key-{n}"))
        assert kiosk is not None
        found.append((kiosk.id, f"key-{n}", signing))
    store.close()
    return found


def main(rounds: int = 5, each: int = 150) -> None:
    """Print the figures; a round is `each` requests on each of eight connections, the first warms up and is not counted."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
        folder = Path(name)
        kiosks = enrolled(folder)
        lots: list[tuple[bytes, list[bytes]]] = []
        for kiosk, key, signing in kiosks:
            head = f"POST /api/v1/facts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            lots.append((head.encode(), list(batches(kiosk, signing, each * (rounds + 1)))))
        ports = {"floor": free_port(), "ours": free_port()}
        ends = {
            what: subprocess.Popen([sys.executable, __file__, "serve", what, name, str(port)], env=dict(os.environ))
            for what, port in ports.items()
        }
        speeds: dict[str, list[float]] = {"floor": [], "ours": []}
        waits: dict[str, list[float]] = {"floor": [], "ours": []}
        try:
            for port in ports.values():
                awake(port)
            for turn in range(rounds + 1):
                part = [(head, bodies[turn * each : (turn + 1) * each]) for head, bodies in lots]
                for what, port in ports.items():
                    speed, waited = asyncio.run(round_of(port, part))
                    if turn:
                        speeds[what].append(speed)
                        waits[what] += waited
        finally:
            for end in ends.values():
                end.terminate()
                end.wait(timeout=20)
    floor, ours = statistics.median(speeds["floor"]), statistics.median(speeds["ours"])
    print(f"scan accepted and durable over HTTP, one fact a request, {AT_ONCE} at a time, median of {rounds} rounds:")
    for what, speed in (("bare endpoint, one raw insert at FULL", floor), ("ours: POST /api/v1/facts", ours)):
        cuts = statistics.quantiles(waits["floor" if speed == floor else "ours"], n=100)
        print(f"  {what:<40}{speed:>8.0f} /s   p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms")
    print(f"  ratio ours / floor{ours / floor:>29.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
