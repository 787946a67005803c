"""Passkeys (WebAuthn): a key pair that the person's device keeps, and uses only for this server's own name.

The law of this file: the question a device signs is ours, of one purpose and used once; the person is verified by their device
(PIN, finger, face), so that a passkey is two proofs in one. A count that does not rise betrays a copy. Devices are not asked
who made them.

A passkey belongs to a name, not to an address: it needs https and a host name, or `localhost`.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    CredentialCreationOptions,
    CredentialRequestOptions,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

if TYPE_CHECKING:
    from checkpoint.store.registry import Factor, Registry

# It would write down every credential.
logging.getLogger("fido2").setLevel(logging.WARNING)


# What reading a stranger's bytes may end in.
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError, struct.error)


class NotTaken(ValueError):
    """The device's answer does not prove what it should."""


def possible(public_url: str) -> bool:
    """Whether browsers make passkeys for a server of that address."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost" or parts.scheme == "https"
    return False


def _server(public_url: str) -> Fido2Server:
    parts = urlsplit(public_url)
    rp = PublicKeyCredentialRpEntity(name="Checkpoint", id=parts.hostname or "")
    return Fido2Server(rp, verify_origin=lambda given: given == origin_of(public_url))


def origin_of(public_url: str) -> str:
    """How a browser calls the place of an address: in small letters, and without the port that goes without saying."""
    parts = urlsplit(public_url)
    port = "" if parts.port in (None, {"https": 443, "http": 80}.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def _plain(options: CredentialCreationOptions | CredentialRequestOptions) -> dict[str, Any]:
    """Options as JSON has them, bytes in base64url."""
    found: dict[str, Any] = json.loads(json.dumps(dict(options["publicKey"])))
    return found


def ask_new(public_url: str, account: str, name: str, display: str, held: Sequence[Factor]) -> tuple[dict[str, Any], str]:
    """The question with which a device makes a passkey, and what must be kept until it answers."""
    user = PublicKeyCredentialUserEntity(id=account.encode(), name=name, display_name=display)
    options, state = _server(public_url).register_begin(
        user,
        [_credential(each) for each in held],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(options), json.dumps(state)


def made(public_url: str, state: str, answer: dict[str, Any]) -> tuple[str, str, int]:
    """The passkey that a device made: its credential's id, what to keep of it, its count. Raises `NotTaken`."""
    try:
        data = _server(public_url).register_complete(json.loads(state), answer)
        assert data.credential_data is not None
        return websafe_encode(data.credential_data.credential_id), websafe_encode(bytes(data.credential_data)), data.counter
    except _UNREADABLE as error:
        raise NotTaken(str(error)) from None


def ask_proof(public_url: str, held: Sequence[Factor] | None) -> tuple[dict[str, Any], str]:
    """The question that a passkey signs: one of these, or whichever the device keeps for us."""
    credentials = None if held is None else [_credential(each) for each in held]
    options, state = _server(public_url).authenticate_begin(credentials, UserVerificationRequirement.REQUIRED)
    return _plain(options), json.dumps(state)


def proved(registry: Registry, public_url: str, state: str, answer: dict[str, Any]) -> Factor:
    """The passkey that signed our question, its use noted. Raises `NotTaken`."""
    try:
        factor = registry.passkey(str(answer["id"]))
        if factor is None:
            raise NotTaken("unknown")
        _server(public_url).authenticate_complete(json.loads(state), [_credential(factor)], answer)
        response = AuthenticationResponse.from_dict(answer)
        said, handle = response.response.authenticator_data.counter, response.response.user_handle
    except NotTaken:
        raise
    except _UNREADABLE as error:
        raise NotTaken(str(error)) from None
    if handle and handle != factor.account.encode():
        raise NotTaken("it names another account")
    if said == factor.uses == 0:  # many devices do not count
        registry.touch_factor(factor.id)
    elif not registry.use_factor(factor.id, said):
        raise NotTaken("its count does not rise: there is a copy of it")
    return factor


def _credential(factor: Factor) -> AttestedCredentialData:
    return AttestedCredentialData(websafe_decode(factor.secret))
