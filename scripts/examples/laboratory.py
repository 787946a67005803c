"""A laboratory's program: hand results in, and read what became of each.

    TOKEN=checkpoint_... python scripts/examples/laboratory.py https://loop.example results.json

`results.json` is a list of results as POST /api/v1/lab/results takes them. A result is known by the laboratory's own numbers, so
that the file may be sent as often as one likes. Only httpx is needed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

AT_ONCE, TRIES = 500, 8


def handed_in(client: httpx.Client, results: list[Any]) -> Iterator[Any]:
    """What became of each result, in their order: held, repeated, or set aside with why."""
    for begin in range(0, len(results), AT_ONCE):
        yield from _sent(client, results[begin : begin + AT_ONCE])


def _sent(client: httpx.Client, results: list[Any]) -> list[Any]:
    for attempt in range(TRIES):
        try:
            answered = client.post("/api/v1/lab/results", json={"results": results})
        except httpx.TransportError:  # whether it arrived is not known; what is held already will be answered as repeated
            time.sleep(0.2 * 2**attempt)
            continue
        if answered.status_code in (429, 503, 507):
            time.sleep(float(answered.headers["retry-after"]))
            continue
        if answered.is_error:
            sys.exit(json.dumps(answered.json(), ensure_ascii=False))
        taken: list[Any] = answered.json()["results"]
        return taken
    sys.exit("no answer")


def listed(client: httpx.Client, state: str) -> Iterator[Any]:
    """What the server holds of this laboratory (`held`), or has set aside (`aside`)."""
    path: str | None = f"/api/v1/lab/results?state={state}&limit=100"
    while path:
        answered = client.get(path)
        answered.raise_for_status()
        page = answered.json()
        yield from page["items"]
        path = page["next"]


def main() -> None:
    """Hand in, then read."""
    server, file = sys.argv[1:]
    with open(file, encoding="utf-8") as opened:
        results = json.load(opened)
    token = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Accept-Language": "en"}
    with httpx.Client(base_url=server, headers=token, timeout=30) as client:
        for taken in handed_in(client, results):
            print(json.dumps({key: taken[key] for key in ("accession", "state", "why") if taken[key]}, ensure_ascii=False))
        for state in ("held", "aside"):
            print(json.dumps({state: [result["accession"] for result in listed(client, state)]}, ensure_ascii=False))


if __name__ == "__main__":
    main()
