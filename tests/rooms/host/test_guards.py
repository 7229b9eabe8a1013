"""Guards that no world of the simulation needs, each switched off: the test of its rule sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rooms.definition import Room
from rooms.host import attendance, claims, door, presence
from rooms.host.alarms import Alarms
from rooms.host.channels import Heard
from rooms.host.claims import Claims
from rooms.host.endings import Endings
from rooms.host.host import Host
from rooms.host.keeper import RoomKeeper
from rooms.host.lease import Lease
from rooms.host.links import Links
from rooms.host.presence import Presence
from rooms.host.room import LiveRoom
from rooms.store.memory import MemoryStore
from tests.guards import Guards
from tests.rooms.host import test_expiry as expiry
from tests.rooms.host import test_fleet as fleet
from tests.rooms.host import test_host as hosts
from tests.rooms.host import test_listing as listing
from tests.rooms.host import test_recall as recall
from tests.rooms.host import test_seating as seating
from tests.rooms.host import test_sleep as sleep
from tests.rooms.host import test_volatile as volatile
from tests.sim.mutants import edited

GUARDS = Guards()


# -------------------------------------------------------------------------------- volatile events


@GUARDS.seen_by(volatile.test_it_reaches_no_machine_and_no_store_and_waits_for_none)
def volatile_as_any_event(swap: Any) -> None:
    """A volatile event is taken by a turn, and stored with it."""

    def take(self: Any, channel: Any, event: Any) -> None:
        self._mailbox.append(Heard(channel, event))
        self._schedule()

    swap(LiveRoom, "_cast", take)
    swap(door, "judge", lambda *_: None)


@GUARDS.seen_by(volatile.test_what_is_said_before_one_is_let_in_is_told_after_it)
def told_before_let_in(swap: Any) -> None:
    """A volatile event is told though its sender isn't let in yet."""
    hear = Host._hear

    def pass_on(self: Any, channel: Any, item: Any) -> None:
        room = self._rooms.live.get(channel.at)
        if room is not None and channel.viewer is not None and item.message["type"] == "cursor":
            room.put(item)
        else:
            hear(self, channel, item)

    def tell(self: Any) -> None:
        said, self._said = self._said, {}
        self._tell({name: message for name, (_, message) in said.items()}, None)

    swap(Host, "_hear", pass_on)
    swap(Presence, "_tell_said", tell)


@GUARDS.seen_by(volatile.test_the_latest_counts_at_most_60_times_a_second)
def volatile_uncapped(swap: Any) -> None:
    """Volatile events are told as often as they come."""
    swap(presence, "EVERY", 0.0)


@GUARDS.seen_by(volatile.test_who_may_not_see_its_sender_is_told_nothing)
def volatile_to_everybody(swap: Any) -> None:
    """Volatile events are told to those, too, who may not see their sender."""
    swap(Presence, "_sees", lambda *_: True)


@GUARDS.seen_by(volatile.test_it_is_judged_as_any_event)
def volatile_unjudged(swap: Any) -> None:
    """Everybody may send a volatile event, of any shape."""
    swap(door, "judge_volatile", lambda *_: None)


# -------------------------------------------------------------------------------- TTL


@GUARDS.seen_by(expiry.test_who_comes_first_keeps_it)
def awake_deleted(swap: Any) -> None:
    """What expired is deleted though somebody has woken it since."""
    swap(RoomKeeper, "asleep", lambda self, id: True)
    _expire_unchecked(swap)


@GUARDS.seen_by(expiry.test_what_was_read_as_expired_and_changed_meanwhile_is_kept)
def changed_deleted(swap: Any) -> None:
    """What was read as expired is deleted though it has changed since."""
    _expire_unchecked(swap)


def _expire_unchecked(swap: Any) -> None:
    async def expire(self: Any, id: Any) -> bool:
        if not self._rooms.asleep(id):
            return False
        async with self._rooms.between(id):
            return bool(await self._delete(id))

    swap(Endings, "expire", expire)


@GUARDS.seen_by(expiry.test_another_hosts_session_is_not_deleted)
def deleted_whoever_owns_it(swap: Any) -> None:
    """The sweep deletes without comparing who owns the session."""
    delete = MemoryStore.delete
    swap(MemoryStore, "delete", lambda self, id, owner=None: delete(self, id))


@GUARDS.seen_by(expiry.test_an_open_connection_keeps_its_session)
def watched_deleted(swap: Any) -> None:
    """A session is deleted though somebody is connected to it."""
    swap(Endings, "postpone", lambda self, room: None)


# -------------------------------------------------------------------------------- who may what


@GUARDS.seen_by(recall.test_only_those_look_back_whom_the_room_lets)
def history_for_everybody(swap: Any) -> None:
    """Whoever may watch may look back."""
    swap(door, "look_back", lambda *_: None)


@GUARDS.seen_by(listing.test_rooms_show_what_the_default_view_does_and_none_wakes)
def all_is_listed(swap: Any) -> None:
    """The list shows the whole context of a room."""

    def listing(self: Any, snapshot: Any) -> Any:
        return {"value": snapshot.value, "tags": sorted(snapshot.tags), "status": snapshot.status,
                "public": snapshot.context}  # fmt: skip

    swap(Room, "listing", listing)


