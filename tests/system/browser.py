"""A real Chromium for the system tests, and what its pages were sent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from client.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FETCH_WITHIN_S = 240.0
LAUNCHED_WITHIN_MS = 90_000
WITHIN_MS = 45_000
"""How long anything may take to be seen: a page that has lost its server tries again after 8 s."""
STEP_MS = 50
PHONE: Any = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or playwright's own, which is fetched where neither is there; without
    one the test is skipped and says so, or fails where `REQUIRE_ALL` is set.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        if path is None and not own.exists():
            _fetch()
        if path is None and not own.exists():
            sorry = "no Chromium was found or could be fetched: `apt-get install chromium`, say"
            assert "REQUIRE_ALL" not in os.environ, sorry
            pytest.skip(sorry)
        browser = playwright.chromium.launch(
            executable_path=path, args=ARGS, timeout=LAUNCHED_WITHIN_MS
        )
        yield browser
        browser.close()


@cache
def _fetch() -> None:
    """Once: let playwright fetch its own browser. Where it can't, nothing is there afterwards."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=FETCH_WITHIN_S, check=False, capture_output=True)


@dataclass
class Screen:
    """One person's browser: its page, every frame it was sent, and what went wrong on it."""

    name: str
    page: Page
    frames: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until it is so. Raises AssertionError: it isn't in time."""
        for _ in range(0, WITHIN_MS, STEP_MS):
            if condition():
                return
            self.page.wait_for_timeout(STEP_MS)  # what the browser tells is heard meanwhile
        raise AssertionError(f"{self.name}: not within {WITHIN_MS} ms: {what}")

    def views(self) -> Iterator[tuple[str, Any]]:
        """Each frame, with the view that its page holds after it."""
        replica = Replica()
        for frame in self.frames:
            message = json.loads(frame)
            if message["type"] == "room.view":
                replica.replace(message["cursor"], message["view"])
            elif message["type"] == "room.patch":
                replica.patch(message["base"], message["cursor"], message["ops"])
            yield frame, replica.view


def screen(browser: Browser, name: str, **context: Any) -> Screen:
    """A browser of its own (no shared storage), the size of a phone."""
    page = browser.new_context(**{"viewport": PHONE, **context}).new_page()
    page.set_default_timeout(WITHIN_MS)
    expect.set_options(timeout=WITHIN_MS)
    watched = Screen(name, page)
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda text: watched.frames.append(str(text))),
    )
    page.on("pageerror", lambda error: watched.faults.append(str(error)))
    return watched
