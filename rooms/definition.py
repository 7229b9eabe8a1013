"""What an author writes: a `Room` class a kind, with a machine, a view, and who may do what.

An instance stands for one live room (`self.kind`, `self.id`); its methods decide, and change
nothing: all that changes is the machine's. `rooms/host/door.py` asks these questions."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from rooms import shape
from rooms.errors import UsageError
from rooms.hooks import Hooks
from rooms.sync.policy import Policy
from rooms.sync.views import Viewer, public
from runtime import declare

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from rooms.effects import EffectFunction
    from rooms.sync.views import Seen


@dataclass(frozen=True, slots=True)
class Replicated:
    """A durability: so many machines beside the store's own have it. Made by `replicated`."""

    replicas: int


def replicated(replicas: int) -> Replicated:
    """A `durability`: an event is acknowledged when so many replicas of the store have it too.

    Raises:
        UsageError: it isn't a number from 1.
    """
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 1:
        raise UsageError(f"replicated({replicas!r}): take how many replicas, from 1")
    return Replicated(replicas)


Durability = Literal["memory", "primary", "fsync"] | Replicated


def replicas_of(kind: type[Room] | Room) -> int:
    """How many replicas a kind's `durability` wants."""
    given = kind.durability
    return given.replicas if isinstance(given, Replicated) else 0


RestoreTimers = Literal["deadline", "remaining"]
RestoreInvoked = Literal["restart", "fail", "resume"]

_ANYBODY: Final = Viewer("", role="")

