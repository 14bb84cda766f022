"""How many published PyTorch models define a TensorRT network as they are.

    PYTHON published_modules.py [--only REGEX] [--json FILE] [--limit-seconds N] [--dtype float32] [--dynamic] [--build] [--list]

PYTHON is the interpreter of an environment with trtnet, torch, torchvision, timm and transformers. For each family (one
published variant, random weights, none of them constant, eval mode) the live module itself is given to
``trtnet.define(module, inputs, dtype=...)``; ``network.reference()`` must equal the float32 module on two random inputs:
relative L2 at most 1e-4 (float16: 1e-2, bfloat16: 5e-2), and for what tells the two apart 1e-2 (1e-1, 5e-1), or within
five times of torch's own rounding in that dtype. --dynamic: the batch is a named dimension, and what was defined runs
at batches 1 and 3. --build: the engine is built ahead of time, too.
Each family has a process of its own with limits of time and memory. Exit code: 0 if all agree.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.definition import published

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
IDS = {"input_ids": ((12,), 90)}
TORCHVISION = {  # family: (module, factory, arguments, input size)
    "alexnet": ("alexnet", "alexnet", {}, 224),
    "vgg": ("vgg", "vgg11_bn", {}, 64),
    "resnet": ("resnet", "resnet18", {}, 128),
    "resnext": ("resnet", "resnext50_32x4d", {}, 128),
    "wide_resnet": ("resnet", "wide_resnet50_2", {}, 96),
    "squeezenet": ("squeezenet", "squeezenet1_1", {}, 128),
    "densenet": ("densenet", "densenet121", {}, 128),
    "googlenet": ("googlenet", "googlenet", {"init_weights": False}, 128),
    "inception": ("inception", "inception_v3", {"init_weights": False}, 299),
    "shufflenetv2": ("shufflenetv2", "shufflenet_v2_x0_5", {}, 128),
    "mobilenetv2": ("mobilenetv2", "mobilenet_v2", {}, 128),
    "mobilenetv3": ("mobilenetv3", "mobilenet_v3_small", {}, 128),
    "mnasnet": ("mnasnet", "mnasnet0_5", {}, 128),
    "efficientnet": ("efficientnet", "efficientnet_b0", {}, 128),
    "efficientnet_v2": ("efficientnet", "efficientnet_v2_s", {}, 128),
    "regnet": ("regnet", "regnet_y_400mf", {}, 128),
    "convnext": ("convnext", "convnext_tiny", {}, 128),
    "vit": ("vision_transformer", "vit_b_32", {}, 224),
    "swin": ("swin_transformer", "swin_t", {}, 224),
    "swin_v2": ("swin_transformer", "swin_v2_t", {}, 256),
    "segmentation.fcn": ("segmentation.fcn", "fcn_resnet50", {"weights_backbone": None}, 64),
    "segmentation.deeplabv3": (
        "segmentation.deeplabv3",
        "deeplabv3_mobilenet_v3_large",
        {"weights_backbone": None},
        96,
    ),
    "video.r3d": ("video.resnet", "r3d_18", {}, (3, 4, 56, 56)),
    "video.mc3": ("video.resnet", "mc3_18", {}, (3, 4, 56, 56)),
    "video.s3d": ("video.s3d", "s3d", {}, (3, 16, 224, 224)),
    "video.mvit": ("video.mvit", "mvit_v2_s", {}, (3, 16, 224, 224)),
    "video.swin3d": ("video.swin_transformer", "swin3d_t", {}, (3, 4, 64, 64)),
    "optical_flow.raft": ("optical_flow.raft", "raft_small", {}, ((3, 128, 128), (3, 128, 128))),
    "detection.ssdlite": ("detection.ssdlite", "ssdlite320_mobilenet_v3_large", {"weights_backbone": None}, "list"),
    "detection.fasterrcnn": (
        "detection.faster_rcnn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        {"weights_backbone": None},
        "list",
    ),
    "detection.retinanet": ("detection.retinanet", "retinanet_resnet50_fpn", {"weights_backbone": None}, "list"),
}
TIMM = {  # file of timm/models: its smallest published variant, and arguments of its factory
    "beit": "beit_base_patch16_224 depth=2",
    "byoanet": "botnet26t_256",
    "byobnet": "gernet_s",
    "coat": "coat_lite_tiny",
    "convit": "convit_tiny",
    "convmixer": "convmixer_768_32",
    "convnext": "convnext_atto",
    "cpubone": "cpubone_nano",
    "csatv2": "csatv2",
    "cspnet": "darknet17",
    "cspnext": "cspnext_tiny",
    "davit": "davit_tiny",
    "deepseek_vit": "deepseek_vit_412m depth=2",
    "densenet": "densenet121",
    "dla": "dla46_c",
    "dpn": "dpn48b",
    "edgenext": "edgenext_xx_small",
    "efficientformer": "efficientformer_l1",
    "efficientnet": "mnasnet_050",
    "efficientvim": "efficientvim_m1",
    "efficientvit_mit": "efficientvit_b0",
    "efficientvit_msra": "efficientvit_m0",
    "eva": "eva02_tiny_patch14_224 depth=2",
    "fastvit": "fastvit_t8",
    "focalnet": "focalnet_tiny_srf",
    "gcvit": "gcvit_xxtiny",
    "gemma4_vit": "gemma4_vit_167m depth=1",
    "ghostnet": "ghostnet_050",
    "hgnet": "hgnetv2_b0",
    "hiera": "hiera_tiny_224",
    "hieradet_sam2": "hieradet_small",
    "hrnet": "hrnet_w18_small",
    "iformer": "iformer_t",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "lcnetv2": "lcnetv2_small",
    "levit": "levit_128s",
    "mambaout": "mambaout_femto",
    "maxxvit": "maxvit_pico_rw_256",
    "metaformer": "poolformer_s12",
    "mlp_mixer": "mixer_s32_224",
    "mobilenetv3": "mobilenetv3_small_050",
    "mobilevit": "mobilevit_xxs",
    "mvitv2": "mvitv2_tiny",
    "naflexvit": "naflexvit_base_patch16_gap depth=2",
    "nasnet": "nasnetalarge",
    "nest": "nest_tiny",
    "nfnet": "eca_nfnet_l0",
    "pit": "pit_ti_224",
    "pnasnet": "pnasnet5large",
    "pvt_v2": "pvt_v2_b0",
    "qwen3_vit": "qwen3_vit_88m depth=2",
    "regnet": "regnetx_002",
    "repghost": "repghostnet_050",
    "repvit": "repvit_m0_9",
    "res2net": "res2net50_48w_2s",
    "resnest": "resnest14d",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "selecsls": "selecsls42",
    "senet": "legacy_seresnet18",
    "sequencer": "sequencer2d_s",
    "sknet": "skresnet18",
    "starnet": "starnet_s050",
    "swiftformer": "swiftformer_xs",
    "swin_transformer": "swin_tiny_patch4_window7_224",
    "swin_transformer_v2": "swinv2_tiny_window8_256",
    "tiny_vit": "tiny_vit_5m_224",
    "tnt": "tnt_s_patch16_224 depth=2",
    "tresnet": "tresnet_m",
    "twins": "twins_svt_small",
    "vgg": "vgg11",
    "vision_transformer": "vit_tiny_patch16_224",
    "vision_transformer_hybrid": "vit_tiny_r_s16_p8_224",
    "vision_transformer_relpos": "vit_relpos_small_patch16_224",
    "vision_transformer_sam": "samvit_base_patch16_224 depth=2",
    "vitamin": "vitamin_small_224",
    "vovnet": "ese_vovnet19b_slim_dw",
    "xception": "legacy_xception",
    "xception_aligned": "xception41",
    "xcit": "xcit_nano_12_p16_224",
}
TRANSFORMERS = {  # family: (class, config class, its values, inputs)
    "bert": ("BertModel", "BertConfig", SMALL | {"vocab_size": 99}, IDS),
    "roberta": ("RobertaModel", "RobertaConfig", SMALL | {"vocab_size": 99}, IDS),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 99}, IDS),
    "llama": ("LlamaForCausalLM", "LlamaConfig", SMALL | {"vocab_size": 99, "num_key_value_heads": 2}, IDS),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", SMALL | {"vocab_size": 99, "num_key_value_heads": 2}, IDS),
    "t5": (
        "T5EncoderModel",
        "T5Config",
        {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 99},
        IDS,
    ),
    "vit": (
        "ViTModel",
        "ViTConfig",
        SMALL | {"image_size": 64, "patch_size": 16},
        {"pixel_values": ((3, 64, 64), None)},
    ),
    "whisper": (
        "WhisperModel",
        "WhisperConfig",
        {
            "d_model": 64,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 128,
            "decoder_ffn_dim": 128,
            "vocab_size": 99,
            "max_source_positions": 32,
            "num_mel_bins": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
        {"input_features": ((16, 64), None), "decoder_input_ids": ((6,), 90)},
    ),
    "convnext": (
        "ConvNextModel",
        "ConvNextConfig",
        {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 48, 64]},
        {"pixel_values": ((3, 64, 64), None)},
    ),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", SMALL | {"vocab_size": 40}, {"input_values": ((4000,), None)}),
}


def cases() -> dict:
    """name -> what makes the case"""
    found = {}
    for family, (module, factory, arguments, size) in TORCHVISION.items():
        found[f"torchvision/{family}"] = (f"torchvision.models.{module}", factory, arguments, size)
    for module, text in TIMM.items():
        factory, *pairs = text.split()
        arguments = {key: int(value) for key, value in (pair.split("=") for pair in pairs)}
        found[f"timm/{module}"] = (f"timm.models.{module}", factory, arguments, None)
    for family, (name, config, values, inputs) in TRANSFORMERS.items():
        where = f"transformers.models.{family}"
        values = values | (
            {} if family in ("vit", "clip", "convnext", "segformer", "wav2vec2") else {"use_cache": False}
        )
        arguments = {"config": (f"{where}.configuration_{family}", config, values | {"attn_implementation": "eager"})}
        found[f"transformers/{family}"] = (f"{where}.modeling_{family}", name, arguments, inputs)
    return {name: functools.partial(made, *case) for name, case in found.items() if case[3] != "list"}


def made(module: str, factory: str, arguments: dict, size):
    """The torch model of a case, what gives its inputs, and whether they go by name."""
    model = make(module, factory, arguments)
    return model, functools.partial(given, size, model), isinstance(size, dict)


def sizes_of(size, model) -> list[tuple[int, ...]]:
    """The sizes of the inputs without the batch."""
    if size is None:
        config = model.pretrained_cfg
        size = tuple(config["input_size"])
        if not config.get("fixed_input_size") and size[1] > 224 and "window" not in str(config.get("architecture")):
            size = (3, 224, 224) if config.get("min_input_size") is None else size
    if isinstance(size, int):
        size = (3, size, size)
    return [size] if isinstance(size[0], int) else list(size)


def make(module: str, factory: str, arguments: dict):
    """The torch model of a case."""
    function = getattr(importlib.import_module(module), factory)
    if "config" in arguments:
        where, name, values = arguments["config"]
        return function(getattr(importlib.import_module(where), name)(**values))
    return function(**arguments)


def given(size, model, batch: int) -> dict:
    """Random inputs by name."""
    import torch

    generator = torch.Generator().manual_seed(batch)
    if isinstance(size, dict):
        return {name: drawn((batch, *shape), high, generator) for name, (shape, high) in size.items()}
    return {f"x{i}": torch.randn((batch, *each), generator=generator) for i, each in enumerate(sizes_of(size, model))}


def drawn(shape: tuple, high, generator):
    """Random floats, integers below `high`, or integers from one number to another, of which the first is the other."""
    import torch

    if high is None:
        return torch.randn(shape, generator=generator)
    if isinstance(high, int):
        return torch.randint(0, high, shape, generator=generator)
    values = torch.randint(high[0], high[1], shape, generator=generator)
    values.view(-1)[0] = high[1]
    return values


if __name__ == "__main__":
    published.main(__doc__, cases())
