"""Thirty bugs in published models and twenty right ones, each by one command: `trtnet compare` and `trtnet bisect`.

compare fails every bug, bisect names its module, or the model for what its own forward gives; both acquit what is
right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.verify import right
from helpers.verify.planted import BUGS
from safetensors.torch import save_file
from typer.testing import CliRunner

from trtnet.cli.main import app


@dataclass(frozen=True)
class Case:
    """ours, theirs: expressions that make the models. module: where the bug is, None for none; says: in the report.

    options: of both commands. names: of bisect alone.
    """

    ours: str
    theirs: str
    module: str | None = None
    says: str = ""
    options: str = ""
    names: str = ""


PNET, LAST, CRNN = (f"seeded({name})" for name in ("TorchPNet", "TorchPNetLast", "TorchCRNN"))
SQUEEZE, SHUFFLE, RESNET = (
    f"seeded(originals.import_torchvision().models.{name})"
    for name in ("squeezenet1_1", "shufflenet_v2_x0_5", "resnet18")
)
TIMM_RESNET = "seeded(timm().create_model, 'resnet18')"
TWO = "--dim batch=2"
LAYOUT = "another layout"


def zoo(name: str, options: str = "") -> Case:
    """One of the ten that tests/helpers/verify/planted.py has."""
    bug = BUGS[name]()
    return Case(f"zoo({name!r})", f"BUGS[{name!r}]().original", bug.module, bug.says, options)


GPT_IDS = "--range input_ids=0:99 --dim batch=2 --dim length=7"
IDS = f"{GPT_IDS} --range attention_mask=0:2 --range token_type_ids=0:2"
PLANTED = {
    "pnet_ceil_mode": Case("PNet('ceil_mode')", PNET, "pool1", "ceil_mode is False here, True in torch"),
    "pnet_kernel": Case("PNet('kernel')", PNET, "pool1", "kernel_size is 3 here, 2 in torch"),
    "pnet_stride": Case("PNet('stride')", PNET, "conv2", "stride is 2 here, 1 in torch"),
    "pnet_padding": Case("PNet('padding')", PNET, "conv3", "padding is 1 here, 0 in torch"),
    "pnet_softmax": Case("PNet('softmax')", PNET, "softmax4_1", "dim is 3 here, 1 in torch"),
    "pnet_exchanged": Case("PNet('exchanged')", PNET, "", "outputs are exchanged"),
    "pnet_permute": Case("PNetLast('permute')", LAST, "", LAYOUT),
    "pnet_squeeze": Case("PNetLast('squeeze')", LAST, "", LAYOUT),
    "pnet_checkpoint": Case("PNet()", PNET, "conv3", "weight", "--weights bad.safetensors"),
    "squeezenet_ceil_mode": Case("SqueezeNet('ceil_mode')", SQUEEZE, "features.8", "ceil_mode is False here, True"),
    "squeezenet_concat": Case("SqueezeNet('concat')", SQUEEZE, "features.10", "in its own forward"),
    "squeezenet_flatten": Case("SqueezeNet('flatten')", SQUEEZE, "", LAYOUT),
    "squeezenet_relu": Case("SqueezeNet('relu')", SQUEEZE, "classifier.2", "an Identity here, a ReLU in torch"),
    "shufflenet_shuffle": Case("ShuffleNet('shuffle')", SHUFFLE, "stage2.2", "in its own forward", TWO),
    "shufflenet_pooling": Case("ShuffleNet('pooling')", SHUFFLE, "", "before it calls fc", TWO),
    "resnet_residual": Case("resnet('residual')", RESNET, "layer2.1", "in its own forward"),
    "resnet_strides": Case("resnet('strides')", RESNET, "layer2.0.conv1", "stride is 1 here, 2 in torch"),
    "resnet_padding": Case("resnet('padding')", RESNET, "conv1", "padding is 2 here, 3 in torch"),
    "timm_resnet_eps": Case("resnet('eps')", TIMM_RESNET, "layer3.1.bn1", "eps is 0.001 here, 1e-05 in torch"),
    "timm_vit_heads": Case("TimmViT('heads')", "timm_vit()", "blocks.1.attn", "num_heads is 3 here, 4 in torch"),
    "timm_vit_swapped": Case("TimmViT('swapped')", "timm_vit()", "blocks.1.attn", "before it calls blocks.1.attn.proj"),
    "timm_vit_activation": Case("TimmViT('activation')", "timm_vit()", "blocks.1.mlp.act", "a SiLU here, a GELU"),
    "timm_vit_eps": Case("TimmViT('eps')", "timm_vit()", "blocks.1.norm2", "eps is 0.1 here, 1e-06 in torch"),
    "timm_vit_residual": Case("TimmViT('residual')", "timm_vit()", "blocks.1", "in its own forward"),
    "timm_vit_token": Case("TimmViT('token')", "timm_vit()", "", "before it calls head"),
    "timm_vit_first_row": Case("TimmViT('first row')", "timm_vit()", "", "before it calls head"),
    "timm_vit_bias": Case("TimmViT('bias')", "timm_vit()", "blocks.1.attn.qkv", "torch has a bias", "--no-strict"),
    "crnn_blank": Case("CRNN('blank')", CRNN, "", "+1 everywhere"),
    "crnn_order": Case("CRNN('order')", CRNN, "", "before it calls rnn"),
    "crnn_batch_first": Case("CRNN('batch first')", CRNN, "", LAYOUT),
    "pnet_dilation": Case("PNet('dilation')", PNET, "conv3", "dilation is 2 here, 1 in torch"),
    "aspp_rate": Case("ASPP('rate')", "torch_aspp()", "convs.2.0", "padding is 2 here, 3 in torch"),
    "bert_eps": zoo("wrong_eps", IDS),
    "bert_swapped": zoo("swapped_q_and_k", IDS),
    "bert_mask": zoo("inverted_mask", IDS),
    "gpt2_scale": zoo("missing_scale", GPT_IDS),
    "vit_gelu": zoo("tanh_gelu", TWO),
    "lenet_axis": zoo("wrong_axis", TWO),
}  # fmt: skip
RIGHT = {
    "pnet": Case("PNet()", PNET),
    "pnet_last": Case("PNetLast()", LAST),
    "squeezenet": Case("SqueezeNet()", SQUEEZE),
    "shufflenet": Case("ShuffleNet()", SHUFFLE, options=TWO),
    "resnet": Case("resnet()", RESNET),
    "timm_resnet": Case("resnet()", TIMM_RESNET),
    "timm_vit": Case("TimmViT()", "timm_vit()"),
    "timm_vit_float16": Case("TimmViT()", "timm_vit()", options="--dtype float16"),
    "crnn": Case("CRNN()", CRNN),
    "aspp": Case("ASPP()", "torch_aspp()"),
    "bert": Case("zoo('wrong_eps', True)", "BUGS['wrong_eps']().original", options=IDS),
    "gpt2_tied": Case("zoo('missing_scale', True)", "BUGS['missing_scale']().original", options=GPT_IDS),
    "vit": Case("zoo('tanh_gelu', True)", "BUGS['tanh_gelu']().original", options=TWO),
    "lenet": Case("zoo('wrong_axis', True)", "BUGS['wrong_axis']().original", options=TWO),
    **{
        name: Case(
            f"right.{ours.__name__}()", f"seeded(right.{theirs.__name__})", None, "", right.OPTIONS.get(name, ""), names
        )
        for name, (ours, theirs, names) in right.PAIRS.items()
    },
}
FILE = """
import timm as timm_library
from helpers.verify.planted import BUGS, RIGHT as ALL_RIGHT
from helpers.verify.published import *
from helpers.verify import right

