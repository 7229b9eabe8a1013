"""An App is found where it was said to be, or one line says what to change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from rooms import loading
from rooms.errors import UsageError
from tests.rooms.commands import COUNTER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rooms.app import App


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with nothing in it; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(path: Path, text: str = COUNTER) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def load(target: str) -> App:
    return loading.load(loading.find(target))


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("counter.py", "counter.py"),
        ("my-app.py", "my-app.py"),
        ("json.py", "json.py"),
        ("game/app.py", "game"),
        ("game/app.py", "game/"),
        ("game/app.py", "game/app.py"),
        ("game/app.py", "game/app.py:app"),
        ("game/play.py", "game.play"),
        ("game/play.py", "game.play:app"),
    ],
)
def test_an_app_is_found(folder: Path, file: str, target: str) -> None:
    write(folder / file)
    assert list(load(target).kinds) == ["counter"]


def test_an_app_hides_no_module_that_is_loaded_already(folder: Path) -> None:
    json = sys.modules["json"]
    write(folder / "json.py")
    load("json.py")
    assert sys.modules["json"] is json


def test_a_file_in_a_package_may_import_its_neighbours(folder: Path) -> None:
    write(folder / "games/__init__.py", "")
    write(folder / "games/counter/__init__.py", "")
    write(folder / "games/counter/machine.py")
    write(folder / "games/counter/app.py", "from .machine import app\n")
    assert list(load("games/counter").kinds) == ["counter"]


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    write(folder / "game/neighbour.py")
    write(folder / "game/app.py", "from neighbour import app\n")
    assert list(load("game").kinds) == ["counter"]


def test_sources_are_the_folders_of_what_the_author_wrote(folder: Path) -> None:
    write(folder / "game/deep/__init__.py", "")
    write(folder / "game/deep/machine.py")
    write(folder / "game/app.py", "import json, hypothesis\nfrom deep.machine import app\n")
    place = loading.find("game")
    loading.load(place)
    mine = [source for source in loading.sources(place) if source.startswith(str(folder))]
    assert mine == [str(folder / "game"), str(folder / "game/deep")]
    assert not [source for source in loading.sources(place) if "site-packages" in source]


@pytest.mark.parametrize("name", ["rooms", "runtime", "client"])
@pytest.mark.parametrize("path", ["{}.py", "{}/__init__.py"])
def test_what_would_hide_ours_is_explained(folder: Path, name: str, path: str) -> None:
    write(folder / "app.py")
    write(folder / path.format(name), "")
    line = f"{path.format(name)} hides the package `{name}` that every app imports: rename it"
    for target in (".", "app.py", "app:app"):
        with pytest.raises(UsageError) as caught:
            loading.find(target)
        assert str(caught.value) == line


def test_a_folder_of_pages_called_client_hides_nothing(folder: Path) -> None:
    write(folder / "client/index.js", "")
    write(folder / "app.py")
    load("app.py")


@pytest.mark.parametrize(
    ("files", "target", "line"),
    [
        ({}, "counter.py", "there is no file counter.py; APP is a .py file, a folder with app.py"),
        ({}, "no/such", "no/such isn't there; APP is"),
        ({}, "nothing", "there is no folder, file or module nothing; APP is a .py file"),
        ({}, "no.thing:app", "there is no folder, file or module no.thing:app; APP is"),
        ({"a.py": "import nothing"}, "a", "a.py:1: ModuleNotFoundError: No module named"),
        ({"game/x.py": ""}, "game", "game has no app.py; APP is"),
        ({"a.py": "x = 1"}, "a.py", "a.py has no App: write app = App(kind=YourRoom) in it"),
        ({"a.py": COUNTER}, "a.py:counter", "a.py:counter: `counter` is no App there"),
        (
            {"a.py": COUNTER + "other = App(other=Counter)"},
            "a.py",
            "a.py has 2 Apps: name one, as in a.py:app (app, other)",
        ),
        ({"a.py": "\nx = (1\n"}, "a.py", "a.py:2: SyntaxError: '(' was never closed"),
        ({"a.py": "\n\nnope\n"}, "a.py", "a.py:3: NameError: name 'nope' is not defined"),
        ({"a.py": "import sys\nsys.exit(3)"}, "a.py", "a.py:2: SystemExit: 3"),
        (
            {"a.py": "import b\n", "b.py": "\n\nraise ValueError('two\\nlines')"},
            "a.py",
            "b.py:3: ValueError: two lines",
        ),
        (
            {"a.py": COUNTER.replace("counter=Counter", "")},
            "a.py",
            "a.py:20: UsageError: an App has at least one kind",
        ),
        ({"a.py": "from .b import app\n"}, "a.py", "a.py:1: ImportError: attempted relative"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    folder: Path, files: dict[str, str], target: str, line: str
) -> None:
    for name, text in files.items():
        write(folder / name, text)
    with pytest.raises(UsageError) as caught:
        load(target)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_one_of_several_apps_may_be_named(folder: Path) -> None:
    write(folder / "a.py", COUNTER + "other = App(other=Counter)\nagain = other\n")
    assert list(load("a.py:other").kinds) == ["other"]
