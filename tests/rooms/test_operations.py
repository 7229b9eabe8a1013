"""The operator's door: health and readiness, and metrics made when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from rooms import operations
from rooms.errors import UsageError
from tests.wire import WITHIN


async def _metrics() -> bytes:
    return b"rooms_lease 1.0\n"


async def test_it_says_metrics_health_and_why_it_is_not_ready(  # [METRIC1] [METRIC2]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "_ANSWER_WITHIN", WITHIN)
    state = "ready"
    async with operations.serving("0", lambda: _metrics, lambda: state) as url:
        assert url is not None
        assert url.startswith("http://127.0.0.1:")
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WITHIN) as client:
            page = await client.get("/metrics")
            assert page.text == "rooms_lease 1.0\n"
            assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert (await client.get("/ready")).status_code == 200
            state = "draining"
            answer = await client.get("/ready")
            assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
            assert (await client.get("/health")).status_code == 200
        assert await operations.read_page(url) == "rooms_lease 1.0\n"
    assert await operations.read_page(url) is None


async def test_a_port_in_use_is_said_with_the_option_that_names_it() -> None:
    async with operations.serving("0", lambda: _metrics, lambda: "ready") as url:
        assert url is not None
        with pytest.raises(UsageError, match="choose another with --metrics"):
            async with operations.serving(url.rpartition("/")[2], lambda: _metrics, str):
                pass


def test_what_only_operators_ask_for_is_loaded_for_them_alone() -> None:
    code = "import sys, rooms.server, rooms.apart, rooms.fleet; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"prometheus_client", "opentelemetry"} & set(run.stdout.split())


async def test_nothing_is_served_unless_it_is_asked_for() -> None:
    def unread() -> None:
        pytest.fail("it was asked for metrics")

    async with operations.serving(None, unread, lambda: "ready") as url:  # type: ignore[arg-type]
        assert url is None


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_an_address_may_be_a_port_alone(address: str, parsed: tuple[str, int]) -> None:
    assert operations.parse(address) == parsed
