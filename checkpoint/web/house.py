"""What every endpoint may reach: the parts of the running server, tied together once at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from checkpoint.config import Clock
from checkpoint.messages.targets import Targets

if TYPE_CHECKING:
    from checkpoint.chores import Chores
    from checkpoint.gateway import Tally
    from checkpoint.granting import PassOffice
    from checkpoint.intake import Intake
    from checkpoint.store import Store
    from checkpoint.ui import Texts
    from checkpoint.watch import Watch
    from checkpoint.web.feed import Feed
    from checkpoint.web.hub import Hub
    from checkpoint.web.limits import Limits
    from checkpoint.web.meters import Meters
    from checkpoint.web.throttle import Guessing, Throttle


@dataclass(frozen=True, kw_only=True)
class House:
    """The parts of one running server. `public_url` is how phones reach it, without a slash at its end; `second_factor`:
    administrators and coordinators must have one."""

    store: Store
    intake: Intake
    office: PassOffice
    watch: Watch
    now: Callable[[], datetime]
    hub: Hub
    chores: Chores
    feed: Feed
    texts: Callable[[str], Texts]
    throttle: Throttle
    limits: Limits
    meters: Meters
    guessing: Guessing
    public_url: str
    second_factor: bool = False
    front_end: Path = field(default_factory=lambda: Path("front-end"))
    metrics_token: str = ""
    # Something does https for us and we were not told what: who comes from this machine may then be anybody.
    unknown_proxy: bool = False
    targets: Targets = field(default_factory=Targets)
    # What the gateway for trucks' own terminals counts; None: this server has none.
    terminals: Tally | None = None

    def lasting(self, length: timedelta) -> timedelta:
        """So long for somebody who sits there, as this house's clock counts it: a demonstration's hurried one runs ahead."""
        return length * self.now.speed if isinstance(self.now, Clock) else length

    def wall(self) -> datetime:
        """What people's own clocks show: an app on a phone knows of no hurry."""
        return self.now.wall() if isinstance(self.now, Clock) else self.now()

    @property
    def secure(self) -> bool:
        """Whether people reach the server by https: cookies then bind to host and transport."""
        return self.public_url.startswith("https://")


def house_of(request: Request) -> House:
    """The house that a request came to."""
    house: House = request.app.state.house
    return house
