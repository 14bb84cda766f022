"""Imports point one way: no circles of modules, no arrow up. Those under TYPE_CHECKING and in functions count too."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOOR = "trtnet"
"""The package's own module: it names what users take from anywhere, when they take it; nothing inside uses it."""
FOLDERS = (
    "support", "graph", "ops", "nn", "checkpoint", "builder", "reference", "runtime", "definition", "text",
    "generation", "verify", "tools", "ray", "cli", "__main__",
)  # fmt: skip
"""What is in trtnet, from the bottom up: each may use those before it."""
INSIDE = {
    "graph": (
        "symbolic", "layers", "sizes", "structures", "place", "precision", "inputs", "bind_forward", "memory",
        "bindings", "quantized", "itensors", "forms", "report", "adding", "tensors", "calls", "shapes", "network",
    ),
    "runtime": (
        "options", "cuda", "loaded", "execution", "calls", "serving", "session", "session_pool", "engine_calls",
        "engine", "streams", "profiling",
    ),
    "verify": ("arrays", "metrics", "comparison", "bisection", "precision"),
}  # fmt: skip
"""What is in some of these folders, in the same way."""
OF_USERS = ("models", "weights")
"""Folders that are written as a user writes them; only what loads them by name uses them."""


def test_there_are_no_circles() -> None:
    assert circles(imports()) == []


def test_each_module_can_be_the_first_import_of_a_process() -> None:
    """Importing a module first executes its packages: without circles among these, none is used half loaded."""
    assert circles(with_packages(imports())) == []


def test_a_circle_by_way_of_packages_is_found() -> None:
    graph = {"t.a": {"t.a.x"}, "t.a.x": {"t.b.y"}, "t.a.z": set(), "t.b": {"t.b.w"}, "t.b.w": {"t.a.z"}, "t.b.y": set()}
    assert circles(graph) == []
    assert circles(with_packages(graph)) == [["t.a", "t.a.x", "t.b", "t.b.w"]]


def test_the_order_is_that_of_what_is_there() -> None:
    assert sorted(FOLDERS) == children(ROOT / "trtnet")
    assert {folder: sorted(order) for folder, order in INSIDE.items()} == {
        folder: children(ROOT / "trtnet" / folder) for folder in INSIDE
    }


def test_no_arrow_points_up() -> None:
    arrows = list(pairs())
    assert upward(arrows, "trtnet", FOLDERS) == []
    assert [arrow for folder, order in INSIDE.items() for arrow in upward(arrows, f"trtnet.{folder}", order)] == []


def test_the_reference_knows_tensorrts_layers_and_nothing_of_how_they_were_made() -> None:
    allowed = ("trtnet.support", "trtnet.graph.layers", "trtnet.reference")
    assert [a for a in pairs() if inside(a[0], ("trtnet.reference",)) and not inside(a[1], allowed)] == []


def test_nothing_inside_uses_the_packages_own_names() -> None:
    users = [f"trtnet.{folder}" for folder in OF_USERS]
    assert [a for a in pairs() if a[1] == DOOR and not inside(a[0], users)] == []


def test_only_tools_use_what_is_written_as_users_write_it() -> None:
    users = [f"trtnet.{folder}" for folder in OF_USERS]
    assert [a for a in pairs() if inside(a[1], users) and not inside(a[0], (*users, "trtnet.tools"))] == []


def test_a_circle_and_an_arrow_up_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles(graph) == [["a", "b", "c"], ["d", "e"]]
    arrows = [("t.low.x", "t.high"), ("t.high.y", "t.low.x"), ("t.low.z", "t.low.x"), ("other.low", "t.high")]
    assert upward(arrows, "t", ("low", "high")) == [("t.low.x", "t.high")]


def test_every_kind_of_import_is_seen() -> None:
    code = (
        "import a.b\nfrom a import b\nfrom a.c import D\nif TYPE_CHECKING:\n    import a\ndef f():\n    from a import x"
    )
    assert imported(code, {"a", "a.b", "a.c"}) == {"a.b", "a.c", "a"}


def pairs() -> Iterator[tuple[str, str]]:
    """(module, imported module), but those of the package's own module."""
    return ((module, each) for module, found in imports().items() for each in sorted(found))


@cache
def imports() -> dict[str, set[str]]:
    """What each module of the project imports of it."""
    modules = {".".join(name(path)): path for path in files()}
    found = {module: imported(path.read_text(), {*modules}) - {module} for module, path in modules.items()}
    return found | {DOOR: set()}


def files() -> list[Path]:
    return sorted(path for folder in ("trtnet", *OF_USERS) for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> list[str]:
    """The parts of a file's name as a module; models and weights are installed in trtnet."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return [*([DOOR] if parts[0] in OF_USERS else []), *parts]


def imported(code: str, modules: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each if each in modules else node.module for each in names}
    return found & modules


def with_packages(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same, with the packages of what a module imports, but for those that the module is in itself."""
    return {
        module: {each for target in found for each in (target, *packages(target))} - {module, *packages(module)}
        for module, found in graph.items()
    }


def packages(module: str) -> list[str]:
    """The packages inside the project's that a module is in."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(2, len(parts))]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that reach each other."""
    reached = {module: reach(graph, module) for module in graph}
    found = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in graph if a in reached[a]}
    return sorted(map(list, found))


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    """The modules that one reaches by one arrow or more."""
    found: set[str] = set()
    left = [*graph[start]]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += graph[module]
    return found


def upward(arrows: Sequence[tuple[str, str]], folder: str, order: Sequence[str]) -> list[tuple[str, str]]:
    """The arrows from one part of a folder to a later one."""
    found = []
    for user, used in arrows:
        a, b = part(user, folder), part(used, folder)
        if a in order and b in order and order.index(a) < order.index(b):
            found.append((user, used))
    return found


def part(module: str, folder: str) -> str:
    """Which direct part of a folder a module is in, "" if in none."""
    return module.removeprefix(f"{folder}.").partition(".")[0] if module.startswith(f"{folder}.") else ""


def inside(module: str, folders: Sequence[str]) -> bool:
    return any(module == folder or module.startswith(f"{folder}.") for folder in folders)


def children(folder: Path) -> list[str]:
    """The modules and folders right in a folder."""
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return sorted(names - {"__init__"})
