"""Damaged files: every cut, every byte changed, and bytes moved about; and what a reader of them may answer.

A reader refuses a damaged file with an error of trtnet's own, or gives what the whole file has. Where a format has no
checksum, a changed byte may give another value, another name or another shape, never fewer tensors.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import TrtnetError

SECONDS = 10
NUMBERS = (b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 7 + b"\x40")
"""Counts and offsets that are negative or huge."""
Content = dict[str, tuple[Any, ...]]
Damaged = tuple[str, bytes]


class Finding(NamedTuple):
    """A damage, and what came of it that may not be."""

    damage: str
    outcome: str


def cuts(content: bytes, step: int = 1) -> Iterator[Damaged]:
    """The file cut at every byte, or every few and the last ones."""
    for end in sorted({*range(1, len(content), step), *range(max(1, len(content) - 20), len(content))}):
        yield f"cut at {end}", content[:end]


def flips(content: bytes, rng: random.Random, each: int = 1, places: Iterable[int] | None = None) -> Iterator[Damaged]:
    """Every byte changed to so many other values; a bit of it first."""
    for place in range(len(content)) if places is None else places:
        old = content[place]
        for turn in range(each):
            new = old ^ (1 << rng.randrange(8)) if turn == 0 else rng.choice([b for b in range(256) if b != old])
            yield f"byte {place} from {old} to {new}", content[:place] + bytes([new]) + content[place + 1 :]


def edits(content: bytes, rng: random.Random, count: int) -> Iterator[Damaged]:
    """Runs of bytes removed, doubled, exchanged, or replaced by extreme numbers."""
    for _ in range(count):
        at, length = rng.randrange(len(content)), rng.choice((1, 2, 4, 8, 30, 200))
        other = rng.randrange(len(content))
        match rng.randrange(4):
            case 0:
                yield f"{length} bytes at {at} removed", content[:at] + content[at + length :]
            case 1:
                yield f"{length} bytes at {at} doubled", content[: at + length] + content[at:]
            case 2:
                moved = content[:at] + content[other : other + length] + content[at + length :]
                yield f"{length} bytes of {other} at {at}", moved
            case _:
                number = rng.choice(NUMBERS)
                yield f"{number.hex()} at {at}", content[:at] + number + content[at + len(number) :]


def garbage(content: bytes) -> Iterator[Damaged]:
    """The file with something behind it."""
    for more in (b"\0", b"\n", b"x" * 7, b"\0" * 100, b"PK\5\6" + bytes(18), content):
        yield f"{len(more)} bytes of garbage behind it", content + more


def read(source: Path, key: str | None = None) -> Content:
    """Every tensor of a checkpoint: its dtype, shape and bytes. Of one that is not readable, what it is."""
    found: Content = {}
    with open_checkpoint(source, key) as opened:
        for name in opened:
            listed = opened.listed(name)
            if listed.readable:
                array, spec = opened[name], opened.info(name)
                assert (array.shape, array.dtype) == (spec.shape, spec.dtype.numpy), name
                found[name] = array.dtype.name, array.shape, array.tobytes()
            else:
                found[name] = listed.dtype, listed.shape, b""
    return found


def outcome(reader: Callable[[], Any], judge: Callable[[Any], str]) -> str:
    """ "refused", or what `judge` says of what was read; of another exception, or one that took long, that."""
    start = time.perf_counter()
    try:
        said = judge(reader())
    except TrtnetError as error:
        said = "refused" if str(error) else "refused without a word"
    except Exception as error:
        return f"crashed with {type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - start
    return said if seconds < SECONDS else f"took {seconds:.1f} s"


def compared(wanted: Content, may_differ: bool, most: int = 8) -> Callable[[Content], str]:
    """What judges tensors that were read. may_differ: whether one changed byte may show, in so many bytes at most."""

    def judge(found: Content) -> str:
        if found == wanted:
            return "whole"
        if len(found) < len(wanted):
            return f"{len(found)} tensors of {len(wanted)}: without {sorted(set(wanted) - set(found))}"
        if not may_differ:
            return f"other content of {[name for name in wanted if found.get(name) != wanted[name]]}"
        for name in set(wanted) & set(found):
            (_, shape, data), (_, old_shape, old) = found[name], wanted[name]
            changed = sum(a != b for a, b in zip(data, old, strict=False))
            if (shape == old_shape and len(data) == len(old) and changed > most) or (data and not old):
                return f"{name} has {changed} other bytes, of {len(old)}"
        return "other"

    return judge


def hurt(
    path: Path, damages: Iterable[Damaged], reader: Callable[[], Any], judge: Callable[[Any], str]
) -> tuple[Counter[str], list[Finding]]:
    """Reads a file in each damaged form, then puts it back: how often which outcome, and those that may not be."""
    whole, counts, findings = path.read_bytes(), Counter[str](), list[Finding]()
    try:
        for damage, content in damages:
            if content == whole:
                continue
            # a new file each time: arrays that were read may still map the one before
            path.unlink()
            path.write_bytes(content)
            said = outcome(reader, judge)
            counts[said if said in ("refused", "whole", "other") else "finding"] += 1
            if said not in ("refused", "whole", "other"):
                findings.append(Finding(damage, said))
    finally:
        path.unlink()
        path.write_bytes(whole)
    return counts, findings
