"""A carrier's program: ask for a pass, hear by webhook that it was granted, read it, and list one's own journeys.

    TOKEN=checkpoint_... python scripts/examples/carrier.py https://loop.example wish.json https://carrier.example/hook 9000

`wish.json` is the body of POST /api/v1/pass-requests; the third is where this program is heard from outside, the fourth the port
on which it hears. A token is made under "API tokens" and may write. Only httpx is needed.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx

TRIES = 8
Json = dict[str, Any]


def call(client: httpx.Client, method: str, path: str, body: object = None) -> Json:
    """Ask until there is an answer. A write is sent again under the same key: it is done once, however often it arrives."""
    headers = {"Idempotency-Key": str(uuid.uuid4())} if method != "GET" else {}
    for attempt in range(TRIES):
        try:
            answered = client.request(method, path, json=body, headers=headers)
        except httpx.TransportError:  # whether it arrived is not known: send it again
            time.sleep(0.2 * 2**attempt)
            continue
        if answered.status_code in (409, 429, 503, 507) and "retry-after" in answered.headers:
            time.sleep(float(answered.headers["retry-after"]))
            continue
        if answered.is_error:  # a problem document: what is wrong, what to do, and where in the request
            sys.exit(json.dumps(answered.json(), ensure_ascii=False))
        found: Json = answered.json()
        return found
    sys.exit(f"no answer from {path}")


def everything(client: httpx.Client, first: str) -> Iterator[Json]:
    """A list from its first page to its last."""
    path: str | None = first
    while path:
        page = call(client, "GET", path)
        yield from page["items"]
        path = page["next"]


def genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an event was signed with the secret, less than five minutes ago (Standard Webhooks)."""
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    if not at.isdecimal() or abs(time.time() - int(at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, "sha256")).decode()
    return any(hmac.compare_digest(each, wanted) for each in headers.get("webhook-signature", "").split(" "))


def hear(port: int, secret: str) -> queue.Queue[Json]:
    """Events as they come, each once: one that is repeated has the same webhook-id."""
    heard: queue.Queue[Json] = queue.Queue()
    seen: set[str] = set()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            good = genuine(secret, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204 if good else 401)
            self.end_headers()
            name = self.headers.get("webhook-id", "")
            if good and name not in seen:
                seen.add(name)
                heard.put(json.loads(body))

        def log_message(self, *_: object) -> None: ...

    threading.Thread(target=HTTPServer(("127.0.0.1", port), Hook).serve_forever, daemon=True).start()
    return heard


def main() -> None:
    """Ask, hear, read."""
    server, file, address, port = sys.argv[1:]
    with open(file, encoding="utf-8") as opened:
        wish = json.load(opened)
    token = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Accept-Language": "en"}
    with httpx.Client(base_url=server, headers=token, timeout=30) as client:
        hook = call(client, "POST", "/api/v1/webhooks", {"url": address, "events": ["pass.granted", "pass.refused"]})
        heard = hear(int(port), hook["secret"])
        request = call(client, "POST", "/api/v1/pass-requests", wish)["request"]
        print(json.dumps({"asked": request}), flush=True)
        while True:
            event = heard.get()
            if event["data"]["request"] == request:
                break
        print(json.dumps({"heard": event["type"]}), flush=True)
        found = call(client, "GET", f"/api/v1/pass-requests/{request}")
        print(json.dumps({"state": found["state"], "pass_id": found["pass_id"]}))
        for journey in everything(client, f"/api/v1/journeys?vehicle={found['vehicle']}&limit=50"):
            print(json.dumps({"journey": journey["journey"], "state": journey["state"], "leg": journey["leg"]}))
        call(client, "DELETE", f"/api/v1/webhooks/{hook['webhook']}")


if __name__ == "__main__":
    main()
