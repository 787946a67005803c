"""A certificate authority for one machine, and the certificates it signs.

The law of this file: the root's key never leaves its folder (0600), and the root may sign only for this machine's names, for
local addresses, and for the network it was made in, so that a phone that trusts it is not at its mercy elsewhere. The root
lasts; what it signs is short-lived and made anew at each start. Whoever deletes the folder must install a new root on every
phone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_LASTS, LEAF_LASTS, RENEW_BEFORE = timedelta(days=3650), timedelta(days=60), timedelta(days=30)
# Phones' clocks are not ours.
_EARLY = timedelta(days=1)
LOCAL: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_LOCAL_NAMES = ("localhost", "local")


class Authority:
    """One machine's root, and what it signed last for this machine."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
        self.folder, self.root = folder, root
        self._key = key
        self.certificate, self.key = folder / "server.pem", folder / "server.key"

    @classmethod
    def open(cls, folder: Path, host: str, networks: Sequence[IPv4Network], now: datetime) -> Authority:
        """The authority in a folder; made when there is none, or when its time is nearly over, for this machine's name (`host`)
        and the networks it is in."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_file, root_file = folder / "root.key", folder / "root.pem"
        if key_file.exists() and root_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            root = x509.load_pem_x509_certificate(root_file.read_bytes())
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{key_file.name} is no key of ours")
            if root.not_valid_after_utc - LEAF_LASTS > now:
                return cls(folder, key, root)
        key = ec.generate_private_key(ec.SECP256R1())
        root = _root(key, host, networks, now)
        _write(key_file, _pem(key), 0o600)
        _write(root_file, root.public_bytes(serialization.Encoding.PEM), 0o644)
        return cls(folder, key, root)

    @property
    def root_file(self) -> Path:
        """The root as PEM, for programs."""
        return self.folder / "root.pem"

    @property
    def fingerprint(self) -> str:
        """The root's SHA-256 as phones show it: pairs of digits."""
        return self.root.fingerprint(hashes.SHA256()).hex(":").upper()

    def der(self) -> bytes:
        """The root as phones take it."""
        return self.root.public_bytes(serialization.Encoding.DER)

    def issue(self, names: Sequence[str], addresses: Sequence[IPv4Address], now: datetime) -> None:
        """Sign a certificate for this machine, in the place of the one before it. What the root may not sign for is left out."""
        key = ec.generate_private_key(ec.SECP256R1())
        allowed: list[x509.GeneralName] = [x509.DNSName(name) for name in names if self.may_sign(name)]
        allowed += [x509.IPAddress(address) for address in addresses if self.may_sign(address)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Checkpoint")]))
            .issuer_name(self.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _EARLY)
            .not_valid_after(now + LEAF_LASTS)
            .add_extension(
                x509.SubjectAlternativeName(allowed),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(self.key, _pem(key), 0o600)
        _write(self.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def due(self, now: datetime) -> bool:
        """Whether it is time to sign anew."""
        held = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return held.not_valid_after_utc - RENEW_BEFORE <= now

    def may_sign(self, whom: str | IPv4Address) -> bool:
        """Whether the root was made for this name or address."""
        constraints = self.root.extensions.get_extension_for_class(x509.NameConstraints).value
        for tree in constraints.permitted_subtrees or ():
            if isinstance(tree, x509.IPAddress):
                network = tree.value
                if isinstance(whom, IPv4Address) and isinstance(network, IPv4Network) and whom in network:
                    return True
            elif isinstance(whom, str) and (whom == tree.value or whom.endswith(f".{tree.value}")):
                return True
        return False


def _root(key: ec.EllipticCurvePrivateKey, host: str, networks: Sequence[IPv4Network], now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Checkpoint"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Checkpoint on {host}"[:64]),
        ]
    )
    names, places = dict.fromkeys((*_LOCAL_NAMES, host)), dict.fromkeys((*LOCAL, *networks))
    permitted = [*map(x509.DNSName, names), *map(x509.IPAddress, places)]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + ROOT_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(**on: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
        "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, False) for name in every})


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write whole or not at all: a server that looks meanwhile sees the old one or the new."""
    new = path.with_suffix(path.suffix + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
