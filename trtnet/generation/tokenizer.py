"""Tokenizers of the package tokenizers: from a tokenizer.json, or made from what a GGUF file says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtnet.support.errors import CheckpointError, DependencyError

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
SPLITS = {
    "llama-bpe": LLAMA3,
    "qwen2": LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
    "gpt-2": "",
    "default": "",
    "smollm": "",
}
"""How text is split before pairs of bytes are joined, by the name of a GGUF file; "" as GPT-2 does."""


class FileTokenizer:
    """A tokenizer of the package tokenizers, with the two methods that text needs."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text, with those that begin one."""
        return list(self.tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=skip_special_tokens))


def from_file(path: Path) -> FileTokenizer:
    """The tokenizer of a tokenizer.json. Raises CheckpointError if it cannot be read."""
    try:
        made = _library().Tokenizer.from_file(str(path))
        made.no_truncation()  # which a file may ask for, and which would cut a prompt
        made.no_padding()
        return FileTokenizer(made)
    except Exception as error:  # the package raises Exception itself
        raise CheckpointError(f"{path} is not a readable tokenizer: {error}") from error


def from_gguf(metadata: Mapping[str, Any], name: str) -> FileTokenizer:
    """The tokenizer of a GGUF file. name: of the file, for errors.

    Raises CheckpointError for one of another kind than pairs of bytes ("gpt2") and SentencePiece's pairs of pieces
    ("llama"), for a split that is not known, and for fields that are missing or damaged.
    """
    kind, split = metadata.get("tokenizer.ggml.model"), str(metadata.get("tokenizer.ggml.pre", "default"))
    beside = "Put the tokenizer.json of the original next to it"
    if kind != "llama" and (kind != "gpt2" or split not in SPLITS):
        raise CheckpointError(
            f"{name}: its tokenizer is {kind} with the split {split}, which is not known; known are llama, and gpt2"
            f" with {', '.join(SPLITS)}. {beside}"
        )
    _library()
    try:
        return FileTokenizer(
            _special(_of_pieces(metadata) if kind == "llama" else _of_bytes(metadata, split), metadata)
        )
    except Exception as error:  # the package raises Exception itself
        raise CheckpointError(f"{name}: its tokenizer cannot be made, {error!r}. {beside}") from error


def _special(made: Any, metadata: Mapping[str, Any]) -> Any:
    """A tokenizer with the tokens that are no text, and the one that begins each text."""
    library, tokens = _library(), metadata["tokenizer.ggml.tokens"]
    kinds = dict(zip(tokens, metadata.get("tokenizer.ggml.token_type", [1] * len(tokens)), strict=True))
    made.add_special_tokens([token for token, kind in kinds.items() if kind == _CONTROL])
    made.add_tokens([library.AddedToken(token, normalized=False) for token, kind in kinds.items() if kind == _USERS])
    begins = "llama" in (metadata["tokenizer.ggml.model"], str(metadata.get("tokenizer.ggml.pre")).removesuffix("-bpe"))
    if metadata.get("tokenizer.ggml.add_bos_token", begins):
        number = metadata["tokenizer.ggml.bos_token_id"]
        made.post_processor = library.processors.TemplateProcessing(
            single=f"{tokens[number]} $A", special_tokens=[(tokens[number], number)]
        )
    return made


def _of_bytes(metadata: Mapping[str, Any], split: str) -> Any:
    library, tokens = _library(), metadata["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in metadata.get("tokenizer.ggml.merges", ())]
    made = library.Tokenizer(library.models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = _split(library.pre_tokenizers, split)
    made.decoder = library.decoders.ByteLevel()
    if split == "qwen2":
        made.normalizer = library.normalizers.NFC()
    return made


def _of_pieces(metadata: Mapping[str, Any]) -> Any:
    """SentencePiece's: of two neighbours those are joined whose piece has the highest score."""
    library, tokens = _library(), metadata["tokenizer.ggml.tokens"]
    numbers = {token: i for i, token in enumerate(tokens)}
    scores = dict(zip(tokens, metadata["tokenizer.ggml.scores"], strict=True))
    pairs = ((token[:n], token[n:]) for token in tokens for n in range(1, len(token)))
    known = [pair for pair in pairs if pair[0] in numbers and pair[1] in numbers]
    merges = sorted(known, key=lambda pair: -scores["".join(pair)])
    unknown = tokens[metadata.get("tokenizer.ggml.unknown_token_id", 0)]
    made = library.Tokenizer(library.models.BPE(numbers, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    begins = [library.normalizers.Prepend("\u2581")] if metadata.get("tokenizer.ggml.add_space_prefix", True) else []
    made.normalizer = library.normalizers.Sequence([*begins, library.normalizers.Replace(" ", "\u2581")])
    kinds = library.decoders
    ends = [kinds.Strip(" ", 1, 0)] if begins else []
    made.decoder = kinds.Sequence([kinds.Replace("\u2581", " "), kinds.ByteFallback(), kinds.Fuse(), *ends])
    return made


_CONTROL, _USERS = 3, 4


def _split(kinds: Any, name: str) -> Any:
    if name == "smollm":
        return kinds.Sequence([kinds.Digits(individual_digits=True), kinds.ByteLevel(add_prefix_space=False)])
    if not SPLITS[name]:
        return kinds.ByteLevel(add_prefix_space=False)
    parts = kinds.Split(_library().Regex(SPLITS[name]), "isolated")
    return kinds.Sequence([parts, kinds.ByteLevel(add_prefix_space=False, use_regex=False)])


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise DependencyError("text needs tokenizers: pip install 'trtnet[text]'") from error
    return tokenizers
