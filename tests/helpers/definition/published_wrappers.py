"""What published_libraries.py cannot say in one expression: models that are made of several parts."""

from __future__ import annotations

import importlib

import torch


class Translation(torch.nn.Module):
    """torch.nn.Transformer with a mask of the source's padding and a causal mask."""

    def __init__(self, model: torch.nn.Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, src: torch.Tensor, tgt: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        padding = torch.arange(src.shape[1], device=src.device)[None] >= lengths[:, None]
        causal = torch.nn.Transformer.generate_square_subsequent_mask(tgt.shape[1], device=tgt.device)
        return self.model(
            src, tgt, tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_is_causal=True
        )


def encodec_model() -> torch.nn.Module:
    """Encodec at a small size: encoder, residual quantizer, decoder."""
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    sizes = {"dimension": 16, "n_filters": 4, "ratios": [4, 2]}
    quantizer = ResidualVectorQuantizer(dimension=16, n_q=4, bins=32)
    return EncodecModel(SEANetEncoder(**sizes), SEANetDecoder(**sizes), quantizer, [6.0], 4096, 1)


def __getattr__(name: str):
    """open_clip and torch, by their names."""
    return importlib.import_module(name)
