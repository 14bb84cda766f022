"""Normalizations, attention, embeddings, distances and losses' kin."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def affine(d: Draw, shape: list[int]) -> str | None:
    """A weight or a bias: a constant, an input, None or nothing."""
    sizes = list(map(int, shape))
    return d.maybe(d.choice((d.constant(sizes), d.tensor(sizes, values="normal"), "None")))


def eps(d: Draw) -> str | None:
    return d.maybe(d.choice(("1e-5", "1e-3", "0.1", "1e-12")))


@row("norms", "layer_norm", "rms_norm")
def over_last_axes(d: Draw, name: str) -> str:
    shape = [size or 2 for size in d.shape(1, 4)]
    count = d.integer(1, len(shape))
    x = d.tensor(shape, values=d.choice(("normal", "big", "ties")))
    last = shape[-count:]
    sizes = list(map(int, last))
    given = [
        ("normalized_shape", d.choice((str(tuple(sizes)), str(sizes), f"{x}.shape[{-count}:]"))),
        ("weight", affine(d, last)),
    ]
    if name == "layer_norm":
        given.append(("bias", affine(d, last)))
    return d.call(name, x, [*given, ("eps", eps(d))], method=False)


@row("norms")
def group_norm(d: Draw) -> str:
    groups = d.choice((1, 2, 3, 4))
    channels = groups * d.integer(1, 3)
    shape = [d.size(2, 1, 3), channels, *d.shape(0, 3)]
    x = d.tensor([size or 1 for size in shape], values=d.choice(("normal", "big")))
    return d.call(
        "group_norm",
        x,
        [
            ("num_groups", str(groups)),
            ("weight", affine(d, [channels])),
            ("bias", affine(d, [channels])),
            ("eps", eps(d)),
        ],
        method=False,
    )


@row("norms")
def instance_norm(d: Draw) -> str:
    shape = d.images(d.integer(1, 3), least=2)
    x = d.tensor(shape, values="normal")
    channels = [int(shape[1])]
    return d.call("instance_norm", x, [("running_mean", None), ("running_var", None), ("weight", affine(d, channels)), ("bias", affine(d, channels)),
                                       ("use_input_stats", d.maybe("True", 4)), ("momentum", None), ("eps", eps(d))], method=False)  # fmt: skip


@row("norms")
def batch_norm(d: Draw) -> str:
    shape = [d.size(2, 1, 3), d.size(3, 1, 4), *d.shape(0, 3)]
    x = d.tensor([size or 1 for size in shape], values="normal")
    channels = [int(shape[1])]
    mean, var = (
        d.choice((d.constant(channels, low=0 if i else -2, high=3), d.tensor(channels, values="positive")))
        for i in range(2)
    )
    return d.call("batch_norm", x, [("running_mean", mean), ("running_var", var), ("weight", affine(d, channels)), ("bias", affine(d, channels)),
                                    ("training", d.maybe("False", 4)), ("momentum", None), ("eps", eps(d))], method=False)  # fmt: skip


@row("norms", "normalize")
def normalized(d: Draw, name: str) -> str:
    shape = d.shape(1, 4)
    x = d.tensor(shape, values="normal")
    return d.call(
        name,
        x,
        [
            ("p", d.maybe(d.number("2", "1", "3", "inf", "2.0"))),
            ("dim", d.maybe(d.choice((d.dim(shape), d.dims(shape, none=False))))),
            ("eps", eps(d)),
        ],
        method=False,
    )


@row("norms", "cosine_similarity", "pairwise_distance", "dist")
def distances(d: Draw, name: str) -> str:
    shape = d.shape(1, 3)
    x, y = d.tensor(shape, values="normal"), d.tensor(d.broadcast(shape) if d.chance(3) else shape, values="normal")
    if name == "cosine_similarity":
        return d.call(name, x, [("x2", y), ("dim", d.maybe(d.dim(shape))), ("eps", eps(d))], method=False)
    if name == "dist":
        return d.call(name, x, [("other", y), ("p", d.maybe(d.number("1", "2", "3", "inf", "0", "-inf")))])
    return d.call(
        name,
        x,
        [("x2", y), ("p", d.maybe(d.choice(("1", "2", "3")))), ("eps", eps(d)), ("keepdim", d.maybe(d.flag()))],
        method=False,
    )


@row("norms")
def local_response_norm(d: Draw) -> str:
    x = d.tensor(d.images(d.integer(1, 3)), values="normal")
    return d.call(
        "local_response_norm",
        x,
        [
            ("size", d.choice(("2", "3", "5", "1"))),
            ("alpha", d.maybe("0.1")),
            ("beta", d.maybe("0.5")),
            ("k", d.maybe("2.0")),
        ],
        method=False,
    )


@row("norms", "scaled_dot_product_attention")
def attention(d: Draw, name: str) -> str:
    rank = d.choice((4, 4, 4, 3, 2, 5))
    lead = [d.size(2, 1, 3) for _ in range(rank - 2)]
    queries, keys, width = d.size(4, 1, 3, 5), d.size(5, 1, 3, 4), d.choice((8, 4, 16))
    q = d.tensor([*lead, queries, width], values="normal")
    heads = list(lead)
    gqa = rank == 4 and d.chance(5)
    if gqa:
        d.operands[-1][0][1] = 4
        heads[1] = 2
    k = d.tensor([*heads, keys, width], values="normal")
    v = d.tensor([*heads, keys, d.choice((width, width, width, 6))], values="normal")
    mask = None
    if d.chance(2):
        shape = d.broadcast([*lead, queries, keys]) if not gqa else [queries, keys]
        mask = d.tensor(shape, d.choice(("bool", d.main)), d.choice(("normal", "positive")))
        if d.operands[-1][1] == "bool" and d.chance(2):  # rows of which nothing is allowed are NaN in some versions
            d.lines.append(
                f"{mask} = {mask} | (ops.arange({keys!s}) == 0)" if shape and shape[-1] == keys else f"{mask} = {mask}"
            )
    causal = d.maybe(d.flag()) if mask is None else None
    return d.call(name, q, [("key", k), ("value", v), ("attn_mask", mask), ("dropout_p", d.maybe("0.0", 4)), ("is_causal", causal),
                            ("*scale", d.maybe(d.choice(("0.5", "1.0", "None")), 3)), ("*enable_gqa", "True" if gqa else d.maybe("False", 5))], method=False)  # fmt: skip


@row("norms")
def embedding(d: Draw) -> str:
    count, width = d.choice((4, 7)), d.choice((3, 5))
    x = d.tensor(d.shape(0, 3), d.dtype("int64", "int64", "int32"), f"index:{count}")
    table = d.choice((d.constant([count, width]), d.tensor([count, width], values="normal")))
    return d.call("embedding", x, [("weight", table), ("padding_idx", d.maybe("1", 4))], method=False)


@row("norms")
def embedding_bag(d: Draw) -> str:
    count, width = d.choice((4, 7)), d.choice((3, 5))
    x = d.tensor([d.size(2, 3, 1), d.size(4, 1, 2)], d.dtype("int64", "int64", "int32"), f"index:{count}")
    return f"ops.embedding_bag({x}, {d.constant([count, width])}, mode={d.choice(('mean', 'sum', 'max'))!r})"


@row("norms", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits")
def losses(d: Draw, name: str) -> str:
    shape = d.shape(0, 3)
    x, y = d.tensor(shape, values="normal"), d.tensor(shape, values="unit")
    return f"ops.{name}({x}, {y}{d.choice(('', ', reduction=' + repr('none'), ', reduction=' + repr('sum')))})"
