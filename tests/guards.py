"""Guards that no world of the simulation needs, each switched off: the test of its rule goes red.

A mutant is as in `tests/sim/mutants/`, and names the test that sees it. That test is played once
more, without the guard: it has to fail, by what it saw itself.
"""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import pytest
from _pytest.assertion import util

from rooms.errors import RoomsError
from tests.clock import step
from tests.sim.mutants import applied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Make = Callable[[Any], None]

ROOT = Path(__file__).parents[1]
ROUNDS = 50
"""Of the loop: after so many whatever a test has begun has come to its end."""


class _Guard(NamedTuple):
    """One of them: how it is lost, and who sees that."""

    make: Make
    test: Callable[..., Any]
    given: dict[str, Any]


class Guards(dict[str, _Guard]):
    """Those of one folder, by their mutants' names."""

    def seen_by(self, test: Callable[..., Any], **given: Any) -> Callable[[Make], Make]:
        """Name the test that sees a mutant. What that takes, and isn't `given` here, are fixtures;
        such as need no loop.
        """

        def mutant(make: Make) -> Make:
            self[make.__name__] = _Guard(make, test, given)
            return make

        return mutant

    async def lose(self, name: str, request: pytest.FixtureRequest) -> None:
        """Play a mutant's test without its guard, and see it fail."""
        make, test, given = self[name]
        for prepare in _autouse(test):
            prepare(**_fixtures(prepare, {}, request))
        fixtures = _fixtures(test, given, request)
        # Nobody reads how that differs, which pytest looks for to the last line where `CI` is set.
        with applied(make), patch.object(util, "_reprcompare", None):
            try:
                playing = test(**given, **fixtures)
                if inspect.isawaitable(playing):
                    await playing
            except RoomsError:
                return  # what the product says on purpose
            except (Exception, pytest.fail.Exception) as error:
                seen = _last_of_ours(error)
                others = (Path(__file__), Path(make.__code__.co_filename))
                if ROOT / "tests" not in seen.parents or seen in others:
                    raise AssertionError(f"{name} is broken itself") from error
            else:
                pytest.fail(f"{name} survived {test.__name__}")
            finally:
                await _end_what_goes_on()


async def _end_what_goes_on() -> None:
    """A test that fails in the middle leaves work that others would be blamed for."""
    for _ in range(ROUNDS):
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await step()


def _fixtures(
    function: Callable[..., Any], given: Mapping[str, Any], request: pytest.FixtureRequest
) -> dict[str, Any]:
    names = inspect.signature(function).parameters.keys() - given.keys()
    return {name: request.getfixturevalue(name) for name in sorted(names)}


def _autouse(test: Callable[..., Any]) -> list[Callable[..., Any]]:
    """What the tests of this one's file have done before each of them."""
    found = []
    for one in vars(inspect.getmodule(test)).values():
        marker = getattr(one, "_fixture_function_marker", None)
        if marker is not None and marker.autouse:
            assert not inspect.isgeneratorfunction(one.__wrapped__), one
            found.append(one.__wrapped__)
    return found


def _last_of_ours(error: BaseException) -> Path:
    """The file of ours in which it was raised, or from which what raised it was called."""
    frames = [entry.path for entry in pytest.ExceptionInfo.from_exception(error).traceback]
    ours = [Path(path) for path in frames if "site-packages" not in str(path)]
    return [path for path in ours if ROOT in path.parents or str(path).startswith("<")][-1]
