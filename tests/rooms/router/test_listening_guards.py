"""Guards of plain connections, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.router.listening import Requests
from tests.guards import Guards
from tests.rooms.router import test_listening as plain
from tests.sim.mutants import edited

GUARDS = Guards()


@GUARDS.seen_by(plain.test_a_body_that_gets_on_may_take_its_time)
def never_hung_up_on(swap: Any) -> None:
    """Who sends nothing more is waited for as long as it likes."""
    edited(swap, Requests, "_look", "awaited is not None and ", "None and ")


@GUARDS.seen_by(plain.test_a_byte_now_and_then_makes_no_head_whole)
def heads_in_drops(swap: Any) -> None:
    """A head that gets on may take as long as it likes."""
    edited(swap, Requests, "_look", 'self.cycle, "head"', "self.cycle, self._received")


@GUARDS.seen_by(plain.test_a_body_that_gets_on_may_take_its_time)
def bodies_at_once(swap: Any) -> None:
    """A body that gets on is hung up on as one that doesn't."""
    edited(swap, Requests, "_look", "self.cycle, self._received", 'self.cycle, "body"')


@GUARDS.seen_by(plain.test_who_has_gone_over_to_a_socket_is_watched_no_more)
def watched_for_ever(swap: Any) -> None:
    """It is looked again and again whether an open socket is a request that isn't whole."""
    edited(swap, Requests, "handle_websocket_upgrade", "self._forget()", "self")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
