"""Coroutines that a crash or restart interrupted: begun anew, failed, or resumed by their key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rooms.definition import Room
from rooms.effects import effect
from rooms.host.turn import Delivered
from rooms.sync.views import everything
from runtime import assign, emit, from_promise, setup
from tests.rooms.host.stage import Stage, Tab

CALLS: list[tuple[str, asyncio.Future[Any]]] = []
"""The calls that were begun: what they were given, and how they will end."""
KEYS: list[str] = []
"""Their keys."""


async def fetch(args: Any) -> Any:
    end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    CALLS.append((args.input, end))
    KEYS.append(args.key)
    return await end


async def paid(room: Any, params: Any, attempt: Any) -> Any:
    CALLS.append(("paid", asyncio.get_running_loop().create_future()))


def _answer(args: Any, params: Any) -> dict[str, Any]:
    return {"answers": [*args.context["answers"], args.event.get("output", "failed")]}


class Worker(Room):
    """It has a coroutine under way while it is busy."""

    machine = setup(actors={"fetch": from_promise(fetch)}).create_machine(
        {
            "context": {"answers": []},
            "initial": "idle",
            "states": {
                "idle": {"on": {"go": "busy"}},
                "busy": {
                    "invoke": {
                        "src": "fetch",
                        "input": "this",
                        "onDone": {"target": "idle", "actions": assign(_answer)},
                        "onError": {
                            "target": "idle",
                            "actions": [assign(_answer), emit({"type": "sad"}), effect("paid")],
                        },
                    }
                },
            },
        }
    )
    view = everything
    effects = {"paid": paid}  # noqa: RUF012


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()
    KEYS.clear()


async def busy(policy: str) -> tuple[Stage, Tab]:
    """A room with a coroutine under way."""
    on = await Stage(counter=type("Worker", (Worker,), {"restore_invoked": policy})).start()
    ann = await on.connect()
    await ann.send("go")
    assert len(CALLS) == 1
    return on, ann


@pytest.mark.parametrize("policy", ["restart", "resume"])
@pytest.mark.parametrize("how", ["crash", "restart"])
async def test_it_is_begun_again(policy: str, how: str) -> None:  # [INVOKE1]
    on, ann = await busy(policy)
    await (on.crash() if how == "crash" else on.restart())
    ann = await on.connect(client=ann.client)
    assert [given for given, _ in CALLS] == ["this", "this"]
    assert CALLS[0][1].cancelled()
    assert (KEYS[0] == KEYS[1]) is (policy == "resume")
    CALLS[1][1].set_result(7)
    await on.settle()
    assert ann.view["context"] == {"answers": [7]}
    assert ann.view["value"] == "idle"


@pytest.mark.parametrize("how", ["crash", "restart"])
async def test_or_it_has_failed(how: str) -> None:  # [INVOKE1] [TURN3] [OUTBOX1]
    on, ann = await busy("fail")
    await (on.crash() if how == "crash" else on.restart())
    with on.store.holding():
        again = await on.connect(client=ann.client)
        assert not again.inbox  # until it is stored that it has failed
        assert len(CALLS) == 1
    await on.settle()
    assert again.view["context"] == {"answers": ["failed"]}
    assert again.view["value"] == "idle"
    assert (await on.stored())["context"] == {"answers": ["failed"]}
    assert [given for given, _ in CALLS] == ["this", "paid"]
    await on.crash()
    await on.settle()
    assert (await on.stored())["context"] == {"answers": ["failed"]}


async def test_a_room_that_was_done_with_it_begins_nothing() -> None:  # [INVOKE1]
    on, ann = await busy("fail")
    CALLS[0][1].set_result(1)
    await on.settle()
    await on.crash()
    ann = await on.connect(client=ann.client)
    assert ann.view["context"] == {"answers": [1]}
    assert len(CALLS) == 1


async def test_what_a_former_start_has_to_say_comes_too_late() -> None:  # [INVOKE2]
    on, ann = await busy("restart")
    on.store.fail_next(written=False)
    await ann.send("nothing")  # its room is dropped, and another incarnation begins it again
    await on.settle()
    assert len(CALLS) == 2
    (room,) = on.host.rooms.values()
    late = {
        "type": "xstate.outside",
        "number": 1,  # of the first start
        "to": "self",
        "event": {"type": "xstate.promise.resolve", "data": "late"},
    }
    room.put(Delivered("0.(machine).busy", late))
    await on.settle()
    assert ann.view["value"] == "busy"
    CALLS[1][1].set_result("in time")
    await on.settle()
    assert ann.view["context"] == {"answers": ["in time"]}


async def test_dropping_a_room_cancels_what_it_started() -> None:  # [INVOKE3]
    on, ann = await busy("restart")
    with on.store.holding():
        on.store.fail_next(written=False)
        await ann.send("nothing")
    with on.store.holding("acquire"):
        await on.settle()
        assert CALLS[0][1].cancelled()
        assert len(CALLS) == 1
    await on.settle()
    assert len(CALLS) == 2
