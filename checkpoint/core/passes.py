"""What the QR code says: issue, seal, read, trust.

The text is `CP1` and base32 (RFC 4648 upper case, no padding) of

    body 27 bytes | [anchor 16, screen passes] | Ed25519 signature 64 | [step 2, value 16, a live screen pass]

so that it holds only A-Z and 2-7 (and 1): a hand scanner types it right under any keyboard, and QR needs no byte mode.

The body, big endian: version and flags 1 | issuer key id 2 | area code 3, serial 4 | plate 6 | loop 4 | not before,
minutes since 1970 4 | valid for, minutes 2 | generation 1. A plate is packed in 6 bytes, so that it is read without a network.

Rotation needs no secret at the gate: the pass signs the anchor H^N(seed); at step k the phone shows k and H^(N-k)(seed),
and the gate hashes k times. H is SHA-256 cut to 16 bytes, one step lasts the grant's `step_s`, N steps cover the pass.
What is read is re-encoded and must be the same text: nothing can hide in a pass.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PREFIX = "CP1"
BODY_BYTES, ANCHOR_BYTES, SIGNATURE_BYTES, STEP_BYTES = 27, 16, 64, 2 + 16
_FORMAT = 1
_PAPER, _ANCHORED = 0b01, 0b10
MAX_VALID = timedelta(days=31)

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
_PLATE_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ挂学警港澳领"  # no I, no O; 40 signs, then the end
_END = len(_PLATE_LETTERS)


class NotAPass(ValueError):
    """The text is not a pass of ours at all (another QR code, half a scan, something appended)."""


class HalfAPass(NotAPass):
    """The text begins like a pass of ours and is cut short or garbled: scan again."""


class Untrusted(ValueError):
    """The text has the form of a pass, but no trusted issuer sealed it."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A signed credential for vehicle, loop and validity. `paper` is the signed bit of a printed pass.

    `number` is the six-digit area code and the serial, e.g. `330304-0000017`; `loop_digest` the first 4 bytes of the
    SHA-256 of the loop's id, hex; `anchor` the end of the hash chain (empty for paper).
    """

    number: str
    plate: str
    loop_digest: str
    not_before: datetime
    expires: datetime
    generation: int = 1
    paper: bool = False
    anchor: bytes = b""
    key_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A pass read from a text whose seal is genuine, with the live step it carried, if any."""

    pass_: Pass
    text: str
    step: int | None = None
    step_genuine: bool = False


def key_id(key: Ed25519PublicKey) -> str:
    """An issuer's key id: the first 2 bytes of the SHA-256 of its raw public key, hex."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:4]


def loop_digest(loop_id: str) -> str:
    """What a pass says of its loop: the first 4 bytes of the SHA-256 of the loop's id, hex."""
    return hashlib.sha256(loop_id.encode()).hexdigest()[:8]


def digest(text: str) -> str:
    """How the record names a text that was read: SHA-256, 32 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# -- plates -----------------------------------------------------------------------------------------------------------


def normal_plate(text: str) -> str:
    """A tractor's plate as it is written: no spaces or dots, capitals. Raises `ValueError` when it is none.

    Province, letter and 5 characters, 6 for new energy (GA 36-2018); a trailer's plate ends in 挂 and binds no pass.
    """
    plate = "".join(c for c in text.upper() if c not in " ·.•-\u3000\t")
    body = plate[2:]
    if (
        len(plate) not in (7, 8)
        or plate[0] not in PROVINCES
        or not ("A" <= plate[1] <= "Z" and plate[1] not in "IO")
        or any(c not in _PLATE_LETTERS for c in body)
        or any(c in "挂学警港澳领" for c in body[:-1])
    ):
        raise ValueError(f"not a plate: {text[:20]!r}")
    return plate


def _pack_plate(plate: str) -> bytes:
    value = PROVINCES.index(plate[0])
    signs = [_PLATE_LETTERS.index(c) for c in plate[1:]]
    for sign in signs + [_END] * (7 - len(signs)):
        value = value * (_END + 1) + sign
    return value.to_bytes(6)


def _unpack_plate(data: bytes) -> str:
    value, signs = int.from_bytes(data), []
    for _ in range(7):
        value, sign = divmod(value, _END + 1)
        signs.append(sign)
    letters = "".join(_PLATE_LETTERS[s] for s in reversed(signs) if s != _END)
    if value >= len(PROVINCES) or any(s == _END for s in signs[1:]):
        raise HalfAPass("the plate in the pass cannot be read")
    return normal_plate(PROVINCES[value] + letters)


# -- numbers ----------------------------------------------------------------------------------------------------------


def pass_number(area_code: str, serial: int) -> str:
    """A pass's number: six-digit area code, serial of seven digits or more, and a check digit to type it by.

    The check character is ISO 7064 MOD 11-2 over all digits, as in resident IDs; `X` stands for ten.
    """
    if len(area_code) != 6 or not area_code.isdecimal() or not 0 <= serial < 1 << 32:
        raise ValueError("six digits of area code and a serial of 32 bits wanted")
    return f"{area_code}-{serial:07d}"


def check_character(number: str) -> str:
    """The check character for a typed pass number (ISO 7064 MOD 11-2 over its digits)."""
    total = 0
    for c in number:
        if c.isdecimal():
            total = (total + int(c)) * 2 % 11
    return "0123456789X"[(12 - total) % 11]


def typed_number(text: str) -> str:
    """The pass number somebody typed, with its check character verified. Raises `ValueError`."""
    plain = "".join(c for c in text.upper().strip() if c not in " -")
    if len(plain) < 14 or not plain[:-1].isdecimal() or not plain.isascii():
        raise ValueError("a pass number has 6 + 7 digits and a check character")
    number = pass_number(plain[:6], int(plain[6:-1]))
    if check_character(number) != plain[-1]:
        raise ValueError("the check character does not fit: one of the digits is wrong")
    return number


# -- seal and read ------------------------------------------------------------------------------------------------------


def _body(p: Pass) -> bytes:
    area, serial = p.number.split("-")
    begins = int(p.not_before.timestamp()) // 60
    minutes = (int(p.expires.timestamp()) // 60) - begins
    if not 0 < minutes <= MAX_VALID // timedelta(minutes=1):
        raise ValueError("a pass is valid for a month at most, and ends after it begins")
    if not 1 <= p.generation <= 255:
        raise ValueError("generations count from 1 to 255")
    flags = (_PAPER if p.paper else 0) | (_ANCHORED if p.anchor else 0)
    return b"".join(
        (
            bytes([_FORMAT << 4 | flags]),
            bytes.fromhex(p.key_id),
            int(area).to_bytes(3),
            int(serial).to_bytes(4),
            _pack_plate(p.plate),
            bytes.fromhex(p.loop_digest),
            begins.to_bytes(4),
            minutes.to_bytes(2),
            bytes([p.generation]),
        )
    )


def _parse_body(data: bytes, anchor: bytes) -> Pass:
    begins = datetime.fromtimestamp(int.from_bytes(data[20:24]) * 60, UTC)
    return Pass(
        number=pass_number(f"{int.from_bytes(data[3:6]):06d}", int.from_bytes(data[6:10])),
        plate=_unpack_plate(data[10:16]),
        loop_digest=data[16:20].hex(),
        not_before=begins,
        expires=begins + timedelta(minutes=int.from_bytes(data[24:26])),
        generation=data[26],
        paper=bool(data[0] & _PAPER),
        anchor=anchor,
        key_id=data[1:3].hex(),
    )


def seal(p: Pass, key: Ed25519PrivateKey) -> str:
    """The text of a pass, sealed by an issuer's key; for a screen pass the live step is added by `with_step`."""
    p = replace(p, key_id=key_id(key.public_key()))
    signed = _body(p) + p.anchor
    return PREFIX + _b32(signed + key.sign(signed))


