"""A machine: a chart with its implementations; the pure logic of an actor.

`create_machine` and `setup(...).create_machine` build it; the config is XState's JSON, kept as
it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import DefinitionError, RestoreError, RuntimeFault
from runtime.snapshots import field

from .actions import BuiltinAction
from .configuration import configuration_of
from .guards import BuiltinGuard
from .library import Library
from .parse import by_id, parse
from .persistence import persist, restore
from .plan import in_final_state
from .scope import ContextT, EventT, Generic, InputT, OutputT
from .snapshot import Snapshot
from .step import initial_macrostep, macrostep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .nodes import StateNode
    from .scope import ActorLogic, Scope
    from .values import StateValue

_KINDS = ("actions", "guards", "delays", "actors")


class StateMachine(Generic[ContextT, EventT, InputT, OutputT]):
    """The logic of a machine actor. Nothing in it changes once it is made; `provide` makes another
    one.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        implementations: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        schemas: Mapping[str, Any] | None = None,
        incomplete: bool = False,
        checked: bool = False,
    ) -> None:
        if not isinstance(config, dict):
            raise DefinitionError("", f"a machine's config is a dict, not {config!r}")
        given = implementations or {}
        _known_kinds(given)
        self.config = config
        self.id = str(config.get("id") or "(machine)")
        self.version: str | None = config.get("version")
        self.schemas = dict(schemas or config.get("schemas") or {})
        self.implementations = {kind: dict(given.get(kind) or {}) for kind in _KINDS}
        self.inline_actors: dict[str, ActorLogic] = {}
        library = Library(self.implementations, incomplete=incomplete, checked=checked)
        self._context = config.get("context")
        if callable(self._context):
            self._context = library.function(self._context, "context", arity=1)
        elif not isinstance(self._context, (dict, type(None))):
            raise DefinitionError("context", f"a context is a dict, not {self._context!r}")
        self._chart = parse(config, self, library)
        #: What `incomplete=True` postponed: an actor of this machine can't be made while there is
        #: any.
        self.missing: tuple[DefinitionError, ...] = tuple(library.missing)
        self._incomplete = incomplete
        self._checked = checked
        library.incomplete = False

    @property
    def root(self) -> StateNode:
        """The root state node."""
        return self._chart.root

    @property
    def states(self) -> dict[str, StateNode]:
        """The root's children."""
        return self._chart.root.states

    @property
    def events(self) -> list[str]:
        """All event descriptors the machine does something about."""
        return self._chart.root.events

    @property
    def ids(self) -> dict[str, StateNode]:
        """All state nodes by id."""
        return self._chart.ids

    def provide(
        self, **implementations: Mapping[str, Any]
    ) -> StateMachine[ContextT, EventT, InputT, OutputT]:
        """The same chart with more or other `actions guards delays actors`."""
        merged = {
            kind: {**self.implementations[kind], **implementations.get(kind, {})} for kind in _KINDS
        }
        _known_kinds(implementations)
        return StateMachine(
            self.config,
            merged,
            schemas=self.schemas,
            incomplete=self._incomplete,
            checked=self._checked,
        )

    def checked(self) -> StateMachine[ContextT, EventT, InputT, OutputT]:
        """For development: the same machine, in which a function that changes its context raises
        MutationError.
        """
        actors = {
            name: logic.checked() if isinstance(logic, StateMachine) else logic
            for name, logic in self.implementations["actors"].items()
        }
        return StateMachine(
            self.config,
            {**self.implementations, "actors": actors},
            schemas=self.schemas,
            incomplete=self._incomplete,
            checked=True,
        )

    def require_complete(self) -> None:
        """Raise the first error that `incomplete=True` postponed."""
        if self.missing:
            raise self.missing[0]

    def actor_logic(self, src: str) -> ActorLogic | None:
        """The logic behind the name in an invoke, a spawn or persisted children."""
        return self.implementations["actors"].get(src) or self.inline_actors.get(src)

    def get_state_node_by_id(self, state_id: str) -> StateNode:
        """The node of "#id", "id" or "#id.child". Raises DefinitionError."""
        try:
            return by_id(self._chart, state_id)
        except KeyError:
            raise DefinitionError(
                "", f"Child state node '{state_id}' does not exist on machine '{self.id}'"
            ) from None

    def resolve_state(
        self,
        value: StateValue,
        *,
        context: Any = None,
        status: Any = "active",
        output: Any = None,
        error: Any = None,
        history_value: Mapping[str, tuple[StateNode, ...]] | None = None,
    ) -> Snapshot[ContextT, OutputT]:
        """A snapshot from a state value, which may be partial. Raises RestoreError for an unknown
        state.
        """
        whole = configuration_of(self._chart, value).value
        configuration = configuration_of(self._chart, whole)  # XState asks twice: the order counts
        if in_final_state(self._chart.root, dict.fromkeys(configuration.nodes)):
            status = "done"
        given: Any = {} if context is None else context
        recalled = dict(history_value or {})
        return Snapshot(configuration, given, {}, status, (recalled, output, error))

    # What makes it actor logic.

    if TYPE_CHECKING:

        def transition(
            self, snapshot: Any, event: EventT, scope: Any
        ) -> Snapshot[ContextT, OutputT]:
            """The snapshot after an event, its macrostep done."""
    else:
        transition = staticmethod(macrostep)

    def get_initial_snapshot(
        self, scope: Scope, input: InputT | None = None
    ) -> Snapshot[ContextT, OutputT]:
        """The first snapshot, its macrostep done."""
        return initial_macrostep(self._chart, self._context, input, scope)

    def get_persisted_snapshot(self, snapshot: Snapshot) -> dict[str, Any]:
        """The snapshot as plain JSON in XState's shape, children and all."""
        return persist(snapshot, _persist_child)

    def get_shared_snapshot(self, snapshot: Snapshot) -> dict[str, Any]:
        """The same with the data as it is, neither copied nor checked: what two snapshots have in
        common, their shared forms have in common.
        """
        return persist(snapshot, _share_child, _as_it_is)

    def restore_snapshot(
        self, persisted: Mapping[str, Any], scope: Scope
    ) -> Snapshot[ContextT, OutputT]:
        """The snapshot that was persisted. Raises RestoreError with what doesn't fit."""

        def restore_child(id: str, data: Mapping[str, Any]) -> Any:
            src = data.get("src")
            if not isinstance(src, str) or self.actor_logic(src) is None:
                raise RestoreError(f"children.{id}", f"there is no actor logic '{src}' any more")
            return scope.restore_child(id, src, data)

        return restore(self._chart, persisted, restore_child)

    def start(self, snapshot: Snapshot, scope: Scope) -> None:
        """Start the children that are active."""
        if snapshot.children:
            for child in tuple(snapshot.children.values()):
                if field(child.get_snapshot(), "status") == "active":
                    child.start()

    # What shows it.

    def to_json(self) -> dict[str, Any]:
        """The config as JSON: functions and XState's own actions appear as `{"type": name}`."""
        shown = _as_json(self.config)
        assert isinstance(shown, dict)
        return shown

    def __repr__(self) -> str:
        return f"<StateMachine {self.id}>"


