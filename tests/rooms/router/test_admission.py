"""Admission: which pages may act here. The rest is tested over real sockets and requests."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from rooms.errors import Closing
from rooms.router.admission import Admissions, joined
from rooms.router.tokens import Tokens


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "game.example", True),
        ("http://game.example", "game.example", True),
        ("https://game.example", "game.example", True),
        ("https://game.example", "game.example:443", True),
        ("http://game.example:80", "game.example", True),
        ("http://game.example:1999", "game.example:1999", True),
        ("http://[::1]:1999", "[::1]:1999", True),
        ("http://GAME.example", "game.EXAMPLE", True),
        ("https://friend.example", "game.example", True),
        ("http://game.example:1999", "game.example", False),
        ("http://game.example", "game.example:1999", False),
        ("http://evil.example", "game.example", False),
        ("http://game.example.evil.example", "game.example", False),
        ("http://evil.example/game.example", "game.example", False),
        ("http://friend.example", "game.example", False),
        ("null", "null", False),
        ("null", "", False),
        ("", "", False),
        ("http://[", "game.example", False),
        ("http://game.example:port", "game.example", False),
        ("http://game.example", "[", False),
    ],
)
def test_origins(origin: str | None, host: str, allowed: bool) -> None:
    friends = frozenset({"https://friend.example"})
    admissions = Admissions({}, Tokens(b"s" * 32), lambda: 0, friends)
    headers = Headers({"host": host} | ({} if origin is None else {"origin": origin}))
    if allowed:
        admissions.check_origin(headers)
    else:
        with pytest.raises(Closing) as refused:
            admissions.check_origin(headers)
        assert refused.value.code == 4403


def test_headers_that_come_several_times_are_one() -> None:
    headers = Headers(raw=[(b"accept", b"a"), (b"x", b"1"), (b"accept", b"b")])
    assert joined(headers) == {"accept": "a, b", "x": "1"}
