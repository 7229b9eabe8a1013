"""The payment's page in a real browser: it polls, and says who it is with a token or a name it
keeps; a killed server is a pause.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from examples.payment.bank import OPENED_WITH, Bank
from examples.payment.tokens import token
from tests.system.browser import chromium, screen
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.system]

SECRET = "a secret of at least 32 characters."
AWAITING = re.compile("^awaiting (approval|admin)$")
"""After ten seconds, which a busy machine may need to start the server again, it takes an admin."""
MONEY_WITHIN_MS = 180_000
"""Half of the bank's calls fail: by then even a payment that has to be refunded has ended."""


def test_a_payer_and_an_approver_poll_the_same_payment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_BANK", str(tmp_path / "bank.db"))
    monkeypatch.setenv("ROOMS_SECRET", SECRET)
    with (
        running("tests/system/paying.py", tmp_path, command="dev") as server,
        chromium() as browser,
    ):
        payer, approver = screen(browser, "payer"), screen(browser, "approver")
        payer.page.goto(server.url)
        state = payer.page.get_by_role("status")
        expect(state).to_have_text("new")
        payer.page.get_by_role("button", name="Request").click()
        expect(state).to_have_text("needs confirm")
        payer.page.get_by_role("button", name="approve").click()
        refused = payer.page.get_by_role("alert")
        expect(refused).to_have_text("only an approver or admin may do that")
        for _ in range(2):  # what the page asks by itself takes back no word to its user
            with payer.page.expect_response(lambda answer: answer.request.method == "GET"):
                pass
        expect(refused).to_have_text("only an approver or admin may do that")
        payer.page.get_by_role("button", name="confirm").click()
        expect(state).to_have_text(AWAITING)
        server.kill()
        server.start()
        approver.page.goto(f"{payer.page.url}#token={token(SECRET, 'root', 'admin')}")
        approver.page.get_by_role("button", name="approve").click()
        for person in (payer, approver):
            status = person.page.get_by_role("status")
            expect(status).not_to_have_text(AWAITING, timeout=MONEY_WITHIN_MS)
            lines = person.page.get_by_role("listitem")
            expect(lines.filter(has_text=re.compile("· approved ·"))).to_be_visible()
        done = payer.page.get_by_role("listitem").filter(has_text="succeeded")
        done = done.or_(payer.page.get_by_role("listitem").filter(has_text="refunded"))
        expect(done).to_be_visible(timeout=MONEY_WITHIN_MS)
        bank = Bank(tmp_path / "bank.db", fails=False)
        assert bank.balance("ann") + bank.balance("ben") == 2 * OPENED_WITH
