"""Metrics in Prometheus' text format: what the parts of a process have counted, read when asked.

In: the host and the router of this process, or what the processes of a fleet say of themselves.
Out: one page of text. Loaded only where somebody asks for metrics.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rooms.host.host import Host
    from rooms.link.stream import Traffic
    from rooms.router.router import Router
    from rooms.tally import Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Reading:
    """A collector: families that are made anew each time."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()

    def describe(self) -> Iterable[Metric]:
        return ()  # else they would be read for their names


def of_process(
    host: Host | None = None, router: Router | None = None, traffic: Traffic | None = None
) -> Callable[[], bytes]:
    """What gives the metrics of this process, which has these parts; `traffic` is its links'."""

    def read() -> Iterator[Metric]:
        if host is not None:
            yield from _host(host)
        if router is not None:
            yield from _router(router)
        if traffic is not None:
            yield from _links(traffic)

    registry = CollectorRegistry()
    registry.register(_Reading(read))
    ProcessCollector(registry=registry)
    return lambda: _page(registry)


def of_fleet(pages: Mapping[str, str], up: Mapping[str, int]) -> bytes:
    """The metrics of several processes as one page, each sample with its `process`; `up` are how
    many of each role are ready.
    """

    def read() -> Iterator[Metric]:
        ready = GaugeMetricFamily("rooms_processes", "Processes that are ready.", labels=["role"])
        yield _each(ready, up)
        families: dict[str, Metric] = {}
        for process, page in pages.items():
            for family in text_string_to_metric_families(page):
                name, said = family.name, family.documentation
                merged = families.setdefault(name, Metric(name, said, family.type))
                for sample in family.samples:
                    labels = {**sample.labels, "process": process}
                    merged.add_sample(sample.name, labels, sample.value)
        yield from families.values()

    registry = CollectorRegistry()
    registry.register(_Reading(read))
    return _page(registry)


def _page(registry: CollectorRegistry) -> bytes:
    page: bytes = generate_latest(registry)
    return page


# ------------------------------------------------------------------ the parts


def _host(host: Host) -> Iterator[Metric]:
    tally = host.tally
    kinds = dict.fromkeys(host.kinds, 0)
    for id in host.live():
        kinds[id.kind] += 1
    yield _each(GaugeMetricFamily("rooms_live", "Rooms in memory.", labels=["kind"]), kinds)
    events = CounterMetricFamily("rooms_events", "Events, by outcome.", labels=["outcome"])
    yield _each(events, tally.events)
    yield _seconds("rooms_commit_seconds", "From a commit to the store's answer.", tally.commits)
    yield _histogram("rooms_commit_group", "Sessions that one commit is for.", tally.groups)
    yield _counter("rooms_commits_failed", "Sessions whose commit failed.", tally.failed_commits)
    yield _seconds("rooms_wake_seconds", "From the wish to the live room.", tally.wakes)
    yield _counter("rooms_dropped", "Rooms that had to be loaded again.", tally.drops)
    yield _seconds("rooms_timer_late_seconds", "How late timers fired.", tally.lateness)
    yield _counter("rooms_fanouts", "Views made for a lane.", tally.fanouts)
    yield _counter("rooms_fanout_bytes", "Bytes of these.", tally.fanout_bytes)
    waiting, dead = host.owed()
    yield _gauge("rooms_outbox_waiting", "Durable effects that live rooms owe.", waiting)
    yield _gauge("rooms_outbox_dead", "Durable effects of live rooms that failed for good.", dead)
    if host.processes is not None:
        isolated = len(host.processes)
        yield _gauge("rooms_isolated", "Rooms that have processes of their own.", isolated)
        said = "Processes of rooms that ended before their rooms slept."
        died = CounterMetricFamily("rooms_isolated_died", said, labels=["cause"])
        yield _each(died, host.processes.deaths.counts)
    yield _gauge("rooms_lease", "1 while the host's lease stands.", int(host.leased))


def _router(router: Router) -> Iterator[Metric]:
    tally = router.tally
    said = "Sockets and streams that have a session."
    yield _gauge("rooms_connections", said, router.connections)
    yield _gauge("rooms_linked_hosts", "Hosts that this router has a link to.", router.hosts)
    yield _counter("rooms_frames", "Frames written to connections.", tally.frames)
    yield _counter("rooms_frame_bytes", "Bytes of these.", tally.frame_bytes)
    yield _counter("rooms_slow_connections", "How often a connection was too slow.", tally.slow)
    yield _counter("rooms_refused", "What was refused at the door.", tally.refused)


def _links(traffic: Traffic) -> Iterator[Metric]:
    yield _counter("rooms_link_sent_bytes", "Bytes sent over links.", traffic.sent)
    yield _counter("rooms_link_received_bytes", "Bytes that came over links.", traffic.received)


def _each(family: GaugeMetricFamily | CounterMetricFamily, numbers: Mapping[str, float]) -> Metric:
    """The family with a number for each value of its label."""
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=value)


def _counter(name: str, said: str, value: float) -> Metric:
    return CounterMetricFamily(name, said, value=value)


def _seconds(name: str, said: str, milliseconds: Histogram) -> Metric:
    return _histogram(name, said, milliseconds, 1000)


def _histogram(name: str, said: str, values: Histogram, per: int = 1) -> Metric:
    bounds = [str(bound / per) for bound in values.bounds] + ["+Inf"]
    buckets = list(zip(bounds, accumulate(values.counts), strict=True))
    return HistogramMetricFamily(name, said, buckets=buckets, sum_value=values.total / per)
