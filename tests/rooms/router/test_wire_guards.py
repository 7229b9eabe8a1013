"""Guards of what is said at the door, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.router import admission, delivery, frames, http, listening, refusals, router
from rooms.router import sockets as adopted
from rooms.router.admission import Admissions
from rooms.router.connections import Connection, Connections
from rooms.router.http import Http
from rooms.router.listening import Listening
from rooms.router.parties import PartyConnection
from rooms.router.routing import Routing
from rooms.router.streams import EventStream
from tests import wire
from tests.guards import Guards
from tests.rooms.router import test_connections as connections
from tests.rooms.router import test_http as requests
from tests.rooms.router import test_names as names
from tests.rooms.router import test_parties as parties
from tests.rooms.router import test_routing as routing
from tests.rooms.router import test_sockets as sockets
from tests.rooms.router import test_streams as streams
from tests.rooms.router.doors import at_the_door
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.guards import Make

GUARDS = Guards()
SOON = 0.3
"""How long (s) a test waits for what never comes without its guard."""


def seen_by(test: Callable[..., Awaitable[None]], **given: Any) -> Callable[[Make], Make]:
    """By a test that needs a running router."""
    return GUARDS.seen_by(at_the_door(test, **given))


# -------------------------------------------------------------------------------- names


@seen_by(names.test_a_session_that_may_not, session="-x")
def sessions_called_anything(swap: Any) -> None:
    """A session may have any name."""
    edited(swap, Admissions, "admit", "session is not None and not ", "None and ")


@seen_by(names.test_a_session_that_may_not, session="a@b")
def names_begin_well(swap: Any) -> None:
    """A name that begins as one may goes on as it likes."""
    old = "not SESSION_PATTERN.fullmatch(session)"
    edited(swap, Admissions, "admit", old, "not SESSION_PATTERN.match(session)")


@GUARDS.seen_by(names.test_a_kind_has_neither_colon_nor_tilde, kind="a:b", known=404)
def kinds_called_like_sessions(swap: Any) -> None:
    """A kind may be called whatever a session may."""
    edited(swap, Admissions, "admit", " or not KIND_PATTERN.fullmatch(kind)", "")


@GUARDS.seen_by(requests.test_what_is_refused_gets_its_status, case="unknown kind")
def unknown_kinds_asked_for(swap: Any) -> None:
    """What is asked of a kind that nobody has goes to a host."""
    edited(swap, Admissions, "admit", "own is None or ", "")


# -------------------------------------------------------------------------------- opening


@seen_by(connections.test_subprotocols_choose_the_codec)
def always_json(swap: Any) -> None:
    """Whatever subprotocol was chosen, JSON is spoken."""
    edited(swap, Connections, "serve", "_PROTOCOLS[subprotocol] if subprotocol else ", "")


@GUARDS.seen_by(routing.test_a_tell_is_framed_for_its_codec)
def always_text(swap: Any) -> None:
    """Every message comes in a text frame."""
    edited(swap, frames, "frame", "first = _BINARY", "first = _TEXT")
    swap(delivery, "frame", frames.frame)


@seen_by(connections.test_who_is_refused_early_is_told_first_who_they_are)
def refused_before_you(swap: Any) -> None:
    """What is refused is told before who is there was told who they are."""
    edited(swap, Routing, "tell", "early=early", "early=True")


@seen_by(connections.test_other_paths_are_told_too)
def refused_without_a_word(swap: Any) -> None:
    """Who is refused is only closed."""
    edited(swap, Connection, "close", "code, reason, told", 'code, reason, b""')


@seen_by(connections.test_the_hosts_close_is_told_first)
def back_whenever(swap: Any) -> None:
    """Who is closed isn't told when to come back."""
    edited(swap, Connection, "close", "closing.retry_after", "None")


@GUARDS.seen_by(requests.test_what_is_refused_gets_its_status, case="bad token")
def one_status_for_all(swap: Any) -> None:
    """Whatever was wrong with a request, its status is the same."""
    edited(swap, refusals, "refused", "closing.code.http_status", "400")
    swap(http, "refused", refusals.refused)


@GUARDS.seen_by(requests.test_what_is_refused_gets_its_status, case="odd cursor")
def query_unread(swap: Any) -> None:
    """A query may say anything."""
    edited(swap, admission, "_matching", "value is not None and ", "None and ")


