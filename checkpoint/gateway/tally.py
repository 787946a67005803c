"""What the gateway counts. Written by its own thread alone, read by any."""

from __future__ import annotations

from collections import Counter


class Tally:
    """`port` is where it listens. `messages` by kind and `refused` by why hold names of ours, never anything that was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.authenticated = 0
        self.acknowledged = 0
        self.messages: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
