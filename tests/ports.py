"""Ports of loopback for the servers that tests start, kill and start again."""

from __future__ import annotations

import socket
from pathlib import Path
from random import SystemRandom
from typing import Final

_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ANYBODYS: Final = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
"""From here on ports are given to whoever connects, where a system does as is usual from 32768."""
_FIRST: Final = 12_000
_LAST: Final = min(32_000, _ANYBODYS) if _ANYBODYS > 2 * _FIRST else 32_000
"""Below those: while a server is down, nobody who wants to reach it, or anything else, comes to
have its port.
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
