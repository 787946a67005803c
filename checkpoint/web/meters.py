"""What is counted and measured, in Prometheus' text form.

The law of this file: a label is a name of ours (a route's pattern, a kind, a check's outcome, a kiosk's id), never anything
that somebody sent: no plate, person, place or address. Counts of requests are kept here; everything else is asked of its owner
when it is wanted, so that nothing is counted twice and nothing on the way of a scan pays for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Count
from collections.abc import Iterable
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from checkpoint.logs import Answered
from checkpoint.store.tally import COMMIT_BOUNDS_S
from checkpoint.version import VERSION

if TYPE_CHECKING:
    from checkpoint.web.house import House

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_Samples = Iterable[tuple[tuple[str, ...], float]]


class Meters:
    """The meters of one server. Requests are counted on the event loop's thread alone: no lock is wanted."""

    def __init__(self) -> None:
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._requests: dict[tuple[str, str, int], _Timed] = {}

    def answered(self, request: Answered) -> None:
        """One request is over."""
        key = request.method, request.route, request.status
        timed = self._requests.get(key)
        if timed is None:
            timed = self._requests[key] = _Timed()
        timed.seconds += request.seconds
        timed.counts[bisect_left(_BOUNDS_S, request.seconds)] += 1

    def text(self, house: House) -> bytes:
        """All of it. Blocks: call it in a thread."""
        registry = CollectorRegistry()
        registry.register(_Requests(self._requests.copy()))
        registry.register(_House(house))
        return generate_latest(self._process) + generate_latest(registry)


