"""The gateway's sockets: who may connect, who is sent away, who is here.

The law of this file: it has a thread and an event loop of its own, so that no flood of bytes stands in the row of a scan; what
waits for the database does so in threads of its own. A stranger never costs a terminal its place: when there is no room, a
connection that has not proved itself gives its up. Several processes of one database may each have a gateway: a terminal that
is let in by one is sent away by the others.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from typing import Any, TypeVar

from checkpoint.gateway.admission import Admission
from checkpoint.gateway.keeping import Keeping
from checkpoint.gateway.limits import Limits
from checkpoint.gateway.orders import Lines, Wanted
from checkpoint.gateway.session import Session
from checkpoint.gateway.tally import Tally
from checkpoint.intake import Intake
from checkpoint.store import StorageFailed, Store
from checkpoint.watch import Look

log = logging.getLogger(__name__)
T = TypeVar("T")
CHANNEL = "terminals"
STOP_S = 5.0
MOST_GUESSED = 10_000
LONGEST_WAIT_S, FORGOTTEN_S = 30.0, 600.0


class Bucket:
    """So many a second, and so many at once after a pause."""

    def __init__(self, a_second: float, at_once: float) -> None:
        self._a_second, self._at_once = a_second, at_once
        self._left, self._at = at_once, 0.0

    def spend(self, now: float) -> bool:
        """Take one, if there is one."""
        self._left, self._at = self._now_left(now), now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken for a while."""
        return self._now_left(now) >= self._at_once

    def _now_left(self, now: float) -> float:
        return min(self._left + (now - self._at) * self._a_second, self._at_once)


