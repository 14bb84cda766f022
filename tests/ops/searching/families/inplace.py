"""Programs that write into tensors, and what others who hold them see."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row

UNARY_ = ("relu_", "sigmoid_", "tanh_", "exp_", "abs_", "neg_", "sqrt_", "floor_", "round_", "zero_", "square_", "sin_",
          "reciprocal_", "erf_", "trunc_", "logical_not_", "ceil_", "log_", "rsqrt_", "cos_", "sign_", "nan_to_num_")  # fmt: skip
BINARY_ = (
    "add_",
    "sub_",
    "mul_",
    "div_",
    "copy_",
    "pow_",
    "remainder_",
    "fmod_",
    "eq_",
    "lt_",
    "ge_",
    "gt_",
    "ne_",
    "le_",
)
ASSIGNED = ("+=", "-=", "*=", "/=", "//=", "%=", "**=")
ALIASES = ("z = y", "z = y.detach()", "z = y.view(-1)", "z = y[...]", "z = y[:1]", "z = y.transpose(0, -1)", "z = y.unsqueeze(0)",
           "z = y.clone()", "z = y.reshape(-1)", "z = y.flatten()", "z = y * 1", "z = y.expand_as(y)", "z = y.contiguous()",
           "z = y[..., ::2]", "z = y.squeeze()", "z = y.permute(*reversed(range(y.dim())))", "z = y.to(y.dtype)", "z = y.T if y.dim() == 2 else y",
           "z = y.narrow(0, 0, 1)", "z = y.select(0, 0)", "z = y.chunk(2)[0]", "z = y.split(1)[0]", "z = y.unbind(0)[0]", "z = y.mT if y.dim() > 1 else y",
           "z = y.diagonal() if y.dim() == 2 else y", "z = y.float()", "z = y.movedim(0, -1)", "z = y.view_as(y)", "z = y.expand(2, *y.shape)[0]")  # fmt: skip


def written(d: Draw, target: str, x: str) -> str:
    """One line that writes into a tensor."""
    value = d.choice(("2", "0.5", f"{x}.sum()", "-1"))
    return d.choice((
        f"{target} {d.choice(ASSIGNED[:4])} {value}",
        f"{target}.{d.choice(('add_', 'mul_', 'sub_'))}({value})",
        f"{target}.{d.choice(('relu_', 'sigmoid_', 'tanh_', 'zero_', 'neg_', 'abs_'))}()",
        f"ops.relu({target}, inplace=True)",
        f"{target}.clamp_({d.choice(('0', '-1, 1', 'min=0.1', 'max=0.5'))})",
        f"{target}.masked_fill_({target} > 0, {d.choice(('0', '-1.5'))})",
        f"{target}.fill_({d.choice(('0', '2', '0.5'))})",
        f"{target}[..., 0] = {value}",
        f"{target}[:1] {d.choice(('=', '*='))} {value}",
        f"{target}.copy_({target} * 2)",
    ))  # fmt: skip


@row("inplace")
def aliases(d: Draw) -> str:
    """A tensor and another name or a view of it; one is written, both are read."""
    shape = [size or 2 for size in d.shape(1, 3)]
    x = d.tensor(shape, values="normal")
    d.lines.append(f"y = {x} * 1")
    d.lines.append(d.choice(ALIASES))
    for _ in range(d.integer(1, 2)):
        d.lines.append(written(d, d.choice(("y", "z")), x))
    if d.chance(3):
        d.lines.append("z.add_(1)")
    return d.choice(("y, z", "y.sum() + z.sum()", "z, y * 2", f"y, {x}"))


@row("inplace")
def views_of_views(d: Draw) -> str:
    shape = [size or 2 for size in d.shape(2, 3)]
    x = d.tensor(shape, values="normal")
    d.lines += [
        f"y = {x} + 0",
        d.choice(ALIASES),
        d.choice(ALIASES).replace("y", "z").replace("z = z", "w = z", 1).replace("z = z", "w = z"),
    ]
    d.lines.append(written(d, d.choice(("w", "z", "y")), x))
    return d.choice(("y, z, w", "y, w", "w"))


@row("inplace", *UNARY_)
def unary_(d: Draw, name: str) -> str:
    x = d.tensor(
        values=d.choice(("positive", "normal")) if name in ("sqrt_", "log_", "rsqrt_") else "normal",
        dtype=d.dtype(d.main, d.main, d.main, "int64"),
    )
    d.lines.append(f"y = {x}.clone()")
    d.lines.append("z = y")
    d.lines.append(d.choice((f"r = y.{name}()", f"r = y.{name}() + 0")))
    return d.choice(("z, r", "y", "z"))


@row("inplace", *BINARY_)
def binary_(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    x = d.tensor(shape, d.dtype(d.main, d.main, d.main, "int64"), "normal")
    other = d.choice(
        (
            d.number("2", "0.5", "-1", "3"),
            d.tensor(d.broadcast(shape), d.dtype(d.main, d.main, "int64", "int32"), "positive"),
        )
    )
    d.lines += [f"y = {x}.clone()", "z = y", f"y.{name}({other})"]
    return "z"


@row("inplace", "assigned")
def assigned(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    x = d.tensor(shape, d.dtype(d.main, d.main, d.main, "int64", "bool"), "normal")
    other = d.choice((d.number("2", "0.5", "-1", "3"), d.tensor(d.broadcast(shape), d.dtype(), "positive")))
    d.lines += [
        f"y = {x}{d.choice(('.clone()', ' + 0', ' * 1'))}",
        "z = y",
        f"y {d.choice((*ASSIGNED, '&=', '|=', '^='))} {other}",
    ]
    return d.choice(("z", "y, z", "y"))


@row("inplace", "clamp_", "masked_fill_", "fill_", "addcmul_", "lerp_", "scatter_", "index_add_", "scatter_add_", "index_fill_",
     "index_copy_", "masked_scatter_", "clip_", "clamp_min_", "transpose_", "unsqueeze_", "squeeze_", "tril_", "triu_", "logical_and_",
     "swapaxes_", "t_", "cumsum_", "index_put_", "addcdiv_", "bitwise_and_")  # fmt: skip
def with_arguments_(d: Draw, name: str) -> str:
    x = d.tensor(
        [3, d.size(4, 2, 3)],
        d.dtype(d.main, d.main, d.main, "int64") if name not in ("lerp_", "addcdiv_") else d.main,
        "normal",
    )
    if name == "bitwise_and_":
        d.lines.append(f"{x} = {x}.long()")
    d.lines += [f"y = {x}.clone()", "z = y"]
    kind = d.operands[0][1]
    arguments = {
        "clamp_": ("-0.5, 0.5", "min=0", "max=1"), "clip_": ("-0.5, 0.5", "min=0"), "clamp_min_": ("0", "0.5"),
        "masked_fill_": ("y > 0, 0", f"{x} < 0, -math.inf", f"{x} == 0, 1"), "fill_": ("0", "2.5", f"{x}.sum()"),
        "addcmul_": (f"{x}, {x}", f"{x}, {x}, value=2"), "addcdiv_": (f"{x}, {x}.abs() + 1", f"{x}, {x}.abs() + 1, value=0.5"),
        "lerp_": (f"{x} * 2, 0.5", f"{x} * 2, {x}"), "scatter_": (f"0, torch.tensor([[2, 0]]), {x}", "1, torch.tensor([[0], [1]]), 5", "0, torch.tensor([[2, 0]]), 2"),
        "scatter_add_": (f"0, torch.tensor([[2, 0], [2, 1]]), {x}",), "index_add_": (f"0, torch.tensor([2, 0, 2]), {x}", f"0, torch.tensor([1]), {x}[:1], alpha=2"),
        "index_fill_": ("0, torch.tensor([2, 0]), 1", "1, torch.tensor([0]), -1"), "index_copy_": (f"0, torch.tensor([2, 0]), {x}[:2]",),
        "masked_scatter_": (f"{x} > 0, {x} * 2",), "transpose_": ("0, 1",), "swapaxes_": ("0, 1",), "t_": ("",), "unsqueeze_": ("0", "-1"),
        "squeeze_": ("", "0"), "tril_": ("", "-1"), "triu_": ("", "1"), "logical_and_": (f"{x} > 0",), "cumsum_": ("0", "-1"),
        "index_put_": (f"(torch.tensor([0, 2]),), {x}[:2]", f"(torch.tensor([1]),), torch.tensor(2, dtype=torch.{kind})"), "bitwise_and_": ("3", f"{x}"),
    }  # fmt: skip
    d.lines.append(f"y.{name}({d.choice(arguments[name])})")
    return d.choice(("z", "y"))


FUNCTIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "silu",
    "hardswish",
    "hardtanh",
    "mish",
    "celu",
    "selu",
    "hardsigmoid",
)
LAYERS = ("ReLU", "ReLU6", "LeakyReLU", "ELU", "SiLU", "Hardswish", "Hardtanh", "Mish", "CELU", "SELU", "Hardsigmoid")


@row("inplace", "functions_with_inplace")
def functions(d: Draw, name: str) -> str:
    x = d.tensor(values="normal")
    d.lines += [f"y = {x} * 1", f"r = ops.{d.choice(FUNCTIONS)}(y, inplace=True)"]
    return d.choice(("r + y", "y", "r, y"))


@row("inplace", "layers_with_inplace")
def layers(d: Draw, name: str) -> str:
    layer = d.choice(LAYERS)
    d.layer = f"nn.{layer}({'' if layer == 'ReLU' and d.chance(2) else 'inplace='}True)"
    x = d.tensor(values="normal")
    d.lines += [f"y = {x} * 1", "r = self.layer(y)"]
    return d.choice(("r + y", "y", "r, y"))
