"""What OwnTracks sends over HTTP: one JSON object a request, or an array of them, each with its `_type`.

The law of this file: a phone that is refused keeps the message and sends nothing behind it, so nothing here refuses: whatever
came gives messages, with `trouble` saying why one gave no fix (`time`, `place`, `unreadable`, `encrypted`, `unknown`). Who
sent it is not read here: `topic`, `tid` and the `X-Limit-` headers are only claims, the caller knows who showed which key.

`location` and `transition` have a place; a transition is the phone's own word that it went into or out of a region, which is
ours or its owner's. `vel` is km/h. What else arrives (`lwt`, `status`, `card`, `cmd`, `waypoint`, `waypoints`, `steps`, `dump`,
a body of no length) is a sign of life; `waypoints` and `transition` can hold places that are the driver's own business.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from checkpoint.core.fixes import Fix
from checkpoint.decoders import phones

MAX_MESSAGES = 1000
# What these hold is no position of the truck: pictures, settings, places of the driver's own.
PRIVATE = frozenset({
    "transition", "waypoint", "waypoints", "card", "dump", "configuration", "cmd", "status", "encrypted", "steps", "beacon",
})  # fmt: skip
_LIFE = frozenset({
    "lwt", "status", "card", "cmd", "waypoint", "waypoints", "steps", "dump", "configuration", "beacon", "request",
})  # fmt: skip


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `kind` is its `_type`, empty when it had none; `at` the phone's own time.

    `event` and the region's `rid` and `desc` are set for a transition whose place could be read.
    """

    kind: str = ""
    fix: Fix | None = None
    at: datetime | None = None
    battery_percent: float | None = None
    event: Literal["enter", "leave", ""] = ""
    rid: str = ""
    desc: str = ""
    trouble: str = ""


def basic(authorization: str) -> tuple[str, str]:
    """The name and the key of HTTP Basic; two empty texts for anything else."""
    scheme, _, told = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        shown = base64.b64decode(told.strip(), validate=True).decode()
    except ValueError:  # no base64, no UTF-8
        return "", ""
    user, _, password = shown.partition(":")
    return (user.strip(), password.strip()) if shown.isprintable() else ("", "")


def decode(device: str, body: bytes) -> tuple[Message, ...]:
    """The messages in a body, from the device that is known to have sent it. Raises nothing."""
    if not body.strip():
        return (Message(),)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return (Message(trouble="unreadable"),)
    told = document if isinstance(document, list) else [document]
    read = [_message(device, each) for each in told[:MAX_MESSAGES]]
    return (*read, Message(trouble="unreadable")) if len(told) > MAX_MESSAGES else tuple(read)


def _message(device: str, said: object) -> Message:
    if not isinstance(said, dict):
        return Message(trouble="unreadable")
    kind = phones.text(said.get("_type"), 40)
    if kind == "location":
        return _placed(Message(kind=kind), device, said)
    if kind == "transition":
        return _transition(device, said)
    if kind == "encrypted":
        return Message(kind=kind, trouble="encrypted")
    return Message(kind=kind, at=phones.instant(said.get("tst")), trouble="" if kind in _LIFE else "unknown")


def _transition(device: str, said: Mapping[str, Any]) -> Message:
    event = said.get("event")
    if event not in ("enter", "leave"):
        return Message(kind="transition", trouble="unreadable")
    region = Message(kind="transition", event=event, rid=phones.text(said.get("rid")), desc=phones.text(said.get("desc")).strip())
    return _placed(region, device, said)


def _placed(message: Message, device: str, said: Mapping[str, Any]) -> Message:
    """The message with its fix, or with what keeps it from having one."""
    # The time is required: without it, nobody knows when the phone was there.
    at = phones.instant(said["tst"]) if said.get("tst") is not None else None
    place = phones.place(said.get("lat"), said.get("lon"))
    told = msgspec.structs.replace(message, at=at, battery_percent=phones.number(said.get("batt")))
    if at is None or place is None:
        return msgspec.structs.replace(told, event="", trouble="time" if at is None else "place")
    fix = Fix(
        device=device,
        fixed_at=at,
        lat=place[0],
        lon=place[1],
        accuracy_m=phones.positive(said.get("acc")),
        speed_kmh=phones.speed_kmh(said.get("vel"), 1.0),
        course_deg=phones.course_deg(said.get("cog")),
        altitude_m=phones.number(said.get("alt")),
    )
    return msgspec.structs.replace(told, fix=fix)