@GUARDS.seen_by(requests.test_what_is_refused_gets_its_status, case="huge since")
def times_of_any_size(swap: Any) -> None:
    """A time may be one that no browser counts to."""
    edited(swap, Admissions, "admit", "int(since) > MAX_SAFE_INTEGER", "None")


@seen_by(connections.test_pings_are_answered_at_the_door)
def pings_passed_on(swap: Any) -> None:
    """A ping goes to the room, which it wakes."""
    old = "early=True)\n                return"
    edited(swap, Connection, "on_frame", old, "early=True)")


# -------------------------------------------------------------------------------- the door


@seen_by(connections.test_what_is_no_message_closes_its_connection_alone, case="binary")
def any_kind_of_frame(swap: Any) -> None:
    """JSON may come in a binary frame."""
    edited(swap, Connection, "on_frame", "if text is not self._text:", "if False:")
    swap(wire, "WITHIN", SOON)


@seen_by(connections.test_what_is_no_message_closes_its_connection_alone, case="1 MB binary")
def messages_of_any_size(swap: Any) -> None:
    """A message may be as big as it likes."""
    swap(listening, "MAX_BYTES", 1 << 30)


@seen_by(sockets.test_who_breaks_the_protocol_is_told_and_closed, case="nothing in too many pieces")
def pieces_without_number(swap: Any) -> None:
    """A message may have as many frames as it likes."""
    swap(adopted, "MAX_PIECES", 1 << 30)
    swap(sockets, "WITHIN", SOON)


@GUARDS.seen_by(requests.test_what_is_refused_gets_its_status, case="too much of a head")
def heads_of_any_size(swap: Any) -> None:
    """A request's headers may be as many as the server takes."""
    swap(http, "MAX_HEAD", 1 << 30)


@seen_by(sockets.test_a_bad_handshake_gets_a_status, case="many headers")
def hung_up_on_without_a_word(swap: Any) -> None:
    """Whose request for a WebSocket has too many lines isn't told so."""
    swap(adopted, "_TOO_MUCH", b"")


# -------------------------------------------------------------------------------- streams


@seen_by(streams.test_messages_are_events_whose_id_is_the_cursor)
def streams_unheard_of(swap: Any) -> None:
    """Who asks for a stream gets an answer like anybody."""
    swap(http, "_wants_stream", lambda request: False)


@seen_by(streams.test_messages_are_events_whose_id_is_the_cursor)
def events_with_names(swap: Any) -> None:
    """Each event has a name, so that `onmessage` hears none."""
    edited(swap, EventStream, "_put", "%bdata: %b", "%bevent: room\\ndata: %b")


@seen_by(streams.test_a_refusal_of_the_host_before_the_first_word_is_a_status)
def refused_in_a_stream(swap: Any) -> None:
    """Who is refused gets a stream that ends, and comes back for ever."""
    edited(swap, EventStream, "close", "if not self._begun and not self._unsent:", "if False:")


@seen_by(streams.test_a_refusal_right_after_the_first_word_is_an_event)
def first_words_taken_back(swap: Any) -> None:
    """Who is told something, and refused at once, is told a status alone."""
    edited(swap, EventStream, "close", " and not self._unsent", "")


@seen_by(streams.test_a_refusal_of_the_host_before_the_first_word_is_a_status)
def refused_after_a_silence(swap: Any) -> None:
    """Who is refused hears of it when there would have been a comment."""
    edited(swap, EventStream, "close", "self._news.set()", "self")
    swap(streams, "WITHIN", SOON)


@seen_by(streams.test_a_later_end_is_told_and_when_to_come_back, retry_after=3_000)
def streams_back_whenever(swap: Any) -> None:
    """A browser isn't told when to take a stream up again."""
    edited(swap, EventStream, "close", 'elif closing["retry_after"] is not None:', "elif False:")


@seen_by(streams.test_a_later_end_is_told_and_when_to_come_back, retry_after=None)
def streams_without_end(swap: Any) -> None:
    """A stream goes on after it has said that it ends."""
    edited(swap, EventStream, "__call__", "if self._ended:", "if False:")
    swap(streams, "WITHIN", SOON)


@seen_by(streams.test_where_the_server_goes_so_does_a_streams_connection)
def connections_outlive_their_server(swap: Any) -> None:
    """A connection stays when its server goes, and who takes a stream up there is refused."""
    edited(swap, Listening, "close", "connection.shutdown()", "connection")


