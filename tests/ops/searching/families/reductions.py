"""Reductions and cumulative functions: every dtype, axes of every form, keepdim, dtype."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def keep(d: Draw) -> tuple[str, str | None]:
    return "keepdim", d.maybe(d.flag())


@row("reductions", "sum", "mean", "nansum", "nanmean")
def sums(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype(d.main, d.main, d.main, d.main, "int64", "int32", "bool", "uint8"))
    given = [("dim", d.maybe(d.dims(shape))), keep(d), ("*dtype", d.maybe(d.torch_dtype(), 4))]
    if d.chance(8):
        given[0] = ("axis", given[0][1])
    if given[0][1] is None and given[1][1] is not None:
        given[0] = ("dim", "None")
    return d.call(name, x, given)


@row("reductions", "amax", "amin")
def extremes(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype())
    return d.call(name, x, [("dim", d.maybe(d.dims(shape, none=False))), keep(d)])


@row("reductions", "prod", "all", "any")
def products(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype(), d.choice(("normal", "ties", "positive")))
    dim = d.maybe(d.dims(shape, none=False) if name != "prod" and d.chance(3) else d.dim(shape))
    dtype = ("*dtype", d.maybe(d.torch_dtype(), 4)) if name == "prod" else ("*dtype", None)
    return d.call(name, x, [("dim", dim), keep(d) if dim else ("keepdim", None), dtype])


@row("reductions", "max", "min", "median", "nanmedian", "mode")
def with_places(d: Draw, name: str) -> str:
    shape = d.shape()
    unordered = ("special",) if name in ("max", "min") else ()  # where NaN belongs in an order TensorRT does not say
    x = d.tensor(shape, d.dtype(), d.choice(("normal", "ties", "big", *unordered)))
    if name in ("max", "min") and d.chance(4):
        return d.call(name, x, [("other", d.tensor(d.broadcast(shape), d.dtype()))])
    dim = d.maybe(d.dim(shape)) if name != "mode" else d.dim(shape)
    text = d.call(name, x, [("dim", dim), keep(d) if dim else ("keepdim", None)])
    if dim:  # among equals any place is right
        d.lines.append(f"values, indices = {text}")
        return d.choice(("values", f"{x}.gather({dim}, indices if indices.dim() == {x}.dim() else indices.unsqueeze({dim}))"
                         if shape else "values", "values"))  # fmt: skip
    return text


@row("reductions", "argmax", "argmin")
def places(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype(d.main, d.main, d.main, "int64", "int32", "uint8"), "normal")
    dim = d.maybe(d.dim(shape))
    return d.call(name, x, [("dim", dim), keep(d) if dim else ("keepdim", None)])


@row("reductions", "var", "std", "var_mean", "std_mean")
def spreads(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = d.tensor(shape, d.dtype(d.main, d.main, d.main, d.main, "int64"), d.choice(("normal", "ties", "big")))
    dim = d.maybe(d.dims(shape))
    if d.chance(3):
        return d.call(name, x, [("dim", dim), ("*unbiased", d.flag())])
    return d.call(
        name,
        x,
        [("dim", dim), ("*correction", d.maybe(d.choice(("0", "1", "2", "0.5")))), ("*keepdim", d.maybe(d.flag()))],
    )


@row("reductions", "logsumexp", "count_nonzero", "aminmax")
def others(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    x = d.tensor(
        shape, d.dtype(d.main, d.main, d.main, "int64", "bool"), d.choice(("normal", "special", "big", "ties"))
    )
    if name == "count_nonzero":
        return d.call(name, x, [("dim", d.maybe(d.dims(shape)))])
    if name == "aminmax":
        return d.call(name, x, [("*dim", d.maybe(d.dim(shape))), ("*keepdim", d.maybe(d.flag()))])
    return d.call(name, x, [("dim", d.dims(shape, none=False)), keep(d)])


@row("reductions", "norm", "vector_norm")
def norms(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = d.tensor(shape, values=d.choice(("normal", "ties", "positive")))
    p = d.maybe(d.number("2", "1", "0", "inf", "-inf", "3", "0.5", *(("'fro'", "None") if name == "norm" else ("-1",))))
    dim = d.maybe(d.dims(shape))
    return d.call(name, x, [("p" if name == "norm" else "ord", p), ("dim", dim), keep(d)], method=name == "norm")


@row("reductions", "cumsum", "cumprod", "logcumsumexp")
def running(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = d.tensor(
        shape, d.dtype(), d.choice(("normal", "ties", "unit") if name == "cumprod" else ("normal", "ties", "big"))
    )
    dtype = d.maybe(d.torch_dtype(), 4) if name != "logcumsumexp" else None
    return d.call(name, x, [("dim", d.dim(shape)), ("*dtype", dtype)])


@row("reductions", "cummax", "cummin")
def running_extremes(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    return d.call(name, d.tensor(shape, d.dtype(d.main, d.main, "int64")), [("dim", d.dim(shape))]) + "[0]"


@row("reductions")
def diff(d: Draw) -> str:
    shape = d.shape(1, 4)
    return d.call(
        "diff", d.tensor(shape, d.dtype()), [("n", d.maybe(d.choice(("1", "2", "0")))), ("dim", d.maybe(d.dim(shape)))]
    )


@row("reductions", "quantile", "nanquantile")
def quantiles(d: Draw, name: str) -> str:
    shape = d.shape(1, 3)
    x = d.tensor(
        shape, "float32", d.choice(("normal", "ties", "special") if name == "quantile" else ("normal", "ties"))
    )
    dim = d.maybe(d.dim(shape))
    kinds = ("'linear'", "'lower'", "'higher'", "'midpoint'", "'nearest'")
    q = ("q", d.choice(("0.3", "0.0", "1.0", "0.5", "ops.tensor([0.25, 0.9])")))
    return d.call(
        name, x, [q, ("dim", dim), keep(d) if dim else ("keepdim", None), ("*interpolation", d.maybe(d.choice(kinds)))]
    )


@row("reductions", "trapezoid", "trapz", "cumulative_trapezoid")
def integrals(d: Draw, name: str) -> str:
    shape = [size or 1 for size in d.shape(1, 3)]
    x = d.tensor(shape, values="normal")
    where = [("", d.tensor(shape, values="normal"))] if d.chance(2) else [("*dx", d.maybe(d.number("0.5", "2")))]
    return d.call(name, x, [*where, ("*dim", d.maybe(d.dim(shape)))], method=False)
