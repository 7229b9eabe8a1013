"""What the system tests' servers said is shown with a test that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.processes import SAID

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def said_meanwhile() -> Iterator[None]:
    SAID.clear()
    yield
    print(*SAID, sep="\n")  # noqa: T201 - pytest keeps it for the report of a failure
