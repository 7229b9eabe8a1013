"""How a server is run: each value has an option and an environment variable, the option first.

`__main__.py` gives the options; a served process gets all of them as variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

LogFormat = Literal["text", "json"]

MAX_PROCESSES: Final = 64
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@A-Z]+")  # RFC 6454, 6.2


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides.

    `port` 0 takes a free one. `limits` False lifts the limits by connection and address. `origins`
    are sites whose pages may connect, besides the server's own. `secret` signs anonymous tokens;
    None: the one kept in the store.

    Of routers and hosts as processes of their own: `hosts` and `routers` are how many of each one
    machine has; `listen` is where a host takes links, `advertise` where routers find that (None:
    the same), `weight` its share of the sessions beside others'; `pages` is the folder that a
    router serves (None: what a host says); `link_tls` are the files of certificate, key and
    authority for `tls:` links.

    `metrics` is where the operator's door is, `PORT` or `ADDRESS:PORT` (None: there is none).
    `traces` makes OpenTelemetry spans.
    """

    port: int = 1999
    bind: str = "127.0.0.1"
    store: str = "sqlite:///rooms.db"
    limits: bool = True
    log_format: LogFormat = "text"
    origins: tuple[str, ...] = ()
    secret: str | None = None
    hosts: int = 1
    routers: int = 1
    listen: str = "tcp:127.0.0.1:0"
    advertise: str | None = None
    weight: float = 1
    pages: str | None = None
    link_tls: tuple[str, ...] = ()
    metrics: str | None = None
    traces: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], **options: object) -> Settings:
        """From the command line's options, then the environment (`ROOMS_PORT` …), then defaults.
        Other options, and those that are None, don't matter.

        Raises:
            UsageError: a value that can't be; it names where it came from.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            variable = f"ROOMS_{field.name.upper()}"
            given, source = options.get(field.name), f"--{field.name.replace('_', '-')}"
            if given is None:
                given, source = environ.get(variable) or None, variable
            if given is not None:
                values[field.name] = _parse(field.name, str(given), source)
        return cls(**values)

    def to_environ(self) -> dict[str, str]:
        """As variables, which `read` reads back."""
        return {
            f"ROOMS_{field.name.upper()}": _text(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) is not None
        }


def _parse(name: str, given: str, source: str) -> Any:
    match name:
        case "port":
            if not (given.isascii() and given.isdigit() and int(given) < 65536):
                raise UsageError(f"{source} {given}: a port is a number from 0 to 65535")
            return int(given)
        case "limits" | "traces":
            return _one_of(given, source, {"on": True, "off": False})
        case "log_format":
            return _one_of(given, source, {"text": "text", "json": "json"})
        case "hosts" | "routers":
            if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MAX_PROCESSES):
                raise UsageError(f"{source} {given}: take a number from 1 to {MAX_PROCESSES}")
            return int(given)
        case "weight":
            try:
                weight = float(given)
            except ValueError:
                weight = 0
            if not 0 < weight < inf:
                raise UsageError(f"{source} {given}: a weight is a number above 0")
            return weight
        case "metrics":
            _, _, port = given.rpartition(":")
            if not (port.isascii() and port.isdigit() and int(port) < 65536):
                raise UsageError(f"{source} {given}: take PORT or ADDRESS:PORT")
            return given
        case "origins":
            origins = tuple(given.replace(",", " ").split())
            if odd := [each for each in origins if not _ORIGIN.fullmatch(each)]:
                raise UsageError(
                    f"{source} {odd[0]}: an origin is https://name[:port], as browsers say it"
                )
            return origins
        case "link_tls":
            files = tuple(given.replace(",", " ").split())
            if len(files) != 3:
                raise UsageError(f"{source} {given}: name certificate, key and authority")
            return files
        case _:
            return given


def _one_of(given: str, source: str, choices: dict[str, Any]) -> Any:
    if given not in choices:
        raise UsageError(f"{source} {given}: take {' or '.join(choices)}")
    return choices[given]


def _text(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case tuple():
            return " ".join(value)
        case _:
            return str(value)
