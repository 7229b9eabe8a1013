"""The real partysocket, unchanged, against a real server that is killed meanwhile."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.system.processes import Server, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.system

FOLDER = Path(__file__).parent / "partysocket"
APP = "tests/system/partysocket/app.py"
WITHIN = 30.0
PK = "0f8fad5b-d9cb-469f-a165-7086772895"


class Sockets:
    """Partysockets in one Node process, by name; and all that happened to them."""

    def __init__(self, server: Server, process: asyncio.subprocess.Process) -> None:
        self._server = server
        self._process = process
        self._happened: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def open(
        self, name: str, party: str, room: str, *, facade: bool = False, **options: Any
    ) -> None:
        """A new socket; it retries soon, so that the test needn't wait for 3 s each time."""
        options = {
            "host": f"127.0.0.1:{self._server.port}",
            "party": party,
            "room": room,
            "id": f"{PK}{len(name):02}{name}",
            "minReconnectionDelay": 200,
            **options,
        }
        self._command(open=name, options=options, facade=facade)

    def say(self, name: str, said: str | bytes) -> None:
        """Send text or bytes."""
        if isinstance(said, str):
            self._command(say=name, text=said)
        else:
            self._command(say=name, base64=base64.b64encode(said).decode())

    def event(self, name: str, **event: Any) -> None:
        """Send an event of a façade."""
        self.say(name, json.dumps(event))

    def of(self, name: str, event: str) -> list[dict[str, Any]]:
        """All such events of a socket so far."""
        return [one for one in self._happened if one["at"] == name and one["event"] == event]

    def heard(self, name: str) -> list[str | bytes]:
        """The messages of a socket so far."""
        return [
            one["text"] if "text" in one else base64.b64decode(one["base64"])
            for one in self.of(name, "message")
        ]

    def snapshot(self, name: str) -> Any:
        """What a façade holds now."""
        held = [one for one in self._happened if one["at"] == name and "snapshot" in one]
        return held[-1]["snapshot"] if held else None

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until this is so."""

        async def so() -> None:
            while not what():
                self._news.clear()
                await self._news.wait()

        try:
            await asyncio.wait_for(so(), WITHIN)
        except TimeoutError:
            raise AssertionError(f"not within {WITHIN} s; {self._happened[-8:]}") from None

    async def read(self) -> None:
        """Write down what happens."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._happened.append(json.loads(line))
            self._news.set()

    def _command(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")


async def _installed() -> None:
    """The packages of the lock file; without Node or a registry the test is skipped and says so."""
    if (FOLDER / "node_modules/partysocket").is_dir():
        return
    sorry = "partysocket couldn't be installed: it takes Node and npm"
    if shutil.which("npm") is not None:
        install = await asyncio.create_subprocess_exec(
            "npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=FOLDER
        )
        if await install.wait() == 0:
            return
    assert "REQUIRE_ALL" not in os.environ, sorry
    pytest.skip(sorry)


@asynccontextmanager
async def sockets(server: Server) -> AsyncIterator[Sockets]:
    """A Node process for the sockets of one test."""
    await _installed()
    process = await asyncio.create_subprocess_exec(
        "node",
        str(FOLDER / "client.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    opened = Sockets(server, process)
    reading = asyncio.create_task(opened.read())
    try:
        yield opened
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), WITHIN)
        await reading


async def test_a_chat_goes_on_through_a_kill(tmp_path: Path) -> None:  # [PARTY3] [PARTY4]
    with running(APP, tmp_path) as server:
        async with sockets(server) as party:
            for name in ("ann", "bob"):
                party.open(name, "chat", "lobby")
            await party.until(
                lambda: bool(party.of("ann", "open")) and bool(party.of("bob", "open"))
            )
            party.say("ann", "hello")
            party.say("ann", b"\x00\xff")
            await party.until(lambda: party.heard("bob") == ["hello", b"\x00\xff"])
            server.kill()
            await party.until(
                lambda: bool(party.of("ann", "close")) and bool(party.of("bob", "close"))
            )
            party.say("bob", "while nobody hears")
            await party.until(lambda: bool(party.of("bob", "said")))
            assert party.of("bob", "said")[-1]["sent"] is False
            await asyncio.to_thread(server.start)
            again = ["hello", "while nobody hears"]
            await party.until(lambda: party.heard("ann")[-2:] == again)
            party.open("eve", "chat", "lobby")
            await party.until(lambda: party.heard("eve") == again)
            assert party.of("ann", "open")[0]["id"] == party.of("ann", "open")[-1]["id"]


async def test_a_facade_holds_what_the_server_shows_through_a_kill(  # [PARTY1] [PARTY2]
    tmp_path: Path,
) -> None:
    with running(APP, tmp_path) as server:
        async with sockets(server) as party, httpx.AsyncClient(trust_env=False) as client:

            async def equal() -> None:
                answer = await client.get(f"{server.url}/rooms/board/x")
                shown: dict[str, Any] = {"value": {}, "context": {}, "tags": [], "children": {}}
                shown |= answer.json()["view"]
                for name in ("ann", "bob"):
                    await party.until(lambda name=name: party.snapshot(name) == shown)  # type: ignore[misc]

            for name in ("ann", "bob"):
                party.open(name, "board", "x", facade=True)
            await party.until(lambda: None not in (party.snapshot("ann"), party.snapshot("bob")))
            for n in range(8):
                party.event("ann", type="append", id=n, text="/~" * n)
            party.event("ann", type="join", id="bob")
            party.event(
                "ann",
                type="party.sendTo",
                actorId="player-bob",
                event={"type": "rename", "name": "Bob"},
            )
            party.event("ann", type="hurry")
            await party.until(lambda: party.snapshot("ann")["value"] == "busy")
            await equal()
            assert party.snapshot("ann")["children"]["player-bob"]["context"] == {"name": "Bob"}
            party.event("bob", type="party.snapshot.get")
            party.event("bob", type="rest")  # alone, and small: a patch
            patches = ("ann", "party.snapshot.patch")
            await party.until(lambda: any(one["tags"] == ["calm"] for one in party.of(*patches)))
            party.event("bob", type="hurry")
            await party.until(lambda: party.snapshot("ann")["value"] == "busy")
            await equal()
            before = len(party.of("bob", "open"))
            server.kill()
            await asyncio.to_thread(server.start)
            await party.until(lambda: len(party.of("bob", "open")) > before)
            party.event("bob", type="rest")
            await party.until(lambda: party.snapshot("ann")["value"] == "open")
            await equal()


async def test_who_is_refused_for_good_doesnt_come_back_at_once(tmp_path: Path) -> None:  # [PARTY5]
    with running(APP, tmp_path) as server:
        async with sockets(server) as party:
            party.open("eve", "nothing", "x")
            party.open("mallory", "chat", "x", query={"token": "forged"})
            await party.until(lambda: bool(party.of("eve", "open")))
            await party.until(lambda: len(party.of("mallory", "open")) > 3)
            assert {one["code"] for one in party.of("mallory", "close")} == {4401}
            assert len(party.of("eve", "open")) == 1
            assert party.of("eve", "close") == party.of("eve", "message") == []
