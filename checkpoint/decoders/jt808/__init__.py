"""JT/T 808, what a truck's own terminal speaks over TCP: 2011, 2013 and 2019. Pure: bytes in, values out.

`Splitter` cuts a connection's bytes into frames, `parse` reads the header of one, `Assembler` puts fragments together, the
readers of bodies (`register`, `authenticate`, `answer`, `location`, `batch`) read a whole message, and the functions of
`platform` write what we say to it. Whatever is not as the standard has it raises `Malformed`, and nothing else does.
"""

from __future__ import annotations

from checkpoint.decoders.jt808.bodies import (
    ANSWER,
    AUTHENTICATE,
    HEARTBEAT,
    LOGOUT,
    REGISTER,
    TIME,
    Answer,
    Authentication,
    Registration,
    answer,
    authenticate,
    register,
)
from checkpoint.decoders.jt808.fragments import Assembler, Missing
from checkpoint.decoders.jt808.frames import Malformed, Splitter
from checkpoint.decoders.jt808.header import Edition, Message, Peer, parse, written
from checkpoint.decoders.jt808.location import ALARMS, BATCH, DEVICE, LOCATION, Batch, Location, Region, batch, location
from checkpoint.decoders.jt808.platform import ask_8003, parameters_8103, reply_8001, reply_8100, time_8004
from checkpoint.decoders.jt808.route import Route, Turn, delete_route_8607, route_8606

__all__ = [
    "ALARMS",
    "ANSWER",
    "AUTHENTICATE",
    "BATCH",
    "DEVICE",
    "HEARTBEAT",
    "LOCATION",
    "LOGOUT",
    "REGISTER",
    "TIME",
    "Answer",
    "Assembler",
    "Authentication",
    "Batch",
    "Edition",
    "Location",
    "Malformed",
    "Message",
    "Missing",
    "Peer",
    "Region",
    "Registration",
    "Route",
    "Splitter",
    "Turn",
    "answer",
    "ask_8003",
    "authenticate",
    "batch",
    "delete_route_8607",
    "location",
    "parameters_8103",
    "parse",
    "register",
    "reply_8001",
    "reply_8100",
    "route_8606",
    "time_8004",
    "written",
]
