"""A store that another process keeps: `serve` on its side, `RemoteStore` on this one.

What one process alone may open (a SQLite file) several hosts and routers of a machine use through
it: the port's methods are called over a Unix socket, whose file mode says who may. Calls of a link
arrive in the order in which they were made, and what all hosts commit meanwhile is one group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgpack

from rooms.errors import Fenced, LinkError, StoreError, UnknownOutcome
from rooms.link.stream import Speech, dial, listen
from rooms.store import port
from rooms.tasks import Tasks, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rooms.link.stream import Listener, StreamEnd
    from rooms.store.port import Store

logger = logging.getLogger(__name__)

Call = tuple[int, str, Sequence[Any], Mapping[str, Any]]
"""Its number, the method, its arguments and those that are named."""

_SECRET: Final = b"a Unix socket is its owner's"
_FIRST_PAUSE: Final = 0.05  # s
_LONGEST_PAUSE: Final = 1.0
_METHODS: Final = frozenset(
    name for name in vars(port.Store) if not name.startswith("_") and name != "close"
)


async def serve(store: Store, address: str) -> Listener:
    """Let other processes of this machine use `store`. Raises UsageError: not at this address."""
    calls = Tasks()

    def accept(end: StreamEnd[Any]) -> None:
        async def call(number: int, *asked: Any) -> None:
            end.send([number, await answer(store, *asked)])

        def called(message: Any) -> None:
            calls.begin(call(*message))

        end.listen(called)

    return await listen(address, _SECRET, accept, _SPEECH)


async def answer(
    store: Store, method: str, arguments: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """What the store says; an error is an answer too."""
    if method not in _METHODS:
        return StoreError(f"a store has no method {method!r}")
    try:
        return await getattr(store, method)(*arguments, **named)
    except StoreError as error:
        return error
    except Exception as error:
        logger.exception("%s failed", method)
        return UnknownOutcome(f"the store failed: {error!r}")


class CalledStore:
    """A `Store` whose methods are called elsewhere: `send` has what is to be said of each call."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        """One of the port's methods: called where the store is."""
        if method not in _METHODS:
            raise AttributeError(method)
        return partial(self._call, method)

    async def close(self) -> None:
        if self._calls:
            await asyncio.wait(list(self._calls.values()))

    def send(self, call: Call) -> None:
        """Make a call. Raises StoreError: it can't be made."""
        raise NotImplementedError

    async def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self.send((number, method, arguments, named))
        self._calls[number] = answer
        return await answer

    def answered(self, number: int, answer: Any) -> None:
        """What came of a call, or the error that it is to raise."""
        call = self._calls.pop(number, None)
        if call is not None:
            resolve(call, answer)


class RemoteStore(CalledStore):
    """A `Store` in another process; made by `open`. While it can't be reached, calls fail; those
    that were under way have an unknown outcome.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._end: StreamEnd[Any] | None = None
        self._again: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, address: str) -> RemoteStore:
        """Raises StoreError: nobody keeps a store there."""
        store = cls(address)
        try:
            await store._dial()
        except LinkError as error:
            raise StoreError(f"the store can't be reached: {error}") from error
        return store

    async def close(self) -> None:
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        await super().close()
        if self._end is not None:
            self._end.close()

    # ------------------------------------------------------------------ the link

    def send(self, call: Call) -> None:
        if self._closed:
            raise StoreError("the store is closed; open it again")
        if self._end is None:
            raise StoreError(f"the store at {self._address} can't be reached")
        self._end.send(call)

    async def _dial(self) -> None:
        end = await dial(self._address, _SECRET, _SPEECH)
        self._end = end
        end.listen(lambda message: self.answered(*message), self._lost)

    def _lost(self) -> None:
        self._end = None
        calls, self._calls = self._calls, {}
        for call in calls.values():
            resolve(call, UnknownOutcome("the link to the store was lost"))
        if not self._closed:
            logger.warning("the link to the store was lost")
            self._again = asyncio.get_running_loop().create_task(self._dial_again())

    async def _dial_again(self) -> None:
        pause = _FIRST_PAUSE
        while self._end is None:
            try:
                await self._dial()
            except LinkError:
                await asyncio.sleep(pause)  # noqa: TID251 - before another attempt
                pause = min(2 * pause, _LONGEST_PAUSE)


# ---------------------------------------------------------------------- bytes

_TYPES: Final[tuple[Any, ...]] = tuple(
    value
    for value in vars(port).values()
    if isinstance(value, type)
    and value.__module__ == port.__name__
    and hasattr(value, "__match_args__")
)
"""The port's values, in the order in which it defines them: each travels as its place here and its
fields.
"""
_CODES: Final = {type: code for code, type in enumerate(_TYPES)}
_FENCED, _UNKNOWN, _ERROR = 64, 65, 66


def encode(value: Any) -> bytes:
    """What calls and their answers have in them, as bytes."""
    packed: bytes = msgpack.packb(value, default=_as_fields, strict_types=True)
    return packed


def _as_fields(value: Any) -> Any:
    code = _CODES.get(type(value))
    match value:
        case _ if code is not None:
            parts = [getattr(value, name) for name in value.__match_args__]
            return msgpack.ExtType(code, encode(parts))
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case Fenced():
            parts = [value.kind, value.session, value.held, value.current]
            return msgpack.ExtType(_FENCED, encode(parts))
        case StoreError():
            kind = _UNKNOWN if isinstance(value, UnknownOutcome) else _ERROR
            return msgpack.ExtType(kind, encode([str(value)]))
    raise TypeError(f"{type(value).__name__} is nothing that a store is told")


def decode(data: bytes) -> Any:
    """What `encode` made. Raises ValueError for anything else."""
    try:
        return msgpack.unpackb(data, ext_hook=_from_fields, strict_map_key=False)
    except (TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not a store's message: {error}") from error


def _from_fields(code: int, data: bytes) -> Any:
    parts = decode(data)
    if code == _FENCED:
        return Fenced(*parts)
    if code in (_UNKNOWN, _ERROR):
        return (UnknownOutcome if code == _UNKNOWN else StoreError)(*parts)
    return _TYPES[code](*parts)


_SPEECH: Final = Speech[Any](encode, decode)
