"""How many things there are, and the article of a name, in a sentence."""

import pytest

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
