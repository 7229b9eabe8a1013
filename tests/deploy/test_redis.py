"""Redis is configured as the page says: each file is one that servers start with, and does what it
is for.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rooms.errors import StoreError
from rooms.store.redis import line
from rooms.store.redis.keys import TAGS, Keys
from rooms.store.redis.servers import open_servers
from rooms.store.redis.store import RedisStore
from tests.contracts import TABLE, Clock, StoreContract, announce, first, own, write
from tests.ports import free_port
from tests.rooms.store.servers import PRODUCTS, follows, needed, patient, running, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.rooms.store.servers import Server

FOLDER = Path(__file__).parents[2] / "deploy" / "redis"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(("file", "syncs"), [("primary.conf", False), ("fsync.conf", True)])
async def test_a_server_of_that_configuration_is_a_store(
    product: str, file: str, syncs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with running(product, configuration=FOLDER / file) as server:
        store = await RedisStore.open(server.url())
        await announce(store, "one")
        await write(store, first(TABLE, "one", await own(store, TABLE, "one")))
        assert ("doesn't sync" in caplog.text) is not syncs
        with server.client() as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        await store.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_primary_that_no_replica_hears_takes_nothing(
    product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, file = free_port(), FOLDER / "replicated.conf"
    at_once = ("--repl-diskless-sync-delay", "0")
    with running(product, *at_once, port=port, configuration=file) as primary:
        with pytest.raises(StoreError, match="Not enough good replicas"):
            await RedisStore.open(primary.url(), replicas=1)
        of = ("--replicaof", f"127.0.0.1 {port}")
        with running(product, *of, configuration=file) as replica:
            within(50, "the replica is up to date", lambda: follows(replica))
            with primary.client() as client:
                within(
                    50,
                    "the primary counts it",
                    lambda: client.info("replication")["min_slaves_good_slaves"] == 1,
                )
            monkeypatch.setattr(line, "WAIT_WITHIN", 30_000)  # the replica of a busy machine
            store = await RedisStore.open(primary.url(), replicas=1)
            await announce(store, "one")
            await store.close()


@pytest.mark.parametrize("product", PRODUCTS)
def test_sentinels_take_their_configuration(product: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentinel.conf"
        file.write_text((FOLDER / "sentinel.conf").read_text() + f"dir {folder}\n")
        options = ("--sentinel", "--port", str(free_port()), "--logfile", f"{folder}/log")
        process = subprocess.Popen([needed(product), str(file), *options])
        try:
            log = Path(folder) / "log"
            within(
                50,
                "it watches",
                lambda: log.exists() and "+monitor master rooms" in log.read_text(),
            )
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    with running("redis", "--aclfile", str(FOLDER / "users.acl")) as server:
        yield server


class TestUser(StoreContract):
    """The user may do all that a store does."""

    @pytest.fixture
    async def store(self, guarded: Server, clock: Clock) -> AsyncIterator[RedisStore]:
        servers, _ = open_servers(f"redis+unix://rooms:change-me@{guarded.socket}")
        store = RedisStore(servers, prefix=f"rooms:{uuid.uuid4().hex}:", now=clock.now)
        yield store
        await store.close()


async def test_the_user_may_do_nothing_else(guarded: Server) -> None:
    servers, _ = open_servers(f"redis+unix://rooms:change-me@{guarded.socket}")
    asked = [("FLUSHALL",), ("GET", "other"), ("KEYS", "*"), ("CONFIG", "SET", "save", "")]
    replies = await servers.ask([(0, command) for command in asked])
    assert all("permission" in str(reply) for reply in replies), replies
    await servers.close()


def test_the_page_names_every_key() -> None:
    page = (FOLDER / "README.md").read_text()
    keys = Keys("rooms:")
    for key in (*keys.session(1, "KIND,ID"), *keys.leases(), keys.secret):
        word = re.sub(r"\{\d+\}", "{T}", key)
        last = word.split("}:")[1].split(":")[0]
        assert f":{last}" in page, key
    assert f"{{{TAGS[0]}}}" in page
