"""Settings come from options, then the environment, then defaults."""

from __future__ import annotations

import pytest

from rooms.errors import UsageError
from rooms.settings import Settings


def test_defaults() -> None:
    assert Settings.read({}) == Settings(1999, "127.0.0.1", "sqlite:///rooms.db", True, "text")


def test_an_option_goes_before_the_environment() -> None:
    environ = {"ROOMS_PORT": "1", "ROOMS_BIND": "::1", "ROOMS_LIMITS": "off", "ROOMS_SECRET": "s"}
    settings = Settings.read(environ, port="2", bind=None, unknown="x")
    assert (settings.port, settings.bind, settings.limits) == (2, "::1", False)
    assert settings.secret == "s"


def test_an_empty_variable_is_none() -> None:
    assert Settings.read({"ROOMS_PORT": "", "ROOMS_SECRET": ""}) == Settings()


def test_what_is_written_to_an_environment_is_read_from_it() -> None:
    settings = Settings(
        0, "0.0.0.0", "memory:", False, "json", ("https://a.example", "https://b.example"), "secret"
    )
    assert Settings.read(settings.to_environ()) == settings
    assert Settings.read(Settings().to_environ()) == Settings()


@pytest.mark.parametrize(
    ("environ", "options", "line"),
    [
        ({"ROOMS_PORT": "x"}, {}, "ROOMS_PORT x: a port is a number from 0 to 65535"),
        ({}, {"port": "65536"}, "--port 65536: a port is a number from 0 to 65535"),
        ({}, {"port": "-1"}, "--port -1: a port is a number from 0 to 65535"),
        ({}, {"port": "²"}, "--port ²: a port is a number from 0 to 65535"),
        ({}, {"metrics": "0.0.0.0"}, "--metrics 0.0.0.0: take PORT or ADDRESS:PORT"),
        ({}, {"limits": "no"}, "--limits no: take on or off"),
        (
            {},
            {"origins": "https://a.example game.example"},
            "--origins game.example: an origin is https://name[:port], as browsers say it",
        ),
        (
            {"ROOMS_ORIGINS": "https://a.example/"},
            {},
            "ROOMS_ORIGINS https://a.example/: an origin is https://name[:port], as browsers say "
            "it",
        ),
        ({}, {"log_format": "xml"}, "--log-format xml: take text or json"),
    ],
)
def test_what_cannot_be_is_refused(
    environ: dict[str, str], options: dict[str, str], line: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.read(environ, **options)
    assert str(caught.value) == line
