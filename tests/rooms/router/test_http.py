"""Plain HTTP at the door, before a host that a test speaks for: rooms, health, pages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rooms.link.protocol import Request
from rooms.router import http
from rooms.router.limits import Limits
from rooms.router.tokens import Tokens
from tests.rooms.router.doors import NOW, SECRET, Door, open_door
from tests.wire import WITHIN, dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def asking(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=WITHIN) as client:
        yield client


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(door) as client:
        yield client


# ---------------------------------------------------------------------- rooms


async def test_a_request_goes_to_the_host_as_it_is(door: Door, client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/rooms/counter/x?create=0&note=1&client=" + "c" * 22, content=b'{"type":"a"}', headers=JSON
    )
    assert answer.status_code == 200
    assert answer.json() == {"method": "POST", "path": ""}
    assert answer.headers["etag"] == '"n.1"'
    assert answer.headers["cache-control"] == "no-cache"
    (request,) = door.host.all(Request)
    assert (request.kind, request.session, request.body) == ("counter", "x", b'{"type":"a"}')
    assert request.create is False
    assert request.params == {"create": "0", "note": "1"}
    assert request.headers["content-type"] == "application/json"


async def test_a_kind_is_asked_for_its_rooms(  # [LIST1]
    door: Door, client: httpx.AsyncClient
) -> None:
    answer = await client.get("/rooms/counter?state=lobby&where.language=de")
    assert answer.status_code == 200
    [request] = door.host.all(Request)
    assert (request.kind, request.session, request.path) == ("counter", "", "")
    assert request.params == {"state": "lobby", "where.language": "de"}
    assert not request.operator
    assert (await client.get("/rooms/nosuch")).status_code == 404
    assert (await client.get("/rooms/counter/")).status_code == 404
    assert (await client.post("/rooms/counter")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_other_methods_and_deeper_paths_go_there_too(
    door: Door, client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/rooms/counter/x/deeper/still")
    assert answer.json() == {"method": method, "path": "/deeper/still"}


async def test_who_asks_what_may_be_asked_is_told(door: Door, client: httpx.AsyncClient) -> None:
    answer = await client.options("/rooms/counter/x")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "POST" in answer.headers["allow"]
    assert "access-control-allow-origin" not in answer.headers
    assert door.host.heard == []


async def test_an_answers_lines_are_headers_each(  # [HTTP5]
    door: Door, client: httpx.AsyncClient
) -> None:
    door.host.headers = {"set-cookie": "one=1\ntwo=2", "cache-control": "no-store"}
    answer = await client.get("/rooms/counter/x")
    assert answer.headers.get_list("set-cookie") == ["one=1", "two=2"]
    assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/rooms/counter/x")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == '"n.1"'


REFUSED: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "unknown kind": ("GET", "/rooms/chess/x", {}, 404),
    "bad session": ("GET", "/rooms/counter/-x", {}, 404),
    "odd cursor": ("GET", "/rooms/counter/x?cursor=%20", {}, 400),
    "huge since": ("GET", "/rooms/counter/x?since=9999999999999999", {}, 400),
    "bad token": ("GET", "/rooms/counter/x", {"headers": {"Authorization": "Bearer x"}}, 401),
    "a key that others would take, too": (
        "GET",
        "/rooms/counter/x",
        {"headers": {"Idempotency-Key": "k" * 15}},
        400,
    ),
    "too big": ("POST", "/rooms/counter/x", {"content": b"x" * 65_537, "headers": JSON}, 413),
    "too much of a head": ("GET", "/rooms/counter/x", {"headers": {"X": "x" * 32_768}}, 413),
    "foreign origin": (
        "POST",
        "/rooms/counter/x",
        {"content": b"{}", "headers": {**JSON, "Origin": "http://evil.example"}},
        403,
    ),
    "a list of rooms": ("GET", "/rooms", {}, 404),
    "a kind that nobody knows": ("GET", "/rooms/nosuch", {}, 404),
    "parties": ("GET", "/parties/main/x", {}, 404),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_gets_its_status(  # [NAME2] [OPEN4] [DOOR14] [HTTP3] [HTTP4]
    tmp_path: Path, case: str
) -> None:
    method, path, more, status = REFUSED[case]
    (tmp_path / "index.html").write_text("home")
    async with open_door(pages=tmp_path) as door, asking(door) as client:
        answer = await client.request(method, path, **more)
        assert answer.status_code == status
        assert answer.json()["reason"]
        assert door.host.heard == []


async def test_a_body_without_a_length_is_measured_as_it_comes(
    door: Door, client: httpx.AsyncClient
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1000

    answer = await client.post("/rooms/counter/x", content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert door.host.heard == []


async def test_who_asks(door: Door, client: httpx.AsyncClient) -> None:  # [ID1] [ID2] [HTTP3]
    token = Tokens(SECRET).issue("ada", NOW)
    queries: list[tuple[str, dict[str, str]]] = [
        ("", {"Authorization": f"Bearer {token}"}),
        (f"?token={token}", {}),
        ("?client=" + "c" * 22, {}),
        ("?client=" + "c" * 22, {}),
        ("", {"Idempotency-Key": "k" * 16}),
        ("", {"Idempotency-Key": "k" * 16}),
        ("", {}),
        ("", {}),
    ]
    for query, headers in queries:
        await client.get(f"/rooms/counter/x{query}", headers=headers)
    bearer, in_query, client1, client2, key1, key2, fresh1, fresh2 = (
        request.viewer["id"] for request in door.host.all(Request)
    )
    assert bearer == in_query == "ada"
    assert client1 == client2
    assert key1 == key2
    assert len({bearer, client1, key1, fresh1, fresh2}) == 5


async def test_a_viewers_own_key_may_be_short(  # [HTTP3]
    door: Door, client: httpx.AsyncClient
) -> None:
    token = Tokens(SECRET).issue("ada", NOW)
    for query in (f"?token={token}", "?client=" + "c" * 22):
        answer = await client.get(f"/rooms/counter/x{query}", headers={"Idempotency-Key": "1"})
        assert answer.status_code == 200


async def test_a_room_that_doesnt_answer_in_time_is_out_of_reach(
    door: Door, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_ANSWER_WITHIN", 0.05)
    monkeypatch.setattr(door.host, "_on_message", None)
    door.host.end.listen(lambda message: None)
    answer = await client.get("/rooms/counter/x")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


async def test_pages_of_a_named_origin_may_use_it_from_elsewhere() -> None:
    origin = "https://game.example"
    async with open_door(origins=frozenset({origin})) as door, asking(door) as client:
        answer = await client.post(
            "/rooms/counter/x", content=b"{}", headers={**JSON, "Origin": origin}
        )
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["access-control-expose-headers"] == "etag, retry-after"
        preflight = await client.options(
            "/rooms/counter/x",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )
        assert preflight.status_code == 200
        other = await client.get("/rooms/counter/x", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/rooms/counter/x", "/rooms/counter", "/rooms/-/sessions"])
async def test_who_asks_too_often_is_told_when_to_come_back(path: str) -> None:  # [DOOR13]
    here, there = ({"X-Forwarded-For": f"203.0.113.{n}"} for n in (7, 8))
    limits = Limits(visits=0.1, visits_burst=2)
    async with open_door(limits=limits) as door, asking(door) as client:
        for _ in range(2):
            assert (await client.get(path, headers=here)).status_code != 429
        answer = await client.get(path, headers=here)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["code"] == 4429
        assert (await client.get(path, headers=there)).status_code != 429
        assert (await client.get(path)).status_code != 429
        closing = await (await dial(door.room(), headers=here)).refused()
        assert closing["code"] == 4429


async def test_a_viewer_asks_only_so_often_from_wherever() -> None:  # [DOOR13]
    token = Tokens(SECRET).issue("ada", NOW)
    async with open_door(limits=Limits(rate=0.1, burst=2)) as door, asking(door) as client:
        for _ in range(2):
            assert (await client.get(f"/rooms/counter/x?token={token}")).status_code == 200
        for accept in ("*/*", "text/event-stream"):
            headers = {"Accept": accept, "Authorization": f"Bearer {token}"}
            answer = await client.get("/rooms/counter/y", headers=headers)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        for _ in range(3):
            assert (await client.get("/rooms/counter/x")).status_code == 200


# ---------------------------------------------------------------------- health


async def test_who_drains_lives_but_is_not_ready(  # [METRIC2]
    door: Door, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}
    assert (await client.get("/ready")).json() == {"status": "ready"}
    await door.router.close()
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
    assert (await client.get("/health")).status_code == 200


async def test_a_router_without_a_host_is_not_ready(  # [METRIC2]
    door: Door, client: httpx.AsyncClient
) -> None:
    door.host.end.close()
    await asyncio.sleep(0)  # noqa: TID251
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "no host"})


async def test_the_port_for_clients_has_no_metrics(client: httpx.AsyncClient) -> None:  # [METRIC1]
    assert (await client.get("/metrics")).status_code == 404


# ---------------------------------------------------------------------- pages and façade


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    web = tmp_path / "web"
    (web / "play").mkdir(parents=True)
    (web / ".git").mkdir()
    (web / "index.html").write_text("home")
    (web / "play/index.html").write_text("play")
    (web / "play/game.js").write_text("game")
    (web / ".env").write_text("SECRET")
    (web / ".git/config").write_text("SECRET")
    (tmp_path / "app.py").write_text("SECRET")
    facade = tmp_path / "js"
    (facade / "tests").mkdir(parents=True)
    (facade / "node_modules/x").mkdir(parents=True)
    (facade / "index.js").write_text("facade")
    (facade / "package.json").write_text("{}")
    (facade / "tests/room.js").write_text("test")
    (facade / "node_modules/x/index.js").write_text("x")
    async with open_door(pages=web, facade=facade) as door, asking(door) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "home"),
        ("/index.html", "home"),
        ("/anything", "home"),
        ("/play/", "play"),
        ("/play/abc", "play"),
        ("/play/abc/def", "play"),
        ("/play/game.js", "game"),
        ("/client/index.js", "facade"),
    ],
)
async def test_a_path_gets_its_file_or_the_nearest_index(
    site: httpx.AsyncClient, path: str, text: str
) -> None:
    answer = await site.get(path)
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/missing.js",
        "/play/missing.png",
        "/.env",
        "/.git/config",
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/play/..%2f..%2fapp.py",
        "//app.py",
        "/%00",
        "/" + "x" * 300 + ".js",
        "/client/",
        "/client/package.json",
        "/client/tests/room.js",
        "/client/node_modules/x/index.js",
        "/client/nothing",
        "/client/..%2fapp.py",
    ],
)
async def test_nothing_else_can_be_had(site: httpx.AsyncClient, path: str) -> None:
    # By hand: a proper client wouldn't even send some of these.
    reader, writer = await asyncio.open_connection("127.0.0.1", site.base_url.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), WITHIN)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"SECRET" not in answer


async def test_a_link_out_of_the_folder_isnt_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    web = tmp_path / "web"
    web.mkdir()
    (web / "secret.txt").symlink_to(tmp_path / "secret.txt")
    async with open_door(pages=web) as door, asking(door) as client:
        assert (await client.get("/secret.txt")).status_code == 404


async def test_a_folder_without_its_slash_is_redirected(site: httpx.AsyncClient) -> None:
    answer = await site.get("/play")
    assert (answer.status_code, answer.headers["location"]) == (307, "./play/")


async def test_a_file_that_didnt_change_isnt_sent_again(site: httpx.AsyncClient) -> None:
    first = await site.get("/play/game.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await site.get("/play/game.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_are_only_read(site: httpx.AsyncClient) -> None:
    assert (await site.post("/index.html")).status_code == 405


async def test_the_real_facade_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get("/client/index.js")
    assert answer.status_code == 200
    assert "connect" in answer.text


async def test_without_pages_there_is_nothing_below_the_root(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).status_code == 404
