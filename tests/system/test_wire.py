"""The wire over a real socket: the counter, served whole, spoken to in raw frames as the tables of
the wire have it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import jwt
import msgpack
import pytest
from starlette.applications import Starlette

from rooms import App, Door, Room, Viewer, everything
from rooms.errors import UsageError
from rooms.host.host import Host
from rooms.router import routing
from rooms.router.listening import Listening, bind
from rooms.server import serve
from rooms.settings import Settings
from runtime import assign, setup
from tests.system.endurance import within
from tests.system.processes import READY_WITHIN_S
from tests.wire import Wire, dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WITHIN = 20.0
CLIENT = "c" * 22
INCREMENT = {"type": "increment"}
JSON = {"Content-Type": "application/json"}

counter = setup(
    actions={"add": assign({"count": lambda a, p: a.context["count"] + p["by"]})},
).create_machine(
    {
        "id": "counter",
        "context": {"count": 0},
        "on": {
            "increment": {"actions": {"type": "add", "params": {"by": 1}}},
            "decrement": {"actions": {"type": "add", "params": {"by": -1}}},
        },
    }
)


class Counter(Room):
    machine = counter
    view = everything


class Club(Counter):
    """Members only, whatever their tokens look like."""

    @classmethod
    async def authenticate(cls, door: Door) -> Viewer | None:
        return Viewer(door.token, role="member") if door.token else None


class Sleepy(Counter):
    sleep_after: ClassVar[int] = 30


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(**{"port": 0, "store": f"sqlite:///{tmp_path}/rooms.db", **more})


@asynccontextmanager
async def serving(
    settings: Settings, app: App | None = None
) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """A running server: its URL, and its task, which may be cancelled to stop it."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    app = app or App(counter=Counter, club=Club, sleepy=Sleepy)
    server = asyncio.create_task(serve(app, settings, ready=url.set_result))
    both: set[asyncio.Future[Any]] = {server, url}
    done, _ = await asyncio.wait(both, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
    assert done, f"not ready within {WITHIN} s"
    if server.done():
        server.result()
    try:
        yield url.result(), server
    finally:
        server.cancel()
        await asyncio.wait([server], timeout=WITHIN)
        assert server.done(), f"still there {WITHIN} s after it was told to stop"


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes to wake a room, nobody is told of it."""
    monkeypatch.setattr(routing, "MOVING_AFTER", 2 * WITHIN)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with serving(settings(tmp_path)) as (url, _):
        yield url


async def enter(url: str, session: str = "x", kind: str = "counter", **query: str) -> Wire:
    """A connection that has been told who it is, and all it lacks."""
    wire = await dial(f"{url}/rooms/{kind}/{session}", query)
    await wire.expect("room.you")
    await wire.receive()
    return wire


# ---------------------------------------------------------------------- the tables


async def test_two_clients_count_together(url: str) -> None:  # [OPEN2] [SEND1] [SEND2] [SEND5]
    room = f"{url}/rooms/counter/shared-counter"
    async with await dial(room) as one, await dial(room) as two:
        you, view = await one.receive(), await one.receive()
        assert set(you) == {"type", "me", "token", "seq", "now"}
        assert set(you["me"]) == {"id", "role", "connection"}
        assert (you["type"], you["me"]["role"], you["seq"]) == ("room.you", "player", 0)
        assert set(view) == {"type", "cursor", "now", "view"}
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", view["cursor"])
        assert view["view"] == {"status": "active", "context": {"count": 0}}
        await two.expect("room.you")
        assert (await two.expect("room.view"))["cursor"] == view["cursor"]

        await one.send(INCREMENT)
        patch = await one.receive()
        assert patch == await two.receive()
        assert patch == {
            "type": "room.patch",
            "base": view["cursor"],
            "cursor": patch["cursor"],
            "ops": [[["context", "count"], 1]],
        }

        await two.send({"type": "room.send", "seq": 1, "event": INCREMENT})
        patch = await two.expect("room.patch")
        outcome = await two.expect("room.outcome")
        assert outcome == {
            "type": "room.outcome",
            "seq": 1,
            "outcome": "accepted",
            "cursor": patch["cursor"],
        }
        assert await one.receive() == patch
        await one.quiet()


async def test_outcomes_of_every_kind(url: str) -> None:  # [SEND2] [SEND3] [SEND4] [SEND7]
    async with await enter(url) as wire:
        await wire.send({"type": "room.send", "seq": 2, "event": INCREMENT})
        assert await wire.receive() == {"type": "room.resend", "from": 1}
        await wire.send({"type": "room.send", "seq": 1, "event": {"type": "nothing"}})
        assert (await wire.receive())["outcome"] == "ignored"
        await wire.send({"type": "room.send_to", "seq": 2, "child": "c", "event": INCREMENT})
        assert (await wire.receive())["outcome"] == "rejected"
        await wire.send({"type": "room.send", "seq": 3, "event": {"type": "xstate.init"}})
        error = await wire.expect("room.error")
        assert (error["code"], error["seq"]) == ("reserved", 3)
        assert (await wire.receive())["outcome"] == "rejected"
        await wire.send({"type": "room.send", "seq": 4, "event": INCREMENT})
        await wire.expect("room.patch")
        assert (await wire.receive())["outcome"] == "accepted"
        for _ in range(2):
            await wire.send({"type": "room.send", "seq": 4, "event": INCREMENT})
            again = await wire.expect("room.outcome")
            assert (again["seq"], again["outcome"]) == (4, "accepted")
        await wire.send({"type": "room.get"})
        assert (await wire.expect("room.view"))["view"]["context"] == {"count": 1}


async def test_msgpack_says_the_same(url: str) -> None:  # [OPEN1]
    room = f"{url}/rooms/counter/x"
    async with await dial(room, protocols=["rooms.v1.msgpack"]) as wire, await enter(url) as other:
        you = msgpack.unpackb(await wire.socket.recv(decode=False))
        view = msgpack.unpackb(await wire.socket.recv(decode=False))
        assert you["type"] == "room.you"
        await wire.socket.send(msgpack.packb(INCREMENT))
        patch = msgpack.unpackb(await wire.socket.recv(decode=False))
        assert patch["base"] == view["cursor"]
        assert await other.receive() == patch


async def test_a_resume_gets_what_is_missing(url: str) -> None:  # [VIEW7]
    async with await enter(url) as stays:
        first = await dial(f"{url}/rooms/counter/x", {"client": CLIENT})
        await first.expect("room.you")
        cursor = (await first.expect("room.view"))["cursor"]
        await first.socket.close()

        again = await dial(f"{url}/rooms/counter/x", {"client": CLIENT, "cursor": cursor})
        await again.expect("room.you")
        assert (await again.expect("room.unchanged"))["cursor"] == cursor
        await again.socket.close()

        for _ in range(2):
            await stays.send(INCREMENT)
            newest = (await stays.expect("room.patch"))["cursor"]
        async with await dial(f"{url}/rooms/counter/x", {"cursor": cursor}) as late:
            await late.expect("room.you")
            patch = await late.expect("room.patch")
            assert (patch["base"], patch["cursor"]) == (cursor, newest)


async def test_a_second_connection_of_a_client_takes_over(url: str) -> None:  # [OPEN5]
    async with await enter(url, client=CLIENT) as older, await enter(url, client=CLIENT) as newer:
        closing = await older.refused()
        assert (closing["code"], closing["retry_after"]) == (4410, None)
        await newer.send({"type": "room.send", "seq": 1, "event": INCREMENT})
        await newer.expect("room.patch")
        await newer.expect("room.outcome")


async def test_the_same_person_on_another_device(url: str) -> None:  # [ID2]
    async with await dial(f"{url}/rooms/counter/x", {"client": CLIENT}) as one:
        you = await one.expect("room.you")
        async with await dial(f"{url}/rooms/counter/x", {"token": you["token"]}) as two:
            assert (await two.expect("room.you"))["me"]["id"] == you["me"]["id"]


async def test_a_session_that_doesnt_exist_isnt_made(url: str) -> None:  # [NAME3] [NAME4]
    room = f"{url}/rooms/counter/new"
    assert (await (await dial(room, {"create": "0"})).refused())["code"] == 4404
    async with await enter(url, "new") as wire:
        await wire.send({"type": "room.send", "seq": 1, "event": INCREMENT})
        await wire.expect("room.patch")
        await wire.expect("room.outcome")
        async with await enter(url, "new", create="0") as other:
            await other.quiet()


async def test_a_kind_that_decides_itself_who_comes_in(url: str) -> None:  # [ID4]
    closing = await (await dial(f"{url}/rooms/club/x")).refused()
    assert closing["code"] == 4401
    async with await dial(f"{url}/rooms/club/x", {"token": "ada"}) as wire:
        you = await wire.expect("room.you")
        assert (you["me"]["id"], you["me"]["role"]) == ("ada", "member")


async def test_an_operators_token_has_its_role(tmp_path: Path) -> None:
    secret = "a secret of at least thirty-two bytes"
    token = jwt.encode({"sub": "ada", "role": "admin"}, secret, algorithm="HS256")
    async with (
        serving(settings(tmp_path, secret=secret)) as (url, _),
        await dial(f"{url}/rooms/counter/x", {"token": token}) as wire,
    ):
        you = await wire.expect("room.you")
        assert (you["me"]["id"], you["me"]["role"], you["token"]) == ("ada", "admin", None)


async def test_pages_of_sites_that_the_operator_names_may_connect(tmp_path: Path) -> None:
    origin = "https://game.example"
    async with serving(settings(tmp_path, origins=(origin,))) as (url, _):
        room = f"{url}/rooms/counter/x"
        async with await dial(room, headers={"Origin": origin}) as wire:
            await wire.expect("room.you")
        other = await dial(room, headers={"Origin": "https://evil.example"})
        assert (await other.refused())["code"] == 4403


# ---------------------------------------------------------------------- bad input


BAD: dict[str, tuple[Any, Any]] = {
    "not JSON": ("rubbish", 4400),
    "not an object": ("[]", 4400),
    "no type": ("{}", 4400),
    "unknown room.*": ('{"type":"room.nonsense"}', "unknown_type"),
    "1 MB": ("x" * 1_000_000, 1009),
    "2,000 deep": ('{"type":"a","x":' + "[" * 2000 + "]" * 2000 + "}", 4400),
    "binary rubbish": (bytes(range(256)), 4400),
    "an event of xstate's": ('{"type":"xstate.done.state.x"}', "reserved"),
    "an event of the room's": ('{"type":"room.joined"}', "reserved"),
    "a sender": ('{"type":"increment","sender":"eve"}', "sender"),
    "prototype": ('{"type":"increment","__proto__":{}}', "forbidden_key"),
    "NaN": ('{"type":"increment","by":NaN}', 4400),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_answered_and_nobody_else_notices(  # [DOOR1] [DOOR10]
    url: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data, code = BAD[case]
    async with await enter(url) as other, await enter(url) as wire:
        await wire.socket.send(data)
        if isinstance(code, int):
            told = await wire.refused()
        else:
            told = await wire.expect("room.error")
            await wire.quiet()
        assert told["code"] == code
        assert "Traceback" not in json.dumps(told)
        await other.quiet()
        await other.send(INCREMENT)
        assert (await other.expect("room.patch"))["ops"] == [[["context", "count"], 1]]
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("rooms")]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert [r.getMessage() for r in caplog.records if r.exc_info] == []


@pytest.mark.parametrize(
    "path", ["chess/x", "counter/-x", "counter/%2e%2e", "counter/" + "x" * 200]
)
async def test_bad_names_get_4404_or_404(url: str, path: str) -> None:  # [NAME2]
    assert (await (await dial(f"{url}/rooms/{path}")).refused())["code"] == 4404
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}/rooms/{path}")
    assert answer.status_code == 404


# ---------------------------------------------------------------------- plain HTTP


async def test_the_same_counter_by_http(url: str) -> None:  # [HTTP1] [HTTP2] [HTTP3]
    room = f"{url}/rooms/counter/x"
    async with httpx.AsyncClient(trust_env=False) as http, await enter(url) as wire:
        answer = await http.post(room, json=INCREMENT)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["outcome"], body["view"]["context"]) == ("accepted", {"count": 1})
        patch = await wire.expect("room.patch")
        assert patch["cursor"] == body["cursor"]

        look = await http.get(room)
        assert look.json()["view"] == body["view"]
        assert look.headers["etag"] == f'"{look.json()["cursor"]}"'
        same = await http.get(room, headers={"If-None-Match": look.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")

        key = {"Idempotency-Key": "once and never again"}
        for _ in range(2):
            answer = await http.post(room, json=INCREMENT, headers=key)
            assert (answer.json()["outcome"], answer.json()["view"]["context"]["count"]) == (
                "accepted",
                2,
            )
        assert (await http.post(room, json={"type": "nothing"})).json()["outcome"] == "ignored"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"rubbish", 400),
        (b"[]", 422),
        (b'{"type":"xstate.init"}', 422),
        (b'{"type":"increment","sender":"eve"}', 422),
        (b"[" * 2000, 400),
        (b"\xff\xfe", 400),
        (b'"' + b"x" * 70_000 + b'"', 413),
    ],
)
async def test_bad_bodies(url: str, content: bytes, status: int) -> None:  # [HTTP4] [DOOR10]
    async with httpx.AsyncClient(trust_env=False) as http, await enter(url) as wire:
        answer = await http.post(f"{url}/rooms/counter/x", content=content, headers=JSON)
        assert answer.status_code == status
        assert "Traceback" not in answer.text
        await wire.quiet()


# ---------------------------------------------------------------------- sleep, restart, end


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """The hosts of the servers that a test starts."""
    made: list[Host] = []

    def make(*args: Any, **kwargs: Any) -> Host:
        made.append(Host(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr("rooms.server.Host", make)
    return made


async def passed(seconds: float) -> None:
    """So much time has passed."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    await over


async def begin(one: Wire, two: Wire) -> None:
    """One counts to one, both see it. Before anything was stored sleep forgets a room, which then
    is shown anew: a machine may be busy for as long as this one stays awake.
    """
    await one.send({"type": "room.send", "seq": 1, "event": INCREMENT})
    await counted(one)
    assert (await one.expect("room.outcome"))["outcome"] == "accepted"
    await counted(two)


async def counted(wire: Wire) -> None:
    while (message := await wire.receive())["type"] == "room.view":
        if message["view"]["context"]["count"] == 1:
            return
    assert message["ops"] == [[["context", "count"], 1]]


async def count_on(one: Wire, two: Wire, count: int) -> None:
    """One counts, both see it, and nothing else."""
    await one.send({"type": "room.send", "seq": count, "event": INCREMENT})
    assert (await one.expect("room.patch"))["ops"] == [[["context", "count"], count]]
    assert (await one.expect("room.outcome"))["outcome"] == "accepted"
    assert (await two.expect("room.patch"))["ops"] == [[["context", "count"], count]]


async def test_sockets_outlive_the_rooms_sleep(  # [SLEEP1] [SLEEP2] [VIEW8]
    hosts: list[Host], url: str
) -> None:
    async with await enter(url, kind="sleepy") as one, await enter(url, kind="sleepy") as two:
        await begin(one, two)
        for count in range(2, 5):
            await count_on(one, two, count)
            await within(WITHIN, "it falls asleep", lambda: not hosts[0].live())
        await two.quiet()


async def test_a_message_may_come_at_any_moment_of_a_rooms_life(url: str) -> None:  # [SLEEP2]
    dice = random.Random(5)
    async with await enter(url, kind="sleepy") as one, await enter(url, kind="sleepy") as two:
        await begin(one, two)
        for count in range(2, 22):
            await count_on(one, two, count)
            await passed(0.03 + dice.uniform(-0.001, 0.003))  # as it falls asleep, or just after
        await two.quiet()


async def test_a_restart_keeps_what_was_acknowledged(tmp_path: Path) -> None:  # [STORE3] [VIEW7]
    async with serving(settings(tmp_path)) as (url, server):
        wire = await dial(f"{url}/rooms/counter/x", {"client": CLIENT})
        token = (await wire.expect("room.you"))["token"]
        await wire.expect("room.view")
        await wire.send({"type": "room.send", "seq": 1, "event": INCREMENT})
        await wire.expect("room.patch")
        cursor = (await wire.expect("room.outcome"))["cursor"]
        server.cancel()
        closing = await wire.refused()
        assert closing["code"] == 1001
        assert closing["retry_after"] > 0
    async with serving(settings(tmp_path)) as (url, _):
        query = {"client": CLIENT, "token": token, "cursor": cursor}
        async with await dial(f"{url}/rooms/counter/x", query) as wire:
            assert (await wire.expect("room.you"))["seq"] == 1
            assert (await wire.expect("room.unchanged"))["cursor"] == cursor
            await wire.send({"type": "room.send", "seq": 1, "event": INCREMENT})
            assert (await wire.expect("room.outcome"))["outcome"] == "accepted"
            await wire.quiet()


async def test_a_stream_that_ends_with_its_server_isnt_refused_by_it(  # [STREAM3]
    tmp_path: Path,
) -> None:
    get = b"GET /rooms/counter/x HTTP/1.1\r\nHost: x\r\n"
    stream = get + b"Accept: text/event-stream\r\n\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    socket = get + upgrade + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    async with serving(settings(tmp_path)) as (url, server):
        port = int(url.rpartition(":")[2])
        (reader, writer), (other, deaf) = [
            await asyncio.open_connection("127.0.0.1", port) for _ in range(2)
        ]
        for into, out, asked in ((reader, writer, stream), (other, deaf, socket)):
            out.write(asked)
            await asyncio.wait_for(into.readuntil(b"room.view"), WITHIN)
        server.cancel()  # it waits for a second, for the socket that doesn't say goodbye
        last = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), WITHIN)
        assert b"room.closing" in last
        writer.write(stream)  # as a browser does on a connection that is still there
        with contextlib.suppress(ConnectionError):  # it was reset
            assert await asyncio.wait_for(reader.read(), WITHIN) == b""
        for out in (writer, deaf):
            out.close()


