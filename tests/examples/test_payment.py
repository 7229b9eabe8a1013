"""The payment: its paths, who may do what, and that money moves once; the bank is real, and in the
test's hands it answers or fails when it is told to.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from examples.payment import app
from examples.payment.bank import OPENED_WITH, Bank
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

AT = "payment/order"
ORDER: dict[str, Any] = {"type": "request", "payer": "ann", "payee": "ben", "cents": 30_00}


class Line(Bank):
    """A bank whose next calls fail as a test wants: before, or after they were carried out."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, fails=False)
        self.troubles: list[str] = []

    def _call(self, *asked: Any) -> dict[str, Any]:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "before":
            raise OSError("the bank can't be reached")
        answer = super()._call(*asked)
        if trouble == "after":
            raise OSError("the bank's answer was lost")
        return answer


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The rooms' bank, called at once and not in a thread, whose time isn't ours."""

    async def at_once(function: Any, *asked: Any, **more: Any) -> Any:
        return function(*asked, **more)

    line = Line(tmp_path / "bank.db")
    monkeypatch.setattr(app, "bank", line)
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    return line


class Office:
    """One payment, and the people who say something about it by plain HTTP."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def says(self, type: str, who: str = "ann", role: str = "player", **more: Any) -> Any:
        """What became of somebody's event."""
        event = {"type": type, **more}
        answer = await self.stage.request("POST", AT, event, who=who, role=role)
        return json.loads(answer.body)

    async def confirmed(self) -> None:
        """Ann has requested and confirmed it."""
        assert (await self.says(**ORDER))["outcome"] == "accepted"
        assert (await self.says("confirm"))["outcome"] == "accepted"

    async def approved(self) -> None:
        """And an approver has let it through."""
        await self.confirmed()
        assert (await self.says("approve", "olga", "approver"))["outcome"] == "accepted"

    async def state(self) -> str:
        """Where it is now."""
        answer = await self.stage.request("GET", AT, who="ann")
        value: str = json.loads(answer.body)["view"]["value"]
        return value

    async def log(self) -> list[str]:
        """What was written down."""
        answer = await self.stage.request("GET", AT, who="ann")
        return [line["what"] for line in json.loads(answer.body)["view"]["context"]["log"]]


@pytest.fixture
async def office(bank: Line) -> Office:
    return Office(await Stage(payment=app.Payment).start())


def moved(bank: Bank) -> list[tuple[str, int]]:
    return [(what, cents) for what, _, _, cents in bank.entries()]


# ------------------------------------------------------------------ the ways it goes


async def test_a_payment_that_is_approved_moves_the_money(office: Office, bank: Line) -> None:
    await office.approved()
    assert await office.state() == "succeeded"
    assert moved(bank) == [("debit", -30_00), ("credit", 30_00)]
    assert bank.balance("ann") == OPENED_WITH - 30_00
    assert await office.log() == [
        "requested", "confirmed", "approved", "debited", "credited", "succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize("confirmed", [False, True])
async def test_who_pays_may_cancel(office: Office, bank: Line, confirmed: bool) -> None:
    await office.says(**ORDER)
    if confirmed:
        await office.says("confirm")
    assert "outcome" not in await office.says("cancel", "eve")
    await office.says("cancel")
    assert await office.state() == "cancelled"
    assert bank.entries() == []


async def test_what_isnt_on_the_account_is_declined(office: Office, bank: Line) -> None:
    await office.says(**{**ORDER, "cents": OPENED_WITH + 1})
    await office.says("confirm")
    await office.says("approve", "olga", "approver")
    assert await office.state() == "rejected"
    assert bank.entries() == []


@pytest.mark.parametrize("order", [{"cents": 0}, {"cents": -5}, {"cents": "all"}, {"payee": None}])
async def test_no_order_that_isnt_one(office: Office, order: Any) -> None:
    said = await office.says(**{**ORDER, **order})
    assert said["outcome"] != "accepted"
    assert await office.stage.record(AT) is None


# ------------------------------------------------------------------ who may


async def test_after_ten_seconds_it_takes_an_admin(office: Office, bank: Line) -> None:
    await office.confirmed()
    await office.stage.advance(9_999)
    assert await office.state() == "awaiting_approval"
    await office.stage.advance(1)
    assert await office.state() == "awaiting_admin"
    said = await office.says("approve", "olga", "approver")
    assert (said["outcome"], said["reason"]) == ("rejected", "only an admin may do that")
    await office.says("approve", "root", "admin")
    assert await office.state() == "succeeded"


async def test_who_pays_doesnt_approve(office: Office) -> None:
    await office.confirmed()
    assert (await office.says("approve"))["outcome"] == "rejected"
    assert await office.state() == "awaiting_approval"


async def test_nobody_else_looks(office: Office) -> None:
    await office.confirmed()
    assert (await office.stage.request("GET", AT, who="eve")).status == 403
    assert (await office.stage.request("GET", AT, who="olga", role="approver")).status == 200


# ------------------------------------------------------------------ trouble


@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_a_call_that_fails_is_made_again_and_counts_once(
    office: Office, bank: Line, trouble: str
) -> None:
    bank.troubles = [trouble] * 3
    await office.approved()
    await office.stage.advance(30_000)
    assert await office.state() == "succeeded"
    assert moved(bank) == [("debit", -30_00), ("credit", 30_00)]


@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_a_credit_that_cant_be_had_is_given_back(
    office: Office, bank: Line, trouble: str
) -> None:
    bank.troubles = ["", *["before"] * 8, trouble]
    await office.approved()
    await office.stage.advance(200_000)
    assert await office.state() == "refunded"
    assert moved(bank) == [("debit", -30_00), ("refund", 30_00)]
    assert bank.balance("ann") == OPENED_WITH


async def test_a_debit_that_nobody_knows_of_is_given_back(office: Office, bank: Line) -> None:
    bank.troubles = ["after"] * 8
    await office.approved()
    await office.stage.advance(200_000)
    assert await office.state() == "refunded"
    assert bank.balance("ann") == OPENED_WITH


async def test_a_refund_that_fails_is_an_operators(office: Office, bank: Line) -> None:
    bank.troubles = ["", *["before"] * 16]
    await office.approved()
    await office.stage.advance(400_000)
    assert await office.state() == "refunding"
    shown = (await office.stage.operated("GET", AT))[1]
    assert [one["name"] for one in shown["outbox"] if one["dead"]] == ["credit", "refund"]
    await office.stage.operated("POST", AT, "/retry", params={"name": "refund"})
    await office.stage.advance(1_000)
    assert await office.state() == "refunded"
    assert bank.balance("ann") == OPENED_WITH
    assert bank.balance("ben") == OPENED_WITH


async def test_a_crash_in_the_middle_loses_no_deadline(office: Office) -> None:
    await office.confirmed()
    await office.stage.advance(4_000)
    await office.stage.crash()
    await office.stage.advance(5_999)
    assert await office.state() == "awaiting_approval"
    await office.stage.advance(1)
    assert await office.state() == "awaiting_admin"


async def test_a_crash_in_the_middle_moves_no_money_twice(office: Office, bank: Line) -> None:
    bank.troubles = ["after"]
    await office.approved()
    await office.stage.crash()
    await office.stage.advance(10_000)
    assert await office.state() == "succeeded"
    assert moved(bank) == [("debit", -30_00), ("credit", 30_00)]
