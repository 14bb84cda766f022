"""Strict matching: every difference between a model's weights and a checkpoint's, in one error."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from heapq import nlargest

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.wrappers import WRAPPERS, unwrapped
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import CheckpointError, WeightsError

log = logging.getLogger("trtnet.checkpoint")

IGNORED: tuple[str, ...] = (
    # BatchNorm's count of training steps; inference has no use for it.
    r"(^|\.)num_batches_tracked$",
    # The frequencies of rotary embeddings: a function of the config, saved as a buffer by old transformers.
    r"(^|\.)rotary\w*\.inv_freq$",
    # The scalar -1e4 or -1e9 that GPT-2, GPT-Neo and GPT-NeoX put where attention is masked. Their causal
    # mask, `attn.bias`, is not here: elsewhere a key of that name is a learned bias.
    r"(^|\.)(attn|attention)\.masked_bias$",
    # 0, 1, 2, ...: the positions that BERT and CLIP look up, saved as a buffer by old transformers.
    r"(^|\.)embeddings\.position_ids$",
    # Swin's table of which learned relative bias belongs to which pair of pixels: a function of the window.
    r"(^|\.)relative_position_index$",
    # What get_extra_state of a module returned, where it is a tensor.
    r"(^|\.)_extra_state$",
)
"""Regular expressions of keys that a checkpoint may have and a model need not: buffers, no learned weight."""

_LINES = 20
_MOST_TIES = 3
_EMBEDDING = re.compile(r"(embed\w*|wte|shared|embeddings?)(\.\w+)*\.weight$")
_HEAD = re.compile(r"(head|decoder|output|embed_out|score)\w*\.weight$")


def match(
    expected: Mapping[str, StaticShape],
    checkpoint: Checkpoint,
    ignored: Sequence[str] = IGNORED,
    *,
    strict: bool = True,
    aliases: Collection[str] = (),
) -> tuple[str, ...]:
    """Checks that a checkpoint has exactly the weights of a model; reads no data.

    expected: the model's keys and shapes. ignored: regular expressions, searched in the keys that only the
    checkpoint has; a key that the model expects is never ignored, and a pattern that ignores nothing is a warning.
    strict=False: other keys that only the checkpoint has are skipped and returned; the model's own weights must still
    be present. aliases: other names of expected weights, which the checkpoint may have too.
    Raises one WeightsError with every missing key, every unexpected key and every wrong shape as its
    attributes; its text lists the first of each, with the nearest names, and the prefix that would reconcile
    them if there is one. Raises CheckpointError if an expected tensor cannot be read.
    """
    missing, unexpected = keys_apart(expected, checkpoint, useful(ignored, expected, checkpoint))
    unexpected = [key for key in unexpected if key not in aliases]
    found = {key: checkpoint.info(key).shape for key in expected if key in checkpoint}
    mismatched = [(key, tuple(expected[key]), found[key]) for key in found if tuple(expected[key]) != found[key]]
    if missing or mismatched or (strict and unexpected):
        text = _report(expected, checkpoint, missing, unexpected, mismatched)
        raise WeightsError(text, missing, unexpected, mismatched)
    return tuple(unexpected)


def keys_apart(
    expected: Mapping[str, object], checkpoint: Checkpoint, ignored: Sequence[str] = IGNORED
) -> tuple[list[str], list[str]]:
    """(expected keys missing from the checkpoint, keys that only it has and that no pattern ignores)."""
    rules = list(map(_compiled, ignored))
    missing = [key for key in expected if key not in checkpoint]
    return missing, [key for key in checkpoint if key not in expected and not any(r.search(key) for r in rules)]


def useful(ignored: Sequence[str], expected: Collection[str], checkpoint: Checkpoint) -> list[str]:
    """The patterns that ignore something, and those of IGNORED; a warning names each of the others.

    Raises CheckpointError for what is not a regular expression.
    """
    others = [key for key in checkpoint if key not in expected]
    kept = [pattern for pattern in ignored if pattern in IGNORED or any(map(_compiled(pattern).search, others))]
    for pattern in dict.fromkeys(ignored):
        if pattern not in kept:
            near = f"nearest: {', '.join(nearest(pattern, others))}" if others else "the model takes all keys"
            log.warning("%s: the pattern '%s' ignores no key; %s", checkpoint.name, pattern, near)
    return kept


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise CheckpointError(
            f"the pattern of keys to ignore {pattern!r} is not a regular expression: {error}"
        ) from error


def _report(
    expected: Mapping[str, StaticShape],
    checkpoint: Checkpoint,
    missing: Sequence[str],
    unexpected: Sequence[str],
    mismatched: Sequence[tuple[str, StaticShape, StaticShape]],
) -> str:
    needed = {key: tuple(expected[key]) for key in missing}
    unused = {key: _shape(checkpoint, key) for key in unexpected}
    misshapen = {key: f"{key}: {list(ours)} in the model, {list(theirs)} here" for key, ours, theirs in mismatched}
    lines = [
        f"{checkpoint.name} does not match the model: {len(missing)} missing, {len(unexpected)} unexpected,"
        f" {len(mismatched)} of another shape",
        *(_wrapper_advice(needed, unused) or _prefix_advice(needed, unused)),
        *_tie_advice(needed, unused, checkpoint),
        *_section(
            "missing (the model needs them)",
            (f"{key} {list(needed[key])}{_nearest(key, needed[key], unused, checkpoint)}" for key in missing),
            len(missing),
        ),
        *_section(
            "unexpected (the model has no such weights)",
            (f"{key} {_listed(unused[key])}" for key in unexpected),
            len(unexpected),
        ),
        *_section("of another shape", iter(misshapen.values()), len(misshapen)),
    ]
    return "\n".join(lines)


def _section(title: str, entries: Iterator[str], count: int) -> list[str]:
    """A heading and its first entries; the others are never computed."""
    if count == 0:
        return []
    lines = [f"    {entry}" for _, entry in zip(range(_LINES), entries, strict=False)]
    rest = [f"    ... and {count - _LINES:,} more"] if count > _LINES else []
    return [f"  {title}:", *lines, *rest]


def _nearest(key: str, shape: StaticShape, unused: Mapping[str, StaticShape | None], checkpoint: Checkpoint) -> str:
    fitting = [candidate for candidate, its_shape in unused.items() if its_shape == shape]
    for candidates in (fitting, list(unused), list(checkpoint)):
        # the names of wrappers say nothing of which weight it is
        plain = {unwrapped(name): name for name in reversed(_likely(key, candidates))}
        names = [plain[name] for name in get_close_matches(unwrapped(key), plain, n=2)]
        if names:
            near = (f"{name} {_listed(_shape(checkpoint, name))}" for name in names)
            return f"   nearest: {', '.join(near)}"
    return ""


def _likely(key: str, candidates: list[str]) -> list[str]:
    """The candidates that share the most parts with `key`: difflib is too slow for ten thousand names."""
    parts = set(key.split("."))
    return nlargest(100, candidates, key=lambda candidate: len(parts.intersection(candidate.split("."))))


def _prefix_advice(needed: Mapping[str, StaticShape], unused: Mapping[str, StaticShape | None]) -> Iterator[str]:
    """Names a prefix which, added to or stripped from the checkpoint's keys, finds most of `needed`."""
    for verb, longer, shorter in (("stripped from", unused, needed), ("added to", needed, unused)):
        prefix, count = _common_prefix(longer, shorter)
        if 2 * count > len(needed):
            what = "all" if count == len(needed) else f"{count:,} of the"
            rule = "strip_prefix" if verb == "stripped from" else "add_prefix"
            yield (
                f"  With {prefix!r} {verb} the checkpoint's keys, {what} {len(needed):,} missing are found:"
                f" a rule file with [[rules]] {rule} = {prefix!r} does that (--rules FILE.toml)."
            )


