"""Live pages: what the watch publishes from its own thread reaches every open stream.

A stream that cannot keep up loses its backlog and is told `reload`: pages fetch what is true now, and never depend on having
heard every event. Sending is async, so that many idle screens cost no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any

import msgspec

HEARTBEAT_S = 15.0
BACKLOG = 100
Event = tuple[str, dict[str, Any]]


class Hub:
    """Fans events out to the streams that are open."""

    def __init__(self) -> None:
        self._streams: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Queue[Event | None]]] = {}
        self._lock = Lock()
        self._closed = False

    def publish(self, event: str, data: dict[str, Any]) -> None:
        """Tell every open stream. From any thread; never waits."""
        self._send((event, data))

    def close(self) -> None:
        """End every stream, now and later."""
        self._closed = True
        self._send(None)

    def _send(self, item: Event | None) -> None:
        with self._lock:
            streams = list(self._streams.values())
        for loop, queue in streams:
            try:
                loop.call_soon_threadsafe(_put, queue, item)
            except RuntimeError:  # that loop is closed, and its stream with it
                continue

    async def stream(self) -> AsyncIterator[Event | None]:
        """Events as they come; None is a heartbeat, sent when nothing else was for a while."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG)
        key = id(queue)
        with self._lock:
            self._streams[key] = (asyncio.get_running_loop(), queue)
        try:
            while not self._closed:
                try:
                    item = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield None
                    continue
                if item is None:
                    return
                yield item
        finally:
            with self._lock:
                self._streams.pop(key, None)


def _put(queue: asyncio.Queue[Event | None], item: Event | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(("reload", {}))
    if item is None or not queue.full():
        queue.put_nowait(item)


def sse(event: Event | None) -> bytes:
    """One event as the bytes of a server-sent event stream."""
    if event is None:
        return b": still here\n\n"
    name, data = event
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
