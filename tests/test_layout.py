"""What is in tests/: tests, which import helpers and never each other; helpers; programs that are run by hand."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
HELPERS = ("helpers", "ops/cases", "ops/searching")
"""Folders of what tests import: for all rooms, the table of operations, and the search for differences."""


def test_no_file_imports_a_test() -> None:
    users = {str(path.relative_to(TESTS)): imported_tests(path.read_text()) for path in FILES}
    assert {path: names for path, names in users.items() if names} == {}


def test_what_is_not_a_test_is_a_helper_or_a_program() -> None:
    others = [path for path in FILES if not path.name.startswith(("test_", "conftest.")) and not is_helper(path)]
    assert [str(path) for path in others if '__name__ == "__main__"' not in path.read_text()] == []


def test_folders_of_tests_of_operations_are_those_of_operations() -> None:
    folders = {path.parent.name for path in (TESTS / "ops").glob("*/test_*.py")}
    package = {path.parent.name for path in (TESTS.parent / "trtnet/ops").glob("*/__init__.py")}
    assert sorted(folders - package) == [] and sorted(package - folders) == ["forms", "writes"], (
        "formulations, graph/test_in_place.py"
    )


def test_no_helper_has_tests() -> None:
    assert [str(path) for path in FILES if is_helper(path) and "\ndef test_" in path.read_text()] == []


def test_every_import_of_a_test_is_seen() -> None:
    code = ["import test_a", "from x import test_b, y", "def f():", "    from runtime.test_c import g", "import z.w"]
    assert imported_tests("\n".join(code)) == {"test_a", "test_b", "test_c"}
    assert imported_tests(f"SCRIPT = {'from test_d ' + 'import g'!r}") == {"test_d"}


def test_a_link_to_an_environment_is_ignored() -> None:
    """As worktrees have it: with a slash, git ignores folders alone; merging a link deletes the folder of that name."""
    assert ".venv" in (TESTS.parent / ".gitignore").read_text().split()


def is_helper(path: Path) -> bool:
    return any(path.is_relative_to(TESTS / folder) for folder in HELPERS)


def imported_tests(code: str) -> set[str]:
    """The test modules that a file imports, or a script in one of its strings."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"^from (?:\w+\.)*(test_\w+) import", node.value, re.M))
    return {name for name in found if name.startswith("test_")}
