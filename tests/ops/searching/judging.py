"""Whether a result is torch's: shapes, dtypes, integers exactly, floats as close as torch itself is.

`native` is torch's own result, `wide` the one with float64 inputs. A float result is right if every element is

- of the same kind (NaN, inf, -inf, finite) as in `native`, or as in `wide` rounded to the dtype: where torch's own
  16-bit arithmetic overflows on its way, both are right; and
- near: the relative L2 distance to `wide` or `native` is within docs/design.md's tolerance for the dtype, or at most
  FACTOR times torch's own distance to `wide`, or at most what `wide` moves where the inputs' elements move by some eps
  (the mean of numbers that cancel, a hardswish near -3). Where elements stand for themselves (`exact`), each must be
  within FACTOR * eps of `wide` or `native`, or FACTOR times torch's own error there, or what `wide` moves there.

An integer or a bool is right if it is `native`'s or `wide`'s (a floor at the edge of its integer differs between them).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

TOLERANCES = {torch.float32: 1e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
FACTOR = 8


def difference(
    found: Sequence[torch.Tensor],
    native: Sequence[torch.Tensor],
    wide: Sequence[torch.Tensor] | None,
    *,
    exact: bool = False,
    moved: Sequence[torch.Tensor] | None = None,
    factor: float = FACTOR,
) -> str:
    """What is wrong with the results; "" if nothing is. moved: `wide` for inputs that are moved by some eps."""
    if len(found) != len(native):
        return f"{len(found)} results, torch has {len(native)}"
    wides = wide if wide is not None and [w.shape for w in wide] == [n.shape for n in native] else native
    others = moved if moved is not None and wides is wide else wides
    for one, expected, better, other in zip(found, native, wides, others, strict=True):
        if one.dtype != expected.dtype:
            return f"dtype {one.dtype}, torch's is {expected.dtype}"
        if one.shape != expected.shape:
            return f"shape {tuple(one.shape)}, torch's is {tuple(expected.shape)}"
        room = (other.double() - better.double()).abs() if other is not better else torch.zeros((), dtype=torch.float64)
        if text := _values(one, expected, better, room, exact, factor):
            return text
    return ""


def _values(
    found: torch.Tensor, native: torch.Tensor, wide: torch.Tensor, room: torch.Tensor, exact: bool, factor: float
) -> str:
    if not found.is_floating_point():
        right = (found == native) | (found == wide.to(found.dtype))
        return "" if bool(right.all()) else "values (exact)"
    rounded = wide.to(found.dtype)
    same_kind = _same_kind(found, native) | _same_kind(found, rounded)
    if not bool(same_kind.all()):
        return "NaN or inf where torch has none, or the reverse"
    finite = found.isfinite() & native.isfinite() & wide.isfinite()
    a, b, c = (x.double().where(finite, torch.zeros((), dtype=torch.float64)) for x in (found, native, wide))
    if exact:
        return "" if _each_near(a, b, c, room, found.dtype, factor) else "values"
    if float((a - c).norm()) <= 2 * float(room.where(finite, torch.zeros_like(room)).norm()):
        return ""
    return "" if _near(a, b, c, TOLERANCES.get(found.dtype, 1e-6) * factor / FACTOR, factor) else "values"


def _same_kind(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    infinite = ~a.isfinite() & ~a.isnan()
    return torch.where(infinite, a == b, a.isnan() == b.isnan()) & (a.isfinite() == b.isfinite())


def _near(found: torch.Tensor, native: torch.Tensor, wide: torch.Tensor, tolerance: float, factor: float) -> bool:
    own = float((native - wide).norm())
    allowed = max(tolerance * float(wide.norm()), factor * own, 1e-30)
    return float((found - wide).norm()) <= allowed or float((found - native).norm()) <= tolerance * float(native.norm())


def _each_near(
    a: torch.Tensor, native: torch.Tensor, wide: torch.Tensor, room: torch.Tensor, dtype: torch.dtype, factor: float
) -> bool:
    info = torch.finfo(dtype)
    step = factor * info.eps
    near_wide = (a - wide).abs() <= step * wide.abs() + factor * (native - wide).abs() + factor * info.tiny
    near_native = (a - native).abs() <= step * native.abs() + factor * info.tiny
    return bool((near_wide | near_native | ((a - wide).abs() <= 2 * room)).all())
