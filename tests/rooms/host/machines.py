"""Kinds of rooms for the host's tests, each with what one promise needs."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

from rooms.definition import Room, reply
from rooms.sync.views import Viewer, everything, show
from runtime import (
    assign,
    create_machine,
    emit,
    from_promise,
    raise_,
    send_to,
    setup,
    spawn_child,
)

DONE: list[tuple[str, Any]] = []
"""What custom actions did, as (what, count at their place)."""


SENDERS: list[str | None] = []
"""The `sender` of the events they did it for."""


SEEN: list[int] = []
"""The count that their actor's own snapshot had meanwhile."""


def note(args: Any, params: Any) -> None:
    SEEN.append(args.self.get_snapshot().context["count"])
    SENDERS.append(args.event.get("sender"))
    DONE.append((args.event["type"], args.context["count"]))


def _raise(args: Any, params: Any) -> Any:
    raise ValueError("secret of the stack")


def _count(args: Any, params: Any) -> dict[str, int]:
    return {"count": args.context["count"] + args.event.get("by", 1)}


COUNTER = setup(
    actions={
        "add": assign(_count),
        "note": note,
        "break": assign(_raise),
        "spoil": assign({"bad": lambda args, params: {1, 2}}),
        "throw": _raise,
        "shout": emit(lambda args, params: {"type": "shouted", "count": args.context["count"]}),
        "answer": reply(lambda args, params: {"count": args.context["count"]}),
    },
    guards={"raises": _raise},
).create_machine(
    {
        "id": "counter",
        "version": "1",
        "context": {"count": 0},
        "initial": "open",
        "states": {
            "open": {
                "on": {
                    "increment": {"actions": "add"},
                    "noted": {"actions": ["add", "note"]},
                    "broken": {"actions": ["add", "break"]},
                    "guarded": {"guard": "raises", "actions": "add"},
                    "spoilt": {"actions": ["add", "spoil"]},
                    "thrown": {"actions": ["add", "throw", "note"]},
                    "shout": {"actions": ["add", "shout"]},
                    "ask": {"actions": ["add", "answer"]},
                    "finish": "closed",
                    "forbidden": {},
                }
            },
            "closed": {"type": "final"},
        },
    }
)


bell = create_machine(
    {
        "id": "bell",
        "initial": "still",
        "on": {"wind": ".wound", "ring": {"target": ".still", "actions": emit({"type": "rang"})}},
        "states": {
            "still": {},
            "wound": {"after": {90_000: {"target": "still", "actions": emit({"type": "rang"})}}},
        },
    }
)


class Bell(Room):
    """It rings when it is told to, or a minute and a half after it was wound."""

    machine = bell


class Counter(Room):
    machine = COUNTER
    view: Any = everything

    def allow_send(self, viewer: Viewer, event: Any, snapshot: Any) -> bool | str:
        if viewer.role == "spectator":
            return "spectators only watch"
        return bool(event["type"] != "secret")


class Volatile(Counter):
    durability = "memory"


class Private(Counter):
    """One view for each viewer."""

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        return show(snapshot, context={"count": snapshot.context["count"], "you": viewer.id})


class Add(TypedDict):
    by: int


class Strict(Room):
    """Its machine says what its events look like."""

    machine = setup(events={"add": Add}, actions={"add": assign(_count)}).create_machine(
        {"context": {"count": 0}, "on": {"add": {"actions": "add"}}}
    )
    view = everything


def _seat(word: str) -> Any:
    def change(args: Any, params: Any) -> dict[str, Any]:
        viewer = args.event["viewer"]["id"]
        return {"seats": {**args.context["seats"], viewer: word}}

    return assign(change)


LOBBY = create_machine(
    {
        "id": "lobby",
        "context": {"seats": {}},
        "on": {
            "room.joined": {"actions": _seat("here")},
            "room.away": {"actions": _seat("away")},
            "room.back": {"actions": _seat("back")},
            "room.left": {"actions": _seat("left")},
            "ping": {"actions": assign({"pinged": True})},
        },
    }
)


class Lobby(Room):
    machine = LOBBY
    view = everything


class Full(Lobby):
    max_viewers = 1


CLOCK = create_machine(
    {
        "id": "clock",
        "version": "1",
        "initial": "waiting",
        "context": {"at": None},
        "states": {
            "waiting": {"on": {"start": "running"}},
            "running": {
                "after": {
                    60_000: {
                        "target": "over",
                        "actions": assign({"at": lambda args, params: args.now}),
                    }
                }
            },
            "over": {"on": {"start": "running"}},
        },
    }
)


class Clock(Room):
    machine = CLOCK
    view = everything
    show_timers = True


def _fails_until(args: Any, params: Any) -> dict[str, Any]:
    if args.now < args.context["works_from"]:
        raise ValueError("not yet")
    return {"fired": args.now}


