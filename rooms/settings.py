"""What an operator may set, whichever way: options of the command line, or `ROOMS_…` variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings. `origins` are those of pages elsewhere (`https://example.com`)."""

    port: int = 1999
    bind: str = "127.0.0.1"
    store: str = "sqlite:///rooms.db"
    secret: str | None = None
    limits: bool = True
    origins: tuple[str, ...] = ()
    log_format: Literal["text", "json"] = "text"
    dev: bool = False
