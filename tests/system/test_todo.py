"""The todo list: pages that a room renders, forms that change it, in a browser without JavaScript;
and the same by many at once, while the server is killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from tests.system.browser import chromium, screen
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


@pytest.mark.browser
def test_a_list_works_without_javascript(tmp_path: Path) -> None:  # [HOOK10]
    with running("examples/todo", tmp_path) as server, chromium() as browser:
        page = screen(browser, "Ann", java_script_enabled=False).page
        page.goto(server.url)
        page.get_by_role("link", name="shopping").click()
        expect(page).to_have_title("(0) Todo List in shopping")
        for count, text in enumerate(("milk", "<b>bread</b>", "tea"), 1):
            page.get_by_label("What else").fill(text)
            page.get_by_role("button", name="Add").click()
            expect(page).to_have_title(f"({count}) Todo List in shopping")
        page.get_by_role("link", name="<b>bread</b>").click()
        expect(page.get_by_label("Change it to")).to_have_value("<b>bread</b>")
        page.get_by_label("Change it to").fill("rolls")
        page.get_by_role("button", name="Change", exact=True).click()
        items = page.get_by_role("listitem")
        expect(items).to_have_text(["milk✕", "rolls✕", "tea✕"])
        page.get_by_role("button", name="Delete milk").click()
        expect(items).to_have_text(["rolls✕", "tea✕"])
        server.kill()
        server.start()
        page.reload()
        expect(items).to_have_text(["rolls✕", "tea✕"])
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("alert")).to_have_text("Write something first.")
        page.get_by_label("What else").fill("x" * 201)
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("alert")).to_have_text("200 characters are enough.")
        other = screen(browser, "Bob", java_script_enabled=False).page
        other.goto(page.url)
        other.get_by_role("button", name="Delete tea").click()
        expect(other).to_have_title("(1) Todo List in shopping")
        page.get_by_role("button", name="Delete tea").click()
        expect(page.get_by_role("alert")).to_have_text(
            "It isn't there any more: somebody deleted it."
        )
        expect(page).to_have_title("(1) Todo List in shopping")


async def test_what_was_answered_is_there_whatever_is_killed(tmp_path: Path) -> None:  # [HOOK10]
    answered: set[str] = set()
    up = asyncio.Event()
    up.set()
    with running("examples/todo", tmp_path) as server:
        room = f"{server.url}/rooms/todo/many"

        async def write(client: httpx.AsyncClient, who: int) -> None:
            for n in range(12):
                text = f"item {who}.{n}"
                while text not in answered:
                    await up.wait()
                    with contextlib.suppress(httpx.TransportError):  # killed: it may be there, too
                        answer = await client.post(f"{room}/add", data={"content": text})
                        if answer.status_code == 303:
                            answered.add(text)

        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            writing = [asyncio.create_task(write(client, who)) for who in range(4)]
            for threshold in (10, 25, 38):
                async with asyncio.timeout(60):  # noqa: TID251 (bound: a share of the answers)
                    while len(answered) < threshold:
                        await asyncio.wait(writing, timeout=0.01)
                up.clear()
                server.kill()
                await asyncio.to_thread(server.start)
                up.set()
            await asyncio.gather(*writing)
            page = (await client.get(room)).text
            assert [text for text in answered if f">{text}</a>" not in page] == []
            foreign = {"origin": "https://elsewhere.example"}
            other = await client.post(f"{room}/add", data={"content": "x"}, headers=foreign)
            assert other.status_code == 403
