"""Skyrooms: one statechart is the whole server. What an author imports; the rest may change."""

# from app
from rooms.app import App

# from definition
from rooms.definition import Door, Room, reply

# from errors
from rooms.errors import CloseCode, RoomsError, UsageError

# from sync.views
from rooms.sync.views import Viewer, everything, public, show

__all__ = [
    # app
    "App",
    # definition
    "Door",
    "Room",
    "reply",
    # errors
    "CloseCode",
    "RoomsError",
    "UsageError",
    # sync.views
    "Viewer",
    "everything",
    "public",
    "show",
]