SCRIPT = """
import asyncio, sys
from rooms.server import run, serve
from rooms.settings import Settings
from tests.system.test_wire import App, Counter
ready = lambda url: print(url, flush=True)
run(serve(App(counter=Counter), Settings(port=0, store=sys.argv[1]), ready=ready))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well(tmp_path: Path, number: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path}/rooms.db",
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), READY_WITHIN_S)).decode().strip()
    async with await enter(url) as wire:
        process.send_signal(number)
        assert (await wire.refused())["code"] == 1001
    _, errors = await asyncio.wait_for(process.communicate(), WITHIN)
    assert (process.returncode, errors) == (0, b"")


async def test_what_cant_be_served_is_said(tmp_path: Path) -> None:  # [STORE1]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"store": "postgres://x"}, "names no store"),
        ({"store": "sqlite://"}, "names no store"),
        ({"secret": "short"}, "at least 32"),
        ({"bind": "203.0.113.1"}, "choose another with --bind"),
    ]
    for more, words in cases:
        with pytest.raises(UsageError, match=words):
            async with serving(settings(tmp_path, **more)):
                pass
    async with serving(settings(tmp_path)) as (url, _):
        taken = int(url.rpartition(":")[2])
        with pytest.raises(UsageError, match="choose another with --port"):
            async with serving(settings(tmp_path / "other", port=taken)):
                pass


async def test_two_that_start_together_on_one_port(tmp_path: Path) -> None:
    one, two = bind("127.0.0.1", 0), None
    try:
        two = bind("127.0.0.1", one.getsockname()[1])
        one.listen()
        with pytest.raises(UsageError, match="choose another with --port"):
            await Listening(Starlette(), two).start()
    finally:
        one.close()
        if two is not None:
            two.close()