reply = declare("rooms.reply")
"""An action: `reply(data)` or `reply(fn(args, params))`; its value is the outcome's `result`."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is known of a connection before it is let in: the argument of `authenticate`.

    `viewer` is who the built-in token says it is, or a new anonymous viewer. `params` is the query;
    `headers` have lower-case names; `token` is what was given as such, unverified.
    """

    kind: str
    session: str
    viewer: Viewer
    token: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Room(Hooks):
    """One kind of room. Subclass it, give it a `machine`, or hooks instead, and name it in an
    `App`.

    Durations are in milliseconds.
    """

    machine: ClassVar[Any] = None
    """A state machine (or other actor logic) from `runtime`. None: the room is its hooks."""

    durability: ClassVar[Durability] = "fsync"
    """When an event is acknowledged. `fsync`: it is on disk · `primary`: the store has it, a power
    cut may lose it · `memory`: at once, a crash loses what came since the last sleep or drain ·
    `replicated(k)`: the store and k replicas of it have it."""

    on_error: Any = "reject"
    """An exception while an event is handled: drop that event's step (`reject`), or `stop` as
    XState does. In a room without a machine it is a hook: `on_error(self, connection, error)`."""

    effects: ClassVar[Mapping[str, EffectFunction]] = {}
    """What performs the durable effects that the machine declares with `effect(name, params)`:
    coroutine functions `(room, params, attempt)`, by name."""

    effect_attempts: ClassVar[int] = 8
    """After how many attempts a durable effect is a dead letter."""

    restore_timers: ClassVar[RestoreTimers] = "deadline"
    """Timers of a room that slept: `deadline`, they fire at the time they were set for, which wakes
    the room · `remaining`, their clock stood still, and they don't wake it."""

    restore_invoked: ClassVar[RestoreInvoked] = "restart"
    """Coroutines that a crash or restart interrupted: begin anew · `fail`, the machine hears that
    they failed · `resume`, begin again under the key that they had."""

    sleep_after: ClassVar[int] = 10_000
    """How long nothing happens before the room sleeps."""

    grace: ClassVar[int] = 15_000
    """How long a viewer's seat is kept after the last connection went."""

    presence: ClassVar[bool] = False
    """Whether connections may share presence data."""

    history: ClassVar[int] = 0
    """How many revisions before the newest are kept, and can be shown: see `allow_history`."""

    history_age: ClassVar[int] = 0
    """How long a revision is kept; whichever keeps more."""

    volatile: ClassVar[tuple[str, ...]] = ()
    """Event types beside the machine (a cursor that moves): told to who may see their sender, the
    latest at most 60 times a second; never stored, never a turn."""

    max_viewers: ClassVar[int | None] = None
    """How many viewers may have a seat."""

    max_state: ClassVar[int] = 1_048_576
    """Bytes of the stored state. An event that would make it larger is rejected."""

    max_view: ClassVar[int] = 262_144
    """Bytes of a view. An event that would make one larger is rejected."""

    read_only: ClassVar[tuple[str, ...]] = ()
    """Roles that watch: they may send nothing, and take no seat."""

    several: ClassVar[Literal["coexist", "takeover"]] = "coexist"
    """What becomes of a viewer's other connections when a new one is let in: they stay, or are
    closed with 4410."""

    ttl: ClassVar[int | None] = None
    """How long a room may lie asleep and unchanged until it is deleted. None: for ever."""

    ttl_done: ClassVar[int | None] = None
    """The same once its machine is done or has failed. None: as `ttl` says."""

    listed: ClassVar[bool] = False
    """Whether anybody may look its rooms up: `GET /rooms/{kind}` shows what `listing` gives."""

    isolation: ClassVar[Literal["shared", "process"]] = "shared"
    """Where a live room computes: among others in its host's process, or in one of its own
    (`process`), which may compute for ever or take all memory without harm to anybody else."""

    max_cpu: ClassVar[int] = 2_000
    """How long such a process may compute at a stretch (ms of processor time) until it is ended."""

    max_memory: ClassVar[int] = 268_435_456
    """How many bytes it may take, beyond what it begins with."""

    show_timers: ClassVar[bool] = False
    """Whether views carry `timers`: name → due time."""

    show_can: ClassVar[tuple[str, ...]] = ()
    """The event types that views answer in `can`; makes a view key per viewer."""

    view: Any = public
    """`everything`, `public` (default), a table `policy({…})`, or a method `view(self, snapshot,
    viewer)`."""

    kind: str
    id: str

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.id = id

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        shown = cls.__dict__.get("view")
        if inspect.isfunction(shown) and "self" not in inspect.signature(shown).parameters:
            cls.view = staticmethod(shown)  # `view = my_function`
        shape.check(cls, Room)
        if isinstance(cls.view, Policy):
            cls.view.adopt(cls)
        elif shown is not None and "view_key" not in cls.__dict__:
            Policy.release(cls)

    # -------------------------------------------------------------- who is let in, who may do what

    @classmethod
    async def authenticate(cls, door: Door) -> Viewer | None:
        """Who is at the door. Default: who the built-in token says. None refuses (4401).

        Called without waking the room; `dataclasses.replace(door.viewer, role=…)` sets a role.
        """
        return door.viewer

    def allow_create(self, viewer: Viewer) -> bool | str:
        """Whether the viewer may make this room by being the first. False or a reason: 4403."""
        return True

    def allow_join(self, viewer: Viewer, snapshot: Seen) -> bool | str:
        """Whether the viewer may watch this room at all. False or a reason: 4403."""
        return True

    def allow_send(self, viewer: Viewer, event: Mapping[str, Any], snapshot: Seen) -> bool | str:
        """Whether the viewer may send this event now. False or a reason rejects it."""
        return True

    def allow_send_to(
        self, viewer: Viewer, child: str, event: Mapping[str, Any], snapshot: Seen
    ) -> bool | str:
        """Whether the viewer may send this event to a child actor. Default: nobody may."""
        return False

    def allow_room(
        self, kind: str, session: str, event: Mapping[str, Any], snapshot: Seen
    ) -> bool | str:
        """Whether another room of the App may send this event now. False or a reason rejects it."""
        return True

    def allow_history(self, viewer: Viewer, snapshot: Seen) -> bool | str:
        """Whether the viewer may look back: learn of each revision when it came about and what type
        of event made it, and see it through its own view. Default: nobody may. False or a reason:
        4403."""
        return False

    def may_see(self, viewer: Viewer, other: Viewer) -> bool:
        """Whether `viewer` is told of `other`'s presence."""
        return True

    def view_key(self, snapshot: Seen, viewer: Viewer) -> Hashable:
        """Viewers with equal keys are shown the same view. Default, for a view of your own: one
        each, and another one in another role."""
        return viewer.id, viewer.role

    def listing(self, snapshot: Seen) -> dict[str, Any] | None:
        """What the list of rooms shows of this one, where the kind is `listed`. Default: what the
        default view shows and, where the view is a policy, that shows to anybody. `value`, `tags`
        and `public` can be asked for; None: it isn't listed.
        """
        seen = public(snapshot)
        shown: dict[str, Any] = {
            name: seen[name] for name in ("value", "tags", "status") if name in seen
        }
        shown["public"] = seen.get("context", {})
        if isinstance(inspect.getattr_static(type(self), "view"), Policy):
            allowed = self.view(snapshot, _ANYBODY)
            context = allowed.get("context", {})
            allowed = {**allowed, "public": context.get("public", {})}
            shown = {name: allowed[name] for name in shown if name in allowed}
        return shown

    # -------------------------------------------------------------- its life

    def input(self) -> Any:
        """The machine's input when the session is made."""
        return None

    def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
        """The persisted state of another version, changed to fit this one. Override it to allow
        that.

        Raises whatever it likes: the session then stays asleep and untouched (4409).
        """
        raise UsageError(
            f"{self.kind} was stored by version {from_version!r} and has no `migrate` to this one"
        )

    @classmethod
    def version(cls) -> str:
        """The version that stored sessions are compared with: the machine's own."""
        return str(getattr(cls.machine, "version", None) or "")
