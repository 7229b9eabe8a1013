"""Rooms whose state witnesses what happened to them: the kinds of a simulated world.

Each accepted event is written into a log that everybody sees, in the form `tests/histories.py`
reads; its outcome says in which life of the session it was, and at which place.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rooms.definition import Room, reply
from rooms.effects import effect, send_to_room
from rooms.sync.views import everything, show
from runtime import assign, emit, enqueue_actions, from_promise, setup
from tests.sim.loop import passed

if TYPE_CHECKING:
    from rooms.definition import Door
    from rooms.effects import Attempt
    from rooms.sync.views import Viewer


FAR: Final = "far"
"""The session of a ledger that others hand things over to, and nobody visits."""


def _entry(args: Any) -> str:
    return f"{args.event['who']}:{args.event['n']}"


def _write(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], _entry(args)]}


def _answer(args: Any, params: Any) -> dict[str, Any]:
    return {"life": args.context["life"], "place": len(args.context["log"])}


def _whisper(args: Any, params: Any) -> dict[str, Any]:
    told = {**args.context["secrets"], args.event["sender"]: args.event["secret"]}
    return {"secrets": told}


def _break(args: Any, params: Any) -> dict[str, Any]:
    raise ValueError("broken on purpose")


def _end(args: Any, params: Any) -> dict[str, Any]:
    """What is too much for a process of one's own, and among others an event that fails."""
    witness = getattr(asyncio.get_running_loop(), "witness", None)
    if witness is not None:
        witness.ends(_entry(args), args.event["cause"])
    raise ValueError("too much")


def _arm(args: Any, params: Any) -> None:
    due = args.now + args.event["delay"]
    line = f"{_entry(args)}>{due}"
    args.enqueue.assign({"log": [*args.context["log"], line]})
    fired = {"type": "fired", "entry": _entry(args)}
    args.enqueue.raise_(fired, id=_entry(args), delay=args.event["delay"])


def _fired(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], f"{args.event['entry']}!{args.now}"]}


def _begin_work(args: Any, params: Any) -> None:
    """Something that a coroutine does; how long it takes it says by another clock than a timer."""
    entry, delay = _entry(args), min(args.event["delay"], 200)
    args.enqueue.assign({"log": [*args.context["log"], f"{entry}~{args.now}"]})
    args.enqueue.spawn_child("work", id=entry, input={"entry": entry, "delay": delay})


async def _work(args: Any) -> str:
    await passed(args.input["delay"] / 1000)
    entry: str = args.input["entry"]
    return entry


def _worked(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], f"{args.event['output']}!{args.now}"]}


def _begin_ring(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], f"{_entry(args)}~{args.now}"]}


def _bell(args: Any, params: Any) -> dict[str, Any]:
    return {"life": args.context["life"], "entry": _entry(args)}


async def ring(room: Room, params: Any, attempt: Attempt) -> None:
    """A durable effect: somebody writes down that it is performed, and may fail it."""
    witness = getattr(asyncio.get_running_loop(), "witness", None)
    if witness is not None:
        witness.performs(params["life"], params["entry"], attempt)
    await passed(0.02)
    if witness is not None:
        witness.performed(params["life"], attempt)


def _rang(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], f"{args.event['params']['entry']}!{args.now}"]}


def _hand_over(args: Any, params: Any) -> dict[str, Any]:
    return {**_write(args, params), "handed": [*args.context["handed"], _handed(args)]}


def _handed(args: Any) -> str:
    return f"{args.context['life']} {_entry(args)}"


def _receive(args: Any, params: Any) -> dict[str, Any]:
    return {"received": [*args.context["received"], args.event["entry"]]}


def _tell(args: Any, params: Any) -> dict[str, Any]:
    return {"type": "wrote", **_answer(args, params), "entry": _entry(args)}


def _begin(args: Any) -> dict[str, Any]:
    life = f"{args.random.getrandbits(48):012x}"
    return {"life": life, "log": [], "secrets": {}, "seats": {}, "handed": [], "received": []}


def _seat(word: str) -> Any:
    def change(args: Any, params: Any) -> dict[str, Any]:
        return {"seats": {**args.context["seats"], args.event["viewer"]["id"]: word}}

    return assign(change)


