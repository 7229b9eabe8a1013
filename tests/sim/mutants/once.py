"""Each event once, and its outcome."""

from __future__ import annotations

from typing import Any

from client import link
from rooms.host import marks, waking
from rooms.host.commits import Commits
from rooms.host.session import Session
from rooms.host.teller import Teller
from rooms.router.channels import Channel as Door
from rooms.store import memory
from rooms.sync import conversation
from tests.sim.mutants.registry import mutant


@mutant
def dedupe_off(swap: Any) -> None:
    """A repeat is handled as if it were new."""
    numbered = conversation.Conversation._numbered

    def take(self: Any, message: Any) -> Any:
        reaction = numbered(self, message)
        if isinstance(reaction, conversation.Repeat) and "event" in message:
            return conversation.Accept(message["seq"], message["event"], message.get("child"))
        return reaction

    swap(conversation.Conversation, "_numbered", take)


@mutant
def marks_not_restored(swap: Any) -> None:
    """A room that wakes knows nothing of what its clients had settled."""
    swap(waking, "Marks", lambda stored, *options: marks.Marks({}, *options))


@mutant
def ignored_not_marked(swap: Any) -> None:
    """That an event was ignored isn't stored."""
    settle = marks.Marks.settle

    def settle_some(self: Any, key: str, seq: int, outcome: Any, *more: Any) -> None:
        before = self._changed.get(key)
        settle(self, key, seq, outcome, *more)
        if outcome.word == "ignored" and before is None:
            del self._changed[key]

    swap(marks.Marks, "settle", settle_some)


@mutant
def only_sessions_marked(swap: Any) -> None:
    """Before anything was accepted nothing is stored, not even what became of events."""
    unstored = Commits.unstored
    swap(Commits, "unstored", lambda self: bool(self._session.revision) and unstored(self))


@mutant
def marks_go_with_their_room(swap: Any) -> None:
    """A store forgets what is no session as soon as its room sleeps."""
    release = memory.MemoryStore.release

    async def forget(self: Any, id: Any, *more: Any) -> bool:
        released = await release(self, id, *more)
        if released and id in self._rows and self._rows[id].snapshot is None:
            del self._rows[id]
        return released

    swap(memory.MemoryStore, "release", forget)


@mutant
def idempotency_key_ignored(swap: Any) -> None:
    """A request that is repeated with its key is handled as if it were new."""
    asked = Session._ask

    def ask_anew(self: Any, ask: Any, turn: Any) -> None:
        ask.key = None
        asked(self, ask, turn)

    swap(Session, "_ask", ask_anew)


@mutant
def unanswered_forgotten(swap: Any) -> None:
    """The router doesn't say again what was unanswered when its room went."""
    swap(Door, "unanswered", lambda self: [])


@mutant
def acknowledged_repeat_refused(swap: Any) -> None:
    """Who repeats what it then acknowledges, before the gate opens, is turned away."""
    again = Teller._again

    def refuse(self: Any, client: Any, seq: int, now: int) -> None:
        mark = self._session.marks.get(client.key)
        acked, mark.acked = mark.acked, 0
        again(self, client, seq, now)
        mark.acked = acked

    swap(Teller, "_again", refuse)


@mutant
def late_attempt_ends_page(swap: Any) -> None:
    """A page ends when an attempt that it gave up arrives late, and takes over."""
    swap(link, "STRAY", 0)
