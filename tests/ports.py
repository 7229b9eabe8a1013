"""Ports of loopback for the servers that tests start, kill and start again."""

from __future__ import annotations

import socket
from random import SystemRandom
from typing import Final

_FIRST: Final = 12_000
_LAST: Final = 32_000
"""Below those that the system gives to whoever connects: while a server is down, nobody who wants
to reach it, or anything else, comes to have its port (`ip_local_port_range` begins at 32768).
"""
_DICE: Final = SystemRandom()  # not those that pytest-randomly makes the same for every test
_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now, and that wasn't given before."""
    while True:
        port = _DICE.randrange(_FIRST, _LAST)
        if port in _GIVEN:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _GIVEN.add(port)
            return port
