"""The list of a kind's rooms: what each says of itself, and who asks for which (SPEC, LIST).

A room's part goes to the store with the commit that changed it, so that looking wakes nobody. In:
the room's newest state, or a query. Out: bytes for the commit, or one JSON answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import orjson
import xxhash

from rooms.errors import CloseCode, Closing, StoreError
from rooms.logs import named
from rooms.store.port import SessionId
from runtime import matches_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.definition import Room
    from rooms.host.ask import Ask
    from rooms.store.port import Store
    from rooms.sync.messages import Json
    from rooms.sync.views import Seen

logger = logging.getLogger(__name__)

PAGE: Final = 100
"""The most rooms of one answer."""
LOOKED_AT: Final = 1_000
"""The most rooms that one answer looks at."""
_WHERE: Final = "where."


class Listing:
    """What one live room says of itself; `stored` is what the store has."""

    def __init__(self, room: Room, stored: bytes | None) -> None:
        self._room = room
        self._said: Json = None
        if stored:
            self._said = orjson.loads(stored)
            self._said.pop("changed", None)

    def change(self, snapshot: Seen, viewers: int | None, now: int) -> bytes | None:
        """For the next commit: what is new, empty when it is listed no more, None when nothing
        is. `viewers` have a seat.
        """
        try:
            said = self._room.listing(snapshot)
            if said is not None and viewers is not None:
                said = {**said, "viewers": viewers, "max_viewers": self._room.max_viewers}
            said = orjson.loads(orjson.dumps(said))
        except Exception:
            logger.exception("%s: listing raised", named(self._room))
            return None
        if said == self._said:
            return None
        self._said = said
        return b"" if said is None else orjson.dumps({**said, "changed": now})


class Lobby:
    """Answers who looks for rooms."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def answer(self, ask: Ask, kind: str, params: Mapping[str, str]) -> None:
        """Answer with a page of the rooms that are as `params` want them."""
        try:
            limit = _limit(params)
            page, following = await self._find(kind, params, limit)
        except Closing as refused:
            ask.refuse(refused)
        except StoreError as error:
            logger.warning("the rooms of %s can't be listed: %s", kind, error)
            ask.refuse(Closing(CloseCode.OVERLOADED, "the list is out of reach"))
        else:
            body = {"rooms": page, "next": following}
            ask.show(xxhash.xxh3_64_hexdigest(orjson.dumps(body)), body)

    async def _find(
        self, kind: str, params: Mapping[str, str], limit: int
    ) -> tuple[list[dict[str, Json]], str | None]:
        """The rooms, and after which the next page begins; None: there are no more."""
        rooms: list[dict[str, Json]] = []
        last = params.get("after")
        for _ in range(LOOKED_AT // PAGE):
            after = None if last is None else SessionId(kind, last)
            found = await self._store.find(kind, after, PAGE)
            for id, listing in found:
                said = orjson.loads(listing)
                last = id.session
                if fits(said, params):
                    rooms.append({"session": id.session, **said})
                    if len(rooms) == limit:
                        return rooms, last
            if len(found) < PAGE:
                return rooms, None
        return rooms, last


def fits(said: Mapping[str, Json], params: Mapping[str, str]) -> bool:
    """Whether a room is as wanted: `state` (as `matches` has it, `game.round`), `tag`s with commas
    between, and public fields by their path (`where.settings.language=de`).
    """
    state, tags = params.get("state"), params.get("tag")
    if state is not None and not ("value" in said and matches_state(state, said["value"])):
        return False
    if tags is not None and not set(tags.split(",")) <= set(said.get("tags", ())):
        return False
    return all(
        _same(_field(said.get("public"), name.removeprefix(_WHERE)), wanted)
        for name, wanted in params.items()
        if name.startswith(_WHERE)
    )


def _field(data: Json, path: str) -> Json:
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _same(value: Json, wanted: str) -> bool:
    """Whether a field is what was written: a text as it stands, else as JSON has it."""
    if isinstance(value, str):
        return value == wanted
    return value is not None and orjson.dumps(value) == wanted.encode()


def _limit(params: Mapping[str, str]) -> int:
    limit = params.get("limit", str(PAGE))
    if not (limit.isascii() and limit.isdigit() and 0 < int(limit) <= PAGE):
        raise Closing(CloseCode.BAD_MESSAGE, f"`limit` is a number from 1 to {PAGE}")
    return int(limit)
