"""How much one connection and one address may ask of the door (PURE): time is an argument.

`rooms/router/connections.py` asks; who gets a no is told 4429 and when to come back."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Limits:
    """Events a second and burst of one connection, connections of one address; None: no limit.

    Loopback is exempt from the limit by address: a proxy on the same machine speaks for everybody.
    """

    rate: float | None = 200.0
    burst: int = 400
    connections: int | None = 1000

    @classmethod
    def off(cls) -> Limits:
        """No limits at all (`--limits off`)."""
        return cls(rate=None, connections=None)


class Bucket:
    """A token bucket: `burst` at once, then `rate` a second. Times are seconds of any one clock."""

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._since = now

    def take(self, now: float) -> bool:
        """Whether one more is allowed at `now`, which never runs backwards; takes it if so."""
        tokens = self._tokens + (now - self._since) * self._rate
        self._since = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True


class Addresses:
    """How many connections each address has."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count one more connection; False, and nothing counted, when the address has enough."""
        count = self._counts.get(address, 0)
        if self._limit is not None and count >= self._limit and not is_loopback(address):
            return False
        self._counts[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """One connection that entered is gone."""
        count = self._counts[address] - 1
        if count:
            self._counts[address] = count
        else:
            del self._counts[address]


def is_loopback(address: str) -> bool:
    """Whether this is the same machine. What isn't an IP address (a Unix socket's "") is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return True
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
