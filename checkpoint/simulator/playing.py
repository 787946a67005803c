"""A fleet played before a server that is there already, from the first sign-in to the last event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.cookiejar import DefaultCookiePolicy
from random import Random

import httpx

from checkpoint.config import Now
from checkpoint.core.loop import parse
from checkpoint.demo.drawing import DOCUMENT
from checkpoint.simulator.cast import CAST, Role, crowd
from checkpoint.simulator.fleet import Fleet
from checkpoint.ui import Texts

PIN = "246802"
Say = Callable[[str], object]


def client_of(server: str) -> httpx.AsyncClient:
    """The sockets a fleet speaks through: kept open, as many as it has ends that speak at once."""
    limits = httpx.Limits(max_connections=24, max_keepalive_connections=24)
    client = httpx.AsyncClient(base_url=server, timeout=httpx.Timeout(30, connect=5), limits=limits)
    # Each phone keeps its own cookies; through shared ones they would all be one phone.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return client


async def simulated(server: str, password: str, *, seed: int, now: Now, journeys: int | None, say: Say, t: Texts) -> int:
    """Play the cast, or with `journeys` a crowd of so many trucks with one lap each; returns the exit code."""
    roles: Sequence[Role] = CAST if journeys is None else crowd(journeys, Random(seed))  # noqa: S311
    say(t("cli.simulate.seed", seed=seed, count=len(roles)))
    async with client_of(server) as client:
        fleet = Fleet(client, parse(DOCUMENT.read_bytes()), roles, seed, now)
        await fleet.prepare(password, DOCUMENT.read_bytes(), PIN)
        await fleet.play_past()
        say(told(fleet, t))
        await fleet.play_on()
        if journeys is not None:
            say(t("cli.simulate.ended", count=fleet.tally.journeys))
    return 1 if fleet.aside() else 0


def told(fleet: Fleet, t: Texts) -> str:
    """What was sent, and how fast the server took it."""
    tally = fleet.tally
    rate = round((tally.facts + tally.fixes + tally.results) / max(tally.seconds, 0.001))
    return t(
        "cli.simulate.past",
        facts=tally.facts,
        fixes=tally.fixes,
        results=tally.results,
        seconds=f"{tally.seconds:.1f}",
        rate=rate,
        aside=len(fleet.aside()),
    )
