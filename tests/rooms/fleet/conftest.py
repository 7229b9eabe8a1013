"""The supervisor's tests run on time of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clock import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
    return {"virtual": VirtualLoop}