def with_step(text: str, step: int, value: bytes) -> str:
    """A sealed screen pass with its live step: what the phone shows now."""
    return PREFIX + _b32(_unb32(text[len(PREFIX) :]) + step.to_bytes(2) + value)


def read(text: str, keys: Mapping[str, Ed25519PublicKey]) -> Reading:
    """Read a text as a pass sealed by one of the trusted issuers' keys (by key id).

    Raises `NotAPass`, `HalfAPass` or `Untrusted`. Whether the pass counts here and now is not asked: that is a verdict.
    """
    text = text.strip().upper()
    if not text.startswith(PREFIX):
        raise NotAPass("not a pass")
    data = _unb32(text[len(PREFIX) :])
    if not data or data[0] >> 4 != _FORMAT or data[0] & 0x0F & ~(_PAPER | _ANCHORED):
        raise HalfAPass("not a pass of a format known here")
    signed_bytes = BODY_BYTES + (ANCHOR_BYTES if data[0] & _ANCHORED else 0)
    sealed_bytes = signed_bytes + SIGNATURE_BYTES
    stepped = bool(data[0] & _ANCHORED) and len(data) == sealed_bytes + STEP_BYTES
    if len(data) != sealed_bytes and not stepped:
        raise HalfAPass("cut short, or something was appended")
    if PREFIX + _b32(data) != text:
        raise HalfAPass("not written as a pass is written")
    key = keys.get(data[1:3].hex())
    if key is None:
        raise Untrusted("no trusted issuer has this key")
    try:
        key.verify(data[signed_bytes:sealed_bytes], data[:signed_bytes])
    except InvalidSignature:
        raise Untrusted("the seal does not fit the pass") from None
    try:
        found = _parse_body(data[:BODY_BYTES], data[BODY_BYTES:signed_bytes])
    except ValueError as error:
        raise HalfAPass(str(error)) from None
    if not stepped:
        return Reading(pass_=found, text=text)
    step = int.from_bytes(data[sealed_bytes : sealed_bytes + 2])
    genuine = chain(data[sealed_bytes + 2 :], step) == found.anchor
    return Reading(pass_=found, text=text, step=step, step_genuine=genuine)


def step_at(p: Pass, now: datetime, step_s: int) -> int:
    """Which step of its chain a screen pass is at, from its beginning on."""
    return int((now - p.not_before).total_seconds() // step_s)


def steps(p: Pass, step_s: int) -> int:
    """N: how many steps cover the pass's validity."""
    return -int(-(p.expires - p.not_before).total_seconds() // step_s)


def is_live(reading: Reading, now: datetime, step_s: int, tolerated: int) -> bool:
    """Whether a screen pass shows a genuine step of now, or one that is `tolerated` steps away at most."""
    return (
        reading.step is not None and reading.step_genuine and abs(reading.step - step_at(reading.pass_, now, step_s)) <= tolerated
    )


def chain(value: bytes, times: int) -> bytes:
    """H applied so many times: SHA-256, cut to 16 bytes."""
    sha256 = hashlib.sha256
    for _ in range(times):
        value = sha256(value).digest()[:ANCHOR_BYTES]
    return value


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _unb32(text: str) -> bytes:
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise HalfAPass("letters that no pass has") from None
