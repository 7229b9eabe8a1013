"""What a host counts while people play, and whether it says that it is ready."""

from __future__ import annotations

import pytest

pytest.importorskip("prometheus_client")

from rooms import metrics
from tests.rooms.host.machines import Clock, Counter
from tests.rooms.host.stage import Stage
from tests.rooms.test_metrics import samples


async def test_what_people_did_is_counted() -> None:  # [METRIC1]
    on = await Stage(counter=Counter, clock=Clock).start()
    read = metrics.of_process(on.host)
    assert samples(read())["rooms_live kind=counter"] == 0
    ann, _bob = await on.connect(), await on.connect("bob")
    await ann.send("increment")
    await ann.send("nonsense")
    said = samples(read())
    assert said["rooms_live kind=counter"] == 1
    assert said["rooms_live kind=clock"] == 0
    assert said["rooms_events_total outcome=accepted"] == 1
    assert said["rooms_events_total outcome=ignored"] == 1
    assert said["rooms_wake_seconds_count"] == 1
    assert said["rooms_commit_seconds_count"] >= 1
    assert said["rooms_commit_group_sum"] >= 1
    assert said["rooms_fanouts_total"] >= 1
    assert said["rooms_fanout_bytes_total"] > said["rooms_fanouts_total"]
    assert said["rooms_lease"] == 1
    assert said["rooms_dropped_total"] == 0
    assert on.routing.tally.frames >= 4  # both were told the view before and after
    await on.advance(60_000)
    assert samples(read())["rooms_live kind=counter"] == 0


async def test_a_host_that_drains_is_not_ready() -> None:  # [METRIC2]
    on = await Stage(counter=Counter).start()
    assert on.host.state == "ready"
    await on.host.drain()
    assert on.host.state == "draining"


async def test_a_host_without_a_lease_is_not_ready() -> None:  # [METRIC2]
    on = await Stage(counter=Counter).start()
    on.store.die()
    await on.advance(10_000)
    assert on.host.state == "no lease"
    assert samples(metrics.of_process(on.host)())["rooms_lease"] == 0
