"""Who somebody is, signed: `python -m examples.payment.tokens ann` or `… olga admin`.

Prints a token that a server started with the same ROOMS_SECRET believes for an hour.
"""

from __future__ import annotations

import os
import sys

import jwt

from runtime.clock import LoopClock


def token(secret: str, name: str, role: str = "player") -> str:
    """A token of this viewer with this role."""
    expires = int(LoopClock().now()) // 1000 + 3600
    return jwt.encode({"sub": name, "role": role, "exp": expires}, secret, algorithm="HS256")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3 or "ROOMS_SECRET" not in os.environ:
        sys.exit("ROOMS_SECRET=… python -m examples.payment.tokens NAME [ROLE]")
    print(token(os.environ["ROOMS_SECRET"], *sys.argv[1:]))  # noqa: T201
