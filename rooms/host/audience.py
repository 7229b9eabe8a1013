"""The audience: who watches a live room, and what of it each may see.

In: connections that come and go, and each snapshot once it is durable. Out: link messages. Views
are made here, once for all who share a view key; `rooms/sync/fanout.py` turns them into steps and
bytes. Nothing here knows the room's newest, undurable state.
"""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, Final

from rooms.definition import Room
from rooms.host.door import OPERATOR, only_watches
from rooms.host.presence import Presence
from rooms.link.protocol import Close, Tell
from rooms.logs import named
from rooms.sync import messages
from rooms.sync.codec import encode
from rooms.sync.views import Viewer, everything

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

    from rooms.hooks.connection import Payload
    from rooms.host.channels import Channel
    from rooms.link.protocol import Message
    from rooms.sync.fanout import Fanout
    from rooms.sync.messages import Json, View
    from runtime import SystemSnapshot, Timer

logger = logging.getLogger(__name__)

EARLY: Final = 1_000
"""How long after it woke what a room emits is kept for those who stayed connected (ms): so long
their routers may take to put them before it again."""

_NOBODY: Final = Viewer("")


class _Whole:
    """The operator's view key: equal to nothing that an author can make."""

    def __repr__(self) -> str:
        return "the whole state"


_WHOLE: Final = _Whole()


def most_of(room: Room) -> Callable[[Hashable], int | None]:
    """The bytes that a view of each key may have; None: any number, for the operator's."""
    return lambda key: None if key is _WHOLE else room.max_view