_ON: dict[str, Any] = {
    "write": {"actions": [assign(_write), emit(_tell), reply(_answer)]},
    "odd": {
        "guard": lambda args, params: len(args.context["log"]) % 2 == 1,
        "actions": [assign(_write), reply(_answer)],
    },
    "broken": {"actions": [assign(_write), assign(_break)]},
    "deadly": {"actions": [assign(_write), assign(_end)]},
    "whisper": {"actions": [assign(_whisper), assign(_write), reply(_answer)]},
    "mutter": {"actions": assign(_whisper)},
    "arm": {"actions": [enqueue_actions(_arm), reply(_answer)]},
    "fired": {"actions": assign(_fired)},
    "work": {"actions": [enqueue_actions(_begin_work), reply(_answer)]},
    "xstate.done.actor.*": {"actions": assign(_worked)},
    "ring": {
        "actions": [
            assign(_begin_ring),
            effect("ring", _bell),
            reply(_answer),
        ]
    },
    "room.effect.done": {
        "guard": lambda args, params: args.event["name"] == "ring",
        "actions": assign(_rang),
    },
    "hand": {
        "actions": [
            send_to_room(
                "ledger", FAR, lambda args, params: {"type": "handed", "entry": _handed(args)}
            ),
            assign(_hand_over),
            reply(_answer),
        ]
    },
    "handed": {"actions": assign(_receive)},
}

_SEATS: dict[str, Any] = {
    "room.joined": {"actions": _seat("here")},
    "room.away": {"actions": _seat("away")},
    "room.back": {"actions": _seat("here")},
    "room.left": {"actions": _seat("left")},
}


def _machine(id: str, on: dict[str, Any], version: str = "1") -> Any:
    return setup(actors={"work": from_promise(_work)}).create_machine(
        {"id": id, "version": version, "context": _begin, "on": on}
    )


class Ledger(Room):
    """Everybody sees all of it; nobody has secrets here."""

    machine = _machine("ledger", _ON)
    view: Any = everything
    sleep_after = 3_000
    grace = 5_000
    history = 12
    effects: ClassVar[Any] = {"ring": ring}

    def allow_send(self, viewer: Viewer, event: Any, snapshot: Any) -> bool | str:
        """Timers are the machine's own, and so is what other rooms hand over."""
        return event["type"] not in ("fired", "handed") or "that is a timer's"


class Draft(Ledger):
    """What it knows is stored when it sleeps; a crash may lose it."""

    machine = _machine("draft", _ON)
    durability = "memory"


class Table(Ledger):
    """It hears of seats; each viewer sees their own secret only, and what everybody shares."""

    machine = _machine("table", {**_ON, **_SEATS})
    presence = True
    volatile = ("point",)

    @classmethod
    async def authenticate(cls, door: Door) -> Viewer | None:
        """Whom the token names, after a look into some directory."""
        await passed(0.01)
        return door.viewer

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        """The log and who is here, for everybody; one's own secret."""
        return show(snapshot, context=seen(snapshot.context, viewer.id))


class NextLedger(Ledger):
    """The ledger of a fleet's next version, which takes what the one before has stored."""

    machine = _machine("ledger", _ON, "2")

    def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
        """Nothing of what is stored has changed."""
        return persisted


class NextTable(Table):
    """As above, the table."""

    machine = _machine("table", {**_ON, **_SEATS}, "2")

    def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
        """Nothing of what is stored has changed."""
        return persisted


def seen(context: dict[str, Any], viewer: str) -> dict[str, Any]:
    """What a viewer may see of a table's context."""
    secret = context["secrets"].get(viewer)
    return {
        "life": context["life"],
        "log": context["log"],
        "seats": context["seats"],
        "secret": secret,
    }


def as_slept(snapshot: bytes) -> Any:
    """A stored snapshot, but for how often its coroutines were started: again with each wake; and
    but for the machine's version, which a deploy changes.
    """
    state = json.loads(snapshot)
    state.pop("starts", None)
    state.pop("version", None)
    for child in state.get("children", {}).values():
        child.pop("start", None)
    return state


KINDS: dict[str, type[Room]] = {"ledger": Ledger, "draft": Draft, "table": Table}
NEXT: dict[str, type[Room]] = {"ledger": NextLedger, "table": NextTable}
"""What a deploy brings."""
