"""The teller: says what became durable, each thing to whom it concerns.

In: what turns left to be told, once the gate is open. Out: link messages and answers to plain
requests. The views themselves are `rooms/host/audience.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.errors import CloseCode, Closing
from rooms.host.session import TOO_OLD, too_old
from rooms.host.turn import (
    Again,
    Answered,
    Denied,
    Entered,
    Newest,
    Rekeyed,
    Remembered,
    Responded,
    Say,
    Sent,
    Settled,
    Shut,
)
from rooms.link.protocol import Close, Keep
from rooms.sync import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rooms.host.audience import Audience
    from rooms.host.channels import Channel, Client
    from rooms.host.marks import Outcome
    from rooms.host.session import Session
    from rooms.host.turn import Told
    from rooms.link.protocol import Message


class Teller:
    """Tells for one live room. `send` takes link messages by the host's channel numbers."""

    def __init__(
        self, session: Session, audience: Audience, send: Callable[[Iterable[Message]], None]
    ) -> None:
        self._session = session
        self._audience = audience
        self._send = send

    def tell(self, told: Told, now: int) -> None:
        """Tell one thing. `now` is the store's time (ms)."""
        match told:
            case Settled(client, seq, outcome):
                client.conversation.settle(seq)
                self._outcome(client, seq, outcome, now)
            case Say(channel, message):
                self._audience.tell(channel, message)
            case Entered(channel):
                self._welcome(channel, now)
            case Newest(channel, cursor, settled, present):
                self._audience.newest(channel, cursor, now)
                if present:
                    self._audience.gather(channel)
                if settled is not None and channel.client is not None:
                    self._outcomes(channel.client, settled, now)
            case Rekeyed(channel):
                self._audience.rekey(channel, now)
            case Again(client, seq):
                self._again(client, seq, now)
            case Answered(ask, outcome_now):
                ask.answer(self._audience, outcome_now, now)
            case Denied(ask, refused):
                ask.refuse(refused)
            case Shut(channel, closing):
                self._audience.leave(channel)
                self._send([Close.of(channel.id, closing)])
            case Sent(payload, channels, without):
                self._audience.send(payload, channels, without)
            case Remembered(channel, kept):
                channel.kept = kept
                self._send([Keep(channel.id, channel.attachment())])
            case Responded(ask, response):
                ask.respond(*response)

    def _welcome(self, channel: Channel, now: int) -> None:
        client = channel.client
        if channel.gone or (client is None and not channel.attach.operator):
            return
        self._audience.enter(channel, client.conversation.settled if client else 0, now)
        channel.entering, channel.inside = False, True
        channel.held.clear()
        if client is not None:
            owed, client.owed = client.owed, []
            for seq in owed:
                self._again(client, seq, now)

    def _again(self, client: Client, seq: int, now: int) -> None:
        """An outcome of before; who asks for one that isn't kept any more can't go on."""
        mark = self._session.marks.get(client.key)
        outcome = None if mark is None else mark.outcomes.get(seq)
        if outcome is not None:
            self._outcome(client, seq, outcome, now)
        elif client.asks:
            asks, client.asks = client.asks, []
            for ask in asks:
                ask.refuse(Closing(CloseCode.UNRESTORABLE, TOO_OLD))
            self._session.clients.forget(client)
        elif mark is not None and seq <= mark.acked:
            pass  # it has it: what it said since came before the gate opened
        elif client.channel is not None:
            self.tell(too_old(client.channel), now)

    def _outcomes(self, client: Client, told: int, now: int) -> None:
        """The stored outcomes above `told` that may be seen: the client may lack them."""
        mark = self._session.marks.get(client.key)
        if mark is not None:
            for seq, outcome in list(mark.outcomes.items()):
                if told < seq <= client.conversation.settled:
                    self._outcome(client, seq, outcome, now)

    def _outcome(self, client: Client, seq: int, outcome: Outcome, now: int) -> None:
        channel = client.channel
        if channel is not None and not channel.inside:
            client.owed.append(seq)
        elif channel is not None:
            cursor = self._audience.cursor(channel)
            message = messages.outcome(seq, outcome.word, cursor, outcome.reason, outcome.result)
            self._audience.tell(channel, message, seq)
        if client.asks:
            asks, client.asks = client.asks, []
            for ask in asks:
                ask.answer(self._audience, outcome, now)
        if channel is None:
            self._session.clients.forget(client)
