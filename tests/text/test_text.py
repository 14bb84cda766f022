"""Pieces of text are whole characters, and nothing of a stop string is given away."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.generating import Letters

from trtnet import CheckpointError, InputError
from trtnet.text.chat import ChatTemplate
from trtnet.text.gguf_tokenizer import from_gguf
from trtnet.text.growing import GrowingText
from trtnet.text.tokenizer import from_file

EURO = [42, 43, 44]  # its three bytes, a token each


def pieces(tokens: list[int], stops: tuple[str, ...] = ()) -> tuple[list[str], GrowingText]:
    """What each token adds, and the end."""
    text = GrowingText(Letters(), stops)
    found = [""]
    for token in tokens:
        text.add(token)
        found.append(text.so_far)
        if text.stopped:
            break
    text.end()
    return [after.removeprefix(before) for before, after in pairwise([*found, text.so_far])], text


def test_a_character_comes_when_it_is_whole() -> None:
    found, text = pieces([0, *EURO, 1])
    assert found == ["a", "", "", "€", "b", ""]
    assert (text.so_far, text.stopped) == ("a€b", False)


def test_a_character_that_is_never_whole_comes_at_the_end() -> None:
    assert pieces([0, *EURO[:2]])[0] == ["a", "", "", "\ufffd"]


def test_what_may_be_a_stop_string_waits() -> None:
    tokens = Letters().encode("the end.")
    found, text = pieces(tokens, ("end", "x"))
    assert found == ["t", "h", "", "e ", "", "", "", ""]
    assert (text.so_far, text.stopped) == ("the ", True)
    found, text = pieces(tokens[:-2], ("end",))  # it never is one
    assert found == ["t", "h", "", "e ", "", "", "en"]
    assert (text.so_far, text.stopped) == ("the en", False)


class Ends(Letters):
    """The token 60 is "end" and the first byte of another character."""

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        return "".join("end\ufffd" if token == 60 else super(Ends, self).decode([token]) for token in token_ids)


def test_a_stop_string_before_half_a_character_ends_a_text_at_its_limit() -> None:
    for stops, wanted in ((("end",), ("ab", True)), (("ends",), ("abend\ufffd", False)), (("b",), ("a", True))):
        text = GrowingText(Ends(), stops)
        for token in [0, 1, 60][: 2 + (stops != ("b",))]:
            text.add(token)
        text.end()
        assert (text.so_far, text.stopped) == wanted


def test_the_first_of_several_stop_strings_ends() -> None:
    assert pieces(Letters().encode("abcdef"), ("cd", "bc"))[1].so_far == "a"


TEMPLATE = (
    "{% for message in messages %}\n<{{ message.role }}>{{ message['content'] }}{{ eos_token }}\n{% endfor %}\n"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_a_chat_template_writes_the_prompt() -> None:
    template = ChatTemplate(TEMPLATE, {"eos_token": "$"})
    assert template([{"role": "user", "content": "Hi"}]) == "<user>Hi$\n<assistant>"


def test_what_a_template_refuses_is_said() -> None:
    refusing = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(InputError, match="does not take these messages: roles must alternate"):
        refusing([])
    with pytest.raises(InputError, match="the chat template cannot be read"):
        ChatTemplate("{% for %}", {})
    with pytest.raises(InputError, match="does not take these messages"):  # the sandbox
        ChatTemplate("{{ messages.__class__.__mro__[1].__subclasses__() }}", {})([])


def test_a_template_is_given_what_transformers_gives() -> None:
    said = [{"role": "user", "content": "Hi"}]
    assert ChatTemplate("{{ tools is none and documents is none }}", {})(said) == "True"
    marked = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}!{% endfor %}"
    assert ChatTemplate(marked, {})(said) == "Hi!"
    assert ChatTemplate("{{ strftime_now('%Y')|int > 2000 }}", {})(said) == "True"


@pytest.mark.parametrize(
    "text",
    ["{{ 1 / 0 }}", "{{ 'a' + 1 }}", "{{ range(10 ** 9)|list }}", "{{ messages|join(5)|sum }}", "{% include 'x' %}",
     "{{ cycler.__init__.__globals__ }}", "{{ messages.append(1) }}", "{{ 'x'.encode('zz') }}"],
)  # fmt: skip
def test_whatever_a_template_does_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(InputError, match="the chat template does not take these messages: "):
        ChatTemplate(text, {})([{"role": "user", "content": "Hi"}])
    with pytest.raises(InputError, match="the chat template cannot be read"):
        ChatTemplate(5, {})  # type: ignore[arg-type]


def test_a_file_that_cuts_and_fills_texts_does_not_cut_a_prompt(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate("abc")}, []))
    made.enable_truncation(2)
    made.enable_padding(length=5)
    made.save(str(tmp_path / "tokenizer.json"))
    assert from_file(tmp_path / "tokenizer.json").encode("abca") == [0, 1, 2, 0]


@pytest.mark.parametrize("missing", ["tokens", "bos_token_id", "scores"])
def test_a_damaged_tokenizer_of_a_gguf_file_is_named(missing: str) -> None:
    fields = {"model": "llama", "tokens": ["<unk>", "<s>", "a"], "scores": [0.0, 0.0, 0.0], "bos_token_id": 1}
    metadata = {f"tokenizer.ggml.{key}": value for key, value in fields.items()}
    assert from_gguf(metadata, "x.gguf").encode("a")[0] == 1
    del metadata[f"tokenizer.ggml.{missing}"]
    with pytest.raises(CheckpointError, match=rf"x\.gguf: its tokenizer cannot be made, .*{missing}.*tokenizer\.json"):
        from_gguf(metadata, "x.gguf")


def test_an_unknown_tokenizer_is_named() -> None:
    with pytest.raises(CheckpointError, match="x: its tokenizer is gpt2 with the split unheard, which is not known"):
        from_gguf({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "unheard"}, "x")
    with pytest.raises(CheckpointError, match="its tokenizer is bert with the split default"):
        from_gguf({"tokenizer.ggml.model": "bert"}, "x")


BYTES = ["Ġ", "h", "e", "l", "o", "1", "2", "!", "he", "ll", "hell", "hello", "Ġhello", "12", "<s>", "<user>"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ hello", "1 2"]


@pytest.mark.parametrize(("split", "digits"), [("smollm", 2), ("qwen2", 2), ("llama-bpe", 1), ("gpt-2", 1)])
def test_a_gguf_tokenizer_splits_as_its_name_says(split: str, digits: int) -> None:
    metadata = {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": split, "tokenizer.ggml.tokens": BYTES,
        "tokenizer.ggml.merges": MERGES, "tokenizer.ggml.token_type": [1] * 14 + [3, 4],
        "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.bos_token_id": 14,
    }  # fmt: skip
    tokenizer = from_gguf(metadata, "x.gguf")
    ids = tokenizer.encode("hello hello12<user>!")
    assert [BYTES[i] for i in ids] == ["<s>", "hello", "Ġhello", *(["1", "2"], ["12"])[digits == 1], "<user>", "!"]
    assert tokenizer.decode(ids) == "hello hello12<user>!"
    assert tokenizer.encode("hello", add_special_tokens=False) == [11]
    assert len([pair for pair in pairwise(ids) if pair == (5, 6)]) == digits - 1


SPACE = "\u2581"
PIECES = [
    "<unk>",
    "<s>",
    *(f"<0x{n:02X}>" for n in range(256)),
    *(SPACE + "abcd"),
    "ab",
    "abc",
    "bc",
    "cd",
    "abcd",
    "da",
]
PIECES += [SPACE + "a", SPACE + "ab", "aa", "bb", "cc", "dd", "aaaa", "dab", "bcd"]


def pieces_of(text: str, scores: dict[str, float]) -> list[str]:
    """SentencePiece's own way: the best pair of neighbours, the first one of several, until there is none."""
    parts = list(SPACE + text.replace(" ", SPACE))
    while pairs := [(-scores[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in scores]:
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    known = [[part] if part in scores else [f"<0x{byte:02X}>" for byte in part.encode()] for part in parts]
    return [piece for group in known for piece in group]


def test_a_gguf_tokenizer_of_pieces_joins_the_best_pair_first() -> None:
    rng = np.random.default_rng(0)
    scores = {piece: float(score) for piece, score in zip(PIECES, rng.permutation(len(PIECES)), strict=True)}
    metadata = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": PIECES, "tokenizer.ggml.scores": [*scores.values()],
        "tokenizer.ggml.token_type": [2, 3] + [6] * 256 + [1] * (len(PIECES) - 258), "tokenizer.ggml.bos_token_id": 1,
    }  # fmt: skip
    tokenizer = from_gguf(metadata, "x")
    for _ in range(200):
        text = "".join(rng.choice([*"abcd", " ", "\u20ac"], rng.integers(1, 12), p=[0.25, 0.2, 0.2, 0.2, 0.1, 0.05]))
        ids = tokenizer.encode(text)
        assert [PIECES[i] for i in ids] == ["<s>", *pieces_of(text, scores)]
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(("text", "place"), [("ab\ud800", 2), ("\udc80", 0)])
def test_half_of_a_pair_of_surrogates_is_no_text(text: str, place: int) -> None:
    metadata = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": PIECES, "tokenizer.ggml.scores": [0.0] * len(PIECES),
        "tokenizer.ggml.bos_token_id": 1,
    }  # fmt: skip
    with pytest.raises(InputError, match=rf"character {place} of the text, '\\u.*, is half of a pair of surrogates"):
        from_gguf(metadata, "x").encode(text)
