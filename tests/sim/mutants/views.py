"""What each viewer is shown, and from where it goes on."""

from __future__ import annotations

from typing import Any

from rooms.host import waking
from rooms.sync import codec, messages, watch
from rooms.sync.backlog import Backlog
from rooms.sync.views import show
from tests.sim.machines import Table, seen
from tests.sim.mutants.registry import mutant


@mutant
def nonce_repeated(swap: Any) -> None:
    """After a crash cursors are counted again from the beginning, under the same name."""
    swap(waking, "letters", lambda number: "nonceone")


@mutant
def stale_ring_on_resume(swap: Any) -> None:
    """Who resumes lacks the first step that it missed."""
    since = Backlog.since

    def skip(self: Any, cursor: str | None) -> Any:
        ops = since(self, cursor)
        return ops[1:] if ops and len(ops) > 1 else ops

    swap(Backlog, "since", skip)


@mutant
def view_shared_by_all(swap: Any) -> None:
    """Everybody is shown the view that was made for one of them."""
    swap(Table, "view_key", lambda self, snapshot, viewer: "all")


@mutant
def filter_after_diff(swap: Any) -> None:
    """Steps are made of what is there, and what somebody may not see is taken out of them."""

    def view(self: Any, snapshot: Any, viewer: Any) -> Any:
        context = {**seen(snapshot.context, viewer.id), "hidden": snapshot.context["secrets"]}
        return show(snapshot, context=context)

    made, encode = messages.patch, codec.encode

    def patched(base: str, cursor: str, ops: Any) -> Any:
        shown = [op for op in ops if op[0][:2] != ["context", "hidden"]]
        return made(base, cursor, shown)

    def encode_shown(message: Any, name: Any) -> bytes:
        if "hidden" in (context := message.get("context", {})):
            shown = {field: value for field, value in context.items() if field != "hidden"}
            message = {**message, "context": shown}
        return encode(message, name)

    swap(Table, "view", view)
    swap(messages, "patch", patched)
    swap(watch, "encode", encode_shown)
