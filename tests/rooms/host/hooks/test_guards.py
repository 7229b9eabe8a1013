"""Guards of hooks that no world needs, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.host.hooks import session
from rooms.host.hooks.call import Call
from rooms.host.hooks.session import HookSession
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


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
