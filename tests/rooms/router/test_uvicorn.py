"""The contract with uvicorn and websockets: what of their insides `rooms/router/sockets.py` and
`listening.py` lean on. A failure here after an upgrade says where to look, before anything subtle
goes wrong."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

from rooms.router.listening import Requests
from rooms.router.sockets import Socket

OVERRIDDEN = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "run_asgi": ["self"],
    "send_receive_event_to_app": ["self"],
    "handle_close": ["self", "event"],
    "handle_cont": ["self", "event"],
    "handle_ping": ["self"],
    "handle_parser_exception": ["self"],
    "keepalive_timeout": ["self"],
}
REQUESTS = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "handle_websocket_upgrade": ["self", "event"],
}
CALLED = ["schedule_ping", "stop_keepalive", "send_500_response", "receive", "send"]
ATTRIBUTES = {
    "app",
    "close_sent",
    "close_timer",
    "conn",
    "curr_msg_data_type",
    "disconnected",
    "frames",
    "handshake_initiated",
    "logger",
    "loop",
    "queue",
    "transport",
    "writable",
}


def source_of(function: object) -> str:
    return textwrap.dedent(inspect.getsource(function))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_we_override_is_there_and_called_alike(name: str) -> None:
    theirs = getattr(WebSocketsSansIOProtocol, name)
    assert list(inspect.signature(theirs).parameters) == OVERRIDDEN[name]
    assert inspect.iscoroutinefunction(theirs) is inspect.iscoroutinefunction(getattr(Socket, name))


def test_we_override_what_is_listed_here_and_nothing_by_accident() -> None:
    ours = {name for name, value in vars(Socket).items() if inspect.isfunction(value)}
    theirs = {name for name in dir(WebSocketsSansIOProtocol) if not name.startswith("__")}
    assert ours & theirs == set(OVERRIDDEN)


@pytest.mark.parametrize("name", REQUESTS)
def test_what_we_override_of_requests_is_there_and_called_alike(name: str) -> None:
    theirs = getattr(H11Protocol, name)
    assert list(inspect.signature(theirs).parameters) == REQUESTS[name]
    assert name in source_of(Requests)


def test_what_we_call_and_read_is_there() -> None:
    for name in CALLED:
        assert callable(getattr(WebSocketsSansIOProtocol, name))
    tree = ast.parse(source_of(WebSocketsSansIOProtocol))
    assigned = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    assert assigned >= ATTRIBUTES | {"scope", "request", "response"}


def test_messages_reach_us_in_one_place() -> None:
    for name in ("handle_text", "handle_bytes", "handle_cont"):
        assert "self.send_receive_event_to_app()" in source_of(
            getattr(WebSocketsSansIOProtocol, name)
        )


def test_protocol_errors_reach_us_in_one_place() -> None:
    assert "self.handle_parser_exception()" in source_of(WebSocketsSansIOProtocol.data_received)


def test_the_core_has_what_we_ask_it() -> None:
    for name in ("send_close", "data_to_send", "events_received", "receive_data"):
        assert callable(getattr(Protocol, name))
    fresh = ServerProtocol()
    assert fresh.close_sent is None
    assert fresh.parser_exc is None
    assert fresh.handshake_exc is None


def test_a_server_starts_and_stops_by_its_parts() -> None:
    state = ServerState()
    assert state.connections == set()
    assert state.tasks == set()
    server = uvicorn.Server(uvicorn.Config("x:y", lifespan="off", log_config=None))
    assert isinstance(server.server_state, ServerState)
    assert list(inspect.signature(uvicorn.Server.startup).parameters) == ["self", "sockets"]
    assert "self.servers" in source_of(uvicorn.Server.startup)
    assert "self.lifespan.startup()" in source_of(uvicorn.Server.startup)
