"""Elements moved, repeated, padded, scattered, sorted."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def any_tensor(d: Draw, shape: list[int]) -> str:
    return d.tensor(shape, d.dtype(d.main, d.main, d.main, "int64", "bool", "int32"), "normal")


@row("places", "scatter", "scatter_add", "scatter_reduce")
def scattered(d: Draw, name: str) -> str:
    """The index smaller than the data, and the source larger than the index, as torch allows."""
    shape = [size or 1 for size in d.shape(1, 3)]
    dtype = d.dtype(d.main, d.main, d.main, "int64", "int32")
    x = d.tensor(shape, dtype, "normal")
    axis = d.integer(0, len(shape) - 1)
    size = int(shape[axis])
    extent = [s if d.chance(2) else max(1, int(s) - 1) for s in shape]
    if d.chance(2):
        extent[axis] = d.size(1, 2, 3)
    dim = str(axis - (len(shape) if d.chance(2) else 0))
    repeated = name != "scatter" or int(extent[axis]) > size
    extent = [min(int(e), size) if i == axis and name == "scatter" else e for i, e in enumerate(extent)]
    where = d.tensor(extent, "int64", f"index:{size}" if repeated and name != "scatter" else f"distinct:{axis}:{size}")
    source = d.tensor([e if d.chance(2) else int(e) + 1 for e in extent], dtype, "normal")
    if name == "scatter":
        if d.chance(4):
            return d.call(name, x, [("dim", dim), ("index", where), ("value", d.number("2", "0", "-1"))])
        reduce = d.maybe(d.choice(("'add'", "'multiply'")), 4)
        return d.call(name, x, [("dim", dim), ("index", where), ("src", source), ("*reduce", reduce)])
    given: list[tuple[str, str | None]] = [("dim", dim), ("index", where), ("src", source)]
    if name == "scatter_reduce":
        given.append(("reduce", d.choice(("'sum'", "'amax'", "'amin'", "'prod'", "'mean'"))))
        given.append(("*include_self", d.maybe(d.flag())))
    return d.call(name, x, given)


@row("places", "index_add", "index_copy", "index_fill", "index_put", "masked_scatter", "put", "index_reduce")
def indexed(d: Draw, name: str) -> str:
    shape = [size or 1 for size in d.shape(1, 3)]
    dtype = d.dtype(d.main, d.main, d.main, "int64")
    x = d.tensor(shape, dtype, "normal")
    axis = d.integer(0, len(shape) - 1)
    size = int(shape[axis])
    dim = str(axis - (len(shape) if d.chance(2) else 0))
    if name == "masked_scatter":
        return d.call(name, x, [("mask", d.tensor(shape, "bool")), ("source", d.tensor(shape, dtype, "normal"))])
    if name == "put":
        return d.call(name, x, [("index", d.tensor([1], "int64", "index:1")), ("source", d.tensor([1], dtype))])
    count = d.integer(1, size)
    if name == "index_put":
        first = int(shape[0])
        where = d.tensor([1], "int64", f"index:{first}")
        return d.call(name, x, [("indices", f"({where},)"), ("values", d.choice((d.tensor([], dtype), d.tensor([1, *shape[1:]], dtype)))),
                                ("accumulate", d.maybe(d.flag()))])  # fmt: skip
    adds = name in ("index_add", "index_reduce")
    where = d.tensor([count], "int64", f"index:{size}" if adds else f"distinct:0:{size}")
    if name == "index_fill":
        return d.call(name, x, [("dim", dim), ("index", where), ("value", d.choice(("2", "-1", d.tensor([], dtype))))])
    source = d.tensor([*shape[:axis], count, *shape[axis + 1 :]], dtype, "normal")
    given = [("dim", dim), ("index", where), ("source", source)]
    if name == "index_add":
        given.append(("*alpha", d.maybe(d.choice(("2", "-1")))))
    if name == "index_reduce":
        given.append(("reduce", d.choice(("'amax'", "'prod'", "'mean'", "'amin'"))))
    return d.call(name, x, given)


@row("places", "select_scatter", "slice_scatter", "diagonal_scatter")
def put_back(d: Draw, name: str) -> str:
    shape = [size or 1 for size in d.shape(2 if name[0] == "d" else 1, 3)]
    dtype = d.dtype(d.main, d.main, d.main, "int64", "bool")
    x = d.tensor(shape, dtype, "normal")
    if name == "diagonal_scatter":
        offset = d.choice((0, 1, -1))
        count = min(int(shape[0]) + min(offset, 0), int(shape[1]) - max(offset, 0))
        if count < 1:
            offset, count = 0, min(int(shape[0]), int(shape[1]))
        for i in range(2):
            shape[i] = d.operands[-1][0][i] = int(shape[i])
        source = d.tensor([*shape[2:], count], dtype, "normal")
        return d.call(name, x, [("src", source), ("offset", str(offset) if offset else d.maybe("0"))])
    axis = d.integer(0, len(shape) - 1)
    size = int(shape[axis])
    shape[axis] = d.operands[-1][0][axis] = size
    dim = str(axis - (len(shape) if d.chance(2) else 0))
    if name == "select_scatter":
        source = d.tensor([*shape[:axis], *shape[axis + 1 :]], dtype, "normal")
        index = d.integer(0, size - 1) - (size if d.chance(2) else 0)
        return d.call(name, x, [("src", source), ("dim", dim), ("index", str(index))])
    start, step = d.integer(0, size - 1), d.choice((1, 2, 3))
    stop = d.integer(start + 1, size)
    source = d.tensor([*shape[:axis], len(range(start, stop, step)), *shape[axis + 1 :]], dtype, "normal")
    end = stop - size if stop < size and d.chance(2) else stop
    return d.call(
        name, x, [("src", source), ("dim", dim), ("start", str(start)), ("end", str(end)), ("step", str(step))]
    )


@row("places")
def pad(d: Draw) -> str:
    mode = d.choice(("constant", "constant", "reflect", "replicate", "circular"))
    if mode == "constant":
        shape = d.shape(1, 4)
        axes = d.integer(1, len(shape))
        dtype = d.dtype(d.main, d.main, "int64", "bool")
    else:
        axes = d.integer(1, 3 if mode != "reflect" else 2)
        shape, dtype = d.images(axes, least=3), d.main
        if d.chance(4):
            shape = shape[1:]
    x = d.tensor(shape, dtype, "normal")
    pads = [d.choice((1, 0, 2, -1, 0)) for _ in range(2 * axes)]
    texts = [f"{x}.shape[-1] % 3" if d.chance(8) else str(p) for p in pads]
    text = d.choice((f"({', '.join(texts)})", f"[{', '.join(texts)}]"))
    if mode == "constant":
        value = d.maybe(d.number("1.5", "0", "-inf", "nan", "2", "None", "True"))
        return d.call("pad", x, [("pad", text), ("mode", d.maybe("'constant'")), ("value", value)], method=False)
    return d.call("pad", x, [("pad", text), ("mode", f"'{mode}'")], method=False)


@row("places", "flip", "fliplr", "flipud", "rot90")
def flipped(d: Draw, name: str) -> str:
    shape = d.shape(2, 4)
    x = any_tensor(d, shape)
    if name == "flip":
        return d.call(name, x, [("dims", d.dims(shape, none=False))])
    if name == "rot90":
        return d.call(name, x, [("k", d.maybe(d.choice(("1", "2", "-1")))), ("dims", None)])
    return d.call(name, x)


@row("places")
def roll(d: Draw) -> str:
    shape = d.shape(0, 4)
    x = any_tensor(d, shape)
    if d.chance(3) and len(shape) > 1:
        return d.call(
            "roll",
            x,
            [
                ("shifts", d.choice(("(1, -1)", "[2, 0]", "(-3, 5)"))),
                ("dims", d.choice(("(0, 1)", "[-1, 0]", "(-1, -2)"))),
            ],
        )
    shift = d.choice(
        ("1", "-1", "2", "0", "7", f"{x}.shape[-1] // 2" if shape else "3", f"-({x}.shape[0] // 2)" if shape else "3")
    )
    return d.call("roll", x, [("shifts", shift), ("dims", d.maybe(d.dim(shape)))])


@row("places", "repeat", "tile")
def repeated(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    x = any_tensor(d, shape)
    least = len(shape) if name == "repeat" else d.integer(0, len(shape))
    times = [d.choice(("1", "2", "3", "0" if d.chance(4) else "2", f"{x}.shape[0]" if shape and d.chance(3) else "1"))
             for _ in range(least + (1 if d.chance(3) else 0))]  # fmt: skip
    text = ", ".join(times)
    if name == "tile" and d.chance(2):
        return f"ops.tile({x}, ({text}{',' if times else ''}))"
    return f"{x}.{name}({d.choice((text, f'({text},)', f'[{text}]')) if times else '()'})"


@row("places")
def repeat_interleave(d: Draw) -> str:
    shape = d.shape(0, 4)
    x = any_tensor(d, shape)
    dim = d.maybe(d.dim(shape)) if shape else None
    times = d.choice(("2", "1", "3", "torch.tensor([2])", "0" if d.chance(4) else "2"))
    if dim and shape and d.chance(4):
        times = f"torch.tensor({[d.integer(0, 3) for _ in range(int(shape[int(dim)]))] or [1]})"
    return d.call("repeat_interleave", x, [("repeats", times), ("dim", dim)])


@row("places", "tril", "triu", "diagonal", "diag", "diag_embed", "trace", "diagflat")
def triangles(d: Draw, name: str) -> str:
    shape = d.shape(1, 2) if name in ("diag", "diagflat") else d.shape(2, 2) if name == "trace" else d.shape(2, 4)
    x = any_tensor(d, shape)
    offset = d.maybe(d.choice(("0", "1", "-1", "3", "-5")))
    if name == "trace":
        return d.call(name, x)
    if name in ("tril", "triu", "diag"):
        return d.call(name, x, [("diagonal", offset)])
    dims = d.chance(3) and name in ("diagonal", "diag_embed")
    return d.call(name, x, [("offset", offset), ("dim1", "-2" if dims else None), ("dim2", "0" if dims else None)])


@row("places", "sort", "argsort", "topk", "kthvalue", "msort")
def ordered(d: Draw, name: str) -> str:
    """Of equal values any place is right: places are compared where there are none, values always."""
    shape = d.shape(0, 4)
    dtype = d.dtype(d.main, d.main, d.main, "int64", "int32", "bool", "uint8")
    dim = d.maybe(d.dim(shape))
    size = int(shape[int(dim or -1)]) if shape else 1
    floats = dtype == d.main
    x = d.tensor(shape, dtype, "normal" if floats and dtype != "bfloat16" else "ties")
    order = d.maybe(d.flag())
    stable = d.maybe("True", 3)
    if name == "msort":
        return d.call(name, x)
    if name == "argsort":
        return (
            f"{x}.gather({dim or -1}, {d.call(name, x, [('dim', dim), ('descending', order)])})"
            if shape
            else d.call(name, x)
        )
    if name == "sort":
        text = (
            d.call(name, x, [("*stable", stable), ("dim", dim), ("descending", order)])
            if stable
            else d.call(name, x, [("dim", dim), ("descending", order)])
        )
        return f"{text}[0]" if not (stable and floats) else text
    k = d.integer(1, max(size, 1))
    if name == "kthvalue":
        return d.call(name, x, [("k", str(k)), ("dim", dim)]) + "[0]"
    largest, ordering = d.maybe(d.flag()), d.maybe("True")
    return d.call(name, x, [("k", str(k)), ("dim", dim), ("largest", largest), ("sorted", ordering)]) + "[0]"


@row("places")
def one_hot(d: Draw) -> str:
    count = d.choice((4, 6, 1))
    x = d.tensor(d.shape(0, 3), d.dtype("int64", "int64", "int32"), f"index:{count}")
    return d.call("one_hot", x, [("num_classes", str(count))], method=False)


@row(
    "places",
    "unfold_method",
    "nonzero",
    "argwhere",
    "bucketize",
    "searchsorted",
    "cartesian_prod",
    "block_diag",
    "isin",
)
def searching(d: Draw, name: str) -> str:
    shape = d.shape(1, 3)
    if name == "unfold_method":
        x = any_tensor(d, shape)
        dim = d.dim(shape)
        size = max(1, int(shape[int(dim)]))
        return f"{x}.unfold({dim}, {d.integer(1, size)}, {d.integer(1, 3)})"
    if name in ("nonzero", "argwhere"):
        return d.call(name, d.tensor(shape, d.dtype(), "ties"))
    if name == "bucketize":
        return d.call(
            name,
            d.tensor(shape),
            [("boundaries", "torch.tensor([-1.0, 0.0, 0.5])"), ("*right", d.maybe(d.flag()))],
            method=False,
        )
    if name == "searchsorted":
        return f"ops.searchsorted(torch.tensor([-1.0, 0.0, 0.5], dtype=torch.{d.main}), {d.tensor(shape)})"
    if name == "isin":
        return f"ops.isin({d.tensor(shape, 'int64', 'ties')}, torch.tensor([1, -2]))"
    x, y = (d.tensor([d.size()] if name == "cartesian_prod" else d.shape(2, 2)) for _ in range(2))
    return f"ops.{name}({x}, {y})"
