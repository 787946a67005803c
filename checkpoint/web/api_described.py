"""Every call of the API in one visible table: what it takes, what it answers, why it refuses, and whether it may be repeated.

The law of this file: a row of the route table under `/api/` has a `Call` here, or a test fails; the texts are the catalogue's
`call.<key>` and `call.<key>.more`, the examples `api_examples.json` under the same key. What every call shares (who may, sizes,
what goes wrong on our side) is not repeated here: `openapi.py` reads it off the route table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from checkpoint import intake
from checkpoint.core.loop import Loop
from checkpoint.web import (
    api_accounts,
    api_answers,
    api_offices,
    api_records,
    api_station,
    api_trucks,
    api_webhooks,
    terminals,
    webhooks_data,
)
from checkpoint.web.api_offices import PassesQuery, PassRead, PassRequestRead, RequestsQuery, ResultRead, ResultsQuery
from checkpoint.web.api_owntracks import OwnTracksMessage
from checkpoint.web.api_trucks import JourneyRead, JourneysQuery, WarningRead, WarningsQuery
from checkpoint.web.board_data import Truck
from checkpoint.web.paging import Page
from checkpoint.web.regions import Asked
from checkpoint.web.webhooks_data import DeliveryRead, WebhookRead

# How a write is known again. `number`: by what it names itself, it may be sent again with or without a key; `key`: only by an
# Idempotency-Key; `anew`: each time is another, harmless one.
Repeated = Literal["number", "key", "anew"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `query` and `body` are what it reads, `answer` what 200 holds; `refused` names its own problems by status,
    beside those that every call of its kind shares. `conditional`: its answers carry an ETag."""

    key: str
    method: str
    path: str
    answer: object
    query: type[msgspec.Struct] | None = None
    body: object | None = None
    form: bool = False
    lenient: bool = False
    conditional: bool = False
    dated: bool = False
    repeated: Repeated = "number"
    refused: tuple[tuple[int, str], ...] = ()


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a kiosk reads, and how many facts at most."""

    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=api_station.MOST_TOLD)] = 500


class PositionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One position as the apps write it."""

    id: str = ""
    lat: str = ""
    lon: str = ""
    timestamp: str = ""
    accuracy: str = ""
    speed: str = ""
    bearing: str = ""
    altitude: str = ""
    batt: str = ""
    alarm: str = ""


