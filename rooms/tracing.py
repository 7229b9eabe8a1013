"""OpenTelemetry spans along an event's path, for who asks (`--traces on`): its way in through a
router, its turn, the commit, and what is shown of it.

In: calls at these places, each behind one look whether there is a `tracer`. Out: spans of one trace
for each event of a connection; the link carries which (`Said.trace`). Where they go is decided by
the process's own provider, as `opentelemetry-instrument` or the App sets one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from rooms.logs import Loggable

tracer: Tracer | None = None
"""What makes spans; None: nobody asked for any."""


class Traced:
    """One event on its way, and the span of where it is."""

    __slots__ = ("context", "span")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.span: Span | None = None


class Turn(Protocol):
    """What has handled events, and goes from place to place."""

    @property
    def traced(self) -> list[Traced] | None: ...


def enable() -> None:
    """Make spans from now on. Raises UsageError: OpenTelemetry isn't installed."""
    global tracer
    try:
        from opentelemetry import trace
    except ImportError:
        raise UsageError("--traces on needs `pip install skyrooms[otel]`") from None
    tracer = trace.get_tracer("skyrooms")


@contextmanager
def received(channel: Loggable, type: str) -> Iterator[None]:
    """A connection's event comes in."""
    assert tracer is not None
    with tracer.start_as_current_span("rooms.receive", attributes=_attributes(channel, type)):
        yield


def carried() -> str | None:
    """What the link carries of the event that comes in: W3C's `traceparent`."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def turn(session: Loggable, type: str, parent: str) -> Iterator[Traced]:
    """A session handles what a connection said, `parent` being what the link `carried` of that."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    assert tracer is not None
    context = TraceContextTextMapPropagator().extract({"traceparent": parent})
    with tracer.start_as_current_span("rooms.turn", context) as span:
        yield Traced(context)
        span.set_attributes(_attributes(session, type))  # the revision that it led to


def enter(turns: Iterable[Turn], name: str) -> None:
    """The traced events of these turns come to another place."""
    assert tracer is not None
    for turn in turns:
        for traced in turn.traced or ():
            traced.span = tracer.start_span(name, traced.context)


def leave(turns: Iterable[Turn], error: Exception | None = None) -> None:
    """They go on from there, or an error ends them."""
    for turn in turns:
        for traced in turn.traced or ():
            if traced.span is not None:
                if error is not None:
                    traced.span.record_exception(error)
                traced.span.end()
                traced.span = None


def _attributes(about: Loggable, type: str) -> dict[str, Any]:
    fields = {f"rooms.{name}": value for name, value in about.log_fields().items()}
    return {**fields, "rooms.event": type}