@GUARDS.seen_by(seating.test_who_only_watches_can_send_nothing)
def watchers_send(swap: Any) -> None:
    """Who only watches may send what others may."""
    judge = door.judge_volatile

    def judge_all(room: Any, viewer: Any, *more: Any) -> Any:
        watches = viewer.role in room.read_only
        return judge(room, replace(viewer, role="player") if watches else viewer, *more)

    swap(door, "judge_volatile", judge_all)


@GUARDS.seen_by(seating.test_who_only_watches_takes_no_seat)
def watchers_sit(swap: Any) -> None:
    """Who only watches has a seat like others."""

    def sit(self: Any, channel: Any, viewer: Any) -> Any:
        channel.seated = True
        return self.seats.connect(viewer)

    swap(attendance, "sit", sit)


@GUARDS.seen_by(seating.test_where_a_viewer_has_one_connection_a_newer_one_takes_over)
def older_connections_stay(swap: Any) -> None:
    """A viewer of a room that has one connection of each keeps the older ones."""
    take_over = attendance.take_over

    def keep(self: Any, older: Any, turn: Any) -> None:
        if self.room.several != "takeover":
            take_over(self, older, turn)

    swap(attendance, "take_over", keep)


# -------------------------------------------------------------------------------- several hosts


@GUARDS.seen_by(fleet.test_a_session_of_another_version_goes_to_a_host_that_has_it)
def version_not_looked_for(swap: Any) -> None:
    """Whether another host can restore a session isn't asked."""

    async def nowhere(self: Any, id: Any, version: str) -> None:
        return

    swap(Claims, "_find_version", nowhere)


@GUARDS.seen_by(fleet.test_a_fan_out_crosses_each_link_once)
def fanned_out_to_each(swap: Any) -> None:
    """A fan-out crosses a link once for each connection."""
    edited(swap, Links, "_send_lane", "end.send(message)",
           "[end.send(message) for _ in range(self._lanes[lane][end])]")  # fmt: skip


@GUARDS.seen_by(fleet.test_a_due_session_wakes_at_its_place_and_nobody_else_asks_for_it)
def everybody_wakes_what_is_due(swap: Any) -> None:
    """Each host wakes what is due, wherever that is placed."""
    edited(swap, Alarms, "_look", "if ripe else frozenset()", "if False else frozenset()")


@GUARDS.seen_by(fleet.test_where_its_place_fails_a_due_session_wakes_elsewhere)
def left_to_its_place_for_ever(swap: Any) -> None:
    """What is due waits for the host where it is placed, whether or not that wakes it."""
    edited(swap, Alarms, "_look", "ripe - self._left", "ripe")


@GUARDS.seen_by(fleet.test_it_says_first_that_it_leaves_and_announces_it)
def leaves_without_a_word(swap: Any) -> None:
    """A host that leaves goes on to announce itself."""
    edited(swap, Lease, "leave", "leaving=True", "")


@GUARDS.seen_by(fleet.test_who_waits_at_a_leaving_host_that_lost_the_store_goes_on)
def leaves_with_whom_it_let_wait(swap: Any) -> None:
    """A host that leaves turns away who waits for a store that it can't reach."""
    out = 'Closing(CloseCode.OVERLOADED, "this room is out of reach")'
    edited(swap, Claims, "_acquired", "raise NotHere(None)", f"raise {out}")


@GUARDS.seen_by(hosts.test_a_draining_host_takes_nothing_new)
def leaving_host_takes_sessions(swap: Any) -> None:
    """A host that leaves takes what is put before it."""
    edited(swap, RoomKeeper, "put", "elif self.draining:", "elif False:")


@GUARDS.seen_by(fleet.test_a_killed_host_costs_no_socket_and_no_event)
def deaths_not_believed(swap: Any) -> None:
    """Though a host's death is certified, its sessions wait for the end of its lease."""
    edited(swap, MemoryStore, "retire", "self._leases.end(incarnation)", "incarnation")


@GUARDS.seen_by(hosts.test_a_host_whose_heartbeats_fail_stops_before_another_may_take_over)
def former_ones_stay(swap: Any) -> None:
    """What a host's lost incarnation owned waits for the end of that one's lease."""
    edited(swap, Lease, "_heartbeat", "while self._former:", "while False:")


@GUARDS.seen_by(sleep.test_a_store_that_is_away_for_a_while_costs_no_socket)
def store_asked_once(swap: Any) -> None:
    """Who needs a session that the store can't be asked for is turned away at once."""
    swap(claims, "REACHED_WITHIN", 0)


@GUARDS.seen_by(sleep.test_who_waits_too_long_for_the_store_is_told_to_come_back)
def store_waited_for_for_ever(swap: Any) -> None:
    """Who needs a session that the store can't be asked for waits for ever."""
    swap(claims, "REACHED_WITHIN", 1 << 30)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
