"""Phones on the same network: a root that vouches for nothing else, a page that hands it out, a real browser that trusts it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from playwright.sync_api import Error, sync_playwright
from starlette.applications import Starlette
from starlette.testclient import TestClient

from checkpoint.config import load
from checkpoint.headers import headers_of, insists
from checkpoint.lan.addresses import lan_addresses, own_name
from checkpoint.lan.authority import LEAF_LASTS, RENEW_BEFORE, Authority
from checkpoint.lan.neighbourhood import Neighbourhood
from checkpoint.lan.page import SYSTEMS, create_app
from checkpoint.ports import listen
from checkpoint.serving import Server
from checkpoint.tls import Certificate
from checkpoint.ui import LANGUAGES, texts
from checkpoint.wire import Wire
from tests.served import AXE, CHROMIUM, CHROMIUM_ARGS
from tests.server import PASSWORD, clean_environment, free_port

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOME = IPv4Network("192.168.7.0/24")
PHONE_SEES = IPv4Address("192.168.7.20")


# -- the authority ------------------------------------------------------------------------------------------------------


def opened(folder: Path, now: datetime = NOW) -> Authority:
    authority = Authority.open(folder, "yard", [HOME], now)
    authority.issue(["localhost", "yard", "yard.local"], [PHONE_SEES], now)
    return authority


def leaf(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate.read_bytes())


def accepts(authority: Authority, certificate: x509.Certificate, whom: x509.GeneralName, now: datetime = NOW) -> bool:
    """Whether somebody who trusts the root, and only it, takes a certificate for a name."""
    assert isinstance(whom, x509.DNSName | x509.IPAddress)
    verifier = PolicyBuilder().store(Store([authority.root])).time(now).build_server_verifier(whom)
    try:
        verifier.verify(certificate, [])
    except VerificationError:
        return False
    return True


def test_who_trusts_the_root_trusts_this_machine_by_its_names_and_addresses(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    for whom in (x509.DNSName("localhost"), x509.DNSName("yard"), x509.DNSName("yard.local"), x509.IPAddress(PHONE_SEES)):
        assert accepts(authority, leaf(authority), whom), whom
    assert not accepts(authority, leaf(authority), x509.DNSName("other.local"))
    assert not accepts(authority, leaf(authority), x509.IPAddress(IPv4Address("192.168.7.21")))


def test_and_nothing_else_that_its_key_might_ever_sign(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    for name in ("evil.example", "yard.example", "notyard"):
        assert not authority.may_sign(name)
        stolen = ec.generate_private_key(ec.SECP256R1())
        forged = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.root.subject)
            .public_key(stolen.public_key())
            .serial_number(1)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.root.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
            .sign(authority._key, hashes.SHA256())
        )
        assert not accepts(authority, forged, x509.DNSName(name)), name
    assert not authority.may_sign(IPv4Address("8.8.8.8"))
    assert authority.may_sign(IPv4Address("10.1.2.3"))


def test_the_keys_are_their_owners_alone_and_the_root_outlives_starts(tmp_path: Path) -> None:
    first = opened(tmp_path / "lan")
    assert (tmp_path / "lan").stat().st_mode & 0o777 == 0o700
    for name in ("root.key", "server.key"):
        assert (tmp_path / "lan" / name).stat().st_mode & 0o777 == 0o600
    before = leaf(first).serial_number
    again = opened(tmp_path / "lan", NOW + timedelta(days=200))
    assert again.fingerprint == first.fingerprint, "phones keep what they installed"
    assert leaf(again).serial_number != before
    much_later = opened(tmp_path / "lan", NOW + timedelta(days=3600))
    assert much_later.fingerprint != first.fingerprint


def test_what_it_signed_is_signed_anew_in_time(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    assert not authority.due(NOW + LEAF_LASTS - RENEW_BEFORE - timedelta(seconds=1))
    assert authority.due(NOW + LEAF_LASTS - RENEW_BEFORE)
    assert leaf(authority).not_valid_after_utc - NOW == LEAF_LASTS


def test_a_machine_that_moved_to_a_strange_network_is_told(tmp_path: Path) -> None:
    near = Neighbourhood(
        name="yard",
        addresses=(IPv4Interface("203.0.113.7/24"), IPv4Interface("192.168.7.20/24")),
        port=1, kiosk_port=2, lan_port=3, now=lambda: NOW,
    )  # fmt: skip
    assert near.strange(opened(tmp_path)) == ["203.0.113.7"]
    fresh = near.authority(tmp_path / "fresh")
    near.sign(fresh)
    assert near.strange(fresh) == [], "a root made here may sign for here"


def test_only_by_a_name_that_is_ours_alone_browsers_are_told_to_come_by_https_for_ever() -> None:
    assert insists("https://loop.example")
    for local in ("http://loop.example", "https://localhost:8000", "https://192.168.7.20:8000", "https://yard", "https://yard.local",
                  "https://[fd00::1]:8000"):  # fmt: skip
        assert not insists(local)


def test_a_renewed_certificate_is_taken_up_by_a_server_that_runs(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, "yard", [HOME], datetime.now(UTC))
    names = ["localhost"], [IPv4Address("127.0.0.1")], datetime.now(UTC)
    authority.issue(*names)
    begun = threading.Event()
    taken = listen("127.0.0.1", 0)
    certificate = Certificate(authority.certificate, authority.key)
    server = Server(Starlette(), Wire(headers=headers_of(False)), begun=begun.set, ending=lambda: None, certificate=certificate)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    try:
        assert begun.wait(15)
        first = _shown(taken.getsockname()[1], authority)
        authority.key.write_bytes(b"half of it")
        server.renew()
        assert _shown(taken.getsockname()[1], authority) == first, "a pair that does not fit yet is left for later"
        authority.issue(*names)
        server.renew()
        assert _shown(taken.getsockname()[1], authority) == leaf(authority).serial_number != first
    finally:
        server.should_exit = True
        thread.join(15)


def _shown(port: int, authority: Authority) -> int:
    """The serial number of the certificate that a server shows, to one who trusts the root alone."""
    trust = ssl.create_default_context(cafile=str(authority.root_file))
    plain = socket.create_connection(("127.0.0.1", port), 10)
    with trust.wrap_socket(plain, server_hostname="localhost") as safe:
        shown = safe.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


# -- the page -----------------------------------------------------------------------------------------------------------


def test_the_page_hands_out_the_root_with_its_fingerprint_and_every_systems_steps(tmp_path: Path) -> None:
    near = Neighbourhood(
        name="yard", addresses=(IPv4Interface("192.168.7.20/24"),), port=8000, kiosk_port=8100, lan_port=8200, now=lambda: NOW
    )
    authority = near.authority(tmp_path)
    with TestClient(create_app(authority, near), follow_redirects=False) as client:
        assert client.get("/").headers["location"] == "/install"
        for lang in LANGUAGES:
            t, page = texts(lang), client.get(f"/install?lang={lang}").text
            for said in (authority.fingerprint, f'"{near.server}/"', f'"{near.kiosk}/"', near.install, 'class="qr"'):
                assert said in page
            for system in SYSTEMS:
                assert t(f"lan.{system}") in page
                assert page.count("<ol>") == len(SYSTEMS)
                for step in ("1", "2", "3"):
                    assert t(f"lan.{system}.{step}").split("“")[0][:20] in page
        root = client.get("/root.crt")
        assert root.headers["content-type"] == "application/x-x509-ca-cert"
        assert x509.load_der_x509_certificate(root.content) == authority.root
        assert x509.load_pem_x509_certificate(client.get("/root.pem").content) == authority.root
        assert client.get("/static/lan/install.css").status_code == 200
        assert "default-src 'none'" in client.get("/nowhere").headers["content-security-policy"]
        for private in ("/root.key", "/server.key", "/static/../root.key"):
            assert client.get(private).status_code == 404


# -- all of it ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Neighbourhood, Path, str]]:
    """An empty installation on the local network, as `scripts/run --empty --lan` begins it."""
    folder = tmp_path_factory.mktemp("lan")
    settings = {
        "CHECKPOINT_DATA": str(folder / "data"),
        "CHECKPOINT_KIOSK_DATA": str(folder / "kiosk"),
        "CHECKPOINT_PORT": str(free_port()),
        "CHECKPOINT_KIOSK_PORT": str(free_port()),
        "CHECKPOINT_LAN_PORT": str(free_port()),
        "CHECKPOINT_FIRST_PASSWORD": PASSWORD,
    }
    out = folder / "out"
    with out.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "checkpoint.cli", "demo", "--empty", "--lan"],
            env=clean_environment() | settings, stdout=said, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while "Ctrl-C" not in out.read_text() and time.monotonic() < deadline:
            assert process.poll() is None, out.read_text()
            time.sleep(0.1)
        yield Neighbourhood.of(load(settings)), folder / "data", out.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0


def test_it_is_told_where_to_go_and_what_to_compare(lan: tuple[Neighbourhood, Path, str]) -> None:
    near, data, said = lan
    authority = near.authority(data)
    for told in (near.server, near.kiosk, near.install, authority.fingerprint):
        assert told in said


def test_who_trusts_the_root_reaches_everything_by_https_and_nobody_else_does(lan: tuple[Neighbourhood, Path, str]) -> None:
    near, data, _ = lan
    trust = ssl.create_default_context(cafile=str(near.authority(data).root_file))
    hosts = ["localhost", "127.0.0.1", *(str(interface.ip) for interface in lan_addresses())]
    for host in hosts:
        for port in (near.port, near.kiosk_port):
            assert httpx.get(f"https://{host}:{port}/livez", verify=trust).status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(f"{near.server}/livez")
    assert httpx.get(near.install).status_code == 200
    answer = httpx.get(f"{near.server}/sign-in", verify=trust)
    assert "strict-transport-security" not in answer.headers
    assert httpx.get(f"https://127.0.0.1:{near.port}/", headers={"host": "evil.example"}, verify=trust).status_code == 421
    assert httpx.get(f"https://127.0.0.1:{near.kiosk_port}/", headers={"host": "evil.example"}, verify=trust).status_code == 403


@pytest.mark.browser
def test_a_real_browser_that_installed_the_root_opens_camera_and_position(
    lan: tuple[Neighbourhood, Path, str], tmp_path: Path
) -> None:
    near, data, _ = lan
    home, stranger = tmp_path / "home", tmp_path / "stranger"
    stranger.mkdir()
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    root = str(near.authority(data).root_file)
    for command in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "checkpoint", "-i", root]):
        subprocess.run(["certutil", "-d", f"sql:{store}", *command], check=True, capture_output=True)
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_ARGS, env={**os.environ, "HOME": str(stranger)}
        )
        try:
            with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                browser.new_page().goto(f"{near.server}/sign-in")
        finally:
            browser.close()
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*CHROMIUM_ARGS, *fake], env={**os.environ, "HOME": str(home)}
        )
        try:
            context = browser.new_context(
                permissions=["geolocation"], geolocation={"latitude": 27.98, "longitude": 120.58}, locale="en"
            )
            page = context.new_page()
            page.goto(f"{near.server}/sign-in")
            assert page.evaluate("isSecureContext")
            where = "new Promise((ok, no) => navigator.geolocation.getCurrentPosition(p => ok(p.coords.latitude), no))"
            assert page.evaluate(where) == 27.98
            assert page.evaluate("'serviceWorker' in navigator")
            page.evaluate(
                """passphrase => fetch("/sign-in", {method: "POST", redirect: "manual",
                   body: new URLSearchParams({name: "coordinator", passphrase})})""",
                PASSWORD,
            )
            cookie = next(c for c in context.cookies() if c["name"].startswith("__Host-"))
            assert (cookie["secure"], cookie["httpOnly"], cookie["path"]) == (True, True, "/")
            plain = browser.new_context(bypass_csp=True, locale="zh-CN", viewport={"width": 390, "height": 800}).new_page()
            plain.goto(near.install)
            plain.add_script_tag(path=str(AXE))
            assert plain.evaluate("axe.run().then(found => found.violations.map(v => v.id))") == []
            page.goto(near.kiosk)
            assert page.evaluate("isSecureContext")
            track = "navigator.mediaDevices.getUserMedia({video: true}).then(s => s.getVideoTracks()[0].readyState)"
            assert page.evaluate(track) == "live"
        finally:
            browser.close()


def test_the_machine_has_a_name() -> None:
    assert own_name()
    assert own_name() == own_name().lower()
