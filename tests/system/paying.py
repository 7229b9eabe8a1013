"""The payment example, where what has failed several times is tried again within seconds: half of
the bank's calls fail, and seven in a row would be followed by more than a minute of silence. Of
more calls than usual all would have to fail until an operator had to look, whom no test has.
"""

from __future__ import annotations

from examples.payment.app import app
from rooms.host import retries

__all__ = ["app"]

vars(retries).update(LONGEST_WAIT=3_000)
app.kinds["payment"].effect_attempts = 12
