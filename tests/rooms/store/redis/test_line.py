"""A line sends what waits as one group, and knows what it doesn't know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from rooms.errors import StoreError, UnknownOutcome
from rooms.store.redis import line as lines
from rooms.store.redis.scripts import LEASES
from rooms.store.redis.servers import open_servers
from tests.rooms.store.redis.proxy import between
from tests.wire import WITHIN

if TYPE_CHECKING:
    import pytest

    from rooms.store.redis.line import Command
    from rooms.store.redis.servers import Servers
    from tests.rooms.store.servers import Server


def servers_at(url: str) -> Servers:
    servers, _ = open_servers(url)
    return servers


async def ask(servers: Servers, *commands: Command) -> list[object]:
    return await servers.ask([(0, command) for command in commands])


async def test_replies_come_in_order_errors_among_them(server: Server, prefix: str) -> None:
    servers = servers_at(server.url())
    key = f"{prefix}key"
    set_, wrong, got = await ask(servers, ("SET", key, "1"), ("LPUSH", key, "2"), ("GET", key))
    assert (set_, got) == (b"OK", b"1")
    assert isinstance(wrong, ResponseError)
    await servers.close()


async def test_what_is_asked_meanwhile_is_one_group(
    server: Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = servers_at(server.url())
    await ask(servers, ("PING",))
    groups = []
    exchange = lines._exchange

    async def counting(connection: object, commands: list[bytes]) -> list[object]:
        groups.append(len(commands))
        return await exchange(connection, commands)  # type: ignore[arg-type]

    monkeypatch.setattr(lines, "_exchange", counting)
    key = f"{prefix}count"
    counts = await asyncio.gather(*(ask(servers, ("INCR", key)) for _ in range(20)))
    assert counts == [[n] for n in range(1, 21)]
    assert groups == [20]
    await servers.close()


async def test_who_stops_waiting_loses_the_answer_not_the_command(
    server: Server, prefix: str
) -> None:
    servers = servers_at(server.url())
    key = f"{prefix}key"
    impatient = asyncio.create_task(ask(servers, ("INCR", key)))
    patient = asyncio.create_task(ask(servers, ("INCR", key)))
    await asyncio.wait([asyncio.create_task(ask(servers, ("PING",)))], timeout=0)
    impatient.cancel()
    assert await patient == [2]
    await servers.close()


async def test_a_flushed_script_is_brought_again(server: Server) -> None:
    servers = servers_at(server.url())
    await ask(servers, ("PING",))
    with server.client() as client:
        client.script_flush()
    command = LEASES.command(("{x}a", "{x}b", "{x}c"), "living", "")
    ping, living = await ask(servers, ("PING",), command)
    assert ping == b"PONG"
    assert isinstance(living, list)
    assert living[1:] == [[], []]
    await servers.close()


async def test_swallowed_replies_are_an_unknown_outcome(
    server: Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with between(server.socket) as proxy:
        servers = servers_at(proxy.url)
        key = f"{prefix}key"
        await ask(servers, ("SET", key, 1))
        proxy.swallow_replies()
        with monkeypatch.context() as soon:
            soon.setattr(lines, "ANSWER_WITHIN", 0.2)
            [error] = await ask(servers, ("INCR", key))
        assert isinstance(error, UnknownOutcome)
        proxy.heal()
        assert await ask(servers, ("GET", key)) == [b"2"]  # on another connection
        await servers.close()


async def test_a_cut_connection_is_an_unknown_outcome_and_the_next_goes_on(
    server: Server, prefix: str
) -> None:
    async with between(server.socket) as proxy:
        servers = servers_at(proxy.url)
        key = f"{prefix}key"
        await ask(servers, ("SET", key, 1))
        proxy.swallow_replies()
        lost = asyncio.create_task(ask(servers, ("INCR", key)))
        await asyncio.wait_for(proxy.swallowed.wait(), WITHIN)
        later = asyncio.create_task(ask(servers, ("GET", key)))  # isn't sent before
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0)
        proxy.heal()
        proxy.cut()
        [error] = await lost
        assert isinstance(error, UnknownOutcome)
        assert await later == [b"2"]
        await servers.close()


async def test_a_server_that_is_not_there_was_told_nothing(server: Server) -> None:
    servers = servers_at(f"redis+unix://{server.folder}/nobody.sock")
    [error] = await ask(servers, ("PING",))
    assert isinstance(error, StoreError)
    assert not isinstance(error, UnknownOutcome)
    assert "can't be reached" in str(error)
    await servers.close()
