"""What every answer carries, whoever made it: headers that keep a browser from being turned against its owner.

The law of this file: nothing leaves without them, errors and redirects included. What an endpoint says itself goes before.
Whatever does not say how long it may be kept is kept by nobody: most of what we tell is about people.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# MapLibre draws pictures from blobs and starts its worker from our own address; nothing is ever asked of another origin.
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
        "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "media-src 'self'", "form-action 'self'",
        "frame-ancestors 'none'", "base-uri 'none'",
    )
)  # fmt: skip
# What our pages never ask for is refused to whatever might get into them. Browsers ignore names they do not know.
_NEVER = (
    "accelerometer", "autoplay", "browsing-topics", "display-capture", "encrypted-media", "gyroscope", "hid",
    "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ", ".join(("camera=(self)", "geolocation=(self)", *(f"{name}=()" for name in _NEVER))),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Two years. Neither `includeSubDomains` nor `preload`: the names below and beside ours belong to whoever runs the domain.
HSTS = "max-age=63072000"


def insists(public_url: str) -> bool:
    """Whether browsers are told to come by https for ever: when they do, and by a name that is ours alone. `localhost` and the
    names of a local network are everybody's, and other programs there may know no https."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    return (
        parts.scheme == "https"
        and "." in host.strip(".")
        and not host.endswith((".local", ".localhost"))
        and not _is_address(host)
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def headers_of(secure: bool) -> list[tuple[bytes, bytes]]:
    """The headers as they go over the wire; `secure` when people reach us by https, which they then must."""
    headers = {**HEADERS, "Strict-Transport-Security": HSTS} if secure else HEADERS
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


class Headers:
    """ASGI middleware: puts on every answer what it does not say itself."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app, self.headers = app, headers_of(secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = message.setdefault("headers", [])
                names = {name for name, _ in there}
                there += [header for header in self.headers if header[0] not in names]
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)
