"""`checkpoint keys ...`: issuers' keys, kiosks' keys, and the versions of the key file: made, listed, rotated, revoked.

The law of this file: each command says what it means for the passes in the field before it ends. Issuers and kiosks may be
changed while a server runs: it reads them anew each time. The key file may not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from checkpoint.granting import PassOffice
from checkpoint.shell.ground import ASKED_WRONGLY, DONE, NO, InTheWay, complain, opened, settled
from checkpoint.store import Store
from checkpoint.store import keys as key_file
from checkpoint.ui import Texts, clock


def listed(asked: argparse.Namespace, t: Texts) -> int:
    """Every key there is: what it is for, since when, and what hangs on it."""
    settings = settled()
    with opened(settings, t) as store:
        office = PassOffice(store, settings.now, store.record)
        print(t("keys.issuers"))
        for issuer in store.registry.issuers():
            state, at = "sealing", issuer.created_at
            if issuer.revoked_at is not None:
                state, at = "revoked", issuer.revoked_at
            elif issuer.retired_at is not None:
                state, at = "retired", issuer.retired_at
            passes = 0 if issuer.revoked_at is not None else len(office.sealed_with(issuer))
            print(f"  {issuer.key_id}  {t(f'keys.issuer.{state}', at=_when(at, t))}  {t('keys.passes', count=passes)}")
        print(t("keys.kiosks"))
        for kiosk in store.registry.kiosks():
            state, since = "waiting", kiosk.created_at
            if kiosk.closed_at is not None:
                state, since = "closed", kiosk.closed_at
            elif kiosk.enrolled_at is not None:
                state, since = ("renewing" if kiosk.renew else "open"), kiosk.key_at or kiosk.enrolled_at
            print(f"  {kiosk.id}  {kiosk.station}  {t(f'keys.kiosk.{state}', at=_when(since, t))}")
        print(t("keys.encryption"))
        counts = _needed(store)
        for i, name in enumerate(store.key_versions(), start=1):
            newest = i == len(store.key_versions())
            print(f"  {name}  {t('keys.version.newest' if newest else 'keys.version.older', count=counts.get(name, 0))}")
    return DONE


def make(asked: argparse.Namespace, t: Texts) -> int:
    """A new key beside the old ones."""
    return _issuer(t) if asked.kind == "issuer" else _encrypt_anew(t, new=True)


def rotate(asked: argparse.Namespace, t: Texts) -> int:
    """A new key in the place of the old one, which is trusted still."""
    match asked.kind:
        case "issuer":
            return _issuer(t)
        case "encryption":
            return _encrypt_anew(t, new=False)
        case _:
            return _kiosk(asked.name, t, lambda store: store.registry.ask_new_key(asked.name), "keys.kiosk.asked")


def revoke(asked: argparse.Namespace, t: Texts) -> int:
    """A key that is trusted no more."""
    if not asked.name:
        complain(t("keys.name-wanted"))
        return ASKED_WRONGLY
    match asked.kind:
        case "issuer":
            return _revoke_issuer(asked.name, asked.reissue, t)
        case "encryption":
            return _drop(asked.name, t)
        case _:
            return _kiosk(asked.name, t, lambda store: store.registry.close_kiosk(asked.name), "keys.kiosk.closed-now")


# -- issuers and kiosks -----------------------------------------------------------------------------------------------------


def _issuer(t: Texts) -> int:
    settings = settled()
    with opened(settings, t) as store:
        name = store.registry.new_issuer()
        print(t("keys.issuer.made", name=name))
        print(t("keys.issuer.made.means"))
    return DONE


def _revoke_issuer(name: str, reissue: bool, t: Texts) -> int:
    settings = settled()
    with opened(settings, t) as store:
        office = PassOffice(store, settings.now, store.record)
        issuer = next((found for found in store.registry.issuers() if found.key_id == name), None)
        if issuer is None or issuer.revoked_at is not None:
            complain(t("keys.unknown", name=name))
            return NO
        concerned = office.sealed_with(issuer)
        store.registry.revoke_issuer(name)
        print(t("keys.issuer.revoked-now", name=name))
        print(t("keys.issuer.concerned", count=len(concerned)))
        for state in concerned:
            print(f"  {state.grant.pass_id}  {state.grant.vehicle}")
        if reissue:
            for state in concerned:
                done = office.reissue(state.grant.pass_id, "shell")
                print(t("keys.reissued", number=done.pass_id, link=f"{settings.public_url}/d/{done.link_token}"))
        elif concerned:
            print(t("keys.issuer.offer"))
    return DONE


def _kiosk(name: str, t: Texts, work: Callable[[Store], bool], said: str) -> int:
    if not name:
        complain(t("keys.name-wanted"))
        return ASKED_WRONGLY
    with opened(settled(), t) as store:
        if not work(store):
            complain(t("keys.unknown", name=name))
            return NO
        print(t(said, kiosk=name))
    return DONE


# -- the key file -----------------------------------------------------------------------------------------------------------


def _encrypt_anew(t: Texts, *, new: bool) -> int:
    """Encrypt all with the newest version; with one made now unless an earlier rotation was not finished."""
    settings = settled()
    with opened(settings, t, alone=True) as store:
        newest = store.key_versions()[-1]
        unfinished = any(name != newest for name in _needed(store))
    if new or not unfinished:
        newest = key_file.with_new_version(settings.key_folder).newest.name
        print(t("keys.version.made", name=newest))
    with opened(settings, t, alone=True) as store:
        count = store.encrypt_anew(lambda column, count: print(t("keys.encrypted", column=column, count=count), flush=True))
        print(t("keys.encrypted.all", name=newest, count=count))
        print(t("keys.encrypted.means"))
    return DONE


def _drop(name: str, t: Texts) -> int:
    settings = settled()
    with opened(settings, t, alone=True) as store:
        versions = store.key_versions()
        if name not in versions or name == versions[-1]:
            complain(t("keys.version.not-older", name=name))
            return NO
        count = _needed(store).get(name, 0)
        if count:
            raise InTheWay(t("keys.version.needed", name=name, count=count))
    key_file.without_version(settings.key_folder, name)
    with opened(settings, t, alone=True) as store:
        if not store.verify().ok:
            raise InTheWay(t("cli.verify.broken", count=0))
    print(t("keys.version.dropped", name=name))
    return DONE


def _needed(store: Store) -> dict[str, int]:
    """How many values each version of the secret opens, by its name."""
    counts: dict[str, int] = {}
    for standing in store.key_standing():
        for name, count in standing.counts.items():
            counts[name] = counts.get(name, 0) + count
    return counts


def _when(at: datetime, t: Texts) -> str:
    return f"{clock.local(at, UTC, t.lang, 'full')} UTC"
