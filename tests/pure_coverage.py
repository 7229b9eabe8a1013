"""Each pure file is covered, every line and branch of it, by its own test file.

In: a pure folder and the folder of its tests; `x.py` belongs to `test_x.py`. Out: what is left
uncovered, and exit status 1 if there is any. Lines that run at import count as covered; all else
must be reached by the file's own tests, whatever other tests reach.

    python -m tests.pure_coverage runtime/statechart tests/runtime/statechart
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path

import coverage
import pytest

#: Never reached at run time, by intent.
EXCLUDED = [
    r"if TYPE_CHECKING:",
    r"@overload",
    r"raise NotImplementedError",
    r"class .*\(Protocol\):",
    r"assert_never\(",
]


def watch(source: Path) -> coverage.Coverage:
    watching = coverage.Coverage(
        data_file=None, branch=True, config_file=False, include=[str(source)]
    )
    for pattern in EXCLUDED:
        watching.exclude(pattern)
    return watching


def missing(source: Path, test: Path, imported: coverage.CoverageData) -> str:
    """What the test file leaves out of the source file; empty if nothing."""
    watching = watch(source)
    if test.exists():
        watching.start()
        try:
            status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", str(test)])
        finally:
            watching.stop()
        if status != 0:
            return f"{test} fails"
    watching.get_data().update(imported)
    with tempfile.NamedTemporaryFile() as report:
        watching.json_report(morfs=[str(source)], outfile=report.name)
        (found,) = json.loads(Path(report.name).read_text())["files"].values()
    lines = [str(line) for line in found["missing_lines"]]
    if lines and not test.exists():
        return f"there is no {test}"
    branches = [f"{start}→{end}" for start, end in found["missing_branches"]]
    return " ".join([*lines, *branches])


def main(sources: Path, tests: Path) -> int:
    files = [path for path in sorted(sources.glob("*.py")) if path.name != "__init__.py"]
    importing = coverage.Coverage(
        data_file=None, branch=True, config_file=False, include=[f"{sources}/*"]
    )
    importing.start()
    for source in files:
        importlib.import_module(".".join(source.with_suffix("").parts))
    importing.stop()
    left = {
        source: what
        for source in files
        if (what := missing(source, tests / f"test_{source.name}", importing.get_data()))
    }
    for source, what in left.items():
        sys.stderr.write(f"{source}: {what}\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
