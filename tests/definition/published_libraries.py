"""How many models of other published libraries define a TensorRT network as they are.

    PYTHON published_libraries.py [--only REGEX] [--json FILE] [--limit-seconds N] [--dtype float32] [--dynamic] [--build] [--list]

PYTHON is the interpreter of an environment with trtnet, torch and the libraries (PyPI's name is that of the table, with
einops, einx and what else each asks for): none of them was written for this. Small configurations with random weights;
how they are compared is in published.py. A library that is not installed is skipped.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from definition.published_modules import given
from helpers.definition import published

IMAGE = {"x": ((3, 64, 64), None)}
WAVE = {"x": ((1, 4096), None)}
WORDS = {"x": ((24,), 90)}
FEATURES = {"x": ((24, 32), None)}
UNET = "block_out_channels=(16, 32), norm_num_groups=8, layers_per_block=1"
VIT = "image_size=64, patch_size=16, num_classes=10, dim=32, depth=2, heads=2, mlp_dim=64"
ENCODER = "encoder_name='resnet18', encoder_weights=None, classes=3"
CLIP = "open_clip.CLIP(32, {'layers': %s, 'width': %s, 'patch_size': %s, 'image_size': 64, 'head_width': 16}, "
CLIP += "{'context_length': 24, 'vocab_size': 99, 'width': 32, 'heads': 2, 'layers': 2})"

LIBRARIES = {  # library/model: (module, expression, inputs)
    # diffusers
    "diffusers/UNet2DConditionModel": (
        "diffusers",
        f"UNet2DConditionModel(sample_size=16, {UNET}, cross_attention_dim=32, attention_head_dim=8, "
        "down_block_types=('CrossAttnDownBlock2D', 'DownBlock2D'), up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D'))",
        {"sample": ((4, 16, 16), None), "timestep": ((), 1000), "encoder_hidden_states": ((7, 32), None)},
    ),
    "diffusers/UNet2DModel": (
        "diffusers",
        f"UNet2DModel(sample_size=16, {UNET}, attention_head_dim=8, "
        "down_block_types=('DownBlock2D', 'AttnDownBlock2D'), up_block_types=('AttnUpBlock2D', 'UpBlock2D'))",
        {"sample": ((3, 16, 16), None), "timestep": ((), 1000)},
    ),
    "diffusers/AutoencoderKL": (
        "diffusers",
        f"AutoencoderKL({UNET}, down_block_types=('DownEncoderBlock2D',) * 2, up_block_types=('UpDecoderBlock2D',) * 2)",
        {"sample": ((3, 32, 32), None)},
    ),
    "diffusers/AutoencoderTiny": (
        "diffusers",
        "AutoencoderTiny(encoder_block_out_channels=(16, 16), decoder_block_out_channels=(16, 16), "
        "num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1))",
        {"sample": ((3, 32, 32), None)},
    ),
    "diffusers/VQModel": (
        "diffusers",
        f"VQModel({UNET}, num_vq_embeddings=32, down_block_types=('DownEncoderBlock2D',) * 2, "
        "up_block_types=('UpDecoderBlock2D',) * 2)",
        {"sample": ((3, 32, 32), None)},
    ),
    "diffusers/DiTTransformer2DModel": (
        "diffusers",
        "DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=16, num_layers=2, sample_size=16, "
        "num_embeds_ada_norm=1000, norm_num_groups=8)",
        {"hidden_states": ((4, 16, 16), None), "timestep": ((), 1000), "class_labels": ((), 1000)},
    ),
    "diffusers/SD3Transformer2DModel": (
        "diffusers",
        "SD3Transformer2DModel(sample_size=16, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=16, "
        "num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=16, out_channels=4)",
        {
            "hidden_states": ((4, 16, 16), None),
            "encoder_hidden_states": ((7, 32), None),
            "pooled_projections": ((16,), None),
            "timestep": ((), 1000),
        },
    ),
    "diffusers/PixArtTransformer2DModel": (
        "diffusers",
        "PixArtTransformer2DModel(num_attention_heads=2, attention_head_dim=16, num_layers=2, sample_size=16, "
        "cross_attention_dim=32, caption_channels=24, use_additional_conditions=False)",
        {"hidden_states": ((4, 16, 16), None), "encoder_hidden_states": ((7, 24), None), "timestep": ((), 1000)},
    ),
    # torchaudio
    "torchaudio/wav2vec2": (
        "torchaudio.models",
        "wav2vec2_model('group_norm', [(32, 10, 5), (32, 3, 2)], False, 32, 0.0, 16, 4, 2, 2, 0.0, 64, 0.0, 0.0, False, "
        "0.0, 29)",
        {"waveforms": ((2000,), None)},
    ),
    "torchaudio/wav2vec2_lengths": (
        "torchaudio.models",
        "wav2vec2_model('layer_norm', [(32, 10, 5), (32, 3, 2)], False, 32, 0.0, 16, 4, 2, 2, 0.0, 64, 0.0, 0.0, True, "
        "0.0, 29)",
        {"waveforms": ((2000,), None), "lengths": ((), (900, 2000))},
    ),
    "torchaudio/Conformer": (
        "torchaudio.models",
        "Conformer(32, 4, 64, 2, 15)",
        {"input": ((40, 32), None), "lengths": ((), (20, 40))},
    ),
    "torchaudio/ConvTasNet": (
        "torchaudio.models",
        "ConvTasNet(enc_num_feats=32, msk_num_feats=16, msk_num_hidden_feats=32, msk_num_layers=3, msk_num_stacks=2)",
        {"input": ((1, 2003), None)},
    ),
    "torchaudio/HDemucs": (
        "torchaudio.models",
        "HDemucs(['drums', 'vocals'], channels=8, nfft=256, depth=3)",
        {"input": ((2, 4096), None)},
    ),
    "torchaudio/DeepSpeech": ("torchaudio.models", "DeepSpeech(20, 32, 10)", {"x": ((1, 30, 20), None)}),
    "torchaudio/Wav2Letter": ("torchaudio.models", "Wav2Letter(10)", {"x": ((1, 4000), None)}),
    "torchaudio/WaveRNN": (
        "torchaudio.models",
        "WaveRNN([5, 5, 8], 16, 200, n_res_block=2, n_rnn=32, n_fc=32, n_freq=20, n_hidden=16, n_output=16)",
        {"waveform": ((1, 1200), None), "specgram": ((1, 20, 10), None)},
    ),
    "torchaudio/Emformer": (
        "torchaudio.models",
        "Emformer(32, 4, 64, 2, 8, right_context_length=2)",
        {"input": ((34, 32), None), "lengths": ((), (20, 32))},
    ),
    # segmentation-models-pytorch
    **{
        f"segmentation_models_pytorch/{name}": ("segmentation_models_pytorch", f"{name}({ENCODER})", IMAGE)
        for name in [
            "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
            "Segformer",
        ]
    },
    "segmentation_models_pytorch/PAN": ("segmentation_models_pytorch", f"PAN({ENCODER})", {"x": ((3, 256, 256), None)}),
    "segmentation_models_pytorch/Unet.mit_b0": (
        "segmentation_models_pytorch",
        "Unet('mit_b0', encoder_weights=None, classes=3)",
        IMAGE,
    ),
    "segmentation_models_pytorch/Unet.efficientnet": (
        "segmentation_models_pytorch",
        "Unet('efficientnet-b0', encoder_weights=None, classes=3, decoder_attention_type='scse', aux_params={'classes': 4})",
        IMAGE,
    ),
    "segmentation_models_pytorch/DPT": (
        "segmentation_models_pytorch",
        "DPT('tu-vit_tiny_patch16_224', encoder_weights=None, classes=3, dynamic_img_size=True)",
        IMAGE,
    ),
    # torch.nn.Transformer
    "torch/Transformer": (
        "torch.nn",
        "Transformer(32, 4, 2, 2, 64, batch_first=True)",
        {"src": ((9, 32), None), "tgt": ((7, 32), None)},
    ),
    "torch/Transformer.masks": (
        "helpers.definition.published_wrappers",
        "Translation(torch.nn.Transformer(32, 4, 2, 2, 64, batch_first=True, norm_first=True, activation='gelu'))",
        {"src": ((9, 32), None), "tgt": ((7, 32), None), "lengths": ((), (4, 9))},
    ),
    "torch/TransformerEncoder": (
        "torch.nn",
        "TransformerEncoder(TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)",
        {"src": ((9, 32), None)},
    ),
    # vit-pytorch: einops
    **{
        f"vit_pytorch/{name}": (f"vit_pytorch.{module}", expression, {key: ((3, size, size), None)})
        for name, module, expression, key, size in [
            ("ViT", "vit", f"ViT({VIT})", "img", 64),
            ("SimpleViT", "simple_vit", f"SimpleViT({VIT})", "img", 64),
            ("DeepViT", "deepvit", f"DeepViT({VIT})", "img", 64),
            ("CaiT", "cait", f"CaiT({VIT}, cls_depth=1)", "img", 64),
            ("CCT", "cct", "CCT(img_size=64, embedding_dim=32, num_layers=2, num_heads=2, num_classes=10)", "x", 64),
            ("T2TViT", "t2t", "T2TViT(dim=32, image_size=64, depth=2, heads=2, mlp_dim=64, num_classes=10)", "img", 64),
            ("CvT", "cvt", "CvT(num_classes=10, s1_emb_dim=16, s2_emb_dim=32, s3_emb_dim=48, s3_depth=2)", "x", 64),
            ("TwinsSVT", "twins_svt", "TwinsSVT(num_classes=10, s1_emb_dim=16, s2_emb_dim=16, s3_emb_dim=16, s4_emb_dim=16, "
             "s3_depth=1)", "x", 224),
            ("XCiT", "xcit", f"XCiT({VIT}, cls_depth=1)", "img", 64),
            ("NesT", "nest", "NesT(image_size=64, patch_size=4, dim=32, heads=2, num_hierarchies=2, "
             "block_repeats=(1, 1), num_classes=10)", "img", 64),
            ("MobileViT", "mobile_vit", "MobileViT((64, 64), [32, 48, 64], "
             "[16, 32, 48, 48, 64, 64, 80, 80, 96, 96, 384], 10)", "x", 64),
            ("MaxViT", "max_vit", "MaxViT(num_classes=10, dim_conv_stem=16, dim=16, dim_head=8, depth=(1, 1), "
             "window_size=4, mbconv_expansion_rate=2)", "x", 64),
            ("ParallelViT", "parallel_vit", f"ViT({VIT}, num_parallel_branches=2)", "img", 64),
            ("SmallDataset", "vit_for_small_dataset", f"ViT({VIT})", "img", 64),
            ("PiT", "pit", "PiT(image_size=64, patch_size=16, dim=32, num_classes=10, depth=(1, 1), heads=2, mlp_dim=64)",
             "img", 64),
            ("RvT", "rvt", f"RvT({VIT})", "img", 64),
            ("CrossViT", "cross_vit", "CrossViT(image_size=64, num_classes=10, sm_dim=16, lg_dim=32, depth=1, "
             "sm_enc_heads=2, lg_enc_heads=2, sm_patch_size=16, lg_patch_size=32)", "img", 64),
            ("CrossFormer", "crossformer", "CrossFormer(dim=(32, 32, 32, 32), depth=(1, 1, 1, 1), "
             "global_window_size=(8, 4, 2, 1), local_window_size=2, num_classes=10)", "x", 64),
            ("ScalableViT", "scalable_vit", "ScalableViT(num_classes=10, dim=16, heads=(2, 2), depth=(1, 1), "
             "ssa_dim_key=(8, 8), reduction_factor=(4, 2), window_size=(8, None))", "img", 64),
            ("SepViT", "sep_vit", "SepViT(num_classes=10, dim=16, dim_head=8, heads=(1, 2), depth=(1, 1))",
             "x", 224),
            ("RegisterTokens", "simple_vit_with_register_tokens", f"SimpleViT({VIT})", "img", 64),
            ("QKNorm", "simple_vit_with_qk_norm", f"SimpleViT({VIT})", "img", 64),
            ("HyperConnections", "simple_vit_with_hyper_connections", f"SimpleViT({VIT}, num_residual_streams=2)", "img", 64),
            ("ValueResidual", "simple_vit_with_value_residual", f"SimpleViT({VIT})", "img", 64),
            ("FFT", "simple_vit_with_fft", f"SimpleViT({VIT}, freq_patch_size=16)", "img", 64),
            ("Rotary", "vit_nd_rotary", "ViTND(ndim=2, input_shape=64, patch_size=16, num_classes=10, dim=32, depth=2, "
             "heads=2, mlp_dim=64)", "x", 64),
            ("LeViT", "levit", "LeViT(image_size=64, num_classes=10, dim=(16, 32), depth=1, heads=2, mlp_mult=2, stages=2)",
             "img", 64),
        ]
    },
    "vit_pytorch/ViT3D": (
        "vit_pytorch.vit_3d",
        "ViT(image_size=32, frames=4, image_patch_size=16, frame_patch_size=2, num_classes=10, dim=32, depth=2, heads=2, "
        "mlp_dim=64)",
        {"video": ((3, 4, 32, 32), None)},
    ),
    "vit_pytorch/ViViT": (
        "vit_pytorch.vivit",
        "ViViT(image_size=32, frames=4, image_patch_size=16, frame_patch_size=2, num_classes=10, dim=32, spatial_depth=1, "
        "temporal_depth=1, heads=2, mlp_dim=64)",
        {"video": ((3, 4, 32, 32), None)},
    ),
    # open-clip
    "open_clip/CLIP.vit": (
        "helpers.definition.published_wrappers",
        CLIP % (2, 32, 16),
        {"image": ((3, 64, 64), None), "text": ((24,), 99)},
    ),
    "open_clip/CLIP.resnet": (
        "helpers.definition.published_wrappers",
        CLIP % ((1, 1, 1, 1), 16, 16),
        {"image": ((3, 64, 64), None), "text": ((24,), 99)},
    ),
    "open_clip/CoCa": (
        "helpers.definition.published_wrappers",
        "open_clip.CoCa(32, {'context_length': 24, 'width': 32, 'heads': 2, 'layers': 2, 'vocab_size': 99}, "
        "{'context_length': 24, 'vocab_size': 99, 'width': 32, 'heads': 2, 'layers': 2, 'embed_cls': True, "
        "'output_tokens': True}, {'layers': 2, 'width': 32, 'patch_size': 16, 'image_size': 64, 'head_width': 16, "
        "'attentional_pool': True, 'attn_pooler_heads': 2, 'output_tokens': True})",
        {"image": ((3, 64, 64), None), "text": ((23,), 99)},
    ),
    # x-transformers
    **{
        f"x_transformers/{name}": (
            "x_transformers",
            f"TransformerWrapper(num_tokens=99, max_seq_len=24, attn_layers={layers})",
            WORDS,
        )
        for name, layers in {
            "Decoder": "Decoder(dim=32, depth=2, heads=4)",
            "Decoder.rotary": "Decoder(dim=32, depth=2, heads=4, attn_dim_head=32, rotary_pos_emb=True, use_rmsnorm=True, "
            "ff_glu=True, ff_swish=True, attn_kv_heads=2)",
            "Decoder.alibi": "Decoder(dim=32, depth=2, heads=4, alibi_pos_bias=True, ff_relu_squared=True)",
            "Decoder.flash": "Decoder(dim=32, depth=2, heads=4, attn_flash=True)",
            "Encoder.rel_pos": "Encoder(dim=32, depth=2, heads=4, rel_pos_bias=True, attn_qk_norm=True)",
            "Encoder.dynamic_pos": "Encoder(dim=32, depth=2, heads=4, dynamic_pos_bias=True, scale_residual=True)",
        }.items()
    },
    "x_transformers/ViT": (
        "x_transformers",
        "ViTransformerWrapper(image_size=64, patch_size=16, num_classes=10, attn_layers=Encoder(dim=32, depth=2, heads=2))",
        {"img": ((3, 64, 64), None)},
    ),
    # monai
    **{
        f"monai/{name}": ("monai.networks.nets", expression, {key: ((1, 32, 32, 32), None)})
        for name, expression, key in [
            ("UNet", "UNet(3, 1, 2, (8, 16, 32), (2, 2), num_res_units=2)", "x"),
            ("AttentionUnet", "AttentionUnet(3, 1, 2, (8, 16, 32), (2, 2))", "x"),
            ("BasicUNet", "BasicUNet(3, 1, 2, (8, 8, 16, 16, 32, 8))", "x"),
            ("SegResNet", "SegResNet(3, 8, blocks_down=(1, 1), blocks_up=(1,))", "x"),
            ("DynUNet", "DynUNet(3, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[8, 16, 32])", "x"),
            ("VNet", "VNet()", "x"),
            ("HighResNet", "HighResNet()", "x"),
            ("DenseNet", "DenseNet(3, 1, 4, 8, 8, (2, 2))", "x"),
            ("UNETR", "UNETR(1, 2, 32, 8, 24, 48, 2)", "x_in"),
        ]
    },
    "monai/SwinUNETR": (
        "monai.networks.nets",
        "SwinUNETR(1, 2, depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), feature_size=12, spatial_dims=2)",
        {"x_in": ((1, 64, 64), None)},
    ),
    # kornia
    **{
        f"kornia/{name}": ("kornia.feature", f"{name}(pretrained=False)", {key: ((1, 32, 32), None)})
        for name, key in [("HardNet", "input"), ("SOSNet", "input"), ("TFeat", "input"), ("HyNet", "x")]
    },
    "kornia/DexiNed": ("kornia.models.dexined", "DexiNed(False)", IMAGE),
    "kornia/TinyViT": ("kornia.models.tiny_vit", "TinyViT(img_size=224, num_classes=10)", {"x": ((3, 224, 224), None)}),
    "kornia/MobileViT": ("kornia.models.vit_mobile", "MobileViT()", {"x": ((3, 256, 256), None)}),
    "kornia/VisionTransformer": (
        "kornia.models.vit",
        "VisionTransformer(64, 16, 3, 32, 2, 2)",
        IMAGE,
    ),
    "kornia/RRDBNet": ("kornia.models.rrdbnet", "RRDBNet(3, 3, num_block=2, num_feat=16, num_grow_ch=8)", IMAGE),
    # audio codecs and vocoders
    "encodec/encoder": ("encodec.modules", "SEANetEncoder(dimension=16, n_filters=4, ratios=[4, 2])", WAVE),
    "encodec/decoder": ("encodec.modules", "SEANetDecoder(dimension=16, n_filters=4, ratios=[4, 2])", {"z": ((16, 40), None)}),
    "encodec/model": ("helpers.definition.published_wrappers", "encodec_model()", WAVE),
    "snac/SNAC": (
        "snac",
        "SNAC(encoder_dim=16, encoder_rates=[2, 4], decoder_dim=32, decoder_rates=[4, 2], attn_window_size=None, "
        "codebook_size=32, vq_strides=[2, 1], noise=False)",
        {"audio_data": ((1, 2048), None)},
    ),
    "vocos/backbone": ("vocos.models", "VocosBackbone(20, 32, 64, 2)", {"x": ((20, 30), None)}),
    "vocos/head": ("vocos.heads", "ISTFTHead(32, 64, 16)", {"x": ((30, 32), None)}),
    # source separation
    "demucs/Demucs": ("demucs.demucs", "Demucs(['a', 'b'], channels=8, depth=3, resample=False)", {"mix": ((2, 4096), None)}),
    "demucs/HDemucs": ("demucs.hdemucs", "HDemucs(['a', 'b'], channels=8, nfft=256, depth=3)", {"mix": ((2, 4096), None)}),
    "demucs/HTDemucs": (
        "demucs.htdemucs",
        "HTDemucs(['a', 'b'], channels=8, nfft=256, depth=2, t_layers=2, t_heads=2, samplerate=4096, segment=1)",
        {"mix": ((2, 4096), None)},
    ),
    # others
    **{
        f"pytorchcv/{name}": ("pytorchcv.model_provider", f"get_model({name!r})", {"x": ((3, size, size), None)})
        for name, size in [
            ("seresnet10", 224), ("shufflenetv2_wd2", 224), ("ghostnet", 224), ("hrnet_w18_small_v1", 224),
            ("diaresnet10", 224), ("dpn68", 224), ("menet108_8x1_g3", 224), ("condensenet74_c4_g4", 224), ("mixnet_s", 224),
            ("hardnet39ds", 224), ("igcv3_wd4", 224), ("bagnet9", 224), ("resnesta18", 224), ("vovnet27s", 224),
            ("icnet_resnetd50b_cityscapes", 480), ("lwopenpose2d_mobilenet_cmupan_coco", 64),
            ("alphapose_fastseresnet101b_coco", 64),
        ]
    },
    "efficientnet_pytorch/b0": ("efficientnet_pytorch", "EfficientNet.from_name('efficientnet-b0', image_size=64)",
                                {"inputs": ((3, 64, 64), None)}),
    "facenet_pytorch/InceptionResnetV1": ("facenet_pytorch", "InceptionResnetV1(num_classes=10)", {"x": ((3, 160, 160), None)}),
    **{
        f"super_image/{name}": (
            "super_image", f"{name}Model({name}Config(scale=2, n_feats=16, {arguments}))", {"x": ((3, 24, 24), None)}
        )
        for name, arguments in [
            ("Edsr", "n_resblocks=2"), ("Msrn", ""), ("Pan", ""), ("Carn", ""),
            ("Rcan", "n_resgroups=1, n_resblocks=1"), ("A2n", ""), ("Awsrn", ""),
        ]
    },
    "vector_quantize_pytorch/VectorQuantize": ("vector_quantize_pytorch", "VectorQuantize(32, 64)", FEATURES),
    "vector_quantize_pytorch/cosine": ("vector_quantize_pytorch", "VectorQuantize(32, 64, use_cosine_sim=True)", FEATURES),
    "vector_quantize_pytorch/ResidualVQ": (
        "vector_quantize_pytorch",
        "ResidualVQ(dim=32, num_quantizers=2, codebook_size=64)",
        FEATURES,
    ),
    "vector_quantize_pytorch/FSQ": ("vector_quantize_pytorch", "FSQ([8, 5, 5], dim=32)", {"z": ((24, 32), None)}),
    "vector_quantize_pytorch/LFQ": ("vector_quantize_pytorch", "LFQ(dim=32, codebook_size=64)", FEATURES),
    "local_attention/LocalMHA": ("local_attention", "LocalMHA(dim=32, window_size=8, dim_head=16, heads=2, causal=True)", FEATURES),
    "local_attention/LocalTransformer": (
        "local_attention",
        "LocalTransformer(num_tokens=99, max_seq_len=24, dim=32, depth=2, local_attn_window_size=8, dim_head=16, heads=2)",
        WORDS,
    ),
    "denoising_diffusion_pytorch/Unet": (
        "denoising_diffusion_pytorch",
        "Unet(16, dim_mults=(1, 2), attn_heads=2, attn_dim_head=8)",
        {"x": ((3, 16, 16), None), "time": ((), 1000)},
    ),
    "denoising_diffusion_pytorch/Unet1D": (
        "denoising_diffusion_pytorch",
        "Unet1D(16, dim_mults=(1, 2), channels=3, attn_heads=2, attn_dim_head=8)",
        {"x": ((3, 32), None), "time": ((), 1000)},
    ),
    "conformer/Conformer": ("conformer", "Conformer(32, depth=2, dim_head=16, heads=2, conv_kernel_size=7)", FEATURES),
    "perceiver_pytorch/Perceiver": (
        "perceiver_pytorch",
        "Perceiver(num_freq_bands=4, depth=2, max_freq=10, num_latents=8, latent_dim=32, latent_heads=2, cross_dim_head=16, "
        "latent_dim_head=16, num_classes=10)",
        {"data": ((16, 16, 3), None)},
    ),
    "nystrom_attention/Nystromformer": (
        "nystrom_attention",
        "Nystromformer(dim=32, depth=2, dim_head=16, heads=2, num_landmarks=8, attn_values_residual_conv_kernel=5)",
        FEATURES,
    ),
    "linformer/LinformerLM": ("linformer", "LinformerLM(99, 32, 24, 2, k=8, heads=2)", WORDS),
    **{
        f"ultralytics/{name}": ("ultralytics.nn.tasks", f"{kind}('{name}.yaml', nc=4, verbose=False)", IMAGE)
        for name, kind in [
            ("yolov8n", "DetectionModel"), ("yolo11n", "DetectionModel"), ("yolo26n", "DetectionModel"),
            ("yolov10n", "DetectionModel"), ("yolov8n-seg", "SegmentationModel"), ("yolov8n-pose", "PoseModel"),
            ("yolov8n-cls", "ClassificationModel"), ("rtdetr-resnet50", "RTDETRDetectionModel"),
        ]
    },
    "lpips/LPIPS": (
        "lpips",
        "LPIPS(pretrained=False, pnet_rand=True, net='squeeze', verbose=False)",
        {"in0": ((3, 64, 64), None), "in1": ((3, 64, 64), None)},
    ),
    **{
        f"pretrainedmodels/{name}": (
            "pretrainedmodels", f"{name}(num_classes=1000, pretrained=None)", {"input": ((3, size, size), None)}
        )
        for name, size in [("bninception", 224), ("nasnetamobile", 224), ("dpn68", 224), ("xception", 299)]
    },
    # of packages that were tried last
    "segment_anything/ImageEncoderViT": (
        "segment_anything.modeling.image_encoder",
        "ImageEncoderViT(img_size=128, embed_dim=32, depth=2, num_heads=2, out_chans=16, use_rel_pos=True, window_size=3, "
        "global_attn_indexes=(1,))",
        {"x": ((3, 128, 128), None)},
    ),
    "segment_anything/TwoWayTransformer": (
        "segment_anything.modeling.transformer",
        "TwoWayTransformer(depth=2, embedding_dim=32, num_heads=2, mlp_dim=64)",
        {"image_embedding": ((32, 8, 8), None), "image_pe": ((32, 8, 8), None), "point_embedding": ((5, 32), None)},
    ),
    "easyocr/CRAFT": ("easyocr.craft", "CRAFT(pretrained=False)", {"x": ((3, 64, 96), None)}),
    "easyocr/Model": ("easyocr.model.vgg_model", "Model(1, 32, 32, 40)", {"input": ((1, 32, 100), None), "text": ((1,), 2)}),
    "openunmix/OpenUnmix": ("openunmix.model", "OpenUnmix(65, hidden_size=32, max_bin=40)", {"x": ((2, 65, 20), None)}),
    "pytorch_tabnet/TabNet": (
        "pytorch_tabnet.tab_network",
        "TabNet(12, 3, cat_idxs=[1, 4], cat_dims=[5, 7], cat_emb_dim=[2, 3], group_attention_matrix=torch.eye(12))",
        {"x": ((12,), 5)},
    ),
    "pytorch_tabnet/TabNetNoEmbeddings": (
        "pytorch_tabnet.tab_network",
        "TabNetNoEmbeddings(12, 3, group_attention_matrix=torch.eye(12))",
        {"x": ((12,), None)},
    ),
    "tab_transformer_pytorch/FTTransformer": (
        "tab_transformer_pytorch",
        "FTTransformer(categories=(5, 7), num_continuous=4, dim=16, depth=2, heads=2)",
        {"x_categ": ((2,), 5), "x_numer": ((4,), None)},
    ),
    "rtdl_revisiting_models/FTTransformer": (
        "rtdl_revisiting_models",
        "FTTransformer(n_cont_features=4, cat_cardinalities=[5, 7], d_out=3, n_blocks=2, d_block=16, attention_n_heads=2, "
        "attention_dropout=0.1, ffn_d_hidden=None, ffn_d_hidden_multiplier=2.0, ffn_dropout=0.1, residual_dropout=0.0)",
        {"x_cont": ((4,), None), "x_cat": ((2,), 5)},
    ),
    "performer_pytorch/Performer": ("performer_pytorch", "Performer(dim=32, depth=2, heads=2, dim_head=16)", FEATURES),
    "performer_pytorch/PerformerLM": (
        "performer_pytorch",
        "PerformerLM(num_tokens=99, max_seq_len=24, dim=32, depth=2, heads=2, dim_head=16)",
        WORDS,
    ),
    "siren_pytorch/SirenNet": ("siren_pytorch", "SirenNet(2, 32, 3, 3)", {"x": ((2,), None)}),
    "pytorch_tcn/TCN": ("pytorch_tcn", "TCN(8, [16, 16], kernel_size=3, use_skip_connections=True)", {"x": ((8, 40), None)}),
    "torchxrayvision/DenseNet": ("torchxrayvision.models", "DenseNet(weights=None)", {"x": ((1, 64, 64), None)}),
    **{
        f"spandrel/{name}": (f"spandrel.architectures.{name}.__arch.{file}", expression, {key: ((3, 64, 64), None)})
        for name, file, expression, key in [
            ("SwinIR", "SwinIR", "SwinIR(img_size=16, embed_dim=12, depths=(2,), num_heads=(2,), window_size=8, upscale=2, "
             "upsampler='pixelshuffle')", "x"),
            ("Swin2SR", "Swin2SR", "Swin2SR(embed_dim=12, depths=[2], num_heads=[2], window_size=8, "
             "upsampler='pixelshuffle')", "x"),
            ("HAT", "HAT", "HAT(img_size=64, squeeze_factor=4, compress_ratio=3, embed_dim=12, depths=(2,), num_heads=(2,), "
             "window_size=8, upscale=2, upsampler='pixelshuffle')", "x"),
            ("DAT", "DAT", "DAT(img_size=16, embed_dim=16, split_size=(4, 8), depth=(2,), num_heads=(2,), upscale=2)", "x"),
            ("DRCT", "drct_arch", "DRCT(img_size=64, embed_dim=12, depths=(2,), num_heads=(2,), window_size=8, upscale=2, "
             "gc=4, upsampler='pixelshuffle')", "x"),
            ("RGT", "rgt", "RGT(embed_dim=16, depth=[2], num_heads=[2])", "x"),
            ("GRL", "grl", "GRL(img_size=64, embed_dim=16, upscale=2, window_size=8, depths=[2], num_heads_window=[2], "
             "num_heads_stripe=[2])", "x"),
            ("ATD", "atd_arch", "ATD(embed_dim=12, depths=(2,), num_heads=(2,), window_size=8, category_size=64, "
             "num_tokens=8, reducted_dim=4, upscale=2, upsampler='pixelshuffle')", "x"),
            ("CRAFT", "CRAFT", "CRAFT(embed_dim=24, depths=[2], num_heads=[2], upscale=2)", "x"),
            ("OmniSR", "OmniSR", "OmniSR(num_feat=16, res_num=1, up_scale=2)", "x"),
            ("PLKSR", "PLKSR", "PLKSR(dim=16, n_blocks=2)", "x"),
            ("SPAN", "span", "SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=2)", "x"),
            ("SAFMN", "safmn", "SAFMN(dim=16, n_blocks=2)", "x"),
            ("FDAT", "fdat", "FDAT(embed_dim=16, num_groups=1, depth_per_group=2, num_heads=2, scale=2)", "x"),
            ("Compact", "SRVGG", "SRVGGNetCompact(num_feat=16, num_conv=2)", "x"),
            ("RealCUGAN", "upcunet_v3", "UpCunet2x()", "x"),
            ("NAFNet", "NAFNet_arch", "NAFNet(width=8, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])", "inp"),
            ("KBNet", "kbnet_s", "KBNet_s(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])", "inp"),
            ("Uformer", "Uformer", "Uformer(img_size=64, embed_dim=8, depths=[1] * 9, num_heads=[1, 2, 4, 8, 8, 8, 8, 4, 2], "
             "win_size=8)", "x"),
            ("MixDehazeNet", "MixDehazeNet", "MixDehazeNet(embed_dims=[8, 16, 32, 16, 8], depths=[1] * 5)", "x"),
            ("RetinexFormer", "retinexformer_arch", "RetinexFormer(n_feat=8, stage=1)", "x"),
            ("HVICIDNet", "cidnet", "CIDNet(channels=[8, 8, 16, 32])", "x"),
            ("FFTformer", "fftformer_arch", "FFTformer(dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1)", "inp_img"),
        ]
    },
}  # fmt: skip


class Names(dict):
    """The names of a module, of which some are imported when they are asked for."""

    def __init__(self, module) -> None:
        self.module = module

    def __missing__(self, name: str):
        try:
            return getattr(self.module, name)
        except AttributeError as error:
            raise KeyError(name) from error


def made(module: str, expression: str, inputs: dict):
    """The torch model of a case, what gives its inputs, and that they go by name."""
    model = eval(expression, {}, Names(importlib.import_module(module)))
    return model, functools.partial(given, inputs, model), True


if __name__ == "__main__":
    published.main(__doc__, {name: functools.partial(made, *case) for name, case in LIBRARIES.items()})
