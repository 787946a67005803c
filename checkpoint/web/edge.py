"""What the edge of one server is told: whom it believes, and by which names it may be called."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoint.logs import Network


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`proxies`: whose word counts for who asks."""

    proxies: tuple[Network, ...] = ()
