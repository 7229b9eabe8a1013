"""What lies in a store's file is listed, shown, exported, imported, deleted, and checked."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack
import orjson
import pytest

from rooms import App, Room, inventory
from rooms.access import Operator, Remote, operator
from rooms.errors import StoreError, StoreLocked, UsageError
from rooms.host import administration
from rooms.settings import Settings
from rooms.store import lockfile
from rooms.store.port import SessionId
from rooms.store.sqlite import SqliteStore
from runtime import System, create_machine
from tests.contracts import Clock, announce, first, own, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEATS = msgpack.packb([("ann", "player", True, None)])
ONE, TWO = SessionId("light", "one"), SessionId("light", "two")


def light(version: str, *states: str) -> type[Room]:
    class Light(Room):
        machine = create_machine(
            {
                "id": "light",
                "version": version,
                "initial": states[0],
                "states": {state: {} for state in states},
            }
        )

    return Light


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store's, with two lights."""
    return await made(tmp_path)


async def made(tmp_path: Path) -> str:
    """Make a store with two sleeping lights of version 1, red and green."""
    path, clock = tmp_path / "rooms.db", Clock(0)
    store = await SqliteStore.open(path, now=clock.now)
    await announce(store, "one")
    for id, state in ((ONE, "red"), (TWO, "green")):
        system = System(light("1", state).machine)
        snapshot = orjson.dumps(system.persist(system.initial(now=0, seed=1).snapshot))
        commit = first(id, "one", await own(store, id, "one"))
        clock.ms = 1_700_000_000_000
        await write(
            store,
            replace(
                commit,
                snapshot=snapshot,
                seats=SEATS,
                marks={"subject\0client": b"\x01"},
                due=1_700_000_060_000 if id is ONE else None,
            ),
        )
        clock.ms = 0
        assert await store.release(id, "one", commit.epoch, b"nonce")
    await store.close()
    return f"sqlite:///{path}"


@pytest.fixture
async def alone(url: str) -> AsyncIterator[Operator]:
    """Who opens that store, which no server has."""
    async with operator(Settings(store=url)) as opened:
        yield opened


async def test_sessions_are_listed_with_what_is_known_of_them(alone: Operator) -> None:
    lines: list[str] = []
    await inventory.list_sessions(alone, None, lines.append)
    assert [line.split() for line in lines[:1]] == [
        ["SESSION", "REVISION", "BYTES", "STATE", "CHANGED", "DUE"]
    ]
    assert lines[1].startswith("light/one")
    assert lines[1].endswith("asleep  2023-11-14 22:13:20Z  2023-11-14 22:14:20Z")
    assert lines[2].startswith("light/two")
    assert lines[2].endswith("2023-11-14 22:13:20Z")
    lines.clear()
    await inventory.list_sessions(alone, "other", lines.append)
    assert lines == ["no sessions"]


async def test_all_pages_are_listed(alone: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "PAGE", 1)
    lines: list[str] = []
    await inventory.list_sessions(alone, "light", lines.append)
    assert len(lines) == 3


async def test_a_session_is_shown_without_anybodys_keys(alone: Operator) -> None:
    lines: list[str] = []
    await inventory.show(alone, ONE, lines.append)
    shown = json.loads("\n".join(lines))
    assert shown["snapshot"]["value"] == "red"
    assert (shown["revision"], shown["version"], shown["marks"]) == (1, "1", 1)
    assert shown["seats"] == [{"id": "ann", "role": "player", "here": True}]
    assert "client" not in lines[0]


async def test_dead_letters_are_tried_again_by_whoever_has_the_machine(tmp_path: Path) -> None:
    # [ADMIN8]
    lines: list[str] = []
    path, kind = tmp_path / "rooms.db", light("1", "red")
    store = await SqliteStore.open(path, now=Clock(0).now)
    await announce(store, "one")
    system = System(kind.machine)
    snapshot = orjson.dumps(system.persist(system.initial(now=0, seed=1).snapshot))
    commit = first(ONE, "one", await own(store, ONE, "one"))
    await write(store, replace(commit, snapshot=snapshot))
    await store.close()
    async with operator(Settings(store=f"sqlite:///{path}"), kinds={"light": kind}) as able:
        with pytest.raises(UsageError, match="the App has no kind"):
            await inventory.retry(able, SessionId("dark", "one"), None, lines.append)
        await inventory.retry(able, ONE, "x", lines.append)
    assert lines == ["light/one: 0 tried again"]


async def test_an_export_has_everything_in_a_line_each(alone: Operator) -> None:
    lines: list[str] = []
    await inventory.export(alone, None, lines.append)
    one, two = (json.loads(line) for line in lines)
    assert (one["kind"], one["session"], two["session"]) == ("light", "one", "two")
    assert one["snapshot"]["value"] == "red"
    assert (one["due"], one["changed"]) == (1_700_000_060_000, 1_700_000_000_000)
    assert base64.b64decode(one["seats"]) == SEATS
    assert base64.b64decode(one["activation"]) == b"nonce"
    assert {k: base64.b64decode(v) for k, v in one["marks"].items()} == {"subject\0client": b"\x01"}
    lines.clear()
    await inventory.export(alone, TWO, lines.append)
    assert [json.loads(line) for line in lines] == [two]


