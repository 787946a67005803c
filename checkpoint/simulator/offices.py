"""The offices' ends: a coordinator who grants, a carrier who asks, a laboratory that reports. Each speaks for itself only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx
import msgspec

from checkpoint.core.facts import ResultValue


class Refused(RuntimeError):
    """The server would not; the message is its own."""


class Taken(Refused):
    """What was asked for is there already."""


class Office:
    """An account that signed in."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    async def open(cls, client: httpx.AsyncClient, account: str, passphrase: str, code: str = "") -> Office:
        """Sign in. Raises `Refused`."""
        asked = {"account": account, "passphrase": passphrase, "code": code}
        answer = await client.post("/api/v1/session", json=asked)
        return cls(client, _read(answer)["token"])

    async def invite(self, account: str, name: str, role: str, office: str, passphrase: str) -> Office:
        """As an administrator, make an account (unless it is there), choose its passphrase, and sign in. Raises `Refused`."""
        try:
            wish = {"account": account, "name": name, "role": role, "office": office}
            token = (await self.post("/api/v1/accounts", wish))["invitation"]
        except Taken:
            pass
        else:
            await self.post("/api/v1/invitations", {"invitation": token, "passphrase": passphrase})
        return await Office.open(self._client, account, passphrase)

    async def post(self, path: str, body: object) -> dict[str, Any]:
        """Ask for something to be done. Raises `Refused`."""
        content = msgspec.json.encode(body)
        headers = {**self._headers, "Content-Type": "application/json"}
        return _read(await self._client.post(path, content=content, headers=headers))

    async def publish(self, document: bytes) -> None:
        """Put a loop document in force. Raises `Refused`."""
        _read(await self._client.post("/api/v1/loops", content=document, headers=self._headers))

    async def get(self, path: str) -> dict[str, Any]:
        """Ask what is. Raises `Refused`."""
        return _read(await self._client.get(path, headers=self._headers))


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        kind = Taken if answer.status_code == 409 else Refused
        raise kind(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    found: dict[str, Any] = msgspec.json.decode(answer.content) if answer.content else {}
    return found


@dataclass(frozen=True)
class Report:
    """One result on its way: due when, of which tube."""

    due: datetime
    tube: str
    sampled_at: datetime
    result: ResultValue


@dataclass
class Laboratory:
    """Receives tubes an hour or so after the swab and reports some hours later; never tells the result of a tube twice."""

    dice: Random
    reports: list[Report] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def takes(self, tube: str, sampled_at: datetime, result: ResultValue, due: datetime | None = None) -> Report | None:
        """A swab went into a tube; returns the report this leads to, unless the tube was known."""
        if tube in self._seen:
            return None
        self._seen.add(tube)
        hours = self.dice.uniform(4.2, 6.8)
        return Report(due or sampled_at + timedelta(hours=hours), tube, sampled_at, result)

    async def send(self, office: Office, reports: Sequence[Report]) -> int:
        """Report results that are due; returns how many."""
        if not reports:
            return 0
        results = [
            {
                "accession": f"LAB-{report.tube}",
                "tube": report.tube,
                "test": "pcr",
                "result": report.result,
                "sampled_at": report.sampled_at,
                "received_at": report.sampled_at + (report.due - report.sampled_at) / 3,
                "reported_at": report.due,
            }
            for report in reports
        ]
        await office.post("/api/v1/lab/results", {"results": results})
        return len(results)
