"""The app that endures, on hosts whose leases last two seconds instead of ten: a test that waits
for the end of one is quick.
"""

from __future__ import annotations

from rooms.host import lease
from tests.system.endured import app

__all__ = ["app"]

vars(lease).update(TTL=2_000, EVERY=500)
