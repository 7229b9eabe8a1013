"""What the folders promise: public names listed by hand, files small enough to have one job."""

from __future__ import annotations

import ast
import importlib
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("runtime", "rooms", "client")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)
PAGES = [
    *ROOT.glob("*.md"),
    *(page for one in ("rooms", "runtime") for page in (ROOT / one).glob("*.md")),
]


@pytest.mark.parametrize("package", ["runtime", "rooms", "client"])
def test_a_package_lists_exactly_what_it_imports_for_others(package: str) -> None:
    source = (ROOT / package / "__init__.py").read_text()
    body = ast.parse(source).body
    for node in list(body):  # names that are loaded when they are used are imported for types only
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            body = node.body
    imported = {
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    module = importlib.import_module(package)
    assert set(module.__all__) == imported
    assert len(module.__all__) == len(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_opens_with_its_job_and_has_one(path: Path) -> None:
    source = path.read_text()
    if path.name != "__init__.py" or source.strip():
        assert ast.get_docstring(ast.parse(source)), "a file opens with its job"
    assert source.count("\n") <= 600, "a file this long has two jobs"


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_who_follows_a_path_comes_to_a_file(path: Path) -> None:
    named = re.findall(r"`((?:rooms|runtime|client|tests|examples)/[\w./-]*\w)`", path.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("package", ["rooms", "client"])
def test_no_file_leads_back_to_itself_not_even_by_its_types(package: str) -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == package
    }
    imports: dict[str, set[str]] = {}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                within = {f"{node.module}.{alias.name}" for alias in node.names}
                imports.setdefault(name, set()).update(
                    within & modules.keys() or {node.module or ""}
                )
    TopologicalSorter(imports).prepare()  # raises CycleError, which names them


def test_what_changed_is_said_in_a_line_each() -> None:
    _, _, changes = (ROOT / "README.md").read_text().partition("## Changes\n\n")
    for line in changes.partition("\n\n")[0].splitlines():
        assert line.startswith("- ")
        assert len(line) <= 132


def test_no_folder_is_named_after_nothing() -> None:
    for path in SOURCES:
        assert not {"core", "common", "utils"} & set(path.relative_to(ROOT).parts)
        assert path.name not in ("types.py", "utils.py", "helpers.py")


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if "What lies where:" in path.read_text()],
    ids=lambda path: str(path.parent.relative_to(ROOT)),
)
def test_a_map_shows_what_is_there(path: Path) -> None:
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    shown = " ".join(line.partition("  ")[2] for line in lines)
    there = {
        one.stem
        for one in path.parent.iterdir()
        if one.name[0] not in "_." and (one.suffix == ".py" or one.is_dir())
    }
    assert there == set(re.findall(r"\w+", shown)), f"say in {path.relative_to(ROOT)} where it lies"
