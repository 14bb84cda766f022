"""Functions of images and sequences: convolutions, pools, resampling, folds."""

from __future__ import annotations

from ops.searching.drawing import Draw, Size
from ops.searching.table import row


def spatial(d: Draw, rank: int, options: tuple[object, ...]) -> str:
    """One number for all axes, or one each."""
    if d.chance(2):
        return str(d.choice(options))
    parts = [str(d.choice(options)) for _ in range(rank)]
    return d.choice((f"({', '.join(parts)},)", f"[{', '.join(parts)}]"))


def image(d: Draw, rank: int, channels: int | None = None, least: int = 1) -> tuple[str, list[int]]:
    """An input with or, sometimes, without a batch."""
    shape = d.images(rank, channels, least)
    shape = shape[1:] if d.chance(6) else shape
    return d.tensor(shape, values="normal"), shape


def kernel(d: Draw, shape: list[int], values: str = "normal") -> str:
    """A kernel of the program or one that is given."""
    count = 1
    for size in shape:
        count *= int(size)
    return (
        d.constant(shape, low=-1, high=1)
        if count < 40 and d.chance(2)
        else d.tensor(list(map(int, shape)), values=values)
    )


@row("images", "conv1d", "conv2d", "conv3d")
def conv(d: Draw, name: str) -> str:
    rank = int(name[4])
    groups = d.choice((1, 1, 2, 3))
    channels = groups * d.integer(1, 2)
    x, _ = image(d, rank, channels, least=3)
    out = groups * d.integer(1, 2)
    weight = kernel(d, [out, channels // groups, *(d.integer(1, 3) for _ in range(rank))])
    bias = d.maybe(d.choice((d.constant([out]), d.tensor([out], values="normal"), "None")))
    padding = d.choice((spatial(d, rank, (0, 1, 2)), "'same'", "'valid'"))
    stride = d.maybe(spatial(d, rank, (1, 2, 3)) if padding != "'same'" else "1")
    return d.call(name, x, [("weight", weight), ("bias", bias), ("stride", stride), ("padding", d.maybe(padding)),
                            ("dilation", d.maybe(spatial(d, rank, (1, 2)))), ("groups", str(groups) if groups > 1 else None)])  # fmt: skip


@row("images", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(d: Draw, name: str) -> str:
    rank = int(name[14])
    groups = d.choice((1, 1, 2, 3))
    channels = groups * d.integer(1, 2)
    x, _ = image(d, rank, channels, least=2)
    out = d.integer(1, 2)
    weight = kernel(d, [channels, out, *(d.integer(1, 3) for _ in range(rank))])
    bias = d.maybe(d.choice((d.constant([out * groups]), d.tensor([out * groups], values="normal"))))
    return d.call(name, x, [
        ("weight", weight), ("bias", bias), ("stride", d.maybe(spatial(d, rank, (2, 1, 3)))),
        ("padding", d.maybe(spatial(d, rank, (0, 1)))), ("output_padding", d.maybe(spatial(d, rank, (0, 1)), 3)),
        ("groups", str(groups) if groups > 1 else None), ("dilation", d.maybe(spatial(d, rank, (1, 2)))),
    ])  # fmt: skip


@row(
    "images",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
)
def pool(d: Draw, name: str) -> str:
    rank = int(name[-2])
    x, _ = image(d, rank, least=3)
    size = spatial(d, rank, (2, 3, 1)) if not d.chance(8) else f"{x}.shape[{-rank}:]"
    if name == "lp_pool1d":
        size = d.choice(("2", "3", "1"))
    given = [("kernel_size", size), ("stride", d.maybe(spatial(d, rank, (1, 2, 3))))]
    if name[:3] == "lp_":
        return d.call(name, x, [("norm_type", d.choice(("2", "1", "3"))), *given, ("ceil_mode", d.maybe(d.flag()))])
    given.append(("padding", d.maybe(spatial(d, rank, (0, 1)))))
    if name[:3] == "max":
        given += [("dilation", d.maybe(spatial(d, rank, (1, 2)))), ("ceil_mode", d.maybe(d.flag()))]
        if d.chance(6):
            given.append(("return_indices", "True"))
    else:
        given += [("ceil_mode", d.maybe(d.flag())), ("count_include_pad", d.maybe(d.flag()))]
        if rank > 1:
            given.append(("divisor_override", d.maybe(d.choice(("3", "None")), 3)))
    return d.call(name, x, given)


@row("images", *(f"adaptive_{kind}_pool{rank}d" for kind in ("avg", "max") for rank in (1, 2, 3)))
def adaptive(d: Draw, name: str) -> str:
    rank = int(name[-2])
    x, _ = image(d, rank)
    size = spatial(d, rank, (1, 2, 3, 5, "None") if rank > 1 else (1, 2, 3, 5))
    size = "1" if size == "None" else size
    return d.call(name, x, [("output_size", size)])


@row("images")
def interpolate(d: Draw) -> str:
    mode = d.choice(("nearest", "bilinear", "nearest-exact", "linear", "bicubic", "trilinear", "area"))
    rank = {"bilinear": 2, "bicubic": 2, "linear": 1, "trilinear": 3}.get(mode) or d.integer(1, 3)
    shape = d.images(rank)
    x = d.tensor(shape, values="normal")
    size = d.chance(2)
    if not size:
        scale = d.choice(
            (
                "2",
                "0.5",
                "1.5",
                "2.0",
                "0.7",
                "1.05",
                "3",
                "0.34",
                f"({', '.join(d.choice(('2', '0.5', '1.3', '0.7')) for _ in range(rank))},)",
            )
        )
        given = [("scale_factor", scale), ("recompute_scale_factor", d.maybe(d.flag(), 4))]
    else:
        parts = [
            d.choice(("3", "5", "7", f"{x}.shape[{2 + i}] * 2", f"{x}.shape[{2 + i}]", "np.int64(5)"))
            for i in range(rank)
        ]
        given = [("size", d.choice((f"({', '.join(parts)},)", f"[{', '.join(parts)}]", parts[0], f"{x}.shape[2:]")))]
    given.insert(1, ("mode", d.maybe(f"'{mode}'", 1) if mode != "nearest" else d.maybe("'nearest'")))
    if mode in ("bilinear", "bicubic", "linear", "trilinear"):
        given.append(("align_corners", d.maybe(d.flag())))
    if mode in ("bilinear", "bicubic") and (size or scale[0] in "123") and shape[-1] > 1:  # see known.py
        given.append(("antialias", d.maybe(d.flag(), 4)))
    return f"ops.interpolate({x}, {', '.join(f'{key}={value}' for key, value in given if value is not None)})"


@row("images")
def grid_sample(d: Draw) -> str:
    rank = 3 if d.chance(4) else 2
    shape = d.images(rank)
    x = d.tensor(shape, values="normal")
    grid = d.tensor(
        [shape[0], *(d.size(3, 2, 4, 1) for _ in range(rank)), rank], values=d.choice(("unit", "normal", "ties"))
    )
    mode = d.choice(("'bilinear'", "'nearest'", "'bicubic'" if rank == 2 else "'bilinear'"))
    return d.call("grid_sample", x, [("grid", grid), ("mode", d.maybe(mode)),
                  ("padding_mode", d.maybe(d.choice(("'border'", "'reflection'", "'zeros'")))), ("align_corners", d.maybe(d.flag(), 1))])  # fmt: skip


@row("images")
def affine_grid(d: Draw) -> str:
    n = d.size(2, 1, 3)
    rank = 3 if d.chance(4) else 2
    theta = d.tensor([n, rank, rank + 1], values="normal")
    sizes = ", ".join(d.choice(("3", "4", "1", "5")) for _ in range(rank))
    return d.call(
        "affine_grid",
        theta,
        [
            ("size", d.choice((f"({int(n)}, 2, {sizes})", f"({theta}.shape[0], 2, {sizes})"))),
            ("align_corners", d.maybe(d.flag())),
        ],
    )


@row("images")
def unfold(d: Draw) -> str:
    x, _ = image(d, 2, least=3)
    return d.call("unfold", x, [("kernel_size", spatial(d, 2, (2, 3, 1))), ("dilation", d.maybe(spatial(d, 2, (1, 2)))),
                                ("padding", d.maybe(spatial(d, 2, (0, 1)))), ("stride", d.maybe(spatial(d, 2, (1, 2))))], method=False)  # fmt: skip


@row("images")
def fold(d: Draw) -> str:
    k, s = d.choice(((2, 2), (3, 1), (2, 1), (1, 1), (3, 2))), 0
    size, step = k
    h, w = size + step * d.integer(0, 2), size + step * d.integer(0, 3)
    count = ((h - size) // step + 1) * ((w - size) // step + 1) + s
    x = d.tensor([d.size(2, 1, 3), d.integer(1, 3) * size * size, count], values="normal")
    return d.call(
        "fold",
        x,
        [
            ("output_size", f"({h}, {w})"),
            ("kernel_size", str(size)),
            ("dilation", None),
            ("padding", None),
            ("stride", str(step)),
        ],
        method=False,
    )


@row("images", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle")
def shuffled(d: Draw, name: str) -> str:
    factor = d.choice((2, 3, 1))
    if name == "pixel_unshuffle":
        shape = [d.size(2, 1), d.size(2, 3), factor * d.integer(1, 3), factor * d.integer(1, 3)]
    else:
        shape = [
            d.size(2, 1),
            (factor**2 if name == "pixel_shuffle" else factor) * d.integer(1, 2),
            d.size(3, 2),
            d.size(4, 1),
        ]
    if d.chance(4):
        shape = shape[1:] if d.chance(2) else [d.size(2, 1), *shape]
    return f"ops.{name}({d.tensor(shape, values='normal')}, {factor})"


@row("images", "upsample_layers")
def upsample(d: Draw, name: str) -> str:
    mode = d.choice(("nearest", "bilinear"))
    extra = f", align_corners={d.flag()}" if mode == "bilinear" and d.chance(2) else ""
    d.layer = d.choice((f"nn.Upsample(scale_factor={d.choice(('2', '1.5', '(2, 3)', '0.7'))}, mode='{mode}'{extra})",
                        f"nn.Upsample(size={d.choice(('(5, 7)', '6', '[3, 4]'))}, mode='{mode}'{extra})",
                        f"nn.Upsample({d.choice(('(5, 7)', '6', 'None, 2'))}, mode='{mode}')",
                        "nn.UpsamplingBilinear2d(scale_factor=2)", "nn.UpsamplingNearest2d(size=(5, 6))"))  # fmt: skip
    return f"self.layer({d.tensor(d.images(2), values='normal')})"


@row("images", "max_unpool1d", "max_unpool2d", "max_unpool3d")
def unpooled(d: Draw, name: str) -> str:
    rank = int(name[-2])
    shape = [d.size(2, 1), Size(3), *(d.choice((4, 6)) for _ in range(rank))]
    x = d.tensor(shape[1:] if d.chance(4) else shape, values="normal")
    size, step = d.choice((("2", None), ("3", "1"), ("2", "2")))
    option = f", {step}" if step else ""
    d.lines.append(f"y, i = ops.max_pool{rank}d({x}, {size}{option}, return_indices=True)")
    wanted = d.maybe(f"output_size={x}.shape[-{rank}:]", 3)
    return f"ops.{name}({', '.join(filter(None, [f'y, i, {size}{option}', wanted]))})"
