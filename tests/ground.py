"""Common ground of the tests at the server's edge: a clock that stands still, a small loop, a store with the loop in force."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from checkpoint.core.facts import Fact, LoopPublished
from checkpoint.store import Store
from checkpoint.wish import Person, Wish

T0 = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
LOOP = "ouhai-shanghai"
# GB 11643 numbers made up for tests: their check characters fit.
ID_NUMBER, OTHER_ID_NUMBER = "11010519491231002X", "440524188001010014"


class Still:
    """A clock that moves only when a test moves it."""

    def __init__(self, at: datetime = T0) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **length: float) -> None:
        self.at += timedelta(**length)


def document(**changes: Any) -> dict[str, Any]:
    """A sound loop document: a depot, a sampling station and a rest station on the way back, a destination 20 km north."""

    def station(name: str, zh: str, en: str, place: list[float], services: list[str], **more: Any) -> dict[str, Any]:
        return {
            "id": name,
            "name": {"zh": zh, "en": en},
            "boundary": {"circle": {"center": place, "radius_m": 300}},
            "services": services,
            **more,
        }

    found = {
        "id": LOOP,
        "version": 1,
        "effective_from": "2026-01-01T00:00:00+08:00",
        "name": {"zh": "瓯海—上海", "en": "Ouhai–Shanghai"},
        "time_zone": "Asia/Shanghai",
        "origin": "panqiao",
        "destination": "depot-b",
        "stations": [
            station("panqiao", "潘桥仓", "Panqiao depot", [120.6, 28.0], ["gate", "loading"], required_on=["outbound"]),
            station("sampling-1", "采样点", "Sampling station", [120.6, 28.02], ["gate", "sampling"], required_on=["inbound"]),
            station("rest-1", "司机驿站", "Rest station", [120.6, 28.05], ["rest"], bays=["A1", "A2"], beds=["1", "2"]),
            station("depot-b", "上海仓", "Shanghai depot", [120.6, 28.2], ["gate", "unloading"]),
        ],
        "outbound": {"points": [[120.6, 28.0], [120.6, 28.1], [120.6, 28.2]]},
        "inbound": {"points": [[120.6, 28.2], [120.6, 28.1], [120.6, 28.0]]},
    }
    return found | changes


def publish(store: Store, **changes: Any) -> None:
    """Put a version of the loop in force."""
    loop = document(**changes)
    name, version = loop["id"], loop["version"]
    what = LoopPublished(loop=name, version=version, document=json.dumps(loop))
    store.record(Fact(id=f"loop-{name}-{version}", at=store.now(), witness="desk:coordinator", what=what))


def store_in(folder: Path, clock: Still, where: str = "") -> Store:
    """A new store with the loop in force: a file of the folder, or the PostgreSQL database of an address."""
    store = Store.open(where or folder / "checkpoint.db", clock, key_folder=folder)
    publish(store)
    return store


def wish(**changes: Any) -> Wish:
    """What a carrier asks for, sound unless changed."""
    found: dict[str, Any] = {
        "carrier": "瓯海冷链",
        "vehicle": "浙C12345",
        "crew": (Person(name="张三", id_number=ID_NUMBER, phone="13800138000"), Person(name="李四")),
        "loop": LOOP,
        "not_before": T0,
        "expires": T0 + timedelta(days=3),
    }
    return Wish(**(found | changes))