class Document(msgspec.Struct, frozen=True):
    """The API's own description, OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


_SETTLED, _NO_REQUEST, _NO_PASS = (409, "settled"), (404, "no-request"), (404, "no-pass")
_POSITIONS = (
    (400, "no-device"), (403, "device-name"), (403, "device-revoked"), (404, "unknown-device"), (503, "busy"),
)  # fmt: skip
_NO_WEBHOOK, _WEBHOOKS = (404, "no-webhook"), "/api/v1/webhooks"
_REQUESTS, _PASSES, _RESULTS = "/api/v1/pass-requests", "/api/v1/passes", "/api/v1/lab/results"

CALLS: tuple[Call, ...] = (
    # coming in
    Call(
        key="accounts.add",
        method="POST",
        path="/api/v1/accounts",
        body=api_accounts.NewAccount,
        answer=api_answers.AccountAdded,
        refused=((409, "name-taken"), (422, "malformed")),
    ),
    Call(
        key="accounts.accept",
        method="POST",
        path="/api/v1/invitations",
        body=api_accounts.Acceptance,
        answer=api_answers.InvitationAccepted,
        refused=((409, "name-taken"), (410, "link-used"), (422, "malformed")),
    ),
    Call(
        key="session.open",
        method="POST",
        path="/api/v1/session",
        body=api_accounts.SignIn,
        answer=api_answers.SessionOpened,
        repeated="anew",
        refused=((401, "wrong-passphrase"), (401, "wrong-code"), (401, "code-wanted"), (403, "factor-wanted")),
    ),
    Call(key="session.end", method="DELETE", path="/api/v1/session", answer=api_answers.SessionEnded),
    Call(key="document.read", method="GET", path="/api/v1/openapi.json", answer=Document, conditional=True),
    # the plan, places, machines, people
    Call(
        key="loops.publish",
        method="POST",
        path="/api/v1/loops",
        body=Loop,
        answer=api_answers.LoopTaken,
        refused=((409, "version-taken"), (422, "malformed")),
    ),
    Call(
        key="kiosks.place",
        method="POST",
        path="/api/v1/kiosks",
        body=api_records.KioskPlace,
        answer=api_answers.KioskPlaced,
        repeated="key",
        refused=((422, "malformed"),),
    ),
    Call(
        key="staff.add",
        method="POST",
        path="/api/v1/staff",
        body=api_records.NewStaff,
        answer=api_answers.StaffTaken,
        refused=((422, "malformed"),),
    ),
    Call(
        key="devices.bind",
        method="POST",
        path="/api/v1/devices",
        body=api_records.Binding,
        answer=api_answers.DeviceTaken,
        refused=((422, "malformed"),),
    ),
    Call(
        key="devices.release",
        method="POST",
        path="/api/v1/devices/release",
        body=api_records.Release,
        answer=api_answers.DeviceTaken,
        refused=((404, "no-tracker"), (422, "malformed")),
    ),
    Call(
        key="devices.terminal",
        method="POST",
        path="/api/v1/terminals",
        body=terminals.NewTerminal,
        answer=api_answers.DeviceTaken,
        refused=((409, "terminal-out"), (422, "malformed")),
    ),
    # passes
    Call(
        key="pass-requests.ask",
        method="POST",
        path=_REQUESTS,
        body=api_records.PassWish,
        answer=api_answers.PassAsked,
        refused=((403, "other-carrier"), (422, "malformed")),
    ),
    Call(
        key="pass-requests.list",
        method="GET",
        path=_REQUESTS,
        query=RequestsQuery,
        answer=Page[PassRequestRead],
        conditional=True,
    ),
    Call(
        key="pass-requests.read",
        method="GET",
        path=_REQUESTS + "/{request}",
        answer=api_offices.PassRequestRead,
        conditional=True,
        dated=True,
        refused=(_NO_REQUEST,),
    ),
    Call(
        key="pass-requests.grant",
        method="POST",
        path=_REQUESTS + "/{request}/grant",
        answer=api_answers.PassGiven,
        refused=(_NO_REQUEST, _SETTLED, (422, "malformed")),
    ),
    Call(
        key="pass-requests.refuse",
        method="POST",
        path=_REQUESTS + "/{request}/refuse",
        body=api_records.Why,
        answer=api_answers.RequestRefused,
        refused=(_NO_REQUEST, _SETTLED, (422, "malformed")),
    ),
    Call(key="passes.list", method="GET", path=_PASSES, query=PassesQuery, answer=Page[PassRead], conditional=True),
    Call(
        key="passes.read",
        method="GET",
        path=_PASSES + "/{pass_id}",
        answer=api_offices.PassRead,
        conditional=True,
        refused=(_NO_PASS,),
    ),
    Call(
        key="passes.reissue",
        method="POST",
        path=_PASSES + "/{pass_id}/reissue",
        answer=api_answers.PassReissued,
        repeated="key",
        refused=(_NO_PASS, _SETTLED, (422, "malformed")),
    ),
    Call(
        key="passes.revoke",
        method="POST",
        path=_PASSES + "/{pass_id}/revoke",
        body=api_records.Why,
        answer=api_answers.PassEnded,
        refused=(_NO_PASS, _SETTLED, (422, "malformed")),
    ),
    # trucks under way
    Call(
        key="vehicles.list",
        method="GET",
        path="/api/v1/vehicles",
        query=api_trucks.VehiclesQuery,
        answer=api_trucks.Vehicles,
        conditional=True,
    ),
    Call(
        key="vehicles.read",
        method="GET",
        path="/api/v1/vehicles/{vehicle}",
        answer=Truck,
        conditional=True,
        refused=((404, "no-vehicle"),),
    ),
    Call(
        key="journeys.list",
        method="GET",
        path="/api/v1/journeys",
        query=JourneysQuery,
        answer=Page[JourneyRead],
        conditional=True,
    ),
    Call(
        key="journeys.read",
        method="GET",
        path="/api/v1/journeys/{journey}",
        answer=api_trucks.JourneyRead,
        conditional=True,
        refused=((404, "no-journey"),),
    ),
    Call(
        key="warnings.list",
        method="GET",
        path="/api/v1/warnings",
        query=WarningsQuery,
        answer=Page[WarningRead],
        conditional=True,
    ),
    Call(
        key="warnings.read",
        method="GET",
        path="/api/v1/warnings/{warning}",
        answer=api_trucks.WarningRead,
        conditional=True,
        refused=((404, "no-warning"),),
    ),
    Call(
        key="warnings.answer",
        method="POST",
        path="/api/v1/warnings/{warning}/answer",
        body=api_records.Answering,
        answer=api_answers.WarningTaken,
        refused=((404, "no-warning"), (422, "malformed")),
    ),
    # results
    Call(
        key="results.hand-in",
        method="POST",
        path=_RESULTS,
        body=intake.SentResults,
        answer=api_answers.ResultsTaken,
    ),
    Call(key="results.list", method="GET", path=_RESULTS, query=ResultsQuery, answer=Page[ResultRead], conditional=True),
    Call(
        key="results.read",
        method="GET",
        path=_RESULTS + "/{result}",
        answer=api_offices.ResultRead,
        conditional=True,
        dated=True,
        refused=((404, "no-result"),),
    ),
    # events sent to programs
    Call(
        key="webhooks.make",
        method="POST",
        path=_WEBHOOKS,
        body=api_webhooks.WebhookWish,
        answer=api_webhooks.WebhookMade,
        repeated="key",
        refused=((409, "too-many-webhooks"), (422, "malformed")),
    ),
    Call(key="webhooks.list", method="GET", path=_WEBHOOKS, answer=Page[WebhookRead], conditional=True),
    Call(
        key="webhooks.read",
        method="GET",
        path=_WEBHOOKS + "/{webhook}",
        answer=webhooks_data.WebhookRead,
        conditional=True,
        refused=(_NO_WEBHOOK,),
    ),
    Call(
        key="webhooks.renew",
        method="POST",
        path=_WEBHOOKS + "/{webhook}/secret",
        answer=api_webhooks.SecretRenewed,
        repeated="key",
        refused=(_NO_WEBHOOK,),
    ),
    Call(
        key="webhooks.pause",
        method="POST",
        path=_WEBHOOKS + "/{webhook}/pause",
        answer=webhooks_data.WebhookRead,
        refused=(_NO_WEBHOOK,),
    ),
    Call(
        key="webhooks.resume",
        method="POST",
        path=_WEBHOOKS + "/{webhook}/resume",
        answer=webhooks_data.WebhookRead,
        refused=(_NO_WEBHOOK,),
    ),
    Call(
        key="webhooks.deliveries",
        method="GET",
        path=_WEBHOOKS + "/{webhook}/deliveries",
        query=api_webhooks.DeliveriesQuery,
        answer=Page[DeliveryRead],
        conditional=True,
        refused=(_NO_WEBHOOK,),
    ),
    Call(
        key="webhooks.remove",
        method="DELETE",
        path=_WEBHOOKS + "/{webhook}",
        answer=api_webhooks.WebhookRemoved,
        refused=(_NO_WEBHOOK,),
    ),
    # machines
    Call(
        key="kiosk.enrol",
        method="POST",
        path="/api/v1/enrol",
        body=api_station.Enrol,
        answer=api_station.Enrolled,
        refused=((403, "token-used"), (422, "malformed")),
    ),
    Call(
        key="kiosk.renew",
        method="POST",
        path="/api/v1/kiosk/key",
        body=api_station.NewKey,
        answer=api_answers.KeyRenewed,
        refused=((404, "no-kiosk"), (422, "malformed")),
    ),
    Call(
        key="kiosk.hand-in",
        method="POST",
        path="/api/v1/facts",
        body=intake.Batch,
        answer=intake.Answer,
    ),
    Call(
        key="kiosk.feed",
        method="GET",
        path="/api/v1/feed",
        query=FeedQuery,
        lenient=True,
        answer=api_station.FeedPage,
        refused=((409, "went-back"),),
    ),
    Call(
        key="kiosk.tell-back",
        method="POST",
        path="/api/v1/returned",
        body=intake.ToldBackAll,
        answer=api_station.ReturnedFacts,
    ),
    Call(
        key="positions.report",
        method="POST",
        path="/api/v1/positions/osmand",
        query=PositionQuery,
        lenient=True,
        body=PositionQuery,
        form=True,
        answer=api_answers.PositionTaken,
        refused=_POSITIONS,
    ),
    Call(
        key="positions.report-by-address",
        method="GET",
        path="/api/v1/positions/osmand",
        query=PositionQuery,
        lenient=True,
        answer=api_answers.PositionTaken,
        refused=_POSITIONS,
    ),
    Call(
        key="positions.report-owntracks",
        method="POST",
        path="/api/v1/positions/owntracks",
        body=OwnTracksMessage | list[OwnTracksMessage],
        lenient=True,
        answer=list[Asked],
        refused=((401, "device-key"), (503, "busy")),
    ),
)
