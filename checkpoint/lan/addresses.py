"""Under which addresses other machines of the same network reach this one. Asked of the machine itself; nothing is sent."""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import IPv4Interface

# Linux: the IPv4 address of an interface, and its network's mask.
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B


def lan_addresses() -> list[IPv4Interface]:
    """This machine's IPv4 addresses but the loopback's, each with its network; the one that others most likely use first."""
    outward = _outward()
    found = [interface for interface in map(_of, (name for _, name in socket.if_nameindex())) if interface is not None]
    return sorted((i for i in found if not i.is_loopback), key=lambda i: str(i.ip) != outward)


def _outward() -> str:
    """The address that packets to elsewhere would carry. A datagram socket that is only connected sends none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # an address for documents: nobody's
        except OSError:
            return ""
        return str(asked.getsockname()[0])


def _of(name: str) -> IPv4Interface | None:
    """The address of an interface, or None when it has none."""
    question = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            address, mask = (fcntl.ioctl(asked, what, question)[20:24] for what in (_SIOCGIFADDR, _SIOCGIFNETMASK))
        except OSError:
            return None
    return IPv4Interface((address, bin(int.from_bytes(mask)).count("1")))


def own_name() -> str:
    """This machine's name as a certificate has it: one label, small letters."""
    name = socket.gethostname().split(".")[0].lower()
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name).strip("-")
    return plain or "checkpoint"