@seen_by(streams.test_a_comment_after_silence)
def silence(swap: Any) -> None:
    """Nothing is sent where there is nothing to say."""
    edited(swap, EventStream, "_something", 'self._unsent += b":\\n\\n"', "self")
    swap(streams, "WITHIN", SOON)


# -------------------------------------------------------------------------------- parties


@seen_by(parties.test_what_it_says_goes_to_the_host_as_it_came)
def text_is_bytes(swap: Any) -> None:
    """Whether text was said or bytes isn't told to the room."""
    edited(swap, PartyConnection, "on_frame", "data.decode() if text else ", "")


@seen_by(parties.test_an_anonymous_viewer_follows_from_pk)
def strangers_each_time(swap: Any) -> None:
    """An anonymous viewer is another one each time."""
    edited(swap, PartyConnection, "admit", "pk if CLIENT_PATTERN.fullmatch(pk) else None", "None")


@seen_by(parties.test_an_anonymous_viewer_follows_from_pk)
def anybodys_pk(swap: Any) -> None:
    """What anybody guesses says who somebody is."""
    edited(swap, PartyConnection, "admit", "pk if CLIENT_PATTERN.fullmatch(pk) else None", "pk")


@seen_by(parties.test_an_anonymous_viewer_follows_from_pk)
def taken_over_by_a_tab(swap: Any) -> None:
    """Of the connections with one `_pk` the newest takes over."""
    edited(swap, PartyConnection, "admit", "client=None, since=None", "since=None")


@seen_by(parties.test_one_that_is_held_is_heard_no_more)
def let_go_at_once(swap: Any) -> None:
    """Who may not come back is closed at once, and is back at once."""
    edited(swap, PartyConnection, "close", "if code not in HOLDING:", "if True:")


@seen_by(parties.test_one_that_is_held_is_heard_no_more)
def heard_while_held(swap: Any) -> None:
    """Who may not come back still wakes rooms."""
    edited(swap, PartyConnection, "close", "self._channel = None", "self")


@seen_by(parties.test_others_are_closed_at_once, code=1013)
def all_let_go_slowly(swap: Any) -> None:
    """Who is to come back is kept, too."""
    edited(swap, PartyConnection, "close", "if code not in HOLDING:", "if False:")
    swap(parties, "WITHIN", SOON)


@seen_by(parties.test_plain_requests_are_those_of_the_room)
def parties_are_sockets(swap: Any) -> None:
    """At `/parties` there are only sockets."""
    old = 'Route(party, http.room, methods=[*_METHODS, "OPTIONS"]),'
    edited(swap, router.Router, "_application", old, "")


@seen_by(parties.test_plain_requests_are_those_of_the_room)
def secrets_for_the_author(swap: Any) -> None:
    """The author's hook is told whom an anonymous viewer follows from."""
    swap(http, "params_of", dict)


# -------------------------------------------------------------------------------- plain requests


@seen_by(requests.test_an_answers_lines_are_headers_each)
def cookies_in_one_line(swap: Any) -> None:
    """Several headers of one name go out as one."""
    edited(swap, Http, "_answered", 'lines.split("\\n")', '[lines.replace("\\n", ", ")]')


# -------------------------------------------------------------------------------- for operators


@seen_by(requests.test_the_port_for_clients_has_no_metrics)
def metrics_for_all(swap: Any) -> None:
    """The clients' port has what is for operators."""
    edited(swap, router.Router, "_application", 'Route("/ready", http.ready),',
           'Route("/ready", http.ready), Route("/metrics", http.health),')  # fmt: skip


@seen_by(requests.test_who_drains_lives_but_is_not_ready)
def ready_to_the_end(swap: Any) -> None:
    """A router that drains says that it is ready."""
    edited(swap, Http, "state", "if self.draining:", "if False:")


@seen_by(requests.test_a_router_without_a_host_is_not_ready)
def ready_for_nothing(swap: Any) -> None:
    """A router without a host says that it is ready."""
    edited(swap, Http, "state", "READY if self._routing.reachable else", "READY if True else")


@seen_by(requests.test_who_drains_lives_but_is_not_ready)
def two_hundred_whatever_it_is(swap: Any) -> None:
    """Whether it is ready is said in words that no load balancer reads."""
    edited(swap, refusals, "readiness", "200 if state == READY else 503", "200")
    swap(http, "readiness", refusals.readiness)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
