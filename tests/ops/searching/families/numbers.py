"""Elementwise arithmetic: functions of one number, of two, comparisons, choices, casts, and numbers made of sizes."""

from __future__ import annotations

from ops.searching.drawing import NUMBERS, Draw
from ops.searching.table import row

ANY = ("float32", "float16", "bfloat16")


def operand(d: Draw, shape: list[int], dtype: str | None = None) -> str:
    """A second operand: a tensor that broadcasts, a number, a 0-dim tensor, a constant, a numpy scalar or a size."""
    kind = d.choice(("tensor", "tensor", "number", "number", "scalar", "constant", "0-dim constant", "numpy"))
    dtype = dtype or d.dtype()
    if kind == "tensor":
        return d.tensor(d.broadcast(shape), dtype)
    if kind == "number":
        return d.number()
    if kind == "scalar":
        return d.tensor([], dtype)
    if kind == "numpy":
        return d.choice(("np.float32(0.5)", "np.int64(3)", "np.float64(1.5)", "np.int32(-2)"))
    small = [int(size) for size in d.broadcast(shape)] if kind == "constant" else []
    return d.constant(small if len(small) < 3 else small[-1:], dtype)


UNARY = (
    "exp", "sin", "cos", "tanh", "sigmoid", "erf", "sqrt", "rsqrt", "log", "log2", "log10", "log1p", "expm1",
    "reciprocal", "square", "neg", "sign", "abs", "floor", "ceil", "trunc", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "asinh", "acosh", "atanh", "isnan", "isinf", "isfinite", "logical_not", "relu", "erfc", "exp2", "frac",
    "positive", "signbit", "deg2rad", "rad2deg", "logit", "sgn", "absolute", "negative", "isposinf", "isneginf",
    "sinc", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "fix",
)  # fmt: skip


@row("numbers", *UNARY, exact=True)
def unary(d: Draw, name: str) -> str:
    unit = name in ("asin", "acos", "atanh", "logit", "arcsin", "arccos", "arctanh")
    values = d.choice(
        ("unit", "unit", "normal", "special") if unit else ("normal", "positive", "special", "ties", "big")
    )
    if values == "big" and name in ("sin", "cos", "tan"):
        values = "normal"
    d.exact = name != "erfc"  # of which 1 - erf(x) has few digits around 2
    return d.call(name, d.tensor(dtype=d.dtype(), values=values))


@row("numbers", "round", exact=True)
def rounded(d: Draw, name: str) -> str:
    x = d.tensor(dtype=d.dtype(), values=d.choice(("normal", "special", "ties")))
    return d.call("round", x, [("decimals", d.maybe(d.choice((0, 1, 2, -1)), 3))])


@row("numbers", "bitwise_not", exact=True)
def bits(d: Draw, name: str) -> str:
    x = d.tensor(dtype=d.dtype("bool", "int32", "int64", "uint8"))
    return d.choice((f"~{x}", d.call(name, x)))


OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floor_divide": "//", "remainder": "%", "pow": "**"}


@row("numbers", *OPERATORS, exact=True)
def operator(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype())
    y = operand(d, shape)
    spelling = d.choice(("operator", "reflected", "function"))
    if spelling == "function":
        extra: list[tuple[str, str | None]] = [("other" if name != "pow" else "exponent", y)]
        if name in ("add", "sub"):
            extra.append(("*alpha", d.maybe(d.choice(("2", "0.5", "-1", "0")))))
        if name == "div":
            extra.append(("*rounding_mode", d.maybe(d.choice(("'floor'", "'trunc'", "None")))))
        return d.call(name, x, extra)
    left, right = (x, y) if spelling == "operator" else (y, x)
    return f"{left} {OPERATORS[name]} {right}"


@row("numbers", "eq", "ne", "lt", "le", "gt", "ge", exact=True)
def comparison(d: Draw, name: str) -> str:
    sign = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[name]
    shape = d.shape()
    x, y = d.tensor(shape, d.dtype(), d.choice(("ties", "special", "normal"))), operand(d, shape)
    return d.call(name, x, [("other", y)]) if d.chance(2) else f"{x} {sign} {y}"


@row("numbers", "bitwise_and", "bitwise_or", "bitwise_xor", exact=True)
def bitwise(d: Draw, name: str) -> str:
    sign = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}[name]
    kinds = ("bool", "bool", "int64", "int32", "uint8")
    shape = d.shape()
    x = d.tensor(shape, d.dtype(*kinds))
    y = d.choice((d.number("1", "3", "True", "-1"), d.tensor(d.broadcast(shape), d.dtype(*kinds))))
    return d.choice((f"{x} {sign} {y}", f"{y} {sign} {x}", d.call(name, x, [("other", y)])))


