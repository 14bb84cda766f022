"""Square brackets, on the right and on the left of an assignment."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def index(d: Draw, x: str, shape: list[int], *, lists: bool = True) -> str:
    """What stands in the brackets: ints, slices, None, `...`, tensors, lists, masks, sizes."""
    parts: list[str] = []
    ellipsis = False
    axis = 0
    while axis < len(shape):
        size = int(shape[axis])
        kind = d.choice(("slice", "int", "all", "none", "ellipsis", "tensor", "list", "size", "mask"))
        if kind == "slice":
            bounds = [d.maybe(d.choice((0, 1, -1, 2, size, -size, size - 1, 9, -9, f"{x}.shape[{axis}] // 2",
                                        f"{x}.shape[{axis}] - 1", f"-({x}.shape[{axis}] // 2)"))) or "" for _ in range(2)]  # fmt: skip
            step = d.maybe(d.choice((1, 2, 3)), 3)
            parts.append(f"{bounds[0]}:{bounds[1]}{f':{step}' if step else ''}")
        elif kind == "int" and size:
            parts.append(str(d.integer(0, size - 1) - (size if d.chance(2) else 0)))
        elif kind == "none":
            parts.append("None")
            continue
        elif kind == "ellipsis" and not ellipsis:
            ellipsis = True
            parts.append("...")
            axis = d.integer(axis, len(shape))
            continue
        elif kind == "tensor" and lists and size:
            parts.append(
                d.tensor(
                    d.choice(([d.size()], [], [2, d.size()])), d.dtype("int64", "int64", "int32"), f"signed:{size}"
                )
            )
        elif kind == "list" and lists and size:
            values = [d.integer(0, size - 1) for _ in range(d.integer(1, 3))]
            parts.append(d.choice((str(values), f"torch.tensor({values})", f"np.array({values})")))
        elif kind == "mask" and lists and size:
            values = [True, *(d.chance(2) for _ in range(size - 1))]
            parts.append(d.choice((str(values), f"torch.tensor({values})")))
        elif kind == "size" and size:
            parts.append(
                d.choice((f"{x}.shape[{axis}] - 1", f"{x}.shape[{axis}] // 2", f"{x}.size({axis}) - 1"))
                if size > 1
                else "0"
            )
        else:
            parts.append(":")
        axis += 1
        if d.chance(4):
            break
    return ", ".join(parts) or "..."


@row("indexing")
def getitem(d: Draw) -> str:
    shape = d.shape(0, 4)
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64", "bool", "int32"), "normal")
    return f"{x}[{index(d, x, shape)}]"


@row("indexing")
def slices(d: Draw) -> str:
    shape = d.shape(1, 4)
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64", "bool"), "normal")
    return f"{x}[{index(d, x, shape, lists=False)}]"


@row("indexing")
def slices_of_sizes(d: Draw) -> str:
    """Bounds computed from sizes, negative ones among them."""
    x = d.tensor([d.size(5, 4, 7, 3), d.size(6, 4, 3)])
    size, other = f"{x}.shape[0]", f"{x}.shape[1]"
    bounds = ("", "1", "-1", f"{size} // 2", f"-({size} // 2)", f"{size} - 5", f"-{size}", f"{other} - {size}", f"{other} // 2",
              f"{size} - {other}", f"{size} + 1", f"-({other} // 3)", "-2", "9")  # fmt: skip
    return f"{x}[{d.choice(bounds)}:{d.choice(bounds)}{d.choice(('', ':2', ':3', f':{other} // 2'))}]"


@row("indexing")
def several_tensors(d: Draw) -> str:
    """Index tensors in several places, which broadcast, with and without slices between them."""
    shape = [d.size(3, 4, 2), d.size(4, 3, 2), d.size(2, 3, 5)]
    x = d.tensor(shape)
    common = d.shape(0, 2)
    parts = []
    for size in shape:
        wanted = d.choice(("tensor", "tensor", ":", "None, :", "1", "::2"))
        parts.append(d.tensor(d.broadcast(common), "int64", f"signed:{int(size)}") if wanted == "tensor" else wanted)
    return f"{x}[{', '.join(parts)}]"


@row("indexing")
def boolean_mask(d: Draw) -> str:
    """How many are true is known only at run time, unless what follows takes that away."""
    shape = d.shape(1, 3)
    x, mask = d.tensor(shape), d.tensor(shape[: d.integer(1, len(shape))], "bool")
    return d.choice((f"{x}[{mask}].sum()", f"{x}[{mask}]", f"{x}[{x} > 0].sum()", f"ops.masked_select({x}, {x} > 0)"))


@row("indexing")
def setitem(d: Draw) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64"), "normal")
    d.lines.append(f"y = {x}{d.choice(('.clone()', ' * 1', ' + 1'))}")
    where = index(d, x, shape, lists=d.chance(3))
    value = d.choice(("2", "0.5", "-1", d.tensor([], d.main), f"{x}[{where}] * 2"))
    d.lines.append(f"y[{where}] {d.choice(('=', '=', '+=', '*='))} {value}")
    return d.choice(("y", f"y + {x}"))


@row("indexing")
def set_mask(d: Draw) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(shape, values="normal")
    mask = d.choice((d.tensor(shape, "bool"), f"{x} > 0", f"{x} < -0.5"))
    d.lines.append(f"y = {x} * 1")
    d.lines.append(f"y[{mask}] {d.choice(('=', '=', '*='))} {d.choice(('0', '2.5', '-math.inf'))}")
    return "y"


@row("indexing", "narrow", "select", "index_select", "take", "take_along_dim", "gather")
def chosen(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    shape = [max(size, 1) if size == 0 else size for size in shape]
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64", "bool"), "normal")
    dim = d.dim(shape)
    size = int(shape[int(dim)])
    if name == "narrow":
        start = d.integer(0, size)
        length = d.integer(0, size - start)
        start_text = str(start - size) if start < size and d.chance(3) else str(start)
        return d.call(name, x, [("dim", dim), ("start", start_text), ("length", str(length))])
    if name == "select":
        return d.call(name, x, [("dim", dim), ("index", str(d.integer(0, size - 1) - (size if d.chance(2) else 0)))])
    if name == "index_select":
        where = d.choice((d.tensor([d.size()], d.dtype("int64", "int32"), f"index:{size}"), "torch.tensor([0, 0])"))
        return d.call(name, x, [("dim", dim), ("index", where)])
    if name == "take":
        count = 1
        for part in shape:
            count *= int(part)
        return d.call(name, x, [("index", d.tensor(d.shape(0, 2), "int64", f"signed:{count}"))])
    other = [s if d.chance(2) else max(1, int(s) - 1) for s in shape]
    other[int(dim)] = d.size()
    if name == "gather":
        return d.call(name, x, [("dim", dim), ("index", d.tensor(other, "int64", f"index:{size}"))])
    other = [1 if d.chance(3) else s for s in shape]
    other[int(dim)] = d.size()
    d.operands[-1][0][int(dim)] = size  # torch lets any index of a single element be that
    return d.call(name, x, [("indices", d.tensor(other, "int64", f"index:{size}")), ("dim", dim)])