class Audience:
    """All who watch one incarnation of a room.

    `room` is the author's object, `snapshot` the durable state, `fanout` what turns its views into
    bytes; `send` takes link messages by the host's channel numbers; `full` is as `Presence` has it.
    `slept`: cursors of the incarnation before may be good.
    """

    def __init__(
        self,
        room: Room,
        snapshot: SystemSnapshot,
        fanout: Fanout,
        *,
        send: Callable[[Iterable[Message]], None],
        full: Callable[[], bool],
        slept: bool,
        now: int,
    ) -> None:
        self.room = room
        self._snapshot = snapshot
        self._fanout = fanout
        self._send = send
        self._watching: dict[int, tuple[Channel, Hashable]] = {}
        self._viewers: dict[Hashable, Viewer] = {}
        self._views: dict[Hashable, View] = {}
        self._failed: dict[Hashable, View] = {}
        self._stuck: set[Hashable] = set()  # whose newest view can't be sent
        self._early: list[dict[str, Json]] | None = []
        self._early_until = now + EARLY
        self._presence = (
            Presence(room, self.moment, full) if room.presence or room.volatile else None
        )
        kind = type(room)
        own_key = kind.view_key is not Room.view_key
        own_view = isinstance(inspect.getattr_static(kind, "view"), staticmethod) or (
            inspect.isfunction(inspect.getattr_static(kind, "view"))
        )
        self._key_changes = own_key
        self._key_each = own_key or own_view or bool(kind.show_can)
        if slept and not self._key_each:  # what it slept with: whoever comes back gets the step
            self._wake_view(now)

    def __len__(self) -> int:
        return len(self._watching)

    def channels(self) -> list[Channel]:
        """Everybody who watches."""
        return [channel for channel, _ in self._watching.values()]

    # ------------------------------------------------------------------ come and go

    def enter(self, channel: Channel, seq: int, now: int) -> None:
        """Let a channel in: who it is, unless it was told, and what it lacks of the view.

        `seq` is the highest number settled for its client.
        """
        attach, viewer = channel.attach, channel.viewer
        assert viewer is not None
        if not attach.greeted:
            you = messages.you(
                id=viewer.id,
                role=viewer.role,
                connection=channel.name or str(channel.id),
                token=attach.renewed,
                seq=seq,
                now=now,
            )
            self._send([Tell(channel.id, encode(you, _codec(channel)))])
        try:
            key = self._key(viewer)
            view = self._view(key, viewer)
            told = self._fanout.attach(
                channel.id, _codec(channel), key, view, attach.cursor, now, quiet=attach.greeted
            )
        except Exception:  # a view is the author's; its fault is this connection's alone
            logger.exception("%s: the view raised", named(self.room))
            self._send([Close(channel.id, 1013, "the room's view failed", 5_000)])
            return
        self._watching[channel.id] = (channel, key)
        self._send(told)
        if self._early and attach.greeted and now < self._early_until:
            for message in self._early:
                self.tell(channel, message)
        if self._presence is not None and not attach.operator:
            self._presence.enter(channel)

    def rekey(self, channel: Channel, now: int) -> None:
        """Let a channel see what its viewer, as it is now, may see."""
        watching = self._watching.get(channel.id)
        if watching is None or channel.viewer is None:
            return
        try:
            key = self._key(channel.viewer)
            self._viewers[key] = channel.viewer
            if key != watching[1]:
                view = self._view(key, channel.viewer)
                self._send(self._fanout.move(channel.id, key, view, now))
                self._watching[channel.id] = (channel, key)
        except Exception:
            logger.exception("%s: the view raised", named(self.room))

    def leave(self, channel: Channel) -> None:
        """A channel is gone, or hears no more. Harmless for one that isn't here."""
        if self._watching.pop(channel.id, None) is not None:
            self._early = None  # it may come back, and has heard some of it
            self._fanout.detach(channel.id)
            if self._presence is not None:
                self._presence.leave(channel)

    def share(self, channel: Channel) -> None:
        """A channel's presence data is new."""
        viewer = channel.viewer
        if self._presence is None or not self.room.presence:
            self.tell(channel, messages.error("no_presence", "this room shares no presence"))
        elif viewer is not None and viewer.role in self.room.read_only:
            self.tell(channel, messages.error("forbidden", only_watches(viewer)))
        else:
            self._presence.share(channel)

    def cast(self, channel: Channel, event: dict[str, Json]) -> None:
        """A channel sent a volatile event that its viewer may send."""
        assert self._presence is not None
        self._presence.cast(channel, event)

    def gather(self, channel: Channel) -> None:
        """Tell one channel of everybody who is present."""
        if self._presence is not None and channel.id in self._watching:
            self._presence.gather(channel)

    def close(self) -> None:
        """The incarnation is over."""
        self._fanout.close()
        if self._presence is not None:
            self._presence.stop()
            self._presence = None

    # ------------------------------------------------------------------ what they are told

    def show(self, snapshot: SystemSnapshot, now: int) -> None:
        """The room is durably at `snapshot`: tell everybody what changed for them."""
        self._snapshot = snapshot
        before = {**self._failed, **self._views} if self._failed else self._views
        self._views, self._failed = {}, {}

        def view_of(key: Hashable) -> View:
            try:
                return self._view(key, self._viewers[key])
            except Exception:
                logger.exception("%s: the view raised", named(self.room))
                return self._failed.setdefault(key, before[key])  # they keep what they see

        if self._key_changes:
            self._viewers = {}  # who had a key before may have another one now
            self._move(now)
        known, self._stuck = self._stuck, set()

        def stuck(key: Hashable, error: Exception) -> None:
            self._stuck.add(key)
            if key not in known:
                self._report(key, error)

        self._send(self._fanout.update(view_of, now, stuck))
        if len(self._viewers) > len(self._views):
            for key in self._viewers.keys() - self._views.keys() - self._failed.keys():
                del self._viewers[key]

    def emit(self, event: dict[str, Json], now: int) -> None:
        """The machine emitted an event: for all who are here, and who are about to be again."""
        message = messages.emitted(event)
        try:
            self._send(self._fanout.emit(message))
        except TypeError:
            logger.exception("%s: an emitted event isn't JSON", named(self.room))
            return
        if self._early is not None:
            if now < self._early_until:
                self._early.append(message)
            else:
                self._early = None

    def moment(
        self,
        named: Mapping[str, dict[str, Json]],
        readers: Iterable[tuple[Channel, Collection[str]]] | None = None,
    ) -> None:
        """Tell everybody what is so at this moment; or each of `readers` those that it names."""
        to = None if readers is None else [(channel.id, names) for channel, names in readers]
        self._send(self._fanout.moment(named, to))

    def send(
        self, said: Payload, channels: Iterable[Channel] | None, without: frozenset[int]
    ) -> None:
        """What a room without a machine says, to these channels, or to all but those `without`."""
        to = None if channels is None else [channel.id for channel in channels]
        self._send(self._fanout.send(said.message, said.raw, to, without))

    def tell(self, channel: Channel, message: dict[str, Json], seq: int | None = None) -> None:
        """Tell one channel something; `seq` when it is that outcome."""
        if channel.id in self._watching:
            self._send([self._fanout.tell(channel.id, message, seq)])

    def newest(self, channel: Channel, cursor: str | None, now: int) -> None:
        """Tell one channel what it lacks after `cursor`; the whole view when that is None."""
        self._send(self._fanout.want(channel.id, cursor, now))

    def cursor(self, channel: Channel) -> str | None:
        """The cursor of what this channel has been told of."""
        return self._fanout.cursor(channel.id)

    def look(self, viewer: Viewer, now: int) -> tuple[str, View]:
        """What a viewer without a connection sees, and its cursor.

        Raises what the author's view raises.
        """
        key = self._key(viewer)
        view = self._view(key, viewer)
        cursor, told = self._fanout.look(key, view, now)
        self._send(told)
        return cursor, view

    def widest(self, snapshot: SystemSnapshot) -> int:
        """The bytes of the largest view that somebody who watches would have of `snapshot`."""
        sizes: dict[Hashable, int] = {}
        for channel, watched in self._watching.values():
            assert channel.viewer is not None
            if watched is _WHOLE:
                continue  # an operator's view has no bound
            try:
                key = self._key(channel.viewer, snapshot)
                if key not in sizes:
                    sizes[key] = len(encode(self.view_at(channel.viewer, snapshot), "json"))
            except Exception:  # who can't be shown it keeps what they see
                logger.debug("%s: the view raised", named(self.room), exc_info=True)
        return max(sizes.values(), default=0)

    def save(self) -> dict[str, Json]:
        """What a clean sleep keeps, so that cursors stay good."""
        return self._fanout.save()

    # ------------------------------------------------------------------ views

    def _key(self, viewer: Viewer, snapshot: SystemSnapshot | None = None) -> Hashable:
        if viewer is OPERATOR:
            return _WHOLE
        if not self._key_each:
            return None
        return self.room.view_key((snapshot or self._snapshot).root, viewer)

    def _view(self, key: Hashable, viewer: Viewer) -> View:
        """The view of all who share `key`, of which `viewer` is one."""
        view = self._views.get(key)
        if view is None:
            view = self.view_at(viewer, self._snapshot)
            self._views[key] = view
            self._viewers[key] = viewer
        return view

    def _wake_view(self, now: int) -> None:
        try:
            self._fanout.look(None, self._view(None, _NOBODY), now)
        except Exception:
            logger.exception("%s: the view raised", named(self.room))

    def view_at(self, viewer: Viewer, snapshot: SystemSnapshot) -> View:
        """What a viewer sees of the room at this snapshot. Raises what the author's view raises."""
        room, root = self.room, snapshot.root
        operator = viewer is OPERATOR
        view: View = everything(root) if operator else room.view(root, viewer)
        if view.__class__ is not dict:
            raise TypeError(f"a view is a dict, as show(…) gives, not {view!r:.80}")
        more: dict[str, Any] = {}
        if room.show_timers or operator:
            more["timers"] = timers(snapshot.timers)
        if room.show_can:
            more["can"] = [
                type for type in room.show_can if root.can({"type": type, "sender": viewer.id})
            ]
        more = {name: value for name, value in more.items() if value}
        return {**view, **more} if more else view

    def _report(self, key: Hashable, error: Exception) -> None:
        """Those who watch `key` keep what they see, and are told so."""
        logger.error("%s: a view can't be sent: %s", named(self.room), error)
        message = messages.error("view", "what changed here can't be shown to you")
        for channel, watched in list(self._watching.values()):
            if watched == key:
                self.tell(channel, message)

    def _move(self, now: int) -> None:
        """Put those whose view key changed before their new view."""
        for channel, _ in list(self._watching.values()):
            self.rekey(channel, now)


def timers(pending: Iterable[Timer]) -> dict[str, int]:
    """Name → due (ms) of the pending timers: an `after` by its delay's name and, where that is a
    number, by its state; a delayed event by its id; a child's below the child's address.
    """
    named: dict[str, int] = {}
    for timer in pending:
        name = timer.id
        if name.startswith("xstate.after."):
            delay, _, state = name.removeprefix("xstate.after.").partition(".")
            name = state if delay.replace(".", "").isdigit() else delay
        if timer.target:
            name = f"{timer.target}/{name}"
        named[name] = min(timer.due, named.get(name, timer.due))
    return named


def _codec(channel: Channel) -> Any:
    return channel.attach.codec