@row("numbers", "bitwise_left_shift", "bitwise_right_shift", exact=True)
def shifted(d: Draw, name: str) -> str:
    sign = {"bitwise_left_shift": "<<", "bitwise_right_shift": ">>"}[name]
    kinds = ("int64", "int32", "uint8")
    shape = d.shape()
    x = d.tensor(shape, d.dtype(*kinds), d.choice(("normal", "big")))
    y = d.choice((d.number("1", "3", "0", "7"), d.tensor(d.broadcast(shape), d.dtype(*kinds), "index:6")))
    return d.choice((f"{x} {sign} {y}", d.call(name, x, [("other", y)])))


PAIRS = (
    "maximum", "minimum", "fmax", "fmin", "atan2", "fmod", "logaddexp", "logaddexp2", "logical_and", "logical_or",
    "logical_xor", "hypot", "copysign", "xlogy", "float_power", "true_divide", "multiply", "subtract", "divide",
    "greater", "less", "greater_equal", "less_equal", "not_equal", "heaviside", "rsub",
    "arctan2",
)  # fmt: skip


@row("numbers", *PAIRS, exact=True)
def pair(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype(), d.choice(("normal", "special", "ties")))
    numbers = name in ("fmod", "copysign", "xlogy", "float_power", "true_divide", "multiply", "subtract", "divide",
                       "greater", "less", "greater_equal", "less_equal", "not_equal", "rsub")  # fmt: skip
    y = (
        operand(d, shape)
        if numbers
        else d.tensor(d.broadcast(shape), d.operands[0][1] if name == "heaviside" else d.dtype())
    )
    return d.call(name, x, [({"float_power": "exponent", "heaviside": "values"}.get(name, "other"), y)])


@row("numbers")
def ldexp(d: Draw) -> str:
    shape = d.shape()
    other = d.tensor(d.broadcast(shape), d.dtype("int64", "int32", d.main), "unit")
    return d.call("ldexp", d.tensor(shape, d.dtype(d.main, d.main, "int64"), "normal"), [("other", other)])


@row("numbers", "clamp", "clip", exact=True)
def clamped(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype(), d.choice(("normal", "special", "big")))
    if d.chance(3):
        bounds = [d.maybe(d.tensor(d.broadcast(shape), d.dtype()), 2) for _ in range(2)]
    else:
        bounds = [
            d.maybe(d.number("-0.5", "0", "1", "nan", "-inf", "2", "-1", "1e-8", "70000", "None")) for _ in range(2)
        ]
    return d.call(name, x, [("min", bounds[0]), ("max", bounds[1])])


@row("numbers", "clamp_min", "clamp_max", exact=True)
def clamped_once(d: Draw, name: str) -> str:
    shape = d.shape()
    x = d.tensor(shape, d.dtype())
    bound = d.choice((d.number("-0.5", "0", "1", "2.5"), d.tensor(d.broadcast(shape), d.dtype())))
    return d.call(name, x, [(name[-3:], bound)])


@row("numbers", exact=True)
def where(d: Draw) -> str:
    shape = d.shape()
    condition = d.tensor(d.broadcast(shape), "bool")
    a = d.tensor(shape, d.dtype())
    b = operand(d, shape)
    if d.chance(3):
        return f"{a}.where({condition}, {b})"
    return f"ops.where({condition}, {a}, {b})" if d.chance(2) else f"ops.where({condition}, {b}, {a})"


@row("numbers", exact=True)
def masked_fill(d: Draw) -> str:
    shape = d.shape()
    x, mask = d.tensor(shape, d.dtype()), d.tensor(d.broadcast(shape), "bool")
    value = d.choice((d.number("-inf", "0", "0.0", "-1e9", "1", "nan", "-10000.0"), d.tensor([], d.dtype())))
    return d.call("masked_fill", x, [("mask", mask), ("value", value)])


@row("numbers", exact=True)
def lerp(d: Draw) -> str:
    shape = d.shape()
    x, end = d.tensor(shape), d.tensor(d.broadcast(shape))
    weight = d.choice((d.number("0.5", "0", "1", "-2.5", "0.1"), d.tensor(d.broadcast(shape)), d.tensor([])))
    return d.call("lerp", x, [("end", end), ("weight", weight)])


@row("numbers", exact=True)
def nan_to_num(d: Draw) -> str:
    values = [d.maybe(d.number("0", "1.5", "-1", "None", "1e4"), 3) for _ in range(3)]
    return d.call("nan_to_num", d.tensor(dtype=d.dtype(), values="special"),
                  list(zip(("nan", "posinf", "neginf"), values, strict=True)))  # fmt: skip


