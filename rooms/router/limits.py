"""How much one connection, one viewer and one address may ask of the door (PURE): time is an
argument.

`rooms/router/connections.py` and `http.py` ask; who gets a no is told 4429 (429) and when to come
back.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from rooms.errors import CloseCode, Closing

MOST_KNOWN: Final = 10_000
"""Of so many viewers, and of so many addresses, it is known how often they came of late."""
_NETWORK_OF: Final = 64  # bits: an IPv6 network of that size is one household's


@dataclass(frozen=True, slots=True)
class Limits:
    """Events a second and burst of one connection, and likewise plain requests of one viewer;
    connections of one address, and its requests and new connections a second; None: no limit.

    Loopback is exempt from limits by address: a proxy on the same machine speaks for everybody.
    """

    rate: float | None = 200.0
    burst: int = 400
    connections: int | None = 1000
    visits: float | None = 1000.0
    visits_burst: int = 2000

    @classmethod
    def off(cls) -> Limits:
        """No limits at all (`--limits off`)."""
        return cls(rate=None, connections=None, visits=None)


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


class Buckets:
    """A bucket for each name; the longest unused is forgotten when there are too many, and is full
    by then.
    """

    def __init__(self, rate: float | None, burst: int, most: int = MOST_KNOWN) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: dict[str, Bucket] = {}

    def take(self, name: str, now: float) -> bool:
        """Whether one more of this name is allowed at `now`; takes it if so."""
        if self._rate is None:
            return True
        bucket = self._buckets.pop(name, None) or Bucket(self._rate, self._burst, now)
        self._buckets[name] = bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now)


class Visits:
    """How often each address and each viewer comes, and how many connections each address has."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.connections
        self._connections: dict[str, int] = {}
        self._addresses = Buckets(limits.visits, limits.visits_burst)
        self._viewers = Buckets(limits.rate, limits.burst)

    def request(self, address: str, now: float) -> None:
        """A request comes from this address. Raises Closing: 4429."""
        if not is_loopback(address) and not self._addresses.take(network_of(address), now):
            raise Closing(CloseCode.TOO_MANY, "too many requests from your address")

    def ask(self, viewer: str, now: float) -> None:
        """A plain request is this viewer's. Raises Closing: 4429."""
        if not self._viewers.take(viewer, now):
            raise Closing(CloseCode.TOO_MANY, "too many requests of yours")

    def enter(self, address: str) -> None:
        """One more connection from this address. Raises Closing, and nothing is counted: 4429."""
        network = network_of(address)
        count = self._connections.get(network, 0)
        if self._most is not None and count >= self._most and not is_loopback(address):
            raise Closing(CloseCode.TOO_MANY, "too many connections from your address")
        self._connections[network] = count + 1

    def leave(self, address: str) -> None:
        """One connection that entered is gone."""
        network = network_of(address)
        count = self._connections[network] - 1
        if count:
            self._connections[network] = count
        else:
            del self._connections[network]


def network_of(address: str) -> str:
    """Whom an address belongs to: itself, of IPv6 its network."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped) if mapped else parsed.exploded[: _NETWORK_OF // 16 * 5]


def is_loopback(address: str) -> bool:
    """Whether this is the same machine. What isn't an IP address (a Unix socket's "") is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return True
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
