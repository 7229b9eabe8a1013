"""The library of a machine: its actions, guards, delays and actors by name, turned into functions
once.

`parse.py` asks it for everything a config refers to. Unknown names and functions that can't be
called with (args, params) are refused, with the path in the chart and the nearest known name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from runtime.errors import DefinitionError, MutationError, nearest

from .actions import BuiltinAction
from .guards import BuiltinGuard
from .nodes import Action, Guard
from .scope import ActorLogic
from .snapshot import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .actions import Run
    from .args import Args, StepArgs
    from .guards import Check
    from .nodes import StateNode

#: The flag of a function that takes *args.
_VARARGS = inspect.CO_VARARGS


class Library:
    """Implementations by kind and name.

    Args:
        implementations: `actions`, `guards`, `delays`, `actors`: name → implementation.
        incomplete: collect unknown names in `missing` instead of raising.
        checked: development: every function is watched for changing the context.
    """

    def __init__(
        self,
        implementations: Mapping[str, Mapping[str, Any]],
        *,
        incomplete: bool = False,
        checked: bool = False,
    ) -> None:
        self.actions = dict(implementations.get("actions") or {})
        self.guards = dict(implementations.get("guards") or {})
        self.delays = dict(implementations.get("delays") or {})
        self.actors = dict(implementations.get("actors") or {})
        self.incomplete = incomplete
        self.checked = checked
        self.missing: list[DefinitionError] = []
        #: Nodes named by guards: looked up when the chart is complete, by `find` from then on.
        self.awaited_nodes: list[tuple[str, str, list[StateNode]]] = []
        self.find: Callable[[str, str], StateNode] | None = None
        self._runs: dict[str, Run] = {}
        self._checks: dict[str, Guard] = {}
        for kind in ("actions", "guards", "delays", "actors"):
            for name in getattr(self, kind):
                if not isinstance(name, str):
                    raise DefinitionError(kind, f"names are text, not {name!r}")

    def action(self, config: Any, path: str) -> Action:
        """An action of the config, compiled. Raises DefinitionError."""
        if isinstance(config, str):
            return Action(config, self._named_run(config, path), None, config)
        if isinstance(config, BuiltinAction):
            return Action(config.type, config.compile(self, path), None, config)
        if isinstance(config, dict) and isinstance(config.get("type"), str):
            name = config["type"]
            run = self._named_run(name, path)
            params = config.get("params")
            if callable(params):
                return Action(name, _with_params(run, self.function(params, path)), None, config)
            return Action(name, run, params, config)
        if callable(config):
            name = _function_name(config)
            return Action(name, _custom(name, self.function(config, path)), None, config)
        raise DefinitionError(
            path, f"no action: {config!r}", "a name, {'type': …, 'params': …} or a function"
        )

    def guard(self, config: Any, path: str) -> Guard:
        """A guard of the config, compiled. Raises DefinitionError."""
        if isinstance(config, str):
            return self._named_guard(config, path)
        if isinstance(config, BuiltinGuard):
            return Guard("", config.compile(self, path), None, config)
        if isinstance(config, dict) and isinstance(config.get("type"), str):
            named = self._named_guard(config["type"], path)
            params = config.get("params")
            if callable(params):
                make = self.function(params, path)
                check = named.check
                return Guard(
                    named.name, lambda args, _: check(args, make(args, None)), None, config
                )
            return Guard(named.name, named.check, params, config)
        if callable(config):
            return Guard("", self.function(config, path), None, config)
        raise DefinitionError(
            path, f"no guard: {config!r}", "a name, {'type': …, 'params': …} or a function"
        )

    def delay(self, config: Any, path: str) -> Any:
        """Milliseconds, a function of (args, params), or None. Raises DefinitionError."""
        if isinstance(config, str):
            if config not in self.delays:
                self._miss("delay", config, self.delays, path)
                return 0
            path = f"delays.{config}"
            config = self.delays[config]
        if config is None or (isinstance(config, (int, float)) and not isinstance(config, bool)):
            return config
        if callable(config):
            return self.function(config, path)
        raise DefinitionError(path, f"no delay: {config!r}", "milliseconds, a name or a function")

    def actor(self, src: Any, path: str) -> Any:
        """The name of an actor's logic, or logic itself. Raises DefinitionError."""
        if isinstance(src, str):
            if src in self.actors:
                _known_logic(self.actors[src], f"actors.{src}")
            else:
                self._miss("actor", src, self.actors, path)
        else:
            _known_logic(src, path)
        return src

    def node(self, reference: str, path: str) -> Callable[[], StateNode]:
        """A node by "#id", known once the chart is complete. Raises DefinitionError."""
        if self.find is not None:
            node = self.find(reference, path)
            return lambda: node
        found: list[StateNode] = []
        self.awaited_nodes.append((reference, path, found))
        return lambda: found[0]

    def expression(self, value: Any, path: str) -> Any:
        """A literal as it is; a function once it has been looked at."""
        return self.function(value, path) if callable(value) else value

    def function(self, function: Callable[..., Any], path: str, *, arity: int = 2) -> Any:
        """A function of the user's that can be called with `arity` arguments. Raises
        DefinitionError.
        """
        if inspect.iscoroutinefunction(function):
            raise DefinitionError(
                path, f"{_function_name(function)} is a coroutine function", "use from_promise"
            )
        code = getattr(function, "__code__", None)
        if code is not None and not code.co_flags & _VARARGS:
            most = code.co_argcount - (1 if inspect.ismethod(function) else 0)
            least = most - len(getattr(function, "__defaults__", None) or ())
            if not least <= arity <= most:
                expected = "(args, params)" if arity == 2 else "(args)"
                raise DefinitionError(
                    path, f"{_function_name(function)} must take {expected}, it takes {most}"
                )
        return _watched(function, path) if self.checked else function

    def _named_run(self, name: str, path: str) -> Run:
        run = self._runs.get(name)
        if run is not None:
            return run
        if name not in self.actions:
            self._miss("action", name, self.actions, path)
            return _custom(name, None)
        implementation = self.actions[name]
        if isinstance(implementation, BuiltinAction):
            run = implementation.compile(self, f"actions.{name}")
        elif callable(implementation):
            run = _custom(name, self.function(implementation, f"actions.{name}"))
        else:
            raise DefinitionError(f"actions.{name}", f"no action: {implementation!r}")
        self._runs[name] = run
        return run

    def _named_guard(self, name: str, path: str) -> Guard:
        guard = self._checks.get(name)
        if guard is not None:
            return guard
        if name not in self.guards:
            self._miss("guard", name, self.guards, path)
            return Guard(name, _unimplemented_guard(name), None, name)
        implementation = self.guards[name]
        compiled = self.guard(implementation, f"guards.{name}")
        params = compiled.params
        check = compiled.check
        if not callable(implementation):  # it stands for a guard with params of its own, or none
            guard = Guard(name, lambda args, _: check(args, params), None, name)
        else:
            guard = Guard(name, check, None, name)
        self._checks[name] = guard
        return guard

    def _miss(self, kind: str, name: str, known: Mapping[str, Any], path: str) -> None:
        error = DefinitionError(path, f"unknown {kind} '{name}'{nearest(name, known)}")
        if not self.incomplete:
            raise error
        self.missing.append(error)


def _known_logic(logic: Any, path: str) -> None:
    if not isinstance(logic, ActorLogic):
        hint = "a machine, from_promise(…) and the like, or a name"
        raise DefinitionError(path, f"no actor logic: {logic!r}", hint)


def _custom(name: str, function: Callable[[Any, Any], Any] | None) -> Run:
    def run(args: StepArgs, params: Any) -> None:
        args._scope.act(name, params, function, args.keep())

    return run


def _with_params(run: Run, make: Callable[[Args, Any], Any]) -> Run:
    def run_with_params(args: StepArgs, _: Any) -> None:
        run(args, make(args, None))

    return run_with_params


def _unimplemented_guard(name: str) -> Check:
    def check(args: Args, params: Any) -> bool:
        raise DefinitionError("", f"guard '{name}' is not implemented", "machine.provide(guards=…)")

    return check


def _function_name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "") or type(function).__name__
    return "(anonymous)" if name == "<lambda>" else name


def _watched(function: Callable[..., Any], path: str) -> Callable[..., Any]:
    def watched(args: Any, *rest: Any) -> Any:
        context = args.context
        before = plain(context)
        made = function(args, *rest)
        if plain(context) != before:
            raise MutationError(path, _function_name(function))
        return made

    return watched
