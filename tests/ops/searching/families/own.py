"""Operations that are trtnet's own, or that torch has in another form: what they mean is in `meanings`."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


@row("own")
def shuffle(d: Draw) -> str:
    shape = d.shape(1, 4)
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64", "bool"), "normal")

    def order(count: int) -> list[int]:
        axes = list(range(count))
        for i in range(count - 1):
            j = d.integer(i, count - 1)
            axes[i], axes[j] = axes[j], axes[i]
        return axes

    before = order(len(shape)) if d.chance(2) else None
    merged = len(shape) > 1 and d.chance(2)
    source = [shape[a] for a in before] if before else shape
    target = [int(source[0]) * int(source[1]), *source[2:]] if merged else source
    sizes = ["-1" if i == 0 and merged and 0 not in shape else str(int(n)) for i, n in enumerate(target)]
    given = [("before", before and str(before)), ("shape", f"({', '.join(sizes)},)" if merged else None),
             ("after", d.maybe(order(len(target))))]  # fmt: skip
    return f"ops.shuffle({x}{''.join(f', {key}={value}' for key, value in given if value)})"


@row("own")
def unfold_dim(d: Draw) -> str:
    shape = [size or 1 for size in d.shape(0, 3)]
    x = d.tensor(shape, d.dtype(d.main, d.main, "int64"), "normal")
    dim = d.dim(shape)
    size = d.integer(1, int(shape[int(dim)]) if shape else 1)
    return f"ops.unfold_dim({x}, {dim}, {size}, {d.integer(1, 3)})"


STEPS = ("lambda c, a: (c + a, c * a)", "lambda c, a: (c * 0.5 + a, a - c)", "lambda c, a: (ops.maximum(c, a), c)",
         "lambda c, a: (a, c * a * 2)", "lambda c, a: (c - a, (c > a).sum())")  # fmt: skip


@row("own")
def scan(d: Draw) -> str:
    shape = [size or 2 for size in d.shape(1, 3)]
    x = d.tensor(shape, values="normal")
    axis = d.integer(0, len(shape) - 1)
    start = d.tensor([*shape[:axis], *shape[axis + 1 :]], values="normal")
    dim = str(axis - (len(shape) if d.chance(2) else 0))
    step, xs = d.choice(STEPS), x
    if d.chance(4):
        step, xs = "lambda c, ab: (c + ab[0] * ab[1], c)", f"({x}, {d.tensor(shape, values='normal')})"
    given = [d.maybe(f"dim={dim}", 2) if axis == 0 else f"dim={dim}", d.maybe(f"reverse={d.flag()}")]
    if len(shape) > 1 and "sum()" in step:
        given[0] = "dim=0" if axis == 0 else f"dim={axis}"
        step = step.replace(".sum()", "")
    return f"ops.scan({', '.join(filter(None, [step, start, xs, *given]))})"


@row("own")
def while_loop(d: Draw) -> str:
    x = d.tensor(d.shape(0, 3), values="normal")
    trips = d.choice(("3", "1", "0", "5"))
    body = d.choice(("(i + 1, y * 0.5 + 1)", "(i + 1, ops.relu(y) - i)", "(i + 2, -y)"))
    d.lines.append("i = ops.zeros((), dtype=torch.int64)")
    return f"ops.while_loop(lambda i, y: i < {trips}, lambda i, y: {body}, (i, {x}))"


@row("own")
def for_loop(d: Draw) -> str:
    shape = [d.size(3, 2, 1, 4), *d.shape(0, 2)]
    x = d.tensor(shape, values="normal")
    count = d.choice(("3", "0", "1", f"{x}.shape[0]", f"{x}.shape[0] // 2"))
    body = d.choice(("y * 0.5 + i", "y + 1", "ops.abs(y) - i"))
    if d.chance(3):
        return f"ops.for_loop({count}, lambda i, y, z: (z, {body}), ({x}, {d.tensor(shape, values='normal')}))"
    return f"ops.for_loop({count}, lambda i, y: {body}, ({x},))"


@row("own")
def cond(d: Draw) -> str:
    shape = d.shape(0, 3)
    x, y = d.tensor(shape, values="normal"), d.tensor(shape, values="normal")
    asked = d.choice((f"{x}.sum() > 0", f"({x} > 0).any()", f"{x}.isnan().any()"))
    yes, no = d.choice((("a + b", "a - b"), ("(a, b)", "(b, a)"), ("a", "b"), ("a * 2", "ops.exp(b)")))
    return f"ops.cond({asked}, lambda a, b: {yes}, lambda a, b: {no}, ({x}, {y}))"


@row("own")
def assertion(d: Draw) -> str:
    x = d.tensor(values="normal")
    d.lines.append(f"ops.assertion({d.choice((f'{x} == {x}', f'({x} > -1e4).all()'))}, 'never')")
    return f"{x} + 1"


@row("own", "quantize", "dequantize", "fake_quantize", exact=True)
def quantized(d: Draw, name: str) -> str:
    """By scales that are powers of 2, so that no quotient is rounded before it is cut."""
    shape = [size or 1 for size in d.shape(2, 4)]
    axis = d.integer(0, len(shape) - 1)
    x = d.tensor(shape, values=d.choice(("normal", "big")))
    scales, axis_text = d.choice(("0.25", "0.5", "2.0")), None
    if d.chance(2):
        size = shape[axis] = int(shape[axis])
        d.operands[-1][0][axis] = size
        given = [d.choice((0.25, 0.5, 1.0, 0.125)) for _ in range(size)]
        scales, axis_text = f"torch.tensor({given}, dtype=torch.{d.main})", str(axis)
    option = f", axis={axis_text}" if axis_text else ""
    if name == "dequantize":
        return f"ops.dequantize(ops.quantize({x}, {scales}{option}), {scales}{option}, dtype=torch.{d.main})"
    return f"ops.{name}({x}, {scales}{option})"


@row("own")
def rotary_embedding(d: Draw) -> str:
    n, length, width = d.size(2, 1, 3), d.size(3, 1, 4), d.choice((4, 2, 6))
    x = d.tensor([n, d.size(2, 1, 3), length, width], values="normal")
    positions = d.chance(2)
    tables = [d.tensor([7, width // 2] if positions else [n, length, width // 2], values="unit") for _ in range(2)]
    given = [x, *tables]
    if positions:
        given.append(d.tensor([n, length], "int64", "index:7"))
    if d.chance(2):
        given.append(f"interleaved={d.flag()}")
    return f"ops.rotary_embedding({', '.join(given)})"


@row("own")
def mixture_of_experts(d: Draw) -> str:
    n, length, hidden, inner = d.size(2, 1), d.size(3, 1, 2), d.choice((3, 2)), d.choice((4, 1))
    x = d.tensor([n, length, hidden], values="normal")
    experts = d.tensor([n, length, 2], "int32", "distinct:2:3")
    scores = d.tensor([n, length, 2], values="positive")
    weights = [
        d.tensor(shape, values="normal") for shape in ([3, hidden, inner], [3, hidden, inner], [3, inner, hidden])
    ]
    return f"ops.mixture_of_experts({', '.join([x, experts, scores, *weights])})"


@row("own", "nms", "batched_nms")
def suppressed(d: Draw, name: str) -> str:
    n = d.size(4, 1, 6, 9)
    x, scores = d.tensor([n, 4], values="normal"), d.tensor([n], values="normal")
    d.lines.append(f"boxes = ops.cat([{x}[:, :2], {x}[:, :2] + ops.abs({x}[:, 2:]) + 0.1], 1).float()")
    classes = f", ({d.tensor([n], values='normal')} > 0).long()" if name == "batched_nms" else ""
    limits = f"{d.choice(('0.5', '0.1', '0.0', '0.9'))}, {d.choice(('3', '1', '6'))}"
    return f"ops.{name}(boxes, {scores}.float(){classes}, {limits})"


@row("own")
def roi_align(d: Draw) -> str:
    n, k = d.size(2, 1), d.size(3, 1, 2)
    x = d.tensor([n, d.size(2, 1, 3), d.size(5, 1, 4), d.size(6, 2, 3)], values="normal")
    corners = d.tensor([k, 4], values="unit")
    d.lines.append(f"low = {corners}[:, :2].float() * 8 - 2")
    d.lines.append(f"boxes = ops.cat([ops.zeros_like(low[:, :1]), low, low + {corners}[:, 2:].float() * 6], 1)")
    given = [d.choice(("2", "(2, 3)", "1")), d.maybe(f"spatial_scale={d.choice((0.5, 1.25))}"),
             f"sampling_ratio={d.integer(1, 3)}", d.maybe(f"aligned={d.flag()}")]  # fmt: skip
    return f"ops.roi_align({', '.join(filter(None, [x, 'boxes', *given]))})"


@row("own")
def deform_conv2d(d: Draw) -> str:
    groups, parts, kernel = d.integer(1, 2), d.integer(1, 2), [d.integer(1, 3), d.integer(1, 2)]
    n, high, wide = d.size(2, 1), d.integer(3, 5), d.integer(3, 5)
    stride, padding = d.integer(1, 2), d.integer(0, 1)
    rows, columns = ((s + 2 * padding - k) // stride + 1 for s, k in zip((high, wide), kernel, strict=True))
    taps = groups * kernel[0] * kernel[1]
    x = d.tensor([n, 4, high, wide], values="normal")
    offset = d.tensor([n, 2 * taps, rows, columns], values="normal")
    weight = d.tensor([2 * parts, 4 // parts, *kernel], values="normal")
    given = [f"bias={d.tensor([2 * parts], values='normal')}" if d.chance(2) else None,
             d.maybe(f"stride={stride}") if stride == 1 else f"stride={stride}",
             f"padding={padding}" if padding else None,
             f"mask={d.tensor([n, taps, rows, columns], values='unit')}" if d.chance(2) else None]  # fmt: skip
    return f"ops.deform_conv2d({', '.join(filter(None, [x, offset, weight, *given]))})"


@row("own", "rand", "randn")
def random(d: Draw, name: str) -> str:
    """Only the shape and the dtype can be compared."""
    x = d.tensor([d.size(), d.size()])
    dtype = d.maybe(d.torch_dtype("float32", "float16", "bfloat16"), 2 if d.main == "float32" else 1)
    size = d.choice(("(2, 3)", f"({x}.shape[0], 2)", f"{x}.shape", "[3]"))
    return f"(ops.{name}({size}{f', dtype={dtype}' if dtype else ''}) * 0).abs()"


@row("own")
def stft(d: Draw) -> str:
    n_fft = d.choice((4, 8, 6))
    length = d.size(16, 12, 20)
    x = d.tensor([length] if d.chance(3) else [d.size(2, 1), length], values="normal")
    window = d.maybe(f"torch.hann_window({n_fft})", 2)
    given = [("hop_length", d.maybe(d.choice((2, 3)))), ("win_length", None), ("window", window),
             ("center", d.maybe(d.flag())), ("pad_mode", d.maybe(d.choice(("'reflect'", "'constant'")), 3)),
             ("normalized", d.maybe(d.flag(), 3)), ("onesided", d.maybe(d.flag(), 3))]  # fmt: skip
    return f"ops.stft({x}, {n_fft}{''.join(f', {key}={value}' for key, value in given if value)})"
