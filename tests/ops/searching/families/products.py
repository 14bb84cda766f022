"""Products: matrices, vectors, einsum."""

from __future__ import annotations

from ops.searching.drawing import Draw
from ops.searching.table import row


def of(d: Draw, shape: list[int], dtype: str) -> str:
    return d.tensor(shape, dtype, "normal")


def kind(d: Draw) -> str:
    return d.dtype(d.main, d.main, d.main, d.main, "int64", "int32")


@row("products")
def matmul(d: Draw) -> str:
    m, k, n = d.size(), d.size(), d.size()
    lead = d.shape(0, 2)
    left = d.choice(([*lead, m, k], [k], [m, k], [*d.broadcast(lead), m, k]))
    right = d.choice(([*lead, k, n], [k], [k, n], [*d.broadcast(lead), k, n]))
    dtype = kind(d)
    x, y = (
        of(d, left, dtype),
        d.constant(list(map(int, right[-2:]))) if d.chance(5) and dtype == d.main else of(d, right, dtype),
    )
    return d.call("matmul", x, [("other", y)]) if d.chance(2) else f"{x} @ {y}"


@row("products", "mm", "bmm", "mv", "dot", "inner", "outer", "vdot", "ger", "chain_matmul", "kron")
def plain(d: Draw, name: str) -> str:
    m, k, n, b = d.size(), d.size(), d.size(), d.size()
    shapes = {"mm": ([m, k], [k, n]), "bmm": ([b, m, k], [b, k, n]), "mv": ([m, k], [k]), "dot": ([k], [k]), "vdot": ([k], [k]),
              "outer": ([m], [n]), "ger": ([m], [n]), "chain_matmul": ([m, k], [k, n]), "kron": ([m, k], [k, n])}  # fmt: skip
    left, right = shapes.get(name, ([*d.shape(0, 2), k], [*d.shape(0, 1), k]))
    dtype = kind(d)
    second = {"mm": "mat2", "bmm": "mat2", "mv": "vec", "outer": "vec2", "ger": "vec2", "dot": "tensor"}.get(name, "")
    return d.call(name, of(d, left, dtype), [(second, of(d, right, dtype))], method=name != "chain_matmul")


@row("products", "addmm", "baddbmm", "addmv", "addbmm", "addr")
def added(d: Draw, name: str) -> str:
    m, k, n, b = d.size(), d.size(), d.size(), d.size()
    result, left, right = {
        "addmm": ([m, n], [m, k], [k, n]), "baddbmm": ([b, m, n], [b, m, k], [b, k, n]), "addmv": ([m], [m, k], [k]),
        "addbmm": ([m, n], [b, m, k], [b, k, n]), "addr": ([m, n], [m], [n]),
    }[name]  # fmt: skip
    dtype = kind(d)
    # torch's addmv of a 0-d input and nothing to sum over forgets its own rows
    shape = result if name == "addmv" and k == 0 else d.broadcast(result)
    x, a, c = of(d, shape, dtype), of(d, left, dtype), of(d, right, dtype)
    beta, alpha = (d.maybe(d.choice(("0.5", "2", "0", "1"))) for _ in range(2))
    return d.call(name, x, [("", a), ("", c), ("*beta", beta), ("*alpha", alpha)])


@row("products")
def linear(d: Draw) -> str:
    shape = d.shape(1, 4)
    x = d.tensor(shape, values="normal")
    out, width = d.size(3, 1, 5), int(shape[-1])
    weight = d.choice((d.constant([int(out), width]), d.tensor([int(out), width], values="normal")))
    bias = d.maybe(d.choice((d.constant([int(out)]), d.tensor([int(out)], values="normal"), "None")))
    return d.call("linear", x, [("weight", weight), ("bias", bias)], method=False)


@row("products")
def bilinear(d: Draw) -> str:
    n, a, b, out = d.size(), d.size(3, 2, 4), d.size(2, 3, 1), d.size(3, 1, 2)
    x, y = d.tensor([n, a], values="normal"), d.tensor([n, b], values="normal")
    return d.call(
        "bilinear",
        x,
        [
            ("input2", y),
            ("weight", d.tensor([int(out), int(a), int(b)], values="normal")),
            ("bias", d.maybe(d.constant([int(out)]))),
        ],
        method=False,
    )


EQUATIONS = (
    "ij,jk->ik", "bij,bjk->bik", "bhqd,bhkd->bhqk", "i,j->ij", "ij->ji", "ii->i", "ii", "ij,ij->", "...ij,...jk->...ik", "ij,j->i",
    "bij,jk->bik", "ij,jk", "i,i->", "ijk->kji", "ij->j", "...i->...", "bi,ij,bj->b", "i,i->i", "ij->", "biu,biv->buv", "aij,bij->ab",
    "b...d,b...d->b...", " ij , jk -> ik ", "iij->ij", "nctv,vw->nctw", "ij,kj->ik",
)  # fmt: skip


@row("products")
def einsum(d: Draw) -> str:
    equation = d.choice(EQUATIONS)
    sizes = {letter: d.size() for letter in sorted(set(equation)) if letter.isalpha()}
    more = d.shape(0, 2)
    dtype = kind(d)
    names = []
    for term in equation.replace(" ", "").split("->")[0].split(","):
        shape: list[int] = []
        for part in term.replace("...", "*"):
            shape += more if part == "*" else [sizes[part]]
        names.append(of(d, shape, dtype))
    given = d.choice((", ".join(names), f"[{', '.join(names)}]"))
    return f"ops.einsum({equation!r}, {given})"


@row("products")
def tensordot(d: Draw) -> str:
    a, b, c, e = (d.size() for _ in range(4))
    x = d.tensor([a, b, c], values="normal")
    if d.chance(2):
        return d.call(
            "tensordot", x, [("", d.tensor([b, c, e], values="normal")), ("dims", d.maybe("2", 1))], method=False
        )
    return f"ops.tensordot({x}, {d.tensor([b, a, e], values='normal')}, dims={d.choice(('([0, 1], [1, 0])', '([1], [0])'))})"


@row("products", "cdist", "cross", "cov_like")
def geometry(d: Draw, name: str) -> str:
    n, m, k = d.size(), d.size(), d.size(3, 2, 4)
    if name == "cdist":
        lead = d.shape(0, 1)
        x, y = d.tensor([*lead, n, k], values="normal"), d.tensor([*lead, m, k], values="normal")
        return d.call(name, x, [("x2", y), ("p", d.maybe(d.choice(("1.0", "2.0"))))], method=False)
    if name == "cross":
        shape = [n, 3]
        return d.call(
            name,
            d.tensor(shape, values="normal"),
            [("other", d.tensor(shape, values="normal")), ("dim", d.maybe(d.choice(("1", "-1"))))],
        )
    x = d.tensor([n, k], values="normal")
    return f"(({x} - {x}.mean(0)).mT @ ({x} - {x}.mean(0))) / {x}.shape[0]"


@row("products", "inverse", "det", "slogdet", "logdet", "cholesky", "matrix_power")
def of_squares(d: Draw, name: str) -> str:
    n = d.choice((1, 2, 3))
    x = d.tensor([*d.shape(0, 2), n, n], "float32", "normal")
    square = x if d.chance(2) and name in ("det", "slogdet", "matrix_power") else f"({x} * {x}.mT + ops.eye({n}) * 9)"
    given = [("n", d.choice(("0", "1", "2", "3", "-1")))] if name == "matrix_power" else []
    return d.call(name, square, [*given, *([("upper", d.maybe(d.flag()))] if name == "cholesky" else [])])
