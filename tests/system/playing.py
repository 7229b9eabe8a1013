"""The trivia example for pages that are driven by a test: nobody's time is up because the machine
is busy, and nobody waits long for the next question.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples import trivia
from examples.trivia.app import Trivia
from rooms import App


class Patient(Trivia):
    """A table at which only its players end what they can end."""

    def input(self) -> Any:
        """What the machine begins with."""
        return {
            "timing": {
                "countdown": 2_000,
                "prepare": 2_000,
                "answer": 120_000,
                "recap": 120_000,
                "patience": 60_000,
            }
        }


app = App(trivia=Patient, pages=Path(trivia.__file__).parent / "web")
