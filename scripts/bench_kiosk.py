"""What a verdict costs at the kiosk: frame in, verdict out, against bare pyzbar decoding of the same frame.

The floor opens the same JPEG and has pyzbar look for QR codes in it, once, nothing more. Ours reads the frame as the page
sends it, checks the seal and the live step, judges the truck with everything known of it, and writes the scan down at
`synchronous=FULL`: it counts only when the verdict could be shown. The kiosk knows the demonstration's loop, thirty trucks
and the facts of two laps each. Rounds of floor and ours alternate; figures are medians. The desk alone, without reading
the frame, is told beside it, and so is a frame that only the ladder of retries can read.
"""

from __future__ import annotations

import gc
import io
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import qrcode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image, ImageOps
from pyzbar import pyzbar

import checkpoint.demo
from checkpoint.core import passes
from checkpoint.core.facts import (
    CarePackGiven,
    Entered,
    Fact,
    Happening,
    Left,
    Loaded,
    LoopPublished,
    PassGranted,
    ResultReported,
    SwabTaken,
    Unloaded,
    encode,
)
from checkpoint.core.loop import Loop, parse
from kiosk import scanner
from kiosk.desk import COOL_DOWN, Desk
from kiosk.kept import Enrolment, Told
from kiosk.link import LinkState
from kiosk.outbox import Outbox

AT = datetime(2026, 5, 3, 6, 0, tzinfo=UTC)
TRUCKS = 30
ROUNDS = 4
STATION = "ouhai-sampling"
DOCUMENT = (Path(checkpoint.demo.__file__).parent / "loop.json").read_text(encoding="utf-8")


class Truck:
    """A truck with its pass and its driver."""

    def __init__(self, number: int, loop: Loop, issuer: Ed25519PrivateKey) -> None:
        self.plate, self.driver, self.issuer = f"浙C{number:05d}", f"p-{number}", issuer
        self.pass_id = passes.pass_number("330304", number)
        self.seed = number.to_bytes(passes.ANCHOR_BYTES)
        begins, expires = AT - timedelta(days=2), AT + timedelta(days=2)
        steps = int((expires - begins).total_seconds()) // loop.policy.step_s
        self.steps, self.step_s = steps, loop.policy.step_s
        self.pass_ = passes.Pass(
            number=self.pass_id,
            plate=self.plate,
            loop_digest=passes.loop_digest(loop.id),
            not_before=begins,
            expires=expires,
            anchor=passes.chain(self.seed, steps),
        )
        self.text = passes.seal(self.pass_, issuer)

    def live(self, at: datetime) -> str:
        """What its phone shows at an instant."""
        step = passes.step_at(self.pass_, at, self.step_s)
        return passes.with_step(self.text, step, passes.chain(self.seed, self.steps - step))

    def history(self, loop: Loop) -> list[tuple[float, Happening, str]]:
        """Two laps: hours ago, what, where."""
        pair = {"vehicle": self.plate, "pass_id": self.pass_id}
        granted = PassGranted(
            generation=1, crew=(self.driver,), loop=loop.id, carrier="c-1", not_before=self.pass_.not_before,
            expires=self.pass_.expires, anchor=self.pass_.anchor.hex(), **pair,
        )  # fmt: skip
        found: list[tuple[float, Happening, str]] = [(48, granted, "")]
        for ago in (44.0, 20.0):
            tube = f"T{self.pass_id[-5:]}{int(ago)}"
            found += [
                (ago, Entered(**pair), loop.origin),
                (ago - 0.5, Loaded(**pair, parcels_count=420, seal="S1"), loop.origin),
                (ago - 1, Left(**pair), loop.origin),
                (ago - 8, Entered(**pair), loop.destination),
                (ago - 9, Unloaded(vehicle=self.plate, pass_id=self.pass_id, parcels_count=420, seal="S1"), loop.destination),
                (ago - 9.5, Left(**pair), loop.destination),
                (ago - 16, Entered(**pair), STATION),
                (ago - 16.1, SwabTaken(specimen=tube, person=self.driver, test="pcr", vehicle=self.plate, tube=tube), STATION),
                (ago - 16.2, CarePackGiven(person=self.driver, vehicle=self.plate), STATION),
                (ago - 16.3, Left(**pair), STATION),
                (ago - 19, ResultReported(test="pcr", result="negative", laboratory="lab", tube=tube), ""),
            ]
        return found


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


