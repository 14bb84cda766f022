"""Activations, with every argument."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row

PLAIN = ("relu6", "hardswish", "hardsigmoid", "silu", "mish", "logsigmoid", "softsign", "tanhshrink", "selu")
INPLACE = ("relu6", "hardswish", "hardsigmoid", "silu", "mish", "selu")


@row("activations", *PLAIN, exact=True)
def plain(d: Draw, name: str) -> str:
    inplace = d.maybe("False", 4) if name in INPLACE else None
    return d.call(name, d.tensor(dtype=d.dtype(d.main, d.main, d.main, "int64")), [("inplace", inplace)])


ARGUMENTS = {
    "leaky_relu": (("negative_slope", ("0.2", "0.01", "0", "-0.5", "1.5", "1")),),
    "elu": (("alpha", ("1.0", "0.3", "2", "-1", "0")),),
    "celu": (("alpha", ("1.0", "0.3", "2", "-1")),),
    "hardshrink": (("lambd", ("0.5", "0", "1")),),
    "softshrink": (("lambd", ("0.5", "0", "1")),),
    "hardtanh": (("min_val", ("-1", "-0.5", "0")), ("max_val", ("1", "6.0", "0.25"))),
    "softplus": (("beta", ("1", "2.5", "0.1")), ("threshold", ("20", "1", "5"))),
    "gelu": (("*approximate", ("'tanh'", "'none'")),),
    "threshold": (("threshold", ("0.1", "0", "-1")), ("value", ("20", "0", "-2.5", "inf"))),
}


@row("activations", *ARGUMENTS, exact=True)
def with_arguments(d: Draw, name: str) -> str:
    x = d.tensor(dtype=d.dtype(d.main, d.main, d.main, d.main, "int64"))
    needed = name == "threshold"
    given = [(key, d.number(*values) if needed or d.chance(2) else None) for key, values in ARGUMENTS[name]]
    return d.call(name, x, given)


@row("activations", "softmax", "log_softmax", "softmin")
def over_an_axis(d: Draw, name: str) -> str:
    shape = d.shape(0, 4)
    x = d.tensor(
        shape, d.dtype(d.main, d.main, d.main, d.main, "int64"), d.choice(("normal", "big", "special", "ties"))
    )
    dtype = d.maybe(d.torch_dtype("float32", "float16", "bfloat16"), 3)
    return d.call(name, x, [("dim", d.dim(shape)), ("*dtype", dtype)])


@row("activations")
def glu(d: Draw) -> str:
    shape = d.shape(1, 4)
    axis = d.integer(0, len(shape) - 1)
    shape[axis] = d.size(2, 4, 6, 8)
    dim = str(axis - (len(shape) if d.chance(2) else 0))
    return d.call("glu", d.tensor(shape), [("dim", dim if axis != len(shape) - 1 else d.maybe(dim))])


@row("activations", exact=True)
def prelu(d: Draw) -> str:
    shape = d.shape(0, 4)
    channels = int(shape[1]) if len(shape) > 1 else 1
    weight = d.choice((d.tensor([d.choice((1, channels))]), d.constant([d.choice((1, channels))])))
    return d.call("prelu", d.tensor(shape), [("weight", weight)])


@row("activations", exact=True)
def rrelu(d: Draw) -> str:
    return d.call("rrelu", d.tensor(), [("lower", d.maybe("0.1", 3)), ("upper", d.maybe("0.5", 3))])


@row("activations", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
def dropped(d: Draw, name: str) -> str:
    spatial = {"dropout1d": 1, "dropout2d": 2, "dropout3d": 3}.get(name)
    x = d.tensor(d.shape(0, 4) if spatial is None else d.images(spatial))
    return f"ops.{name}({x}, {d.choice(('0.5', 'p=0.2', '0.0'))}, training=False)"
