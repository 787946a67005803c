"""`checkpoint retention`: run the sweep now, or (`--dry-run`) say what it would let go, kind by kind, with its term."""

from __future__ import annotations

import argparse

from checkpoint.retention.sweeping import sweep
from checkpoint.retention.terms import TERMS, terms
from checkpoint.shell.ground import DONE, opened, settled
from checkpoint.ui import Texts


def swept(asked: argparse.Namespace, t: Texts) -> int:
    """What left, or would leave. A running server may go on: the sweep is as safe beside it as its own."""
    settings = settled()
    with opened(settings, t) as store:
        done = sweep(store, settings.now(), dry=asked.dry_run)
        kept = terms(store)
        print(t("retention.dry" if asked.dry_run else "retention.done"))
        for term in TERMS:
            count = done.counts.get(term.kind)
            said = t(f"retention.kind.{term.kind}")
            print(f"  {said}: {'' if count is None else f'{count} · '}{t('retention.days', count=kept[term.kind].days)}")
            if term.kind == "journeys":
                print(f"    {t('retention.facts', count=done.counts['facts'])}")
        if done.held_count:
            print(t("retention.held", count=done.held_count))
    return DONE