STUBBORN = create_machine(
    {
        "id": "stubborn",
        "context": {"fired": None, "works_from": 0},
        "initial": "waiting",
        "states": {
            "waiting": {
                "on": {
                    "start": {
                        "target": "running",
                        "actions": assign({"works_from": lambda args, params: args.now + 3_500}),
                    }
                }
            },
            "running": {"after": {1_000: {"target": "over", "actions": assign(_fails_until)}}},
            "over": {},
        },
    }
)


class Stubborn(Room):
    machine = STUBBORN
    view = everything


STARTED: list[asyncio.Future[Any]] = []
"""The calls of `fetch` that were begun; the test answers them."""


async def fetch(args: Any) -> Any:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    STARTED.append(future)
    return await future


WORKER = setup(actors={"fetch": from_promise(fetch)}).create_machine(
    {
        "id": "worker",
        "context": {"answer": None},
        "initial": "idle",
        "states": {
            "idle": {"on": {"go": "busy"}},
            "busy": {
                "invoke": {
                    "src": "fetch",
                    "onDone": {
                        "target": "idle",
                        "actions": assign({"answer": lambda args, params: args.event["output"]}),
                    },
                }
            },
        },
    }
)


BUSY = setup(actors={"fetch": from_promise(fetch)}).create_machine(
    {
        "context": {"answer": None},
        "invoke": {
            "src": "fetch",
            "onDone": {
                "actions": assign({"answer": lambda args, params: args.event["output"]}),
            },
        },
    }
)
"""It has something to do before anybody says anything."""


class Worker(Room):
    machine = WORKER
    view = everything


PARENT = setup(
    actors={
        "player": create_machine(
            {
                "id": "player",
                "context": {"score": 0},
                "on": {
                    "shout": {"actions": emit({"type": "the child's"})},
                    "score": {
                        "actions": assign({"score": lambda args, params: args.context["score"] + 1})
                    },
                },
            }
        )
    }
).create_machine(
    {
        "id": "parent",
        "context": {},
        "invoke": {"src": "player", "id": "one"},
        "on": {"shout": {"actions": emit({"type": "mine"})}},
    }
)


class Parent(Room):
    machine = PARENT
    view = everything

    def allow_send_to(self, viewer: Viewer, child: str, event: Any, snapshot: Any) -> bool | str:
        return child == "one" and viewer.id == "ann"


def _put(args: Any, params: Any) -> dict[str, Any]:
    pages, event = args.context["pages"], args.event
    return {"pages": {**pages, event["page"]: event["text"]}}


def _drop(args: Any, params: Any) -> dict[str, Any]:
    pages = args.context["pages"]
    return {"pages": {key: text for key, text in pages.items() if key != args.event["page"]}}


def _turn(args: Any, params: Any) -> dict[str, Any]:
    """Put a page at the end."""
    page, pages = args.event["page"], args.context["pages"]
    if page not in pages:
        return {}
    others = {key: text for key, text in pages.items() if key != page}
    return {"pages": {**others, page: pages[page]}}


def _file(args: Any, params: Any) -> dict[str, Any]:
    """Add a line to a log that keeps so many."""
    return {"log": [*args.context["log"], args.event["text"]][-5:]}


leaf = create_machine({"id": "leaf", "context": {"n": 0}, "on": {"bump": {"actions": assign(
    {"n": lambda args, params: args.context["n"] + 1}
)}}})  # fmt: skip


BOOK = setup(
    actors={"leaf": leaf, "work": from_promise(fetch)},
    actions={"put": assign(_put), "drop": assign(_drop), "turn": assign(_turn),
             "file": assign(_file), "spoil": assign({"bad": lambda args, params: {1, 2}}),
             "misname": assign({"pages": lambda args, params: {7: "x"}})},
).create_machine(
    {
        "id": "book",
        "version": "1",
        "context": {"pages": {}, "log": []},
        "initial": "open",
        "on": {
            "put": {"actions": "put"},
            "drop": {"actions": "drop"},
            "turn": {"actions": "turn"},
            "file": {"actions": "file"},
            "spoilt": {"actions": "spoil"},
            "misnamed": {"actions": "misname"},
            "later": {"actions": raise_({"type": "tick"}, delay=60_000)},
            "tick": {},
            "grow": {"actions": spawn_child("leaf", id=lambda args, params: args.event["page"])},
            "bump": {"actions": send_to(lambda args, params: args.event["page"], {"type": "bump"})},
        },
        "states": {
            "open": {"on": {"close": "closed", "doze": "dozing"}},
            "dozing": {"after": {90_000: "closed"}},
            "closed": {"invoke": {"id": "work", "src": "work"}, "on": {"open": "open"}},
        },
    }
)  # fmt: skip


class Book(Room):
    """A room whose state may be large, and which keeps its past."""

    machine = BOOK
    view: Any = everything
    history = 20

    def allow_history(self, viewer: Viewer, snapshot: Any) -> bool | str:
        return viewer.id in ("ann", "ben") or "only readers look back"


class Secretive(Book):
    """Each viewer is shown its own page, then and now."""

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        return show(snapshot, context={"mine": snapshot.context["pages"].get(viewer.id)})
