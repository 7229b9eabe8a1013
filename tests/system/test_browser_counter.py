"""The smallest example in a real browser: two pages, one number, whatever is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.system.browser import chromium, screen
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.system, pytest.mark.timeout(120)]


def test_two_pages_count_together_and_a_killed_server_forgets_nothing(tmp_path: Path) -> None:
    with running("examples/counter", tmp_path, command="dev") as server, chromium() as browser:
        ann, bob = screen(browser, "Ann"), screen(browser, "Bob")
        for person in (ann, bob):
            person.page.goto(server.url)
            expect(person.page.locator("#count")).to_have_text("0")
        ann.page.get_by_label("One more").click()
        ann.page.get_by_label("One more").click()
        bob.page.get_by_label("One less").click()
        for person in (ann, bob):
            expect(person.page.locator("#count")).to_have_text("1")
        server.kill()
        expect(ann.page.get_by_text("connecting…")).to_be_visible()
        ann.page.get_by_label("One more").click()  # while nobody hears it
        server.start()
        for person in (ann, bob):
            expect(person.page.locator("#count")).to_have_text("2")
            assert person.faults == []