def _wrapper_advice(needed: Mapping[str, StaticShape], unused: Mapping[str, StaticShape | None]) -> list[str]:
    """Names the rule that leaves out the names of wrappers, where it finds most of `needed`."""
    plain = {unwrapped(key): shape for key, shape in unused.items()}
    count = sum(plain.get(key) == shape for key, shape in needed.items())
    wrappers = sorted({part for key in unused for part in key.split(".")[:-1] if part in WRAPPERS})
    if 2 * count <= len(needed) or not wrappers:
        return []
    what = "all" if count == len(needed) else f"{count:,} of the"
    return [
        f"  Without the names of wrappers ({', '.join(wrappers)}) in the checkpoint's keys, {what} {len(needed):,}"
        f" missing are found: --rules unwrap, or trtnet.weights.rules('unwrap').apply(...), or [[rules]] unwrap = true."
    ]


def _tie_advice(
    needed: Mapping[str, StaticShape], unused: Mapping[str, StaticShape | None], file: Checkpoint
) -> list[str]:
    """A missing or unexpected matrix that may be another one under a second name, as heads and embeddings are."""
    lines = []
    embeddings = {key: _shape(file, key) for key in file if key not in unused and _EMBEDDING.search(key)}
    for key, shape in needed.items():
        same = [other for other, its in embeddings.items() if its == shape and len(shape) == 2]
        if same and shape not in unused.values():
            lines.append(
                f"  {key} may be tied to {same[0]}, of the same shape: [[rules]] tie = {key!r}, to = {same[0]!r}"
            )
    for key, other_shape in unused.items():
        same = [other for other, its in embeddings.items() if its == other_shape and len(its or ()) == 2]
        if _HEAD.search(key) and same:
            lines.append(
                f"  {key} may be {same[0]} once more, which the model has tied: if they are equal,"
                f" [[rules]] drop = {f'^{re.escape(key)}$'!r} leaves it out"
            )
    return lines[:_MOST_TIES]


def _common_prefix(
    longer: Mapping[str, StaticShape | None], shorter: Mapping[str, StaticShape | None]
) -> tuple[str, int]:
    """The prefix, with its dot, that turns most keys of `shorter` into keys of `longer` of their shape."""
    counts = Counter(
        key[: dot.end()]
        for key, shape in longer.items()
        for dot in re.finditer(r"\.", key)
        if shape is not None and shorter.get(key[dot.end() :]) == shape
    )
    return counts.most_common(1)[0] if counts else ("", 0)


def _shape(checkpoint: Checkpoint, key: str) -> StaticShape | None:
    """The shape of a tensor that nobody may need, so that one which cannot be read is no error here."""
    try:
        return checkpoint.info(key).shape
    except CheckpointError:
        return None


def _listed(shape: StaticShape | None) -> str:
    return "(unreadable)" if shape is None else str(list(shape))