@row("numbers", "addcmul", "addcdiv", exact=True)
def combined(d: Draw, name: str) -> str:
    shape = d.shape()
    dtype = d.dtype(d.main, d.main, d.main, "int64")
    x, a, b = (
        d.tensor(shape, dtype),
        d.tensor(d.broadcast(shape), dtype),
        d.tensor(d.broadcast(shape), dtype, "positive"),
    )
    return d.call(name, x, [("tensor1", a), ("tensor2", b), ("*value", d.maybe(d.number("2", "0.5", "-1", "1e-8")))])


@row("numbers", "isclose", "allclose", "equal", exact=True)
def close(d: Draw, name: str) -> str:
    shape = d.shape()
    x, y = d.tensor(shape, values="ties"), d.tensor(shape, values="ties")
    if name == "isclose":
        return d.call(name, x, [("other", y), ("rtol", d.maybe("0.5", 3)), ("atol", d.maybe("0.1", 3))])
    return f"ops.isclose({x}, {y})" if name == "allclose" else f"ops.eq({x}, {y})"


@row("numbers", "to", "type_as", "float", "half", "bfloat16", "long", "int", "byte", "bool", "cast", "type")
def casts(d: Draw, name: str) -> str:
    """Of floats to uint8 none below 0, of which torch on a CPU and on a GPU makes different bytes."""
    wanted = d.torch_dtype() if name != "type_as" else d.dtype()
    given = d.dtype()
    values = d.choice(("normal", "ties", "positive"))
    x = d.tensor(
        dtype=given, values="positive" if ("uint8" in wanted or name == "byte") and given == d.main else values
    )
    if name in ("to", "type"):
        return f"{x}.{name}({wanted})" if d.chance(2) or name == "type" else f"{x}.to(dtype={wanted})"
    if name == "cast":
        return f"ops.cast({x}, {wanted})"
    return f"{x}.type_as({d.tensor([1], wanted)})" if name == "type_as" else f"{x}.{name}()"


@row("numbers", exact=True)
def promotion(d: Draw) -> str:
    """Three operands of any dtypes, 0-dim ones and numbers among them."""
    shape = d.shape(0, 3)
    names = [d.tensor(d.choice((shape, [], d.broadcast(shape))), d.dtype(*ANY, "int64", "int32", "uint8", "bool"))
             for _ in range(2)]  # fmt: skip
    third = operand(d, shape)
    first, second = d.choice(("+", "*", "-")), d.choice(("+", "*"))
    return d.choice((f"{names[0]} {first} {names[1]}", f"({names[0]} {first} {third}) {second} {names[1]}"))


SIZE_NUMBERS = (
    "{s}", "{s} * 2", "{s} + 1", "{s} - 3", "{s} // 2", "-({s} // 2)", "-{s}", "{s} % 3", "(-{s}) % 4", "-(-{s} // 4)",
    "{s} * 0.5", "1.0 / {s}", "{s} / 2", "{s} ** 0.5", "{s} ** -0.5", "int({s} * 0.5)", "{s} * {t}", "{s} + {t}",
    "{s} // {t}", "{s} - {t}", "{s} / {t}", "3 - {s}", "7 // {s}", "2 ** {s}", "{s} ** 2", "max({s}, 3)", "min({s}, 3)",
    "math.ceil({s} / 2)", "float({s})", "math.sqrt({s})", "round({s} * 0.7)",
)  # fmt: skip


@row("numbers", exact=True)
def sizes_as_numbers(d: Draw) -> str:
    """What a model computes of its sizes, and a tensor with it."""
    shape = [d.size(3, 2, 4, 5, 7), d.size(4, 2, 3, 6)]
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64", "int32"))
    size = d.choice((f"{x}.shape[1]", f"{x}.size(0)", f"{x}.shape[-1]", f"{x}.numel()", f"len({x})", f"{x}.size()[1]"))
    number = d.choice(SIZE_NUMBERS).format(s=size, t=f"{x}.shape[0]")
    sign = d.choice(("+", "-", "*", "/", "//", "%"))
    return d.choice((f"{x} {sign} ({number})", f"({number}) {sign} {x}", f"{x}.sum(1) / ({number})"))


@row("numbers", exact=True)
def chains(d: Draw) -> str:
    """Several operations, so that what one leaves is what another takes."""
    shape = d.shape(1, 3)
    x = d.tensor(shape)
    for _ in range(d.integer(1, 3)):
        step = d.choice(("{x} * {n}", "{x} + {n}", "{n} - {x}", "{x}.clamp(-2, {n})", "ops.relu({x})", "{x}.float()",
                         "{x}.half()", "{x}.to(torch.int32)", "ops.where({x} > 0, {x}, {n})", "{x} > {n}",
                         "ops.abs({x})", "{x}.round()", "{x}.sum(-1, keepdim=True)", "{x} / {n}", "{x} ** 2"))  # fmt: skip
        x = step.format(x=f"({x})" if " " in x else x, n=d.choice((*NUMBERS[:6], "0.1", "True")))
    return x
