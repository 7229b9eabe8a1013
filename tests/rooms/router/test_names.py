"""A room's address, letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from rooms.link.protocol import Request
from tests.rooms.router.doors import open_door
from tests.wire import WITHIN

if TYPE_CHECKING:
    from tests.rooms.router.doors import Door


async def status(door: Door, kind: str, session: str) -> int:
    async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=WITHIN) as client:
        return (await client.get(f"/rooms/{kind}/{session}")).status_code


@pytest.mark.parametrize("session", ["x", "0", "Quiz-7", "a._:~-", "a" * 128])
async def test_a_session_that_may_be(door: Door, session: str) -> None:  # [NAME1]
    assert await status(door, "counter", session) == 200
    (asked,) = door.host.all(Request)
    assert (asked.kind, asked.session) == ("counter", session)


@pytest.mark.parametrize(
    "session", ["-x", "_x", ".x", "~x", ":x", "a b", "a@b", "ä", "a" * 129, "x%0A"]
)
async def test_a_session_that_may_not(door: Door, session: str) -> None:  # [NAME1] [NAME2]
    assert await status(door, "counter", session) == 404
    assert not door.host.all(Request)


@pytest.mark.parametrize(("kind", "known"), [("a.b_c-1", 200), ("a:b", 404), ("a~b", 404)])
async def test_a_kind_has_neither_colon_nor_tilde(kind: str, known: int) -> None:  # [NAME1]
    async with open_door(kinds={kind: False}) as door:
        assert await status(door, kind, "x") == known
