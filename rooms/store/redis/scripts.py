"""The scripts that change sessions: each reads and writes in one step, on the server.

They are sent by their hash. A server that was started or promoted since knows none of them, so each
connection brings them when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """Its text, and the hash that the server knows it by."""

    text: str
    sha: str

    def command(
        self, keys: tuple[str, ...], *args: str | bytes | int
    ) -> tuple[str | bytes | int, ...]:
        """The command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)


def _read(*names: str) -> Script:
    text = "".join((_FOLDER / f"{name}.lua").read_text() for name in names)
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


ACQUIRE: Final = _read("keys", "acquire")
COMMIT: Final = _read("commit")
DELETE: Final = _read("keys", "delete")
LEASES: Final = _read("leases")
RELEASE: Final = _read("keys", "release")

ALL: Final = (ACQUIRE, COMMIT, DELETE, LEASES, RELEASE)
