"""Tensors made of nothing, beside one that is given."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def dtype_text(d: Draw) -> str | None:
    """What is said of the dtype. Nothing is trtnet's own dtype in a 16-bit network, and float32 in torch: never that."""
    return d.maybe(d.torch_dtype("float32", "float16", "int64", "int32", "bool"), 2 if d.main == "float32" else 1)


def with_options(name: str, arguments: str, d: Draw) -> str:
    kind = dtype_text(d)
    device = ", device='cpu'" if d.chance(8) else ""
    return f"ops.{name}({arguments}{f', dtype={kind}' if kind else ''}{device})"


def sizes(d: Draw, x: str, shape: list[int]) -> str:
    """Sizes as a user writes them: ints and sizes of an input, by position or as one sequence."""
    parts = [
        d.choice(("2", "3", "1", "0", f"{x}.shape[0]", f"{x}.size(-1)", f"{x}.shape[0] + 1"))
        for _ in range(d.integer(1, 3))
    ]
    text = ", ".join(parts)
    return d.choice((text, f"({text},)", f"[{text}]", f"{x}.shape", f"{x}.size()", f"size=({text},)"))


@row("creation", "zeros", "ones")
def filled(d: Draw, name: str) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(shape)
    made = with_options(name, sizes(d, x, shape), d)
    return made if d.chance(2) else f"{made} * {x}.flatten()[:1].sum()"


@row("creation", "empty", "new_empty")
def empty(d: Draw, name: str) -> str:
    """Of which nothing is known but the shape and the dtype."""
    shape = d.shape(1, 3)
    x = d.tensor(shape)
    made = with_options("empty", sizes(d, x, shape), d) if name == "empty" else f"{x}.new_empty({x}.shape)"
    return f"{made}.fill_(0)"


@row("creation")
def full(d: Draw) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(shape)
    size = d.choice((f"{x}.shape", "(2, 3)", f"({x}.shape[0], 2)", "[4]", "()", f"({x}.shape[-1],)"))
    return with_options("full", f"{size}, {d.number('2', '0.5', 'True', '-1', 'inf', '0', '1e-8', f'{x}.shape[0]')}", d)


@row("creation", "zeros_like", "ones_like", "full_like", "empty_like")
def like(d: Draw, name: str) -> str:
    x = d.tensor(dtype=d.dtype())
    value = f", {d.number('2', '0.5', '-1', 'inf', 'True')}" if name == "full_like" else ""
    kind = dtype_text(d)
    text = f"ops.{name}({x}{value}{f', dtype={kind}' if kind else ''})"
    return f"{text}.fill_(0)" if name == "empty_like" else text


@row("creation", "new_zeros", "new_ones", "new_full", "new_tensor")
def new(d: Draw, name: str) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(shape, d.dtype())
    kind = dtype_text(d)
    option = f", dtype={kind}" if kind else ""
    if name == "new_tensor":
        return f"{x}.new_tensor({d.choice(('[1, 2]', '2.5', '[[0.5], [1.5]]', 'True'))}{option})"
    size = d.choice(("(2, 3)", "[2]", f"({x}.shape[0], 1)", f"{x}.shape"))
    if name == "new_full":
        return f"{x}.new_full({size}, {d.number('2', '0.5', '-1', 'inf')}{option})"
    return f"{x}.{name}({d.choice((size, '2, 3', f'{x}.shape[0], 2'))}{option})"


@row("creation", exact=True)
def arange(d: Draw) -> str:
    x = d.tensor([d.size(3, 2, 5, 4), d.size()])
    size = f"{x}.shape[0]"
    arguments = d.choice((size, "5", "2.5", f"1, {size}", f"0, {size}, 2", "5, 0, -1", "0, 1, 0.3", f"{size}, 0, -1",
                          f"-{size}, {size}", f"{size} * 2", "0", "3, 3", f"start=1, end={size} + 1", f"0, {size}, step=2",
                          f"0.5, {size}", f"{size} - 1, -1, -1"))  # fmt: skip
    return with_options("arange", arguments, d)


@row("creation")
def linspace(d: Draw) -> str:
    x = d.tensor([d.size(3, 2, 5, 4)])
    size = f"{x}.shape[0]"
    arguments = d.choice(("0, 1, 5", f"0, 1, {size}", "-1, 2, steps=4", f"-1.0, 1.0, {size}", "3, 3, 2", "0, 1, 1", "5, -5, 7",
                          f"0, {size} - 1, {size}", f"start=0, end=1, steps={size}", f"0.5, {size} - 0.5, {size}", "0, 10, 0"))  # fmt: skip
    return with_options("linspace", arguments, d)


@row("creation")
def eye(d: Draw) -> str:
    x = d.tensor([d.size(3, 2, 5, 1), d.size()])
    return with_options(
        "eye", d.choice(("3", "2, 3", f"{x}.shape[0]", f"{x}.shape[0], 2", f"{x}.shape[0], {x}.shape[1]", "n=3")), d
    )


@row("creation")
def meshgrid(d: Draw) -> str:
    x, y = d.tensor([d.size()]), d.tensor([d.size()])
    given = d.choice(
        (f"{x}, {y}", f"[{x}, {y}]", f"({x}, {y})", f"{x}", f"{x}, ops.arange({y}.shape[0]).to({x}.dtype)")
    )
    return f"ops.meshgrid({given}{d.choice((', indexing=' + repr('ij'), ', indexing=' + repr('xy')))})"


@row("creation", "tensor", "as_tensor", "scalar_tensor")
def constants(d: Draw, name: str) -> str:
    x = d.tensor(d.shape(1, 3))
    value = d.choice(
        ("2.5", "3", "True", "[1.5, 2.5]", "[1, 2]", "[[True], [False]]", "[0.1]", "1e-8", "np.float32(0.5)")
    )
    if name == "scalar_tensor":
        value = d.choice(("2.5", "3", "True"))
    kind = dtype_text(d)
    text = f"ops.{name}({value}{f', dtype={kind}' if kind else ''})"
    return d.choice((f"{x} * {text}.sum()", f"{x}.sum() + {text}", f"ops.where({x}.sum() > 0, {text}, {text})"))


@row("creation", "tril_indices", "triu_indices")
def indices(d: Draw, name: str) -> str:
    x = d.tensor([d.size(3, 2, 4), d.size(3, 5, 2)])
    given = d.choice(("3, 3", "2, 4", f"{x}.shape[0], {x}.shape[1]", "4, 2, 1", "3, 3, offset=-1", "3, 2, 5"))
    return f"ops.{name}({given}) + {x}.long().sum()"
