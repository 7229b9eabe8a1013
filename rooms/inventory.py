"""What a store's sessions are and were, for people: `rooms list`, `show`, `send`, `watch`,
`history`, `export`, `import`, `delete`, and what `check` finds in a store.

In: an operator to ask (`access.py`), and names. Out: text, by `say`, a line at a time.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from rooms.errors import Closing, RoomsError, UsageError
from rooms.host.record import restore
from rooms.store.export import imported
from rooms.store.port import SessionId
from runtime import System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from rooms.access import Operator
    from rooms.app import App
    from rooms.store.port import Record


def named(text: str) -> SessionId:
    """`kind/session`. Raises UsageError."""
    kind, slash, session = text.partition("/")
    if not (kind and slash and session):
        raise UsageError(f"{text}: a session is named kind/session, as in counter/shared-counter")
    return SessionId(kind, session)


# -------------------------------------------------------------------------------- looking


async def list_sessions(operator: Operator, kind: str | None, say: Callable[[str], None]) -> None:
    """A line each: name, revision, bytes, whether it is live, last change, when it wakes."""
    rows = [("SESSION", "REVISION", "BYTES", "STATE", "CHANGED", "DUE")]
    async for one in _all(operator, kind):
        state = "live" if one["live"] else "asleep"
        if one["connections"] is not None:  # as far as the host that was asked knows
            state = f"live, {one['connections']} connected"
        numbers = (str(one["revision"]), str(one["bytes"]))
        rows.append((str(_id(one)), *numbers, state, _when(one["changed"]), _when(one["due"])))
    if len(rows) == 1:
        say("no sessions")
        return
    _table(rows, (str.ljust, str.rjust, str.rjust, str.ljust, str.ljust, str.ljust), say)


async def show(operator: Operator, id: SessionId, say: Callable[[str], None]) -> None:
    """A session as JSON for people: its state, and how much stands beside it."""
    shown = await operator.ask("GET", id)
    times = {name: _when(shown[name]) or None for name in ("changed", "due", "expires")}
    say(json.dumps({**shown, **times}, indent=2, ensure_ascii=False))


async def history(
    operator: Operator, id: SessionId, at: str | None, say: Callable[[str], None]
) -> None:
    """A line for each revision that is kept, or the state `at` one of them as JSON."""
    if at is not None:
        past = await operator.ask("GET", id, f"/history/{at}")
        say(json.dumps({**past, "at": _when(past["at"])}, indent=2, ensure_ascii=False))
        return
    params: dict[str, str] = {}
    rows = [("REVISION", "AT", "EVENT")]
    while True:
        page = await operator.ask("GET", id, "/history", params=params)
        rows += [(str(r["revision"]), _when(r["at"]), r["event"] or "") for r in page["revisions"]]
        if page["next"] is None:
            break
        params["after"] = str(page["next"])
    if len(rows) == 1:
        say(f"no past of {id} is kept: its Room says how much is, `history` and `history_age`")
        return
    _table(rows, (str.rjust, str.ljust, str.ljust), say)


# -------------------------------------------------------------------------------- acting


async def retry(
    operator: Operator, id: SessionId, name: str | None, say: Callable[[str], None]
) -> None:
    """Have what failed for good tried again: durable effects and timers, of this name or all."""
    params = None if name is None else {"name": name}
    answer = await operator.ask("POST", id, "/retry", params=params)
    say(f"{id}: {answer['retried']} tried again")


async def send(
    operator: Operator,
    id: SessionId,
    event: str,
    viewer: str | None,
    role: str | None,
    say: Callable[[str], None],
) -> bool:
    """Send one event, given as JSON or only by its type, and say its outcome. False: rejected."""
    wish = {"event": _event(event), "as": viewer, "role": role}
    answer = await operator.ask("POST", id, body=orjson.dumps(wish))
    answer.pop("view", None)
    say(json.dumps(answer, ensure_ascii=False))
    return bool(answer["outcome"] != "rejected")


async def delete(operator: Operator, id: SessionId, say: Callable[[str], None]) -> None:
    """Forget a session; whoever is in it is told."""
    await operator.ask("DELETE", id)
    say(f"deleted {id}")


async def export(operator: Operator, id: SessionId | None, say: Callable[[str], None]) -> None:
    """Everything that is kept of a session, or of all, as one line of JSON each.

    Bytes that aren't JSON are in base64.
    """
    if id is not None:
        say(one_line(await operator.ask("GET", id, "/export")))
        return
    async for one in _all(operator):
        say(one_line(await operator.ask("GET", _id(one), "/export")))


async def import_sessions(
    operator: Operator,
    lines: Iterable[str],
    replace: bool,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> int:
    """Store what `export` wrote, each under a new generation; one that exists stays unless
    `replace`. Returns how many lines couldn't be taken; each is complained of.
    """
    failed = 0
    params = {"replace": "1"} if replace else {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            id, record, _ = imported(line)
            await operator.ask("PUT", id, params=params, body=line.encode())
        except RoomsError as error:
            failed += 1
            complain(f"line {number}: {error}")
        else:
            say(f"imported {id} at revision {record.revision}")
    return failed


# -------------------------------------------------------------------------------- checking


async def check(operator: Operator, app: App, say: Callable[[str], None]) -> int:
    """Say of each stored session that this App can't restore why. Returns how many there are."""
    problems = 0
    async for one in _all(operator):
        line = await operator.ask("GET", _id(one), "/export")
        id, record, _ = imported(orjson.dumps(line))
        problem = _problem(app, id, record)
        if problem is not None:
            problems += 1
            say(f"{id}: {problem}")
    return problems


def _problem(app: App, id: SessionId, record: Record) -> str | None:
    room = app.kinds.get(id.kind)
    if room is None:
        return "the App has no such kind; nobody can open it"
    if room.machine is None:
        return None if record.version == room.version() else "a machine stored it; this is hooks"
    log = logging.getLogger("rooms.host.record")
    log.disabled = True  # we say it ourselves
    try:
        system = System(room.machine, on_error=room.on_error)
        restore(room(*id), system, record, record.changed)
    except Closing as closing:
        return f"this room can't be restored: {closing.__cause__}"
    finally:
        log.disabled = False
    return None


# -------------------------------------------------------------------------------- small things


async def _all(operator: Operator, kind: str | None = None) -> AsyncIterator[dict[str, Any]]:
    params = {} if kind is None else {"kind": kind}
    while True:
        page = await operator.ask("GET", None, "/sessions", params=params)
        for one in page["sessions"]:
            yield one
        if page["next"] is None:
            return
        params["after"] = page["next"]


def _table(
    rows: Sequence[Sequence[str]],
    pads: Sequence[Callable[[str, int], str]],
    say: Callable[[str], None],
) -> None:
    """Rows as lines, each column as wide as it needs to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, pads, strict=True)
        say("  ".join(pad(cell, width) for cell, width, pad in cells).rstrip())


def _event(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return {"type": text}
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{text}: not JSON: {error}") from error


def _id(one: dict[str, Any]) -> SessionId:
    return SessionId(one["kind"], one["session"])


def one_line(data: Any) -> str:
    """As JSON, without a space too much."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _when(ms: int | None) -> str:
    """A time in ms as text, to the second, UTC; empty for none."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%F %TZ")
