"""Who may come in, and as whom: names, origin, query and token of one request.

In: what Starlette parsed of a WebSocket's or plain request. Out: an `Admission`, from which the
host is asked; or a refusal, the same for both (a socket gets the close code, HTTP the status).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from rooms.errors import BadMessage, CloseCode, Closing
from rooms.router.tokens import Identity
from rooms.sync.messages import CURSOR_PATTERN, KIND_PATTERN, MAX_SAFE_INTEGER, SESSION_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import Headers, QueryParams

    from rooms.router.tokens import Tokens

MIN_KEY: Final = 16
CLIENT_PATTERN: Final = re.compile(r"[A-Za-z0-9._~-]{16,128}")
_TIME_PATTERN: Final = re.compile(r"[0-9]{1,16}")
_OUR_PARAMS: Final = frozenset({"client", "token", "_pk"})
_WIRE_PARAMS: Final = frozenset({"since", "cursor", "create"})


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that may go to its room. `params` is the query without what is the door's own;
    `headers` are empty unless the kind has an `authenticate` of its own.
    """

    kind: str
    session: str
    identity: Identity
    client: str | None
    since: int | None
    cursor: str | None
    create: bool
    token: str | None
    renewed: str | None
    params: dict[str, str]
    headers: dict[str, str]
    operator: bool = False


