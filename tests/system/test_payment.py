"""Payments by plain HTTP, a bank that fails half of the time, and a server that is killed in
between: no deadline is lost, and no money moves twice.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from examples.payment.bank import Bank
from examples.payment.tokens import token
from runtime.clock import LoopClock
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.processes import Server

pytestmark = pytest.mark.system

SECRET = "a secret of at least 32 characters."
PAYMENTS = 6
KILLS = 10
CENTS = 7_00
ENDS = {"succeeded", "refunded"}
WITHIN_S = 180.0
TOO_LATE = "nobody approved it in time: it takes an admin"
WALL = LoopClock()


class Office:
    """Who says something about payments, again and again until it has been heard. `up`: when the
    server was last there again (ms).
    """

    def __init__(self, server: Server) -> None:
        self.up = 0.0
        self._server = server
        self._http = httpx.AsyncClient(trust_env=False)
        self._said = 0

    async def says(self, payment: str, type: str, who: str, role: str, **more: Any) -> Any:
        """One event, repeated under its key until there is an outcome."""
        self._said += 1
        headers = {"Idempotency-Key": f"{payment} {self._said}"}
        return await self._ask("POST", payment, who, role, headers, {"type": type, **more})

    async def looks(self, payment: str) -> Any:
        """The payment's view."""
        return (await self._ask("GET", payment, "root", "admin", {}, None))["view"]

    async def _ask(
        self, method: str, payment: str, who: str, role: str, headers: dict[str, str], body: Any
    ) -> Any:
        url = f"{self._server.url}/rooms/payment/{payment}"
        headers = {**headers, "Authorization": f"Bearer {token(SECRET, who, role)}"}
        while True:
            try:
                answer = await self._http.request(method, url, headers=headers, json=body)
                if answer.status_code != 503:
                    return answer.json()
            except httpx.TransportError:
                pass  # it was killed: it comes back
            await pause(0.1)

    async def close(self) -> None:
        await self._http.aclose()


async def pause(seconds: float) -> None:
    """Let that much time pass."""
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, passed.set_result, None)
    await passed


def when(view: Any, what: str) -> int | None:
    """When a payment's log says that this happened (ms); None: it doesn't."""
    found: list[int] = [line["at"] for line in view["context"]["log"] if line["what"] == what]
    return found[0] if found else None


async def pay(office: Office, payment: str, *, slow: bool) -> Any:
    """One payment from its request to its end; where it is `slow`, nobody approves it in time."""
    order = {"payer": f"payer of {payment}", "payee": "shop", "cents": CENTS}
    for type, fields in (("request", order), ("confirm", {})):
        said = await office.says(payment, type, "ann", "player", **fields)
        assert said["outcome"] == "accepted", said
    confirmed = when(await office.looks(payment), "confirmed")
    assert confirmed is not None
    if slow:
        while (view := await office.looks(payment))["value"] != "awaiting_admin":
            await pause(0.2)
        late = when(view, TOO_LATE)
        assert late is not None
        due = confirmed + 10_000
        # It may be due while no server is up. One that began anew with each kill were there ten
        # seconds after the last one at the earliest.
        assert due <= late < max(due, office.up) + 9_000
    said = await office.says(payment, "approve", "olga", "approver")
    if when(await office.looks(payment), TOO_LATE):  # always where it is slow
        assert said["outcome"] == "rejected", said
        said = await office.says(payment, "approve", "root", "admin")
    assert said["outcome"] == "accepted", said
    while (view := await office.looks(payment))["value"] not in ENDS:
        await pause(0.2)
    return view


async def test_kills_lose_no_deadline_and_move_no_money_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # [OUTBOX1] [OUTBOX2] [OUTBOX6] [TIME1] [STORE3] [HTTP3]
    dice = random.Random(11)
    bank = Bank(tmp_path / "bank.db", fails=False)
    monkeypatch.setenv("PAYMENT_BANK", str(tmp_path / "bank.db"))
    monkeypatch.setenv("ROOMS_SECRET", SECRET)
    with running("tests/system/paying.py", tmp_path) as server:
        office = Office(server)
        names = [f"order-{number}" for number in range(PAYMENTS)]
        paying = [
            asyncio.create_task(pay(office, name, slow=number % 4 == 0))
            for number, name in enumerate(names)
        ]
        for _ in range(KILLS):
            await pause(dice.uniform(0.3, 2.0))
            server.kill()
            await asyncio.to_thread(server.start)
            office.up = WALL.now()
        done, late = await asyncio.wait(paying, timeout=WITHIN_S)
        assert not late, f"{len(late)} payments came to no end within {WITHIN_S} s"
        views = [task.result() for task in paying]
        await office.close()
        assert done

    book = bank.entries()
    for name, view in zip(names, views, strict=True):
        moved = sorted(what for what, payment, _, _ in book if payment == name)
        told = [line["what"] for line in view["context"]["log"]]
        assert len(told) == len(set(told)), told
        if view["value"] == "succeeded":
            assert moved == ["credit", "debit"]
            assert told[-3:] == ["debited", "credited", "succeeded"]
        assert sum(cents for _, payment, _, cents in book if payment == name) == 0
    assert len(book) == len({(what, payment) for what, payment, _, _ in book})
