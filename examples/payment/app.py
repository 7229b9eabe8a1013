"""A payment that somebody has to approve: `rooms dev examples/payment`.

The machine is `machine.py`, the bank that fails half of the time `bank.py`. Here is who may do
what, and what performs the machine's effects: each call of the bank carries the effect's key.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, ClassVar

from rooms import App, Room, everything

from .bank import Bank
from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms import Attempt, Viewer

bank = Bank(os.environ.get("PAYMENT_BANK", "bank.db"))


async def debit(room: Room, params: Any, attempt: Attempt) -> Any:
    """Take the amount from the payer: {"declined": reason} where the account hasn't got it."""
    return await asyncio.to_thread(bank.debit, attempt.key, room.id, **params)


async def credit(room: Room, params: Any, attempt: Attempt) -> Any:
    """Give the amount to the payee."""
    return await asyncio.to_thread(bank.credit, attempt.key, room.id, **params)


async def refund(room: Room, params: Any, attempt: Attempt) -> Any:
    """Give the payer back what this payment took, if it did."""
    return await asyncio.to_thread(bank.refund, attempt.key, room.id, **params)


class Payment(Room):
    """One payment a session: whoever requests it pays it; an approver or admin lets it through."""

    machine = machine
    view = everything
    show_timers = True
    effects: ClassVar[Any] = {"debit": debit, "credit": credit, "refund": refund}

    def allow_join(self, viewer: Viewer, snapshot: Any) -> bool | str:
        payer = snapshot.context["payer"]
        if payer in (None, viewer.id) or viewer.role in ("approver", "admin"):
            return True
        return "this is somebody else's payment"

    def allow_send(self, viewer: Viewer, event: Mapping[str, Any], snapshot: Any) -> bool | str:
        if event["type"] in ("confirm", "cancel"):
            return viewer.id == snapshot.context["payer"] or "only who pays may do that"
        if event["type"] in ("approve", "reject"):
            late = snapshot.matches("awaiting_admin")
            if viewer.role != "admin" and (late or viewer.role != "approver"):
                return f"only {'an admin' if late else 'an approver or admin'} may do that"
        return True


app = App(payment=Payment, pages="web")
