"""Where a room is: from the address one knows it by to that of its socket (PURE)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_OURS: Final = ("client", "since", "cursor", "token", "create")


def located(address: str, params: Mapping[str, Any]) -> str:
    """The socket's address, `params` in its query. Raises ValueError: none can be made of it."""
    scheme, host, path, query, _ = urlsplit(address)
    if scheme not in _SCHEMES or not host:
        raise ValueError(f"a room's address begins with http(s):// or ws(s)://, not {address!r}")
    ours = [name for name in params if name in _OURS]
    if ours:
        raise ValueError(f"params can't have {', '.join(ours)}: that is the façade's own")
    return with_query(urlunsplit((_SCHEMES[scheme], host, path, query, "")), params)


def with_query(url: str, more: Mapping[str, Any]) -> str:
    """The address with more in its query; what is None is left out."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in more.items():
        if value is not None:
            query[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return urlunsplit(parts._replace(query=urlencode(query)))
