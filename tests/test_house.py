"""Files and functions are short, and folders have few modules: what CONTRIBUTING says of them.

Ruff counts the statements of a function, not its lines, and does not count those of a file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("trtnet", "models", "weights")
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_MODULES = 300, 50, 16
TABLES = {"trtnet/ops/__init__.py": "the names of all operations"}
"""Files that are tables, which are longer."""


def test_no_file_is_longer_than_300_lines() -> None:
    long = {name: lines for name, lines in lengths() if lines > MOST_LINES}
    assert {name: lines for name, lines in long.items() if name not in TABLES} == {}
    assert sorted(long) == sorted(TABLES), "these are short: take them off the list"


def test_no_function_is_longer_than_50_lines() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": lines
        for path in files()
        for node in functions(path.read_text())
        if (lines := lines_of(node)) > MOST_LINES_OF_A_FUNCTION
    }
    assert found == {}


def test_a_folder_has_few_modules_in_it() -> None:
    folders = {path.parent for path in files() if path.is_relative_to(ROOT / "trtnet")}
    crowded = {
        str(folder.relative_to(ROOT)): len(modules)
        for folder in folders
        if len(modules := [*folder.glob("*.py")]) > MOST_MODULES
    }
    assert crowded == {}


def test_a_function_is_counted_with_its_decorators_and_docstring() -> None:
    code = '@decorated\n@twice\ndef f(\n    x,\n):\n    """Text.\n\n    More.\n    """\n    return x\n'
    (node,) = functions(code)
    assert lines_of(node) == 10


def files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def lengths() -> Iterator[tuple[str, int]]:
    return ((str(path.relative_to(ROOT)), len(path.read_text().splitlines())) for path in files())


def functions(code: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    assert node.end_lineno is not None
    return node.end_lineno - first + 1
