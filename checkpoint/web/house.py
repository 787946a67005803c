"""What every endpoint may reach: the parts of the running server, tied together once at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from checkpoint.chores import Chores
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

    @property
    def secure(self) -> bool:
        """Whether people reach the server by https: cookies then bind to host and transport."""
        return self.public_url.startswith("https://")


def house_of(request: Request) -> House:
    """The house that a request came to."""
    house: House = request.app.state.house
    return house
