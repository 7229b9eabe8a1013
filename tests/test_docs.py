"""Every Python block of every page runs; SPEC rules are unique, and tests cite real ones."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import types
from pathlib import Path

import pytest

from rooms import Room

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *ROOT.glob("*/*.md"), *ROOT.glob("examples/*/*.md")]
    if "node_modules" not in path.parts
)
TEXTS = {page: page.read_text() for page in PAGES}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
async def test_the_examples_of_a_page_run(page: Path) -> None:
    text = TEXTS[page]
    module = types.ModuleType("page")
    for found in BLOCK.finditer(text):
        line = text[: found.start()].count("\n") + 1
        code = compile(
            "\n" * line + found.group(1),
            str(page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        result = eval(code, module.__dict__)
        if inspect.iscoroutine(result):
            await result
    for name, test in vars(module).items():
        if name.startswith("test_") and not inspect.signature(test).parameters:
            await asyncio.to_thread(test)  # as pytest would: where no loop runs


def test_every_attribute_and_method_of_a_room_is_listed() -> None:
    listed = TEXTS[ROOT / "rooms/README.md"].partition("## Every attribute and method")[2]
    first = "".join(re.findall(r"^\|([^|]*)\|", listed, re.M))
    assert set(re.findall(r"`(\w+)`", first)) == set(Room.__annotations__) - {"kind", "id"}
    methods = {
        name for name, it in vars(Room).items() if name[0] != "_" and hasattr(it, "__func__")
    }
    methods |= {
        name for name, it in vars(Room).items() if name[0] != "_" and inspect.isfunction(it)
    }
    assert set(re.findall(r"`(\w+)\(", first)) == methods | {"on_request"}


def test_spec_rules_are_numbered_once_and_in_order() -> None:
    rules = re.findall(r"^- \*\*([A-Z]+)(\d+)\*\*", (ROOT / "rooms/SPEC.md").read_text(), re.M)
    assert len(rules) > 50
    by_section: dict[str, list[int]] = {}
    for section, number in rules:
        by_section.setdefault(section, []).append(int(number))
    for section, numbers in by_section.items():
        assert numbers == list(range(1, len(numbers) + 1)), section


def test_tests_cite_only_rules_that_exist() -> None:
    rules = set(re.findall(r"^- \*\*([A-Z]+\d+)\*\*", (ROOT / "rooms/SPEC.md").read_text(), re.M))
    sections = {rule.rstrip("0123456789") for rule in rules}
    for path in (ROOT / "tests").rglob("*.py"):
        for rule in re.findall(r"\[([A-Z]+\d+)\]", path.read_text()):
            if rule.rstrip("0123456789") in sections:
                assert rule in rules, f"{path.name} cites {rule}, which rooms/SPEC.md doesn't have"


def test_every_rule_is_cited_by_a_test() -> None:
    rules = re.findall(r"^- \*\*([A-Z]+\d+)\*\*", (ROOT / "rooms/SPEC.md").read_text(), re.M)
    folder = ROOT / "tests"
    texts = [*folder.rglob("*.py"), *(folder / "client_js").rglob("*.mjs")]
    cited = {rule for path in texts for rule in re.findall(r"\[([A-Z]+\d+)\]", path.read_text())}
    assert [rule for rule in rules if rule not in cited] == []
