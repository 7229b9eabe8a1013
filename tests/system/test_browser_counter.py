"""The smallest example in a real browser: two pages, one number, whatever is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.system.browser import chromium, screen
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.system]


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


LISTEN = """path => {
    window.told = [];
    window.source = new EventSource(path);
    source.onmessage = ({ lastEventId, data }) => {
        const said = { id: lastEventId, ...JSON.parse(data) };
        if (said.type !== "room.status") told.push(said); // a room that wakes slowly says so
    };
}"""
COUNT = """count => told.some(({ view, ops }) => (view?.context.count ?? ops?.[0][1]) === count)"""
SEND = """path => fetch(path, { method: "POST", body: '{"type":"increment"}',
    headers: { "content-type": "application/json" } }).then((answer) => answer.status)"""


def test_an_event_source_listens_and_resumes_by_itself(tmp_path: Path) -> None:  # [STREAM2]
    room = "/rooms/counter/shared-counter"
    with running("examples/counter", tmp_path, command="dev") as server, chromium() as browser:
        page = screen(browser, "Ann").page
        page.goto(server.url)
        page.evaluate(LISTEN, room)
        page.wait_for_function(COUNT, arg=0)
        assert page.evaluate(SEND, room) == 200
        page.wait_for_function(COUNT, arg=1)
        you, view, patch = page.evaluate("told.splice(0)")
        assert [you["type"], view["type"], patch["type"]] == [
            *("room.you", "room.view", "room.patch")
        ]
        assert (view["id"], patch["base"]) == (view["cursor"], view["cursor"])
        assert patch["id"] == patch["cursor"]

        server.stop()  # cleanly: what it holds is still the newest
        server.start()
        page.wait_for_function("() => told.some(({ type }) => type === 'room.unchanged')")
        told = page.evaluate("told.splice(0)")
        assert [each["type"] for each in told] == ["room.closing", "room.you", "room.unchanged"]
        assert told[-1]["cursor"] == patch["cursor"]
        assert page.evaluate(SEND, room) == 200
        page.wait_for_function(COUNT, arg=2)
        assert page.evaluate("told.splice(0)")[0]["base"] == patch["cursor"]

        server.kill()
        server.start()
        page.wait_for_function(COUNT, arg=2)
        page.evaluate(LISTEN, "/rooms/chess/x")  # one that is refused gives up
        page.wait_for_function("() => source.readyState === EventSource.CLOSED")
