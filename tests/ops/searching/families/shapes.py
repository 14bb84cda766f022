"""The same elements in another shape or order of axes."""

from __future__ import annotations

from ops.searching.drawing import Draw, Size
from ops.searching.table import row


def any_tensor(d: Draw, shape: list[int]) -> str:
    return d.tensor(shape, d.dtype(d.main, d.main, "int64", "bool", "int32"), "normal")


@row("shapes", "reshape", "view", "view_as", "reshape_as")
def reshaped(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = any_tensor(d, shape)
    if d.operands[-1][3] != "plain" and name.startswith("view"):
        d.lines.append(
            f"{x} = {x} + 0"
            if d.operands[-1][1] != "bool"
            else f"{x} = {x}.clone(memory_format=torch.contiguous_format)"
        )
    parts = [str(int(size)) if d.chance(2) else f"{x}.shape[{i}]" for i, size in enumerate(shape)]
    if parts and d.chance(2):
        i = d.integer(0, len(parts) - 1)
        if 0 not in shape:
            parts[i] = "-1"
    if len(parts) > 1 and d.chance(2):
        i = d.integer(0, len(parts) - 2)
        a, b = parts[i : i + 2]
        merged = "-1" if "-1" in (a, b) else f"{a} * {b}"
        parts[i : i + 2] = [merged]
    if d.chance(3):
        parts.insert(d.integer(0, len(parts)), "1")
    size = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if name.endswith("_as"):
        return f"{x}.{name}({any_tensor(d, [shape[0] * shape[1], *shape[2:]] if len(shape) > 1 else shape)})"
    if name == "reshape" and d.chance(2):
        return f"ops.reshape({x}, {size})"
    return f"{x}.{name}({size[1:-1] if parts and d.chance(2) else size})"


@row("shapes")
def flatten(d: Draw) -> str:
    shape = d.shape(0, 5)
    first, last = sorted(d.integer(0, max(len(shape) - 1, 0)) for _ in range(2))
    end = last - len(shape) if shape and d.chance(2) else last
    return d.call("flatten", any_tensor(d, shape), [("start_dim", d.maybe(first)), ("end_dim", d.maybe(end))])


@row("shapes")
def ravel(d: Draw) -> str:
    return d.call("ravel", any_tensor(d, d.shape()))


@row("shapes")
def unflatten(d: Draw) -> str:
    shape = d.shape(1, 4)
    axis = d.integer(0, len(shape) - 1)
    parts = [d.choice((2, 1, 3)), d.choice((2, 3, 1))]
    shape[axis] = parts[0] * parts[1]
    sizes = d.choice((parts, [-1, parts[1]], [parts[0], -1], [1, *parts]))
    dim = axis - (len(shape) if d.chance(2) else 0)
    return d.call(
        "unflatten", any_tensor(d, shape), [("dim", str(dim)), ("sizes", str(d.choice((tuple(sizes), sizes))))]
    )


@row("shapes")
def permute(d: Draw) -> str:
    shape = d.shape(0, 5)
    order = list(range(len(shape)))
    for i in range(len(order) - 1):
        j = d.integer(i, len(order) - 1)
        order[i], order[j] = order[j], order[i]
    order = [axis - (len(order) if d.chance(4) else 0) for axis in order]
    x = any_tensor(d, shape)
    form = str(d.choice((tuple(order), order)))
    return d.choice(
        (
            f"ops.permute({x}, {form})",
            f"{x}.permute({form})",
            f"{x}.permute({', '.join(map(str, order))})" if order else f"{x}.permute(())",
        )
    )


@row("shapes", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis")
def exchanged(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = any_tensor(d, shape)
    names = {"transpose": ("dim0", "dim1"), "swapaxes": ("axis0", "axis1"), "swapdims": ("dim0", "dim1")}
    if name in names:
        return d.call(name, x, [(key, d.dim(shape)) for key in names[name]])
    if len(shape) > 1 and d.chance(2):
        return d.call(
            name,
            x,
            [
                ("source", d.choice(("(0, 1)", "(-1, 0)", "[1, 0]"))),
                ("destination", d.choice(("(1, 0)", "(0, -1)", "[-1, 0]"))),
            ],
        )
    return d.call(name, x, [("source", d.dim(shape)), ("destination", d.dim(shape))])


@row("shapes", "t", "T", "mT", "adjoint", "H")
def attributes(d: Draw, name: str) -> str:
    shape = d.shape(2, 2) if name in ("T", "H") else d.shape(0, 2) if name == "t" else d.shape(2, 4)
    x = any_tensor(d, shape)
    return d.call(name, x) if name in ("t", "adjoint") else f"{x}.{name}"


@row("shapes")
def squeeze(d: Draw) -> str:
    shape = [1 if d.chance(2) else size for size in d.shape(0, 4)]
    dim = d.maybe(d.choice((d.dim(shape), d.dims(shape, none=False))))
    return d.call("squeeze", any_tensor(d, shape), [("dim", dim)])


@row("shapes")
def unsqueeze(d: Draw) -> str:
    shape = d.shape(0, 4)
    dim = d.integer(0, len(shape)) - (len(shape) + 1 if d.chance(2) else 0)
    return d.call("unsqueeze", any_tensor(d, shape), [("dim", str(dim))])


@row("shapes", "expand", "broadcast_to", "expand_as")
def expanded(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    kept = d.broadcast(shape)
    x = any_tensor(d, kept)
    if name == "expand_as":
        return f"{x}.expand_as({any_tensor(d, shape)})"
    new = len(shape) - len(kept)
    sizes = ", ".join("-1" if i >= new and d.chance(3) else str(int(size)) for i, size in enumerate(shape))
    if name == "broadcast_to":
        return d.call(name, x, [("size", f"({sizes},)" if sizes else "()")])
    return f"{x}.expand({d.choice((sizes, f'({sizes},)', f'[{sizes}]')) if sizes else '()'})"


@row("shapes", "atleast_1d", "atleast_2d", "atleast_3d", "numel_like")
def at_least(d: Draw, name: str) -> str:
    x = any_tensor(d, d.shape(0, 4))
    return f"ops.{name}({x})" if name != "numel_like" else f"{x}.reshape({x}.numel())"


@row("shapes", "broadcast_tensors")
def broadcast_tensors(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    return f"ops.broadcast_tensors({any_tensor(d, shape)}, {any_tensor(d, d.broadcast(shape))})"


@row("shapes", "cat", "concat", "concatenate")
def joined(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    axis = d.integer(0, len(shape) - 1)
    parts = [[*shape[:axis], d.size(), *shape[axis + 1 :]] for _ in range(d.integer(1, 3))]
    kinds = (d.main, d.main, d.main, "int64", "bool", "int32")
    first = d.dtype(*kinds)
    tensors = [d.tensor(part, first if d.chance(2) else d.dtype(*kinds), "normal") for part in parts]
    text = ", ".join((*tensors, "ops.zeros(0, dtype=x0.dtype)") if d.chance(8) else tensors)
    dim = axis - (len(shape) if d.chance(2) else 0)
    return d.call(
        name, d.choice((f"[{text}]", f"({text},)")), [("dim", str(dim) if axis else d.maybe(dim))], method=False
    )


@row("shapes", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack")
def stacked(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    tensors = [d.tensor(shape, d.dtype(d.main, d.main, d.main, "int64"), "normal") for _ in range(d.integer(1, 3))]
    text = d.choice((f"[{', '.join(tensors)}]", f"({', '.join(tensors)},)"))
    dim = d.maybe(d.integer(0, len(shape)) - (len(shape) + 1 if d.chance(2) else 0)) if name == "stack" else None
    return d.call(name, text, [("dim", dim)], method=False)


@row("shapes", "chunk", "split", "unsafe_chunk", "tensor_split", "split_with_sizes")
def parts(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    x = any_tensor(d, shape)
    dim = d.dim(shape)
    if d.chance(3):
        d.operands[-1][0][int(dim)] = shape[int(dim)] = int(shape[int(dim)])
    size = int(shape[int(dim)])
    if name.endswith("chunk"):  # how many there are depends on the size: of a dynamic one, the first
        text = d.call(name, x, [("chunks", d.choice(("2", "3", "1", "5"))), ("dim", dim)])
        return f"{text}[0]" if isinstance(shape[int(dim)], Size) else text
    first = d.integer(0, size)
    if name == "split":
        how = d.choice(
            (
                "2",
                "1",
                "3",
                str([first, size - first]),
                str((first, size - first)),
                f"{x}.shape[{dim}] // 2" if size > 1 else "1",
            )
        )
        return d.choice(
            (f"{x}.split({how}, {dim})", f"ops.split({x}, {how}, dim={dim})", f"{x}.split({how}, dim={dim})")
        )
    if name == "split_with_sizes":
        return f"{x}.split_with_sizes({[first, size - first]}, {dim})"
    sections = d.choice(("2", "3", "(1,)", "(1, 2)", "[0, -1]"))
    return d.choice((f"ops.tensor_split({x}, {sections}, dim={dim})", f"{x}.tensor_split({sections}, {dim})"))


@row("shapes", "hsplit", "vsplit", "unbind")
def parts_of_an_axis(d: Draw, name: str) -> str:
    shape = d.shape(2, 4)
    if name == "unbind":
        return d.call(name, any_tensor(d, shape), [("dim", d.maybe(d.dim(shape)))])
    axis = 1 if name == "hsplit" else 0
    shape[axis] = d.size(4, 2, 6)
    return f"ops.{name}({any_tensor(d, shape)}, 2)"


@row("shapes")
def iterated(d: Draw) -> str:
    """A tensor unpacked along its first axis."""
    x = d.tensor([2, *d.shape(0, 2)])
    d.lines.append(f"a, b = {x}")
    return d.choice(("a - b", "b, a", "ops.stack([b, a])", f"[row * 2 for row in {x}]"))
