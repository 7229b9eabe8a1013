"""Where a sleeping session wakes: rendezvous hashing (PURE).

Every router scores each host for the session and takes the highest, so that all agree without a
word, and a host that comes or goes moves only the sessions it wins or had (Thaler and Ravishankar,
1998). With weights the score is -weight / ln(hash), which gives each host its share (Schindelhauer
and Schomaker, 2005).
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rooms.store.port import HostInfo

_SPAN: Final = 2.0**64


def place(kind: str, session: str, hosts: Iterable[HostInfo]) -> HostInfo | None:
    """The host where this session is to wake: of those that have its kind and aren't leaving."""
    name = f"{kind}/{session}".encode()
    able = [
        host for host in hosts if not host.leaving and host.weight > 0 and kind in host.versions
    ]
    return max(able, key=lambda host: _score(name, host), default=None)


def _score(name: bytes, host: HostInfo) -> float:
    """Of the host's address, which it keeps when it starts again: where a session slept before, it
    wakes again.
    """
    hashed = xxh3_64_intdigest(b"%b\0%b" % (host.address.encode(), name))
    return -host.weight / log((hashed + 0.5) / _SPAN)
