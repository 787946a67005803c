"""What a server lost when it was brought back from a backup, and has again from us.

The law of this file: a server says how much it holds of our chain and which numbers of its own record are lost; what we know
beyond goes back to it, however often that takes. Nothing known here is forgotten for it. The server believes its own stamp
under what it told, and ours under our chain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec

from kiosk.kept import Forked, Head
from kiosk.outbox import Outbox
from kiosk.wire import Gap, HeldTo, Named, Page, Returned, told_back, witness_of

_log = logging.getLogger(__name__)
AT_ONCE = 200
# Up to which loss of the server the names were told back.
_NAMES_TOLD = "names_told"
_REVOKED = "revoked_issuers"


class Returning:
    """Compares and tells back. `ask` posts to `/api/v1/returned`: None when the server would not look."""

    def __init__(self, outbox: Outbox, ask: Callable[[bytes], Returned | None], hurry: Callable[[], None]) -> None:
        self._outbox, self._ask, self._hurry = outbox, ask, hurry

    def compare(self, head: HeldTo | None, gaps: Iterable[Gap]) -> None:
        """What the server no longer holds of our chain waits again."""
        if head is None:
            return
        try:
            again = self._outbox.held_only_to(Head(head.seq, head.hash), [(gap.first, gap.last) for gap in gaps])
        except Forked as forked:
            _log.error("the server knows this kiosk by another chain: %s", forked)
            return
        if again:
            _log.warning("the server has lost %s facts of ours that it once held: they are sent again", again)
            self._hurry()

    def issuers(self, page: Page) -> dict[str, str]:
        """The keys to trust. One that was revoked once stays so here, though the server may have forgotten it: passes that
        were forged with a stolen key must open no gate because of a restore."""
        known = set(self._outbox.setting(_REVOKED).split())
        if not known.issuperset(page.revoked):
            known.update(page.revoked)
            self._outbox.keep(**{_REVOKED: " ".join(sorted(known))})
        if again := [issuer.key_id for issuer in page.issuers if issuer.public_key in known]:
            _log.error("the server trusts keys that it revoked once: %s; passes under them are refused here", ", ".join(again))
        return {issuer.key_id: issuer.public_key for issuer in page.issuers if issuer.public_key not in known}

    def names(self, page: Page) -> list[Named]:
        """Names that the server told and has lost: kept beside those of the page until they were told back."""
        if not page.lost or self._outbox.setting(_NAMES_TOLD) == str(page.lost[-1].before):
            return []
        there, stamps = {person.id for person in page.people}, self._outbox.stamps()
        return [
            Named(person, name, *stamps[person])
            for person, name in self._outbox.people().items()
            if person not in there and person in stamps
        ]

    def tell_back(self, page: Page) -> None:
        """Tell the server again what it told under numbers it has lost, then whom it named. Our own it has from ourselves, as far
        back as we keep them."""
        for lost in page.lost:
            if not self._facts(lost.after, lost.before):
                return
        if not page.lost or page.more or self._outbox.setting(_NAMES_TOLD) == str(page.lost[-1].before):
            return
        if names := self.names(page):
            if self._ask(msgspec.json.encode({"facts": [], "people": names})) is None:
                return
            _log.warning("%s names that the server had lost were told back to it", len(names))
        self._outbox.keep(**{_NAMES_TOLD: str(page.lost[-1].before)})

    def _facts(self, after: int, before: int) -> bool:
        enrolment = self._outbox.enrolment
        while enrolment is not None and (told := self._outbox.lost_by_server(after, before, AT_ONCE)):
            kept = self._outbox.begin().seq
            ours = {one.number: "own" for one in told if witness_of(one.body) == enrolment.witness and one.seq > kept}
            self._outbox.told_back(ours)
            others = [one for one in told if one.number not in ours]
            if not others:
                continue
            answer = self._ask(msgspec.json.encode({"facts": [told_back(one) for one in others]}))
            if answer is None:
                return False
            sent = {one.number for one in others}
            states = {one.number: one.state for one in answer.facts if one.number in sent}
            self._outbox.told_back(states)
            if not states:
                _log.error("the answer names none of the facts told back")
                return False
            _log.warning("%s facts that the server had lost were told back to it", len(states))
        return True
