"""Skyrooms in Python: `connect` to a room, read what it is, send it events.

Start reading at `client/room.py`. The JavaScript façade with the same names is in `client/js`.
"""

# from errors
from client.errors import ClientError, OutcomeLost, RoomClosed

# from room
from client.room import Outcome, Room, connect

__all__ = [
    # errors
    "ClientError",
    "OutcomeLost",
    "RoomClosed",
    # room
    "Outcome",
    "Room",
    "connect",
]
