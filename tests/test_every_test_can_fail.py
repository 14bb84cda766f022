"""Every test has something that can fail, and that says more than that there is a result.

That is an `assert`, a `raise`, an expected error or warning, a call of `assert_...`, a program whose exit code is
checked, or a function in tests/ that has one of these: a test names it, or takes it as a fixture. `assert x is not
None` and the like do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FAILING_CALLS = ("raises", "warns", "fail", "check_call", "check_output", "wait_for_selector")
QUESTIONS_OF_TYPE = ("isinstance", "hasattr", "callable")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_every_test_can_fail() -> None:
    places = [
        f"{path.relative_to(TESTS)}:{test.lineno} {test.name}"
        for path, test in every_test()
        if not can_fail(test, path)
    ]
    assert places == []


@pytest.mark.parametrize(
    "body",
    [
        "assert x == 1",
        "assert report.passed",
        "assert x and x == 1",
        "assert len(x) > 2",
        "with pytest.raises(ValueError):\n  f()",
        "np.testing.assert_allclose(x, y)",
        "subprocess.run(command, check=True)",
        "Thread(target=has_assert).start()",
        "calls_it()",
        "it(x)",
    ],
)
def test_what_can_fail_is_found(body: str) -> None:
    assert can_fail(function(body), Path(__file__))


@pytest.mark.parametrize(
    "body",
    [
        "f(x)",
        "x.shape == (2,)",
        "calls_itself()",
        "subprocess.run(command)",
        "assert x",
        "assert f(x) is not None and y",
        "assert isinstance(x, int)",
        "assert len(plan) > 0",
        "assert network.build().plan.data",
    ],
)
def test_what_cannot_fail_on_content_is_found(body: str) -> None:
    assert not can_fail(function(body), Path(__file__))


def test_empty_parameters_are_an_error(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("empty_parameter_set_mark") == "fail_at_collect"


def every_test() -> Iterator[tuple[Path, Function]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        yield from (
            (path, node) for nodes in functions(path).values() for node in nodes if node.name.startswith("test_")
        )


def can_fail(node: ast.AST, path: Path, seen: frozenset[ast.AST] = frozenset()) -> bool:
    fails_itself, used = content(node)
    if fails_itself:
        return True
    known = {other for name in used for other in named(name, path)}
    return any(can_fail(other, home, seen | {node}) for other, home in known if other not in seen)


@cache
def content(node: ast.AST) -> tuple[bool, set[str]]:
    """Whether a function can fail by itself, and what it names."""
    inside = [*ast.walk(node)]
    return any(fails(one) for one in inside), names(inside)


def fails(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not trivial(node.test)
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Raise)
    name = ast.unparse(node.func).rpartition(".")[2]
    checked = any(keyword.arg == "check" and ast.unparse(keyword.value) == "True" for keyword in node.keywords)
    return checked or name.startswith("assert_") or name in FAILING_CALLS


def trivial(test: ast.expr) -> bool:
    """Whether nearly every value passes: it is there, is true, is of a type, or is not empty."""
    match test:
        case ast.Name() | ast.Attribute(attr="data"):
            return True
        case ast.BoolOp(values=values):
            return all(trivial(value) for value in values)
        case ast.Call(func=ast.Name(id=name)):
            return name in QUESTIONS_OF_TYPE
        case ast.Compare(ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None | "" | b"" | 0)]):
            return True
        case ast.Compare(ops=[ast.Gt()], comparators=[ast.Constant(value=0)]):
            return True
    return False


def names(inside: list[ast.AST]) -> set[str]:
    """What a function names, takes as an argument (a fixture) or calls as a member of a module."""
    found = {one.id for one in inside if isinstance(one, ast.Name)} | {
        one.arg for one in inside if isinstance(one, ast.arg)
    }
    return found | {one.attr for one in inside if isinstance(one, ast.Attribute)}


@cache
def named(name: str, path: Path) -> list[tuple[Function, Path]]:
    """The functions of that name in a file of tests, in those it imports, and in the conftest.py of its folders."""
    homes = [(path, name), *((home, original) for home, alias, original in imported(path) if alias in (name, "*"))]
    homes += [(home, name) for home in conftests(path)]
    return [
        (node, home)
        for home, original in homes
        for node in functions(home).get(name if original == "*" else original, [])
    ]


@cache
def conftests(path: Path) -> list[Path]:
    return [folder / "conftest.py" for folder in path.parents if folder.is_relative_to(TESTS)]


@cache
def functions(path: Path) -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for node in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
        if isinstance(node, Function):
            found.setdefault(node.name, []).append(node)
    return found


@cache
def imported(path: Path) -> list[tuple[Path, str, str]]:
    """(file of tests, name here, name there) of what a file imports; "*" for each name of a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and (folder := TESTS / (node.module or "").replace(".", "/")).parent.exists()
        ):
            for alias in node.names:
                here = alias.asname or alias.name
                found += [(file, here, alias.name) for file in (folder.with_suffix(".py"), folder / "__init__.py")]
                found.append((folder / f"{alias.name}.py", "*", "*"))
    return found


def function(body: str) -> ast.AST:
    return ast.parse("def f(x):\n" + "\n".join(f"  {line}" for line in body.splitlines()))


def has_assert(x: int) -> None:
    assert x == 1


def calls_it() -> None:
    has_assert(1)


def calls_itself() -> None:
    calls_itself()


@pytest.fixture
def it() -> None:
    calls_it()