async def test_a_deleted_session_is_gone(alone: Operator) -> None:
    lines: list[str] = []
    await inventory.delete(alone, ONE, lines.append)
    assert lines == ["deleted light/one"]
    for ask in (inventory.delete, inventory.show, inventory.export):
        with pytest.raises(StoreError, match="there is no session light/one"):
            await ask(alone, ONE, lines.append)


async def test_what_was_exported_can_be_imported_again(alone: Operator) -> None:  # [ADMIN6]
    exported: list[str] = []
    await inventory.export(alone, None, exported.append)
    said: list[str] = []
    refused: list[str] = []
    say, complain = said.append, refused.append
    await inventory.delete(alone, TWO, say)
    lines = [*exported, "", "nonsense", '{"kind": "light"}']
    assert await inventory.import_sessions(alone, lines, False, say, complain) == 3
    assert said[1:] == ["imported light/two at revision 1"]
    assert refused == [
        "line 1: light/one exists; --replace puts this in its place",
        refused[1],
        "line 5: this is no line of an export: `session` is missing",
    ]
    assert refused[1].startswith("line 4: this is no line of an export: Expecting value")
    assert await inventory.import_sessions(alone, exported, True, say, complain) == 0
    again: list[str] = []
    await inventory.export(alone, None, again.append)
    for before, after in zip(exported, again, strict=True):
        one, other = json.loads(before), json.loads(after)
        assert one["generation"] != other["generation"]
        for name in ("kind", "session", "version", "revision", "snapshot", "seats", "marks", "due"):
            assert one[name] == other[name]


async def test_an_event_needs_rooms(alone: Operator) -> None:
    with pytest.raises(UsageError, match="the App has no kind 'light'"):
        await inventory.send(alone, ONE, "go", None, None, lambda line: None)
    with pytest.raises(UsageError, match="not JSON"):
        await inventory.send(alone, ONE, "{go", None, None, lambda line: None)


async def test_a_file_in_use_by_who_does_not_say_where_is_refused(  # [ADMIN7]
    alone: Operator, url: str
) -> None:
    with pytest.raises(StoreLocked, match="in use by another process"):
        async with operator(Settings(store=url)):
            pass


@pytest.mark.usefixtures("alone")
async def test_a_file_in_use_is_asked_of_who_says_where(url: str) -> None:  # [ADMIN7]
    lockfile.announce(Path(url.removeprefix("sqlite:///")), "http://127.0.0.1:1999")
    async with operator(Settings(store=url, secret="s" * 32)) as asked:
        assert isinstance(asked, Remote)
        assert asked.url == "http://127.0.0.1:1999"


async def test_an_import_makes_a_store(alone: Operator, tmp_path: Path) -> None:  # [ADMIN7]
    exported: list[str] = []
    await inventory.export(alone, ONE, exported.append)
    said: list[str] = []
    path = tmp_path / "new.db"
    async with operator(Settings(store=f"sqlite:///{path}"), create=True) as elsewhere:
        await inventory.import_sessions(elsewhere, exported, False, said.append, said.append)
        await inventory.list_sessions(elsewhere, None, said.append)
    assert said[0] == "imported light/one at revision 1"
    assert said[2].startswith("light/one")


async def test_looking_makes_no_store(tmp_path: Path) -> None:
    for store, reason in (
        (f"sqlite:///{tmp_path}/none.db", r"there is no store .*none\.db yet"),
        ("memory:", "memory: keeps nothing"),
    ):
        with pytest.raises(UsageError, match=reason):
            async with operator(Settings(store=store)):
                pass


@pytest.mark.parametrize("text", ["light", "light/", "/one", ""])
def test_a_session_is_named_by_kind_and_session(text: str) -> None:
    with pytest.raises(UsageError, match="named kind/session"):
        inventory.named(text)
    assert inventory.named("light/one") == ONE


async def test_check_finds_nothing_where_all_can_be_restored(alone: Operator) -> None:
    lines: list[str] = []
    assert await inventory.check(alone, App(light=light("1", "red", "green")), lines.append) == 0
    assert lines == []


async def test_check_names_the_sessions_that_cannot_be_restored(alone: Operator) -> None:
    lines: list[str] = []
    assert await inventory.check(alone, App(light=light("1", "red")), lines.append) == 1
    assert lines[0].startswith("light/two: this room can't be restored")
    assert not logging.getLogger("rooms.host.record").disabled  # it was only hushed meanwhile
    lines.clear()
    assert await inventory.check(alone, App(light=light("2", "red", "green")), lines.append) == 2
    assert "was stored by version '1' and has no `migrate`" in lines[0]
    lines.clear()
    assert await inventory.check(alone, App(other=light("1", "red")), lines.append) == 2
    assert lines[0] == "light/one: the App has no such kind; nobody can open it"


async def test_check_knows_rooms_without_a_machine(alone: Operator) -> None:
    class Hooked(Room):
        def on_message(self, connection: object, message: object) -> None: ...

    lines: list[str] = []
    assert await inventory.check(alone, App(light=Hooked), lines.append) == 2
    assert "a machine stored it" in lines[0]
