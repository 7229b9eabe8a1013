"""Guards of who may come in, and how often, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from rooms.errors import CloseCode
from rooms.router import admission, channels, http, limits
from rooms.router import development as development_of
from rooms.router import tokens as tokens_of
from rooms.router.admission import Admissions
from rooms.router.development import Development
from rooms.router.intake import Intake
from rooms.router.limits import Bucket, Buckets, Visits
from rooms.router.router import Router
from rooms.router.sockets import Socket
from rooms.router.tokens import Tokens
from rooms.sync.messages import MAX_BYTES
from tests.guards import Guards
from tests.rooms.router import test_admission as pages
from tests.rooms.router import test_development as development
from tests.rooms.router import test_intake as turns
from tests.rooms.router import test_limits as often
from tests.rooms.router import test_operators as operators
from tests.rooms.router import test_tokens as tokens
from tests.rooms.router.doors import at_the_door
from tests.rooms.router.test_tokens import NOW, SECRET, sign
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guards import Make

GUARDS = Guards()


# -------------------------------------------------------------------------------- as whom


def no_token(token: str) -> Callable[[Make], Make]:
    """By the test that sees that this counts as a viewer's token."""
    return GUARDS.seen_by(tokens.test_what_is_no_good_token_is_refused, token=token)


@no_token(sign(sub="ada", exp=NOW // 1000))
def tokens_for_ever(swap: Any) -> None:
    """A token that has expired is one."""
    edited(swap, Tokens, "_verified", "if expires is not None and expires <= now:", "if False:")


@no_token(sign(sub="ada", nbf=NOW // 1000 + 1))
def tokens_before_their_time(swap: Any) -> None:
    """A token that isn't valid yet is one."""
    edited(swap, Tokens, "_verified", "if begins is not None and begins > now:", "if False:")


@no_token(sign(sub="ada", exp="9"))
def any_time_is_one(swap: Any) -> None:
    """A token expires when it says, in whatever words."""
    edited(swap, tokens_of, "_time", "if not isinstance(value, int | float):", "if False:")


@no_token(sign(sub="ada", pad="x" * 5000))
def tokens_of_any_length(swap: Any) -> None:
    """A token may be as long as it likes."""
    edited(swap, Tokens, "_verified", "if len(token) > _MAX_LENGTH:", "if False:")


@no_token(sign(SECRET * 2, "HS512", sub="ada"))
def any_algorithm(swap: Any) -> None:
    """A token says itself how it is signed."""
    edited(swap, Tokens, "_verified", 'self._secret, algorithms=["HS256"]',
           'self._secret * 2, algorithms=["HS256", "HS512"]')  # fmt: skip


@no_token(sign(sub=""))
def nobodys_tokens(swap: Any) -> None:
    """A token that names nobody is one."""
    edited(swap, Tokens, "read", "0 < len(subject) <= _MAX_SUBJECT", "True")


@GUARDS.seen_by(tokens.test_an_operators_token_makes_nobody_a_viewer)
def operators_are_viewers(swap: Any) -> None:
    """An operator's token lets somebody into rooms."""
    edited(swap, Tokens, "read", " or _is_operators(claims)", "")


def not_an_operator(
    token: str | None, code: CloseCode = CloseCode.FORBIDDEN
) -> Callable[[Make], Make]:
    """By the test that sees that this counts as an operator's token."""
    return GUARDS.seen_by(tokens.test_nobody_else_is_an_operator, token=token, code=code)


@not_an_operator(Tokens(SECRET).issue("ada", NOW))
def viewers_are_operators(swap: Any) -> None:
    """A viewer's token is an operator's."""
    edited(swap, Tokens, "check_operator", "not _is_operators(claims) or ", "")


@not_an_operator(sign(sub="ada", aud="rooms.operator"))
def operators_for_ever(swap: Any) -> None:
    """An operator's token may be good for ever."""
    edited(swap, Tokens, "check_operator", " or expires is None", "")


@GUARDS.seen_by(tokens.test_an_operators_token_has_claims_and_isnt_renewed)
def others_tokens_renewed(swap: Any) -> None:
    """What another issuer gave for a while the server gives for ever."""
    edited(swap, Tokens, "renew", " if identity.own else None", "")


@GUARDS.seen_by(tokens.test_a_subject_follows_from_client_and_secret_and_shows_neither)
def subjects_anybody_can_guess(swap: Any) -> None:
    """An anonymous subject follows from `client` alone."""
    edited(swap, Tokens, "anonymous", "hmac.digest(self._secret", 'hmac.digest(b"known"')


# -------------------------------------------------------------------------------- from where


def another_page(origin: str, host: str = "game.example") -> Callable[[Make], Make]:
    """By the test that sees that a page of this origin may act here."""
    return GUARDS.seen_by(pages.test_origins, origin=origin, host=host, allowed=False)


@another_page("http://evil.example")
def any_page(swap: Any) -> None:
    """A page of any origin may act here."""
    edited(swap, Admissions, "check_origin", "if not _same_host(", "if None and (")


@another_page("http://game.example:1999")
def any_port(swap: Any) -> None:
    """A page of another server of this machine may act here."""
    edited(swap, admission, "_same_host", " and same_port", "")


@another_page("null", "")
def pages_from_nowhere(swap: Any) -> None:
    """A page without an origin may act where no host was named."""
    edited(swap, admission, "_same_host", "theirs.hostname is not None and ", "")


# -------------------------------------------------------------------------------- who operates


def not_at_this_machine(**headers: str) -> Callable[[Make], Make]:
    """By the test that sees that a page gets an operator's token."""
    return GUARDS.seen_by(development.test_nobody_else_does, headers=headers)


@not_at_this_machine(client="192.168.1.7")
def operated_from_anywhere(swap: Any) -> None:
    """A page of any machine operates the server."""
    swap(development_of, "is_loopback", lambda address: True)


@not_at_this_machine(base="http://rebound.example:1999")
def operated_under_any_name(swap: Any) -> None:
    """A page operates the server whose own name leads here."""
    edited(swap, development_of, "_meant_for_here", "name in _HERE and ", "")


@not_at_this_machine(sec_fetch_site="cross-site")
def operated_by_another_site(swap: Any) -> None:
    """A page operates the server that another site has opened."""
    edited(swap, development_of, "_meant_for_here", 'site in ("same-origin", "none") and ', "")


@not_at_this_machine(via="1.1 tunnel")
def operated_through_a_tunnel(swap: Any) -> None:
    """Whoever is passed on operates the server."""
    edited(swap, development_of, "_meant_for_here", " and not passed_on", "")


@not_at_this_machine(origin="https://elsewhere.example")
def operated_by_any_page(swap: Any) -> None:
    """A page of another origin operates the server."""
    edited(swap, Development, "token", "self._admissions.check_origin(request.headers)", "self")


@GUARDS.seen_by(development.test_a_server_that_is_not_being_developed_has_no_such_thing)
def operated_by_its_players(swap: Any) -> None:
    """Any server gives away an operator's token."""
    edited(swap, Router, "__init__", "if development else None", "if True else None")


@GUARDS.seen_by(at_the_door(operators.test_what_an_operator_asks_goes_to_the_host))
def imports_as_small_as_events(swap: Any) -> None:
    """An operator brings no more than a player."""
    swap(http, "MAX_IMPORT", MAX_BYTES)


@GUARDS.seen_by(at_the_door(operators.test_a_watcher_attaches_as_an_operator))
def made_by_a_watcher(swap: Any) -> None:
    """Who watches a room makes it."""
    edited(swap, Admissions, "admit_operator", "cursor, False,", "cursor, True,")


# -------------------------------------------------------------------------------- in turn


@GUARDS.seen_by(turns.test_of_what_came_at_once_so_much_is_read_in_a_turn)
def floods_read_at_once(swap: Any) -> None:
    """A socket is read for as long as there is something."""
    swap(Socket, "_read", WebSocketsSansIOProtocol.data_received)


@GUARDS.seen_by(turns.test_rooms_are_read_one_after_the_other_whoever_has_more)
def read_to_its_end(swap: Any) -> None:
    """A room is read for as long as there is something."""
    edited(swap, Intake, "_next", "waiting.popleft().read_on()",
           "[waiting.popleft().read_on() for _ in iter(lambda: len(waiting), 0)]")  # fmt: skip


@GUARDS.seen_by(turns.test_sockets_of_a_room_are_read_one_after_the_other)
def the_same_one_again(swap: Any) -> None:
    """Of a room's sockets the one is read that was read last."""
    edited(swap, Intake, "_next", "waiting.popleft()", "waiting.pop()")


@GUARDS.seen_by(turns.test_requests_wait_for_their_rooms_turn_and_for_no_other)
def requests_wait_for_no_turn(swap: Any) -> None:
    """A request on a room that was asked too much is passed on at once."""
    edited(swap, Intake, "turn", "session.full or self.owes(session.account)", "False")


@GUARDS.seen_by(turns.test_only_so_many_sessions_that_were_asked_are_known)
def asked_ones_known_for_ever(swap: Any) -> None:
    """How much was asked of a session is remembered of each."""
    edited(swap, Intake, "turn", "if len(self._asked) > MOST_ASKED:", "if False:")


@GUARDS.seen_by(turns.test_for_a_host_that_is_behind_nothing_more_is_read)
def read_whoever_is_behind(swap: Any) -> None:
    """A room is read though its host takes nothing."""
    edited(swap, Intake, "_next", "if session.full:", "if False:")


@GUARDS.seen_by(turns.test_for_a_host_that_is_behind_nothing_more_is_read)
def behind_for_ever(swap: Any) -> None:
    """What a host was sent of a room counts after it was taken."""
    edited(swap, channels.Session, "added", "if host.under_way() > BEHIND else 0", "")


# -------------------------------------------------------------------------------- how often


@GUARDS.seen_by(often.test_a_burst_is_allowed_then_the_rate)
def rate_ignored(swap: Any) -> None:
    """Everybody may do everything as often as they like."""
    edited(swap, Bucket, "take", "if tokens < 1.0:", "if False:")


@GUARDS.seen_by(often.test_waiting_never_gives_more_than_the_burst)
def saved_up(swap: Any) -> None:
    """Who waited for long may do ever more at once."""
    edited(swap, Bucket, "take", "if tokens > self._burst:", "if False:")


@GUARDS.seen_by(often.test_an_address_has_so_many_connections)
def connections_uncounted(swap: Any) -> None:
    """An address has as many connections as it likes."""
    edited(swap, Visits, "enter", "count >= self._most", "False")


@GUARDS.seen_by(often.test_an_address_that_left_is_forgotten)
def addresses_never_forgotten(swap: Any) -> None:
    """Every address that ever came is remembered."""
    edited(swap, Visits, "leave", "if count:", "if True:")


@GUARDS.seen_by(often.test_loopback_is_exempt_and_no_limit_is_none)
def proxies_limited(swap: Any) -> None:
    """A proxy on this machine is an address like any."""
    swap(limits, "is_loopback", lambda address: False)


@GUARDS.seen_by(often.test_a_viewer_asks_and_an_address_comes_only_so_often)
def visits_uncounted(swap: Any) -> None:
    """An address comes as often as it likes."""
    edited(swap, Visits, "request", "not self._addresses.take(", "None and (")


@GUARDS.seen_by(often.test_a_viewer_asks_and_an_address_comes_only_so_often)
def requests_uncounted(swap: Any) -> None:
    """A viewer asks as often as they like."""
    edited(swap, Visits, "ask", "not self._viewers.take(", "None and (")


@GUARDS.seen_by(often.test_only_so_many_are_known_and_who_comes_often_is_one_of_them)
def known_for_ever(swap: Any) -> None:
    """Everybody who ever came is remembered."""
    edited(swap, Buckets, "take", "if len(self._buckets) > self._most:", "if False:")


@GUARDS.seen_by(
    often.test_a_network_of_many_addresses_is_one,
    address="2001:db8:1:2:ffff::8",
    network="2001:0db8:0001:0002:",
)
def each_address_for_itself(swap: Any) -> None:
    """Of IPv6 each of somebody's addresses counts for itself."""
    edited(
        swap, limits, "network_of", "parsed.exploded[: _NETWORK_OF // 16 * 5]", "parsed.exploded"
    )
    swap(often, "network_of", limits.network_of)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