class Gateway:
    """Listens between `start` and `stop`. `looks`: the vehicles as the watch last saw them. `interval_s`: how often terminals are
    told to report (0: as they are set). `trusted`: of an address that stands for many, such as a tunnel's end."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        now: Callable[[], datetime],
        sockets: Sequence[socket.socket],
        *,
        looks: Callable[[], Mapping[str, Look]] = dict,
        tally: Tally | None = None,
        limits: Limits | None = None,
        interval_s: int = 0,
        trusted: Callable[[str], bool] | None = None,
    ) -> None:
        self.now, self.registry, self.tally, self.limits = now, store.registry, tally or Tally(), limits or Limits()
        self.interval_s = interval_s
        self.admission = Admission(store, intake, now)
        self._store, self._intake, self._sockets, self._lines = store, intake, sockets, Lines(looks)
        self._trusted = trusted or (lambda address: ip_address(address).is_loopback)
        self.tally.port = sockets[0].getsockname()[1] if sockets else 0
        self._name = secrets.token_hex(4)
        self._desk = ThreadPoolExecutor(2, "terminal-desk")
        self._keeper = ThreadPoolExecutor(1, "terminal-keeper")
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._strangers: Counter[str] = Counter()
        self._here: dict[str, Session] = {}
        self._gone: dict[str, datetime] = {}
        self._heard: set[str] = set()
        self._guessed: dict[str, tuple[int, float]] = {}
        self._strange = Bucket(self.limits.strange_a_second, self.limits.strange_a_second * 2)
        self._paces: dict[str, Bucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._begun = threading.Event()
        self._thread: threading.Thread | None = None
        self._deaf: Callable[[], None] = lambda: None

    # -- beginning and end --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen; returns when it does."""
        if not self._store.signals.shared:
            self.registry.terminals_forgotten()
        self._thread = threading.Thread(target=self._run, name="terminals", daemon=True)
        self._thread.start()
        self._begun.wait(STOP_S)
        self._deaf = self._store.signals.subscribe(self._signalled)

    def stop(self) -> None:
        """Take nothing more, finish what is on its way to the disk, and close every connection."""
        self._deaf()
        loop, stopping = self._loop, self._stopping
        if self._thread is not None and loop is not None and stopping is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stopping.set)
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.error("the gateway did not end in %.0f s and was left behind; what was not acknowledged comes again", STOP_S)
            self._thread = None
        self._desk.shutdown(wait=False, cancel_futures=True)
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            # We failed, loudly; terminals keep what they have.
            log.exception("the gateway ended")
        finally:
            self._begun.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self.keeping = Keeping(self._store, self._intake, self.now, self._keeper)
        keeping = asyncio.create_task(self.keeping.run())
        keepers = [asyncio.create_task(self._sweep()), asyncio.create_task(self._note())]
        servers = [
            await asyncio.start_server(self._connected, sock=each, limit=self.limits.read_bytes, backlog=1024)
            for each in self._sockets
        ]
        self._begun.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        for task in keepers:
            task.cancel()
        for session in list(self._sessions):
            session.close("")
        ending = [*self._sessions.values(), *self._tasks]
        if ending:
            await asyncio.wait(ending, timeout=STOP_S / 2)
        keeping.cancel()
        await asyncio.gather(keeping, *keepers, return_exceptions=True)
        await self._write_down()

    # -- connections --------------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        counted = "" if not address or self._trusted(address) else address
        if not self._admits(counted):
            self.tally.refused["connections"] += 1
            writer.transport.abort()
            return
        self._keep_alive(writer)
        session = Session(self, reader, writer, counted)
        task = asyncio.current_task()
        assert task is not None
        self._sessions[session] = task
        self._strangers[counted] += 1
        self.tally.connections = len(self._sessions)
        try:
            await session.run()
        except (ConnectionError, TimeoutError):
            pass
        except Exception:
            # We failed with this peer: said loudly; the others are not touched.
            log.exception("a terminal's connection failed")
        finally:
            self._left(session)
            session.over = True
            writer.close()
            with suppress(ConnectionError, TimeoutError, OSError):
                await writer.wait_closed()

    def _admits(self, address: str) -> bool:
        """Whether there is room, or can be made."""
        if address and (self._strangers[address] >= self.limits.each or not self._paced(address)):
            return False
        if len(self._sessions) < self.limits.most and self._strangers.total() < self.limits.strangers:
            return True
        # Of those who have not proved themselves the one that has had most time for it; they all get the same.
        stranger = next((each for each in self._sessions if not each.proved and not each.over), None)
        if stranger is None:
            return False
        stranger.close("connections")
        return True

    def _paced(self, address: str) -> bool:
        """Whether an address connects no more often than it may."""
        now = asyncio.get_running_loop().time()
        if len(self._paces) >= MOST_GUESSED:
            busy = {each: bucket for each, bucket in self._paces.items() if not bucket.is_full(now)}
            self._paces = busy if len(busy) < MOST_GUESSED else {}
        bucket = self._paces.get(address)
        if bucket is None:
            bucket = self._paces[address] = Bucket(*self.limits.pace)
        return bucket.spend(now)

    def _left(self, session: Session) -> None:
        self._sessions.pop(session, None)
        self.tally.connections = len(self._sessions)
        if not session.proved:
            self._less_strange(session.address)
        elif self._here.get(session.device) is session:
            del self._here[session.device]
            self._gone[session.device] = self.now()
            self.tally.authenticated = len(self._here)

    def _less_strange(self, address: str) -> None:
        self._strangers[address] -= 1
        if self._strangers[address] <= 0:
            del self._strangers[address]

    def let_in(self, session: Session, device: str) -> None:
        """A session has proved itself: it speaks for the terminal from now on, and no other does."""
        before = self._here.get(device)
        if not session.proved:
            self._less_strange(session.address)
        session.proved, session.device = True, device
        self._here[device] = session
        self._gone.pop(device, None)
        self.tally.authenticated = len(self._here)
        if before is not None and before is not session:
            before.close("taken-over")
        if self._store.signals.shared:
            self._store.signals.publish(CHANNEL, f"{self._name} here {device}")

    def may_keep_strange(self) -> bool:
        """Whether positions of one that has proved nothing are kept now: each costs a share of a commit."""
        return self._strange.spend(asyncio.get_running_loop().time())

    def heard(self, device: str) -> None:
        """A terminal that has proved itself spoke."""
        self._heard.add(device)

    def guessed(self, device: str) -> float:
        """A wrong code was shown for a terminal: for how long the answer waits."""
        if len(self._guessed) >= MOST_GUESSED:
            self._guessed.clear()
        now = asyncio.get_running_loop().time()
        times, last = self._guessed.get(device, (0, now))
        if now - last > FORGOTTEN_S:
            times = 0
        self._guessed[device] = (times + 1, now)
        return min(2.0 ** min(times, 10) - 1, LONGEST_WAIT_S)

    def _signalled(self, channel: str, payload: str) -> None:
        """From any thread: another gateway has let a terminal in, or the desk has shut one out."""
        if channel != CHANNEL or self._loop is None:
            return
        name, _, rest = payload.partition(" ")
        _, _, device = rest.partition(" ")
        if name != self._name:
            with suppress(RuntimeError):  # it is ending
                self._loop.call_soon_threadsafe(self._send_away, device)

    def _send_away(self, device: str) -> None:
        session = self._here.get(device)
        if session is not None:
            session.close("sent-away")

    # -- in a rhythm --------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.limits.sweep_s)
            for session in list(self._sessions):
                if not session.over:
                    session.look()

    async def _note(self) -> None:
        while True:
            await asyncio.sleep(self.limits.note_s)
            await self._write_down()

    async def _write_down(self) -> None:
        """Who was heard and who has gone; and whoever was shut out without our hearing of it."""
        now, heard, self._heard = self.now(), self._heard, set()
        gone, self._gone = self._gone, {}
        try:
            if heard or gone:
                await self.asked(self.registry.terminals_heard, dict.fromkeys(heard, now), gone)
            for device in await self.asked(self.registry.terminals_revoked) & self._here.keys():
                self._send_away(device)
        except (StorageFailed, RuntimeError) as error:
            self._heard |= heard
            self._gone = gone | self._gone
            log.warning("when terminals were heard is not written down: %s", error)

    # -- for sessions -------------------------------------------------------------------------------------------------

    async def asked(self, work: Callable[..., T], *values: Any) -> T:  # noqa: ANN401 - passed on as they are
        """Do what may wait for the database, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._desk, work, *values)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # We failed: said loudly; the connection goes on without it.
            log.error("a terminal's order failed", exc_info=error)

    def line_of(self, device: str) -> Wanted | None:
        """The line that a terminal's vehicle should keep to now. In a thread."""
        now = self.now()
        return self._lines.of(self._intake.vehicle_of(device, now), now)

    def _keep_alive(self, writer: asyncio.StreamWriter) -> None:
        """A peer that is gone without a word is noticed by the machine in some minutes."""
        found = writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
