"""After which close codes the façade stays away."""

from __future__ import annotations

import pytest

from rooms.errors import CloseCode, Closing
from tests.client.world import World

FOR_GOOD = (1008, 1009, 4400, 4403, 4404, 4409, 4410)
TEN_MINUTES = 600_000


@pytest.mark.parametrize("code", FOR_GOOD)
@pytest.mark.parametrize("announced", [True, False])
async def test_it_does_not_come_back(code: int, announced: bool) -> None:  # [CLOSE2]
    world = await World().joined()
    if announced:
        told = {"type": "room.closing", "code": code, "reason": "no", "retry_after": None}
        world.socket.deliver(told)
    world.socket.drop(code, "no")
    await world.time.advance(TEN_MINUTES)
    assert len(world.sockets) == 1
    assert world.state() == "closed"
    assert world.room.closing is not None
    assert world.room.closing.code == code


def test_the_server_says_the_same() -> None:  # [CLOSE1] [CLOSE2]
    stay = {code for code in CloseCode if not code.come_back}
    assert stay == {*FOR_GOOD, CloseCode.UNAUTHENTICATED}
    assert all(Closing(code, "").retry_after is None for code in stay)
    assert all(Closing(code, "").retry_after for code in set(CloseCode) - stay)
