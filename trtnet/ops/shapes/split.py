"""A tensor cut into several along an axis, and joined in other ways than one after another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import is_static, largest, smallest
from trtnet.graph.sizes.products import exact_quotient, quotient
from trtnet.graph.sizes.requirements import require
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import is_int, size_of, sizes_of
from trtnet.ops.shapes.slicing import Cut
from trtnet.ops.writes.part import part
from trtnet.support.size_limit import Array
from trtnet.support.text.counted import counted


def split(x: Tensor, split_size_or_sections: Size | Sequence[Size], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of one size (the last may be smaller), or of the sizes in a list, along `dim`; views of `x`.

    x: any shape and dtype. split_size_or_sections: an int or a Dim, or a list of them. Returns a tuple of [..., size,
    ...], in the dtype of `x`.
    Layer: ISliceLayer, one for each part.
    Raises LayerError where the number of parts is known only at run time, and for known sizes that do not add up.
    """
    along = axis(x, dim, "split")
    size = x.shape[along]
    if isinstance(split_size_or_sections, Sequence):
        sizes = list(sizes_of(x, split_size_or_sections, "split"))
        if any(isinstance(n, int) and n < 0 for n in sizes) or (is_static((*sizes, size)) and sum(sizes) != size):
            x.network.fail(f"split sizes {_text(sizes)} do not add up to {size}", {"x": x})
        return _parts(x, along, sizes)
    step = size_of(x, split_size_or_sections, "split")
    if isinstance(step, int) and (step < 0 or (step == 0 and size != 0)):
        x.network.fail(f"split takes a size above 0, found {step}", {"x": x})
    count = quotient((size,), (step,)) if step != 0 else 1
    if isinstance(count, int):
        return _parts(x, along, [step] * count) if count else (x,)
    if not isinstance(size, int) or not isinstance(step, int):
        text = f"split of {size} by {step} has a number of parts that is known only when the engine runs"
        advice = "tensor_split has a fixed number of them, of nearly equal sizes, and split takes a list of sizes"
        x.network.fail(f"{text}; {advice}", {"x": x})
    return _parts(x, along, [min(step, size - i) for i in range(0, size, step)])


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of ceil(size / chunks) elements (the last may be smaller) along `dim`; views of `x`.

    x: any shape and dtype. An axis whose size is known only at run time gives `chunks` parts: `build` and `reference`
    refuse sizes where torch gives fewer, such as 5 or 6 for 4 chunks; tensor_split has no such sizes. Returns a
    tuple of [..., size, ...], in the dtype of `x`.
    Layer: ISliceLayer, one for each part.
    Raises LayerError for a number of parts below 1.
    """
    along = axis(x, dim, "chunk")
    size = x.shape[along]
    if not is_int(chunks) or chunks < 1:
        x.network.fail(f"chunk takes a number of parts above 0, found {chunks}", {"x": x})
    if isinstance(size, int):
        return split(x, -(-size // chunks), along) if size else (x,) * int(chunks)
    whole = exact_quotient((size,), (chunks,))
    if whole is not None:
        return _parts(x, along, [whole] * chunks)
    text = f"chunk cuts {size} into fewer than {counted(chunks, 'part')} there, tensor_split always into {chunks}"
    require(x.network, size, lambda sizes: _parts_of_chunk(sizes, int(chunks)) == chunks, text)
    step = (size + (chunks - 1)) // chunks
    return _between(x, along, [0, step, *(smallest(step * i, size) for i in range(2, chunks)), size])


def tensor_split(
    x: Tensor,
    indices_or_sections: int | Sequence[Size] | None = None,
    dim: int = 0,
    *,
    indices: Sequence[Size] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Parts of nearly equal size, the larger ones first; or the parts between indices. Views of `x`.

    x: any shape and dtype. indices_or_sections: an int, or a sequence of ints and Dims; indices, sections:
    the same. Returns a tuple of [..., size, ...], in the dtype of `x`.
    Layer: ISliceLayer, one for each part.
    Raises LayerError for a number of parts below 1, and for something that is neither an int nor a sequence.
    """
    along = axis(x, dim, "tensor_split")
    size = x.shape[along]
    given = next((x for x in (indices_or_sections, indices, sections) if x is not None), None)
    if isinstance(given, Sequence):
        ends = sizes_of(x, given, "tensor_split")
        edges = [slice(a, b) for a, b in zip([None, *ends], [*ends, None], strict=True)]
        return tuple(x[(*(slice(None),) * along, edge)] for edge in edges)
    if not isinstance(given, int | np.integer) or given < 1:
        x.network.fail(f"tensor_split takes a number of parts above 0, found {given}", {"x": x})
    count = int(given)
    return _parts(x, along, [(size + (count - 1 - i)) // count for i in range(count)])


def _parts_of_chunk(sizes: Array, chunks: int) -> Array:
    """How many parts chunk makes of each size; of none, as many as asked."""
    step = -(-sizes // chunks)
    return np.where(sizes == 0, chunks, -(-sizes // np.maximum(step, 1)))


def _parts(x: Tensor, along: int, sizes: Sequence[Size]) -> tuple[Tensor, ...]:
    """Parts of the given sizes, one after another."""
    starts: list[Size] = [0]
    for size in sizes[:-1]:
        starts.append(size if starts[-1] == 0 else starts[-1] + size)
    return tuple(part(x, {along: Cut(start, size)}) for start, size in zip(starts, sizes, strict=True))


def _between(x: Tensor, along: int, starts: Sequence[Size]) -> tuple[Tensor, ...]:
    """Parts from each start to the next."""
    sizes = [b if a == 0 else largest(b - a, 0) for a, b in pairwise(starts)]
    return tuple(part(x, {along: Cut(start, size)}) for start, size in zip(starts, sizes, strict=False))


def _text(sizes: Sequence[Size]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
