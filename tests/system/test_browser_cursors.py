"""The high-rate example in a real browser: two pages, each sees where the other points."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.system.browser import chromium, screen
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.system]

AT = "cursor => [cursor.getBoundingClientRect().x, cursor.getBoundingClientRect().y]"


def test_each_page_sees_the_others_pointer_and_nothing_is_stored(tmp_path: Path) -> None:
    with running("examples/cursors", tmp_path, command="dev") as server, chromium() as browser:
        ann, bob = screen(browser, "Ann"), screen(browser, "Bob")
        for person in (ann, bob):
            person.page.set_viewport_size({"width": 800, "height": 600})
            person.page.goto(server.url)
        for person in (ann, bob):
            expect(person.page.get_by_text("2 here")).to_be_visible()
        ann.page.get_by_label("Your name").fill("Ann")
        for step in range(1, 41):
            ann.page.mouse.move(step * 10, step * 5)
        cursor = bob.page.locator(".cursor")
        expect(cursor).to_have_count(1)
        expect(cursor).to_have_text("Ann")
        bob.page.wait_for_function(
            "({ x }) => document.querySelector('.cursor').getBoundingClientRect().x === x",
            arg={"x": 400},
        )
        assert cursor.evaluate(AT) == [400, 200]
        expect(ann.page.locator(".cursor")).to_have_count(0)  # nobody sees their own
        server.kill()
        expect(bob.page.get_by_text("connecting…")).to_be_visible()
        server.start()
        expect(bob.page.get_by_text("2 here")).to_be_visible()
        ann.page.mouse.move(80, 60)
        bob.page.wait_for_function(
            "() => document.querySelector('.cursor')?.getBoundingClientRect().x === 80"
        )
        ann.page.close()
        expect(cursor).to_have_count(0)
        expect(bob.page.get_by_text("only you")).to_be_visible()
        assert ann.faults == bob.faults == []
        # Bob is still there: once nobody is, a room that accepted nothing is forgotten altogether.
        with closing(sqlite3.connect(tmp_path / "rooms.db")) as store:
            assert store.execute("SELECT revision, snapshot FROM sessions").fetchall() == [
                (0, None)
            ]
