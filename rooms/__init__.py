"""Skyrooms: one statechart is the whole server. What an author imports; the rest may change.

Names are loaded when they are first used, so that the command line, and the process that `rooms
dev` watches files in, don't wait for what they don't need. What lies where:

what an author writes     app  definition  shape  hooks/  effects  errors  starter/
what is said of that      loading  machines  typescript  testing
the side with sockets     router/
the side with rooms       host/
between the two           link/
what connections hear     sync/
what is kept              store/
which host has what       placement/
who may work now          pace  budgets  tasks
one process               server  settings  process  supervisor  children  collector
several                   fleet  apart  meeting
one for a room alone      nursery  alone
who runs it               access  inventory  watching  welcome
what they can see         operations  metrics  tally  tracing  logs
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # from app
    from rooms.app import App

    # from definition
    from rooms.definition import Door, Room, replicated, reply

    # from effects
    from rooms.effects import Attempt, effect, send_to_room

    # from errors
    from rooms.errors import CloseCode, RoomsError, UsageError

    # from sync.parts
    from rooms.sync.parts import map_values, omit, pick

    # from sync.policy
    from rooms.sync.policy import policy

    # from sync.rules
    from rooms.sync.rules import count, hidden, own, role, shown, team, when

    # from sync.views
    from rooms.sync.views import Viewer, everything, public, show

__all__ = [
    # app
    "App",
    # definition
    "Door",
    "Room",
    "replicated",
    "reply",
    # effects
    "Attempt",
    "effect",
    "send_to_room",
    # errors
    "CloseCode",
    "RoomsError",
    "UsageError",
    # sync.parts
    "map_values",
    "omit",
    "pick",
    # sync.policy
    "policy",
    # sync.rules
    "count",
    "hidden",
    "own",
    "role",
    "shown",
    "team",
    "when",
    # sync.views
    "Viewer",
    "everything",
    "public",
    "show",
]

_HOMES = {
    "rooms.app": ("App",),
    "rooms.definition": ("Door", "Room", "replicated", "reply"),
    "rooms.effects": ("Attempt", "effect", "send_to_room"),
    "rooms.errors": ("CloseCode", "RoomsError", "UsageError"),
    "rooms.sync.parts": ("map_values", "omit", "pick"),
    "rooms.sync.policy": ("policy",),
    "rooms.sync.rules": ("count", "hidden", "own", "role", "shown", "team", "when"),
    "rooms.sync.views": ("Viewer", "everything", "public", "show"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
