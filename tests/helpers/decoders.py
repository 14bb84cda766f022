"""Small decoders of transformers with random weights, and steps of ours over caches."""

from __future__ import annotations

from typing import Any

import torch
from helpers import originals

SIZES = {
    "vocab_size": 99, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


def published(kind: str, scale: float = 0.1, **settings: Any) -> Any:
    """transformers' ``{kind}ForCausalLM``, small, every weight random: biases and norms too."""
    originals.import_torchvision()
    import transformers

    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **settings})
    original = getattr(transformers, f"{kind.removesuffix('Text')}ForCausalLM")(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in original.named_parameters():
            centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.normal_(centre, scale, generator=generator)
    return original.eval()


def caches_of(network: Any, batch: int) -> dict[str, torch.Tensor]:
    """Empty caches of a network, by the names of its inputs."""
    dtype = getattr(torch, network.dtype.name)
    shapes = {name: x.shape[1:] for name, x in network.inputs.items() if name.startswith(("key", "value"))}
    return {name: torch.zeros(batch, *shape, dtype=dtype) for name, shape in shapes.items()}


def step(reference: Any, ids: torch.Tensor, held: list[int], caches: dict[str, torch.Tensor]) -> torch.Tensor:
    """The logits; the caches are replaced, as an engine does in place."""
    outputs = reference(input_ids=ids, write_indices=torch.tensor(held, dtype=torch.int32), **caches)
    caches.update({name.removeprefix("new_"): value for name, value in outputs.items() if name != "logits"})
    return outputs["logits"]