def create_machine(
    config: Mapping[str, Any],
    implementations: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    incomplete: bool = False,
) -> StateMachine:
    """A machine from XState JSON.

    Unknown names raise DefinitionError, with the path and the nearest known name; `incomplete=True`
    postpones that to `create_actor`, for a config that `provide` completes.
    """
    return StateMachine(config, implementations, incomplete=incomplete)


def _as_it_is(value: Any) -> Any:
    return value


def _share_child(child: Any) -> dict[str, Any]:
    """Made once for a child's ref, which stays the same as long as the child does."""
    if child.shared is None:
        child.shared = _persist_child(child, child.get_shared_snapshot)
    shared: dict[str, Any] = child.shared
    return shared


def _persist_child(
    child: Any, snapshot: Callable[[], Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    if not isinstance(child.src, str):
        raise RuntimeFault(
            "An inline child actor cannot be persisted: "
            f"give the logic of '{child.id}' a name in actors"
        )
    data = {"snapshot": (snapshot or child.get_persisted_snapshot)(), "src": child.src}
    if child.system_id is not None:
        data["systemId"] = child.system_id
    if child.sync_snapshot is not None:
        data["syncSnapshot"] = child.sync_snapshot
    if child.number:
        data["start"] = child.number
    return data


def _known_kinds(implementations: Mapping[str, Any]) -> None:
    for kind in implementations:
        if kind not in _KINDS:
            raise DefinitionError(kind, "no kind of implementation", f"one of {', '.join(_KINDS)}")


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(inner) for inner in value]
    if isinstance(value, (BuiltinAction, BuiltinGuard)):
        return {"type": value.type}
    if isinstance(value, StateMachine):
        return {"type": value.id}
    if callable(value):
        return {"type": getattr(value, "__name__", type(value).__name__)}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return {"type": type(value).__name__}
