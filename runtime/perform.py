"""Performing effects: coroutines, callbacks and streams run here, in the event loop of a host.

In come effects whose snapshot is durable; out go events for the system, through `deliver`, never nested in `perform`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .statechart.effects import Declared, Effect
    from .statechart.scope import Event
    from .system import SystemSnapshot


class Performer:
    """Performs the effects of one system and owns what they started.

    Args:
        deliver: gets (address, event) when an outside actor finishes, fails, emits or sends back; give both to `System.step`.
        report: gets (address, exception) when an action or a clean-up raised; nothing else comes of it.
        logger: gets what `log` logs: `(value)` or `(label, value)`.
        emit: gets (address, event) for each emitted event.
        declared: gets each declared effect.
    """

    def __init__(
        self,
        deliver: Callable[[str, Event], None],
        *,
        report: Callable[[str, BaseException], None],
        logger: Callable[..., None] | None = None,
        emit: Callable[[str, Event], None] | None = None,
        declared: Callable[[Declared], None] | None = None,
    ) -> None:
        raise NotImplementedError

    def perform(self, effect: Effect, system: SystemSnapshot) -> None:
        """Perform one effect now. What an action raises is reported and changes nothing."""
        raise NotImplementedError

    def stop_all(self) -> None:
        """Cancel everything this performer started."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError
