"""torch.nn's layers, their weights from the torch module's state dict."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.families.images import spatial
from ops.searching.table import row

NO_WEIGHTS = {
    "ReLU": ((),), "ReLU6": ((),), "Sigmoid": ((),), "Tanh": ((),), "SiLU": ((),), "Mish": ((),), "Hardswish": ((),), "Identity": ((),),
    "Hardsigmoid": ((),), "LogSigmoid": ((),), "Softsign": ((),), "Tanhshrink": ((),), "SELU": ((),), "RReLU": ((), ("0.1", "0.3")),
    "LeakyReLU": ((), ("0.2",), ("negative_slope=0.3",)), "ELU": ((), ("0.5",)), "CELU": ((), ("alpha=0.5",)), "GELU": ((), ("'tanh'",), ("approximate='none'",)),
    "Hardtanh": ((), ("-2", "2"), ("min_val=-0.5",)), "Softplus": ((), ("2", "5")), "Hardshrink": ((), ("0.3",)), "Softshrink": ((), ("lambd=0.3",)),
    "Threshold": (("0.1", "20"),), "Dropout": ((), ("0.3",), ("p=0.1",)), "AlphaDropout": ((),), "Dropout1d": ((),), "Dropout2d": (("0.3",),), "Dropout3d": ((),), "FeatureAlphaDropout": ((),), "Softmax": (("1",), ("dim=-1",), ("0",)),
    "LogSoftmax": (("1",), ("dim=-1",)), "Softmin": (("dim=-1",),), "Flatten": ((), ("0",), ("1", "2")), "GLU": (("0",), ("dim=-1",), ()),
}  # fmt: skip


@row("layers", *NO_WEIGHTS)
def simple(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    if name == "GLU":
        shape = [d.size(2, 4, 6) for _ in shape]
    inplace = name in (
        "ReLU",
        "ReLU6",
        "SiLU",
        "ELU",
        "Hardswish",
        "Dropout",
        "SELU",
        "CELU",
        "LeakyReLU",
        "Mish",
    ) and d.chance(5)
    arguments = [*d.choice(NO_WEIGHTS[name]), *(["inplace=False"] if inplace else [])]
    d.layer = f"nn.{name}({', '.join(arguments)})"
    return f"self.layer({d.tensor(shape)})"


@row("layers", "Linear", "Bilinear", "PReLU", "Embedding", "EmbeddingBag")
def dense(d: Draw, name: str) -> str:
    if name == "PReLU":
        shape = [d.size(2, 1), 3, *d.shape(0, 2)]
        d.layer = f"nn.PReLU({d.choice(('', '3', 'num_parameters=3', 'init=0.1'))})"
        return f"self.layer({d.tensor(shape)})"
    if name.startswith("Embedding"):
        d.layer = f"nn.{name}(7, 3{d.choice(('', ', padding_idx=1') if name == 'Embedding' else ('', ', mode=' + repr('sum'), ', mode=' + repr('max')))})"
        return f"self.layer({d.tensor(d.shape(0, 3) if name == 'Embedding' else [d.size(2, 3), d.size(3, 1)], 'int64', 'index:7')})"
    bias = d.choice(("", ", bias=False", ", bias=True", ", False"))
    if name == "Linear":
        width = d.size(3, 5, 1)
        d.layer = (
            f"nn.Linear({int(width)}, {d.integer(1, 4)}{bias}{d.choice(('', '', '', ', device=None', ', dtype=None'))})"
        )
        return f"self.layer({d.tensor([*d.shape(0, 3), int(width)])})"
    lead = d.shape(1, 2)
    d.layer = f"nn.Bilinear(3, 2, {d.integer(1, 4)}{bias})"
    return f"self.layer({d.tensor([*lead, 3])}, {d.tensor([*lead, 2])})"


@row("layers", *(f"Conv{t}{rank}d" for t in ("", "Transpose") for rank in (1, 2, 3)))
def conv(d: Draw, name: str) -> str:
    rank = int(name[-2])
    groups = d.choice((1, 1, 2))
    channels, out = groups * d.integer(1, 2), groups * d.integer(1, 2)
    given = [str(channels), d.choice((str(out), f"out_channels={out}"))]
    transposed = "Transpose" in name
    size = spatial(d, rank, (3, 1, 2))
    given.append(size if "=" not in given[1] else f"kernel_size={size}")
    padding = spatial(d, rank, (0, 1)) if transposed else d.choice((spatial(d, rank, (0, 1, 2)), "'same'", "'valid'"))
    options = {
        "stride": d.maybe(spatial(d, rank, (1, 2)) if padding != "'same'" else "1"), "padding": d.maybe(padding), "dilation": d.maybe(spatial(d, rank, (1, 2)), 3),
        "bias": d.maybe(d.flag()), "groups": str(groups) if groups > 1 else None,
        "padding_mode": d.maybe(d.choice(("'zeros'", "'reflect'", "'replicate'", "'circular'")), 3) if not transposed else None,
        "output_padding": d.maybe(spatial(d, rank, (0, 1)), 3) if transposed else None,
    }  # fmt: skip
    d.layer = f"nn.{name}({', '.join([*given, *(f'{key}={value}' for key, value in options.items() if value)])})"
    shape = d.images(rank, channels, least=3)
    return f"self.layer({d.tensor(shape[1:] if d.chance(6) else shape, values='normal')})"


@row(
    "layers",
    *(f"{kind}Pool{rank}d" for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for rank in (1, 2, 3)),
    *(f"LPPool{rank}d" for rank in (1, 2, 3)),
)
def pool(d: Draw, name: str) -> str:
    rank = int(name[-2])
    if name.startswith("Adaptive"):
        size = spatial(d, rank, (1, 2, 3))
        d.layer = f"nn.{name}({size})"
    elif name.startswith("LP"):
        size = spatial(d, rank, (2, 3)) if rank > 1 else d.choice(("2", "3"))
        d.layer = f"nn.{name}({d.choice(('2', '1', '3'))}, {size}{d.choice(('', ', ceil_mode=True', ', stride=1'))})"
    else:
        stride, padding = d.maybe(spatial(d, rank, (1, 2, 3))), d.maybe(spatial(d, rank, (0, 1)))
        options = [
            f"{key}={value}"
            for key, value in (("stride", stride), ("padding", padding), ("ceil_mode", d.maybe(d.flag())))
            if value
        ]
        if name.startswith("Avg"):
            options += [f"count_include_pad={d.flag()}"] if d.chance(2) else []
        else:
            options += [f"dilation={spatial(d, rank, (1, 2))}"] if d.chance(3) else []
        d.layer = f"nn.{name}({', '.join([spatial(d, rank, (3, 2, 1)), *options])})"
    shape = d.images(rank, least=3)
    return f"self.layer({d.tensor(shape[1:] if d.chance(6) else shape, values='normal')})"


@row(
    "layers",
    *(f"{kind}Norm{rank}d" for kind in ("Batch", "Instance") for rank in (1, 2, 3)),
    "GroupNorm",
    "LayerNorm",
    "RMSNorm",
    "LocalResponseNorm",
    "SyncBatchNorm",
)
def norm(d: Draw, name: str) -> str:
    channels = d.choice((4, 2, 6))
    rank = int(name[-2]) if name.endswith("d") else d.integer(0, 2)
    shape = d.images(max(rank, 1), channels, least=2)
    eps = d.maybe(d.choice(("1e-3", "0.1")))
    options = [f"eps={eps}"] if eps else []
    if name in ("GroupNorm",):
        given = [d.choice(("1", "2", str(channels))), str(channels)]
        options += [f"affine={d.flag()}"] if d.chance(3) else []
    elif name in ("LayerNorm", "RMSNorm"):
        last = int(shape[-1])
        given = [d.choice((str(last), f"[{last}]", f"({last},)", str(tuple(map(int, shape[-2:])))))]
        options += [f"elementwise_affine={d.flag()}"] if d.chance(3) else []
        options += [f"bias={d.flag()}"] if name == "LayerNorm" and d.chance(3) else []
    elif name == "LocalResponseNorm":
        given, options = [d.choice(("2", "3"))], []
    else:
        given = [str(channels)]
        options += [f"affine={d.flag()}"] if d.chance(3) else []
        options += [f"track_running_stats={d.flag()}"] if d.chance(3) else []
        options += ["momentum=0.1"] if d.chance(6) else []
        if name == "BatchNorm1d" and d.chance(3):
            shape = shape[:2]
    d.layer = f"nn.{name}({', '.join([*given, *options])})"
    return f"self.layer({d.tensor(shape, values=d.choice(('normal', 'big')))})"


@row(
    "layers",
    *(
        f"{kind}Pad{rank}d"
        for kind in ("Constant", "Reflection", "Replication", "Zero", "Circular")
        for rank in (1, 2, 3)
    ),
)
def padded(d: Draw, name: str) -> str:
    rank = int(name[-2])
    negative = (1, 0, 2, -1) if name[0] in "CZ" and name[1] != "i" else (1, 0, 2)
    padding = d.choice((str(d.choice(negative)), str(tuple(d.choice(negative) for _ in range(2 * rank)))))
    value = f", {d.choice(('1.5', '0', '-2'))}" if name.startswith("Constant") else ""
    d.layer = f"nn.{name}({padding}{value})"
    shape = d.images(rank, least=3)
    return f"self.layer({d.tensor(shape[1:] if d.chance(5) else shape, values='normal')})"


@row(
    "layers",
    "PixelShuffle",
    "PixelUnshuffle",
    "ChannelShuffle",
    "Unfold",
    "Fold",
    "Unflatten",
    "Softmax2d",
    "CosineSimilarity",
    "PairwiseDistance",
)
def moved(d: Draw, name: str) -> str:
    if name in ("CosineSimilarity", "PairwiseDistance"):
        shape = d.shape(2, 3)
        d.layer = f"nn.{name}({d.choice(('', 'dim=1', '1') if name[0] == 'C' else ('', '2', 'p=1'))})"
        return f"self.layer({d.tensor(shape, values='normal')}, {d.tensor(shape, values='normal')})"
    arguments, shape = {
        "PixelShuffle": ("2", [d.size(2, 1), 8, d.size(3, 2), d.size(4, 1)]), "PixelUnshuffle": ("2", [d.size(2, 1), 3, 4, 6]),
        "ChannelShuffle": ("2", [d.size(2, 1), 4, d.size(3, 2), d.size(2, 3)]), "Softmax2d": ("", [d.size(2, 1), 3, d.size(2, 4), 3]),
        "Unfold": (d.choice(("2", "(2, 3), padding=1", "3, stride=2")), [d.size(2, 1), 3, d.size(4, 5), d.size(5, 3)]),
        "Fold": ("(4, 6), 2, stride=2", [d.size(2, 1), 12, 6]), "Unflatten": (d.choice(("1, (2, 3)", "1, (-1, 2)", "dim=-2, unflattened_size=(3, 2)")), [d.size(2, 1), 6, d.size(2, 3)]),
    }[name]  # fmt: skip
    d.layer = f"nn.{name}({arguments})"
    return f"self.layer({d.tensor(shape, values='normal')})"


@row("layers", "LSTM", "GRU", "RNN")
def recurrent(d: Draw, name: str) -> str:
    width, hidden = d.choice((3, 2)), d.choice((2, 4))
    layers, first = d.choice((1, 1, 2)), d.chance(2)
    options = [f"num_layers={layers}"] if layers > 1 or d.chance(4) else []
    options += ["batch_first=True"] if first else []
    two = d.chance(3)
    options += ["bidirectional=True"] if two else []
    options += [f"bias={d.flag()}"] if d.chance(4) else []
    options += ["nonlinearity='relu'"] if name == "RNN" and d.chance(3) else []
    options += ["proj_size=1"] if name == "LSTM" and d.chance(6) else []
    d.layer = f"nn.{name}({', '.join([str(width), str(hidden), *options])})"
    n, t = d.size(2, 1, 3), d.size(3, 1, 4)
    x = d.tensor(([n, t, width] if first else [t, n, width]) if not d.chance(5) else [t, width], values="normal")
    if len(d.operands[-1][0]) == 3 and "proj_size=1" not in options and d.chance(2):
        states = [
            d.tensor([layers * (2 if two else 1), n, hidden], values="normal")
            for _ in range(2 if name == "LSTM" else 1)
        ]
        state = f", ({', '.join(states)})" if name == "LSTM" else f", {states[0]}"
    else:
        state = ""
    d.lines.append(f"y, {'(h, c)' if name == 'LSTM' else 'h'} = self.layer({x}{state})")
    return "y, h, c" if name == "LSTM" else "y, h"


@row("layers", "LSTMCell", "GRUCell", "RNNCell")
def cells(d: Draw, name: str) -> str:
    n = d.size(2, 1, 3)
    d.layer = f"nn.{name}(3, 2{d.choice(('', ', bias=False', ', False'))})"
    x = d.tensor([n, 3] if not d.chance(4) else [3], values="normal")
    lead = d.operands[-1][0][:-1]
    states = [d.tensor([*lead, 2], values="normal") for _ in range(2 if name == "LSTMCell" else 1)]
    if d.chance(3):
        return f"self.layer({x})"
    return f"self.layer({x}, {f'({states[0]}, {states[1]})' if name == 'LSTMCell' else states[0]})"


@row("layers", "MultiheadAttention")
def multihead(d: Draw, name: str) -> str:
    n, t, s = d.size(2, 1, 3), d.size(3, 1, 4), d.size(4, 2, 1)
    first = d.chance(2)
    options = (
        (["batch_first=True"] if first else [])
        + ([f"bias={d.flag()}"] if d.chance(4) else [])
        + (["add_bias_kv=True"] if d.chance(8) else [])
    )
    options += ["kdim=3, vdim=3"] if (other := d.chance(5)) else []
    d.layer = f"nn.MultiheadAttention({', '.join(['4', d.choice(('2', '1', '4')), *options])})"
    unbatched = d.chance(5)

    def shape(length: int, width: int) -> list[int]:
        return [length, width] if unbatched else [n, length, width] if first else [length, n, width]

    q = d.tensor(shape(t, 4), values="normal")
    k = d.tensor(shape(s, 3 if other else 4), values="normal")
    given = []
    if d.chance(4):
        given.append(f"key_padding_mask={d.tensor([s] if unbatched else [n, s], 'bool')}")
        mask = d.operands[-1]
        d.lines.append(f"x{len(d.operands) - 1} = x{len(d.operands) - 1} & (ops.arange({int(mask[0][-1])}) > 0)")
    if d.chance(4):
        given.append(f"attn_mask={d.tensor([t, s], values='normal')}")
    given += [f"need_weights={d.flag()}"] if d.chance(2) else []
    given += ["average_attn_weights=False"] if d.chance(4) else []
    d.lines.append(f"y, w = self.layer({', '.join([q, k, k, *given])})")
    return "y" if "need_weights=False" in given else "y, w"


@row(
    "layers",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
    "Transformer",
    "TransformerEncoder",
    "TransformerDecoder",
)
def transformer(d: Draw, name: str) -> str:
    n, t, s = d.size(2, 1), d.size(3, 1, 2), d.size(2, 4)
    options = (
        ["dim_feedforward=6"]
        + (["batch_first=True"] if (first := d.chance(2)) else [])
        + (["norm_first=True"] if d.chance(3) else [])
    )
    options += ["activation='gelu'"] if d.chance(3) else []
    if name == "Transformer":
        d.layer = f"nn.Transformer(4, 2, 1, 1, {', '.join(options)})"
    elif name == "TransformerEncoder":
        d.layer = f"nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, {', '.join(options)}), 2{d.choice(('', ', norm=nn.LayerNorm(4)'))}, enable_nested_tensor=False)"
    elif name == "TransformerDecoder":
        d.layer = f"nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, {', '.join(options)}), 2{d.choice(('', ', norm=nn.LayerNorm(4)'))})"
    else:
        d.layer = f"nn.{name}(4, 2, {', '.join(options)})"
    x = d.tensor([n, t, 4] if first else [t, n, 4], values="normal")
    if "Encoder" in name:
        return f"self.layer({x})"
    return f"self.layer({x}, {d.tensor([n, s, 4] if first else [s, n, 4], values='normal')})"


@row("layers", "Sequential")
def sequential(d: Draw, name: str) -> str:
    channels = d.choice((3, 4))
    parts = [f"nn.Conv2d({channels}, {channels}, 3, padding=1)"]
    for _ in range(d.integer(1, 3)):
        parts.append(d.choice((f"nn.BatchNorm2d({channels})", "nn.ReLU(inplace=True)", "nn.MaxPool2d(2)", f"nn.GroupNorm(1, {channels})", "nn.SiLU()",
                               f"nn.Conv2d({channels}, {channels}, 1, bias=False)", "nn.Upsample(scale_factor=2)", "nn.Dropout(0.1)")))  # fmt: skip
    if d.chance(2):
        parts += ["nn.AdaptiveAvgPool2d(1)", "nn.Flatten()", f"nn.Linear({channels}, 2)"]
    d.layer = f"nn.Sequential({', '.join(parts)})"
    return f"self.layer({d.tensor(d.images(2, channels, least=4), values='normal')})"


@row("layers", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d")
def unpooled(d: Draw, name: str) -> str:
    rank = int(name[-2])
    size = d.choice(("2", "3, stride=1", "2, 2"))
    d.layer = f"nn.{name}({size})"
    x = d.tensor([d.size(2, 1), 3, *(d.choice((4, 6)) for _ in range(rank))], values="normal")
    d.lines.append(f"y, i = ops.max_pool{rank}d({x}, {size}, return_indices=True)")
    return f"self.layer(y, i{d.choice(('', f', output_size={x}.shape'))})"


@row("layers", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d")
def upsampling(d: Draw, name: str) -> str:
    size = d.choice(("scale_factor=2", "size=(5, 7)", "scale_factor=1.5", "size=6"))
    d.layer = f"nn.{name}({size})"
    return f"self.layer({d.tensor(d.images(2), values='normal')})"


@row("layers", "containers")
def containers(d: Draw, name: str) -> str:
    """Modules in lists and dictionaries, one of them twice."""
    x = d.tensor([d.size(2, 1, 3), 3], values="normal")
    d.layer = d.choice(("nn.ModuleList([nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3)])", "nn.ModuleDict({'0': nn.Linear(3, 3), '1': nn.Tanh()})",
                        "nn.ParameterList([nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))])"))  # fmt: skip
    if "Dict" in d.layer:
        return d.choice((f"self.layer['1'](self.layer['0']({x}))", f"sum(part({x}) for part in self.layer.values())"))
    if "Parameter" in d.layer:
        return f"{x} * self.layer[0] + self.layer[1]"
    d.lines += [f"y = {x}", "for part in self.layer:", "    y = part(y)"]
    return d.choice(("y", f"self.layer[-1](y) + {x}"))