def timm():
    return timm_library

def ours():
    return {ours}

def theirs():
    return {theirs}

def zoo(name, is_right=False):
    bug = BUGS[name]()
    kind = {{"wrong_eps": "bert", "missing_scale": "gpt2", "tanh_gelu": "vit", "wrong_axis": "lenet"}}
    return ALL_RIGHT[kind[name]]().model if is_right else bug.model
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(command: str, case: Case, *more: str) -> tuple[int, str]:
    """(exit code, output) of a command in this process; an error raises."""
    Path("m.py").write_text(FILE.format(ours=case.ours, theirs=case.theirs))
    for name, state in (("bad", right.with_a_wrong_tensor), ("merged", right.merged_weights)):
        if name in case.options:
            save_file(state(), f"{name}.safetensors")
    things = ["m.py:ours", "torch:m.py:theirs"] if command == "compare" else ["m.py:ours", "--torch", "m.py:theirs"]
    names = case.names.split() if command == "bisect" else []
    arguments = [command, *things, *case.options.split(), *names, *more]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.output


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_fails_and_is_named(name: str) -> None:
    case = PLANTED[name]
    code, text = run("compare", case)
    assert code == 1 and "FAIL" in text, text
    code, text = run("bisect", case, "--json", "b.json")
    found = json.loads(Path("b.json").read_text())
    assert code == 1 and found["module"] == case.module and not found["passed"], text
    assert case.says in " ".join(text.split()), text
    assert (case.module or "the model") in text.splitlines()[0]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_acquitted(name: str) -> None:
    for command in ("compare", "bisect"):
        code, text = run(command, RIGHT[name])
        assert code == 0, text


def test_there_are_as_many_as_were_promised() -> None:
    assert len(PLANTED) >= 30 and len(RIGHT) >= 20
