"""The token that `rooms dev` hands to pages of its own machine, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from rooms.host.clock import elapsed
from rooms.pace import Pace
from rooms.router.limits import Limits
from rooms.router.router import Router
from rooms.router.tokens import Tokens
from tests.rooms.router.doors import NOW, SECRET, Door, open_door

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/rooms/-/token"


def router(tmp_path: Path, *, development: bool) -> Router:
    return Router(
        secret=SECRET,
        now=lambda: NOW,
        pace=Pace(elapsed),
        limits=Limits(),
        pages=None,
        facade=tmp_path,
        development=development,
    )


HERE = "http://127.0.0.1:1999"


async def ask(
    router: Router, *, client: str = "127.0.0.1", base: str = HERE, **headers: str
) -> httpx.Response:
    transport = httpx.ASGITransport(router.app, client=(client, 50_000))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=named) as http:
        return await http.get(PATH)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:1999", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"base": "http://localhost:1999", "client": "::1"},
    ],
)
async def test_a_page_of_this_machine_gets_an_operators_token(  # [ADMIN11]
    tmp_path: Path, headers: dict[str, str]
) -> None:
    answer = await ask(router(tmp_path, development=True), **headers)
    assert answer.status_code == 200
    Tokens(SECRET).check_operator(answer.json()["token"], NOW)
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"client": "192.168.1.7"},
        {"base": "http://192.168.1.2:1999"},
        {"base": "http://rebound.example:1999"},
        {"base": "http://rebound.example:1999", "origin": "http://rebound.example:1999"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"x_forwarded_for": "192.168.1.7"},
        {"forwarded": "for=192.168.1.7"},
        {"via": "1.1 tunnel"},
        {"host": "[", "origin": "http://["},
    ],
)
async def test_nobody_else_does(tmp_path: Path, headers: dict[str, str]) -> None:  # [ADMIN11]
    answer = await ask(router(tmp_path, development=True), **headers)
    assert answer.status_code == 403
    assert "token" not in answer.json()


async def test_a_server_that_is_not_being_developed_has_no_such_thing(  # [ADMIN11]
    tmp_path: Path,
) -> None:
    answer = await ask(router(tmp_path, development=False))
    assert answer.status_code == 401
    assert "token" not in answer.json()
    async with open_door() as door:
        opened: Door = door
        async with httpx.AsyncClient(base_url=opened.url, trust_env=False) as http:
            assert (await http.get(PATH)).status_code == 401
