"""What every kind of link does: the pair of queues, the Unix socket, TCP, and TCP with TLS."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import LinkError, UsageError
from rooms.link import stream
from rooms.link.memory import pair
from rooms.link.protocol import Answer, Message, Said, Tell
from rooms.link.stream import LINK, Listener, StreamEnd, Tls, dial, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from rooms.link.memory import End

SECRET = b"s" * 32
WITHIN = 20.0


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificate(tmp_path_factory.mktemp("tls"))


def certificate(folder: Path) -> Tls:
    """A certificate that is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    key, crt = folder / "key.pem", folder / "crt.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", crt, "-subj", "/CN=fleet", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    return Tls(str(crt), str(key), str(crt))


class Side:
    """Who listens at one end, and writes down what comes."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.heard: list[Message] = []
        self.ended = 0
        self._changed = asyncio.Event()

    def listen(self) -> Side:
        self.end.listen(self._on_message, self._on_close)
        return self

    def _on_message(self, message: Message) -> None:
        self.heard.append(message)
        self._changed.set()

    def _on_close(self) -> None:
        self.ended += 1
        self._changed.set()

    async def until(self, what: Callable[[Side], bool]) -> None:
        """Wait until this is true of it."""

        async def changed() -> None:
            while not what(self):
                self._changed.clear()
                await self._changed.wait()

        try:
            await asyncio.wait_for(changed(), WITHIN)
        except TimeoutError:
            raise AssertionError(f"heard {len(self.heard)}, ended {self.ended}") from None


@asynccontextmanager
async def listening(address: str, tls: Tls | None = None) -> AsyncIterator[tuple[Listener, Any]]:
    """A listener, and the queue of the ends that it took."""
    ends: asyncio.Queue[StreamEnd[Message]] = asyncio.Queue()
    taken: list[StreamEnd[Message]] = []

    def accept(end: StreamEnd[Message]) -> None:
        taken.append(end)
        ends.put_nowait(end)

    listener = await listen(address, SECRET, accept, LINK, tls=tls)
    try:
        yield listener, ends
    finally:
        listener.close()
        for end in taken:
            end.close()
        await a_moment()


async def a_moment() -> None:
    """Some rounds of the loop, in which what is closed ends."""
    for _ in range(20):
        await asyncio.to_thread(lambda: None)


@pytest.fixture(params=["memory", "unix", "tcp", "tls"])
async def sides(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    """Both ends of one link."""
    if request.param == "memory":
        one, other = pair()
        yield Side(one), Side(other)
        return
    tls = request.getfixturevalue("tls") if request.param == "tls" else None
    where = f"unix:{tmp_path}/link" if request.param == "unix" else f"{request.param}:127.0.0.1:0"
    async with listening(where, tls) as (listener, ends):
        dialled = await dial(listener.address, SECRET, LINK, tls=tls)
        taken = await asyncio.wait_for(ends.get(), WITHIN)
        yield Side(dialled), Side(taken)
        dialled.close()


Sides = tuple[Side, Side]


async def test_messages_arrive_in_order_both_ways(sides: Sides) -> None:  # [LINK1]
    one, other = (side.listen() for side in sides)
    there: list[Message] = [Said(n, {"type": "x" * n}) for n in range(500)]
    back: list[Message] = [Answer(1, 200, {}, b"y" * 3_000_000), Tell(1, b"z")]
    for message in there:
        one.end.send(message)
    for message in back:
        other.end.send(message)
    await other.until(lambda side: len(side.heard) == len(there))
    await one.until(lambda side: len(side.heard) == len(back))
    assert other.heard == there
    assert one.heard == back


async def test_sending_calls_nobody_back_at_once(sides: Sides) -> None:
    one, other = (side.listen() for side in sides)
    one.end.send(Tell(1, b"x"))
    assert other.heard == []
    await other.until(lambda side: bool(side.heard))


async def test_what_comes_before_somebody_listens_is_kept(sides: Sides) -> None:  # [LINK1]
    one, other = sides
    one.listen().end.send(Tell(1, b"x"))
    one.end.send(Tell(2, b"y"))
    await a_moment()
    other.listen()
    await other.until(lambda side: side.heard == [Tell(1, b"x"), Tell(2, b"y")])


async def test_the_end_is_heard_once_by_the_other_side_alone(sides: Sides) -> None:  # [LINK1]
    one, other = (side.listen() for side in sides)
    one.end.close()
    one.end.close()
    await other.until(lambda side: side.ended > 0)
    other.end.send(Tell(1, b"lost"))
    other.end.close()
    assert (one.ended, other.ended, one.heard) == (0, 1, [])


async def test_a_message_that_is_handled_badly_costs_no_other(sides: Sides) -> None:
    one, other = sides
    heard: list[Message] = []
    done = asyncio.Event()

    def badly(message: Message) -> None:
        heard.append(message)
        if len(heard) == 2:
            done.set()
        raise ZeroDivisionError

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    other.end.listen(badly)
    one.end.send(Tell(1, b"x"))
    one.end.send(Tell(2, b"y"))
    await asyncio.wait_for(done.wait(), WITHIN)


# ---------------------------------------------------------------------- of sockets alone


async def test_what_was_sent_before_the_end_arrives(tmp_path: Path) -> None:  # [LINK1]
    async with listening(f"unix:{tmp_path}/link") as (listener, ends):
        one = await dial(listener.address, SECRET, LINK)
        other = Side(await asyncio.wait_for(ends.get(), WITHIN)).listen()
        messages = [Tell(n, b"x" * 100_000) for n in range(20)]
        for message in messages:
            one.send(message)
        one.close()
        await other.until(lambda side: side.ended == 1)
        assert other.heard == messages


async def test_a_link_that_is_cut_ends_once_for_both_sides(tmp_path: Path) -> None:  # [LINK1]
    async with listening(f"unix:{tmp_path}/link") as (listener, ends):
        one = Side(await dial(listener.address, SECRET, LINK)).listen()
        other = Side(await asyncio.wait_for(ends.get(), WITHIN)).listen()
        other.end._transport.write(b"\0\0\0\0\0")  # type: ignore[attr-defined]  # nonsense
        for side in (one, other):
            await side.until(lambda side: side.ended > 0)
        await a_moment()
        assert (one.ended, other.ended) == (1, 1)


async def test_who_doesnt_know_the_secret_is_refused(tmp_path: Path) -> None:  # [LINK2]
    async with listening(f"unix:{tmp_path}/link") as (listener, ends):
        with pytest.raises(LinkError):
            await dial(listener.address, b"x" * 32, LINK)
        assert ends.empty()


async def test_nobody_there_is_a_link_error(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="nobody"):
        await dial(f"unix:{tmp_path}/nobody", SECRET, LINK)


async def test_a_path_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/link"
    loop = asyncio.get_running_loop()
    left = await loop.create_unix_server(asyncio.Protocol, f"{tmp_path}/link")
    left.close()
    async with listening(address) as (listener, _):
        assert (tmp_path / "link").stat().st_mode & 0o077 == 0
        (await dial(listener.address, SECRET, LINK)).close()


async def test_a_strangers_certificate_is_refused(tls: Tls, tmp_path: Path) -> None:  # [LINK2]
    stranger = certificate(tmp_path)
    async with listening("tls:127.0.0.1:0", tls) as (listener, ends):
        with pytest.raises(LinkError):
            await dial(listener.address, SECRET, LINK, tls=stranger)
        assert ends.empty()


async def test_a_silent_peer_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # [LINK5]
    monkeypatch.setattr(stream, "PING_EVERY", 0.02)
    async with listening(f"unix:{tmp_path}/link") as (listener, ends):
        one = Side(await dial(listener.address, SECRET, LINK)).listen()
        other = await asyncio.wait_for(ends.get(), WITHIN)
        other._transport.pause_reading()  # half open: nothing is read, and nothing said
        other._ticking.cancel()
        await one.until(lambda side: side.ended == 1)
        other._transport.resume_reading()


async def test_a_peer_that_answers_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # [LINK5]
    monkeypatch.setattr(stream, "PING_EVERY", 0.01)
    async with listening(f"unix:{tmp_path}/link") as (listener, ends):
        one = Side(await dial(listener.address, SECRET, LINK)).listen()
        other = await asyncio.wait_for(ends.get(), WITHIN)
        other._ticking.cancel()  # it doesn't ping; it answers
        pings, tick = [0], one.end._framing.tick  # type: ignore[attr-defined]
        enough = asyncio.Event()

        def counted() -> None:
            pings[0] += 1
            tick()
            if pings[0] == 20:
                enough.set()

        one.end._framing.tick = counted  # type: ignore[attr-defined]
        await asyncio.wait_for(enough.wait(), WITHIN)
        assert one.ended == 0
        one.end.close()


@pytest.mark.parametrize("address", ["", "unix:", "tcp:host", "tcp::7", "tls:h:x", "udp:h:1"])
def test_an_address_that_is_none_is_explained(address: str) -> None:
    with pytest.raises(UsageError, match="is no link's address"):
        stream.parse(address)


def test_addresses_name_a_way_and_a_place() -> None:
    assert stream.parse("unix:/run/x.sock") == ("unix", "/run/x.sock", 0)
    assert stream.parse("tcp:[::1]:7") == ("tcp", "::1", 7)
    assert stream.parse("tls:host-1:7000") == ("tls", "host-1", 7000)
