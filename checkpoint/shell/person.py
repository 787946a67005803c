"""`checkpoint person ...`: everything about one person to a file, or their name, number and phone erased.

An ID number is asked for at the terminal or read from standard input: what is typed as an argument stays in the shell's history.
"""

from __future__ import annotations

import argparse
import os
import sys
from getpass import getpass

from checkpoint.shell.ground import ASKED_WRONGLY, DONE, NO, complain, opened, settled
from checkpoint.store import Store
from checkpoint.ui import Texts
from checkpoint.web.dossier import gathered, packed


def export(asked: argparse.Namespace, t: Texts) -> int:
    """Everything about a person, as a file that only its owner can read."""
    settings = settled()
    with opened(settings, t) as store:
        person = _person(asked, store, t)
        dossier = gathered(store, person) if person else None
        if dossier is None:
            complain(t("people.nobody"))
            return NO if person else ASKED_WRONGLY
        noted = store.traces.note(
            reader="shell", role="administrator", way="shell", what="export", people=[dossier.person], at=store.now()
        )
        if noted is not None:
            noted.result()
        store.registry.audit("person-exported", actor="shell", detail=dossier.person)
        dossier = gathered(store, dossier.person)
        assert dossier is not None
        handle = os.open(asked.to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(packed(store, dossier))
        print(t("people.exported", file=asked.to, facts=len(dossier.facts), positions=len(dossier.positions)))
    return DONE


def erase(asked: argparse.Namespace, t: Texts) -> int:
    """Erase name, number and phone of a person who is on no pass that counts."""
    settings = settled()
    with opened(settings, t) as store:
        person = _person(asked, store, t)
        dossier = gathered(store, person) if person else None
        if dossier is None:
            complain(t("people.nobody"))
            return NO if person else ASKED_WRONGLY
        if any(each["until"] > store.now() for each in dossier.passes):
            complain(t("people.counting"))
            return NO
        store.registry.erase_person(dossier.person)
        store.registry.audit("person-erased", actor="shell", detail=dossier.person)
        store.overwrite()
        print(t("people.erased-now", person=dossier.person))
    return DONE


def _person(asked: argparse.Namespace, store: Store, t: Texts) -> str:
    """Whom it is about: the pseudonym said, or the one of an ID number that is asked for; empty when nobody is."""
    if asked.id_number:
        number = getpass(t("people.number") + " ") if sys.stdin.isatty() else sys.stdin.readline()
        return store.registry.person_of_number(number.strip()) or ""
    return str(asked.person)
