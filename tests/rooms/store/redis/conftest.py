"""A server of each product for all tests of the distributed store; each test has its own prefix."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.rooms.store.servers import PRODUCTS, patient, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rooms.store.servers import Server


@pytest.fixture(scope="session", params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as server:
        yield server


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}:"