def a_desk(folder: Path, clock: Hand, loop: Loop, trucks: Sequence[Truck], issuer: Ed25519PrivateKey) -> tuple[Desk, Outbox]:
    """A kiosk's desk that knows these trucks."""
    outbox = Outbox(folder / "kiosk.db")
    key = Ed25519PrivateKey.generate().private_bytes_raw().hex()
    outbox.enrol(Enrolment(kiosk="bench", station=STATION, server="http://127.0.0.1:8000", bearer="b", private_key=key))
    published = LoopPublished(loop=loop.id, version=loop.version, document=DOCUMENT)
    told = [(400.0, published, ""), *(h for truck in trucks for h in truck.history(loop))]
    bodies = []
    for number, (ago, what, station) in enumerate(told, start=1):
        at = AT - timedelta(hours=ago)
        fact = Fact(id=f"f-{number}", at=at, witness="server", what=what, station=station)  # type: ignore[arg-type]
        bodies.append(Told(number, encode(fact)))
    public = issuer.public_key()
    issuers = {passes.key_id(public): public.public_bytes_raw().hex()}
    outbox.take(bodies, len(bodies), people={}, staff=[], issuers=issuers, complete_at=AT + timedelta(hours=1))
    state = LinkState(state="up", reached_at=AT, offset_s=0.0)
    return Desk(outbox, clock, os.urandom, lambda: state), outbox


def a_frame(text: str, *, dark: bool = False) -> bytes:
    """What the page's canvas sends: the guide's square with a phone in it, 720 pixels wide."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=7, border=4)
    code.add_data(text)
    symbol = code.make_image().get_image().convert("L")
    frame = Image.new("L", (720, 720), 96)
    frame.paste(symbol, ((720 - symbol.width) // 2, (720 - symbol.height) // 2))
    data = io.BytesIO()
    (ImageOps.invert(frame) if dark else frame).convert("RGB").save(data, "JPEG", quality=85)
    return data.getvalue()


def bare(frame: bytes) -> bool:
    """The floor."""
    return bool(pyzbar.decode(Image.open(io.BytesIO(frame)), symbols=[pyzbar.ZBarSymbol.QRCODE]))


def whole(desk: Desk, frame: bytes) -> None:
    """Frame in, verdict out."""
    desk.scan(scanner.read_frame(frame, desk.good).good or "")


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Measure and print."""
    loop, issuer, clock = parse(DOCUMENT), Ed25519PrivateKey.generate(), Hand()
    trucks = [Truck(n, loop, issuer) for n in range(1, TRUCKS + 1)]
    times: dict[str, list[float]] = defaultdict(list)
    scanner.check_reader()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name:
        desk, outbox = a_desk(Path(name), clock, loop, trucks, issuer)
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for truck in trucks:
                clock.at += COOL_DOWN
                text = truck.live(clock())
                frame, dark = a_frame(text), a_frame(text, dark=True)
                if not bare(frame) or bare(dark):
                    raise RuntimeError("the frames are not what they should be")
                times["floor"].append(timed(partial(bare, frame)))
                times["ours"].append(timed(partial(whole, desk, frame)))
                screen = desk.screen()
                if screen.verdict is None or screen.verdict.word != "GO" or screen.subject is None:
                    raise RuntimeError("a truck in order did not get its GO")
                times["ladder"].append(timed(partial(scanner.read_frame, dark, desk.good)))
                clock.at += COOL_DOWN
                later = truck.live(clock())
                times["desk"].append(timed(partial(desk.scan, later)))
                times["screen"].append(timed(desk.screen))
        written = outbox.depth().waiting
        outbox.close()
    if written != 2 * ROUNDS * TRUCKS:
        raise RuntimeError(f"{written} scans were written down")
    unit = statistics.median(times["floor"])
    rows = (
        ("bare pyzbar on the same frame (the floor)", "floor"),
        ("frame in, verdict out, written down", "ours"),
        ("desk alone: text in, verdict out, written down", "desk"),
        ("what the page shows, gathered", "screen"),
        ("a dark frame that bare pyzbar cannot read", "ladder"),
    )
    for label, key in rows:
        median = statistics.median(times[key])
        print(f"{label:48} {median:7.1f} ms   {median / unit:5.2f} of the floor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
