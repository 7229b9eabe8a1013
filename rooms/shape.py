"""The shape of a class of rooms: what can't be meant is refused when the class is made.

In: an author's class, of which nothing is known yet, and `Room`, whose attributes it may have. Out:
nothing, or a `UsageError` that names class and attribute, and says what to write.
`rooms/definition.py` asks for each class; what else can't work, `rooms check` finds
(`rooms/machines.py`).
"""

from __future__ import annotations

import difflib
import inspect
import re
from types import FunctionType
from typing import Any, Final

from rooms.errors import UsageError
from rooms.hooks import HOOKS, hooks_of
from rooms.sync.messages import reserved
from rooms.sync.policy import Policy

_WORDS: Final = {
    "durability": ("memory", "primary", "fsync"),
    "several": ("coexist", "takeover"),
    "restore_timers": ("deadline", "remaining"),
    "restore_invoked": ("restart", "fail", "resume"),
    "isolation": ("shared", "process"),
}
_NUMBERS: Final = {
    "sleep_after": "ms",
    "grace": "ms",
    "history": "a number",
    "history_age": "ms",
    "effect_attempts": "a number",
    "max_state": "bytes",
    "max_view": "bytes",
    "max_cpu": "ms, from 1",
    "max_memory": "bytes, from 1",
    "max_viewers": "a number, or None",
    "ttl": "ms, or None",
    "ttl_done": "ms, or None",
}
_NAMES: Final = ("volatile", "read_only", "show_can")
_LOGIC: Final = ("transition", "get_initial_snapshot", "get_persisted_snapshot")
_CAPITAL: Final = re.compile("[A-Z]")
_LIKE: Final = 0.88
"""How much a name may be like one of ours (as `difflib` measures it), and still be another."""


def check(kind: type[Any], base: type[Any]) -> None:
    """What a class says of itself can be meant. Raises UsageError."""
    name = kind.__name__
    for attribute, given in vars(kind).items():
        ours = inspect.getattr_static(base, attribute, None)
        if ours is None and not hasattr(base, attribute):
            _refuse_misspelt(name, attribute, base)
        elif isinstance(ours, FunctionType | classmethod):
            _check_method(kind, attribute, given, ours)
    _check_machine(kind)
    _check_view(kind)
    _check_options(kind)
    for effect, function in kind.effects.items():
        if effect == "send_to_room" or not inspect.iscoroutinefunction(function):
            raise UsageError(
                f"{name}.effects[{effect!r}] is to be a coroutine function "
                "(room, params, attempt), and not named send_to_room"
            )


def _refuse_misspelt(name: str, attribute: str, base: type[Any]) -> None:
    """A name that is almost one of ours does nothing: it is a slip, or will be taken for one."""
    if attribute.startswith("_"):
        return
    known = [each for each in (*dir(base), "kind", "id") if not each.startswith("_")]
    snake = _CAPITAL.sub(r"_\g<0>", attribute).lower()
    meant = difflib.get_close_matches(snake, known, 1, _LIKE)
    if meant:
        raise UsageError(
            f"{name}.{attribute} means nothing to a room; did you mean {meant[0]!r}? "
            f"(If it is your own, call it _{attribute}.)"
        )


def _check_method(kind: type[Any], name: str, given: Any, ours: Any) -> None:
    """It can be called as ours is, and is async only where ours may be."""
    where = f"{kind.__name__}.{name}"
    of_class, own = isinstance(ours, classmethod), getattr(kind, name)
    if not callable(own):
        raise UsageError(f"{where} is a method, not {given!r}")
    if of_class and not isinstance(given, classmethod | staticmethod):
        raise UsageError(f"{where} is a class method: write @classmethod above it")
    if isinstance(given, classmethod | staticmethod) and not of_class:
        raise UsageError(f"{where} is a method: write it without @{type(given).__name__}")
    method = ours.__func__ if of_class else ours
    wanted = [each.name for each in inspect.signature(method).parameters.values()]
    _check_arguments(own, wanted[1:] if of_class else wanted, f"{where} is called as {name}")
    if name not in HOOKS and inspect.iscoroutinefunction(own) != inspect.iscoroutinefunction(
        method
    ):
        be = "a coroutine function: async def" if of_class else "plain: def, not async def"
        raise UsageError(f"{where} is to be {be}")


def _check_arguments(function: Any, wanted: list[str], says: str) -> None:
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError as error:
        raise UsageError(f"{says}({', '.join(wanted)})") from error
    except ValueError:  # nothing is known of its arguments
        return


def _check_machine(kind: type[Any]) -> None:
    name, machine = kind.__name__, inspect.getattr_static(kind, "machine")
    if machine is None:
        return
    if not all(hasattr(machine, each) for each in _LOGIC):
        raise UsageError(
            f"{name}.machine is what create_machine(…) or setup(…).create_machine(…) gives, "
            f"not {type(machine).__name__}"
        )
    if unused := hooks_of(kind) - {"on_request"}:
        unused_names = " and ".join(sorted(unused))
        raise UsageError(
            f"{name} has a machine, so nothing calls its {unused_names}: the machine hears events, "
            "and room.joined, room.left of who comes and goes"
        )


def _check_view(kind: type[Any]) -> None:
    view = inspect.getattr_static(kind, "view")
    if isinstance(view, Policy):
        return
    where = f"{kind.__name__}.view"
    if not callable(getattr(kind, "view", None)):
        raise UsageError(
            f"{where} is {view!r}; take everything, public, policy({{…}}), or write a method "
            "view(self, snapshot, viewer)"
        )
    if isinstance(view, staticmethod):
        _check_arguments(view, ["snapshot", "viewer"], f"{where} is called as view")
    elif isinstance(view, FunctionType):
        _check_arguments(view, ["self", "snapshot", "viewer"], f"{where} is called as view")
        if inspect.iscoroutinefunction(view):
            raise UsageError(f"{where} is to be plain: def, not async def")


def _check_options(kind: type[Any]) -> None:
    name = kind.__name__
    for option, words in _WORDS.items():
        given = getattr(kind, option)
        replicated = option == "durability" and hasattr(given, "replicas")
        if given not in words and not replicated:
            may = [*words, "replicated(k)"] if option == "durability" else words
            raise UsageError(f"{name}.{option} is {given!r}; take {' or '.join(may)}")
    for option, unit in _NUMBERS.items():
        given = getattr(kind, option)
        if given is None and unit.endswith("None"):
            continue
        least = int(unit.endswith("1"))
        if isinstance(given, bool) or not isinstance(given, int) or given < least:
            raise UsageError(f"{name}.{option} is {given!r}; take {unit}")
    for option in _NAMES:
        given = getattr(kind, option)
        if isinstance(given, str) or not all(isinstance(each, str) for each in given):
            raise UsageError(f"{name}.{option} is a tuple of names, not {given!r}")
    for type_ in kind.volatile:
        if reserved(type_):
            raise UsageError(f"{name}.volatile: no client can send {type_!r}")
        if type_ in getattr(kind.machine, "events", ()):
            raise UsageError(
                f"{name}.volatile: the machine takes {type_!r}, and would never get it"
            )
