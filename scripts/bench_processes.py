"""What several servers on one PostgreSQL database cost those who wait: until a board hears, and until another tells.

The floor of the first is a bare NOTIFY that a bare LISTEN hears. Ours is a call for help, posted to one server: until the board
that another shows has heard of it, and of the warning that the elected one raised. The second is held against the ten seconds
that are promised: the elected server is killed, or stopped, just after a call that it did not tell of any more.
"""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psycopg

CALLS, KILLED, STOPPED = 30, 5, 3
PROMISED_S = 10.0


def bare(url: str) -> list[float]:
    """Milliseconds from a NOTIFY to its LISTEN."""
    found = []
    with psycopg.connect(url, autocommit=True) as says, psycopg.connect(url, autocommit=True) as hears:
        hears.execute("LISTEN bench")
        for n in range(CALLS):
            began = time.perf_counter()
            says.execute("SELECT pg_notify('bench', %s)", (str(n),))
            next(hears.notifies(timeout=5, stop_after=1))
            found.append((time.perf_counter() - began) * 1000)
    return found


def told(name: str, values: list[float], floor: float = 0.0) -> None:
    """One line: the middle and the worst."""
    middle = statistics.median(values)
    ratio = f"   {middle / floor:6.1f} of the floor" if floor else ""
    print(f"  {name:<58}{middle:>9.1f} ms   worst {max(values):9.1f} ms{ratio}")


def main() -> None:
    """Measure and print."""
    from tests.nursery import nursery
    from tests.places import Place
    from tests.postgres import running
    from tests.server import PASSWORD
    from tests.test_many_processes import Servers, listen, until

    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="data") as name,
        running() as postgres,
        postgres.database() as url,
        nursery() as begun,
    ):
        floor = bare(url)
        servers = Servers(Place("postgresql", Path(name).resolve(), url), begun, 3)
        until(servers.elected, "one is elected")
        ports = list(servers.ports.values())
        asked = {"account": "coordinator", "passphrase": PASSWORD}
        token = httpx.post(f"http://127.0.0.1:{ports[0]}/api/v1/session", json=asked).json()["token"]
        heard: list[tuple[int, str, str]] = []
        for port in ports:
            threading.Thread(target=listen, args=(port, token, heard), daemon=True).start()
        until(lambda: len(heard) == len(ports), "every board is open")
        waits: dict[str, list[float]] = {"vehicle": [], "warning": []}
        for _ in range(CALLS):
            plate, at, began = servers.call_at()
            for event, found in waits.items():
                wanted = {(port, event) for port in ports if port != at}
                until(lambda w=wanted, p=plate: w <= {(port, said) for port, said, data in heard if p in data}, "heard", 0.001)
                found.append((time.perf_counter() - began) * 1000)
        after: dict[str, list[float]] = {"killed": [], "stopped": []}
        for n in range(KILLED + STOPPED):
            elected = servers.elected()
            plate = servers.call(apart_from=elected)
            began = time.perf_counter()
            if n < KILLED:
                servers.end(elected)
            else:
                servers.begun.send(elected, signal.SIGSTOP)
            until(lambda before=elected: servers.elected() not in (0, before), "another is elected", 0.01)
            servers.until_told(plate, servers.call(apart_from=elected))
            after["killed" if n < KILLED else "stopped"].append((time.perf_counter() - began) * 1000)
            if n < KILLED:
                servers.begin()
            else:
                servers.begun.send(elected, signal.SIGCONT)
                servers.until_answers(elected)
        servers.store.close()
    print(f"three servers on one PostgreSQL database, median of {CALLS} calls:")
    middle = statistics.median(floor)
    told("bare NOTIFY until it is heard", floor)
    told("call for help until the boards of the others hear of it", waits["vehicle"], middle)
    told("the same until they hear of the warning", waits["warning"], middle)
    print(f"until another was elected and told what was untold (promised: {PROMISED_S:.0f} s):")
    told(f"the elected killed, {KILLED} times", after["killed"])
    told(f"the elected stopped, {STOPPED} times", after["stopped"])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
