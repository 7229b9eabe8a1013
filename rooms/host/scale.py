"""The scale: how big a room's state, its views and what it tells may get (SPEC, SIZE).

In: what each step leads to, and the size of each commit, which is known anyway. Out: the step, or
an error in its place, so that its event is refused alone. Only near a bound is each step weighed
before it counts; a commit that finds too much at once drops the room, which then is careful from
the start. Next: `rooms/host/session.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgpack

from rooms.errors import TooBig, Unstorable
from rooms.host import record
from rooms.sync.codec import encode
from rooms.sync.messages import MAX_BYTES
from runtime import Declared, Emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rooms.definition import Room
    from rooms.sync.messages import Json
    from runtime import Effect, Step, System, SystemSnapshot

REPLY: Final = "rooms.reply"
LOOK_EVERY: Final = 64
"""How many steps of a room at level `memory`, which commits seldom, until it is weighed."""


class Scale:
    """The bounds of one live room.

    Args:
        widest: the bytes of the largest view that somebody who watches has of a snapshot.
        size: the bytes of what is stored.
        careful: weigh each step, for what this room stored last couldn't be.
    """

    __slots__ = (
        "_distrusted",
        "_max_state",
        "_max_view",
        "_seldom",
        "_size",
        "_steps",
        "_system",
        "_widest",
        "_widest_of",
        "careful",
    )

    def __init__(
        self,
        room: Room,
        system: System,
        widest: Callable[[SystemSnapshot], int],
        *,
        size: int,
        careful: bool,
    ) -> None:
        self._system = system
        self._max_state, self._max_view = room.max_state, room.max_view
        self._seldom = room.durability == "memory"
        self._widest_of = widest
        self._distrusted = self.careful = careful
        self._size = size  # at the last commit
        self._widest = size  # no view that is watched had more bytes then
        self._steps = 0

    def check(self, step: Step) -> Step:
        """The step; with an error where it leads to what can't be stored or told."""
        if step.error is not None:
            return step
        try:
            if step.effects:
                _check_told(step.effects)
            if self.careful:
                self._weigh(step.snapshot, len(record.dump(self._system, step.snapshot)))
            elif self._seldom:
                self._look_at(step.snapshot)
        except Unstorable as error:
            return step._replace(error=error)
        return step

    def committed(self, snapshot: SystemSnapshot, size: int) -> None:
        """A commit of so many bytes is on its way. From near a bound on, each step is weighed.

        Raises TooBig: the room may not go on with it.
        """
        beyond = False
        try:
            self._widest = self._weigh(snapshot, size)
        except TooBig:
            if not self._seldom:  # else it has been told already
                raise
            beyond = True
        self._size = size
        near = size > self._max_state * 7 // 8 or self._widest > self._max_view * 7 // 8
        self.careful = self._distrusted or near or beyond

    def _look_at(self, snapshot: SystemSnapshot) -> None:
        self._steps += 1
        if self._steps % LOOK_EVERY == 0:
            self.committed(snapshot, len(record.dump(self._system, snapshot)))

    def _weigh(self, snapshot: SystemSnapshot, size: int) -> int:
        """The bytes that no view has more of, as far as the state's growth tells. A view shows a
        part of the state: one that was small, of a state that hasn't grown much since, needn't be
        made again to see that it is small.

        Raises TooBig. What is too big already may shrink.
        """
        grows = size > self._size
        if grows and size > self._max_state:
            raise TooBig("state", size, self._max_state)
        widest = min(self._widest + (size - self._size if grows else 0), size)
        if widest <= self._max_view * 7 // 8:
            return widest
        widest = self._widest_of(snapshot)
        if grows and widest > self._max_view:
            raise TooBig("view", widest, self._max_view)
        return widest


def check_answer(answer: Json) -> None:
    """An answer can be told, and kept with its number. Raises Unstorable, TooBig."""
    try:
        msgpack.packb(answer)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unstorable(f"an answer is JSON data: {error}") from error
    _check_size("answer", answer)


def _check_told(effects: Iterable[Effect]) -> None:
    """What a step answers and emits can be told. Raises Unstorable, TooBig."""
    for effect in effects:
        if type(effect) is Emit and not effect.actor:
            event = effect.event
            if not isinstance(event, dict) or not isinstance(event.get("type"), str):
                raise Unstorable(f"what is emitted is a dict with a `type`, not {event!r:.80}")
            _check_size("event", event)
        elif type(effect) is Declared and effect.name == REPLY:
            check_answer(effect.params)


def _check_size(what: str, data: Json) -> None:
    try:
        size = len(encode(data, "json"))
    except TypeError as error:
        raise Unstorable(f"an {what} is JSON data: {error.__cause__ or error}") from error
    if size > MAX_BYTES:
        raise TooBig(what, size, MAX_BYTES)
