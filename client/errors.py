"""What can go wrong in a façade.

ClientError
├── RoomClosed    the room won't come back: connect again, or don't
└── OutcomeLost   look at the view for what became of the event
"""

from __future__ import annotations


class ClientError(Exception):
    """The root of what a façade raises on purpose."""


class RoomClosed(ClientError):
    """The room is closed for good. What was unanswered may or may not have happened."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the room is closed ({code}: {reason})" if reason else f"closed ({code})")
        self.code = code
        self.reason = reason


class OutcomeLost(ClientError):
    """We became somebody else before the outcome came, and only the former one would be told."""

    def __init__(self) -> None:
        super().__init__("connected again as somebody else before the outcome came")