class _Timed:
    """How often one kind of request was answered within each bound, and how long all of them took."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts, self.seconds = [0] * (len(_BOUNDS_S) + 1), 0.0


class _Requests(Collector):
    """The requests answered."""

    def __init__(self, requests: dict[tuple[str, str, int], _Timed]) -> None:
        self._requests = requests

    def collect(self) -> Iterable[Metric]:
        """Counts, and how long they took."""
        counted = [((m, route, str(status)), float(sum(t.counts))) for (m, route, status), t in self._requests.items()]
        help_ = "Requests answered; status 0: the one who asked went away."
        yield _counter("checkpoint_requests", help_, ("method", "route", "status"), counted)
        family = HistogramMetricFamily(
            "checkpoint_request_seconds", "How long answers took, whole.", labels=("method", "route", "status")
        )
        for (method, route, status), timed in self._requests.items():
            within = zip((*map(str, _BOUNDS_S), "+Inf"), accumulate(timed.counts), strict=True)
            family.add_metric((method, route, str(status)), buckets=list(within), sum_value=timed.seconds)
        yield family


class _House(Collector):
    """Everything that its owner knows, asked when it is wanted."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterable[Metric]:
        """Every figure of the house."""
        yield InfoMetricFamily("checkpoint_build", "The program.", value={"version": VERSION})
        yield from self._record()
        yield from self._writing()
        yield from self._watch()
        yield from self._stations()
        yield from self._terminals()
        yield from self._chores()
        yield _gauge("checkpoint_streams", "Live pages open.", (), [((), self._house.limits.streams)])

    def _record(self) -> Iterable[Metric]:
        store = self._house.store
        yield _counter("checkpoint_facts", "Facts handed in.", ("kind", "outcome"), list(store.tally.facts.items()))
        fixes = [((outcome,), count) for outcome, count in store.tally.positions.items()]
        yield _counter("checkpoint_positions", "Fixes handed in.", ("outcome",), fixes)
        aside = [((why,), count) for why, count in store.aside_counts().items()]
        yield _gauge("checkpoint_aside", "What is set aside, by why.", ("why",), aside)
        yield _gauge("checkpoint_ledger_number", "The number of the fact learnt last.", (), [((), store.last_number())])

    def _writing(self) -> Iterable[Metric]:
        store = self._house.store
        tally, bounds = store.tally, [*map(str, COMMIT_BOUNDS_S), "+Inf"]
        yield HistogramMetricFamily(
            "checkpoint_commit_seconds", "How long commits took.",
            buckets=list(zip(bounds, tally.commits, strict=True)), sum_value=tally.commits_s,
        )  # fmt: skip
        yield _counter("checkpoint_commits_failed", "Commits that failed.", (), [((), tally.failed)])
        yield _gauge("checkpoint_writer_waiting", "What waits to be written.", (), [((), store.waiting)])
        yield _gauge("checkpoint_database_bytes", "Size of the database.", (), [((), store.size_bytes())])
        room = store.room()
        if room.free_bytes is not None:
            yield _gauge("checkpoint_disk_free_bytes", "Room on the database's disk.", (), [((), room.free_bytes)])
        refused = [((what,), float(what in room.refused)) for what in ("positions", "desk")]
        yield _gauge("checkpoint_intake_refused", "Whether intake is refused for want of room.", ("intake",), refused)

    def _watch(self) -> Iterable[Metric]:
        watch = self._house.watch
        pulse = watch.pulse()
        open_now: Count[tuple[str, str]] = Count()
        for look in watch.looks().values():
            open_now.update((w.raised.finding, w.colour) for w in look.view.warnings if w.open)
        yield _gauge("checkpoint_warnings_open", "Warnings open.", ("kind", "colour"), list(open_now.items()))
        yield _gauge("checkpoint_vehicles_watched", "Vehicles under way.", (), [((), len(watch.looks()))])
        elected = float(self._house.store.election.elected())
        yield _gauge("checkpoint_elected", "Whether this process is the one that tells.", (), [((), elected)])
        yield _gauge("checkpoint_watch_running", "Whether the watch runs here.", (), [((), float(pulse.running))])
        yield _gauge("checkpoint_watch_age_seconds", "Since its last good round.", (), [((), pulse.age_s)])
        behind = max(self._house.store.last_number() - pulse.read_to, 0)
        yield _gauge("checkpoint_watch_behind_facts", "Facts it has not read yet.", (), [((), behind)])
        yield _counter("checkpoint_watch_rounds", "Rounds of the watch.", (), [((), pulse.rounds)])
        yield _counter("checkpoint_watch_seconds", "What they took together.", (), [((), pulse.rounds_s)])

    def _stations(self) -> Iterable[Metric]:
        store, now = self._house.store, self._house.now()
        kiosks = [k for k in store.registry.kiosks() if k.enrolled_at is not None and k.closed_at is None]
        missing: Count[str] = Count()
        for gap in store.gaps():
            missing[gap.witness] += gap.last - gap.first + 1
        label = ("kiosk",)
        yield _gauge(
            "checkpoint_kiosk_silent_seconds", "Since a kiosk last spoke.", label,
            [((k.id,), max((now - k.seen_at).total_seconds(), 0.0)) for k in kiosks if k.seen_at is not None],
        )  # fmt: skip
        yield _gauge(
            "checkpoint_kiosk_clock_seconds", "How far its clock is ahead of ours.", label,
            [((k.id,), k.offset_s) for k in kiosks if k.offset_s is not None],
        )  # fmt: skip
        yield _gauge(
            "checkpoint_kiosk_missing", "Links of its chain that have not come.", label,
            [((k.id,), missing[k.witness]) for k in kiosks],
        )  # fmt: skip

    def _terminals(self) -> Iterable[Metric]:
        tally = self._house.terminals
        if tally is None:
            return
        yield _gauge("checkpoint_terminal_connections", "Connections of truck terminals.", (), [((), tally.connections)])
        yield _gauge("checkpoint_terminals", "Truck terminals that have proved themselves.", (), [((), tally.authenticated)])
        told = [((kind,), float(count)) for kind, count in tally.messages.copy().items()]
        yield _counter("checkpoint_terminal_messages", "Messages of truck terminals.", ("kind",), told)
        acknowledged = [((), float(tally.acknowledged))]
        yield _counter("checkpoint_terminal_acknowledged", "Of those with positions: acknowledged.", (), acknowledged)
        refused = [((why,), float(count)) for why, count in tally.refused.copy().items()]
        yield _counter("checkpoint_terminal_refused", "What the gateway did not take, by why.", ("why",), refused)

    def _chores(self) -> Iterable[Metric]:
        reports = self._house.chores.reports()
        ran = [((r.name,), r.last_run.timestamp()) for r in reports if r.last_run is not None]
        yield _gauge("checkpoint_chore_last_run_timestamp_seconds", "When a chore last went well.", ("chore",), ran)
        failures = [((r.name,), float(r.failures)) for r in reports]
        yield _gauge("checkpoint_chore_failures", "Failures since it last went well.", ("chore",), failures)


def _gauge(name: str, help_: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, help_: str, labels: tuple[str, ...], samples: _Samples) -> Metric:
    family = CounterMetricFamily(name, help_, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
