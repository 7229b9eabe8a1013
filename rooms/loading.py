"""Finding an author's `App`: in a file, in a folder with `app.py`, or as `package.module:name`.

In: what was written on the command line. Out: the App, imported as Python itself would import it;
or one line that says what to change.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from rooms.app import App

OURS = ("rooms", "runtime", "client")
_KINDS = "a .py file, a folder with app.py, or package.module:name"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an App is: `module`, importable from the folder `root`; `name` in it, if one was given.

    `file` is None for a module that was named as such.
    """

    target: str
    root: Path
    module: str
    file: Path | None
    name: str | None


def find(target: str) -> Place:
    """Where the App named on the command line must be; imports nothing.

    A file inside a package (a folder with `__init__.py`) is a module of that package, so that its
    relative imports work.

    Raises:
        UsageError: there is nothing of that name, or it would hide a package of ours.
    """
    path_text, _, name = target.partition(":")
    path = Path(path_text)
    if path.is_dir():
        path = path / "app.py"
        if not path.is_file():
            raise UsageError(f"{target} has no app.py; APP is {_KINDS}")
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"there is no file {path}; APP is {_KINDS}")
        place = _in_file(target, path.absolute(), name or None)
    elif all(part.isidentifier() for part in path_text.split(".")):
        place = Place(target, Path.cwd(), path_text, None, name or None)
    else:
        raise UsageError(f"{target} isn't there; APP is {_KINDS}")
    for ours in OURS:
        _refuse_hiding(place.root, ours)
    return place


def load(place: Place) -> App:
    """Import it.

    Raises:
        UsageError: it can't be imported, or has no App, or several.
    """
    if sys.path[:1] != [str(place.root)]:
        sys.path.insert(0, str(place.root))
    try:
        module = _import(place)
    except (Exception, SystemExit) as error:
        raise UsageError(_where(error, place)) from error
    return _app_in(module, place)


def sources(place: Place) -> list[str]:
    """The folders that the author's own imported modules are in."""
    libraries = {
        Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib")
    }
    folders = {place.file.parent if place.file else place.root}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and name.partition(".")[0] not in OURS:
            folder = Path(file).resolve().parent
            if not any(library in (folder, *folder.parents) for library in libraries):
                folders.add(folder)
    return sorted(str(folder) for folder in folders)


def _in_file(target: str, path: Path, name: str | None) -> Place:
    root, module = path.parent, path.stem
    while (root / "__init__.py").is_file() and root.name.isidentifier():
        root, module = root.parent, f"{root.name}.{module}"
    return Place(target, root, module, path, name)


def _refuse_hiding(root: Path, ours: str) -> None:
    """A file of the author's that `import rooms` would find instead of ours is explained."""
    spec = importlib.util.find_spec(ours)
    assert spec is not None
    assert spec.origin is not None
    for theirs in (root / f"{ours}.py", root / ours / "__init__.py"):
        if theirs.is_file() and not theirs.samefile(spec.origin):
            raise UsageError(
                f"{_short(theirs)} hides the package `{ours}` that every app imports: rename it"
            )


def _import(place: Place) -> ModuleType:
    if place.file is None or "." in place.module:
        return importlib.import_module(place.module)
    # Whatever its name is (my-app.py). A module of that name that is loaded already (json) stays
    # what it is for everybody else.
    name = f"{place.module} (app)" if place.module in sys.modules else place.module
    spec = importlib.util.spec_from_file_location(name, place.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _app_in(module: ModuleType, place: Place) -> App:
    from rooms.app import App

    if place.name is not None:
        found = getattr(module, place.name, None)
        if not isinstance(found, App):
            raise UsageError(f"{place.target}: `{place.name}` is no App there")
        return found
    names: dict[int, str] = {}
    for name, value in vars(module).items():
        if isinstance(value, App):
            names.setdefault(id(value), name)
    match list(names.values()):
        case [name]:
            app: App = getattr(module, name)
            return app
        case []:
            raise UsageError(f"{place.target} has no App: write app = App(kind=YourRoom) in it")
        case several:
            raise UsageError(
                f"{place.target} has {len(several)} Apps: name one, as in "
                f"{place.target}:{several[0]} ({', '.join(several)})"
            )


def _where(error: BaseException, place: Place) -> str:
    """What went wrong while importing, and in which line of the author's."""
    message = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(Path(error.filename))}:{error.lineno}: SyntaxError: {error.msg}"
    missing = f"{error.name}." if isinstance(error, ModuleNotFoundError) else " "
    if place.file is None and f"{place.module}.".startswith(missing):
        return f"there is no folder, file or module {place.target}; APP is {_KINDS}"
    lines = list(_own_lines(error, place.root))
    return f"{lines[-1] if lines else place.target}: {message}"


def _own_lines(error: BaseException, root: Path) -> Iterator[str]:
    ours = Path(__file__).parents[1]
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        inside = root in path.parents and "site-packages" not in path.parts
        if inside and path.relative_to(root).parts[0] not in OURS and path.parent != ours / "rooms":
            yield f"{_short(path)}:{frame.lineno}"


def _short(path: Path) -> str:
    shorter = os.path.relpath(path)
    return str(path) if shorter.startswith("..") else shorter
