"""Clients: who sends numbered events in a room, where their outcomes go.

A client is a façade object in somebody's page, or an HTTP request with an `Idempotency-Key`; it
outlives its connections. How far its numbers are is `rooms/sync/conversation.py`, what became of
them `rooms/host/marks.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.host.channels import Client
from rooms.sync.conversation import Conversation

if TYPE_CHECKING:
    from rooms.host.marks import Marks
    from rooms.sync.views import Viewer


class Clients:
    """The clients of one live room, by "subject\\x00client"."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._clients: dict[str, Client] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._clients

    def get(self, key: str, since: int | None = None) -> Client:
        """The client, as the marks know it when it wasn't here."""
        client = self._clients.get(key)
        if client is None:
            mark = self._marks.get(key)
            settled = 0 if mark is None else mark.settled
            stale = self._marks.stale(key, since)
            client = Client(key, Conversation(settled, stale=stale))
            self._clients[key] = client
        return client

    def all(self) -> list[Client]:
        """Everyone."""
        return list(self._clients.values())

    def forget(self, client: Client) -> None:
        """Let go of a client that has no connection and waits for nothing; its mark remains."""
        conversation = client.conversation
        idle = conversation.settled == conversation.received
        if client.channel is None and not client.asks and idle:
            self._clients.pop(client.key, None)


def client_key(viewer: Viewer, client: str) -> str:
    """The name under which a client's marks are stored."""
    return f"{viewer.id}\x00{client}"
