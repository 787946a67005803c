"""The one route table of the server. What is not here does not exist; who is not named does not pass.

Each module of endpoints keeps its own rows in `ROUTES`; this file puts them together, in the order in which they are tried:
what machines send all day comes first.
"""

from __future__ import annotations

from checkpoint.web import (
    account,
    accounts,
    api_accounts,
    api_offices,
    api_pages,
    api_positions,
    api_records,
    api_station,
    api_trucks,
    api_webhooks,
    aside,
    badges,
    board,
    confirm,
    driver,
    driver_link,
    driver_reads,
    health,
    join,
    journeys,
    lab,
    loops,
    passes,
    phones,
    problem_pages,
    restored,
    sign_in,
    stations,
    tokens,
    trackers,
    webhooks,
)
from checkpoint.web.access import Rule
from checkpoint.web.static import ROUTES as STATIC

TABLE: tuple[Rule, ...] = (
    *api_station.ROUTES,
    *api_positions.ROUTES,
    *health.ROUTES,
    *STATIC,
    *sign_in.ROUTES,
    *join.ROUTES,
    *confirm.ROUTES,
    *account.ROUTES,
    *accounts.ROUTES,
    *board.ROUTES,
    *journeys.ROUTES,
    *passes.ROUTES,
    *phones.ROUTES,
    *loops.ROUTES,
    *stations.ROUTES,
    *badges.ROUTES,
    *trackers.ROUTES,
    *aside.ROUTES,
    *restored.ROUTES,
    *lab.ROUTES,
    *api_records.ROUTES,
    *api_accounts.ROUTES,
    *api_offices.ROUTES,
    *api_trucks.ROUTES,
    *driver_link.ROUTES,
    *driver.ROUTES,
    *driver_reads.ROUTES,
    *problem_pages.ROUTES,
    *tokens.ROUTES,
    *webhooks.ROUTES,
    *api_webhooks.ROUTES,
    *api_pages.routes_over(lambda: TABLE),
)
