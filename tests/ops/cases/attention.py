"""Attention of every rank, width, group and mask; masked rows among them that see no key."""

from __future__ import annotations

from typing import Any

from ops.cases.case import Case, either


def attention(name: str, q: Any, k: Any, v: Any, mask: Any = None, more: Any = (), **options: Any) -> Case:
    """mask: of the inputs after the values, whose shapes are `more`."""

    def call(f: Any, q: Any, k: Any, v: Any, *others: Any) -> Any:
        masks = {} if mask is None else {"attn_mask": mask(*others)}
        return f.scaled_dot_product_attention(q, k, v, **masks, **options)

    return either(f"attention {name}", call, q, k, v, *more)


ROWS, KEYS = ("n", 2, "s", 8), ("n", 2, "w", 8)
SQUARE = ("n", 2, 5, 8)


def seen(m: Any) -> Any:
    return m > 0


def hidden(m: Any) -> Any:
    return m.masked_fill(m < 0, float("-inf"))


ATTENTION_CASES = [
    attention("2-D", ("s", 8), ("w", 8), ("w", 8)),
    attention("3-D", ("n", "s", 8), ("n", "w", 8), ("n", "w", 8)),
    attention("3-D static mask", (2, 5, 8), (2, 6, 8), (2, 6, 8), seen, [(2, 5, 6)]),
    attention("3-D mask", ("n", "s", 8), ("n", "w", 8), ("n", "w", 8), seen, [("n", 1, "w")]),
    attention("5-D", ("n", 2, 3, "s", 8), ("n", 2, 3, "w", 8), ("n", 2, 3, "w", 8)),
    attention("5-D mask", ("n", 2, 3, "s", 8), ("n", 2, 3, "w", 8), ("n", 2, 3, "w", 8), seen, [("n", 1, 1, "s", "w")]),
    attention("5-D row mask", ("n", 2, 3, 5, 8), ("n", 2, 3, 4, 8), ("n", 2, 3, 4, 8), hidden, [(5, 4)]),
    attention("dynamic heads", ("n", "h", 4, 8), ("n", "h", 4, 8), ("n", "h", 4, 8), seen, [("n", 1, 4, 4)]),
    attention("narrow values", ROWS, KEYS, ("n", 2, "w", 4)),
    attention("wide values", ROWS, KEYS, ("n", 2, "w", 16), seen, [("s", "w")]),
    attention("narrow causal groups", ("n", 4, 5, 8), SQUARE, ("n", 2, 5, 6), is_causal=True, enable_gqa=True),
    attention("causal more queries", ("n", 2, 7, 8), SQUARE, SQUARE, is_causal=True),
    attention("causal more keys", ("n", 2, 3, 8), SQUARE, SQUARE, is_causal=True),
    attention("causal dynamic", ROWS, KEYS, KEYS, is_causal=True),
    attention("causal odd width", ("n", 2, "s", 5), ("n", 2, "w", 5), ("n", 2, "w", 5), is_causal=True, scale=0.7),
    *(
        attention(f"{kind.__name__} {shape}", ROWS, KEYS, KEYS, kind, [shape])
        for kind in (seen, hidden)
        for shape in (("s", "w"), (1, "w"), ("n", 1, 1, "w"), ("n", 2, "s", "w"), (2, 1, "w"), (1, 1, "s", "w"))
    ),
    attention("a mask for each group", ("n", 4, "s", 8), KEYS, KEYS, seen, [("n", 4, "s", "w")], enable_gqa=True),
    attention("one query", ("n", 2, 1, 8), KEYS, KEYS, seen, [("n", 1, 1, "w")]),
    attention("one query, odd width", ("n", 2, 1, 5), ("n", 2, "w", 5), ("n", 2, "w", 5), hidden, [("n", 1, 1, "w")]),
    attention("one of each", (1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
    attention("scale", ROWS, KEYS, KEYS, scale=-0.3),
    attention("one batch for all", (1, 2, 4, 8), ("n", 2, 5, 8), ("n", 2, 5, 8)),
]