class Admissions:
    """The rules of one router.

    `kinds` says of each kind whether it has an `authenticate` of its own; `now` is the store's time
    in ms; `origins` may connect from elsewhere (`https://example.com`).
    """

    def __init__(
        self,
        kinds: Mapping[str, bool],
        tokens: Tokens,
        now: Callable[[], int],
        origins: frozenset[str] = frozenset(),
    ) -> None:
        self._kinds = kinds
        self._tokens = tokens
        self._now = now
        self._origins = origins

    def admit(
        self,
        kind: str,
        session: str | None,
        query: QueryParams,
        headers: Headers,
        *,
        socket: bool,
        client: str | None = None,
    ) -> Admission:
        """Check one request for a room, or for the rooms of a kind (`session` None). `client` is
        what says so where that isn't the query.

        A plain request (not `socket`) brings its token in `Authorization: Bearer`, or in the query
        as a socket has to; an anonymous one with an `Idempotency-Key` is whoever made that key.

        Raises:
            Closing: 4400, 4401, 4403 (the origin) or 4404.
        """
        own = self._kinds.get(kind)
        if own is None or not KIND_PATTERN.fullmatch(kind):
            raise Closing(CloseCode.NOT_FOUND, f"there is no kind of room {kind[:40]!r}")
        if session is not None and not SESSION_PATTERN.fullmatch(session):
            raise Closing(CloseCode.NOT_FOUND, f"{session[:40]!r} can't be the ID of a session")
        client = client or _matching(
            query, "client", CLIENT_PATTERN, "16 to 128 random letters and digits"
        )
        since = _matching(query, "since", _TIME_PATTERN, "a time in ms")
        cursor = _matching(query, "cursor", CURSOR_PATTERN, "a cursor of this server")
        create = query.get("create", "1")
        if create not in ("0", "1"):
            raise Closing(CloseCode.BAD_MESSAGE, "`create` is 0 or 1")
        if since is not None and int(since) > MAX_SAFE_INTEGER:
            raise Closing(CloseCode.BAD_MESSAGE, "`since` is a time in ms")
        token = query.get("token") or (None if socket else self.bearer(headers))
        key = None if socket or client else headers.get("idempotency-key")
        client = client or secrets.token_urlsafe(16)
        identity, renewed = self._identify(token, client, key, own)
        return Admission(
            kind,
            session or "",
            identity,
            client,
            None if since is None else int(since),
            cursor,
            create == "1",
            token,
            renewed,
            _author_params(query),
            joined(headers) if own else {},
        )

    def check_operator(self, headers: Headers) -> None:
        """Only who runs the server goes on; a token in a query, which logs keep, counts for
        nothing.

        Raises:
            Closing: 4401 or 4403.
        """
        self._tokens.check_operator(self.bearer(headers), self._now())

    def admit_operator(
        self, kind: str, session: str, query: QueryParams, headers: Headers
    ) -> Admission:
        """An operator who watches a session, whole or as the viewer `as` (of `role`) sees it.

        Raises:
            Closing: 4400, 4401, 4403 or 4404.
        """
        self.check_operator(headers)
        if kind not in self._kinds or not SESSION_PATTERN.fullmatch(session):
            raise Closing(CloseCode.NOT_FOUND, f"there is no session {kind[:40]}/{session[:40]}")
        cursor = _matching(query, "cursor", CURSOR_PATTERN, "a cursor of this server")
        whom = Identity(query.get("as", ""), query.get("role") or "player")
        client = secrets.token_urlsafe(16)
        return Admission(
            kind, session, whom, client, None, cursor, False, None, None, {}, {}, operator=True
        )

    def check_origin(self, headers: Headers) -> None:
        """A page of another origin may not act here; what isn't a browser sends no Origin.

        Raises:
            Closing: 4403.
        """
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if not _same_host(origin, headers.get("host", "")):
            raise Closing(CloseCode.FORBIDDEN, "pages of another origin may not use this server")

    def again(self, kind: str, token: str, subject: str) -> Identity | None:
        """A fresh token for an open connection of `subject`; None: the kind judges it itself.

        Raises:
            Closing: 4401, it is no token.
            BadMessage: it is another viewer's.
        """
        if self._kinds[kind]:
            return None
        identity = self._tokens.read(token, self._now())
        if identity.subject != subject:
            raise BadMessage("token", "a connection stays its viewer's; connect anew as another")
        return identity

    def bearer(self, headers: Headers) -> str | None:
        """The token in `Authorization: Bearer …`, unverified."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    def _identify(
        self, token: str | None, client: str, key: str | None, own: bool
    ) -> tuple[Identity, str | None]:
        """Who it is, and a token to keep. A kind with its own `authenticate` judges tokens itself:
        one that isn't ours is no refusal there, and no reason to hand out another in its place.
        """
        now = self._now()
        if token is not None:
            try:
                identity = self._tokens.read(token, now)
                return identity, self._tokens.renew(identity, now)
            except Closing:
                if not own:
                    raise
                return self._tokens.anonymous(client), None
        if key is not None:
            if len(key) < MIN_KEY:
                raise Closing(
                    CloseCode.BAD_MESSAGE,
                    f"an Idempotency-Key that comes without a token or `client` says who you are: "
                    f"it has {MIN_KEY} or more random characters",
                )
            identity = self._tokens.anonymous(key, by="key")
        else:
            identity = self._tokens.anonymous(client)
        return identity, self._tokens.renew(identity, now)


def _matching(query: QueryParams, name: str, pattern: re.Pattern[str], what: str) -> str | None:
    value = query.get(name)
    if value is not None and not pattern.fullmatch(value):
        raise Closing(CloseCode.BAD_MESSAGE, f"`{name}` is {what}")
    return value


def _same_host(origin: str, host: str) -> bool:
    """Whether an Origin is of the host that was asked; a port left out is the scheme's own.

    The scheme isn't compared: before a proxy it is https, behind it http.
    """
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
        default = {"http": 80, "https": 443}.get(theirs.scheme)
        same_port = (theirs.port or default) == (ours.port or default)
    except ValueError:
        return False
    return theirs.hostname is not None and theirs.hostname == ours.hostname and same_port


def _author_params(query: QueryParams) -> dict[str, str]:
    """The query without what the wire itself reads of it: what a room may want to know."""
    return {name: query[name] for name in query if name not in _OUR_PARAMS | _WIRE_PARAMS}


def params_of(query: QueryParams) -> dict[str, str]:
    """The query without what is the door's alone."""
    return {name: query[name] for name in query if name not in _OUR_PARAMS}


def joined(headers: Headers) -> dict[str, str]:
    """Headers by lower-case name; what came several times is one (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
