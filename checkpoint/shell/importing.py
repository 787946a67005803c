"""`checkpoint import TRACK --vehicle PLATE`: a recorded track goes into the record of a vehicle. A server that runs meanwhile
judges it within seconds."""

from __future__ import annotations

import argparse

from checkpoint.core.facts import DeviceBound, Fact
from checkpoint.core.passes import normal_plate
from checkpoint.decoders.recorded import MalformedTrack
from checkpoint.importing import NotImported, device_for, take_in
from checkpoint.intake import Intake
from checkpoint.shell.ground import ASKED_WRONGLY, DONE, NO, InTheWay, complain, opened, settled
from checkpoint.shell.tracks import NotRead, drives, in_words
from checkpoint.store import StorageFailed
from checkpoint.ui import Texts


def imported(asked: argparse.Namespace, t: Texts) -> int:
    """Take the drives of every file in, and say what became of their positions."""
    try:
        vehicle = normal_plate(asked.vehicle)
    except ValueError:
        complain(t("import.plate", plate=asked.vehicle[:20]))
        return ASKED_WRONGLY
    try:
        found = list(drives(asked, t))
    except NotRead as error:
        complain(str(error))
        return NO
    settings = settled()
    with opened(settings, t) as store:
        if not store.facts_of(f"vehicle:{vehicle}"):
            complain(t("import.no-vehicle", vehicle=vehicle))
            return NO
        intake = Intake(store, settings.now, lambda vehicles: None)
        device = asked.device or device_for(vehicle)
        said = DeviceBound(device=device, vehicle=vehicle)
        for file in dict.fromkeys(file for file, _ in found):
            own = [drive for each, drive in found if each == file]
            try:
                taken = take_in(
                    intake, vehicle, own, device, fact=Fact(id="", at=settings.now(), witness="desk:shell", by="shell", what=said)
                )
            except MalformedTrack as error:
                complain(in_words(file, error, t))
                return NO
            except NotImported as error:
                complain(f"{file}: {t(f'import.{error.why}', **error.values)}")
                return NO
            except StorageFailed as error:
                raise InTheWay(t("cli.store", why=str(error))) from error
            values = {name: getattr(taken, name) for name in ("count", "new", "repeated", "aside", "device")}
            print(t("import.done", file=file, vehicle=vehicle, **values))
            if taken.refused:
                complain(t("import.refused", count=taken.refused))
                return NO
    return DONE
