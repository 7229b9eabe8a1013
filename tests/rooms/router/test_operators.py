"""The operator's door: who is let through, and what the host is then asked."""

from __future__ import annotations

import httpx
import pytest

from rooms.link.protocol import Attach, Request
from rooms.router.tokens import Tokens
from tests.rooms.router.doors import NOW, SECRET, Door
from tests.wire import WITHIN, dial

OPERATOR = {"Authorization": f"Bearer {Tokens(SECRET).issue_operator(NOW)}"}
VIEWER = {"Authorization": f"Bearer {Tokens(SECRET).issue('ada', NOW)}"}
FORGED = {"Authorization": f"Bearer {Tokens(b't' * 32).issue_operator(NOW)}"}
PATHS = [
    ("GET", "/rooms/-/sessions"),
    ("GET", "/rooms/-/anything"),
    ("GET", "/rooms/-/sessions/counter/x"),
    ("POST", "/rooms/-/sessions/counter/x"),
    ("PUT", "/rooms/-/sessions/counter/x"),
    ("DELETE", "/rooms/-/sessions/counter/x"),
    ("GET", "/rooms/-/sessions/counter/x/export"),
]


async def fetch(door: Door, method: str, path: str, **more: object) -> httpx.Response:
    async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=WITHIN) as client:
        return await client.request(method, path, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nobody_but_an_operator_is_let_through(  # [ADMIN1]
    door: Door, method: str, path: str
) -> None:
    query = {"token": Tokens(SECRET).issue_operator(NOW)}
    assert (await fetch(door, method, path)).status_code == 401
    assert (await fetch(door, method, path, params=query)).status_code == 401
    assert (await fetch(door, method, path, headers=FORGED)).status_code == 401
    assert (await fetch(door, method, path, headers=VIEWER)).status_code == 403
    assert door.host.heard == []
    assert (await fetch(door, method, path, headers=OPERATOR)).status_code == 200
    [request] = door.host.all(Request)
    assert request.operator


async def test_what_an_operator_asks_goes_to_the_host(door: Door) -> None:  # [ADMIN2]
    await fetch(door, "GET", "/rooms/-/sessions?kind=counter", headers=OPERATOR)
    await fetch(door, "PUT", "/rooms/-/sessions/gone/x", headers=OPERATOR, content=b"x" * 100_000)
    await fetch(door, "GET", "/rooms/-/sessions/counter/x/export", headers=OPERATOR)
    listing, importing, export = door.host.all(Request)
    assert (listing.kind, listing.session, listing.path) == ("", "", "/sessions")
    assert listing.params == {"kind": "counter"}
    assert (importing.kind, importing.session, importing.path) == ("gone", "x", "")
    assert len(importing.body) == 100_000
    assert (export.kind, export.session, export.path) == ("counter", "x", "/export")


async def test_a_viewers_request_is_never_an_operators(door: Door) -> None:  # [ADMIN1]
    await fetch(door, "GET", "/rooms/counter/x", headers=VIEWER)
    assert (await fetch(door, "GET", "/rooms/counter/x", headers=OPERATOR)).status_code == 401
    [request] = door.host.all(Request)
    assert not request.operator


async def test_a_watcher_attaches_as_an_operator(door: Door) -> None:  # [ADMIN4]
    path = door.url + "/rooms/-/sessions/counter/x"
    async with await dial(path, {"as": "ada", "role": "dealer"}, headers=OPERATOR) as wire:
        await wire.expect("room.you")
        [attach] = door.host.all(Attach)
        assert (attach.operator, attach.create) == (True, False)
        assert attach.viewer == {"id": "ada", "role": "dealer", "claims": {}}
        assert attach.renewed is None


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("counter/x", {}, 4401),
        ("counter/x", FORGED, 4401),
        ("counter/x", VIEWER, 4403),
        ("counter/x", {**OPERATOR, "Origin": "https://elsewhere.example"}, 4403),
        ("nosuch/x", OPERATOR, 4404),
        ("counter/:", OPERATOR, 4404),
    ],
)
async def test_nobody_else_watches(  # [ADMIN1]
    door: Door, path: str, headers: dict[str, str], code: int
) -> None:
    url = f"{door.url}/rooms/-/sessions/{path}"
    wire = await dial(url, {"token": Tokens(SECRET).issue_operator(NOW)}, headers=headers)
    assert (await wire.refused())["code"] == code
    assert door.host.heard == []


async def test_a_viewers_connection_is_never_an_operators(door: Door) -> None:  # [ADMIN1]
    token = Tokens(SECRET).issue_operator(NOW)
    wire = await dial(door.room(), {"token": token}, headers=OPERATOR)
    assert (await wire.refused())["code"] == 4401
    async with await dial(door.room(), headers=OPERATOR) as plain:
        await plain.expect("room.you")
        [attach] = door.host.all(Attach)
        assert not attach.operator
