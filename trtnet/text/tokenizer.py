"""What turns text into tokens and back, and those of the package tokenizers, from a tokenizer.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from trtnet.support.errors import CheckpointError, DependencyError, InputError

_SURROGATE = re.compile("[\ud800-\udfff]")


class Tokenizer(Protocol):
    """What turns text into tokens and back; transformers' tokenizers fit, too."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text, with those that begin one."""
        ...

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        ...


class FileTokenizer:
    """A :class:`Tokenizer` of the package tokenizers.

    Encoding raises InputError for a text with half of a pair of surrogates, which is no character.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        half = _SURROGATE.search(text)
        if half:
            raise InputError(
                f"character {half.start():,} of the text, {half[0]!r}, is half of a pair of surrogates: it comes of"
                " bytes that are not UTF-8, or of a text cut in UTF-16; read it with errors='replace', or leave it out"
            )
        return list(self.tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=skip_special_tokens))


def from_file(path: Path) -> FileTokenizer:
    """The tokenizer of a tokenizer.json. Raises CheckpointError if it cannot be read."""
    library = tokenizers()
    try:
        made = library.Tokenizer.from_file(str(path))
        made.no_truncation()  # which a file may ask for, and which would cut a prompt
        made.no_padding()
    except Exception as error:  # the package raises Exception itself
        raise CheckpointError(f"{path} is not a readable tokenizer: {error}") from error
    return FileTokenizer(made)


def tokenizers() -> Any:
    """The package. Raises DependencyError without it."""
    try:
        import tokenizers
    except ImportError as error:
        raise DependencyError("text needs tokenizers: pip install 'trtnet[text]'") from error
    return tokenizers
