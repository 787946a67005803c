"""The server as a process: its port, its store, its first link, its end.

The law of this file: the port is taken before anything is opened or written, so that a port in use leaves nothing half
begun; on SIGINT or SIGTERM streams are closed first, or an open board would hold the end up.
"""

from __future__ import annotations

import gc
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette

from checkpoint.backup import regular
from checkpoint.chores import Chore, Chores
from checkpoint.config import Clock, Config, supervisor
from checkpoint.gateway import Gateway, Tally
from checkpoint.gateway import Limits as GatewayLimits
from checkpoint.headers import headers_of, insists
from checkpoint.logs import is_within
from checkpoint.messages.courier import Courier
from checkpoint.messages.sending import Sender
from checkpoint.messages.targets import Targets
from checkpoint.ports import PortTaken, listen
from checkpoint.process import Process
from checkpoint.retention.sweeping import retention
from checkpoint.store import Store
from checkpoint.store.keys import KEY_FILE
from checkpoint.tls import Certificate
from checkpoint.watch import Watch
from checkpoint.web import idempotency
from checkpoint.web.app import create_app
from checkpoint.web.edge import LOCAL, Edge, name_of
from checkpoint.web.house import House
from checkpoint.web.hub import Hub
from checkpoint.web.invitations import begin
from checkpoint.web.limits import Limits
from checkpoint.wire import Wire

GRACE_S = 4
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# Pages, kiosks, the database: what is open beside terminals.
OTHER_FILES = 5_000


class Server(Process):
    """uvicorn, with two of our own moments: begun, and about to end; and a look at every connection once a second."""

    def __init__(
        self,
        app: Starlette,
        wire: Wire,
        begun: Callable[[], None],
        ending: Callable[[], None],
        certificate: Certificate | None = None,
        supervisor: str = "",
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=wire.protocol(),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
                server_header=False,
                date_header=True,
                proxy_headers=False,  # whom to believe is a setting of ours: see `checkpoint.logs`
            ),
            certificate=certificate,
            supervisor=supervisor,
        )
        self._wire, self._begun, self._ending = wire, begun, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; then leave what stands for good out of every later collection of garbage."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        self._begun()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 10 == 0:
            self._wire.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what never ends by itself, then wait for the rest."""
        self._ending()
        await super().shutdown(sockets)


def chores_of(store: Store, config: Config) -> tuple[Chore, ...]:
    """Everything the server does by itself in a rhythm of its own, in the order in which it is looked at."""
    chores: list[Chore] = [retention(store), idempotency.chore(store)]
    if config.backups is not None and isinstance(config.database, Path):
        job = regular.Job(
            database=str(config.database),
            key_file=str(config.key_folder / KEY_FILE),
            folder=str(config.backups),
            spare_bytes=config.headroom_mb << 20,
        )
        chores.append(regular.chore(job, config.backup_every, config.backup_keep))
    return tuple(chores)


def certificate_of(config: Config) -> Certificate | None:
    """The certificate that the settings name, or None where a proxy does https, or nobody."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    return Certificate(config.tls_certificate, config.tls_key)


def edge_of(config: Config) -> Edge:
    """The edge as the settings draw it."""
    public = name_of(urlsplit(config.public_url).netloc)
    return Edge(
        proxies=config.proxies,
        hosts=LOCAL | {public, config.host.lower(), *config.hosts},
        limits=Limits(config.rates),
        metrics_token=config.metrics_token,
        tls=config.tls_certificate is not None,
    )


def gateway_of(config: Config, store: Store, app: Starlette, taken: Sequence[socket.socket], tally: Tally) -> Gateway | None:
    """The gateway for trucks' own terminals, on a port that was taken; None: nobody wants one."""
    if not taken:
        return None
    house: House = app.state.house
    return Gateway(
        store,
        house.intake,
        config.now,
        taken,
        looks=house.watch.looks,
        tally=tally,
        limits=GatewayLimits(most=config.terminals_most),
        interval_s=config.terminals_every,
        trusted=lambda address: is_within(address, (*LOOPBACK, *config.proxies)),
    )


def ports_of(config: Config) -> list[socket.socket]:
    """The port for terminals, taken. Raises `PortTaken`."""
    if config.terminals_port is None:
        return []
    room_for(config.terminals_most)
    try:
        return [listen(config.terminals_host, config.terminals_port)]
    except PortTaken as taken:
        taken.setting = "CHECKPOINT_TERMINALS_PORT"
        raise


def room_for(connections: int) -> None:
    """Ask the machine for as many open files as connections can need, and what is left of them for everything else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError):  # a supervisor may forbid it: it has set what it wants us to have
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(config: Config, begun: Callable[[str], None], sockets: Sequence[socket.socket] = ()) -> int:
    """Run the server until it is told to end. `begun` is told, once it listens, the one-time link of a first start, or nothing.

    Returns 0 after a graceful end. Raises `PortTaken`, `StorageFailed`, `WrongKey`.
    """
    taken = list(sockets) or [listen(config.host, config.port)]
    for_terminals = ports_of(config)
    config.data.mkdir(parents=True, exist_ok=True)
    store = Store.open(config.database, config.now, config.headroom_mb << 20, config.key_folder)
    try:
        hub = Hub()
        watch = Watch(store, config.now, hub.publish)
        link = begin(store, config.first_password, config.public_url, config.now())
        chores = Chores(config.now, elected=store.election.elected, kept=store.registry)
        for chore in chores_of(store, config):
            chores.add(chore)
        targets = Targets(inside=config.webhooks == "any")
        wall = config.now.wall if isinstance(config.now, Clock) else config.now
        courier = Courier(store, config.now, store.election.elected, Sender(targets), SystemRandom().random, wall)
        terminals = Tally()
        app = create_app(
            store,
            config.now,
            watch=watch,
            hub=hub,
            chores=chores,
            public_url=config.public_url,
            front_end=config.front_end,
            edge=edge_of(config),
            second_factor=config.second_factor,
            targets=targets,
            terminals=terminals if for_terminals else None,
        )
        gateway = gateway_of(config, store, app, for_terminals, terminals)
        wire = Wire(config.proxies, headers_of(insists(config.public_url)))
        server = Server(
            app,
            wire,
            begun=lambda: begun(link),
            ending=hub.close,
            certificate=certificate_of(config),
            supervisor=supervisor(),
        )
        # uvicorn hands the signal on when it has ended: as an exception, so that the store is closed as well.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        watch.start()
        chores.start()
        courier.start()
        if gateway is not None:
            gateway.start()
        try:
            with suppress(KeyboardInterrupt):
                server.run(sockets=taken)
        finally:
            if gateway is not None:
                gateway.stop()
            courier.stop()
            chores.stop()
            watch.stop()
    finally:
        store.close()
    return 0 if server.started else 1
