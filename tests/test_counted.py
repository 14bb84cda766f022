"""How many things there are, and the article of a name, in a sentence."""

import ast
import re
from pathlib import Path

import pytest

import trtnet
from trtnet.support.text.counted import an, counted


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (counted(0, "shard"), "0 shards"),
        (counted(1, "shard"), "1 shard"),
        (counted(1200, "query", "queries"), "1,200 queries"),
        (counted("batch", "channel"), "batch channels"),
        (counted(True, "axis", "axes"), "True axis"),
    ],
)  # fmt: skip
def test_a_number_of_things(said: str, text: str) -> None:
    assert said == text.replace("True", "1")


@pytest.mark.parametrize(
    "name", ["int", "ndarray", "LSTM", "ONNX", "RMSNorm", "ELU", "Identity", "object", "A", "Embedding"]
)
def test_names_that_begin_with_a_vowel_as_they_are_said(name: str) -> None:
    assert an(name) == f"an {name}"


@pytest.mark.parametrize(
    "name", ["float", "uint8", "list", "UNet", "GELU", "Unigram", "NoneType", "Linear", "B", "dict"]
)
def test_names_that_do_not(name: str) -> None:
    assert an(name) == f"a {name}"


NOUNS = """
arguments arrays attributes axes batches bits blocks bytes caches channels characters columns combinations
devices dims dimensions elements engines entries files groups heads images indices inputs ints iterations keys
kinds layers lines modules numbers offsets operands outputs parameters parts pixels positions profiles
products prompts queries ranges ranks repeats rows samples seconds sequences shapes shards shifts sizes steps
streams tensors terms tokens values weights windows words
"""
PLURAL = re.compile(
    rf" (?:(?:input|output|key|query|value|float|quantized|infinite) )*(?:{'|'.join(NOUNS.split())})\b(?!/)"
)
SEVERAL = re.compile(r" (?:are|do|have|take|need|were|differ|fit|hold)\b")
TEXTS = {
    "kind", "end", "array.dtype", "info.dtype", "name", "capacity",
    "TYPES[tensor.dtype]", "text", "_with(offsets)", "picture.height",
}  # fmt: skip
"""Expressions that are names, not numbers, before what looks like counted things."""
AS_THEY_ARE = {"tools/bench/reports/trtexec_lines.py": "trtexec's own lines"}


def wrong_plurals(code: str) -> list[str]:
    """f-strings of a number that may be 1 before a plural, or before a verb of several."""
    found: list[str] = []
    if not re.search(rf"(?:\}}|%[sd])(?:{PLURAL.pattern}|{SEVERAL.pattern})", code):
        return found
    found += re.findall(rf"%[sd]{PLURAL.pattern}", code)
    for string in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.JoinedStr)):
        before = ["", *(part.value if isinstance(part, ast.Constant) else "" for part in string.values)]
        for previous, part, after in zip(before, string.values, string.values[1:], strict=False):
            if isinstance(part, ast.FormattedValue) and isinstance(after, ast.Constant):
                said = ast.unparse(part.value)
                one = "counted(" not in said and not said.isupper() and said not in TEXTS
                one = one and (part.format_spec is None or ast.unparse(part.format_spec) == "f','")
                rest = previous in (" of ", " of the ")  # 3 of 8 rows
                if one and not rest and PLURAL.match(after.value):
                    found.append(said + after.value)
                if said.startswith("counted(") and said.count(",") == 1 and SEVERAL.match(after.value):
                    found.append(said + after.value)
    return found


def test_messages_count_with_the_helper() -> None:
    root = Path(trtnet.__file__).parent
    files = [file for file in root.rglob("*.py") if file.relative_to(root).as_posix() not in AS_THEY_ARE]
    assert [f"{file}: {text}" for file in files for text in wrong_plurals(file.read_text())] == []


@pytest.mark.parametrize(
    "message",
    [
        "f'found {x.ndim} dimensions'",
        "'%s caches'",
        "f'{len(x):,} input channels'",
        "f'''{counted(n, 'head')} do not divide'''",
    ],
)
def test_plurals_of_one_are_found(message: str) -> None:
    assert wrong_plurals(message)
    assert not wrong_plurals("f'''{counted(n, 'head does', 'heads do')} not divide; {kind} layers; {MOST} names'''")
