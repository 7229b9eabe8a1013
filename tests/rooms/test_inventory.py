"""What lies in a store's file is listed, shown, exported, deleted, and checked against an App."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from rooms import App, Room, inventory
from rooms.errors import StoreError, StoreLocked, UsageError
from rooms.store.port import SessionId
from rooms.store.sqlite import SqliteStore
from runtime import System, create_machine
from tests.contracts import Clock, announce, first, own, write

if TYPE_CHECKING:
    from pathlib import Path

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
    """A store with two sleeping lights of version 1, red and green."""
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
                seats=b"\x00seats",
                marks={"subject\0client": b"\x01"},
                due=1_700_000_060_000 if id is ONE else None,
            ),
        )
        clock.ms = 0
        assert await store.release(id, "one", commit.epoch, b"nonce")
    await store.close()
    return f"sqlite:///{path}"


async def test_sessions_are_listed_with_what_is_known_of_them(url: str) -> None:
    lines: list[str] = []
    await inventory.list_sessions(url, None, lines.append)
    assert [line.split() for line in lines[:1]] == [
        ["SESSION", "REVISION", "BYTES", "CHANGED", "DUE"]
    ]
    assert lines[1].startswith("light/one")
    assert lines[1].endswith("2023-11-14 22:13:20Z  2023-11-14 22:14:20Z")
    assert lines[2].startswith("light/two")
    assert lines[2].endswith("2023-11-14 22:13:20Z")
    lines.clear()
    await inventory.list_sessions(url, "other", lines.append)
    assert lines == ["no sessions"]


async def test_all_pages_are_listed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "PAGE", 1)
    lines: list[str] = []
    await inventory.list_sessions(url, "light", lines.append)
    assert len(lines) == 3


async def test_a_session_is_shown_without_anybodys_keys(url: str) -> None:
    lines: list[str] = []
    await inventory.show(url, ONE, lines.append)
    shown = json.loads("\n".join(lines))
    assert shown["snapshot"]["value"] == "red"
    assert (shown["revision"], shown["version"], shown["marks"]) == (1, "1", 1)
    assert "client" not in lines[0]


async def test_an_export_has_everything_in_a_line_each(url: str) -> None:
    lines: list[str] = []
    await inventory.export(url, None, lines.append)
    one, two = (json.loads(line) for line in lines)
    assert (one["kind"], one["session"], two["session"]) == ("light", "one", "two")
    assert one["snapshot"]["value"] == "red"
    assert (one["due"], one["changed"]) == (1_700_000_060_000, 1_700_000_000_000)
    assert base64.b64decode(one["seats"]) == b"\x00seats"
    assert base64.b64decode(one["activation"]) == b"nonce"
    assert {k: base64.b64decode(v) for k, v in one["marks"].items()} == {"subject\0client": b"\x01"}
    lines.clear()
    await inventory.export(url, TWO, lines.append)
    assert [json.loads(line) for line in lines] == [two]


async def test_a_deleted_session_is_gone(url: str) -> None:
    lines: list[str] = []
    await inventory.delete(url, ONE, lines.append)
    assert lines == ["deleted light/one"]
    for ask in (inventory.delete, inventory.show, inventory.export):
        with pytest.raises(StoreError, match="there is no session light/one"):
            await ask(url, ONE, lines.append)


async def test_a_file_that_is_in_use_is_refused(url: str) -> None:
    async with inventory.opened(url):
        with pytest.raises(StoreLocked, match="in use by another process"):
            await inventory.list_sessions(url, None, lambda line: None)


async def test_looking_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no store .*none\.db yet"):
        await inventory.list_sessions(f"sqlite:///{tmp_path}/none.db", None, lambda line: None)
    with pytest.raises(UsageError, match="memory: keeps nothing"):
        await inventory.list_sessions("memory:", None, lambda line: None)


@pytest.mark.parametrize("text", ["light", "light/", "/one", ""])
def test_a_session_is_named_by_kind_and_session(text: str) -> None:
    with pytest.raises(UsageError, match="named kind/session"):
        inventory.named(text)
    assert inventory.named("light/one") == ONE


async def test_check_says_the_kinds_and_that_all_can_be_restored(url: str) -> None:
    lines: list[str] = []
    room = light("1", "red", "green")
    assert await inventory.check(App(light=room), url, lines.append) == 0
    assert lines == ["light: Light, machine light, version 1"]


async def test_check_names_the_sessions_that_cannot_be_restored(url: str) -> None:
    lines: list[str] = []
    assert await inventory.check(App(light=light("1", "red")), url, lines.append) == 1
    assert lines[1].startswith("light/two: this room can't be restored")
    lines.clear()
    assert await inventory.check(App(light=light("2", "red", "green")), url, lines.append) == 2
    assert "was stored by version '1' and has no `migrate`" in lines[1]
    lines.clear()
    assert await inventory.check(App(other=light("1", "red")), url, lines.append) == 2
    assert lines[1] == "light/one: the App has no such kind; nobody can open it"


async def test_check_without_a_store_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    url = f"sqlite:///{tmp_path}/none.db"
    assert await inventory.check(App(light=light("1", "red")), url, lines.append) == 0
    assert lines[-1] == "nothing is stored yet"
