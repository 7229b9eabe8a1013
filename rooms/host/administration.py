"""What who runs the server may ask of its sessions, live and sleeping (SPEC, ADMIN).

In: requests that the router has let through as an operator's. Out: one JSON answer each. Looking
wakes no room and shows only what is durable; an event goes the way of every other one.
Next: `rooms/host/keeper.py`, or the store itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.errors import BadMessage, RoomsError, UsageError
from rooms.host.ask import Ask, Retry
from rooms.host.door import OPERATOR
from rooms.host.endings import TOLD
from rooms.host.history import kept, past, read_log
from rooms.host.marks import clients_of
from rooms.host.neighbours import NotHere
from rooms.host.outbox import shown
from rooms.host.record import state
from rooms.host.seats import seats_of
from rooms.store.export import exported, imported
from rooms.store.port import SessionId
from rooms.sync.messages import check_event
from rooms.sync.views import Viewer
from runtime import StateMachine

if TYPE_CHECKING:
    from rooms.host.keeper import RoomKeeper
    from rooms.link.memory import End
    from rooms.link.protocol import Request
    from rooms.store.port import Listed, Record, Store

logger = logging.getLogger(__name__)

PAGE: Final = 200
"""The most sessions of one answer."""

Reply = tuple[int, Any]


class Administration:
    """Answers operators on one host."""

    def __init__(self, rooms: RoomKeeper, store: Store) -> None:
        self._rooms = rooms
        self._store = store

    async def answer(self, end: End, request: Request) -> None:
        """Answer this request over the link it came from."""
        asked = Ask(end, request.request, OPERATOR, create=False)
        reply: Reply | None
        try:
            if request.session:
                reply = await self._session(asked, end, request)
            else:
                reply = await self._sessions(request)
        except NotHere as found:
            asked.elsewhere(found.address)
            return
        except _Missing:
            reply = 404, {"reason": f"there is no session {request.kind}/{request.session}"}
        except UsageError as error:
            reply = 422, {"reason": str(error)}
        except RoomsError as error:
            reply = 503, {"reason": str(error)}
        except Exception:
            logger.exception("an operator's %s %s failed", request.method, request.path)
            reply = 500, {"reason": "that failed; the server's log says why"}
        if reply is not None:
            asked.reply(*reply)

    async def _sessions(self, request: Request) -> Reply:
        """What is about many sessions."""
        match request.method, request.path:
            case "GET", "/sessions":
                return await self._list(request.params)
            case "GET", path if path.startswith("/kinds/"):
                return self._kind(path.removeprefix("/kinds/"))
            case _:
                return 404, {"reason": "there is nothing here"}

    async def _session(self, asked: Ask, end: End, request: Request) -> Reply | None:
        """What is about one; None: its room answers."""
        id = SessionId(request.kind, request.session)
        match request.method, request.path:
            case "GET", "":
                return await self._show(id)
            case "GET", "/view":
                self._look(asked, id, request)
            case "POST", "":
                self._send(asked, id, request)
            case "POST", "/retry":
                retry = Retry(end, request.request, OPERATOR, create=False)
                retry.name = request.params.get("name")
                await self._retry(retry, id)
            case "GET", "/export":
                return await self._export(id)
            case "GET", "/history":
                return await self._history(id, request.params)
            case "GET", path if path.startswith("/history/"):
                return await self._past(id, path.removeprefix("/history/"))
            case "PUT", "":
                return await self._import(id, request)
            case "DELETE", "":
                if not await self._rooms.endings.replace(id, None, TOLD["DELETE"]):
                    raise _Missing
                return 200, {"deleted": str(id)}
            case _:
                return 404, {"reason": "there is nothing here"}
        return None

    async def _list(self, params: dict[str, str]) -> Reply:
        after, most = params.get("after"), _limit(params)
        last = None
        if after is not None:
            kind, slash, session = after.partition("/")
            if not slash:
                raise UsageError("`after` is the kind/session that came last")
            last = SessionId(kind, session)
        found = await self._store.scan(params.get("kind"), last, most)
        lines = [self._line(one) for one in found]
        following = str(found[-1].id) if len(found) == most else None
        return 200, {"sessions": lines, "next": following}

    def _line(self, one: Listed) -> dict[str, Any]:
        room = self._rooms.live.get(one.id)
        return {
            "kind": one.id.kind,
            "session": one.id.session,
            "live": one.owner is not None,
            "connections": None if room is None else len(room.audience),
            "revision": one.revision,
            "version": one.version,
            "bytes": one.bytes,
            "changed": one.changed,
            "due": one.due,
        }

    async def _show(self, id: SessionId) -> Reply:
        record = await self._load(id)
        room = self._rooms.live.get(id)
        storage = {key: orjson.loads(value) for key, value in record.storage.items()}
        return 200, {
            "kind": id.kind,
            "session": id.session,
            "live": room is not None,
            "connections": 0 if room is None else len(room.audience),
            "generation": record.generation,
            "revision": record.revision,
            "version": record.version,
            "changed": record.changed,
            "due": record.due,
            "expires": record.expires,
            "seats": seats_of(record.seats),
            "marks": clients_of(record.marks),
            "outbox": shown(record.outbox),
            "snapshot": state(record) if room is None else orjson.loads(room.state()),
            **({"storage": storage} if storage else {}),
        }

    def _kind(self, name: str) -> Reply:
        room = self._rooms.kind(name)
        if room is None:
            return 404, {"reason": f"the App has no kind {name!r}"}
        machine = room.machine.to_json() if isinstance(room.machine, StateMachine) else None
        return 200, {"version": room.version(), "machine": machine}

    def _look(self, asked: Ask, id: SessionId, request: Request) -> None:
        """What somebody would be shown; the room answers."""
        self._check_kind(id)
        viewer = request.params.get("as")
        if viewer is not None:
            asked.viewer = Viewer(viewer, request.params.get("role") or "player")
        self._rooms.put(id, asked)

    async def _history(self, id: SessionId, params: dict[str, str]) -> Reply:
        after, most = _number(params, "after", 0), _limit(params)
        await self._load(id)
        found = await kept(self._store, id, after=after, limit=most)
        following = found[-1].revision if len(found) == most else None
        return 200, {"revisions": [one._asdict() for one in found], "next": following}

    async def _past(self, id: SessionId, text: str) -> Reply:
        revision = _number({"revision": text}, "revision", 0)
        found = await past(self._store, id, revision)
        if found is None:
            return 404, {"reason": f"revision {revision} of {id} isn't kept"}
        return 200, {**found.kept._asdict(), "version": found.version, "snapshot": found.persisted}

    def _send(self, asked: Ask, id: SessionId, request: Request) -> None:
        """One event; the room answers."""
        try:
            wish = orjson.loads(request.body)
            event, viewer = wish["event"], wish.get("as")
            check_event(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError("a body is {event, as, role}") from error
        except BadMessage as bad:
            raise UsageError(bad.reason) from bad
        self._check_kind(id)
        if viewer is not None:
            asked.viewer = Viewer(str(viewer), str(wish.get("role") or "player"))
        asked.event = event
        self._rooms.put(id, asked)

    async def _retry(self, retry: Retry, id: SessionId) -> None:
        """What failed for good; the room answers."""
        self._check_kind(id)
        await self._load(id)
        self._rooms.put(id, retry)

    async def _export(self, id: SessionId) -> Reply:
        record = await self._load(id)
        log = await read_log(self._store, id, 0, record.revision) if record.logged else ()
        return 200, exported(id, record, log)

    async def _import(self, id: SessionId, request: Request) -> Reply:
        named, record, log = imported(request.body)
        if named != id:
            raise UsageError(f"this is {named}, not {id}")
        if request.params.get("replace") != "1" and await self._store.load(id) is not None:
            return 409, {"reason": f"{id} exists; --replace puts this in its place"}
        await self._rooms.endings.replace(id, record, TOLD["PUT"], log)
        return 200, {"imported": str(id), "revision": record.revision}

    def _check_kind(self, id: SessionId) -> None:
        if self._rooms.kind(id.kind) is None:
            raise UsageError(f"the App has no kind {id.kind!r}")

    async def _load(self, id: SessionId) -> Record:
        record = await self._store.load(id)
        if record is None:
            raise _Missing
        return record


class _Missing(Exception):
    """There is no such session."""


def _number(params: dict[str, str], name: str, default: int) -> int:
    """A parameter that is a number. Raises UsageError."""
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"`{name}` is a number")
    return int(text)


def _limit(params: dict[str, str]) -> int:
    """How many lines an answer is to have. Raises UsageError."""
    return min(max(_number(params, "limit", PAGE), 1), PAGE)
