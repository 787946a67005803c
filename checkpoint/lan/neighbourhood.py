"""This machine as its neighbours see it: names, addresses, ports, and the settings that server and kiosk need for it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from checkpoint.config import Config, Now, utc_now
from checkpoint.lan.addresses import lan_addresses, own_name
from checkpoint.lan.authority import Authority

EVERYWHERE = "0.0.0.0"  # noqa: S104 - whoever says --lan means it
FOLDER = "lan"


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """Where this machine is reached. Without an address in a network there is `localhost` alone."""

    name: str
    addresses: tuple[IPv4Interface, ...]
    port: int
    kiosk_port: int
    lan_port: int
    now: Now

    @classmethod
    def of(cls, config: Config) -> Neighbourhood:
        """As it is now."""
        return cls(
            name=own_name(),
            addresses=tuple(lan_addresses()),
            port=config.port,
            kiosk_port=config.kiosk_port,
            lan_port=config.lan_port,
            now=utc_now,  # phones know nothing of a hurried clock
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names a browser may call this machine by."""
        return tuple(dict.fromkeys(("localhost", self.name, f"{self.name}.local")))

    @property
    def host(self) -> str:
        """The address to tell others."""
        return str(self.addresses[0].ip) if self.addresses else "localhost"

    @property
    def server(self) -> str:
        """The server's address."""
        return f"https://{self.host}:{self.port}"

    @property
    def kiosk(self) -> str:
        """The kiosk's address."""
        return f"https://{self.host}:{self.kiosk_port}"

    @property
    def install(self) -> str:
        """The address of the page that hands the root out."""
        return f"http://{self.host}:{self.lan_port}/install"

    def authority(self, data: Path) -> Authority:
        """The authority that lies in a data folder; one that may sign for this machine where it is now, when there is none."""
        networks = [interface.network for interface in self.addresses]
        return Authority.open(data / FOLDER, self.name, networks, self.now())

    def sign(self, authority: Authority) -> None:
        """Let the authority sign for this machine."""
        authority.issue(self.names, [*(interface.ip for interface in self.addresses), _LOOPBACK], self.now())

    def strange(self, authority: Authority) -> list[str]:
        """The addresses that the root was not made for: the machine has moved to another network since."""
        return [str(i.ip) for i in self.addresses if not authority.may_sign(i.ip)]

    def settings(self, authority: Authority) -> dict[str, str]:
        """What server and kiosk are told, and by which root programs on this machine know them."""
        hosts = (*self.names, *(str(interface.ip) for interface in self.addresses))
        return {
            "CHECKPOINT_HOST": EVERYWHERE,
            "CHECKPOINT_KIOSK_HOST": EVERYWHERE,
            "CHECKPOINT_PUBLIC_URL": self.server,
            "CHECKPOINT_SERVER_URL": f"https://localhost:{self.port}",
            "CHECKPOINT_HOSTS": ",".join(hosts),
            "CHECKPOINT_TLS_CERTIFICATE": str(authority.certificate),
            "CHECKPOINT_TLS_KEY": str(authority.key),
            "SSL_CERT_FILE": str(authority.root_file),
        }


_LOOPBACK = IPv4Interface("127.0.0.1").ip
