"""Who is at the door: signed tokens, and anonymous subjects that follow from a secret (PURE).

A token is a JWT (RFC 7519, HS256) whose `sub` is the viewer. The server's own keep an anonymous
viewer the same person; an operator who knows the secret (`ROOMS_SECRET`) issues others, with a
`role` and whatever claims the rooms want. The server renews only its own: the life of another's is
that issuer's decision. Time is an argument, in milliseconds."""

from __future__ import annotations

import hmac
from base64 import b32encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import jwt

from rooms.errors import CloseCode, Closing

if TYPE_CHECKING:
    from rooms.sync.messages import Json

LIFETIME: Final = 30 * 24 * 3600 * 1000
"""How long a token of the server's own is good, in ms; renewed at every connect."""

OPERATOR_LIFETIME: Final = 5 * 60 * 1000
"""How long an operator's token is good, in ms: for one command."""

_ISSUER: Final = "rooms"
_OPERATORS: Final = "rooms.operator"
_MAX_LENGTH: Final = 4096
_MAX_SUBJECT: Final = 128
_TIMES_ARE_OURS: Final[Any] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A viewer as the door knows it. `expires` (ms): then it needs another token; None: never.

    `own`: the server made it, and may renew it.
    """

    subject: str
    role: str = "player"
    claims: dict[str, Json] = field(default_factory=dict)
    expires: int | None = None
    own: bool = True

    def viewer(self) -> dict[str, Json]:
        """As links carry it."""
        return {"id": self.subject, "role": self.role, "claims": self.claims}


class Tokens:
    """Makes and reads tokens with one secret of at least 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def anonymous(self, secret_of_theirs: str, *, by: str = "client") -> Identity:
        """The viewer that follows from what only they know; which can't be told from the viewer.

        `by` keeps apart what is derived from different things.
        """
        derived = hmac.digest(self._secret, f"{by}\x00{secret_of_theirs}".encode(), "sha256")
        return Identity(b32encode(derived[:10]).decode().lower())

    def issue(self, subject: str, now: int) -> str:
        """A token of the server's own."""
        issued = now // 1000
        claims = {"iss": _ISSUER, "sub": subject, "iat": issued, "exp": issued + LIFETIME // 1000}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def renew(self, identity: Identity, now: int) -> str | None:
        """A fresh token to keep, for a viewer the server itself named; None for others."""
        return self.issue(identity.subject, now) if identity.own else None

    def read(self, token: str, now: int) -> Identity:
        """Who this token says it is.

        Raises:
            Closing: 4401, it is expired, not yet valid, forged, an operator's, or no token at all.
        """
        claims, expires = self._verified(token, now)
        subject, role = claims.get("sub", ""), claims.get("role", "player")
        named = isinstance(role, str) and 0 < len(subject) <= _MAX_SUBJECT
        if not named or _is_operators(claims):
            raise Closing(CloseCode.UNAUTHENTICATED, "the token names no viewer")
        return Identity(subject, role, claims, expires, claims.get("iss") == _ISSUER)

    def issue_operator(self, now: int) -> str:
        """A token for who runs the server (SPEC, ADMIN1)."""
        claims = {"aud": _OPERATORS, "exp": (now + OPERATOR_LIFETIME) // 1000}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def check_operator(self, token: str | None, now: int) -> None:
        """That this is an operator's token, which isn't good for ever.

        Raises:
            Closing: 4401, it is none of this server; 4403, it is a viewer's.
        """
        if token is None:
            raise Closing(CloseCode.UNAUTHENTICATED, "this is for who runs the server")
        claims, expires = self._verified(token, now)
        if not _is_operators(claims) or expires is None:
            raise Closing(CloseCode.FORBIDDEN, "this is for who runs the server")

    def _verified(self, token: str, now: int) -> tuple[dict[str, Any], int | None]:
        """The claims of a token of this secret that is valid now, and when it expires (ms).

        Raises Closing: 4401.
        """
        try:
            if len(token) > _MAX_LENGTH:
                raise Closing(CloseCode.UNAUTHENTICATED, "the token is too long")
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options=_TIMES_ARE_OURS)
            expires, begins = _time(claims, "exp"), _time(claims, "nbf")
        except (jwt.InvalidTokenError, ValueError, OverflowError) as error:
            raise Closing(
                CloseCode.UNAUTHENTICATED, "the token isn't one of this server"
            ) from error
        if expires is not None and expires <= now:
            raise Closing(CloseCode.UNAUTHENTICATED, "the token has expired")
        if begins is not None and begins > now:
            raise Closing(CloseCode.UNAUTHENTICATED, "the token isn't valid yet")
        return claims, expires


def _is_operators(claims: dict[str, Any]) -> bool:
    audience = claims.get("aud")
    return audience == _OPERATORS or (isinstance(audience, list) and _OPERATORS in audience)


def _time(claims: dict[str, Any], name: str) -> int | None:
    """A claim in seconds since 1970, as ms. Raises ValueError for what isn't a number."""
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise ValueError(f"{name} is a number")
    return int(value * 1000)
