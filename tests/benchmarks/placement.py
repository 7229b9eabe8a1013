"""Placement: how evenly sessions fall on hosts, how many move when one leaves, and what it costs.

python -m tests.benchmarks.placement [sessions] [hosts]
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from rooms.placement.ring import place
from rooms.store.port import HostInfo


def main(sessions: int = 1_000_000, hosts: int = 100) -> None:
    """Place all sessions, then those that one host had."""
    ring = [
        HostInfo(f"i{n}", f"tcp:10.0.{n // 256}.{n % 256}:7000", {"quiz": "1"}, 0)
        for n in range(hosts)
    ]
    begun = time.perf_counter()
    where = [place("quiz", f"{n:x}", ring) for n in range(sessions)]
    took = time.perf_counter() - begun
    counts = Counter(host.address for host in where if host is not None)
    fair, leaver = sessions / hosts, ring[hosts // 2]
    print(f"{sessions} sessions over {hosts} hosts, {took / sessions * 1e6:.1f} µs each")
    low, high = min(counts.values()) / fair, max(counts.values()) / fair
    print(f"fullest {high:.3f} and emptiest {low:.3f} of the fair share")
    rest = [host for host in ring if host is not leaver]
    sample = range(0, sessions, max(1, sessions // 20_000))
    now = {n: place("quiz", f"{n:x}", rest) for n in sample}
    moved = [n for n in sample if now[n] is not where[n]]
    only = all(where[n] is leaver for n in moved)
    print(f"one leaves: {len(moved) / len(sample):.4f} move; only its own: {only}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
