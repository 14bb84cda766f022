"""The tokenizer that a GGUF file describes, made with the package tokenizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.support.errors import CheckpointError
from trtnet.text.tokenizer import FileTokenizer, tokenizers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
SPLITS = {"llama-bpe": LLAMA3, "qwen2": LLAMA3.replace("{1,3}", ""), "gpt-2": "", "default": "", "smollm": ""}
"""How text is split before pairs of bytes are joined, by the name of a GGUF file; "" as GPT-2 does."""
_CONTROL, _USERS = 3, 4
"""Types of tokens: those that are no text, and those that whoever trained the model has added."""
_SPACE = "\u2581"
_Fields = Mapping[str, Any]


def from_gguf(metadata: Mapping[str, Any], name: str) -> FileTokenizer:
    """The tokenizer of a GGUF file. name: of the file, for errors.

    Raises CheckpointError for one of another kind than pairs of bytes ("gpt2") and SentencePiece's pairs of pieces
    ("llama"), for a split that is not known, and for fields that are missing or damaged.
    """
    fields = {key.removeprefix("tokenizer.ggml."): value for key, value in metadata.items()}
    kind, split = fields.get("model"), str(fields.get("pre", "default"))
    beside = "Put the tokenizer.json of the original next to it"
    if kind != "llama" and (kind != "gpt2" or split not in SPLITS):
        raise CheckpointError(
            f"{name}: its tokenizer is {kind} with the split {split}, which is not known; known are llama, and gpt2"
            f" with {', '.join(SPLITS)}. {beside}"
        )
    library = tokenizers()
    try:
        made = _of_pieces(library, fields) if kind == "llama" else _of_bytes(library, fields, split)
        _add_special(library, made, fields, begins=kind == "llama" or split == "llama-bpe")
    except Exception as error:  # the package raises Exception itself
        raise CheckpointError(f"{name}: its tokenizer cannot be made, {error!r}. {beside}") from error
    return FileTokenizer(made)


def _of_bytes(library: Any, fields: _Fields, split: str) -> Any:
    numbers = {token: i for i, token in enumerate(fields["tokens"])}
    merges = [tuple(pair.split(" ")) for pair in fields.get("merges", ())]
    made, ways = library.Tokenizer(library.models.BPE(numbers, merges)), library.pre_tokenizers
    first = {"smollm": ways.Digits(individual_digits=True)}.get(split)
    if SPLITS[split]:
        first = ways.Split(library.Regex(SPLITS[split]), "isolated")
    as_bytes = ways.ByteLevel(add_prefix_space=False, use_regex=not SPLITS[split])
    made.pre_tokenizer = ways.Sequence([first, as_bytes]) if first else as_bytes
    made.decoder = library.decoders.ByteLevel()
    if split == "qwen2":
        made.normalizer = library.normalizers.NFC()
    return made


def _of_pieces(library: Any, fields: _Fields) -> Any:
    """SentencePiece's: of two neighbours those are joined whose piece has the highest score."""
    tokens, to, back = fields["tokens"], library.normalizers, library.decoders
    numbers = {token: i for i, token in enumerate(tokens)}
    scores = dict(zip(tokens, fields["scores"], strict=True))
    pairs = ((token[:n], token[n:]) for token in tokens for n in range(1, len(token)))
    known = [pair for pair in pairs if pair[0] in numbers and pair[1] in numbers]
    merges = sorted(known, key=lambda pair: -scores["".join(pair)])
    unknown = tokens[fields.get("unknown_token_id", 0)]
    made = library.Tokenizer(library.models.BPE(numbers, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    prefixed = fields.get("add_space_prefix", True)
    made.normalizer = to.Sequence([*([to.Prepend(_SPACE)] if prefixed else []), to.Replace(" ", _SPACE)])
    stripped = [back.Strip(" ", 1, 0)] if prefixed else []
    made.decoder = back.Sequence([back.Replace(_SPACE, " "), back.ByteFallback(), back.Fuse(), *stripped])
    return made


def _add_special(library: Any, made: Any, fields: _Fields, begins: bool) -> None:
    """The tokens that are no text, and the one that begins each text. begins: whether there is one, if not said."""
    tokens = fields["tokens"]
    kinds = dict(zip(tokens, fields.get("token_type", [1] * len(tokens)), strict=True))
    made.add_special_tokens([token for token, kind in kinds.items() if kind == _CONTROL])
    made.add_tokens([library.AddedToken(token, normalized=False) for token, kind in kinds.items() if kind == _USERS])
    if fields.get("add_bos_token", begins):
        number = fields["bos_token_id"]
        made.post_processor = library.processors.TemplateProcessing(
            single=f"{tokens[number]} $A", special_tokens=[(tokens[number], number)]
        )
