"""Metrics: what a process has counted, as Prometheus reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from rooms.link.stream import Traffic
from rooms.tally import Histogram
from tests.rooms.router.doors import open_door

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from rooms import metrics


def samples(page: bytes | str) -> dict[str, float]:
    """Each sample's value, by its name and labels."""
    text = page if isinstance(page, str) else page.decode()
    return {
        _name(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _name(name: str, labels: Mapping[str, str]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in sorted(labels.items()))])


async def test_what_is_refused_at_the_door_is_counted() -> None:
    async with open_door() as door, httpx.AsyncClient(trust_env=False) as client:
        read = metrics.of_process(None, door.router, Traffic())
        await client.get(f"{door.url}/rooms/nosuch/x")
        said = samples(read())
        assert said["rooms_refused_total"] == 1
        assert said["rooms_linked_hosts"] == 1
        assert said["rooms_connections"] == 0
        assert said["rooms_link_sent_bytes_total"] == 0


def test_a_histogram_counts_what_is_at_most_a_bound() -> None:
    lasted = Histogram((1, 10))
    for value in (0, 1, 1.5, 10, 11):
        lasted.add(value)
    assert lasted.counts == [2, 2, 1]
    assert lasted.total == 23.5


def test_the_pages_of_several_processes_are_one() -> None:  # [METRIC3]
    page = '# TYPE rooms_events counter\nrooms_events_total{outcome="accepted"} 2.0\n'
    merged = metrics.of_fleet({"host-1": page, "host-2": page}, {"host": 2, "router": 1})
    assert merged.count(b"# TYPE rooms_events_total counter") == 1
    said = samples(merged)
    assert said["rooms_events_total outcome=accepted process=host-1"] == 2
    assert said["rooms_events_total outcome=accepted process=host-2"] == 2
    assert said["rooms_processes role=router"] == 1
