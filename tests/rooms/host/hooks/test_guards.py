"""Guards of hooks that no world needs, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.hooks import connection
from rooms.host import requests
from rooms.host.hooks import session, shown
from rooms.host.hooks.call import Call
from rooms.host.hooks.session import HookSession
from rooms.host.host import Host
from rooms.host.room import LiveRoom
from rooms.sync import party
from rooms.sync.fanout import Fanout
from tests.guards import Guards
from tests.rooms.host.hooks import test_session as hooks
from tests.sim.mutants import edited

GUARDS = Guards()


@GUARDS.seen_by(hooks.test_the_rules_of_the_door_hold_for_hooks_too)
def hooks_hear_everything(swap: Any) -> None:
    """A hook hears what its room doesn't allow."""
    edited(swap, HookSession, "_message", "refused = door.judge(", "refused = None and door.judge(")


@GUARDS.seen_by(hooks.test_what_a_hook_that_raises_wrote_and_sent_is_dropped)
def states_of_a_failed_hook(swap: Any) -> None:
    """What a hook that raised made of a connection stays."""
    swap(Call, "undo", lambda self: None)


@GUARDS.seen_by(hooks.test_what_changes_nothing_stored_makes_no_revision)
def a_revision_for_each_call(swap: Any) -> None:
    """Each call of a hook makes a revision."""
    edited(swap, HookSession, "_done", "if changed:", "if True:")


@GUARDS.seen_by(hooks.test_a_connection_that_goes_while_its_room_sleeps_is_closed_too)
def gone_in_its_sleep(swap: Any) -> None:
    """Nobody hears of a connection that goes while its room sleeps."""
    edited(swap, HookSession, "_leave", "connection is None and channel.kept is not None", "False")


@GUARDS.seen_by(hooks.test_a_hook_that_takes_too_long_has_failed)
def hooks_for_ever(swap: Any) -> None:
    """A hook may take as long as it likes."""
    swap(session, "LONGEST", 1e6)


@GUARDS.seen_by(hooks.test_an_answer_that_isnt_json_rejects_its_event)
def any_answer(swap: Any) -> None:
    """A hook's answer may be what can't be told."""
    edited(swap, HookSession, "_refused", "return _unsendable(result)", "return None")


@GUARDS.seen_by(hooks.test_a_storage_that_would_be_too_big_refuses_its_event_alone)
def storages_of_any_size(swap: Any) -> None:
    """A room without a machine keeps as much as it likes."""
    edited(swap, HookSession, "_refused", "if size > most and size > self.kept.size:", "if False:")


# -------------------------------------------------------------------------------- what it says


@GUARDS.seen_by(hooks.test_text_and_bytes_are_events_where_there_are_only_events, codec="json")
def bytes_as_text(swap: Any) -> None:
    """Bytes are told as text where there are only events."""
    old = '"base64": base64.b64encode(said).decode()'
    edited(swap, connection, "enveloped", old, '"data": said.decode(errors="replace")')


@GUARDS.seen_by(hooks.test_at_parties_text_and_bytes_are_as_they_are)
def shown_at_parties(swap: Any) -> None:
    """At `/parties` a room without a machine has snapshots."""
    edited(swap, Host, "_attach", 'attach.codec == "party" and ', "None and ")


@GUARDS.seen_by(hooks.test_at_parties_text_and_bytes_are_as_they_are)
def events_in_words_of_ours(swap: Any) -> None:
    """At `/parties` a room's own words are told as on the wire."""
    old = 'party.raw(raw) if codec == "raw" else encode(message, codec)'
    edited(swap, Fanout, "send", old, 'party.TEXT + encode(message, "json")')


@GUARDS.seen_by(hooks.test_at_parties_a_machine_is_seen_as_snapshots_and_patches)
def fields_left_out(swap: Any) -> None:
    """What a view doesn't have, a snapshot at `/parties` hasn't either."""
    edited(swap, party, "encode_view", "{**_FIELDS, **view}", "view")


@GUARDS.seen_by(hooks.test_at_parties_a_machine_is_seen_as_snapshots_and_patches)
def refused_and_closed(swap: Any) -> None:
    """Who says at `/parties` what is refused is closed."""
    edited(swap, Host, "_said_in_dialect", 'logger.info("refused at %s: %s", channel.at, refused)',
           "self._rooms.shut(channel, Closing(CloseCode.BAD_MESSAGE, str(refused)))")  # fmt: skip


# -------------------------------------------------------------------------------- alarms, requests


@GUARDS.seen_by(hooks.test_an_alarm_wakes_its_room)
def alarms_for_the_living(swap: Any) -> None:
    """An alarm doesn't wake its room."""
    edited(swap, LiveRoom, "due", "None if stands else session.next_due()", "None")


@GUARDS.seen_by(hooks.test_an_alarm_that_fails_comes_again_and_is_given_up)
def alarms_once(swap: Any) -> None:
    """An alarm whose hook raises is over."""
    edited(swap, HookSession, "_rang", "self._retry(alarm, error, turn.now)",
           "self.kept.alarm = None; self._changed(())")  # fmt: skip


@GUARDS.seen_by(hooks.test_on_request_has_every_plain_request_and_answers_when_it_is_stored)
def requests_for_deeper_paths(swap: Any) -> None:
    """What is asked of the room itself isn't the author's to answer."""
    edited(swap, requests, "read", 'if "on_request" in kind.hooks:', "if False:")


@GUARDS.seen_by(hooks.test_on_request_has_every_plain_request_and_answers_when_it_is_stored)
def answered_before_it_is_stored(swap: Any) -> None:
    """A request is answered before what its hook wrote is stored."""
    old = "turn.told.append(Responded(ask, result))"
    edited(swap, session, "_responded", old, "ask.respond(*result)")


# -------------------------------------------------------------------------------- its view


@GUARDS.seen_by(hooks.test_a_room_that_can_view_its_storage_is_synchronised)
def nothing_to_be_seen(swap: Any) -> None:
    """Whatever view the author gives it, a room without a machine shows nothing."""
    edited(swap, HookSession, "__init__", "type(room).view is not public", "False")


@GUARDS.seen_by(hooks.test_a_room_that_can_view_its_storage_is_synchronised)
def seen_as_it_woke(swap: Any) -> None:
    """What is written isn't seen before the room wakes anew."""
    edited(swap, shown, "following", "for key in changed:", "for key in ():")
    swap(session, "following", shown.following)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
